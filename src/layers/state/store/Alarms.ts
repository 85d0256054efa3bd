/**
 * Has timers delivered when they are due: one fiber for all servers over a store, or for all of a class in memory.
 *
 * What is set is where the states are, sorted by when it is due. This asks for the first of it, sleeps until that is
 * due, and has the server handle its message. However many timers wait, it knows when the first is due, and those under
 * way.
 *
 * *Tricky*
 * - What is set decides, and nothing here: a timer is delivered when it is found to be due, and gone when the commit of
 *   what it did is stored. So a server that died of it, or was not conserved, gets it again; and a timer that was
 *   cancelled meanwhile is not there when the server's turn comes.
 * - One whose message crashes its server would be found again at once. It is left alone for a second, and twice as long
 *   each time, up to a minute. Others of that server, which come due meanwhile, are delivered without it.
 * - A delivery may take long. It is not waited for: others are found meanwhile, up to a number under way. One that
 *   takes more than a minute does not count: its server may be at work without end.
 * - The wall clock may be set while this sleeps. It looks again after a minute at the latest.
 *
 * @since 0.1.0
 */
import { Cause, Clock, Context, Effect, Latch, Scheduler, type Scope, Tracer } from "effect"
import type { DueKey } from "../../../domain/state/stored/SnapshotRecord.ts"
import type { StoreError } from "../../../domain/state/stored/StoreError.ts"
import { earliest, type Timers } from "../../../domain/state/Timers.ts"
import { bounded } from "../../../domain/text/ForeignCause.ts"
import { safely } from "../../observation/SafeLog.ts"
import { DueIndex } from "./DueIndex.ts"

/** What is asked for timers: as `StateStore.timers`. */
export type Ask = (
  limit: number,
  after: DueKey | undefined,
  until: number
) => Effect.Effect<ReadonlyArray<DueKey>, StoreError>

/** Those whose timers are delivered: the servers of a class. */
export interface Served {
  /** The key of the server whose timers are found under a name; nothing when it is none of these. */
  keyOf(name: string): string | undefined
  /**
   * Has the server of a key handle what is due later than `after`: whether all of that is over. Nothing when there is
   * no such server, and none can be started.
   */
  deliver(key: string, after: number): Effect.Effect<boolean, unknown> | undefined
}

/** A delivery that is under way, or is not to be repeated yet. */
interface Attempt {
  readonly entry: DueKey
  readonly times: number
  /** What was due by then was delivered. */
  readonly upTo: number
  isUnderWay: boolean
  /** It is one of those under way of which there may be so many. */
  isCounted: boolean
  /** Something else was due meanwhile. */
  isBehind: boolean
  /** When all that is due is delivered again, if it is still set. */
  again: number
}

const pageSize = 1000
const maxUnderWay = 1000
const longestSleep = 60_000
const afterFailure = 2000

const pauseAfter = (times: number): number => Math.min(1000 * 2 ** (times - 1), 60_000)

/** When the first of them is due that is due later than `after`. */
const nextOf = ({ timers }: DueKey, after: number): number =>
  earliest(timers.filter(({ due }) => due > after)) ?? Infinity

const isAfter = (a: DueKey, b: DueKey): boolean => a.due > b.due || (a.due === b.due && a.key > b.key)

/** Has timers delivered when they are due. */
export class Alarms {
  private readonly name: string
  private readonly ask: Ask
  private readonly context: Context.Context<never>
  private readonly clock: Clock.Clock
  private readonly dispatcher: Scheduler.SchedulerDispatcher
  private readonly latch = Latch.makeUnsafe(false)
  private readonly served = new Set<Served>()
  private readonly attempts = new Map<string, Attempt>()
  private underWay = 0
  /** When there may be something to do. */
  private next = Infinity
  private isWaking = false

  constructor(name: string, ask: Ask, context: Context.Context<never>) {
    this.name = name
    this.ask = ask
    this.context = Context.omit(Tracer.ParentSpan)(context)
    this.clock = Context.get(context, Clock.Clock)
    this.dispatcher = Context.get(context, Scheduler.Scheduler).makeDispatcher()
  }

