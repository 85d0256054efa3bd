/**
 * Whether a wait would be one for itself: who waits for whom, followed upward.
 *
 * What waits is a message in hand, or a server that begins or ends. Each may be waited for by several: a start by all
 * that asked for it. So it is a search, and not a walk.
 *
 * @since 0.1.0
 */

/**
 * The way from `goal` down to `from`, each waiting for the next: `from` must not wait for `goal`. `undefined` when
 * there is none. Every node is asked once, however long the way is, and the shortest is found.
 */
export const wayDown = <N>(
  goal: N,
  from: N,
  waitersOf: (node: N) => Iterable<N>
): ReadonlyArray<N> | undefined => {
  const below = new Map<N, N | undefined>([[from, undefined]])
  const found: Array<N> = [from]
  // Grows while it is walked.
  for (const node of found) {
    if (node === goal) break
    for (const waiter of waitersOf(node)) {
      if (below.has(waiter)) continue
      below.set(waiter, node)
      found.push(waiter)
    }
  }
  if (!below.has(goal)) return undefined
  const way: Array<N> = []
  for (let node: N | undefined = goal; node !== undefined; node = below.get(node)) way.push(node)
  return way
}
