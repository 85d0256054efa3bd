/** Heirloom's own figures, one server at a time, through its public API: what a user's program would pay. */
import { Deferred, Effect, Exit, Layer } from "effect"
import { StateContainer, StateTable, Supervisor } from "../src/index.ts"
import { Counter, effectful, gate, memory, options, plain, quiet, type Server } from "./counter.ts"
import { clients, cost, heap, main, median, report, scaled, timed, times } from "./measure.ts"

const Plain = Supervisor.layer(options, [memory, Counter.layer(plain)])
const Effectful = Supervisor.layer(options, [memory, Counter.layer(effectful)])

const using = (layer: typeof Plain) => <E>(body: (counter: Server) => Effect.Effect<unknown, E>) =>
  Effect.flatMap(Counter, body).pipe(Effect.provide(layer), Effect.provide(quiet))
const withServer = using(Plain)

const calls = (metric: string) => (counter: Server) =>
  timed(metric, 1_000_000, (n) => times(n, () => counter.Increment()))

const crashes = (metric: string, how: "Crash" | "Raise") =>
  withServer((counter) =>
    timed(metric, 100_000, (n) =>
      Effect.gen(function*() {
        const before = yield* counter.Increment()
        for (let i = 0; i < n; i++) {
          yield* Effect.exit(counter[how]())
          yield* counter.Increment()
        }
        const after = yield* counter.Increment()
        if (after !== before + n + 1) return yield* Effect.die(`state lost: ${after}, not ${before + n + 1}`)
      }))
  )

/** Casts sent while the server is held; the time from its release until all are handled. */
const burst = (counter: Server, n: number) =>
  Effect.gen(function*() {
    gate.open = yield* Deferred.make<void>()
    yield* counter.Hold()
    yield* Effect.yieldNow
    yield* times(n, () => counter.Add())
    return yield* cost(n, Effect.andThen(Deferred.succeed(gate.open, undefined), counter.Increment()))
  })

/** Median cost of a call to each of several servers, called in turns, so that what slows one slows the others. */
const inTurns = Effect.fnUntraced(function*(servers: ReadonlyArray<Server>) {
  const walls = servers.map((): Array<number> => [])
  for (let pass = 0; pass < 12; pass++) {
    for (const [i, server] of servers.entries()) {
      const n = scaled(300_000)
      const { wall } = yield* cost(n, times(n, () => server.Increment()))
      if (pass >= 2) walls[i]!.push(wall)
    }
  }
  return walls.map(median)
})

const build = <E, R>(layer: Layer.Layer<Counter, E, R>) =>
  Effect.flatMap(Layer.build(layer), (services) => Effect.provide(Counter, services))

main({
  "call-plain": withServer(calls("call.plain")),
  "call-fn": using(Effectful)(calls("call.fn")),
  "busy": withServer((counter) =>
    timed("busy", 300_000, (n) => times(n, () => Effect.andThen(counter.Add(), counter.Increment())))
  ),
  "fan-one": withServer((counter) => timed("fan.one", 1_000_000, (n) => clients(n, () => counter.Increment()))),
  "cast": withServer((counter) =>
    timed("cast", 1_000_000, (n) => {
      let i = 0
      const casts = Effect.whileLoop({ while: () => i++ < n, body: () => counter.Add(), step: () => {} })
      return Effect.andThen(casts, counter.Increment())
    })
  ),
  "crash-die": crashes("crash.die", "Crash"),
  "crash-error": crashes("crash.error", "Raise"),
  "conserve": Effect.gen(function*() {
    const server = Counter.layer(plain)
    const [none, inMemory, inTable] = yield* inTurns([
      yield* build(Supervisor.layer(options, [StateContainer.layerForget(Counter), server])),
      yield* build(Plain),
      yield* build(
        Supervisor.layer(options, [StateContainer.layerTable(Counter), server]).pipe(
          Layer.provide(StateTable.StateTable.layer)
        )
      )
    ])
    report("conserve.memory", (inMemory! / none! - 1) * 100)
    report("conserve.table", (inTable! / none! - 1) * 100)
  }).pipe(Effect.scoped, Effect.provide(quiet)),
  "mailbox": withServer((counter) =>
    Effect.gen(function*() {
      yield* times(20, () => burst(counter, 1_000))
      const before = yield* heap
      const short: Array<{ readonly wall: number; readonly cpu: number }> = []
      for (let i = 0; i < scaled(1_000); i++) short.push(yield* burst(counter, 1_000))
      report("mailbox.short", median(short.map(({ wall }) => wall)), median(short.map(({ cpu }) => cpu)))
      const n = scaled(1_000_000)
      const { cpu, wall } = yield* burst(counter, n)
      report("mailbox.long", wall, cpu)
      report("mailbox.kept", Math.max(0, (yield* heap) - before) / n)
    })
  ),
  "limit": timed("limit.primitive", 3_000_000, (n) => times(n, () => Effect.withFiber(() => Exit.succeed(1))))
})
