/**
 * The engine: one server, over all its incarnations.
 *
 * A server is an object: a mailbox, a companion, a state. It has a fiber only while a handler that is an Effect runs. A
 * handler that answers at once is run, committed and answered on its caller's stack; everything else goes through the
 * mailbox or a fiber of the server's own, never the caller's.
 *
 * *Tricky*
 * - **Order**: commit, become idle, and only then resume the caller. A caller resumed first would find the server busy
 *   with its own message, and be locked out of the direct path for ever.
 * - **First in, first out** holds because the direct path needs an idle server with an empty mailbox.
 * - **Who is told what when**: an incarnation ends (`end`), its clean-up runs, its observers and its supervisor hear of it
 *   (`ended`), the supervisor decides (`settle`), and only then the caller of the message in hand is answered, since only
 *   then it is known what happens next. Queued callers wait through all of it.
 * - **Stale fibers**: a fiber counts only while it is `this.fiber`. An abandoned one is forgotten there and fenced off from
 *   the companion; what it still computes is refused.
 * - **Depth**: every hand-off to foreign code on this stack is counted by `Turn`.
 *
 * @since 0.1.0
 */
import { Cause, Context, Duration, Effect, Exit, Fiber, Scope } from "effect"
import {
  callError,
  Fenced,
  InitTimeout,
  InvalidResult,
  MissingCallback,
  NameTaken,
  StateRefused
} from "../../domain/Errors.ts"
import type { CrashReport } from "../../domain/observation/CrashReport.ts"
import type { Lifecycle } from "../../domain/observation/Lifecycle.ts"
import { afterCrash } from "../../domain/server/Delivery.ts"
import { crashed, type ExitReason, isOrderly, killed, toCause, toText } from "../../domain/server/ExitReason.ts"
import type { NewAnswer } from "../../domain/server/Idempotency.ts"
import { Ignore, isNext, type NextOptions, Start, Stop } from "../../domain/server/Next.ts"
import { format } from "../../domain/server/SystemEvent.ts"
import type { Callback, Generation } from "../../domain/state/Generations.ts"
import type { Crash } from "../../domain/state/Recovery.ts"
import type { Point } from "../../domain/testing/Fault.ts"
import type { ExitObserver, GoneObserver, Status } from "../naming/Process.ts"
import { isLogging } from "../observation/Telemetry.ts"
import type { Keeper, Origin, Taken } from "../state/Companion.ts"
import type { Child, Fate, ShutdownMillis, Started } from "../supervision/Child.ts"
import { attempt, guarded } from "../supervision/Execute.ts"
import { nextText } from "../supervision/LocalProcess.ts"
import * as Turn from "../supervision/Turn.ts"
import * as AnswerText from "./AnswerText.ts"
import { HandlerOf, Handling, inHand, selfCall } from "./CallChain.ts"
import type { AnyClient } from "./Client.ts"
import { Debug } from "./Debug.ts"
import { Envelope, type MessageType, ownCall, ownCast, ownTell } from "./Envelope.ts"
import { Extras, type Work } from "./Extras.ts"
import { HandlerView } from "./HandlerView.ts"
import { Mailbox } from "./Mailbox.ts"
import { QuarantinedMessage } from "./Quarantine.ts"
import type { AnyBehavior, AnyHandler, ServerSpec } from "./ServerSpec.ts"
import { SystemAnswer } from "./SystemAnswer.ts"

// Numbers, because the first question of every call is "idle?".
const Idle = 0
const Busy = 1
/** Alive, but with something pending that the direct path must see to first: a continuation, an idle timer. */
const Attentive = 2
const Starting = 3
const Ending = 4
const Restarting = 5
const Parked = 6
const Stopped = 7
type Phase = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7

/** What an incarnation has of its own, made when it first needs a fiber. */
interface Life {
  behavior: AnyBehavior | undefined
  readonly scope: Scope.Closeable
  context: Context.Context<never>
  /** Tells who waits for the start that it has failed. */
  fail?: (cause: Cause.Cause<unknown>) => void
}

/** What a crash report shows of an incarnation that has ended. */
interface LastWord {
  readonly state: unknown
  readonly behavior: AnyBehavior | undefined
}

/** An end that somebody ordered. A supervisor waits for those it ordered, and is not told of them as exits. */
interface Order {
  readonly reason: ExitReason
  readonly byParent: boolean
  done: ((reason: ExitReason) => void) | undefined
}

const started: Exit.Exit<Started> = Exit.succeed({ _tag: "Started" })
const ignored: Started = { _tag: "Ignored" }
const noOptions: NextOptions<never, unknown> & { readonly info?: unknown } = {}

const isEffect = (u: unknown): u is Effect.Effect<unknown, unknown> =>
  typeof u === "object" && u !== null && (u as { readonly [Effect.TypeId]?: unknown })[Effect.TypeId] !== undefined

