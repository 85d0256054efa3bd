/**
 * Code of the app's own around a store: loggers, metrics, Schedules, `onDamage`. What it throws is reported, no more.
 */
import { assert, describe, it } from "@effect/vitest"
import { Console, Effect, Fiber, Logger, Metric, References, Schedule } from "effect"
import { TestClock } from "effect/testing"
import { readFileSync, truncateSync } from "node:fs"
import { Account, one, scripted } from "../../../kit/Account.ts"
import { tagOf } from "../../../kit/Failures.ts"
import { now } from "../../../kit/Fibers.ts"
import { recordedLog } from "../../../kit/Log.ts"
import { often } from "../../../kit/Restarts.ts"
import { away, onSave } from "../../../kit/Scripted.ts"
import { folder, open, written } from "../../../kit/stores/FileStore.ts"

const refuse = (): never => {
  throw new Error("no")
}

const patience = Schedule.spaced("1 second")

/** A store goes away and comes back under a call that waits for it. */
const outage = Effect.fnUntraced(function*({ script }: ReturnType<typeof scripted>) {
  const account = yield* Account
  assert.strictEqual(yield* account.Add({ by: 1 }), 1)
  script.before = onSave(away)
  const waiting = yield* now(account.Add({ by: 1 }, { timeout: "infinity" }))
  yield* TestClock.adjust("3 seconds")
  script.before = () => Effect.void
  yield* TestClock.adjust("1 second")
  assert.strictEqual(yield* Fiber.join(waiting), 2)
  assert.strictEqual(yield* account.Get(), 2)
})

describe("while a store is away", () => {
  it.effect("a logger that throws holds up no answer, and the console says what it did not show", () => {
    const own = scripted()
    const printed: Array<string> = []
    const output: Console.Console = { ...console, error: (line: unknown) => printed.push(String(line)) }
    return outage(own).pipe(
      Effect.provide(one(own.inside, { retry: patience })),
      Effect.provideService(References.CurrentLoggers, new Set([Logger.make(refuse)])),
      Effect.provideService(Console.Console, output),
      Effect.andThen(Effect.sync(() => {
        assert.lengthOf(printed, 2)
        assert.include(printed[0], "the state store \"scripted\"")
        assert.include(printed[1], "answers again")
      }))
    )
  })

  it.effect("metrics that throw hold up no answer, and that is logged", () => {
    const own = scripted()
    const { layer, lines } = recordedLog()
    class Broken extends Map<string, never> {
      override get = refuse
      override set = refuse
    }
    return outage(own).pipe(
      Effect.provide(one(own.inside, { retry: patience })),
      Effect.provideService(Metric.MetricRegistry, new Broken()),
      Effect.provide(layer),
      Effect.andThen(Effect.sync(() => {
        const texts = lines.map(({ text }) => text)
        assert.include(texts, "the metric registry failed: nothing is counted in it")
        assert.include(texts, "a metric of a store was not updated")
      }))
    )
  })

  const schedules: ReadonlyArray<readonly [string, () => unknown]> = [
    ["throws", refuse],
    ["answers with no Effect", () => Object.create(null)],
    ["answers with no delay", () => Effect.succeed([0])],
    ["answers with nothing", () => Effect.void]
  ]
  it.effect.each(schedules)(
    "a Schedule that %s is as one that gives up: the answer is refused, and the server goes on",
    ([, step]) => {
      const own = scripted()
      const { layer, lines } = recordedLog()
      const retry: Schedule.Schedule<never> = Schedule.fromStep(Effect.succeed(step as () => never))
      return Effect.gen(function*() {
        const account = yield* Account
        assert.strictEqual(yield* account.Add({ by: 1 }), 1)
        own.script.before = onSave(away)
        assert.strictEqual(tagOf(yield* Effect.exit(account.Add({ by: 1 }))), "NotConserved")
        own.script.before = () => Effect.void
        assert.strictEqual(yield* account.Add({ by: 1 }), 2)
        assert.isAbove(lines.length, 0)
      }).pipe(Effect.provide(one(own.inside, { retry }, { restart: often })), Effect.provide(layer))
    }
  )
})

describe("damage in a file store", () => {
  it.live("is logged, and the store opens, when onDamage throws or fails", () =>
    Effect.gen(function*() {
      for (const onDamage of [refuse, () => Effect.sync(refuse), () => undefined as unknown as Effect.Effect<void>]) {
        const { layer, lines } = recordedLog()
        const directory = yield* folder
        const segment = yield* written(directory, 3)
        truncateSync(segment, readFileSync(segment).length - 1)
        yield* Effect.scoped(Effect.gen(function*() {
          const { store } = yield* open(directory, undefined, { onDamage })
          yield* store.acquireEpoch("app")
          assert.isString((yield* store.load("a"))[0]?.damaged)
        })).pipe(Effect.provide(layer))
        assert.isTrue(lines.some(({ text }) => text.endsWith("onDamage failed")))
        assert.isTrue(lines.some(({ level, text }) => level === "Error" && text.includes("starts from snapshot 2")))
      }
    }))
})
