/**
 * A snapshot that its store found damaged: what its server starts from, who hears of it, and which calls are not
 * handled again.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import * as Answers from "../../../../src/domain/state/Answers.ts"
import type { SnapshotRecord } from "../../../../src/domain/state/stored/SnapshotRecord.ts"
import { GenServer, StateContainer, StateStore, Supervisor } from "../../../../src/index.ts"
import { Harness } from "../../../../src/testing.ts"
import { recordedLog } from "../../../kit/Log.ts"

class Till extends GenServer.Service<Till>()("test/Till", {
  state: Schema.Int,
  messages: {
    Earn: GenServer.call({ payload: { amount: Schema.Int }, reply: Schema.Int }),
    Sum: GenServer.call({ reply: Schema.Int })
  }
}) {}

class Store extends StateStore.Service<Store>()("test/DamagedStore", "crash") {}

/** A till over a store that answers `load` with what `change` makes of it. */
const over = (
  store: StateStore.StateStore<"crash">,
  change: (records: ReadonlyArray<SnapshotRecord>) => ReadonlyArray<SnapshotRecord>,
  onSuspect?: "refuse"
) =>
  Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
    StateContainer.layerStore(Till, { store: Store, ...(onSuspect === undefined ? {} : { onSuspect }) }),
    Till.layer({
      init: 0,
      handlers: {
        Earn: (sum, { amount }) => [sum + amount, sum + amount],
        Sum: (sum) => [sum, sum]
      }
    })
  ]).pipe(
    Layer.provide(
      StateStore.layer(Store, Effect.succeed({ ...store, load: (key) => Effect.map(store.load(key), change) }))
    ),
    Layer.provideMerge(Harness.Harness.layer)
  )

/** A store in which the till has earned 1, 2 and 4, under the keys a, b and c. */
const earned = Effect.gen(function*() {
  const store = StateStore.makeMemory()
  yield* Effect.gen(function*() {
    const till = yield* Till
    for (const [amount, idempotencyKey] of [[1, "a"], [2, "b"], [4, "c"]] as const) {
      yield* till.Earn({ amount }, { idempotencyKey })
    }
  }).pipe(Effect.provide(over(store, (records) => records)))
  return store
})

const why = "the bytes of snapshot 3 have rotted"

/** The newest is damaged, and with it the answers that came since. */
const rotten = (records: ReadonlyArray<SnapshotRecord>) =>
  records.map((one) =>
    one.seq < 3
      ? one
      : {
        ...one,
        damaged: why,
        answers: one.answers?.map((answer) => answer.seq < 3 ? answer : Answers.lost(answer, why))
      }
  )

describe("a snapshot that its store found damaged", () => {
  it.effect("gives way to the one before: an event and an error line name the server, what it had and what it starts from", () =>
    Effect.gen(function*() {
      const store = yield* earned
      const { layer: log, lines } = recordedLog(({ level }) => level === "Error")
      yield* Effect.gen(function*() {
        const till = yield* Till
        assert.strictEqual(yield* till.Sum(), 3)
        const { from, to, why: reason } = yield* (yield* Harness.Harness).awaitTag("StateRolledBack", till)
        assert.deepStrictEqual([from, to, reason], [3, 2, why])
      }).pipe(Effect.provide(over(store, rotten)), Effect.provide(log))
      assert.lengthOf(lines, 1)
      assert.match(
        String(lines[0]?.text),
        /test\/Till.* starts from snapshot 2, and not from 3: 1 update is given up .*rotted/
      )
      assert.deepStrictEqual((yield* store.listAside("test/Till")).map((one) => [one.seq, one.why]), [[3, why]])
    }))

  it.effect("a call whose answer is lost is answered AnswerLost, and not handled again", () =>
    Effect.gen(function*() {
      const store = yield* earned
      yield* Effect.gen(function*() {
        const till = yield* Till
        assert.strictEqual(yield* till.Earn({ amount: 2 }, { idempotencyKey: "b" }), 3, "on record")
        const error = yield* Effect.flip(till.Earn({ amount: 4 }, { idempotencyKey: "c" }))
        assert.deepStrictEqual(error.reason, { _tag: "AnswerLost", key: "c", handled: "unknown", issue: why })
        assert.match(
          error.message,
          /not known whether this call was handled before.*It is not handled again under the key "c"/
        )
        assert.strictEqual(yield* till.Earn({ amount: 8 }, { idempotencyKey: "d" }), 11, "a new key")
      }).pipe(Effect.provide(over(store, rotten)))
    }))

  it.effect("where none is left the server starts from init, and its lost answers are known all the same", () =>
    Effect.gen(function*() {
      const store = yield* earned
      const none = (records: ReadonlyArray<SnapshotRecord>) => rotten(records).filter((one) => one.seq === 3)
      yield* Effect.gen(function*() {
        const till = yield* Till
        assert.strictEqual(yield* till.Sum(), 0)
        const event = yield* (yield* Harness.Harness).awaitTag("StateRolledBack", till)
        assert.deepStrictEqual([event.from, event.to], [3, undefined])
        const error = yield* Effect.flip(till.Earn({ amount: 4 }, { idempotencyKey: "c" }))
        assert.strictEqual(error.reason._tag, "AnswerLost")
      }).pipe(Effect.provide(over(store, none)))
    }))

  it.effect("where it is not known whose answers were lost, no call with a key is handled until they would be too old", () =>
    Effect.gen(function*() {
      const store = yield* earned
      const unknown = (records: ReadonlyArray<SnapshotRecord>) =>
        records.map((one) => ({ ...one, answers: [Answers.lost({ id: Answers.anyId, seq: one.seq, at: 0 }, why)] }))
      yield* Effect.gen(function*() {
        const till = yield* Till
        const earn = till.Earn({ amount: 8 }, { idempotencyKey: "new" })
        assert.strictEqual((yield* Effect.flip(earn)).reason._tag, "AnswerLost")
        assert.strictEqual(yield* till.Earn({ amount: 8 }), 15, "without a key it is as ever")
        yield* TestClock.adjust("25 hours")
        assert.strictEqual(yield* earn, 23)
        assert.strictEqual(yield* earn, 23)
      }).pipe(Effect.provide(over(store, unknown)))
    }))

  it.effect("with refuse the server does not start, and nothing is set aside", () =>
    Effect.gen(function*() {
      const store = yield* earned
      const exit = yield* Effect.exit(Effect.scoped(Layer.build(over(store, rotten, "refuse"))))
      assert(exit._tag === "Failure")
      assert.include(Cause.pretty(exit.cause), "rotted")
      assert.deepStrictEqual(yield* store.listAside(), [])
    }))
})
