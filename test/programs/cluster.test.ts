/**
 * Runners of a cluster as processes, over a real PostgreSQL, killed and frozen while they work.
 *
 * One of each finds what it is there for: calls without idempotency keys are applied twice in each run of the first
 * test, and both tests lose updates where answers do not wait for the store.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Runs from "../kit/cluster/Runs.ts"
import { usePostgres } from "../kit/stores/UsePostgres.ts"

describe("three runners on one PostgreSQL", () => {
  const postgres = usePostgres()
  const url = () => `postgres://postgres:test@127.0.0.1:${postgres().port}/postgres`
  const isPosix = process.platform !== "win32"

  it.live(
    "one is killed with kill -9, one is frozen until others have its keys, and stopped: what was acknowledged is there, once; and one that is stopped fails no call",
    () =>
      Effect.gen(function*() {
        if (!isPosix) return
        // Other tests keep the machine busy meanwhile.
        const plan = { kills: 1, freezes: 1, stops: 1, isBack: false, handedOverIn: "20 seconds" } as const
        const result = yield* Runs.run(url(), { kind: "ours", keys: 8, pause: 150 }, plan)
        assert.strictEqual(result.lost, 0)
        assert.strictEqual(result.twice, 0)
        // It had been frozen, and leaves in order all the same.
        assert.strictEqual(result.late, 0)
        assert.strictEqual(result.failed, 0, result.failures)
        assert.isAbove(result.acknowledged, 100)
        assert.isAbove(result.awayMillisMax, 0)
      }),
    180_000
  )

  it.live(
    "one that is frozen inside a transaction keeps its keys from no other: they are answered while it still stands, and what it had in hand is refused",
    () =>
      Effect.gen(function*() {
        if (!isPosix) return
        const result = yield* Runs.standStill(url(), { keys: 8, pause: 150, runners: 2 })
        assert.isAbove(result.away, 0)
        assert.isAbove(result.refused, 0)
        assert.strictEqual(result.lost, 0)
        assert.strictEqual(result.twice, 0)
      }),
    120_000
  )
})
