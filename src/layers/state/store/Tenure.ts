/**
 * The time for which this process owns a store: one epoch of the whole store, under which all classes that conserve in
 * it write; or for which it shares the store with other processes, where each key has an epoch of its own (`KeyClaim`).
 *
 * The first class begins it, the last one to leave ends it. It is acquired at once for all of them: were it one epoch
 * for each class, of processes that start at the same time each could get some, and none would be left. A class that
 * comes a second time while the first is there is another app on the same store: it begins a tenure of its own, as
 * another process would, and the one before is over.
 *
 * *Tricky*: an owner that only reads is refused nothing, so it asks by itself whether it still is the owner, by real
 * time: other processes know no other. All its classes hear what it learns.
 *
 * @since 0.1.0
 */
import { Cause, Context, Effect, Exit, type Schedule, Scheduler, Scope, Semaphore } from "effect"
import { type Fence, fencedOff, wholeStore } from "../../../domain/state/stored/Ownership.ts"
import { isStoreError, StoreError } from "../../../domain/state/stored/StoreError.ts"
import type { Grade } from "../../../domain/state/Survival.ts"
import { realSleep } from "../lock/RealTime.ts"
import { held } from "./Holding.ts"
import type { StoreHealth } from "./StoreHealth.ts"
import type { StateStore } from "./StoreShape.ts"

type Retry = Schedule.Schedule<unknown, StoreError>

/** What is done when the store is another's. */
type OnLost = (cause: Cause.Cause<unknown>) => void

/** Twice within a second, so that it is known within one. */
const watchEvery = 400

/** Whether a cause says that another owns the whole store, and not one key of it alone. */
const isLoss = (cause: Cause.Cause<unknown>): boolean => {
  const error = Cause.squash(cause)
  return isStoreError(error) && error.reason._tag === "Fenced" && error.reason.key === undefined
}

/** A question that many want to know the answer of: those that come while it is asked get the next answer, together. */
export class Rounds {
  private readonly ask: (retry: Retry) => Effect.Effect<void, StoreError>
  private waiting: Array<(exit: Exit.Exit<void, unknown>) => void> = []
  private isAsking = false

  constructor(ask: (retry: Retry) => Effect.Effect<void, StoreError>) {
    this.ask = ask
  }

  /** Calls `done` with an answer to a question that is asked after this moment. */
  join(retry: Retry, done: (exit: Exit.Exit<void, unknown>) => void): Effect.Effect<void> {
    this.waiting.push(done)
    if (this.isAsking) return Effect.void
    this.isAsking = true
    const round: Effect.Effect<void> = Effect.suspend(() => {
      const waiting = this.waiting
      this.waiting = []
      return Effect.flatMap(Effect.exit(this.ask(retry)), (exit) => {
        for (const tell of waiting) tell(exit)
        if (this.waiting.length > 0) return round
        this.isAsking = false
        return Effect.void
      })
    })
    return round
  }
}

/** A time for which this process owns a store. */
export class Tenure {
  readonly epoch: number
  /** Why it is over; absent while it lasts. */
  lost: Cause.Cause<unknown> | undefined = undefined
  /** By class. */
  readonly members = new Map<string, OnLost>()
  readonly scope: Scope.Closeable
  private readonly rounds: Rounds
  private readonly later: (f: () => void) => void

  constructor(
    epoch: number,
    scope: Scope.Closeable,
    ask: (retry: Retry) => Effect.Effect<void, StoreError>,
    later: (f: () => void) => void
  ) {
    this.epoch = epoch
    this.scope = scope
    this.rounds = new Rounds(ask)
    this.later = later
  }

  /** Takes note of why the store refused something: whether it is another's. */
  notice(cause: Cause.Cause<unknown>): void {
    if (this.lost === undefined && isLoss(cause)) this.end(cause)
  }

  /**
   * It is over, for this reason. Its classes hear of it in a turn of its own: what has found it out is in the middle of
   * something.
   */
  end(cause: Cause.Cause<unknown>): void {
    this.lost = cause
    this.later(() => {
      for (const onLost of Array.from(this.members.values())) onLost(cause)
    })
  }

  /** Calls `done` with whether the store is still this process's, which is asked after this moment. */
  confirm(retry: Retry, done: (exit: Exit.Exit<void, unknown>) => void): Effect.Effect<void> {
    return this.rounds.join(retry, (exit) => {
      if (exit._tag === "Failure") this.notice(exit.cause)
      done(exit)
    })
  }
}

/** The tenures of one store in this process, one after the other. */
export class Tenures {
  private readonly store: StateStore<Grade>
  private readonly health: StoreHealth
  private readonly dispatcher: Scheduler.SchedulerDispatcher
  private readonly turn = Semaphore.makeUnsafe(1)
  private current: Tenure | undefined = undefined
  /** The Scope in which this process has the store beside others, and how many classes that serves. */
  private shared: { readonly scope: Scope.Closeable; users: number } | undefined = undefined

  constructor(store: StateStore<Grade>, health: StoreHealth, context: Context.Context<never>) {
    this.store = store
    this.health = health
    this.dispatcher = Context.get(context, Scheduler.Scheduler).makeDispatcher()
  }

