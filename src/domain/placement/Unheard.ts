/**
 * Why a call got no answer of its server, which is in another place, and whether it may have been handled.
 *
 * @since 0.1.0
 */
import type { CallErrorReason, Unreachable } from "../process/CallError.ts"

type Why = (typeof Unreachable.Type)["why"]

/** Why there is no answer, and whether a handler may have begun with the message. */
export interface Unheard {
  readonly why: Why
  readonly begun: boolean
}

/** What effect's cluster says, by the tag of its error. */
const signs: Readonly<Record<string, Unheard>> = {
  // It is answered only where this process itself is on its way out: otherwise the cluster asks again by itself.
  EntityNotAssignedToRunner: { why: "left", begun: false },
  MailboxFull: { why: "full", begun: false },
  PersistenceError: { why: "storage", begun: true },
  AlreadyProcessingMessage: { why: "moved", begun: true }
}

/** What an error of the cluster means; nothing for any other. */
export const fromTag = (tag: string): Unheard | undefined => Object.hasOwn(signs, tag) ? signs[tag] : undefined

/** The server was handed over while the message was on its way, or in hand. */
export const handedOver: Unheard = { why: "moved", begun: true }

/** The server was handed over before it began with the message. */
export const movedAway: Unheard = { why: "moved", begun: false }

/**
 * What a call's failure means to a caller elsewhere while the server is handed over; nothing where it means what it
 * says. A server that ended in order says how only where it had the message in hand.
 */
export const ofHandOver = (reason: CallErrorReason): Unheard | undefined => {
  switch (reason._tag) {
    case "NotRunning":
      if (reason.again !== undefined) return undefined
      return reason.reason === undefined ? movedAway : handedOver
    case "Crashed":
      return reason.reason === undefined ? undefined : handedOver
    default:
      return undefined
  }
}

/** A message, or its answer, was not understood on the way. */
export const malformed: Unheard = { why: "malformed", begun: true }

/** Nothing came in time. */
export const silent: Unheard = { why: "silent", begun: true }

/** The reason of a call's error. */
export const toReason = (
  { begun, why }: Unheard,
  key: string | undefined,
  detail?: string
): typeof Unreachable.Type => ({
  _tag: "Unreachable",
  why,
  begun,
  ...(key === undefined ? {} : { key }),
  ...(detail === undefined || detail === "" ? {} : { detail })
})

/**
 * Whether a call is made again by itself: it went where its server is no more, and either nothing was done, or its key
 * keeps what was done from being done twice.
 */
export const isAskedAgain = (reason: CallErrorReason, hasKey: boolean): boolean =>
  reason._tag === "Unreachable" && (reason.why === "moved" || reason.why === "storage") && (hasKey || !reason.begun)
