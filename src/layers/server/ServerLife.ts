/**
 * How incarnations begin and end.
 *
 * *Tricky*
 * - **Who is told what when**: an incarnation ends (`end`), its clean-up runs, its observers and its supervisor hear of it
 *   (`ended`), the supervisor decides (`settle`), and only then the caller of the message in hand is answered, since only
 *   then it is known what happens next. Queued callers wait through all of it.
 * - **Stale fibers**: a fiber counts only while it is `this.fiber`. An abandoned one is forgotten there and fenced off from
 *   the companion; what it still computes is refused.
 *
 * @since 0.1.0
 */
import { Cause, Effect, Exit, Fiber, Scope } from "effect"
import { Fenced, InitTimeout, MissingCallback, NameTaken, StateRefused } from "../../domain/Errors.ts"
import { afterCrash } from "../../domain/server/Delivery.ts"
import { crashed, type ExitReason, isOrderly, killed, toCause, toText } from "../../domain/server/ExitReason.ts"
import { Ignore, type NextOptions, Start, Stop } from "../../domain/server/Next.ts"
import { StartUndone } from "../../domain/server/StartFailure.ts"
import type { Generation } from "../../domain/state/Generations.ts"
import type { Crash } from "../../domain/state/Recovery.ts"
import { nothing, type Taken } from "../state/Companion.ts"
import type { Child, Fate, ShutdownMillis, Started } from "../supervision/Child.ts"
import { attempt } from "../supervision/Execute.ts"
import * as Turn from "../supervision/Turn.ts"
import { Handling } from "./CallChain.ts"
import { type Envelope, type Mail, ownCast } from "./Envelope.ts"
import {
  Attentive,
  Ending,
  Idle,
  isEffect,
  isExit,
  Parked,
  passivated,
  Restarting,
  Starting,
  Stopped
} from "./Phase.ts"
import { QuarantinedMessage } from "./Quarantine.ts"
import { ServerBase } from "./ServerBase.ts"
import type { AnyBehavior } from "./ServerSpec.ts"

const started: Exit.Exit<Started> = Exit.succeed({ _tag: "Started" })
const nobody: ReadonlyArray<Envelope> = []
const ignored: Started = { _tag: "Ignored" }

/** How it ended after its clean-up: one that fails makes an orderly end a crash, one that answers has the last word. */
const endedAs = (reason: ExitReason, cleanUp: Exit.Exit<unknown, unknown>): ExitReason => {
  if (cleanUp._tag === "Failure") return isOrderly(reason) ? crashed(cleanUp.cause) : reason
  return cleanUp.value instanceof Stop ? cleanUp.value.reason : reason
}

/** How incarnations begin and end. */
export abstract class ServerLife extends ServerBase implements Child {
  /** The incarnation is up, or done with a message: what comes next is whatever waits. */
  protected abstract idle(options?: NextOptions<never, unknown>): void
  protected abstract answer(envelope: Envelope, exit: Exit.Exit<unknown, unknown>): void
  abstract drain(): void

  start(): Effect.Effect<Started, unknown> {
    const { container, make, shared } = this.spec
    // Whoever owns its companion still has no need to look for it: among a million keys that is a restart's worth of time.
    if (this.keeper?.owner !== this) {
      this.keeper = container.enter(this.key, this)
      // Another process may have had this key before, or since: its incarnations are older than this one.
      this.incarnation = Math.max(this.incarnation, this.keeper?.youngest ?? 0)
    }
    this.incarnation++
    this.phase = Starting
    this.proven = false
    this.callback = undefined
    const holder = this.keeper?.owner
    if (holder !== undefined && holder !== this) {
      return this.failStart(Cause.die(new NameTaken({ server: this.name, holder })))
    }
    if (make !== undefined) {
      const life = this.live()
      return this.startInFiber(Effect.flatMap(make, (behavior) => {
        if (this.life !== life) return Effect.interrupt
        life.behavior = behavior
        return this.firstState(behavior)
      }))
    }
    const first = this.firstStateOf(shared!)
    if (!isExit(first)) return this.startInFiber(first)
    return first._tag === "Success" ? this.begin(first.value) : this.failStart(first.cause)
  }

  private firstStateOf(shared: AnyBehavior): Effect.Effect<unknown, unknown> {
    try {
      return this.firstState(shared)
    } catch (defect) {
      return Exit.die(defect)
    }
  }