// `Exit.isExit` costs more than the whole direct path; every Exit carries this key, and no other Effect does.
const exitKey = "~effect/Exit"
const isExit = (u: Effect.Effect<unknown, unknown>): u is Exit.Exit<unknown, unknown> =>
  (u as { readonly [exitKey]?: unknown })[exitKey] !== undefined

/** How it ended after its clean-up: one that fails makes an orderly end a crash, one that answers has the last word. */
const endedAs = (reason: ExitReason, cleanUp: Exit.Exit<unknown, unknown>): ExitReason => {
  if (cleanUp._tag === "Failure") return isOrderly(reason) ? crashed(cleanUp.cause) : reason
  return cleanUp.value instanceof Stop ? cleanUp.value.reason : reason
}

/** One server, over all its incarnations. */
export class ServerProcess implements Child, Turn.Ready {
  /** Shared with others of its class, until its behaviour is replaced. */
  spec: ServerSpec
  readonly key: string
  incarnation = 0
  lastExit: ExitReason | undefined = undefined
  queued = false
  /**
   * The message in hand, unless it is handled and answered on its caller's stack. When the incarnation has ended it stays
   * until it is known what happens next.
   */
  current: Envelope | undefined = undefined
  /** The fiber of init, of the handler in progress, or of the clean-up. */
  fiber: Fiber.Fiber<unknown, unknown> | undefined = undefined
  /** The client that everybody shares. */
  readonly ref: AnyClient
  private phase: Phase = Stopped
  private keeper: Keeper<unknown> | undefined = undefined
  private state: unknown = undefined
  private mailbox: Mailbox | undefined = undefined
  private draining = false
  private life: Life | undefined = undefined
  private order: Order | undefined = undefined
  private extras: Extras | undefined = undefined
  private restoredFrom = 0
  /** Whether this incarnation has handled any message. */
  private proven = false
  /** The callback that runs on the state, while one does. */
  private callback: Callback | undefined = undefined
  private unreported: LastWord | undefined = undefined

  constructor(spec: ServerSpec, key: string) {
    this.spec = spec
    this.key = key
    this.ref = new spec.Client(this)
  }

  // ------------------------------------------------------------------------------------------------ a process

  get id(): string {
    return this.spec.renamed ?? (this.key === "" ? this.spec.id : `${this.spec.id}/${this.key}`)
  }

  get path(): ReadonlyArray<string> {
    return [...this.spec.parent.path, this.id]
  }

  /** The path, for messages. */
  get name(): string {
    return this.spec.address + this.id
  }

  get kind(): "worker" {
    return "worker"
  }

  get status(): Status {
    switch (this.phase) {
      case Starting:
        return "starting"
      case Restarting:
        return "restarting"
      case Parked:
        return "parked"
      case Stopped:
        return "stopped"
      default:
        return "running"
    }
  }

  /** How many messages wait. */
  get mailboxSize(): number {
    return this.mailbox?.size ?? 0
  }

  private get rare(): Extras {
    return this.extras ??= new Extras()
  }

  addExitObserver(observer: ExitObserver): boolean {
    if (this.phase > Ending) return false
    this.rare.addExitObserver(observer)
    return true
  }

  removeExitObserver(observer: ExitObserver): void {
    this.extras?.removeExitObserver(observer)
  }

  addGoneObserver(observer: GoneObserver): boolean {
    if (this.phase === Stopped) return false
    this.rare.addGoneObserver(observer)
    return true
  }

  removeGoneObserver(observer: GoneObserver): void {
    this.extras?.removeGoneObserver(observer)
  }

  // ------------------------------------------------------------------------------------------------- messages

  /** A call: the caller's fiber goes on with what this returns. */
  call(type: MessageType, payload: unknown, millis: number): Effect.Effect<unknown, unknown> {
    this.spec.parent.telemetry.counters.calls++
    if (this.phase === Idle && this.mailbox === undefined && Turn.isShallow() && !this.keeper!.isFull) {
      return this.callNow(type, payload, millis)
    }
    return this.callLater(type, payload, millis)
  }

  /** The direct path: idle server, empty mailbox, shallow stack. */
  private callNow(type: MessageType, payload: unknown, millis: number): Effect.Effect<unknown, unknown> {
    const spec = this.spec
    const handler = this.behavior.handlers[type.tag]
    // A handler that may look at the message (`fnUntraced` has no arity), or a fault plan, needs an envelope to look at.
    if (
      handler === undefined || handler.length === 0 || handler.length > 2 || spec.faults !== undefined ||
      spec.protect !== undefined
    ) {
      return this.handle(new Envelope(this, type, payload, inHand())).wait(millis)
    }
    this.phase = Busy
    Turn.enter()
    try {
      let next: unknown
      try {
        next = handler(this.state, payload, undefined)
      } catch (defect) {
        next = Exit.die(defect)
      }
      if (Array.isArray(next) && next.length === 2) {
        // The guarantee, in this order: conserved before anybody hears of it; free before the caller goes on.
        this.state = next[1]
        this.proven = true
        if (this.keeper!.commit(this.incarnation, next[1], "call")) {
          if (this.keeper!.isBehind) return this.answerWhenStored(type, payload, Exit.succeed(next[0]), millis)
          this.idle()
          return Exit.succeed(next[0])
        }
        next = Exit.die(this.fenced())
      }
      const envelope = new Envelope(this, type, payload, inHand())
      envelope.attempts = 1
      this.current = envelope
      this.proceed(envelope, next)
      return envelope.wait(millis)
    } finally {
      Turn.leave()
    }
  }

