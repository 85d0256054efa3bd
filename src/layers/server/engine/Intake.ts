/**
 * How messages come to a server: calls, casts and requests of the system; and how they are withdrawn.
 *
 * @since 0.1.0
 */
import { Cause, Effect, Exit, Fiber, type Tracer } from "effect"
import { InvalidOption } from "../../../domain/options/InvalidOption.ts"
import { callError, type CallErrorReason, type WaitsFor } from "../../../domain/process/CallError.ts"
import { notRunning } from "../../../domain/server/Delivery.ts"
import { isKey, maxKeyBytes } from "../../../domain/server/Idempotency.ts"
import { Busy, Idle, isUp, Parked, Pending, Restarting, Starting, Stopped } from "../../../domain/server/Phase.ts"
import { messageOf, text } from "../../../domain/text/ForeignText.ts"
import { attempt } from "../../process/Execute.ts"
import * as Turn from "../../process/Turn.ts"
import { brokenOff, onStack, tellAgain, tooDeep } from "../life/EndOfStack.ts"
import { wantTurn } from "../life/Rest.ts"
import { answer, forward, hasSuccessor, lose, setAside } from "../life/Settle.ts"
import { callText } from "../message/AnswerText.ts"
import { selfWait } from "../message/CallChain.ts"
import { Envelope } from "../message/Envelope.ts"
import { type MessageType, ownCall, type QueuedCast, type Work } from "../message/MessageType.ts"
import type { QuarantinedMessage } from "../message/Quarantine.ts"
import { shownPayload } from "../message/ShownMessage.ts"
import { publish } from "../parts/Events.ts"
import { passivated, type Server } from "../parts/Server.ts"
import { catchUp } from "./CatchUp.ts"
import { commitAnswer } from "./Commit.ts"
import { callNow, handleNow } from "./Direct.ts"

/** A call: the caller's fiber goes on with what this returns. */
export const call = (
  server: Server,
  type: MessageType,
  payload: unknown,
  millis: number
): Effect.Effect<unknown, unknown> => {
  server.spec.parent.telemetry.counters.calls++
  if (isFree(server)) {
    const { depth } = Turn.stack
    try {
      return callNow(server, type, payload, millis)
    } catch (defect) {
      // As `onStack` does, without a function for each call.
      Turn.stack.depth = depth
      if (defect instanceof RangeError) {
        if (server.phase === Busy || server.phase === Restarting) server.stopping ??= tooDeep
        if (server.phase === Busy) server.phase = Pending
      }
      throw brokenOff(server, defect)
    }
  }
  return new Envelope(server, type, payload, Fiber.getCurrent()).sendAndWait(millis)
}

/** Whether a call may be handled on its caller's stack. */
const isFree = ({ companion, mailbox, phase }: Server): boolean =>
  phase === Idle && mailbox === undefined && Turn.isShallow() && companion?.isFull !== true

/** A call that may be made again: what it was answered is on record, or will be. */
export const callOnce = (
  server: Server,
  type: MessageType,
  payload: unknown,
  millis: number,
  key: string
): Effect.Effect<unknown, unknown> => {
  // Mistakes of the caller's are found here, and do not reach the server.
  if (!isKey(key)) {
    const reason = { _tag: "InvalidIdempotencyKey", key: text(key), maxBytes: maxKeyBytes } as const
    return Exit.fail(callError(server.name, type.tag, reason))
  }
  const written = attempt(() => callText(type, payload))
  if (written._tag === "Failure") return Exit.die(unfit(server, type, payload, written.cause))
  server.spec.parent.telemetry.counters.calls++
  const envelope = new Envelope(server, type, payload, Fiber.getCurrent())
  envelope.once = { key, call: written.value }
  return isFree(server)
    ? onStack(server, () => handleNow(server, envelope).wait(millis))
    : envelope.sendAndWait(millis)
}

const unfit = (server: Server, type: MessageType, given: unknown, cause: Cause.Cause<unknown>): InvalidOption => {
  const why = Cause.squash(cause)
  return new InvalidOption({
    of: server.name,
    request: type.tag,
    option: "payload",
    given: shownPayload(type, given),
    expected: `what its schemas write down, for a call with an idempotencyKey (${messageOf(why)})`
  })
}

/** A cast: its sender goes on at once, or when there is room. A cast to a server that is not running is dropped. */
export const cast = (
  server: Server,
  message: QueuedCast,
  span: Tracer.AnySpan | undefined
): Effect.Effect<void> => {
  const { counters } = server.spec.parent.telemetry
  counters.casts++
  if (server.phase === Stopped) {
    if (hasSuccessor(server)) forward(server, message)
    else lose(server, message)
    return Exit.void
  }
  if (span !== undefined) return enqueue(server, Envelope.traced(server, message, span))
  if (!server.ownMailbox.post(message)) {
    return enqueue(server, new Envelope(server, message.type, message.payload, undefined))
  }
  counters.queued++
  if (server.phase === Idle || server.phase === Pending) wantTurn(server)
  return Exit.void
}

/** Takes a call whose caller has begun to wait. */
export const post = (server: Server, envelope: Envelope): void => {
  if (server.phase === Stopped) {
    if (hasSuccessor(server) && envelope.work === undefined) forward(server, envelope)
    else envelope.refuse(notRunning(server.askedBy))
    return
  }
  if (server.phase === Parked) return envelope.refuse({ _tag: "Parked" })
  const chain = selfWait(server, envelope.sender)
  if (chain !== undefined) return envelope.refuse({ _tag: "CallingSelf", chain })
  enqueue(server, envelope)
  if (envelope.work === undefined) onStack(server, () => catchUp(server, envelope))
}

