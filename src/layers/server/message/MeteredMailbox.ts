/**
 * A mailbox that notes how long messages wait in it, where that is counted.
 *
 * @since 0.1.0
 */
import type { Clock } from "effect"
import type { Histogram } from "../../observation/Histogram.ts"
import { instantOf } from "../../process/Timer.ts"
import type { Envelope, Queued } from "./Envelope.ts"
import { Mailbox, type Overflow, type Put } from "./Mailbox.ts"
import type { QueuedCast } from "./MessageType.ts"

/** A mailbox that notes how long messages wait in it. */
export class MeteredMailbox extends Mailbox {
  // By the message. One that is sent twice is one value: the first of the two is noted.
  private readonly since = new WeakMap<Queued, number>()
  private readonly waited: Histogram
  private readonly clock: Clock.Clock

  constructor(capacity: number, overflow: Overflow, waited: Histogram, clock: Clock.Clock) {
    super(capacity, overflow)
    this.waited = waited
    this.clock = clock
  }

  override post(message: QueuedCast): boolean {
    const isIn = super.post(message)
    if (isIn) this.note(message)
    return isIn
  }

  override put(envelope: Envelope): Put {
    this.note(envelope)
    return super.put(envelope)
  }

  override take(): Queued | undefined {
    const message = super.take()
    const since = message && this.since.get(message)
    if (message === undefined || since === undefined) return message
    this.since.delete(message)
    this.waited.note(instantOf(this.clock) - since)
    return message
  }

  private note(message: Queued): void {
    if (!this.since.has(message)) this.since.set(message, instantOf(this.clock))
  }
}
