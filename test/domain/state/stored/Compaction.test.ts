import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { afterFailure, isDue, maxPieces } from "../../../../src/domain/state/stored/Compaction.ts"

const Written = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1000 })))
const Part = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100 }))

describe("when a log is compacted", () => {
  it("when more of it is not needed than is, and that is worth it", () => {
    assert.isFalse(isDue({ total: 200, live: 100, pieces: 1 }, 10))
    assert.isTrue(isDue({ total: 201, live: 100, pieces: 1 }, 10))
    assert.isFalse(isDue({ total: 201, live: 100, pieces: 1 }, 1000))
    assert.isFalse(isDue({ total: 0, live: 0, pieces: maxPieces }, 1000))
    assert.isTrue(isDue({ total: 0, live: 0, pieces: maxPieces + 1 }, 1000))
  })

  it.prop(
    "it writes no more again than callers have written, and leaves no more than twice what is needed",
    [Written, Part],
    ([written, part]) => {
      let [total, live, again, sum] = [0, 0, 0, 0]
      for (const bytes of written) {
        sum += bytes
        total += bytes
        live += (bytes * part) / 100
        if (!isDue({ total, live, pieces: 1 }, 100)) continue
        again += live
        total = live
      }
      assert.isAtMost(again, sum)
      assert.isAtMost(total, live + Math.max(100, live) + 1e-6)
    }
  )

  it("one that failed is made again when twice as much can be gained", () => {
    const size = { total: 1000, live: 100, pieces: 1 }
    const above = afterFailure(size, 500)
    assert.isFalse(isDue({ ...size, total: 1900 }, above))
    assert.isTrue(isDue({ ...size, total: 1901 }, above))
  })
})
