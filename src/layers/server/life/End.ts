/**
 * How incarnations end: by a crash, by their own answer, by an order.
 *
 * *Tricky*: the order of steps. An incarnation ends (`end`), its clean-up runs, its observers and its supervisor hear
 * of it (`ended`). The supervisor decides, and only then the callers are answered (`Settle`): before that it is not
 * known whether the server comes back. Queued callers wait through all of it.
 *
 * @since 0.1.0
 */
import { Cause, Deferred, Effect, Exit, type Fiber, Scope } from "effect"
import { crashed, type ExitReason, isOrderly, killed, toText } from "../../../domain/process/ExitReason.ts"
import { patienceFor, type Shutdown } from "../../../domain/process/Fate.ts"
import { Stop } from "../../../domain/server/Next.ts"
import {
  Busy,
  Ending,
  Initialising,
  isDown,
  isStarting,
  isUp,
  Restarting,
  Restoring
} from "../../../domain/server/Phase.ts"
import { Fenced } from "../../../domain/server/ServerErrors.ts"
import type { Crash } from "../../../domain/state/Recovery.ts"
import { isInstance } from "../../../domain/text/ForeignText.ts"
import { isEffect } from "../../process/EffectInternals.ts"
import { outcomeOf } from "../../process/Execute.ts"
import type { Observers } from "../../process/Observers.ts"
import * as Timer from "../../process/Timer.ts"
import { ownCast } from "../message/MessageType.ts"
import { failed, invalidResult, isPromise, publish } from "../parts/Events.ts"
import { passivated, type Server } from "../parts/Server.ts"
import type { AnyBehavior } from "../parts/ServerSpec.ts"
import { incarnationOf, run } from "./Fibers.ts"

const outside: Crash["activity"] = { _tag: "Outside" }

/** The activity in which the incarnation ended. What an order ends has not failed, whatever the order's reason is. */
const activityOf = ({ current, phase, stopping }: Server, reason: ExitReason): Crash["activity"] => {
  if (stopping !== undefined) return outside
  const callback = phase === Initialising
    ? "init"
    : phase === Restoring
    ? "restore"
    : current?.type === ownCast
    ? "continueWith"
    : undefined
  if (callback !== undefined) return { _tag: "InCallback", callback, why: toText(reason) }
  if (current === undefined || current.work !== undefined) return outside
  return { _tag: "InHandler", message: { tag: current.type.tag, payload: current.payload } }
}

/** Has the companion take down how the incarnation ended. */
export const observe = (server: Server, reason: ExitReason): void => {
  try {
    const { handled, restoredFrom: restored } = server
    server.companion?.observe(reason, { restored, handled: handled > 0, activity: activityOf(server, reason) })
  } catch (defect) {
    // Payloads are compared there, and may be anything.
    failed(server, "what it died of was not held against its state", Cause.die(defect))
  }
}

/** The incarnation ends of this cause, unless something else was ordered before. */
export const crash = (server: Server, cause: Cause.Cause<unknown>): void =>
  end(server, server.stopping?.reason ?? crashed(cause))

/** The companion has refused a commit: another incarnation, or another process, has taken over. */
export const fenced = (server: Server): Fenced => {
  publish(server, "WriteFenced", { current: server.incarnation + 1 })
  return new Fenced({ server: server.name, incarnation: server.incarnation })
}

/**
 * Something threw where nothing may, in a turn or on a caller's stack: this incarnation ends, and nothing else is
 * harmed. Let go any further it would end the program, or leave a server behind that is busy for ever.
 */
export const internalError = (server: Server, defect: unknown): void => {
  const cause = Cause.die(defect)
  if (isUp(server.phase)) crash(server, cause)
  else if (isStarting(server.phase)) leaveStarting(server, crashed(cause), cause)
  else if (server.phase === Ending) ended(server, crashed(cause))
  else failed(server, "something else went wrong while it ended", cause)
}

/** The incarnation is over: clean-up, then its observers and its supervisor. */
export const end = (server: Server, reason: ExitReason): void => {
  observe(server, reason)
  server.phase = Ending
  const { companion, occasional, running, state } = server
  if (running !== undefined) running.fiber = undefined
  // A crash is no answer, so what the last one asked for is still to be done; an order is the last word on all of it.
  occasional?.dropPlans(reason._tag !== "Crashed" && reason._tag !== "NotConserved")
  // `terminate` and the final write are skipped when it was killed, and when its state could not be stored.
  const isAbrupt = reason._tag === "Killed" || reason._tag === "NotConserved"
  if (!isAbrupt) companion?.conclude(server.incarnation, state)
  const terminate = isAbrupt ? undefined : server.behavior.terminate
  if (terminate === undefined && running === undefined) return ended(server, reason)
  cleanUp(server, reason, terminate)
}