  /** Delivers to these from now on, what is overdue at once. */
  serve(served: Served): void {
    if (this.served.has(served)) return
    this.served.add(served)
    // It may have been woken while there was none to deliver to.
    this.lookAtOnce()
  }

  leave(served: Served): void {
    this.served.delete(served)
  }

  /** Looks at once for what is due: it may be that another process has set it. */
  look(): void {
    if (this.served.size > 0) this.lookAtOnce()
  }

  /** These timers are set, and can be found by now. */
  note(timers: Timers): void {
    const due = earliest(timers)
    if (due !== undefined) this.wakeAt(due)
  }

  private lookAtOnce(): void {
    this.next = Infinity
    this.wakeAt(-Infinity)
  }

  private wakeAt(time: number): void {
    if (time >= this.next) return
    this.next = time
    if (this.isWaking) return
    this.isWaking = true
    this.dispatcher.scheduleTask(() => {
      this.isWaking = false
      this.latch.openUnsafe()
    }, 0)
  }

  /** Delivers, for ever: a failure ends that turn alone. */
  readonly run: Effect.Effect<never> = Effect.scoped(Effect.flatMap(Effect.scope, (scope) => {
    // The one before may have been interrupted in the middle of a turn.
    this.lookAtOnce()
    const turn = Effect.catchCause(
      Effect.suspend(() => this.turn(scope)),
      (cause) => Cause.hasInterruptsOnly(cause) ? Effect.interrupt : this.failed(cause)
    )
    return Effect.forever(turn, { disableYield: true })
  }))

  private turn(scope: Scope.Scope): Effect.Effect<unknown, StoreError> {
    const now = this.clock.currentTimeMillisUnsafe()
    if (this.served.size > 0 && this.next <= now) {
      this.next = Infinity
      if (this.underWay >= maxUnderWay) this.discount(now)
      return this.sweep(scope, now, undefined)
    }
    this.latch.closeUnsafe()
    return this.next === Infinity || this.served.size === 0
      ? this.latch.await
      : Effect.timeoutOption(this.latch.await, Math.min(Math.ceil(this.next - now), longestSleep))
  }

  private failed(cause: Cause.Cause<StoreError>): Effect.Effect<void> {
    const error = Cause.squash(cause) as { readonly isRetryable?: boolean }
    this.wakeAt(this.clock.currentTimeMillisUnsafe() + (error.isRetryable === true ? afterFailure : longestSleep))
    // A store that is away is reported by its health.
    return Cause.hasDies(cause)
      ? safely(Effect.logError(`timers over ${this.name} were not looked for, and are again`, bounded(cause)))
      : Effect.void
  }

  /** Delivers all that is due, from a place on. */
  private sweep(scope: Scope.Scope, now: number, after: DueKey | undefined): Effect.Effect<void, StoreError> {
    return Effect.flatMap(this.ask(pageSize, after, now), (page) => {
      const first = page.findIndex((one) => one.due > now)
      const due = first === -1 ? page : page.slice(0, first)
      this.tidy(due, after, first === -1 && page.length < pageSize ? undefined : page[first] ?? page.at(-1))
      for (const entry of due) {
        const again = this.deliver(entry, scope, now)
        this.next = Math.min(this.next, again)
      }
      const later = page[first]
      if (later !== undefined) this.next = Math.min(this.next, later.due)
      if (this.underWay >= maxUnderWay) this.next = Math.min(this.next, now + longestSleep)
      return page.length < pageSize || later !== undefined || this.underWay >= maxUnderWay
        ? Effect.void
        : this.sweep(scope, now, page.at(-1))
    })
  }

  /** Makes room where deliveries take long. */
  private discount(now: number): void {
    for (const attempt of this.attempts.values()) {
      if (!attempt.isUnderWay || !attempt.isCounted || attempt.upTo > now - longestSleep) continue
      attempt.isCounted = false
      this.underWay--
    }
  }

