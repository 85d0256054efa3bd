/**
 * What a server under observation tells of its messages, and what may be shown of it.
 *
 * The vocabulary of `Sys.log`, `Sys.trace` and debug functions (OTP: `sys:system_event()`), and of the format hook that
 * stands between a server's state and all who look at it. Lifecycle events are another matter: they are about
 * processes and always there, these are about messages and only while they are asked for.
 *
 * @since 0.1.0
 */
import { type Exit, Predicate } from "effect"
import type { ExitReason } from "../process/ExitReason.ts"
import { text } from "../text/ForeignText.ts"

/**
 * A message is about to be handled (OTP: `{in, Msg}`). `from` is the server whose handler sent it, if one did.
 *
 * @category models
 * @since 0.1.0
 */
export interface In {
  readonly _tag: "In"
  readonly kind: "call" | "cast"
  readonly request: string
  readonly payload: unknown
  readonly from: string | undefined
}

/**
 * A caller was answered (OTP: `{out, Msg, To, State}`).
 *
 * @category models
 * @since 0.1.0
 */
export interface Out {
  readonly _tag: "Out"
  readonly request: string
  readonly reply: Exit.Exit<unknown, unknown>
  readonly to: string | undefined
}

/**
 * A message was handled without an answer: a cast, or a call that is answered later (OTP: `{noreply, State}`).
 *
 * @category models
 * @since 0.1.0
 */
export interface NoReply {
  readonly _tag: "NoReply"
  readonly request: string
  readonly state: unknown
}

/**
 * What a server under observation tells.
 *
 * @category models
 * @since 0.1.0
 */
export type SystemEvent = In | Out | NoReply

/**
 * What may be shown of a server: in `Sys.getStatus`, and when it crashes.
 *
 * @category models
 * @since 0.1.0
 */
export interface Shown<out S> {
  readonly state: S
  /** The message whose handler crashed; only in a crash report. */
  readonly message?: { readonly request: string; readonly payload: unknown }
  /** Why it ended; only in a crash report. */
  readonly reason?: ExitReason
  /** The event log, when it is on. */
  readonly log: ReadonlyArray<SystemEvent>
}

/**
 * What a format hook makes of it: whatever it leaves out is shown as it is.
 *
 * @category models
 * @since 0.1.0
 */
export interface Formatted {
  readonly state?: unknown
  readonly message?: unknown
  readonly reason?: unknown
  readonly log?: ReadonlyArray<unknown>
}

/** Shown in place of everything that the hook was to format, when the hook itself failed. */
export const formatFailed = "formatStatus crashed"

/** What a hook has answered, whatever else comes with it; a log is read here, where what it throws is the hook's. */
const partsOf = (formatted: object): Formatted => {
  const answered: Formatted = Object.fromEntries(
    parts.filter((part) => part in formatted).map((part) => [part, Reflect.get(formatted, part)])
  )
  if (!("log" in answered)) return answered
  const log: unknown = answered.log
  if (!Array.isArray(log)) throw new TypeError(`formatStatus answers with a log that is an array, and not ${text(log)}`)
  return { ...answered, log: Array.from({ length: Math.min(log.length, maxLog) }, (_, i) => log[i]) }
}

const parts = ["state", "message", "reason", "log"] as const

/** More events than a report shows. */
const maxLog = 1000

/**
 * Applies a format hook; a hook that fails, or answers with anything but an object, is contained, and shows nothing
 * raw. `failed` hears of it.
 *
 * @since 0.1.0
 */
export const format = <S>(
  shown: Shown<S>,
  hook: ((shown: Shown<S>) => Formatted) | undefined,
  failed: (defect: unknown) => void
): Formatted => {
  if (hook === undefined) return shown
  try {
    const formatted: unknown = hook(shown)
    if (formatted instanceof Promise) formatted.catch(() => {})
    else if (Predicate.isObject(formatted)) return { ...shown, ...partsOf(formatted) }
    failed(new TypeError(`formatStatus answers with an object, and not with ${text(formatted)}`))
  } catch (defect) {
    failed(defect)
  }
  return {
    ...shown,
    state: formatFailed,
    ...(shown.message === undefined ? {} : { message: { ...shown.message, payload: formatFailed } }),
    log: shown.log.length === 0 ? [] : [formatFailed]
  }
}
