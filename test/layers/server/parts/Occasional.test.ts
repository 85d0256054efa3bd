/** What few servers have, and those only at times: when it may go, and what an end leaves of it. */
import { assert, describe, it } from "@effect/vitest"
import { killed } from "../../../../src/domain/process/ExitReason.ts"
import { Deadline } from "../../../../src/layers/server/message/Deadlines.ts"
import { Envelope, type Receiver } from "../../../../src/layers/server/message/Envelope.ts"
import { ownCall } from "../../../../src/layers/server/message/MessageType.ts"
import { QuarantinedMessage } from "../../../../src/layers/server/message/Quarantine.ts"
import { Debug } from "../../../../src/layers/server/parts/Debug.ts"
import { Occasional } from "../../../../src/layers/server/parts/Occasional.ts"

class Waiting extends Deadline {
  expire(): void {}
}

const envelope = () => new Envelope({} as Receiver, ownCall, undefined, undefined)

type Plan = (parts: Occasional) => void

/** What the engine has to see to before the next message. */
const plans: Record<string, Plan> = {
  "a continuation": (parts) => (parts.continuation = () => undefined),
  "an idle timer": (parts) => (parts.idleTimer = () => {}),
  "an idle callback that is due": (parts) => (parts.idleDue = true),
  "a time for the next idle callback, 0 included": (parts) => (parts.idleAfter = 0),
  "a suspension": (parts) => (parts.suspended = true),
  "what watches its messages": (parts) => (parts.debug = new Debug(() => {})),
  "a rest that waits for its state": (parts) => (parts.rest = { isStored: false, isDrowsy: false }),
  "that it was left alone": (parts) => (parts.isDrowsy = true)
}

/** What would be lost, and concerns no message. */
const holdings: Record<string, Plan> = {
  "a caller that was promised a reply": (parts) => parts.promised.add(envelope()),
  "a message in quarantine": (parts) => {
    parts.quarantined = new Set([new QuarantinedMessage(ownCall, undefined, 1, killed, 0)])
  },
  "a request under way": (parts) => (parts.requests = 1),
  "work under way": (parts) => (parts.work = 1),
  "a time that is counted": (parts) => (parts.drowse = new Waiting()),
  "an observer": (parts) => parts.ownObservers.addGone(() => {})
}

describe("what few servers have", () => {
  it("is nothing at first", () => {
    const parts = new Occasional()
    assert.deepStrictEqual([parts.isCalm, parts.isSpare, parts.observers], [true, true, undefined])
    // Nor is it anything that there were observers, or messages in quarantine.
    const { ownObservers } = parts
    assert.strictEqual(parts.ownObservers, ownObservers)
    assert.strictEqual(parts.observers, ownObservers)
    parts.quarantined = new Set()
    assert.isTrue(parts.isSpare)
  })

  it.each(Object.entries(plans))("keeps the engine from the short way: %s", (_, plan) => {
    const parts = new Occasional()
    plan(parts)
    assert.deepStrictEqual([parts.isCalm, parts.isSpare], [false, false])
  })

  it.each(Object.entries(holdings))("is kept and leaves the short way open: %s", (_, hold) => {
    const parts = new Occasional()
    hold(parts)
    assert.deepStrictEqual([parts.isCalm, parts.isSpare], [true, false])
  })
})

describe("the end of an incarnation", () => {
  const planned = () => {
    const parts = new Occasional()
    const stopped = { times: 0 }
    for (const plan of [...Object.values(plans), ...Object.values(holdings)]) plan(parts)
    parts.idleTimer = () => stopped.times++
    return { parts, stopped }
  }

  it("drops what that was to do, and keeps what is the server's", () => {
    const { parts, stopped } = planned()
    parts.dropPlans(true)
    assert.strictEqual(stopped.times, 1)
    const { continuation, drowse, idleAfter, idleDue, idleTimer, isDrowsy, rest, suspended } = parts
    assert.deepStrictEqual(
      { continuation, drowse, idleAfter, idleDue, idleTimer, isDrowsy, rest, suspended },
      {
        continuation: undefined,
        drowse: undefined,
        idleAfter: undefined,
        idleDue: false,
        idleTimer: undefined,
        isDrowsy: false,
        rest: undefined,
        suspended: false
      }
    )
    assert.isDefined(parts.debug)
    assert.deepStrictEqual([parts.promised.size, parts.quarantined?.size, parts.requests, parts.work], [1, 1, 1, 1])
  })

  it("leaves the time for which it waits for a message to the next one, if it was a crash", () => {
    const { parts } = planned()
    parts.idleAfter = 7
    parts.dropPlans(false)
    assert.deepStrictEqual([parts.idleAfter, parts.idleTimer, parts.continuation], [7, undefined, undefined])
  })

  it("something that is done again stops the idle timer once, and no rest follows", () => {
    const { parts, stopped } = planned()
    parts.cancelIdle()
    parts.cancelIdle()
    assert.deepStrictEqual([stopped.times, parts.idleDue, parts.rest, parts.isDrowsy], [1, false, undefined, true])
  })
})

describe("callers that were promised a reply", () => {
  const once = (key: string) => {
    const one = envelope()
    one.once = { key, call: "" }
    return one
  }

  it("are found by the key of their call, as long as they wait", () => {
    const { promised } = new Occasional()
    const [plain, a, b] = [envelope(), once("a"), once("b")]
    assert.isUndefined(promised.find("a"))
    for (const one of [plain, a, b]) promised.add(one)
    assert.deepStrictEqual([promised.size, promised.find("a"), promised.find("b")], [3, a, b])
    assert.deepStrictEqual([promised.has(plain), promised.has(envelope())], [true, false])
    promised.delete(a)
    promised.delete(plain)
    assert.deepStrictEqual([promised.size, promised.find("a"), promised.has(a)], [1, undefined, false])
    assert.deepStrictEqual([...promised], [b])
    // One that has gone already takes no other with its key along.
    const again = once("b")
    promised.delete(again)
    assert.strictEqual(promised.find("b"), b)
    assert.deepStrictEqual(promised.clear(), [b])
    assert.deepStrictEqual([promised.size, promised.find("b"), promised.clear()], [0, undefined, []])
  })
})
