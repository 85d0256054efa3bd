/**
 * Looking into a store of snapshots, and going back to one by hand.
 *
 * For the person who has to find out what a server's state was, how it became what it is, and what was set aside; and
 * for the one who decides which snapshot the server is to start from. It needs a store and keys, no server and no
 * schema: what it shows is the states' JSON. Reading disturbs nothing. In a program use the server's companion:
 * `StateContainer.for`.
 *
 * @since 0.1.0
 */
import { Clock, Effect, JsonPatch, Option, Result, Schema, Stream } from "effect"
import * as Generations from "../../domain/state/Generations.ts"
import { compare } from "../../domain/state/stored/KeyText.ts"
import type { AsideRecord, Doubt, DueKey, SnapshotRecord } from "../../domain/state/stored/SnapshotRecord.ts"
import { booksOf, trustedUpTo } from "../../domain/state/stored/StoredRecovery.ts"
import type { StoreError } from "../../domain/state/stored/StoreError.ts"
import type { Grade } from "../../domain/state/Survival.ts"
import { none, type Timer } from "../../domain/state/Timers.ts"
import type { StateStore, StoreView } from "./store/StateStore.ts"
import { placeOf, prefixOf, viewOf } from "./store/StoreShape.ts"

export type { Doubt } from "../../domain/state/stored/SnapshotRecord.ts"

/**
 * There is no such snapshot.
 *
 * @category schemas
 * @since 0.1.0
 */
export const NotFound = Schema.TaggedStruct("NotFound", {})

/**
 * Its text is no JSON: it is damaged.
 *
 * @category errors
 * @since 0.1.0
 */
export const NotJson = Schema.TaggedStruct("NotJson", { issue: Schema.String })

/**
 * What the store holds of it is not what was written.
 *
 * @category errors
 * @since 0.1.0
 */
export const Damaged = Schema.TaggedStruct("Damaged", { what: Schema.String })

/** Stands for the number of the newest in errors: numbers begin with 1. */
const newest = 0

/**
 * A snapshot could not be looked at, or gone back to. Without a number the newest was asked for: `seq` is 0.
 *
 * @category errors
 * @since 0.1.0
 */
export class SnapshotError extends Schema.TaggedError<SnapshotError>()("SnapshotError", {
  key: Schema.String,
  seq: Schema.Number,
  reason: Schema.Union([NotFound, NotJson, Damaged])
}) {
  override get message(): string {
    const which = this.seq === newest ? `the newest snapshot of "${this.key}"` : `snapshot ${this.seq} of "${this.key}"`
    switch (this.reason._tag) {
      case "NotFound":
        return `${which}: there is none. See which there are with Snapshots.list.`
      case "NotJson":
        return `${which}: it is no JSON (${this.reason.issue}). See its text with Snapshots.text, and go back to an older one.`
      case "Damaged":
        return `${which}: it is damaged (${this.reason.what}). See its text with Snapshots.text, and go back to another one.`
    }
  }
}

/**
 * One snapshot of a key, without its state.
 *
 * @category models
 * @since 0.1.0
 */
export interface Listed {
  readonly key: string
  readonly seq: number
  /** The session that wrote it. */
  readonly epoch: number
  /** Version of the state's schema. */
  readonly version: number
  /** When it was committed, in milliseconds. */
  readonly at: number
  /** Length of the state's text. */
  readonly length: number
  /** A message was handled from it, or from one that came out of it. */
  readonly trusted: boolean
  /** Recorded answers: up to it, or set aside with it. */
  readonly answers: number
  /** What is not as it was written, if something is: the rest may be wrong then. */
  readonly damaged: string | undefined
  /** Why and when it was set aside, if it was. */
  readonly aside: { readonly why: string; readonly at: number } | undefined
}

/**
 * Which snapshot: of those kept, or with `aside` the last one of that number that was set aside. Without a number the
 * newest that is kept, or the last that was set aside.
 *
 * @category models
 * @since 0.1.0
 */
export interface Place {
  readonly key: string
  readonly seq?: number | undefined
  readonly aside?: boolean | undefined
}

const listed = (record: SnapshotRecord, trusted: boolean, aside: Listed["aside"]): Listed => ({
  key: record.key,
  seq: record.seq,
  epoch: record.epoch,
  version: record.version,
  at: record.at,
  length: record.state.length,
  trusted,
  answers: record.answers?.length ?? 0,
  damaged: record.damaged,
  aside
})

const pageSize = 1000

/**
 * The keys that have snapshots, in the order of their bytes; read page by page, as the stream is.
 *
 * @category keys
 * @since 0.1.0
 */
export const keys = (store: StoreView, prefix = ""): Stream.Stream<string, StoreError> =>
  Stream.paginate(
    undefined,
    (after: string | undefined) =>
      Effect.map(
        viewOf("Snapshots.keys", store).keys(prefixOf("Snapshots.keys", prefix), { after, limit: pageSize }),
        (page) => {
          // A store that knows no pages answers with all, each time, in another order.
          const next = page.filter((key) => after === undefined || compare(key, after) > 0).sort(compare)
          return [next, Option.fromUndefinedOr(next.at(-1))]
        }
      )
  )