  /** Forgets deliveries whose timers are not found any more between two places. */
  private tidy(found: ReadonlyArray<DueKey>, after: DueKey | undefined, upTo: DueKey | undefined): void {
    const keys = new Set(found.map(({ key }) => key))
    for (const [key, { entry, isUnderWay }] of this.attempts) {
      if (isUnderWay || keys.has(key)) continue
      if (after !== undefined && !isAfter(entry, after)) continue
      if (upTo === undefined || isAfter(upTo, entry)) this.attempts.delete(key)
    }
  }

  /** Delivers what is due of one key, unless that is to wait; when it is to be looked at again. */
  private deliver(entry: DueKey, scope: Scope.Scope, now: number): number {
    const { due, key } = entry
    const before = this.attempts.get(key)
    const isSame = before?.entry.due === due
    if (before?.isUnderWay === true) {
      before.isBehind = true
      return Infinity
    }
    const left = isSame && before.again > now ? before : undefined
    if (left !== undefined) {
      const other = nextOf(entry, left.upTo)
      if (other > now) return Math.min(left.again, other)
    }
    const delivery = this.underWay < maxUnderWay ? this.deliveryTo(key, left?.upTo ?? -Infinity) : undefined
    // What there is no room for is found when there is; who is not there is served when they come.
    if (delivery === undefined) return Infinity
    const times = left?.times ?? (isSame ? before.times + 1 : 1)
    const attempt: Attempt = {
      entry,
      times,
      upTo: now,
      isUnderWay: true,
      isCounted: true,
      isBehind: false,
      again: Infinity
    }
    this.attempts.set(key, attempt)
    this.underWay++
    let isOver = false
    const ended = () => {
      const now = this.clock.currentTimeMillisUnsafe()
      const wasFull = this.underWay >= maxUnderWay
      if (attempt.isCounted) this.underWay--
      attempt.isUnderWay = false
      attempt.again = left?.again ?? now + pauseAfter(times)
      // One that is set to the same time later on is another one.
      if (isOver && left === undefined) this.attempts.delete(key)
      this.wakeAt(wasFull || attempt.isBehind ? now : Math.min(attempt.again, nextOf(entry, attempt.upTo)))
    }
    const noted = Effect.map(delivery, (all) => {
      isOver = all
    })
    const reported = Effect.catchCause(noted, (cause) =>
      Cause.hasInterruptsOnly(cause)
        ? Effect.void
        : safely(Effect.logWarning(`timers of "${key}" were not delivered, and are tried again`, bounded(cause))))
    // An observer hears of the end of a fiber that was interrupted before it began, too: `ensuring` does not.
    Effect.runForkWith(this.context)(
      Effect.map(Effect.forkIn(reported, scope), (fiber) => fiber.addObserver(ended))
    )
    return Infinity
  }

  /** To the class with the longest id that the name begins with: another may have a slash in its id. */
  private deliveryTo(name: string, after: number): Effect.Effect<boolean, unknown> | undefined {
    let found: { readonly served: Served; readonly key: string } | undefined
    for (const served of this.served) {
      const key = served.keyOf(name)
      if (key !== undefined && (found === undefined || key.length < found.key.length)) found = { served, key }
    }
    return found?.served.deliver(found.key, after)
  }
}

/** What delivers timers that are in memory, and where those of a key are set. */
export interface InMemory {
  readonly alarms: Alarms
  set(key: string, timers: Timers): void
}

/** The same for a class whose states are in memory. */
export const inMemory = (server: string): Effect.Effect<InMemory> =>
  Effect.contextWith((context: Context.Context<never>) => {
    const index = new DueIndex()
    const ask: Ask = (limit, after, until) => Effect.sync(() => index.page(limit, after, until))
    const alarms = new Alarms(server, ask, context)
    const set = (key: string, timers: Timers): void => {
      index.set(key, timers)
      alarms.note(timers)
    }
    return Effect.succeed({ alarms, set })
  })
