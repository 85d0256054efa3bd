/** A store that is away is logged: once when it goes, once when it is back, and in the metrics meanwhile. */
import { assert, describe, it } from "@effect/vitest"
import { type Context, Deferred, Effect, Fiber, Layer, Metric, Schedule } from "effect"
import { TestClock } from "effect/testing"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { Metrics, Process, StateContainer, StateStore, Supervisor } from "../../../../src/index.ts"
import { tableOf } from "../../../../src/layers/state/container/Container.ts"
import * as StateStoreSqlite from "../../../../src/layers/state/StateStoreSqlite.ts"
import { Account, behavior, Inside, many, one, scripted, start } from "../../../kit/Account.ts"
import { now, turns } from "../../../kit/Fibers.ts"
import { folder } from "../../../kit/Folder.ts"
import { type Line, recordedLog } from "../../../kit/Log.ts"
import { away, fail, full, onAll, onSave, Scripted } from "../../../kit/Scripted.ts"

/** What is logged about stores, and nothing else: crash reports have tests of their own. */
const logged = (seen: (line: Line) => void = () => {}) =>
  recordedLog((line) => {
    if (!("store" in line.annotations)) return false
    seen(line)
    return true
  })

const patience = Schedule.spaced("1 second")

const metric = (store: string) =>
  Effect.all([
    Metric.value(Metric.withAttributes(Metrics.storeFailures, { store })),
    Metric.value(Metric.withAttributes(Metrics.storeUnavailable, { store }))
  ]).pipe(Effect.map(([failures, unavailable]) => [failures.count, unavailable.value]))

const withMetrics = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.provideService(effect, Metric.MetricRegistry, new Map())

describe("a store that is there", () => {
  it.effect("is in the metrics before anything is amiss", () => {
    const { inside } = scripted()
    const registry: Context.Service.Shape<typeof Metric.MetricRegistry> = new Map()
    return Effect.gen(function*() {
      yield* start(inside, "a")
      const ids = Array.from(registry.values(), ({ id }) => id)
      assert.includeMembers(ids, ["heirloom_store_failures_total", "heirloom_store_unavailable"])
    }).pipe(Effect.provide(many(inside, { retry: patience })), Effect.provideService(Metric.MetricRegistry, registry))
  })
})

