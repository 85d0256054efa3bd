/**
 * What it costs to have handlers in threads and processes, and what it gains. It needs two cores that nothing else
 * uses.
 *
 *   npm run bench:worker                    all, two minutes
 *   npm run bench:worker -- scaling         one part: calls, restarts, scaling
 *   npm run bench:worker -- --quick         shows that it runs, measures nothing
 *
 * What is compared takes turns in one process, round by round; what is shown is the median of the rounds, and the best.
 */
import { Context, Effect, Exit, Layer, References } from "effect"
import { availableParallelism } from "node:os"
import process from "node:process"
import { pathToFileURL } from "node:url"
import { Restart, StateContainer, Supervisor } from "../src/index.ts"
import { WorkerServer } from "../src/worker.ts"
import { bundle } from "../test/kit/Bundle.ts"
import { behavior, entryAt, Mill } from "./mill.ts"

const args = process.argv.slice(2)
const isQuick = args.includes("--quick")
const wanted = args.filter((arg) => !arg.startsWith("--"))
const isWanted = (part: string) => wanted.length === 0 || wanted.includes(part)
const rounds = isQuick ? 1 : 7

const entry = entryAt(pathToFileURL(bundle("bench/mill.ts")).href)

class Threads extends WorkerServer.Pool<Threads>()("bench/Threads") {}

const restart = Restart.intensity({ restarts: 1000, within: "1 second" })

const inTree = <A, E, R>(server: Layer.Layer<A, E, R>) =>
  Supervisor.layer({ strategy: "one_for_one", restart }, [StateContainer.layerMemory(Mill), server])

const places = {
  fiber: inTree(Mill.layer(behavior)),
  thread: inTree(WorkerServer.layer(Mill, entry)),
  process: inTree(WorkerServer.layer(Mill, entry, { placement: "process" }))
}

const median = (values: ReadonlyArray<number>) => [...values].sort((a, b) => a - b)[values.length >> 1]!

const figure = (values: ReadonlyArray<number>, digits = 0) =>
  `${median(values).toFixed(digits)} [${Math.min(...values).toFixed(digits)}]`.padEnd(16)

/** Milliseconds that something takes. */
const timed = <E, R>(effect: Effect.Effect<unknown, E, R>) =>
  Effect.suspend(() => {
    const before = performance.now()
    return Effect.map(effect, () => performance.now() - before)
  })

const client = <E>(layer: Layer.Layer<Mill, E>) =>
  Effect.map(Layer.build(layer), (context) => Context.get(context, Mill))

const calls = Effect.gen(function*() {
  console.log("a call, in microseconds: median [least]")
  console.log("state".padEnd(10), "place".padEnd(9), "one by one".padEnd(16), "50 at once")
  const mills = new Map<string, Mill["Service"]>()
  for (const [place, layer] of Object.entries(places)) mills.set(place, yield* client(layer))
  for (const size of [10, 1000, 100_000]) {
    const n = Math.ceil((size > 10_000 ? 500 : 3000) / (isQuick ? 20 : 1))
    const alone = new Map<string, Array<number>>()
    const together = new Map<string, Array<number>>()
    for (const mill of mills.values()) {
      yield* mill.Pad({ size })
      for (let i = 0; i < n; i++) yield* mill.Add({ by: 1 })
    }
    for (let round = 0; round < rounds; round++) {
      for (const [place, mill] of mills) {
        const one = yield* timed(Effect.gen(function*() {
          for (let i = 0; i < n; i++) yield* mill.Add({ by: 1 })
        }))
        const many = yield* timed(
          Effect.forEach(Array.from({ length: 50 }), () =>
            Effect.gen(function*() {
              for (let i = 0; i < n / 50; i++) yield* mill.Add({ by: 1 })
            }), { concurrency: "unbounded", discard: true })
        )
        alone.set(place, [...alone.get(place) ?? [], 1000 * one / n])
        together.set(place, [...together.get(place) ?? [], 1000 * many / n])
      }
    }
    for (const place of mills.keys()) {
      console.log(
        `${size} B`.padEnd(10),
        place.padEnd(9),
        figure(alone.get(place)!, 1),
        figure(together.get(place)!, 1)
      )
    }
  }
}).pipe(Effect.scoped)

const restarts = Effect.gen(function*() {
  console.log("\nready, in milliseconds: median [least]")
  for (const placement of ["thread", "process"] as const) {
    const first: Array<number> = []
    const again = { true: new Array<number>(), false: new Array<number>() }
    for (let round = 0; round < rounds; round++) {
      for (const spare of [true, false]) {
        yield* Effect.gen(function*() {
          const before = performance.now()
          const mill = yield* client(inTree(WorkerServer.layer(Mill, entry, { placement, spare })))
          first.push(performance.now() - before)
          // Time for the spare to come up.
          yield* Effect.sleep("1 second")
          again[`${spare}`].push(yield* timed(Effect.andThen(Effect.exit(mill.Exit()), mill.Add({ by: 1 }))))
        }).pipe(Effect.scoped)
      }
    }
    console.log(
      placement.padEnd(9),
      `the first ${figure(first)} after a death with a spare ${figure(again.true)} without ${figure(again.false)}`
    )
  }
})

const scaling = Effect.gen(function*() {
  const keys = Array.from({ length: 16 }, (_, i) => `key ${i}`)
  const each = isQuick ? 100 : 20_000
  const pool = (size: number) =>
    Effect.map(
      Layer.build(
        inTree(WorkerServer.layerKeyed(Mill, entry, { pool: Threads })).pipe(
          Layer.provide(WorkerServer.layerPool(Threads, { size, spare: false }))
        )
      ),
      (context) =>
        Effect.provideContext(
          Effect.forEach(keys, (key) => Effect.flatMap(Mill.at(key), (mill) => mill.Work({ rounds: each })), {
            concurrency: "unbounded",
            discard: true
          }),
          context
        )
    )
  const one = yield* pool(1)
  const two = yield* pool(2)
  yield* Effect.andThen(one, two)
  const alone: Array<number> = []
  const both: Array<number> = []
  for (let round = 0; round < rounds; round++) {
    alone.push(yield* timed(one))
    both.push(yield* timed(two))
  }
  const ratios = alone.map((millis, i) => millis / both[i]!)
  console.log(`\n16 keys that compute, in milliseconds: one thread ${figure(alone)} two ${figure(both)}`)
  console.log(`two threads are ${median(ratios).toFixed(2)} times as fast as one (${availableParallelism()} cores)`)
}).pipe(Effect.scoped)

const all = Effect.gen(function*() {
  if (isWanted("calls")) yield* calls
  if (isWanted("restarts")) yield* restarts
  if (isWanted("scaling")) yield* scaling
})

const exit = await Effect.runPromiseExit(Effect.provideService(all, References.MinimumLogLevel, "None"))
if (Exit.isFailure(exit)) {
  console.error(exit.cause)
  process.exitCode = 1
}
