import { assert, it } from "@effect/vitest"
import { toText } from "../../../src/domain/observation/Rollback.ts"

it("a rollback says who goes on from what, why, and how many updates that costs", () => {
  const text = (from: number, to: number | undefined) =>
    toText({ path: ["app", "a"], incarnation: 2, from, to, why: "no" })
  assert.match(
    text(3, 2),
    /^app > a #2 starts from snapshot 2, and not from 3: 1 update is given up \(no\)\. .* is set aside/
  )
  assert.match(text(5, 2), /from snapshot 2, and not from 5: 3 updates are given up/)
  assert.match(text(3, undefined), /starts from init, and not from snapshot 3: no snapshot of it can be used \(no\)/)
})
