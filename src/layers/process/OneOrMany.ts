/**
 * What most have one of at most, and a few have thousands of: the one as it is, and from the second on a Set.
 *
 * The observers of a process, the holders of a key: a million that have one each do not carry a million Sets, and the
 * one that has a hundred thousand does not search them. Where there are always many, a Set is simpler.
 *
 * Each is kept once, in the order in which they were added. What is added must not be a Set itself.
 *
 * @since 0.1.0
 */

/** None, one or many, each once. */
export type OneOrMany<A extends object> = A | Set<A> | undefined

const isMany = <A extends object>(known: OneOrMany<A>): known is Set<A> => known instanceof Set

/** With one more, which comes last unless it is there already. A Set that is given is changed. */
export const add = <A extends object>(known: OneOrMany<A>, one: A): OneOrMany<A> => {
  if (known === undefined || known === one) return one
  return isMany(known) ? known.add(one) : new Set([known, one])
}

/** Without this one; `undefined` when none is left. A Set that is given is changed. */
export const remove = <A extends object>(known: OneOrMany<A>, one: A): OneOrMany<A> => {
  if (!isMany(known)) return known === one ? undefined : known
  known.delete(one)
  return known.size === 0 ? undefined : known
}

/** The oldest. */
export const first = <A extends object>(known: OneOrMany<A>): A | undefined =>
  isMany(known) ? known.values().next().value : known

/** Does something with each, the oldest first. */
export const forEach = <A extends object>(known: OneOrMany<A>, f: (one: A) => void): void => {
  if (isMany(known)) { for (const one of known) f(one) }
  else if (known !== undefined) f(known)
}

/** Those that are accepted, the oldest first. */
export const filter = <A extends object>(known: OneOrMany<A>, isAccepted: (one: A) => boolean): Array<A> => {
  const accepted: Array<A> = []
  forEach(known, (one) => {
    if (isAccepted(one)) accepted.push(one)
  })
  return accepted
}
