/**
 * A worker: any Effect as a supervised process.
 *
 * It is started as soon as its fiber is forked; the fiber's end is the incarnation's end: completing is `Normal`, anything
 * else a crash. If you need to be called, you want a server, not a worker.
 *
 * *Tricky*: an incarnation has ended when its Scope is closed, so closing is part of its fiber. A fiber that does not end
 * in its shutdown time is abandoned: from then on it is no longer `fiber`, and whatever it does later concerns nobody.
 * The fiber may end inside `start` itself, or inside the interruption in `stop`; both look at it afterwards.
 *
 * @since 0.1.0
 */
import { Cause, Clock, Context, Effect, Exit, type Fiber, Scope } from "effect"
import { pathText } from "../../../domain/observation/Lifecycle.ts"
import { crashed, type ExitReason, fromExit, killed, normal } from "../../../domain/process/ExitReason.ts"
import type { Child, Fate, Parent, ShutdownMillis, Started } from "../../process/Child.ts"
import { LocalProcess, startedExit } from "../../process/LocalProcess.ts"

/** The process behind `Supervisor.worker`. */
export class Worker<A, E, R> extends LocalProcess implements Child<never> {
  readonly kind = "worker"
  protected readonly reportContext: Context.Context<never>
  private body: Effect.Effect<A, E, R | Scope.Scope> | undefined
  private readonly context: Context.Context<R>
  private fiber: Fiber.Fiber<A, E> | undefined = undefined
  /** The reason it was told to end with, and by whom. */
  private told: ExitReason | undefined = undefined
  private waiters: Array<(exit: Exit.Exit<ExitReason>) => void> | undefined = undefined

  constructor(parent: Parent, id: string, body: Effect.Effect<A, E, R | Scope.Scope>, context: Context.Context<R>) {
    super(parent, id)
    this.body = body
    this.context = context
    this.reportContext = context
  }

  start(): Effect.Effect<Started> {
    if (this.body === undefined) return Exit.die(`${pathText(this.path)}: its effect was let go, it starts no more`)
    const incarnation = ++this.incarnation
    this.status = "running"
    this.told = undefined
    const scope = Scope.makeUnsafe()
    const fiber = Effect.runForkWith(Context.add(this.context, Scope.Scope, scope))(
      // Asked for, not given: as long as the fiber runs, it keeps what it was given.
      Effect.onExit(Effect.suspend(() => this.body!), (exit) => Scope.close(scope, exit))
    )
    this.fiber = fiber
    fiber.addObserver((exit) => {
      if (this.fiber === fiber && this.incarnation === incarnation) this.over(this.reasonOf(exit), false)
    })
    return startedExit
  }

  stop(reason: ExitReason, shutdown: ShutdownMillis): Effect.Effect<ExitReason> {
    const { fiber } = this
    if (fiber === undefined) return Exit.succeed(this.lastExit ?? reason)
    const stopped: Array<ExitReason> = []
    this.told = shutdown === "brutal_kill" ? killed : reason
    const wait = (exit: Exit.Exit<ExitReason>) => {
      if (exit._tag === "Success") stopped.push(exit.value)
    }
    this.waiters = [...this.waiters ?? [], wait]
    fiber.interruptUnsafe()
    if (stopped.length === 0 && shutdown === "brutal_kill") this.abandon(fiber)
    if (stopped.length > 0) return Exit.succeed(stopped[0]!)
    return Effect.callback<ExitReason>((resume) => {
      if (stopped.length > 0) return resume(Exit.succeed(stopped[0]!))
      this.waiters = this.waiters?.map((other) => other === wait ? resume : other)
      if (typeof shutdown !== "number") return
      // The timer is nobody's business once the worker has ended: `abandon` looks at the fiber it was set for.
      const timer = Effect.runForkWith(this.reportContext)(Effect.sleep(shutdown))
      timer.addObserver((exit) => {
        if (exit._tag === "Success") this.abandon(fiber)
      })
      fiber.addObserver(() => timer.interruptUnsafe())
    })
  }

  exit(reason: ExitReason): void {
    const { fiber } = this
    if (fiber === undefined || this.told !== undefined) return
    this.told = reason
    fiber.interruptUnsafe()
  }

  startsNoMore(): void {
    this.body = undefined
  }

  settle(fate: Fate): void {
    this.fated(fate)
  }

  private reasonOf(exit: Exit.Exit<A, E>): ExitReason {
    if (this.told === undefined) return fromExit(exit)
    if (exit._tag === "Success") return this.told._tag === "Killed" ? killed : normal
    return Cause.hasInterruptsOnly(exit.cause) ? this.told : crashed(exit.cause)
  }

  private abandon(fiber: Fiber.Fiber<A, E>): void {
    if (this.fiber !== fiber) return
    const { telemetry } = this.parent
    if (telemetry.listening) {
      const at = Context.get(this.reportContext, Clock.Clock).currentTimeMillisUnsafe()
      const { incarnation, kind, path } = this
      telemetry.publish({ _tag: "Abandoned", path, at, kind, incarnation })
    }
    this.over(killed, true)
  }

  private over(reason: ExitReason, abandoned: boolean): void {
    this.fiber = undefined
    const { incarnation, waiters } = this
    this.waiters = undefined
    // Nothing to report when its supervisor asked for exactly this.
    this.ended(reason, abandoned || waiters === undefined || reason !== this.told)
    if (waiters === undefined) return this.parent.exited(this, incarnation, reason)
    const exit = Exit.succeed(reason)
    for (const waiter of waiters) waiter(exit)
  }
}
