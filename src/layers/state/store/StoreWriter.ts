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
 * - The steps of a Schedule cost more than a write: the first attempt does without one.
 * - A server may commit while its record is being written: it is dirty again, and its next record follows. What it holds
 *   back is released up to what the written record said, not up to what it has by now.
 *
 * @since 0.1.0
 */
import { Cause, Clock, Context, Effect, Exit, type Fiber, type Schedule, Scheduler } from "effect"
import type { SnapshotRecord } from "../../../domain/state/stored/SnapshotRecord.ts"
import type { StoreError } from "../../../domain/state/stored/StoreError.ts"
import type { Grade } from "../../../domain/state/Survival.ts"
import type { StateStore } from "./StateStore.ts"
import { healthOf, type StoreHealth } from "./StoreHealth.ts"

/** What has something to be written. */
export interface Unsaved {
  /** The session it belongs to: all of one epoch are refused together. */
  readonly epoch: number
  /** Its place in the writer's queue, 0 when it has none; the writer's own. */
  ticket: number
  /** The newest record; a failure when the state cannot be encoded, nothing when there is nothing any more. */
  record(at: number): Exit.Exit<SnapshotRecord, unknown> | undefined
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
  ticket = 0
  /** What the store is asked; nothing for one who only waits for its turn. */
  readonly effect: Effect.Effect<void, StoreError> | undefined
  readonly done: (exit: Exit.Exit<void, StoreError>) => void

  constructor(effect: Effect.Effect<void, StoreError> | undefined, done: (exit: Exit.Exit<void, StoreError>) => void) {
    this.effect = effect
    this.done = done
  }
}

/** The writer of one store. */
export class StoreWriter {
  /** First in, first out, from `head` on; an entry counts while its ticket is the one that was given with it. */
  private queue: Array<Unsaved | Job> = []
  private tickets: Array<number> = []
  private head = 0
  private lastTicket = 0
  private writing: Fiber.Fiber<void> | undefined = undefined
  private armed = false
  private readonly store: StateStore<Grade>
  private readonly context: Context.Context<never>
  private readonly dispatcher: Scheduler.SchedulerDispatcher
  private readonly retry: Schedule.Schedule<unknown, StoreError>
  private readonly clock: Clock.Clock
  private readonly health: StoreHealth

  constructor(
    store: StateStore<Grade>,
    context: Context.Context<never>,
    retry: Schedule.Schedule<unknown, StoreError>
  ) {
    this.store = store
    this.context = context
    this.retry = retry
    this.health = healthOf(store)
    this.clock = Context.get(context, Clock.Clock)
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
    if (instead !== undefined) instead.ticket = 0
    this.enqueue(new Job(effect, done))
  }

  /** Waits until all that was added before is written, or cannot be. */
  readonly settled: Effect.Effect<void> = Effect.callback((resume) =>
    this.enqueue(new Job(undefined, () => resume(Effect.void)))
  )

  private enqueue(one: Unsaved | Job): void {
    if (one.ticket !== 0) return
    one.ticket = ++this.lastTicket
    this.queue.push(one)
    this.tickets.push(one.ticket)
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
      if (this.head < this.queue.length) this.begin()
    }
    if (fiber.pollUnsafe() !== undefined) return done()
    this.writing = fiber
    fiber.addObserver(done)
  }

  private readonly work: Effect.Effect<void> = Effect.whileLoop({
    while: () => this.head < this.queue.length,
    body: () => this.next(),
    step: () => {}
  })

  /** The next batch, or the job that is first. */
  private next(): Effect.Effect<void> {
    const batch: Array<Unsaved> = []
    const records: Array<SnapshotRecord> = []
    const at = this.clock.currentTimeMillisUnsafe()
    let length = 0
    while (this.head < this.queue.length && batch.length < maxBatch && length < maxBatchLength) {
      const one = this.queue[this.head]!
      if (one.ticket !== this.tickets[this.head]) {
        this.head++
        continue
      }
      const isJob = one instanceof Job
      if (isJob && batch.length > 0) break
      this.head++
      one.ticket = 0
      if (isJob) {
        this.trim()
        return this.perform(one)
      }
      const record = one.record(at)
      if (record === undefined) continue
      if (record._tag === "Failure") one.failed(record.cause)
      else {
        batch.push(one)
        records.push(record.value)
        length += record.value.state.length
      }
    }
    this.trim()
    return this.write(batch, records)
  }

  private perform({ done, effect }: Job): Effect.Effect<void> {
    if (effect === undefined) return Effect.sync(() => done(Exit.void))
    return Effect.map(Effect.exit(this.health.ask(effect, this.retry, () => 1 + this.waiting, "write")), done)
  }

  private trim(): void {
    if (this.head < this.queue.length && this.head < 4 * maxBatch) return
    this.queue = this.queue.slice(this.head)
    this.tickets = this.tickets.slice(this.head)
    this.head = 0
  }

  private write(batch: ReadonlyArray<Unsaved>, records: ReadonlyArray<SnapshotRecord>): Effect.Effect<void> {
    if (batch.length === 0) return Effect.void
    const save = this.store.save(records)
    const onSuccess = () => {
      for (let i = 0; i < batch.length; i++) batch[i]!.saved(records[i]!)
      return this.health.outage === undefined
        ? Effect.void
        : this.health.recovered("write", batch.length + this.waiting)
    }
    return Effect.matchCauseEffect(save, {
      onSuccess,
      onFailure: (cause) =>
        Effect.matchCauseEffect(
          this.health.askAgain(save, cause, this.retry, () => batch.length + this.waiting, "write"),
          {
            onSuccess,
            onFailure: (cause) => this.give(batch, records, cause)
          }
        )
    })
  }

  /** How many are in its queue. */
  private get waiting(): number {
    let count = 0
    for (let i = this.head; i < this.queue.length; i++) if (this.queue[i]!.ticket === this.tickets[i]) count++
    return count
  }

  /**
   * A batch will not be written as it is. Those whose records it was refused for, as far as that is known, are told; the
   * others are written without them.
   */
  private give(
    batch: ReadonlyArray<Unsaved>,
    records: ReadonlyArray<SnapshotRecord>,
    cause: Cause.Cause<unknown>
  ): Effect.Effect<void> {
    const stale = staleEpoch(cause)
    const isOfSession = (record: SnapshotRecord): boolean => record.epoch === stale
    if (records.some(isOfSession)) {
      const rest: Array<number> = []
      for (let i = 0; i < batch.length; i++) {
        if (isOfSession(records[i]!)) this.tell(batch[i]!, cause)
        else rest.push(i)
      }
      return this.write(rest.map((i) => batch[i]!), rest.map((i) => records[i]!))
    }
    if (batch.length === 1 || isNobodysFault(cause)) {
      for (const one of batch) this.tell(one, cause)
      return Effect.void
    }
    const half = batch.length >> 1
    return Effect.andThen(
      this.write(batch.slice(0, half), records.slice(0, half)),
      this.write(batch.slice(half), records.slice(half))
    )
  }

  private tell(one: Unsaved, cause: Cause.Cause<unknown>): void {
    one.ticket = 0
    one.failed(cause)
  }
}

/** Whether no record is to blame: the store did not answer, or would have refused any. */
const isNobodysFault = (cause: Cause.Cause<unknown>): boolean => {
  const error = Cause.squash(cause)
  return isStoreError(error) ? error.isOutage : Cause.hasInterruptsOnly(cause)
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
