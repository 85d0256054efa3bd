/** What every store promises, as one suite that runs against each of them. */
import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import * as MadeKey from "../../../src/domain/state/MadeKey.ts"
import type { AsideRecord } from "../../../src/domain/state/stored/SnapshotRecord.ts"
import { anyLife } from "./AnyLife.ts"
import { answer, inPlace, loaded, reasonOf, record, seqsOf, type Subject, timer } from "./Records.ts"
import { claims, sharedClaims } from "./StoreClaims.ts"
import { keyPages } from "./StoreKeys.ts"
import { reopened, sessions } from "./StoreSessions.ts"
import { timers } from "./StoreTimers.ts"

/** Keys that some encoding, collation or file system chokes on. */
const hardKeys = [
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

/** Registers the suite of one store. */
export const contract = (name: string, subject: Subject): void => {
  const test = inPlace(subject)

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
      "snapshots are loaded as they were saved, newest first",
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
      "numbers of any size go together in one batch",
      Effect.fnUntraced(function*(open) {
        const store = yield* open()
        const epoch = yield* store.acquireEpoch("app")
        const all = [1, 0.5, 2 ** 31, 0, 1.5e12].map((n, i) =>
          record(`k${i}`, Math.ceil(n) + 1, epoch, {
            version: i + 1,
            at: n,
            answers: [{ ...answer("call", Math.ceil(n) + 1), at: n }],
            timers: [timer("t", n)]
          })
        )
        yield* store.save(all)
        for (const one of all) assert.deepStrictEqual(yield* store.load(one.key), [loaded(one)])
        assert.deepStrictEqual((yield* store.timers!(9)).map(({ due }) => due), [0, 0.5, 1, 2 ** 31, 1.5e12])
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
      "the last three are kept, or as many as the option says, two at least",
      Effect.fnUntraced(function*(open) {
        for (const [key, generations, kept] of [["d", undefined, 3], ["five", 5, 5], ["two", 2, 2]] as const) {
          const store = yield* open(generations === undefined ? {} : { generations })
          const epoch = yield* store.acquireEpoch("app")
          for (let seq = 1; seq <= 9; seq++) yield* store.save([record(key, seq, epoch)])
          assert.deepStrictEqual(seqsOf(yield* store.load(key)), [9, 8, 7, 6, 5].slice(0, kept))
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
        assert.deepStrictEqual(seqsOf(yield* store.load("a")), [9, 8, 4])
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
        assert.deepStrictEqual(seqsOf(yield* store.load("one")), [10, 9, 8])
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
      "a snapshot that was set aside or removed makes room: the others are kept",
      Effect.fnUntraced(function*(open) {
        const store = yield* open()
        const epoch = yield* store.acquireEpoch("app")
        for (let seq = 1; seq <= 3; seq++) yield* store.save([record("a", seq, epoch)])
        yield* store.setAside({ key: "a", seq: 3, epoch, why: "poisoned" })
        yield* store.save([record("a", 4, epoch)])
        assert.deepStrictEqual(seqsOf(yield* store.load("a")), [4, 2, 1])
        yield* store.remove(["a"], epoch)
        for (let seq = 5; seq <= 7; seq++) yield* store.save([record("a", seq, epoch)])
        assert.deepStrictEqual(seqsOf(yield* store.load("a")), [7, 6, 5])
      })
    )

    test(
      "a snapshot that is set aside is kept, not loaded, and outlives every later save",
      Effect.fnUntraced(function*(open) {
        const store = yield* open()
        const epoch = yield* store.acquireEpoch("app")
        for (let seq = 1; seq <= 3; seq++) yield* store.save([record("a", seq, epoch)])
        yield* store.setAside({ key: "a", seq: 3, epoch, why: "restore crashed" })
        yield* store.setAside({ key: "a", seq: 3, epoch, why: "again" })
        assert.deepStrictEqual(seqsOf(yield* store.load("a")), [2, 1])
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
      "removing takes a key's snapshots and answers, and leaves other keys and snapshots set aside",
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
        assert.deepStrictEqual(seqsOf(yield* store.listAside("a")), [1])
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
      "an answer that one record of a batch forgets, and the next one brings again, is there",
      Effect.fnUntraced(function*(open) {
        const store = yield* open()
        const epoch = yield* store.acquireEpoch("app")
        const ids = Effect.map(store.load("a"), ([newest]) => newest?.answers?.map((one) => one.id))
        yield* store.save([record("a", 2, epoch, { answers: [answer("x", 1), answer("y", 2)] })])
        yield* store.save([
          record("a", 3, epoch, { forgetAnswersBefore: 3 }),
          record("b", 1, epoch, { answers: [answer("w", 1)] }),
          record("a", 4, epoch, { answers: [answer("x", 1)] })
        ])
        assert.deepStrictEqual(yield* ids, ["x"])
      })
    )

    test(
      "answers under made keys are forgotten apart from those under keys that callers give",
      Effect.fnUntraced(function*(open) {
        const store = yield* open()
        const epoch = yield* store.acquireEpoch("app")
        const made = MadeKey.make("y", 5000)
        const ids = Effect.map(store.load("a"), ([newest]) => newest?.answers?.map((one) => one.id))
        yield* store.save([record("a", 2, epoch, { answers: [answer("x", 1), answer(made, 2)] })])
        yield* store.save([record("a", 3, epoch, { forgetMadeBefore: 3 })])
        assert.deepStrictEqual(yield* ids, ["x"])
        yield* store.save([record("a", 4, epoch, { answers: [answer(made, 4)], forgetAnswersBefore: 4 })])
        assert.deepStrictEqual(yield* ids, [made])
        yield* store.save([record("a", 5, epoch, { forgetAnswersBefore: 5, forgetMadeBefore: 5 })])
        assert.deepStrictEqual(yield* ids, [])
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

    keyPages(test, hardKeys)
    timers(test, subject)
    sessions(test)
    claims(test)
    anyLife(subject)
    if (subject.durable) reopened(test)
    if (subject.isShared === true) sharedClaims(test)
  })
}
