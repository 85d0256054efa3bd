import { assert, describe, it } from "@effect/vitest"
import { Cause, Schema } from "effect"
import * as Wire from "../../../src/domain/placement/Wire.ts"
import { NotCrossing, WorkerDied, WorkerFailed } from "../../../src/domain/placement/WorkerErrors.ts"
import { callError } from "../../../src/domain/process/CallError.ts"
import { call, cast } from "../../../src/domain/server/Message.ts"

class Left extends Schema.TaggedError<Left>()("Left", { n: Schema.Int }) {}

const messages = {
  Add: call({ payload: { by: Schema.Int }, reply: Schema.Int, error: Left }),
  Tick: cast({ internal: true }),
  Note: cast({ payload: Schema.String }),
  Look: call({ internal: true })
}

describe("what of a server's messages travels", () => {
  it("is the payload of each, and the reply and the error of a call", () => {
    const all = Wire.allMessages(messages)
    assert.deepStrictEqual(all.map(({ tag }) => tag), ["Add", "Tick", "Note", "Look"])
    const [add, tick, note, look] = all
    assert.isTrue(Schema.is(add!.payload)({ by: 1 }))
    assert.isFalse(Schema.is(add!.payload)({ by: "1" }))
    assert.deepStrictEqual([add!.message, add!.reply, add!.error], [messages.Add, Schema.Int, Left])
    assert.isTrue(Schema.is(note!.payload)("words"))
    for (const one of [tick!, note!, look!]) assert.deepStrictEqual([one.reply, one.error], [Schema.Void, Schema.Never])
  })

  it("are not the messages that only the server sends itself", () => {
    assert.deepStrictEqual(Wire.openMessages(messages).map(({ tag }) => tag), ["Add", "Note"])
  })

  it("goes with its key and its time, if it has any, and fails with its own error or a CallError", () => {
    const sent = Schema.Struct(Wire.sentFields(Schema.Int))
    for (const one of [{ payload: 1 }, { payload: 1, key: "k" }, { payload: 1, key: "k", timeout: 5 }]) {
      assert.deepStrictEqual(Schema.decodeUnknownSync(sent)(one), one)
    }
    for (const one of [{ payload: "1" }, { payload: 1, key: 1 }, { payload: 1, timeout: "5" }, { key: "k" }]) {
      assert.throws(() => Schema.decodeUnknownSync(sent)(one))
    }
    const refusal = Schema.is(Wire.refusalOf(Left))
    assert.isTrue(refusal(new Left({ n: 1 })))
    assert.isTrue(refusal(callError("a", "Add", { _tag: "Parked" })))
    assert.isFalse(refusal(new Error("no")))
  })
})

describe("what goes wrong between a server and its thread", () => {
  it("says where, at what, and what to do", () => {
    const failed = (at: "start" | "module" | "layer" | "init") =>
      new WorkerFailed({ server: "Clerk", place: "thread", at, cause: new Error("boom") }).message
    assert.strictEqual(failed("start"), "the thread did not start for Clerk: boom")
    assert.strictEqual(failed("module"), "the thread did not load the module of Clerk: boom")
    assert.strictEqual(failed("layer"), "the thread did not build the layer of Clerk: boom")
    assert.strictEqual(failed("init"), "the thread failed in init of Clerk: boom")
    assert.match(
      new WorkerDied({ place: "process", how: "was killed" }).message,
      /^the process of the handler was killed\. The next/
    )
    const crossing = (what: "payload" | "state" | "error" | "answer") =>
      new NotCrossing({ server: "Clerk", request: "Add", what, issue: "a function" }).message
    for (const what of ["payload", "state", "error"] as const) {
      assert.strictEqual(crossing(what), `the ${what} of Add does not leave Clerk: a function. Mend it, or its schema.`)
    }
    assert.match(crossing("answer"), /^the answer of Add does not leave Clerk: a function\. Answer with/)
    const codec = Schema.toCodecJson(WorkerDied)
    const died = new WorkerDied({ place: "thread", how: "was killed", cause: Cause.die("no") })
    assert.strictEqual(Schema.decodeSync(codec)(Schema.encodeSync(codec)(died)).message, died.message)
  })
})
