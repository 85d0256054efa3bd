/** Answers on record of companions that conserve late: as many as there may be, whether they are written yet or not. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { GenServer, StateContainer, Supervisor } from "../../../../src/index.ts"

class Purse extends GenServer.Service<Purse>()("test/LatePurse", {
  state: Schema.Int,
  messages: { Earn: GenServer.call({ payload: { amount: Schema.Int }, reply: Schema.Int }) }
}) {}

const server = Purse.layer({ init: 0, handlers: { Earn: (coins, { amount }) => [coins + amount, coins + amount] } })

describe("no more answers are on record than there may be", () => {
  for (
    const [name, when] of [
      ["on commit", "commit"],
      ["at intervals", { every: "1 minute" }],
      ["with the last word", "terminate"]
    ] as const
  ) {
    it.effect(`conserved ${name}`, () =>
      Effect.gen(function*() {
        const purse = yield* Purse
        for (const id of ["a", "b", "c"]) yield* purse.Earn({ amount: 1 }, { idempotencyKey: id })
        assert.strictEqual(yield* purse.Earn({ amount: 1 }, { idempotencyKey: "c" }), 3, "it is on record")
        assert.strictEqual(yield* purse.Earn({ amount: 1 }, { idempotencyKey: "a" }), 4, "two newer ones are")
      }).pipe(Effect.provide(
        Supervisor.layer({ strategy: "one_for_one" }, [
          StateContainer.layerMemory(Purse, { when, answers: { maxCount: 2 } }),
          server
        ])
      )))
  }
})
