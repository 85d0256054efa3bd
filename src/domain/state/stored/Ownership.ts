/**
 * Whose a store is: what an epoch is of, and who has a store for itself.
 *
 * An epoch has a scope: a whole store, or a part of it that its name says (a class, a key). Who acquires one supersedes
 * those who had the same scope before; who acquires the whole store supersedes all. So whether a process owns a store
 * or some of its keys is the same mechanism.
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
 * The owner of all that a store holds, for `acquireEpoch` of a store: no class has this id. Who acquires an epoch of it
 * owns the whole store, and all that were acquired before are over.
 *
 * @category constants
 * @since 0.1.0
 */
export const wholeStore = "heirloom/store"

/** Takes the epochs in force from one to the next, by scope: that of the whole store ends all others. */
export const acquired = (inForce: Map<string, number>, scope: string, epoch: number): void => {
  // There may be a scope for each of a million keys.
  if (scope === wholeStore) inForce.clear()
  inForce.set(scope, epoch)
}

/**
 * Whose epoch a write is made under: that of the whole store, which one process has, or that of its key, which is
 * claimed when its server starts. Then the keys of one store may be in many processes, and move between them one at a
 * time.
 *
 * @category models
 * @since 0.1.0
 */
export type Fence = "class" | "key"

/**
 * What becomes of a process that begins to use a store while another one does: it waits, it takes over, or both go on.
 *
 * @category models
 * @since 0.1.0
 */
export type StoreOwnership = "exclusive" | "youngest" | "shared"

/**
 * Why a fence does not go with how a store is owned, if it does not. A store that no other process can reach takes
 * either.
 */
export const misfit = (fence: Fence, ownership: StoreOwnership | undefined): string | undefined => {
  if (ownership === undefined || (fence === "key") === (ownership === "shared")) return undefined
  return fence === "key"
    ? `fence: "key" is for keys that move between processes, and this store is one process's alone (ownership: "${ownership}"): ` +
      "give the store ownership: \"shared\", or leave the fence out"
    : "it is shared by processes (ownership: \"shared\"), and an epoch of the whole store would end all others: give fence: " +
      "\"key\", or a store of its own, with another table"
}

/**
 * What is refused, and which epoch is in force: all writes of an owner, or those of one key. A whole store needs no
 * name.
 */
export interface Refusal {
  readonly epoch: number
  readonly current: number
  readonly owner?: string
  readonly key?: string
}

/**
 * Why a write under an epoch that is not in force is refused. An epoch of the key that is written ends with that key
 * alone.
 */
export const fencedOff = (epoch: number, current: number, scope: string | undefined, key?: string): Refusal => {
  if (scope === undefined || scope === wholeStore) return { epoch, current }
  return scope === key ? { key, epoch, current } : { owner: scope, epoch, current }
}

/** The reason that names all that is refused of a batch, each once; nothing where nothing is. */
export const fenced = (refusals: Iterable<Refusal>) => {
  const named = new Map<string, Refusal>()
  for (const refusal of refusals) {
    const name = `${refusal.epoch} ${refusal.key ?? ""}`
    if (!named.has(name)) named.set(name, refusal)
  }
  const [first, ...others] = named.values()
  return first === undefined
    ? undefined
    : { _tag: "Fenced" as const, ...first, ...(others.length === 0 ? {} : { others }) }
}

/** What of such a reason concerns a record: that its epoch is refused, or its key. */
export const refusedIn = (
  reason: Refusal & { readonly others?: ReadonlyArray<Refusal> }
): (record: { readonly epoch: number; readonly key: string }) => Refusal | undefined => {
  const { others = [], ...first } = reason
  const epochs = new Map<number, Refusal>()
  const keys = new Map<string, Refusal>()
  for (const { current, epoch, key, owner } of [first, ...others]) {
    if (key === undefined) epochs.set(epoch, { epoch, current, ...(owner === undefined ? {} : { owner }) })
    else keys.set(key, { epoch, current, key })
  }
  return ({ epoch, key }) => {
    const own = keys.get(key)
    return own?.epoch === epoch ? own : epochs.get(epoch)
  }
}
