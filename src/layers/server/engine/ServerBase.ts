/**
 * What a server is and has: the process that others see, what one incarnation hands down to the next, what is told of it.
 *
 * The engine is one object, told in six chapters, each a class over the one before: what it is and has (here), how
 * incarnations end (`ServerEnd`), how they begin (`ServerStart`), what happens between messages (`ServerRest`), how messages
 * are handled (`ServerWork`), and how they come in (`ServerProcess`).
 *
 * @since 0.1.0
 */
import { type Cause, Context, Effect, type Exit, type Fiber, Scope } from "effect"
import type { Lifecycle } from "../../../domain/observation/Lifecycle.ts"
import type { CallErrorReason, WaitsFor } from "../../../domain/process/CallError.ts"
import type { ExitReason } from "../../../domain/process/ExitReason.ts"
import type { Callback } from "../../../domain/state/Generations.ts"
import { InspectedProcess } from "../../process/Inspection.ts"
import { type ExitObserver, type GoneObserver, type Process, processOf, type Status } from "../../process/Process.ts"
import * as Turn from "../../process/Turn.ts"
import type { Keeper, Owner } from "../../state/companion/Companion.ts"
import { HandlerOf, Handling } from "../message/CallChain.ts"
import { type Envelope } from "../message/Envelope.ts"
import { Mailbox } from "../message/Mailbox.ts"
import { type QuarantinedMessage } from "../message/Quarantine.ts"
import { Debug } from "../parts/Debug.ts"
import { Extras } from "../parts/Extras.ts"
import { Ending, Parked, type Phase, Restarting, Starting, Stopped } from "../parts/Phase.ts"
import type { AnyBehavior, ServerClient, ServerSpec } from "../parts/ServerSpec.ts"

/** What an incarnation has of its own, made when it first needs a fiber. */
export interface Life {
  behavior: AnyBehavior | undefined
  readonly scope: Scope.Closeable
  /** Starts a fiber with the services of the incarnation. */
  fork: (effect: Effect.Effect<unknown, unknown>) => Fiber.Fiber<unknown, unknown>
  /** Tells who waits for the start that it has failed. */
  fail?: (cause: Cause.Cause<unknown>) => void
}

/** What a crash report shows of an incarnation that has ended. */
export class LastWord {
  readonly state: unknown
  readonly behavior: AnyBehavior | undefined
  constructor(state: unknown, behavior: AnyBehavior | undefined) {
    this.state = state
    this.behavior = behavior
  }
}

/** Marks of a server. */
const queued = 1
const draining = 2
const proven = 4

/** An end that somebody ordered. A supervisor waits for those it ordered, and is not told of them as exits. */
export interface Order {
  readonly reason: ExitReason
  readonly byParent: boolean
  done: ((reason: ExitReason) => void) | undefined
}

/** What a server is and has. */
export abstract class ServerBase extends InspectedProcess implements Owner<unknown> {
  /** Shared with others of its class, until its behaviour is replaced. */
  spec: ServerSpec
  readonly key: string
  incarnation = 0
  slot = -1
  lastExit: ExitReason | undefined = undefined
  /**
   * The message in hand, unless it is handled and answered on its caller's stack. When the incarnation has ended it stays
   * until it is known what happens next.
   */
  protected inHand: { readonly envelope: Envelope } | undefined = undefined
  /** The fiber of init, of the handler in progress, or of the clean-up. */
  fiber: Fiber.Fiber<unknown, unknown> | undefined = undefined
  protected phase: Phase = Stopped
  keeper: Keeper<unknown> | undefined = undefined
  /** The state; of an incarnation that has ended, its {@link LastWord} as long as that is unreported. */
  protected state: unknown = undefined
  protected mailbox: Mailbox | undefined = undefined
  protected life: Life | undefined = undefined
  protected order: Order | undefined = undefined
  protected extras: Extras | undefined = undefined
  protected restoredFrom = 0
  /** The callback that runs on the state, while one does. */
  protected callback: Callback | undefined = undefined
  /** Several yes and no in one field: there may be a million servers. */
  private marks = 0

