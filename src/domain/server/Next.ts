/**
 * The answers of a handler: the closed type of what happens next.
 *
 * The everyday answers need nothing from here: a call's handler returns `[reply, nextState]`, a cast's the next state.
 * The rest of gen_server's return tuples are these values.
 *
 * @since 0.1.0
 */
import type { Duration, Effect, Scope } from "effect"
import { type ExitReason, normal, shutdown } from "../process/ExitReason.ts"
import * as GivenReason from "../process/GivenReason.ts"
import type { Change } from "./Timer.ts"

/**
 * Work to be done right after this message and before anything queued (OTP: `handle_continue/2`); `R` is what it needs
 * of the context, beside the Scope of the incarnation, and `M` the messages that its timers are for.
 *
 * @category models
 * @since 0.1.0
 */
export type Continue<S, T = S, R = never, M = never> = (
  state: S
) => CastNext<T, R, M> | Effect.Effect<CastNext<T, R, M>, never, R | Scope.Scope>

/**
 * The options of an answer: `S` is the state just committed, `T` the state that a continuation makes of it, `R` the
 * services that it needs, `M` the messages that timers are for.
 *
 * @category options
 * @since 0.1.0
 */
export interface NextOptions<in S, out T = S, out R = never, out M = never> {
  /** Runs before anything queued, on the state just committed (OTP: `{continue, Term}`). */
  readonly continueWith?: Continue<S, T, R, M> | undefined
  /**
   * Durable timers to be set and cancelled, in this order, in the same commit as the state (see `Timer`).
   *
   * They survive what the state survives. Where the companion keeps none, the handler that sets one crashes with
   * `NoTimers`; with one that makes no sense (no date, a payload that does not fit its schema), with `InvalidOption`.
   * Its answer is not committed then.
   */
  readonly timers?: ReadonlyArray<Change<M>> | undefined
  /**
   * Calls the behaviour's `idle` when no message has come for that long (OTP: a timeout in the return value). Anything
   * that is no time (`NaN`, a negative one, nonsense) crashes the handler with `InvalidOption`, and its answer is not
   * committed; so does any time where the behaviour has no `idle` (`MissingCallback`).
   */
  readonly idleAfter?: Duration.Input | undefined
  /**
   * Drops everything but state and mailbox until the next message (OTP: `hibernate`).
   *
   * With a durable companion the state leaves memory, too, as soon as it is stored, and the next message (or timeout,
   * or request of the system) loads it before it is handled; others wait in their order. It stays when a message comes
   * before that, or while a caller is promised a later reply. Parts that the state's Schema does not write down do not
   * come back, and `restore` is not run: it is the same incarnation. A store that does not answer is asked again by
   * `retry`; when it gives up, the incarnation ends as `NotConserved`. A companion with `when: "terminate"` keeps the
   * state in memory.
   */
  readonly hibernate?: boolean | undefined
}

/**
 * An answer other than the everyday one.
 *
 * @category models
 * @since 0.1.0
 */
export type Next<A, S, R = never, M = never> = Reply<A, S, R, M> | NoReply<S, R, M> | Stop<A, S>

/**
 * The results that a call's handler may return.
 *
 * @category models
 * @since 0.1.0
 */
export type CallNext<A, S, R = never, M = never> = readonly [reply: A, state: S] | Next<A, S, R, M>

/**
 * The results that a cast's handler may return.
 *
 * @category models
 * @since 0.1.0
 */
export type CastNext<S, R = never, M = never> = S | NoReply<S, R, M> | Stop<never, S>

/**
 * The results that `terminate` may return: nothing, or that the server ends for another reason than it was given.
 *
 * @category models
 * @since 0.1.0
 */
export type TerminateNext = void | Stop<never, never>

/**
 * A reply with more to say about what happens next.
 *
 * @category models
 * @since 0.1.0
 */
