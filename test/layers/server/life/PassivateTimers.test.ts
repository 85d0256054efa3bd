/** Servers that are left alone while they have durable timers: those wake them. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { Process, StateStore, StateTable, Supervisor } from "../../../../src/index.ts"
import { Harness } from "../../../../src/testing.ts"
import { behavior, Bell, kinds, Pool, Seen, Store } from "../../../kit/Bell.ts"

const tree = (seen: Seen, kind: keyof typeof kinds, by: "hibernate" | "stop") =>
  Layer.provideMerge(
    Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
      kinds[kind],
      Pool.layer(),
      Layer.provide(Bell.layerKeyed(behavior(seen), { passivate: { after: "10 seconds", by } }), Pool.asSupervisor)
    ]),
    Layer.mergeAll(Harness.Harness.layer, StateTable.StateTable.layer, StateStore.layerMemory(Store))
  )

describe("a server that has given way", () => {
  for (const kind of ["memory", "a table", "a store"] as const) {
    for (const by of ["hibernate", "stop"] as const) {
      it.effect(`is woken by its durable timer, which does not keep it awake (${kind}, ${by})`, () => {
        const seen = new Seen()
        return Effect.gen(function*() {
          const bell = yield* Bell.at("a")
          yield* bell.Set({ timers: [{ name: "close", after: 3_600_000 }] })
          yield* TestClock.adjust("1 minute")
          if (by === "stop") assert.strictEqual(yield* Process.status(bell), "stopped")
          assert.deepStrictEqual(seen.keys, [])
          yield* TestClock.adjust("1 hour")
          assert.lengthOf(seen.keys, 1)
          if (by === "stop") assert.strictEqual(yield* Process.status(yield* Bell.at("a")), "running")
          assert.deepStrictEqual(yield* bell.Rung(), [["close", 0, 0]])
        }).pipe(Effect.provide(tree(seen, kind, by)))
      })
    }
  }
})
