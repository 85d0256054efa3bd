/**
 * What becomes of a database's files while it is open, for stores that do not know what it is kept in.
 *
 * A client that knows its files says how to look at them ({@link withFiles}); `SqliteFiles` does.
 *
 * @since 0.1.0
 */
import { type Cause, Effect, Exit, type Scope } from "effect"
import { type SqlConnection, SqlError } from "effect/sql"
import type { FileLoss } from "../../../domain/state/stored/FileLoss.ts"
import type { Head } from "../../../domain/state/stored/HeadRing.ts"
import type { Statements } from "../rows/SqlStatements.ts"

/** What has become of a file. */
export interface Lost {
  readonly path: string
  readonly how: FileLoss
}

/**
 * Compares a database with its files: what is lost, if something is, or an Effect where that takes longer. It may
 * throw. This is asked after each transaction, so it is no Effect where all is well; with what it failed of, if it did.
 */
export type Watch = (
  failure?: Cause.Cause<unknown>
) => Lost | undefined | Effect.Effect<Lost | undefined, SqlError.SqlError>

/** Asks a database. */
export type Execute = (text: string) => Effect.Effect<ReadonlyArray<SqlConnection.Row>, SqlError.SqlError>

/** Begins to watch the files of a database that is open; nothing where it has none that can be seen from here. */
export type Watching = (execute: Execute) => Effect.Effect<Watch | undefined, never, Scope.Scope>

/** What was stored last, as it is known beside the database. */
export interface Heads {
  /**
   * The number of a key's newest snapshot, by the key's id; 0: not known, or none. What this session has written is not
   * asked for.
   */
  of(id: number): number
  /** These are stored. */
  note(heads: ReadonlyArray<Head>): void
}

/** Opens what is known beside the database of a table. */
export type OpenHeads = (
  execute: Execute,
  table: string
) => Effect.Effect<Heads | undefined, never, Scope.Scope>

/** Looks through the tables of a store: what is wrong with them for good, if something is. */
export type Check = (
  execute: Execute,
  store: string,
  tables: Statements["names"]
) => Effect.Effect<string | undefined, SqlError.SqlError>

/** What can be asked of a database that is in files. */
export interface Files {
  readonly watching: Watching
  readonly heads: OpenHeads
  readonly check: Check
}

const files: unique symbol = Symbol.for("heirloom/SqlClient/files")

/** The same client, with what is known of its files. */
export const withFiles = <Client extends object>(client: Client, known: Files): Client =>
  Object.assign(client, { [files]: known })

/** What is known of a client's files. */
export const filesOf = (client: object): Files | undefined =>
  files in client ? (client as { readonly [files]: Files })[files] : undefined

/** What a look finds, if it finds anything. What cannot be looked at may be seen again later. */
const attempt = (
  watch: Watch,
  failure?: Cause.Cause<unknown>
): Effect.Effect<Lost | undefined, SqlError.SqlError> | undefined => {
  try {
    const lost = watch(failure)
    return lost === undefined || Effect.isEffect(lost) ? lost : Effect.succeed(lost)
  } catch (cause) {
    const reason = SqlError.classifySqliteError(cause, {
      message: "the files of the database cannot be looked at",
      operation: "stat"
    })
    return Effect.fail(new SqlError.SqlError({ reason }))
  }
}

/** Looks at the files after what was done in them, well or not: what failed, failed of what became of these. */
export const lookAfter = <E2>(watch: Watch | undefined, failure: (lost: Lost) => E2) => {
  if (watch === undefined) return <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> => effect
  return <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E | E2 | SqlError.SqlError> =>
    Effect.matchCauseEffect(effect, {
      onSuccess: (value) => {
        const lost = attempt(watch)
        if (lost === undefined) return Exit.succeed(value)
        return Effect.flatMap(lost, (found) => found === undefined ? Exit.succeed(value) : Exit.fail(failure(found)))
      },
      onFailure: (cause) =>
        Effect.flatMap(
          Effect.orElseSucceed(attempt(watch, cause) ?? Effect.undefined, () => undefined),
          (lost): Exit.Exit<never, E | E2> => lost === undefined ? Exit.failCause(cause) : Exit.fail(failure(lost))
        )
    })
}
