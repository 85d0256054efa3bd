/** The times for which a process owns a store. */
import { assert, it } from "@effect/vitest"
import { Cause, Effect, Schedule } from "effect"
import { StateStore } from "../../../../src/index.ts"
import { StoreHealth } from "../../../../src/layers/state/store/StoreHealth.ts"
import { Tenures } from "../../../../src/layers/state/store/Tenure.ts"

it.effect("a class that comes when the time before is over begins another, which those that follow share", () =>
  Effect.scoped(Effect.gen(function*() {
    const tenures = new Tenures(StateStore.makeMemory(), new StoreHealth("memory"), yield* Effect.context<never>())
    const lost: Array<string> = []
    const join = (name: string) => tenures.join(name, Schedule.recurs(0), () => lost.push(name))
    const one = yield* join("a")
    assert.strictEqual(yield* join("b"), one)
    one.end(Cause.fail("taken over"))
    yield* Effect.yieldNow
    const other = yield* join("c")
    assert.isAbove(other.epoch, one.epoch)
    assert.strictEqual(yield* join("d"), other)
    assert.deepStrictEqual(lost, ["a", "b"])
  })))
