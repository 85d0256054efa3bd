/**
 * How a process comes to have a store for itself: it takes it, waits for the one that has it, or takes over.
 *
 * @since 0.1.0
 */
import { type Duration, Effect, type Scope } from "effect"
import * as GivenOption from "../../../domain/options/GivenOption.ts"
import { type Holder, holderText, type StoreOwnership } from "../../../domain/state/stored/Ownership.ts"
import { StoreError } from "../../../domain/state/stored/StoreError.ts"
import type { Grade } from "../../../domain/state/Survival.ts"
import { safely } from "../../observation/SafeLog.ts"
import { instantOf } from "../../process/Timer.ts"
import { keepingIf, realClock, realSleep } from "../lock/RealTime.ts"
import type { Hold, StateStore } from "./StoreShape.ts"

/** What a user says of it. */
export interface Given {
  readonly ownership?: StoreOwnership | undefined
  readonly patience?: Duration.Input | undefined
}

/** How long a process that comes second waits for the one before. */
export const defaultPatience = 30_000

/** How many milliseconds are waited. */
export const patienceOf = (of: string, { patience }: Given): number =>
  GivenOption.patience({ of, option: "patience", given: patience ?? defaultPatience })

/** What was meant. */
export const ownershipOf = (of: string, given: Given): Omit<Hold, "take"> => ({
  ownership: GivenOption.oneOf({ of, option: "ownership", given: given.ownership ?? "exclusive" }, [
    "exclusive",
    "youngest",
    "shared"
  ]),
  patience: patienceOf(of, given)
})

/** How often one that is taken is asked for. */
const askEvery = 50

/** Takes a store as its options say, until the Scope ends. */
export const held = Effect.fnUntraced(function*(
  store: StateStore<Grade>,
  { ownership, patience }: Hold,
  take: Effect.Effect<Holder | undefined, StoreError, Scope.Scope>
): Effect.fn.Return<void, StoreError, Scope.Scope> {
  const ask = keepingIf(take, (holder) => holder === undefined)
  let holder = yield* ask
  if (holder === undefined) return
  if (ownership === "youngest") {
    const again = Effect.suspend(() => Effect.orElseSucceed(ask, () => holder))
    const later = Effect.andThen(realSleep(askEvery), again)
    // Who comes next is to find this process, once the one before has gone.
    yield* Effect.forkScoped(Effect.repeat(later, { until: (other) => other === undefined }))
    return
  }
  const until = instantOf(realClock) + patience
  if (patience > 0) {
    yield* safely(Effect.logWarning(
      `${
        holderText(holder)
      } has the state store "${store.name}": this process waits for it to leave, ${patience} ms at most`
    ))
  }
  for (let left = patience; left > 0; left = until - instantOf(realClock)) {
    yield* realSleep(Math.min(askEvery, left))
    const other: Holder | undefined = yield* ask
    if (other === undefined) return
    if (other.pid !== undefined) holder = other
  }
  return yield* new StoreError({
    store: store.name,
    operation: "open",
    reason: { _tag: "Owned", ...holder, waited: patience }
  })
})
