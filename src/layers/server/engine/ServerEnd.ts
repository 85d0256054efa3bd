/**
 * How incarnations end, and what becomes of what they leave behind.
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
import type { CrashReport } from "../../../domain/observation/CrashReport.ts"
import { crashed, type ExitReason, isOrderly, killed, toCause, toText } from "../../../domain/process/ExitReason.ts"
import { afterCrash } from "../../../domain/server/Delivery.ts"
import { type NextOptions, Stop } from "../../../domain/server/Next.ts"
import { Fenced } from "../../../domain/server/ServerErrors.ts"
import { format } from "../../../domain/server/SystemEvent.ts"
import type { Crash } from "../../../domain/state/Recovery.ts"
import type { Child, Fate, ShutdownMillis, Started } from "../../process/Child.ts"
import { isEffect } from "../../process/Execute.ts"
import { nextText } from "../../process/LocalProcess.ts"
import type { Envelope, Mail } from "../message/Envelope.ts"
import { ownCast, ownTell } from "../message/MessageType.ts"
import { QuarantinedMessage } from "../message/Quarantine.ts"
import { Attentive, Ending, Idle, Parked, passivated, Restarting, Starting, Stopped } from "../parts/Phase.ts"
import { LastWord, ServerBase } from "./ServerBase.ts"

const nobody: ReadonlyArray<Envelope> = []

/** How it ended after its clean-up: one that fails makes an orderly end a crash, one that answers has the last word. */
const endedAs = (reason: ExitReason, cleanUp: Exit.Exit<unknown, unknown>): ExitReason => {
  if (cleanUp._tag === "Failure") return isOrderly(reason) ? crashed(cleanUp.cause) : reason
  return cleanUp.value instanceof Stop ? cleanUp.value.reason : reason
}

/** How incarnations end. */
export abstract class ServerEnd extends ServerBase implements Child {
  abstract start(): Effect.Effect<Started, unknown>
  /** The incarnation is up, or done with a message: what comes next is whatever waits. */
  protected abstract idle(options?: NextOptions<never, unknown>): void
  protected abstract answer(envelope: Envelope, exit: Exit.Exit<unknown, unknown>): void
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

  /**
   * Something threw where nothing may, in a turn or on a caller's stack: that ends this incarnation, and nobody else. Let go
   * any further it would end the program, or leave a server behind that is busy for ever.
   */
  protected mishap(defect: unknown): void {
    const cause = Cause.die(defect)
    if (this.phase === Starting) {
      const { life } = this
      this.left(crashed(cause))
      life?.fail?.(cause)
    } else if (this.phase < Ending) this.crash(cause)
    else if (this.phase === Ending) this.ended(crashed(cause))
    else this.complain(cause)
  }

  /** Something failed that changes nothing about the end of an incarnation: it is not to be silent. */
  private complain(cause: Cause.Cause<unknown>): void {
    Effect.runForkWith(this.spec.context)(Effect.logError(`while ${this.name} ended, something else went wrong`, cause))
  }

  protected fenced(): Fenced {
    this.publish("WriteFenced", { current: this.incarnation + 1 })
    return new Fenced({ server: this.name, incarnation: this.incarnation })
  }

