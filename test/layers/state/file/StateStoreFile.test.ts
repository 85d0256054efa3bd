import { NodeServices } from "@effect/platform-node"
import { Effect } from "effect"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as StateStoreFile from "../../../../src/layers/state/StateStoreFile.ts"
import { contract } from "../../../kit/stores/StoreContract.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(join(tmpdir(), "heirloom-file-"))),
  (directory) => Effect.sync(() => fs.rmSync(directory, { recursive: true, force: true }))
)

contract("files", {
  durable: true,
  fresh: Effect.map(
    folder,
    (directory) => (options) =>
      Effect.provide(StateStoreFile.makeDirect({ directory: join(directory, "store"), ...options }), NodeServices.layer)
  )
})

contract("files, by whatever file system there is", {
  durable: true,
  fresh: Effect.map(
    folder,
    (directory) => (options) =>
      Effect.provide(StateStoreFile.make({ directory: join(directory, "store"), ...options }), NodeServices.layer)
  )
})

contract("files, compacted all the time", {
  durable: true,
  fresh: Effect.map(folder, (directory) => (options) =>
    Effect.provide(
      StateStoreFile.makeDirect({ directory: join(directory, "store"), compactAbove: 0, ...options }),
      NodeServices.layer
    ))
})
