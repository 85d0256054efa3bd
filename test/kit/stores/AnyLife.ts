/** Any sequence of operations, on a store and on the one in memory beside it: they hold the same. */
import { assert, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as MadeKey from "../../../src/domain/state/MadeKey.ts"
import type { AsideRecord } from "../../../src/domain/state/stored/SnapshotRecord.ts"
import { type StateContainer, StateStore } from "../../../src/index.ts"
import { answer, reasonOf, record, type Subject, timer } from "./Records.ts"

/** One thing that happens to a store. */
const Op = Schema.Union([
  Schema.TaggedStruct("Save", {
    records: Schema.Array(Schema.Struct({
      key: Schema.Literals(["a", "b", "\u0000\ud800"]),
      probation: Schema.Boolean,
      answer: Schema.optionalKey(Schema.Literals(["x", "y", MadeKey.make("z", 5000)])),
      forget: Schema.Literals(["none", "forgetAnswersBefore", "forgetMadeBefore"]),
      timers: Schema.optionalKey(Schema.Literals([0, 1, 2]))
    })),
    stale: Schema.Boolean
  }),
  Schema.TaggedStruct("SetAside", { key: Schema.Literals(["a", "b"]), back: Schema.Literals([0, 1]) }),
  Schema.TaggedStruct("Remove", { key: Schema.Literals(["a", "b"]) }),
  Schema.TaggedStruct("Acquire", { owner: Schema.Literals(["one", "two"]) }),
  Schema.TaggedStruct("Reopen", {})
])

/** Lives; `RUNS=500` for a long run. */
const runs = Number(process.env["RUNS"] ?? 12)

/** Registers the test of one store. */
export const anyLife = ({ durable, fresh }: Subject): void =>
  it.live.prop(
    "any life of a store: it holds what the store in memory holds",
    { ops: Schema.Array(Op) },
    ({ ops }) =>
      Effect.scoped(Effect.gen(function*() {
        const open = yield* fresh
        let store = yield* open()
        const model = StateStore.makeMemory()
        const epochs = { one: 0, two: 0 }
        let retired = 0
        let seq = 0
        const trusted: Record<string, number> = {}
        const both = Effect.fnUntraced(
          function*<A>(
            f: (store: StateStore.StateStore<StateContainer.Grade>) => Effect.Effect<A, StateStore.StoreError>
          ) {
            const [real, expected] = [yield* Effect.exit(f(store)), yield* Effect.exit(f(model))]
            // a store that was opened again need not know whose an epoch of an earlier session was
            const known = (reason: StateStore.StoreError["reason"] | undefined) =>
              reason?._tag === "Fenced" ? [reason._tag, reason.epoch] : reason
            assert.deepStrictEqual(known(reasonOf(real)), known(reasonOf(expected)))
            return real
          }
        )
        const acquire = Effect.fnUntraced(function*(owner: "one" | "two") {
          retired = epochs[owner]
          epochs[owner] = yield* store.acquireEpoch(owner)
          assert.strictEqual(yield* model.acquireEpoch(owner), epochs[owner])
        })
        yield* acquire("one")
        for (const op of ops) {
          switch (op._tag) {
            case "Save": {
              const records = op.records.map(({ answer: id, forget, key, probation, timers }) => {
                seq++
                if (!probation) trusted[key] = seq - 1
                return record(key, seq, epochs.one, {
                  trusted: trusted[key] ?? 0,
                  ...(id === undefined ? {} : { answers: [answer(id, seq)] }),
                  ...(forget === "none" ? {} : { [forget]: seq - 2 }),
                  ...(timers === undefined
                    ? {}
                    : { timers: ["x", "y"].slice(0, timers).map((name) => timer(name, (seq * 7) % 5)) })
                })
              })
              const stale = op.stale && retired > 0 && records.length > 0
              const batch = stale ? [...records, { ...records[0]!, epoch: retired }] : records
              yield* both((store) => store.save(batch))
              break
            }
            case "SetAside": {
              const found = (yield* model.load(op.key))[op.back]
              if (found !== undefined) {
                yield* both((store) =>
                  store.setAside({ key: op.key, seq: found.seq, epoch: epochs.one, why: "poisoned" })
                )
              }
              break
            }
            case "Remove":
              yield* both((store) => store.remove([op.key], epochs.one))
              break
            case "Acquire":
              yield* acquire(op.owner)
              break
            case "Reopen":
              if (durable) {
                store = yield* open()
                yield* acquire("one")
              }
              break
          }
          for (const key of ["a", "b", "\u0000\ud800"]) {
            assert.deepStrictEqual(yield* store.load(key), yield* model.load(key))
          }
          assert.deepStrictEqual(yield* store.keys(), yield* model.keys())
          const due = yield* model.timers!(9)
          assert.deepStrictEqual(yield* store.timers!(9), due)
          assert.deepStrictEqual(yield* store.timers!(1, due[0]), due.slice(1, 2))
        }
        const strip = (one: AsideRecord) => Object.assign(one, { asideAt: 0 })
        assert.deepStrictEqual((yield* store.listAside()).map(strip), (yield* model.listAside()).map(strip))
      })),
    { arbitrary: { runs }, timeout: 20_000 + runs * 3_000 }
  )
