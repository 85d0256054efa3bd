/**
 * What a database answers, as the SQL store needs it: rows as records, errors as reasons.
 *
 * @since 0.1.0
 */
import type { SqlConnection, SqlError } from "effect/sql"
import * as KeyText from "../../domain/state/KeyText.ts"
import type { AsideRecord, RecordedAnswer, SnapshotRecord } from "../../domain/state/SnapshotRecord.ts"
import type { StoreErrorReason } from "../../domain/state/StoreError.ts"

const codeOf = (cause: unknown): unknown => {
  const error: { readonly code?: unknown; readonly errcode?: unknown; readonly cause?: unknown } = Object(cause)
  return error.errcode ?? error.code ?? (error.cause === undefined ? undefined : codeOf(error.cause))
}

/**
 * What a database's error means for a store: SQLITE_FULL and PostgreSQL's disk_full; SQLITE_CORRUPT, SQLITE_NOTADB and
 * PostgreSQL's data_corrupted; anything else may pass.
 */
export const reasonOf = (error: SqlError.SqlError): StoreErrorReason => {
  const code = codeOf(error.reason.cause)
  if (code === 13 || code === "53100") return { _tag: "Full", cause: error }
  if (code === 11 || code === 26 || code === "XX001" || code === "XX002") {
    return { _tag: "Corrupt", what: error.message }
  }
  return { _tag: "Unavailable", cause: error }
}

/** A snapshot out of its row. */
export const snapshotOf = (row: SqlConnection.Row): SnapshotRecord => ({
  key: KeyText.decode(String(row["key"])),
  epoch: Number(row["epoch"]),
  seq: Number(row["seq"]),
  version: Number(row["version"]),
  state: String(row["state"]),
  trusted: Number(row["trusted"]),
  at: Number(row["at"])
})

/** A recorded answer out of its row. */
export const answerOf = (row: SqlConnection.Row): RecordedAnswer => ({
  id: KeyText.decode(String(row["id"])),
  seq: Number(row["seq"]),
  at: Number(row["at"]),
  body: String(row["body"])
})

/** What was set aside out of its row. */
export const asideOf = (row: SqlConnection.Row): AsideRecord => ({
  ...snapshotOf(row),
  // What the store itself wrote, under the same name and version of the table.
  answers: JSON.parse(String(row["answers"])) as ReadonlyArray<RecordedAnswer>,
  why: KeyText.decode(String(row["why"])),
  asideAt: Number(row["aside_at"])
})
