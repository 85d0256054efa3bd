/**
 * The parts of a server that last as long as an incarnation; and how it ended, until its supervisor has decided.
 *
 * A server whose handlers are plain functions needs none of this while it lives: it is made with the first fiber.
 *
 * @since 0.1.0
 */
import { type Deferred, type Effect, Effectable, type Fiber, type Scope } from "effect"
import type { ExitReason } from "../../../domain/process/ExitReason.ts"
import type { Started } from "../../process/Child.ts"
import { beginWith, countStep, effectWith } from "../../process/EffectInternals.ts"
import type { Envelope } from "../message/Envelope.ts"
import type { AnyBehavior } from "./ServerSpec.ts"

/** Starts a fiber with the services of an incarnation. */
export type Fork = (effect: Effect.Effect<unknown, unknown>) => Fiber.Fiber<unknown, unknown>

/** The parts of a server that last as long as an incarnation. */
export class Incarnation {
  readonly scope: Scope.Closeable
  /** Written by Start and Handle (`replace`); absent until it is made. */
  behavior: AnyBehavior | undefined
  /** Written by Handle (`replace`). */
  fork: Fork
  /**
   * The fiber of init, of the handler in progress, or of the clean-up. A fiber that is not this one has been abandoned.
   */
  fiber: Fiber.Fiber<unknown, unknown> | undefined = undefined
  /** Since when the fiber takes time, in milliseconds of the Clock. Written by Fibers. */
  since = 0
  /** Whether what it has acquired is being released: nothing of its own code runs any more. Written by End. */
  isClosing = false
  /** The outcome of the start, for those that wait for it. Written by Start. */
  starting: Deferred.Deferred<Started, unknown> | undefined = undefined

  constructor(scope: Scope.Closeable, behavior: AnyBehavior | undefined, fork: Fork) {
    this.scope = scope
    this.behavior = behavior
    this.fork = fork
  }
}

const handling = Effectable.Prototype<Handling>({
  label: "Handling",
  evaluate(fiber) {
    this.incarnation.fiber = fiber
    countStep(fiber)
    return beginWith(this.effect, fiber)
  }
})
const HandlingBase: new() => Effect.Effect<unknown, unknown> = effectWith(handling)

/** Runs an Effect in an incarnation's name, and notes the fiber that runs it before its first step. */
export class Handling extends HandlingBase {
  readonly incarnation: Incarnation
  readonly effect: Effect.Effect<unknown, unknown>
  constructor(incarnation: Incarnation, effect: Effect.Effect<unknown, unknown>) {
    super()
    this.incarnation = incarnation
    this.effect = effect
  }
}

/** An end that was ordered. A supervisor waits for those it ordered, and does not hear of them as exits. */
export interface StopRequest {
  readonly reason: ExitReason
  /** How it really ended, for its supervisor; absent when the order is not the supervisor's. */
  readonly ended: Deferred.Deferred<ExitReason> | undefined
}

/** How an incarnation ended, until its supervisor has decided what becomes of the server. */
export interface Ended {
  readonly reason: ExitReason
  /** The message that was in hand. */
  readonly message: Envelope | undefined
  /** Whether a report is due: it crashed, and not at its supervisor's request. */
  readonly isCrash: boolean
  /** It did not end in its time. */
  readonly isAbandoned: boolean
  /** What a report shows. */
  readonly state: unknown
  readonly behavior: AnyBehavior | undefined
}
