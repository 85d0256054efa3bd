/**
 * What a durable companion writes under: the epoch of its store's one owner, or one that its key was claimed with.
 *
 * A key is claimed before it is first read, and once: what is read after that is the last word of those who had the key
 * before. It stays claimed over the incarnations of its server, so one that was fenced off stays so. With the companion
 * the claim is dropped, and who starts a server of this key claims it anew.
 *
 * *Tricky*: two that want to write may come at once (a server that starts, a program that sets its state). They share
 * one claim: with a second one, what was read under the first would not be the last word any more.
 *
 * @since 0.1.0
 */
import { Cause, Effect, type Exit, type Schedule, Semaphore } from "effect"
import { isStoreError, StoreError } from "../../../domain/state/stored/StoreError.ts"
import type { Grade } from "../../../domain/state/Survival.ts"
import type { StoreHealth } from "../store/StoreHealth.ts"
import type { StateStore } from "../store/StoreShape.ts"
import { Rounds } from "../store/Tenure.ts"

/** What a claim needs of its session. */
export interface Asker {
  readonly store: StateStore<Grade>
  readonly health: StoreHealth
  readonly retry: Schedule.Schedule<unknown, StoreError>
  readonly run: (effect: Effect.Effect<void>) => void
}

/** What a companion writes under. */
export interface Claim {
  /** 0 while it is not held. */
  readonly epoch: number
  /** Why it is over: the cause is what the store answered, a StoreError. Absent while it lasts. */
  readonly lost: Cause.Cause<StoreError> | undefined
  /** Done when it is held: asked for, if that was not done yet. */
  readonly held: Effect.Effect<void, StoreError>
  /** Takes note of why the store refused something; the cause as it concerns this key. */
  notice(cause: Cause.Cause<unknown>): Cause.Cause<unknown>
  /** Calls `done` with whether it is still in force, which is asked after this moment. */
  confirm(done: (exit: Exit.Exit<void, unknown>) => void): void
}

/** The claim of one key. */
export class KeyClaim implements Claim {
  epoch = 0
  lost: Cause.Cause<StoreError> | undefined = undefined
  private readonly key: string
  private readonly session: Asker
  private readonly onLost: (cause: Cause.Cause<unknown>) => void
  private turn: Semaphore.Semaphore | undefined = undefined
  private rounds: Rounds | undefined = undefined

  /** `onLost` is called when it is found out by a question; who writes hears of it there. */
  constructor(key: string, session: Asker, onLost: (cause: Cause.Cause<unknown>) => void) {
    this.key = key
    this.session = session
    this.onLost = onLost
  }

  get held(): Effect.Effect<void, StoreError> {
    return Effect.suspend(() => {
      if (this.epoch > 0) return Effect.void
      this.turn ??= Semaphore.makeUnsafe(1)
      return this.turn.withPermit(Effect.suspend(() => this.epoch > 0 ? Effect.void : this.acquire))
    })
  }

  private get acquire(): Effect.Effect<void, StoreError> {
    return Effect.map(this.session.store.acquireEpoch(this.key, "key"), (epoch) => {
      this.epoch = epoch
      this.turn = undefined
    })
  }

  notice(cause: Cause.Cause<unknown>): Cause.Cause<unknown> {
    const error = Cause.squash(cause)
    if (!isStoreError(error) || error.reason._tag !== "Fenced") return cause
    const { reason: { current, epoch, key }, operation, store } = error
    // A store that knows no keys among its owners says that it is an owner's: this one has no other.
    return this.lost ??= key === this.key
      ? cause as Cause.Cause<StoreError>
      : Cause.fail(new StoreError({ store, operation, reason: { _tag: "Fenced", key: this.key, epoch, current } }))
  }

  confirm(done: (exit: Exit.Exit<void, unknown>) => void): void {
    const { session } = this
    const { health, store } = session
    this.rounds ??= new Rounds((retry) =>
      store.confirm === undefined
        ? Effect.void
        : health.ask(store.confirm(this.epoch, this.key), retry, () => 1, "read")
    )
    session.run(this.rounds.join(session.retry, (exit) => {
      const wasLost = this.lost !== undefined
      if (exit._tag === "Failure") this.notice(exit.cause)
      done(exit)
      if (this.lost !== undefined && !wasLost) this.onLost(this.lost)
    }))
  }
}
