import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Layer, Runtime } from "effect"
import { TestClock } from "effect/testing"
import { crashed } from "../../../../src/domain/process/ExitReason.ts"
import { reportLength } from "../../../../src/domain/text/ForeignCause.ts"
import { Restart, Supervisor, Telemetry } from "../../../../src/index.ts"
import { harmful } from "../../../kit/Hostile.ts"
import { recordedLog } from "../../../kit/Log.ts"
import { probe, record, Script, Top } from "../../../kit/Probe.ts"

const launched = Effect.fnUntraced(function*(
  app: Layer.Layer<never, string>,
  options?: Supervisor.LaunchOptions
) {
  const recording = record()
  const fiber = yield* Effect.forkChild(
    Supervisor.launch(app, options).pipe(Effect.provideService(Telemetry.CurrentTelemetry, recording.telemetry)),
    { startImmediately: true }
  )
  return { fiber, ...recording }
})

describe("Supervisor.launch", () => {
  const escalating = { strategy: "one_for_one", restart: Restart.never } as const

  it.effect("fails with exit code 1 when its root gives up, after everything has been released", () =>
    Effect.gen(function*() {
      const a = new Script()
      const log: Array<string> = []
      const resource = Layer.effectDiscard(
        Effect.acquireRelease(Effect.void, () => Effect.sync(() => log.push("released")))
      )
      const { fiber, take } = yield* launched(Top.layer(escalating, [resource, probe("a", a), probe("b")]))
      a.end()
      const exit = yield* Fiber.await(fiber)
      const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
      assert.instanceOf(error, Supervisor.RootEnded)
      assert.strictEqual(Runtime.getErrorExitCode(error), 1)
      assert.include(error.message, "top gave up, crashed: boom")
      assert.deepStrictEqual(log, ["released"])
      assert.deepStrictEqual(take().slice(2), ["Exited a#1 crashed: boom", "GaveUp top on a", "Exited b#1 shutdown"])
    }))

  it.effect.each(harmful)(
    "fails so that any program can print why, when a child dies of %s",
    ([, value]) =>
      Effect.gen(function*() {
        const a = new Script()
        const { fiber } = yield* launched(Top.layer(escalating, [probe("a", a)]))
        a.end(crashed(Cause.die(value())))
        const exit = yield* Fiber.await(fiber)
        assert(Exit.isFailure(exit))
        assert.isBelow(Cause.pretty(exit.cause).length, 4 * reportLength)
      })
  )

  it.effect("completes when its root shuts itself down in order", () =>
    Effect.gen(function*() {
      const a = new Script()
      const { fiber } = yield* launched(Top.layer(
        { strategy: "one_for_one", autoShutdown: "any_significant" },
        [probe("a", a, { restart: "transient", significant: true })]
      ))
      a.finish()
      assert.deepStrictEqual(yield* Fiber.await(fiber), Exit.void)
    }))

  it.effect("interrupted, it drains in shutdown order", () =>
    Effect.gen(function*() {
      const slow = new Script()
      slow.stops.push("hang")
      const { fiber, take } = yield* launched(
        Top.layer(escalating, [probe("a"), probe("b", slow, { shutdown: "3 seconds" }), probe("c")])
      )
      take()
      const interrupting = yield* Effect.forkChild(Fiber.interrupt(fiber), { startImmediately: true })
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(take(), ["Exited c#1 shutdown"])
      slow.release()
      yield* Fiber.join(interrupting)
      assert.deepStrictEqual(take(), ["Exited b#1 shutdown", "Exited a#1 shutdown"])
      const exit = yield* Fiber.await(fiber)
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
    }))

  it.effect("the drain is bounded", () =>
    Effect.gen(function*() {
      const slow = new Script()
      slow.stops.push("hang")
      const { fiber } = yield* launched(
        Top.layer(escalating, [probe("a", slow, { shutdown: "infinity" })]),
        { drain: "10 seconds" }
      )
      const interrupting = yield* Effect.forkChild(Fiber.interrupt(fiber), { startImmediately: true })
      yield* TestClock.adjust("9999 millis")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(interrupting)
      assert.isDefined(fiber.pollUnsafe())
    }))

  it.effect("fails with the app's own error when it does not come up", () =>
    Effect.gen(function*() {
      const bad = new Script()
      bad.starts.push("fail")
      const { fiber, take } = yield* launched(Top.layer(escalating, [probe("a"), probe("b", bad)]))
      assert.deepStrictEqual(yield* Fiber.await(fiber), Exit.fail("no"))
      assert.deepStrictEqual(take().at(-1), "Exited a#1 shutdown")
    }))

  it.effect("watches every root of the app", () =>
    Effect.gen(function*() {
      const a = new Script()
      const b = new Script()
      const { fiber } = yield* launched(Layer.mergeAll(
        Supervisor.layer({ ...escalating, id: "left" }, [probe("a", a)]),
        Supervisor.layer({ ...escalating, id: "right" }, [probe("b", b)])
      ))
      b.end()
      const exit = yield* Fiber.await(fiber)
      assert.include(String(Exit.isFailure(exit) && Cause.squash(exit.cause)), "right gave up")
      assert.strictEqual(a.process?.status, "stopped")
    }))
})

