/**
 * The one writer of a store: it writes the newest state of every server that has one to be written, in one transaction.
 *
 * It is a fiber that works the queues of all sessions off (`WriteQueue`), and sleeps while they are empty. Servers do
 * not wait for it, their answers do. While a batch is being written the next one gathers: the slower the store, the
 * more servers and commits share a transaction, whichever their classes.
 *
 * *Tricky*
 * - The first commit wakes it in a turn of the Scheduler, and all that is committed before that turn goes into the same
 *   batch.
 * - An attempt that failed because the store is away is made again when the first of the sessions in it is due, with
 *   all that waits by then. Each session counts by its own `retry` the attempts that were due for it, and gives up on
 *   its own.
 * - A store refuses a batch whole for stale epochs, and names all of them. Only the servers that write under these
 *   fail, each for what concerns it; the others' records are written again without them. A batch that is refused for
 *   good for any other reason is halved until the record to blame is alone: no server loses a state because of
 *   another's.
 * - A server may commit while its record is being written: it is queued again, and its next record follows. The answers
 *   it holds are released up to the record that was written, not up to its newest state.
 *
 * @since 0.1.0
 */
import { Cause, Clock, Context, Effect, Exit, Latch, type Schedule, Scheduler } from "effect"
import { refusedIn } from "../../../domain/state/stored/Ownership.ts"
import type { SnapshotRecord } from "../../../domain/state/stored/SnapshotRecord.ts"
import { isStoreError, StoreError } from "../../../domain/state/stored/StoreError.ts"
import type { Grade } from "../../../domain/state/Survival.ts"
import { bounded } from "../../../domain/text/ForeignCause.ts"
import { safely } from "../../observation/SafeLog.ts"
import { instantOf, Watch } from "../../process/Timer.ts"
import { silence, type StoreHealth } from "./StoreHealth.ts"
import type { StateStore } from "./StoreShape.ts"
import { Batch, type Entry, type Job, WriteQueue } from "./WriteQueue.ts"

/** The writer of one store. */
export class StoreWriter {
  /** What its store is called. */
  private readonly name: string
  private readonly save: StateStore<Grade>["save"]
  private readonly health: StoreHealth
  private readonly clock: Clock.Clock
  private readonly dispatcher: Scheduler.SchedulerDispatcher
  private readonly latch = Latch.makeUnsafe(false)
  private isAwake = false
  /** The instant it has slept for, which a clock of fractions may fall short of. */
  private awaited = -Infinity
  private queues: ReadonlyArray<WriteQueue> = []

  private readonly watch: Watch
  private readonly onSilence: () => void

  /**
   * `save` is the store's, whose silence is not looked after: that is done here, without a fiber for each batch.
   * `context` is that of the fiber that is going to {@link run} it.
   */
  constructor(
    name: string,
    save: StateStore<Grade>["save"],
    health: StoreHealth,
    context: Context.Context<never>
  ) {
    this.name = name
    this.save = save
    this.health = health
    this.watch = new Watch(context, silence)
    this.onSilence = () => void Effect.runForkWith(context)(health.awaited("save", "write"))
    this.clock = Context.get(context, Clock.Clock)
    this.dispatcher = Context.get(context, Scheduler.Scheduler).makeDispatcher()
  }

  /** Opens the queue of a session. */
  open(retry: Schedule.Schedule<unknown, StoreError>): WriteQueue {
    const queue = new WriteQueue(retry, this.wake)
    this.queues = [...this.queues, queue]
    return queue
  }

  /** A session is over. */
  close(queue: WriteQueue): void {
    this.queues = this.queues.filter((other) => other !== queue)
  }

  private readonly wake = (): void => {
    if (this.isAwake) return
    this.isAwake = true
    this.dispatcher.scheduleTask(() => this.latch.openUnsafe(), 0)
  }

  /** Works the queues off, for ever: a defect in the middle of it ends that turn alone. */
  readonly run: Effect.Effect<never> = Effect.ensuring(
    Effect.forever(
      Effect.catchCause(Effect.suspend(() => this.turn()), (cause) =>
        Cause.hasInterruptsOnly(cause)
          ? Effect.failCause(cause)
          : safely(
            Effect.logError(`the writer of the state store "${this.name}" failed, and goes on`, bounded(cause))
          )),
      { disableYield: true }
    ),
    Effect.sync(() => this.watch.stop())
  )

