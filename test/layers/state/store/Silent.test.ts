/** A store that says nothing at all: no answer, no error. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Fiber, Latch, Layer } from "effect"
import { TestClock } from "effect/testing"
import { StateStore, Supervisor } from "../../../../src/index.ts"
import { Account, many, scripted, start } from "../../../kit/Account.ts"
import { now, poll } from "../../../kit/Fibers.ts"
import { recordedLog } from "../../../kit/Log.ts"

const log = () => recordedLog(({ annotations }) => "store" in annotations)

const said = (operation: string) =>
  `${operation} in the state store "scripted": it is not available (it has not answered for 5s). It is waited for.`

describe("a store that does not answer", () => {
  for (
    const [how, never] of [["", Effect.never], [
      ", whatever interrupts it",
      Effect.uninterruptible(Effect.never)
    ]] as const
  ) {
    it.effect(`is told after 5 seconds; who asked for a server, or a state, hears of it in the end (never${how})`, () => {
      const { inside, script } = scripted()
      const { layer, lines } = log()
      return Effect.gen(function*() {
        script.before = (operation) => operation === "load" ? never : Effect.void
        const asker = yield* now(start(inside, "a"))
        const reader = yield* now(Effect.exit((yield* Account.StateContainer).for("b").get))
        yield* TestClock.adjust("4 seconds")
        assert.deepStrictEqual(lines, [])
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(lines.map(({ text }) => text), [said("load")])
        yield* TestClock.adjust("2 minutes")
        const error = yield* Effect.flip(Fiber.join(asker))
        assert.instanceOf(error, Supervisor.StartError)
        const cause = error.reason._tag === "Failed" ? Cause.squash(error.reason.cause) : undefined
        assert.instanceOf(cause, StateStore.StoreError)
        assert.include(cause.message, "it has not answered for 30s")
        const read = yield* Fiber.join(reader)
        assert.instanceOf(read._tag === "Failure" ? Cause.squash(read.cause) : undefined, StateStore.StoreError)
        assert.lengthOf(lines, 1)
        // It answers again.
        script.before = () => Effect.void
        assert.strictEqual(yield* (yield* start(inside, "a")).Add({ by: 1 }), 1)
        assert.lengthOf(lines, 2)
        assert.include(lines[1]!.text, "answers again")
      }).pipe(Effect.provide(many(inside)), Effect.provide(layer))
    })
  }

  it.effect("is told when a write waits for it, too, which is not given up: it may be stored all the same", () => {
    const { inside, script } = scripted()
    const { layer, lines } = log()
    const gate = Latch.makeUnsafe()
    return Effect.gen(function*() {
      const a = yield* start(inside, "a")
      script.before = (operation) => operation === "save" ? gate.await : Effect.void
      const caller = yield* now(a.Add({ by: 1 }, { timeout: "infinity" }))
      yield* TestClock.adjust("10 minutes")
      assert.deepStrictEqual(lines.map(({ text }) => text), [said("save")])
      assert.isUndefined(poll(caller))
      yield* gate.open
      assert.strictEqual(yield* Fiber.join(caller), 1)
      assert.match(lines[1]!.text, /answers again/)
    }).pipe(Effect.provide(many(inside)), Effect.provide(layer))
  })

  it.effect("when an app is built on it fails its layer, typed", () => {
    const { inside, script } = scripted()
    const { layer, lines } = log()
    return Effect.gen(function*() {
      script.before = () => Effect.never
      const building = yield* now(Effect.flip(Layer.build(many(inside))))
      yield* TestClock.adjust("5 minutes")
      assert.deepStrictEqual(lines.map(({ text }) => text), [said("acquireEpoch")])
      assert.instanceOf(yield* Fiber.join(building), StateStore.StoreError)
    }).pipe(Effect.scoped, Effect.provide(layer))
  })
})
