/**
 * A message on its way: what was sent, who waits for the answer, and how the answer gets there.
 *
 * | it is           | which shows in           | its caller gives up              | the incarnation ends                |
 * |-----------------|--------------------------|----------------------------------|-------------------------------------|
 * | before the door | `place` is `"outside"`   | it loses its place               | it waits on, unless the server goes |
 * | in the mailbox  | `place` is `"inside"`    | it loses its place               | it waits on, unless the server goes |
 * | in hand         | the server's `inHand`    | the server goes on, reply dropped | by its policy (`Delivery`)          |
 * | answered early  | `early`, and in hand     | the server goes on, reply dropped | by its policy, without that answer  |
 * | promised        | the server's `promised`  | it is forgotten                  | it is refused                       |
 * | held            | `held`                   | reply dropped                    | it is answered when its state is stored |
 * | answered        | `exit`                   | nothing                          | nothing                             |
 *
 * *Tricky*: `answer` is idempotent: the first answer counts. A caller that is interrupted or has timed out says so
 * (`withdraw`, `expire`), which leaves `gone` behind. A call with an idempotency key is kept when its caller times out:
 * when it is made again, that one waits for the same answer.
 *
 * @since 0.1.0
 */
import { Effect, Effectable, Exit, type Fiber, Formatter, Inspectable, type Tracer } from "effect"
import { callError, type CallErrorReason, type WaitsFor } from "../../../domain/process/CallError.ts"
import { type ExitReason, toCause } from "../../../domain/process/ExitReason.ts"
import { isAlive } from "../../../domain/process/Living.ts"
import type { From } from "../../../domain/server/Message.ts"
import { spanOf } from "../../process/EffectInternals.ts"
import * as Turn from "../../process/Turn.ts"
import type { Held } from "../../state/companion/Companion.ts"
import { Deadline, type Deadlines } from "./Deadlines.ts"
import type { MessageType, Once, QueuedCast, Work } from "./MessageType.ts"

/** A server as its messages see it. */
export interface Receiver {
  readonly name: string
  /** Its key, if it has one. */
  readonly givenKey: string | undefined
  /** The number of the newest snapshot of its state. */
  readonly seq: number
  readonly spec: { readonly deadlines: Deadlines }
  readonly current: Envelope | undefined
  /** Takes a call whose caller has begun to wait. */
  post(envelope: Envelope): void
  /** A message's sender is gone, or has waited long enough. */
  withdrawn(envelope: Envelope): void
  /** What a message waits for now. */
  waitsFor(envelope: Envelope): WaitsFor
  /** What its store said last, if it is away. */
  readonly outage: string | undefined
  /** Answers a caller that was promised a later reply. */
  answerLater(envelope: Envelope, exit: Exit.Exit<unknown, unknown>): void
}

/** What a mailbox holds. */
export type Queued = Envelope | QueuedCast

/** The sender of a call, known by its fiber. A cast's sender is not asked for. */
export type Sender = Fiber.Fiber<unknown, unknown> | undefined

/** A message that waits, or is being handled outside its caller's stack. */
export class Envelope extends Deadline implements From<never, never>, Held {
  readonly type: MessageType
  readonly payload: unknown
  /** The fiber that waits for the answer. */
  readonly sender: Sender
  /** Another one once it was handed on. */
  server: Receiver
  /** What to do instead of calling a handler: a continuation, an idle callback, a message of the system. */
  readonly work: Work | undefined
  /** The span its sender was in, if it is a cast; a caller that waits is asked. */
  private castSpan: Tracer.AnySpan | undefined = undefined
  /** How often it has been handled, this time included. */
  attempts = 0
  gone = false
  /** The chain of calls it belongs to, once it was asked for. */
  chain = 0
  /** The caller may make this call again, under this key. */
  once: Once | undefined = undefined
  /** The same call made again while this one was promised a later reply. */
  followers: Set<Envelope> | undefined = undefined
  /** The first of these calls, if this is one that was made again. */
  follows: Envelope | undefined = undefined
  /** Its handler has stopped the server, with this reply if any: given when it is known what happens next. */
  stopped: { readonly reply: Exit.Exit<unknown, unknown> | undefined } | undefined = undefined
  /** The answer to a call with a key, given while its handler is still at work: it waits for the commit. */
  early: Exit.Exit<unknown, unknown> | undefined = undefined
  /** The answer, while it waits for the state to be stored. */
  held: Exit.Exit<unknown, unknown> | undefined = undefined
  /** Where it is on its way to the server: before a full mailbox, in it, or neither (not yet, or not any more). */
  place: "nowhere" | "outside" | "inside" = "nowhere"
  exit: Exit.Exit<unknown, unknown> | undefined = undefined
  private resume: ((exit: Effect.Effect<unknown, unknown>) => void) | undefined = undefined

  constructor(server: Receiver, type: MessageType, payload: unknown, sender: Sender, work?: Work) {
    super()
    this.server = server
    this.type = type
    this.payload = payload
    this.sender = sender
    this.work = work
  }

