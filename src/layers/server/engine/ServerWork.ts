/**
 * How messages are handled: from the mailbox to a committed state and an answer.
 *
 * *Tricky*
 * - **Order**: commit, become idle, and only then resume the caller. A caller resumed first would find the server busy
 *   with its own message, and be locked out of the direct path for ever.
 * - **Depth**: every hand-off to foreign code on this stack is counted by `Turn`.
 *
 * @since 0.1.0
 */
import { Cause, Effect, Exit, Tracer } from "effect"
import { killed } from "../../../domain/process/ExitReason.ts"
import { isNext, type NextOptions } from "../../../domain/server/Next.ts"
import { InvalidResult, MissingCallback } from "../../../domain/server/ServerErrors.ts"
import type { NewAnswer } from "../../../domain/state/Answers.ts"
import type { Point } from "../../../domain/testing/Fault.ts"
import { attempt, isEffect, isExit } from "../../process/Execute.ts"
import * as Turn from "../../process/Turn.ts"
import type { Origin } from "../../state/companion/Companion.ts"
import * as AnswerText from "../message/AnswerText.ts"
import { Handling } from "../message/CallChain.ts"
import { Envelope } from "../message/Envelope.ts"
import { DirectView, HandlerView, senderOf } from "../message/HandlerView.ts"
import { type Letter, type MessageType, type Once, ownCast } from "../message/MessageType.ts"
import { Attentive, Busy, Idle, isRunnable, passivated, Stopped } from "../parts/Phase.ts"
import type { AnyBehavior, AnyHandler, ServerSpec } from "../parts/ServerSpec.ts"
import { SystemAnswer } from "../parts/SystemAnswer.ts"
import { noOptions, ServerRest } from "./ServerRest.ts"

/** The answer takes time. */
export const later: unique symbol = Symbol()

/** A handler's Effect, in the span of whoever sent the message. */
const within = (span: Tracer.AnySpan, effect: Effect.Effect<unknown, unknown>): Effect.Effect<unknown, unknown> =>
  Effect.provideService(effect, Tracer.ParentSpan, span)

/** How messages are handled. */
export abstract class ServerWork extends ServerRest {
  /** Works off what waits, until nothing does, something takes time, or the turn is over. */
  drain(): void {
    if (this.draining) return
    this.draining = true
    try {
      while (this.phase === Idle || this.phase === Attentive) {
        if (this.order !== undefined) {
          this.end(this.order.reason)
        } else if (this.phase === Attentive && this.state === passivated && this.isWanted) {
          this.activate()
        } else if (this.extras?.pending !== undefined) {
          this.handlePending()
        } else if (this.extras?.idleDue === true && !this.extras.suspended) {
          this.handleIdle()
        } else {
          const mailbox = this.mailbox
          if (mailbox === undefined) break
          if (this.keeper?.isFull === true) {
            this.keeper.whenRoom(() => this.wantTurn())
            break
          }
          if (this.spec.turns.spend()) {
            this.spec.turns.push(this)
            break
          }
          const mail = this.extras?.suspended === true ? mailbox.takeOwn() : mailbox.take()
          if (mail === undefined) break
          this.spec.parent.telemetry.counters.queued--
          if (mail.place === undefined) this.handleLetter(mail)
          else this.handle(mail)
          mailbox.resumeSenders()
        }
      }
      if (this.mailbox?.size === 0) this.mailbox = undefined
      if (this.phase === Attentive && this.extras?.rest?.isStored === true) this.passivate()
    } catch (defect) {
      this.mishap(defect)
      // It may be up again by now.
      this.spec.turns.push(this)
    } finally {
      this.draining = false
    }
  }

