/**
 * The statements on the marks of the SQL store's tables (`SqlMarks`).
 *
 * @since 0.1.0
 */

/** What no key has as its text: the key of a row that is there until something else empties its table. */
export const markKey = "%"

/** A statement that is given its parameters. */
type Statement = (sql: string) => (...params: ReadonlyArray<unknown>) => readonly [string, ReadonlyArray<unknown>]

/** Those on the tables that begin with `table`. */
export const make = (table: string, statement: Statement) => ({
  /** The marks of the tables that have theirs. */
  marks: statement(
    `SELECT 'snapshots' AS name, at, state AS text, sum FROM ${table} WHERE key = '${markKey}'
     UNION ALL SELECT 'answers', at, body, sum FROM ${table}_answers WHERE key = '${markKey}' AND id = '${markKey}'
     UNION ALL SELECT 'timers', 0, timers, sum FROM ${table}_timers WHERE key = '${markKey}'`
  ),
  /** Whether a store has been opened here, and what of it is kept. */
  remains: statement(
    `SELECT (SELECT count(*) FROM ${table}_owners) AS owners, (SELECT count(*) FROM (SELECT 1 FROM ${table} LIMIT 1) AS o) AS kept`
  ),
  markSnapshots: statement(
    `INSERT INTO ${table} (key, slot, seq, epoch, version, trusted, at, state, sum)
     VALUES ('${markKey}', 0, 0, 0, 0, 0, ?, ?, ?)
     ON CONFLICT (key, slot) DO UPDATE SET at = excluded.at, state = excluded.state, sum = excluded.sum`
  ),
  markAnswers: statement(
    `INSERT INTO ${table}_answers (key, id, seq, at, body, sum) VALUES ('${markKey}', '${markKey}', 0, ?, ?, ?)
     ON CONFLICT (key, seq, id) DO UPDATE SET at = excluded.at, body = excluded.body, sum = excluded.sum`
  ),
  markTimers: statement(
    `INSERT INTO ${table}_timers (key, seq, due, timers, sum) VALUES ('${markKey}', 0, NULL, ?, ?)
     ON CONFLICT (key, seq) DO UPDATE SET timers = excluded.timers, sum = excluded.sum`
  ),
  /** Answers of which it is not known what calls they were of. */
  dropUnknown: statement(`DELETE FROM ${table}_answers WHERE id = ''`)
})
