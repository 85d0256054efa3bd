/**
 * Measuring: every program of this folder prints one line per figure, `metric <tab> wall <tab> cpu`.
 *
 * Wall and CPU in nanoseconds per operation (CPU is that of the whole process, collector and compiler included), or
 * both in percent of another figure; bytes have no CPU, and their lines end after the first number.
 */
import { Effect } from "effect"

const collect: () => void = (globalThis as { gc?: () => void }).gc ?? (() => {
  throw new Error("run node with --expose-gc")
})

export const quick = process.env.BENCH_QUICK === "1"

/** How long a long run is, in minutes' worth of work. */
export const minutes = Number(process.env.BENCH_MINUTES ?? (quick ? 0.1 : 10))

/** Fewer operations when somebody only wants to see it work. */
export const scaled = (n: number): number => quick ? Math.max(100, Math.ceil(n / 20)) : n

export const report = (metric: string, wall: number, cpu?: number): void => {
  console.log([metric, wall.toFixed(2), ...(cpu === undefined ? [] : [cpu.toFixed(2)])].join("\t"))
}

const cpu = (): number => {
  const { system, user } = process.cpuUsage()
  return (system + user) * 1000
}

export interface Cost {
  readonly wall: number
  readonly cpu: number
}

export const show = (metric: string, { cpu, wall }: Cost): void => report(metric, wall, cpu)

/** Cost per operation of one pass over work that does `n` of them. */
export const cost = <E, R>(n: number, work: Effect.Effect<unknown, E, R>): Effect.Effect<Cost, E, R> =>
  Effect.gen(function*() {
    const before = { cpu: cpu(), wall: process.hrtime.bigint() }
    yield* work
    const wall = Number(process.hrtime.bigint() - before.wall)
    return { wall: wall / n, cpu: (cpu() - before.cpu) / n }
  })

/** Two passes over a quarter of the work, before the one that counts. */
export const warmUp = <E, R>(n: number, work: (n: number) => Effect.Effect<unknown, E, R>) =>
  Effect.gen(function*() {
    yield* work(Math.ceil(n / 4))
    yield* work(Math.ceil(n / 4))
    collect()
  })

/** Warms up, and reports what the pass that counts has cost. */
export const timed = <E, R>(metric: string, count: number, work: (n: number) => Effect.Effect<unknown, E, R>) =>
  Effect.gen(function*() {
    const n = scaled(count)
    yield* warmUp(n, work)
    show(metric, yield* cost(n, work(n)))
  })

/** Bytes in use, after letting finalizers and the collector run. */
export const heap: Effect.Effect<number> = Effect.gen(function*() {
  yield* Effect.sleep(50)
  for (let i = 0; i < 4; i++) collect()
  return process.memoryUsage().heapUsed
})

export const median = (values: ReadonlyArray<number>): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

const mean = (values: ReadonlyArray<number>): number => values.reduce((sum, value) => sum + value, 0) / values.length

/**
 * One figure out of many passes: the median of wall time; the mean of CPU time, which Erlang counts in milliseconds.
 */
export const summary = (passes: ReadonlyArray<Cost>): Cost => ({
  wall: median(passes.map(({ wall }) => wall)),
  cpu: mean(passes.map(({ cpu }) => cpu))
})

/** What `one` costs more than `base`, in percent of it. */
export const extra = (one: Cost, base: Cost): Cost => ({
  wall: (one.wall / base.wall - 1) * 100,
  cpu: (one.cpu / base.cpu - 1) * 100
})

/** Runs `body` so often, one after the other, in the caller's fiber. */
export const times = <E, R>(n: number, body: () => Effect.Effect<unknown, E, R>): Effect.Effect<void, E, R> =>
  Effect.gen(function*() {
    for (let i = 0; i < n; i++) yield* body()
  })

/** `n` operations shared by a hundred clients, each in a fiber of its own. */
export const clients = <E, R>(n: number, body: (client: number) => Effect.Effect<unknown, E, R>) =>
  Effect.forEach(Array.from({ length: 100 }, (_, client) => client), (client) => times(n / 100, () => body(client)), {
    concurrency: "unbounded",
    discard: true
  })

/** Runs the section that the command line names. */
export const main = (sections: Record<string, Effect.Effect<unknown, unknown>>): void => {
  const section = sections[process.argv[2] ?? ""]
  if (section === undefined) throw new Error(`sections: ${Object.keys(sections).join(", ")}`)
  Effect.runPromise(section).then(() => process.exit(0), (error) => {
    console.error(error)
    process.exit(1)
  })
}
