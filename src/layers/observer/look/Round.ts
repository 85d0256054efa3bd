/**
 * A look at all processes, in parts: so many at a time, and then from the beginning again.
 *
 * What it has found counts when it has come around. Until the first time, what it has found so far does.
 *
 * @since 0.1.0
 */

/** How many processes are looked at in one go: a few milliseconds, however their memory lies. */
export const part = 10_000

/** One look after the other. */
export class Round<N, A> {
  /** What was found the last time around. */
  found: ReadonlyArray<A> = []
  private readonly begin: () => Iterator<N, void>
  private readonly look: (node: N) => A | undefined
  private readonly most: number
  private at: Iterator<N, void> | undefined = undefined
  private finding: Array<A> = []
  private isFirst = true

  /** Keeps no more than `most`. */
  constructor(begin: () => Iterator<N, void>, look: (node: N) => A | undefined, most: number) {
    this.begin = begin
    this.look = look
    this.most = most
  }

  /** Looks at the next part. Never comes around more than once. */
  advance(count: number = part): void {
    this.at ??= this.begin()
    for (let i = 0; i < count; i++) {
      const next = this.at.next()
      if (next.done === true) {
        this.at = undefined
        this.found = this.finding
        this.finding = []
        this.isFirst = false
        return
      }
      if (this.finding.length >= this.most) continue
      const one = this.look(next.value)
      if (one !== undefined) this.finding.push(one)
    }
    if (this.isFirst) this.found = [...this.finding]
  }
}
