/**
 * Processes in the order of a column of the table, the largest or the smallest first: as many as a person looks
 * through.
 *
 * @since 0.1.0
 */

/** The columns of the table, as a reader names them. */
export const columns = [
  "name",
  "status",
  "incarnation",
  "mailbox",
  "rate",
  "in hand",
  "restarts",
  "last end"
] as const

export type Column = typeof columns[number]

/** What the table is sorted by. */
export interface Sort {
  readonly by: Column
  readonly order: "ascending" | "descending"
}

/** What the largest is first of, as a rule: of all but names. */
const first = (by: Column): Sort["order"] => by === "name" ? "ascending" : "descending"

const opposite = { ascending: "descending", descending: "ascending" } as const

/** What a column is sorted by when it is chosen once more: one way, the other way, and then the tree is back. */
export const next = (sort: Sort | null, by: Column): Sort | null => {
  if (sort?.by !== by) return { by, order: first(by) }
  return sort.order === first(by) ? { by, order: opposite[sort.order] } : null
}

/** What a process is ranked by. */
export type Rank = number | string

const compare = (a: Rank, b: Rank): number => a < b ? -1 : a > b ? 1 : 0

interface Ranked<A> {
  readonly rank: Rank
  readonly item: A
}

/**
 * The first `most` of all that it is offered; of equals those that came first. It never keeps more than twice as many.
 */
export class Top<A> {
  private readonly most: number
  private readonly sign: 1 | -1
  private kept: Array<Ranked<A>> = []
  /** The last one that has a place, once all places are taken. */
  private last: Ranked<A> | undefined = undefined

  constructor(most: number, order: Sort["order"]) {
    this.most = most
    this.sign = order === "ascending" ? 1 : -1
  }

  offer(rank: Rank, item: A): void {
    if (this.last !== undefined && this.sign * compare(rank, this.last.rank) >= 0) return
    this.kept.push({ rank, item })
    if (this.kept.length >= 2 * this.most) this.settle()
  }

  /** Those by now, in order. */
  get all(): ReadonlyArray<A> {
    this.settle()
    return this.kept.map(({ item }) => item)
  }

  private settle(): void {
    this.kept = this.kept.sort((a, b) => this.sign * compare(a.rank, b.rank)).slice(0, this.most)
    if (this.kept.length === this.most) this.last = this.kept[this.most - 1]
  }
}
