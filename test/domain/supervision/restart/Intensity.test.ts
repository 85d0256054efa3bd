import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Intensity from "../../../../src/domain/supervision/restart/Intensity.ts"

/** OTP's own way: the list of all restarts that still count, this one included. */
const byList = (limit: Intensity.Limit, times: ReadonlyArray<number>) => {
  let counted: Array<number> = []
  return times.map((now) => {
    counted = counted.filter((time) => time >= now - limit.within)
    const count = counted.length + 1
    const allowed = count <= limit.restarts
    if (allowed) counted.push(now)
    return [allowed, count] as const
  })
}

const byRing = (limit: Intensity.Limit, times: ReadonlyArray<number>) => {
  const window = new Intensity.Window(limit)
  return times.map((now) => {
    const allowed = window.allow(now)
    return [allowed, allowed ? window.size : window.size + 1] as const
  })
}

describe("Intensity", () => {
  it("allows so many restarts within the time, and no more", () => {
    assert.deepStrictEqual(byRing({ restarts: 2, within: 1000 }, [0, 1, 2]), [[true, 1], [true, 2], [false, 3]])
  })

  it.prop(
    "says how many restarts count at any time, and is left as it is",
    [Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 700 })))],
    ([gaps]) => {
      const limit = { restarts: 5, within: 1000 }
      const window = new Intensity.Window(limit)
      const allowed: Array<number> = []
      let now = 0
      for (const gap of gaps) {
        now += gap
        for (const later of [now, now + 999, now + 1001]) {
          assert.strictEqual(window.used(later), allowed.filter((time) => time >= later - limit.within).length)
        }
        if (window.allow(now)) allowed.push(now)
      }
      assert.isAtMost(window.used(now), limit.restarts)
    }
  )

  it("slides: restarts that are spread out go on for ever", () => {
    const times = Array.from({ length: 100 }, (_, i) => i * 2100)
    assert.isTrue(byRing({ restarts: 1, within: 1000 }, times).every(([allowed]) => allowed))
  })

  it("still counts a restart at exactly now - within", () => {
    assert.deepStrictEqual(byRing({ restarts: 1, within: 1000 }, [0, 1000]), [[true, 1], [false, 2]])
    assert.deepStrictEqual(byRing({ restarts: 1, within: 1000 }, [0, 1001]), [[true, 1], [true, 1]])
  })

  it("allows none at all with 0", () => {
    assert.deepStrictEqual(byRing({ restarts: 0, within: 1000 }, [0, 5000]), [[false, 1], [false, 1]])
  })

  it.prop(
    "answers as a list of all restarts does",
    {
      restarts: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5 })),
      within: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 20 })),
      gaps: Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 12 })))
    },
    ({ gaps, restarts, within }) => {
      let now = 0
      const times = gaps.map((gap) => now += gap)
      assert.deepStrictEqual(byRing({ restarts, within }, times), byList({ restarts, within }, times))
    }
  )

  it("keeps no more than those that count, however many restarts there were", () => {
    const window = new Intensity.Window({ restarts: 3, within: 10 })
    for (let now = 0; now < 20_000; now++) window.allow(now * 11)
    assert.strictEqual(window.size, 1)
  })

  it("answers so as well when the ring has grown, wrapped around and shrunk", () => {
    const limit = { restarts: 3000, within: 1000 }
    // 4 a millisecond until it is full, then pauses after which some, and then none of them count any more.
    const times = Array.from({ length: 20_000 }, (_, i) => Math.floor(i / 4) + 700 * Math.floor(i / 2500))
    times.push(1_000_000, 1_000_001, 1_000_999, 1_001_001)
    assert.deepStrictEqual(byRing(limit, times), byList(limit, times))
  })

  it("names what is wrong with a limit", () => {
    assert.deepStrictEqual(Intensity.limitOf("test"), Intensity.defaultLimit)
    assert.deepStrictEqual(Intensity.limitOf("test", { within: "1 minute" }), { restarts: 3, within: 60_000 })
    const refused = (options: Intensity.Options, option: keyof Intensity.Options) =>
      assert.throws(
        () => Intensity.limitOf("test", options),
        `test was given ${options[option]} as ${option}: it must be`
      )
    refused({ restarts: Infinity, within: 1 }, "restarts")
    refused({ restarts: -1, within: 1 }, "restarts")
    refused({ restarts: 1.5, within: 1 }, "restarts")
    refused({ restarts: 1, within: 0 }, "within")
    refused({ restarts: 1, within: Infinity }, "within")
  })
})
