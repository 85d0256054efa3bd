/**
 * One server over all its incarnations: a record of what it has, and questions about it.
 *
 * The record does nothing. What is done with it are functions: in `life` how incarnations begin, rest and end, in
 * `engine` how messages come in and are handled. Each field names the modules that write it; no other may.
 *
 * *Tricky*: there may be a million of these. What only some need, or only at times, is in {@link Incarnation} and
 * {@link Occasional}, which are made when they are first needed.
 *
 * @since 0.1.0
 */
import { type Effect, type Exit, type Fiber, Option } from "effect"
import { idText } from "../../../domain/observation/Path.ts"
import type { WaitsFor } from "../../../domain/process/CallError.ts"
import type { ExitReason } from "../../../domain/process/ExitReason.ts"
import type { Fate, Shutdown } from "../../../domain/process/Fate.ts"
import {
  Busy,
  Ending,
  isDown,
  isStarting,
  isUp,
  Parked,
  Pending,
  type Phase,
  Restarting,
  Stopped
} from "../../../domain/server/Phase.ts"
import { none, type Timers } from "../../../domain/state/Timers.ts"
import type { Child, Parent, Started } from "../../process/Child.ts"
import { inspected } from "../../process/Inspection.ts"
import type { Tie } from "../../process/Own.ts"
import {
  type ExitObserver,
  type GoneObserver,
  type Process,
  processOf,
  type ReturnObserver,
  type Status
} from "../../process/Process.ts"
import type { Ready } from "../../process/Turn.ts"
import type { CompanionPort, Owner } from "../../state/companion/Companion.ts"
import type { Handler } from "../message/CallChain.ts"
import type { Envelope, Queued } from "../message/Envelope.ts"
import { Mailbox } from "../message/Mailbox.ts"
import type { MessageType } from "../message/MessageType.ts"
import { MeteredMailbox } from "../message/MeteredMailbox.ts"
import type { QuarantinedMessage } from "../message/Quarantine.ts"
import type { Keeper } from "../message/Timed.ts"
import type { Debug } from "./Debug.ts"
import type { Ended, Incarnation, StopRequest } from "./Incarnation.ts"
import { Occasional } from "./Occasional.ts"
import type { AnyBehavior, ServerClient, ServerSpec } from "./ServerSpec.ts"

/** In the place of a state that has left memory: the next message brings it back. */
export const passivated = Symbol("heirloom/passivated")

const noDeed = () => {}

const empty: ReadonlySet<QuarantinedMessage> = new Set()

/** One server, over all its incarnations. */
export abstract class Server implements Owner<unknown>, Child, Handler, Ready, Keeper {
  /** Shared with others of its class, until its behaviour is replaced. Written by Handle. */
  spec: ServerSpec
  readonly key: string
  /** The number of the incarnation that is alive, or of the last one. Written by Start. */
  incarnation = 0
  /** Its place among its supervisor's children. Written by the supervisor. */
  slot = -1
  /** Written wherever a step of `domain/server/Phase.ts` is made. */
  phase: Phase = Stopped
  /** How the last incarnation ended. Written by End. */
  lastExit: ExitReason | undefined = undefined
  /** Written by Commit and Direct, at first by Start, and by Rest when it leaves memory and when it is back. */
  state: unknown = undefined
  /** Written by Start; see {@link ownCompanion}. */
  companion: CompanionPort<unknown> | undefined = undefined
  /** The messages that wait, while any do. Opened by Intake, closed by Turns and Settle. */
  mailbox: Mailbox | undefined = undefined
  /**
   * The message in hand, unless it is handled and answered on its caller's stack. Written by Handle, Direct and Rest.
   */
  inHand: { readonly envelope: Envelope } | undefined = undefined
  /** What the incarnation has of its own, once it has needed a fiber. Written by Fibers, End and Rest. */
  running: Incarnation | undefined = undefined
  /** What was ordered of the incarnation and is not carried out yet. Written by End, EndOfStack and Intake. */
  stopping: StopRequest | undefined = undefined
  /** What is left of the last incarnation until the supervisor has decided. Written by End and Settle. */
  ended: Ended | undefined = undefined
  /** What few servers have; see {@link ownOccasional}. Dropped by Rest. */
  occasional: Occasional | undefined = undefined
  /**
   * Sequence number of the snapshot that the incarnation started from; 0 when it started from `init`. Written by Start.
   */
  restoredFrom = 0
  /** How many messages this incarnation has handled. Written by Start, Commit, Handle and Direct. */
  handled = 0
  /** Whether it waits for its turn. Written by the queue. */
  queued = false
  /** Whether it works off what waits at this moment. Written by Turns. */
  draining = false

  constructor(spec: ServerSpec, key: string) {
    this.spec = spec
    this.key = key
  }

  static {
    inspected(this)
  }

  /** The client that all callers share. */
  abstract readonly ref: ServerClient
  abstract fire(after: number): Effect.Effect<boolean, unknown>
  abstract start(): Effect.Effect<Started, unknown>
  abstract stop(reason: ExitReason, shutdown: Shutdown): Effect.Effect<ExitReason>
  abstract settle(fate: Fate): void
  abstract drain(): void
  /** The engine itself, or what it must be able to trust, threw: the incarnation ends, and nothing else is harmed. */
  abstract internalError(defect: unknown): void
  abstract exit(reason: ExitReason): void
  abstract post(envelope: Envelope): void
  abstract withdrawn(envelope: Envelope): void
  abstract waitsFor(envelope: Envelope): WaitsFor
  abstract answerLater(envelope: Envelope, exit: Exit.Exit<unknown, unknown>): void
  abstract whenStored(f: () => void): () => void

