/**
 * How incarnations begin: from what is conserved, or from `init`.
 *
 * *Tricky*: a start that answers at once costs no fiber. One in a fiber may be given up by its supervisor before it is
 * over; what it computes after that is dropped.
 *
 * @since 0.1.0
 */
import { Cause, Deferred, Effect, Exit, Fiber } from "effect"
import { crashed, type ExitReason, killed } from "../../../domain/process/ExitReason.ts"
import { EndedInStart, StartUndone } from "../../../domain/process/StartFailure.ts"
import { Ignore, isStart, Start } from "../../../domain/server/Next.ts"
import { Initialising, Restoring, Starting } from "../../../domain/server/Phase.ts"
import { InitTimeout, MissingCallback, NameTaken, StateRefused } from "../../../domain/server/ServerErrors.ts"
import type { Snapshot } from "../../../domain/state/Snapshot.ts"
import type { Started } from "../../process/Child.ts"
import { isEffect, isExit } from "../../process/EffectInternals.ts"
import { outcomeOf } from "../../process/Execute.ts"
import { type Besides, nothing, type Taken } from "../../state/companion/Companion.ts"
import { settled } from "../../state/companion/Settled.ts"
import * as Timed from "../message/Timed.ts"
import { invalidResult, isPromise, publish } from "../parts/Events.ts"
import type { Server } from "../parts/Server.ts"
import { type AnyBehavior, protectedBy } from "../parts/ServerSpec.ts"
import { bound, fenced, left, observe, observerFailed, release } from "./End.ts"
import { tooDeep } from "./EndOfStack.ts"
import { incarnationOf, run } from "./Fibers.ts"
import { idle, problemOf } from "./Rest.ts"
import { watch } from "./Sleep.ts"

type Starts = Effect.Effect<Started, unknown>

const started: Exit.Exit<Started> = Exit.succeed({ _tag: "Started" })
const ignored: Started = { _tag: "Ignored" }

/** Starts the next incarnation. */
export const start = (server: Server): Starts => {
  const { companions, make, shared } = server.spec
  // A server that owns its companion still has no need to look for it: among a million keys that is a restart's worth
  // of time.
  if (server.companion?.owner !== server) {
    server.companion = companions.enter(server)
    // Another process may have had this key before, or since: its incarnations are older than this one.
    server.incarnation = Math.max(server.incarnation, server.companion?.youngest ?? 0)
  }
  server.incarnation++
  if (server.stopping === tooDeep) server.stopping = undefined
  server.phase = Starting
  server.occasional?.observers?.returned((defect) => observerFailed(server, defect))
  server.handled = 0
  const holder = server.companion?.owner
  if (holder !== undefined && holder !== server) {
    server.companion = undefined
    return failStart(server, Cause.die(new NameTaken({ server: server.name, holder })))
  }
  let first: Effect.Effect<unknown, unknown>
  try {
    first = make === undefined ? firstState(server, shared!) : made(server, make)
  } catch (defect) {
    first = Exit.die(defect)
  }
  if (!isExit(first)) return startInFiber(server, first)
  return first._tag === "Success" ? begin(server, first.value) : failStart(server, first.cause)
}

/** The same with a behaviour that is this incarnation's own. */
const made = (
  server: Server,
  make: (key: string) => Effect.Effect<AnyBehavior, unknown>
): Effect.Effect<unknown, unknown> => {
  const running = incarnationOf(server)
  const begin = (behavior: AnyBehavior): Effect.Effect<unknown, unknown> => {
    if (server.running !== running) return Effect.interrupt
    running.behavior = behavior
    return firstState(server, behavior)
  }
  const making = make(server.key)
  return isExit(making) && making._tag === "Success" ? begin(making.value) : Effect.flatMap(making, begin)
}

