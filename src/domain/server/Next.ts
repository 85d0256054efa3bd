/**
 * What a handler answers: the closed type of what happens next.
 *
 * The everyday answers need nothing from here: a call's handler returns `[reply, nextState]`, a cast's the next state.
 * The rest of gen_server's return tuples are these values.
 *
 * @since 0.1.0
 */
import type { Duration, Effect, Scope } from "effect"
import { type ExitReason, normal, shutdown } from "../process/ExitReason.ts"

/** Work to be done right after this message and before anything queued (OTP: `handle_continue/2`). */
export type Continue<S, T = S> = (state: S) => CastNext<T> | Effect.Effect<CastNext<T>, never, Scope.Scope>

/** What may accompany an answer: `S` is the state just committed, `T` what a continuation makes of it. */
export interface NextOptions<in S, out T = S> {
  /** Runs before anything queued, on the state just committed (OTP: `{continue, Term}`). */
  readonly continueWith?: Continue<S, T> | undefined
  /**
   * Calls the behaviour's `idle` when no message has come for that long (OTP: a timeout in the return value). What is no
   * time (`NaN`, a negative one, nonsense) crashes the handler with `InvalidOption`, and its answer is not committed; so
   * does any time where the behaviour has no `idle` (`MissingCallback`).
   */
  readonly idleAfter?: Duration.Input | undefined
  /**
   * Drops everything but state and mailbox until the next message (OTP: `hibernate`).
   *
   * With a durable companion the state leaves memory, too, as soon as it is stored, and the next message (or timeout, or
   * request of the system) loads it before it is handled; others wait in their order. It stays when a message comes before
   * that, or while a caller is promised a later reply. What the state's Schema does not write down does not come back, and
   * `restore` is not run: it is the same incarnation. A store that does not answer is asked again by `retry`; when it gives
   * up, the incarnation ends as `NotConserved`. A companion with `when: "terminate"` keeps the state in memory.
   */
  readonly hibernate?: boolean | undefined
}

/** An answer other than the everyday one. */
export type Next<A, S> = Reply<A, S> | NoReply<S> | Stop<A, S>

/** What a call's handler may return. */
export type CallNext<A, S> = readonly [reply: A, state: S] | Next<A, S>

/** What a cast's handler may return. */
export type CastNext<S> = S | NoReply<S> | Stop<never, S>

/** What `terminate` may return: nothing, or that the server ends for another reason than it was told. */
export type TerminateNext = void | Stop<never, never>

/** A reply with more to say about what happens next. */
export class Reply<out A, out S> {
  readonly _tag = "Reply"
  readonly reply: A
  readonly state: S
  // Run on this very state and on no other, so that an answer is as good as its state.
  readonly options: NextOptions<never, S>
  constructor(reply: A, state: S, options: NextOptions<never, S>) {
    this.reply = reply
    this.state = state
    this.options = options
  }
}

/** The next state, and no reply: none is due (cast), or it follows later (call). */
export class NoReply<out S> {
  readonly _tag = "NoReply"
  readonly state: S
  readonly options: NextOptions<never, S>
  constructor(state: S, options: NextOptions<never, S>) {
    this.state = state
    this.options = options
  }
}

/** The server ends itself, in order or not, with a last state and reply if given. */
export class Stop<out A, out S> {
  readonly _tag = "Stop"
  readonly reason: ExitReason
  readonly answer: { readonly reply?: A; readonly state?: S }
  constructor(reason: ExitReason, answer: { readonly reply?: A; readonly state?: S }) {
    this.reason = reason
    this.answer = answer
  }
}

/** What `init` and `restore` may answer besides a state. */
export type Initial<S> = Start<S> | Ignore

/** A state to start with, and what happens right after. */
export class Start<out S> {
  readonly _tag = "Start"
  readonly state: S
  readonly options: NextOptions<never, S> & { readonly info?: unknown }
  constructor(state: S, options: NextOptions<never, S> & { readonly info?: unknown }) {
    this.state = state
    this.options = options
  }
}

/** No process is wanted, and that is no failure (OTP: `ignore`). */
export class Ignore {
  readonly _tag = "Ignore"
}

/** `[reply, state]` with `continueWith`, `idleAfter` or `hibernate`. */
export const reply = <A, S, T = S>(reply: A, state: S, options: NextOptions<S, T> = {}): Reply<A, S | T> =>
  new Reply<A, S | T>(reply, state, options)

/** The next state without a reply; a call is answered later with `GenServer.reply(context.from, exit)`. */
export const noReply = <S, T = S>(state: S, options: NextOptions<S, T> = {}): NoReply<S | T> =>
  new NoReply<S | T>(state, options)

/**
 * Ends the server (OTP: `{stop, Reason, Reply, State}`).
 *
 * With `reply` the caller gets it; without, it fails with `Crashed` (or `NotRunning` for an orderly end). From `terminate`:
 * it ends with that reason, whatever it was told to end with.
 */
export const stop = <A = never, S = never>(
  reason: "normal" | "shutdown" | ExitReason,
  answer: { readonly reply?: A; readonly state?: S } = {}
): Stop<A, S> => new Stop(reason === "normal" ? normal : reason === "shutdown" ? shutdown : reason, answer)

/** A state for `init` or `restore` to start with, with `continueWith`, `idleAfter`, or extra `info` for the starter. */
export const start = <S, T = S>(
  state: S,
  options: NextOptions<S, T> & { readonly info?: unknown } = {}
): Start<S | T> => new Start<S | T>(state, options)

/** For `init`: no process is wanted here, and that is no failure. */
export const ignore: Ignore = new Ignore()

/** Whether a handler's result is one of these values rather than a plain state. */
export const isNext = (u: unknown): u is Next<unknown, unknown> =>
  u instanceof Reply || u instanceof NoReply || u instanceof Stop
