/**
 * Rates that a reader makes of counters: how much one grew in a second, now and over the last samples.
 *
 * @since 0.1.0
 */

/** One reading of a counter. */
interface Reading {
  readonly at: number
  readonly value: number
}

/** How many readings are kept: half a minute, two in a second. */
export const readings = 60

/** The last readings of many counters, each by its number. What is not read any more is forgotten. */
export class Rates {
  private readonly kept = new Map<number, ReadonlyArray<Reading>>()

  /**
   * Notes what the counters say now. Those without a reading are forgotten once `n` more than there are have gathered.
   */
  read(at: number, counters: ReadonlyArray<readonly [n: number, value: number]>): void {
    for (const [n, value] of counters) {
      const before = this.kept.get(n) ?? []
      const last = before[before.length - 1]
      if (last !== undefined && at <= last.at) continue
      // One that is less than it was counts anew: each incarnation does.
      const own = last !== undefined && value < last.value ? [] : before
      this.kept.delete(n)
      this.kept.set(n, [...own.slice(1 - readings), { at, value }])
    }
    const [oldest] = this.kept.keys()
    if (this.kept.size > 4 * Math.max(counters.length, 256) && oldest !== undefined) this.kept.delete(oldest)
  }

  /** How much a counter grows in a second, over the last two seconds or so. */
  rate(n: number): number {
    const own = this.kept.get(n) ?? []
    return perSecond(own[Math.max(0, own.length - 5)], own[own.length - 1])
  }

  /** The rates from each reading to the next, the newest last. */
  history(n: number): ReadonlyArray<number> {
    const own = this.kept.get(n) ?? []
    return own.slice(1).map((reading, i) => perSecond(own[i], reading))
  }

  clear(): void {
    this.kept.clear()
  }
}

const perSecond = (from: Reading | undefined, to: Reading | undefined): number =>
  from === undefined || to === undefined || to.at <= from.at ? 0 : (to.value - from.value) * 1000 / (to.at - from.at)
