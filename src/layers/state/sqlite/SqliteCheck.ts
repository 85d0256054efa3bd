/**
 * Whether the tables of a store hang together in a SQLite database, asked of SQLite when the store is opened.
 *
 * The rows themselves have checksums. What leads to them has none: an index in which an entry is damaged finds a row no
 * more, and says nothing. So the indexes are made anew out of their tables. Where the two say different things of a
 * row, the one counts that adds up; a row that is in the index alone is one that was lost. Where a table itself is
 * damaged, that is said.
 *
 * @since 0.1.0
 */
import { Effect } from "effect"
import { Hex } from "effect/encoding"
import type { SqlConnection } from "effect/sql"
import { damageOf } from "../../../domain/state/stored/RowSum.ts"
import { safely } from "../../observation/SafeLog.ts"
import { markKey } from "../rows/MarkStatements.ts"
import type { Statements } from "../rows/SqlStatements.ts"
import type { Check, Execute } from "../sql/DatabaseFiles.ts"
import { type Summed, summedTables } from "../sql/SqlSchema.ts"

type Row = SqlConnection.Row
type Names = Statements["names"]

/** A database with more bytes is not looked through: that takes some seconds for each gigabyte. */
export const mostBytes = 64 * 1024 * 1024

/** For so many sums the keys of damaged rows are sought: where a whole table is damaged, that would have no end. */
const mostSums = 1_000_000

/** Problems that are shown. */
const shown = 3

const text = (lines: ReadonlyArray<string>): string =>
  lines.slice(0, shown).join("; ") + (lines.length > shown ? `; and ${lines.length - shown} more` : "")

/** A value as a statement has it. A statement ends at a zero byte, which a damaged text may have. */
const quoted = (value: unknown): string => {
  if (typeof value === "number" || typeof value === "bigint") return String(value)
  const text = String(value)
  return text.includes("\0")
    ? `CAST(x'${Hex.encode(text)}' AS text)`
    : `'${text.replaceAll("'", "''")}'`
}

/** The columns of a row that was lost: it does not match its sum, and is read as lost. */
const lostColumns: { readonly [Name in Summed["name"]]?: string } = {
  snapshots: "seq, epoch, version, trusted, at, state, sum) VALUES (0, 0, 0, 0, 0, '', 0",
  timers: "timers, sum) VALUES ('[]', 0"
}

/** What the index of a table says of its rows otherwise than the table, as statements that set the table right. */
const corrections = Effect.fnUntraced(function*(execute: Execute, table: string, { id, name, sum }: Summed) {
  const lost = lostColumns[name]
  if (lost === undefined) return []
  const entries = yield* execute(
    `SELECT rowid AS place, ${id.join(", ")} FROM ${table} INDEXED BY sqlite_autoindex_${table}_1`
  )
  const rows = yield* execute(`SELECT rowid AS place, * FROM ${table} NOT INDEXED`)
  const byPlace = new Map(rows.map((row) => [row["place"], row]))
  const statements: Array<string> = []
  for (const entry of entries) {
    const row: Row | undefined = byPlace.get(entry["place"])
    if (row === undefined) {
      const [values, rest] = lost.split(") VALUES (") as [string, string]
      const ids = id.map((column) => quoted(entry[column!])).join(", ")
      statements.push(`INSERT OR IGNORE INTO ${table} (${id.join(", ")}, ${values}) VALUES (${ids}, ${rest})`)
    } else if (
      id.some((column) => row[column!] !== entry[column!]) && damageOf(row["sum"], sum(row)) !== undefined
    ) {
      const ids = id.map((column) => `${column} = ${quoted(entry[column!])}`).join(", ")
      statements.push(`UPDATE OR IGNORE ${table} SET ${ids} WHERE rowid = ${quoted(entry["place"])}`)
    }
  }
  return statements
})

/**
 * Statements for stray answers that lie beside each other, and may be of any of these keys. What fits one goes back to
 * it; the others count as lost for all, for which one of them stands.
 */