/** Puts a message into the mailbox; answers what its sender has to wait for, if the mailbox is full. */
export const enqueue = (server: Server, envelope: Envelope): Effect.Effect<void> => {
  server.spec.parent.telemetry.counters.queued++
  const mailbox = server.ownMailbox
  const put = envelope.work === undefined ? mailbox.put(envelope) : mailbox.putOwn(envelope)
  if (server.phase === Idle || server.phase === Pending) wantTurn(server)
  else if (server.stopping === tooDeep) tellAgain(server)
  switch (put._tag) {
    case "Queued":
      return Exit.void
    case "Waits":
      return put.room
    case "Full":
      drop(server, envelope)
      return Exit.void
    case "Dropped":
      drop(server, put.envelope)
      return Exit.void
  }
}

const drop = (server: Server, envelope: Envelope): void => {
  server.spec.parent.telemetry.counters.queued--
  envelope.refuse({ _tag: "MailboxFull", capacity: server.spec.capacity })
  publish(server, "Dropped", { message: envelope.type.tag, reason: "MailboxFull" })
}

/** A message's sender is gone, or has heard that it waited long enough. */
export const withdrawn = (server: Server, envelope: Envelope): void => {
  // A call that may be made again is kept: when it is made again, that one waits for the same answer.
  if (envelope.once === undefined) server.occasional?.promised.delete(envelope)
  envelope.follows?.followers?.delete(envelope)
  if (envelope.held !== undefined) server.companion?.letGo()
  if (envelope.place === "nowhere") return
  server.spec.parent.telemetry.counters.queued--
  const { mailbox } = server
  mailbox?.withdraw(envelope)
  mailbox?.resumeSenders()
}

/** What a message waits for now. */
export const waitsFor = (server: Server, envelope: Envelope): WaitsFor => {
  if (envelope.held !== undefined) return "store"
  if (server.current === envelope || server.ended?.message === envelope) return "handler"
  if (envelope.place === "nowhere" && envelope.attempts > 0) return "reply"
  if (envelope.place === "outside") return "room"
  if (server.phase >= Starting) return "start"
  if (server.suspended && envelope.work === undefined) return "resume"
  return server.companion?.isFull === true || server.state === passivated ? "store" : "turn"
}

/** A request of the system, in the order of the mailbox: `work` sees the state and answers as a call's handler does. */
export const ask = (
  server: Server,
  work: Work,
  millis: number,
  type: MessageType = ownCall
): Effect.Effect<unknown, unknown> =>
  new Envelope(server, type, undefined, Fiber.getCurrent(), work).sendAndWait(millis)

/**
 * Takes a message of the system that is not answered, from a sender that waits for what comes of it; the way by which
 * it would wait for itself, if it would.
 */
export const tell = (server: Server, envelope: Envelope): ReadonlyArray<string> | undefined => {
  const chain = selfWait(server, envelope.sender)
  if (chain === undefined && server.phase !== Stopped) enqueue(server, envelope)
  return chain
}

/** Why a server takes no message now, if it takes none. */
export const refusalOf = (server: Server): CallErrorReason | undefined => {
  if (server.phase < Parked) return undefined
  return server.phase === Parked ? { _tag: "Parked" } : notRunning(server.askedBy)
}

/**
 * Sends a quarantined message again, that was taken out; it is back there when the server did not even begin with it.
 */
export const replay = (
  server: Server,
  message: QuarantinedMessage,
  millis: number
): Effect.Effect<unknown, unknown> => {
  const { payload, type } = message
  const envelope = new Envelope(server, type, payload, Fiber.getCurrent())
  const sent = type.isCall ? envelope.sendAndWait(millis) : Effect.suspend(() => {
    const reason = refusalOf(server)
    return reason === undefined ? enqueue(server, envelope) : Exit.fail(callError(server.name, type.tag, reason))
  })
  return Effect.onExit(sent, (exit) =>
    Effect.sync(() => {
      if (exit._tag === "Failure" && envelope.attempts === 0) {
        setAside(server, message)
      }
    }))
}

/** Whether its handler has ended without a commit. One that stops its server may be answered by `terminate`. */
const isUndone = ({ phase }: Server, { stopped }: Envelope): boolean => stopped === undefined && !isUp(phase)

/**
 * Answers a caller that was promised a later reply; a call with a key whose message is still in hand, with its commit.
 */
export const answerLater = (server: Server, envelope: Envelope, exit: Exit.Exit<unknown, unknown>): void => {
  if (envelope.isAnswered) return
  const { once } = envelope
  if (server.occasional?.promised.has(envelope) !== true) {
    // Its handler has crashed: the answer would be ahead of its state, and of what becomes of the message.
    if (isUndone(server, envelope)) return
    // It was not promised yet, so its handler is still at work: answer and state go on record in one commit.
    if (once !== undefined) {
      envelope.early = exit
      return
    }
  }
  // An answer goes on record with a state; a server that is down has none, and its caller hears what became of it.
  if (once !== undefined && server.phase > Pending) return
  // One that cannot be put on record ends the incarnation, and is refused as all that it had promised.
  if (once !== undefined && !commitAnswer(server, envelope, server.state, exit)) return
  server.occasional?.promised.delete(envelope)
  server.renew()
  answer(server, envelope, exit)
}

/**
 * Runs `f` when all that is committed by now is conserved, or cannot be, unless that is cancelled by what this returns.
 */
export const whenStored = (server: Server, f: () => void): () => void => {
  const { companion } = server
  const waiting = { isGone: false, stored: f, lost: f }
  if (companion === undefined) f()
  else companion.hold(waiting)
  return () => {
    waiting.isGone = true
    companion?.letGo()
  }
}
