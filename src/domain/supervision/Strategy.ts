/**
 * Strategies: who is restarted along with a child that crashed.
 *
 * A strategy only names the group; the order is always the same. A group stops in reverse start order and starts in
 * start order, because a child may rely on those started before it.
 *
 * Choose `one_for_one` when children do not know each other, `rest_for_one` when each relies on those before it,
 * `one_for_all` when none can go on without the others, and `dependents` when you can say who needs whom.
 *
 * @since 0.1.0
 */

/**
 * OTP's three strategies, and `dependents`: the child and those that need it, directly or through others.
 *
 * @since 0.1.0
 */
export type Strategy = "one_for_one" | "one_for_all" | "rest_for_one" | "dependents"

/**
 * Every strategy.
 *
 * @since 0.1.0
 */
export const all: ReadonlyArray<Strategy> = ["one_for_one", "one_for_all", "rest_for_one", "dependents"]

/**
 * What a strategy looks at: a child's id, its place in the start order, and the siblings it needs.
 *
 * @since 0.1.0
 */
export interface Member {
  readonly spec: { readonly id: string; readonly needs: ReadonlyArray<string> }
  readonly order: number
}

/**
 * The group that is restarted when `root` crashed, root included, in start order.
 *
 * **Details**
 *
 * | strategy | group |
 * |---|---|
 * | `one_for_one` | the child |
 * | `one_for_all` | all of them |
 * | `rest_for_one` | the child and those started after it |
 * | `dependents` | the child and those whose `needs` lead to it |
 *
 * Children may be given in any order. A need can only be met by a sibling that was started before, so start order is
 * dependency order; a child that names an unknown sibling needs none.
 *
 * @since 0.1.0
 */
export const group = <M extends Member>(strategy: Strategy, root: M, children: Iterable<M>): Array<M> => {
  switch (strategy) {
    case "one_for_one":
      return [root]
    case "one_for_all":
      return inOrder(children)
    case "rest_for_one": {
      const rest: Array<M> = []
      for (const child of children) if (child.order >= root.order) rest.push(child)
      return inOrder(rest)
    }
    case "dependents": {
      const group = [root]
      const ids = new Set([root.spec.id])
      for (const child of inOrder(children)) {
        if (child.order > root.order && child.spec.needs.some((id) => ids.has(id))) {
          ids.add(child.spec.id)
          group.push(child)
        }
      }
      return group
    }
  }
}

/**
 * Start order.
 *
 * @since 0.1.0
 */
export const inOrder = <M extends Member>(children: Iterable<M>): Array<M> =>
  Array.from(children).sort((a, b) => a.order - b.order)
