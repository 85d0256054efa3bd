/** When what delivers timers asks for them, and when it delivers again what failed: in virtual time. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Deferred, Effect } from "effect"
import { TestClock } from "effect/testing"
import type { DueKey } from "../../../../src/domain/state/stored/SnapshotRecord.ts"
import { StoreError, type StoreErrorReason } from "../../../../src/domain/state/stored/StoreError.ts"
import * as Timers from "../../../../src/domain/state/Timers.ts"
import { Alarms } from "../../../../src/layers/state/store/Alarms.ts"
import { DueIndex } from "../../../../src/layers/state/store/DueIndex.ts"
import { recordedLog } from "../../../kit/Log.ts"

const due = (...times: ReadonlyArray<number>): Timers.Timers =>
  times.map((at, i) => ({ name: `t${i}`, due: at, message: "Ring", payload: null }))

/** Timers that are set, what asks for them, and what was delivered, with the time of it. */
const set = Effect.gen(function*() {
  const index = new DueIndex()
  const log = recordedLog()
  const asked: Array<number> = []
  const delivered: Array<string> = []
  const clock = { now: 0 }
  const says: {
    ask: Effect.Effect<void, StoreError>
    deliver: (key: string, after: number) => Effect.Effect<boolean, string> | undefined
  } = {
    ask: Effect.void,
    deliver: (key) => {
      index.set(key, Timers.none)
      return Effect.succeed(true)
    }
  }
  const seconds = Effect.map(Clock.currentTimeMillis, (now) => now / 1000)
  const ask = (limit: number, after: DueKey | undefined, until: number) =>
    Effect.gen(function*() {
      clock.now = yield* seconds
      asked.push(clock.now)
      yield* says.ask
      return index.page(limit, after, until)
    })
  const context = yield* Effect.provide(Effect.context<never>(), log.layer)
  const alarms = new Alarms("bells", ask, context)
  const served = {
    keyOf: (name: string): string | undefined => name,
    deliver: (key: string, after: number) => {
      delivered.push(`${key} ${clock.now}${after === -Infinity ? "" : ` after ${after / 1000}`}`)
      return says.deliver(key, after)
    }
  }
  yield* Effect.forkScoped(Effect.provide(alarms.run, log.layer))
  return { alarms, asked, delivered, index, log, says, served }
})

const failing = (reason: StoreErrorReason) =>
  Effect.fail(new StoreError({ store: "bells", operation: "timers", reason }))

/** So many half seconds pass, each with its turns. */
const halves = (count: number) =>
  Effect.andThen(TestClock.adjust(0), Effect.repeat(TestClock.adjust("500 millis"), { times: count - 1 }))

