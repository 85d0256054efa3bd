/**
 * The one writer of a store: it writes the newest state of every server that has one to be written, in one transaction.
 *
 * Servers do not wait for it, their answers do. While a batch is being written the next one gathers: the slower the store,
 * the more servers and commits share a transaction.
 *
 * *Tricky*
 * - No fiber runs while nothing waits. The first commit arms a turn of the Scheduler, and all that is committed before it
 *   comes goes into the same batch.
 * - A store refuses a batch whole for one stale epoch. Only the servers of that session are told so; the others' records
 *   are written again without them. A batch that is refused for good for any other reason is halved until whoever is to
 *   blame is alone: nobody loses a state because of somebody else's.
 * - What is not a snapshot (a removal) has its place among the records: those committed before it are written before it,
 *   those committed after it, after it. However busy the writer is, its turn comes.
 * - A server may commit while its record is being written: it is dirty again, and its next record follows. What it holds
 *   back is released up to what the written record said, not up to what it has by now.
 *
 * @since 0.1.0
 */
import { Cause, Context, Effect, type Exit, type Fiber, type Schedule, Scheduler } from "effect"
import type { SnapshotRecord } from "../../domain/state/SnapshotRecord.ts"
import type { StoreError } from "../../domain/state/StoreError.ts"
import type { Grade } from "../../domain/state/Survival.ts"
import type { StateStore } from "./StateStore.ts"

/** What has something to be written. */
export interface Unsaved {
  /** The session it belongs to: all of one epoch are refused together. */
  readonly epoch: number
  /** The newest record; a failure when the state cannot be encoded, nothing when there is nothing any more. */
  record(): Exit.Exit<SnapshotRecord, unknown> | undefined
  /** The record is stored. */
  saved(record: SnapshotRecord): void
  /** It is not, and will not be tried again. */
  failed(cause: Cause.Cause<unknown>): void
}

// Larger transactions save little, and a synchronous store holds up the event loop as long as one takes.
const maxBatch = 1000

/** Characters of state in a batch, unless a single state has more. */
const maxBatchLength = 16 * 1024 * 1024

/** Something to do between batches. */
class Job {
  readonly effect: Effect.Effect<void, StoreError>
  readonly done: (exit: Exit.Exit<void, StoreError>) => void

  constructor(effect: Effect.Effect<void, StoreError>, done: (exit: Exit.Exit<void, StoreError>) => void) {
    this.effect = effect
    this.done = done
  }
}

/** The writer of one store. */
export class StoreWriter {
  private readonly queue = new Set<Unsaved | Job>()
  private writing: Fiber.Fiber<void> | undefined = undefined
  private armed = false
  private readonly store: StateStore<Grade>
  private readonly context: Context.Context<never>
  private readonly dispatcher: Scheduler.SchedulerDispatcher
  private readonly retry: Schedule.Schedule<unknown, StoreError>

  constructor(
    store: StateStore<Grade>,
    context: Context.Context<never>,
    retry: Schedule.Schedule<unknown, StoreError>
  ) {
    this.store = store
    this.context = context
    this.retry = retry
    this.dispatcher = Context.get(context, Scheduler.Scheduler).makeDispatcher()
  }

  /** Has the newest record of `one` written. */
  add(one: Unsaved): void {
    this.enqueue(one)
  }

  /**
   * Does what is not a snapshot, after all that was added before, and before all that is added later. What waits to be
   * written of `instead` is not written any more.
   */
  run(
    effect: Effect.Effect<void, StoreError>,
    done: (exit: Exit.Exit<void, StoreError>) => void,
    instead?: Unsaved
  ): void {
    if (instead !== undefined) this.queue.delete(instead)
    this.enqueue(new Job(effect, done))
  }

  /** Waits until all that was added before is written, or cannot be. */
  readonly settled: Effect.Effect<void> = Effect.callback((resume) => this.run(Effect.void, () => resume(Effect.void)))

  private enqueue(one: Unsaved | Job): void {
    this.queue.add(one)
    if (this.armed || this.writing !== undefined) return
    this.armed = true
    this.dispatcher.scheduleTask(this.begin, 0)
  }

