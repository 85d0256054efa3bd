/**
 * What few servers have, and those only at times: kept apart so that a million others do not carry it.
 *
 * @since 0.1.0
 */
import type { Fiber } from "effect"
import type { ExitReason } from "../../../domain/process/ExitReason.ts"
import * as OneOrMany from "../../process/OneOrMany.ts"
import type { ExitObserver, GoneObserver } from "../../process/Process.ts"
import type { Envelope } from "../message/Envelope.ts"
import type { Work } from "../message/MessageType.ts"
import type { QuarantinedMessage } from "../message/Quarantine.ts"
import type { Debug } from "./Debug.ts"

/** What few servers have, and those only at times. */
export class Extras {
  /** Callers promised a later reply. */
  readonly deferred = new Set<Envelope>()
  /** Messages that crashed the server as often as they may. */
  quarantined: ReadonlyArray<QuarantinedMessage> = []
  /** Work that comes before anything queued. */
  pending: Work | undefined = undefined
  idleTimer: Fiber.Fiber<unknown, unknown> | undefined = undefined
  /** The time without a message is over, and the callback for that has not run yet. */
  idleDue = false
  /** It hibernates, and its state leaves memory when that is stored. */
  rest: { isStored: boolean } | undefined = undefined
  /** Handles messages of the system only (`Sys.suspend`). */
  suspended = false
  /** What is switched on to watch its messages. */
  debug: Debug | undefined = undefined
  private exitObservers: OneOrMany.OneOrMany<ExitObserver> = undefined
  private goneObservers: OneOrMany.OneOrMany<GoneObserver> = undefined

  addExitObserver(observer: ExitObserver): void {
    this.exitObservers = OneOrMany.add(this.exitObservers, observer)
  }

  removeExitObserver(observer: ExitObserver): void {
    this.exitObservers = OneOrMany.remove(this.exitObservers, observer)
  }

  addGoneObserver(observer: GoneObserver): void {
    this.goneObservers = OneOrMany.add(this.goneObservers, observer)
  }

  removeGoneObserver(observer: GoneObserver): void {
    this.goneObservers = OneOrMany.remove(this.goneObservers, observer)
  }

  /** Tells those who watched this incarnation, once. */
  incarnationEnded(incarnation: number, reason: ExitReason): void {
    const observers = this.exitObservers
    this.exitObservers = undefined
    OneOrMany.forEach(observers, (observer) => observer(incarnation, reason))
  }

  /** Tells those who watched the process, once. */
  processGone(reason: ExitReason): void {
    const observers = this.goneObservers
    this.goneObservers = undefined
    OneOrMany.forEach(observers, (observer) => observer(reason))
  }

  /** Whether nothing here needs the engine's attention before the next message. */
  get isCalm(): boolean {
    return this.pending === undefined && this.idleTimer === undefined && !this.idleDue && !this.suspended &&
      this.debug === undefined && this.rest === undefined
  }

  /** Whether nothing would be lost with this object. */
  get isSpare(): boolean {
    return this.isCalm && this.deferred.size === 0 && this.quarantined.length === 0 &&
      this.exitObservers === undefined && this.goneObservers === undefined
  }

  /** Something is done again: it neither waits for a timeout nor hibernates. */
  cancelIdle(): void {
    this.rest = undefined
    const timer = this.idleTimer
    this.idleDue = false
    this.idleTimer = undefined
    timer?.interruptUnsafe()
  }
}
