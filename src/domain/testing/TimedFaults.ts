/**
 * Which faults strike a whole tree, and when: a plan by time, made from a seed, and how far it has been carried out.
 *
 * A fault that is due strikes the first server, or the first request of a store, that comes to its place then, or the
 * one after so many more. So any part of a plan is a plan: a failure can be made short by leaving faults out. To strike
 * the servers of one class by their messages use `FaultPlan`.
 *
 * @since 0.1.0
 */
import * as Draws from "./Draws.ts"
import { type AnyPoint, type LifeFault, lifePoints, messagePoints } from "./Fault.ts"
import { faultText, pointText } from "./FaultPlan.ts"

/** A server is struck at a point of its work or its life. `millis` is how long a delay takes. */
export interface ServerFault {
  readonly _tag: "Server"
  readonly at: number
  readonly point: AnyPoint
  readonly fault: LifeFault["_tag"]
  readonly millis: number
  readonly skip: number
}

/**
 * A request of a store goes wrong. `Fails`: nothing is done. `Tears`: it is done, and fails. `Late`: it is done, and
 * the answer takes `millis`. `Hangs`: it is done only after `millis`. `Away`: so long every request fails.
 */
export interface StoreFault {
  readonly _tag: "Store"
  readonly at: number
  readonly how: "Fails" | "Tears" | "Late" | "Hangs" | "Away"
  readonly millis: number
  readonly skip: number
}

/** The time of day jumps, forwards or back. Timers do not notice. */
export interface ClockFault {
  readonly _tag: "Clock"
  readonly at: number
  readonly millis: number
}

/** The process is ended as by `kill -9`, and started again after `millis`. Only a simulation has that. */
export interface MachineFault {
  readonly _tag: "Machine"
  readonly at: number
  readonly millis: number
}

/** A fault and when it is due, in milliseconds from the start. */
export type TimedFault = ServerFault | StoreFault | ClockFault | MachineFault

/**
 * How many faults of each kind there are in an hour, on average.
 *
 * @category models
 * @since 0.1.0
 */
export interface Rates {
  /** Of servers, at the points of their messages. */
  readonly messages?: number | undefined
  /** Of servers, in init, terminate and finalizers. */
  readonly lives?: number | undefined
  readonly store?: number | undefined
  readonly clock?: number | undefined
  readonly machine?: number | undefined
}

/**
 * What strikes where. A defect in `restore` speaks against the state that is restored, and gives it up for an older
 * one: that is a promise of its own, and none of these faults.
 */
const strikesAt: Record<AnyPoint, ReadonlyArray<LifeFault["_tag"]>> = {
  beforeHandler: ["Defect", "Interrupt", "Kill"],
  afterHandler: ["Defect", "Interrupt", "Kill"],
  afterCommit: ["Defect", "Interrupt", "Kill"],
  afterReply: ["Defect", "Interrupt", "Kill"],
  init: ["Failure", "Interrupt", "Kill", "Delay"],
  terminate: ["Defect", "Delay"],
  finalizer: ["Defect", "Delay"]
}

const hour = 3_600_000
const skips = [0, 0, 1, 2, 5]
const hows = ["Fails", "Tears", "Late", "Hangs", "Away"] as const

/** How long a store's fault lasts: some are over before a caller gives up, some are not. */
const lasting: Record<StoreFault["how"], ReadonlyArray<number>> = {
  Fails: [0],
  Tears: [0],
  Late: [20, 500, 7000],
  Hangs: [20, 1000, 7000, 60_000],
  Away: [500, 5000, 45_000]
}

/** None goes on for more than this part of the whole: what comes after it would show nothing. */
const longestPart = 10

/**
 * The faults of so many milliseconds, in the order in which they are due.
 *
 * @since 0.1.0
 */
export const make = (seed: number | string, millis: number, rates: Rates): ReadonlyArray<TimedFault> => {
  const faults = (kind: keyof Rates, make: (at: number, draws: Draws.Draws) => TimedFault) => {
    const draws = Draws.make(Draws.seedOf("faults", kind, seed))
    const count = Math.round(((rates[kind] ?? 0) * millis) / hour)
    return Array.from({ length: count }, () => make(Math.floor(draws.next() * millis), draws))
  }
  const longest = Math.ceil(millis / longestPart)
  const atMost = (millis: number): number => Math.min(millis, longest)
  const server = (points: ReadonlyArray<AnyPoint>) => (at: number, draws: Draws.Draws): ServerFault => {
    const point = draws.pick(points)
    const fault = draws.pick(strikesAt[point])
    const millis = fault === "Delay" ? atMost(draws.pick([10, 1000, 10_000])) : 0
    return { _tag: "Server", at, point, fault, millis, skip: draws.pick(skips) }
  }
  return [
    ...faults("messages", server(messagePoints)),
    ...faults("lives", server(lifePoints)),
    ...faults("store", (at, draws) => {
      const how = draws.pick(hows)
      return { _tag: "Store", at, how, millis: atMost(draws.pick(lasting[how])), skip: draws.pick(skips) }
    }),
    ...faults("clock", (at, draws) => ({
      _tag: "Clock",
      at,
      millis: draws.pick([-1, 1]) * draws.pick([1, 1000, 60_000, hour])
    })),
    ...faults("machine", (at, draws) => ({ _tag: "Machine", at, millis: atMost(draws.pick([0, 1000, 30_000])) }))
  ].sort((a, b) => a.at - b.at)
}

/**
 * Something comes to a place where faults may strike at `now`: the one that does, and the faults that are left.
 *
 * @since 0.1.0
 */
export const pass = <F extends { readonly at: number; readonly skip: number }>(
  left: ReadonlyArray<F>,
  now: number,
  strikesHere: (fault: F) => boolean
): readonly [fault: F | undefined, left: ReadonlyArray<F>] => {
  for (let i = 0; i < left.length && left[i]!.at <= now; i++) {
    const fault = left[i]!
    if (!strikesHere(fault)) continue
    const others = [left.slice(0, i), left.slice(i + 1)] as const
    return fault.skip === 0
      ? [fault, others.flat()]
      : [undefined, [...others[0], { ...fault, skip: fault.skip - 1 }, ...others[1]]]
  }
  return [undefined, left]
}

const storeText: Record<StoreFault["how"], (millis: number) => string> = {
  Fails: () => "a request of the store fails",
  Tears: () => "a request of the store is done, and fails",
  Late: (millis) => `a request of the store is done, and answered ${millis} ms late`,
  Hangs: (millis) => `a request of the store hangs for ${millis} ms`,
  Away: (millis) => `the store is away for ${millis} ms`
}

/**
 * A fault in words: `a kill before the handler`.
 *
 * @since 0.1.0
 */
export const toText = (fault: TimedFault): string => {
  switch (fault._tag) {
    case "Server":
      return `${faultText[fault.fault]}${fault.fault === "Delay" ? ` of ${fault.millis} ms` : ""} ${
        pointText[fault.point]
      }`
    case "Store":
      return storeText[fault.how](fault.millis)
    case "Clock":
      return `the time of day jumps by ${fault.millis} ms`
    case "Machine":
      return `the process is killed, and started again after ${fault.millis} ms`
  }
}