/** What the incarnation starts from: what is conserved, or `init`. */
const firstState = (server: Server, behavior: AnyBehavior): Effect.Effect<unknown, unknown> => {
  const taken = server.companion === undefined ? nothing : server.companion.takeOver(server.incarnation)
  return isEffect(taken)
    ? Effect.flatMap(taken, (taken) => stateFrom(server, behavior, taken))
    : stateFrom(server, behavior, taken)
}

const stateFrom = (
  server: Server,
  behavior: AnyBehavior,
  { aside, decision }: Taken<unknown>
): Effect.Effect<unknown, unknown> => {
  for (const { seq, why } of aside) publish(server, "StateSetAside", { seq, why })
  switch (decision._tag) {
    case "Refuse":
    case "GiveUp":
      return Exit.die(new StateRefused({ server: server.name, seq: decision.from, why: decision.why }))
    case "Init":
      if (decision.from !== undefined) rolledBack(server, decision.from, undefined, decision.why)
      return initialised(server, behavior)
    case "RollBack":
      rolledBack(server, decision.from, decision.to.seq, decision.why)
      return restored(server, behavior, decision.to)
    case "Restore":
      return restored(server, behavior, decision.snapshot)
  }
}

/** Acknowledged updates are lost: it is an event, and a line in the log. */
const rolledBack = (server: Server, from: number, to: number | undefined, why: string): void => {
  const { incarnation, path } = server
  const { context, parent } = server.spec
  publish(server, "StateRolledBack", { from, why, ...(to === undefined ? {} : { to }) })
  parent.telemetry.rolledBack({ path, incarnation, from, to, why }, context)
}

const initialised = (server: Server, behavior: AnyBehavior): Effect.Effect<unknown, unknown> => {
  server.restoredFrom = 0
  server.phase = Initialising
  if (!("init" in behavior)) {
    return Exit.die(new MissingCallback({ server: server.name, callback: "init" }))
  }
  return isEffect(behavior.init) ? behavior.init : Exit.succeed(behavior.init)
}

const restored = (
  server: Server,
  { restore }: AnyBehavior,
  { seq, state }: Snapshot<unknown>
): Effect.Effect<unknown, unknown> => {
  const { copy } = server.spec
  server.restoredFrom = seq
  publish(server, "StateRestored", { seq })
  // What it was to wait for is restored with its state, and comes before its next message.
  if (restore !== undefined || server.occasional?.idleAfter !== undefined) server.phase = Restoring
  if (restore === undefined) return Exit.succeed(state)
  const first = restore(copy === undefined ? state : copy(state))
  return isEffect(first) ? first : Exit.succeed(first)
}

const startInFiber = (server: Server, first: Effect.Effect<unknown, unknown>): Starts => {
  const { initTimeout, shutdown } = server.spec
  const timeout = Cause.die(new InitTimeout({ server: server.name, millis: initTimeout }))
  const bounded = initTimeout === Infinity
    ? first
    : Effect.timeoutOrElse(first, { duration: initTimeout, orElse: () => Effect.failCause(timeout) })
  const outcome = Deferred.makeUnsafe<Started, unknown>()
  const running = incarnationOf(server)
  running.starting = outcome
  run(server, bounded, (exit) => {
    running.fiber = undefined
    Deferred.doneUnsafe(outcome, exit._tag === "Success" ? begin(server, exit.value) : failStart(server, exit.cause))
  })
  // An init that cannot be interrupted is not waited for beyond that.
  if (outcome.effect === undefined && initTimeout !== Infinity) bound(server, initTimeout + shutdown, timeout)
  return outcomeOf(outcome)
}

/** The incarnation is up. */
const begin = (server: Server, first: unknown): Starts => {
  try {
    return beginWith(server, first, specialOf(first))
  } catch (defect) {
    // Options that throw when they are read.
    return failStart(server, Cause.die(defect))
  }
}

type Special = Ignore | Start<unknown, never, unknown>

