/**
 * The engine: one server, over all its incarnations, and how messages come to it.
 *
 * A server is an object: a mailbox, a companion, a state. It has a fiber only while a handler that is an Effect runs. A
 * handler that answers at once is run, committed and answered on its caller's stack; everything else goes through the
 * mailbox or a fiber of the server's own, never the caller's.
 *
 * *Tricky*: first in, first out holds because the direct path needs an idle server with an empty mailbox.
 *
 * @since 0.1.0
 */
import { Cause, Effect, Exit, Fiber, type Tracer } from "effect"
import { InvalidOption } from "../../../domain/options/InvalidOption.ts"
import { callError, type WaitsFor } from "../../../domain/process/CallError.ts"
import { isKey, maxKeyBytes } from "../../../domain/server/Idempotency.ts"
import { messageOf, text } from "../../../domain/text/ForeignText.ts"
import { attempt } from "../../process/Execute.ts"
import * as Turn from "../../process/Turn.ts"
import { callText } from "../message/AnswerText.ts"
import { selfCall } from "../message/CallChain.ts"
import { Envelope } from "../message/Envelope.ts"
import { DirectView } from "../message/HandlerView.ts"
import { type Letter, type MessageType, ownCall } from "../message/MessageType.ts"
import type { Work } from "../message/MessageType.ts"
import { type QuarantinedMessage } from "../message/Quarantine.ts"
import { Attentive, Busy, Idle, isRunnable, Parked, passivated, Starting, Stopped } from "../parts/Phase.ts"
import type { ServerClient, ServerSpec } from "../parts/ServerSpec.ts"
import { later, ServerWork } from "./ServerWork.ts"

/** One server, over all its incarnations. */
export class ServerProcess extends ServerWork {
  readonly ref: ServerClient

  constructor(spec: ServerSpec, key: string) {
    super(spec, key)
    this.ref = new spec.Client(this)
  }

  /** A call: the caller's fiber goes on with what this returns. */
  call(type: MessageType, payload: unknown, millis: number): Effect.Effect<unknown, unknown> {
    this.spec.parent.telemetry.counters.calls++
    if (this.phase === Idle && this.mailbox === undefined && Turn.isShallow() && this.keeper?.isFull !== true) {
      return this.callNow(type, payload, millis)
    }
    return this.callLater(type, payload, millis)
  }

  /** The direct path: idle server, empty mailbox, shallow stack. */
  protected callNow(type: MessageType, payload: unknown, millis: number): Effect.Effect<unknown, unknown> {
    const spec = this.spec
    const handler = this.behavior.handlers[type.tag]
    if (handler === undefined || spec.faults !== undefined || spec.protect !== undefined) {
      return this.handleNow(new Envelope(this, type, payload, Fiber.getCurrent())).wait(millis)
    }
    this.phase = Busy
    const { incarnation } = this
    const view = new DirectView(this, type, payload, incarnation)
    Turn.enter()
    try {
      let next: unknown
      try {
        next = handler(this.state, payload, view)
      } catch (defect) {
        next = Exit.die(defect)
      }
      if (this.isTorn(view.incarnation)) {
        this.tear(view)
        next = later
      } else if (isRunnable(next)) next = this.runHandler(view, next)
      // Who has looked at the message may have answered it by now.
      if (Array.isArray(next) && next.length === 2 && view.made === undefined) {
        // The guarantee, in this order: conserved before anybody hears of it; free before the caller goes on.
        this.state = next[1]
        this.proven = true
        const keeper = this.ownKeeper
        if (keeper.commit(this.incarnation, next[1], "call")) {
          if (keeper.isBehind) return this.answerWhenStored(type, payload, Exit.succeed(next[0]), millis)
          this.idle()
          return Exit.succeed(next[0])
        }
        next = Exit.die(this.fenced())
      }
      const { envelope } = view
      if (next !== later) {
        this.inHand = envelope
        this.proceed(envelope, next)
      }
      return envelope.wait(millis)
    } catch (defect) {
      return this.mishapWith(type, payload, incarnation, defect)?.wait(millis) ?? Exit.die(defect)
    } finally {
      Turn.leave()
    }
  }

