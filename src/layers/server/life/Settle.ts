/**
 * What becomes of the messages, once the supervisor has decided what becomes of their server.
 *
 * Which caller hears what is decided in `domain/server/Delivery.ts`; here it is done.
 *
 * @since 0.1.0
 */
import { Cause, type Context, Effect, type Exit } from "effect"
import { type ExitReason, killed } from "../../../domain/process/ExitReason.ts"
import type { Fate } from "../../../domain/process/Fate.ts"
import * as Delivery from "../../../domain/server/Delivery.ts"
import { idledAway } from "../../../domain/server/Idleness.ts"
import { isDown, Parked, Restarting, Stopped } from "../../../domain/server/Phase.ts"
import { processOf } from "../../process/Process.ts"
import { instantOf } from "../../process/Timer.ts"
import * as Turn from "../../process/Turn.ts"
import type { Envelope, Queued } from "../message/Envelope.ts"
import { ownTell } from "../message/MessageType.ts"
import { keep, QuarantinedMessage } from "../message/Quarantine.ts"
import { failed, publish } from "../parts/Events.ts"
import type { Ended } from "../parts/Incarnation.ts"
import type { Server } from "../parts/Server.ts"
import type { Served } from "../parts/ServerSpec.ts"
import { observerFailed } from "./End.ts"
import { deliveryOf, report } from "./Report.ts"

const none: ReadonlyArray<Envelope> = []

const noDeed = () => {}

/** The supervisor has decided: callers and queue hear of it. */
export const settle = (server: Server, fate: Fate): void => {
  if (!isDown(server.phase)) return
  const { ended, lastExit, mailbox, occasional } = server
  const reason = lastExit ?? killed
  server.ended = undefined
  server.phase = fate === "restarting" ? Restarting : fate === "parked" ? Parked : Stopped
  const { meter } = server.spec
  meter?.settled(server, ended?.isCrash === true, fate === "restarting", instantOf(server.spec.clock))
  if (ended?.isCrash === true) reported(server, ended, fate)
  const promised = occasional?.promised.clear() ?? none
  // The books first: a caller that is answered below may start another server of this name at once.
  const waiting = Delivery.isQueueKept(fate) ? none : close(server, fate, reason)
  if (ended?.message !== undefined) resolveInFlight(server, ended.message, fate, reason)
  for (const envelope of promised) refuse(server, envelope, fate, reason)
  for (const message of waiting) {
    if (hasSuccessor(server) && message.work === undefined) forward(server, message)
    else if (!message.type.isCall) lose(server, message)
    else if (message.place !== undefined) {
      message.refuse(Delivery.waitingReason(message.attempts, reason, fate, server.askedBy))
    }
  }
  if (waiting.length > 0 || server.phase === Stopped) mailbox?.resumeSenders()
}

/** A report shows foreign values: what it throws must keep no caller from its answer. */
const reported = (server: Server, ended: Ended, fate: Fate): void => {
  try {
    report(server, ended, fate)
  } catch (defect) {
    failed(server, `the report of its ${ended.reason._tag} could not be made`, Cause.die(defect))
  }
}

/** It is down, and will not be started by itself: what waits is handed over, its name is free. */
const close = (server: Server, fate: Fate, reason: ExitReason): ReadonlyArray<Queued> => {
  const waiting = server.mailbox?.clear() ?? none
  server.mailbox = undefined
  server.spec.parent.telemetry.counters.queued -= waiting.length
  server.spec.companions.release(server, isStateKept(server, fate, reason) ? "keep" : "forget")
  server.occasional?.observers?.gone(reason, (defect) => observerFailed(server, defect))
  return waiting
}

/** Whether it has not ended for good, though it is down: its state is for the next server of its key. */
const isStateKept = ({ spec: { keying } }: Server, fate: Fate, reason: ExitReason): boolean =>
  fate === "stopped" || reason === idledAway || (fate === "finished" && typeof keying === "object" && keying.isUsual)

