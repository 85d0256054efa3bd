/**
 * The message in hand as its handler sees it, beside state and payload.
 *
 * @since 0.1.0
 */
import { Fiber } from "effect"
import type { From, HandlerContext } from "../../../domain/server/Message.ts"
import type { Fired } from "../../../domain/server/Timer.ts"
import { Envelope, type Receiver, type Sender } from "./Envelope.ts"
import type { MessageType } from "./MessageType.ts"

/** A message as its handler sees it: the message itself is the address of a later reply. */
export class HandlerView implements HandlerContext<never, never> {
  readonly envelope: Envelope
  readonly incarnation: number
  constructor(envelope: Envelope, incarnation: number) {
    this.envelope = envelope
    this.incarnation = incarnation
  }
  get from(): From<never, never> {
    return this.envelope
  }
  get server(): Receiver {
    return this.envelope.server
  }
  get attempt(): number {
    return this.envelope.attempts
  }
  get key(): string | undefined {
    return this.envelope.server.givenKey
  }
  get seq(): number {
    return this.envelope.server.seq
  }
  get timer(): Fired | undefined {
    return this.envelope.once?.timer?.fired
  }
}

/** The sender of a message of this type; called on the sender's own stack. */
export const senderOf = (type: MessageType): Sender => type.isCall ? Fiber.getCurrent() : undefined

/** The same on the direct path and for casts, where there is no message yet: it is made at the first look. */
export class DirectView implements HandlerContext<never, never> {
  /** The message, after the first look. */
  made: Envelope | undefined = undefined
  /** The caller, once another fiber runs the handler. */
  sender: Sender = undefined
  readonly incarnation: number
  readonly server: Receiver
  readonly type: MessageType
  readonly payload: unknown
  constructor(server: Receiver, type: MessageType, payload: unknown, incarnation: number) {
    this.server = server
    this.type = type
    this.payload = payload
    this.incarnation = incarnation
  }
  get envelope(): Envelope {
    if (this.made === undefined) {
      this.made = new Envelope(this.server, this.type, this.payload, this.sender ?? senderOf(this.type))
      this.made.attempts = 1
    }
    return this.made
  }
  get from(): From<never, never> {
    return this.envelope
  }
  get attempt(): number {
    return this.envelope.attempts
  }
  get key(): string | undefined {
    return this.server.givenKey
  }
  get seq(): number {
    return this.server.seq
  }
  get timer(): undefined {
    return undefined
  }
}

/** In place of a caller that is in another thread: it is answered by what its handler returns, and by nothing else. */
export class Absent implements From<never, never> {
  readonly "~heirloom/From" = (): void => {}
}
