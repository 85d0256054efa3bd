/** What every store promises, as one suite that runs against each of them. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Schema, type Scope } from "effect"
import type { AsideRecord, SnapshotRecord } from "../../src/domain/state/stored/SnapshotRecord.ts"
import type { StoreError } from "../../src/domain/state/stored/StoreError.ts"
import type { Grade } from "../../src/domain/state/Survival.ts"
import { makeMemory, type Options, type StateStore } from "../../src/layers/state/store/StateStore.ts"

/** A place that holds nothing yet, and how to open a store on it; opening again opens the same place. */
export type Place = (options?: Options) => Effect.Effect<StateStore<Grade>, StoreError, Scope.Scope>

/** How to test a store: `fresh` makes a place of its own for each test. */
export interface Subject {
  readonly fresh: Effect.Effect<Place, unknown, Scope.Scope>
  /** Whether what was stored is there when it is opened again. */
  readonly durable: boolean
}

export const record = (
  key: string,
  seq: number,
  epoch: number,
  more: Partial<SnapshotRecord> = {}
): SnapshotRecord => ({
  key,
  seq,
  epoch,
  version: 1,
  state: JSON.stringify({ count: seq }),
  trusted: seq - 1,
  at: 1_700_000_000_000 + seq,
  ...more
})

/** A record as it is loaded. */
const loaded = (saved: SnapshotRecord): SnapshotRecord => ({ answers: [], ...saved })

const answer = (id: string, seq: number) => ({ id, seq, at: seq, body: JSON.stringify({ reply: id }) })

const seqs = (records: ReadonlyArray<SnapshotRecord>) => records.map((one) => one.seq)

const reasonOf = <A>(exit: Exit.Exit<A, StoreError>) => {
  const error = Exit.findErrorOption(exit)
  return error._tag === "Some" ? error.value.reason : undefined
}

/** Keys that some encoding, collation or file system chokes on. */
export const hardKeys = [
  "",
  " ",
  "app/Counter/1",
  "app/Counter/10",
  "APP/counter/1",
  "../../etc/passwd",
  "nul\u0000inside",
  "\u0000",
  "\ud800",
  "\udc00tail",
  "a\ud83d",
  "😀",
  "%00",
  "%u0000",
  "%",
  "_",
  "'; DROP TABLE heirloom_state; --",
  "\"quoted\"",
  "\\",
  "line\nbreak",
  "é",
  "e\u0301",
  "ÿ",
  "\uffff",
  "\u{10ffff}",
  "日本語".repeat(50),
  "x".repeat(512),
  "\u0000".repeat(512),
  "\ud800".repeat(170)
]

