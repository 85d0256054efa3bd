/** The peer: an entity of effect's that keeps its state in the database by hand, as one would without a fence. */
import { Effect, Schema } from "effect"
import { Entity } from "effect/cluster"
import { Rpc } from "effect/rpc"
import { SqlClient } from "effect/sql"

export const ByHand = Entity.make("ByHand", [
  Rpc.make("Add", { payload: { words: Schema.Int }, success: Schema.Int })
])

export const byHandTable = "CREATE TABLE IF NOT EXISTS by_hand (key text PRIMARY KEY, updates bigint NOT NULL)"

/** It reads its row when it starts, remembers it, and writes it with each update. */
export const ByHandLive = ByHand.toLayer(
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const { entityId } = yield* Entity.CurrentAddress
    const [row] = yield* Effect.orDie(sql<{ updates: number }>`SELECT updates FROM by_hand WHERE key = ${entityId}`)
    let updates = Number(row?.updates ?? 0)
    return ByHand.of({
      Add: () =>
        Effect.orDie(Effect.gen(function*() {
          const next = updates + 1
          yield* sql`INSERT INTO by_hand (key, updates) VALUES (${entityId}, ${next})
            ON CONFLICT (key) DO UPDATE SET updates = ${next}`
          updates = next
          return next
        }))
    })
  }),
  { mailboxCapacity: "unbounded" }
)
