/**
 * The engine's face: one server, as its supervisor, its clients, its messages and the system know it.
 *
 * A server is a record ({@link Server}). It has a fiber only while a handler that is an Effect runs. A handler that
 * answers at once is run, committed and answered on its caller's stack; everything else goes through the mailbox or a
 * fiber of the server's own, never the caller's.
 *
 * @since 0.1.0
 */
import { Cause, type Effect, type Exit, type Tracer } from "effect"
import type { WaitsFor } from "../../../domain/process/CallError.ts"
import type { ExitReason } from "../../../domain/process/ExitReason.ts"
import type { Fate, Shutdown } from "../../../domain/process/Fate.ts"
import { Idle, Pending } from "../../../domain/server/Phase.ts"
import type { Started } from "../../process/Child.ts"
import * as End from "../life/End.ts"
import { removed, settle } from "../life/Settle.ts"
import { start } from "../life/Start.ts"
import type { Envelope } from "../message/Envelope.ts"
import type { MessageType, QueuedCast, Work } from "../message/MessageType.ts"
import type { QuarantinedMessage } from "../message/Quarantine.ts"
import { Debug } from "../parts/Debug.ts"
import { failed } from "../parts/Events.ts"
import { Server } from "../parts/Server.ts"
import type { Served, ServerClient, ServerSpec } from "../parts/ServerSpec.ts"
import * as Intake from "./Intake.ts"
import { fire } from "./Timers.ts"
import { drain } from "./Turns.ts"

/** One server, over all its incarnations. */
export class ServerProcess extends Server implements Served {
  readonly ref: ServerClient

  constructor(spec: ServerSpec, key: string) {
    super(spec, key)
    this.ref = new spec.Client(this)
  }

  // For its supervisor.
  start(): Effect.Effect<Started, unknown> {
    return start(this)
  }
  stop(reason: ExitReason, shutdown: Shutdown): Effect.Effect<ExitReason> {
    return End.stop(this, reason, shutdown)
  }
  settle(fate: Fate): void {
    settle(this, fate)
  }
  removed(): void {
    removed(this)
  }
  exit(reason: ExitReason): void {
    End.exit(this, reason)
  }

  // For what delivers its timers.
  fire(after: number): Effect.Effect<boolean, unknown> {
    return fire(this, after)
  }

  // For its clients.
  call(type: MessageType, payload: unknown, millis: number): Effect.Effect<unknown, unknown> {
    return Intake.call(this, type, payload, millis)
  }
  callOnce(type: MessageType, payload: unknown, millis: number, key: string): Effect.Effect<unknown, unknown> {
    return Intake.callOnce(this, type, payload, millis, key)
  }
  cast(message: QueuedCast, span: Tracer.AnySpan | undefined): Effect.Effect<void> {
    return Intake.cast(this, message, span)
  }

  // For its messages.
  post(envelope: Envelope): void {
    Intake.post(this, envelope)
  }
  withdrawn(envelope: Envelope): void {
    Intake.withdrawn(this, envelope)
  }
  waitsFor(envelope: Envelope): WaitsFor {
    return Intake.waitsFor(this, envelope)
  }
  answerLater(envelope: Envelope, exit: Exit.Exit<unknown, unknown>): void {
    Intake.answerLater(this, envelope, exit)
  }
  whenStored(f: () => void): () => void {
    return Intake.whenStored(this, f)
  }

  // For its queue and its fibers.
  drain(): void {
    drain(this)
  }
  internalError(defect: unknown): void {
    End.internalError(this, defect)
  }

  // For the system. What changes it is called by messages of the system only, between two others.
  ask(work: Work, millis: number, type?: MessageType): Effect.Effect<unknown, unknown> {
    return Intake.ask(this, work, millis, type)
  }
  tell(envelope: Envelope): ReadonlyArray<string> | undefined {
    return Intake.tell(this, envelope)
  }
  replay(message: QuarantinedMessage, millis: number): Effect.Effect<unknown, unknown> {
    return Intake.replay(this, message, millis)
  }
  /** Takes a message out of quarantine; false when it is not there. */
  release(message: QuarantinedMessage): boolean {
    if (this.occasional?.quarantined?.delete(message) !== true) return false
    this.renew()
    return true
  }
  suspend(): void {
    this.ownOccasional.suspended = true
  }
  resume(): void {
    if (this.occasional !== undefined) this.occasional.suspended = false
  }
  /** Changes what watches its messages. It may be asked from outside: an idle server leaves the direct path at once. */
  observe(change: (debug: Debug) => void): void {
    const debug = this.debug ??
      new Debug((defect) => failed(this, "a debug function failed: it is removed", Cause.die(defect)))
    change(debug)
    if (debug.isOff) return this.forgetDebug()
    this.ownOccasional.debug = debug
    if (this.phase === Idle) this.phase = Pending
  }
  /** Switches off all that watches its messages. */
  forgetDebug(): void {
    if (this.occasional !== undefined) this.occasional.debug = undefined
  }
}