describe("what is said of an app's end", () => {
  const one = { strategy: "one_for_one" } as const

  /** The lines of an app that is launched, and asked to stop unless it ends by itself. */
  const lines = Effect.fnUntraced(function*(
    app: Layer.Layer<never, string>,
    doing: Effect.Effect<unknown> = Effect.void,
    stops = true
  ) {
    const log = recordedLog()
    const fiber = yield* Effect.forkChild(
      Effect.provide(Supervisor.launch(app, { drain: "10 seconds" }), log.layer),
      { startImmediately: true }
    )
    yield* doing
    const stopping = yield* Effect.forkChild(stops ? Fiber.interrupt(fiber) : Fiber.await(fiber), {
      startImmediately: true
    })
    yield* TestClock.adjust("10 seconds")
    yield* Fiber.join(stopping)
    return log.lines.filter(({ level }) => level === "Info" || level === "Error").map(({ text }) => text)
  })

  const hanging = () => {
    const script = new Script()
    script.stops.push("hang")
    return script
  }

  const left = (what: string) =>
    `The app did not shut down in time. What has not ended is left behind: ${what}. ` +
    "Give it a shorter shutdown time, or the app a longer drain."

  it.effect("names those that have not ended, and not those that only wait for them, or have", () =>
    Effect.gen(function*() {
      const app = Supervisor.layer({ ...one, id: "app" }, [
        probe("first"),
        Supervisor.layer({ ...one, id: "sub" }, [
          probe("a"),
          probe("slow", hanging(), { shutdown: "infinity" }),
          probe("b")
        ]),
        probe("last")
      ])
      assert.deepStrictEqual((yield* lines(app)).slice(1), [left("app > first, app > sub > a, app > sub > slow")])
    }))

  it.effect("names ten of them, and says how many more there are", () =>
    Effect.gen(function*() {
      const many = (count: number) => {
        const ids = Array.from({ length: count }, (_, n) => `w${n}`)
        const app = Supervisor.layer(
          { ...one, id: "app" },
          ids.map((id) => probe(id, id === ids.at(-1) ? hanging() : undefined, { shutdown: "infinity" }))
        )
        return Effect.map(lines(app), (lines) => lines.at(-1))
      }
      const ten = Array.from({ length: 10 }, (_, n) => `app > w${n}`).join(", ")
      assert.strictEqual(yield* many(10), left(ten))
      assert.strictEqual(yield* many(11), left(`${ten}, 1 more`))
      assert.strictEqual(yield* many(13), left(`${ten}, 3 more`))
    }))

  it.effect("says that it is a resource, where all processes have ended", () =>
    Effect.gen(function*() {
      const stuck = Layer.effectDiscard(Effect.acquireRelease(Effect.void, () => Effect.never))
      const app = Layer.provide(Supervisor.layer({ ...one, id: "app" }, [probe("a")]), stuck)
      assert.deepStrictEqual((yield* lines(app)).slice(1), [left("a resource of its Layer")])
    }))

  it.effect("says why: it did not start, or it shut itself down", () =>
    Effect.gen(function*() {
      const bad = new Script()
      bad.starts.push("fail")
      const failed = yield* lines(Supervisor.layer({ ...one, id: "app" }, [probe("a", bad)]), Effect.void, false)
      assert.strictEqual(failed.at(-2), "The app did not start. It shuts down, within 10s.")
      const done = new Script()
      const app = Supervisor.layer({ strategy: "one_for_one", id: "app", autoShutdown: "any_significant" }, [
        probe("a", done, { restart: "transient", significant: true })
      ])
      assert.deepStrictEqual(yield* lines(app, Effect.sync(() => done.finish()), false), [
        "A root supervisor of the app has shut itself down. It shuts down, within 10s.",
        "The app has shut down."
      ])
    }))
})
