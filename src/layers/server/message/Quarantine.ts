/**
 * Messages that crashed their server as often as they may: kept apart until somebody replays or discards them.
 *
 * @since 0.1.0
 */
import type { ExitReason } from "../../../domain/process/ExitReason.ts"
import type { MessageType } from "./MessageType.ts"

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