/** What is no state; a state may be anything, also what throws when it is asked. */
const specialOf = (first: unknown): Special | undefined => {
  if (typeof first !== "object") return undefined
  try {
    return isStart(first) || first instanceof Ignore ? first : undefined
  } catch {
    return undefined
  }
}

const beginWith = (server: Server, first: unknown, special: Special | undefined): Starts => {
  if (special instanceof Ignore) return leaveStart(server, killed, Effect.succeed(ignored))
  const initial = isStart(special) ? special : undefined
  const request = server.phase === Restoring ? "restore" : "init"
  const promise = isPromise(first) ? first : isPromise(initial?.state) ? initial?.state : undefined
  const problem = promise !== undefined
    ? invalidResult(server, request, promise)
    : initial && problemOf(server, initial.options, request)
  if (problem !== undefined) return failStart(server, Cause.die(problem))
  const { protect } = server.spec
  let state = initial === undefined ? first : initial.state
  if (protect !== undefined) {
    const kept = protectedBy(protect, state)
    if (kept._tag === "Failure") return failStart(server, kept.cause)
    state = kept.value
  }
  if (initial?.options.conserve === true || initial?.options.timers !== undefined) {
    const now = server.spec.clock.currentTimeMillisUnsafe()
    const timers = Timed.after({ of: server.name, request }, server, now, undefined, initial.options.timers)
    return conserved(server, initial, state, timers && { timers })
  }
  if (server.phase === Initialising) server.companion?.begun(state)
  server.state = state
  if (server.running !== undefined) server.running.starting = undefined
  watch(server)
  idle(server, initial?.options)
  return initial?.options.info === undefined ? started : Exit.succeed({ _tag: "Started", info: initial.options.info })
}

/**
 * Goes on with the start when the state is conserved, and what is set with it. A write that finally fails breaks the
 * start off.
 */
const conserved = (
  server: Server,
  { options, state: given }: Start<unknown, never, unknown>,
  state: unknown,
  besides: Besides | undefined
): Starts => {
  const companion = server.ownCompanion
  if (!companion.commit(server.incarnation, state, "callback", besides)) {
    return failStart(server, Cause.die(fenced(server)))
  }
  return startInFiber(
    server,
    Effect.as(settled(companion), new Start(given, { ...options, conserve: false, timers: undefined }))
  )
}

const failStart = (server: Server, cause: Cause.Cause<unknown>): Starts => {
  const reason = server.stopping?.reason ?? crashed(cause)
  // A typed failure says that something else was not there (a database, a file): it is no evidence against the state.
  const isTyped = Cause.hasFails(cause) && !Cause.hasDies(cause)
  if (server.companion?.owner === server && !isTyped) observe(server, reason)
  return leaveStart(server, reason, Exit.failCause(whyNotStarted(server, reason, cause)))
}

/** A signal that ended the start interrupted it: the signal's reason is what there is to say. */
const whyNotStarted = (server: Server, reason: ExitReason, cause: Cause.Cause<unknown>): Cause.Cause<unknown> => {
  if (reason._tag === "NotConserved") return Cause.fail(new StartUndone({ server: server.name, cause: reason.cause }))
  if (server.stopping === undefined || server.stopping.ended !== undefined) return cause
  return reason._tag === "Crashed" ? reason.cause : Cause.die(new EndedInStart({ server: server.name, reason }))
}

/** No incarnation came up: what it had acquired is released before the failure is answered. */
const leaveStart = (server: Server, reason: ExitReason, result: Starts): Starts => {
  const { running } = server
  if (running === undefined || running.scope.state._tag === "Empty") {
    left(server, reason)
    return result
  }
  const closing = release(server, running.scope, Exit.void)
  return Effect.flatMap(Effect.timeoutOption(Fiber.await(closing), server.spec.shutdown), (closed) => {
    // A supervisor may have given up waiting meanwhile.
    if (server.running === running) {
      if (closed._tag === "None") publish(server, "Abandoned", {})
      left(server, reason)
    }
    return result
  })
}
