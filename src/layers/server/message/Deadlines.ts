/**
 * Deadlines of the callers that wait: one sleeping fiber for all that wait equally long.
 *
 * A timer per call costs more than the call. Callers of one class that wait as long as each other expire in the order
 * they came, so they form a list, and only its head needs a timer. Nothing is armed for a call that is served at once.
 *
 * *Tricky*
 * - The list is doubly linked, so that an answered caller leaves it in O(1): a busy server would otherwise keep five
 *   seconds' worth of answered requests. When the last one leaves, the timer is stopped on the next turn, not at once:
 *   the next caller usually comes in the same turn, and a timer left behind would keep the process alive.
 * - Due times are monotonic, so the list is sorted whatever the wall clock does. A timer that rings makes everything
 *   due that it was set for, whatever the clock says then: clocks have fractions, timers and sums of fractions are not
 *   exact, and a caller that is due a fraction later would set the timer again and again.
 *
 * @since 0.1.0
 */
import { Clock, Context, Scheduler } from "effect"
import * as Timer from "../../process/Timer.ts"

/** One that waits. */
export abstract class Deadline {
  at = 0
  previous: Deadline | undefined = undefined
  next: Deadline | undefined = undefined
  list: DeadlineList | undefined = undefined
  /** The time is over; called once, after it has left the list. */
  abstract expire(millis: number): void
}

/** The callers that wait equally long. */
export class DeadlineList {
  private head: Deadline | undefined = undefined
  private tail: Deadline | undefined = undefined
  /** The timer of the first in the list, while there is one. */
  private timer: { cancel: () => void } | undefined = undefined
  private stopping = false
  private readonly millis: number
  private readonly context: Context.Context<never>
  private readonly clock: Clock.Clock
  private readonly forget: (millis: number) => void

  /** `forget` is called when none is left. */
  constructor(millis: number, context: Context.Context<never>, forget: (millis: number) => void) {
    this.millis = millis
    this.forget = forget
    this.context = context
    this.clock = Context.get(context, Clock.Clock)
  }

  add(one: Deadline): void {
    one.at = Timer.instantOf(this.clock) + this.millis
    one.list = this
    this.append(one)
    if (this.timer === undefined) this.arm()
  }

  /** Its time begins anew. */
  renew(one: Deadline): void {
    one.at = Timer.instantOf(this.clock) + this.millis
    if (this.tail === one) return
    this.unlink(one)
    this.append(one)
  }

  private append(one: Deadline): void {
    one.previous = this.tail
    if (this.tail === undefined) this.head = one
    else this.tail.next = one
    this.tail = one
  }

  private unlink(one: Deadline): void {
    if (one.previous === undefined) this.head = one.next
    else one.previous.next = one.next
    if (one.next === undefined) this.tail = one.previous
    else one.next.previous = one.previous
    one.previous = one.next = undefined
  }

  remove(one: Deadline): void {
    if (one.list !== this) return
    one.list = undefined
    this.unlink(one)
    if (this.head === undefined && this.timer !== undefined && !this.stopping) {
      this.stopping = true
      Context.get(this.context, Scheduler.Scheduler).makeDispatcher().scheduleTask(this.stop, 0)
    }
  }

  private readonly stop = (): void => {
    this.stopping = false
    if (this.head !== undefined || this.timer === undefined) return
    this.timer.cancel()
    this.timer = undefined
    this.forget(this.millis)
  }

  private arm(): void {
    const due = this.head!.at
    const rest = Math.max(due - Timer.instantOf(this.clock), 0)
    // A timer may ring before it is returned, and after it was stopped: on a deep stack a hand-off has to wait.
    const timer = { cancel: () => {} }
    this.timer = timer
    timer.cancel = Timer.after(this.context, rest, () => {
      if (this.timer === timer) this.ring(due)
    })
  }

  private ring(due: number): void {
    const now = Math.max(due, Timer.instantOf(this.clock))
    while (this.head !== undefined && this.head.at <= now) {
      const first = this.head
      this.remove(first)
      first.expire(this.millis)
    }
    // Not before: those who have just expired may add others, and set no timer meanwhile.
    this.timer = undefined
    if (this.head === undefined) this.forget(this.millis)
    else this.arm()
  }
}

/** Every list of one server class, by how long its callers wait. */
export class Deadlines {
  private readonly lists = new Map<number, DeadlineList>()
  private readonly context: Context.Context<never>

  constructor(context: Context.Context<never>) {
    this.context = context
  }

  add(one: Deadline, millis: number): void {
    let list = this.lists.get(millis)
    if (list === undefined) this.lists.set(millis, list = new DeadlineList(millis, this.context, this.forget))
    list.add(one)
  }

  // Callers may wait for any time at all: what is left of another's deadline, for one.
  private readonly forget = (millis: number): void => {
    this.lists.delete(millis)
  }

  /** How many different times are waited for now. */
  get size(): number {
    return this.lists.size
  }
}
