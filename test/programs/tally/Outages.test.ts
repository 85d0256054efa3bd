import { assert, describe, it } from "@effect/vitest"
import { Cause } from "effect"
import { crashed, killed, normal, shutdown } from "../../../src/domain/process/ExitReason.ts"
import * as Outages from "../../../src/programs/tally/Outages.ts"

const about = (id: string, incarnation: number) => ({ path: ["app", id], at: 0, kind: "worker", incarnation }) as const
const started = (id: string, incarnation: number, nanos: bigint): Outages.Timed => [
  { _tag: "Started", ...about(id, incarnation) },
  nanos
]
const exited = (id: string, incarnation: number, nanos: bigint, reason = killed): Outages.Timed => [
  { _tag: "Exited", ...about(id, incarnation), reason },
  nanos
]

describe("outages", () => {
  it("are counted from abnormal ends, and timed until the next incarnation of the same process", () => {
    const outages = Outages.fromEvents([
      started("a", 1, 0n),
      started("b", 1, 0n),
      exited("a", 1, 10_000n),
      exited("b", 1, 11_000n, crashed(Cause.die("boom"))),
      started("b", 2, 14_000n),
      started("a", 2, 15_000n)
    ])
    assert.deepStrictEqual(outages, { crashes: 2, restarts: 2, recoverMicros: [3, 5] })
  })

  it("an orderly end is none, and one that was not repaired has no length", () => {
    const outages = Outages.fromEvents([
      started("a", 1, 0n),
      exited("a", 1, 1n, normal),
      started("a", 2, 2n),
      exited("a", 2, 3n, shutdown),
      started("b", 1, 4n),
      exited("b", 1, 5n)
    ])
    assert.deepStrictEqual(outages, { crashes: 1, restarts: 1, recoverMicros: [] })
  })

  it("the median is the middle one, or between the two in the middle; of nothing there is none", () => {
    assert.strictEqual(Outages.median([1, 5, 100]), 5)
    assert.strictEqual(Outages.median([1, 2, 4, 100]), 3)
    assert.isNull(Outages.median([]))
    assert.strictEqual(Outages.longest([1, 5]), 5)
    assert.isNull(Outages.longest([]))
  })
})
