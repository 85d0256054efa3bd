/** Heirloom's own figures, one server at a time, through its public API: what a user's program would pay. */
import { Deferred, Effect, Exit, Layer, Stream } from "effect"
import { GenServer, Requests, StateContainer, StateTable, Supervisor, Telemetry } from "../src/index.ts"
import { Counter, effectful, gate, memory, options, plain, quiet, type Server } from "./counter.ts"
import {
  clients,
  type Cost,
  cost,
  extra,
  heap,
  main,
  report,
  scaled,
  show,
  summary,
  timed,
  times,
  warmUp
} from "./measure.ts"

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

/** Holds the server, and sends it so many casts that wait. */
const hold = (counter: Server, waiting: number) =>
  Effect.gen(function*() {
    gate.open = yield* Deferred.make<void>()
    yield* counter.Hold()
    yield* Effect.yieldNow
    yield* times(waiting, () => counter.Add())
  })

const release = Effect.suspend(() => Deferred.succeed(gate.open, undefined))

/** Casts sent while the server is held; the time from its release until all are handled. */
const burst = (counter: Server, n: number) =>
  Effect.andThen(hold(counter, n), cost(n, Effect.andThen(release, counter.Increment())))

const repeated = <A, E>(n: number, pass: Effect.Effect<A, E>) =>
  Effect.gen(function*() {
    const all: Array<A> = []
    for (let i = 0; i < n; i++) all.push(yield* pass)
    return all
  })

/** What it costs to send one more call, in passes of a thousand, while so many casts and the calls before it wait. */
const sending = (counter: Server, waiting: number, passes: number) =>
  Effect.gen(function*() {
    const sent: Array<Requests.Request<number, unknown>> = []
    const send = Effect.map(Requests.send(counter.Increment()), (request) => sent.push(request))
    yield* hold(counter, waiting)
    const costs = yield* repeated(passes, cost(1_000, times(1_000, () => send)))
    yield* release
    const first = yield* Requests.wait(sent[0]!)
    for (const [i, request] of sent.entries()) {
      const answer = yield* Requests.wait(request)
      if (answer !== first + i) return yield* Effect.die(`answer ${i} is ${answer}, not ${first + i}`)
    }
    return costs
  })

/** Cost of a call to each of several servers, called in turns, so that what slows one slows the others. */
const inTurns = Effect.fnUntraced(function*(servers: ReadonlyArray<Server>) {
  const costs = servers.map((): Array<Cost> => [])
  for (let pass = 0; pass < 12; pass++) {
    for (const [i, server] of servers.entries()) {
      const n = scaled(300_000)
      const one = yield* cost(n, times(n, () => server.Increment()))
      if (pass >= 2) costs[i]!.push(one)
    }
  }
  return costs.map(summary)
})

const build = <E, R>(layer: Layer.Layer<Counter, E, R>) =>
  Effect.flatMap(Layer.build(layer), (services) => Effect.provide(Counter, services))

main({
  "call-plain": withServer(calls("call.plain")),
  "call-byclass": using(Layer.provide(Plain, Telemetry.byClass()))(calls("call.byclass")),
  "call-spans": using(Layer.provide(Plain, Telemetry.byClass({ spans: true })))(calls("call.spans")),
  "call-watched": withServer((counter) =>
    Effect.scoped(Effect.andThen(
      Effect.forkScoped(Stream.runDrain(GenServer.changes(counter, { buffer: { capacity: 1 } }))),
      Effect.andThen(Effect.yieldNow, calls("call.watched")(counter))
    ))
  ),
  "call-fn": using(Effectful)(calls("call.fn")),
  "busy": withServer((counter) =>
    timed("busy", 300_000, (n) =>
      Effect.gen(function*() {
        for (let i = 0; i < n; i++) {
          yield* counter.Add()
          yield* counter.Increment()
        }
      }))
  ),
  "fan-one": withServer((counter) => timed("fan.one", 1_000_000, (n) => clients(n, () => counter.Increment()))),
  "cast": withServer((counter) =>
    timed("cast", 1_000_000, (n) => Effect.andThen(times(n, () => counter.Add()), counter.Increment()))
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
    show("conserve.memory", extra(inMemory!, none!))
    show("conserve.table", extra(inTable!, none!))
  }).pipe(Effect.scoped, Effect.provide(quiet)),
  "mailbox": withServer((counter) =>
    Effect.gen(function*() {
      const bursts = (count: number) => repeated(count, burst(counter, 1_000))
      yield* warmUp(scaled(1_000), bursts)
      show("mailbox.short", summary(yield* bursts(scaled(1_000))))
      const n = scaled(1_000_000)
      const before = yield* heap
      show("mailbox.long", yield* burst(counter, n))
      report("mailbox.kept", Math.max(0, (yield* heap) - before) / n)
    })
  ),
  "mailbox-call": withServer((counter) =>
    Effect.gen(function*() {
      const short = (passes: number) => Effect.map(repeated(passes, sending(counter, 1_000, 1)), (all) => all.flat())
      yield* warmUp(100, short)
      show("mailbox.call.short", summary(yield* short(100)))
      show("mailbox.call.long", summary(yield* sending(counter, scaled(1_000_000), 100)))
    })
  ),
  "limit": timed("limit.primitive", 3_000_000, (n) => times(n, () => Effect.withFiber(() => Exit.succeed(1))))
})
