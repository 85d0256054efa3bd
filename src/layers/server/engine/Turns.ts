/**
 * What a server does in its turn: an order to stop, its state, a continuation, a timeout, and then what waits.
 *
 * @since 0.1.0
 */
import { Idle, Pending } from "../../../domain/server/Phase.ts"
import type { CompanionPort } from "../../state/companion/Companion.ts"
import { end, internalError } from "../life/End.ts"
import { handleIdle, wantTurn } from "../life/Rest.ts"
import { activate, doze, passivate } from "../life/Sleep.ts"
import { Envelope } from "../message/Envelope.ts"
import { ownCast, type Work } from "../message/MessageType.ts"
import type { Occasional } from "../parts/Occasional.ts"
import { passivated, type Server } from "../parts/Server.ts"
import { castNow } from "./Direct.ts"
import { handle } from "./Handle.ts"

/** Works off what waits, until nothing does, something takes time, or the turn is over. */
export const drain = (server: Server): void => {
  if (server.draining) return
  server.draining = true
  try {
    while (server.phase === Idle || server.phase === Pending) {
      const { companion, mailbox, occasional, spec, stopping } = server
      if (stopping !== undefined) end(server, stopping.reason)
      else if (server.phase === Pending && server.state === passivated && server.isWanted) activate(server)
      else if (occasional?.continuation !== undefined) {
        if (spec.turns.spend(spec.clock)) {
          giveWay(server)
          break
        }
        proceedWith(server, occasional, occasional.continuation)
      } else if (occasional?.idleDue === true && !occasional.suspended) handleIdle(server)
      else if (occasional?.isDrowsy === true) doze(server)
      else {
        if (mailbox === undefined) break
        if (companion?.isFull === true) {
          awaitRoom(server, companion)
          break
        }
        if (spec.turns.spend(spec.clock)) {
          spec.turns.push(server)
          break
        }
        const message = occasional?.suspended === true ? mailbox.takeOwn() : mailbox.take()
        if (message === undefined) break
        spec.parent.telemetry.counters.queued--
        if (message.place === undefined) castNow(server, message)
        else handle(server, message)
        mailbox.resumeSenders()
      }
    }
    if (server.mailbox?.size === 0) server.mailbox = undefined
    if (server.phase === Pending && server.occasional?.rest?.isStored === true) passivate(server)
  } catch (defect) {
    internalError(server, defect)
    // It may be up again by now.
    server.spec.turns.push(server)
  } finally {
    server.draining = false
  }
}

/**
 * The turn is over, and a continuation goes before whatever is queued. One request of the system is answered all the
 * same: a server whose continuations never end can still be looked at.
 */
const giveWay = (server: Server): void => {
  server.spec.turns.push(server)
  const request = server.mailbox?.takeRequest()
  if (request === undefined) return
  server.spec.parent.telemetry.counters.queued--
  handle(server, request)
}

/** Runs what comes before anything queued, as a message without a caller. */
const proceedWith = (server: Server, occasional: Occasional, work: Work): void => {
  occasional.rest = undefined
  occasional.continuation = undefined
  handle(server, new Envelope(server, ownCast, undefined, undefined, work))
}

const awaitRoom = (server: Server, companion: CompanionPort<unknown>): void =>
  companion.whenRoom(() => wantTurn(server))
