import { assert, describe, it } from "@effect/vitest"
import { described } from "../../../../src/layers/state/sql/SqlWaits.ts"

describe("a backend that others wait for", () => {
  const row = {
    pid: 7,
    usename: "app",
    application_name: "shop",
    address: "10.0.0.1",
    state: "idle in transaction",
    seconds: 3,
    query: "SELECT 1"
  }

  it("is described by whose it is, what it does and for how long", () => {
    assert.strictEqual(
      described(row),
      `backend 7 (user app, application "shop", from 10.0.0.1), idle in transaction for 3 s; its last statement: SELECT 1`
    )
    assert.strictEqual(
      described({ ...row, application_name: "", address: null }),
      "backend 7 (user app), idle in transaction for 3 s; its last statement: SELECT 1"
    )
  })

  it("is described by whose it is where the rest is hidden from this user, and by how to see it", () => {
    assert.strictEqual(
      described({ ...row, address: null, state: null, seconds: null, query: "<insufficient privilege>" }),
      `backend 7 (user app, application "shop"); what it does is not shown to this user: GRANT pg_read_all_stats shows it`
    )
  })
})
