/**
 * A number that tells texts apart, for tables that are looked up by it.
 *
 * Not Effect's `Hash.string`: of 500,000 keys that are counted on in digits and letters a third agree with another one
 * by that, here a dozen at most. It is no secret: who chooses texts can choose ones that agree.
 *
 * @since 0.1.0
 */

/** FNV-1a of its UTF-16 units, in 32 bits. */
export const fnv1a = (text: string): number => {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash
}

/** The same in 31 bits: V8 keeps such a number where it would keep a reference. */
export const hashOf = (text: string): number => fnv1a(text) >> 1
