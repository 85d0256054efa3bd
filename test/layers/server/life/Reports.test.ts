import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Latch, Layer, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { GenServer, Process, Restart, StateContainer, Supervisor } from "../../../../src/index.ts"
import { Harness } from "../../../../src/layers/testing/Harness.ts"
import { now } from "../../../kit/Fibers.ts"
import { recordedLog } from "../../../kit/Log.ts"

class Num extends GenServer.Service<Num>()("test/Num", {
  state: Schema.Int,
  messages: {
    Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }),
    Die: GenServer.call(),
    DieUnasked: GenServer.cast(),
    Hang: GenServer.call({ timeout: "infinity" })
  }
}) {}

class Top extends Supervisor.Service<Top>()("test/Top") {}

/** A tree whose log is kept. */
const watched = (options: {
  readonly supervisor?: Partial<Supervisor.Options>
  readonly server?: GenServer.Options
  readonly terminate?: Effect.Effect<void>
  readonly init?: Effect.Effect<number>
  readonly gate?: Latch.Latch
}) => {
  const { layer, lines } = recordedLog()
  const { gate = Latch.makeUnsafe(), init, server, supervisor, terminate } = options
  const app = Top.layer({ id: "root", strategy: "one_for_one", ...supervisor }, [
    StateContainer.layerMemory(Num),
    Num.layer({
      init: init ?? 0,
      terminate: () => terminate,
      handlers: {
        Add: (n, { by }) => [n + by, n + by],
        Die: () => Effect.die(new Error("boom")),
        DieUnasked: () => Effect.die(new Error("boom")),
        Hang: () => Effect.uninterruptible(Effect.as(gate.await, [undefined, 0] as const))
      }
    }, server)
  ]).pipe(Layer.provideMerge(Harness.layer), Layer.provide(layer))
  return { app, lines, messages: () => lines.map(({ text }) => text) }
}

