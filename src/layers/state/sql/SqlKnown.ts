/**
 * What is known of a key of the SQL store: its rows, with what is known beside them of what was stored.
 *
 * *Tricky*: rows that this session has written may be gone when its server is started again: something else has
 * deleted them, or put older ones back. What it remembers of the key (`SlotRings`) is compared, as it was before the
 * rows were asked for: a commit that comes meanwhile is no loss. Another session may have set the newest aside, but
 * then this one does not have the key any more.
 *
 * @since 0.1.0
 */
import { Effect } from "effect"
import type { SqlConnection, SqlError } from "effect/sql"
import * as KeyText from "../../../domain/state/stored/KeyText.ts"
import type { StoreError, StoreErrorReason } from "../../../domain/state/stored/StoreError.ts"
import { safely } from "../../observation/SafeLog.ts"
import * as RowSums from "../rows/RowSums.ts"
import type { Bound, Statements } from "../rows/SqlStatements.ts"
import type { Heads } from "./DatabaseFiles.ts"
import type { SlotRings } from "./SlotRings.ts"
import type { Known } from "./SqlBesides.ts"
import * as SqlMarks from "./SqlMarks.ts"
import * as SqlReads from "./SqlReads.ts"

type Sql<A> = Effect.Effect<A, SqlError.SqlError>

/** What a store asks with. */
interface Store {
  readonly sql: Statements
  readonly run: (statement: Bound) => Sql<ReadonlyArray<SqlConnection.Row>>
  readonly name: string
  readonly rings: SlotRings
  readonly heads: Heads | undefined
  /** Why writes under these epochs would be refused, if they would. */
  readonly stale: (
    writes: ReadonlyArray<{ readonly epoch: number; readonly key: string }>
  ) => Sql<StoreErrorReason | undefined>
  readonly fail: (operation: string, reason: StoreErrorReason) => StoreError
}

/** What is known of the keys of a store. */
export const make = ({ fail, heads, name, rings, run, sql, stale }: Store) => {
  const unmarked: SqlReads.Unmarked<SqlError.SqlError> = (missing) => SqlMarks.doubtful(sql, run, missing, name)

  /** `stored`: the number of a snapshot that this session is known to have stored. */
  const of = (key: string, stored = 0): Sql<Known> =>
    SqlReads.known(sql, run, key, unmarked, Math.max(stored, heads?.of(RowSums.idOf(KeyText.encode(key))) ?? 0))

  /** The same, compared with what this session has stored of it, if it has the key still. */
  const compared = Effect.fnUntraced(function*(key: string) {
    const own = rings.known(key)
    const known = yield* of(key)
    if (own === undefined || (known.kept[0]?.record.seq ?? 0) >= own.seq) return known
    const reason = yield* stale([{ epoch: own.epoch, key }])
    if (reason?._tag === "Gone") return yield* fail("load", reason)
    return reason === undefined ? yield* of(key, own.seq) : known
  })

  /** Timers are no part of a snapshot that could be gone back to. */
  const tellTimers = (key: string, seqs: ReadonlyArray<number>) =>
    seqs.length === 0 ? Effect.void : safely(
      Effect.annotateLogs(
        Effect.logError(
          `the durable timers of "${key}" in the state store "${name}", set with snapshot ${
            seqs.join(", ")
          }, are not what was ` +
            "written: they are not delivered. Its next answer that sets timers has new ones."
        ),
        { store: name, key }
      )
    )

  return { of, compared, tellTimers }
}
