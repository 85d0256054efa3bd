/**
 * What happened, grouped: one crash, its restart, what was restored and what it cost are one entry.
 *
 * A pure fold of lifecycle events. It keeps the newest groups only, and of one process that crashes without end no more
 * steps than a person reads.
 *
 * @since 0.1.0
 */
import type { Lifecycle } from "../observation/Lifecycle.ts"
import { isOrderly, toText } from "../process/ExitReason.ts"
import { feedLength, isSame } from "./Difference.ts"
import type { Group, Step } from "./Wire.ts"
import { counted, duration } from "./Words.ts"

/** What is known so far. */
export interface Feed {
  /** The newest first. */
  readonly groups: ReadonlyArray<Group>
  readonly last: number
}

/** Nothing has happened yet. */
export const empty: Feed = { groups: [], last: 0 }

/** The most steps of one group. */
const maxSteps = 12
/** The longest text of a step. */
const maxText = 300

type Shown = Exclude<
  Lifecycle,
  { readonly _tag: "Ignored" | "Deleted" | "StatePassivated" | "StateActivated" | "TimerFired" }
>

/** What an event says of itself in a group; `undefined` for what people need not see. */
const textOf = (event: Shown): string => {
  switch (event._tag) {
    case "Started":
      return `up again as #${event.incarnation}`
    case "StartFailed":
      return `did not start: ${toText(event.reason)}`
    case "Exited":
      return `#${event.incarnation} ended: ${toText(event.reason)}`
    case "Restarting":
      return event.delay > 0 ? `is to be restarted in ${duration(event.delay)}` : "is restarted"
    case "GaveUp":
      return `gave up on ${event.child}: ${toText(event.reason)}`
    case "Parked":
      return "is parked: it keeps its state and its messages until it is resumed"
    case "Resumed":
      return "is resumed"
    case "Abandoned":
      return `#${event.incarnation} did not end in time: it is abandoned`
    case "CleanUpFailed":
      return `cleaning up after #${event.incarnation} failed`
    case "StateRestored":
      return `restored from snapshot ${event.seq}`
    case "StateRolledBack":
      return `rolled back from snapshot ${event.from} to ${event.to ?? "the beginning"}: ${event.why}`
    case "StateSetAside":
      return `snapshot ${event.seq} is set aside: ${event.why}`
    case "WriteFenced":
      return `a write of #${event.incarnation} is refused: #${event.current} has taken over`
    case "Redelivered":
      return `${event.message} is handled again, attempt ${event.attempt}`
    case "Quarantined":
      return `${event.message} is in quarantine after ${counted(event.attempts, "attempt")}`
    case "Dropped":
      return `${event.message} is dropped (${event.reason})`
  }
}

const isShown = (event: Lifecycle): event is Shown => {
  switch (event._tag) {
    case "Ignored":
    case "Deleted":
    case "StatePassivated":
    case "StateActivated":
    case "TimerFired":
      return false
    default:
      return true
  }
}

/** What begins a group of its own where none goes on. Starts and orderly ends alone are no news. */
const begins = (event: Shown): boolean => {
  switch (event._tag) {
    case "Started":
    case "StateRestored":
    case "Redelivered":
      return false
    case "Exited":
      return !isOrderly(event.reason)
    default:
      return true
  }
}

/** Whether nothing more is expected. */
const ends = (event: Shown): boolean => {
  switch (event._tag) {
    case "Started":
    case "GaveUp":
    case "WriteFenced":
    case "CleanUpFailed":
    case "Dropped":
      return true
    default:
      return false
  }
}

const toneOf = (before: Group["tone"], event: Shown): Group["tone"] => {
  switch (event._tag) {
    case "Started":
      return before === "warn" ? "good" : before
    case "StateRolledBack":
    case "StateSetAside":
    case "GaveUp":
    case "Parked":
    case "Quarantined":
    case "StartFailed":
    case "Dropped":
    case "Abandoned":
      return "bad"
    default:
      return before
  }
}

const lost = (steps: ReadonlyArray<Step>, event: Shown): string | undefined => {
  switch (event._tag) {
    case "StateRolledBack":
      return `${counted(event.from - (event.to ?? 0), "update")} lost`
    case "Quarantined":
      return `${event.message} in quarantine`
    case "Dropped":
      return counted(1 + steps.filter(({ tag }) => tag === "Dropped").length, "message dropped", "messages dropped")
    case "GaveUp":
      return "the supervisor ended, or parked its child"
    case "Parked":
      return "down until it is resumed"
    default:
      return undefined
  }
}

/** What a group cost, with one more event. */
const costOf = (group: Group, event: Shown): string => {
  const more = lost(group.steps, event)
  const parts = group.cost === "" ? [] : group.cost.split(", ")
  const kept = event._tag === "Dropped" ? parts.filter((part) => !part.includes("dropped")) : parts
  if (more !== undefined) return [...kept, more].join(", ")
  if (event._tag !== "Started") return group.cost
  const down = `${duration(event.at - group.began)} down`
  return [down, ...kept.filter((part) => part !== "down until it is resumed")].join(", ")
}

const cut = (text: string): string => text.length > maxText ? `${text.slice(0, maxText)}…` : text

const withStep = (steps: ReadonlyArray<Step>, step: Step): ReadonlyArray<Step> =>
  steps.length < maxSteps
    ? [...steps, step]
    // The first says why, the last how it went on.
    : [steps[0]!, ...steps.slice(2), step]

/** The feed after one more event. */
export const heard = (feed: Feed, event: Lifecycle): Feed => {
  if (!isShown(event)) return feed
  const { path } = event
  const at = feed.groups.findIndex((group) => isSame(group.path, path))
  const known = feed.groups[at]
  const step: Step = { at: event.at, tag: event._tag, text: cut(textOf(event)) }
  const goesOn = known !== undefined && (known.ended === null || follows(known, event))
  if (goesOn) {
    const group: Group = {
      ...known,
      tone: toneOf(known.tone, event),
      ended: known.ended ?? (ends(event) ? event.at : null),
      cost: costOf(known, event),
      steps: withStep(known.steps, step)
    }
    return { ...feed, groups: feed.groups.map((one, i) => i === at ? group : one) }
  }
  if (!begins(event)) return feed
  const id = feed.last + 1
  const group: Group = {
    id,
    path,
    title: titleOf(event),
    tone: toneOf("warn", event),
    began: event.at,
    ended: ends(event) ? event.at : null,
    cost: lost([], event) ?? "",
    steps: [step]
  }
  return { groups: [group, ...feed.groups].slice(0, feedLength), last: id }
}

/** What belongs to a group that is over: what its new incarnation begins with, and more of the same. */
const follows = (group: Group, event: Shown): boolean =>
  event._tag === "Redelivered" || event._tag === "StateRestored" ||
  (event._tag === "Dropped" && group.steps[0]?.tag === "Dropped")

const titleOf = (event: Shown): string => {
  switch (event._tag) {
    case "Exited":
    case "StartFailed":
      return cut(toText(event.reason))
    default:
      return cut(textOf(event))
  }
}
