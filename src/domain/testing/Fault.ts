/**
 * Faults that are really injected: the named points of a server's work, and what may strike there.
 *
 * @since 0.1.0
 */
import { Schema } from "effect"

/**
 * Where a fault can strike a message: before the handler is called; after it did its work, before anything is
 * committed; after the commit, before the reply; after the reply.
 *
 * @category models
 * @since 0.1.0
 */
export type Point = "beforeHandler" | "afterHandler" | "afterCommit" | "afterReply"

/**
 * Where a fault can strike an incarnation: in its init (or `restore`), in its `terminate`, in the finalizers of its
 * Scope.
 *
 * @category models
 * @since 0.1.0
 */
export type LifePoint = "init" | "terminate" | "finalizer"

/**
 * Where a fault can strike at all.
 *
 * @category models
 * @since 0.1.0
 */
export type AnyPoint = Point | LifePoint

/**
 * The points at which a message is in hand, in the order in which it passes them.
 *
 * @category values
 * @since 0.1.0
 */
export const points: ReadonlyArray<Exclude<Point, "afterReply">> = [
  "beforeHandler",
  "afterHandler",
  "afterCommit"
]

/**
 * Every point of a message.
 *
 * @category values
 * @since 0.1.0
 */
export const messagePoints: ReadonlyArray<Point> = [...points, "afterReply"]

/**
 * Every point of an incarnation.
 *
 * @category values
 * @since 0.1.0
 */
export const lifePoints: ReadonlyArray<LifePoint> = ["init", "terminate", "finalizer"]

/**
 * What strikes a message: a defect, an interruption of the server's fiber, a kill.
 *
 * @category models
 * @since 0.1.0
 */
export type Fault =
  | { readonly _tag: "Defect"; readonly defect: unknown }
  | { readonly _tag: "Interrupt" }
  | { readonly _tag: "Kill" }

/**
 * What strikes an incarnation: the same, a typed failure (in init), or a delay in milliseconds.
 *
 * @category models
 * @since 0.1.0
 */
export type LifeFault = Fault | { readonly _tag: "Failure"; readonly error: unknown } | {
  readonly _tag: "Delay"
  readonly millis: number
}

/**
 * What is about to be struck.
 *
 * @category models
 * @since 0.1.0
 */
export interface Target {
  readonly server: string
  readonly incarnation: number
  readonly message: string
}

/**
 * Asked at every point of a message; `undefined` lets the work go on.
 *
 * @category models
 * @since 0.1.0
 */
export type FaultPoints = (point: Point, target: Target) => Fault | undefined

/**
 * Asked at every point of an incarnation.
 *
 * @category models
 * @since 0.1.0
 */
export type LifePoints = (point: LifePoint, target: Omit<Target, "message">) => LifeFault | undefined

/**
 * The defect of a fault that was injected on purpose, so that it is not taken for a bug.
 *
 * @category errors
 * @since 0.1.0
 */
export class InjectedFault extends Schema.TaggedError<InjectedFault>()("InjectedFault", {
  what: Schema.String
}) {
  override get message(): string {
    return `injected on purpose: ${this.what}`
  }
}
