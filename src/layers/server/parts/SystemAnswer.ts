/**
 * What the engine's own messages answer, beside what handlers may: a look that changes nothing, or a change from
 * outside.
 *
 * @since 0.1.0
 */
import type { AnyBehavior, ServerSpec } from "./ServerSpec.ts"

/** A state, and perhaps a behaviour, that a server goes on with from here. */
export interface Change {
  readonly state: unknown
  readonly spec?: ServerSpec
  /** What this incarnation runs; later ones make theirs from the spec. */
  readonly behavior?: AnyBehavior
}

/** The answer to a message of the system: without a change, the state is left alone and nothing is committed. */
export class SystemAnswer {
  readonly reply: unknown
  readonly change: Change | undefined
  constructor(reply: unknown, change?: Change) {
    this.reply = reply
    this.change = change
  }
}