  /** The same where each step is needed. */
  protected handleNow(envelope: Envelope): Envelope {
    try {
      return this.handle(envelope)
    } catch (defect) {
      this.mishap(defect)
      return envelope
    }
  }

  /** The direct path's answer over a durable companion: the server goes on, its answer has to wait. */
  protected answerWhenStored(
    type: MessageType,
    payload: unknown,
    exit: Exit.Exit<unknown, unknown>,
    millis: number
  ): Effect.Effect<unknown, unknown> {
    const envelope = new Envelope(this, type, payload, Fiber.getCurrent())
    this.idle()
    this.answer(envelope, exit)
    return envelope.wait(millis)
  }

  /** A call that may be made again: what it was answered is on record, or will be. */
  callOnce(type: MessageType, payload: unknown, millis: number, key: string): Effect.Effect<unknown, unknown> {
    // Whatever is wrong with these is the caller's affair: found here, it does not reach the server.
    if (!isKey(key)) {
      const reason = { _tag: "InvalidIdempotencyKey", key: text(key), maxBytes: maxKeyBytes } as const
      return Exit.fail(callError(this.name, type.tag, reason))
    }
    const call = attempt(() => callText(type, payload))
    if (call._tag === "Failure") return this.unfit(type, payload, call.cause)
    this.spec.parent.telemetry.counters.calls++
    const envelope = new Envelope(this, type, payload, Fiber.getCurrent())
    envelope.once = { key, call: call.value }
    return envelope.sendAndWait(millis)
  }

  private unfit({ tag }: MessageType, given: unknown, cause: Cause.Cause<unknown>): Exit.Exit<never> {
    const why = Cause.squash(cause)
    return Exit.die(
      new InvalidOption({
        of: this.name,
        request: tag,
        option: "payload",
        given,
        expected: `what its schemas write down, for a call with an idempotencyKey (${messageOf(why)})`
      })
    )
  }

  /** The queued path: the caller waits for its turn. */
  protected callLater(type: MessageType, payload: unknown, millis: number): Effect.Effect<unknown, unknown> {
    return new Envelope(this, type, payload, Fiber.getCurrent()).sendAndWait(millis)
  }

  /** Takes a call whose caller has begun to wait. */
  post(envelope: Envelope): void {
    if (this.phase === Stopped) return envelope.refuse(this.notRunning())
    if (this.phase === Parked) return envelope.refuse({ _tag: "Parked" })
    const chain = this.chainOf(envelope)
    if (chain !== undefined) return envelope.refuse({ _tag: "CallingSelf", chain })
    this.enqueue(envelope)
  }

  /** The servers between this one and a sender that would wait for itself; `undefined` when it would not. */
  protected chainOf(envelope: Envelope): ReadonlyArray<string> | undefined {
    const chain = selfCall(this, envelope)
    if (chain !== undefined) return chain
    // Its init or its clean-up: no message is in hand, and none will be while that waits.
    return this.fiber !== undefined && envelope.sender === this.fiber ? [this.name, this.name] : undefined
  }

  /** A message's sender is gone, or told that it waited long enough. */
  withdrawn(envelope: Envelope): void {
    // A call that may be made again is kept: whoever makes it again waits for the same answer.
    if (envelope.once === undefined) this.extras?.deferred.delete(envelope)
    if (envelope.place === "nowhere") return
    this.spec.parent.telemetry.counters.queued--
    const { mailbox } = this
    mailbox?.withdraw(envelope)
    mailbox?.resumeSenders()
  }

  waitsFor(envelope: Envelope): WaitsFor {
    if (envelope.held !== undefined) return "store"
    if (this.inHand?.envelope === envelope) return "handler"
    if (envelope.place === "nowhere" && envelope.attempts > 0) return "reply"
    if (envelope.place === "outside") return "room"
    if (this.phase >= Starting) return "start"
    if (this.suspended && envelope.work === undefined) return "resume"
    return this.keeper?.isFull === true || this.state === passivated ? "store" : "turn"
  }

