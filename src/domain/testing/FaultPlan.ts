/**
 * Which faults strike a server, and when: a plan made from random draws, and how far it has been carried out.
 *
 * The same draws make the same plan, so that a run that went wrong can be run again. Ways to crash are drawn from a bag
 * that is filled again when it is empty: a plan of 15 faults or more holds every one of them.
 *
 * @since 0.1.0
 */
import { type AnyPoint, type Fault, type LifeFault, type Point, points } from "./Fault.ts"

/**
 * What a strike hits: the server at a point of its work, the fiber of its container, or both at the same moment.
 *
 * @category models
 * @since 0.1.0
 */
export interface Way {
  readonly point: Point
  /** What strikes the server; absent when it is spared. */
  readonly server?: Fault["_tag"]
  /** Whether the container's fiber crashes. */
  readonly container: boolean
}

/**
 * A way to crash, and the first message that it may strike: messages are counted from 0.
 *
 * @category models
 * @since 0.1.0
 */
export interface Strike extends Way {
  readonly at: number
}

/**
 * The two draws of one strike, each from 0 (included) to 1 (not): when, and in which way.
 *
 * @category models
 * @since 0.1.0
 */
export type Draw = readonly [when: number, way: number]

/**
 * How much of a plan has been carried out.
 *
 * @category models
 * @since 0.1.0
 */
export interface Progress {
  readonly plan: ReadonlyArray<Strike>
  readonly struck: number
  /** Messages that have reached the server, the one in hand included. */
  readonly messages: number
}

/**
 * Every way to crash that one process knows, at every point.
 *
 * @category values
 * @since 0.1.0
 */
export const ways: ReadonlyArray<Way> = points.flatMap((point): ReadonlyArray<Way> => [
  { point, server: "Defect", container: false },
  { point, server: "Interrupt", container: false },
  { point, server: "Kill", container: false },
  { point, container: true },
  { point, server: "Defect", container: true }
])

/**
 * A plan with one strike for each draw, spread evenly over so many messages.
 *
 * **Details**
 *
 * The first draw of a pair moves its strike within its share of the messages, the second takes a way from the bag.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (messages: number, draws: ReadonlyArray<Draw>): ReadonlyArray<Strike> => {
  let bag: Array<Way> = []
  return draws.map(([when, way], i) => {
    if (bag.length === 0) bag = [...ways]
    // Never undefined: a draw is below 1, and the bag has just been filled.
    const [drawn] = bag.splice(Math.floor(way * bag.length), 1)
    return { ...drawn!, at: Math.floor(((i + when) * messages) / draws.length) }
  })
}

/**
 * Nothing carried out yet.
 *
 * @category constructors
 * @since 0.1.0
 */
export const begin = (plan: ReadonlyArray<Strike>): Progress => ({ plan, struck: 0, messages: 0 })

/**
 * A message passes a point: what strikes it there, and what is left of the plan.
 *
 * **Details**
 *
 * A strike that is due waits for its point, and for the next message when that point is never reached.
 *
 * @category folding
 * @since 0.1.0
 */
export const pass = (progress: Progress, point: Point): readonly [strike: Strike | undefined, next: Progress] => {
  const messages = point === "beforeHandler" ? progress.messages + 1 : progress.messages
  const strike = progress.plan[progress.struck]
  const hits = strike !== undefined && strike.point === point && strike.at < messages
  return hits
    ? [strike, { ...progress, messages, struck: progress.struck + 1 }]
    : [undefined, messages === progress.messages ? progress : { ...progress, messages }]
}

/**
 * Each point in words.
 *
 * @category conversions
 * @since 0.1.0
 */
export const pointText: Record<AnyPoint, string> = {
  beforeHandler: "before the handler",
  afterHandler: "after the handler, before the commit",
  afterCommit: "after the commit, before the reply",
  afterReply: "after the reply",
  init: "in init",
  terminate: "in terminate",
  finalizer: "in a finalizer"
}

/**
 * Each fault in words.
 *
 * @category conversions
 * @since 0.1.0
 */
export const faultText: Record<LifeFault["_tag"], string> = {
  Defect: "a defect",
  Interrupt: "an interruption",
  Kill: "a kill",
  Failure: "a failure",
  Delay: "a delay"
}

/**
 * A way to crash in words: `a kill before the handler`.
 *
 * @category conversions
 * @since 0.1.0
 */
export const toText = (way: Way): string => {
  const hit = way.server === undefined
    ? "a crash of the container"
    : way.container
    ? `${faultText[way.server]} and a crash of the container`
    : faultText[way.server]
  return `${hit} ${pointText[way.point]}`
}
