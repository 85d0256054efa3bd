/**
 * How far a server's state is kept apart from what its handlers hold.
 *
 * JavaScript shares references where OTP copies. A handler that mutates the state and then dies would have changed what is
 * conserved; the types forbid it, and these make sure.
 *
 * @since 0.1.0
 */

/**
 * `share`: the reference itself; the readonly types are all that protects it. `freeze`: frozen through and through, so
 * that a mutation is a defect at its place; for tests and development. `copy`: handlers get a copy, made by the state's
 * codec, and what they return is copied again.
 */
export type Isolation = "share" | "freeze" | "copy"

/**
 * Freezes a value and everything it is made of; returns it.
 *
 * Maps, Sets, Dates and typed arrays have contents that freezing does not reach: use effect's HashMap and HashSet, or
 * `"copy"`.
 */
export const freeze = <A>(value: A): A => {
  if (typeof value !== "object" || value === null || Object.isFrozen(value) || ArrayBuffer.isView(value)) return value
  Object.freeze(value)
  for (const key of Reflect.ownKeys(value)) freeze(Reflect.get(value, key))
  return value
}
