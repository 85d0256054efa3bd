import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Generations from "../../../src/domain/state/Generations.ts"
import { booksOf, trustedUpTo } from "../../../src/domain/state/stored/StoredRecovery.ts"
import { hostiles } from "../../kit/Hostile.ts"

type Books = Generations.Generations<string>

const commit = (before: Books, seq: number, by: Generations.Origin) =>
  Generations.commit(before, { seq, state: `s${seq}`, incarnation: 1 }, by)

const committed = (n: number, by: Generations.Origin = "call"): Generations.Books<string> => {
  let books: Books
  for (let seq = 1; seq <= n; seq++) books = commit(books, seq, by)
  return books!
}

/** The newest and the one to go back to, each with whether it is trusted. */
const flags = (books: Generations.Generations<unknown>) =>
  books === undefined ? [] : [
    [books.seq, books.trust === "trusted"] as const,
    ...[Generations.good(books)].flatMap((older) => older === undefined ? [] : [[older.seq, true] as const])
  ]

const accused = (books = committed(2)) => Generations.recordCallbackCrash(books, "restore", "boom")

describe("Generations", () => {
  it("the newest snapshot is on probation, the one it came out of by a message is trusted", () => {
    assert.deepStrictEqual(flags(committed(3)), [[3, false], [2, true]])
    assert.deepStrictEqual(flags(committed(3, "cast")), [[3, false], [2, true]])
    assert.deepStrictEqual(Generations.good(committed(3)), { seq: 2, state: "s2", incarnation: 1 })
  })

  it("a commit by a callback, or by a person, proves nothing", () => {
    assert.deepStrictEqual(flags(committed(3, "callback")), [[3, false]])
    assert.deepStrictEqual(flags(committed(3, "person")), [[3, false]])
  })

  it("a handled message makes the newest trusted", () => {
    assert.deepStrictEqual(flags(Generations.handled(committed(3, "callback"))), [[3, true]])
    assert.deepStrictEqual(flags(Generations.unchanged(committed(3), "call")), [[3, true], [2, true]])
    assert.deepStrictEqual(flags(Generations.unchanged(committed(3), "callback")), [[3, false], [2, true]])
  })

  it("recording a handled message answers the very same books when the newest is trusted already", () => {
    const trusted = Generations.handled(committed(2))
    assert.strictEqual(Generations.handled(trusted), trusted)
    assert.strictEqual(Generations.unchanged(trusted, "cast"), trusted)
  })

  it("two are kept: the newest, and the newest trusted one before it, which is never dropped", () => {
    assert.deepStrictEqual(flags(committed(9)), [[9, false], [8, true]])
    let books = committed(2)
    for (let seq = 3; seq <= 9; seq++) books = commit(books, seq, seq % 2 === 0 ? "callback" : "person")
    assert.deepStrictEqual(flags(books), [[9, false], [1, true]])
    assert.deepStrictEqual(flags(commit(Generations.handled(books), 10, "callback")), [[10, false], [9, true]])
  })

  it("nothing speaks against a trusted snapshot", () => {
    const trusted = Generations.handled(committed(2))
    assert.strictEqual(Generations.recordCallbackCrash(trusted, "restore", "boom"), trusted)
    assert.strictEqual(Generations.recordMessageCrash(trusted, { tag: "A", payload: 1 }), trusted)
    assert.isUndefined(Generations.evidenceAgainst(trusted))
    assert.isUndefined(Generations.evidenceAgainst(undefined))
  })

  it.each(hostiles)("a payload may be %s: its message is evidence, and the same again is no more", (_, make) => {
    const payload = make()
    const once = Generations.recordMessageCrash(accused(), { tag: "Hostile", payload })
    assert.strictEqual(Generations.recordMessageCrash(once, { tag: "Hostile", payload }), once)
  })

  it("the same message again is no more evidence, whatever object it comes in", () => {
    const once = Generations.recordMessageCrash(committed(2), { tag: "A", payload: { by: 1, of: ["x"] } })
    assert.strictEqual(Generations.recordMessageCrash(once, { tag: "A", payload: { by: 1, of: ["x"] } }), once)
    assert.notStrictEqual(Generations.recordMessageCrash(once, { tag: "A", payload: { by: 2, of: ["x"] } }), once)
    assert.notStrictEqual(Generations.recordMessageCrash(once, { tag: "B", payload: { by: 1, of: ["x"] } }), once)
  })

  it("evidence is moot once a message was handled, a message or a person committed another state, or a person cleared it", () => {
    assert.isDefined(Generations.evidenceAgainst(accused()))
    assert.isUndefined(Generations.evidenceAgainst(Generations.handled(accused())))
    for (const by of ["call", "cast", "person"] as const) {
      assert.isUndefined(Generations.evidenceAgainst(commit(accused(), 3, by)))
    }
    assert.strictEqual(Generations.clearEvidence(accused()).trust, "probation")
    assert.isUndefined(Generations.evidenceAgainst(Generations.unchanged(accused(), "person")))
    const innocent = committed(2)
    assert.strictEqual(Generations.clearEvidence(innocent), innocent)
  })

  it("evidence goes over to the state that a callback made of a suspect, and the good one before it stays", () => {
    const after = commit(accused(), 3, "callback")
    assert.deepStrictEqual(Generations.evidenceAgainst(after)?.callbacks, [{ callback: "restore", why: "boom" }])
    assert.deepStrictEqual(flags(after), [[3, false], [1, true]])
    assert.isUndefined(Generations.evidenceAgainst(commit(Generations.handled(accused()), 3, "callback")))
  })

  it("where a store has the older ones, the newest is kept alone", () => {
    const next = { seq: 3, state: "s3", incarnation: 1 }
    assert.deepStrictEqual(flags(Generations.commitAlone(committed(2), next, "call")), [[3, false]])
    assert.isDefined(Generations.evidenceAgainst(Generations.commitAlone(accused(), next, "callback")))
    assert.isUndefined(Generations.evidenceAgainst(Generations.commitAlone(accused(), next, "call")))
  })

  it("setting the newest aside puts the good one before it in its place, trusted", () => {
    assert.deepStrictEqual(flags(Generations.setAside(accused(committed(3)))), [[2, true]])
    assert.isUndefined(Generations.setAside(accused(committed(1))))
  })

  it("a sequence number is never used again, not even one that was set aside", () => {
    assert.strictEqual(Generations.lastSeq(undefined, []), 0)
    assert.strictEqual(Generations.lastSeq(committed(4), []), 4)
    assert.strictEqual(Generations.lastSeq(Generations.setAside(committed(4)), [{ seq: 4 }, { seq: 2 }]), 4)
  })

  it.prop(
    "whatever is committed and handled, books read back from a store say what the ones in memory say, or less",
    { by: Schema.Array(Schema.Literals(["call", "callback", "handled", "aside"])) },
    ({ by }) => {
      let books: Generations.Generations<{ readonly seq: number; readonly trusted: number; readonly epoch: number }>
      let stored: ReadonlyArray<{ readonly seq: number; readonly trusted: number; readonly epoch: number }> = []
      let aside: ReadonlyArray<{ readonly seq: number }> = []
      for (const step of by) {
        if (step === "handled") books = books && Generations.handled(books)
        else if (step === "aside") {
          if (books === undefined) continue
          const { seq } = books
          books = Generations.setAside(books)
          const last = books?.seq ?? 0
          aside = aside.concat(stored.filter((one) => one.seq > last))
          assert.include(aside.map((one) => one.seq), seq)
          stored = stored.filter((one) => one.seq <= last)
        } else {
          const seq = Generations.lastSeq(books, aside) + 1
          const upTo = books === undefined
            ? 0
            : books.trust === "trusted" || step === "call"
            ? books.seq
            : books.goodSeq
          const record = { seq, trusted: upTo, epoch: 1 }
          books = Generations.commit(books, { seq, state: record, incarnation: 1 }, step)
          stored = [record, ...stored]
        }
        const read = booksOf(stored)
        assert.strictEqual(read?.seq, books?.seq)
        // `handled` without a commit is not stored: the store may know less about the newest, never more.
        assert.isTrue(read?.trust !== "trusted" || books?.trust === "trusted")
        assert.isAtMost(read?.goodSeq ?? 0, Math.max(books?.goodSeq ?? 0, (books?.seq ?? 1) - 1))
        if (books?.trust !== "trusted") assert.strictEqual(read?.goodSeq, books?.goodSeq)
        assert.isAtMost(
          trustedUpTo(stored),
          books === undefined ? 0 : books.trust === "trusted" ? books.seq : books.goodSeq
        )
        assert.strictEqual(Generations.lastSeq(read, aside), Generations.lastSeq(books, aside))
      }
    }
  )
})
