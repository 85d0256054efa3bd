/** What the harness does to a tree, and what it says of crashes that no test announced. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Effect, Exit, Fiber, Layer, References, Schema } from "effect"
import { GenServer, Next, Process, Restart, StateContainer, StateStore, Supervisor, Sys } from "../../../src/index.ts"
import { Fault, FaultyStore, Harness, VirtualTime } from "../../../src/testing.ts"

class Counter extends GenServer.Service<Counter>()("app/Counter", {
  state: Schema.Int,
  messages: {
    Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }),
    Slow: GenServer.cast({ payload: { millis: Schema.Int } }),
    Twice: GenServer.cast(),
    GoOn: GenServer.call(),
    Crash: GenServer.call()
  }
}) {}

class Store extends StateStore.Service<Store>()("app/Store", "process") {}

const behavior = Counter.behavior({
  init: 0,
  handlers: {
    Add: (n, { by }) => [n + by, n + by],
    Slow: (n, { millis }) => Effect.as(Effect.sleep(millis), n + 1),
    Twice: (n) => Next.noReply(n + 1, { continueWith: (n) => Effect.as(Effect.sleep(50), n + 1) }),
    GoOn: (n) => Next.reply(undefined, n, { continueWith: (n) => Effect.as(Effect.sleep(50), n + 1) }),
    Crash: () => Effect.die(new Error("boom"))
  }
})

class Root extends Supervisor.Service<Root>()("root") {}
const quiet = Layer.succeed(References.MinimumLogLevel, "None")
const treeOver = <E, R>(companion: Layer.Layer<GenServerCompanion, E, R>) =>
  Root.layer({ strategy: "one_for_one", restart: Restart.backoff({ base: "1 minute", cap: "2 minutes" }) }, [
    companion,
    Counter.layer(behavior)
  ]).pipe(Layer.provide(quiet))
type GenServerCompanion = Layer.Success<ReturnType<typeof memory>>
const memory = () => StateContainer.layerMemory(Counter)
const App = treeOver(memory())

const crashesOf = (exit: Exit.Exit<unknown, unknown>): ReadonlyArray<string> =>
  exit._tag === "Failure"
    ? exit.cause.reasons.flatMap((reason) => {
      const error = Cause.isFailReason(reason) ? reason.error : Cause.isDieReason(reason) ? reason.defect : undefined
      return error instanceof Harness.UnexpectedCrash ? error.crashes : []
    })
    : []

const hows: ReadonlyArray<readonly [Harness.How, string]> = [
  ["defect", "Crashed"],
  ["interrupt", "Crashed"],
  ["kill", "Killed"],
  [{ _tag: "Shutdown", detail: "by the test" }, "Shutdown"]
]

describe("a crash by the harness", () => {
  it.effect.each(hows)("ends the incarnation, %o, and is announced; the state is kept", ([how, reason]) =>
    Harness.run(
      App,
      Effect.gen(function*() {
        const harness = yield* Harness.Harness
        const counter = yield* Counter
        yield* counter.Add({ by: 41 })
        assert.strictEqual((yield* harness.crash(counter, how))._tag, reason)
        // Its supervisor has decided by now.
        assert.deepStrictEqual(yield* harness.historyOf(counter), ["Started", "Exited", "Restarting"])
        assert.strictEqual((yield* harness.awaitRestart(counter)).incarnation, 2)
        assert.strictEqual(yield* counter.Add({ by: 1 }), 42)
      })
    ))

  it.effect("is an injected fault where it is a defect, and strikes a message in hand", () =>
    Harness.run(
      App,
      Effect.gen(function*() {
        const harness = yield* Harness.Harness
        const counter = yield* Counter
        yield* counter.Slow({ millis: 60_000 })
        yield* Effect.sleep(1)
        const waiting = yield* Effect.forkChild(counter.Add({ by: 1 }, { timeout: "1 hour" }), {
          startImmediately: true
        })
        const reason = yield* harness.crash(counter)
        assert.isTrue(reason._tag === "Crashed" && Cause.squash(reason.cause) instanceof Fault.InjectedFault)
        // What waits is served by the next one; what was in hand is gone.
        assert.strictEqual(yield* Fiber.join(waiting), 1)
      })
    ))

  it.effect("of a process that is down fails, and announces nothing that is to come", () =>
    Harness.run(
      App,
      Effect.gen(function*() {
        const harness = yield* Harness.Harness
        const counter = yield* Counter
        yield* harness.crash(counter)
        assert.strictEqual((yield* Effect.flip(harness.crash(counter)))._tag, "NoProcess")
        yield* harness.awaitRestart(counter)
        yield* Effect.exit(counter.Crash())
        assert.strictEqual((yield* harness.unexpectedCrashes).length, 1)
      })
    ).pipe(Effect.exit, Effect.map((exit) => assert.strictEqual(crashesOf(exit).length, 1))))
})

describe("waiting for a restart", () => {
  it.effect("ends at once when the process is up", () =>
    Harness.run(
      App,
      Effect.gen(function*() {
        const harness = yield* Harness.Harness
        const counter = yield* Counter
        assert.strictEqual((yield* harness.awaitRestart(counter)).incarnation, 1)
        const before = yield* Clock.monotonicTimeNanos
        for (const incarnation of [2, 3]) {
          yield* harness.crash(counter)
          assert.strictEqual((yield* harness.awaitRestart(counter)).incarnation, incarnation)
          assert.strictEqual((yield* harness.awaitRestart(counter)).incarnation, incarnation)
        }
        // The backoff has passed, and nothing was waited for in real time.
        assert.isAtLeast(Number((yield* Clock.monotonicTimeNanos) - before) / 6e10, 1)
      })
    ))
})

describe("waiting until servers have nothing to do", () => {
  it.effect("ends when the mailbox is empty, the handler is done, and what it asked to go on with, too", () =>
    Harness.run(
      App,
      Effect.gen(function*() {
        const harness = yield* Harness.Harness
        const counter = yield* Counter
        yield* harness.awaitIdle(counter)
        yield* counter.Slow({ millis: 1000 })
        yield* counter.Slow({ millis: 1000 })
        yield* counter.Twice()
        yield* harness.awaitIdle(counter)
        assert.strictEqual(Number(yield* Clock.monotonicTimeNanos) / 1e6, 2050)
        assert.strictEqual(yield* Sys.getState(counter), 4)
        // One that is at a message already, with nothing behind it.
        yield* counter.Slow({ millis: 1000 })
        yield* Effect.sleep(500)
        yield* harness.awaitIdle(counter)
        assert.strictEqual(Number(yield* Clock.monotonicTimeNanos) / 1e6, 3050)
      })
    ))

  it.effect("has not come as long as an answered call is gone on with", () =>
    Harness.run(
      App,
      Effect.gen(function*() {
        const harness = yield* Harness.Harness
        const counter = yield* Counter
        yield* counter.GoOn()
        yield* harness.awaitIdle(counter)
        assert.deepStrictEqual([Number(yield* Clock.monotonicTimeNanos) / 1e6, yield* Sys.getState(counter)], [50, 1])
      })
    ))

  it.effect("takes the children of a supervisor, waits for restarts, and not for what is suspended or down", () =>
    Harness.run(
      App,
      Effect.gen(function*() {
        const harness = yield* Harness.Harness
        const counter = yield* Counter
        const root = yield* Root
        yield* counter.Slow({ millis: 1000 })
        yield* harness.awaitIdle(root)
        assert.strictEqual(yield* Sys.getState(counter), 1)
        yield* harness.crash(counter)
        yield* harness.awaitIdle(root)
        assert.strictEqual(yield* Process.incarnation(counter), 2)
        yield* Sys.suspend(counter)
        yield* counter.Slow({ millis: 1000 })
        yield* harness.awaitIdle(root)
        yield* root.terminateChild("app/Counter")
        yield* harness.awaitIdle(root, counter)
      })
    ))

  it.effect("waits for the store", () => {
    const slow = FaultyStore.layer(
      Store,
      Layer.succeed(Store, { ...StateStore.makeMemory(), grade: "process" as const })
    ).pipe(
      Layer.provide(
        Layer.succeed(
          FaultyStore.CurrentStoreFaults,
          (what) => what === "save" ? { _tag: "Store", at: 0, how: "Late", millis: 2000, skip: 0 } : undefined
        )
      )
    )
    return Harness.run(
      treeOver(StateContainer.layerStore(Counter, { store: Store })).pipe(Layer.provide(slow)),
      Effect.gen(function*() {
        const harness = yield* Harness.Harness
        const counter = yield* Counter
        yield* counter.Slow({ millis: 1000 })
        yield* harness.awaitIdle(counter)
        assert.strictEqual(Number(yield* Clock.monotonicTimeNanos) / 1e6, 3000)
      })
    )
  })
})

describe("a probe", () => {
  it.effect("shows the events of a process from its moment on, one by one", () =>
    Harness.run(
      App,
      Effect.gen(function*() {
        const harness = yield* Harness.Harness
        const counter = yield* Counter
        const probe = yield* harness.probe(counter)
        const all = yield* harness.probe()
        assert.deepStrictEqual(yield* probe.rest, [])
        yield* harness.crash(counter, "kill")
        assert.strictEqual((yield* probe.expect("Exited")).reason._tag, "Killed")
        assert.strictEqual((yield* probe.next)._tag, "Restarting")
        assert.strictEqual((yield* probe.skipTo("Started")).incarnation, 2)
        assert.deepStrictEqual(yield* probe.rest, [])
        assert.deepStrictEqual(
          (yield* all.rest).map(({ _tag }) => _tag),
          ["Exited", "Restarting", "StateRestored", "Started"].filter((tag) => tag !== "StateRestored")
        )
        yield* harness.crash(counter)
        assert.include(
          String(yield* Effect.exit(probe.expect("Started"))),
          "Started was expected, and Exited of root > app/Counter came"
        )
      })
    ))
})

describe("a crash that was not announced", () => {
  const crash = Effect.flatMap(Counter, (counter) => Effect.exit(counter.Crash()))

  it.effect("ends a test in virtual time at once, and says which process it was and why", () =>
    Effect.gen(function*() {
      let isReached = false
      const exit = yield* Effect.exit(
        Harness.run(App, Effect.andThen(crash, Effect.andThen(Effect.sleep(1), Effect.sync(() => (isReached = true)))))
      )
      assert.deepStrictEqual(crashesOf(exit), [
        "root > app/Counter #1 has ended, which was not expected: crashed: Error: boom"
      ])
      assert.isFalse(isReached)
    }))

  it.effect("is none when it was announced, as often as that, and of that process alone", () =>
    Effect.gen(function*() {
      const times = (n: number, at?: string) =>
        Effect.gen(function*() {
          const harness = yield* Harness.Harness
          const counter = yield* Counter
          yield* harness.expectCrash(at ?? counter, n)
          yield* crash
          yield* harness.awaitRestart(counter)
          yield* crash
        })
      assert.deepStrictEqual(crashesOf(yield* Effect.exit(Harness.run(App, times(2)))), [])
      assert.strictEqual(crashesOf(yield* Effect.exit(Harness.run(App, times(1)))).length, 1)
      assert.strictEqual(crashesOf(yield* Effect.exit(Harness.run(App, times(2, "root > another")))).length, 1)
    }))

  it.effect("fails a test of a strict layer when that is over, and no other test", () =>
    Effect.gen(function*() {
      const over = <A>(test: Effect.Effect<A, unknown, Counter | Harness.Harness>) =>
        Effect.exit(Effect.provide(test, Layer.provideMerge(App, Harness.Harness.layerStrict)))
      assert.strictEqual(crashesOf(yield* over(crash)).length, 1)
      assert.isTrue(Exit.isSuccess(yield* over(Effect.flatMap(Counter, (counter) => counter.Add({ by: 1 })))))
    }))

  it.effect("is told beside what the test failed with, also while the app closes", () =>
    Effect.gen(function*() {
      const failed = yield* Effect.exit(
        Harness.run(App, Effect.andThen(crash, Effect.fail("its own")).pipe(Effect.uninterruptible))
      )
      assert.strictEqual(crashesOf(failed).length, 1)
      const bad = Root.layer({ strategy: "one_for_one" }, [
        memory(),
        Counter.layer({ ...behavior, terminate: () => Effect.die(new Error("late")) })
      ]).pipe(Layer.provide(quiet))
      const closing = yield* Effect.exit(Harness.run(bad, Effect.flatMap(Counter, (counter) => counter.Add({ by: 1 }))))
      assert.deepStrictEqual(crashesOf(closing), [
        "root > app/Counter #1 has ended, which was not expected: crashed: Error: late"
      ])
    }))
})

describe("a test in virtual time", () => {
  it.effect("that cannot go on dies of it, instead of waiting for ever", () =>
    Effect.gen(function*() {
      const before = yield* Sys.roots
      const exit = yield* Effect.exit(Harness.run(App, Effect.never))
      const [reason] = exit._tag === "Failure" ? exit.cause.reasons : []
      assert.isTrue(reason !== undefined && Cause.isDieReason(reason) && reason.defect instanceof VirtualTime.Stuck)
      assert.deepStrictEqual(yield* Sys.roots, before, "its tree is not among those that run")
    }))
})
