/** What the engines read of effect's values. When one of these fails, a release of effect has moved it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Effectable, Exit, Fiber, Option, Schema } from "effect"
import {
  goOnWith,
  hasConstructorDefault,
  isEffect,
  isExit,
  spanOf
} from "../../../src/layers/process/EffectInternals.ts"

describe("what is read of effect's values", () => {
  it("tells an Effect from a plain value, as Effect.isEffect does", () => {
    const effects = [Effect.succeed(1), Effect.sync(() => 1), Effect.never, Exit.fail("no"), Effect.gen(function*() {})]
    const others = [
      1,
      null,
      undefined,
      {},
      [],
      () => Effect.void,
      Option.some(1),
      Promise.resolve(1),
      Object.create(null)
    ]
    assert.deepStrictEqual(effects.map(isEffect), effects.map(Effect.isEffect))
    assert.deepStrictEqual(others.map(isEffect), others.map(() => false))
  })

  it("tells an Exit from an Effect that has to be run, as Exit.isExit does", () => {
    const effects = [
      Effect.succeed(1),
      Exit.void,
      Exit.die("boom"),
      Effect.fail("no"),
      Effect.sync(() => 1),
      Effect.never
    ]
    assert.deepStrictEqual(effects.map(isExit), effects.map(Exit.isExit))
  })

  it.effect("finds the span that a fiber is in, and none outside one", () =>
    Effect.gen(function*() {
      const here = Effect.sync(() => spanOf(Fiber.getCurrent()!))
      const span = yield* Effect.withSpan(here, "inside")
      assert.strictEqual(span?._tag === "Span" ? span.name : undefined, "inside")
      assert.isUndefined(yield* here)
    }))

  const exits: ReadonlyArray<Exit.Exit<unknown, unknown>> = [
    Exit.succeed(1),
    Exit.void,
    Exit.fail("no"),
    Exit.die("boom"),
    Exit.interrupt(1)
  ]
  for (const exit of exits) {
    it.effect(`goes on with ${exit} as a fiber does that runs it`, () =>
      Effect.gen(function*() {
        const going = Effectable.Prototype<Effect.Effect<unknown, unknown>>({
          label: "going",
          evaluate: (fiber) => goOnWith(exit, fiber)
        })
        assert.deepStrictEqual(yield* Effect.exit(going), exit)
        assert.deepStrictEqual(yield* Effect.exit(Effect.map(going, (a) => [a])), Exit.map(exit, (a) => [a]))
        assert.deepStrictEqual(yield* Fiber.await(yield* Effect.forkChild(going)), exit)
        assert.deepStrictEqual(Effect.runSyncExit(going), exit)
      }))
  }

  it("knows fields with a constructor default", () => {
    const withDefault = Schema.Int.pipe(Schema.withConstructorDefault(Effect.succeed(1)))
    assert.isTrue(hasConstructorDefault(withDefault))
    assert.isFalse(hasConstructorDefault(Schema.Int))
    assert.isFalse(hasConstructorDefault(Schema.optionalKey(Schema.Int)))
  })
})
