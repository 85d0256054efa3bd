import { assert, it } from "@effect/vitest"
import { afterCrash } from "../../../src/domain/server/Delivery.ts"

it("without a policy a crash is final for the message in hand", () => {
  for (const attempts of [1, 2, 10]) assert.strictEqual(afterCrash(undefined, attempts), "fail")
})

it("with redeliver it is handled again until it has had its attempts, the first included; then it is quarantined", () => {
  const policy = { maxAttempts: 3 }
  assert.deepStrictEqual([1, 2, 3, 4].map((attempts) => afterCrash(policy, attempts)), [
    "redeliver",
    "redeliver",
    "quarantine",
    "quarantine"
  ])
  assert.strictEqual(afterCrash({ maxAttempts: 1 }, 1), "quarantine")
})
