/** A companion in memory commits the short way; one in a table goes by the rule alone. They must be one and the same. */
import { assert, it } from "@effect/vitest"
import { Cause, Effect, Schema } from "effect"
import { crashed } from "../../../../src/domain/process/ExitReason.ts"
import { InTable } from "../../../../src/layers/state/companion/InTable.ts"
import { InMemory } from "../../../../src/layers/state/companion/MemoryCompanion.ts"

const State = Schema.Literals([0, 1, 2])
const Op = Schema.Union([
  Schema.TaggedStruct("Commit", {
    state: State,
    by: Schema.Literals(["call", "call", "cast", "callback", "person"]),
    isStale: Schema.Literals([false, false, false, true]),
    answer: Schema.Literals(["none", "none", "none", "a"])
  }),
  Schema.TaggedStruct("Crash", {
    times: Schema.Literals([1, 2, 3]),
    handled: Schema.Literals([false, false, true]),
    activity: Schema.Literals(["Outside", "InHandler", "InCallback", "InCallback"]),
    message: Schema.Literals(["x", "y"])
  }),
  Schema.TaggedStruct("Forget", { really: Schema.Literals([false, false, false, true]) })
])

const activityOf = ({ activity, message: tag }: Extract<typeof Op.Type, { readonly _tag: "Crash" }>) => {
  switch (activity) {
    case "Outside":
      return { _tag: activity } as const
    case "InHandler":
      return { _tag: activity, message: { tag, payload: {} } } as const
    case "InCallback":
      return { _tag: activity, callback: "restore", why: tag } as const
  }
}

for (const onSuspect of ["rollback", "refuse", undefined] as const) {
  it.effect.prop(
    `any life of a state is the same in memory and in a table (onSuspect: ${onSuspect})`,
    { ops: Schema.Array(Op) },
    ({ ops }) =>
      Effect.gen(function*() {
        const policy = { onSuspect, answers: { maxCount: 3, maxAge: 1000 } }
        const memory = new InMemory<number>("key", policy)
        const table = new InTable<number>("key", "row", new Map(), policy)
        let incarnation = 1
        let restored = 0
        const both = <A>(f: (keeper: InMemory<number> | InTable<number>) => A): A => {
          const [left, right] = [f(memory), f(table)]
          assert.deepStrictEqual(left, right)
          return left
        }
        for (const op of ops) {
          switch (op._tag) {
            case "Commit": {
              const answers = op.answer === "none" ? undefined : [{ id: op.answer, at: 0, body: op.answer }]
              both((keeper) => keeper.commit(op.isStale ? incarnation - 1 : incarnation, op.state, op.by, answers))
              break
            }
            case "Crash":
              for (let i = 0; i < op.times; i++) {
                both((keeper) =>
                  keeper.observe(crashed(Cause.die("boom")), {
                    restored,
                    handled: op.handled,
                    activity: activityOf(op)
                  })
                )
                incarnation++
                const taken = both((keeper) => keeper.takeOver(incarnation))
                const decision = "decision" in taken ? taken.decision : undefined
                restored = decision?._tag === "Restore"
                  ? decision.snapshot.seq
                  : decision?._tag === "RollBack"
                  ? decision.to.seq
                  : 0
              }
              break
            case "Forget":
              if (op.really) both((keeper) => keeper.forget())
              break
          }
          assert.deepStrictEqual(yield* memory.snapshots, yield* table.snapshots)
          assert.deepStrictEqual(yield* memory.aside, yield* table.aside)
          both((keeper) => keeper.recorded("a"))
        }
      }),
    { arbitrary: { runs: 400 } }
  )
}
