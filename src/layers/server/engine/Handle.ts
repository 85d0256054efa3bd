/**
 * One message, every step: from the mailbox to a committed state.
 *
 * *Tricky*: every hand-off to foreign code on this stack is counted by `Turn`.
 *
 * @since 0.1.0
 */
import { Cause, Effect, Exit, Tracer } from "effect"
import { callError } from "../../../domain/process/CallError.ts"
import { answerId, markId } from "../../../domain/server/Idempotency.ts"
import { isNext, type Next } from "../../../domain/server/Next.ts"
import { Busy } from "../../../domain/server/Phase.ts"
import { MissingCallback } from "../../../domain/server/ServerErrors.ts"
import { lossOf, type RecordedAnswer } from "../../../domain/state/Answers.ts"
import { isSet } from "../../../domain/state/Timers.ts"
import { isEffect, isExit } from "../../process/EffectInternals.ts"
import * as Turn from "../../process/Turn.ts"
import { crash, end } from "../life/End.ts"
import { forkIn, run } from "../life/Fibers.ts"
import { idle, noOptions, problemOf } from "../life/Rest.ts"
import { answer } from "../life/Settle.ts"
import * as AnswerText from "../message/AnswerText.ts"
import type { Envelope } from "../message/Envelope.ts"
import { HandlerView } from "../message/HandlerView.ts"
import { handlerOf, type Once, type TimerMessage } from "../message/MessageType.ts"
import { invalidResult, publish } from "../parts/Events.ts"
import type { Server } from "../parts/Server.ts"
import type { AnyHandler } from "../parts/ServerSpec.ts"
import { SystemAnswer } from "../parts/SystemAnswer.ts"
import { accept, commit, commitAnswer, injectFault } from "./Commit.ts"

/** Handles one message, from the first step to wherever it has to wait. */
export const handle = (server: Server, envelope: Envelope): void => {
  const { occasional, spec } = server
  const { work } = envelope
  if (occasional !== undefined && work === undefined) {
    occasional.cancelIdle()
    occasional.debug?.received(envelope, server.state)
  }
  server.phase = Busy
  server.inHand = envelope
  envelope.attempts++
  if (envelope.attempts > 1) {
    // It was computed from a state that was undone.
    envelope.early = undefined
    publish(server, "Redelivered", { message: envelope.type.tag, attempt: envelope.attempts })
  }
  if (envelope.once !== undefined && recall(server, envelope, envelope.once)) return
  if (spec.faults !== undefined && injectFault(server, "beforeHandler", envelope)) return
  const { incarnation } = server
  let next: unknown
  Turn.enter()
  try {
    const state = spec.copy === undefined ? server.state : spec.copy(server.state)
    next = work === undefined
      ? handlerIn(server, envelope)(state, envelope.payload, new HandlerView(envelope, incarnation))
      : work(state)
  } catch (defect) {
    next = Exit.die(defect)
  } finally {
    Turn.leave()
  }
  if (!isSuperseded(server, incarnation)) proceed(server, envelope, next)
  else publish(server, "WriteFenced", { incarnation, current: server.incarnation })
}

const handlerIn = (server: Server, { type }: Envelope): AnyHandler => {
  const handler = handlerOf(type, server.behavior.handlers)
  if (handler === undefined) throw new MissingCallback({ server: server.name, callback: type.tag })
  return handler
}

/** Whether the incarnation whose handler has just answered was stopped by it, and left behind. */
export const isSuperseded = (server: Server, incarnation: number): boolean =>
  server.phase !== Busy || server.incarnation !== incarnation

/**
 * Whether the call was made before. Then it gets the answer on record, or waits for the one that is promised; it is
 * refused if that was lost, or if its key is another call's.
 */
const recall = (server: Server, envelope: Envelope, once: Once): boolean => {
  const { key, timer } = once
  if (timer !== undefined) return isOver(server, envelope, timer)
  const recorded = onRecord(server, answerId(key))
  const isHere = recorded !== undefined && lossOf(recorded) === undefined
  const first = isHere ? undefined : server.occasional?.promised.find(key)
  const before = isHere ? recorded : onRecord(server, markId(key)) ?? recorded
  if (before === undefined && first === undefined) return false
  idle(server)
  if (first === undefined) answerAgain(server, envelope, key, AnswerText.find(envelope, once, before!))
  else if (AnswerText.isSame(envelope, once, first)) follow(first, envelope)
  else envelope.refuse({ _tag: "KeyReused", key })
  return true
}

const onRecord = ({ companion, spec }: Server, id: string): RecordedAnswer | undefined => {
  const recorded = companion?.recorded(id)
  return recorded?.until !== undefined && spec.clock.currentTimeMillisUnsafe() > recorded.until ? undefined : recorded
}

/** Answers with what is on record, or with what became of it. */
const answerAgain = (server: Server, envelope: Envelope, key: string, found: AnswerText.Found): void => {
  if (found._tag === "KeyReused") return envelope.refuse({ _tag: "KeyReused", key })
  const exit = found._tag === "Answer"
    ? found.exit
    : Exit.fail(callError(server.name, envelope.type.tag, { ...found, key }))
  answer(server, envelope, exit)
}

