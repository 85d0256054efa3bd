/**
 * What all servers of one class under one supervisor share: so that one more server costs only what is its own.
 *
 * @since 0.1.0
 */
import type { Clock, Context, Effect } from "effect"
import type { ExitReason } from "../../domain/server/ExitReason.ts"
import type { HandlerContext } from "../../domain/server/Message.ts"
import type { FaultPoints } from "../../domain/testing/Fault.ts"
import type { Parent } from "../supervision/Child.ts"
import type { RunQueue } from "../supervision/Turn.ts"
import type { StateContainer } from "../state/StateContainer.ts"
import type { Deadlines } from "./Deadlines.ts"
import type { Overflow } from "./Mailbox.ts"

/** A handler as the engine calls it. */
export type AnyHandler = (state: unknown, payload: unknown, context: HandlerContext<never, never> | undefined) => unknown

/**
 * A behaviour as the engine runs it: what the public types promised is erased here, once, at the seam.
 *
 * Every callback may answer with a value or an Effect; the engine tells them apart.
 */
export interface AnyBehavior {
  readonly init: unknown
  readonly restore?: ((conserved: unknown) => unknown) | undefined
  readonly handlers: { readonly [tag: string]: AnyHandler }
  readonly terminate?: ((reason: ExitReason, state: unknown) => unknown) | undefined
  readonly idle?: ((state: unknown) => unknown) | undefined
}

/** What all servers of one class under one supervisor share. */
export interface ServerSpec {
  /** The class's id. */
  readonly id: string
  readonly parent: Parent
  /** The services of init, handlers and clean-up. */
  readonly context: Context.Context<never>
  readonly container: StateContainer<unknown>
  /** The behaviour, when all incarnations share it. */
  readonly shared: AnyBehavior | undefined
  /** Or how an incarnation makes its own, in its Scope. */
  readonly make: Effect.Effect<AnyBehavior, unknown> | undefined
  /** The clients' methods. */
  readonly prototype: object
  readonly capacity: number
  readonly overflow: Overflow
  /** Milliseconds; `Infinity` for no limit. */
  readonly initTimeout: number
  /** Milliseconds that clean-up may take when a server ends by itself. */
  readonly shutdown: number
  /** Protects what is conserved from handlers that mutate it; absent when states are shared. */
  readonly protect: ((state: unknown) => unknown) | undefined
  /** Gives a handler a state of its own; absent unless states are copied. */
  readonly copy: ((state: unknown) => unknown) | undefined
  readonly faults: FaultPoints | undefined
  readonly clock: Clock.Clock
  readonly turns: RunQueue
  readonly deadlines: Deadlines
}
