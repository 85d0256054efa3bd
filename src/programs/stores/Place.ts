/**
 * Where states are kept, as a command line says it: `sqlite:FILE`, `file:FOLDER` or `postgres:URL`.
 */
import { NodeServices } from "@effect/platform-node"
import { Context, Effect, Layer, Redacted, Schema, type Scope } from "effect"
import { Argument } from "effect/cli"
import { SqlClient } from "effect/sql"
import type { StoreError } from "../../domain/state/stored/StoreError.ts"
import type { StateStore } from "../../index.ts"
import * as StateStoreFile from "../../layers/state/StateStoreFile.ts"
import * as StateStoreSql from "../../layers/state/StateStoreSql.ts"
import * as StateStoreSqlite from "../../layers/state/StateStoreSqlite.ts"
import { load, type MissingPackage } from "../text/Packages.ts"

/** A place of one of the kinds; what follows the colon says where. */
export const Place = Schema.TemplateLiteral([
  Schema.Literals(["sqlite", "file", "postgres"]),
  ":",
  Schema.NonEmptyString
])

export type Place = typeof Place.Type

/** For help texts and errors. */
export const forms = ["sqlite:FILE", "file:FOLDER", "postgres:URL"]

/** A place as an argument of a command. */
export const argument = (name: string, description: string) =>
  Argument.String(name).pipe(
    Argument.filterMap(Schema.decodeUnknownOption(Place), () => forms.map((form) => `"${form}"`).join(" | ")),
    Argument.withDescription(`${description}: ${forms.join(", ")}`)
  )

/** The place without a password, for people to see. */
export const shown = (place: Place): Place => {
  const [kind, where] = kindOf(place)
  return `${kind}:${where.replace(/(\/\/[^:/@]*):[^@/]*@/, "$1:***@")}`
}

/** Of which kind a place is, and where. */
export const kindOf = (place: Place) => {
  const [kind] = place.split(":", 1) as ["sqlite" | "file" | "postgres"]
  return [kind, place.slice(kind.length + 1)] as const
}

/** `postgres:postgres://host/app`, or just the URL, which begins so itself. */
const urlOf = (where: string): string => where.startsWith("//") ? `postgres:${where}` : where

// Loaded only by those who use it: the other stores need no client.
const pgClient = (url: string) =>
  Layer.unwrap(Effect.map(
    load("@effect/sql-pg", () => import("@effect/sql-pg")),
    ({ PgClient }) => Layer.orDie(PgClient.layer({ url: Redacted.make(url), maxConnections: 2 }))
  ))

/** A client of the PostgreSQL at `where`. */
export const postgres = (where: string): Effect.Effect<SqlClient.SqlClient, MissingPackage, Scope.Scope> =>
  Effect.map(Layer.build(pgClient(urlOf(where))), (context) => Context.get(context, SqlClient.SqlClient))

/** The store of a place, for those who only look: nothing is written. */
export const look = (
  place: Place
): Effect.Effect<StateStore.StoreView, StoreError | MissingPackage, Scope.Scope> => {
  const [kind, where] = kindOf(place)
  switch (kind) {
    case "sqlite":
      return StateStoreSqlite.look({ filename: where })
    case "file":
      return Effect.provide(StateStoreFile.look({ directory: where }), NodeServices.layer)
    case "postgres":
      return Effect.flatMap(
        postgres(where),
        (client) => Effect.provideService(StateStoreSql.look(), SqlClient.SqlClient, client)
      )
  }
}

/** The store of a place. */
export const layer = <Self>(
  store: StateStore.StateStoreKey<Self, "process">,
  place: Place,
  options: StateStore.OwnedOptions = {}
): Layer.Layer<Self, StoreError | MissingPackage> => {
  const [kind, where] = kindOf(place)
  switch (kind) {
    case "sqlite":
      return StateStoreSqlite.layer(store, { ...options, filename: where })
    case "file":
      return StateStoreFile.layer(store, { ...options, directory: where }).pipe(Layer.provide(NodeServices.layer))
    case "postgres":
      return StateStoreSql.layer(store, options).pipe(Layer.provide(pgClient(urlOf(where))))
  }
}
