/**
 * The feeder's bookkeeping: the acknowledged chunks, and those of them that were lost. Pure.
 *
 * Positions are numbers of lines. Chunks are sent in order and one at a time, so a position says it all: everything
 * before it is known, everything after it is not.
 */

export interface Ledger {
  /** Lines in a chunk. */
  readonly size: number
  /** Up to here everything was acknowledged. */
  readonly position: number
  /** Chunks acknowledged. */
  readonly acknowledged: number
  /**
   * Chunks acknowledged that the server no longer knew after a crash. They are not sent again: they would be missed.
   */
  readonly lost: number
  /** Up to here the losses are counted already. */
  readonly counted: number
}

/**
 * Nothing sent yet. `position` is where the server stands, which is not 0 when it kept its state from an earlier run.
 */
export const begin = (size: number, position: number): Ledger => ({
  size,
  position,
  acknowledged: 0,
  lost: 0,
  counted: 0
})

/** The server acknowledged a chunk, up to `position`. */
export const acknowledge = (ledger: Ledger, position: number): Ledger => ({
  ...ledger,
  position,
  acknowledged: ledger.acknowledged + 1
})

/**
 * A chunk was not answered, and the server says where it stands now.
 *
 * Ahead of what it acknowledged: it has the chunk, and has said so now. Behind: what is between was lost. Where it was:
 * the chunk is to be sent again, which is what happens when the position stays as it is.
 */
export const settle = (ledger: Ledger, position: number): Ledger => {
  if (position > ledger.position) return acknowledge(ledger, position)
  const missing = ledger.position - Math.max(position, ledger.counted)
  return missing <= 0
    ? ledger
    : { ...ledger, lost: ledger.lost + Math.ceil(missing / ledger.size), counted: ledger.position }
}
