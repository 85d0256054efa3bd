/**
 * What few servers have, and those only at times: kept apart so that a million others do not carry it.
 *
 * @since 0.1.0
 */
import { Observers } from "../../process/Observers.ts"
import type { Deadline } from "../message/Deadlines.ts"
import type { Work } from "../message/MessageType.ts"
import { Promised } from "../message/Promised.ts"
import type { QuarantinedMessage } from "../message/Quarantine.ts"
import type { Debug } from "./Debug.ts"

/** What few servers have, and those only at times. */
export class Occasional {
  /** Callers that were promised a later reply. */
  readonly promised = new Promised()
  /** Messages that crashed the server as often as they may. */
  quarantined: Set<QuarantinedMessage> | undefined = undefined
  /** Work that comes before anything queued. */
  continuation: Work | undefined = undefined
  /** Stops the idle timer, while there is one. */
  idleTimer: (() => void) | undefined = undefined
  /** The time without a message is over, and the callback for that has not run yet. */
  idleDue = false
  /** How long it waits for a message before that callback, in milliseconds, until an answer says otherwise. */
  idleAfter: number | undefined = undefined
  /** The time that it may be left alone, while that is counted. */
  drowse: Deadline | undefined = undefined
  /** That time is over, and it is to be seen what becomes of the server. */
  isDrowsy = false
  /** Requests that it has sent and that are not answered. */
  requests = 0
  /** Timers, fibers, tasks and watches of its own. */
  work = 0
  /** The server gives way, when its state is stored: its handler said so, or it was left alone for long enough. */
  rest: { isStored: boolean; readonly isDrowsy: boolean } | undefined = undefined
  /** Only messages of the system are handled (`Sys.suspend`). */
  suspended = false
  /** What watches its messages, while anything does. */
  debug: Debug | undefined = undefined
  private observing: Observers | undefined = undefined

  /** Its observers, if it has any. */
  get observers(): Observers | undefined {
    return this.observing
  }

  get ownObservers(): Observers {
    return this.observing ??= new Observers()
  }

  /** Whether nothing here needs the engine's attention before the next message. */
  get isCalm(): boolean {
    return this.continuation === undefined && this.idleTimer === undefined && !this.idleDue && !this.suspended &&
      this.debug === undefined && this.rest === undefined && this.idleAfter === undefined && !this.isDrowsy
  }

  /** Whether nothing would be lost with this object. */
  get isSpare(): boolean {
    return this.isCalm && this.drowse === undefined && this.requests === 0 && this.work === 0 &&
      this.promised.size === 0 && (this.quarantined?.size ?? 0) === 0 &&
      (this.observing === undefined || this.observing.isEmpty)
  }

  /** It is not counted any more how long the server is left alone. */
  stopCounting(): void {
    this.isDrowsy = false
    this.drowse?.list?.remove(this.drowse)
    this.drowse = undefined
  }

  /** Something is done again: the server neither waits for a timeout nor hibernates. */
  cancelIdle(): void {
    this.rest = undefined
    this.idleDue = false
    const stop = this.idleTimer
    this.idleTimer = undefined
    stop?.()
  }

  /**
   * The incarnation is over: what it was to do is no affair of the next one, but for the time it waits for a message.
   */
  dropPlans(isOrdered: boolean): void {
    this.cancelIdle()
    this.stopCounting()
    if (isOrdered) this.idleAfter = undefined
    this.continuation = undefined
    this.suspended = false
  }
}