  /** What the incarnation starts from: what is conserved, or `init`. */
  protected firstState(behavior: AnyBehavior): Effect.Effect<unknown, unknown> {
    const taken = this.keeper === undefined ? nothing : this.keeper.takeOver(this.incarnation)
    return isEffect(taken)
      ? Effect.flatMap(taken, (taken) => this.stateFrom(behavior, taken))
      : this.stateFrom(behavior, taken)
  }

  protected stateFrom(behavior: AnyBehavior, { aside, decision }: Taken<unknown>): Effect.Effect<unknown, unknown> {
    for (const { seq, why } of aside) this.publish("StateSetAside", { seq, why })
    switch (decision._tag) {
      case "Refuse":
      case "GiveUp":
        return Exit.die(new StateRefused({ server: this.name, seq: decision.from, why: decision.why }))
      case "Init": {
        if (decision.from !== undefined) this.publish("StateRolledBack", { from: decision.from, why: decision.why })
        this.restoredFrom = 0
        this.callback = "init"
        if (behavior.init === undefined && !("init" in behavior)) {
          return Exit.die(new MissingCallback({ server: this.name, callback: "init" }))
        }
        return isEffect(behavior.init) ? behavior.init : Exit.succeed(behavior.init)
      }
      case "RollBack":
        this.publish("StateRolledBack", { from: decision.from, to: decision.to.seq, why: decision.why })
        return this.restored(behavior, decision.to)
      case "Restore":
        return this.restored(behavior, decision.snapshot)
    }
  }

  protected restored(behavior: AnyBehavior, snapshot: Generation<unknown>): Effect.Effect<unknown, unknown> {
    this.restoredFrom = snapshot.seq
    this.publish("StateRestored", { seq: snapshot.seq })
    if (behavior.restore === undefined) return Exit.succeed(snapshot.state)
    this.callback = "restore"
    const first = behavior.restore(this.spec.copy === undefined ? snapshot.state : this.spec.copy(snapshot.state))
    return isEffect(first) ? first : Exit.succeed(first)
  }

  protected startInFiber(first: Effect.Effect<unknown, unknown>): Effect.Effect<Started, unknown> {
    const millis = this.spec.initTimeout
    const timeout = Cause.die(new InitTimeout({ server: this.name, millis }))
    const bounded = millis === Infinity
      ? first
      : Effect.timeoutOrElse(first, { duration: millis, orElse: () => Effect.failCause(timeout) })
    let result: Effect.Effect<Started, unknown> | undefined
    let resume: ((result: Effect.Effect<Started, unknown>) => void) | undefined
    const over = (come: Effect.Effect<Started, unknown>) => {
      result = come
      resume?.(come)
    }
    this.live().fail = (cause) => over(Exit.failCause(cause))
    this.run(bounded, (exit) => {
      this.fiber = undefined
      over(exit._tag === "Success" ? this.begin(exit.value) : this.failStart(exit.cause))
    })
    if (result !== undefined) return result
    // An init that cannot be interrupted is not waited for beyond that.
    if (millis !== Infinity) this.bound(millis + this.spec.shutdown, timeout)
    return Effect.callback((later) => {
      if (result !== undefined) later(result)
      else resume = later
    })
  }

  /** The incarnation is up. */
  protected begin(first: unknown): Effect.Effect<Started, unknown> {
    if (first instanceof Ignore) return this.leaveStart(killed, Effect.succeed(ignored))
    const initial = first instanceof Start ? first : undefined
    const { protect } = this.spec
    const state = initial === undefined ? first : initial.state
    if (protect === undefined) this.state = state
    else {
      const kept = attempt(() => protect(state))
      if (kept._tag === "Failure") return this.failStart(kept.cause)
      this.state = kept.value
    }
    this.callback = undefined
    this.idle(initial?.options)
    return initial?.options.info === undefined ? started : Exit.succeed({ _tag: "Started", info: initial.options.info })
  }

  protected failStart(cause: Cause.Cause<unknown>): Effect.Effect<Started, unknown> {
    const reason = this.order?.reason ?? crashed(cause)
    // A typed failure says that something else was not there (a database, a file): it is no evidence against the state.
    const isTyped = Cause.hasFails(cause) && !Cause.hasDies(cause)
    if (this.keeper?.owner === this && !isTyped) this.keeper.observe(reason, this.endOf(reason))
    const isUndone = reason._tag === "NotConserved"
    return this.leaveStart(
      reason,
      isUndone ? Exit.fail(new StartUndone({ server: this.name, cause: reason.cause })) : Exit.failCause(cause)
    )
  }

