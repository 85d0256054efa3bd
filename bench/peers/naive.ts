/**
 * The naive Effect way: a `Queue`, a `Deferred` per call, a loop, `Effect.retry` for a supervisor, a `Ref` outside the
 * loop for the state.
 */
import { Deferred, Effect, Queue, Ref, Schedule } from "effect"
import { clients, cost, heap, main, report, scaled, show, timed, times, warmUp } from "../measure.ts"

interface Request {
  readonly message: "increment" | "crash" | "raise"
  readonly reply: Deferred.Deferred<number, "crashed"> | undefined
}

type Handler = (message: Request["message"], state: number) => Effect.Effect<readonly [reply: number, state: number]>

const plain: Handler = (message, n) => {
  switch (message) {
    case "increment":
      return Effect.succeed([n + 1, n + 1])
    case "crash":
      return Effect.die("boom")
    case "raise":
      throw new Error("boom")
  }
}

const fn: Handler = Effect.fnUntraced(function*(_message, n) {
  const by = yield* Effect.succeed(1)
  return [n + by, n + by] as const
})

const start = Effect.fnUntraced(function*(handler: Handler) {
  const mailbox = yield* Queue.unbounded<Request>()
  const state = yield* Ref.make(0)
  const loop = Effect.gen(function*() {
    while (true) {
      const { message, reply } = yield* Queue.take(mailbox)
      const current = yield* Ref.get(state)
      const [answer, next] = yield* Effect.suspend(() => handler(message, current)).pipe(
        Effect.onError(() => reply === undefined ? Effect.void : Deferred.fail(reply, "crashed"))
      )
      yield* Ref.set(state, next)
      if (reply !== undefined) yield* Deferred.succeed(reply, answer)
    }
  })
  yield* loop.pipe(Effect.sandbox, Effect.retry(Schedule.forever), Effect.forkDetach)
  return {
    call: (message: Request["message"]) =>
      Effect.gen(function*() {
        const reply = yield* Deferred.make<number, "crashed">()
        yield* Queue.offer(mailbox, { message, reply })
        return yield* Deferred.await(reply)
      }),
    cast: (message: Request["message"]) => Queue.offer(mailbox, { message, reply: undefined })
  }
})

const calls = (metric: string, handler: Handler) =>
  Effect.gen(function*() {
    const server = yield* start(handler)
    yield* timed(metric, 300_000, (n) => times(n, () => server.call("increment")))
  })

const crashes = (metric: string, how: "crash" | "raise") =>
  Effect.gen(function*() {
    const server = yield* start(plain)
    yield* timed(metric, 100_000, (n) =>
      times(n, () =>
        Effect.andThen(Effect.exit(server.call(how)), server.call("increment"))))
  })

main({
  "call-plain": calls("call.plain", plain),
  "call-fn": calls("call.fn", fn),
  "fan-one": Effect.gen(function*() {
    const server = yield* start(plain)
    yield* timed("fan.one", 300_000, (n) => clients(n, () => server.call("increment")))
  }),
  "fan-many": Effect.gen(function*() {
    const servers = yield* Effect.forEach(Array.from({ length: 100 }), () => start(plain))
    yield* timed("fan.many", 300_000, (n) => clients(n, (client) => servers[client]!.call("increment")))
  }),
  "busy": Effect.gen(function*() {
    const server = yield* start(plain)
    yield* timed(
      "busy",
      300_000,
      (n) => times(n, () => Effect.andThen(server.cast("increment"), server.call("increment")))
    )
  }),
  "cast": Effect.gen(function*() {
    const server = yield* start(plain)
    yield* timed(
      "cast",
      1_000_000,
      (n) => Effect.andThen(times(n, () => server.cast("increment")), server.call("increment"))
    )
  }),
  "start": Effect.gen(function*() {
    const n = scaled(100_000)
    const keep: Array<Effect.Success<ReturnType<typeof start>>> = []
    const fill = (count: number) =>
      Effect.gen(function*() {
        for (let i = 0; i < count; i++) keep[i] = yield* start(plain)
      })
    yield* warmUp(n, fill)
    keep.length = 0
    const before = yield* heap
    show("start", yield* cost(n, fill(n)))
    report("memory.new", ((yield* heap) - before) / n)
    for (let i = 0; i < 2 * n; i++) yield* keep[i % n]!.call("increment")
    report("memory.used", ((yield* heap) - before) / n)
  }),
  "crash-die": crashes("crash.die", "crash"),
  "crash-error": crashes("crash.error", "raise")
})