  get [processOf](): Process {
    return this
  }

  get kind(): "worker" {
    return "worker"
  }

  get id(): string {
    return this.spec.renamed ?? (this.key === "" ? this.spec.id : `${this.spec.id}/${this.key}`)
  }

  /** Its key, where `at(key)` finds a server in its place; else empty. */
  get askedBy(): string {
    return typeof this.spec.keying === "object" ? this.key : ""
  }

  /** The key that it was given; one without has none, also not the empty one. */
  get givenKey(): string | undefined {
    return this.spec.keying === "none" ? undefined : this.key
  }

  /** The number of the newest snapshot of its state; 0 while there is none. */
  get seq(): number {
    return this.companion?.seq ?? 0
  }

  /** What timers' messages may be. */
  get types(): ReadonlyMap<string, MessageType> {
    return this.spec.types
  }

  /** The timers that are set. */
  get timers(): Timers {
    return this.companion?.timers ?? none
  }

  /** Why it can set none. */
  get noTimers(): string | undefined {
    return this.ownCompanion.noTimers
  }

  get path(): ReadonlyArray<string> {
    return [...this.spec.parent.path, this.id]
  }

  /** The path, for messages. */
  get name(): string {
    const { address, name, renamed } = this.spec
    return this.key === "" || renamed !== undefined ? name : address + idText(this.id)
  }

  get status(): Status {
    if (isStarting(this.phase)) return "starting"
    switch (this.phase) {
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

  /** Whether the incarnation is about to end: what is sent now is for the next one, if there is one. */
  get isLeaving(): boolean {
    return this.phase === Ending || (this.stopping !== undefined && this.phase < Ending)
  }

  /** What a new incarnation, or this one, runs. */
  get behavior(): AnyBehavior {
    return this.running?.behavior ?? this.spec.shared!
  }

  /** What may be shown of it. */
  get formatStatus(): AnyBehavior["formatStatus"] {
    return this.behavior.formatStatus
  }

  get fiber(): Fiber.Fiber<unknown, unknown> | undefined {
    return this.running?.fiber
  }

  get current(): Envelope | undefined {
    return this.inHand?.envelope
  }

  /** How many messages wait. */
  get mailboxSize(): number {
    return this.mailbox?.size ?? 0
  }

  get unhandled(): Iterable<Queued> {
    return this.mailbox?.waiting ?? []
  }

  get isHandling(): boolean {
    return this.phase === Busy && this.inHand !== undefined
  }

  /** Its supervisor. */
  get parent(): Parent {
    return this.spec.parent
  }

  /** What its store said last, if it is away. */
  get outage(): string | undefined {
    return this.companion?.outage?.what
  }

  get inMemory(): Option.Option<unknown> {
    return isUp(this.phase) && this.state !== passivated ? Option.some(this.state) : Option.none()
  }

  /**
   * What is begun in its name keeps it awake, where it could fall asleep, until the returned function is called, once.
   */
  tie(what: Tie): () => void {
    if (this.spec.passivation === undefined) return noDeed
    const occasional = this.ownOccasional
    const count = what === "request" ? "requests" : "work"
    occasional[count]++
    return () => {
      occasional[count]--
      this.renew()
    }
  }

  /** The time that it may be left alone begins anew, if that is counted. */
  renew(): void {
    this.occasional?.drowse?.list?.renew(this.occasional.drowse)
  }

  /** Its companion, which is made when it is first needed. */
  get ownCompanion(): CompanionPort<unknown> {
    return this.companion ??= this.spec.companions.open(this)
  }

  /** Its mailbox, likewise. */
  get ownMailbox(): Mailbox {
    return this.mailbox ??= this.spec.meter === undefined
      ? new Mailbox(this.spec.capacity, this.spec.overflow)
      : new MeteredMailbox(this.spec.capacity, this.spec.overflow, this.spec.meter.waited, this.spec.clock)
  }

  /** What few servers have, likewise. */
  get ownOccasional(): Occasional {
    return this.occasional ??= new Occasional()
  }

  /** What watches its messages, if anything does. */
  get debug(): Debug | undefined {
    return this.occasional?.debug
  }

  /** Whether only messages of the system are handled. */
  get suspended(): boolean {
    return this.occasional?.suspended === true
  }

  /** The messages that crashed it as often as they may, the oldest first. */
  get quarantined(): ReadonlySet<QuarantinedMessage> {
    return this.occasional?.quarantined ?? empty
  }

  /** Whether there is something to do that needs the state. */
  get isWanted(): boolean {
    return this.occasional?.continuation !== undefined || this.occasional?.idleDue === true || this.mailboxSize > 0
  }

  /** Whether its state has left memory, and nothing waits that would bring it back. */
  get isHibernating(): boolean {
    return this.phase === Pending && this.state === passivated && !this.isWanted
  }

  addExitObserver(observer: ExitObserver): boolean {
    if (isDown(this.phase)) return false
    this.ownOccasional.ownObservers.addExit(observer)
    return true
  }

  removeExitObserver(observer: ExitObserver): void {
    this.occasional?.observers?.removeExit(observer)
  }

  addGoneObserver(observer: GoneObserver): boolean {
    if (this.phase === Stopped) return false
    this.ownOccasional.ownObservers.addGone(observer)
    return true
  }

  removeGoneObserver(observer: GoneObserver): void {
    this.occasional?.observers?.removeGone(observer)
    this.renew()
  }

  addReturnObserver(observer: ReturnObserver): boolean {
    if (this.phase !== Stopped) return false
    this.ownOccasional.ownObservers.addReturn(observer)
    return true
  }
}