/**
 * A durable timer that is set, and the key of its server.
 *
 * @category models
 * @since 0.1.0
 */
export interface ListedTimer extends Timer {
  readonly key: string
}

/**
 * The durable timers that are set, of all keys: those whose earliest timer is due first before the others. None in a
 * store that keeps none.
 *
 * For those of a server that runs, `Sys.timers`.
 *
 * @category timers
 * @since 0.1.0
 */
export const timers = (store: StoreView, prefix = ""): Stream.Stream<ListedTimer, StoreError> =>
  Stream.paginate(
    undefined,
    (after: DueKey | undefined) =>
      Effect.map(viewOf("Snapshots.timers", store).timers?.(pageSize, after) ?? Effect.succeed([]), (page) => {
        prefixOf("Snapshots.timers", prefix)
        const found = page.flatMap(({ key, timers }) =>
          key.startsWith(prefix)
            ? timers.map((timer) => Object.assign({ key }, timer)).sort((a, b) => a.due - b.due)
            : []
        )
        return [found, Option.fromUndefinedOr(page.at(-1))]
      })
  )

/**
 * The snapshots of a key, newest first: those kept, then those set aside.
 *
 * @category snapshots
 * @since 0.1.0
 */
export const list = (store: StoreView, key: string): Effect.Effect<ReadonlyArray<Listed>, StoreError> =>
  Effect.suspend(() => {
    viewOf("Snapshots.list", store)
    placeOf("Snapshots.list", { key })
    return Effect.map(Effect.all([store.load(key), store.listAside(key)]), ([kept, aside]) => {
      const upTo = trustedUpTo(kept)
      return [
        ...kept.map((one) => listed(one, one.seq <= upTo, undefined)),
        ...[...aside].reverse().map((one) => listed(one, false, { why: one.why, at: one.asideAt }))
      ]
    })
  })

/**
 * What was set aside of every key, the last first: what there is to look at after a bad night.
 *
 * @category snapshots
 * @since 0.1.0
 */
export const aside = (store: StoreView): Effect.Effect<ReadonlyArray<Listed>, StoreError> =>
  Effect.map(
    Effect.suspend(() => viewOf("Snapshots.aside", store).listAside()),
    (records) => [...records].reverse().map((one) => listed(one, false, { why: one.why, at: one.asideAt }))
  )

const find = Effect.fnUntraced(function*(
  of: string,
  store: StoreView,
  place: Place
): Effect.fn.Return<SnapshotRecord | AsideRecord, StoreError | SnapshotError> {
  viewOf(of, store)
  const { aside, key, seq } = placeOf(of, place)
  const records = aside === true ? [...yield* store.listAside(key)].reverse() : yield* store.load(key)
  const record = seq === undefined ? records[0] : records.find((one) => one.seq === seq)
  return record === undefined
    ? yield* new SnapshotError({ key, seq: seq ?? newest, reason: { _tag: "NotFound" } })
    : record
})

/**
 * A snapshot's state as it was written, be it whole or not.
 *
 * @category snapshots
 * @since 0.1.0
 */
export const text = (store: StoreView, place: Place): Effect.Effect<string, StoreError | SnapshotError> =>
  Effect.map(find("Snapshots.text", store, place), (record) => record.state)

/**
 * A snapshot's state, as JSON: the encoded side of its schema, in the version that wrote it.
 *
 * @category snapshots
 * @since 0.1.0
 */
export const read = (
  store: StoreView,
  place: Place
): Effect.Effect<Schema.Json, StoreError | SnapshotError> => jsonOf("Snapshots.read", store, place)

const jsonOf = (of: string, store: StoreView, place: Place): Effect.Effect<Schema.Json, StoreError | SnapshotError> =>
  Effect.flatMap(find(of, store, place), ({ state: text }) => {
    const json = Result.try((): Schema.Json => JSON.parse(text))
    if (Result.isSuccess(json)) return Effect.succeed(json.success)
    const { key, seq = newest } = place
    return Effect.fail(new SnapshotError({ key, seq, reason: { _tag: "NotJson", issue: String(json.failure) } }))
  })