  /** Handles a cast. What its handler answers at once is committed without more ado: nobody is to be told. */
  protected handleLetter({ payload, type }: Letter): void {
    const { faults, protect } = this.spec
    const handler = this.behavior.handlers[type.tag]
    if (handler === undefined || this.extras !== undefined || faults !== undefined || protect !== undefined) {
      this.handle(new Envelope(this, type, payload, undefined))
      return
    }
    this.phase = Busy
    const { incarnation } = this
    const view = new DirectView(this, type, payload, incarnation)
    let next: unknown
    Turn.enter()
    try {
      next = handler(this.state, payload, view)
    } catch (defect) {
      next = Exit.die(defect)
    } finally {
      Turn.leave()
    }
    if (this.isTorn(view.incarnation)) return this.tear(view)
    try {
      if (isRunnable(next)) next = this.runHandler(view, next)
      if (next === later) return
      if (!isEffect(next) && !isNext(next) && !(next instanceof Promise)) {
        this.state = next
        this.proven = true
        if (this.ownKeeper.commit(this.incarnation, next, "cast")) return this.idle()
        next = Exit.die(this.fenced())
      }
      const { envelope } = view
      this.inHand = envelope
      this.proceed(envelope, next)
    } catch (defect) {
      // Not with the view, which costs next to nothing as long as it cannot get this far.
      this.mishapWith(type, payload, incarnation, defect)
    }
  }

  /** A mishap with a message that may be in nobody's hands so far: the message, unless its incarnation is gone. */
  protected mishapWith(
    type: MessageType,
    payload: unknown,
    incarnation: number,
    defect: unknown
  ): Envelope | undefined {
    let envelope: Envelope | undefined
    if (!this.isTorn(incarnation)) {
      envelope = this.inHand?.envelope
      if (envelope === undefined) {
        envelope = new Envelope(this, type, payload, senderOf(type))
        envelope.attempts = 1
      }
      this.inHand = envelope
    }
    this.mishap(defect)
    return envelope
  }

  /** Runs a handler's Effect: its value, or how it ended; `later` when that takes time, and is seen to when it is known. */
  protected runHandler(view: DirectView, effect: Effect.Effect<unknown, unknown>): unknown {
    view.sender = senderOf(view.type)
    this.inHand = view
    const span = view.sender?.cache.span
    const fiber = this.live().fork(new Handling(this, span === undefined ? effect : within(span, effect)))
    const exit = fiber.pollUnsafe()
    if (exit !== undefined && this.fiber === fiber) {
      return exit._tag === "Failure" || isEffect(exit.value) ? exit : exit.value
    }
    const { envelope, incarnation } = view
    // It may have had its own server stopped, and is in nobody's hands then.
    if (this.inHand === view) this.inHand = envelope
    this.whenDone(fiber, incarnation, (exit) => this.finished(envelope, exit), true)
    return later
  }

  /** Whether the incarnation whose handler has just answered was stopped by it, and left behind. */
  protected isTorn(incarnation: number): boolean {
    return this.phase !== Busy || this.incarnation !== incarnation
  }

  /** Nobody listens to such a handler, and its message was in nobody's hands: it is settled as one that was. */
  protected tear({ envelope, incarnation }: DirectView): void {
    this.publish("WriteFenced", { incarnation, current: this.incarnation })
    this.settleFallen(envelope, this.phase === Stopped ? "stopped" : "restarting", this.lastExit)
    if (this.phase === Idle || this.phase === Attentive) this.wantTurn()
  }

  /** Handles one message, from the first step to wherever it has to wait. */
  protected handle(envelope: Envelope): Envelope {
    if (this.extras !== undefined && envelope.work === undefined) {
      this.extras.cancelIdle()
      this.extras.debug?.received(envelope, this.state)
    }
    this.phase = Busy
    this.inHand = envelope
    envelope.attempts++
    if (envelope.attempts > 1) this.publish("Redelivered", { message: envelope.type.tag, attempt: envelope.attempts })
    if (envelope.once !== undefined && this.recall(envelope, envelope.once)) return envelope
    if (this.struck("beforeHandler", envelope)) return envelope
    const { incarnation } = this
    let next: unknown
    Turn.enter()
    try {
      const state = this.spec.copy === undefined ? this.state : this.spec.copy(this.state)
      next = envelope.work === undefined
        ? this.handlerOf(envelope)(state, envelope.payload, new HandlerView(envelope, incarnation))
        : envelope.work(state)
    } catch (defect) {
      next = Exit.die(defect)
    } finally {
      Turn.leave()
    }
    if (!this.isTorn(incarnation)) this.proceed(envelope, next)
    else this.publish("WriteFenced", { incarnation, current: this.incarnation })
    return envelope
  }

