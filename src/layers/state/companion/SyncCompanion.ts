/**
 * The part that is the same for companions whose commits are done at once: the owner, the fence, and no waiting.
 *
 * *Tricky*: an abandoned incarnation may still run and try to commit. Taking over raises the fence, and a commit from
 * below the fence is refused (`Snapshot.isAccepted`). Both are synchronous, so no message of the new incarnation can
 * come between.
 *
 * @since 0.1.0
 */
import { Effect, type Option } from "effect"
import type { ExitReason } from "../../../domain/process/ExitReason.ts"
import type { RecordedAnswer } from "../../../domain/state/Answers.ts"
import type { Aside } from "../../../domain/state/Generations.ts"
import type { Residency } from "../../../domain/state/Passivation.ts"
import type * as Recovery from "../../../domain/state/Recovery.ts"
import type { Snapshot } from "../../../domain/state/Snapshot.ts"
import type { Timers } from "../../../domain/state/Timers.ts"
import type { Process } from "../../process/Process.ts"
import type { Besides, CompanionPort, Held, Latest, Origin, Taken } from "./Companion.ts"

/** A companion whose commits are done at once: no answer ever waits. */
export abstract class SyncCompanion<in out S> implements CompanionPort<S> {
  readonly key: string
  owner: Process | undefined = undefined
  protected fence = 0

  constructor(key: string) {
    this.key = key
  }

  abstract readonly isSpare: boolean
  abstract readonly seq: number
  abstract readonly latest: Latest
  abstract readonly get: Effect.Effect<Option.Option<S>>
  abstract readonly snapshots: Effect.Effect<ReadonlyArray<Snapshot<S>>>
  abstract readonly aside: Effect.Effect<ReadonlyArray<Aside<unknown>>>
  abstract readonly timers: Timers
  abstract readonly noTimers: string | undefined
  abstract commit(incarnation: number, state: S, by: Origin, besides?: Besides): boolean
  abstract recorded(id: string): RecordedAnswer | undefined
  abstract observe(reason: ExitReason, end: Omit<Recovery.Crash, "on">): void
  abstract forget(): void
  protected abstract taken(): Taken<S>

  get youngest(): number {
    return this.fence
  }

  takeOver(incarnation: number): Taken<S> {
    this.fenceOff(incarnation - 1)
    return this.taken()
  }

  fenceOff(incarnation: number): void {
    this.fence = Math.max(this.fence, incarnation + 1)
  }

  /** A commit on behalf of the youngest incarnation. */
  set(state: S): Effect.Effect<void> {
    return Effect.sync(() => void this.commit(this.fence, state, "person"))
  }

  get clear(): Effect.Effect<void> {
    return Effect.sync(() => this.forget())
  }

  get isBehind(): boolean {
    return false
  }

  get isFull(): boolean {
    return false
  }

  get undone(): number {
    return 0
  }

  get outage(): undefined {
    return undefined
  }

  hold(answer: Held): void {
    answer.stored()
  }

  confirm(answer: Held): void {
    answer.stored()
  }

  letGo(): void {}

  follow(stored: () => void): void {
    stored()
  }

  whenRoom(f: () => void): void {
    f()
  }

  begun(_state: S): void {}

  conclude(_incarnation: number, _state: S): void {}

  residency(_state: S): Residency {
    return "kept"
  }

  passivate(): void {}

  get activate(): Effect.Effect<S> {
    return Effect.die(new Error("a state that never left memory was asked back"))
  }

  whenSpare(_f: () => void): void {}
}
