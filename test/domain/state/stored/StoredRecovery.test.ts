import { assert, describe, it } from "@effect/vitest"
import * as Generations from "../../../../src/domain/state/Generations.ts"
import type * as Recovery from "../../../../src/domain/state/Recovery.ts"
import type { Reading } from "../../../../src/domain/state/StateSchema.ts"
import { booksOf, judge, trustedUpTo } from "../../../../src/domain/state/stored/StoredRecovery.ts"

const read = function*(text: string): Reading<number> {
  yield
  return Number.isNaN(Number(text))
    ? { _tag: "Undecodable", version: 1, issue: `"${text}" is no number` }
    : { _tag: "Decoded", state: Number(text), migratedFrom: undefined }
}

interface Stored {
  readonly seq: number
  readonly epoch: number
  readonly trusted: number
  readonly text: string
  readonly damaged?: string
}

const stored = (seq: number, trusted: number, text = String(seq)): Stored => ({ seq, epoch: 7, trusted, text })

/** Records of texts, the oldest first, each but the last handled from. */
const records = (...texts: ReadonlyArray<string>): ReadonlyArray<Stored> =>
  texts.map((text, index) => stored(index + 1, index, text)).reverse()

const atOnce = <A>(steps: Generator<void, A>): A => {
  let step = steps.next()
  while (step.done !== true) step = steps.next()
  return step.value
}

const asked = (before: ReadonlyArray<Stored>, policy?: Recovery.Policy, known?: Generations.Generations<number>) =>
  atOnce(judge(before, known, ({ text }) => read(text), policy))

/** Where what cannot be read gives way. */
const judged = (
  before: ReadonlyArray<Stored>,
  policy?: Recovery.Policy,
  known?: Generations.Generations<number>
) => {
  const judgement = asked(before, { onUnreadable: "init", ...policy }, known)
  assert(!("_tag" in judgement))
  return judgement
}

const seqOfUnread = (...args: Parameters<typeof asked>) => {
  const judgement = asked(...args)
  assert("_tag" in judgement)
  return [judgement.seq, judgement.before] as const
}

const start = (seq: number, state: number, trusted: boolean) => ({ seq, state, incarnation: 7, trusted })

describe("the books of stored snapshots", () => {
  const flags = (...of: ReadonlyArray<Stored>) => {
    const books = booksOf(of)
    return books && [books.seq, books.trust, books.goodSeq]
  }

  it("each record says up to where snapshots were trusted when it was written", () => {
    assert.deepStrictEqual(flags(stored(12, 9), stored(9, 5), stored(5, 0)), [12, "probation", 9])
    assert.deepStrictEqual(flags(stored(5, 5)), [5, "trusted", 0])
    assert.deepStrictEqual(flags(stored(5, 0)), [5, "probation", 0])
    assert.isUndefined(flags())
    assert.deepStrictEqual([trustedUpTo([stored(12, 9), stored(9, 5)]), trustedUpTo([])], [9, 0])
  })

  it("a store that missed coalesced commits knows as much: trust reaches back to every older one", () => {
    // 6 to 8 were never stored; 8 was the newest trusted when 9 was written.
    assert.deepStrictEqual(flags(stored(9, 8), stored(5, 4)), [9, "probation", 5])
  })

  it("in whatever order they come", () => {
    assert.deepStrictEqual(flags(stored(5, 0), stored(12, 9), stored(9, 5)), [12, "probation", 9])
  })
})