/** Whether the timer of a message was cancelled or handled since: then the message is not handled. */
const isOver = (server: Server, { attempts, type }: Envelope, { due, fired }: TimerMessage): boolean => {
  if (!isSet(server.timers, due)) {
    idle(server)
    return true
  }
  const { due: at, late, missed, name: timer } = fired
  if (attempts === 1) publish(server, "TimerFired", { timer, message: type.tag, due: at, late, missed })
  return false
}

/** A call that was made again gets the answer of the first one, unless it gives up before. */
const follow = (first: Envelope, again: Envelope): void => {
  again.follows = first
  ;(first.followers ??= new Set()).add(again)
}

/** Takes what a handler returned to where it is a value. */
export const proceed = (server: Server, envelope: Envelope, next: unknown): void => {
  // The commonest answer of a call is asked for first.
  if (Array.isArray(next) || !isEffect(next)) return conclude(server, envelope, next)
  if (isExit(next)) return finished(server, envelope, next)
  runHandler(server, envelope, next)
}

const runHandler = (server: Server, envelope: Envelope, effect: Effect.Effect<unknown, unknown>): void => {
  const span = envelope.work === undefined ? envelope.span : undefined
  run(server, span === undefined ? effect : within(span, effect), (exit) => finished(server, envelope, exit), true)
}

/** A handler's Effect, in the span of the message's sender. */
export const within = (
  span: Tracer.AnySpan,
  effect: Effect.Effect<unknown, unknown>
): Effect.Effect<unknown, unknown> => Effect.provideService(effect, Tracer.ParentSpan, span)

/** Takes a handler's outcome: a value, a typed failure, a crash. */
export const finished = (server: Server, envelope: Envelope, exit: Exit.Exit<unknown, unknown>): void => {
  if (exit._tag === "Success") return conclude(server, envelope, exit.value)
  if (!envelope.type.isCall || !Cause.hasFails(exit.cause) || Cause.hasDies(exit.cause)) {
    return crash(server, exit.cause)
  }
  // A typed failure is a reply, not a crash: the state is as it was.
  if (envelope.work === undefined) server.handled++
  const reply = envelope.early ?? exit
  if (envelope.once !== undefined && !commitAnswer(server, envelope, server.state, reply)) return
  idle(server)
  answer(server, envelope, reply)
}

/** What a handler answered becomes the server's state, and then the caller's reply. */
const conclude = (server: Server, envelope: Envelope, next: unknown): void => {
  const { type, work } = envelope
  if (server.spec.faults !== undefined && injectFault(server, "afterHandler", envelope)) return
  if (type.isCall && Array.isArray(next) && next.length === 2) {
    return accept(server, envelope, next[1], noOptions, Exit.succeed(next[0]))
  }
  if (work !== undefined && next instanceof SystemAnswer) return concludeSystem(server, envelope, next)
  if (isNext(next)) return concludeNext(server, envelope, next)
  if (!type.isCall) return accept(server, envelope, next, noOptions, undefined)
  crash(server, Cause.die(invalidResult(server, type.tag, next)))
}

const concludeNext = (server: Server, envelope: Envelope, next: Next<unknown, unknown, never, unknown>): void => {
  const problem = next._tag === "Stop" ? undefined : problemOf(server, next.options, envelope.type.tag)
  if (problem !== undefined) return crash(server, Cause.die(problem))
  switch (next._tag) {
    case "Reply":
      return accept(server, envelope, next.state, next.options, Exit.succeed(next.reply))
    case "NoReply":
      if (envelope.type.isCall && !envelope.isAnswered) server.ownOccasional.promised.add(envelope)
      return accept(server, envelope, next.state, next.options, undefined)
    case "Stop": {
      const { answer } = next
      const reply = envelope.early ?? ("reply" in answer ? Exit.succeed(answer.reply) : undefined)
      const state = "state" in answer ? answer.state : server.state
      const isCommit = "state" in answer || reply !== undefined || envelope.once?.timer !== undefined
      if (isCommit && !commitAnswer(server, envelope, state, reply)) return
      // The reply is given when it is known what happens next, as to every caller whose message was in hand at the end.
      envelope.stopped = { reply }
      return end(server, next.reason)
    }
  }
}

/** The system looked, or changed something: only a change is committed, and it proves nothing about the state. */
const concludeSystem = (server: Server, envelope: Envelope, { change, reply }: SystemAnswer): void => {
  if (change !== undefined) {
    if (change.spec !== undefined) adopt(server, change.spec, change.behavior)
    if (!commit(server, change.state, "person")) return
  }
  idle(server)
  if (!envelope.type.isCall) return
  if (change === undefined) envelope.answer(Exit.succeed(reply))
  else answer(server, envelope, Exit.succeed(reply))
}

/** Goes on with another behaviour: this incarnation, and those that follow. */
const adopt = (server: Server, spec: Server["spec"], behavior: Server["behavior"] | undefined): void => {
  server.spec = spec
  if (server.running === undefined) return
  server.running.behavior = behavior
  server.running.fork = forkIn(server, server.running.scope)
}
