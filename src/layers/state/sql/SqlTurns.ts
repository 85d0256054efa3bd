/**
 * The turns of the writes of one client, as its owner's row in PostgreSQL counts them.
 *
 * A write that may still arrive has a number that is over once another was made. And a database whose count is lower than that
 * of a write it has acknowledged has gone back in time.
 *
 * @since 0.1.0
 */

/** The turns of the writes of one client. */
export class Turns {
  private last = 0
  private readonly stored = new Map<number, number>()

  /** The number of the next write. */
  next(): number {
    return ++this.last
  }

  /** The last write under an epoch that is known to be stored; 0: none. */
  before(epoch: number): number {
    return this.stored.get(epoch) ?? 0
  }

  /** The last one that was begun is stored, under these epochs. */
  done(epochs: Iterable<number>): void {
    for (const epoch of epochs) this.stored.set(epoch, this.last)
  }
}
