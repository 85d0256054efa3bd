/**
 * The chain of calls: the message in whose handler a call was made, the one before that, and so on.
 *
 * A server whose handler calls itself, directly or by way of others, waits for an answer that cannot come. The chain
 * tells that from an ordinary call to a busy server.
 *
 * A server that begins or ends is a link, too: what waits for its start (`at`, `startChild`), for its end, or in its
 * mailbox, waits for its `init` or its clean-up. There may be many of those, so from there on it is a search
 * (`domain/server/WaitCycle`).
 *
 * *Tricky*: a fiber that a handler forks inherits the handler's context, but the server does not wait for it: only the
 * very fiber that runs the handler counts. A caller that has given up (timeout, interruption), or has its answer, does
 * not wait any more: the chain ends at it.
 *
 * @since 0.1.0
 */
import { Context, type Fiber } from "effect"
import type { ExitReason } from "../../../domain/process/ExitReason.ts"
import { wayDown } from "../../../domain/server/WaitCycle.ts"
import { own, waitersOf, type Worker } from "../../process/Own.ts"
import type { HasProcess } from "../../process/Process.ts"
import type { Envelope, Queued, Receiver } from "./Envelope.ts"

/** What a server is below, as far as that is known. */
interface Ancestor {
  readonly parent?: Ancestor
}

/** A server as its handlers' fibers know it. */
export interface Handler extends Receiver, Worker {
  readonly ref: HasProcess
  readonly incarnation: number
  readonly parent: Ancestor
  /** Whether it is at a message, and neither begins nor ends. */
  readonly isHandling: boolean
  /** The messages that wait for their turn. */
  readonly unhandled: Iterable<Queued>
  exit(reason: ExitReason): void
  whenStored(f: () => void): () => void
}

/** The server in whose name the fibers of this context run. */
export const HandlerOf = own<Handler>()

/** The message in the hands of a fiber, if that fiber is a handler in progress. */
const inHandOf = (fiber: Fiber.Fiber<unknown, unknown>): Envelope | undefined => {
  const server = Context.get(fiber.context, HandlerOf)
  return server !== undefined && server.fiber === fiber ? server.current : undefined
}

/**
 * The message whose handler sent this one, if a handler in progress did. It is looked up when it is needed, which is
 * seldom; while the sender waits it stays the same.
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

type IsFirst<M> = (message: M) => boolean

/**
 * The chain of a message. Each message is asked once: those below one that knows its chain are of the same. Negative:
 * the first of them comes from a server that begins or ends.
 */
const chainOf = <M extends Link>(message: M, causeOf: (message: M) => M | undefined, isOfLife: IsFirst<M>): number => {
  const asked: Array<M> = []
  let top: M | undefined = message
  while (top !== undefined && top.chain === 0) {
    asked.push(top)
    top = isOver(top) ? undefined : causeOf(top)
  }
  const first = asked.at(-1)
  const chain = top !== undefined ? top.chain : first !== undefined && isOfLife(first) ? -++chains : ++chains
  for (const link of asked) link.chain = chain
  return chain
}

/**
 * The messages from `last` up to, and without, `first`, when each but `first` is waited for by the handler of the next;
 * `undefined` when `first` is not above `last`.
 *
 * A chain may be long, and each of its calls asks: messages of two chains are distinguished without a walk. That they
 * are of one chain proves nothing, since a link of it may be over by now.
 */
export const wayUp = <M extends Link>(
  first: M,
  last: M,
  causeOf: (message: M) => M | undefined,
  isOfLife: IsFirst<M> = () => false
): Array<M> | undefined => {
  if (chainOf(first, causeOf, isOfLife) !== chainOf(last, causeOf, isOfLife)) return undefined
  const way: Array<M> = []
  let message: M | undefined = last
  while (message !== first) {
    if (message === undefined || isOver(message)) return undefined
    way.push(message)
    message = causeOf(message)
  }
  return way
}

/** The server that waits for a fiber. */
const serverOf = (fiber: Fiber.Fiber<unknown, unknown> | undefined): Handler | undefined => {
  const server = fiber === undefined ? undefined : Context.get(fiber.context, HandlerOf)
  return server !== undefined && server.fiber === fiber ? server : undefined
}

const isOfLife = ({ sender }: Envelope): boolean => serverOf(sender)?.isHandling === false

/** The fibers that wait until a server is done with what it is at. */
function* fibersAbove(server: Handler): Generator<Fiber.Fiber<unknown, unknown> | undefined> {
  const { current } = server
  if (current !== undefined && !isOver(current)) yield current.sender
  if (server.isHandling) return
  for (let above: Ancestor | undefined = server; above !== undefined; above = above.parent) yield* waitersOf(above)
  for (const message of server.unhandled) if (message.place !== undefined) yield message.sender
}

function* serversAbove(server: Handler): Generator<Handler> {
  for (const fiber of fibersAbove(server)) {
    const waiting = serverOf(fiber)
    if (waiting !== undefined) yield waiting
  }
}

/**
 * The servers from `target` down to the one whose fiber is about to wait for it, and `target` again; `undefined` when
 * it would not wait for itself.
 */
export const selfWait = (
  target: Handler,
  fiber: Fiber.Fiber<unknown, unknown> | undefined
): ReadonlyArray<string> | undefined => {
  const { current } = target
  // Most calls are made to a server that is at nothing, or by a fiber that no server waits for.
  const from = current === undefined && target.fiber === undefined ? undefined : serverOf(fiber)
  if (from === undefined) return undefined
  const cause = from.current
  if (current !== undefined && cause !== undefined) {
    const way = wayUp(current, cause, causeOf, isOfLife)
    if (way !== undefined) return [current, ...way.reverse(), current].map(({ server }) => server.name)
    if (target.isHandling && from.isHandling && cause.chain > 0) return undefined
  }
  const way = wayDown(target, from, serversAbove)
  return way === undefined ? undefined : [...way, target].map(({ name }) => name)
}
