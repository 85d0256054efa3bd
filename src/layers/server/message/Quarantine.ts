/**
 * Messages that crashed their server as often as they may: kept apart until they are replayed or discarded, or give
 * way.
 *
 * @since 0.1.0
 */
import type { ExitReason } from "../../../domain/process/ExitReason.ts"
import type { MessageType } from "./MessageType.ts"

/** Which message gives way in a full quarantine: the one that has been there longest, or the one that comes. */
export type QuarantineOverflow = "drop_oldest" | "drop_newest"

/**
 * How many messages are kept in quarantine, and what happens then.
 *
 * @category options
 * @since 0.1.0
 */
export interface QuarantineOptions {
  /** Messages that are kept, 256 by default; 0 keeps none, `Infinity` all of them. */
  readonly capacity?: number | undefined
  /** `"drop_oldest"` by default. */
  readonly overflow?: QuarantineOverflow | undefined
}

/** The same, with all that is not said. */
export interface QuarantineLimits {
  readonly capacity: number
  readonly overflow: QuarantineOverflow
}

/**
 * One of them.
 *
 * @category models
 * @since 0.1.0
 */
export class QuarantinedMessage {
  /** The message's tag. */
  readonly request: string
  readonly payload: unknown
  /** How often it was handled, and crashed the server. */
  readonly attempts: number
  /** How the last of these incarnations ended. */
  readonly reason: ExitReason
  /** When it was set aside, in milliseconds of the Clock. */
  readonly at: number
  /** @internal */
  readonly type: MessageType

  constructor(type: MessageType, payload: unknown, attempts: number, reason: ExitReason, at: number) {
    this.request = type.tag
    this.type = type
    this.payload = payload
    this.attempts = attempts
    this.reason = reason
    this.at = at
  }
}

/** Keeps a message, and answers the one that has no place by that, if there is one. */
export const keep = (
  kept: Set<QuarantinedMessage>,
  message: QuarantinedMessage,
  { capacity, overflow }: QuarantineLimits
): QuarantinedMessage | undefined => {
  if (overflow === "drop_newest" && kept.size >= capacity) return message
  kept.add(message)
  if (kept.size <= capacity) return undefined
  const [oldest] = kept
  kept.delete(oldest!)
  return oldest
}
