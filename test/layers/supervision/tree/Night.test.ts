/** The log as an operator reads it at night: each event once, cause before effect, named by path. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { DynamicSupervisor, Restart, Supervisor } from "../../../../src/index.ts"
import { recordedLog } from "../../../kit/Log.ts"
import { recipe, Script, Top } from "../../../kit/Probe.ts"

/** What a program that is run logs: its texts, and of which causes. */
const night = <A, E>(program: Effect.Effect<A, E>) =>
  Effect.gen(function*() {
    const log = recordedLog()
    yield* Effect.exit(Effect.provide(program, log.layer))
    return log.lines.map(({ cause, text }) =>
      cause.reasons.length === 0 ? text : `${text}: ${String(Cause.squash(cause)).replace(/^Error: /, "")}`
    )
  })

const failing = () => {
  const script = new Script()
  script.usually = "fail"
  return recipe("db", script)
}

const one = { strategy: "one_for_one" } as const

const top = Effect.map(Layer.build(Top.layer(one, [])), (context) => Context.get(context, Top))

class Pool extends DynamicSupervisor.Service<Pool>()("pool") {}

describe("a subtree that does not start at run time", () => {
  const subtree = Supervisor.recipe({ ...one, id: "sub" }, [
    recipe("cache"),
    Supervisor.recipe({ ...one, id: "inner" }, [failing()])
  ])
  const lines = (root: string) => [
    `${root} > sub > inner > db #1 did not start; its supervisor does not come up: no`,
    `${root} > sub > inner #1 did not start, since ${root} > sub > inner > db did not; its supervisor does not come up`,
    `${root} > sub #1 did not start, since ${root} > sub > inner > db did not; nothing is left of it`
  ]

  it.effect("names the child that failed, in the error and once in the log (Supervisor)", () =>
    Effect.gen(function*() {
      const program = Effect.scoped(Effect.flatMap(top, (top) => Effect.flip(top.startChild(subtree))))
      const log = recordedLog()
      const error = yield* Effect.provide(program, log.layer)
      assert.strictEqual(
        error.message,
        "sub under top: it did not come up, since top > sub > inner > db did not, crashed: no. " +
          "Nothing is left of it: repair the cause and start it again."
      )
      assert.deepStrictEqual(error.reason._tag === "Failed" && error.reason.below, ["top", "sub", "inner", "db"])
      assert.deepStrictEqual(yield* night(program), lines("top"))
    }))

  it.effect("likewise (DynamicSupervisor)", () =>
    Effect.gen(function*() {
      const pool = Effect.map(Layer.build(Pool.layer()), (context) => Context.get(context, Pool))
      const program = Effect.scoped(Effect.flatMap(pool, (pool) => Effect.flip(pool.startChild(subtree))))
      const error = yield* Effect.provide(program, recordedLog().layer)
      assert.include(error.message, "since pool > sub > inner > db did not, crashed: no.")
      assert.deepStrictEqual(yield* night(program), lines("pool"))
    }))
})

it.effect("a start that its supervisor's end breaks off says what that ends with", () =>
  Effect.gen(function*() {
    for (const kind of ["static", "dynamic"] as const) {
      const [bad, slow] = [new Script(), new Script()]
      slow.starts.push("hang")
      const error = yield* Effect.scoped(Effect.gen(function*() {
        const never = { ...one, restart: Restart.never }
        const supervisor = kind === "static"
          ? Context.get(yield* Layer.build(Top.layer(never, [])), Top)
          : Context.get(yield* Layer.build(Pool.layer({ restart: Restart.never })), Pool)
        yield* supervisor.startChild(recipe("bad", bad))
        const starting = yield* Effect.forkChild(supervisor.startChild(recipe("slow", slow)), {
          startImmediately: true
        })
        bad.end()
        return yield* Effect.flip(Fiber.join(starting))
      })).pipe(Effect.provide(recordedLog().layer))
      const root = kind === "static" ? "top" : "pool"
      assert.strictEqual(
        error.message,
        `slow under ${root}: it was ordered to stop before it was up, since its supervisor is on its way down: ` +
          "gave up on bad: boom."
      )
    }
  }))

