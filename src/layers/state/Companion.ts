/**
 * A companion: the keeper of one server's committed state.
 *
 * Two faces. `Companion` is what everybody may do with it: look, set, clear. `Keeper` is what the server's engine does:
 * take over the state for a new incarnation, commit, conclude. In memory it is a `Ref` and a fence; nothing of it runs in a
 * fiber, so no crash of any fiber can lose it.
 *
 * *Tricky*: an abandoned incarnation may still run and try to commit. Taking over raises the fence, and a commit from
 * below the fence is refused (`Snapshot.accept`); both are synchronous, so no message of the new incarnation can come
 * between. A `set` from outside is a commit on behalf of the youngest incarnation.
 *
 * @since 0.1.0
 */
import { Effect, Option, Ref } from "effect"
import { accept, type Snapshot } from "../../domain/state/Snapshot.ts"
import type { Process } from "../naming/Process.ts"

/** What everybody may do with a server's conserved state. */
export interface Companion<in out S> {
  readonly key: string
  /** The conserved state, if there is one. */
  readonly get: Effect.Effect<Option.Option<S>>
  /**
   * Replaces what is conserved. A server that is alive goes on with its own state: the next incarnation starts from this
   * one, unless the server commits before.
   */
  readonly set: (state: S) => Effect.Effect<void>
  /** Forgets what is conserved: the next incarnation starts from `init`. */
  readonly clear: Effect.Effect<void>
  /** What is conserved, newest first, with sequence number and incarnation. */
  readonly snapshots: Effect.Effect<ReadonlyArray<Snapshot<S>>>
}

/** What a server's engine does with its companion. */
export interface Keeper<in out S> extends Companion<S> {
  /** The server this state belongs to, while it has one: a key has one owner at a time. */
  owner: Process | undefined
  /** A new incarnation takes over: older ones are fenced off, and it gets what is conserved. */
  takeOver(incarnation: number): Snapshot<S> | undefined
  /** Commits the state after a handled message; false when the incarnation is fenced off. */
  commit(incarnation: number, state: S): boolean
  /** The incarnation ends in a way that leaves it its last word (not by a kill). */
  conclude(incarnation: number, state: S): void
  /** Forgets at once what is conserved. */
  forget(): void
}

/** The fence and the owner, which every companion has, over wherever the snapshot is. */
export abstract class Kept<in out S> implements Keeper<S> {
  readonly key: string
  owner: Process | undefined = undefined
  protected fence = 0

  constructor(key: string) {
    this.key = key
  }

  protected abstract read(): Snapshot<S> | undefined
  protected abstract write(snapshot: Snapshot<S>): void
  abstract forget(): void

  takeOver(incarnation: number): Snapshot<S> | undefined {
    if (incarnation > this.fence) this.fence = incarnation
    return this.read()
  }

  commit(incarnation: number, state: S): boolean {
    const snapshot = accept(this.read(), this.fence, incarnation, state)
    if (snapshot === undefined) return false
    this.write(snapshot)
    return true
  }

  conclude(_incarnation: number, _state: S): void {}

  get get(): Effect.Effect<Option.Option<S>> {
    return Effect.sync(() => Option.map(Option.fromUndefinedOr(this.read()), (snapshot) => snapshot.state))
  }

  set(state: S): Effect.Effect<void> {
    return Effect.sync(() => void this.commit(this.fence, state))
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

/** Keeps every commit in a `Ref`. */
export class InMemory<in out S> extends Kept<S> {
  private readonly ref = Ref.makeUnsafe<Snapshot<S> | undefined>(undefined)

  protected read(): Snapshot<S> | undefined {
    return this.ref.ref.current
  }

  protected write(snapshot: Snapshot<S>): void {
    this.ref.ref.current = snapshot
  }

  forget(): void {
    this.ref.ref.current = undefined
  }
}

/** Keeps nothing: the next incarnation starts from `init` (OTP's default). Still fences, and still has an owner. */
export class Forgetful<in out S> extends Kept<S> {
  protected read(): undefined {
    return undefined
  }

  protected write(_snapshot: Snapshot<S>): void {}

  forget(): void {}
}

/**
 * Conserves late: at intervals, or with the last word of an incarnation only.
 *
 * *Tricky*: what is pending is older than nothing: a new incarnation that takes over gets the pending state when it was
 * only waiting for its interval, and never when it needed a last word that was not spoken.
 */
export class Delayed<in out S> implements Keeper<S> {
  private readonly kept: Keeper<S>
  private readonly needsLastWord: boolean
  private pending: { readonly incarnation: number; readonly state: S } | undefined = undefined
  private fence = 0

  constructor(kept: Keeper<S>, needsLastWord: boolean) {
    this.kept = kept
    this.needsLastWord = needsLastWord
  }

  get key(): string {
    return this.kept.key
  }

  get owner(): Process | undefined {
    return this.kept.owner
  }

  set owner(owner: Process | undefined) {
    this.kept.owner = owner
  }

  takeOver(incarnation: number): Snapshot<S> | undefined {
    if (!this.needsLastWord) this.flush()
    this.pending = undefined
    this.fence = Math.max(this.fence, incarnation)
    return this.kept.takeOver(incarnation)
  }

  commit(incarnation: number, state: S): boolean {
    if (incarnation < this.fence) return false
    this.pending = { incarnation, state }
    return true
  }

  conclude(incarnation: number, state: S): void {
    if (!this.commit(incarnation, state)) return
    this.flush()
  }

  /** Writes what is pending. */
  flush(): void {
    const pending = this.pending
    this.pending = undefined
    if (pending !== undefined) this.kept.commit(pending.incarnation, pending.state)
  }

  forget(): void {
    this.pending = undefined
    this.kept.forget()
  }

  get get(): Effect.Effect<Option.Option<S>> {
    return this.kept.get
  }

  set(state: S): Effect.Effect<void> {
    return this.kept.set(state)
  }

  get clear(): Effect.Effect<void> {
    return Effect.sync(() => this.forget())
  }

  get snapshots(): Effect.Effect<ReadonlyArray<Snapshot<S>>> {
    return this.kept.snapshots
  }
}
