/**
 * The process in whose name code runs: a server's callbacks, and what they fork, have it in their context.
 *
 * What runs in a process's own name differs from what others do with it: a server that joins a group in `init` says
 * again with each incarnation what it said before.
 *
 * @since 0.1.0
 */
import { Context, Fiber } from "effect"
import { type HasProcess, type Process, processOf } from "./Process.ts"

/** The key under which that process is in the context, as those see it who put it there. */
export const own = <A extends { readonly ref: HasProcess }>(): Context.Reference<A | undefined> =>
  Context.Reference<A | undefined>("heirloom/HandlerOf", { defaultValue: () => undefined })

/**
 * What a server has under way beside its messages: a request that waits for its answer, or work that would end with its
 * incarnation.
 */
export type Tie = "request" | "work"

/** A server, as those below servers know it. */
export interface Worker {
  readonly ref: HasProcess
  /** The fiber that runs its handler in progress, its init or its clean-up. */
  readonly fiber: Fiber.Fiber<unknown, unknown> | undefined
  /** Something is under way, until the returned function is called, once. */
  tie(what: Tie): () => void
}

/** The server in whose name the fibers of this context run. */
export const Own = own<Worker>()

/** Notes that a fiber is under way in the name of the server whose code runs, if it is one's. */
export const tied = <F extends Fiber.Fiber<unknown, unknown>>(what: Tie, fiber: F): F => {
  const running = Fiber.getCurrent()
  const worker = running === undefined ? undefined : Context.get(running.context, Own)
  if (worker !== undefined) fiber.addObserver(worker.tie(what))
  return fiber
}

/** The very fiber of the server of a context, if that is what runs: what it waits for, the server waits for. */
export const fiberOf = (context: Context.Context<never>): Fiber.Fiber<unknown, unknown> | undefined => {
  const worker = Context.get(context, Own)
  return worker?.fiber !== undefined && worker.fiber === Fiber.getCurrent() ? worker.fiber : undefined
}

const waiting = new WeakMap<object, Set<Fiber.Fiber<unknown, unknown>>>()

const noFibers: ReadonlySet<Fiber.Fiber<unknown, unknown>> = new Set()

/** The fibers of servers that wait until a process has begun, or has ended. */
export const waitersOf = (process: object): ReadonlySet<Fiber.Fiber<unknown, unknown>> =>
  waiting.get(process) ?? noFibers

/**
 * Notes that the fiber of a server waits until a process has begun, or has ended, until the returned function is
 * called.
 */
export const waitFor = (process: object, fiber: Fiber.Fiber<unknown, unknown>): () => void => {
  const fibers = waiting.get(process) ?? new Set()
  waiting.set(process, fibers.add(fiber))
  return () => {
    fibers.delete(fiber)
    if (fibers.size === 0 && waiting.get(process) === fibers) waiting.delete(process)
  }
}

/** The number of the incarnation in whose name a process is named at this moment; 0 when others do it. */
export const incarnationOf = (process: Process): number => {
  const fiber = Fiber.getCurrent()
  const running = fiber === undefined ? undefined : Context.get(fiber.context, Own)
  return running?.ref[processOf] === process ? process.incarnation : 0
}