  /**
   * Has a class in the tenure of this process, as long as the Scope lives; `onLost` is called once, when it is over.
   */
  join(name: string, retry: Retry, onLost: OnLost): Effect.Effect<Tenure, StoreError, Scope.Scope> {
    const joined = this.turn.withPermit(Effect.suspend(() => {
      const { current } = this
      if (this.shared !== undefined) return this.mixed(name, "class")
      const isOurs = current !== undefined && current.lost === undefined && !current.members.has(name)
      return Effect.map(isOurs ? Effect.succeed(current) : this.begin(retry), (tenure) => {
        tenure.members.set(name, onLost)
        return tenure
      })
    }))
    return Effect.acquireRelease(joined, (tenure) => this.leave(tenure, name, onLost), { interruptible: true })
  }

  private leave(tenure: Tenure, name: string, onLost: OnLost): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (tenure.members.get(name) === onLost) tenure.members.delete(name)
      if (tenure.members.size > 0) return Effect.void
      if (this.current === tenure) this.current = undefined
      return Scope.close(tenure.scope, Exit.void)
    })
  }

  /**
   * Has the store beside other processes, as long as the Scope lives: each key of this class is to be claimed by
   * itself.
   */
  share(name: string, retry: Retry): Effect.Effect<void, StoreError, Scope.Scope> {
    const begun = this.turn.withPermit(Effect.suspend(() => {
      if (this.current !== undefined && this.current.lost === undefined) return this.mixed(name, "key")
      const scope = this.shared?.scope ?? Scope.makeUnsafe()
      return Effect.map(this.shared === undefined ? this.take(scope, retry) : Effect.void, () => {
        this.shared ??= { scope, users: 0 }
        this.shared.users++
      })
    }))
    const ended = Effect.suspend(() => {
      if (this.shared === undefined || --this.shared.users > 0) return Effect.void
      const { scope } = this.shared
      this.shared = undefined
      return Scope.close(scope, Exit.void)
    })
    return Effect.acquireRelease(begun, () => ended, { interruptible: true })
  }

  /** An epoch of the whole store would end those of its keys. */
  private mixed(name: string, fence: Fence): Effect.Effect<never, StoreError> {
    const others = fence === "key" ? "one epoch of the whole store" : "an epoch for each key (fence: \"key\")"
    const what =
      `"${name}" is not to have fence: "${fence}" in it, while another class there has ${others}: give each a store ` +
      "of its own, or the same fence"
    return Effect.fail(new StoreError({ store: this.store.name, operation: "open", reason: { _tag: "Invalid", what } }))
  }

  /** Takes the store as its options say, where it is one that other processes can reach. */
  private take(scope: Scope.Closeable, retry: Retry): Effect.Effect<void, StoreError> {
    const { health, store } = this
    const { hold } = store
    if (hold === undefined) return Effect.void
    const take = Effect.contextWith((context: Context.Context<Scope.Scope>) =>
      health.ask(Effect.provideContext(hold.take, context), retry, () => 1, "write")
    )
    return Effect.onExit(
      Scope.provide(held(store, hold, take), scope),
      (exit) => exit._tag === "Failure" ? Scope.close(scope, exit) : Effect.void
    )
  }

  private begin(retry: Retry): Effect.Effect<Tenure, StoreError> {
    return Effect.suspend(() => {
      const scope = Scope.makeUnsafe()
      const { health, store } = this
      const { hold } = store
      const begun = Effect.gen({ self: this }, function*() {
        yield* this.take(scope, retry)
        const epoch = yield* health.ask(store.acquireEpoch(wholeStore), retry, () => 1, "write")
        const tenure = new Tenure(
          epoch,
          scope,
          (retry) =>
            store.confirm === undefined ? Effect.void : health.ask(store.confirm(epoch), retry, () => 1, "read"),
          (f) => this.dispatcher.scheduleTask(f, 0)
        )
        const before = this.current
        this.current = tenure
        if (before !== undefined && before.lost === undefined) before.end(this.replaced(before, tenure))
        if (hold !== undefined) yield* Effect.forkIn(this.watch(tenure, store.confirm), scope)
        return tenure
      })
      return Effect.onExit(begun, (exit) => exit._tag === "Failure" ? Scope.close(scope, exit) : Effect.void)
    })
  }

  /**
   * Asks in good time whether another process has taken over. Whether the store answers is the affair of those who use
   * it.
   */
  private watch(tenure: Tenure, confirm: StateStore<Grade>["confirm"]): Effect.Effect<unknown> {
    if (confirm === undefined) return Effect.void
    const look = Effect.map(Effect.exit(confirm(tenure.epoch)), (exit) => {
      if (exit._tag === "Failure") tenure.notice(exit.cause)
      return tenure.lost !== undefined
    })
    return Effect.repeat(Effect.andThen(realSleep(watchEvery), look), { until: (isOver) => isOver })
  }

  private replaced({ epoch }: Tenure, by: Tenure): Cause.Cause<StoreError> {
    const reason = { _tag: "Fenced" as const, ...fencedOff(epoch, by.epoch, undefined) }
    return Cause.fail(new StoreError({ store: this.store.name, operation: "confirm", reason }))
  }
}
