/**
 * Copies of a file store that are damaged at random: never an untyped end, never an older state or a lost answer
 * without a word.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Random } from "effect"
import { damage, lives, tried, written01 } from "../../../kit/stores/Rot.ts"

/** Copies; `COPIES=3000` for a long run. */
const copies = Number(process.env["COPIES"] ?? 40)
const seed = process.env["SEED"] ?? "1"

describe("a damaged copy of a file store", () => {
  it.live(
    "starts every key from what was acknowledged, or says by name that it does not; its answers are there, or known to be lost",
    () =>
      Effect.gen(function*() {
        const all = [...(yield* lives), yield* written01]
        assert.lengthOf(all, 8)
        const wrong: Array<string> = []
        for (let i = 0; i < copies; i++) {
          const life = all[i % all.length]!
          const once = yield* damage(life)
          // Some in two files at once.
          const damaged = i % 3 === 2 && life.files.size > 1 ? yield* damage(life, once) : once
          const found = yield* Effect.exit(Effect.timeout(tried(life, damaged), "10 seconds"))
          if (found._tag === "Success") wrong.push(...found.value)
          else wrong.push(`${damaged.what}: ${String(found.cause)}`)
        }
        assert.deepStrictEqual(wrong.slice(0, 20), [], `${wrong.length} of ${copies} copies`)
      }).pipe(Random.withSeed(seed)),
    600_000
  )
})
