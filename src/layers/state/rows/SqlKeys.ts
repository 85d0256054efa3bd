/**
 * The keys of a SQL store: all of a prefix, a page of them, how many there are.
 *
 * @since 0.1.0
 */
import { Effect } from "effect"
import * as KeyText from "../../../domain/state/stored/KeyText.ts"
import { maxKeyBytes } from "../../../domain/state/stored/SnapshotRecord.ts"
import type { KeyPage } from "../store/StoreShape.ts"
import type { Bound, Statements } from "./SqlStatements.ts"

interface Row {
  readonly [column: string]: unknown
}

/** Asks the database. */
type Run<E> = (statement: Bound) => Effect.Effect<ReadonlyArray<Row>, E>

/** The last character of all, more often than a key has room for: what follows every key with a prefix. */
const beyondAnyKey = "\u{10ffff}".repeat(maxKeyBytes / 4)

// Half of a surrogate pair at the end is escaped here and not in the keys that have the pair: more is read, then
// filtered.
const wholeOf = (prefix: string): string => prefix.replace(/[\ud800-\udbff]$/, "")

/** The keys that begin with `prefix`: sorted, or a page of them in the order of their bytes. */
export const keysOf = <E>(
  sql: Statements,
  run: Run<E>,
  prefix: string,
  page: KeyPage | undefined
): Effect.Effect<ReadonlyArray<string>, E> =>
  Effect.suspend(() => {
    const whole = wholeOf(prefix)
    const from = KeyText.encode(whole)
    const to = from + beyondAnyKey
    if (page === undefined) return Effect.map(run(sql.keysBetween(from, to)), (rows) => ownOf(rows, prefix).sort())
    const { after, limit } = page
    const isFirst = after === undefined || KeyText.compare(after, whole) < 0
    const asked = isFirst ? sql.keysFrom(from, to, limit) : sql.keysAfter(KeyText.encode(after), to, limit)
    return Effect.flatMap(run(asked), (rows) => {
      const own = ownOf(rows, prefix)
      // An empty page is the end.
      if (own.length > 0 || rows.length < limit) return Effect.succeed(own)
      return keysOf(sql, run, prefix, { after: keyOf(rows.at(-1)!), limit })
    })
  })

const keyOf = (row: Row): string => KeyText.decode(String(row["key"]))

const ownOf = (rows: ReadonlyArray<Row>, prefix: string): Array<string> =>
  rows.map(keyOf).filter((key) => key.startsWith(prefix))

/** How many begin with `prefix`. */
export const countOf = <E>(sql: Statements, run: Run<E>, prefix: string): Effect.Effect<number, E> =>
  Effect.suspend(() => {
    if (wholeOf(prefix) !== prefix) return Effect.map(keysOf(sql, run, prefix, undefined), (keys) => keys.length)
    const from = KeyText.encode(prefix)
    return Effect.map(run(sql.countBetween(from, from + beyondAnyKey)), ([row]) => Number(row?.["n"]))
  })
