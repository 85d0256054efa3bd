/**
 * A supervisor's children by id: a `HashMap`, with the child that changed last in front of it.
 *
 * Decisions come in runs about one child: it ended, the budget answered, it is up again. In a `HashMap` alone each of
 * them would hash the id once to look and once more to change, and copy a path of the tree; that was a fifth of a
 * restart. Here only the first change of another child touches the tree. It is a value like any other: versions never
 * change.
 *
 * @since 0.1.0
 */
import { HashMap, Option } from "effect"

/** What a child is known by. */
interface Identified {
  readonly spec: { readonly id: string }
}

/**
 * One version of the children.
 *
 * @since 0.1.0
 */
export class Children<C extends Identified> {
  /** All but the latest, of which an older version may be among them. */
  private readonly others: HashMap.HashMap<string, C>
  private readonly latest: C | undefined

  private constructor(others: HashMap.HashMap<string, C>, latest: C | undefined) {
    this.others = others
    this.latest = latest
  }

  static none<C extends Identified>(): Children<C> {
    return new Children<C>(HashMap.empty(), undefined)
  }

  private get all(): HashMap.HashMap<string, C> {
    return this.latest === undefined ? this.others : HashMap.set(this.others, this.latest.spec.id, this.latest)
  }

  get(id: string): C | undefined {
    return this.latest?.spec.id === id ? this.latest : Option.getOrUndefined(HashMap.get(this.others, id))
  }

  /** All of them, in no promised order. */
  get values(): IterableIterator<C> {
    return HashMap.values(this.all)
  }

  /** With one more, or with another in the place of the one of its id. */
  set(child: C): Children<C> {
    const isLatest = this.latest === undefined || this.latest.spec.id === child.spec.id
    return new Children(isLatest ? this.others : this.all, child)
  }

  without(id: string): Children<C> {
    return new Children(HashMap.remove(this.all, id), undefined)
  }
}
