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
 *   are written again without them.
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

/** The writer of one store. */
export class StoreWriter {
  private dirty = new Set<Unsaved>()
  private writing: Fiber.Fiber<void> | undefined = undefined
  private armed = false
  private idleWaiters: Array<() => void> = []
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
    this.dirty.add(one)
    if (this.armed || this.writing !== undefined) return
    this.armed = true
    this.dispatcher.scheduleTask(this.begin, 0)
  }

  /** Runs what is not a snapshot (a removal), after what is being written. */
  run(effect: Effect.Effect<void, StoreError>): Effect.Effect<void, StoreError> {
    return Effect.andThen(this.idle, Effect.retry(effect, { schedule: this.retry, while: (error) => error.isRetryable }))
  }

  /** Waits until nothing waits to be written. */
  readonly idle: Effect.Effect<void> = Effect.callback<void>((resume) => {
    if (this.dirty.size === 0 && this.writing === undefined) return resume(Effect.void)
    this.idleWaiters.push(() => resume(Effect.void))
  })

  private readonly begin = (): void => {
    this.armed = false
    if (this.writing !== undefined) return
    const fiber = Effect.runForkWith(this.context)(this.work)
    const done = () => {
      this.writing = undefined
      if (this.dirty.size > 0) return this.begin()
      const waiters = this.idleWaiters
      this.idleWaiters = []
      for (const waiter of waiters) waiter()
    }
    if (fiber.pollUnsafe() !== undefined) return done()
    this.writing = fiber
    fiber.addObserver(done)
  }

  private readonly work: Effect.Effect<void> = Effect.whileLoop({
    while: () => this.dirty.size > 0,
    body: () => this.write(this.gather()),
    step: () => {}
  })

  private gather(): Map<Unsaved, SnapshotRecord> {
    const batch = new Map<Unsaved, SnapshotRecord>()
    for (const one of this.dirty) {
      this.dirty.delete(one)
      const record = one.record()
      if (record === undefined) continue
      if (record._tag === "Success") batch.set(one, record.value)
      else one.failed(record.cause)
      if (batch.size === maxBatch) break
    }
    return batch
  }

  private write(batch: Map<Unsaved, SnapshotRecord>): Effect.Effect<void> {
    if (batch.size === 0) return Effect.void
    const save = Effect.retry(this.store.save(Array.from(batch.values())), {
      schedule: this.retry,
      while: (error) => error.isRetryable
    })
    return Effect.flatMap(Effect.exit(save), (exit) => {
      if (exit._tag === "Success") {
        for (const [one, record] of batch) one.saved(record)
        return Effect.void
      }
      const stale = staleEpoch(exit.cause)
      const rest = new Map<Unsaved, SnapshotRecord>()
      for (const [one, record] of batch) {
        if (stale !== undefined && record.epoch !== stale) rest.set(one, record)
        else {
          this.dirty.delete(one)
          one.failed(exit.cause)
        }
      }
      return this.write(rest)
    })
  }
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
