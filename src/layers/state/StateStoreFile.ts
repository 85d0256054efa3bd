/**
 * A `StateStore` in a folder: one append-only log, one flush of the disk for every batch.
 *
 * Use it where a process has a disk and no database is wanted, and for large states: it waits for the disk beside the
 * event loop, which only stands still for encoding, some 2 ms a megabyte, and for handing small batches to the kernel.
 * A batch that was acknowledged survives the end of the process and, as far as the disk keeps its word, a power cut.
 * One process at a time owns the folder; the next one that acquires an epoch takes over. Do not use it for a million
 * keys (what lies where is in memory, some 400 bytes a key), nor on a network file system.
 *
 * *Tricky*
 * - A crash in the middle of a write leaves a damaged end: it is cut off when the next session begins, and reported. A
 *   damaged part in the middle is skipped and reported; the keys in it fall back to their generation before.
 * - Two processes may race for the folder (`LogDirectory`). A batch that was written while the folder was being taken
 *   over is acknowledged, or refused, by what the younger session says it has read.
 * - Compaction takes its turn with the writes (`LogSession`).
 * - What is written to a file that was removed or replaced is lost, and does not fail: a session looks (`LogPresence`).
 *
 * @since 0.1.0
 */
import { Clock, Effect, FileSystem, Layer, Path, type PlatformError, type Scope, Semaphore } from "effect"
import * as GivenOption from "../../domain/options/GivenOption.ts"
import type { LogEntry } from "../../domain/state/log/LogEntry.ts"
import { afterFailure, isDue } from "../../domain/state/stored/Compaction.ts"
import { generationsOf, invalid } from "../../domain/state/stored/SnapshotRecord.ts"
import { StoreError, type StoreErrorReason } from "../../domain/state/stored/StoreError.ts"
import { safely } from "../observation/SafeLog.ts"
import * as LogDirectory from "./file/LogDirectory.ts"
import type { LogIndex, Place } from "./file/LogIndex.ts"
import type { Lost } from "./file/LogPresence.ts"
import { aside, load, type Reader, readText, reporting } from "./file/LogRead.ts"
import { replay } from "./file/LogReplay.ts"
import { LogSession } from "./file/LogSession.ts"
import * as LogView from "./file/LogView.ts"
import * as NodeDisk from "./file/NodeDisk.ts"
import type * as StateStore from "./store/StateStore.ts"
import { hosted } from "./store/StoreHost.ts"
import { storeKeyOf } from "./store/StoreShape.ts"

/**
 * The options of the file store.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options extends StateStore.OwnedOptions {
  /** The folder; it is made if it is missing, and should hold nothing else. */
  readonly directory: string
  /**
   * Bytes that are no longer needed before the log is compacted, if they are also the larger part; 8 MiB by default.
   */
  readonly compactAbove?: number | undefined
  /** Called with what was found damaged, once each; logs it by default: what is lost by it at level Error. */
  readonly onDamage?: ((damage: LogDirectory.Damage) => Effect.Effect<void>) | undefined
}

export type { Damage } from "./file/LogDirectory.ts"

const { checksum } = NodeDisk

const noRoom = new Set(["ENOSPC", "EDQUOT", "EFBIG"])

const reasonOf = (error: PlatformError.PlatformError): StoreErrorReason => {
  const cause: { readonly code?: unknown } = Object("cause" in error.reason ? error.reason.cause : undefined)
  return noRoom.has(String(cause.code)) ? { _tag: "Full", cause: error } : { _tag: "Unavailable", cause: error }
}

const beingTakenOver = new Error("another process is taking the folder over at this moment")
const own = ({ kept }: LogIndex, prefix: string): Array<string> =>
  Array.from(kept.keys()).filter((key) => key.startsWith(prefix))

/** What is read of a log. */
type Read<A> = (index: LogIndex, text: Reader) => Effect.Effect<A, PlatformError.PlatformError>

/** What a write is about, for the fence. */
interface Target {
  readonly epoch: number
  readonly key?: string
}

const directoryOf = (options: Pick<Options, "directory">): string =>
  GivenOption.text({ of: "file", option: "directory", given: GivenOption.options("file", options).directory })