  /** The incarnation is over: its last word, its clean-up, and then everybody else. */
  protected end(reason: ExitReason): void {
    this.phase = Ending
    try {
      this.keeper?.observe(reason, this.endOf(reason))
    } catch (defect) {
      // Payloads are compared there, and may be anything.
      this.complain(Cause.die(defect))
    }
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
    const { life, order, state } = this
    this.phase = Restarting
    this.lastExit = reason
    this.life = undefined
    this.fiber = undefined
    this.order = undefined
    // What its supervisor asked for is no news to it.
    const isNews = !isOrderly(reason) && !(order?.byParent === true && order.reason === reason)
    this.state = isNews ? new LastWord(state, life?.behavior) : undefined
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
    const { current: fallen, lastExit: reason, state: lastWord } = this
    this.inHand = undefined
    this.state = undefined
    this.phase = fate === "restarting" ? Restarting : fate === "parked" ? Parked : Stopped
    if (lastWord instanceof LastWord && reason !== undefined) {
      // What the system asks is nobody's message; what a server does of its own accord is worth telling.
      const inHand = fallen?.work === undefined || fallen.type === ownCast ? fallen : undefined
      this.report(reason, fate, inHand, lastWord)
    }
    const deferred = this.extras === undefined ? nobody : Array.from(this.extras.deferred)
    this.extras?.deferred.clear()
    // The books first: whoever is answered below may start another server of this name at once.
    const { mailbox } = this
    const waiting = this.phase === Stopped ? this.close(fate, reason ?? killed) : nobody
    if (fallen !== undefined) this.settleFallen(fallen, fate, reason)
    for (const envelope of deferred) this.refuseEnded(envelope, fate, reason)
    for (const mail of waiting) {
      if (!mail.type.isCall) this.lose(mail)
      else if (mail.place !== undefined) mail.refuse(this.notRunning())
    }
    if (waiting.length > 0 || this.phase === Stopped) mailbox?.resumeSenders()
  }

  /** A cast that nobody is going to handle: its sender is not told, whoever watches is. */
  protected lose({ type }: Mail): void {
    if (type !== ownTell) this.publish("Dropped", { message: type.tag, reason: "NotRunning" })
  }

  /** It is down, and nobody is about to start it: what waits is handed over, its name is free. */
  protected close(fate: Fate, reason: ExitReason): ReadonlyArray<Mail> {
    const waiting = this.mailbox?.clear() ?? []
    this.mailbox = undefined
    this.spec.parent.telemetry.counters.queued -= waiting.length
    this.spec.container.release(this, fate === "stopped" ? "keep" : "forget")
    this.extras?.processGone(reason)
    return waiting
  }

  removed(): void {
    if (this.phase === Stopped) this.spec.container.leave(this)
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
      return envelope.refuse(this.notRunning(reason))
    }
    const cause = reason === undefined ? Cause.empty : toCause(reason)
    envelope.refuse({ _tag: "Crashed", cause: cause.reasons.length === 0 ? Cause.interrupt() : cause, willRestart })
  }

  protected report(reason: ExitReason, fate: Fate, fallen: Envelope | undefined, lastWord: LastWord): void {
    if (!this.spec.isLogging) return
    const shown = this.shownOf(reason, fallen, lastWord)
    this.spec.parent.telemetry.crashed({
      path: this.path,
      incarnation: this.incarnation,
      reason,
      ...(fallen === undefined ? {} : { message: fallen.type.tag }),
      ...(this.restoredFrom === 0 ? {} : { restoredFrom: this.restoredFrom }),
      ...(shown === undefined ? {} : { shown }),
      ...(reason._tag === "NotConserved" ? { undone: this.keeper?.undone ?? 0 } : {}),
      next: nextText[fate]
    }, this.spec.context)
  }

  /** States and payloads may be secret, or large: they are shown as the behaviour's hook leaves them, or not at all. */
  protected shownOf(reason: ExitReason, fallen: Envelope | undefined, lastWord: LastWord): CrashReport["shown"] {
    const hook = (lastWord.behavior ?? this.spec.shared)?.formatStatus
    if (hook === undefined || lastWord.state === passivated) return undefined
    const message = fallen === undefined ? undefined : { request: fallen.type.tag, payload: fallen.payload }
    const shown = format({
      state: lastWord.state,
      ...(message === undefined ? {} : { message }),
      reason,
      log: this.extras?.debug?.log ?? []
    }, hook)
    return {
      state: shown.state,
      ...(shown.message === undefined ? {} : { message: shown.message }),
      ...(shown.reason === reason ? {} : { reason: shown.reason }),
      ...(shown.log === undefined || shown.log.length === 0 ? {} : { log: shown.log })
    }
  }
}
