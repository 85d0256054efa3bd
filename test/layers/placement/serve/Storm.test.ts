import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { storm } from "../../../kit/serve/Storm.ts"
import { layer as web } from "../../../kit/serve/Web.ts"

const count = Number(process.env["BODIES"] ?? 500)
const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 1e9))

describe("random requests", () => {
  it.live(
    `each gets the answer that is right for it, and none reaches a handler but those that are right (${count}, seed ${seed})`,
    () =>
      Effect.gen(function*() {
        const { byStatus, wrong } = yield* storm(seed, count)
        assert.deepStrictEqual(wrong.slice(0, 10), [])
        assert.includeMembers(Object.keys(byStatus), ["200", "202", "204", "400", "404", "405", "413", "415"])
      }).pipe(Effect.provide(web())),
    60_000 + count * 20
  )
})
