/**
 * The chain of calls: the message in whose handler a call was made, the one before that, and so on.
 *
 * A server whose handler calls itself, directly or by way of others, waits for an answer that cannot come. The chain tells
 * that from an ordinary call to a busy server.
 *
 * *Tricky*: a fiber that a handler forks inherits the handler's context, but the server does not wait for it: only the
 * very fiber that runs the handler counts. A caller that has given up (timeout, interruption), or has its answer, does not
 * wait any more: the chain ends at it.
 *
 * @since 0.1.0
 */
import { Context, type Fiber } from "effect"
import type { ExitReason } from "../../../domain/process/ExitReason.ts"
import { own, type Worker } from "../../process/Own.ts"
import type { HasProcess } from "../../process/Process.ts"
import type { Envelope, Receiver } from "./Envelope.ts"

/** A server as its handlers' fibers know it. */
export interface Handler extends Receiver, Worker {
  readonly ref: HasProcess
  readonly incarnation: number
  exit(reason: ExitReason): void
  whenStored(f: () => void): void
}

/** The server in whose name the fibers of this context run. */
export const HandlerOf = own<Handler>()

/** The message in the hands of a fiber, if that fiber is a handler in progress. */
const inHandOf = (fiber: Fiber.Fiber<unknown, unknown>): Envelope | undefined => {
  const server = Context.get(fiber.context, HandlerOf)
  return server !== undefined && server.fiber === fiber ? server.current : undefined
}

/**
 * The message whose handler sent this one, if a handler in progress did. It is looked up when it is needed, which is seldom;
 * while the sender waits it stays the same.
 */
export const causeOf = ({ sender }: Envelope): Envelope | undefined =>
  sender === undefined ? undefined : inHandOf(sender)

/** A message as a link of a chain of calls. */
export interface Link {
  /** The chain it belongs to; 0 until it is asked for. */
  chain: number
  readonly gone: boolean
  readonly exit: unknown
}

/** Its sender does not wait for it any more, so what is below it does not hold up what is above. */
const isOver = (message: Link): boolean => message.gone || message.exit !== undefined

let chains = 0

/** The chain of a message. Each message is asked once: those below one that knows its chain are of the same. */
const chainOf = <M extends Link>(message: M, causeOf: (message: M) => M | undefined): number => {
  const asked: Array<M> = []
  let top: M | undefined = message
  while (top !== undefined && top.chain === 0) {
    asked.push(top)
    top = isOver(top) ? undefined : causeOf(top)
  }
  const chain = top === undefined ? ++chains : top.chain
  for (const link of asked) link.chain = chain
  return chain
}

/**
 * The messages from `last` up to, and without, `first`, when each but `first` is waited for by the handler of the next;
 * `undefined` when `first` is not above `last`.
 *
 * A chain may be long, and each of its calls asks: messages of two chains are distinguished without a walk. That they are of one
 * chain proves nothing, since a link of it may be over by now.
 */
export const wayUp = <M extends Link>(
  first: M,
  last: M,
  causeOf: (message: M) => M | undefined
): Array<M> | undefined => {
  if (chainOf(first, causeOf) !== chainOf(last, causeOf)) return undefined
  const way: Array<M> = []
  let message: M | undefined = last
  while (message !== first) {
    if (message === undefined || isOver(message)) return undefined
    way.push(message)
    message = causeOf(message)
  }
  return way
}

/** The servers between `target` and a call that is about to wait for it; `undefined` when it would not wait for itself. */
export const selfCall = (target: Handler, call: Envelope): ReadonlyArray<string> | undefined => {
  const inHand = target.current
  // Most calls are made to a server that handles nothing, or by a fiber that is no handler.
  const cause = inHand === undefined ? undefined : causeOf(call)
  if (inHand === undefined || cause === undefined) return undefined
  const way = wayUp(inHand, cause, causeOf)
  return way === undefined ? undefined : [inHand, ...way.reverse(), inHand].map(({ server }) => server.name)
}
