/**
 * The guarantee: a state is conserved before it can be seen, the server is free before its caller goes on, and
 * only then comes the reply.
 *
 * *Tricky*: a caller that is resumed first would find the server busy with its own message, and be locked out of the
 * direct path for ever.
 *
 * @since 0.1.0
 */
import { Cause, type Exit } from "effect"
import { crashed, killed } from "../../../domain/process/ExitReason.ts"
import { answerId, markId } from "../../../domain/server/Idempotency.ts"
import type { NewAnswer } from "../../../domain/state/Answers.ts"
import type { Timers } from "../../../domain/state/Timers.ts"
import type { Point } from "../../../domain/testing/Fault.ts"
import { steadyDateOf } from "../../process/Timer.ts"
import type { Besides, Origin } from "../../state/companion/Companion.ts"
import { crash, end, exit, fenced } from "../life/End.ts"
import { idle, noOptions, type Options } from "../life/Rest.ts"
import { answer } from "../life/Settle.ts"
import * as AnswerText from "../message/AnswerText.ts"
import type { Envelope } from "../message/Envelope.ts"
import { type Once, ownCast } from "../message/MessageType.ts"
import * as Timed from "../message/Timed.ts"
import { invalidResult, isPromise } from "../parts/Events.ts"
import type { Server } from "../parts/Server.ts"
import { protectedBy } from "../parts/ServerSpec.ts"

/** Goes on with a state that a handler came to, and gives the reply, if one is due now. */
export const accept = (
  server: Server,
  envelope: Envelope,
  state: unknown,
  options: Options,
  given: Exit.Exit<unknown> | undefined
): void => {
  const reply = envelope.early ?? given
  if (!commitAnswer(server, envelope, state, reply, options)) return
  const { incarnation, spec } = server
  if (spec.faults !== undefined && injectFault(server, "afterCommit", envelope)) return
  // An answer says anew how long the server waits for a message.
  if (server.occasional !== undefined) server.occasional.idleAfter = undefined
  idle(server, options)
  if (reply !== undefined) answer(server, envelope, reply)
  else if (envelope.work === undefined) server.debug?.silent(envelope, state)
  if (spec.faults !== undefined) injectFaultAfterReply(server, incarnation, envelope)
}

/**
 * Commits a message's state; with it, its answer goes on record if it carries a key (or that it was begun), and timers
 * are set. False when that crashed the server.
 */
export const commitAnswer = (
  server: Server,
  envelope: Envelope,
  state: unknown,
  reply: Exit.Exit<unknown, unknown> | undefined,
  options: Options = noOptions
): boolean => {
  const { once, type } = envelope
  let besides: Besides | undefined
  if (once !== undefined || (options !== noOptions && options.timers !== undefined)) {
    try {
      besides = besidesOf(server, envelope, reply, options)
    } catch (defect) {
      crash(server, Cause.die(defect))
      return false
    }
  }
  return commit(server, state, type === ownCast ? "callback" : type.isCall ? "call" : "cast", besides)
}

const besidesOf = (
  server: Server,
  envelope: Envelope,
  reply: Exit.Exit<unknown, unknown> | undefined,
  options: Options
): Besides | undefined => {
  const { once } = envelope
  const timers = once?.timer === undefined && options.timers === undefined
    ? undefined
    : timersAfter(server, envelope, options)
  const answer = once === undefined || once.timer !== undefined ? undefined : recordOf(server, envelope, once, reply)
  if (answer === undefined && timers === undefined) return undefined
  return { answers: answer && [answer], timers }
}

const timersAfter = (server: Server, { once, type }: Envelope, { timers }: Options): Timers | undefined => {
  const at = server.spec.clock.currentTimeMillisUnsafe()
  return Timed.after({ of: server.name, request: type.tag }, server, at, once?.timer, timers)
}

/** What goes on record of a call with its commit: its answer; or, while that is still to come, that it was begun. */
const recordOf = (
  { spec: { clock } }: Server,
  { isAnswered, type }: Envelope,
  { call, key }: Once,
  reply: Exit.Exit<unknown, unknown> | undefined
): NewAnswer | undefined =>
  reply !== undefined
    ? { id: answerId(key), at: steadyDateOf(clock), body: AnswerText.write(type, call, reply) }
    : isAnswered
    ? undefined
    : { id: markId(key), at: steadyDateOf(clock), body: AnswerText.mark(call) }

/**
 * The next state becomes the server's, and its companion's. False when that ended the incarnation: a younger one has
 * taken over, or it is no state that can be kept.
 */
export const commit = (
  server: Server,
  state: unknown,
  by: Origin,
  besides?: Besides
): boolean => {
  if (isPromise(state)) {
    crash(server, Cause.die(invalidResult(server, server.current?.type.tag ?? by, state)))
    return false
  }
  const { spec } = server
  const { protect } = spec
  let kept = state
  if (protect !== undefined) {
    const exit = protectedBy(protect, state)
    if (exit._tag === "Failure") {
      crash(server, exit.cause)
      return false
    }
    // A copy of what it was is not another state: nothing was changed.
    kept = spec.isSame?.(exit.value, server.state) === true ? server.state : exit.value
  }
  server.state = kept
  if (by === "call" || by === "cast") server.handled++
  if (server.ownCompanion.commit(server.incarnation, kept, by, besides)) return true
  crash(server, Cause.die(fenced(server)))
  return false
}

/** Whether a fault was injected here; the message then ends as it would have. */
export const injectFault = (server: Server, point: Point, { type }: Envelope): boolean => {
  const { faults } = server.spec
  if (faults === undefined) return false
  const fault = faults(point, { server: server.name, incarnation: server.incarnation, message: type.tag })
  if (fault === undefined) return false
  switch (fault._tag) {
    case "Defect":
      crash(server, Cause.die(fault.defect))
      break
    case "Interrupt":
      crash(server, Cause.interrupt())
      break
    case "Kill":
      end(server, killed)
      break
  }
  return true
}

/** The message is done with: a fault is an exit signal to the incarnation that handled it, if that is still there. */
const injectFaultAfterReply = (server: Server, incarnation: number, { type }: Envelope): void => {
  if (server.incarnation !== incarnation) return
  const fault = server.spec.faults?.("afterReply", { server: server.name, incarnation, message: type.tag })
  if (fault === undefined) return
  const cause = fault._tag === "Defect" ? Cause.die(fault.defect) : Cause.interrupt()
  exit(server, fault._tag === "Kill" ? killed : crashed(cause))
}