it.effect("a crash that many supervisors give up on is shown once, and first", () =>
  Effect.gen(function*() {
    const script = new Script()
    const never = { ...one, restart: Restart.never }
    const tree = Top.layer(never, [
      Supervisor.layer({ ...never, id: "mid" }, [
        Supervisor.layer({ ...never, id: "low" }, [
          Layer.effectDiscard(
            Effect.flatMap(Supervisor.Supervisor, (low) => low.register(recipe("db", script)))
          )
        ])
      ])
    ])
    const lines = yield* night(Effect.scoped(Effect.andThen(Layer.build(tree), Effect.sync(() => script.end()))))
    assert.deepStrictEqual(lines, [
      "top > mid > low > db #1 crashed; it stays down: boom",
      "top > mid > low #1 gave up on db; it stays down",
      "top > mid #1 gave up on low; it stays down",
      "top #1 gave up on mid; it stays down"
    ])
  }))

it.effect("a child that ends in order more often than its budget allows is named with its last end, once", () =>
  Effect.gen(function*() {
    for (const below of ["static", "dynamic"] as const) {
      const never = { ...one, restart: Restart.never }
      const job = Supervisor.workerRecipe("job", Effect.void)
      const tree = Top.layer(never, [
        Supervisor.layer({ ...never, id: "mid" }, [
          below === "static"
            ? Supervisor.layer({ ...never, id: "pool" }, [
              Layer.effectDiscard(Effect.flatMap(Supervisor.Supervisor, (pool) => Effect.exit(pool.register(job))))
            ])
            : Layer.effectDiscard(Effect.flatMap(Pool, (pool) => Effect.exit(pool.startChild(job)))).pipe(
              Layer.provide(Pool.layer({ restart: Restart.never }))
            )
        ])
      ])
      const lines = yield* night(Effect.scoped(Effect.andThen(Layer.build(tree), Effect.yieldNow)))
      assert.deepStrictEqual(lines, [
        "top > mid > pool #1 gave up on job; it stays down: EndedTooOften: it ended once more than the restart budget " +
        "allows, the last time as normal. A permanent child is started again however it ends: make one that is to end " +
        "transient or temporary.",
        "top > mid #1 gave up on pool; it stays down",
        "top #1 gave up on mid; it stays down"
      ])
    }
  }))

describe("Supervisor.launch", () => {
  /** An app with one child, which takes its time to stop. */
  const app = (script: Script, shutdown: number | "infinity" = 5000) =>
    Supervisor.layer({ ...one, id: "app" }, [
      Layer.effectDiscard(
        Effect.flatMap(Supervisor.Supervisor, (app) => app.register(recipe("db", script, { shutdown })))
      )
    ])

  const launched = Effect.fnUntraced(function*(script: Script, drain?: number) {
    const log = recordedLog()
    const fiber = yield* Effect.forkChild(
      Effect.provide(Supervisor.launch(app(script, drain === undefined ? 5000 : "infinity"), { drain }), log.layer),
      { startImmediately: true }
    )
    return { fiber, texts: () => log.lines.map(({ level, text }) => `${level}: ${text}`) }
  })

  it.effect("says why the app shuts down, within what time, and when it has", () =>
    Effect.gen(function*() {
      const script = new Script()
      script.stops.push("hang")
      const { fiber, texts } = yield* launched(script)
      assert.deepStrictEqual(texts(), [])
      const interrupting = yield* Effect.forkChild(Fiber.interrupt(fiber), { startImmediately: true })
      yield* TestClock.adjust(1000)
      const first =
        "Info: The app was asked to stop, by a signal (SIGTERM, SIGINT) or its caller. It shuts down, within 1m."
      assert.deepStrictEqual(texts(), [first])
      script.release()
      yield* Fiber.join(interrupting)
      assert.deepStrictEqual(texts(), [first, "Info: The app has shut down."])
    }))

  it.effect("names what has not ended in time", () =>
    Effect.gen(function*() {
      const script = new Script()
      script.stops.push("hang")
      const { fiber, texts } = yield* launched(script, 1000)
      const interrupting = yield* Effect.forkChild(Fiber.interrupt(fiber), { startImmediately: true })
      yield* TestClock.adjust(1000)
      yield* Fiber.join(interrupting)
      assert.deepStrictEqual(texts().slice(1), [
        "Error: The app did not shut down in time. What has not ended is left behind: app > db. " +
        "Give it a shorter shutdown time, or the app a longer drain."
      ])
    }))

  it.effect("says so, too, when a root gave up", () =>
    Effect.gen(function*() {
      const script = new Script()
      script.usually = "fail"
      const started = new Script()
      const { fiber, texts } = yield* launched(started)
      started.usually = "fail"
      started.end()
      assert.include(String(yield* Fiber.await(fiber)), "app gave up, crashed: no")
      assert.deepStrictEqual(texts().slice(-2), [
        "Info: A root supervisor of the app gave up; its crash report is above. It shuts down, within 1m.",
        "Info: The app has shut down."
      ])
    }))
})
