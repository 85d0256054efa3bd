/**
 * Numbers, times and budgets in words, the same on the page and in a terminal. No locale but English: these are texts
 * for operators, beside the English of the rest.
 *
 * @since 0.1.0
 */
import type { Budget } from "./Wire.ts"

/** A whole number, with commas. */
export const whole = (n: number): string => Math.round(n).toString().replace(/\B(?=(\d{3})+$)/g, ",")

/** A number in a narrow place: 12.3k, 4.1M. */
export const short = (n: number): string => {
  if (n < 10 && n % 1 !== 0) return n.toFixed(1)
  if (n < 10_000) return whole(n)
  return n < 999_500 ? `${(n / 1000).toFixed(n < 100_000 ? 1 : 0)}k` : `${(n / 1e6).toFixed(1)}M`
}

/** How long something took, or takes. */
export const duration = (millis: number): string => {
  if (millis < 1) return "< 1 ms"
  if (millis < 1000) return `${Math.round(millis)} ms`
  if (millis < 9950) return `${(millis / 1000).toFixed(1).replace(/\.0$/, "")} s`
  const seconds = Math.round(millis / 1000)
  if (seconds < 100) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 100) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} days`
}

/** `2 of 3 in 5 s`. */
export const budget = (given: Budget | null): string =>
  given === null
    ? ""
    : given === "schedule"
    ? "by Schedule"
    : `${given.used} of ${short(given.restarts)} in ${duration(given.within)}`

/** `3 of 100`, or how many wait where there is no bound. */
export const mailbox = (queued: number, capacity: number | null): string =>
  capacity === null ? short(queued) : `${short(queued)} of ${short(capacity)}`

/** `1 crash`, `2 crashes`. */
export const counted = (n: number, one: string, more = `${one}s`): string => `${whole(n)} ${n === 1 ? one : more}`

/** A time of day, in UTC unless the offset in minutes is another. */
export const timeOfDay = (at: number, offset = 0): string => {
  const seconds = Math.floor(at / 1000 + offset * 60)
  const two = (n: number) => String(((n % 60) + 60) % 60).padStart(2, "0")
  return `${String(((Math.floor(seconds / 3600) % 24) + 24) % 24).padStart(2, "0")}:${two(Math.floor(seconds / 60))}:${
    two(seconds)
  }`
}

/** What fits on one line of indented JSON. */
const lineLength = 56

const onOneLine = (json: unknown): string => {
  if (Array.isArray(json)) return `[${json.map(onOneLine).join(", ")}]`
  if (typeof json !== "object" || json === null) return JSON.stringify(json)
  const parts = Object.entries(json).map(([key, one]) => `${JSON.stringify(key)}: ${onOneLine(one)}`)
  return parts.length === 0 ? "{}" : `{ ${parts.join(", ")} }`
}

/** JSON for people: indented, and on one line what fits there. */
export const laidOut = (json: unknown, indent = ""): string => {
  const text = onOneLine(json)
  if (typeof json !== "object" || json === null || text.length + indent.length <= lineLength) return text
  const inner = `${indent}  `
  const parts = Array.isArray(json)
    ? json.map((one) => laidOut(one, inner))
    : Object.entries(json).map(([key, one]) => `${JSON.stringify(key)}: ${laidOut(one, inner)}`)
  const [open, close] = Array.isArray(json) ? "[]" : "{}"
  return `${open}\n${parts.map((part) => inner + part).join(",\n")}\n${indent}${close}`
}
