/**
 * Kills, take-overs, late writes and damage at one store, by turns: nothing acknowledged is missing in silence. The
 * long run is `npm run soak -- --only storms`.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Random } from "effect"
import { bundle } from "../kit/Bundle.ts"
import { inFolder, rage } from "../kit/durable/Storms.ts"

const acts = Number(process.env["ACTS"] ?? 3)
const seed = process.env["SEED"] ?? String(Math.floor(Math.random() * 1e9))

const sites = { "a SQLite database": inFolder("sqlite", "states.db"), "a folder": inFolder("file", "") }

describe(`in a storm of kills, take-overs and damage nothing acknowledged is missing in silence (seed ${seed})`, () => {
  for (const [name, site] of Object.entries(sites)) {
    it.live(
      `with ${name}, ${acts} acts`,
      () =>
        Effect.gen(function*() {
          const { acknowledged, wrong } = yield* rage(bundle("test/kit/durable/Journal.ts"), yield* site, acts)
          assert.deepStrictEqual(wrong, [])
          assert.isAbove(acknowledged, 0)
        }).pipe(Random.withSeed(`${name} ${seed}`)),
      60_000 + acts * 5_000
    )
  }

  it.live("and the client would find out: with states written late it does", () =>
    Effect.gen(function*() {
      // One that is killed just when all is written misses nothing.
      const once = Effect.flatMap(sites["a folder"], (site) =>
        rage(bundle("test/kit/durable/Journal.ts"), site, 1, "late"))
      const { wrong } = yield* Effect.repeat(once, {
        until: ({ wrong }) =>
          wrong.length > 0,
        times: 9
      })
      assert.isAbove(wrong.length, 0)
    }).pipe(Random.withSeed(`late ${seed}`)))
})