/**
 * What changed from one snapshot to another, as a JSON Patch (RFC 6902).
 *
 * **Details**
 *
 * Two snapshots of one key as a rule, but any two will do. States of different versions are compared as they were
 * written.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Snapshots, StateStore } from "heirloom"
 *
 * const store = StateStore.makeMemory()
 * const snapshot = (epoch: number, seq: number, state: string) =>
 *   ({ key: "app/Counter", epoch, seq, version: 1, state, trusted: seq - 1, at: 0 })
 *
 * const program = Effect.gen(function*() {
 *   const epoch = yield* store.acquireEpoch("app/Counter")
 *   yield* store.save([snapshot(epoch, 1, `{"count":41}`), snapshot(epoch, 2, `{"count":42,"by":"ann"}`)])
 *   const patch = yield* Snapshots.diff(store, { key: "app/Counter", seq: 1 }, { key: "app/Counter", seq: 2 })
 *   console.log(JSON.stringify(patch))
 *   // => [{"op":"add","path":"/by","value":"ann"},{"op":"replace","path":"/count","value":42}]
 * })
 *
 * await Effect.runPromise(program)
 * ```
 *
 * @category snapshots
 * @since 0.1.0
 */
export const diff = (
  store: StoreView,
  from: Place,
  to: Place
): Effect.Effect<JsonPatch.JsonPatch, StoreError | SnapshotError> =>
  Effect.map(
    Effect.all([jsonOf("Snapshots.diff", store, from), jsonOf("Snapshots.diff", store, to)]),
    ([before, after]) => JsonPatch.get(before, after)
  )

/** The owner of this tool's writes. In a SQL store an owner of its own does not fence off the app's session. */
const owner = "heirloom/Snapshots"

/**
 * Makes a snapshot the one that its server starts from next; answers its number from then on.
 *
 * **When to use**
 *
 * When a person has decided: the newest state is wrong, or one that was set aside was good and its handlers are mended.
 * Stop the app first: one that runs is fenced off from this key, and its server stops. For a server that runs, use
 * `set` of its companion.
 *
 * **Details**
 *
 * A snapshot that is kept: the younger ones are set aside, with the answers recorded since. One that was set aside: it
 * is written again as the newest, with its answers, and is on probation like any other. Nothing is deleted.
 *
 * @category snapshots
 * @since 0.1.0
 */
export const restore = Effect.fnUntraced(function*(
  store: StateStore<Grade>,
  place: Place & { readonly seq: number }
): Effect.fn.Return<number, StoreError | SnapshotError> {
  const record = yield* find("Snapshots.restore", store, place)
  const { key, seq } = place
  if (record.damaged !== undefined) {
    return yield* new SnapshotError({ key, seq, reason: { _tag: "Damaged", what: record.damaged } })
  }
  const epoch = yield* store.acquireEpoch(owner)
  // Only now is what is loaded the last word of the writer before.
  const kept = yield* store.load(key)
  if (place.aside !== true) {
    const why = `snapshot ${seq} was restored by hand`
    const younger = kept.filter((one) => one.seq > seq)
    yield* Effect.forEach(younger, (one) => store.setAside({ key, seq: one.seq, epoch, why }), { discard: true })
    // Written again under this epoch: what an app that still runs has in memory is not written over it.
    const { answers: _, ...same } = record
    if (younger.length > 0) yield* store.save([{ ...same, epoch }])
    return seq
  }
  const books = booksOf(kept)
  // What is damaged may have any number.
  const aside = (yield* store.listAside(key)).filter((one) => one.damaged === undefined)
  const next = Generations.lastSeq(books, aside) + 1
  yield* store.save([{
    key,
    epoch,
    seq: next,
    version: record.version,
    state: record.state,
    trusted: trustedUpTo(kept),
    at: yield* Clock.currentTimeMillis,
    answers: record.answers?.map(({ at, body, id }) => ({ id, seq: next, at, body })),
    timers: record.timers ?? (kept[0]?.timers && none)
  }])
  return next
})

/**
 * Since when a part of the store is missing of which it is not known what it held, and why.
 *
 * **When to use**
 *
 * To see why servers that are new say that they may have had a state.
 *
 * **Details**
 *
 * Of a server of which the store has nothing it is not known then whether it had a state: its start is a rollback to
 * `init`, and its calls with a key are answered `AnswerLost`. That ends for each class when its answers would have been
 * too old (`answers.maxAge`), or with {@link settle}. Nothing while all that was written is known.
 *
 * @category snapshots
 * @since 0.1.0
 */
export const doubt = (store: StoreView): Effect.Effect<Option.Option<Doubt>, StoreError> =>
  Effect.map(
    Effect.suspend(() => viewOf("Snapshots.doubt", store).doubt ?? Effect.undefined),
    Option.fromUndefinedOr
  )

/**
 * Ends the doubt about what a missing part of the store held: of what has no snapshot it is known then that it had
 * none.
 *
 * **When to use**
 *
 * When a person knows what was lost, and has put it right. Stop the app first: one that runs is fenced off.
 *
 * **Gotchas**
 *
 * A call that was handled, and whose record was in that part, is handled again when it is made again.
 *
 * @category snapshots
 * @since 0.1.0
 */
export const settle = (store: StateStore<Grade>): Effect.Effect<void, StoreError> =>
  Effect.suspend(() => {
    const { settle } = viewOf("Snapshots.settle", store)
    return settle === undefined ? Effect.void : Effect.flatMap(store.acquireEpoch(owner), settle)
  })
