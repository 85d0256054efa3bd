/**
 * What a caller outside hears of a request that reached no server, since something is wrong with it.
 *
 * The fields are those of a problem document (RFC 9457), so that over HTTP it is one. It says where the request is
 * wrong, and never repeats what it brought.
 *
 * @since 0.1.0
 */
import { Schema } from "effect"

/** The title of each status, as HTTP has it. */
const titles = {
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  429: "Too Many Requests",
  500: "Internal Server Error"
} as const

/** The statuses that a refusal can have. */
export const refusedStatuses = [400, 404, 405, 408, 413, 415, 429, 500] as const

/**
 * One thing that is wrong with a request: where, and what was expected there.
 *
 * @category schemas
 * @since 0.1.0
 */
export const RefusedIssue = Schema.Struct({ path: Schema.Array(Schema.String), message: Schema.String })

/**
 * One thing that is wrong with a request.
 *
 * @category models
 * @since 0.1.0
 */
export type RefusedIssue = typeof RefusedIssue.Type

/**
 * A request that reached no server: nothing was done.
 *
 * `status` says why, as HTTP does; over WebSocket, too. `500` is a fault of the service, which its log tells of.
 *
 * @category errors
 * @since 0.1.0
 */
export class Refused extends Schema.TaggedError<Refused>()("Refused", {
  status: Schema.Literals(refusedStatuses),
  title: Schema.String,
  detail: Schema.optionalKey(Schema.String),
  /** What is wrong with its parts. */
  errors: Schema.optionalKey(Schema.Array(RefusedIssue)),
  /** After how many seconds to send it again, for one that came too soon. */
  retryAfter: Schema.optionalKey(Schema.Int)
}) {
  override get message(): string {
    const where = (this.errors ?? []).map(({ message, path }) => `${path.join(".")}: ${message}`)
    return [this.detail ?? this.title, ...where].join("; ")
  }
}

/** What else a refusal says. */
type More = Partial<Pick<Refused, "detail" | "errors" | "retryAfter">>

/** Refuses a request. */
export const refused = (status: typeof refusedStatuses[number], more: More = {}): Refused =>
  new Refused({ status, title: titles[status], ...more })

/** Whether JSON is nested deeper than it may be: brackets outside of its strings are counted, nothing is parsed. */
export const isDeeper = (json: string, depth: number): boolean => {
  let open = 0
  let isText = false
  for (let i = 0; i < json.length; i++) {
    const code = json.charCodeAt(i)
    if (isText) {
      if (code === backslash) i++
      else if (code === quote) isText = false
    } else if (code === quote) isText = true
    else if (code === bracket || code === brace) {
      open++
      if (open > depth) return true
    } else if (code === bracket + 2 || code === brace + 2) open--
  }
  return false
}

const quote = 0x22
const backslash = 0x5c
/** `[`; its counterpart is two further. */
const bracket = 0x5b
/** `{`; its counterpart is two further. */
const brace = 0x7b