describe("a store that is away", () => {
  for (const [name, reason] of [["away", away], ["full", full]] as const) {
    it.effect(`is logged once when it is (${name}), however often it is tried again, and once when it is back`, () => {
      const { inside, script } = scripted()
      const { layer, lines } = logged()
      return Effect.gen(function*() {
        const [a, b] = [yield* start(inside, "a"), yield* start(inside, "b")]
        yield* TestClock.adjust("1 hour")
        assert.lengthOf(lines, 0)
        script.before = onAll(reason)
        const first = yield* now(a.Add({ by: 1 }, { timeout: "infinity" }))
        yield* TestClock.adjust("3 seconds")
        const second = yield* now(b.Add({ by: 1 }, { timeout: "infinity" }))
        yield* TestClock.adjust("7 seconds")
        assert.lengthOf(lines, 1)
        assert.strictEqual(lines[0]!.level, "Warn")
        assert.include(lines[0]!.text, "save in the state store \"scripted\"")
        assert.include(lines[0]!.text, `(${name})`)
        assert.include(lines[0]!.text, "answers wait")
        assert.deepStrictEqual(lines[0]!.annotations, { store: "scripted", since: 3_600_000 })
        script.before = () => Effect.void
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(first)
        yield* Fiber.join(second)
        assert.lengthOf(lines, 2)
        assert.strictEqual(lines[1]!.level, "Info")
        assert.strictEqual(
          lines[1]!.text,
          "the state store \"scripted\" answers again after 11000 ms: 2 waited for it."
        )
        assert.deepStrictEqual(lines[1]!.annotations, { store: "scripted", since: 3_600_000 })
      }).pipe(Effect.provide(many(inside, { retry: patience })), Effect.provide(layer))
    })
  }

  it.effect("does not count those who have given up among those who waited for it", () => {
    const { inside, script } = scripted()
    const { layer, lines } = logged()
    return Effect.gen(function*() {
      const companion = (yield* Account.StateContainer).for("elsewhere")
      script.before = onAll(away)
      const waiting = yield* Effect.forEach([1, 2, 3], () => now(companion.get))
      yield* turns
      yield* Fiber.interrupt(waiting[0]!)
      yield* Fiber.interrupt(waiting[2]!)
      script.before = () => Effect.void
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(waiting[1]!)
      assert.include(lines.at(-1)!.text, "1 waited for it")
    }).pipe(Effect.provide(many(inside, { retry: patience })), Effect.provide(layer))
  })

  it.effect("is not back because a server gave it up, nor because it can be read", () => {
    const { inside, script } = scripted()
    const { layer, lines } = logged()
    return Effect.gen(function*() {
      const account = yield* Account
      script.before = onSave(away)
      // after each of these the state is loaded anew, which it answers
      for (let i = 0; i < 3; i++) yield* Effect.exit(account.Add({ by: 1 }))
      assert.strictEqual(yield* Process.incarnation(account), 4)
      assert.deepStrictEqual(lines.map(({ level }) => level), ["Warn"])
      script.before = () => Effect.void
      yield* account.Add({ by: 1 })
      yield* turns
      assert.deepStrictEqual(lines.map(({ level }) => level), ["Warn", "Info"])
    }).pipe(Effect.provide(one(inside, { retry: Schedule.recurs(0) })), Effect.provide(layer))
  })

  it.effect("one that cannot even be read is logged when a server starts, and is back when it can", () => {
    const { inside, script } = scripted()
    const { layer, lines } = logged()
    return Effect.gen(function*() {
      script.before = onAll(away)
      const starting = yield* now(start(inside, "a"))
      yield* TestClock.adjust("3 seconds")
      assert.deepStrictEqual(lines.map(({ level }) => level), ["Warn"])
      assert.include(lines[0]!.text, "load in the state store \"scripted\"")
      script.before = () => Effect.void
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(starting)
      assert.deepStrictEqual(lines.map(({ level }) => level), ["Warn", "Info"])
      assert.include(lines[1]!.text, "1 waited for it")
    }).pipe(Effect.provide(many(inside, { retry: patience })), Effect.provide(layer))
  })

  it.effect("a write that succeeds at once after it was given up says that it is back", () => {
    const { inside, script } = scripted()
    const { layer, lines } = logged()
    return Effect.gen(function*() {
      const container = yield* Account.StateContainer
      script.before = onSave(away)
      yield* Effect.exit(container.for("a").set(1))
      script.before = () => Effect.void
      yield* container.for("b").set(1)
      yield* turns
      assert.deepStrictEqual(lines.map(({ level }) => level), ["Warn", "Info"])
    }).pipe(Effect.provide(one(inside, { retry: Schedule.recurs(0) })), Effect.provide(layer))
  })

  it.effect("one that only its operator can mend is logged likewise, and says that it is not tried again", () => {
    const { inside, script } = scripted()
    const { layer, lines } = logged()
    return Effect.gen(function*() {
      const account = yield* Account
      script.before = onAll(fail({ _tag: "Unusable", cause: "no such table" }))
      yield* Effect.exit(account.Add({ by: 1 }))
      yield* turns
      assert.lengthOf(lines, 1)
      assert.include(lines[0]!.text, "no such table")
      assert.include(lines[0]!.text, "not tried again by itself")
    }).pipe(Effect.provide(one(inside)), Effect.provide(layer))
  })

  it.effect("is in the metrics by its name: attempts that failed, and whether it is away now", () => {
    const { inside, script } = scripted()
    return Effect.gen(function*() {
      const account = yield* Account
      assert.deepStrictEqual(yield* metric("scripted"), [0, 0])
      script.before = onSave(away)
      const call = yield* now(account.Add({ by: 1 }, { timeout: "infinity" }))
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(yield* metric("scripted"), [3, 1])
      script.before = () => Effect.void
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(call)
      assert.deepStrictEqual(yield* metric("scripted"), [3, 0])
    }).pipe(Effect.provide(one(inside, { retry: patience })), withMetrics)
  })

  it.effect("a refusal is an answer: a store that refuses is not away", () => {
    const { inside, script } = scripted()
    const { layer, lines } = logged()
    return Effect.gen(function*() {
      const account = yield* Account
      script.before = onSave(fail({ _tag: "Invalid", what: "too large" }))
      yield* Effect.exit(account.Add({ by: 1 }))
      yield* script.memory.acquireEpoch(StateStore.wholeStore)
      script.before = () => Effect.void
      yield* Effect.exit(account.Add({ by: 1 }))
      assert.deepStrictEqual(lines, [])
      assert.deepStrictEqual(yield* metric("scripted"), [0, 0])
    }).pipe(Effect.provide(one(inside)), Effect.provide(layer), withMetrics)
  })

  it.effect("while it is, a server's companion knows the error that answers are waiting for", () => {
    const { inside, script } = scripted()
    return Effect.gen(function*() {
      const account = yield* start(inside, "a")
      const companion = tableOf(yield* Account.StateContainer).claim("a", account as never)
      assert.isUndefined(companion.outage)
      script.before = onSave(away)
      const call = yield* now(account.Add({ by: 1 }, { timeout: "infinity" }))
      yield* turns
      const said = companion.outage as StateStore.StoreError | undefined
      assert.strictEqual(said?.reason._tag, "Unavailable")
      script.before = () => Effect.void
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(call)
      assert.isUndefined(companion.outage)
    }).pipe(Effect.provide(many(inside, { retry: patience })))
  })

  it.live("over SQLite: a database that another client has locked is logged, and so is that it is free again", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const filename = join(directory, "app.db")
      class Db extends StateStore.Service<Db>()("test/Db", "process") {}
      const app = Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
        StateContainer.layerStore(Account, { store: Db, retry: Schedule.spaced("5 millis") }),
        Account.layer(behavior(new Inside(new Scripted())))
      ]).pipe(Layer.provide(StateStoreSqlite.layer(Db, { filename, busyTimeout: 1 })))
      const isAway = Deferred.makeUnsafe<void>()
      const { layer, lines } = logged(({ level }) => {
        if (level === "Warn") Deferred.doneUnsafe(isAway, Effect.void)
      })
      yield* Effect.gen(function*() {
        const account = yield* Account
        yield* account.Add({ by: 1 })
        const other = new DatabaseSync(filename)
        other.exec("BEGIN EXCLUSIVE")
        const call = yield* now(account.Add({ by: 1 }, { timeout: "infinity" }))
        yield* Deferred.await(isAway)
        other.exec("ROLLBACK")
        other.close()
        assert.strictEqual(yield* Fiber.join(call), 2)
        assert.deepStrictEqual(lines.map(({ level }) => level), ["Warn", "Info"])
        assert.include(lines[0]!.text, `save in the state store "sqlite ${filename}"`)
        assert.include(lines[0]!.text, "database is locked")
      }).pipe(Effect.provide(app), Effect.provide(layer))
    }))
})