export const contract = (name: string, { durable, fresh }: Subject): void => {
  const test = (title: string, body: (open: Place) => Effect.Effect<void, unknown, Scope.Scope>) =>
    it.live(title, () => Effect.flatMap(fresh, body), 60_000)

  describe(`${name}: the contract of every store`, () => {
    test(
      "a key that was never saved has no snapshots, and no key is listed",
      Effect.fnUntraced(function*(open) {
        const store = yield* open()
        assert.deepStrictEqual(yield* store.load("nobody"), [])
        assert.deepStrictEqual(yield* store.keys(), [])
        assert.deepStrictEqual(yield* store.listAside(), [])
        const epoch = yield* store.acquireEpoch("app")
        yield* store.save([])
        yield* store.remove(["nobody"], epoch)
        yield* store.setAside({ key: "nobody", seq: 1, epoch, why: "none" })
        assert.deepStrictEqual(yield* store.keys(), [])
        assert.deepStrictEqual(yield* store.listAside(), [])
      })
    )

    test(
      "what is saved is loaded as it was, newest first",
      Effect.fnUntraced(function*(open) {
        const store = yield* open()
        const epoch = yield* store.acquireEpoch("app")
        const one = record("a", 1, epoch, { state: JSON.stringify({ text: "\u0000\ud800 'é' 😀 \\ \"" }), version: 7 })
        const two = record("a", 5, epoch, { trusted: 4, at: 1.5e12 })
        yield* store.save([one])
        yield* store.save([two])
        assert.deepStrictEqual(yield* store.load("a"), [loaded(two), loaded(one)])
      })
    )

    test(
      "the same sequence number again replaces the snapshot, so a batch may be saved twice",
      Effect.fnUntraced(function*(open) {
        const store = yield* open()
        const epoch = yield* store.acquireEpoch("app")
        yield* store.save([record("a", 1, epoch), record("a", 2, epoch)])
        const again = record("a", 2, epoch, { state: `"again"`, trusted: 2 })
        yield* store.save([again])
        yield* store.save([again])
        assert.deepStrictEqual(yield* store.load("a"), [loaded(again), loaded(record("a", 1, epoch))])
      })
    )

    test(
      "the last three are kept, or as many as it is told, two at least",
      Effect.fnUntraced(function*(open) {
        for (const [key, generations, kept] of [["d", undefined, 3], ["five", 5, 5], ["two", 2, 2]] as const) {
          const store = yield* open(generations === undefined ? {} : { generations })
          const epoch = yield* store.acquireEpoch("app")
          for (let seq = 1; seq <= 9; seq++) yield* store.save([record(key, seq, epoch)])
          assert.deepStrictEqual(seqs(yield* store.load(key)), [9, 8, 7, 6, 5].slice(0, kept))
        }
      })
    )

    test(
      "the newest trusted snapshot is never dropped, however many on probation come after it",
      Effect.fnUntraced(function*(open) {
        const store = yield* open()
        const epoch = yield* store.acquireEpoch("app")
        for (let seq = 1; seq <= 9; seq++) {
          yield* store.save([record("a", seq, epoch, { trusted: Math.min(seq - 1, 4) })])
        }
        assert.deepStrictEqual(seqs(yield* store.load("a")), [9, 8, 4])
      })
    )

    test(
      "one batch holds many keys, and many snapshots of one",
      Effect.fnUntraced(function*(open) {
        const store = yield* open()
        const epoch = yield* store.acquireEpoch("app")
        const many = Array.from({ length: 300 }, (_, i) => record(`k${i}`, 1, epoch))
        const one = Array.from({ length: 10 }, (_, i) => record("one", i + 1, epoch))
        yield* store.save([...many, ...one, ...many])
        assert.strictEqual((yield* store.keys()).length, 301)
        assert.deepStrictEqual(yield* store.load("k299"), [loaded(many[299]!)])
        assert.deepStrictEqual(seqs(yield* store.load("one")), [10, 9, 8])
      })
    )

    test(
      "a state of a megabyte is stored and comes back",
      Effect.fnUntraced(function*(open) {
        const store = yield* open()
        const epoch = yield* store.acquireEpoch("app")
        const big = record("big", 1, epoch, { state: JSON.stringify("å\"".repeat(250_000)) })
        yield* store.save([big, record("small", 1, epoch)])
        assert.deepStrictEqual(yield* store.load("big"), [loaded(big)])
      })
    )

    test(
      "saves at the same time are all stored",
      Effect.fnUntraced(function*(open) {
        const store = yield* open()
        const epoch = yield* store.acquireEpoch("app")
        yield* Effect.forEach(
          Array.from({ length: 50 }, (_, i) => i),
          (i) => store.save([record(`k${i}`, 1, epoch), record("shared", i + 1, epoch)]),
          { concurrency: "unbounded", discard: true }
        )
        assert.strictEqual((yield* store.keys("k")).length, 50)
        assert.strictEqual((yield* store.load("shared")).length, 3)
      })
    )

    test(
      "keys are safe whatever their characters are, and never mistaken for another",
      Effect.fnUntraced(function*(open) {
        const store = yield* open()
        const epoch = yield* store.acquireEpoch("app")
        yield* store.save(
          hardKeys.map((key, i) => record(key, i + 1, epoch, { answers: [answer(key.slice(0, 80), i + 1)] }))
        )
        for (const [i, key] of hardKeys.entries()) {
          assert.deepStrictEqual(
            yield* store.load(key),
            [record(key, i + 1, epoch, { answers: [answer(key.slice(0, 80), i + 1)] })],
            JSON.stringify(key)
          )
        }
        assert.deepStrictEqual(yield* store.keys(), hardKeys.slice().sort())
        for (const prefix of ["a", "app/Counter/1", "%", "_", "\ud83d", "\ud800", "\u0000", "日本", "\u{10ffff}"]) {
          assert.deepStrictEqual(
            yield* store.keys(prefix),
            hardKeys.filter((key) => key.startsWith(prefix)).sort(),
            JSON.stringify(prefix)
          )
        }
        for (const [i, key] of hardKeys.entries()) {
          yield* store.setAside({ key, seq: i + 1, epoch, why: key })
          assert.deepStrictEqual((yield* store.listAside(key)).map((one) => [one.key, one.why]), [[key, key]])
        }
      })
    )

    test(
      "a key or an answer id that no index could hold is refused, and the batch with it",
      Effect.fnUntraced(function*(open) {
        const store = yield* open()
        const epoch = yield* store.acquireEpoch("app")
        for (
          const bad of [
            record("x".repeat(513), 1, epoch),
            record("é".repeat(257), 1, epoch),
            record("a", 1, epoch, { answers: [answer("x".repeat(257), 1)] }),
            record("a", 0, epoch),
            record("a", 1.5, epoch),
            record("a", 1, 0)
          ]
        ) {
          const exit = yield* Effect.exit(store.save([record("good", 1, epoch), bad]))
          assert.strictEqual(reasonOf(exit)?._tag, "Invalid")
        }
        assert.deepStrictEqual(yield* store.keys(), [])
      })
    )

    test(
      "epochs only grow, over all owners",
      Effect.fnUntraced(function*(open) {
        const store = yield* open()
        const epochs: Array<number> = []
        for (const owner of ["a", "b", "a", "nul\u0000\ud800'", "b"]) epochs.push(yield* store.acquireEpoch(owner))
        assert.deepStrictEqual(epochs, [...new Set(epochs)].sort((a, b) => a - b))
        assert.isAtLeast(epochs[0]!, 1)
      })
    )

    test(
      "a younger session of the same owner fences the older one off: none of its writes is stored",
      Effect.fnUntraced(function*(open) {
        const store = yield* open()
        const old = yield* store.acquireEpoch("app")
        yield* store.save([record("a", 1, old), record("b", 1, old)])
        const current = yield* store.acquireEpoch("app")
        const before = yield* store.load("a")
        for (
          const write of [
            store.save([record("a", 2, old)]),
            store.save([record("c", 1, current), record("a", 2, old)]),
            store.save([record("a", 2, old, { answers: [answer("x", 2)] })]),
            store.setAside({ key: "a", seq: 1, epoch: old, why: "stale" }),
            store.remove(["a"], old)
          ]
        ) {
          assert.deepStrictEqual(reasonOf(yield* Effect.exit(write)), {
            _tag: "Fenced",
            owner: "app",
            epoch: old,
            current
          })
        }
        assert.deepStrictEqual(yield* store.load("a"), before)
        assert.deepStrictEqual(yield* store.keys(), ["a", "b"])
        assert.deepStrictEqual(yield* store.listAside(), [])
        yield* store.save([record("a", 2, current)])
        assert.deepStrictEqual(seqs(yield* store.load("a")), [2, 1])
      })
    )

    test(
      "an epoch that nobody acquired is stale",
      Effect.fnUntraced(function*(open) {
        const store = yield* open()
        const epoch = yield* store.acquireEpoch("app")
        const exit = yield* Effect.exit(store.save([record("a", 1, epoch + 7)]))
        assert.strictEqual(reasonOf(exit)?._tag, "Fenced")
        assert.deepStrictEqual(yield* store.keys(), [])
      })
    )

    test(
      "sessions of different owners write side by side, also in one batch",
      Effect.fnUntraced(function*(open) {
        const store = yield* open()
        const one = yield* store.acquireEpoch("one")
        const two = yield* store.acquireEpoch("two")
        yield* store.save([record("1", 1, one), record("2", 1, two), record("1", 2, one)])
        yield* store.save([record("1", 3, one)])
        assert.deepStrictEqual(seqs(yield* store.load("1")), [3, 2, 1])
        assert.deepStrictEqual(seqs(yield* store.load("2")), [1])
      })
    )

    test(
      "a key belongs to the youngest session that wrote it",
      Effect.fnUntraced(function*(open) {
        const store = yield* open()
        const one = yield* store.acquireEpoch("one")
        const two = yield* store.acquireEpoch("two")
        yield* store.save([record("a", 1, two)])
        const exit = yield* Effect.exit(store.save([record("b", 1, one), record("a", 2, one)]))
        assert.deepStrictEqual(reasonOf(exit), { _tag: "Fenced", key: "a", epoch: one, current: two })
        assert.deepStrictEqual(yield* store.keys(), ["a"])
        yield* store.save([record("b", 1, one)])
        const removed = yield* Effect.exit(store.remove(["b", "a"], one))
        assert.deepStrictEqual(reasonOf(removed), { _tag: "Fenced", key: "a", epoch: one, current: two })
        assert.deepStrictEqual(yield* store.keys(), ["a", "b"], "removed whole or not at all")
      })
    )

    test(
      "what was set aside or removed makes room: those that are left are kept",
      Effect.fnUntraced(function*(open) {
        const store = yield* open()
        const epoch = yield* store.acquireEpoch("app")
        for (let seq = 1; seq <= 3; seq++) yield* store.save([record("a", seq, epoch)])
        yield* store.setAside({ key: "a", seq: 3, epoch, why: "poisoned" })
        yield* store.save([record("a", 4, epoch)])
        assert.deepStrictEqual(seqs(yield* store.load("a")), [4, 2, 1])
        yield* store.remove(["a"], epoch)
        for (let seq = 5; seq <= 7; seq++) yield* store.save([record("a", seq, epoch)])
        assert.deepStrictEqual(seqs(yield* store.load("a")), [7, 6, 5])
      })
    )

    test(
      "what is set aside is kept, not loaded, and outlives every later save",
      Effect.fnUntraced(function*(open) {
        const store = yield* open()
        const epoch = yield* store.acquireEpoch("app")
        for (let seq = 1; seq <= 3; seq++) yield* store.save([record("a", seq, epoch)])
        yield* store.setAside({ key: "a", seq: 3, epoch, why: "restore crashed" })
        yield* store.setAside({ key: "a", seq: 3, epoch, why: "again" })
        assert.deepStrictEqual(seqs(yield* store.load("a")), [2, 1])
        for (let seq = 4; seq <= 9; seq++) yield* store.save([record("a", seq, epoch)])
        yield* store.setAside({ key: "a", seq: 9, epoch, why: "poisoned" })
        yield* store.save([record("b", 1, epoch)])
        yield* store.setAside({ key: "b", seq: 1, epoch, why: "poisoned too" })
        const strip = ({ asideAt, ...rest }: AsideRecord) => {
          assert.isAbove(asideAt, 0)
          return rest
        }
        const first = { ...loaded(record("a", 3, epoch)), why: "restore crashed" }
        const second = { ...loaded(record("a", 9, epoch)), why: "poisoned" }
        const third = { ...loaded(record("b", 1, epoch)), why: "poisoned too" }
        assert.deepStrictEqual((yield* store.listAside("a")).map(strip), [first, second])
        assert.deepStrictEqual((yield* store.listAside()).map(strip), [first, second, third])
        assert.deepStrictEqual(yield* store.load("b"), [])
        assert.deepStrictEqual(yield* store.keys(), ["a"])
      })
    )

    test(
      "removing takes a key's snapshots and answers, and leaves other keys and what was set aside",
      Effect.fnUntraced(function*(open) {
        const store = yield* open()
        const epoch = yield* store.acquireEpoch("app")
        yield* store.save([
          record("a", 1, epoch),
          record("a", 2, epoch, { answers: [answer("x", 2)] }),
          record("b", 1, epoch)
        ])
        yield* store.setAside({ key: "a", seq: 1, epoch, why: "old" })
        yield* store.remove(["a", "c"], epoch)
        assert.deepStrictEqual(yield* store.keys(), ["b"])
        assert.deepStrictEqual(yield* store.load("a"), [])
        assert.deepStrictEqual(seqs(yield* store.listAside("a")), [1])
        yield* store.save([record("a", 3, epoch)])
        assert.deepStrictEqual(yield* store.load("a"), [loaded(record("a", 3, epoch))])
      })
    )

    test(
      "recorded answers are committed with the state, and each snapshot has those up to it",
      Effect.fnUntraced(function*(open) {
        const store = yield* open()
        const epoch = yield* store.acquireEpoch("app")
        yield* store.save([record("a", 1, epoch, { answers: [answer("x", 1)] })])
        // what was coalesced: the states 2 and 3 were never stored, their answers are
        yield* store.save([record("a", 4, epoch, { answers: [answer("y", 2), answer("z", 4)] }), record("b", 1, epoch)])
        yield* store.save([record("a", 5, epoch)])
        const answers = [answer("x", 1), answer("y", 2), answer("z", 4)]
        assert.deepStrictEqual((yield* store.load("a")).map((one) => one.answers), [
          answers,
          answers,
          answers.slice(0, 1)
        ])
        assert.deepStrictEqual((yield* store.load("b")).map((one) => one.answers), [[]])
      })
    )

    test(
      "an answer of the same id replaces the one before; those that are forgotten are gone",
      Effect.fnUntraced(function*(open) {
        const store = yield* open()
        const epoch = yield* store.acquireEpoch("app")
        yield* store.save([record("a", 2, epoch, { answers: [answer("x", 1), answer("y", 2)] })])
        yield* store.save([record("a", 3, epoch, { answers: [{ ...answer("x", 3), body: `"new"` }] })])
        assert.deepStrictEqual((yield* store.load("a"))[0]?.answers, [answer("y", 2), {
          ...answer("x", 3),
          body: `"new"`
        }])
        yield* store.save([record("a", 4, epoch, { answers: [answer("z", 4)], forgetAnswersBefore: 3 })])
        assert.deepStrictEqual((yield* store.load("a"))[0]?.answers?.map((one) => one.id), ["x", "z"])
      })
    )

    test(
      "a rollback takes back the answers whose updates it takes back",
      Effect.fnUntraced(function*(open) {
        const store = yield* open()
        const epoch = yield* store.acquireEpoch("app")
        yield* store.save([record("a", 2, epoch, { answers: [answer("x", 1), answer("y", 2)] })])
        yield* store.save([record("a", 4, epoch, { answers: [answer("z", 3)] })])
        yield* store.setAside({ key: "a", seq: 4, epoch, why: "poisoned" })
        assert.deepStrictEqual((yield* store.load("a"))[0]?.answers?.map((one) => one.id), ["x", "y"])
        assert.deepStrictEqual((yield* store.listAside("a"))[0]?.answers, [answer("z", 3)])
        // an older one set aside takes nothing back: the newest came out of it
        yield* store.save([record("a", 5, epoch, { answers: [answer("w", 5)] })])
        yield* store.setAside({ key: "a", seq: 2, epoch, why: "unreadable" })
        assert.deepStrictEqual((yield* store.load("a"))[0]?.answers?.map((one) => one.id), ["x", "y", "w"])
      })
    )

    test(
      "the answers that are set aside with a snapshot are in the order they were given",
      Effect.fnUntraced(function*(open) {
        const store = yield* open()
        const epoch = yield* store.acquireEpoch("app")
        yield* store.save([record("a", 1, epoch, { answers: [answer("z", 1)] })])
        yield* store.save([record("a", 2, epoch, { answers: [answer("y", 2)] })])
        yield* store.setAside({ key: "a", seq: 1, epoch, why: "unreadable" })
        yield* store.setAside({ key: "a", seq: 2, epoch, why: "poisoned" })
        assert.deepStrictEqual((yield* store.listAside("a"))[1]?.answers, [answer("z", 1), answer("y", 2)])
      })
    )

    const Op = Schema.Union([
      Schema.TaggedStruct("Save", {
        records: Schema.Array(Schema.Struct({
          key: Schema.Literals(["a", "b", "\u0000\ud800"]),
          probation: Schema.Boolean,
          answer: Schema.optionalKey(Schema.Literals(["x", "y", "z"])),
          forget: Schema.Boolean
        })),
        stale: Schema.Boolean
      }),
      Schema.TaggedStruct("SetAside", { key: Schema.Literals(["a", "b"]), back: Schema.Literals([0, 1]) }),
      Schema.TaggedStruct("Remove", { key: Schema.Literals(["a", "b"]) }),
      Schema.TaggedStruct("Acquire", { owner: Schema.Literals(["one", "two"]) }),
      Schema.TaggedStruct("Reopen", {})
    ])

    it.live.prop(
      "any life of a store: it holds what the store in memory holds",
      { ops: Schema.Array(Op) },
      ({ ops }) =>
        Effect.scoped(Effect.gen(function*() {
          const open = yield* fresh
          let store = yield* open()
          const model = makeMemory()
          const epochs = { one: 0, two: 0 }
          let retired = 0
          let seq = 0
          const trusted: Record<string, number> = {}
          const both = Effect.fnUntraced(function*<A>(f: (store: StateStore<Grade>) => Effect.Effect<A, StoreError>) {
            const [real, expected] = [yield* Effect.exit(f(store)), yield* Effect.exit(f(model))]
            // a store that was opened again need not know whose an epoch of an earlier session was
            const known = (reason: StoreError["reason"] | undefined) =>
              reason?._tag === "Fenced" ? [reason._tag, reason.epoch] : reason
            assert.deepStrictEqual(known(reasonOf(real)), known(reasonOf(expected)))
            return real
          })
          const acquire = Effect.fnUntraced(function*(owner: "one" | "two") {
            retired = epochs[owner]
            epochs[owner] = yield* store.acquireEpoch(owner)
            assert.strictEqual(yield* model.acquireEpoch(owner), epochs[owner])
          })
          yield* acquire("one")
          for (const op of ops) {
            switch (op._tag) {
              case "Save": {
                const records = op.records.map(({ answer: id, forget, key, probation }) => {
                  seq++
                  if (!probation) trusted[key] = seq - 1
                  return record(key, seq, epochs.one, {
                    trusted: trusted[key] ?? 0,
                    ...(id === undefined ? {} : { answers: [answer(id, seq)] }),
                    ...(forget ? { forgetAnswersBefore: seq - 2 } : {})
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
          }
          const strip = (one: AsideRecord) => Object.assign(one, { asideAt: 0 })
          assert.deepStrictEqual((yield* store.listAside()).map(strip), (yield* model.listAside()).map(strip))
        })),
      { arbitrary: { runs: 40 }, timeout: 120_000 }
    )

    if (!durable) return

    test(
      "what another process has written meanwhile is kept, fenced, and counted as what this one wrote itself",
      Effect.fnUntraced(function*(open) {
        const here = yield* open()
        const one = yield* here.acquireEpoch("one")
        for (let seq = 1; seq <= 3; seq++) yield* here.save([record("a", seq, one), record("b", seq, one)])
        const there = yield* open()
        const two = yield* there.acquireEpoch("two")
        for (let seq = 4; seq <= 5; seq++) yield* there.save([record("a", seq, two), record("b", seq, two)])
        assert.strictEqual(reasonOf(yield* Effect.exit(here.save([record("a", 6, one)])))?._tag, "Fenced")
        assert.deepStrictEqual(seqs(yield* there.load("a")), [5, 4, 3])
        const again = yield* here.acquireEpoch("one")
        yield* here.save([record("a", 6, again), record("b", 6, again)])
        for (const key of ["a", "b"]) assert.deepStrictEqual(seqs(yield* here.load(key)), [6, 5, 4])
      })
    )

    test(
      "a store that is opened again holds the same, and a new session goes on",
      Effect.fnUntraced(function*(open) {
        const first = yield* Effect.scoped(Effect.gen(function*() {
          const store = yield* open()
          const epoch = yield* store.acquireEpoch("app")
          for (let seq = 1; seq <= 4; seq++) {
            yield* store.save([
              record("a", seq, epoch, { answers: [answer(`id${seq}`, seq)] }),
              record("b", seq, epoch)
            ])
          }
          yield* store.setAside({ key: "b", seq: 4, epoch, why: "poisoned" })
          yield* store.remove(["c"], epoch)
          return { epoch, a: yield* store.load("a"), b: yield* store.load("b"), aside: yield* store.listAside() }
        }))
        const store = yield* open()
        assert.deepStrictEqual(yield* store.load("a"), first.a, "before a session began")
        const epoch = yield* store.acquireEpoch("app")
        assert.isAbove(epoch, first.epoch)
        assert.deepStrictEqual(yield* store.load("a"), first.a)
        assert.deepStrictEqual(yield* store.load("b"), first.b)
        assert.deepStrictEqual(yield* store.listAside(), first.aside)
        assert.deepStrictEqual(yield* store.keys(), ["a", "b"])
        yield* store.save([record("a", 5, epoch)])
        assert.deepStrictEqual(seqs(yield* store.load("a")), [5, 4, 3])
      })
    )

    test(
      "two clients of one store: the one that acquires last is the owner, the other is fenced off",
      Effect.fnUntraced(function*(open) {
        const [one, two] = [yield* open(), yield* open()]
        const old = yield* one.acquireEpoch("app")
        yield* one.save([record("a", 1, old)])
        const current = yield* two.acquireEpoch("app")
        assert.isAbove(current, old)
        assert.deepStrictEqual(seqs(yield* two.load("a")), [1])
        const exit = yield* Effect.exit(one.save([record("a", 2, old)]))
        const reason = reasonOf(exit)
        assert.strictEqual(reason?._tag, "Fenced")
        yield* two.save([record("a", 2, current, { state: `"two"` })])
        yield* two.save([record("a", 3, current, { state: `"two"` })])
        assert.deepStrictEqual((yield* two.load("a")).map((one) => one.state), [`"two"`, `"two"`, `{"count":1}`])
        // and back: a fenced session may begin anew, and then sees what the other has stored
        const again = yield* one.acquireEpoch("app")
        assert.isAbove(again, current)
        yield* one.save([record("a", 4, again)])
        assert.deepStrictEqual(seqs(yield* one.load("a")), [4, 3, 2])
        assert.strictEqual(reasonOf(yield* Effect.exit(two.save([record("a", 4, current)])))?._tag, "Fenced")
      })
    )
  })
}
