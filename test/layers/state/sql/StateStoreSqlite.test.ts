import { Effect, Layer } from "effect"
import { join } from "node:path"
import * as SqliteClient from "../../../../src/layers/state/SqliteClient.ts"
import * as StateStoreSql from "../../../../src/layers/state/StateStoreSql.ts"
import * as StateStoreSqlite from "../../../../src/layers/state/StateStoreSqlite.ts"
import { folder } from "../../../kit/Folder.ts"
import { contract } from "../../../kit/stores/StoreContract.ts"

contract("SQLite, a database of its own", {
  durable: true,
  isShared: true,
  fresh: Effect.map(
    folder,
    (directory) => (options) => StateStoreSqlite.make({ filename: join(directory, "test.db"), ...options })
  )
})

contract("SQLite, over a SqlClient", {
  durable: true,
  isShared: true,
  fresh: Effect.map(
    folder,
    (directory) => (options) =>
      Layer.build(SqliteClient.layer({ filename: join(directory, "test.db") })).pipe(
        Effect.orDie,
        Effect.flatMap((context) => Effect.provideContext(StateStoreSql.make(options), context))
      )
  )
})
