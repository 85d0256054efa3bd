import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Option, Schema, type Tracer } from "effect"
import { TestClock } from "effect/testing"
import { GenServer, Process, StateContainer, Supervisor } from "../../../../src/index.ts"
import { Harness } from "../../../../src/testing.ts"
import { along, type Gates, gates, paths } from "../../../kit/Cell.ts"
import { now } from "../../../kit/Fibers.ts"

/** Says in whose trace its handlers run: the id of the span they are in, or none. */
class Traced extends GenServer.Service<Traced>()("test/Traced", {
  state: Schema.Array(Schema.String),
  messages: {
    Where: GenServer.call({ reply: Schema.String, redeliver: { maxAttempts: 2 } }),
    Note: GenServer.cast(),
    Tick: GenServer.cast({ internal: true }),
    TickLater: GenServer.call(),
    Noted: GenServer.call({ reply: Schema.Array(Schema.String) }),
    Hold: GenServer.call({ timeout: "infinity" })
  }
}) {}

const none = "none"

const spanId = Effect.map(
  Effect.option(Effect.currentParentSpan),
  Option.match({ onNone: () => none, onSome: ({ spanId }) => spanId })
)

const ways = {
  "at once": <A>(effect: Effect.Effect<A>) => effect,
  "after a while": <A>(effect: Effect.Effect<A>) => Effect.andThen(Effect.yieldNow, effect)
}

const app = (how: keyof typeof ways, { boot, hold }: Gates, server: GenServer.Options = {}, crashes = { left: 0 }) => {
  const where = ways[how](spanId)
  return Layer.provideMerge(
    Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
      StateContainer.layerMemory(Traced),
      Traced.layer({
        init: Effect.as(boot.await, []),
        restore: (log) => Effect.as(boot.await, log),
        handlers: {
          Where: (log) => crashes.left-- > 0 ? Effect.die("boom") : Effect.map(where, (id) => [id, log] as const),
          Note: (log) => Effect.map(where, (id) => [...log, id]),
          Tick: (log) => Effect.map(where, (id) => [...log, id]),
          TickLater: (log) =>
            Effect.flatMap(
              Traced.self,
              (self) => Effect.as(GenServer.castAfter(self.Tick(), "1 second"), [undefined, log] as const)
            ),
          Noted: (log) => [log, log],
          Hold: (log) => Effect.as(hold.await, [undefined, log])
        }
      }, server)
    ]),
    Harness.Harness.layer
  )
}

const inSpan = <A, E, R>(body: (span: Tracer.Span) => Effect.Effect<A, E, R>) =>
  Effect.withSpan(Effect.flatMap(Effect.orDie(Effect.currentSpan), body), "caller")

for (const how of ["at once", "after a while"] as const) {
  for (const path of paths) {
    describe(`a handler that answers ${how}, ${path}`, () => {
      it.effect("of a call runs in its caller's span", () => {
        const own = gates()
        return Effect.gen(function*() {
          const traced = yield* Traced
          yield* inSpan(({ spanId }) =>
            Effect.gen(function*() {
              const exit = yield* along(path, traced, own, traced.Where())
              assert(exit._tag === "Success")
              assert.strictEqual(exit.value, spanId)
            })
          )
          // And not in that of the caller before.
          assert.strictEqual(yield* traced.Where(), none)
        }).pipe(Effect.provide(app(how, own)))
      })

      it.effect("of a cast runs in its sender's span", () => {
        const own = gates()
        return Effect.gen(function*() {
          const traced = yield* Traced
          const note = traced.Note()
          const sent = yield* inSpan(({ spanId }) => Effect.as(along(path, traced, own, note), spanId))
          yield* note
          const others = [yield* inSpan(({ spanId }) => Effect.as(note, spanId)), none]
          yield* note
          assert.deepStrictEqual(yield* traced.Noted(), [sent, none, ...others])
        }).pipe(Effect.provide(app(how, own)))
      })
    })
  }

  it.effect(`a cast that waits for room keeps its sender's span: ${how}`, () => {
    const own = gates()
    return Effect.gen(function*() {
      const traced = yield* Traced
      yield* own.hold.close
      yield* now(traced.Hold())
      yield* traced.Note()
      const sent: Array<string> = []
      const waiting = yield* now(inSpan(({ spanId }) => {
        sent.push(spanId)
        return traced.Note()
      }))
      yield* own.hold.open
      yield* Fiber.join(waiting)
      assert.deepStrictEqual(yield* traced.Noted(), [none, ...sent])
    }).pipe(Effect.provide(app(how, own, { mailbox: { capacity: 1 } })))
  })

  it.effect(`a message that is handled again is still its caller's: ${how}`, () => {
    const own = gates()
    return Effect.gen(function*() {
      const traced = yield* Traced
      yield* inSpan(({ spanId }) => Effect.map(traced.Where(), (id) => assert.strictEqual(id, spanId)))
      assert.strictEqual(yield* Process.incarnation(traced), 2)
    }).pipe(Effect.provide(app(how, own, {}, { left: 1 })))
  })
}

describe("spans made in a handler", () => {
  class Inner extends GenServer.Service<Inner>()("test/InnerTraced", {
    state: Schema.Int,
    messages: { Ask: GenServer.call({ reply: Schema.Array(Schema.String) }) }
  }) {}
  class Outer extends GenServer.Service<Outer>()("test/OuterTraced", {
    state: Schema.Int,
    messages: { Ask: GenServer.call({ reply: Schema.Array(Schema.String) }) }
  }) {}

  const names: Effect.Effect<ReadonlyArray<string>> = Effect.map(Effect.orDie(Effect.currentSpan), (span) => {
    const chain = [span.name]
    for (let at = span.parent; at._tag === "Some" && at.value._tag === "Span"; at = at.value.parent) {
      chain.push(at.value.name)
    }
    return chain
  })

  it.effect("continue the trace from server to server", () =>
    Effect.gen(function*() {
      const outer = yield* Outer
      const chain = yield* Effect.withSpan(outer.Ask(), "request")
      assert.deepStrictEqual(chain, ["inner work", "outer work", "request"])
    }).pipe(Effect.provide(Supervisor.layer({ strategy: "one_for_one" }, [
      StateContainer.layerMemory(Inner),
      StateContainer.layerMemory(Outer),
      Inner.layer({
        init: 0,
        handlers: { Ask: (n) => Effect.withSpan(Effect.map(names, (chain) => [chain, n] as const), "inner work") }
      }),
      Outer.layer({
        init: 0,
        handlers: {
          Ask: (n) =>
            Effect.gen(function*() {
              const inner = yield* Inner
              return [yield* GenServer.orCrash(inner.Ask()), n] as const
            }).pipe(Effect.withSpan("outer work"))
        }
      })
    ]))))
})

it.effect("a timer that a handler sets has no part in its caller's trace", () =>
  Effect.gen(function*() {
    const traced = yield* Traced
    yield* inSpan(() => traced.TickLater())
    yield* TestClock.adjust("1 second")
    assert.deepStrictEqual(yield* traced.Noted(), [none])
  }).pipe(Effect.provide(app("at once", gates()))))