  /** No incarnation came up: what it had acquired is released before anybody hears of it. */
  protected leaveStart<E>(reason: ExitReason, result: Effect.Effect<Started, E>): Effect.Effect<Started, E> {
    const { life } = this
    if (life === undefined || life.scope.state._tag === "Empty") {
      this.left(reason)
      return result
    }
    const closing = Effect.runForkWith(this.spec.context)(Scope.close(life.scope, Exit.void))
    return Effect.flatMap(Effect.timeoutOption(Fiber.await(closing), this.spec.shutdown), (closed) => {
      // A supervisor may have given up waiting meanwhile.
      if (this.life === life) {
        if (closed._tag === "None") this.publish("Abandoned", {})
        this.left(reason)
      }
      return result
    })
  }

  /** The start is over, and nothing is up; what happens next is for the supervisor to say. */
  protected left(reason: ExitReason): void {
    this.phase = Restarting
    this.lastExit = reason
    this.life = undefined
    this.fiber = undefined
    const { order } = this
    this.order = undefined
    this.extras?.incarnationEnded(this.incarnation, reason)
    order?.done?.(reason)
  }

  /**
   * Runs an Effect in a fiber of the server's own; `done` hears of its end unless it was abandoned before. What a handler
   * (`writes`) computes after that is refused.
   */
  protected run(
    effect: Effect.Effect<unknown, unknown>,
    done: (exit: Exit.Exit<unknown, unknown>) => void,
    writes = false
  ): void {
    const { incarnation } = this
    const fiber = this.live().fork(new Handling(this, effect))
    const exit = fiber.pollUnsafe()
    if (exit !== undefined && this.fiber === fiber) done(exit)
    else this.whenDone(fiber, incarnation, done, writes)
  }

  // Apart from `run`, so that an Effect that is done at once makes none of these closures.
  protected whenDone(
    fiber: Fiber.Fiber<unknown, unknown>,
    incarnation: number,
    done: (exit: Exit.Exit<unknown, unknown>) => void,
    writes: boolean
  ): void {
    const isStale = (exit: Exit.Exit<unknown, unknown>): boolean => {
      if (this.fiber === fiber) return false
      if (writes && exit._tag === "Success") this.publish("WriteFenced", { incarnation, current: this.incarnation })
      return true
    }
    fiber.addObserver((exit) => {
      if (isStale(exit)) return
      // On a deep stack this is later, and the fiber may have been abandoned by then.
      Turn.run(() => {
        if (isStale(exit)) return
        done(exit)
        this.drain()
      })
    })
  }

  /** How the incarnation ended, as far as its state is concerned. */
  protected endOf(reason: ExitReason): Omit<Crash, "on"> {
    const { callback, current, proven: handled, restoredFrom: restored } = this
    if (callback !== undefined) {
      return { restored, handled, activity: { _tag: "InCallback", callback, why: toText(reason) } }
    }
    if (current === undefined || (current.work !== undefined && current.type !== ownCast)) {
      return { restored, handled, activity: { _tag: "Outside" } }
    }
    return {
      restored,
      handled,
      activity: current.type === ownCast
        ? { _tag: "InCallback", callback: "continueWith", why: toText(reason) }
        : { _tag: "InHandler", message: { tag: current.type.tag, payload: current.payload } }
    }
  }

  protected crash(cause: Cause.Cause<unknown>): void {
    this.end(this.order?.reason ?? crashed(cause))
  }

  protected fenced(): Fenced {
    this.publish("WriteFenced", { current: this.incarnation + 1 })
    return new Fenced({ server: this.name, incarnation: this.incarnation })
  }