describe("every abnormal end makes one crash report", () => {
  it.effect("but for those that its supervisor brought about: they are no news to it", () => {
    const { app, messages } = watched({ server: { shutdown: "brutal_kill" } })
    return Effect.gen(function*() {
      const num = yield* Num
      const top = yield* Top
      yield* num.Add({ by: 1 })
      yield* top.terminateChild("test/Num")
      assert.deepStrictEqual(messages(), [])
      yield* top.restartChild("test/Num")
      yield* Process.kill(num)
      assert.lengthOf(messages(), 1)
    }).pipe(Effect.provide(app))
  })

  it.effect("that says who, which incarnation, why, with what in hand, restored from what, and what happens next", () => {
    const { app, lines } = watched({})
    return Effect.gen(function*() {
      const num = yield* Num
      yield* num.Add({ by: 1 })
      yield* num.Add({ by: 1 })
      yield* Effect.exit(num.Die())
      yield* Effect.exit(num.Die())
      assert.deepStrictEqual(lines.map(({ level, text }) => [level, text]), [
        ["Error", "root/test/Num #1 crashed; it is restarted"],
        ["Error", "root/test/Num #2 crashed; it is restarted"]
      ])
      const [first, second] = lines
      assert.strictEqual(first!.annotations["path"], "root/test/Num")
      assert.strictEqual(first!.annotations["incarnation"], 1)
      assert.include(JSON.stringify(first!.annotations["message"]), "Die")
      assert.isUndefined(first!.annotations["restoredFrom"])
      assert.strictEqual(second!.annotations["restoredFrom"], 2)
      assert.strictEqual(second!.annotations["next"], "it is restarted")
    }).pipe(Effect.provide(app))
  })

  it.effect("also when nobody asked: a cast, a kill, an exit signal in the middle of nothing", () => {
    const { app, messages } = watched({})
    return Effect.gen(function*() {
      const num = yield* Num
      yield* num.DieUnasked()
      yield* num.Add({ by: 1 })
      yield* Process.kill(num)
      assert.deepStrictEqual(messages(), [
        "root/test/Num #1 crashed; it is restarted",
        "root/test/Num #2 killed; it is restarted"
      ])
    }).pipe(Effect.provide(app))
  })

  it.effect("one that is not restarted, one whose supervisor gave up, one that is parked: the report says so", () =>
    Effect.gen(function*() {
      const never = Restart.intensity({ restarts: 0, within: "1 second" })
      const cases = [
        [{ server: { restart: "temporary" } }, "it stays down"],
        [{ supervisor: { restart: never } }, "it stays down"],
        [{ supervisor: { restart: never, onGiveUp: "park" } }, "it is parked until somebody resumes it"]
      ] as const
      for (const [options, next] of cases) {
        const { app, messages } = watched(options)
        yield* Effect.gen(function*() {
          yield* Effect.exit((yield* Num).Die())
        }).pipe(Effect.provide(app))
        const own = messages().filter((message) => message.startsWith("root/test/Num"))
        assert.deepStrictEqual(own, [`root/test/Num #1 crashed; ${next}`])
      }
    }))

  it.effect("an init that fails at a restart makes one for each attempt", () => {
    let starts = 0
    const { app, messages } = watched({
      init: Effect.suspend(() => ++starts === 1 || starts === 4 ? Effect.succeed(0) : Effect.die(new Error("not yet")))
    })
    return Effect.gen(function*() {
      const num = yield* Num
      yield* Effect.exit(num.Die())
      assert.strictEqual(yield* num.Add({ by: 1 }), 1)
      assert.deepStrictEqual(messages(), [
        "root/test/Num #1 crashed; it is restarted",
        "root/test/Num #2 crashed; another attempt, if the budget allows",
        "root/test/Num #3 crashed; another attempt, if the budget allows"
      ])
    }).pipe(Effect.provide(app))
  })

  it.effect("a clean-up that fails on shutdown, and one that had to be abandoned", () =>
    Effect.gen(function*() {
      const failing = watched({ terminate: Effect.die(new Error("no clean end")) })
      yield* Effect.asVoid(Num).pipe(Effect.provide(failing.app))
      assert.deepStrictEqual(failing.messages(), ["root/test/Num #1 crashed; it stays down"])

      const gate = Latch.makeUnsafe()
      const stuck = watched({ gate })
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(stuck.app, scope)
      yield* Effect.provide(Effect.flatMap(Num, (num) => now(Effect.exit(num.Hang()))), context)
      const closing = yield* now(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(closing)
      assert.deepStrictEqual(stuck.messages(), ["root/test/Num #1 killed; it stays down"])
      yield* gate.open
    }))

  it.effect("an orderly end makes none: a stop, a shutdown of the tree, a child terminated on purpose", () => {
    const { app, messages } = watched({})
    return Effect.gen(function*() {
      const num = yield* Num
      const top = yield* Top
      yield* GenServer.stop(num)
      yield* num.Add({ by: 1 })
      yield* top.terminateChild("test/Num")
      yield* top.restartChild("test/Num")
    }).pipe(Effect.provide(app), Effect.andThen(Effect.sync(() => assert.deepStrictEqual(messages(), []))))
  })
})

it.effect("the counters balance: messages, crashes and restarts are each counted once, and nothing waits at the end", () => {
  const { app } = watched({ supervisor: { restart: Restart.intensity({ restarts: 100, within: "1 second" }) } })
  return Effect.gen(function*() {
    const { telemetry: { counters } } = yield* Harness
    const num = yield* Num
    for (let i = 0; i < 5; i++) {
      yield* num.Add({ by: 1 })
      yield* Effect.exit(num.Die())
      yield* num.DieUnasked()
    }
    yield* num.Add({ by: 1 })
    yield* Process.kill(num)
    yield* num.Add({ by: 1 })
    const { calls, casts, crashes, queued, restarts } = counters
    assert.deepStrictEqual({ calls, casts, crashes, queued, restarts }, {
      calls: 12,
      casts: 5,
      crashes: 11,
      queued: 0,
      restarts: 11
    })
    assert.strictEqual(counters.recoveries().count, 11)
  }).pipe(Effect.provide(app))
})
