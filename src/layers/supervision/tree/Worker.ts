/**
 * A worker: any Effect as a supervised process.
 *
 * It is started as soon as its fiber is forked; the fiber's end is the incarnation's end: completing is `Normal`,
 * anything else a crash. If you need to be called, you want a server, not a worker.
 *
 * *Tricky*: (1) An incarnation has ended when its Scope is closed, so closing is part of its fiber. (2) A fiber that
 * does not end in its shutdown time is abandoned: from then on it is no longer `fiber`, and its later end changes
 * nothing. (3) A worker's effect runs inside its own start as far as it gets without waiting, and may end inside its
 * own start or stop. One whose effect starts another, and so on (tasks do), would nest them until the stack is full: so
 * starts and stops count as hand-offs, and an effect that begins on a deep stack begins a turn later.
 *
 * @since 0.1.0
 */
import { Cause, Clock, Context, Effect, Exit, type Fiber, Scope } from "effect"
import { pathText } from "../../../domain/observation/Lifecycle.ts"
import { refuse } from "../../../domain/options/GivenOption.ts"
import { crashed, type ExitReason, fromExit, killed, normal } from "../../../domain/process/ExitReason.ts"
import { defaultShutdown, type Fate, patienceFor, type Shutdown } from "../../../domain/process/Fate.ts"
import { millis } from "../../../domain/supervision/ChildSpec.ts"
import type { Child, ChildOptions, Parent, Started, StartRecipe } from "../../process/Child.ts"
import { isEffect } from "../../process/EffectInternals.ts"
import { notAwaited } from "../../process/Execute.ts"
import { LocalProcess, startedExit } from "../../process/LocalProcess.ts"
import type { Process } from "../../process/Process.ts"
import { after } from "../../process/Timer.ts"
import * as Turn from "../../process/Turn.ts"
import { StopRequest } from "./StopRequest.ts"

/** The process behind `Supervisor.worker`, and behind a task. */
export class Worker<A, E, R> extends LocalProcess implements Child<never> {
  readonly kind = "worker"
  protected readonly reportContext: Context.Context<never>
  private body: Effect.Effect<A, E, R | Scope.Scope> | undefined
  private readonly context: Context.Context<R>
  private readonly stopping: StopRequest
  private fiber: Fiber.Fiber<A, E> | undefined = undefined

  /** Milliseconds that it may take to end after an exit signal. */
  private readonly patience: number

  constructor(
    parent: Parent,
    id: string,
    body: Effect.Effect<A, E, R | Scope.Scope>,
    context: Context.Context<R>,
    patience = defaultShutdown
  ) {
    super(parent, id)
    this.body = Turn.shallow(body)
    this.context = context
    this.reportContext = context
    this.stopping = new StopRequest(context)
    this.patience = patience
  }

  start(): Effect.Effect<Started> {
    if (this.body === undefined) return Exit.die(`${pathText(this.path)}: its effect was let go, it starts no more`)
    const incarnation = ++this.incarnation
    this.status = "running"
    this.began()
    this.stopping.reason = undefined
    const scope = Scope.makeUnsafe()
    Turn.enter()
    try {
      const fiber = Effect.runForkWith(Context.add(this.context, Scope.Scope, scope))(
        // The body is read by then, not given now: as long as the fiber runs, it keeps what it was given.
        Effect.onExit(Effect.suspend(() => this.body!), (exit) => Scope.close(scope, exit))
      )
      this.fiber = fiber
      fiber.addObserver((exit) => {
        if (this.fiber === fiber && this.incarnation === incarnation) this.over(this.reasonOf(exit), false)
      })
    } finally {
      Turn.leave()
    }
    return startedExit
  }

  stop(reason: ExitReason, shutdown: Shutdown): Effect.Effect<ExitReason> {
    const { fiber } = this
    if (fiber === undefined) return Exit.succeed(this.lastExit ?? reason)
    return this.stopping.stop(reason, shutdown, (_reason, brutal) => {
      Turn.enter()
      try {
        fiber.interruptUnsafe()
      } finally {
        Turn.leave()
      }
      if (brutal) this.abandon(fiber, shutdown !== "brutal_kill")
    })
  }

  exit(reason: ExitReason): void {
    const { fiber, stopping } = this
    const isKill = reason._tag === "Killed"
    if (fiber === undefined || (stopping.reason !== undefined && (!isKill || stopping.reason._tag === "Killed"))) return
    stopping.reason = reason
    fiber.interruptUnsafe()
    // What it releases has as long as its supervisor would give it.
    const patience = patienceFor(reason, this.patience)
    fiber.addObserver(after(this.reportContext, patience, () => this.abandon(fiber, true)))
  }

  startsNoMore(): void {
    this.body = undefined
  }

  settle(fate: Fate): void {
    this.fated(fate)
  }

  private reasonOf(exit: Exit.Exit<A, E>): ExitReason {
    const { reason } = this.stopping
    if (reason === undefined) return fromExit(exit)
    if (exit._tag === "Success") return reason._tag === "Killed" ? killed : normal
    return Cause.hasInterruptsOnly(exit.cause) ? reason : crashed(exit.cause)
  }

  /** It does not end at once, or `isLate`. */
  private abandon(fiber: Fiber.Fiber<A, E>, isLate: boolean): void {
    if (this.fiber !== fiber) return
    const { telemetry } = this.parent
    if (telemetry.listening) {
      const at = Context.get(this.reportContext, Clock.Clock).currentTimeMillisUnsafe()
      const { incarnation, kind, path } = this
      telemetry.publish({ _tag: "Abandoned", path, at, kind, incarnation })
    }
    this.over(killed, true, isLate)
  }

  private over(reason: ExitReason, abandoned: boolean, isLate = false): void {
    this.fiber = undefined
    const { incarnation, stopping } = this
    const answer = stopping.over(reason)
    // Nothing to report when its supervisor asked for exactly this.
    this.ended(reason, abandoned || answer === undefined || reason !== stopping.reason, isLate)
    if (answer === undefined) this.parent.exited(this, incarnation, reason)
    else answer()
  }
}

/**
 * The start recipe of a worker, for `startChild`.
 *
 * @category recipes
 * @since 0.1.0
 */
export const workerRecipe = <A, E, R>(
  id: string,
  effect: Effect.Effect<A, E, R>,
  spec?: ChildOptions
): StartRecipe<Process, never, Exclude<R, Scope.Scope>> => ({
  id,
  kind: "worker",
  options: spec ?? {},
  make: (parent, context, id) => {
    const given: unknown = effect
    if (!isEffect(given)) {
      notAwaited(given)
      refuse({ of: id, option: "effect", given }, "an Effect")
    }
    // What the effect needs beyond its Scope is what the recipe needs.
    const body = effect as Effect.Effect<A, E, Exclude<R, Scope.Scope> | Scope.Scope>
    const process = new Worker(parent, id, body, context, patienceOf(spec))
    return { child: process, ref: process }
  }
})

/** What a spec says, where it says a time; a kill by its supervisor is none. */
const patienceOf = (spec: ChildOptions | undefined): number => {
  if (spec?.shutdown === undefined) return defaultShutdown
  const patience = millis(spec.shutdown)
  return patience === "infinity" ? Infinity : typeof patience === "number" ? patience : defaultShutdown
}
