/** A session that was fenced off stays so: a restart of its servers fails at once. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Layer, Schedule } from "effect"
import { TestClock } from "effect/testing"
import { join } from "node:path"
import type { ExitReason } from "../../../../src/domain/process/ExitReason.ts"
import { Process, Restart, StateContainer, StateStore, Supervisor } from "../../../../src/index.ts"
import * as StateStoreSqlite from "../../../../src/layers/state/StateStoreSqlite.ts"
import { Harness } from "../../../../src/testing.ts"
import { Account, behavior, Inside, many, one, Pool, scripted, start } from "../../../kit/Account.ts"
import { turns } from "../../../kit/Fibers.ts"
import { folder } from "../../../kit/Folder.ts"
import { quiet, recordedLog } from "../../../kit/Log.ts"
import { layer as storeLayer, Scripted, Store } from "../../../kit/Scripted.ts"

class Root extends Supervisor.Service<Root>()("test/Root") {}

/** A budget that never gives up, and counts how often it was asked. */
const counting = (asked: Array<string>): Schedule.Schedule<unknown, ExitReason> =>
  Schedule.fromStep(Effect.succeed((_now: number, reason: ExitReason) => {
    asked.push(reason._tag)
    return Exit.succeed([asked.length, Duration.seconds(1)])
  }))

const takenOver = (cause: Cause.Cause<unknown>): StateStore.StoreError => {
  const error = Cause.squash(cause)
  assert.instanceOf(error, StateStore.StoreError)
  assert.strictEqual(error.reason._tag, "Fenced")
  return error
}

/**
 * What becomes of a supervisor above a server that commits, and whose next commit another session's is in the way of.
 */
const overtaken = (script: Scripted) =>
  Effect.gen(function*() {
    const account = yield* Account
    yield* account.Add({ by: 41 })
    yield* script.memory.acquireEpoch(StateStore.wholeStore)
    yield* Effect.exit(account.Add({ by: 1 }))
    return yield* Effect.flatMap(Harness.Harness, (harness) => harness.awaitTag("GaveUp", "root"))
  })

