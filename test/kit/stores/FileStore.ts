/** A file store in a folder of its own: opened on a disk that may fail, read back, its segments listed. */
import { NodePath } from "@effect/platform-node"
import { Effect, type Exit, Layer, type Scope } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import { type StateStore } from "../../../src/index.ts"
import * as StateStoreFile from "../../../src/layers/state/StateStoreFile.ts"
import * as Folder from "../Folder.ts"
import { type Disk, layer, makeDisk } from "./FaultyDisk.ts"
import { reasonOf, record } from "./Records.ts"

/** The path of a folder that does not exist yet, in one that is removed with the Scope. */
export const folder = Effect.map(Folder.folder, (directory) => join(directory, "store"))

export interface Opened {
  readonly store: StateStore.StateStore<"process">
  readonly damages: ReadonlyArray<StateStoreFile.Damage>
}

/** Opens a store, and keeps what it reports as damaged. */
export const open = Effect.fnUntraced(function*(
  directory: string,
  disk: Disk = makeDisk(),
  options: Partial<StateStoreFile.Options> = {}
): Effect.fn.Return<Opened, StateStore.StoreError, Scope.Scope> {
  const damages: Array<StateStoreFile.Damage> = []
  const store = yield* StateStoreFile.make({
    directory,
    onDamage: (damage) => Effect.sync(() => damages.push(damage)),
    ...options
  }).pipe(Effect.provide(Layer.merge(layer(disk), NodePath.layer)))
  return { store, damages }
})

/** The tag of the reason that an operation failed with, if it failed. */
export const reason = <A>(exit: Exit.Exit<A, StateStore.StoreError>) => reasonOf(exit)?._tag ?? "succeeded"

/** The paths of a store's segments, in order. */
export const segments = (directory: string) =>
  fs.readdirSync(directory).filter((name) => name.endsWith(".log")).sort().map((name) => join(directory, name))

/** Writes snapshots 1 to n of a key, each a batch of its own, and closes the store. */
export const written = (directory: string, n: number, key = "a") =>
  Effect.scoped(Effect.gen(function*() {
    const { store } = yield* open(directory)
    const epoch = yield* store.acquireEpoch("app")
    for (let seq = 1; seq <= n; seq++) yield* store.save([record(key, seq, epoch)])
    return segments(directory).at(-1)!
  }))

/** A store on a disk that a test can make fail, with snapshot 1 of "a" in it. */
export const saved = Effect.gen(function*() {
  const directory = yield* folder
  const disk = makeDisk()
  const { store } = yield* open(directory, disk)
  const epoch = yield* store.acquireEpoch("app")
  const save = (seq: number) => store.save([record("a", seq, epoch)])
  yield* save(1)
  return { directory, disk, save, store }
})