export class Reply<out A, out S, out R = never, out M = never> {
  readonly _tag = "Reply"
  readonly reply: A
  readonly state: S
  // Run on this very state and on no other, so that an answer is as good as its state.
  readonly options: NextOptions<never, S, R, M>
  constructor(reply: A, state: S, options: NextOptions<never, S, R, M>) {
    this.reply = reply
    this.state = state
    this.options = options
  }
}

/**
 * The next state, and no reply: none is due (cast), or it follows later (call).
 *
 * @category models
 * @since 0.1.0
 */
export class NoReply<out S, out R = never, out M = never> {
  readonly _tag = "NoReply"
  readonly state: S
  readonly options: NextOptions<never, S, R, M>
  constructor(state: S, options: NextOptions<never, S, R, M>) {
    this.state = state
    this.options = options
  }
}

/**
 * The server ends itself, in order or not, with a last state and reply if given.
 *
 * @category models
 * @since 0.1.0
 */
export class Stop<out A, out S> {
  readonly _tag = "Stop"
  readonly reason: ExitReason
  readonly answer: { readonly reply?: A; readonly state?: S }
  constructor(reason: ExitReason, answer: { readonly reply?: A; readonly state?: S }) {
    this.reason = reason
    this.answer = answer
  }
}

/**
 * The results of `init` and `restore` besides a state.
 *
 * @category models
 * @since 0.1.0
 */
export type Initial<S, R = never, M = never> = Start<S, R, M> | Ignore

/**
 * A state to start with, and what happens right after.
 *
 * @category models
 * @since 0.1.0
 */
export class Start<out S, out R = never, out M = never> {
  readonly _tag = "Start"
  readonly state: S
  readonly options: StartOptions<never, S, R, M>
  constructor(state: S, options: StartOptions<never, S, R, M>) {
    this.state = state
    this.options = options
  }
}

/**
 * The options of a first state.
 *
 * @category options
 * @since 0.1.0
 */
export interface StartOptions<in S, out T = S, out R = never, out M = never> extends NextOptions<S, T, R, M> {
  /** Extra information for the starter, beside the reference (OTP: `{ok, Pid, Info}`). */
  readonly info?: unknown
  /**
   * Conserves the state before the start is over: it is then where its companion keeps it, also when nothing of it is
   * ever changed. Without it, what `init` makes is stored with its first change. A start that cannot conserve it fails.
   */
  readonly conserve?: boolean | undefined
}

/**
 * No process is wanted, and that is no failure (OTP: `ignore`).
 *
 * @category models
 * @since 0.1.0
 */
export class Ignore {
  readonly _tag = "Ignore"
}

// The expected type of an answer says nothing of the services of its continuation: inferred from it, they would be
// `any`. TypeScript's `NoInfer` would stay in the types of Layers; this is gone as soon as `R` is known.
type Given<R> = [R][R extends unknown ? 0 : never]

/**
 * The options of an answer that is data alone: no code follows it, so it may come from another thread.
 *
 * @category options
 * @since 0.1.0
 */
export interface PlainOptions<out M = never> extends Omit<NextOptions<never, never, never, M>, "continueWith"> {
  readonly continueWith?: undefined
}

/**
 * A reply that no code follows.
 *
 * @category models
 * @since 0.1.0
 */
export type PlainReply<A, S, M = never> = Reply<A, S, never, M> & { readonly options: PlainOptions<M> }

/**
 * A next state that no code follows.
 *
 * @category models
 * @since 0.1.0
 */
export type PlainNoReply<S, M = never> = NoReply<S, never, M> & { readonly options: PlainOptions<M> }