describe("what delivers timers", () => {
  it.effect("asks when something is due, and not before; and after a minute at the latest, since clocks are set", () =>
    Effect.gen(function*() {
      const { alarms, asked, delivered, index, served } = yield* set
      alarms.look()
      yield* TestClock.adjust("1 hour")
      // There is none to deliver to.
      assert.deepStrictEqual(asked, [])
      alarms.serve(served)
      alarms.serve(served)
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(asked, [3600])
      index.set("a", due(3_600_000 + 150_000))
      alarms.note(due(3_600_000 + 150_000))
      yield* TestClock.adjust("149999 millis")
      assert.deepStrictEqual(delivered, [])
      assert.isAtMost(asked.length, 1)
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(delivered, ["a 3750"])
      // Something earlier wakes it, something later does not.
      index.set("b", due(3_760_000))
      alarms.note(due(3_760_000))
      index.set("c", due(3_755_000))
      alarms.note(due(3_755_000, 3_800_000))
      alarms.note(Timers.none)
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(delivered, ["a 3750", "c 3755", "b 3760"])
      const count = asked.length
      alarms.look()
      yield* TestClock.adjust(0)
      assert.strictEqual(asked.length, count + 1)
      alarms.leave(served)
      index.set("d", due(0))
      alarms.look()
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(asked.length, count + 1)
    }))

  it.effect("asks a store that is away again after two seconds, one that answers otherwise after a minute, and says a defect", () =>
    Effect.gen(function*() {
      const { alarms, asked, delivered, index, log, says, served } = yield* set
      says.ask = failing({ _tag: "Unavailable", cause: "away" })
      index.set("a", due(0))
      alarms.serve(served)
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(asked, [0, 2, 4])
      says.ask = failing({ _tag: "Unusable", cause: "no table" })
      yield* TestClock.adjust("70 seconds")
      assert.deepStrictEqual(asked, [0, 2, 4, 6, 66])
      assert.deepStrictEqual(log.lines, [])
      says.ask = Effect.die("bug")
      yield* TestClock.adjust("60 seconds")
      assert.deepStrictEqual(log.lines.map(({ level, text }) => [level, text]), [
        ["Error", "timers over bells were not looked for, and are again"]
      ])
      says.ask = Effect.void
      yield* TestClock.adjust("60 seconds")
      assert.deepStrictEqual(delivered, ["a 186"])
    }))

  it.effect("delivers again what failed after a second, and after twice as long each time, up to a minute, and says so", () =>
    Effect.gen(function*() {
      const { alarms, delivered, index, log, says, served } = yield* set
      says.deliver = () => Effect.fail("no")
      index.set("a", due(0))
      alarms.serve(served)
      yield* halves(480)
      assert.deepStrictEqual(
        delivered,
        [0, 1, 3, 7, 15, 31, 63, 123, 183].map((at) => `a ${at}`)
      )
      assert.deepStrictEqual(
        new Set(log.lines.map(({ level, text }) => `${level} ${text}`)),
        new Set([
          "Warn timers of \"a\" were not delivered, and are tried again"
        ])
      )
      // One that is set to another time is another one.
      delivered.length = 0
      index.set("a", due(200_000))
      alarms.look()
      yield* halves(4)
      assert.deepStrictEqual(delivered, ["a 240", "a 241"])
    }))

  it.effect("what is not over counts as one that failed, and is not said", () =>
    Effect.gen(function*() {
      const { alarms, delivered, index, log, says, served } = yield* set
      says.deliver = () => Effect.succeed(false)
      index.set("a", due(0))
      alarms.serve(served)
      yield* halves(8)
      assert.deepStrictEqual(delivered, ["a 0", "a 1", "a 3"])
      assert.deepStrictEqual(log.lines, [])
    }))

  it.effect("delivers what comes due of a server meanwhile without what failed, which keeps its time", () =>
    Effect.gen(function*() {
      const { alarms, delivered, index, says, served } = yield* set
      says.deliver = () => Effect.fail("no")
      index.set("a", due(0, 500, 2500))
      alarms.serve(served)
      yield* halves(5)
      assert.deepStrictEqual(delivered, ["a 0", "a 0.5 after 0", "a 1", "a 2.5 after 1"])
      yield* TestClock.adjust("500 millis")
      assert.deepStrictEqual(delivered.slice(4), ["a 3"])
    }))

  it.effect("has a thousand deliveries under way at most; the next goes when one is over, or has taken a minute", () =>
    Effect.gen(function*() {
      const { alarms, delivered, index, says, served } = yield* set
      const gates = new Map<string, Deferred.Deferred<boolean>>()
      says.deliver = (key) => {
        const gate = Deferred.makeUnsafe<boolean>()
        gates.set(key, gate)
        return Deferred.await(gate)
      }
      for (let i = 0; i < 1003; i++) index.set(`k${String(i).padStart(4, "0")}`, due(0))
      alarms.serve(served)
      yield* TestClock.adjust(0)
      assert.strictEqual(delivered.length, 1000)
      index.set("k0007", Timers.none)
      yield* Deferred.succeed(gates.get("k0007")!, true)
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(delivered.slice(1000), ["k1000 0"])
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual(delivered.length, 1001)
      yield* TestClock.adjust("61 seconds")
      assert.deepStrictEqual(delivered.slice(1001).map((one) => one.slice(0, 5)), ["k1001", "k1002"])
      // Those of more than a minute do not count any more when they end: there is room for a thousand, and no more.
      for (const [key, gate] of gates) {
        if (key < "k1000") index.set(key, Timers.none)
        if (key < "k1000") yield* Deferred.succeed(gate, true)
      }
      yield* TestClock.adjust(0)
      for (let i = 0; i < 1500; i++) index.set(`m${String(i).padStart(4, "0")}`, due(0))
      alarms.look()
      yield* TestClock.adjust(0)
      const more = delivered.filter((one) => one.startsWith("m")).length
      assert.isAtLeast(more, 997)
      assert.isAtMost(more, 1000)
    }))

  it.effect("a delivery that is under way is not made twice, and what came due meanwhile is looked for after it", () =>
    Effect.gen(function*() {
      const { alarms, delivered, index, says, served } = yield* set
      const gate = Deferred.makeUnsafe<boolean>()
      says.deliver = () => Deferred.await(gate)
      index.set("a", due(0, 1000))
      alarms.serve(served)
      yield* TestClock.adjust("5 seconds")
      index.set("b", due(5000))
      alarms.note(due(5000))
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(delivered, ["a 0", "b 5"])
      index.set("a", due(1000))
      says.deliver = (key) => {
        index.set(key, Timers.none)
        return Effect.succeed(true)
      }
      yield* Deferred.succeed(gate, true)
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(delivered.slice(2, 3), ["a 5"])
    }))

  it.effect("delivers to the class with the longest id that the name begins with, and to none where there is no server", () =>
    Effect.gen(function*() {
      const { alarms, index } = yield* set
      const delivered: Array<string> = []
      const of = (id: string, isThere = true) => ({
        keyOf: (name: string) => name.startsWith(`${id}/`) ? name.slice(id.length + 1) : undefined,
        deliver: (key: string) => {
          delivered.push(`${id}: ${key}`)
          if (!isThere) return undefined
          index.set(`${id}/${key}`, Timers.none)
          return Effect.succeed(true)
        }
      })
      const absent = of("x", false)
      for (const one of [of("a"), of("a/b"), of("b"), absent]) alarms.serve(one)
      for (const name of ["a/b/c", "a/c", "b/b", "x/1", "y/1"]) index.set(name, due(0))
      alarms.look()
      yield* TestClock.adjust("10 minutes")
      assert.deepStrictEqual(delivered.filter((one) => !one.startsWith("x")).sort(), ["a/b: c", "a: c", "b: b"])
      // Who is not there is asked when they come, and not all the time.
      assert.isAtMost(delivered.length, 5)
      const before = delivered.length
      alarms.serve(of("y"))
      yield* TestClock.adjust(0)
      assert.include(delivered.slice(before), "y: 1")
    }))
})
