/**
 * Faults that are really injected: the named points of a server's work, and what may strike there.
 *
 * @since 0.1.0
 */
import { Schema } from "effect"

/**
 * Where a fault can strike: before the handler is called; after it did its work, before anything is committed; after the
 * commit, before the reply.
 */
export type Point = "beforeHandler" | "afterHandler" | "afterCommit"

/** Every point, in the order in which a message passes them. */
export const points: ReadonlyArray<Point> = ["beforeHandler", "afterHandler", "afterCommit"]

/** What strikes: a defect, an interruption of the server's fiber, a kill. */
export type Fault =
  | { readonly _tag: "Defect"; readonly defect: unknown }
  | { readonly _tag: "Interrupt" }
  | { readonly _tag: "Kill" }

/** What is about to be struck. */
export interface Target {
  readonly server: string
  readonly incarnation: number
  readonly message: string
}

/** Asked at every point; `undefined` lets the work go on. */
export type FaultPoints = (point: Point, target: Target) => Fault | undefined

/** The defect of a fault that was injected on purpose, so that nobody takes it for a bug. */
export class InjectedFault extends Schema.TaggedError<InjectedFault>()("InjectedFault", {
  what: Schema.String
}) {
  override get message(): string {
    return `injected on purpose: ${this.what}`
  }
}
