/**
 * How a process has a store on a SQL database for itself.
 *
 * SQLite: by a lock beside the file. PostgreSQL: by an advisory lock of a session of its own, which the server drops
 * with that session, and the session with its process. Who has it stands in the session's `application_name`, which
 * every session may see.
 *
 * *Tricky*: the session may be lost while the process lives on. It takes the lock again then; if another process has it
 * by that time, that one has taken over, and says so.
 *
 * @since 0.1.0
 */
import { Effect, Exit, Option, Scope } from "effect"
import type { SqlClient, SqlConnection, SqlError } from "effect/sql"
import type { Holder } from "../../../domain/state/stored/Ownership.ts"
import * as FileLock from "./FileLock.ts"
import { keepingIf, realSleep } from "./RealTime.ts"
import { self } from "./Self.ts"

type Execute = (text: string) => Effect.Effect<ReadonlyArray<SqlConnection.Row>, SqlError.SqlError>

/** Takes the store of a table until the Scope ends, alone or beside others; or answers at once who has it. */
export type Take = (table: string, isShared: boolean) => Effect.Effect<Holder | undefined, unknown, Scope.Scope>

/** How a database of SQLite is taken; nothing for one that is in memory alone. */
export const ofFile = (execute: Execute): Effect.Effect<Take | undefined> =>
  Effect.map(Effect.orElseSucceed(execute("PRAGMA database_list"), () => []), (databases) => {
    const path = databases.find((row) => row["name"] === "main")?.["file"]
    return typeof path === "string" && path !== ""
      ? (table, isShared) => FileLock.take(`${path}-${table}.owner`, isShared)
      : undefined
  })

/** Any number will do; the other half of the lock's name is the table. */
const lockClass = 4714117

const lockName = `${lockClass}, hashtext(coalesce(current_schema(), '') || '.' || lower($1))`

const tryLock = (shared: string) => `SELECT pg_try_advisory_lock${shared}(${lockName}) AS got`

const unlock = (shared: string) => `SELECT pg_advisory_unlock${shared}(${lockName})`

const askHolder = `SELECT a.application_name AS name FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid
  WHERE l.locktype = 'advisory' AND l.classid = ${lockClass} AND l.objsubid = 2 AND l.granted
    AND l.objid::bigint = hashtext(coalesce(current_schema(), '') || '.' || lower($1))::bigint & 4294967295
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())`

// A machine that has lost its power closes no session: the server finds out by itself, in good time.
const introduce = `SELECT set_config('application_name', $1, false), set_config('tcp_keepalives_idle', '5', false),
  set_config('tcp_keepalives_interval', '5', false), set_config('tcp_keepalives_count', '3', false)`

const nameOf = ({ host, pid, since }: Required<Holder>): string => `heirloom ${pid} ${since} ${host}`

const holderOf = (name: unknown): Holder => {
  const found = /^heirloom (\d+) (\S+) (.*)$/.exec(String(name))
  return found === null ? {} : { pid: Number(found[1]), since: found[2]!, host: found[3]! }
}

/** How often the session is looked after. */
const pingEvery = 2000

/** How long another connection may take to be had. */
const otherConnection = "5 seconds"

/** A client with one connection: that would be the lock's for ever. */
export class OneConnection extends Error {
  override readonly name = "OneConnection"
  override readonly message =
    "its client has one connection only, and the lock that makes this process the store's one owner " +
    "takes one: give it two or more (maxConnections), or give the store ownership: \"youngest\""
}

/** How a database of PostgreSQL is taken. */
export const ofServer = (client: SqlClient.SqlClient): Take => (table, isShared) => {
  const shared = isShared ? "_shared" : ""
  const once = Effect.gen(function*() {
    const connection = yield* client.reserve
    const ask = (text: string, ...params: ReadonlyArray<unknown>) => connection.execute(text, params, undefined)
    const [row] = yield* ask(tryLock(shared), table)
    if (row?.["got"] !== true) return { holder: holderOf((yield* ask(askHolder, table))[0]?.["name"]), connection }
    const [before] = yield* ask("SELECT current_setting('application_name') AS name")
    yield* Effect.addFinalizer(() =>
      Effect.ignore(Effect.andThen(ask(unlock(shared), table), ask(introduce, String(before?.["name"] ?? ""))))
    )
    yield* ask(introduce, nameOf(yield* self))
    return { holder: undefined, connection }
  })
  const attempt = keepingIf(once, ({ holder }) => holder === undefined)
  return Effect.gen(function*() {
    const first = yield* Effect.acquireRelease(
      Effect.map(Scope.make(), (scope) => ({ scope })),
      (one) => Scope.close(one.scope, Exit.void)
    )
    const { connection, holder } = yield* Scope.provide(attempt, first.scope)
    if (holder !== undefined) return holder
    const other = yield* Effect.timeoutOption(Effect.exit(client`SELECT 1`), otherConnection)
    if (Option.isNone(other)) return yield* Effect.fail(new OneConnection())
    yield* Effect.forkScoped(keep(first, connection, attempt))
    return undefined
  })
}

/** Looks after the session that has the lock, for ever; takes it anew when that is lost. */
const keep = (
  held: { scope: Scope.Closeable },
  first: SqlConnection.Connection,
  attempt: Effect.Effect<
    { readonly holder: Holder | undefined; readonly connection: SqlConnection.Connection },
    unknown,
    Scope.Scope
  >
): Effect.Effect<never> =>
  Effect.gen(function*() {
    let connection: SqlConnection.Connection | undefined = first
    while (true) {
      yield* realSleep(pingEvery)
      if (connection !== undefined) {
        const ping: Exit.Exit<unknown, unknown> = yield* Effect.exit(connection.execute("SELECT 1", [], undefined))
        if (ping._tag === "Success") continue
      }
      yield* Scope.close(held.scope, Exit.void)
      held.scope = yield* Scope.make()
      const again = yield* Effect.exit(Scope.provide(attempt, held.scope))
      connection = again._tag === "Success" && again.value.holder === undefined ? again.value.connection : undefined
    }
  })
