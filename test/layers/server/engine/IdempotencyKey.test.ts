import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Fiber, Layer, Schema } from "effect"
import { InvalidOption } from "../../../../src/domain/options/InvalidOption.ts"
import { GenServer, Next, Process, StateContainer, StateStore, Supervisor } from "../../../../src/index.ts"
import { Harness } from "../../../../src/testing.ts"
import { along, everyWay, type Gates, gates, type Style } from "../../../kit/Cell.ts"
import { tagOf } from "../../../kit/Failures.ts"
import { now, turns } from "../../../kit/Fibers.ts"

class Till extends GenServer.Service<Till>()("test/Till", {
  state: Schema.Int,
  messages: {
    Take: GenServer.call({ payload: { amount: Schema.Int }, reply: Schema.Int }),
    Get: GenServer.call({ reply: Schema.Int }),
    Hold: GenServer.call({ timeout: "infinity" })
  }
}) {}

class Store extends StateStore.Service<Store>()("test/TillStore", "crash") {}

const app = (style: Style, { boot, hold }: Gates) =>
  Layer.provideMerge(
    Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
      StateContainer.layerStore(Till, { store: Store }),
      Till.layer({
        init: Effect.as(boot.await, 0),
        restore: (n) => Effect.as(boot.await, n),
        handlers: {
          Take: (n, { amount }) => {
            const answer = [n + amount, n + amount] as const
            if (style === "a plain handler") return answer
            return style === "an effectful handler" ? Effect.succeed(answer) : Effect.as(Effect.yieldNow, answer)
          },
          Get: (n) => [n, n],
          Hold: (n) => Effect.as(hold.await, [undefined, n])
        }
      })
    ]),
    Layer.mergeAll(Harness.Harness.layer, Layer.fresh(StateStore.layerMemory(Store)))
  )

describe("an idempotency key that is none is refused before anything is sent", () => {
  for (const [path, style] of everyWay) {
    it.effect(`${path}, ${style}`, () => {
      const own = gates()
      return Effect.gen(function*() {
        const till = yield* Till
        yield* till.Take({ amount: 1 })
        const incarnation = path === "restarting" ? 2 : 1
        for (
          const [key, bytes] of [["", 0], ["x".repeat(257), 257], ["é".repeat(129), 258]] as const
        ) {
          const take = Effect.flip(till.Take({ amount: 5 }, { idempotencyKey: key }))
          const exit = yield* path === "restarting" ? Effect.exit(take) : along(path, till, own, take)
          assert(exit._tag === "Success")
          assert.strictEqual(exit.value._tag, "CallError")
          assert.deepStrictEqual(exit.value.reason, { _tag: "InvalidIdempotencyKey", key, maxBytes: 256 })
          assert.include(exit.value.message, `it has ${bytes} bytes`)
          assert.include(exit.value.message, "Nothing was done")
        }
        if (path === "restarting") yield* Process.kill(till)
        assert.strictEqual(yield* till.Get(), 1)
        assert.strictEqual(yield* Process.incarnation(till), incarnation)
      }).pipe(Effect.provide(app(style, own)))
    })
  }

  it.effect("the longest key is one", () =>
    Effect.gen(function*() {
      const till = yield* Till
      const take = till.Take({ amount: 5 }, { idempotencyKey: "é".repeat(128) })
      assert.strictEqual(yield* take, 5)
      assert.strictEqual(yield* take, 5)
    }).pipe(Effect.provide(app("a plain handler", gates()))))
})

describe("an answer that cannot be put on record is the caller's affair", () => {
  for (const [path, style] of everyWay) {
    it.effect(`a payload that does not fit its schema: ${path}, ${style}`, () => {
      const own = gates()
      return Effect.gen(function*() {
        const till = yield* Till
        const take = (amount: number) => till.Take({ amount }, { idempotencyKey: "a" })
        // Before the key is used, and after.
        for (const total of [0, 5]) {
          const exit = yield* Effect.exit(take(1.5))
          assert(exit._tag === "Failure")
          const error = Cause.squash(exit.cause)
          assert(error instanceof InvalidOption)
          assert.include(error.message, "Take of root > test/Till")
          assert.include(error.message, "idempotencyKey")
          assert.strictEqual(yield* till.Get(), total)
          yield* along(path, till, own, take(5))
        }
        assert.strictEqual(yield* till.Get(), 5)
        assert.strictEqual(yield* Process.incarnation(till), path === "restarting" ? 3 : 1)
      }).pipe(Effect.provide(app(style, own)))
    })
  }
})

it.effect("a call that was promised a reply by an incarnation that has ended is not handled again when it is made again", () => {
  class Desk extends GenServer.Service<Desk>()("test/Desk", {
    state: Schema.Int,
    messages: { Ask: GenServer.call({ reply: Schema.Int }) }
  }) {}
  const desk = Desk.layer({
    init: 0,
    handlers: { Ask: (n, _, { incarnation }) => incarnation === 1 ? Next.noReply(n) : [incarnation, n] }
  })
  return Effect.gen(function*() {
    const desk = yield* Desk
    const ask = Effect.exit(desk.Ask({}, { idempotencyKey: "a" }))
    const asked = yield* now(ask)
    yield* turns
    yield* Process.kill(desk)
    assert.strictEqual(tagOf(yield* Fiber.join(asked)), "Crashed")
    const again = yield* now(ask)
    yield* turns
    assert.strictEqual(tagOf(yield* Fiber.join(again)), "AnswerLost")
  }).pipe(Effect.provide(
    Supervisor.layer({ strategy: "one_for_one" }, [StateContainer.layerMemory(Desk), desk])
  ))
})
