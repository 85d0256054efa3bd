/**
 * What all durable companions of one server class share: the store, its writer, what they write under, and how states
 * become text.
 *
 * *Tricky*: a tenure that is over stays so: another process has taken over, and to acquire a new epoch would only
 * take it back. Its servers end, and do not start again.
 *
 * @since 0.1.0
 */
import { type Cause, Effect, type Schedule, type Scope } from "effect"
import type { Codec } from "../../../domain/state/StateSchema.ts"
import { type Fence, misfit } from "../../../domain/state/stored/Ownership.ts"
import { invalidKey } from "../../../domain/state/stored/SnapshotRecord.ts"
import { StoreError } from "../../../domain/state/stored/StoreError.ts"
import type { Grade } from "../../../domain/state/Survival.ts"
import { bounded } from "../../../domain/text/ForeignCause.ts"
import { safely } from "../../observation/SafeLog.ts"
import type { Policy } from "../companion/Companion.ts"
import type { Alarms } from "../store/Alarms.ts"
import type { StoreHealth } from "../store/StoreHealth.ts"
import * as StoreHost from "../store/StoreHost.ts"
import type { StateStore } from "../store/StoreShape.ts"
import type { Tenure } from "../store/Tenure.ts"
import type { Unsaved, WriteQueue } from "../store/WriteQueue.ts"
import { type Claim, KeyClaim } from "./Claim.ts"
import { type Pace, paceIn } from "./Paced.ts"

/** What all durable companions of one server class share. */
export interface Session<in out S> {
  readonly store: StateStore<Grade>
  readonly health: StoreHealth
  /** What has their timers delivered; absent where the store keeps none. */
  readonly alarms: Alarms | undefined
  /** What is to be written of its servers. */
  readonly queue: WriteQueue
  /**
   * What the companion of a key writes under; `onLost` is called where it is found out by a question that this is over.
   */
  readonly claimOf: (storeKey: string, onLost: (cause: Cause.Cause<unknown>) => void) => Claim
  /** Whether another process has taken over all of it. */
  readonly isOver: () => boolean
  readonly schema: Codec<S>
  readonly policy: Policy | undefined
  /** When states are written: after each commit, or by the container at its intervals. */
  readonly when: "commit" | "late"
  /** Those that wait for the container's interval. */
  readonly late: Set<Unsaved>
  /** Commits a server may be ahead of the store before it has to wait. */
  readonly maxAhead: number
  readonly storeKey: (key: string) => string
  /** How often, and how long, a store that is away is asked again. */
  readonly retry: Schedule.Schedule<unknown, StoreError>
  /** Reports the state of a server that has gone, and that could not be stored: no incarnation hears of it. */
  readonly orphaned: (key: string, cause: Cause.Cause<unknown>) => void
  /** Takes the steps of a long reading, with turns for others in between. */
  readonly pace: Pace
  readonly run: (effect: Effect.Effect<void>) => void
  /** What is done when another process has taken over. */
  onLost: (cause: Cause.Cause<unknown>) => void
}

/** How long a store may take to write what is left when everything is shut down. */
const lastPatience = "30 seconds"

/** The claim of all companions of a class that own their store together. */
const ofTenure = (tenure: Tenure, retry: Session<never>["retry"], run: Session<never>["run"]): Claim => ({
  epoch: tenure.epoch,
  get lost() {
    return tenure.lost as Cause.Cause<StoreError> | undefined
  },
  held: Effect.void,
  notice: (cause) => {
    tenure.notice(cause)
    return cause
  },
  confirm: (done) => run(tenure.confirm(retry, done))
})

/**
 * Begins the session of a server class, under a new epoch, or one in which each key is claimed by itself; when the
 * scope closes, what is left is written.
 */
export const openSession = <S>(
  server: { readonly key: string; readonly stateSchema: Codec<S> },
  provided: StateStore<Grade>,
  settings: Pick<Session<S>, "policy" | "when" | "late" | "maxAhead" | "storeKey" | "retry">,
  fence: Fence
): Effect.Effect<Session<S>, StoreError, Scope.Scope> =>
  Effect.gen(function*() {
    const { retry } = settings
    const { alarms, health, store, tenures, writer } = yield* StoreHost.of(provided)
    const what = invalidKey(server.key) ?? misfit(fence, store.hold?.ownership)
    if (what !== undefined) {
      return yield* new StoreError({ store: store.name, operation: "open", reason: { _tag: "Invalid", what } })
    }
    yield* health.begin
    const context = yield* Effect.context<never>()
    const runFork = Effect.runForkWith(context)
    const run = (effect: Effect.Effect<void>) => void runFork(effect)
    let tenure: Tenure | undefined
    if (fence === "key") yield* tenures.share(server.key, retry)
    else tenure = yield* tenures.join(server.key, retry, (cause) => session.onLost(cause))
    const claim = tenure && ofTenure(tenure, retry, run)
    const queue = yield* Effect.acquireRelease(
      Effect.sync(() => writer.open(retry)),
      (queue) => Effect.sync(() => writer.close(queue))
    )
    const session: Session<S> = {
      ...settings,
      store,
      health,
      alarms,
      queue,
      claimOf: (storeKey, onLost) => claim ?? new KeyClaim(storeKey, session, onLost),
      isOver: () => tenure?.lost !== undefined,
      schema: server.stateSchema,
      pace: paceIn(context),
      orphaned: (key, cause) =>
        runFork(
          safely(Effect.logError(`the last state of "${key}" was not stored, and its server has gone`, bounded(cause)))
        ),
      run,
      onLost: () => {}
    }
    // The servers have stopped by now: what they left to be written is, unless the store does not answer at all.
    yield* Effect.addFinalizer(() =>
      Effect.andThen(Effect.sync(() => writeLate(session)), queue.settled).pipe(
        Effect.timeoutOrElse({
          duration: lastPatience,
          orElse: () =>
            safely(
              Effect.logError(`${store.name} did not answer: the last states of ${server.key} may not be stored.`)
            )
        })
      )
    )
    return session
  })

/** Hands the writer those that wait for the interval. */
export const writeLate = <S>({ late, queue }: Session<S>): void => {
  for (const one of late) queue.add(one)
  late.clear()
}
