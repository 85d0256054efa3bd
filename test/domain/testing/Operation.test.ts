import { assert, describe, it } from "@effect/vitest"
import { Cause } from "effect"
import type { CallErrorReason } from "../../../src/domain/process/CallError.ts"
import { doneAfter, eventsOf, type Operation, toText } from "../../../src/domain/testing/Operation.ts"

const at = (order: number) => ({ order, millis: order })
const add: Operation = {
  key: "counter",
  client: "alice",
  input: { _tag: "Add", by: 2 },
  called: at(1),
  outcome: { _tag: "Answered", value: 7, at: at(4) }
}

describe("what a call's error says of what was done", () => {
  const timeout = (begun: boolean, waitsFor: "turn" | "handler" | "reply" | "store"): CallErrorReason => ({
    _tag: "Timeout",
    millis: 5000,
    begun,
    waitsFor
  })
  const cases: ReadonlyArray<readonly [string, CallErrorReason, ReturnType<typeof doneAfter>]> = [
    ["a full mailbox", { _tag: "MailboxFull", capacity: 1 }, "no"],
    ["a parked server", { _tag: "Parked" }, "no"],
    ["a call to itself", { _tag: "CallingSelf", chain: [] }, "no"],
    ["a key that was used", { _tag: "KeyReused", key: "k" }, "no"],
    ["a key that is none", { _tag: "InvalidIdempotencyKey", key: "", maxBytes: 1 }, "no"],
    ["a payload that its schema does not say", { _tag: "InvalidPayload", issue: "Expected number" }, "no"],
    ["nothing that runs", { _tag: "NotRunning" }, "no"],
    ["an end with the message in hand", { _tag: "NotRunning", reason: { _tag: "Normal" } }, "over"],
    ["a crash", { _tag: "Crashed", cause: Cause.die("boom"), willRestart: true }, "over"],
    ["a key whose answer is lost", { _tag: "AnswerLost", key: "k", handled: "unknown" }, "over"],
    ["a quarantine", { _tag: "Quarantined", attempts: 3 }, "over"],
    ["a timeout before it began", timeout(false, "turn"), "no"],
    ["a timeout while it waited to be handled again", timeout(true, "turn"), "over"],
    ["a timeout of its answer, which waits for the store", timeout(true, "store"), "over"],
    ["a timeout of its handler", timeout(true, "handler"), "busy"],
    ["a timeout of a promised reply", timeout(true, "reply"), "open"],
    ["a state that was not stored", { _tag: "NotConserved", cause: Cause.die("away") }, "busy"]
  ]
  for (const [what, reason, expected] of cases) {
    it(`${what}: ${expected}`, () => assert.strictEqual(doneAfter(reason), expected))
  }
})

describe("the events of operations", () => {
  it("are calls and ends in their order; what was not done has none, what is open has no end", () => {
    const operations: ReadonlyArray<Operation> = [
      { ...add, called: at(6), outcome: { _tag: "Unknown", why: "lost" } },
      { ...add, called: at(2), outcome: { _tag: "Unknown", why: "lost", until: at(3) } },
      { ...add, called: at(0), outcome: { _tag: "NotDone" } },
      add
    ]
    assert.deepStrictEqual(eventsOf(operations).map(({ isCall, order }) => [order, isCall]), [
      [1, true],
      [2, true],
      [3, false],
      [4, false],
      [6, true]
    ])
  })
})

describe("an operation in words", () => {
  const cases: ReadonlyArray<readonly [Partial<Operation>, string]> = [
    [{}, "alice: add 2 to counter = 7"],
    [{ input: { _tag: "Read" } }, "alice: read of counter = 7"],
    [
      { input: { _tag: "Write", value: "x" }, outcome: { _tag: "Answered", value: undefined, at: at(4) } },
      "alice: write \"x\" to counter is done"
    ],
    [{ outcome: { _tag: "NotDone" } }, "alice: add 2 to counter was not done"],
    [{ outcome: { _tag: "Unknown", why: "Timeout" } }, "alice: add 2 to counter may be done: Timeout"]
  ]
  for (const [change, text] of cases) it(text, () => assert.strictEqual(toText({ ...add, ...change }), text))
})
