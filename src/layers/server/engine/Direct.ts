/**
 * The two short ways: a call to an idle server, and a cast, whose handlers answer at once with a plain value.
 *
 * Each does what `Handle.handle` does for such a message and answer, without an envelope: with anything else it goes
 * over to that. `test/layers/server/engine/EveryWay.test.ts` holds them equal. To understand servers, skip this file.
 *
 * *Tricky*
 * - First in, first out holds because a direct call needs an idle server with an empty mailbox.
 * - The handler runs on its caller's stack. It may have its own server stopped there, and even started again: then its
 *   message is resolved as one that was in hand.
 *
 * @since 0.1.0
 */
import { type Effect, Exit, Fiber } from "effect"
import { killed } from "../../../domain/process/ExitReason.ts"
import { isNext } from "../../../domain/server/Next.ts"
import { Busy, Idle, Pending, Stopped } from "../../../domain/server/Phase.ts"
import { isEffect, isExit, spanOf } from "../../process/EffectInternals.ts"
import * as Turn from "../../process/Turn.ts"
import { fenced, internalError } from "../life/End.ts"
import { incarnationOf, whenDone } from "../life/Fibers.ts"
import { idle, wantTurn } from "../life/Rest.ts"
import { answer, resolveInFlight } from "../life/Settle.ts"
import { Envelope } from "../message/Envelope.ts"
import { DirectView, senderOf } from "../message/HandlerView.ts"
import { handlerOf, type MessageType, type QueuedCast } from "../message/MessageType.ts"
import { isPromise, publish } from "../parts/Events.ts"
import { Handling } from "../parts/Incarnation.ts"
import type { Server } from "../parts/Server.ts"
import { finished, handle, isSuperseded, proceed, within } from "./Handle.ts"

/** In place of an answer that takes time, or that is not needed any more. */
const suspended: unique symbol = Symbol()

/** Whether a handler's answer is an Effect that is still to be run. The commonest answer is asked for first. */
const isRunnable = (next: unknown): next is Effect.Effect<unknown, unknown> =>
  !Array.isArray(next) && isEffect(next) && !isExit(next)

/** Handles a call of an idle server on its caller's stack: the caller goes on with what this returns. */
export const callNow = (
  server: Server,
  type: MessageType,
  payload: unknown,
  millis: number
): Effect.Effect<unknown, unknown> => {
  const { spec } = server
  const handler = handlerOf(type, server.behavior.handlers)
  if (handler === undefined || spec.faults !== undefined || spec.protect !== undefined || type.confirms) {
    return handleNow(server, new Envelope(server, type, payload, Fiber.getCurrent())).wait(millis)
  }
  const { incarnation } = server
  const view = new DirectView(server, type, payload, incarnation)
  Turn.enter()
  // What throws before this has begun nothing.
  server.phase = Busy
  try {
    let next: unknown
    try {
      next = handler(server.state, payload, view)
    } catch (defect) {
      next = Exit.die(defect)
    }
    if (isSuperseded(server, view.incarnation)) {
      supersede(server, view)
      next = suspended
    } else if (isRunnable(next)) next = runHandler(server, view, next)
    // A handler that has looked at its message may have answered it by now.
    if (Array.isArray(next) && next.length === 2 && view.made === undefined && !isPromise(next[1])) {
      // The guarantee, in this order: conserved before it can be seen; free before the caller goes on; then the
      // reply.
      server.state = next[1]
      server.handled++
      const companion = server.ownCompanion
      if (companion.commit(server.incarnation, next[1], "call")) {
        if (companion.isBehind) return answerWhenStored(server, type, payload, Exit.succeed(next[0]), millis)
        idle(server)
        return Exit.succeed(next[0])
      }
      next = Exit.die(fenced(server))
    }
    const { envelope } = view
    if (next !== suspended) {
      server.inHand = envelope
      proceed(server, envelope, next)
    }
    return envelope.wait(millis)
  } catch (defect) {
    // Here the stack may be at its end: see `call`.
    if (defect instanceof RangeError) throw defect
    return failed(server, type, payload, incarnation, defect)?.wait(millis) ?? Exit.die(defect)
  } finally {
    Turn.leave()
  }
}