/** Runs `terminate` and closes the Scope, in a fiber. Apart from `end`, since most crashes have neither. */
const cleanUp = (server: Server, reason: ExitReason, terminate: AnyBehavior["terminate"]): void => {
  const { companion, state } = server
  const { scope } = incarnationOf(server)
  const terminated = (state: unknown): Effect.Effect<unknown, unknown> => {
    const answer = terminate?.(reason, state)
    if (isEffect(answer)) return answer
    return isPromise(answer) ? Exit.die(invalidResult(server, "terminate", answer)) : Exit.succeed(answer)
  }
  const isAway = state === passivated && terminate !== undefined
  const terminating = isAway ? Effect.flatMap(companion!.activate, terminated) : Effect.suspend(() => terminated(state))
  // Nothing but a kill interrupts `terminate`, and nothing does what comes after it.
  const all = Effect.uninterruptibleMask((restore) =>
    Effect.onExit(restore(terminating), () => {
      if (server.running?.scope === scope) server.running.isClosing = true
      return Scope.close(scope, reason._tag === "Crashed" ? Exit.failCause(reason.cause) : Exit.void)
    })
  )
  run(server, all, (exit) => {
    const isCut = reason._tag !== "Killed" && server.stopping?.reason._tag === "Killed"
    ended(server, isCut && exit._tag === "Success" ? killed : endedAs(server, isCut ? killed : reason, exit))
  })
  if (server.phase === Ending && server.stopping?.ended === undefined) boundEnd(server, reason)
}

/**
 * Ends the clean-up: `terminate` is interrupted, or left behind if it cannot be. What is being released has as long as
 * after any kill.
 */
const cutShort = (server: Server): void => {
  const { fiber, running, stopping } = server
  server.stopping = { reason: killed, ended: stopping?.ended }
  if (running?.isClosing !== true) fiber?.interruptUnsafe()
  if (server.phase !== Ending || server.fiber !== fiber) return
  if (running?.isClosing === true) boundEnd(server, killed)
  else abandon(server, false)
}

/**
 * How it ended after its clean-up: `Next.stop` replaces the reason, a failure makes an orderly end a crash. After a
 * disorderly end, whose reason is known to those who wait, a failure is reported beside it.
 */
const endedAs = (server: Server, reason: ExitReason, cleanUp: Exit.Exit<unknown, unknown>): ExitReason => {
  if (cleanUp._tag === "Success") return isInstance(cleanUp.value, Stop) ? cleanUp.value.reason : reason
  if (isOrderly(reason)) return crashed(cleanUp.cause)
  if (!Cause.hasInterruptsOnly(cleanUp.cause)) {
    cleanUpFailed(server, `its clean-up failed, after it had ended (${toText(reason)})`, cleanUp.cause)
  }
  return reason
}

const cleanUpFailed = (server: Server, what: string, cause: Cause.Cause<unknown>): void => {
  publish(server, "CleanUpFailed", { cause })
  failed(server, what, cause)
}

/** Nothing of the incarnation is left: its observers hear of it, and its supervisor decides. */
const ended = (server: Server, reason: ExitReason, isAbandoned = false): void => {
  const { current: message, running, state, stopping } = server
  // A supervisor knows what it asked for.
  const isCrash = !isOrderly(reason) && !(stopping?.ended !== undefined && stopping.reason === reason)
  if (isCrash || message !== undefined) {
    server.ended = { reason, message, isCrash, isAbandoned, state, behavior: running?.behavior }
  }
  server.inHand = undefined
  server.state = undefined
  isOver(server, reason)
  if (stopping?.ended !== undefined) Deferred.doneUnsafe(stopping.ended, Exit.succeed(reason))
  else server.spec.parent.exited(server, server.incarnation, reason)
}

const isOver = (server: Server, reason: ExitReason): void => {
  server.phase = Restarting
  server.lastExit = reason
  server.running = undefined
  server.stopping = undefined
  const observers = server.occasional?.observers
  if (observers !== undefined) callObservers(server, observers, reason)
}

const callObservers = (server: Server, observers: Observers, reason: ExitReason): void =>
  observers.exited(server.incarnation, reason, (defect) => observerFailed(server, defect))

