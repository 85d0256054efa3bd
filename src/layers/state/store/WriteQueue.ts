/**
 * What one session has to be written, in order: records of its servers, and jobs between them.
 *
 * A session is the unit of patience. When the store is away, the session's `retry` says when its writes are attempted
 * again, and when they are given up; those of other sessions are not its affair.
 *
 * *Tricky*
 * - A job (a removal) has its place among the records: those added before it are written before it, those added after
 *   it, after it.
 * - A server that commits while its record waits for another attempt is queued again. Its new record goes with a later
 *   batch: the record that may be stored already is attempted again as it is.
 *
 * @since 0.1.0
 */
import { type Cause, Effect, Exit, type Schedule } from "effect"
import type { SnapshotRecord } from "../../../domain/state/stored/SnapshotRecord.ts"
import type { StoreError } from "../../../domain/state/stored/StoreError.ts"
import { Patience } from "./Patience.ts"

/** Something with a state to be written. */
export interface Unsaved {
  /** Its place in the queue, 0 when it has none; the queue's own. */
  ticket: number
  /** The newest record; a failure when the state cannot be encoded, nothing when there is nothing any more. */
  record(at: number): Exit.Exit<SnapshotRecord, unknown> | undefined
  /** The record is stored. */
  saved(record: SnapshotRecord): void
  /** It is not, and will not be attempted again. */
  failed(cause: Cause.Cause<unknown>): void
}

/** A record in a batch, and whose it is. */
export interface Entry {
  readonly queue: WriteQueue
  readonly one: Unsaved
  readonly record: SnapshotRecord
}

/** What follows a job, once it is done or given up. */
export type Done = (exit: Exit.Exit<void, StoreError>) => Effect.Effect<void>

/** Something to do between records. */
export class Job {
  ticket = 0
  /** What the store is asked; nothing for one that only waits for its turn. */
  readonly effect: Effect.Effect<void, StoreError> | undefined
  readonly done: Done

  constructor(effect: Effect.Effect<void, StoreError> | undefined, done: Done) {
    this.effect = effect
    this.done = done
  }
}

// Larger transactions save little, and a synchronous store holds up the event loop as long as one takes.
const maxBatch = 1000

/** Characters of state in a batch, unless a single state has more. */
const maxBatchLength = 16 * 1024 * 1024

/** Records that are written together. */
export class Batch {
  readonly entries: Array<Entry> = []
  private length = 0

  get isFull(): boolean {
    return this.entries.length >= maxBatch || this.length >= maxBatchLength
  }

  add(entry: Entry): void {
    this.entries.push(entry)
    this.length += entry.record.state.length
  }
}

const none: ReadonlyArray<never> = []

/** Its newest record; a codec that throws is that server's failure. */
const recordOf = (one: Unsaved, at: number): ReturnType<Unsaved["record"]> => {
  try {
    return one.record(at)
  } catch (defect) {
    return Exit.die(defect)
  }
}

/** What one session has to be written. */
export class WriteQueue {
  readonly patience: Patience
  /** Records whose last attempt failed, or the job whose did; attempted again when they are due. */
  private failing: ReadonlyArray<Entry> = none
  private failedJob: Job | undefined = undefined
  /** The instant of the next attempt, while something is failing. */
  nextAttempt = -Infinity
  /** First in, first out, from `head` on; an entry counts while its ticket is the one that was given with it. */
  private waiting: Array<Unsaved | Job> = []
  private tickets: Array<number> = []
  private head = 0
  private lastTicket = 0
  /** How many of those that wait may have been cancelled. */
  private cancelled = 0
  private readonly wake: () => void

  constructor(retry: Schedule.Schedule<unknown, StoreError>, wake: () => void) {
    this.patience = new Patience(retry)
    this.wake = wake
  }

  /** Has the newest record of `one` written. */
  add(one: Unsaved): void {
    this.enqueue(one)
  }

