/**
 * What a handler sees of the message in its hands, beside state and payload.
 *
 * @since 0.1.0
 */
import type { From, HandlerContext } from "../../domain/server/Message.ts"
import type { Envelope } from "./Envelope.ts"

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
  get attempt(): number {
    return this.envelope.attempts
  }
}
