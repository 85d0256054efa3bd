/**
 * What a caller outside may know of a call that got no answer of its own, and what it may do about it.
 *
 * A `CallError` stays inside: it names servers, and carries causes with stacks. Outside there is a reason, and whether
 * the same request may simply be sent again.
 *
 * @since 0.1.0
 */
import { Schema } from "effect"
import type { CallErrorReason } from "../process/CallError.ts"

type Inside = CallErrorReason["_tag"]

/**
 * Why a request got no answer: the reasons of a `CallError`, and `NotStarted`, of a server by key that did not come up.
 *
 * @category schemas
 * @since 0.1.0
 */
export const UnansweredReason = Schema.Literals([
  "NotRunning",
  "Crashed",
  "Timeout",
  "MailboxFull",
  "Quarantined",
  "Parked",
  "CallingSelf",
  "NotConserved",
  "KeyReused",
  "AnswerLost",
  "InvalidIdempotencyKey",
  "InvalidPayload",
  "Unreachable",
  "NotStarted"
])

/**
 * Why a request got no answer.
 *
 * @category models
 * @since 0.1.0
 */
export type UnansweredReason = typeof UnansweredReason.Type

/**
 * A request that got no answer of its own: what is left of a `CallError` outside.
 *
 * `again`: nothing was done, and the same request may be answered when it is sent again. Where it is `false`, the
 * message may have been handled, or it is refused again. A call with an idempotency key may always be sent again with
 * that key where its server's state is conserved.
 *
 * @category errors
 * @since 0.1.0
 */
export class Unanswered extends Schema.TaggedError<Unanswered>()("Unanswered", {
  /** The tag of the message. */
  request: Schema.String,
  reason: UnansweredReason,
  again: Schema.Boolean
}) {
  override get message(): string {
    return `${this.request} got no answer (${this.reason}): ${
      this.again ? "nothing was done, it may be sent again." : "ask where it stands before it is sent again."
    }`
  }
}

// Nothing was done, and the same request may be answered. A reason that is not here does not compile.
const again: { readonly [Tag in Inside]: (reason: Extract<CallErrorReason, { readonly _tag: Tag }>) => boolean } = {
  // It ended with this very message in hand if it says how.
  NotRunning: ({ reason }) => reason === undefined,
  Crashed: () => false,
  Timeout: ({ begun }) => !begun,
  MailboxFull: () => true,
  Quarantined: () => false,
  Parked: () => true,
  // Nothing was done by these, and nothing else will come of sending them again.
  CallingSelf: () => false,
  KeyReused: () => false,
  InvalidIdempotencyKey: () => false,
  InvalidPayload: () => false,
  Unreachable: ({ begun }) => !begun,
  NotConserved: () => false,
  AnswerLost: () => false
}

/** Whether nothing was done by a call that failed so, and the same call may be answered when it is made again. */
export const isSafeAgain = <Tag extends Inside>(reason: Extract<CallErrorReason, { readonly _tag: Tag }>): boolean => {
  const rule: (reason: Extract<CallErrorReason, { readonly _tag: Tag }>) => boolean = again[reason._tag as Tag]
  return rule(reason)
}

/** What a caller outside hears of a call that failed. */
export const unanswered = (request: string, reason: CallErrorReason): Unanswered =>
  new Unanswered({ request, reason: reason._tag, again: isSafeAgain(reason) })

/** What it hears when the server of its key did not start; `isFinal` where it will not by itself. */
export const notStarted = (request: string, isFinal: boolean): Unanswered =>
  new Unanswered({ request, reason: "NotStarted", again: !isFinal })

interface Advice {
  /** The status of an answer over HTTP. */
  readonly status: 400 | 409 | 422 | 500 | 503 | 504 | 508
  /** After how many seconds a request that may be sent again should be. */
  readonly after?: number
}

const advice: { readonly [Reason in UnansweredReason]: Advice } = {
  NotRunning: { status: 503, after: 5 },
  Crashed: { status: 500 },
  Timeout: { status: 504, after: 1 },
  MailboxFull: { status: 503, after: 1 },
  Quarantined: { status: 500 },
  Parked: { status: 503, after: 60 },
  CallingSelf: { status: 508 },
  NotConserved: { status: 500 },
  KeyReused: { status: 422 },
  AnswerLost: { status: 409 },
  InvalidIdempotencyKey: { status: 400 },
  InvalidPayload: { status: 422 },
  Unreachable: { status: 503, after: 1 },
  NotStarted: { status: 503, after: 5 }
}

/** The status of such an answer over HTTP. */
export const statusOf = ({ reason }: Unanswered): number => advice[reason].status

/** Every status that such an answer can have, in order. */
export const unansweredStatuses: ReadonlyArray<number> = [
  ...new Set(Object.values(advice).map(({ status }) => status))
].sort((a, b) => a - b)

/** After how many seconds to send it again; `undefined` where it is not to be. */
export const retryAfter = (unanswered: Unanswered): number | undefined =>
  unanswered.again ? advice[unanswered.reason].after : undefined