  /** The incarnation is over: its last word, its clean-up, and then everybody else. */
  protected end(reason: ExitReason): void {
    this.phase = Ending
    this.keeper?.observe(reason, this.endOf(reason))
    this.fiber = undefined
    if (this.extras !== undefined) {
      this.extras.cancelIdle()
      this.extras.pending = undefined
      this.extras.suspended = false
    }
    // Neither a kill nor a state that could not be stored leaves it a last word.
    const alive = reason._tag !== "Killed" && reason._tag !== "NotConserved"
    if (alive) this.keeper?.conclude(this.incarnation, this.state)
    const terminate = alive ? this.behavior.terminate : undefined
    if (terminate === undefined && this.life === undefined) return this.ended(reason)
    const state = this.state
    const { scope } = this.live()
    const speak = (state: unknown) => {
      const word = terminate?.(reason, state)
      return isEffect(word) ? word : Exit.succeed(word)
    }
    const isAway = state === passivated && terminate !== undefined
    const cleanUp = Effect.onExit(
      isAway ? Effect.flatMap(this.keeper!.activate, speak) : Effect.suspend(() => speak(state)),
      () => Scope.close(scope, reason._tag === "Crashed" ? Exit.failCause(reason.cause) : Exit.void)
    )
    this.run(Effect.uninterruptible(cleanUp), (exit) => this.ended(endedAs(reason, exit)))
    if (this.phase === Ending && this.order?.byParent !== true) this.bound(this.spec.shutdown)
  }

  /** Leaves the fiber at work behind when it takes longer than that: where nobody else watches the clock. */
  protected bound(millis: number, cause?: Cause.Cause<unknown>): void {
    const { fiber } = this
    if (fiber === undefined || millis === Infinity) return
    Effect.runForkWith(this.spec.context)(Effect.timeoutOption(Fiber.await(fiber), millis)).addObserver((exit) => {
      if (this.fiber === fiber && exit._tag === "Success" && exit.value._tag === "None") this.abandon(cause)
    })
  }

  /** The incarnation does not end: it is left behind, and fenced off from the state. */
  protected abandon(cause: Cause.Cause<unknown> = Cause.interrupt()): ExitReason {
    this.publish("Abandoned", {})
    this.ownKeeper.fenceOff(this.incarnation)
    // What it holds is released when it is done with it, if ever.
    const { fiber, life, phase } = this
    if (life !== undefined && phase !== Ending) {
      fiber?.addObserver((exit) => {
        Effect.runForkWith(this.spec.context)(Scope.close(life.scope, exit))
      })
    }
    if (phase === Starting) {
      this.left(killed)
      life?.fail?.(cause)
      return killed
    }
    this.ended(killed)
    return killed
  }

  protected ended(reason: ExitReason): void {
    const lastWord = { state: this.state, behavior: this.life?.behavior }
    this.phase = Restarting
    this.lastExit = reason
    this.life = undefined
    this.fiber = undefined
    this.state = undefined
    const order = this.order
    this.order = undefined
    // What its supervisor asked for is no news to it.
    const isNews = !isOrderly(reason) && !(order?.byParent === true && order.reason === reason)
    this.unreported = isNews ? lastWord : undefined
    this.extras?.incarnationEnded(this.incarnation, reason)
    if (order?.byParent === true) order.done?.(reason)
    else this.spec.parent.exited(this, this.incarnation, reason)
  }

  stop(reason: ExitReason, shutdown: ShutdownMillis): Effect.Effect<ExitReason> {
    if (this.phase >= Restarting) return Exit.succeed(this.lastExit ?? reason)
    const brutal = shutdown === "brutal_kill"
    const earlier = this.order?.done
    let outcome: ExitReason | undefined
    let resume: ((exit: Exit.Exit<ExitReason>) => void) | undefined
    this.order = {
      reason: brutal ? killed : reason,
      byParent: true,
      done: (reason) => {
        outcome = reason
        earlier?.(reason)
        resume?.(Exit.succeed(reason))
      }
    }
    this.obey()
    if (outcome !== undefined) return Exit.succeed(outcome)
    if (brutal) return Exit.succeed(this.abandon())
    const wait = Effect.callback<ExitReason>((later) => {
      if (outcome !== undefined) later(Exit.succeed(outcome))
      else resume = later
    })
    return shutdown === "infinity" ? wait : Effect.timeoutOrElse(wait, {
      duration: shutdown,
      orElse: () => Effect.sync(() => outcome ?? this.abandon())
    })
  }

  exit(reason: ExitReason): void {
    if (this.phase > Starting) return
    const { order } = this
    if (order === undefined) this.order = { reason, byParent: false, done: undefined }
    else if (reason._tag === "Killed" && order.reason._tag !== "Killed") this.order = { ...order, reason }
    else return
    this.obey()
    if (this.order?.byParent === false && this.phase <= Starting) this.bound(this.spec.shutdown)
  }

