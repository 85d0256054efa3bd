import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Scheduler, Schema } from "effect"
import { DynamicSupervisor, GenServer, Next, Process, StateContainer, Supervisor, Sys } from "../../../../src/index.ts"
import { serverOf } from "../../../../src/layers/server/class/ServerRef.ts"
import { now, turns } from "../../../kit/Fibers.ts"

/** Sends itself, or another, one more cast for every cast: it never comes to rest by itself. */
class Busy extends GenServer.Service<Busy>()("test/Busy", {
  state: Schema.Int,
  messages: {
    Again: GenServer.cast(),
    AgainSlowly: GenServer.cast(),
    Count: GenServer.cast(),
    Rest: GenServer.cast(),
    Get: GenServer.call({ reply: Schema.Int })
  }
}) {}
class Other extends GenServer.Service<Other>()("test/Other", {
  state: Schema.Int,
  messages: { Back: GenServer.cast() }
}) {}

/** `next` is whom a tireless server goes on with. */
const app = (next: { go: Effect.Effect<void> }) =>
  Supervisor.layer({ strategy: "one_for_one" }, [
    StateContainer.layerMemory(Busy),
    StateContainer.layerMemory(Other),
    Busy.layer({
      init: 0,
      handlers: {
        Again: (n) => Effect.as(next.go, n + 1),
        AgainSlowly: (n) => Effect.as(Effect.andThen(Effect.yieldNow, next.go), n + 1),
        Count: (n) => n + 1,
        Rest: (n) => n,
        Get: (n) => [n, n]
      }
    }),
    Other.layer({ init: 0, handlers: { Back: (n) => Effect.as(next.go, n + 1) } })
  ])

describe("a timer is not starved", () => {
  const tireless = (
    name: string,
    start: (
      busy: typeof Busy.Service,
      other: typeof Other.Service,
      next: { go: Effect.Effect<void> }
    ) => Effect.Effect<void>
  ) =>
    it.live(name, () => {
      const next = { go: Effect.void as Effect.Effect<void> }
      return Effect.gen(function*() {
        const busy = yield* Busy
        const other = yield* Other
        yield* start(busy, other, next)
        // If it were starved, this would never be over.
        yield* Effect.sleep("20 millis")
        next.go = Effect.void
        assert.isAbove(yield* busy.Get({}, { timeout: "infinity" }), 0)
      }).pipe(Effect.provide(app(next)))
    })

  tireless("by a server that casts to itself for ever", (busy, _other, next) => {
    next.go = busy.Again()
    return busy.Again()
  })

  tireless("by a server that casts to itself for ever and waits in between", (busy, _other, next) => {
    next.go = busy.AgainSlowly()
    return busy.AgainSlowly()
  })

  tireless("by two servers that cast to each other for ever", (busy, other, next) => {
    let turn = 0
    next.go = Effect.suspend(() => turn++ % 2 === 0 ? other.Back() : busy.Again())
    return busy.Again()
  })

  tireless("by a hundred senders of one server", (busy, _other, next) => {
    let going = true
    next.go = Effect.void
    const caller = Effect.whileLoop({ while: () => going, body: () => busy.Get(), step: () => {} })
    const counting = Effect.whileLoop({ while: () => going, body: () => busy.Count(), step: () => {} })
    return Effect.gen(function*() {
      for (let i = 0; i < 50; i++) {
        yield* now(Effect.orDie(caller))
        yield* now(counting)
      }
      yield* Effect.forkChild(Effect.delay(Effect.sync(() => going = false), "20 millis"))
    })
  })
})

it.live("two hundred thousand casts are all handled, and a call after them sees them all", () =>
  Effect.gen(function*() {
    const busy = yield* Busy
    let sent = 0
    yield* Effect.whileLoop({ while: () => sent < 200_000, body: () => busy.Count(), step: () => void sent++ })
    assert.strictEqual(yield* busy.Get({}, { timeout: "infinity" }), 200_000)
  }).pipe(Effect.provide(app({ go: Effect.void }))))

