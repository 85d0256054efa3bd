import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Generations from "../../../src/domain/state/Generations.ts"

const committed = (n: number, by: "message" | "callback" = "message", limit?: number) => {
  let books: Generations.Generations<string> = Generations.empty(limit)
  for (let seq = 1; seq <= n; seq++) books = Generations.commit(books, seq, `s${seq}`, by)
  return books
}

const flags = (books: Generations.Generations<unknown>) => books.kept.map((one) => [one.seq, one.trusted] as const)

describe("Generations", () => {
  it("the newest snapshot is on probation, those it came out of by a message are trusted", () => {
    assert.deepStrictEqual(flags(committed(3)), [[3, false], [2, true], [1, true]])
    assert.strictEqual(Generations.trustedUpTo(committed(3)), 2)
  })

  it("a commit by a callback proves nothing", () => {
    assert.deepStrictEqual(flags(committed(3, "callback")), [[3, false], [2, false], [1, false]])
    assert.strictEqual(Generations.trustedUpTo(committed(3, "callback")), 0)
  })

  it("a handled message makes the newest trusted, and with it all it came out of", () => {
    assert.deepStrictEqual(flags(Generations.handled(committed(3, "callback"))), [[3, true], [2, true], [1, true]])
  })

  it("recording a handled message answers the very same books when the newest is trusted already, or there is none", () => {
    const trusted = Generations.handled(committed(2))
    assert.strictEqual(Generations.handled(trusted), trusted)
    const empty = Generations.empty()
    assert.strictEqual(Generations.handled<string>(empty), empty)
  })

  it("the oldest are dropped beyond the limit, the newest trusted one never", () => {
    assert.deepStrictEqual(flags(committed(9)), [[9, false], [8, true], [7, true]])
    let books = committed(2)
    for (let seq = 3; seq <= 9; seq++) books = Generations.commit(books, seq, `s${seq}`, "callback")
    assert.deepStrictEqual(flags(books), [[9, false], [8, false], [1, true]])
  })

  it("two are kept at least: the newest and the newest trusted one", () => {
    assert.deepStrictEqual(flags(committed(5, "message", 1)), [[5, false], [4, true]])
    assert.deepStrictEqual(flags(committed(5, "message", 0)), [[5, false], [4, true]])
  })

  it("nothing speaks against a trusted snapshot, or against none", () => {
    const trusted = Generations.handled(committed(2))
    assert.strictEqual(Generations.accuseCallback(trusted, "restore", "boom"), trusted)
    assert.strictEqual(Generations.accuseMessage(trusted, { tag: "A", payload: 1 }), trusted)
    const empty = Generations.empty()
    assert.strictEqual(Generations.accuseCallback<string>(empty, "init", "boom"), empty)
    assert.strictEqual(Generations.accuseMessage<string>(empty, { tag: "A", payload: 1 }), empty)
  })

  it("the same message again is no more evidence, whatever object it comes in", () => {
    const once = Generations.accuseMessage(committed(2), { tag: "A", payload: { by: 1, of: ["x"] } })
    assert.strictEqual(Generations.accuseMessage(once, { tag: "A", payload: { by: 1, of: ["x"] } }), once)
    assert.notStrictEqual(Generations.accuseMessage(once, { tag: "A", payload: { by: 2, of: ["x"] } }), once)
    assert.notStrictEqual(Generations.accuseMessage(once, { tag: "B", payload: { by: 1, of: ["x"] } }), once)
  })

  it("evidence is moot once a message was handled, another state was committed, or a person pardoned it", () => {
    const accused = Generations.accuseCallback(committed(2), "restore", "boom")
    assert.isDefined(accused.evidence)
    assert.isUndefined(Generations.handled(accused).evidence)
    assert.isUndefined(Generations.commit(accused, 3, "s3", "callback").evidence)
    assert.isUndefined(Generations.pardon(accused).evidence)
    const innocent = committed(2)
    assert.strictEqual(Generations.pardon(innocent), innocent)
  })

  it("setting aside keeps the suspect, and those on probation between it and the newest trusted one", () => {
    const books = Generations.commit(Generations.commit(committed(2), 3, "s3", "callback"), 4, "s4", "callback")
    assert.deepStrictEqual(flags(books), [[4, false], [3, false], [1, true]])
    const after = Generations.setAside(books, "boom")
    assert.deepStrictEqual(flags(after), [[1, true]])
    assert.deepStrictEqual(after.aside.map(({ seq, state }) => [seq, state]), [[4, "s4"], [3, "s3"]])
    assert.match(after.aside[1]!.why, /snapshot 4.*boom/)
  })

  it("a sequence number is never used again, not even one that was set aside", () => {
    assert.strictEqual(Generations.nextSeq(Generations.empty()), 1)
    assert.strictEqual(Generations.nextSeq(committed(4)), 5)
    assert.strictEqual(Generations.nextSeq(Generations.setAside(committed(4), "boom")), 5)
  })

  it("trust is read back from a store: each record says up to which snapshot it went when it was written", () => {
    const books = Generations.fromStored([
      { seq: 12, trusted: 9 },
      { seq: 9, trusted: 5 },
      { seq: 5, trusted: 0 }
    ])
    assert.deepStrictEqual(flags(books), [[12, false], [9, true], [5, true]])
    assert.deepStrictEqual(flags(Generations.fromStored([{ seq: 5, trusted: 5 }])), [[5, true]])
    assert.deepStrictEqual(flags(Generations.fromStored([{ seq: 5, trusted: 0 }])), [[5, false]])
    assert.deepStrictEqual(flags(Generations.fromStored([])), [])
  })

  it("a store that missed coalesced commits knows as much: trust reaches back to every older one", () => {
    // 6 to 8 were never stored; 8 was the newest trusted when 9 was written
    assert.deepStrictEqual(flags(Generations.fromStored([{ seq: 9, trusted: 8 }, { seq: 5, trusted: 4 }])), [
      [9, false],
      [5, true]
    ])
  })

  it.prop(
    "after any commits and messages, books read back from a store judge each snapshot as the keeper's own do",
    { by: Schema.Array(Schema.Literals(["message", "callback", "handled", "aside"])) },
    ({ by }) => {
      let books: Generations.Generations<{ readonly seq: number; readonly trusted: number }> = Generations.empty()
      for (const step of by) {
        if (step === "handled") books = Generations.handled(books)
        else if (step === "aside") books = Generations.setAside(books, "boom")
        else {
          const seq = Generations.nextSeq(books)
          // the message that is committed now was handled from the newest: its record may say so
          const before = step === "message" ? Generations.handled(books) : books
          books = Generations.commit(books, seq, { seq, trusted: Generations.trustedUpTo(before) }, step)
        }
        const stored = Generations.fromStored(books.kept.map((one) => one.state), books.aside)
        // `handled` without a commit is not stored: the store may know less about the newest, never more
        assert.deepStrictEqual(
          flags(stored).slice(1),
          flags(books).slice(1).map(([seq, trusted]) => [
            seq,
            trusted && seq <= Generations.trustedUpTo(stored)
          ])
        )
        for (const [index, one] of stored.kept.entries()) {
          assert.isTrue(!one.trusted || books.kept[index]!.trusted)
        }
        assert.strictEqual(Generations.nextSeq(stored), Generations.nextSeq(books))
      }
    }
  )
})