describe("judge", () => {
  it("starts from the newest snapshot, read", () => {
    const { aside, decision, from } = judged(records("1", "2"))
    assert.deepStrictEqual(from, start(2, 2, false))
    assert.deepStrictEqual(decision, { _tag: "Restore", snapshot: start(2, 2, false) })
    assert.deepStrictEqual(aside, [])
  })

  it("starts from init when nothing is stored, and says only that", () => {
    assert.deepStrictEqual(judged(records()).decision, {
      _tag: "Init",
      why: "nothing is conserved",
      from: undefined
    })
  })

  it("however many cannot be read, it is one rollback from the newest, with every reason", () => {
    const { aside, books: after, decision, from } = judged(records("1", "two", "three"))
    assert.deepStrictEqual(from, start(1, 1, true))
    assert.deepStrictEqual(aside.map(({ seq, state }) => [seq, state.text]), [[3, "three"], [2, "two"]])
    assert.deepStrictEqual([after?.seq, after?.trust], [1, "trusted"])
    assert(decision._tag === "RollBack")
    assert.deepStrictEqual([decision.from, decision.to], [3, start(1, 1, true)])
    assert.strictEqual(decision.why, aside.map(({ why }) => why).join("; "))
    assert.match(decision.why, /snapshot 3 cannot be read.*; snapshot 2 cannot be read/)
  })

  it("starts from init when none can be read", () => {
    const { aside, decision, from } = judged(records("one", "two"))
    assert.strictEqual(from, undefined)
    assert.deepStrictEqual(aside.map(({ seq }) => seq), [2, 1])
    assert(decision._tag === "Init")
    assert.strictEqual(decision.from, 2)
  })

  it("does not start from what cannot be read, nor from anything in its place", () => {
    assert.deepStrictEqual(seqOfUnread(records("1", "two")), [2, undefined])
    assert.deepStrictEqual(seqOfUnread(records("one", "two")), [2, undefined])
    for (const onSuspect of ["refuse", "rollback"] as const) {
      assert.deepStrictEqual(seqOfUnread(records("1", "two"), { onSuspect }), [2, undefined])
    }
    assert.deepStrictEqual(seqOfUnread(records("1", "two"), { onUnreadable: "refuse" }), [2, undefined])
  })

  it("does not read what it would not start from", () => {
    const judgement = asked(records("one", "2"))
    assert(!("_tag" in judgement))
    assert.deepStrictEqual(judgement.from, start(2, 2, false))
  })

  it("does not set a suspect aside when what would take its place cannot be read", () => {
    const newest = Generations.commit(undefined, { seq: 2, state: 0, incarnation: 1 }, "callback")
    const known = Generations.recordCallbackCrash(newest, "restore", "boom")
    const [seq, before] = seqOfUnread(records("one", "2"), undefined, known)
    assert.strictEqual(seq, 1)
    assert.include(before, "restore crashed on snapshot 2: boom")
  })

  it("reads a suspect's successor, not the suspect", () => {
    const newest = Generations.commit(undefined, { seq: 2, state: 0, incarnation: 1 }, "callback")
    const known = Generations.recordCallbackCrash(newest, "restore", "boom")
    const { aside, decision } = judged(records("1", "two"), undefined, known)
    assert(decision._tag === "RollBack")
    assert.deepStrictEqual([decision.from, decision.to.state], [2, 1])
    assert.deepStrictEqual(aside.map(({ seq }) => seq), [2])
    assert.include(aside[0]!.why, "restore crashed on snapshot 2: boom")
  })

  it("evidence in memory counts against the snapshot that it is about, and against no other", () => {
    const newest = Generations.commit(undefined, { seq: 3, state: 0, incarnation: 1 }, "callback")
    const known = Generations.recordCallbackCrash(newest, "restore", "boom")
    assert.strictEqual(judged(records("1", "2"), undefined, known).decision._tag, "Restore")
  })

  it("sets aside with the suspect those on probation between it and the newest trusted one", () => {
    const on = [stored(4, 1), stored(3, 1), stored(2, 1, "two"), stored(1, 1), stored(5, 1, "five")]
    const { aside, books, decision } = judged(on)
    assert.deepStrictEqual(aside.map(({ seq, state }) => [seq, state.text]), [[5, "five"], [4, "4"], [3, "3"], [
      2,
      "two"
    ]])
    assert.match(aside[1]!.why, /never trusted, and snapshot 5.*set aside: snapshot 5 cannot be read/)
    assert.deepStrictEqual([books?.seq, books?.trust], [1, "trusted"])
    assert(decision._tag === "RollBack")
    assert.deepStrictEqual([decision.from, decision.to.seq], [5, 1])
  })
})

describe("judge, where records are damaged", () => {
  const damaged = (one: Stored): Stored => ({ ...one, damaged: `${one.seq} is not what was written` })
  const asides = ({ aside }: { readonly aside: ReadonlyArray<Generations.Aside<Stored>> }) =>
    aside.map(({ seq, why }) => [seq, why])

  it("sets those aside first, wherever they lie, and starts from the newest that is whole", () => {
    const newest = judged([damaged(stored(3, 2)), stored(2, 1), stored(1, 0)])
    assert.deepStrictEqual(asides(newest), [[3, "3 is not what was written"]])
    // What it says of those before it is believed.
    const to = start(2, 2, true)
    assert.deepStrictEqual(newest.decision, { _tag: "RollBack", from: 3, to, why: "3 is not what was written" })
    assert.deepStrictEqual([newest.books?.seq, newest.books?.trust], [2, "trusted"])
    const older = judged([damaged(stored(1, 0)), stored(3, 2), damaged(stored(2, 1))])
    assert.deepStrictEqual(asides(older), [[2, "2 is not what was written"], [1, "1 is not what was written"]])
    assert.deepStrictEqual(older.decision, { _tag: "Restore", snapshot: start(3, 3, false) })
    const all = judged([damaged(stored(2, 1)), damaged(stored(1, 0))])
    assert.deepStrictEqual(all.decision, {
      _tag: "Init",
      from: 2,
      why: "2 is not what was written; 1 is not what was written"
    })
    assert.isUndefined(all.books)
  })

  it("refuses the newest like any suspect where that is asked for, and no older one", () => {
    const refused = judged([damaged(stored(3, 2)), stored(2, 1)], { onSuspect: "refuse" })
    assert.deepStrictEqual(refused.decision, { _tag: "Refuse", from: 3, why: "3 is not what was written" })
    assert.deepStrictEqual([refused.aside, refused.from, refused.books?.seq], [[], undefined, 2])
    const older = judged([stored(3, 2), damaged(stored(2, 1))], { onSuspect: "refuse" })
    assert.deepStrictEqual(older.decision, { _tag: "Restore", snapshot: start(3, 3, false) })
    assert.deepStrictEqual(asides(older), [[2, "2 is not what was written"]])
    assert.strictEqual(judged([], { onSuspect: "refuse" }).decision._tag, "Init")
  })

  it("says of what cannot be read what was set aside before it, and nothing of what is older", () => {
    assert.deepStrictEqual(seqOfUnread([damaged(stored(3, 2)), stored(2, 1, "two"), damaged(stored(1, 0))]), [
      2,
      "3 is not what was written"
    ])
    const newest = judged([stored(2, 1, "two"), damaged(stored(1, 0))])
    assert(newest.decision._tag === "Init")
    assert.match(newest.decision.why, /^1 is not what was written; snapshot 2 cannot be read/)
  })

  it("starts from a trusted one as trusted, whatever is not known against it", () => {
    assert.deepStrictEqual(judged([stored(2, 2)]).decision, { _tag: "Restore", snapshot: start(2, 2, true) })
  })
})
