import { assert, describe, it } from "@effect/vitest"
import * as Generations from "../../../../src/domain/state/Generations.ts"
import type * as Recovery from "../../../../src/domain/state/Recovery.ts"
import type { Decoded, Unreadable } from "../../../../src/domain/state/StateSchema.ts"
import { judge } from "../../../../src/domain/state/stored/StoredRecovery.ts"

const read = (text: string): Decoded<number> | Unreadable =>
  Number.isNaN(Number(text))
    ? { _tag: "Undecodable", version: 1, issue: `"${text}" is no number` }
    : { _tag: "Decoded", state: Number(text), migratedFrom: undefined }

/** Books of stored texts, the oldest first, each but the last handled from. */
const books = (...texts: ReadonlyArray<string>) =>
  texts.reduce<Generations.Generations<string>>(
    (books, text, index) => Generations.commit(books, index + 1, text, "message"),
    Generations.empty()
  )

const judged = (before: Generations.Generations<string>, policy?: Recovery.Policy) => judge(before, read, policy)

describe("judge", () => {
  it("starts from the newest snapshot, read", () => {
    const { aside, decision, from } = judged(books("1", "2"))
    assert.deepStrictEqual(from, { seq: 2, state: 2, trusted: false })
    assert.deepStrictEqual(decision, { _tag: "Restore", snapshot: { seq: 2, state: 2, trusted: false } })
    assert.deepStrictEqual(aside, [])
  })

  it("starts from init when nothing is stored, and says only that", () => {
    assert.deepStrictEqual(judged(books()).decision, {
      _tag: "Init",
      why: "nothing is conserved",
      from: undefined
    })
  })

  it("however many cannot be read, it is one rollback from the newest, with every reason", () => {
    const { aside, books: after, decision, from } = judged(books("1", "two", "three"))
    assert.deepStrictEqual(from, { seq: 1, state: 1, trusted: true })
    assert.deepStrictEqual(aside.map(({ seq, state }) => [seq, state]), [[3, "three"], [2, "two"]])
    assert.deepStrictEqual(after.kept.map(({ seq }) => seq), [1])
    assert(decision._tag === "RollBack")
    assert.deepStrictEqual([decision.from, decision.to], [3, { seq: 1, state: 1, trusted: true }])
    assert.strictEqual(decision.why, aside.map(({ why }) => why).join("; "))
    assert.match(decision.why, /snapshot 3 cannot be read.*; snapshot 2 cannot be read/)
  })

  it("starts from init when none can be read", () => {
    const { aside, decision, from } = judged(books("one", "two"))
    assert.strictEqual(from, undefined)
    assert.deepStrictEqual(aside.map(({ seq }) => seq), [2, 1])
    assert(decision._tag === "Init")
    assert.strictEqual(decision.from, 2)
  })

  it("refuses a snapshot that cannot be read where the policy is to refuse, and sets nothing aside", () => {
    const before = books("1", "two")
    const { aside, books: after, decision, from } = judged(before, { onSuspect: "refuse" })
    assert.strictEqual(decision._tag, "Refuse")
    assert.strictEqual(from, undefined)
    assert.deepStrictEqual(aside, [])
    assert.strictEqual(after, before)
  })

  it("reads a suspect's successor, not the suspect", () => {
    const suspect = Generations.accuseCallback(books("1", "two"), "restore", "boom")
    const { aside, decision } = judged(suspect)
    assert(decision._tag === "RollBack")
    assert.deepStrictEqual([decision.from, decision.to.state], [2, 1])
    assert.deepStrictEqual(aside.map(({ seq }) => seq), [2])
    assert.include(aside[0]!.why, "restore crashed on snapshot 2: boom")
  })
})