/**
 * A store in a folder, over the file system it is given and nothing else; what it has open is closed with the Scope.
 *
 * For tests of what disks do. {@link layer} writes without waiting for the platform's threads.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function*(
  options: Options
): Effect.fn.Return<StateStore.StateStore<"process">, StoreError, FileSystem.FileSystem | Path.Path | Scope.Scope> {
  const name = `file ${directoryOf(options)}`
  const fs = yield* FileSystem.FileSystem
  const log = LogDirectory.make(fs, yield* Path.Path, options.directory, checksum)
  const parent = yield* Effect.scope
  const limit = generationsOf(name, options.generations)
  const onDamage = reporting(name, options.onDamage)
  const lock = Semaphore.makeUnsafe(1)
  let session: LogSession | undefined
  const compactAbove = options.compactAbove === undefined
    ? 8 * 1024 * 1024
    : GivenOption.limit({ of: name, option: "compactAbove", given: options.compactAbove }, 0)
  // Grows when a compaction has failed, so that it is not tried again with every write.
  let compactFrom = compactAbove
  let compacting = false

  const fail = (operation: string, reason: StoreErrorReason) => new StoreError({ store: name, operation, reason })

  /** One at a time, and not interrupted in the middle: a frame that is written and not in the index is of no use. */
  const turn = (operation: string) => <A>(effect: Effect.Effect<A, PlatformError.PlatformError | StoreError>) =>
    lock.withPermit(Effect.uninterruptible(
      Effect.mapError(effect, (error) => error._tag === "StoreError" ? error : fail(operation, reasonOf(error)))
    ))

  yield* turn("open")(fs.makeDirectory(options.directory, { recursive: true }))

  const readAs = (who: "owner" | "visitor") =>
    Effect.tap(replay(fs, log, limit, checksum), ({ damages }) =>
      // To a visitor, a batch that the owner is just writing looks damaged.
      Effect.forEach(damages, (one) => who === "visitor" && one._tag === "TornTail" ? Effect.void : onDamage(one), {
        discard: true
      }))

  const rotted = (place: Place) => {
    session?.keep(place.file)
    return onDamage({ _tag: "Hole", file: place.file, at: place.at, bytes: place.length })
  }

  const lose = Effect.suspend(() => {
    const lost = session
    session = undefined
    return lost === undefined ? Effect.void : lost.close
  })

  /** Why a write is refused whose session is over. */
  const refused = (operation: string, target: Target) =>
    Effect.flatMap(readAs("visitor"), ({ index }) => {
      const reason = index.stale([target]) ?? { _tag: "Fenced", epoch: target.epoch, current: index.newest }
      return Effect.fail(fail(operation, reason))
    })

  /**
   * Whether a frame that was written while the folder was taken over is part of what the younger session has read. Its
   * segments say so; until there is one, it is not known.
   */
  const wasTakenOver = Effect.fnUntraced(function*(owner: number, file: string, end: number) {
    for (let attempt = 0; attempt < 100; attempt++) {
      const newest = (yield* log.list).segments.at(-1)
      const header = newest !== undefined && newest.session > owner ? yield* log.header(newest) : undefined
      if (header !== undefined) {
        const cut = header.cuts.find((one) => one.session === owner)
        return cut !== undefined && cut.file === file && end <= cut.upTo
      }
      yield* Effect.sleep("10 millis")
    }
    return undefined
  })

  /** What has become of a session whose files are not what they were, if no younger one has the folder. */
  const goneFrom = Effect.fnUntraced(function*(current: LogSession, outcome: "over" | Lost) {
    if (yield* log.hasYounger(current.number)) return undefined
    const lost = outcome === "over" ? yield* current.lost : outcome
    const claim: Lost = { path: log.at(log.claimName(current.number)), how: "missing" }
    return { _tag: "Gone", ...(lost ?? claim) } as const
  })

  const write = Effect.fnUntraced(function*(
    operation: string,
    targets: ReadonlyArray<Target>,
    entries: ReadonlyArray<LogEntry>
  ) {
    const current = session
    if (current === undefined) return yield* refused(operation, targets[0]!)
    const reason = current.index.stale(targets)
    if (reason !== undefined) return yield* fail(operation, reason)
    const { end, file, outcome } = yield* current.append(entries)
    if (outcome === "stored") return yield* compactIfNeeded(current)
    const gone = yield* goneFrom(current, outcome)
    if (gone !== undefined) return yield* fail(operation, gone)
    yield* lose
    const stored = end > 0 ? yield* wasTakenOver(current.number, file, end) : false
    if (stored === true) return
    if (stored === false) return yield* refused(operation, targets[0]!)
    return yield* fail(operation, { _tag: "Unavailable", cause: beingTakenOver })
  })

  /** Nothing is written: whether the claim is there, and its files. */
  const confirm = Effect.fnUntraced(function*(target: Target) {
    const current = session
    if (current === undefined) return yield* refused("confirm", target)
    const reason = current.index.stale([target])
    if (reason !== undefined) return yield* fail("confirm", reason)
    const outcome = (yield* current.isOwner) ? yield* current.lost : "over"
    if (outcome === undefined) return
    const gone = yield* goneFrom(current, outcome)
    if (gone !== undefined) return yield* fail("confirm", gone)
    yield* lose
    return yield* refused("confirm", target)
  })

  /** In a turn of its own, after those that wait already. */
  const compactIfNeeded = (current: LogSession): Effect.Effect<void> => {
    const { logSize } = current
    if (compacting || !isDue(logSize, compactFrom)) return Effect.void
    compacting = true
    const compact = Effect.suspend(() =>
      session === current ? Effect.flatMap(current.compact(), (isOwner) => isOwner ? Effect.void : lose) : Effect.void
    )
    const reported = Effect.matchEffect(turn("compact")(compact), {
      onSuccess: () => Effect.sync(() => compactFrom = compactAbove),
      onFailure: (error) => {
        compactFrom = afterFailure(logSize, compactAbove)
        return safely(
          Effect.logWarning(`state store "${name}": the log was not compacted, nothing is lost by that`, error)
        )
      }
    })
    return Effect.asVoid(Effect.forkIn(Effect.ensuring(reported, Effect.sync(() => compacting = false)), parent))
  }

  const takeOver = Effect.gen(function*() {
    yield* lose
    const number = yield* log.claim
    const replayed = yield* readAs("owner")
    const begun = yield* LogSession.begin({ fs, log, parent, limit, checksum, onDamage }, number, replayed)
    if (!(yield* begun.isOwner)) {
      yield* begun.close
      return yield* fail("acquireEpoch", { _tag: "Unavailable", cause: beingTakenOver })
    }
    session = begun
    yield* begun.tidy
    // What is known of losses is written down before the files that show them are needed no more; and 0.1's log is made
    // today's.
    const isMended = replayed.isOld || replayed.damages.some(({ _tag }) => _tag !== "TornTail")
    if (isMended && !(yield* Effect.orElseSucceed(begun.compact(), () => true))) {
      yield* lose
      return yield* fail("acquireEpoch", { _tag: "Unavailable", cause: beingTakenOver })
    }
    return begun
  })

  /** Reads the log as it is for its owner, or as it lies there for all others. */
  const reading = <A>(operation: string, read: Read<A>): Effect.Effect<A, StoreError> =>
    turn(operation)(Effect.suspend(() => {
      const current = session
      if (current === undefined) return fromOutside(read)
      return Effect.matchCauseEffect(read(current.index, (place) => current.text(place)), {
        onSuccess: (value) => readBy(current, operation, Effect.succeed(value), read),
        onFailure: (cause) => readBy(current, operation, Effect.failCause(cause), read)
      })
    }))

  /** What a session has read, if its files are what they were: looked at afterwards. */
  const readBy = Effect.fnUntraced(function*<A>(
    current: LogSession,
    operation: string,
    outcome: Effect.Effect<A, PlatformError.PlatformError>,
    read: Read<A>
  ) {
    const lost = yield* current.lost
    if (lost === undefined) return yield* outcome
    const gone = yield* goneFrom(current, lost)
    if (gone !== undefined) return yield* fail(operation, gone)
    yield* lose
    return yield* fromOutside(read)
  })

  const fromOutside = <A>(use: Read<A>) =>
    // The owner may compact the log between the reading of the index and that of the texts.
    Effect.retry(
      Effect.flatMap(readAs("visitor"), ({ index }) =>
        use(index, (place) =>
          Effect.scoped(Effect.flatMap(fs.open(log.at(place.file), { flag: "r" }), (file) =>
            readText(file, place, checksum))))),
      {
        times: 5,
        while: (error) =>
          error.reason._tag === "NotFound"
      }
    )

  return {
    name,
    grade: "process",
    acquireEpoch: (owner) =>
      turn("acquireEpoch")(Effect.gen(function*() {
        const current = session !== undefined && !(yield* log.hasYounger(session.number)) ? session : yield* takeOver
        const epoch = current.index.newest + 1
        const { outcome } = yield* current.append([{ _tag: "Epoch", owner, epoch }])
        if (outcome === "stored") return epoch
        const gone = yield* goneFrom(current, outcome)
        if (gone !== undefined) return yield* fail("acquireEpoch", gone)
        yield* lose
        return yield* fail("acquireEpoch", { _tag: "Unavailable", cause: beingTakenOver })
      })),
    confirm: (epoch, key) => turn("confirm")(confirm(key === undefined ? { epoch } : { epoch, key })),
    load: (key) => reading("load", (index, text) => load(index, key, text, rotted)),
    save: (records) =>
      Effect.suspend(() => {
        if (records.length === 0) return Effect.void
        const what = invalid(records)
        if (what !== undefined) return Effect.fail(fail("save", { _tag: "Invalid", what }))
        return turn("save")(write("save", records, records.map((record) => ({ _tag: "Put", record }))))
      }),
    setAside: ({ epoch, key, seq, why }) =>
      turn("setAside")(
        Effect.flatMap(Clock.currentTimeMillis, (asideAt) =>
          write("setAside", [{ epoch, key }], [{ _tag: "Aside", key, seq, why, asideAt }]))
      ),
    listAside: (key) =>
      reading(
        "listAside",
        (index, text) =>
          Effect.forEach(index.aside.filter((one) => key === undefined || one.key === key), (one) => aside(one, text))
      ),
    keys: (prefix = "", page) =>
      reading(
        "keys",
        (index) => Effect.sync(() => page === undefined ? own(index, prefix).sort() : index.pages.page(prefix, page))
      ),
    count: (prefix = "") => reading("count", (index) => Effect.sync(() => own(index, prefix).length)),
    remove: (keys, epoch) =>
      keys.length === 0
        ? Effect.void
        : turn("remove")(write("remove", keys.map((key) => ({ epoch, key })), [{ _tag: "Remove", keys }])),
    doubt: reading("doubt", ({ doubt }) => Effect.succeed(doubt)),
    settle: (epoch) => turn("settle")(write("settle", [{ epoch }], [{ _tag: "Doubt", at: 0, why: "" }])),
    timers: (limit, after, until) => reading("timers", ({ due }) => Effect.sync(() => due.page(limit, after, until)))
  }
})

