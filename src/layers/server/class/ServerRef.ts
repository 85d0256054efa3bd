/**
 * The types by which a reference knows its class, and the server behind it.
 *
 * @since 0.1.0
 */
import { from, type HasProcess } from "../../process/Process.ts"
import { ServerProcess } from "../engine/ServerProcess.ts"

/**
 * The class of a reference's server, for the type checker alone: no value stands behind it.
 *
 * @category models
 * @since 0.1.0
 */
export interface ServerOf<in out Self, in out S, in out Ms> {
  readonly "~heirloom/ServerOf": {
    readonly self: (_: Self) => Self
    readonly state: (_: S) => S
    readonly messages: (_: Ms) => Ms
  }
}

/** A reference to any server whose state is an `S`. */
export interface WithState<in out S> extends HasProcess {
  readonly "~heirloom/ServerOf": { readonly state: (_: S) => S }
}

/** A reference to any server. */
export interface AnyServer extends HasProcess {
  readonly "~heirloom/ServerOf": object
}

/**
 * The identity of the server that runs a handler of class `Self`, as a requirement: only such a server meets it.
 *
 * @category models
 * @since 0.1.0
 */
export interface SelfOf<in out Self> {
  readonly "~heirloom/SelfOf": (_: Self) => Self
}

/**
 * The server behind a reference; `undefined` when a name stands for none, or for a process of another kind; `by` asks.
 */
export const serverOf = (ref: HasProcess, by?: string): ServerProcess | undefined => {
  const process = from(ref, by)
  return process instanceof ServerProcess ? process : undefined
}
