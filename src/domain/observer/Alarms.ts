/**
 * What a person should look at, in words: of processes, of stores, of supervisors that are about to give up.
 *
 * @since 0.1.0
 */
import type { Alarm, Row, Store } from "./Wire.ts"
import { budget, duration, mailbox } from "./Words.ts"

/** Milliseconds with one message in hand from which on a server counts as stuck. */
export const longInHand = 5000
/** The part of a mailbox's capacity from which on it counts as full. */
const nearlyFull = 0.8
/** Messages without a bound that count as too many. */
const manyQueued = 10_000
/** Alarms that are shown; the rest is counted. */
export const maxAlarms = 8

/** What is asked of a process. */
export type Asked = Pick<
  Row,
  "n" | "id" | "status" | "inHand" | "queued" | "capacity" | "quarantined" | "budget" | "kind" | "incarnation"
>

/** What is wrong with a process, if something is. */
export const troubleOf = (row: Asked, now: number): Alarm | undefined => {
  const alarm = (tone: Alarm["tone"], text: string): Alarm => ({ tone, text: `${row.id} ${text}`, n: row.n })
  if (row.status === "parked") return alarm("bad", "is parked: its supervisor gave up on it. Mend it, then resume it.")
  if (row.kind === "supervisor" && row.status === "stopped" && row.incarnation > 0) {
    return alarm("bad", "is down, and with it all that it supervises.")
  }
  if (row.inHand !== null && now - row.inHand.since >= longInHand) {
    return alarm("warn", `has had ${row.inHand.message} in hand for ${duration(now - row.inHand.since)}.`)
  }
  if (row.capacity !== null ? row.queued >= nearlyFull * row.capacity : row.queued >= manyQueued) {
    return alarm("warn", `has ${mailbox(row.queued, row.capacity)} messages waiting.`)
  }
  if (row.quarantined > 0) {
    return alarm("warn", `has ${row.quarantined === 1 ? "a message" : `${row.quarantined} messages`} in quarantine.`)
  }
  const used = row.budget
  if (used !== null && used !== "schedule" && used.restarts > 0 && used.used >= used.restarts) {
    return alarm("warn", `has used its restarts (${budget(used)}): with the next crash it gives up.`)
  }
  return undefined
}

/** What is wrong with a store, if something is. */
export const outageOf = (store: Store, now: number): Alarm | undefined =>
  store.outage === null ? undefined : {
    tone: "bad",
    text: `The store ${store.name} has been away for ${duration(now - (store.since ?? now))}: ${store.outage}`,
    n: null
  }

/** What is shown of all alarms: the bad ones first, and no more than a person reads. */
export const shown = (alarms: ReadonlyArray<Alarm>): ReadonlyArray<Alarm> => {
  const ordered = [...alarms].sort((a, b) => a.tone === b.tone ? 0 : a.tone === "bad" ? -1 : 1)
  if (ordered.length <= maxAlarms) return ordered
  const more = ordered.length - maxAlarms + 1
  return [...ordered.slice(0, maxAlarms - 1), { tone: "warn", text: `${more} more are in trouble.`, n: null }]
}
