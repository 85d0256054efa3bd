/** A scripted store: the one in memory, behind a gate, a fault, or a pause. */
import { Effect, Layer } from "effect"
import type { SnapshotRecord } from "../../src/domain/state/stored/SnapshotRecord.ts"
import { StateStore } from "../../src/index.ts"

type Operation = "acquireEpoch" | "load" | "save" | "setAside" | "listAside" | "keys" | "remove"

/** What comes before or after an operation: nothing, or whatever a test wants. */
type Step = (operation: Operation, records: ReadonlyArray<SnapshotRecord>) => Effect.Effect<void, StateStore.StoreError>

export const fail =
  (reason: StateStore.StoreErrorReason) => (operation: string): Effect.Effect<never, StateStore.StoreError> =>
    Effect.fail(new StateStore.StoreError({ store: "scripted", operation, reason }))

/** It does not answer. */
export const away = fail({ _tag: "Unavailable", cause: "away" })
/** There is no room. */
export const full = fail({ _tag: "Full", cause: "full" })

/** As `key#seq`, without what the keys have in common. */
const nameOf = ({ key, seq }: SnapshotRecord): string => `${key.slice(key.lastIndexOf("/") + 1)}#${seq}`

export class Scripted {
  readonly memory = StateStore.makeMemory()
  /** Every batch that was to be saved, as `key#seq`. */
  readonly batches: Array<ReadonlyArray<string>> = []
  /** Every operation, in order. */
  readonly operations: Array<Operation> = []
  before: Step = () => Effect.void
  after: Step = () => Effect.void

  readonly store: StateStore.StateStore<"crash"> = {
    name: "scripted",
    grade: "crash",
    acquireEpoch: (owner) => this.act("acquireEpoch", this.memory.acquireEpoch(owner)),
    load: (key) => this.act("load", this.memory.load(key)),
    save: (records) => this.act("save", this.memory.save(records), records),
    setAside: (snapshot) => this.act("setAside", this.memory.setAside(snapshot)),
    listAside: (key) => this.act("listAside", this.memory.listAside(key)),
    keys: (prefix) => this.act("keys", this.memory.keys(prefix)),
    remove: (keys, epoch) => this.act("remove", this.memory.remove(keys, epoch))
  }

  private act<A>(
    operation: Operation,
    effect: Effect.Effect<A, StateStore.StoreError>,
    records: ReadonlyArray<SnapshotRecord> = []
  ): Effect.Effect<A, StateStore.StoreError> {
    return Effect.suspend(() => {
      this.operations.push(operation)
      if (operation === "save") this.batches.push(records.map(nameOf))
      return this.before(operation, records).pipe(
        Effect.andThen(effect),
        Effect.tap(() => this.after(operation, records))
      )
    })
  }

  /** How often an operation was asked for. */
  count(operation: Operation): number {
    return this.operations.filter((one) => one === operation).length
  }

  /** States stored under a key, newest first. */
  states(key: string): Effect.Effect<ReadonlyArray<string>> {
    return Effect.orDie(Effect.map(this.memory.load(key), (records) => records.map((one) => one.state)))
  }
}

/** A step for the saves alone. */
export const onSave = (step: (operation: string) => Effect.Effect<void, StateStore.StoreError>): Step => (operation) =>
  operation === "save" ? step(operation) : Effect.void

/** A step for every operation. */
export const onAll = (step: (operation: string) => Effect.Effect<void, StateStore.StoreError>): Step => step

export class Store extends StateStore.Service<Store>()("test/Store", "crash") {}

export const layer = (scripted: Scripted): Layer.Layer<Store> => Layer.succeed(Store, scripted.store)
