/**
 * Who waits for a lock of PostgreSQL, and for whom: a line in the log while the wait goes on.
 *
 * A client that stands still in a transaction keeps its locks, and those that want them say nothing themselves.
 *
 * @since 0.1.0
 */
import { type Context, Effect } from "effect"
import type { SqlConnection } from "effect/sql"
import { safely } from "../../observation/SafeLog.ts"
import { Watch } from "../../process/Timer.ts"

type Row = SqlConnection.Row

/** Backends that wait with a statement on these tables, and those they wait for. */
export const waiting = (table: string): string =>
  `SELECT w.pid AS waiting, b.pid, b.usename, b.application_name, host(b.client_addr) AS address, b.state,
     round(extract(epoch FROM clock_timestamp() - coalesce(b.state_change, b.xact_start)))::int AS seconds,
     left(regexp_replace(b.query, '\\s+', ' ', 'g'), 120) AS query
   FROM pg_stat_activity AS w
   CROSS JOIN LATERAL unnest(pg_blocking_pids(w.pid)) AS p (pid)
   JOIN pg_stat_activity AS b ON b.pid = p.pid
   WHERE w.datname = current_database() AND w.wait_event_type = 'Lock' AND w.query LIKE '%${table}%'`

/** One that others wait for, in words. What it does is shown to its own user alone, and to those who may see all. */
export const described = (
  { address, application_name: app, pid, query, seconds, state, usename: user }: Row
): string => {
  const known = (value: unknown, text: string) => value === null || value === "" ? "" : text
  const who = `backend ${pid} (user ${user}${known(app, `, application "${app}"`)}${
    known(address, `, from ${address}`)
  })`
  return state === null
    ? `${who}; what it does is not shown to this user: GRANT pg_read_all_stats shows it`
    : `${who}, ${state} for ${seconds} s; its last statement: ${query}`
}

/** Has it logged whom an operation waits for, once it takes longer than `after` milliseconds. */
export const telling = Effect.fnUntraced(function*<E>(
  store: string,
  ask: Effect.Effect<ReadonlyArray<Row>, E>,
  after: number
) {
  const watch = new Watch(yield* Effect.context<never>(), after)
  yield* Effect.addFinalizer(() => Effect.sync(() => watch.stop()))
  const tell = (operation: string) =>
    Effect.flatMap(ask, (rows) => {
      const holders = new Map(rows.map((row) => [row["pid"], row]))
      if (holders.size === 0) return Effect.void
      const text = [...holders.values()].map(described).join(" and ")
      return safely(
        Effect.annotateLogs(
          Effect.logWarning(`${operation} in the state store "${store}" waits for a lock that is held by ${text}`),
          { store, holders: [...holders.keys()].map(Number) }
        )
      )
    })
  return (operation: string) => <A, E2>(effect: Effect.Effect<A, E2>): Effect.Effect<A, E2> =>
    Effect.contextWith((context: Context.Context<never>) => {
      const one = watch.begin(() => void Effect.runForkWith(context)(Effect.ignore(tell(operation))))
      return Effect.onExit(effect, () => {
        watch.end(one)
        return Effect.void
      })
    })
})
