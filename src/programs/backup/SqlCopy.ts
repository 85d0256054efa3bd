/**
 * A store copied from one SQL database to another, row by row: as it was at one moment, while an app goes on writing to
 * it.
 *
 * Rows are copied as they are, checksums and all: what is damaged is damaged in the copy, and says so there.
 */
import { Effect } from "effect"
import type { SqlClient, SqlConnection, SqlError } from "effect/sql"
import * as SqlStatements from "../../layers/state/rows/SqlStatements.ts"
import { prepare } from "../../layers/state/sql/SqlSchema.ts"

type Row = SqlConnection.Row

/** Rows that are read, and written, at once. */
const page = 500

/** What is copied of each table, and what tells its rows apart. What was set aside is numbered anew. */
const copied = [
  { name: "owners", id: ["owner"], columns: ["owner", "epoch", "commits"] },
  {
    name: "snapshots",
    id: ["key", "slot"],
    columns: ["key", "slot", "seq", "epoch", "version", "trusted", "at", "state", "sum"]
  },
  { name: "answers", id: ["key", "seq", "id"], columns: ["key", "id", "seq", "at", "body", "sum"] },
  { name: "timers", id: ["key", "seq"], columns: ["key", "seq", "due", "timers", "sum"] },
  {
    name: "aside",
    id: ["id"],
    columns: [
      "key",
      "seq",
      "epoch",
      "version",
      "trusted",
      "at",
      "state",
      "answers",
      "why",
      "aside_at",
      "timers",
      "sum"
    ]
  }
] as const

const placeholders = (dialect: SqlStatements.Dialect, count: number, from = 0): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, i) => dialect === "pg" ? `$${from + i + 1}` : "?")

const isPg = (client: SqlClient.SqlClient): boolean => client.onDialectOrElse({ pg: () => true, orElse: () => false })

const dialectOf = (client: SqlClient.SqlClient): SqlStatements.Dialect => isPg(client) ? "pg" : "sqlite"

/** Copies the store in the tables that begin with `table`; those of the target are made, and must be empty. */
export const copy = Effect.fnUntraced(function*(
  source: SqlClient.SqlClient,
  target: SqlClient.SqlClient,
  table = "heirloom_state"
): Effect.fn.Return<void, SqlError.SqlError> {
  const [from, to] = [source.withoutTransforms(), target.withoutTransforms()]
  const [read, write] = [dialectOf(from), dialectOf(to)]
  const statements = SqlStatements.make(write, table)

  const copyTable = Effect.fnUntraced(function*({ columns, id, name }: (typeof copied)[number]) {
    const key = id.join(", ")
    const into = `INSERT INTO ${statements.names[name]} (${columns.join(", ")})
      VALUES (${placeholders(write, columns.length).join(", ")})`
    let last: ReadonlyArray<unknown> | undefined
    while (true) {
      const after = last === undefined ? "" : `WHERE (${key}) > (${placeholders(read, id.length).join(", ")})`
      const rows: ReadonlyArray<Row> = yield* from.unsafe<Row>(
        `SELECT * FROM ${statements.names[name]} ${after} ORDER BY ${key} LIMIT ${page}`,
        last ?? []
      )
      for (const row of rows) yield* to.unsafe(into, columns.map((column) => row[column]))
      const newest = rows.at(-1)
      if (newest === undefined) return
      last = id.map((column) => newest[column])
    }
  })

  // All of it as it is at one moment: in PostgreSQL a transaction has to ask for that.
  const still: Effect.Effect<unknown, SqlError.SqlError> = read === "pg"
    ? from.unsafe("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    : Effect.void
  yield* from.withTransaction(Effect.andThen(
    still,
    to.withTransaction(Effect.andThen(
      prepare(statements, ([text, params]) => to.unsafe<Row>(text, params)),
      Effect.forEach(copied, copyTable, { discard: true })
    ))
  ))
})
