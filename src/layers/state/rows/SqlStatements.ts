/**
 * The statements of the SQL store, for SQLite and for PostgreSQL.
 *
 * Five tables: the snapshots (a ring of slots for every key, so that a commit overwrites one row and deletes none), the
 * recorded answers, the timers (a row for each snapshot with which they changed; that of the newest one has a due time,
 * by which they are found), what was set aside, and the owners' epochs. Each row says what it adds up to.
 *
 * *Tricky*
 * - The fence is inside the upsert. Its epoch column is not a parameter but looked up among the epochs in force; a
 *   stale one is not found, NULL violates the column's constraint, and the database itself refuses the whole statement.
 *   So a batch is one statement, one round trip and one commit, and still checked in the transaction that writes it. A
 *   row that is newer than what would be written over it refuses the statement in the same way.
 * - Keys that are claimed one by one have an epoch each. One statement of PostgreSQL takes a turn of all of them, and
 *   writes the answers, too: a process that stands still holds no lock in the middle of a batch.
 * - A backend of PostgreSQL may execute a statement long after its client has given it up, and has made the same write
 *   and others over another connection. So every write there takes the next turn of its owner: the owner's row counts
 *   them, and one whose turn is over finds no row. A turn locks the row: no epoch is acquired before it has committed.
 * - Answers lie in the order of their snapshots: new ones are appended to those of their key, and the oldest leave at
 *   the front, so a commit touches a page or two however many there are. Of an id that is there twice the later counts.
 * - Rows of PostgreSQL that are written over leave dead ones behind. The tables have room on their pages for the next
 *   versions, which then need no index entry and are cleared away by the next write; what is left is vacuumed early.
 * - Numbers go to PostgreSQL as the text of an array: a client may refuse small and large ones in one.
 * - A wait for a lock of PostgreSQL, and an idle transaction, last for a bounded time. Both bounds are set in
 *   the statement itself, for its transaction alone: the connection may be another's before and after.
 *
 * @since 0.1.0
 */
import { Struct } from "effect"
import { prefix } from "../../../domain/state/MadeKey.ts"
import * as MarkStatements from "./MarkStatements.ts"
import { markKey } from "./MarkStatements.ts"

/** A dialect that the store speaks. */
export type Dialect = "sqlite" | "pg"

/** A row to write: what the columns hold, in their order. */
export interface SlotRow {
  readonly key: string
  readonly slot: number
  readonly seq: number
  readonly version: number
  readonly trusted: number
  readonly at: number
  readonly state: string
  readonly sum: number
}

/** Timers to write: those of a key from a snapshot on, and when the earliest that is to be found is due; null: none. */
export interface TimerRow {
  readonly key: string
  readonly seq: number
  readonly due: number | null
  readonly timers: string
  readonly sum: number
}

/** An answer to write. */
export interface AnswerRow {
  readonly key: string
  readonly id: string
  readonly seq: number
  readonly at: number
  readonly body: string
  readonly sum: number
}

/** The answers of a key before a snapshot are to be forgotten: those under made keys, or those under others. */
export interface Floor {
  readonly key: string
  readonly seq: number
  readonly made: boolean
}

/** The rows of a batch under one epoch, and the last turn under it that is known to be stored. */
export interface Turned {
  readonly epoch: number
  readonly last: number
  readonly rows: ReadonlyArray<SlotRow>
}

/** What of answers goes with a batch: those that are recorded, and which are forgotten. */
export interface Along {
  readonly rows: ReadonlyArray<AnswerRow>
  readonly floors: ReadonlyArray<Floor>
}

/** A statement with its parameters. */
export type Bound = readonly [text: string, params: ReadonlyArray<unknown>]

/** Rows in one SQLite statement: each number of rows is a statement of its own to prepare. */
const sqliteRows = 64

/** Rows in one PostgreSQL statement, which is the same for any number: this only bounds a message's size. */
const maxPgRows = 1000

