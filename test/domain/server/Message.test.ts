import { assert, it } from "@effect/vitest"
import { Schema } from "effect"
import { call, cast } from "../../../src/domain/server/Message.ts"

it("a call without a description has no payload, answers nothing and fails with nothing of its own", () => {
  const message = call()
  assert.strictEqual(message._tag, "Call")
  assert.deepStrictEqual(message.payload, {})
  assert.strictEqual(message.reply, Schema.Void)
  assert.strictEqual(message.error, Schema.Never)
  assert.isUndefined(message.redeliver)
})

it("descriptions are kept as they are given", () => {
  const message = call({ payload: { by: Schema.Int }, reply: Schema.Int, error: Schema.String, timeout: "1 second" })
  assert.deepStrictEqual(Object.keys(message.payload), ["by"])
  assert.strictEqual(message.reply, Schema.Int)
  assert.strictEqual(message.error, Schema.String)
  assert.strictEqual(message.timeout, "1 second")
  assert.deepStrictEqual(cast({ redeliver: { maxAttempts: 2 } }).redeliver, { maxAttempts: 2 })
})

it("a message is internal, and a call confirms, where its description says so, and else has no such mark", () => {
  for (const message of [call({ internal: true }), cast({ internal: true })]) {
    assert.deepInclude(message, { internal: true })
  }
  for (const message of [call(), cast(), call({ redeliver: { maxAttempts: 2 } })]) {
    assert.notProperty(message, "internal")
  }
  assert.deepInclude(call({ confirm: true }), { confirm: true })
  for (const message of [call(), call({ confirm: false })]) assert.notProperty(message, "confirm")
  assert.deepStrictEqual(call({ validate: true, payload: { by: Schema.Int } }).validate, true)
  assert.deepStrictEqual(Object.keys(cast({ payload: { by: Schema.Int } }).payload), ["by"])
  assert.deepStrictEqual(cast({ validate: false, payload: { by: Schema.Int } }).validate, false)
})
