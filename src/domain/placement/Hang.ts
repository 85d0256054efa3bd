/**
 * Whether a thread hangs: a rule over samples of it, which tells one that is dead from one that is starved.
 *
 * A thread that is busy for a long time is in an endless loop, or at honest work on a machine that has no time for it.
 * What distinguishes them is how much time it was given with the same messages in hand, not how much time has passed.
 * So time counts unless the thread waited for a processor in it. Where that is not known, all of it counts, unless the
 * one who took the sample was late as well: a machine that starves the parent starves its threads.
 *
 * *Tricky*: where only the thread itself knows, one that is stuck in native code (a lock, a read that blocks) does not
 * answer. Its time counts until it answers again, and what it says then is the truth about the time before.
 *
 * @since 0.1.0
 */

/** What was seen of a thread in a stretch of time. */
export interface Sample {
  /** How long it was, in milliseconds. */
  readonly millis: number
  /** By how many of them it was longer than was meant. */
  readonly lag: number
  /** A number that changes whenever a message is begun or answered; `undefined` while none is waited for. */
  readonly inHand: number | undefined
  /** For which part of the time its event loop was busy: 0 to 1. */
  readonly utilisation: number
  /**
   * Milliseconds in which it did not wait for a processor, since that was last known; `undefined` when it is not known
   * now.
   */
  readonly given: number | undefined
}

/** What is known of a thread by now. */
export interface Suspicion {
  /** Which messages it has in hand, as `Sample.inHand`. */
  readonly inHand: number | undefined
  /** How many samples in a row have shown it busy with them. */
  readonly samples: number
  /** Milliseconds that it was given meanwhile. */
  readonly given: number
  /** Milliseconds since that was last known. */
  readonly unknown: number
}

/** Nothing speaks against it. */
export const calm: Suspicion = { inHand: undefined, samples: 0, given: 0, unknown: 0 }

/** A thread that rests less than that has not rested. */
const busy = 0.98

/** One busy sample may be chance, as may two. */
const samplesOfProof = 3

/** What is known after one more sample. */
export const after = (before: Suspicion, { given, inHand, lag, millis, utilisation }: Sample): Suspicion => {
  if (inHand === undefined || utilisation < busy) return calm
  // What it did before it had these in hand is not held against them.
  if (inHand !== before.inHand) return { ...calm, inHand }
  const samples = before.samples + 1
  if (given !== undefined) {
    return { inHand, samples, given: before.given + Math.min(given, before.unknown + millis), unknown: 0 }
  }
  const isLate = lag > (millis - lag) / 2
  return { ...before, samples, unknown: before.unknown + (isLate ? 0 : millis) }
}

/** For how many milliseconds it has been at the same messages without a rest, as far as they count. */
export const spentOf = ({ given, unknown }: Suspicion): number => given + unknown

/** Whether it hangs, by one who waits for that many milliseconds. */
export const isHung = (suspicion: Suspicion, patience: number): boolean =>
  suspicion.samples >= samplesOfProof && spentOf(suspicion) >= patience

/**
 * How often to take a sample, in milliseconds: often enough for a proof within the patience, and seldom enough to cost
 * nothing.
 */
export const everyFor = (patience: number): number => Math.min(Math.max(patience / 10, 20), 1000)
