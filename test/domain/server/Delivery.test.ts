import { assert, describe, it } from "@effect/vitest"
import { Cause } from "effect"
import { crashed, type ExitReason, killed, normal, shutdown } from "../../../src/domain/process/ExitReason.ts"
import {
  inHand,
  isQueueKept,
  notRunning,
  refusal,
  refusalReason,
  waitingReason
} from "../../../src/domain/server/Delivery.ts"

const fates = ["restarting", "parked", "stopped", "finished", "deleted"] as const
const cause = Cause.die("boom")
const reasons: ReadonlyArray<ExitReason> = [
  normal,
  shutdown,
  killed,
  crashed(cause),
  { _tag: "GaveUp", child: "one", cause },
  { _tag: "NotConserved", cause }
]

describe("the message in hand", () => {
  it("without a policy a crash is final for it", () => {
    for (const fate of fates) {
      for (const attempts of [1, 2, 10]) assert.strictEqual(inHand("interrupted", fate, undefined, attempts), "refuse")
    }
  })

  it("with redeliver it is handled again until it has had its attempts, the first included; then it is quarantined", () => {
    const policy = { maxAttempts: 3 }
    for (const fate of ["restarting", "parked"] as const) {
      assert.deepStrictEqual([1, 2, 3, 4].map((attempts) => inHand("interrupted", fate, policy, attempts)), [
        "redeliver",
        "redeliver",
        "quarantine",
        "quarantine"
      ])
      assert.strictEqual(inHand("interrupted", fate, { maxAttempts: 1 }, 1), "quarantine")
    }
  })

  it("is not handled again where no incarnation follows, nor when its handler stopped the server", () => {
    const policy = { maxAttempts: 3 }
    for (const fate of ["stopped", "finished", "deleted"] as const) {
      assert.strictEqual(inHand("interrupted", fate, policy, 1), "refuse")
    }
    for (const fate of fates) assert.strictEqual(inHand("stopped", fate, policy, 1), "refuse")
  })

  it("is given the reply that its handler stopped the server with, whatever becomes of the server", () => {
    for (const fate of fates) assert.strictEqual(inHand("replied", fate, undefined, 1), "reply")
  })
})

it("the queue waits where another incarnation may follow", () => {
  assert.deepStrictEqual(fates.filter(isQueueKept), ["restarting", "parked"])
})

it("a message that waits is told that the server is not running; one that came back, what it would be told in hand", () => {
  for (const fate of fates) {
    for (const reason of reasons) {
      assert.deepStrictEqual(waitingReason(0, reason, fate, "k"), notRunning("k"))
      for (const attempts of [1, 2]) {
        assert.deepStrictEqual(waitingReason(attempts, reason, fate, "k"), refusalReason(reason, fate, "k"))
      }
    }
  }
})

describe("a caller that is refused", () => {
  it("fails with NotConserved, whatever becomes of the server", () => {
    for (const fate of fates) {
      assert.strictEqual(refusal({ _tag: "NotConserved", cause }, fate), "NotConserved")
      assert.deepStrictEqual(refusalReason({ _tag: "NotConserved", cause }, fate, ""), { _tag: "NotConserved", cause })
    }
  })

  it("hears whether the server comes back, unless it ended in order and does not", () => {
    for (const reason of reasons.filter(({ _tag }) => _tag !== "NotConserved")) {
      const isOrderly = reason._tag === "Normal" || reason._tag === "Shutdown"
      assert.strictEqual(refusal(reason, "restarting"), "Crashed, restarting")
      for (const fate of ["parked", "stopped", "finished", "deleted"] as const) {
        assert.strictEqual(refusal(reason, fate), isOrderly ? "NotRunning" : "Crashed")
      }
    }
  })

  it("hears the cause, and an interruption where there is none", () => {
    assert.deepStrictEqual(refusalReason(crashed(cause), "restarting", ""), {
      _tag: "Crashed",
      cause,
      willRestart: true
    })
    assert.deepStrictEqual(refusalReason(killed, "stopped", ""), {
      reason: killed,
      _tag: "Crashed",
      cause: Cause.interrupt(),
      willRestart: false
    })
  })

  it("hears the reason of an orderly end, and the key that it can ask for again", () => {
    assert.deepStrictEqual(refusalReason(shutdown, "stopped", "k"), { _tag: "NotRunning", reason: shutdown, key: "k" })
    assert.deepStrictEqual(refusalReason(normal, "deleted", ""), { _tag: "NotRunning", reason: normal })
    assert.deepStrictEqual(notRunning("k"), { _tag: "NotRunning", key: "k" })
  })
})
