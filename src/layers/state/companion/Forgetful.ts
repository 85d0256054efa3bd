/**
 * A companion that keeps nothing: a new incarnation starts from `init` (OTP's default). It still fences, and has an
 * owner.
 *
 * @since 0.1.0
 */
import { Effect, Option } from "effect"
import type { ExitReason } from "../../../domain/process/ExitReason.ts"
import type { Aside } from "../../../domain/state/Generations.ts"
import type * as Recovery from "../../../domain/state/Recovery.ts"
import { isAccepted, type Snapshot } from "../../../domain/state/Snapshot.ts"
import * as Timers from "../../../domain/state/Timers.ts"
import { type Latest, nothing, type Taken } from "./Companion.ts"
import { SyncCompanion } from "./SyncCompanion.ts"

const none: ReadonlyArray<never> = []

/** A companion that keeps nothing. */
export class Forgetful<in out S> extends SyncCompanion<S> {
  get seq(): number {
    return 0
  }

  get latest(): Latest {
    return { books: undefined, isConserved: false, isPending: false, stored: 0, held: 0 }
  }

  get isSpare(): boolean {
    return true
  }

  get timers(): Timers.Timers {
    return Timers.none
  }

  get noTimers(): string {
    return "its companion keeps nothing (StateContainer.layerForget)"
  }

  commit(incarnation: number): boolean {
    return isAccepted(this.fence, incarnation)
  }

  protected taken(): Taken<S> {
    return nothing
  }

  recorded(_id: string): undefined {
    return undefined
  }

  observe(_reason: ExitReason, _end: Omit<Recovery.Crash, "on">): void {}

  forget(): void {}

  get get(): Effect.Effect<Option.Option<S>> {
    return Effect.succeed(Option.none())
  }

  get snapshots(): Effect.Effect<ReadonlyArray<Snapshot<S>>> {
    return Effect.succeed(none)
  }

  get aside(): Effect.Effect<ReadonlyArray<Aside<unknown>>> {
    return Effect.succeed(none)
  }
}