  /** A cast sent from within a span. */
  static traced(server: Receiver, { payload, type }: QueuedCast, span: Tracer.AnySpan): Envelope {
    const envelope = new Envelope(server, type, payload, undefined)
    envelope.castSpan = span
    return envelope
  }

  /** The span its sender is in: its handler continues that trace. */
  get span(): Tracer.AnySpan | undefined {
    return this.sender === undefined ? this.castSpan : spanOf(this.sender)
  }

  declare readonly "~heirloom/From": (_: readonly [never, never]) => void

  /** As a `DirectView` has one. */
  get envelope(): this {
    return this
  }

  // A server may keep it in its state, to answer later: it is not to be frozen with it, nor to be shown with all it
  // reaches.
  get [isAlive](): true {
    return true
  }
  toJSON(): unknown {
    return { _id: "heirloom/From", server: this.server.name, request: this.type.tag }
  }
  override toString(): string {
    return Formatter.format(this.toJSON())
  }
  [Inspectable.NodeInspectSymbol](): unknown {
    return this.toJSON()
  }

  /** Answers the caller, once; later answers are dropped. Every stack it may resume is bounded by `Turn`. */
  answer(exit: Exit.Exit<unknown, unknown>): void {
    if (this.exit !== undefined) return
    this.exit = exit
    this.list?.remove(this)
    if (this.followers !== undefined) { for (const follower of this.followers) follower.answer(exit) }
    this.tell(exit)
  }

  /** Lets the caller go on, if it still waits. */
  private tell(exit: Exit.Exit<unknown, unknown>): void {
    const resume = this.resume
    if (resume === undefined || this.gone) return
    this.resume = undefined
    if (!Turn.isShallow()) return Turn.run(() => resume(exit))
    Turn.enter()
    try {
      resume(exit)
    } finally {
      Turn.leave()
    }
  }

  /** Whether it has its answer, which may wait for the state to be committed, or stored. */
  get isAnswered(): boolean {
    return (this.exit ?? this.held ?? this.early) !== undefined
  }

  /**
   * Whether an answer that is held back is no longer wanted: its caller has gone, and no call made again waits for it.
   */
  get isGone(): boolean {
    return this.exit !== undefined || (this.gone && (this.followers?.size ?? 0) === 0)
  }

  /** What its state was computed from is stored: the answer may go. */
  stored(): void {
    if (this.held !== undefined) this.answer(this.held)
  }

  /** What its state was computed from could not be stored. */
  lost(reason: ExitReason): void {
    this.refuse({ _tag: "NotConserved", cause: toCause(reason) })
  }

  /** Answers with a `CallError`. */
  refuse(reason: CallErrorReason): void {
    if (this.exit === undefined && this.type.isCall) {
      this.answer(Exit.fail(callError(this.server.name, this.type.tag, reason)))
    }
  }

  /** Waits for the answer in the caller's fiber, at most `millis`. */
  wait(millis: number): Effect.Effect<unknown, unknown> {
    return this.exit ?? this.waiting(millis, false)
  }

  /**
   * Sends it, and waits for the answer. It is sent when the caller has begun to wait and not before: a caller that is
   * interrupted in between has sent nothing.
   */
  sendAndWait(millis: number): Effect.Effect<unknown, unknown> {
    return this.waiting(millis, true)
  }

  private waiting(millis: number, send: boolean): Effect.Effect<unknown, unknown> {
    return Effect.callback<unknown, unknown>((resume) => {
      if (this.exit !== undefined) return resume(this.exit)
      this.resume = resume
      if (send) this.server.post(this)
      if (this.exit !== undefined) return
      if (millis !== Infinity) this.server.spec.deadlines.add(this, millis)
      return new Withdrawal(this)
    })
  }

  /**
   * Its sender has given up: withdrawn if it has not begun; otherwise the server goes on, and the answer is dropped.
   */
  withdraw(): void {
    this.gone = true
    this.list?.remove(this)
    this.server.withdrawn(this)
  }

  // Taken out of the mailbox before its caller is answered: what the caller does then may set the server free.
  expire(millis: number): void {
    const begun = this.attempts > 0 || this.held !== undefined
    const { outage } = this.server
    const waitsFor = this.server.waitsFor(this)
    const said = waitsFor === "store" && outage !== undefined ? { outage } : {}
    const timeout: CallErrorReason = { _tag: "Timeout", millis, begun, waitsFor, ...said }
    this.server.withdrawn(this)
    // A call that may be made again is not over with this: its answer is recorded, for the same call made again.
    if (this.once === undefined) this.refuse(timeout)
    else this.tell(Exit.fail(callError(this.server.name, this.type.tag, timeout)))
    this.gone = true
  }
}

/** Run when a waiting caller is interrupted; an object and not a closure, since every caller that waits makes one. */
class Withdrawal extends Effectable.Class<void> {
  private readonly envelope: Envelope
  constructor(envelope: Envelope) {
    super()
    this.envelope = envelope
  }
  override asEffect(): Effect.Effect<void> {
    this.envelope.withdraw()
    return Exit.void
  }
}
