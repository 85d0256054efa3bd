/**
 * Which lines of a tree are to be seen: those below what is open, and of them the ones in a window.
 *
 * A branch that has no branches below it is counted, not walked: a supervisor of a million servers costs what its
 * window does.
 *
 * @since 0.1.0
 */

/** How a tree is asked about. */
export interface Tree<N> {
  readonly number: (node: N) => number
  /** What is right below it; `undefined` when nothing can be. */
  readonly below: (node: N) => Below<N> | undefined
}

/** The children of a node. */
export interface Below<N> {
  readonly size: number
  /** Those from a place on, that many at most. */
  readonly slice: (from: number, count: number) => ReadonlyArray<N>
  /** Whether one of them may have children of its own. */
  readonly hasBranches: boolean
}

/** What a reader wants to see of it. */
export interface View {
  readonly from: number
  readonly count: number
  /** Branches that are open, or closed, other than by default. */
  readonly opened: ReadonlySet<number>
  readonly closed: ReadonlySet<number>
}

/** A line that is to be seen. */
export interface Line<N> {
  readonly node: N
  readonly depth: number
  /** How many are right below it. */
  readonly below: number | undefined
  readonly isOpen: boolean
}

/** A branch of no more than this is open by default. */
export const smallBranch = 24

/** Whether a branch is open. */
export const isOpen = (n: number, size: number, view: Pick<View, "opened" | "closed">): boolean =>
  view.opened.has(n) || (size <= smallBranch && !view.closed.has(n))

/** The lines in the window, and how many there are in all. */
export const lines = <N>(roots: ReadonlyArray<N>, tree: Tree<N>, view: View) => {
  const seen: Array<Line<N>> = []
  const until = view.from + view.count
  let total = 0
  const visit = (node: N, depth: number): void => {
    const below = tree.below(node)
    const open = below !== undefined && isOpen(tree.number(node), below.size, view)
    if (total >= view.from && total < until) seen.push({ node, depth, below: below?.size, isOpen: open })
    total++
    if (below === undefined || !open) return
    if (below.hasBranches) return below.slice(0, below.size).forEach((child) => visit(child, depth + 1))
    const first = Math.max(0, view.from - total)
    if (first < below.size && total + first < until) {
      for (const child of below.slice(first, until - total - first)) {
        seen.push({ node: child, depth: depth + 1, below: undefined, isOpen: false })
      }
    }
    total += below.size
  }
  for (const root of roots) visit(root, 0)
  return { total, lines: seen }
}
