/**
 * What a caller reads: what happened to its message, and what it can do. Each field of a reason makes a difference of
 * its own.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Schema } from "effect"
import { CallError, callError, type CallErrorReason } from "../../../src/domain/process/CallError.ts"
import { killed } from "../../../src/domain/process/ExitReason.ts"

const boom = Cause.die(new Error("boom"))
const text = (reason: CallErrorReason): string => callError("Clerk", "File", reason).message

const timeout = (
  waitsFor: Extract<CallErrorReason, { readonly _tag: "Timeout" }>["waitsFor"],
  begun = false,
  outage?: string
): CallErrorReason => ({ _tag: "Timeout", millis: 50, waitsFor, begun, ...(outage === undefined ? {} : { outage }) })

const crash = (cause: Cause.Cause<unknown>, willRestart: boolean): CallErrorReason => ({
  _tag: "Crashed",
  cause,
  willRestart
})

/** A reason, what its text says, and what it must not say. */
type Row = readonly [reason: CallErrorReason, says: ReadonlyArray<RegExp>, not?: RegExp]

const rows: ReadonlyArray<Row> = [
  [{ _tag: "NotRunning" }, [/is not running and no start is due/, /restartChild/], /ended|at\(|starts it again/],
  [{ _tag: "NotRunning", key: "k1" }, [/is not running/, /at\("k1"\) answers/], /restartChild/],
  [{ _tag: "NotRunning", again: 70, key: "k1" }, [/a call after 70 ms starts it again/], /restartChild|at\(/],
  [
    { _tag: "NotRunning", reason: killed },
    [/the server ended \(killed\) without an answer/, /restartChild/],
    /no start is due/
  ],
  [crash(boom, true), [/the server crashed: Error: boom while it handled/, /is being restarted/], /crash report/],
  [
    crash(boom, false),
    [/crashed: Error: boom while/, /will not be restarted: see the crash report/],
    /conserved state/
  ],
  [crash(Cause.interrupt(), true), [/the server was ended while/], /crashed|interrupted/],
  [
    { _tag: "Crashed", cause: boom, willRestart: true, reason: killed },
    [/the server was ended \(killed\) while/],
    /boom/
  ],
  [timeout("handler", true), [/no answer within 50 ms/, /Its handler has begun/], /withdrawn/],
  [timeout("reply", true), [/promised \(Next.noReply\) has not come/], /withdrawn/],
  [timeout("end"), [/has the order/], /withdrawn/],
  [
    timeout("store", true),
    [/was handled, and its answer waits for the store/, /Look at the store/],
    /withdrawn|nothing was done/
  ],
  [timeout("store", true, "disk full"), [/may or may not be kept. The store does not take it: disk full/], /Look at/],
  [timeout("turn", true), [/begun by an incarnation that crashed/, /it was withdrawn/], /nothing was done|store/],
  [timeout("store"), [/withdrawn: nothing was done. The server waits for its store. Look at the store/]],
  [timeout("store", false, "gone"), [
    /nothing was done. The server waits for its store. The store does not take it: gone/
  ]],
  [timeout("turn"), [/nothing was done. The server is busy/], /store/],
  [timeout("room"), [/nothing was done. The mailbox is full/]],
  [timeout("start"), [/nothing was done. The server is not up/]],
  [timeout("resume"), [/nothing was done. The server is suspended/]],
  [{ _tag: "MailboxFull", capacity: 7 }, [/full \(capacity 7\)/, /overflow "suspend"/]],
  [{ _tag: "Quarantined", attempts: 3 }, [/crashed the server 3 times/, /Sys.quarantined/]],
  [{ _tag: "Parked" }, [/keeps it parked/, /resumeChild/]],
  [{ _tag: "CallingSelf", chain: ["a", "b", "a"] }, [/wait for itself \(a -> b -> a\)/, /Use a cast/]],
  [{ _tag: "NotConserved", cause: boom }, [/could not be stored, crashed: Error: boom/]],
  [{ _tag: "KeyReused", key: "k1" }, [/key "k1" was used for another call. Nothing was done/]],
  [{ _tag: "AnswerLost", key: "k1", handled: "yes" }, [
    /was handled before.*by this code. It is not handled again under the key "k1"/
  ]],
  [{ _tag: "AnswerLost", key: "k1", handled: "begun", issue: "no name" }, [
    /was begun before.*owed it \(no name\). It is not/
  ]],
  [{ _tag: "AnswerLost", key: "k1", handled: "unknown" }, [/not known whether.*are damaged. It is not/]],
  [{ _tag: "InvalidIdempotencyKey", key: "é".repeat(200), maxBytes: 256 }, [
    /^File to Clerk: "é{40}…?" is no/,
    /has 400 bytes/,
    /1 to 256/
  ]],
  [{ _tag: "InvalidPayload", issue: "at n" }, [/not what its schema says \(at n\). Nothing was sent/]],
  [{ _tag: "Unreachable", why: "silent", begun: false }, [
    /nothing came from where the server is.*just now. Nothing was done/
  ]],
  [{ _tag: "Unreachable", why: "moved", begun: true }, [
    /meanwhile. Whether it was handled is not known: ask the server/
  ], /idempotency/],
  [
    { _tag: "Unreachable", why: "full", begun: true, key: "k1", detail: "9" },
    [/started \(9\). Whether it was handled is not known: make the call again with the idempotency key "k1"/]
  ]
]

describe("the text of a call that got no answer", () => {
  it("says what happened and what to do", () => {
    for (const [reason, says, not] of rows) {
      const said = text(reason)
      assert.isTrue(said.startsWith("File to Clerk: "), said)
      for (const part of says) assert.match(said, part)
      if (not !== undefined) assert.notMatch(said, not)
      assert.match(said, /[^.]\.$/)
    }
  })

  it("is another for each reason", () => {
    assert.strictEqual(new Set(rows.map(([reason]) => text(reason))).size, rows.length)
  })
})

describe("a call error that no constructor ran for", () => {
  it("is as one that was constructed, with its message for a stack", () => {
    const reason: CallErrorReason = { _tag: "MailboxFull", capacity: 7 }
    const [made, constructed] = [
      callError("Clerk", "File", reason),
      new CallError({ server: "Clerk", request: "File", reason })
    ]
    assert.isTrue(made instanceof CallError && made instanceof Error && Schema.is(CallError)(made))
    assert.strictEqual(made.message, constructed.message)
    assert.deepStrictEqual({ ...made }, { ...constructed })
    assert.strictEqual(made.stack, `CallError: ${made.message}`)
    const codec = Schema.toCodecJson(CallError)
    assert.deepStrictEqual(Schema.encodeSync(codec)(made), Schema.encodeSync(codec)(constructed))
    // Whoever wants another stack may give it one.
    assert.strictEqual(Object.defineProperty(made, "stack", { value: "mine" }).stack, "mine")
    assert.isTrue(Object.getOwnPropertyDescriptor(CallError.prototype, "stack")?.configurable)
  })
})