  /** The direct path's answer over a durable companion: the server goes on, its answer has to wait. */
  private answerWhenStored(
    type: MessageType,
    payload: unknown,
    exit: Exit.Exit<unknown, unknown>,
    millis: number
  ): Effect.Effect<unknown, unknown> {
    const envelope = new Envelope(this, type, payload, inHand())
    this.idle()
    this.answer(envelope, exit)
    return envelope.wait(millis)
  }

  /** Answers a caller as soon as what the answer was computed from is conserved. */
  private answer(envelope: Envelope, exit: Exit.Exit<unknown, unknown>): void {
    if (envelope.work === undefined) this.extras?.debug?.sent(envelope, exit, this.state)
    if (!this.keeper!.isBehind) return envelope.answer(exit)
    envelope.held = exit
    this.keeper!.hold(envelope)
  }

  /** A call that may be made again: what it was answered is on record, or will be. */
  callOnce(type: MessageType, payload: unknown, millis: number, key: string): Effect.Effect<unknown, unknown> {
    this.spec.parent.telemetry.counters.calls++
    const envelope = new Envelope(this, type, payload, inHand())
    envelope.idempotencyKey = key
    return envelope.sendAndWait(millis)
  }

  /** Whether the message was handled before, or is promised a reply: it then gets that one. */
  private recall(envelope: Envelope, key: string): boolean {
    const { payload, type } = envelope
    const recorded = this.keeper!.recorded(key)
    if (recorded !== undefined) {
      this.idle()
      const exit = AnswerText.read(type, payload, recorded.body)
      if (exit === undefined) envelope.refuse({ _tag: "KeyReused", key })
      else this.answer(envelope, exit)
      return true
    }
    for (const first of this.extras?.deferred ?? []) {
      if (first.idempotencyKey !== key) continue
      this.idle()
      if (AnswerText.callText(first.type, first.payload) !== AnswerText.callText(type, payload)) {
        envelope.refuse({ _tag: "KeyReused", key })
      } else (first.followers ??= []).push(envelope)
      return true
    }
    return false
  }

  /** The queued path: the caller waits for its turn. */
  private callLater(type: MessageType, payload: unknown, millis: number): Effect.Effect<unknown, unknown> {
    return new Envelope(this, type, payload, inHand()).sendAndWait(millis)
  }

  /** Takes a call whose caller has begun to wait. */
  post(envelope: Envelope): void {
    if (this.phase === Stopped) return envelope.refuse({ _tag: "NotRunning" })
    if (this.phase === Parked) return envelope.refuse({ _tag: "Parked" })
    const chain = selfCall(this, envelope.cause)
    if (chain !== undefined) return envelope.refuse({ _tag: "CallingSelf", chain })
    // Its init or its clean-up: no message is in hand, and none will be while that waits.
    if (this.fiber !== undefined && Fiber.getCurrent() === this.fiber) {
      return envelope.refuse({ _tag: "CallingSelf", chain: [this.name, this.name] })
    }
    this.enqueue(envelope)
  }

  /** A message's sender is gone, or told that it waited long enough. */
  withdrawn(envelope: Envelope): void {
    // A call that may be made again is kept: whoever makes it again waits for the same answer.
    if (envelope.idempotencyKey === undefined) this.extras?.deferred.delete(envelope)
    if (envelope.place === "nowhere") return
    this.spec.parent.telemetry.counters.queued--
    const { mailbox } = this
    mailbox?.withdraw(envelope)
    mailbox?.resumeSenders()
  }

  /** A cast: the sender goes on at once, or when there is room. To nobody it is silently dropped, as in OTP. */
  cast(type: MessageType, payload: unknown): Effect.Effect<void> {
    this.spec.parent.telemetry.counters.casts++
    if (this.phase === Stopped) return Exit.void
    return this.enqueue(new Envelope(this, type, payload, undefined))
  }

