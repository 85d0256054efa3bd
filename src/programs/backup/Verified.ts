/**
 * Whether a copy can be used: it is opened as any store, and each key of it is read.
 */
import { Effect, Stream } from "effect"
import type { AsideRecord, SnapshotRecord } from "../../domain/state/stored/SnapshotRecord.ts"
import { Snapshots, type StateStore } from "../../index.ts"

/** What was read of a copy. */
export interface Verified {
  readonly keys: number
  readonly snapshots: number
  readonly aside: number
  /** What cannot be used of it, each in a line. */
  readonly damaged: ReadonlyArray<string>
}

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** What is wrong with a snapshot, if something is. */
export const damageOf = ({ damaged, state }: SnapshotRecord | AsideRecord): string | undefined =>
  damaged ?? (isJson(state) ? undefined : "its state is no JSON")

/** Reads all that there is. */
export const verify = Effect.fnUntraced(function*(view: StateStore.StoreView) {
  const damaged: Array<string> = []
  let [keys, snapshots] = [0, 0]
  const note = (one: SnapshotRecord, how: string) => {
    const why = damageOf(one)
    if (why !== undefined) damaged.push(`${one.key}: ${how} ${one.seq}: ${why}`)
  }
  yield* Stream.runForEach(Snapshots.keys(view), (key) =>
    Effect.map(view.load(key), (records) => {
      keys++
      snapshots += records.length
      for (const one of records) note(one, "snapshot")
    }))
  const aside = yield* view.listAside()
  for (const one of aside) note(one, "set aside,")
  return { keys, snapshots, aside: aside.length, damaged } satisfies Verified
})
