/**
 * When an append-only log is compacted: by what of it is still needed, and what is not.
 *
 * Compaction writes again what is needed. It is due when as much is not needed, so that each byte that a caller writes
 * is written once more in the long run, whatever the log holds, and the log is at most twice as large as it must be.
 *
 * @since 0.1.0
 */

/** What a log consists of, in bytes, and in how many segments. */
export interface LogSize {
  readonly total: number
  /** What is still needed of it. */
  readonly live: number
  readonly pieces: number
}

/** Segments a log may consist of before it is compacted for their number alone. */
export const maxPieces = 16

/** Whether it is due, when fewer than `above` bytes are not worth it. */
export const isDue = ({ live, pieces, total }: LogSize, above: number): boolean =>
  total - live > Math.max(above, live) || pieces > maxPieces

/** After one that failed it is due when there is twice as much to be gained. */
export const afterFailure = ({ live, total }: LogSize, above: number): number => Math.max(above, (total - live) * 2)
