/**
 * The rules of a registry: who may hold a key, and what a release leaves behind.
 *
 * One key's holders are a plain list in the order of registration; the registry keeps one list per key and asks here what
 * becomes of it. `P` is whatever identifies an owner.
 *
 * @since 0.1.0
 */
import { Result } from "effect"

/** Whether a key has one holder at most, or any number, one owner several times included. */
export type Keys = "unique" | "duplicate"

/** One registration under a key. */
export interface Holder<out P, out V> {
  readonly owner: P
  readonly value: V
}

/**
 * The holders after one more registration; under a unique key that is held, the one who holds it.
 *
 * **Gotchas**
 *
 * A unique key is refused to its own owner too: registering twice is a mistake, `update` is how a value changes.
 *
 * @since 0.1.0
 */
export const claim = <H extends Holder<unknown, unknown>>(
  keys: Keys,
  holders: ReadonlyArray<H>,
  claimant: H
): Result.Result<ReadonlyArray<H>, H> => {
  const [first] = holders
  return keys === "unique" && first !== undefined ? Result.fail(first) : Result.succeed([...holders, claimant])
}

/**
 * What an owner's release leaves, and what it takes away: all that the owner holds there, or what `matches` accepts.
 *
 * @since 0.1.0
 */
export const release = <H extends Holder<unknown, unknown>>(
  holders: ReadonlyArray<H>,
  owner: H["owner"],
  matches: (holder: H) => boolean = () => true
): { readonly kept: ReadonlyArray<H>; readonly released: ReadonlyArray<H> } => {
  const kept: Array<H> = []
  const released: Array<H> = []
  for (const holder of holders) (holder.owner === owner && matches(holder) ? released : kept).push(holder)
  return { kept, released }
}
