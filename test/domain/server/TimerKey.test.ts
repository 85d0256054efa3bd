import { assert, describe, it } from "@effect/vitest"
import { isKey } from "../../../src/domain/server/Idempotency.ts"
import { fired } from "../../../src/domain/server/TimerKey.ts"

const due = (name: string, at: number, late = 0) => ({
  timer: { name, due: at, message: "Ring", payload: {} },
  late,
  missed: 0
})

describe("the idempotency key of a timer", () => {
  it("is the same however late it is delivered, and another's for another server, name or time", () => {
    const key = fired("app/Auction/7", due("close", 5000)).idempotencyKey
    assert.strictEqual(fired("app/Auction/7", due("close", 5000, 99)).idempotencyKey, key)
    const others = [
      fired("app/Auction/8", due("close", 5000)),
      fired("app/Auction/7", due("open", 5000)),
      fired("app/Auction/7", due("close", 5001))
    ]
    assert.strictEqual(new Set([key, ...others.map((one) => one.idempotencyKey)]).size, 4)
  })

  it("is one that a call may carry, however long the key of its server is", () => {
    const keys = ["日".repeat(170), `${"日".repeat(169)}本`, "x".repeat(512), `${"x".repeat(511)}y`].map((key) =>
      fired(`app/Auction/${key}`, due("é".repeat(32), 1.7e12)).idempotencyKey
    )
    for (const key of keys) assert.isTrue(isKey(key), key)
    assert.strictEqual(new Set(keys).size, keys.length)
  })
})