/** Whether it has stopped because it was left alone: what is sent to it goes to the server that takes its place. */
export const hasSuccessor = ({ lastExit, spec }: Server): boolean => lastExit === idledAway && spec.comesBack

/** Hands a message on to the server that takes the place of this one, in the order in which they are handed on. */
export const forward = (server: Server, message: Queued): void => {
  const { context, keying } = server.spec
  if (typeof keying !== "object") return
  const sender = message.place === undefined ? undefined : message.sender
  const asking = Effect.runForkWith(context)(keying.at(server.key, sender))
  asking.addObserver((exit) =>
    Turn.run(() => {
      if (exit._tag === "Success") return handOver(exit.value[processOf], context, message)
      if (!message.type.isCall) return lose(server, message)
      const reason = exit.cause.reasons.find(Cause.isFailReason)?.error.reason
      if (message.place === undefined) return
      message.refuse(reason?._tag === "CallingSelf" ? reason : Delivery.notRunning(server.askedBy))
    })
  )
}

const handOver = (next: Served, context: Context.Context<never>, message: Queued): void => {
  if (message.place === undefined) Effect.runForkWith(context)(next.cast(message, undefined))
  else if (!message.gone && message.exit === undefined) {
    message.server = next
    next.post(message)
  }
}

/** A cast that will not be handled: its sender does not hear of it, telemetry does. */
export const lose = (server: Server, { type }: Queued): void => {
  if (type !== ownTell) publish(server, "Dropped", { message: type.tag, reason: "NotRunning" })
}

/** The message that was in hand when the incarnation ended. */
export const resolveInFlight = (server: Server, envelope: Envelope, fate: Fate, reason: ExitReason): void => {
  if (envelope.exit !== undefined) return
  const { attempts, stopped, type } = envelope
  switch (deliveryOf(envelope, fate)) {
    case "reply":
      return answer(server, envelope, stopped!.reply!)
    case "refuse":
      return refuse(server, envelope, fate, reason)
    case "redeliver":
      if (envelope.gone) return
      server.spec.parent.telemetry.counters.queued++
      server.ownMailbox.putBack(envelope)
      return
    case "quarantine": {
      const at = server.spec.clock.currentTimeMillisUnsafe()
      const message = new QuarantinedMessage(type, envelope.payload, attempts, reason, at)
      publish(server, "Quarantined", { message: type.tag, attempts })
      setAside(server, message)
      return envelope.refuse({ _tag: "Quarantined", attempts })
    }
  }
}

/** Keeps a message in quarantine, where another may have to give way. */
export const setAside = (server: Server, message: QuarantinedMessage): void => {
  const dropped = keep(server.ownOccasional.quarantined ??= new Set(), message, server.spec.quarantine)
  if (dropped !== undefined) publish(server, "Dropped", { message: dropped.request, reason: "QuarantineFull" })
}

const refuse = (server: Server, envelope: Envelope, fate: Fate, reason: ExitReason): void =>
  envelope.refuse(Delivery.refusalReason(reason, fate, server.askedBy))

/**
 * Answers a caller as soon as the state that the answer was computed from is conserved; and the store is known to be
 * still this process's, where the message asks for that.
 */
export const answer = (server: Server, envelope: Envelope, exit: Exit.Exit<unknown, unknown>): void => {
  const { companion } = server
  if (envelope.work === undefined) server.occasional?.debug?.sent(envelope, exit, server.state)
  if (companion === undefined || !(companion.isBehind || envelope.type.confirms)) return envelope.answer(exit)
  envelope.held = exit
  const { clock, meter } = server.spec
  if (meter !== undefined) {
    const committed = instantOf(clock)
    companion.follow(() => meter.stored.note(instantOf(clock) - committed), noDeed)
  }
  if (envelope.type.confirms) companion.confirm(envelope)
  else companion.hold(envelope)
}

/** It has left the tree, as it was settled. */
export const removed = (server: Server): void => {
  if (server.phase === Stopped) server.spec.companions.leave(server)
}