const settled = (table: string, run: ReadonlyArray<Row>, keys: ReadonlyArray<unknown>, sum: Summed["sum"]) => {
  const statements: Array<string> = []
  const save = ({ at, body, id, seq }: Row, key: unknown, sum: unknown) => {
    const values = [key, id, seq, at, body, sum].map(quoted).join(", ")
    statements.push(`INSERT OR IGNORE INTO ${table} (key, id, seq, at, body, sum) VALUES (${values})`)
  }
  const isSought = run.length * keys.length <= mostSums
  const ownOf = (row: Row) =>
    keys.find((key) => key !== row["key"] && damageOf(row["sum"], sum({ ...row, key })) === undefined)
  let lost: Row | undefined
  for (const row of run) {
    const own = isSought ? ownOf(row) : undefined
    if (own === undefined) lost ??= row["id"] === markKey ? undefined : row
    else {
      save(row, own, row["sum"])
      const { id, key, seq } = row
      statements.push(`DELETE FROM ${table} WHERE key = ${quoted(key)} AND seq = ${quoted(seq)} AND id = ${quoted(id)}`)
    }
  }
  if (lost !== undefined) { for (const key of keys) if (key !== lost["key"] && key !== markKey) save(lost, key, 0) }
  return statements
}

/**
 * Recorded answers have no index beside them. One whose key is damaged lies where its key is in their order: between
 * two that are whole. So its key is one of theirs, or of a snapshot between the two. It goes back to that key, or
 * counts as lost for all that it may have been of.
 */
const strays = Effect.fnUntraced(function*(execute: Execute, names: Names, { sum }: Summed) {
  const rows = yield* execute(`SELECT * FROM ${names.answers}`)
  const isStray = rows.map((row) => damageOf(row["sum"], sum(row)) === "row")
  const statements: Array<string> = []
  for (let at = isStray.indexOf(true); at !== -1;) {
    const end = isStray.indexOf(false, at)
    const [before, after] = [rows[at - 1]?.["key"], rows[end]?.["key"]]
    const between = yield* execute(
      `SELECT DISTINCT key FROM ${names.snapshots} WHERE ${
        before === undefined ? "true" : `key >= ${quoted(before)}`
      } AND ${after === undefined ? "true" : `key <= ${quoted(after)}`}`
    )
    const keys = new Set([before, ...between.map(({ key }) => key), after].filter((key) => key !== undefined))
    const run = rows.slice(at, end === -1 ? undefined : end)
    for (const one of settled(names.answers, run, [...keys], sum)) statements.push(one)
    at = end === -1 ? -1 : isStray.indexOf(true, end)
  }
  return statements
})

/** Looks through the tables of a store: what is wrong with them for good, if something is. */
export const check: Check = (execute, store, names) =>
  Effect.gen(function*() {
    const number = (text: string, column: string) => Effect.map(execute(text), ([row]) => Number(row?.[column]))
    const bytes = (yield* number("PRAGMA page_count", "page_count")) * (yield* number("PRAGMA page_size", "page_size"))
    if (bytes > mostBytes) return undefined
    const found = new Set(
      (yield* execute("SELECT name FROM sqlite_master WHERE type = 'table'")).map((row) => String(row["name"]))
    )
    const own = Object.values(names).filter((name) => found.has(name))
    const problems = Effect.map(
      Effect.forEach(own, (table) => execute(`PRAGMA integrity_check(${table})`)),
      (rows) => rows.flat().map((row) => String(row["integrity_check"])).filter((text) => text !== "ok")
    )
    // What does not go in one place goes in the others.
    const mended = (statements: ReadonlyArray<string>) =>
      Effect.forEach(statements, (one) => Effect.ignore(execute(one)), { discard: true })
    const before = yield* problems
    const answers = summedTables.find(({ name }) => name === "answers")!
    const moved = found.has(names.answers)
      ? yield* Effect.orElseSucceed(strays(execute, names, answers), () => [])
      : []
    if (before.length === 0) {
      yield* mended(moved)
      return undefined
    }
    const statements = yield* Effect.forEach(
      summedTables.filter(({ name }) => found.has(names[name])),
      (one) => Effect.orElseSucceed(corrections(execute, names[one.name], one), () => [])
    )
    yield* mended([...own.map((table) => `REINDEX ${table}`), ...statements.flat(), ...moved])
    const after = yield* problems
    if (after.length > 0) return text(after)
    const entry = Effect.logError(
      `the indexes of the state store "${store}" did not match its tables, and were made anew: ${text(before)}`
    )
    yield* safely(Effect.annotateLogs(entry, { store }))
    return undefined
  })