  private get now(): number {
    return Math.max(instantOf(this.clock), this.awaited)
  }

  private turn(): Effect.Effect<unknown> {
    const { now } = this
    const due = this.queues.reduce((due, queue) => Math.min(due, queue.due), Infinity)
    return due > now ? this.sleep(due, now) : this.work(now)
  }

  private sleep(due: number, now: number): Effect.Effect<unknown> {
    this.latch.closeUnsafe()
    this.isAwake = false
    this.watch.rest()
    if (due === Infinity) return this.latch.await
    return Effect.map(Effect.timeoutOption(this.latch.await, due - now), (woken) => {
      this.isAwake = true
      if (woken._tag === "None") this.awaited = due
    })
  }

  /** Writes a batch, and does the jobs that are next in the queues that have nothing in it. */
  private work(now: number): Effect.Effect<unknown> {
    const dueFor = new Set(this.queues.filter(({ due }) => due <= now))
    const batch = new Batch()
    const at = this.clock.currentTimeMillisUnsafe()
    for (const queue of this.queues) if (!batch.isFull) queue.take(batch, at)
    // The next batch begins with another session, so that none is left out for ever.
    if (batch.isFull) this.queues = [...this.queues.slice(1), ...this.queues.slice(0, 1)]
    const inBatch = new Set(batch.entries.map(({ queue }) => queue))
    const jobs: Array<Effect.Effect<void>> = []
    for (const queue of dueFor) {
      const job = inBatch.has(queue) ? undefined : queue.takeJob()
      if (job !== undefined) jobs.push(this.perform(queue, job))
    }
    const written = this.write(batch.entries, dueFor)
    return jobs.length === 0 ? written : Effect.andThen(written, Effect.all(jobs, { discard: true }))
  }

  private perform(queue: WriteQueue, job: Job): Effect.Effect<void> {
    if (job.effect === undefined) return job.done(Exit.void)
    return Effect.matchCauseEffect(job.effect, {
      onSuccess: () => {
        queue.patience.reset()
        return Effect.andThen(this.answered(1), job.done(Exit.void))
      },
      onFailure: (cause) => {
        const gaveUp = Effect.suspend(() => job.done(Exit.failCause(cause)))
        const away = (error: StoreError) =>
          Effect.flatMap(
            queue.patience.after(error),
            (delay) => delay === undefined ? gaveUp : Effect.sync(() => queue.retryAt(this.now + delay, job))
          )
        return this.failed(cause, away, () => gaveUp)
      }
    })
  }

  private write(entries: ReadonlyArray<Entry>, dueFor: Set<WriteQueue>): Effect.Effect<void> {
    if (entries.length === 0) return Effect.void
    const saving = this.watch.begin(this.onSilence)
    return Effect.matchCauseEffect(this.save(entries.map(({ record }) => record)), {
      onSuccess: () => {
        this.watch.end(saving)
        for (const { queue } of entries) queue.patience.reset()
        const reported = this.report(entries, ({ one, record }) => one.saved(record))
        return this.health.outage === undefined ? reported : Effect.andThen(this.answered(entries.length), reported)
      },
      onFailure: (cause) => {
        this.watch.end(saving)
        return this.failed(
          cause,
          (error) => this.retryLater(entries, error, cause, dueFor),
          () => this.refused(entries, cause, dueFor)
        )
      }
    })
  }

  /** The store has answered, to so many and to those that wait. */
  private answered(now: number): Effect.Effect<void> {
    return this.health.outage === undefined ? Effect.void : this.health.recovered("write", now + this.waiting)
  }

  /** Tells servers what became of their writes: what one of them does about it does not end the writer. */
  private report<A>(to: ReadonlyArray<A>, tell: (one: A) => void): Effect.Effect<void> {
    return Effect.suspend(() => {
      let defects: Cause.Cause<never> = Cause.empty
      for (const one of to) {
        try {
          tell(one)
        } catch (defect) {
          defects = Cause.combine(defects, Cause.die(defect))
        }
      }
      return defects.reasons.length === 0
        ? Effect.void
        : safely(Effect.logError(`the outcome of a write to "${this.name}" was not reported`, bounded(defects)))
    })
  }