/**
 * A store in a folder that is only looked at: nothing is written, and nothing made. It answers how the folder was when
 * it was first asked for anything; one without states fails with a `StoreError` whose reason is `Absent`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const look = (
  options: Options
): Effect.Effect<StateStore.StoreView, StoreError, FileSystem.FileSystem | Path.Path> =>
  Effect.suspend(() => {
    const given = GivenOption.options("file", options)
    const { onDamage = (damage) => safely(Effect.logWarning(LogDirectory.explain(damage))) } = given
    return LogView.make(directoryOf(options), checksum, onDamage)
  })

/**
 * A store in a folder, written as directly as Node can; what it has open is closed with the Scope.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeDirect = (options: Options): ReturnType<typeof make> =>
  Effect.flatMap(Effect.updateService(make(options), FileSystem.FileSystem, NodeDisk.direct), NodeDisk.holding(options))

/**
 * The store in a folder.
 *
 * **When to use**
 *
 * For states that must outlive the process, on one machine, without a database.
 *
 * **Details**
 *
 * One flush of the disk for a batch, so batches make it fast. The log is compacted by itself when more than half of it,
 * and more than `compactAbove`, is no longer needed; writes wait while it is. Copy the folder while no app writes to
 * back it up.
 *
 * **Gotchas**
 *
 * A folder has one owner at a time. To read one that a running app owns is safe; a second app waits for the
 * first to leave (`ownership`). Reading without an epoch reads the whole log each time.
 *
 * **Example**
 *
 * ```ts
 * import { NodeServices } from "@effect/platform-node"
 * import { Layer } from "effect"
 * import { StateStore } from "heirloom"
 * import * as StateStoreFile from "heirloom/StateStoreFile"
 *
 * class Store extends StateStore.Service<Store>()("app/Store", "process") {}
 *
 * const StoreLive = StateStoreFile.layer(Store, { directory: "./data" }).pipe(Layer.provide(NodeServices.layer))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <Self, G extends StateStore.AtMost<"process">>(
  store: StateStore.StateStoreKey<Self, G>,
  options: Options
): Layer.Layer<Self, StoreError, FileSystem.FileSystem | Path.Path> =>
  Layer.effect(
    storeKeyOf("StateStoreFile.layer", store),
    Effect.flatMap(makeDirect(options), (made) => hosted(made, store.grade))
  )
