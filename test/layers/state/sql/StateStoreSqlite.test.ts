import { Effect, Layer } from "effect"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as SqliteClient from "../../../../src/layers/state/SqliteClient.ts"
import * as StateStoreSql from "../../../../src/layers/state/StateStoreSql.ts"
import * as StateStoreSqlite from "../../../../src/layers/state/StateStoreSqlite.ts"
import { contract } from "../../../kit/stores/StoreContract.ts"

/** A folder that is removed with the Scope. */
const folder = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(join(tmpdir(), "heirloom-sqlite-"))),
  (directory) => Effect.sync(() => fs.rmSync(directory, { recursive: true, force: true }))
)

contract("SQLite, a database of its own", {
  durable: true,
  fresh: Effect.map(
    folder,
    (directory) => (options) => StateStoreSqlite.make({ filename: join(directory, "test.db"), ...options })
  )
})

contract("SQLite, over a SqlClient", {
  durable: true,
  fresh: Effect.map(
    folder,
    (directory) => (options) =>
      Layer.build(SqliteClient.layer({ filename: join(directory, "test.db") })).pipe(
        Effect.orDie,
        Effect.flatMap((context) => Effect.provideContext(StateStoreSql.make(options), context))
      )
  )
})
