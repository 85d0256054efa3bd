/**
 * Who is calling: the handler in progress, if a call comes from one.
 *
 * A server whose handler calls itself, directly or by way of others, waits for an answer that cannot come. To tell that
 * from an ordinary call to a busy server, every message knows the message whose handler sent it.
 *
 * *Tricky*: a fiber that a handler forks inherits the handler's context, but the server does not wait for it: only the
 * very fiber that runs the handler counts. A caller that has given up (timeout, interruption), or has its answer, waits for
 * nobody, so the chain ends at it.
 *
 * @since 0.1.0
 */
import { Context, type Effect, Effectable, Fiber } from "effect"
import type { ExitReason } from "../../../domain/process/ExitReason.ts"
import type { HasProcess } from "../../process/Process.ts"
import type { Envelope, Receiver } from "./Envelope.ts"

/** A server as its handlers' fibers know it. */
export interface Handler extends Receiver {
  /** The fiber that runs the handler in progress. */
  fiber: Fiber.Fiber<unknown, unknown> | undefined
  readonly ref: HasProcess
  readonly incarnation: number
  exit(reason: ExitReason): void
  whenStored(f: () => void): void
}

/** The server in whose name the fibers of this context run. */
export const HandlerOf: Context.Reference<Handler | undefined> = Context.Reference<Handler | undefined>(
  "heirloom/HandlerOf",
  { defaultValue: () => undefined }
)

/** Runs a handler's Effect and notes the fiber that runs it, before its first step. */
export class Handling extends Effectable.Class<unknown, unknown> {
  private readonly server: Handler
  private readonly effect: Effect.Effect<unknown, unknown>
  constructor(server: Handler, effect: Effect.Effect<unknown, unknown>) {
    super()
    this.server = server
    this.effect = effect
  }
  override asEffect(): Effect.Effect<unknown, unknown> {
    this.server.fiber = Fiber.getCurrent()
    return this.effect
  }
}

/** The message in the hands of a fiber, if that fiber is a handler in progress. */
const inHandOf = (fiber: Fiber.Fiber<unknown, unknown>): Envelope | undefined => {
  const server = Context.get(fiber.context, HandlerOf)
  return server !== undefined && server.fiber === fiber ? server.current : undefined
}

/**
 * The message whose handler sent this one, when a handler in progress did. Looked up by whoever asks, since next to nobody
 * does: while its sender waits, the answer stays the same.
 */
export const causeOf = ({ sender }: Envelope): Envelope | undefined =>
  sender === undefined ? undefined : inHandOf(sender)

/** The servers between `target` and a call that is about to wait for it; `undefined` when it would not wait for itself. */
export const selfCall = (target: Handler, call: Envelope): ReadonlyArray<string> | undefined => {
  const inHand = target.current
  // A server that handles nothing waits for nobody: chains may be long, and most calls are none of this.
  if (inHand === undefined) return undefined
  const cause = causeOf(call)
  let message = cause
  while (message !== undefined && message !== inHand) {
    if (message.gone || message.exit !== undefined) return undefined
    message = causeOf(message)
  }
  return message === undefined ? undefined : chainFrom(inHand, cause)
}

const chainFrom = (first: Envelope, last: Envelope | undefined): ReadonlyArray<string> => {
  const chain = [first.server.name]
  for (let message = last; message !== undefined && message !== first; message = causeOf(message)) {
    chain.push(message.server.name)
  }
  chain.push(first.server.name)
  return chain.reverse()
}
