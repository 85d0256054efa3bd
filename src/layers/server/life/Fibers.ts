/**
 * Fibers of a server's own: for init, for handlers that are Effects, for clean-up.
 *
 * *Tricky*: a fiber counts only while it is the incarnation's `fiber`. One that was abandoned is forgotten there and
 * fenced off from the companion; what it still computes is refused.
 *
 * @since 0.1.0
 */
import { Context, Effect, type Exit, type Fiber, Scope } from "effect"
import * as Turn from "../../process/Turn.ts"
import { HandlerOf } from "../message/CallChain.ts"
import { publish } from "../parts/Events.ts"
import { type Fork, Handling, Incarnation } from "../parts/Incarnation.ts"
import type { Server } from "../parts/Server.ts"

type Done = (exit: Exit.Exit<unknown, unknown>) => void

/** What the incarnation has of its own: its Scope and its context, made when it first needs them. */
export const incarnationOf = (server: Server): Incarnation => {
  if (server.running !== undefined) return server.running
  const scope = Scope.makeUnsafe()
  return server.running = new Incarnation(scope, server.spec.shared, forkIn(server, scope))
}

/** How fibers are started that have the services of the server's class, its Scope, and itself. */
export const forkIn = (server: Server, scope: Scope.Closeable): Fork =>
  Effect.runForkWith(Context.add(Context.add(server.spec.context, HandlerOf, server), Scope.Scope, scope))

/**
 * Runs an Effect in a fiber of the server's own, and calls `done` with its exit unless it was abandoned before. What an
 * abandoned handler (`writes`) computes is refused, which is an event.
 */
export const run = (server: Server, effect: Effect.Effect<unknown, unknown>, done: Done, writes = false): void => {
  const running = incarnationOf(server)
  const { incarnation } = server
  const fiber = running.fork(new Handling(running, effect))
  const exit = fiber.pollUnsafe()
  if (exit !== undefined && server.fiber === fiber) done(exit)
  else whenDone(server, fiber, incarnation, done, writes)
}

/** The second half of {@link run}, for a fiber that takes time: one that does not makes none of these closures. */
export const whenDone = (
  server: Server,
  fiber: Fiber.Fiber<unknown, unknown>,
  incarnation: number,
  done: Done,
  writes: boolean
): void => {
  if (server.running !== undefined) server.running.since = server.spec.clock.currentTimeMillisUnsafe()
  const isStale = (exit: Exit.Exit<unknown, unknown>): boolean => {
    if (server.fiber === fiber) return false
    if (writes && exit._tag === "Success") publish(server, "WriteFenced", { incarnation, current: server.incarnation })
    return true
  }
  fiber.addObserver((exit) => {
    if (isStale(exit)) return
    // On a deep stack this is later, and the fiber may have been abandoned by then.
    Turn.run(() => {
      if (isStale(exit)) return
      try {
        done(exit)
      } catch (defect) {
        server.internalError(defect)
      }
      server.drain()
    })
  })
}
