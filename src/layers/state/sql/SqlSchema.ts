/**
 * The tables of the SQL store: made where there are none, brought to this version where an earlier one has made them,
 * and in PostgreSQL watched.
 *
 * Version 0.1 had no checksums, and would not write them. So its tables are copied, with a checksum of each row as it
 * is found, into new ones, which refuse a row without one: of two versions on one database the earlier one stops.
 *
 * @since 0.1.0
 */
import { Effect } from "effect"
import type { SqlConnection } from "effect/sql"
import * as RowSums from "../rows/RowSums.ts"
import { isTableMissing } from "../rows/SqlRows.ts"
import type { Bound, Statements } from "../rows/SqlStatements.ts"
import type { Execute, Lost, Watch } from "./DatabaseFiles.ts"

type Row = SqlConnection.Row

/** Asks the database. */
type Run<E> = (statement: Bound) => Effect.Effect<ReadonlyArray<Row>, E>

/** Rows that are read at once. */
const page = 500

/** What holds of the rows of a table: their columns, those that tell them apart, and what one adds up to. */
export interface Summed {
  readonly name: "snapshots" | "answers" | "timers" | "aside"
  readonly columns: ReadonlyArray<string>
  readonly id: readonly [first: string, second?: string]
  readonly sum: (row: Row) => number
}

const text = (row: Row, column: string): string => String(row[column])
const number = (row: Row, column: string): number => Number(row[column])
const snapshot = (row: Row): RowSums.Snapshot => ({
  seq: number(row, "seq"),
  epoch: number(row, "epoch"),
  version: number(row, "version"),
  trusted: number(row, "trusted"),
  at: number(row, "at"),
  state: text(row, "state")
})

/** The tables whose rows have a sum. */
export const summedTables: ReadonlyArray<Summed> = [
  {
    name: "snapshots",
    columns: ["key", "slot", "seq", "epoch", "version", "trusted", "at", "state"],
    id: ["key", "slot"],
    sum: (row) => RowSums.ofSnapshot(RowSums.ofText(text(row, "key")), snapshot(row))
  },
  {
    name: "answers",
    columns: ["key", "id", "seq", "at", "body"],
    id: ["key", "id"],
    sum: (row) =>
      RowSums.ofAnswer(text(row, "key"), text(row, "id"), number(row, "seq"), number(row, "at"), text(row, "body"))
  },
  {
    name: "timers",
    columns: ["key", "seq", "due", "timers"],
    id: ["key", "seq"],
    sum: (row) => RowSums.ofTimers(text(row, "key"), number(row, "seq"), text(row, "timers"))
  },
  {
    name: "aside",
    columns: ["key", "seq", "epoch", "version", "trusted", "at", "state", "answers", "why", "aside_at", "timers"],
    // Numbered anew: a database that counts them would not know of those that were copied.
    id: ["id"],
    sum: (row) =>
      RowSums.ofAside(text(row, "key"), snapshot(row), number(row, "aside_at"), [
        text(row, "answers"),
        text(row, "why"),
        row["timers"] === null || row["timers"] === undefined ? null : text(row, "timers")
      ])
  }
]

/**
 * Watches the tables of a store on PostgreSQL: of one that is not found it is known by its number whether it is there
 * under another name, or in another schema.
 */
export const watchTables = (execute: Execute, { names }: Statements): Effect.Effect<Watch | undefined> => {
  const all = Object.values(names)
  const numbers = execute(`SELECT ${all.map((name) => `to_regclass('${name}')::oid::bigint AS "${name}"`)}`)
  return Effect.map(Effect.orElseSucceed(numbers, () => []), ([row]) => {
    if (row === undefined) return undefined
    const known = all.map((name) => `('${name}', ${row[name]})`)
    const look = execute(`SELECT t.name, c.oid IS NULL AS missing FROM (VALUES ${known}) AS t (name, number)
      LEFT JOIN pg_class AS c ON c.oid = t.number WHERE to_regclass(t.name)::oid IS DISTINCT FROM t.number::oid`)
    const lost = Effect.map(
      look,
      ([gone]): Lost | undefined =>
        gone && { path: `table ${gone["name"]}`, how: gone["missing"] === true ? "missing" : "moved" }
    )
    return (failure) => failure !== undefined && isTableMissing(failure) ? lost : undefined
  })
}

