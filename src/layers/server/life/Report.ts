/**
 * Crash reports of servers.
 *
 * States and payloads may be secret, or large: they are shown as the behaviour's `formatStatus` leaves them, or not at
 * all.
 *
 * @since 0.1.0
 */
import type { CrashReport } from "../../../domain/observation/CrashReport.ts"
import type { Fate } from "../../../domain/process/Fate.ts"
import { nextText } from "../../../domain/process/Fate.ts"
import { type Delivery, inHand } from "../../../domain/server/Delivery.ts"
import type { Envelope } from "../message/Envelope.ts"
import { ownCast } from "../message/MessageType.ts"
import type { Ended } from "../parts/Incarnation.ts"
import { passivated, type Server } from "../parts/Server.ts"
import { formatted } from "../parts/Shown.ts"

/** What becomes of the message that was in hand. */
export const deliveryOf = ({ attempts, stopped, type, work }: Envelope, fate: Fate): Delivery => {
  const progress = stopped === undefined ? "interrupted" : stopped.reply === undefined ? "stopped" : "replied"
  return inHand(progress, fate, work === undefined ? type.message.redeliver : undefined, attempts)
}

/** What happens next, and where the message that was in hand is kept when it is not handled again. */
const nextOf = (message: Envelope | undefined, fate: Fate): string =>
  message === undefined || message.exit !== undefined || deliveryOf(message, fate) !== "quarantine"
    ? nextText[fate]
    : `${nextText[fate]}, and ${message.type.tag} is in quarantine (attempts: ${message.attempts}; see Sys.quarantined)`

/** Reports a crash, and what the supervisor makes of it. */
export const report = (server: Server, ended: Ended, fate: Fate): void => {
  const { context, isLogging, parent } = server.spec
  if (!isLogging && !parent.telemetry.reporting) return
  const { reason } = ended
  // A request of the system is no message of a caller; a continuation is the server's own, and is shown.
  const message = ended.message?.work === undefined || ended.message.type === ownCast ? ended.message : undefined
  const shown = shownOf(server, ended, message)
  parent.telemetry.crashed({
    path: server.path,
    incarnation: server.incarnation,
    reason,
    ...(message === undefined ? {} : { message: message.type.tag }),
    ...(server.restoredFrom === 0 ? {} : { restoredFrom: server.restoredFrom }),
    ...(shown === undefined ? {} : { shown }),
    ...(ended.isAbandoned ? { abandoned: true } : {}),
    ...(reason._tag === "NotConserved" ? { undone: server.companion?.undone ?? 0 } : {}),
    next: nextOf(message, fate)
  }, context)
}

const shownOf = (
  server: Server,
  { behavior, reason, state }: Ended,
  message: Envelope | undefined
): CrashReport["shown"] => {
  const hook = (behavior ?? server.spec.shared)?.formatStatus
  if (hook === undefined || state === passivated) return undefined
  const shown = formatted(server, {
    state,
    ...(message === undefined ? {} : { message: { request: message.type.tag, payload: message.payload } }),
    reason,
    log: server.debug?.log ?? []
  }, hook)
  return {
    state: shown.state,
    ...(shown.message === undefined ? {} : { message: shown.message }),
    ...(shown.reason === reason ? {} : { reason: shown.reason }),
    ...(shown.log === undefined || shown.log.length === 0 ? {} : { log: shown.log })
  }
}
