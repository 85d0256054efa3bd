/** The claim of one key. */
import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Latch, Schedule } from "effect"
import { StateStore } from "../../../../src/index.ts"
import { KeyClaim } from "../../../../src/layers/state/durable/Claim.ts"
import { StoreHealth } from "../../../../src/layers/state/store/StoreHealth.ts"
import { now } from "../../../kit/Fibers.ts"

it.effect("a key is claimed once, however many need it at the same time", () =>
  Effect.gen(function*() {
    const gate = Latch.makeUnsafe()
    const memory = StateStore.makeMemory()
    const asked: Array<readonly [owner: string, fence: string | undefined]> = []
    const store: typeof memory = {
      ...memory,
      acquireEpoch: (owner, fence) => {
        asked.push([owner, fence])
        return Effect.andThen(gate.await, memory.acquireEpoch(owner, fence))
      }
    }
    const session = { store, health: new StoreHealth("memory"), retry: Schedule.recurs(0), run: () => {} }
    const claim = new KeyClaim("a", session, () => {})
    const both = yield* now(Effect.all([claim.held, claim.held], { concurrency: 2 }))
    yield* gate.open
    yield* Fiber.join(both)
    yield* claim.held
    assert.deepStrictEqual(asked, [["a", "key"]])
    assert.strictEqual(claim.epoch, 1)
  }))