  private enqueue(envelope: Envelope): Effect.Effect<void> {
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

  private openMailbox(): Mailbox {
    return this.mailbox ??= new Mailbox(this.spec.capacity, this.spec.overflow)
  }

  private drop(envelope: Envelope): void {
    this.spec.parent.telemetry.counters.queued--
    envelope.refuse({ _tag: "MailboxFull", capacity: this.spec.capacity })
    this.publish("Dropped", { message: envelope.type.tag })
  }

  private wantTurn(): void {
    if (!this.draining) this.spec.turns.push(this)
  }

  /** Works off what waits, until nothing does, something takes time, or the turn is over. */
  drain(): void {
    if (this.draining) return
    this.draining = true
    try {
      while (this.phase === Idle || this.phase === Attentive) {
        if (this.order !== undefined) {
          this.end(this.order.reason)
        } else if (this.extras?.pending !== undefined) {
          this.handlePending()
        } else if (this.extras?.idleDue === true && !this.extras.suspended) {
          this.handleIdle()
        } else {
          const mailbox = this.mailbox
          if (mailbox === undefined) break
          if (this.keeper!.isFull) {
            this.keeper!.whenRoom(() => this.wantTurn())
            break
          }
          if (this.spec.turns.spend()) {
            this.spec.turns.push(this)
            break
          }
          const envelope = this.extras?.suspended === true ? mailbox.takeOwn() : mailbox.take()
          if (envelope === undefined) break
          this.spec.parent.telemetry.counters.queued--
          this.handle(envelope)
          mailbox.resumeSenders()
        }
      }
      if (this.mailbox?.size === 0) this.mailbox = undefined
    } finally {
      this.draining = false
    }
  }

  /** Handles one message, from the first step to wherever it has to wait. */
  private handle(envelope: Envelope): Envelope {
    if (this.extras !== undefined && envelope.work === undefined) {
      this.extras.cancelIdle()
      this.extras.debug?.received(envelope, this.state)
    }
    this.phase = Busy
    this.current = envelope
    envelope.attempts++
    if (envelope.attempts > 1) this.publish("Redelivered", { message: envelope.type.tag, attempt: envelope.attempts })
    if (envelope.idempotencyKey !== undefined && this.recall(envelope, envelope.idempotencyKey)) return envelope
    if (this.struck("beforeHandler", envelope)) return envelope
    let next: unknown
    Turn.enter()
    try {
      const state = this.spec.copy === undefined ? this.state : this.spec.copy(this.state)
      next = envelope.work === undefined
        ? this.handlerOf(envelope)(state, envelope.payload, new HandlerView(envelope, this.incarnation))
        : envelope.work(state)
    } catch (defect) {
      next = Exit.die(defect)
    } finally {
      Turn.leave()
    }
    this.proceed(envelope, next)
    return envelope
  }

  private handlerOf(envelope: Envelope): AnyHandler {
    const handler = this.behavior.handlers[envelope.type.tag]
    if (handler === undefined) throw new MissingCallback({ server: this.name, callback: envelope.type.tag })
    return handler
  }

  /** Takes what a handler returned to where it is a value. */
  private proceed(envelope: Envelope, next: unknown): void {
    if (!isEffect(next)) this.conclude(envelope, next)
    else if (isExit(next)) this.finished(envelope, next)
    else this.run(next, (exit) => this.finished(envelope, exit), true)
  }

  private finished(envelope: Envelope, exit: Exit.Exit<unknown, unknown>): void {
    if (exit._tag === "Success") return this.conclude(envelope, exit.value)
    // A typed failure is a reply, not a crash: the state is as it was.
    if (Cause.hasFails(exit.cause) && !Cause.hasDies(exit.cause) && envelope.type.isCall) {
      if (envelope.work === undefined) this.proven = true
      if (envelope.idempotencyKey !== undefined && !this.commitAnswer(envelope, this.state, exit)) return
      this.idle()
      return this.answer(envelope, exit)
    }
    this.crash(exit.cause)
  }

  /** What a handler answered becomes the server's state, and then the caller's reply. */
  private conclude(envelope: Envelope, next: unknown): void {
    if (this.struck("afterHandler", envelope)) return
    if (envelope.work !== undefined && next instanceof SystemAnswer) return this.concludeSystem(envelope, next)
    if (isNext(next)) {
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
    if (!envelope.type.isCall) return this.accept(envelope, next, noOptions, undefined)
    if (Array.isArray(next) && next.length === 2) {
      return this.accept(envelope, next[1], noOptions, Exit.succeed(next[0]))
    }
    this.crash(Cause.die(new InvalidResult({ server: this.name, request: envelope.type.tag, result: next })))
  }

  /** The system looked, or changed something: only a change is committed, and it proves nothing about the state. */
  private concludeSystem(envelope: Envelope, { change, reply }: SystemAnswer): void {
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
  private adopt(spec: ServerSpec, behavior: AnyBehavior | undefined): void {
    this.spec = spec
    if (this.life === undefined) return
    this.life.behavior = behavior
    this.life.context = this.contextOf(this.life.scope)
  }

  private accept(
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
  private commitAnswer(envelope: Envelope, state: unknown, reply: Exit.Exit<unknown, unknown> | undefined): boolean {
    const key = envelope.idempotencyKey
    let answer: NewAnswer | undefined
    if (key !== undefined && reply !== undefined) {
      try {
        const at = this.spec.clock.currentTimeMillisUnsafe()
        answer = { id: key, at, body: AnswerText.write(envelope.type, envelope.payload, reply) }
      } catch (defect) {
        this.crash(Cause.die(defect))
        return false
      }
    }
    const { type } = envelope
    return this.commit(state, type === ownCast ? "callback" : type.isCall ? "call" : "cast", answer)
  }

  /**
   * The next state becomes the server's, and its companion's. False when that ended the incarnation: a younger one has
   * taken over, or it is no state that can be kept.
   */
  private commit(state: unknown, by: Origin, answer?: NewAnswer): boolean {
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
    if (this.keeper!.commit(this.incarnation, kept, by, answer)) return true
    this.crash(Cause.die(this.fenced()))
    return false
  }

  /** The message in hand is done with: what comes next is whatever waits. */
  private idle(options: NextOptions<never, unknown> = noOptions): void {
    this.current = undefined
    this.fiber = undefined
    if (options !== noOptions) this.attend(options)
    this.phase = this.order === undefined && (this.extras === undefined || this.extras.isCalm) ? Idle : Attentive
    if (this.mailbox !== undefined || this.phase === Attentive) this.wantTurn()
  }

  private attend(options: NextOptions<never, unknown>): void {
    // It is for the state that was committed a moment ago, and gets that one.
    if (options.continueWith !== undefined) this.rare.pending = options.continueWith as Work
    else if (options.idleAfter !== undefined) this.awaitIdle(options.idleAfter)
    if (options.hibernate === true) this.hibernate()
  }

  /** Notes when no message has come for that long; no time at all is over at once. */
  private awaitIdle(duration: Duration.Input): void {
    const extras = this.rare
    extras.cancelIdle()
    const millis = Duration.toMillis(Duration.fromInputUnsafe(duration))
    if (millis <= 0) {
      extras.idleDue = true
      return
    }
    const timer = Effect.runForkWith(this.spec.context)(this.spec.clock.sleep(Duration.millis(millis)))
    extras.idleTimer = timer
    timer.addObserver((exit) => {
      if (extras.idleTimer !== timer || exit._tag === "Failure") return
      extras.idleTimer = undefined
      extras.idleDue = true
      if (this.phase === Attentive) this.wantTurn()
    })
  }

  /** No message has come for as long as was asked, unless one waits by now: it beats the timeout. */
  private handleIdle(): void {
    this.rare.idleDue = false
    const { idle } = this.behavior
    if (idle !== undefined && this.mailbox?.hasUsers !== true) this.rare.pending = idle
    else this.phase = this.rare.isCalm ? Idle : Attentive
  }

  /** Drops what is made again when it is needed: an incarnation that has acquired nothing needs no Scope to wait in. */
  private hibernate(): void {
    if (this.spec.shared !== undefined && this.life?.scope.state._tag === "Empty") this.life = undefined
    if (this.extras?.isSpare === true) this.extras = undefined
  }

  /** Runs what comes before anything queued, as a message that nobody waits for. */
  private handlePending(): void {
    const work = this.rare.pending
    this.rare.pending = undefined
    this.handle(new Envelope(this, ownCast, undefined, undefined, work))
  }

  /** Runs `f` when all that is committed by now is conserved, or cannot be. */
  whenStored(f: () => void): void {
    if (this.keeper === undefined) f()
    else this.keeper.hold({ stored: f, lost: f })
  }

  /** A request of the system, in the order of the mailbox: `work` sees the state and answers as a call's handler does. */
  ask(work: Work, millis: number, type: MessageType = ownCall): Effect.Effect<unknown, unknown> {
    return new Envelope(this, type, undefined, inHand(), work).sendAndWait(millis)
  }

  /** A message of the system that nobody waits for. */
  tell(work: Work): void {
    if (this.phase !== Stopped) this.enqueue(new Envelope(this, ownTell, undefined, undefined, work))
  }

  /** What is switched on to watch its messages, if anything is. */
  get debug(): Debug | undefined {
    return this.extras?.debug
  }

  /** Changes what is switched on; called by messages of the system only. */
  observe(change: (debug: Debug) => void): void {
    const debug = this.extras?.debug ?? new Debug()
    change(debug)
    if (!debug.isOff) this.rare.debug = debug
    else if (this.extras !== undefined) this.extras.debug = undefined
  }

  /** Switches off all that watches its messages; called by messages of the system only. */
  forgetDebug(): void {
    if (this.extras !== undefined) this.extras.debug = undefined
  }

  /** What may be shown of it. */
  get formatStatus(): AnyBehavior["formatStatus"] {
    return this.behavior.formatStatus
  }

  /** The messages that crashed it as often as they may. */
  get quarantined(): ReadonlyArray<QuarantinedMessage> {
    return this.extras?.quarantined ?? []
  }

  /** Sends one of them again, that was taken out; it is back there when the server did not even begin with it. */
  replay(message: QuarantinedMessage, millis: number): Effect.Effect<unknown, unknown> {
    const { payload, type } = message
    const envelope = new Envelope(this, type, payload, inHand())
    const sent = type.isCall ? envelope.sendAndWait(millis) : Effect.suspend(() => {
      if (this.phase < Parked) return this.enqueue(envelope)
      return Exit.fail(callError(this.name, type.tag, { _tag: this.phase === Parked ? "Parked" : "NotRunning" }))
    })
    return Effect.onExit(sent, (exit) =>
      Effect.sync(() => {
        if (exit._tag === "Failure" && envelope.attempts === 0) this.rare.quarantined = [...this.quarantined, message]
      }))
  }

  /** Takes one of them out; false when it is not there. */
  release(message: QuarantinedMessage): boolean {
    if (this.extras?.quarantined.includes(message) !== true) return false
    this.extras.quarantined = this.extras.quarantined.filter((other) => other !== message)
    return true
  }

  /** Whether only messages of the system are handled. */
  set suspended(suspended: boolean) {
    this.rare.suspended = suspended
  }

  get suspended(): boolean {
    return this.extras?.suspended === true
  }

  /** Answers a caller that was promised a later reply. */
  answerLater(envelope: Envelope, exit: Exit.Exit<unknown, unknown>): void {
    this.extras?.deferred.delete(envelope)
    if (envelope.exit !== undefined) return
    if (envelope.idempotencyKey !== undefined && !this.commitAnswer(envelope, this.state, exit)) return
    this.answer(envelope, exit)
  }

  // --------------------------------------------------------------------------------------------------- faults

  /** Whether a fault struck here; the message then ends as it would have. */
  private struck(point: Point, envelope: Envelope): boolean {
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

  // ------------------------------------------------------------------------------------------ life and death

  private get behavior(): AnyBehavior {
    return this.life?.behavior ?? this.spec.shared!
  }

  /** Gives the incarnation its Scope and context, when it first needs them. */
  private live(): Life {
    if (this.life !== undefined) return this.life
    const scope = Scope.makeUnsafe()
    return this.life = { behavior: this.spec.shared, scope, context: this.contextOf(scope) }
  }

  private contextOf(scope: Scope.Closeable): Context.Context<never> {
    return Context.add(Context.add(this.spec.context, HandlerOf, this), Scope.Scope, scope)
  }

  /**
   * Runs an Effect in a fiber of the server's own; `done` hears of its end unless it was abandoned before. What a handler
   * (`writes`) computes after that is refused.
   */
  private run(
    effect: Effect.Effect<unknown, unknown>,
    done: (exit: Exit.Exit<unknown, unknown>) => void,
    writes = false
  ): void {
    const { incarnation } = this
    const fiber = Effect.runForkWith(this.live().context)(new Handling(this, effect))
    const isStale = (exit: Exit.Exit<unknown, unknown>): boolean => {
      if (this.fiber === fiber) return false
      if (writes && exit._tag === "Success") this.publish("WriteFenced", { incarnation, current: this.incarnation })
      return true
    }
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) {
      if (!isStale(exit)) done(exit)
      return
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

  start(): Effect.Effect<Started, unknown> {
    const { container, make, shared } = this.spec
    this.keeper = container.claim(this.key, this)
    // Another process may have had this key before: its incarnations are older than this one.
    if (this.incarnation === 0) this.incarnation = this.keeper.youngest
    this.incarnation++
    this.phase = Starting
    this.lastExit = undefined
    this.proven = false
    this.callback = undefined
    if (this.keeper.owner !== this) {
      return this.failStart(Cause.die(new NameTaken({ name: this.id, holder: this.keeper.owner! })))
    }
    if (make !== undefined) {
      const life = this.live()
      return this.startInFiber(Effect.flatMap(make, (behavior) => {
        if (this.life !== life) return Effect.interrupt
        life.behavior = behavior
        return this.firstState(behavior)
      }))
    }
    const first = guarded(() => this.firstState(shared!))
    if (!isExit(first)) return this.startInFiber(first)
    return first._tag === "Success" ? this.begin(first.value) : this.failStart(first.cause)
  }

  /** What the incarnation starts from: what is conserved, or `init`. */
  private firstState(behavior: AnyBehavior): Effect.Effect<unknown, unknown> {
    const taken = this.keeper!.takeOver(this.incarnation)
    return isEffect(taken)
      ? Effect.flatMap(taken, (taken) => this.stateFrom(behavior, taken))
      : this.stateFrom(behavior, taken)
  }

  private stateFrom(behavior: AnyBehavior, { aside, decision }: Taken<unknown>): Effect.Effect<unknown, unknown> {
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

  private restored(behavior: AnyBehavior, snapshot: Generation<unknown>): Effect.Effect<unknown, unknown> {
    this.restoredFrom = snapshot.seq
    this.publish("StateRestored", { seq: snapshot.seq })
    if (behavior.restore === undefined) return Exit.succeed(snapshot.state)
    this.callback = "restore"
    const first = behavior.restore(this.spec.copy === undefined ? snapshot.state : this.spec.copy(snapshot.state))
    return isEffect(first) ? first : Exit.succeed(first)
  }

  private startInFiber(first: Effect.Effect<unknown, unknown>): Effect.Effect<Started, unknown> {
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
  private begin(first: unknown): Effect.Effect<Started, unknown> {
    if (first instanceof Ignore) return this.leaveStart(killed, Effect.succeed(ignored))
    const initial = first instanceof Start ? first : undefined
    const { protect } = this.spec
    const state = initial === undefined ? first : initial.state
    const kept = protect === undefined ? Exit.succeed(state) : attempt(() => protect(state))
    if (kept._tag === "Failure") return this.failStart(kept.cause)
    this.callback = undefined
    this.state = kept.value
    this.idle(initial?.options)
    return initial?.options.info === undefined ? started : Exit.succeed({ _tag: "Started", info: initial.options.info })
  }

  private failStart(cause: Cause.Cause<unknown>): Effect.Effect<Started, unknown> {
    const reason = this.order?.reason ?? crashed(cause)
    // A typed failure says that something else was not there (a database, a file): it is no evidence against the state.
    const isTyped = Cause.hasFails(cause) && !Cause.hasDies(cause)
    if (this.keeper?.owner === this && !isTyped) this.keeper.observe(reason, this.endOf(reason))
    return this.leaveStart(reason, Exit.failCause(cause))
  }

  /** No incarnation came up: what it had acquired is released before anybody hears of it. */
  private leaveStart<E>(reason: ExitReason, result: Effect.Effect<Started, E>): Effect.Effect<Started, E> {
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
  private left(reason: ExitReason): void {
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
  private endOf(reason: ExitReason): Omit<Crash, "on"> {
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

  private crash(cause: Cause.Cause<unknown>): void {
    this.end(this.order?.reason ?? crashed(cause))
  }

  private fenced(): Fenced {
    this.publish("WriteFenced", { current: this.incarnation + 1 })
    return new Fenced({ server: this.name, incarnation: this.incarnation })
  }

  /** The incarnation is over: its last word, its clean-up, and then everybody else. */
  private end(reason: ExitReason): void {
    this.phase = Ending
    this.keeper!.observe(reason, this.endOf(reason))
    this.fiber = undefined
    if (this.extras !== undefined) {
      this.extras.cancelIdle()
      this.extras.pending = undefined
      this.extras.suspended = false
    }
    // Neither a kill nor a state that could not be stored leaves it a last word.
    const alive = reason._tag !== "Killed" && reason._tag !== "NotConserved"
    if (alive) this.keeper!.conclude(this.incarnation, this.state)
    const terminate = alive ? this.behavior.terminate : undefined
    if (terminate === undefined && this.life === undefined) return this.ended(reason)
    const state = this.state
    const { scope } = this.live()
    const cleanUp = Effect.onExit(
      Effect.suspend(() => {
        const word = terminate?.(reason, state)
        return isEffect(word) ? word : Exit.succeed(word)
      }),
      () => Scope.close(scope, reason._tag === "Crashed" ? Exit.failCause(reason.cause) : Exit.void)
    )
    this.run(Effect.uninterruptible(cleanUp), (exit) => this.ended(endedAs(reason, exit)))
    if (this.phase === Ending && this.order?.byParent !== true) this.bound(this.spec.shutdown)
  }

  /** Leaves the fiber at work behind when it takes longer than that: where nobody else watches the clock. */
  private bound(millis: number, cause?: Cause.Cause<unknown>): void {
    const { fiber } = this
    if (fiber === undefined || millis === Infinity) return
    Effect.runForkWith(this.spec.context)(Effect.timeoutOption(Fiber.await(fiber), millis)).addObserver((exit) => {
      if (this.fiber === fiber && exit._tag === "Success" && exit.value._tag === "None") this.abandon(cause)
    })
  }

  /** The incarnation does not end: it is left behind, and fenced off from the state. */
  private abandon(cause: Cause.Cause<unknown> = Cause.interrupt()): ExitReason {
    this.publish("Abandoned", {})
    this.keeper!.fenceOff(this.incarnation)
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

  private ended(reason: ExitReason): void {
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
  private obey(): void {
    if (this.phase === Idle || this.phase === Attentive) this.end(this.order!.reason)
    else if (this.phase !== Ending) this.fiber?.interruptUnsafe()
  }

  settle(fate: Fate): void {
    if (this.phase < Restarting) return
    const { current: fallen, lastExit: reason, unreported } = this
    this.current = undefined
    this.unreported = undefined
    this.phase = fate === "restarting" ? Restarting : fate === "parked" ? Parked : Stopped
    if (unreported !== undefined && reason !== undefined) {
      // What the system asks is nobody's message; what a server does of its own accord is worth telling.
      const inHand = fallen?.work === undefined || fallen.type === ownCast ? fallen : undefined
      this.report(reason, fate, inHand, unreported)
    }
    const deferred = this.extras === undefined ? [] : Array.from(this.extras.deferred)
    this.extras?.deferred.clear()
    // The books first: whoever is answered below may start another server of this name at once.
    const { mailbox } = this
    const waiting = this.phase === Stopped ? this.close(fate, reason ?? killed) : []
    if (fallen !== undefined) this.settleFallen(fallen, fate, reason)
    for (const envelope of deferred) this.refuseEnded(envelope, fate, reason)
    for (const envelope of waiting) envelope.refuse({ _tag: "NotRunning" })
    if (waiting.length > 0 || this.phase === Stopped) mailbox?.resumeSenders()
  }

  /** It is down, and nobody is about to start it: what waits is handed over, its name is free. */
  private close(fate: Fate, reason: ExitReason): ReadonlyArray<Envelope> {
    const waiting = this.mailbox?.clear() ?? []
    this.mailbox = undefined
    this.spec.parent.telemetry.counters.queued -= waiting.length
    if (this.keeper?.owner === this) this.spec.container.release(this.key, fate === "stopped" ? "keep" : "forget")
    // Deleted after it was stopped: what was kept is its own still, unless another server has had it since.
    else if (fate === "deleted" && this.keeper?.owner === undefined && this.keeper?.youngest === this.incarnation) {
      this.spec.container.release(this.key, "forget")
    }
    this.extras?.processGone(reason)
    return waiting
  }

  /** The message that was in hand: answered, or handled again by the next incarnation. */
  private settleFallen(envelope: Envelope, fate: Fate, reason: ExitReason | undefined): void {
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

  private quarantine({ attempts, payload, type }: Envelope, reason: ExitReason): void {
    const extras = this.rare
    const at = this.spec.clock.currentTimeMillisUnsafe()
    extras.quarantined = [...extras.quarantined, new QuarantinedMessage(type, payload, attempts, reason, at)]
  }

  private refuseEnded(envelope: Envelope, fate: Fate, reason: ExitReason | undefined): void {
    if (reason?._tag === "NotConserved") return envelope.refuse({ _tag: "NotConserved", cause: reason.cause })
    const willRestart = fate === "restarting"
    if (!willRestart && reason !== undefined && isOrderly(reason)) {
      return envelope.refuse({ _tag: "NotRunning", reason })
    }
    const cause = reason === undefined ? Cause.empty : toCause(reason)
    envelope.refuse({ _tag: "Crashed", cause: cause.reasons.length === 0 ? Cause.interrupt() : cause, willRestart })
  }

  // ------------------------------------------------------------------------------------------------ telling it

  private report(reason: ExitReason, fate: Fate, fallen: Envelope | undefined, lastWord: LastWord): void {
    if (!isLogging(this.spec.context)) return
    const shown = this.shownOf(reason, fallen, lastWord)
    this.spec.parent.telemetry.crashed({
      path: this.path,
      incarnation: this.incarnation,
      reason,
      ...(fallen === undefined ? {} : { message: fallen.type.tag }),
      ...(this.restoredFrom === 0 ? {} : { restoredFrom: this.restoredFrom }),
      ...(shown === undefined ? {} : { shown }),
      ...(reason._tag === "NotConserved" ? { undone: this.keeper!.undone } : {}),
      next: nextText[fate]
    }, this.spec.context)
  }

  /** States and payloads may be secret, or large: they are shown as the behaviour's hook leaves them, or not at all. */
  private shownOf(reason: ExitReason, fallen: Envelope | undefined, lastWord: LastWord): CrashReport["shown"] {
    const hook = (lastWord.behavior ?? this.spec.shared)?.formatStatus
    if (hook === undefined) return undefined
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

  private publish<Tag extends OwnEvent["_tag"]>(
    _tag: Tag,
    extra: Omit<Extract<OwnEvent, { readonly _tag: Tag }>, "_tag" | "path" | "at" | "kind" | "incarnation"> & {
      readonly incarnation?: number
    }
  ): void {
    const { telemetry } = this.spec.parent
    if (!telemetry.listening) return
    telemetry.publish({
      _tag,
      path: this.path,
      at: this.spec.clock.currentTimeMillisUnsafe(),
      kind: "worker",
      incarnation: this.incarnation,
      ...extra
    } as OwnEvent)
  }
}

type OwnEvent = Extract<
  Lifecycle,
  {
    readonly _tag:
      | "Redelivered"
      | "Quarantined"
      | "Dropped"
      | "WriteFenced"
      | "Abandoned"
      | "StateRestored"
      | "StateRolledBack"
      | "StateSetAside"
  }
>
