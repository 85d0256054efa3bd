import { assert, describe, it } from "@effect/vitest"
import { Cause, Schema } from "effect"
import {
  notStarted,
  retryAfter,
  statusOf,
  Unanswered,
  unanswered,
  unansweredStatuses
} from "../../../src/domain/placement/Unanswered.ts"
import { CallErrorReason } from "../../../src/domain/process/CallError.ts"

const cause = Cause.die(new Error("a secret"))

/** Each reason, and what a caller outside is told to do. */
const table: ReadonlyArray<
  readonly [reason: CallErrorReason, again: boolean, status: number, after: number | undefined]
> = [
  [{ _tag: "NotRunning" }, true, 503, 5],
  [{ _tag: "NotRunning", key: "ann", again: 1000 }, true, 503, 5],
  [{ _tag: "NotRunning", reason: { _tag: "Normal" } }, false, 503, undefined],
  [{ _tag: "Crashed", cause, willRestart: true }, false, 500, undefined],
  [{ _tag: "Crashed", cause, willRestart: false }, false, 500, undefined],
  [{ _tag: "Timeout", millis: 1, begun: false, waitsFor: "turn" }, true, 504, 1],
  [{ _tag: "Timeout", millis: 1, begun: true, waitsFor: "handler" }, false, 504, undefined],
  [{ _tag: "Timeout", millis: 1, begun: true, waitsFor: "store", outage: "a secret" }, false, 504, undefined],
  [{ _tag: "MailboxFull", capacity: 1 }, true, 503, 1],
  [{ _tag: "Quarantined", attempts: 3 }, false, 500, undefined],
  [{ _tag: "Parked" }, true, 503, 60],
  [{ _tag: "CallingSelf", chain: ["a secret"] }, false, 508, undefined],
  [{ _tag: "NotConserved", cause }, false, 500, undefined],
  [{ _tag: "KeyReused", key: "a secret" }, false, 422, undefined],
  [{ _tag: "AnswerLost", key: "a secret", handled: "yes" }, false, 409, undefined],
  [{ _tag: "AnswerLost", key: "a secret", handled: "begun" }, false, 409, undefined],
  [{ _tag: "AnswerLost", key: "a secret", handled: "unknown" }, false, 409, undefined],
  [{ _tag: "InvalidIdempotencyKey", key: "a secret", maxBytes: 256 }, false, 400, undefined],
  [{ _tag: "InvalidPayload", issue: "a secret" }, false, 422, undefined],
  [{ _tag: "Unreachable", why: "left", begun: false }, true, 503, 1],
  [{ _tag: "Unreachable", why: "silent", begun: true, key: "a secret" }, false, 503, undefined]
]

describe("a call that got no answer, outside", () => {
  for (const [reason, again, status, after] of table) {
    it(`${reason._tag}${"begun" in reason && reason.begun ? ", begun" : ""}: ${status}, ${again ? "" : "not "}to be sent again`, () => {
      const one = unanswered("Add", reason)
      assert.deepStrictEqual([one.again, statusOf(one), retryAfter(one)], [again, status, after])
      assert.include(unansweredStatuses, status)
    })
  }

  it("is a row of the table for every reason there is", () => {
    const all = CallErrorReason.members.map(({ fields }) => fields._tag.schema.literal)
    assert.deepStrictEqual([...new Set(table.map(([{ _tag }]) => _tag))], all)
  })

  it("says nothing of what happened inside, and goes to JSON and back", () => {
    for (const [reason] of table) {
      const one = unanswered("Add", reason)
      const json = JSON.stringify(Schema.encodeSync(Unanswered)(one))
      assert.deepStrictEqual(Object.keys(JSON.parse(json)).sort(), ["_tag", "again", "reason", "request"])
      assert.notInclude(json, "secret")
      assert.deepStrictEqual(Schema.decodeUnknownSync(Unanswered)(JSON.parse(json)), one)
    }
  })

  it("says in words whether it may be sent again, and has its statuses in order", () => {
    const said = (isFinal: boolean) => notStarted("Add", isFinal).message
    assert.strictEqual(said(false), "Add got no answer (NotStarted): nothing was done, it may be sent again.")
    assert.strictEqual(said(true), "Add got no answer (NotStarted): ask where it stands before it is sent again.")
    assert.deepStrictEqual(unansweredStatuses, [400, 409, 422, 500, 503, 504, 508])
  })

  it("of a server that did not start may be sent again, unless it will never start", () => {
    assert.deepStrictEqual([true, false].map((isFinal) => retryAfter(notStarted("Add", isFinal))), [undefined, 5])
  })
})
