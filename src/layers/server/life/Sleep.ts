/**
 * How a server that is left alone gives way, and how a state that has left memory comes back.
 *
 * *Tricky*
 * - A state that has left memory is waited for as whatever comes before the next message: messages wait in the mailbox
 *   until it is back.
 * - Its time is over in a hand-off of the clock's. A server that is at work then is not idle, and begins anew when it
 *   is done; one that waits for its turn decides in it, so that a message which came before is seen.
 * - A state may still be on its way to the store. What keeps the server awake is asked again when it is there.
 *
 * @since 0.1.0
 */
import { Effect } from "effect"
import * as Idleness from "../../../domain/server/Idleness.ts"
import { Busy, Idle, Pending } from "../../../domain/server/Phase.ts"
import * as Passivation from "../../../domain/state/Passivation.ts"
import { Deadline } from "../message/Deadlines.ts"
import { publish } from "../parts/Events.ts"
import type { Occasional } from "../parts/Occasional.ts"
import { passivated, type Server } from "../parts/Server.ts"
import { end, internalError } from "./End.ts"
import { run } from "./Fibers.ts"
import { awaitStored, dropSpare, idle, wantTurn } from "./Rest.ts"

/**
 * The time that a server may be left alone: one in the list of its class. Every message makes it begin anew, which is a
 * move to the end of the list: no timer is set for it.
 */
class Drowse extends Deadline {
  private readonly server: Server
  constructor(server: Server) {
    super()
    this.server = server
  }
  expire(): void {
    due(this.server)
  }
}

/** Counts how long the server is left alone, from its next rest on, if it has a time for that. */
export const watch = (server: Server): void => {
  if (server.spec.passivation !== undefined) server.ownOccasional.drowse ??= new Drowse(server)
}

/** It was left alone for long enough. */
const due = (server: Server): void => {
  if (server.phase === Pending) {
    server.ownOccasional.isDrowsy = true
    return wantTurn(server)
  }
  if (server.phase !== Idle) return
  try {
    server.phase = Busy
    doze(server)
  } catch (defect) {
    internalError(server, defect)
  }
}

/** Gives way, unless something keeps it awake. */
export const doze = (server: Server): void => {
  const occasional = server.ownOccasional
  const { comesBack, deadlines, passivation } = server.spec
  const { after, by } = passivation!
  occasional.isDrowsy = false
  occasional.rest = undefined
  const residency = server.companion?.residency(server.state) ?? "kept"
  switch (Idleness.decide({ by, comesBack, held: heldBy(server, occasional), residency })) {
    case "stay":
      dropSpare(server)
      server.phase = occasional.isCalm ? Idle : Pending
      return deadlines.add(occasional.drowse!, after)
    case "wait":
      server.phase = Pending
      return awaitStored(server, true)
    case "hibernate":
      return letGo(server, occasional)
    case "stop":
      return end(server, Idleness.idledAway)
  }
}

/** What keeps a server awake that is left alone. */
const heldBy = (server: Server, occasional: Occasional): ReadonlyArray<Idleness.Holder> => {
  const { continuation, debug, idleAfter, idleDue, observers, promised, quarantined, requests, suspended, work } =
    occasional
  const holds: Record<Idleness.Holder, boolean> = {
    message: server.mailboxSize > 0,
    continuation: continuation !== undefined || idleDue,
    promise: promised.size > 0,
    request: requests > 0,
    suspension: suspended,
    timeout: idleAfter !== undefined,
    work: work > 0,
    name: observers?.hasGone === true,
    quarantine: (quarantined?.size ?? 0) > 0,
    debug: debug?.isHeld === true,
    timer: server.spec.companions.forgets && server.timers.length > 0
  }
  return (Object.keys(holds) as ReadonlyArray<Idleness.Holder>).filter((holder) => holds[holder])
}

/** A state that was waited for is stored: it leaves memory, unless it is needed by now. */
export const passivate = (server: Server): void => {
  const occasional = server.ownOccasional
  if (occasional.rest?.isDrowsy === true) return doze(server)
  const decision = Passivation.decide({
    residency: server.companion!.residency(server.state),
    waiting: server.mailboxSize,
    promised: occasional.promised.size
  })
  if (decision === "wait") return awaitStored(server, false)
  occasional.rest = undefined
  if (decision === "leave") return letGo(server, occasional)
  server.phase = occasional.isCalm ? Idle : Pending
}

const letGo = (server: Server, occasional: Occasional): void => {
  server.companion!.passivate()
  server.state = passivated
  server.phase = Pending
  occasional.stopCounting()
  dropSpare(server)
  publish(server, "StatePassivated", {})
}

/** Brings the state back, in a fiber of its own; messages wait meanwhile. */
export const activate = (server: Server): void => {
  server.phase = Busy
  const { protect } = server.spec
  const loaded = Effect.map(server.companion!.activate, (state) => protect === undefined ? state : protect(state))
  run(server, loaded, (exit) => {
    if (exit._tag === "Failure") {
      return end(server, server.stopping?.reason ?? { _tag: "NotConserved", cause: exit.cause })
    }
    server.state = exit.value
    publish(server, "StateActivated", {})
    watch(server)
    idle(server)
  })
}
