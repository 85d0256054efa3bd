/** The records that the stores' tests save, and what they ask of a store. */
import { it } from "@effect/vitest"
import { Effect, Exit, type Scope } from "effect"
import type { SnapshotRecord } from "../../../src/domain/state/stored/SnapshotRecord.ts"
import type { Timer } from "../../../src/domain/state/Timers.ts"
import { type StateContainer, type StateStore } from "../../../src/index.ts"

/** A place that holds nothing yet, and how to open a store on it; opening again opens the same place. */
export type Place = (
  options?: StateStore.Options
) => Effect.Effect<StateStore.StateStore<StateContainer.Grade>, StateStore.StoreError, Scope.Scope>

/** How to test a store: `fresh` makes a place of its own for each test. */
export interface Subject {
  readonly fresh: Effect.Effect<Place, unknown, Scope.Scope>
  /** Whether what was stored is there when it is opened again. */
  readonly durable: boolean
  /** Whether processes may have it together, each with keys of its own. */
  readonly isShared?: boolean
}

/** A snapshot record with defaults for all that is not given. */
export const record = (
  key: string,
  seq: number,
  epoch: number,
  more: Partial<SnapshotRecord> = {}
): SnapshotRecord => ({
  key,
  seq,
  epoch,
  version: 1,
  state: JSON.stringify({ count: seq }),
  trusted: seq - 1,
  at: 1_700_000_000_000 + seq,
  ...more
})

/** A record as it is loaded. */
export const loaded = (saved: SnapshotRecord): SnapshotRecord => ({ answers: [], ...saved })

/** A recorded answer. */
export const answer = (id: string, seq: number) => ({ id, seq, at: seq, body: JSON.stringify({ reply: id }) })

/** A timer that is set. */
export const timer = (name: string, due: number): Timer => ({
  name,
  due,
  message: "Tick",
  payload: { name, at: [due] }
})

/** The numbers of records, in their order. */
export const seqsOf = (records: ReadonlyArray<SnapshotRecord>) => records.map((one) => one.seq)

/** The numbers of a key's snapshots in a store, newest first. */
export const seqs = (store: StateStore.StateStore<StateContainer.Grade>, key = "a") =>
  Effect.map(store.load(key), seqsOf)

/** The reason that an operation failed with. */
export const reasonOf = <A>(exit: Exit.Exit<A, StateStore.StoreError>) => {
  const error = Exit.findErrorOption(exit)
  return error._tag === "Some" ? error.value.reason : undefined
}

/** Registers a test in a place of its own. */
export type Test = (title: string, body: (open: Place) => Effect.Effect<void, unknown, Scope.Scope>) => void

/** How the tests of one store are registered. */
export const inPlace = ({ fresh }: Subject): Test => (title, body) =>
  it.live(title, () => Effect.flatMap(fresh, body), 60_000)
