/**
 * The state of a key as a `Stream`: the newest first, then what becomes of it.
 *
 * The server never waits for a reader: it hands what is to be seen to the reader's queue, which has room for so much
 * and no more, unless it was asked for without a limit. Readers of one key share what watches it.
 *
 * @since 0.1.0
 */
import { type Cause, Effect, Option, Queue, Stream } from "effect"
import * as GivenOption from "../../../domain/options/GivenOption.ts"
import { type Change, Unstored } from "../../../domain/state/shown/Change.ts"
import type { Process } from "../../process/Process.ts"
import type { CompanionTable } from "../companion/CompanionTable.ts"
import type { Reader, Watched } from "../companion/Watched.ts"

/**
 * How a state is watched.
 *
 * @category options
 * @since 0.1.0
 */
export interface ChangesOptions {
  /**
   * How many changes may wait for a slow reader, 16 by default, and which give way then: the oldest (`sliding`, the
   * default), or those that come (`dropping`). A capacity of 1 is the newest alone. The server never waits, so
   * `suspend` is not offered.
   */
  readonly buffer?:
    | { readonly capacity: "unbounded" }
    | { readonly capacity: number; readonly strategy?: "sliding" | "dropping" | undefined }
    | undefined
  /**
   * `stored`, the default: over a store, a state is shown when it is stored. `committed`: at once, also one that a
   * failing store may yet undo.
   */
  readonly show?: "stored" | "committed" | undefined
}

/** Whose state it is, where it is that of one process. */
export interface Whose {
  readonly process: Process
  /** Whether that process is gone for good. */
  readonly isGone: () => boolean
}

type ChangeQueue<S> = Queue.Queue<Change<S>, Cause.Done>

class QueueReader<in out S> implements Reader<S> {
  private readonly queue: ChangeQueue<S>
  /** What waits until it is stored; absent where it is shown at once. */
  private readonly unstored: Unstored<S> | undefined
  private readonly whose: Whose | undefined
  private isOver = false
  hasShown = false

  constructor(queue: ChangeQueue<S>, unstored: Unstored<S> | undefined, whose: Whose | undefined) {
    this.queue = queue
    this.unstored = unstored
    this.whose = whose
  }

  changed(change: Change<S>): void {
    if (this.unstored === undefined) return this.show([change])
    // What `init` has made is stored with its first change.
    if (change._tag === "Committed" && change.seq === 0 && !change.isConserved) return
    this.show(this.unstored.add(change))
  }

  stored(upTo: number): void {
    if (this.unstored !== undefined) this.show(this.unstored.stored(upTo))
  }

  lost(): void {
    if (this.unstored !== undefined) this.show(this.unstored.lost())
  }

  released(server: Process, isOver: boolean): void {
    const { whose } = this
    if (isOver) this.end()
    else if (whose !== undefined && whose.process === server && whose.isGone()) this.ended()
  }

  /** What is on its way to the store is waited for. */
  ended(): void {
    this.isOver = true
    this.show([])
  }

  private end(): void {
    this.lost()
    Queue.endUnsafe(this.queue)
  }

  private show(changes: ReadonlyArray<Change<S>>): void {
    for (const change of changes) {
      this.hasShown = true
      Queue.offerUnsafe(this.queue, change)
    }
    if (this.isOver && this.unstored?.isEmpty !== false) Queue.endUnsafe(this.queue)
  }

  /** The newest state that is known in memory; false when there is none, and a store may have one. */
  begin(watched: Watched<S>, inMemory: Option.Option<S>): boolean {
    const { books, isPending, store } = watched.latest
    const incarnation = watched.owner?.incarnation ?? watched.youngest
    const own = Option.getOrUndefined(inMemory)
    if (books !== undefined) {
      // Whether a newer one waits to be handed on.
      const isNewest = !isPending || Option.isNone(inMemory) || Object.is(own, books.state)
      const { seq, state } = books
      const isConserved = !(isPending && isNewest)
      if (isNewest || this.unstored !== undefined) {
        this.changed({ _tag: "Committed", state: state as S, seq, incarnation: books.incarnation, isConserved })
      }
      if (!isNewest) this.changed({ _tag: "Committed", state: own as S, seq: seq + 1, incarnation, isConserved: false })
      return true
    }
    if (Option.isNone(inMemory)) return store === undefined
    const isConserved = !isPending && store === undefined
    this.changed({ _tag: "Committed", state: inMemory.value, seq: isPending ? 1 : 0, incarnation, isConserved })
    return true
  }
}

/** What becomes of the state of a key, from the newest one on. */
export const changes = <S>(
  companions: CompanionTable<S>,
  of: string,
  key: string,
  { buffer, show = "stored" }: ChangesOptions = {},
  whose?: Whose
): Stream.Stream<Change<S>> => {
  const given = GivenOption.givenTo(() => of)
  GivenOption.oneOf(given("show", show), ["stored", "committed"])
  const strategy = buffer?.capacity === "unbounded" ? "sliding" : buffer?.strategy ?? "sliding"
  GivenOption.oneOf(given("buffer.strategy", strategy), ["sliding", "dropping"])
  const capacity = buffer?.capacity === "unbounded"
    ? Infinity
    : GivenOption.integer(given("buffer.capacity", buffer?.capacity ?? 16), 1)
  return Stream.callback<Change<S>>((queue) =>
    Effect.gen(function*() {
      const unstored = show === "committed"
        ? undefined
        : new Unstored<S>(capacity, strategy === "sliding" ? "newest" : "oldest")
      const reader = new QueueReader(queue, unstored, whose)
      const { inMemory, watched } = yield* Effect.acquireRelease(
        Effect.sync(() => companions.watch(key, reader)),
        ({ leave }) => Effect.sync(leave)
      )
      if (!reader.begin(watched, inMemory)) {
        const [newest] = yield* watched.snapshots
        // Its server may have come up meanwhile, and have shown what is newer.
        if (newest !== undefined && !reader.hasShown) {
          reader.changed({ _tag: "Committed", ...newest, isConserved: true })
        }
      }
      if (whose?.isGone() === true) reader.ended()
    }), { bufferSize: capacity, strategy })
}