  /** Does what is not a record, after all that was added before, and before all that is added later. */
  run(effect: Effect.Effect<void, StoreError>, done: Done): void {
    this.enqueue(new Job(effect, done))
  }

  /** What waits to be written of `one` is not written any more. */
  cancel(one: Unsaved): void {
    if (one.ticket === 0) return
    one.ticket = 0
    // Those that wait for a store that is away may be cancelled as often as they are added.
    if (++this.cancelled <= maxBatch || this.cancelled * 2 < this.waiting.length - this.head) return
    const kept = this.waiting.map((_, at) => at).filter((at) => this.waiting[at]!.ticket === this.tickets[at])
    this.waiting = kept.map((at) => this.waiting[at]!)
    this.tickets = kept.map((at) => this.tickets[at]!)
    this.head = this.cancelled = 0
  }

  /** Waits until all that was added before is written, or cannot be. */
  readonly settled: Effect.Effect<void> = Effect.callback((resume) =>
    this.enqueue(new Job(undefined, () => Effect.sync(() => resume(Effect.void))))
  )

  private enqueue(one: Unsaved | Job): void {
    if (one.ticket !== 0) return
    one.ticket = ++this.lastTicket
    this.waiting.push(one)
    this.tickets.push(one.ticket)
    if (!this.isFailing) this.wake()
  }

  private get isFailing(): boolean {
    return this.failing.length > 0 || this.failedJob !== undefined
  }

  /** The instant from which on it has something to be done: at once, later, or never as things are. */
  get due(): number {
    return this.isFailing ? this.nextAttempt : this.head < this.waiting.length ? -Infinity : Infinity
  }

  /** How many wait to be written. */
  get size(): number {
    let count = this.failing.length + (this.failedJob === undefined ? 0 : 1)
    for (let i = this.head; i < this.waiting.length; i++) if (this.waiting[i]!.ticket === this.tickets[i]) count++
    return count
  }

  /** Moves records into a batch, in order, up to the first job. */
  take(batch: Batch, at: number): void {
    if (this.failedJob !== undefined) return
    const again = this.failing
    let first = 0
    for (; first < again.length && !batch.isFull; first++) batch.add(again[first]!)
    this.failing = again.slice(first)
    const taken = again.length === 0 ? undefined : new Set(again.map(({ one }) => one))
    while (!batch.isFull) {
      const one = this.peek()
      if (one === undefined || one instanceof Job || taken?.has(one) === true) break
      this.advance(one)
      const record = recordOf(one, at)
      if (record === undefined) continue
      if (record._tag === "Failure") one.failed(record.cause)
      else batch.add({ queue: this, one, record: record.value })
    }
    this.trim()
  }

  /** Takes the job that is next, if one is. */
  takeJob(): Job | undefined {
    if (this.failing.length > 0) return undefined
    const job = this.failedJob ?? this.peek()
    if (!(job instanceof Job)) return undefined
    if (this.failedJob === undefined) this.advance(job)
    this.failedJob = undefined
    this.trim()
    return job
  }

  /** The last attempt of these failed: they are attempted again at an instant, before anything else of this session. */
  retryAt(instant: number, failed: ReadonlyArray<Entry> | Job): void {
    if (failed instanceof Job) this.failedJob = failed
    else this.failing = [...failed, ...this.failing]
    this.nextAttempt = instant
  }

  /** The first that waits. */
  private peek(): Unsaved | Job | undefined {
    while (this.head < this.waiting.length) {
      const one = this.waiting[this.head]!
      if (one.ticket === this.tickets[this.head]) return one
      this.head++
    }
    return undefined
  }

  private advance(one: Unsaved | Job): void {
    one.ticket = 0
    this.head++
  }

  private trim(): void {
    if (this.head < this.waiting.length && this.head < 4 * maxBatch) return
    this.waiting = this.waiting.slice(this.head)
    this.tickets = this.tickets.slice(this.head)
    this.head = 0
  }
}