/** How long a statement of PostgreSQL waits for a lock, and a transaction for its next statement, by default. */
export const defaultPatience = 10_000

/** Columns with their types in PostgreSQL, in the order of a statement's. */
type Types<Row> = { readonly [Column in keyof Row]-?: string }

const snapshotTypes: Types<SlotRow> = {
  key: "text",
  slot: "smallint",
  seq: "bigint",
  version: "integer",
  trusted: "bigint",
  at: "float8",
  state: "text",
  sum: "bigint"
}
const inEpochTypes = { epoch: "bigint", ...snapshotTypes }
const answerTypes: Types<AnswerRow> = {
  key: "text",
  id: "text",
  seq: "bigint",
  at: "float8",
  body: "text",
  sum: "bigint"
}
const timerTypes: Types<TimerRow> = { key: "text", seq: "bigint", due: "float8", timers: "text", sum: "bigint" }
const floorTypes: Types<Floor> = { key: "text", seq: "bigint", made: "boolean" }
const turnTypes: Types<Omit<Turned, "rows">> = { epoch: "bigint", last: "bigint" }

/** Rows that come as one array for each column. */
const unnest = (types: Types<unknown>, name = "u"): string =>
  `unnest(${Object.values(types).map((type) => `?::${type}[]`)}) AS ${name} (${Object.keys(types)})`

/** The arrays of these: numbers as text. */
const arraysOf = <Row>(types: Types<Row>, rows: ReadonlyArray<Row>): ReadonlyArray<unknown> =>
  Struct.keys(types).map((column) => {
    const values = rows.map((row) => row[column])
    return types[column] === "text" ? values : `{${values.map((value) => value ?? "NULL")}}`
  })

