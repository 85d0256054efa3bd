/** What the engines read of effect's values. When one of these fails, a release of effect has moved it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Effectable, Exit, Fiber, Option, Scheduler, Schema, Tracer } from "effect"
import {
  beginWith,
  countStep,
  effectWith,
  goOnWith,
  hasConstructorDefault,
  hasToYield,
  isEffect,
  isExit,
  isInterrupting,
  mayStep,
  spanOf,
  uncountStep
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

  it.effect("begins an Effect as a fiber does that runs it", () =>
    Effect.gen(function*() {
      const effects = [
        Effect.sync(() => 1),
        Effect.fail("no"),
        Effect.as(Effect.yieldNow, 2),
        Effect.gen(function*() {
          return (yield* Effect.succeed(1)) + (yield* Effect.as(Effect.yieldNow, 2))
        })
      ]
      for (const effect of effects) {
        const begun = Effectable.Prototype<Effect.Effect<number, string>>({
          label: "begun",
          evaluate: (fiber) => beginWith(effect, fiber)
        })
        assert.deepStrictEqual(yield* Effect.exit(begun), yield* Effect.exit(effect))
      }
    }))

  it("counts a step, after which a fiber gives way the sooner", () => {
    const untilYield = (body: () => Effect.Effect<void>) => {
      let steps = 0
      Effect.runFork(Effect.whileLoop({ while: () => true, body, step: () => void steps++ })).interruptUnsafe()
      return steps
    }
    const plain = untilYield(() => Effect.withFiber(() => Exit.void))
    const counted = untilYield(() =>
      Effect.withFiber((fiber) => {
        for (let i = 0; i < 100; i++) countStep(fiber)
        return Exit.void
      })
    )
    assert.isAtMost(counted, plain / 50)
  })

  it.effect("sees that a fiber was interrupted in the middle of its step, and only then", () =>
    Effect.gen(function*() {
      const seen: Array<boolean> = []
      const look = Effect.withFiber((fiber) => {
        seen.push(isInterrupting(fiber))
        fiber.interruptUnsafe()
        seen.push(isInterrupting(fiber))
        return Exit.void
      })
      yield* Effect.exit(Fiber.join(yield* Effect.forkChild(look, { startImmediately: true })))
      yield* Effect.exit(Fiber.join(yield* Effect.forkChild(Effect.uninterruptible(look), { startImmediately: true })))
      assert.deepStrictEqual(seen, [false, true, false, false])
    }))

  it.effect("lets a fiber take a step as long as its run loop would", () =>
    Effect.gen(function*() {
      const may = Effect.withFiber((fiber) => Exit.succeed(mayStep(fiber)))
      const interrupted = Effect.withFiber((fiber) => {
        fiber.interruptUnsafe()
        seen.push(mayStep(fiber))
        return Exit.void
      })
      const seen: Array<boolean> = []
      const tracer = Tracer.make({
        span: (options) => new Tracer.NativeSpan(options),
        context: (primitive, fiber) => primitive["~effect/Effect/evaluate"](fiber)
      })
      assert.isTrue(yield* may)
      assert.isFalse(yield* Effect.withTracer(may, tracer))
      yield* Effect.exit(Fiber.join(yield* Effect.forkChild(interrupted)))
      assert.deepStrictEqual(seen, [false])
    }))

  it.effect("has a fiber give way as early as its run loop would", () =>
    Effect.gen(function*() {
      const late = (steps: number) =>
        Effect.withFiber((fiber) => {
          const { currentOpCount } = fiber
          const { maxOpsBeforeYield } = fiber.cache
          while (fiber.currentOpCount < maxOpsBeforeYield - steps) countStep(fiber)
          const has = hasToYield(fiber)
          while (fiber.currentOpCount > currentOpCount) uncountStep(fiber)
          return Exit.succeed(has)
        })
      assert.isFalse(yield* late(1))
      assert.isTrue(yield* late(0))
      assert.isFalse(yield* Effect.provideService(late(0), Scheduler.PreventSchedulerYield, true))
    }))

  it.effect("makes classes of Effects that are run as any other", () =>
    Effect.gen(function*() {
      const Base: new() => Effect.Effect<number> = effectWith(Effectable.Prototype<Answer>({
        label: "Answer",
        evaluate() {
          return Effect.succeed(this.answer)
        }
      }))
      class Answer extends Base {
        readonly answer = 42
      }
      const answer = new Answer()
      assert.isTrue(Effect.isEffect(answer))
      assert.strictEqual(yield* answer, 42)
      assert.deepStrictEqual(yield* Effect.exit(answer), Exit.succeed(42))
    }))

  it("knows fields with a constructor default", () => {
    const withDefault = Schema.Int.pipe(Schema.withConstructorDefault(Effect.succeed(1)))
    assert.isTrue(hasConstructorDefault(withDefault))
    assert.isFalse(hasConstructorDefault(Schema.Int))
    assert.isFalse(hasConstructorDefault(Schema.optionalKey(Schema.Int)))
  })
})
