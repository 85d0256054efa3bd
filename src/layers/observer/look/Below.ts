/**
 * The processes of a tree as an outline sees them: numbered, and each branch as a list.
 *
 * *Tricky*: a supervisor of a million makes a list of a million when it is asked what is below it. So one that is large
 * is asked again only after a while, the longer the larger it is: who came or went is seen that much later.
 *
 * @since 0.1.0
 */
import type { Below, Tree } from "../../../domain/observer/Outline.ts"
import type { Watched } from "./Look.ts"

interface Listed extends Below<Watched> {
  readonly children: ReadonlyArray<Watched>
  readonly at: number
}

/** How many children are listed in a millisecond, at the worst, if that may take a hundredth of the time. */
const listedInMillis = 100

/** The processes below roots, numbered. */
export class Processes implements Tree<Watched> {
  /** Milliseconds of the Clock: it is to be set before each look. */
  now = 0
  private last = 0
  private readonly numbers = new WeakMap<Watched, number>()
  /** Only processes that were shown have a number; one that has gone leaves none behind. */
  private readonly names = new Map<number, WeakRef<Watched>>()
  private readonly gone = new FinalizationRegistry<number>((n) => this.names.delete(n))
  private readonly lists = new WeakMap<Watched, Listed>()

  readonly number = (child: Watched): number => {
    const known = this.numbers.get(child)
    if (known !== undefined) return known
    this.numbers.set(child, ++this.last)
    this.names.set(this.last, new WeakRef(child))
    this.gone.register(child, this.last)
    return this.last
  }

  /** The process of a number, unless it has gone. */
  named(n: number): Watched | undefined {
    return this.names.get(n)?.deref()
  }

  readonly below = (child: Watched): Listed | undefined => {
    if (child.below === undefined) return undefined
    const known = this.lists.get(child)
    if (known !== undefined && this.now >= known.at && this.now - known.at < known.size / listedInMillis) return known
    const children = Array.from(child.below())
    const listed: Listed = {
      children,
      at: this.now,
      size: children.length,
      hasBranches: children.some((one) => one.below !== undefined),
      slice: (from, count) => children.slice(from, from + count)
    }
    this.lists.set(child, listed)
    return listed
  }

  /** How many there are from here down. */
  count(child: Watched): number {
    const below = this.below(child)
    if (below === undefined) return 1
    if (!below.hasBranches) return 1 + below.size
    return below.children.reduce((sum, one) => sum + this.count(one), 1)
  }

  /** All of them, top down, with their depth. */
  *walk(roots: Iterable<Watched>, depth = 0): Generator<readonly [child: Watched, depth: number], void> {
    for (const child of roots) {
      yield [child, depth]
      const below = this.below(child)
      if (below !== undefined) yield* this.walk(below.children, depth + 1)
    }
  }

  /** The way down to a path: the processes from a root on. */
  find(roots: Iterable<Watched>, path: ReadonlyArray<string>): ReadonlyArray<Watched> {
    const way: Array<Watched> = []
    let among = roots
    for (const id of path) {
      const next: Watched | undefined = Array.from(among).find((child) => child.id === id)
      if (next === undefined) return []
      way.push(next)
      among = this.below(next)?.children ?? []
    }
    return way
  }
}