/** The statements on the tables that begin with `table`; bounds in milliseconds. */
export const make = (dialect: Dialect, table: string, patience = defaultPatience, idle = patience) => {
  const pg = dialect === "pg"
  const answers = `${table}_answers`
  const timers = `${table}_timers`
  const aside = `${table}_aside`
  const owners = `${table}_owners`
  const numbered = (sql: string): string => {
    let n = 0
    return pg ? sql.replaceAll("?", () => `$${++n}`) : sql
  }
  const inForce = `SELECT epoch FROM ${owners} WHERE epoch = ?`
  const columns = Object.keys(snapshotTypes).join(", ")

  const bounding = [
    `set_config('lock_timeout', '${patience}', true)`,
    `set_config('idle_in_transaction_session_timeout', '${idle}', true)`
  ] as const
  const bounds = `SELECT ${bounding[0]} AS lock, ${bounding[1]} AS idle`
  /** Takes a turn: nothing when it, or the epoch, is over. The bounds are set as its row is found: before a lock. */
  const turn = `UPDATE ${owners} AS o SET commits = ?
    WHERE ${bounding.map((bound) => `${bound} IS NOT NULL`).join(" AND ")}
      AND o.epoch = ? AND o.commits >= ? AND o.commits < ? RETURNING o.epoch, o.commits`

  const overwriting = `ON CONFLICT (key, slot) DO UPDATE SET
       epoch = CASE WHEN t.epoch > excluded.epoch OR t.seq > excluded.seq THEN NULL ELSE excluded.epoch END,
       seq = excluded.seq, version = excluded.version, trusted = excluded.trusted, at = excluded.at,
       state = excluded.state, sum = excluded.sum`

  /**
   * Nothing for a key that another has written since: this one has no part any more in what it was restored to. No row
   * is younger than the youngest epoch: under that one the rows need not be looked at.
   */
  const upsert = (epochs: string, keys: string): string =>
    `INSERT INTO ${table} AS t (epoch, ${columns})
     SELECT (SELECT o.epoch FROM ${epochs} ((SELECT max(m.epoch) FROM ${owners} AS m) <= o.epoch
         OR NOT EXISTS (SELECT 1 FROM ${table} AS s WHERE s.key ${keys} AND s.epoch > o.epoch))), u.*
     FROM ${unnest(snapshotTypes)}
     ${overwriting}`

  const isMade = `substr(id, 1, ${prefix.length}) = '${prefix}'`
  const ofFloors = `FROM ${answers} AS a USING ${unnest(floorTypes)}
      WHERE a.key = u.key AND a.seq < u.seq AND (${isMade}) = u.made`

  const inForceAlone = `${inForce} AND (SELECT data_version FROM pragma_data_version) = ?`
  const inForceByRow = `CASE WHEN NOT EXISTS (SELECT 1 FROM ${table} AS s WHERE s.key = u.column1 AND s.epoch > ?)
    THEN (${inForce}) END`
  const texts = { alone: Array.of<string>(), byRow: Array.of<string>() }
  /**
   * The same. Where no other connection has committed anything since the rings of keys were read, they say who wrote a
   * key: `alone` looks for the epoch once, and finds none where one has. Else the rows are looked at, one by one. No
   * parameter has a number: Node 22.16 takes that for a name.
   */
  const sqliteUpsert = (rows: number, how: "alone" | "byRow"): string =>
    texts[how][rows] ??= `INSERT INTO ${table} AS t (epoch, ${columns})
     SELECT ${how === "alone" ? `(${inForceAlone})` : inForceByRow}, u.*
     FROM (VALUES ${Array.from({ length: rows }, () => "(?,?,?,?,?,?,?,?)").join(",")}) AS u WHERE true
     ${overwriting}`
  // All keys are looked up at once, by the parameter that has them.
  const pgUpsert = numbered(upsert(`${owners} AS o WHERE o.epoch = ? AND`, "= ANY($2::text[])"))
  const pgUpsertAlone = numbered(`WITH turn AS (${turn}) ${upsert("turn AS o WHERE", "= ANY($5::text[])")}`)
  const ofAnswers = `INSERT INTO ${answers} (key, id, seq, at, body, sum)
    ${pg ? `SELECT * FROM ${unnest(answerTypes)}` : "VALUES (?, ?, ?, ?, ?, ?)"}
    ON CONFLICT (key, seq, id) DO UPDATE SET at = excluded.at, body = excluded.body, sum = excluded.sum`
  /** All of a batch in one statement: snapshots under many epochs, a turn for each, and what goes with them. */
  const pgSave = numbered(`WITH bounds AS MATERIALIZED (${bounds}),
    turn AS (UPDATE ${owners} AS o SET commits = ? FROM bounds, ${unnest(turnTypes, "e")}
      WHERE bounds.lock IS NOT NULL AND bounds.idle IS NOT NULL
        AND o.epoch = e.epoch AND o.commits >= e.last AND o.commits < ? RETURNING o.epoch),
    answered AS (${ofAnswers}),
    forgotten AS (DELETE ${ofFloors}),
    u AS MATERIALIZED (SELECT * FROM ${unnest(inEpochTypes)})
    INSERT INTO ${table} AS t (epoch, ${columns})
    SELECT CASE WHEN NOT EXISTS (SELECT 1 FROM u JOIN ${table} AS s ON s.key = u.key AND s.epoch > u.epoch) THEN turn.epoch END,
      u.key, u.slot, u.seq, u.version, u.trusted, u.at, u.state, u.sum
    FROM u LEFT JOIN turn ON turn.epoch = u.epoch
    ${overwriting}`)

  const setTimers = numbered(
    `INSERT INTO ${timers} (key, seq, due, timers, sum)
     SELECT ${
      pg
        ? `* FROM ${unnest(timerTypes)}`
        : `value ->> 'key', value ->> 'seq', value ->> 'due', value ->> 'timers', value ->> 'sum' FROM json_each(?)`
    } WHERE true
     ON CONFLICT (key, seq) DO UPDATE SET due = excluded.due, timers = excluded.timers, sum = excluded.sum`
  )

  const saveAnswer = numbered(ofAnswers)
  const forgetAnswers = numbered(
    pg ? `DELETE ${ofFloors}` : `DELETE FROM ${answers} WHERE key = ? AND seq < ? AND (${isMade}) = ?`
  )
  /** A statement on keys: a list is one parameter in either dialect. */
  const ofKeys = (before: string, after: string) => {
    const sql = numbered(`${before} key ${pg ? "= ANY(?::text[])" : "IN (SELECT value FROM json_each(?))"} ${after}`)
    return (keys: ReadonlyArray<string>, ...more: ReadonlyArray<unknown>): Bound => [
      sql,
      [pg ? keys : JSON.stringify(keys), ...more]
    ]
  }
  const statement = (sql: string) => {
    const text = numbered(sql)
    return (...params: ReadonlyArray<unknown>): Bound => [text, params]
  }

  const upsertRows = (epoch: number, rows: ReadonlyArray<SlotRow>, asOf: number | undefined): Bound => {
    if (pg) return [pgUpsert, [epoch, ...arraysOf(snapshotTypes, rows)]]
    const params: Array<unknown> = [epoch, asOf ?? epoch]
    for (const { at, key, seq, slot, state, sum, trusted, version } of rows) {
      params.push(key, slot, seq, version, trusted, at, state, sum)
    }
    return [sqliteUpsert(rows.length, asOf === undefined ? "byRow" : "alone"), params]
  }
  const epochsOf = numbered(
    `SELECT owner, epoch, commits FROM ${owners} WHERE owner ${
      pg ? "= ANY(?::text[])" : "IN (SELECT value FROM json_each(?))"
    }`
  )
  const turnText = numbered(turn)
  const inForceText = numbered(inForce)
  const ofSnapshot = "key, slot, epoch, seq, version, state, trusted, at, sum"
  const ofAside = "key, epoch, seq, version, state, trusted, at, answers, why, aside_at, timers, sum"

  return {
    rowsPerStatement: pg ? maxPgRows : sqliteRows,
    /** The columns of a table, by which one of an earlier version is recognised; none where there is no such table. */
    columnsOf: statement(
      pg
        ? `SELECT column_name AS name FROM information_schema.columns
           WHERE table_name = lower(?) AND table_schema = ANY(current_schemas(false))`
        : `SELECT name FROM pragma_table_info(?)`
    ),
    dialect,
    ...MarkStatements.make(table, statement),
    names: { snapshots: table, answers, timers, aside, owners },
    // Two clients creating the tables at once collide in PostgreSQL's catalogue; any number will do for the lock.
    lockTables: pg ? statement("SELECT pg_advisory_xact_lock(4714117090)")() : undefined,
    bounds: pg ? statement(bounds)() : undefined,
    // Waits for the writes that have taken a turn, and makes later ones wait for the new epoch.
    lockOwners: pg ? statement(`LOCK TABLE ${owners} IN EXCLUSIVE MODE`)() : undefined,
    acquire: statement(
      `INSERT INTO ${owners} (owner, epoch) SELECT ?, coalesce(max(epoch), 0) + 1 FROM ${owners} WHERE true
       ON CONFLICT (owner) DO UPDATE SET epoch = excluded.epoch, commits = 0 RETURNING epoch`
    ),
    /**
     * Claims a key, without a look at any other row. It is numbered once its row is locked, so that of two who claim it
     * at once the later one is the younger; that waits for the write that has taken a turn.
     */
    claim: statement(`WITH bounds AS MATERIALIZED (${bounds}) INSERT INTO ${owners} (owner, epoch)
       SELECT ?, nextval('${owners}_epoch') FROM bounds WHERE bounds.lock IS NOT NULL AND bounds.idle IS NOT NULL
       ON CONFLICT (owner) DO UPDATE SET epoch = nextval('${owners}_epoch'), commits = 0 RETURNING epoch`),
    /** What numbers the epochs of keys, made when one is claimed first: no other row of owners is written for that. */
    numbering: `CREATE SEQUENCE IF NOT EXISTS ${owners}_epoch`,
    /** After an epoch that was numbered otherwise: those of keys are younger. */
    numberOn: pg
      ? statement(`SELECT setval(to_regclass('${owners}_epoch'), (SELECT max(epoch) FROM ${owners}))
          WHERE to_regclass('${owners}_epoch') IS NOT NULL AND EXISTS (SELECT 1 FROM ${owners})`)()
      : undefined,
    /** Who has acquired the whole store leaves no other in force. */
    supersede: statement(`DELETE FROM ${owners} WHERE owner <> ?`),
    epochsOf: (of: ReadonlyArray<string>): Bound => [epochsOf, [pg ? of : JSON.stringify(of)]],
    newestEpoch: statement(`SELECT max(epoch) AS epoch FROM ${owners}`),
    /** The epoch is in force, and nothing came between: `number` is this turn, `last` the last known to be stored. */
    turn: (epoch: number, last: number, number: number): Bound =>
      pg ? [turnText, [number, epoch, last, number]] : [inForceText, [epoch]],
    /**
     * `asOf`: the version of a SQLite database when the rings of the keys were read, if they say who wrote a key. It is
     * refused under another one.
     */
    upsert: upsertRows,
    /** What a SQLite database answers with until another connection commits. */
    version: statement("SELECT data_version AS version FROM pragma_data_version"),
    /** The same with a turn of its own. */
    upsertAlone: ({ epoch, last, rows }: Turned, number: number, asOf: number | undefined): Bound =>
      pg
        ? [pgUpsertAlone, [number, epoch, last, number, ...arraysOf(snapshotTypes, rows)]]
        : upsertRows(epoch, rows, asOf),
    /** Many epochs at once, each with a turn of its own; PostgreSQL alone. */
    save: (number: number, batch: ReadonlyArray<Turned>, { floors, rows }: Along): Bound => [pgSave, [
      number,
      ...arraysOf(turnTypes, batch),
      number,
      ...arraysOf(answerTypes, rows),
      ...arraysOf(floorTypes, floors),
      ...arraysOf(inEpochTypes, batch.flatMap(({ epoch, rows }) => rows.map((row) => ({ epoch, ...row }))))
    ]],
    slots: ofKeys(`SELECT key, slot, seq, epoch FROM ${table} WHERE`, ""),
    younger: ofKeys(`SELECT ${ofSnapshot} FROM ${table} WHERE`, "AND epoch > ? ORDER BY epoch DESC"),
    /** With the mark of the table, which has no key. */
    snapshots: statement(
      `SELECT ${ofSnapshot} FROM ${table} WHERE key = ?
       UNION ALL SELECT NULL, ${ofSnapshot.slice(5)} FROM ${table} WHERE key = '${markKey}'`
    ),
    /** The answers of a key, the oldest first, its timers, which have no id, and the mark of the answers, with -1. */
    recorded: statement(
      `SELECT id, seq, at, body, sum FROM ${answers} WHERE key = ?
       UNION ALL SELECT NULL, seq, NULL, timers, sum FROM ${timers} WHERE key = ?
       UNION ALL SELECT '${markKey}', -1, at, body, sum FROM ${answers} WHERE key = '${markKey}' AND id = '${markKey}'
       ORDER BY seq, id`
    ),
    saveAnswers: (rows: ReadonlyArray<AnswerRow>): ReadonlyArray<Bound> =>
      pg
        ? [[saveAnswer, arraysOf(answerTypes, rows)]]
        : rows.map(({ at, body, id, key, seq, sum }) => [saveAnswer, [key, id, seq, at, body, sum]]),
    forgetAnswers: (floors: ReadonlyArray<Floor>): ReadonlyArray<Bound> =>
      pg
        ? [[forgetAnswers, arraysOf(floorTypes, floors)]]
        : floors.map(({ key, made, seq }) => [forgetAnswers, [key, seq, Number(made)]]),
    dropAnswer: statement(`DELETE FROM ${answers} WHERE key = ? AND id = ?`),
    /** Before others are taken back: those in whose place these came do not come back. */
    dropReplaced: statement(
      `DELETE FROM ${answers} WHERE key = ? AND seq <= ?
       AND id IN (SELECT o.id FROM ${answers} AS o WHERE o.key = ? AND o.seq > ?)`
    ),
    takeBackAnswers: statement(`DELETE FROM ${answers} WHERE key = ? AND seq > ?`),
    /** Those due by a time, after a place, and the first after that time. */
    due: statement(
      `SELECT * FROM (
         SELECT key, seq, due, timers, sum FROM ${timers} WHERE due <= ? AND (due, key) > (?, ?) ORDER BY due, key LIMIT ?
       ) AS d UNION ALL SELECT * FROM (
         SELECT key, seq, due, timers, sum FROM ${timers} WHERE due > ? AND (due, key) > (?, ?) ORDER BY due, key LIMIT 1
       ) AS l ORDER BY due, key LIMIT ?`
    ),
    /** Before others are set: those of older snapshots are not found by their due time any more. */
    retireTimers: ofKeys(`UPDATE ${timers} SET due = NULL WHERE due IS NOT NULL AND`, ""),
    setTimers: (rows: ReadonlyArray<TimerRow>): Bound => [
      setTimers,
      pg ? arraysOf(timerTypes, rows) : [JSON.stringify(rows)]
    ],
    /** After others were set: those that no snapshot needs any more. */
    pruneTimers: ofKeys(
      `DELETE FROM ${timers} AS t WHERE`,
      `AND seq < (SELECT max(o.seq) FROM ${timers} AS o WHERE o.key = t.key
         AND o.seq <= (SELECT min(s.seq) FROM ${table} AS s WHERE s.key = t.key))`
    ),
    takeBackTimers: statement(`DELETE FROM ${timers} WHERE key = ? AND seq > ?`),
    setAside: statement(
      `INSERT INTO ${aside} (key, seq, epoch, version, trusted, at, state, answers, why, aside_at, timers, sum)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
    ),
    dropSlot: statement(`DELETE FROM ${table} WHERE key = ? AND slot = ?`),
    allAside: statement(
      `SELECT ${ofAside} FROM ${aside} ORDER BY id`
    ),
    asideOf: statement(
      `SELECT ${ofAside} FROM ${aside} WHERE key = ? ORDER BY id`
    ),
    keysBetween: statement(`SELECT DISTINCT key FROM ${table} WHERE key >= ? AND key <= ? AND key <> '${markKey}'`),
    countBetween: statement(
      `SELECT count(DISTINCT key) AS n FROM ${table} WHERE key >= ? AND key <= ? AND key <> '${markKey}'`
    ),
    keysFrom: statement(
      `SELECT DISTINCT key FROM ${table} WHERE key >= ? AND key <= ? AND key <> '${markKey}' ORDER BY key LIMIT ?`
    ),
    keysAfter: statement(
      `SELECT DISTINCT key FROM ${table} WHERE key > ? AND key <= ? AND key <> '${markKey}' ORDER BY key LIMIT ?`
    ),
    dropSnapshots: ofKeys(`DELETE FROM ${table} WHERE`, ""),
    dropAnswers: ofKeys(`DELETE FROM ${answers} WHERE`, ""),
    dropTimers: ofKeys(`DELETE FROM ${timers} WHERE`, "")
  }
}

/** The statements of one store. */
export type Statements = ReturnType<typeof make>
