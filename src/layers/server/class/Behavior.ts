/**
 * The types that users write for a server: its behaviour, its options, its clients.
 *
 * @since 0.1.0
 */
import type { Duration, Effect, Pipeable, Scope } from "effect"
import type { ExitReason } from "../../../domain/process/ExitReason.ts"
import type { AllMethods, Messages, Methods, ServerKey } from "../../../domain/server/Message.ts"
import type { CastNext, Initial, TerminateNext } from "../../../domain/server/Next.ts"
import type { Formatted, Shown } from "../../../domain/server/SystemEvent.ts"
import type { Isolation } from "../../../domain/state/Isolation.ts"
import type { Grade } from "../../../domain/state/Survival.ts"
import type { ChildOptions } from "../../process/Child.ts"
import type { HasProcess } from "../../process/Process.ts"
import type { MailboxOptions } from "../message/Mailbox.ts"
import type { QuarantineOptions } from "../message/Quarantine.ts"
import type { PassivateOptions } from "../parts/Limits.ts"
import type { SelfOf, ServerOf } from "./ServerRef.ts"

/**
 * A reference to a server that may have a key.
 *
 * @category models
 * @since 0.1.0
 */
export interface HasKey {
  /** The key that the server was given; `undefined` for one without. */
  readonly key: ServerKey
}

/**
 * A client of a server: one method per message, and the process behind it. It follows the server across restarts and
 * never points at a dead incarnation.
 *
 * A method makes an Effect, which sends its message each time it is run. In `Effect.gen` it is sent when the generator
 * comes to it. `Effect.fnUntracedEager` runs its generator where the function is called, and so sends there.
 *
 * @category models
 * @since 0.1.0
 */
export type Client<Self, S, Ms extends Messages> =
  & Methods<Ms>
  & HasKey
  & HasProcess
  & Pipeable.Pipeable
  & ServerOf<Self, S, Ms>

/**
 * The client that a server's own code has of itself: with its internal messages, too.
 *
 * @category models
 * @since 0.1.0
 */
export type SelfClient<Self, S, Ms extends Messages> =
  & AllMethods<Ms>
  & HasKey
  & HasProcess
  & Pipeable.Pipeable
  & ServerOf<Self, S, Ms>

/**
 * The services that a server's code needs of the context: its Scope and itself are there by themselves.
 *
 * @category models
 * @since 0.1.0
 */
export type Needs<Self, R> = Exclude<R, Scope.Scope | SelfOf<Self>>

/**
 * The callbacks of a server (OTP: the callback module).
 *
 * `init`: the first state, or an Effect of it; used when nothing is conserved. `restore`: makes the first state from
 * what is conserved, which is taken as it is without it. `handlers`: one per message. `terminate`: clean-up, with the
 * reason and the state from before the callback that crashed; skipped on a kill. It may answer `Next.stop(reason)`, to
 * end for another reason than it was given (OTP: `exit/1` in `terminate/2`). `idle`: called when `idleAfter` has
 * passed. `formatStatus`: what may be shown of it in `Sys.getStatus` and in crash reports (OTP: `format_status/1`).
 *
 * @category models
 * @since 0.1.0
 */
export interface Behavior<S, H, E = never, R = never, M = never> {
  readonly init: S | Initial<S, R, M> | Effect.Effect<S | Initial<S, R, M>, E, R>
  readonly restore?: ((conserved: S) => S | Initial<S, R, M> | Effect.Effect<S | Initial<S, R, M>, E, R>) | undefined
  readonly handlers: H
  readonly terminate?:
    | ((reason: ExitReason, state: S) => TerminateNext | Effect.Effect<TerminateNext, never, R>)
    | undefined
  readonly idle?: ((state: S) => CastNext<S, R, M> | Effect.Effect<CastNext<S, R, M>, never, R>) | undefined
  readonly formatStatus?: ((shown: Shown<S>) => Formatted) | undefined
}

/**
 * How a server is run.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options<G extends Grade = "nothing"> extends ChildOptions {
  /** The faults that its state must survive: none by default. More than its companion grants does not compile. */
  readonly survives?: G | undefined
  /** How many messages may wait, and what happens then; unbounded by default. */
  readonly mailbox?: MailboxOptions | undefined
  /**
   * How many messages that crashed it as often as they may are kept, and which gives way; the newest 256 by default.
   */
  readonly quarantine?: QuarantineOptions | undefined
  /** How far the state is kept apart from the handlers: `"share"` by default, `"freeze"` for tests and development. */
  readonly isolation?: Isolation | undefined
  /** How long init may take; for ever by default, as in OTP. */
  readonly initTimeout?: Duration.Input | undefined
  /**
   * When a server that is left alone gives way: never by default. The time counts from the last message, however it
   * ended: with a reply, a typed failure, a crash and a restart; a request of the system counts as well. It stays while
   * something waits for it: a message, a promised reply, a `Requests.send` without an answer, a suspension. One that
   * would stop also stays while an `idleAfter` is due, while timers, linked work, tasks and watches of its own are
   * under way, while it is registered or in a group, and while it is watched (`Sys`) or has messages in quarantine.
   */
  readonly passivate?: PassivateOptions | undefined
}

/**
 * A behaviour, or how each incarnation makes one in its Scope.
 *
 * @category models
 * @since 0.1.0
 */
export type BehaviorInput<S, H, BE, BR, E, R, M = never> =
  | Behavior<S, H, E, R, M>
  | Effect.Effect<Behavior<S, H, E, R, M>, BE, BR>

/**
 * A behaviour of servers with a key, or how each incarnation makes one from its key. What is made of a key is made anew
 * by every incarnation: what it acquires lives as long as the incarnation.
 *
 * @category models
 * @since 0.1.0
 */
export type KeyedBehavior<S, H, BE, BR, E, R, M = never> =
  | BehaviorInput<S, H, BE, BR, E, R, M>
  | ((key: string) => BehaviorInput<S, H, BE, BR, E, R, M>)