  protected handlerOf(envelope: Envelope): AnyHandler {
    const handler = this.behavior.handlers[envelope.type.tag]
    if (handler === undefined) throw new MissingCallback({ server: this.name, callback: envelope.type.tag })
    return handler
  }

  /** Whether the message was handled before, or is promised a reply: it then gets that one. */
  protected recall(envelope: Envelope, { call, key }: Once): boolean {
    const recorded = this.keeper?.recorded(key)
    if (recorded !== undefined) {
      this.idle()
      const exit = AnswerText.read(envelope.type, call, recorded.body)
      if (exit === undefined) envelope.refuse({ _tag: "KeyReused", key })
      else this.answer(envelope, exit)
      return true
    }
    for (const first of this.extras?.deferred ?? []) {
      if (first.once?.key !== key) continue
      this.idle()
      if (first.once.call !== call) {
        envelope.refuse({ _tag: "KeyReused", key })
      } else (first.followers ??= []).push(envelope)
      return true
    }
    return false
  }

  /** Takes what a handler returned to where it is a value. */
  protected proceed(envelope: Envelope, next: unknown): void {
    if (!isEffect(next)) this.conclude(envelope, next)
    else if (isExit(next)) this.finished(envelope, next)
    else {
      const span = envelope.work === undefined ? envelope.span : undefined
      this.run(span === undefined ? next : within(span, next), (exit) => this.finished(envelope, exit), true)
    }
  }

  protected finished(envelope: Envelope, exit: Exit.Exit<unknown, unknown>): void {
    if (exit._tag === "Success") return this.conclude(envelope, exit.value)
    // A typed failure is a reply, not a crash: the state is as it was.
    if (Cause.hasFails(exit.cause) && !Cause.hasDies(exit.cause) && envelope.type.isCall) {
      if (envelope.work === undefined) this.proven = true
      if (envelope.once !== undefined && !this.commitAnswer(envelope, this.state, exit)) return
      this.idle()
      return this.answer(envelope, exit)
    }
    this.crash(exit.cause)
  }

  /** What a handler answered becomes the server's state, and then the caller's reply. */
  protected conclude(envelope: Envelope, next: unknown): void {
    if (this.struck("afterHandler", envelope)) return
    if (envelope.work !== undefined && next instanceof SystemAnswer) return this.concludeSystem(envelope, next)
    if (isNext(next)) {
      const problem = next._tag === "Stop" ? undefined : this.problemOf(next.options, envelope.type.tag)
      if (problem !== undefined) return this.crash(Cause.die(problem))
      switch (next._tag) {
        case "Reply":
          return this.accept(envelope, next.state, next.options, Exit.succeed(next.reply))
        case "NoReply": {
          if (envelope.type.isCall && envelope.exit === undefined) this.rare.deferred.add(envelope)
          return this.accept(envelope, next.state, next.options, undefined)
        }
        case "Stop": {
          const reply = "reply" in next.answer ? Exit.succeed(next.answer.reply) : undefined
          const state = "state" in next.answer ? next.answer.state : this.state
          if (("state" in next.answer || reply !== undefined) && !this.commitAnswer(envelope, state, reply)) return
          // Told when it is known what happens next, as everybody whose message was in hand at the end.
          envelope.promised = reply
          envelope.concluded = true
          return this.end(next.reason)
        }
      }
    }
    if (!envelope.type.isCall && !(next instanceof Promise)) return this.accept(envelope, next, noOptions, undefined)
    if (envelope.type.isCall && Array.isArray(next) && next.length === 2) {
      return this.accept(envelope, next[1], noOptions, Exit.succeed(next[0]))
    }
    this.crash(Cause.die(new InvalidResult({ server: this.name, request: envelope.type.tag, result: next })))
  }

