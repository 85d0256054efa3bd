/**
 * Copies a store of states while an app runs on it, and reads the copy.
 *
 *   npm start -- backup sqlite:app.db copy.db                   a database
 *   npm start -- backup file:data copy                          a folder
 *   npm start -- backup postgres:URL copy.db                    a PostgreSQL, into a SQLite database
 *   npm start -- backup sqlite:copy.db postgres:URL             and back into one that has no states yet
 *
 * The package has it too: `npx heirloom backup ...`.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Context, Effect, FileSystem, Layer, Option, Path, Schema } from "effect"
import { Argument, CliError, Command } from "effect/cli"
import { SqlClient } from "effect/sql"
import * as LogCopy from "../layers/state/file/LogCopy.ts"
import * as SqliteClient from "../layers/state/SqliteClient.ts"
import * as StateStoreSqlite from "../layers/state/StateStoreSqlite.ts"
import * as SqlCopy from "./backup/SqlCopy.ts"
import { verify } from "./backup/Verified.ts"
import * as Place from "./stores/Place.ts"

const refuse = (userMessage: string, cause?: unknown) => new CliError.UserError({ cause, userMessage })

/** Where the copy goes: a place, or a path alone, which is then of the kind that copies of the store are. */
const targetOf = (source: Place.Place, text: string): Place.Place =>
  Option.getOrElse(
    Schema.decodeUnknownOption(Place.Place)(text),
    (): Place.Place => Place.kindOf(source)[0] === "file" ? `file:${text}` : `sqlite:${text}`
  )

const sqlite = (filename: string, readOnly: boolean) =>
  Effect.map(
    Layer.build(SqliteClient.layer({ filename, readOnly })),
    (context) => Context.get(context, SqlClient.SqlClient)
  )

/** Copies a store to a path at which nothing is, so that it lasts. */
const copyTo = Effect.fnUntraced(function*(source: Place.Place, path: string) {
  const fs = yield* FileSystem.FileSystem
  const [kind, where] = Place.kindOf(source)
  if (kind === "file") return yield* LogCopy.copy(fs, yield* Path.Path, where, path)
  if (kind === "sqlite") yield* StateStoreSqlite.backup({ filename: where }, path)
  else {
    yield* Effect.scoped(
      Effect.flatMap(Effect.all([Place.postgres(where), sqlite(path, false)]), ([from, to]) => SqlCopy.copy(from, to))
    )
  }
  yield* Effect.scoped(Effect.flatMap(fs.open(path, { flag: "r+" }), (file) => file.sync))
})

/** Reads a copy, and says what there is. */
const read = (place: Place.Place) => Effect.scoped(Effect.flatMap(Place.look(place), verify))

/** Copies beside the place first: where a copy is, it is whole. */
const toPath = Effect.fnUntraced(function*(source: Place.Place, kind: "sqlite" | "file", path: string) {
  const fs = yield* FileSystem.FileSystem
  if (yield* fs.exists(path)) return yield* refuse(`${path} is there already: nothing was copied`)
  const paths = yield* Path.Path
  const [, folder] = Place.kindOf(source)
  const within = paths.relative(paths.resolve(folder), paths.resolve(path))
  if (kind === "file" && !within.startsWith("..") && !paths.isAbsolute(within)) {
    return yield* refuse(`${path} is in the folder of the store itself: copy it beside that`)
  }
  const part = `${path}.part`
  const clear = fs.remove(part, { recursive: true, force: true })
  yield* clear
  return yield* Effect.gen(function*() {
    yield* copyTo(source, part)
    const verified = yield* read(`${kind}:${part}`)
    yield* fs.rename(part, path)
    // Some systems cannot flush a folder, and need not.
    yield* Effect.ignore(
      Effect.scoped(Effect.flatMap(fs.open(paths.dirname(path), { flag: "r" }), (opened) => opened.sync))
    )
    return verified
  }).pipe(Effect.onError(() => Effect.ignore(clear)))
})

/** Copies a database into a PostgreSQL that has no states yet. */
const toPostgres = Effect.fnUntraced(function*(filename: string, where: string) {
  const target: Place.Place = `postgres:${where}`
  const isEmpty = yield* Effect.scoped(Effect.as(Place.look(target), false)).pipe(
    Effect.catchIf((error) => error._tag === "StoreError" && error.reason._tag === "Absent", () => Effect.succeed(true))
  )
  if (!isEmpty) return yield* refuse(`${Place.shown(target)} has states already: nothing was copied`)
  yield* Effect.scoped(
    Effect.flatMap(Effect.all([sqlite(filename, true), Place.postgres(where)]), ([from, to]) => SqlCopy.copy(from, to))
  )
  return yield* read(target)
})

const backup = Effect.fnUntraced(function*(source: Place.Place, target: Place.Place) {
  // What is no store is no backup either.
  yield* Effect.scoped(Place.look(source))
  const [from, where] = Place.kindOf(source)
  const [to, path] = Place.kindOf(target)
  if (from === "sqlite" && to === "postgres") return yield* toPostgres(where, path)
  if (to === (from === "file" ? "file" : "sqlite")) return yield* toPath(source, to, path)
  return yield* refuse(
    `A copy of ${from}: goes ${from === "file" ? "into a folder" : "into a SQLite database"}, not to ${to}:. ` +
      "What of a PostgreSQL is in one goes back into a PostgreSQL"
  )
})

export const command = Command.make(
  "backup",
  {
    source: Place.argument("store", "The store"),
    target: Argument.String("target").pipe(
      Argument.withDescription(
        "Where the copy goes: a path at which nothing is yet; for a copy of PostgreSQL a SQLite database"
      )
    )
  },
  Effect.fnUntraced(function*({ source, target: text }) {
    const target = targetOf(source, text)
    const { aside, damaged, keys, snapshots } = yield* backup(source, target).pipe(
      Effect.mapError((error) => CliError.isCliError(error) ? error : refuse(error.message, error))
    )
    yield* Console.log(
      `${Place.shown(source)} is copied to ${
        Place.shown(target)
      }: ${keys} keys, ${snapshots} snapshots, ${aside} set aside. ` +
        "Each was read."
    )
    if (damaged.length === 0) return
    yield* Console.error(damaged.map((line) => `  ${line}`).join("\n"))
    return yield* refuse(`${damaged.length} of them are damaged in the store, and so they are in the copy`)
  })
).pipe(
  Command.withShortDescription("Copies a store of states while an app runs on it, and reads the copy"),
  Command.withDescription(
    "Copies a store of states as it is at one moment, while an app runs on it, and reads each key of the copy. A database is " +
      "copied into a database, a folder into a folder, a PostgreSQL into a SQLite database, and that back into a PostgreSQL " +
      "that has no states yet"
  )
)

if (import.meta.main) {
  Command.run(command, { version: "0.1.0" }).pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)
}