/** An observer is foreign code: the others, and the supervisor, hear of the end all the same. */
export const observerFailed = (server: Server, defect: unknown): void =>
  failed(server, "an observer failed", Cause.die(defect))

/** The start is over, and nothing is up. The supervisor learns it from the start itself. */
export const left = (server: Server, reason: ExitReason): void => {
  const { stopping } = server
  isOver(server, reason)
  if (stopping?.ended !== undefined) Deferred.doneUnsafe(stopping.ended, Exit.succeed(reason))
}

/** The same for a start that is waited for. */
const leaveStarting = (server: Server, reason: ExitReason, cause: Cause.Cause<unknown>): void => {
  const starting = server.running?.starting
  left(server, reason)
  if (starting !== undefined) Deferred.doneUnsafe(starting, Exit.failCause(cause))
}

/** Leaves the fiber at work behind when it takes longer than that: where nothing else watches the clock. */
export const bound = (server: Server, millis: number, cause?: Cause.Cause<unknown>): void => {
  const { fiber } = server
  if (fiber === undefined) return
  fiber.addObserver(Timer.after(server.spec.context, millis, () => {
    if (server.fiber === fiber) abandon(server, true, cause)
  }))
}

/** The same for an end: it has the time that its reason leaves it. */
const boundEnd = (server: Server, reason: ExitReason): void => bound(server, patienceFor(reason, server.spec.shutdown))

/** The incarnation does not end at once, or `isLate`: it is left behind, and fenced off from the state. */
const abandon = (server: Server, isLate: boolean, cause: Cause.Cause<unknown> = Cause.interrupt()): void => {
  publish(server, "Abandoned", {})
  server.ownCompanion.fenceOff(server.incarnation)
  const { occasional, phase, running } = server
  if (isUp(phase)) occasional?.dropPlans(true)
  // What it holds is released when it is done with it, if ever.
  running?.fiber?.addObserver((exit) => release(server, running.scope, exit))
  if (isStarting(phase)) leaveStarting(server, killed, cause)
  else ended(server, killed, isLate)
}

/** Closes what an incarnation has acquired that did not come up, or is left behind. */
export const release = (
  server: Server,
  scope: Scope.Closeable,
  exit: Exit.Exit<unknown, unknown>
): Fiber.Fiber<void> => {
  const closing = Effect.runForkWith(server.spec.context)(Scope.close(scope, exit))
  closing.addObserver((exit) => {
    if (exit._tag === "Failure") cleanUpFailed(server, "what it had acquired was not released", exit.cause)
  })
  return closing
}

/** Ends the incarnation at its supervisor's request, and answers how it really ended. */
export const stop = (
  server: Server,
  reason: ExitReason,
  shutdown: Shutdown
): Effect.Effect<ExitReason> => {
  if (isDown(server.phase)) return Exit.succeed(server.lastExit ?? reason)
  const brutal = shutdown === "brutal_kill"
  const outcome = server.stopping?.ended ?? Deferred.makeUnsafe<ExitReason>()
  server.stopping = { reason: brutal ? killed : reason, ended: outcome }
  carryOut(server, server.stopping.reason)
  if (brutal && outcome.effect === undefined) abandon(server, false)
  if (outcome.effect !== undefined || shutdown === "infinity" || brutal) return outcomeOf(outcome)
  return Effect.timeoutOrElse(outcomeOf(outcome), {
    duration: shutdown,
    orElse: () => {
      if (outcome.effect === undefined) abandon(server, true)
      return outcomeOf(outcome)
    }
  })
}

/** Ends the incarnation as an exit signal from outside does. */
export const exit = (server: Server, reason: ExitReason): void => {
  if (server.phase === Ending && reason._tag === "Killed") return cutShort(server)
  if (server.phase >= Ending) return
  const { stopping } = server
  if (stopping === undefined) server.stopping = { reason, ended: undefined }
  else if (reason._tag === "Killed") server.stopping = { ...stopping, reason }
  else return
  carryOut(server, reason)
  // A supervisor that waits watches the clock itself, but has more patience than a kill.
  const isWatched = server.stopping?.ended !== undefined && reason._tag !== "Killed"
  if (server.stopping !== undefined && !isWatched && server.phase < Ending) boundEnd(server, reason)
}

/** Carries out an order as far as it can be now: a handler on this very stack is waited for. */
const carryOut = (server: Server, reason: ExitReason): void => {
  if (isUp(server.phase) && server.phase !== Busy) end(server, reason)
  else if (server.phase !== Ending) server.fiber?.interruptUnsafe()
}