  constructor(spec: ServerSpec, key: string) {
    super()
    this.spec = spec
    this.key = key
  }

  /** The client that everybody shares. */
  abstract readonly ref: ServerClient
  abstract exit(reason: ExitReason): void
  abstract post(envelope: Envelope): void
  abstract withdrawn(envelope: Envelope): void
  abstract waitsFor(envelope: Envelope): WaitsFor
  abstract answerLater(envelope: Envelope, exit: Exit.Exit<unknown, unknown>): void
  abstract whenStored(f: () => void): void
  abstract drain(): void
  protected abstract mishap(defect: unknown): void

  get id(): string {
    return this.spec.renamed ?? (this.key === "" ? this.spec.id : `${this.spec.id}/${this.key}`)
  }

  /** Whether it waits for its turn; kept by the queue. */
  get queued(): boolean {
    return (this.marks & queued) !== 0
  }

  set queued(is: boolean) {
    this.marks = is ? this.marks | queued : this.marks & ~queued
  }

  /** Whether it works off what waits at this moment. */
  protected get draining(): boolean {
    return (this.marks & draining) !== 0
  }

  protected set draining(is: boolean) {
    this.marks = is ? this.marks | draining : this.marks & ~draining
  }

  /** Whether this incarnation has handled any message. */
  protected get proven(): boolean {
    return (this.marks & proven) !== 0
  }

  protected set proven(is: boolean) {
    this.marks = is ? this.marks | proven : this.marks & ~proven
  }

  get current(): Envelope | undefined {
    return this.inHand?.envelope
  }

  get path(): ReadonlyArray<string> {
    return [...this.spec.parent.path, this.id]
  }

  /** The path, for messages. */
  get name(): string {
    return this.spec.address + this.id
  }

  get [processOf](): Process {
    return this
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

  /** Why nobody answers here. */
  notRunning(reason?: ExitReason): Extract<CallErrorReason, { readonly _tag: "NotRunning" }> {
    return {
      _tag: "NotRunning",
      ...(reason === undefined ? {} : { reason }),
      ...(this.key === "" ? {} : { key: this.key })
    }
  }

  /** Whether the incarnation is about to end: what is sent now is for the next one, if there is one. */
  get isLeaving(): boolean {
    return this.phase === Ending || (this.order !== undefined && this.phase < Ending)
  }

  /** What its store said last, if it is away. */
  get outage(): string | undefined {
    return this.keeper?.outage?.what
  }

  /** How many messages wait. */
  get mailboxSize(): number {
    return this.mailbox?.size ?? 0
  }

  /** Its companion, which it may have needed for nothing so far. */
  protected get ownKeeper(): Keeper<unknown> {
    return this.keeper ??= this.spec.container.open(this)
  }

  protected get rare(): Extras {
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

  protected get behavior(): AnyBehavior {
    return this.life?.behavior ?? this.spec.shared!
  }

  /** Gives the incarnation its Scope and context, when it first needs them. */
  protected live(): Life {
    if (this.life !== undefined) return this.life
    const scope = Scope.makeUnsafe()
    return this.life = { behavior: this.spec.shared, scope, fork: this.forkIn(scope) }
  }

  protected forkIn(scope: Scope.Closeable): Life["fork"] {
    return Effect.runForkWith(Context.add(Context.add(this.spec.context, HandlerOf, this), Scope.Scope, scope))
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
        try {
          done(exit)
        } catch (defect) {
          this.mishap(defect)
        }
        this.drain()
      })
    })
  }

  protected openMailbox(): Mailbox {
    return this.mailbox ??= new Mailbox(this.spec.capacity, this.spec.overflow)
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

  protected publish<Tag extends OwnEvent["_tag"]>(
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
      | "StatePassivated"
      | "StateActivated"
  }
>