it.effect("a sender of casts without end gives way after as many as a turn handles", () =>
  Effect.gen(function*() {
    const busy = yield* Busy
    const server = serverOf(busy)!
    const sender = yield* now(Effect.whileLoop({ while: () => true, body: () => busy.Count(), step: () => {} }))
    assert.isAbove(server.mailboxSize, 512)
    assert.isAtMost(server.mailboxSize, 1024)
    yield* Fiber.interrupt(sender)
  }).pipe(Effect.provide(app({ go: Effect.void }))))

it.live(
  "one server with a hundred thousand messages waiting does not keep another from answering",
  () =>
    Effect.gen(function*() {
      const busy = yield* Busy
      const other = yield* Other
      let sent = 0
      const flood = Effect.whileLoop({ while: () => sent < 100_000, body: () => busy.Count(), step: () => void sent++ })
      yield* Effect.provideService(flood, Scheduler.PreventSchedulerYield, true)
      const flooded = yield* now(busy.Get({}, { timeout: "infinity" }))
      yield* other.Back()
      yield* GenServer.stop(other)
      assert.isUndefined(flooded.pollUnsafe(), "the other one was served in between")
      assert.strictEqual(yield* Fiber.join(flooded), 100_000)
    }).pipe(Effect.provide(app({ go: Effect.void })))
)

describe("continuations without end", () => {
  class Driven extends GenServer.Service<Driven>()("test/Driven", {
    state: Schema.Int,
    messages: { Start: GenServer.cast(), Get: GenServer.call({ reply: Schema.Int }) }
  }) {}

  /** A starved test could not fail by its time limit: so they do end, long after it would have. */
  const last = 2_000_000

  const again = (style: "plain" | "effectful" | "idle", last: number, done: () => void = () => {}) => {
    const go = (n: number): Effect.Effect<Next.NoReply<number>> | Next.NoReply<number> => {
      const more = style === "idle" ? { idleAfter: 0 } : { continueWith: go }
      if (n === last) done()
      const next = Next.noReply(n + 1, n < last ? more : {})
      return style === "effectful" ? Effect.succeed(next) : next
    }
    return go
  }

  class Pool extends DynamicSupervisor.Service<Pool>()("test/Pool") {}

  for (const style of ["plain", "effectful", "idle"] as const) {
    it.effect(`${style}, go on by themselves, over as many turns as they take`, () => {
      let isDone = false
      const go = again(style, 5000, () => isDone = true)
      return Effect.gen(function*() {
        yield* (yield* Driven).Start()
        for (let i = 0; i < 20; i++) yield* turns
        assert.isTrue(isDone)
      }).pipe(
        Effect.provide(Supervisor.layer({ strategy: "one_for_one" }, [
          StateContainer.layerMemory(Driven),
          Driven.layer({ init: 0, handlers: { Start: go, Get: (n) => [n, n] }, idle: go })
        ]))
      )
    })

    it.live(`${style}, leave timers, requests of the system and the supervisor their turn`, () =>
      Effect.gen(function*() {
        const pool = yield* Pool
        const driven = yield* pool.startChild(
          Driven.recipe({
            init: 0,
            handlers: { Start: again(style, last), Get: (n) => [n, n] },
            idle: again(style, last)
          }, {
            key: style
          })
        )
        yield* driven.Start()
        yield* Effect.sleep("20 millis")
        const seen = yield* Sys.getState(driven, { timeout: "infinity" })
        assert.isTrue(0 < seen && seen < last, `seen at piece ${seen}`)
        yield* pool.terminateChild(driven)
        assert.strictEqual(yield* Process.status(driven), "stopped")
      }).pipe(Effect.provide(
        Supervisor.layer({ strategy: "one_for_one" }, [StateContainer.layerMemory(Driven), Pool.layer()])
      )))
  }
})
