import { NodeServices } from "@effect/platform-node"
import { Effect } from "effect"
import { join } from "node:path"
import * as StateStoreFile from "../../../../src/layers/state/StateStoreFile.ts"
import { folder } from "../../../kit/Folder.ts"
import { contract } from "../../../kit/stores/StoreContract.ts"

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
