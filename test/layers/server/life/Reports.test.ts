import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Latch, Layer, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { GenServer, Next, Process, StateContainer, Supervisor, Sys } from "../../../../src/index.ts"
import { Harness } from "../../../../src/testing.ts"
import { Counter, handlers } from "../../../kit/Counter.ts"
import { now, turns } from "../../../kit/Fibers.ts"
import { recordedLog } from "../../../kit/Log.ts"
import { never, often } from "../../../kit/Restarts.ts"
import { sinkOf } from "../../../kit/Sinks.ts"

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
    StateContainer.layerMemory(Counter),
    Counter.layer({
      init: init ?? 0,
      terminate: () => terminate,
      handlers: {
        ...handlers,
        Hang: () => Effect.uninterruptible(Effect.as(gate.await, [undefined, 0] as const))
      }
    }, server)
  ]).pipe(Layer.provideMerge(Harness.Harness.layer), Layer.provide(layer))
  return { app, lines, messages: () => lines.map(({ text }) => text) }
}

describe("every abnormal end makes one crash report", () => {
  it.effect("but for those that its supervisor brought about: they are no news to it", () => {
    const { app, messages } = watched({ server: { shutdown: "brutal_kill" } })
    return Effect.gen(function*() {
      const counter = yield* Counter
      const top = yield* Top
      yield* counter.Add({ by: 1 })
      yield* top.terminateChild("test/Counter")
      assert.deepStrictEqual(messages(), [])
      yield* top.restartChild("test/Counter")
      yield* Process.kill(counter)
      assert.lengthOf(messages(), 1)
    }).pipe(Effect.provide(app))
  })

  it.effect("with the process, the incarnation, the reason, the message in hand, the state it started from, and the next step", () => {
    const { app, lines } = watched({})
    return Effect.gen(function*() {
      const counter = yield* Counter
      yield* counter.Add({ by: 1 })
      yield* counter.Add({ by: 1 })
      yield* Effect.exit(counter.Crash())
      yield* Effect.exit(counter.Crash())
      assert.deepStrictEqual(lines.map(({ level, text }) => [level, text]), [
        ["Error", "root > test/Counter #1 crashed; it is restarted"],
        ["Error", "root > test/Counter #2 crashed; it is restarted"]
      ])
      const [first, second] = lines
      assert.strictEqual(first!.annotations["path"], "root > test/Counter")
      assert.strictEqual(first!.annotations["incarnation"], 1)
      assert.include(JSON.stringify(first!.annotations["message"]), "Crash")
      assert.isUndefined(first!.annotations["restoredFrom"])
      assert.strictEqual(second!.annotations["restoredFrom"], 2)
      assert.strictEqual(second!.annotations["next"], "it is restarted")
    }).pipe(Effect.provide(app))
  })

  it.effect("of a continuation, too: it is the server's own, and is named", () => {
    class Going extends GenServer.Service<Going>()("test/Going", {
      state: Schema.Int,
      messages: { Go: GenServer.call() }
    }) {}
    const { layer, lines } = recordedLog()
    return Effect.gen(function*() {
      const going = yield* Going
      yield* going.Go()
      yield* turns
      assert.deepStrictEqual(lines.map(({ annotations }) => annotations["message"]), ["continuation"])
      // A request of the system is no message of anybody's, and is not.
      yield* Effect.exit(Sys.replaceState(going, () => Effect.runSync(Effect.die("boom"))))
      yield* Process.kill(going)
      assert.deepStrictEqual(lines.slice(1).map(({ annotations }) => annotations["message"]), [undefined])
    }).pipe(Effect.provide(
      Layer.provide(
        Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
          StateContainer.layerMemory(Going),
          Going.layer({
            init: 0,
            handlers: { Go: (n) => Next.reply(undefined, n, { continueWith: () => Effect.die("boom") }) }
          })
        ]),
        layer
      )
    ))
  })

  it.effect("also without a caller: after a cast, a kill, an exit signal to an idle server", () => {
    const { app, messages } = watched({})
    return Effect.gen(function*() {
      const counter = yield* Counter
      yield* counter.CrashLater()
      yield* counter.Add({ by: 1 })
      yield* Process.kill(counter)
      assert.deepStrictEqual(messages(), [
        "root > test/Counter #1 crashed; it is restarted",
        "root > test/Counter #2 killed; it is restarted"
      ])
    }).pipe(Effect.provide(app))
  })

  it.effect("one that is not restarted, one whose supervisor gave up, one that is parked: the report says so", () =>
    Effect.gen(function*() {
      const cases = [
        [{ server: { restart: "temporary" } }, "it stays down"],
        [{ supervisor: { restart: never } }, "it stays down"],
        [{ supervisor: { restart: never, onGiveUp: "park" } }, "it is parked until it is resumed"]
      ] as const
      for (const [options, next] of cases) {
        const { app, messages } = watched(options)
        yield* Effect.gen(function*() {
          yield* Effect.exit((yield* Counter).Crash())
        }).pipe(Effect.provide(app))
        const own = messages().filter((message) => message.startsWith("root > test/Counter"))
        assert.deepStrictEqual(own, [`root > test/Counter #1 crashed; ${next}`])
      }
    }))

  it.effect("an init that fails at a restart makes one for each attempt", () => {
    let starts = 0
    const { app, messages } = watched({
      init: Effect.suspend(() => ++starts === 1 || starts === 4 ? Effect.succeed(0) : Effect.die(new Error("not yet")))
    })
    return Effect.gen(function*() {
      const counter = yield* Counter
      yield* Effect.exit(counter.Crash())
      assert.strictEqual(yield* counter.Add({ by: 1 }), 1)
      assert.deepStrictEqual(messages(), [
        "root > test/Counter #1 crashed; it is restarted",
        "root > test/Counter #2 did not start; another attempt, if the budget allows",
        "root > test/Counter #3 did not start; another attempt, if the budget allows"
      ])
    }).pipe(Effect.provide(app))
  })

  it.effect("a clean-up that fails on shutdown, and one that had to be abandoned", () =>
    Effect.gen(function*() {
      const failing = watched({ terminate: Effect.die(new Error("no clean end")) })
      yield* Effect.asVoid(Counter).pipe(Effect.provide(failing.app))
      assert.deepStrictEqual(failing.messages(), ["root > test/Counter #1 crashed; it stays down"])

      const gate = Latch.makeUnsafe()
      const stuck = watched({ gate })
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(stuck.app, scope)
      yield* Effect.provide(Effect.flatMap(Counter, (counter) => now(Effect.exit(counter.Hang()))), context)
      const closing = yield* now(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(closing)
      assert.deepStrictEqual(stuck.messages(), [
        "root > test/Counter #1 did not end in time, and is left behind; it stays down"
      ])
      yield* gate.open
    }))

  it.effect("an orderly end makes none: a stop, a shutdown of the tree, a child terminated on purpose", () => {
    const { app, messages } = watched({})
    return Effect.gen(function*() {
      const counter = yield* Counter
      const top = yield* Top
      yield* GenServer.stop(counter)
      yield* counter.Add({ by: 1 })
      yield* top.terminateChild("test/Counter")
      yield* top.restartChild("test/Counter")
    }).pipe(Effect.provide(app), Effect.andThen(Effect.sync(() => assert.deepStrictEqual(messages(), []))))
  })
})

it.effect("the counters balance: messages, crashes and restarts are each counted once, and nothing waits at the end", () => {
  const { app } = watched({ supervisor: { restart: often } })
  return Effect.gen(function*() {
    const { counters } = sinkOf((yield* Harness.Harness).telemetry)
    const counter = yield* Counter
    for (let i = 0; i < 5; i++) {
      yield* counter.Add({ by: 1 })
      yield* Effect.exit(counter.Crash())
      yield* counter.CrashLater()
    }
    yield* counter.Add({ by: 1 })
    yield* Process.kill(counter)
    yield* counter.Add({ by: 1 })
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
