/**
 * Node's own SQLite, loaded when a database is opened: where it is not there, the module that wants it is there all the
 * same, and everything else that is imported with it.
 *
 * What is asked of it is looked for by name, not by version: Node 22.13 to 22.15 and 23 have a `node:sqlite` without
 * it.
 *
 * @since 0.1.0
 */
import { Effect, Schema } from "effect"
import process from "node:process"
import type * as Sqlite from "node:sqlite"

/** This Node has no SQLite, or one that cannot do what is asked of it. */
export class UnsupportedNode extends Schema.TaggedError<UnsupportedNode>()("UnsupportedNode", {
  found: Schema.String,
  missing: Schema.String
}) {
  override get message(): string {
    return `SQLite needs Node 22.16 or later of Node 22, or Node 24 or later; this is Node ${this.found}, which has no ` +
      `${this.missing}. Run the app on one of those, or keep its states in a folder (StateStoreFile) or in PostgreSQL ` +
      "(StateStoreSql)."
  }
}

type NodeSqlite = typeof Sqlite

/** The first thing that the client uses and that is not there. `isTransaction` came with `setReturnArrays`. */
const missingOf = (sqlite: NodeSqlite | undefined): string | undefined => {
  if (sqlite === undefined) return "node:sqlite"
  const method = ["columns", "setReturnArrays"].find((name) => !(name in sqlite.StatementSync.prototype))
  return method === undefined ? undefined : `StatementSync.${method}`
}

/** `node:sqlite` with all that the client uses. */
export const load: Effect.Effect<NodeSqlite, UnsupportedNode> = Effect.suspend(() => {
  // Node 20 had no such function before 20.16, and has no SQLite.
  const sqlite: NodeSqlite = process.getBuiltinModule?.("node:sqlite")
  const missing = missingOf(sqlite)
  return missing === undefined
    ? Effect.succeed(sqlite)
    : Effect.fail(new UnsupportedNode({ found: process.versions.node, missing }))
})
