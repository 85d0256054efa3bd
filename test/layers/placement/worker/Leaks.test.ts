/**
 * What deaths leave behind: nothing. `npm run soak -- --only threads` has a thousand of them, in the middle of
 * messages.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { make } from "../../../../src/layers/placement/worker/Supply.ts"
import { killThreads } from "../../../kit/worker/Deaths.ts"
import { placesLeft, placesThatLive } from "../../../kit/worker/Places.ts"

const server = { key: "test/Nothing" }

/** Modules that a thread dies of, or hangs at. */
const deadly = ["process.exit(3)", "setTimeout(() => { throw new Error() }); await new Promise(() => {})", "for (;;);"]
  .map((code) => `data:text/javascript,${encodeURIComponent(code)}`)

describe("deaths of threads", () => {
  it.live("leave no handle behind: thirty while they load", () =>
    Effect.gen(function*() {
      const first = yield* placesThatLive
      yield* Effect.scoped(Effect.gen(function*() {
        const supply = yield* make("test", { spare: false }, false)
        for (let i = 0; i < 30; i++) {
          const host = supply.take()
          const loading = supply.prepare(host, { url: deadly[i % deadly.length]!, server })
          if (i % deadly.length === 2) yield* Effect.timeoutOption(loading, 10)
          else assert.strictEqual((yield* Effect.flip(loading))._tag, "WorkerFailed")
          yield* host.end(0)
        }
      }))
      assert.deepStrictEqual(yield* placesLeft(first), first)
    }))

  it.live("lose nothing, and leave no handle behind: a few in the middle of messages", () =>
    Effect.gen(function*() {
      const outcome = yield* killThreads(3, "1")
      assert.strictEqual(outcome.deaths, 3)
      assert.isAbove(outcome.acknowledged, 0)
      assert.deepStrictEqual(outcome.wrong, [])
    }))
})