describe("a session that another process has taken over from", () => {
  for (
    const [name, restart] of [
      ["the default", undefined],
      ["a backoff without an end", Restart.backoff({ jitter: 0 })],
      ["a Schedule that never ends", "counting"]
    ] as const
  ) {
    it.effect(`is over for good: no server of it starts again, and its supervisor gives up at once (${name})`, () => {
      const { inside, script } = scripted()
      const asked: Array<string> = []
      const budget = restart === "counting" ? counting(asked) : restart
      return Effect.gen(function*() {
        const gaveUp = yield* overtaken(script)
        assert.strictEqual(gaveUp.reason._tag, "NotConserved")
        yield* TestClock.adjust("1 hour")
        const history = yield* (yield* Harness.Harness).historyOf(yield* Account)
        assert.deepStrictEqual(history, ["Started", "Exited"])
        assert.deepStrictEqual(asked, [])
      }).pipe(Effect.provide(one(inside, {}, budget === undefined ? {} : { restart: budget })))
    })
  }

  it.effect("is explained once in the log, however many supervisors are above", () => {
    const { inside, script } = scripted()
    const log = recordedLog()
    const below = Supervisor.layer({ id: "below", strategy: "one_for_one" }, [Account.layer(behavior(inside))])
    const middle = Supervisor.layer({ id: "middle", strategy: "one_for_one" }, [below])
    return Effect.gen(function*() {
      yield* overtaken(script)
      yield* turns
      const texts = log.lines.map(({ cause, text }) => `${text} ${Cause.pretty(cause)}`)
      assert.strictEqual(texts.filter((text) => text.includes("a younger session has taken over")).length, 1)
      assert.deepStrictEqual(texts.slice(-3).map((text) => text.trim()), [
        "root > middle > below #1 gave up on test/Account; it stays down",
        "root > middle #1 gave up on below; it stays down",
        "root #1 gave up on middle; it stays down"
      ])
    }).pipe(Effect.provide(
      Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
        StateContainer.layerStore(Account, { store: Store }),
        middle
      ]).pipe(Layer.provideMerge(Harness.Harness.layer), Layer.provide(storeLayer(script)), Layer.provide(log.layer))
    ))
  })

  it.effect("ends every supervisor above: a restart of these would be futile, too; the error says why and what to do", () => {
    const { inside, script } = scripted()
    const Below = Supervisor.layer({ id: "below", strategy: "one_for_one" }, [Account.layer(behavior(inside))])
    return Effect.gen(function*() {
      const gaveUp = yield* overtaken(script)
      assert.strictEqual(gaveUp.child, "below")
      if (gaveUp.reason._tag !== "GaveUp") return assert.fail(gaveUp.reason._tag)
      const { message } = takenOver(gaveUp.reason.cause)
      assert.include(message, "a younger session has taken over (epoch 1, in force is 2)")
      assert.include(message, "Stop this process")
      yield* turns
      assert.strictEqual(script.count("acquireEpoch"), 1)
    }).pipe(Effect.provide(
      Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
        StateContainer.layerStore(Account, { store: Store }),
        Below
      ]).pipe(Layer.provide(storeLayer(script)), Layer.provideMerge(Harness.Harness.layer))
    ))
  })

  it.effect("a server that crashed and asks the store only then is given up likewise", () => {
    const { inside, script } = scripted()
    const asked: Array<string> = []
    return Effect.gen(function*() {
      const harness = yield* Harness.Harness
      const account = yield* Account
      const container = yield* Account.StateContainer
      yield* account.Add({ by: 41 })
      yield* script.memory.acquireEpoch(StateStore.wholeStore)
      // fenced off by a write that is not the server's
      yield* Effect.exit(container.for("other").set(1))
      yield* Effect.exit(account.Die())
      yield* TestClock.adjust("1 hour")
      const gaveUp = yield* harness.awaitTag("GaveUp", "root")
      if (gaveUp.reason._tag !== "Crashed") return assert.fail(gaveUp.reason._tag)
      takenOver(gaveUp.reason.cause)
      // for the crash, and not for the start
      assert.deepStrictEqual(asked, ["Crashed"])
    }).pipe(Effect.provide(one(inside, {}, { restart: counting(asked) })))
  })

  it.effect("with onGiveUp: \"park\" they are parked, and to resume one parks it again", () => {
    const { inside, script } = scripted()
    return Effect.gen(function*() {
      const harness = yield* Harness.Harness
      const account = yield* Account
      const supervisor = yield* Root
      yield* account.Add({ by: 1 })
      yield* script.memory.acquireEpoch(StateStore.wholeStore)
      yield* Effect.exit(account.Add({ by: 1 }))
      yield* harness.awaitTag("Parked", account)
      yield* supervisor.resumeChild("test/Account")
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(yield* harness.historyOf(account), [
        "Started",
        "Exited",
        "Parked",
        "Resumed",
        "StartFailed",
        "Parked"
      ])
    }).pipe(Effect.provide(
      Root.layer({ strategy: "one_for_one", onGiveUp: "park" }, [
        StateContainer.layerStore(Account, { store: Store }),
        Account.layer(behavior(inside))
      ]).pipe(Layer.provide(storeLayer(script)), Layer.provideMerge(Harness.Harness.layer))
    ))
  })

  it.effect("a dynamic supervisor gives up at once, too", () => {
    const { inside, script } = scripted()
    return Effect.gen(function*() {
      const harness = yield* Harness.Harness
      const pool = yield* Pool
      const account = yield* start(inside, "a")
      yield* account.Add({ by: 1 })
      yield* script.memory.acquireEpoch(StateStore.wholeStore)
      yield* Effect.exit(account.Add({ by: 1 }))
      yield* harness.awaitTag("GaveUp", "root > test/Pool")
      assert.deepStrictEqual((yield* harness.awaitTag("GaveUp", "root")).child, "test/Pool")
      assert.strictEqual(yield* Process.status(pool), "stopped")
      assert.strictEqual(yield* Process.incarnation(account), 1)
    }).pipe(Effect.provide(many(inside)))
  })

  it.live("over SQLite: a second app on the file takes over, and the first one ends with the reason", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      class Db extends StateStore.Service<Db>()("test/Db", "process") {}
      const app = () =>
        Supervisor.layer({ id: "root", strategy: "one_for_one", restart: Restart.backoff() }, [
          StateContainer.layerStore(Account, { store: Db }),
          Account.layer(behavior(new Inside(new Scripted())))
        ]).pipe(
          Layer.provide(StateStoreSqlite.layer(Db, { filename: join(directory, "app.db"), ownership: "youngest" })),
          Layer.provideMerge(Harness.Harness.layer)
        )
      yield* Effect.gen(function*() {
        const harness = yield* Harness.Harness
        const first = yield* Account
        yield* first.Add({ by: 1 })
        yield* Effect.gen(function*() {
          const second = yield* Account
          assert.strictEqual(yield* second.Add({ by: 1 }), 2)
          yield* Effect.exit(first.Add({ by: 1 }))
          const gaveUp = yield* harness.awaitTag("GaveUp", "root")
          if (gaveUp.reason._tag !== "NotConserved") return assert.fail(gaveUp.reason._tag)
          assert.strictEqual(takenOver(gaveUp.reason.cause).store, `sqlite ${join(directory, "app.db")}`)
          assert.deepStrictEqual(yield* harness.historyOf(first), ["Started", "Exited"])
          assert.strictEqual(yield* second.Add({ by: 1 }), 3)
        }).pipe(Effect.provide(Layer.fresh(app())))
      }).pipe(Effect.provide(app()), quiet)
    }))
})
