/**
 * The short ways of `server/Idempotency`: what of a payload needs no rewriting.
 * `test/domain/server/Idempotency.test.ts` holds them equal to the plain ones.
 *
 * Most payloads have their fields in order, and none that is `undefined`: to see that is a quarter of rewriting them.
 * What is not plain JSON is left to the plain way.
 *
 * @since 0.1.0
 */

/** Whether it is an object that is not of a class. */
export const isPlain = (value: unknown): value is Readonly<Record<string, unknown>> => {
  if (typeof value !== "object" || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** Whether `JSON.stringify` writes a value with the fields of each object in the order of their names, as it is. */
export const isSorted = (json: unknown): boolean => {
  if (typeof json !== "object" || json === null) return typeof json !== "function"
  if (Array.isArray(json)) return json.every(isSorted)
  if (!isPlain(json)) return false
  let last = ""
  for (const name of Object.keys(json)) {
    if (name < last || !isSorted(json[name])) return false
    last = name
  }
  return true
}

/** Whether a plain value has no property that is `undefined`, at any depth. */
export const isDefined = (value: unknown): boolean => {
  if (Array.isArray(value)) return value.every(isDefined)
  if (!isPlain(value)) return true
  for (const name of Object.keys(value)) {
    if (value[name] === undefined || !isDefined(value[name])) return false
  }
  return true
}