/** The long way on the caller's stack, where each step is needed. */
export const handleNow = (server: Server, envelope: Envelope): Envelope => {
  try {
    handle(server, envelope)
  } catch (defect) {
    if (defect instanceof RangeError) throw defect
    internalError(server, defect)
  }
  return envelope
}

/** The answer over a durable companion: the server goes on, its answer has to wait. */
const answerWhenStored = (
  server: Server,
  type: MessageType,
  payload: unknown,
  exit: Exit.Exit<unknown, unknown>,
  millis: number
): Effect.Effect<unknown, unknown> => {
  const envelope = new Envelope(server, type, payload, Fiber.getCurrent())
  idle(server)
  answer(server, envelope, exit)
  return envelope.wait(millis)
}

/** Handles a cast in its turn. What its handler answers at once is committed, and that is all: it has no caller. */
export const castNow = (server: Server, { payload, type }: QueuedCast): void => {
  const { faults, protect } = server.spec
  const handler = handlerOf(type, server.behavior.handlers)
  const isCalm = server.occasional === undefined || server.occasional.isCalm
  if (handler === undefined || !isCalm || faults !== undefined || protect !== undefined) {
    return handle(server, new Envelope(server, type, payload, undefined))
  }
  server.phase = Busy
  const { incarnation } = server
  const view = new DirectView(server, type, payload, incarnation)
  let next: unknown
  // The turn that it is in has entered already.
  try {
    next = handler(server.state, payload, view)
  } catch (defect) {
    next = Exit.die(defect)
  }
  if (isSuperseded(server, view.incarnation)) return supersede(server, view)
  try {
    if (isRunnable(next)) next = runHandler(server, view, next)
    if (next === suspended) return
    if (!isEffect(next) && !isNext(next) && !(next instanceof Promise)) {
      server.state = next
      server.handled++
      if (server.ownCompanion.commit(server.incarnation, next, "cast")) return idle(server)
      next = Exit.die(fenced(server))
    }
    const { envelope } = view
    server.inHand = envelope
    proceed(server, envelope, next)
  } catch (defect) {
    // Not with the view, which costs next to nothing as long as it cannot get this far.
    failed(server, type, payload, incarnation, defect)
  }
}

/**
 * Runs a handler's Effect: its value, or how it ended; {@link suspended} when that takes time, and is seen to when it
 * is known.
 */
const runHandler = (server: Server, view: DirectView, effect: Effect.Effect<unknown, unknown>): unknown => {
  view.sender = senderOf(view.type)
  server.inHand = view
  const span = view.sender === undefined ? undefined : spanOf(view.sender)
  const running = incarnationOf(server)
  const fiber = running.fork(new Handling(running, span === undefined ? effect : within(span, effect)))
  const exit = fiber.pollUnsafe()
  if (exit !== undefined && server.fiber === fiber) {
    return exit._tag === "Failure" || isEffect(exit.value) ? exit : exit.value
  }
  const { envelope, incarnation } = view
  // It may have had its own server stopped, and is not in hand then.
  if (server.inHand === view) server.inHand = envelope
  finishLater(server, fiber, incarnation, envelope)
  return suspended
}

const finishLater = (
  server: Server,
  fiber: Fiber.Fiber<unknown, unknown>,
  incarnation: number,
  envelope: Envelope
): void => whenDone(server, fiber, incarnation, (exit) => finished(server, envelope, exit), true)

/** The handler has stopped its own server. Its answer is ignored; its caller is answered as at any end. */
const supersede = (server: Server, { envelope, incarnation }: DirectView): void => {
  publish(server, "WriteFenced", { incarnation, current: server.incarnation })
  resolveInFlight(server, envelope, server.phase === Stopped ? "stopped" : "restarting", server.lastExit ?? killed)
  if (server.phase === Idle || server.phase === Pending) wantTurn(server)
}

/**
 * The engine itself threw. Makes the message the one in hand, so that it is answered, unless a new incarnation has
 * begun.
 */
const failed = (
  server: Server,
  type: MessageType,
  payload: unknown,
  incarnation: number,
  defect: unknown
): Envelope | undefined => {
  let envelope: Envelope | undefined
  if (!isSuperseded(server, incarnation)) {
    envelope = server.current
    if (envelope === undefined) {
      envelope = new Envelope(server, type, payload, senderOf(type))
      envelope.attempts = 1
    }
    server.inHand = envelope
  }
  internalError(server, defect)
  return envelope
}