  private readonly begin = (): void => {
    this.armed = false
    if (this.writing !== undefined) return
    const fiber = Effect.runForkWith(this.context)(this.work)
    const done = () => {
      this.writing = undefined
      if (this.queue.size > 0) this.begin()
    }
    if (fiber.pollUnsafe() !== undefined) return done()
    this.writing = fiber
    fiber.addObserver(done)
  }

  private readonly work: Effect.Effect<void> = Effect.whileLoop({
    while: () => this.queue.size > 0,
    body: () => this.next(),
    step: () => {}
  })

  /** The next batch, or the job that is first. */
  private next(): Effect.Effect<void> {
    const batch = new Map<Unsaved, SnapshotRecord>()
    let length = 0
    for (const one of this.queue) {
      if (one instanceof Job) {
        if (batch.size > 0) break
        this.queue.delete(one)
        return Effect.map(Effect.exit(this.patiently(one.effect)), one.done)
      }
      this.queue.delete(one)
      const record = one.record()
      if (record === undefined) continue
      if (record._tag === "Success") {
        batch.set(one, record.value)
        length += record.value.state.length
      } else one.failed(record.cause)
      if (batch.size === maxBatch || length >= maxBatchLength) break
    }
    return this.write(batch)
  }

  private patiently(effect: Effect.Effect<void, StoreError>): Effect.Effect<void, StoreError> {
    return Effect.retry(effect, { schedule: this.retry, while: (error) => error.isRetryable })
  }

  private write(batch: ReadonlyMap<Unsaved, SnapshotRecord>): Effect.Effect<void> {
    if (batch.size === 0) return Effect.void
    return Effect.flatMap(Effect.exit(this.patiently(this.store.save(Array.from(batch.values())))), (exit) => {
      if (exit._tag === "Success") {
        for (const [one, record] of batch) one.saved(record)
        return Effect.void
      }
      const others = this.blame(batch, exit.cause)
      if (others.length < batch.size) return this.write(new Map(others))
      const half = others.length >> 1
      return Effect.andThen(this.write(new Map(others.slice(0, half))), this.write(new Map(others.slice(half))))
    })
  }

  /** Tells those whose records a batch was refused for, as far as that is known; answers with the others. */
  private blame(
    batch: ReadonlyMap<Unsaved, SnapshotRecord>,
    cause: Cause.Cause<unknown>
  ): ReadonlyArray<[Unsaved, SnapshotRecord]> {
    const entries = Array.from(batch)
    const stale = staleEpoch(cause)
    const ofSession = entries.filter(([, { epoch }]) => epoch === stale)
    if (ofSession.length === 0 && entries.length > 1 && !isNobodysFault(cause)) return entries
    const blamed = ofSession.length === 0 ? entries : ofSession
    for (const [one] of blamed) {
      this.queue.delete(one)
      one.failed(cause)
    }
    return ofSession.length === 0 ? [] : entries.filter(([, { epoch }]) => epoch !== stale)
  }
}

/** Whether no record is to blame: the store did not answer. */
const isNobodysFault = (cause: Cause.Cause<unknown>): boolean => {
  const error = Cause.squash(cause)
  return isStoreError(error) ? error.isRetryable : Cause.hasInterruptsOnly(cause)
}

const writers = new WeakMap<object, WeakMap<object, StoreWriter>>()

/** The writer of a store, one for all whose patience is the same: their states share transactions. */
export const writerOf = (
  store: StateStore<Grade>,
  context: Context.Context<never>,
  retry: Schedule.Schedule<unknown, StoreError>
): StoreWriter => {
  let known = writers.get(store)
  if (known === undefined) writers.set(store, known = new WeakMap())
  let writer = known.get(retry)
  if (writer === undefined) known.set(retry, writer = new StoreWriter(store, context, retry))
  return writer
}

/** The epoch for which a batch was refused, if it was refused for one. */
export const staleEpoch = (cause: Cause.Cause<unknown>): number | undefined => {
  const error = Cause.squash(cause)
  return isStoreError(error) && error.reason._tag === "Fenced" ? error.reason.epoch : undefined
}

const isStoreError = (u: unknown): u is StoreError =>
  typeof u === "object" && u !== null && (u as { readonly _tag?: unknown })._tag === "StoreError"