  /** It has not done what it was asked: it is away, or will not do it. */
  private failed(
    cause: Cause.Cause<unknown>,
    away: (error: StoreError) => Effect.Effect<void>,
    refused: () => Effect.Effect<void>
  ): Effect.Effect<void> {
    const error = Cause.squash(cause)
    if (!isStoreError(error)) return refused()
    const noticed = error.isOutage ? this.health.failed(error, "write") : this.health.recovered("write")
    return Effect.andThen(noticed, error.isRetryable ? away(error) : refused())
  }

  /** Each session that was due for the attempt counts it. */
  private retryLater(
    entries: ReadonlyArray<Entry>,
    error: StoreError,
    cause: Cause.Cause<unknown>,
    dueFor: Set<WriteQueue>
  ): Effect.Effect<void> {
    return Effect.forEach(grouped(entries), ([queue, own]) => {
      if (!dueFor.delete(queue)) return Effect.sync(() => queue.retryAt(queue.nextAttempt, own))
      return Effect.flatMap(
        queue.patience.after(error),
        (delay) => delay === undefined ? this.fail(own, cause) : Effect.sync(() => queue.retryAt(this.now + delay, own))
      )
    }, { discard: true })
  }

  /** How many wait in the queues. */
  private get waiting(): number {
    return this.queues.reduce((sum, { size }) => sum + size, 0)
  }

  /**
   * A batch will not be written as it is. Those whose records it was refused for, as far as that is known, fail; the
   * others are written without them.
   */
  private refused(
    entries: ReadonlyArray<Entry>,
    cause: Cause.Cause<unknown>,
    dueFor: Set<WriteQueue>
  ): Effect.Effect<void> {
    const stale = staleIn(cause)
    const others: Array<Entry> = []
    const fenced = entries.flatMap((entry) => {
      const own = stale(entry.record)
      if (own === undefined) others.push(entry)
      return own === undefined ? [] : [[entry, own] as const]
    })
    if (fenced.length > 0) {
      return Effect.andThen(
        this.report(fenced, ([{ one }, own]) => {
          one.ticket = 0
          one.failed(own)
        }),
        this.write(others, dueFor)
      )
    }
    if (entries.length === 1 || isOfStore(cause)) return this.fail(entries, cause)
    const half = entries.length >> 1
    return Effect.andThen(this.write(entries.slice(0, half), dueFor), this.write(entries.slice(half), dueFor))
  }

  private fail(entries: ReadonlyArray<Entry>, cause: Cause.Cause<unknown>): Effect.Effect<void> {
    return this.report(entries, ({ one }) => {
      one.ticket = 0
      one.failed(cause)
    })
  }
}

const grouped = (entries: ReadonlyArray<Entry>): ReadonlyMap<WriteQueue, ReadonlyArray<Entry>> => {
  const groups = new Map<WriteQueue, Array<Entry>>()
  for (const entry of entries) {
    const group = groups.get(entry.queue)
    if (group === undefined) groups.set(entry.queue, [entry])
    else group.push(entry)
  }
  return groups
}

/** Whether no record is to blame: the store did not answer, or would have refused any. */
const isOfStore = (cause: Cause.Cause<unknown>): boolean => {
  const error = Cause.squash(cause)
  return isStoreError(error) ? error.isOutage : Cause.hasInterruptsOnly(cause)
}

/** Why a record is refused, where a batch was for stale epochs: all records of one, or those of a key. */
const staleIn = (cause: Cause.Cause<unknown>): (record: SnapshotRecord) => Cause.Cause<unknown> | undefined => {
  const error = Cause.squash(cause)
  if (!isStoreError(error) || error.reason._tag !== "Fenced") return () => undefined
  const { reason } = error
  const refusalOf = refusedIn(reason)
  return (record) => {
    const own = refusalOf(record)
    // A thousand servers are not each to carry what concerns the others.
    return own === undefined || reason.others === undefined
      ? own && cause
      : Cause.fail(
        new StoreError({ store: error.store, operation: error.operation, reason: { _tag: "Fenced", ...own } })
      )
  }
}
