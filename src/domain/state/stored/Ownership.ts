/**
 * Whose a store is: what an epoch is of, and who has a store for itself.
 *
 * An epoch has a scope: a whole store, or a part of it that its name says (a class, a key). Who acquires one supersedes those
 * who had the same scope before; who acquires the whole store supersedes all. So whether a process owns a store or
 * some of its keys is the same mechanism.
 *
 * @since 0.1.0
 */
import { Schema } from "effect"

/** A process that has a store for itself, as far as it is known. */
export const Holder = Schema.Struct({
  pid: Schema.optionalKey(Schema.Number),
  host: Schema.optionalKey(Schema.String),
  /** A date, as ISO 8601 has it. */
  since: Schema.optionalKey(Schema.String)
})

/** A process that has a store for itself, as far as it is known. */
export type Holder = typeof Holder.Type

/** A holder, for people. */
export const holderText = ({ host, pid, since }: Holder): string =>
  (pid === undefined ? "another process" : `process ${pid}`) +
  (host === undefined ? "" : ` on ${host}`) +
  (since === undefined ? "" : ` (since ${since})`)

/**
 * The owner of all that a store holds, for `acquireEpoch` of a store: no class has this id. Who acquires an epoch of it owns the
 * whole store, and all that were acquired before are over.
 *
 * @category constants
 * @since 0.1.0
 */
export const wholeStore = "heirloom/store"

/** Whether an epoch of scope `by` ends those of scope `scope` that were acquired before. */
export const supersedes = (by: string, scope: string): boolean => by === wholeStore || by === scope

/** Takes the epochs in force from one to the next, by scope. */
export const acquired = (inForce: Map<string, number>, scope: string, epoch: number): void => {
  for (const other of inForce.keys()) if (supersedes(scope, other)) inForce.delete(other)
  inForce.set(scope, epoch)
}

/** Why a write under an epoch that is not in force is refused. A whole store needs no name. */
export const fencedOff = (epoch: number, current: number, scope: string | undefined) => ({
  _tag: "Fenced" as const,
  epoch,
  current,
  ...(scope === undefined || scope === wholeStore ? {} : { owner: scope })
})
