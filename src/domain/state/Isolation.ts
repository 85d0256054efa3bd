/**
 * How far a server's state is kept apart from what its handlers hold.
 *
 * JavaScript shares references where OTP copies. A handler that mutates the state and then dies would have changed what
 * is conserved; the types forbid it, and these make sure.
 *
 * @since 0.1.0
 */
import { HashMap, HashSet, Option, Predicate, Result } from "effect"
import { isAlive } from "../process/Living.ts"
import { chunkKey, hashKey } from "../text/EffectKeys.ts"

/**
 * `share`: the reference itself; the readonly types are all that protects it. `freeze`: frozen through and through, so
 * that a mutation is a defect at its place; for tests and development. `copy`: handlers get a copy, made by the state's
 * codec, and what they return is copied again.
 */
export type Isolation = "share" | "freeze" | "copy"

// What has been frozen through and through: states share most of what they are made of with the ones before them.
const frozen = new WeakSet<object>()

/**
 * Freezes a value and everything it is made of; returns it.
 *
 * Effect's own data types (`HashMap`, `Option`, `Chunk`, `DateTime`, ...) are immutable to begin with and keep what
 * they have computed, hashes for one, in themselves: they are left alone, and only what they hold is frozen. So are
 * references and callers to be answered later: they stand for what is not state. Maps, Sets, Dates and typed arrays
 * have contents that freezing does not reach: use effect's HashMap and HashSet, or `"copy"`.
 */
export const freeze = <A>(value: A): A => {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value) || frozen.has(value)) return value
  if (isAlive in value) return value
  frozen.add(value)
  if (Predicate.hasProperty(value, hashKey)) {
    for (const held of heldBy(value)) freeze(held)
    return value
  }
  Object.freeze(value)
  for (const key of Reflect.ownKeys(value)) freeze(Reflect.getOwnPropertyDescriptor(value, key)?.value)
  return value
}

const heldBy = (value: object): Iterable<unknown> => {
  if (Option.isOption(value)) return Option.toArray(value)
  if (Result.isResult(value)) return [Result.isSuccess(value) ? value.success : value.failure]
  const isCollection = HashMap.isHashMap(value) || HashSet.isHashSet(value) ||
    (Predicate.hasProperty(value, chunkKey) && Predicate.isIterable(value))
  return isCollection ? value : []
}