/**
 * `[reply, state]` with `continueWith`, `timers`, `idleAfter` or `hibernate`.
 *
 * **Example** (a reply first, the work after it)
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { GenServer, Next } from "heirloom"
 *
 * class Cache extends GenServer.Service<Cache>()("app/Cache", {
 *   state: Schema.Array(Schema.String),
 *   messages: {
 *     Fill: GenServer.call({ reply: Schema.String }),
 *     Filled: GenServer.cast({ payload: { with: Schema.String }, internal: true })
 *   }
 * }) {}
 *
 * const CacheLive = Cache.layer({
 *   init: [],
 *   handlers: {
 *     Fill: (cache) =>
 *       Next.reply("begun", cache, {
 *         continueWith: (cache) =>
 *           Effect.gen(function*() {
 *             const self = yield* Cache.self
 *             yield* Effect.forkScoped(Effect.delay(self.Filled({ with: "news" }), "1 second"))
 *             return cache
 *           })
 *       }),
 *     Filled: (cache, { with: line }) => [...cache, line]
 *   }
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const reply: {
  <A, S, M = never>(reply: A, state: S, options?: PlainOptions<M>): PlainReply<A, S, M>
  <A, S, T = S, R = never, M = never>(
    reply: A,
    state: S,
    options: NextOptions<S, T, R, M>
  ): Reply<A, S | T, Given<R>, M>
  // which of the two it is, the options say
} = (reply: unknown, state: unknown, options: NextOptions<any, any, any, any> = {}): any =>
  new Reply<unknown, unknown, unknown, unknown>(reply, state, options)

/**
 * The next state without a reply; a call is answered later with `GenServer.reply(context.from, exit)`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const noReply: {
  <S, M = never>(state: S, options?: PlainOptions<M>): PlainNoReply<S, M>
  <S, T = S, R = never, M = never>(state: S, options: NextOptions<S, T, R, M>): NoReply<S | T, Given<R>, M>
} = (state: unknown, options: NextOptions<any, any, any, any> = {}): any =>
  new NoReply<unknown, unknown, unknown>(state, options)

/**
 * Ends the server (OTP: `{stop, Reason, Reply, State}`).
 *
 * **Details**
 *
 * With `reply` the caller gets it; without, it fails with `Crashed` (or `NotRunning` for an orderly end). From
 * `terminate`: it ends with that reason, whatever it was to end with.
 *
 * @category constructors
 * @since 0.1.0
 */
export const stop = <A = never, S = never>(
  reason: "normal" | "shutdown" | ExitReason,
  answer: { readonly reply?: A; readonly state?: S } = {}
): Stop<A, S> =>
  new Stop(
    reason === "normal" ? normal : reason === "shutdown" ? shutdown : GivenReason.given("Next.stop", reason),
    answer
  )

/**
 * A state for `init` or `restore` to start with, with `continueWith`, `timers`, `idleAfter`, extra `info` for the
 * starter, or `conserve`, where the state is to be conserved as it is. With `timers` it is, too.
 *
 * @category constructors
 * @since 0.1.0
 */
export const start = <S, T = S, R = never, M = never>(
  state: S,
  options: StartOptions<S, T, R, M> = {}
): Start<S | T, Given<R>, M> => new Start<S | T, R, M>(state, options)

/**
 * For `init`: no process is wanted here, and that is no failure.
 *
 * @category constructors
 * @since 0.1.0
 */
export const ignore: Ignore = new Ignore()

/**
 * The services that the continuation of an answer needs; `never` for an answer that has none.
 *
 * @category models
 * @since 0.1.0
 */
export type Services<X> = X extends { readonly options: PlainOptions<any> } ? never
  : X extends Reply<any, any, infer R, any> ? R
  : X extends NoReply<any, infer R, any> ? R
  : X extends Start<any, infer R, any> ? R
  : never

/**
 * Whether a handler's result is one of these values rather than a plain state.
 *
 * @category guards
 * @since 0.1.0
 */
export const isNext = (u: unknown): u is Next<unknown, unknown, never, unknown> =>
  u instanceof Reply || u instanceof NoReply || u instanceof Stop

/**
 * Whether what `init` or `restore` answered is one of these values rather than a plain state.
 *
 * @category guards
 * @since 0.1.0
 */
export const isStart = (u: unknown): u is Start<unknown, never, unknown> => u instanceof Start