  /** The system looked, or changed something: only a change is committed, and it proves nothing about the state. */
  protected concludeSystem(envelope: Envelope, { change, reply }: SystemAnswer): void {
    if (change !== undefined) {
      if (change.spec !== undefined) this.adopt(change.spec, change.behavior)
      if (!this.commit(change.state, "person")) return
    }
    this.idle()
    if (!envelope.type.isCall) return
    if (change === undefined) envelope.answer(Exit.succeed(reply))
    else this.answer(envelope, Exit.succeed(reply))
  }

  /** Goes on with another behaviour: this incarnation, and those that follow. */
  protected adopt(spec: ServerSpec, behavior: AnyBehavior | undefined): void {
    this.spec = spec
    if (this.life === undefined) return
    this.life.behavior = behavior
    this.life.fork = this.forkIn(this.life.scope)
  }

  protected accept(
    envelope: Envelope,
    state: unknown,
    options: NextOptions<never, unknown>,
    reply: Exit.Exit<unknown> | undefined
  ): void {
    // The guarantee, in this order: conserved before anybody hears of it; free before the caller goes on; then the reply.
    if (!this.commitAnswer(envelope, state, reply)) return
    if (this.struck("afterCommit", envelope)) return
    this.idle(options)
    if (reply !== undefined) this.answer(envelope, reply)
    else if (envelope.work === undefined) this.extras?.debug?.silent(envelope, state)
  }

  /** Commits a message's state, and puts its answer on record if it carries a key; false when that crashed the server. */
  protected commitAnswer(envelope: Envelope, state: unknown, reply: Exit.Exit<unknown, unknown> | undefined): boolean {
    const { once } = envelope
    let answer: NewAnswer | undefined
    if (once !== undefined && reply !== undefined) {
      try {
        const at = this.spec.clock.currentTimeMillisUnsafe()
        answer = { id: once.key, at, body: AnswerText.write(envelope.type, once.call, reply) }
      } catch (defect) {
        this.crash(Cause.die(defect))
        return false
      }
    }
    const { type } = envelope
    const by = type === ownCast ? "callback" : type.isCall ? "call" : "cast"
    return this.commit(state, by, answer === undefined ? undefined : [answer])
  }

  /**
   * The next state becomes the server's, and its companion's. False when that ended the incarnation: a younger one has
   * taken over, or it is no state that can be kept.
   */
  protected commit(state: unknown, by: Origin, answers?: ReadonlyArray<NewAnswer>): boolean {
    let kept = state
    const { protect } = this.spec
    if (protect !== undefined) {
      const exit = attempt(() => protect(state))
      if (exit._tag === "Failure") {
        this.crash(exit.cause)
        return false
      }
      kept = exit.value
    }
    this.state = kept
    if (by === "call" || by === "cast") this.proven = true
    if (this.ownKeeper.commit(this.incarnation, kept, by, answers)) return true
    this.crash(Cause.die(this.fenced()))
    return false
  }

  /** Answers a caller as soon as what the answer was computed from is conserved. */
  protected answer(envelope: Envelope, exit: Exit.Exit<unknown, unknown>): void {
    if (envelope.work === undefined) this.extras?.debug?.sent(envelope, exit, this.state)
    if (this.keeper?.isBehind !== true) return envelope.answer(exit)
    envelope.held = exit
    this.keeper.hold(envelope)
  }

  /** Whether a fault struck here; the message then ends as it would have. */
  protected struck(point: Point, envelope: Envelope): boolean {
    const faults = this.spec.faults
    if (faults === undefined) return false
    const fault = faults(point, { server: this.name, incarnation: this.incarnation, message: envelope.type.tag })
    if (fault === undefined) return false
    switch (fault._tag) {
      case "Defect":
        this.crash(Cause.die(fault.defect))
        break
      case "Interrupt":
        this.crash(Cause.interrupt())
        break
      case "Kill":
        this.end(killed)
        break
    }
    return true
  }
}
