/**
 * Those who listen for one kind of thing.
 *
 * *Tricky*: they are called inside the stack that caused it. A listener may subscribe or leave while another is called:
 * the list is replaced, never changed in place. One that throws, or whose promise is rejected, is removed.
 *
 * @since 0.1.0
 */
import { whenRejected } from "./SafeLog.ts"

/** Those who listen for an `A`. */
export class Listeners<in out A> {
  private all: ReadonlyArray<(one: A) => void> = []
  /** Hears whether there are any. */
  private readonly changed: (areThere: boolean) => void
  /** Hears of one that failed, and was removed. */
  private readonly failed: (one: A, defect: unknown) => void

  constructor(changed: (areThere: boolean) => void, failed: (one: A, defect: unknown) => void) {
    this.changed = changed
    this.failed = failed
  }

  call(one: A): void {
    for (const listener of this.all) {
      try {
        whenRejected(listener(one), (defect) => this.remove(listener, one, defect))
      } catch (defect) {
        this.remove(listener, one, defect)
      }
    }
  }

  private remove(listener: (one: A) => void, one: A, defect: unknown): void {
    if (!this.all.includes(listener)) return
    this.leave(listener)
    this.failed(one, defect)
  }

  private leave(listener: (one: A) => void): void {
    this.all = this.all.filter((other) => other !== listener)
    this.changed(this.all.length > 0)
  }

  /** Adds one; the returned function removes it. */
  add(listener: (one: A) => void): () => void {
    // A closure of its own per subscription, so that one function subscribed twice is called twice and leaves once a
    // time.
    const own = (one: A) => listener(one)
    this.all = [...this.all, own]
    this.changed(true)
    return () => this.leave(own)
  }
}