  /** Carries out an order as far as it can be now: a handler on this very stack is waited for. */
  protected obey(): void {
    if (this.phase === Idle || this.phase === Attentive) this.end(this.order!.reason)
    else if (this.phase !== Ending) this.fiber?.interruptUnsafe()
  }

  settle(fate: Fate): void {
    if (this.phase < Restarting) return
    const { current: fallen, lastExit: reason, unreported } = this
    this.inHand = undefined
    this.unreported = undefined
    this.phase = fate === "restarting" ? Restarting : fate === "parked" ? Parked : Stopped
    if (unreported !== undefined && reason !== undefined) {
      // What the system asks is nobody's message; what a server does of its own accord is worth telling.
      const inHand = fallen?.work === undefined || fallen.type === ownCast ? fallen : undefined
      this.report(reason, fate, inHand, unreported)
    }
    const deferred = this.extras === undefined ? nobody : Array.from(this.extras.deferred)
    this.extras?.deferred.clear()
    // The books first: whoever is answered below may start another server of this name at once.
    const { mailbox } = this
    const waiting = this.phase === Stopped ? this.close(fate, reason ?? killed) : nobody
    if (fallen !== undefined) this.settleFallen(fallen, fate, reason)
    for (const envelope of deferred) this.refuseEnded(envelope, fate, reason)
    for (const mail of waiting) if (mail.place !== undefined) mail.refuse({ _tag: "NotRunning" })
    if (waiting.length > 0 || this.phase === Stopped) mailbox?.resumeSenders()
  }

  /** It is down, and nobody is about to start it: what waits is handed over, its name is free. */
  protected close(fate: Fate, reason: ExitReason): ReadonlyArray<Mail> {
    const waiting = this.mailbox?.clear() ?? []
    this.mailbox = undefined
    this.spec.parent.telemetry.counters.queued -= waiting.length
    const { keeper } = this
    if (keeper === undefined || keeper.owner === this) {
      this.spec.container.release(this.key, this, fate === "stopped" ? "keep" : "forget")
      // Deleted after it was stopped: what was kept is its own still, unless another server has had it since.
    } else if (fate === "deleted" && keeper.owner === undefined && keeper.youngest === this.incarnation) {
      this.spec.container.release(this.key, this, "forget")
    }
    this.extras?.processGone(reason)
    return waiting
  }

  /** The message that was in hand: answered, or handled again by the next incarnation. */
  protected settleFallen(envelope: Envelope, fate: Fate, reason: ExitReason | undefined): void {
    if (envelope.exit !== undefined) return
    if (envelope.promised !== undefined) return this.answer(envelope, envelope.promised)
    // Torn from its hands by whatever ended it, a restart of the whole group included; not when it stopped itself.
    const torn = !envelope.concluded && (fate === "restarting" || fate === "parked")
    const policy = envelope.work === undefined ? envelope.type.message.redeliver : undefined
    const delivery = torn ? afterCrash(policy, envelope.attempts) : "fail"
    switch (delivery) {
      case "redeliver":
        if (!envelope.gone) {
          this.spec.parent.telemetry.counters.queued++
          this.openMailbox().putBack(envelope)
        }
        return
      case "quarantine":
        this.quarantine(envelope, reason ?? killed)
        this.publish("Quarantined", { message: envelope.type.tag, attempts: envelope.attempts })
        return envelope.refuse({ _tag: "Quarantined", attempts: envelope.attempts })
      case "fail":
        return this.refuseEnded(envelope, fate, reason)
    }
  }

  protected quarantine({ attempts, payload, type }: Envelope, reason: ExitReason): void {
    const extras = this.rare
    const at = this.spec.clock.currentTimeMillisUnsafe()
    extras.quarantined = [...extras.quarantined, new QuarantinedMessage(type, payload, attempts, reason, at)]
  }

  protected refuseEnded(envelope: Envelope, fate: Fate, reason: ExitReason | undefined): void {
    if (reason?._tag === "NotConserved") return envelope.refuse({ _tag: "NotConserved", cause: reason.cause })
    const willRestart = fate === "restarting"
    if (!willRestart && reason !== undefined && isOrderly(reason)) {
      return envelope.refuse({ _tag: "NotRunning", reason })
    }
    const cause = reason === undefined ? Cause.empty : toCause(reason)
    envelope.refuse({ _tag: "Crashed", cause: cause.reasons.length === 0 ? Cause.interrupt() : cause, willRestart })
  }
}