/** A trigger of SQLite that runs before, which one without a word does. */
const isBefore = (trigger: string): boolean => !/^\s*CREATE\s[^(]*?\sAFTER\s/i.test(trigger)

/**
 * What of something else stands between the store and its tables, if anything does: a trigger that runs before a row is
 * written, or a rule of PostgreSQL. Either may drop what is written, or change it, and nothing fails.
 */
export const meddling = <E>({ dialect, names }: Statements, run: Run<E>): Effect.Effect<string | undefined, E> => {
  const all = Object.values(names)
  const list = all.map((name) => `'${name}'`)
  const tables = all.map((name) => `to_regclass('${name}')`)
  const asked = dialect === "pg"
    ? `SELECT 'trigger' AS kind, tgname AS name, tgrelid::regclass::text AS owner FROM pg_trigger
       WHERE tgrelid IN (${tables}) AND NOT tgisinternal AND tgenabled <> 'D' AND tgtype & 3 = 3
       UNION ALL SELECT 'rule', rulename, ev_class::regclass::text FROM pg_rewrite WHERE ev_class IN (${tables})`
    : `SELECT type AS kind, name, tbl_name AS owner, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name IN (${list})`
  return Effect.map(run([asked, []]), (rows) => {
    const found = rows.find((row) => dialect === "pg" || isBefore(text(row, "sql")))
    return found &&
      `the table ${found["owner"]} has a ${found["kind"]} "${found["name"]}", which may drop or change what is ` +
        "written to it: remove that, or make it a trigger that runs AFTER"
  })
}

/** The statements that make the tables of a store. */
const tablesOf = ({ dialect, names: { answers, aside, owners, snapshots: table, timers } }: Statements) => {
  const pg = dialect === "pg"
  // Keys are compared by their bytes, never by a language's rules.
  const text = pg ? `text COLLATE "C"` : "text"
  const float = pg ? "double precision" : "real"
  /** Room for the versions of a row that is written over, and when those that are dead are vacuumed. */
  const stored = (fill: number): string =>
    pg ? ` WITH (fillfactor = ${fill}, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000)` : ""
  return [
    `CREATE TABLE IF NOT EXISTS ${table} (
       key ${text} NOT NULL, slot ${pg ? "smallint" : "integer"} NOT NULL, seq bigint NOT NULL, epoch bigint NOT NULL,
       version integer NOT NULL, trusted bigint NOT NULL, at ${float} NOT NULL, state text NOT NULL, sum bigint NOT NULL,
       PRIMARY KEY (key, slot))${stored(80)}`,
    `CREATE TABLE IF NOT EXISTS ${answers} (
       key ${text} NOT NULL, id ${text} NOT NULL, seq bigint NOT NULL, at ${float} NOT NULL, body text NOT NULL,
       sum bigint NOT NULL, PRIMARY KEY (key, seq, id))${pg ? stored(100) : " WITHOUT ROWID"}`,
    `CREATE TABLE IF NOT EXISTS ${timers} (
       key ${text} NOT NULL, seq bigint NOT NULL, due ${float}, timers text NOT NULL, sum bigint NOT NULL,
       PRIMARY KEY (key, seq))${stored(90)}`,
    `CREATE INDEX IF NOT EXISTS ${timers}_due ON ${timers} (due, key) WHERE due IS NOT NULL`,
    `CREATE TABLE IF NOT EXISTS ${aside} (
       id ${pg ? "bigserial" : "integer"} PRIMARY KEY, key ${text} NOT NULL, seq bigint NOT NULL, epoch bigint NOT NULL,
       version integer NOT NULL, trusted bigint NOT NULL, at ${float} NOT NULL, state text NOT NULL,
       answers text NOT NULL, why text NOT NULL, aside_at ${float} NOT NULL, timers text,
       sum bigint NOT NULL)`,
    `CREATE INDEX IF NOT EXISTS ${aside}_key ON ${aside} (key)`,
    `CREATE TABLE IF NOT EXISTS ${owners} (owner ${text} PRIMARY KEY, epoch bigint NOT NULL UNIQUE,
       commits bigint NOT NULL DEFAULT 0)${stored(10)}`
  ]
}

/**
 * Makes the tables, in a transaction of its caller: whether there were none of a store, or those of an earlier version.
 */
export const prepare = <E>(sql: Statements, run: Run<E>): Effect.Effect<boolean, E> => {
  const { dialect, names } = sql
  const plain = (text: string) => run([text, []])
  const columnsOf = (table: string) =>
    Effect.map(run(sql.columnsOf(table)), (rows) => new Set(rows.map((row) => text(row, "name"))))
  const placeholder = (n: number) => dialect === "pg" ? `$${n}` : "?"

  /** Moves a table of an earlier version out of the way, and adds the sums to it. */
  const summed = Effect.fnUntraced(function*({ columns, id, name, sum }: Summed) {
    const table = names[name]
    const old = `${table}_0_1`
    const found = yield* columnsOf(table)
    // What is no table of this store is left as it is.
    if (!found.has("key") || found.has("sum")) return undefined
    yield* plain(`ALTER TABLE ${table} RENAME TO ${old}`)
    yield* plain(`DROP INDEX IF EXISTS ${name === "aside" ? `${table}_key` : `${table}_due`}`)
    yield* plain(`ALTER TABLE ${old} ADD COLUMN sum bigint`)
    const key = id.join(", ")
    const places = id.map((_, i) => placeholder(i + 1)).join(", ")
    let last: ReadonlyArray<unknown> | undefined
    for (;;) {
      const after = last === undefined ? "" : `WHERE (${key}) > (${places})`
      const rows = yield* run([`SELECT * FROM ${old} ${after} ORDER BY ${key} LIMIT ${page}`, last ?? []])
      for (const row of rows) {
        const which = id.map((column, i) => `${column} = ${placeholder(i + 2)}`).join(" AND ")
        yield* run([`UPDATE ${old} SET sum = ${placeholder(1)} WHERE ${which}`, [sum(row), ...id.map((c) => row[c!])]])
      }
      const [newest] = rows.slice(-1)
      if (newest === undefined) return { table, old, key, columns: columns.filter((one) => found.has(one)).join(", ") }
      last = id.map((column) => newest[column!])
    }
  })

  /** A role that may do no more than read and write opens tables that are there. */
  const isPrepared = Effect.gen(function*() {
    for (const { name } of summedTables) if (!(yield* columnsOf(names[name])).has("sum")) return false
    return (yield* columnsOf(names.owners)).has("commits")
  })

  return Effect.gen(function*() {
    if (yield* isPrepared) return false
    if (sql.bounds !== undefined) yield* run(sql.bounds)
    if (sql.lockTables !== undefined) yield* run(sql.lockTables)
    const found = yield* Effect.forEach(
      [...summedTables.map(({ name }) => names[name]), names.owners],
      (table) => Effect.map(columnsOf(table), ({ size }) => size > 0)
    )
    const copies = yield* Effect.forEach(summedTables, summed)
    yield* Effect.forEach(tablesOf(sql), plain)
    for (const copy of copies) {
      if (copy === undefined) continue
      const { columns, key, old, table } = copy
      yield* plain(`INSERT INTO ${table} (${columns}, sum) SELECT ${columns}, sum FROM ${old} ORDER BY ${key}`)
      yield* plain(`DROP TABLE ${old}`)
    }
    const owners = yield* columnsOf(names.owners)
    if (owners.has("epoch") && !owners.has("commits")) {
      yield* plain(`ALTER TABLE ${names.owners} ADD COLUMN commits bigint NOT NULL DEFAULT 0`)
      // Each commit writes it over.
      if (dialect === "pg") yield* plain(`ALTER TABLE ${names.owners} SET (fillfactor = 10)`)
    }
    return !found.includes(true) || copies.some((copy) => copy !== undefined)
  })
}
