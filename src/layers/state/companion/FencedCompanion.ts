/**
 * What is the same for every companion, wherever its snapshot is: the fence, and the owner.
 *
 * `Forgetful` has nothing more than these: OTP's default, where no state survives.
 *
 * *Tricky*: an abandoned incarnation may still run and try to commit. Taking over raises the fence, and a commit from below
 * the fence is refused (`Snapshot.accept`); both are synchronous, so no message of the new incarnation can come between. A
 * `set` from outside is a commit on behalf of the youngest incarnation.
 *
 * @since 0.1.0
 */
import { Effect, Option } from "effect"
import type { ExitReason } from "../../../domain/process/ExitReason.ts"
import type { Limits, NewAnswer, RecordedAnswer } from "../../../domain/state/Answers.ts"
import type * as Generations from "../../../domain/state/Generations.ts"
import type { Standing } from "../../../domain/state/Passivation.ts"
import type * as Recovery from "../../../domain/state/Recovery.ts"
import { accept, type Snapshot } from "../../../domain/state/Snapshot.ts"
import type { StoreError } from "../../../domain/state/stored/StoreError.ts"
import type { Process } from "../../process/Process.ts"
import { AnswerBook } from "./AnswerBook.ts"
import { type Held, type Keeper, nothing, type Origin, type Taken } from "./Companion.ts"

/** The fence and the owner, which every companion has, over wherever the snapshot is. */
export abstract class Kept<in out S> implements Keeper<S> {
  readonly key: string
  owner: Process | undefined = undefined
  protected fence = 0
  protected abstract answers: AnswerBook | undefined

  constructor(key: string) {
    this.key = key
  }

  protected abstract readonly limits: Limits | undefined
  get youngest(): number {
    return this.fence
  }

  abstract readonly isBehind: boolean
  abstract readonly isFull: boolean
  abstract readonly undone: number
  abstract readonly outage: StoreError | undefined
  abstract readonly isSpare: boolean
  protected abstract read(): Snapshot<S> | undefined
  /** Keeps a snapshot in place of the one `before`. */
  protected abstract write(snapshot: Snapshot<S>, by: Origin, before: Snapshot<S> | undefined): void
  protected abstract taken(): Taken<S> | Effect.Effect<Taken<S>, StoreError>
  abstract observe(reason: ExitReason, end: Omit<Recovery.Crash, "on">): void
  abstract hold(answer: Held): void
  abstract whenRoom(f: () => void): void
  abstract forget(): void
  abstract readonly aside: Effect.Effect<ReadonlyArray<Generations.Aside<unknown>>>

  takeOver(incarnation: number): Taken<S> | Effect.Effect<Taken<S>, StoreError> {
    this.fenceOff(incarnation - 1)
    return this.taken()
  }

  fenceOff(incarnation: number): void {
    if (incarnation >= this.fence) this.fence = incarnation + 1
  }

  commit(incarnation: number, state: S, by: Origin, answers?: ReadonlyArray<NewAnswer>): boolean {
    return this.commitOver(this.read(), incarnation, state, by, answers)
  }

  // What is there is looked up once: every message of every server commits.
  protected commitOver(
    before: Snapshot<S> | undefined,
    incarnation: number,
    state: S,
    by: Origin,
    answers: ReadonlyArray<NewAnswer> | undefined
  ): boolean {
    const snapshot = accept(before, this.fence, incarnation, state)
    if (snapshot === undefined) return false
    this.write(snapshot, by, before)
    if (answers === undefined) return true
    for (const answer of answers) this.book.record(answer, this.read()?.seq ?? 0)
    return true
  }

  protected get book(): AnswerBook {
    return this.answers ??= new AnswerBook(this.limits)
  }

  recorded(id: string): RecordedAnswer | undefined {
    return this.answers?.find(id)
  }

  conclude(_incarnation: number, _state: S): void {}

  standing(_state: S): Standing {
    return "kept"
  }

  passivate(): void {}

  get activate(): Effect.Effect<S, StoreError> {
    return Effect.die(new Error("a state that never left memory was asked back"))
  }

  whenSpare(_f: () => void): void {}

  get get(): Effect.Effect<Option.Option<S>> {
    return Effect.sync(() => Option.map(Option.fromUndefinedOr(this.read()), (snapshot) => snapshot.state))
  }

  set(state: S): Effect.Effect<void> {
    return Effect.sync(() => void this.commit(this.fence, state, "person"))
  }

  get clear(): Effect.Effect<void> {
    return Effect.sync(() => this.forget())
  }

  get snapshots(): Effect.Effect<ReadonlyArray<Snapshot<S>>> {
    return Effect.sync(() => {
      const snapshot = this.read()
      return snapshot === undefined ? [] : [snapshot]
    })
  }
}

/** What is the same for all whose commits need not be stored: nothing ever waits. */
export abstract class Immediate<in out S> extends Kept<S> {
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

  whenRoom(f: () => void): void {
    f()
  }
}

/** Keeps nothing: the next incarnation starts from `init` (OTP's default). Still fences, and still has an owner. */
export class Forgetful<in out S> extends Immediate<S> {
  protected answers = undefined

  protected get limits(): undefined {
    return undefined
  }

  get isSpare(): boolean {
    return true
  }

  // Nothing to keep, and no answer either: it does not make what nobody will see.
  override commit(incarnation: number): boolean {
    return incarnation >= this.fence
  }

  protected read(): undefined {
    return undefined
  }

  protected write(_snapshot: Snapshot<S>): void {}

  protected taken(): Taken<S> {
    return nothing
  }

  observe(_reason: ExitReason, _end: Omit<Recovery.Crash, "on">): void {}

  forget(): void {}

  get aside(): Effect.Effect<ReadonlyArray<Generations.Aside<unknown>>> {
    return Effect.succeed([])
  }
}