  /** A cast: the sender, who may be in a span, goes on at once, or when there is room. To nobody it is dropped. */
  cast(letter: Letter, span: Tracer.AnySpan | undefined): Effect.Effect<void> {
    const { counters } = this.spec.parent.telemetry
    counters.casts++
    if (this.phase === Stopped) {
      this.lose(letter)
      return Exit.void
    }
    if (span !== undefined) return this.enqueue(Envelope.traced(this, letter, span))
    if (!this.openMailbox().post(letter)) {
      return this.enqueue(new Envelope(this, letter.type, letter.payload, undefined))
    }
    counters.queued++
    if (this.phase === Idle || this.phase === Attentive) this.wantTurn()
    return Exit.void
  }

  protected enqueue(envelope: Envelope): Effect.Effect<void> {
    this.spec.parent.telemetry.counters.queued++
    const mailbox = this.openMailbox()
    const put = envelope.work === undefined ? mailbox.put(envelope) : mailbox.putOwn(envelope)
    if (this.phase === Idle || this.phase === Attentive) this.wantTurn()
    switch (put._tag) {
      case "Queued":
        return Exit.void
      case "Waits":
        return put.room
      case "Full":
        this.drop(envelope)
        return Exit.void
      case "Dropped":
        this.drop(put.envelope)
        return Exit.void
    }
  }

  protected drop(envelope: Envelope): void {
    this.spec.parent.telemetry.counters.queued--
    envelope.refuse({ _tag: "MailboxFull", capacity: this.spec.capacity })
    this.publish("Dropped", { message: envelope.type.tag, reason: "MailboxFull" })
  }

  /** Runs `f` when all that is committed by now is conserved, or cannot be. */
  whenStored(f: () => void): void {
    if (this.keeper === undefined) f()
    else this.keeper.hold({ stored: f, lost: f })
  }

  /** A request of the system, in the order of the mailbox: `work` sees the state and answers as a call's handler does. */
  ask(work: Work, millis: number, type: MessageType = ownCall): Effect.Effect<unknown, unknown> {
    return new Envelope(this, type, undefined, Fiber.getCurrent(), work).sendAndWait(millis)
  }

  /**
   * Takes a message of the system that is not answered, from a sender that waits for what comes of it; the way by which it
   * would wait for itself, if it would.
   */
  tell(envelope: Envelope): ReadonlyArray<string> | undefined {
    const chain = this.chainOf(envelope)
    if (chain === undefined && this.phase !== Stopped) this.enqueue(envelope)
    return chain
  }

  /** Sends one of them again, that was taken out; it is back there when the server did not even begin with it. */
  replay(message: QuarantinedMessage, millis: number): Effect.Effect<unknown, unknown> {
    const { payload, type } = message
    const envelope = new Envelope(this, type, payload, Fiber.getCurrent())
    const sent = type.isCall ? envelope.sendAndWait(millis) : Effect.suspend(() => {
      if (this.phase < Parked) return this.enqueue(envelope)
      return Exit.fail(callError(this.name, type.tag, this.phase === Parked ? { _tag: "Parked" } : this.notRunning()))
    })
    return Effect.onExit(sent, (exit) =>
      Effect.sync(() => {
        if (exit._tag === "Failure" && envelope.attempts === 0) this.rare.quarantined = [...this.quarantined, message]
      }))
  }

  /** Answers a caller that was promised a later reply. */
  answerLater(envelope: Envelope, exit: Exit.Exit<unknown, unknown>): void {
    if (envelope.exit !== undefined) return
    // An answer goes on record with a state; a server that is down has none, and its caller is told what became of it.
    if (envelope.once !== undefined && this.phase > Attentive) return
    this.extras?.deferred.delete(envelope)
    if (envelope.once !== undefined && !this.commitAnswer(envelope, this.state, exit)) return
    this.answer(envelope, exit)
  }
}
