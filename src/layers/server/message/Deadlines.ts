/**
 * Deadlines of the callers that wait: one sleeping fiber for all that wait equally long.
 *
 * A timer per call costs more than the call. Callers of one server that wait as long as each other expire in the order
 * they came, so they form a list, and only its head needs a timer. Nothing is armed for a call that is served at once.
 *
 * *Tricky*: the list is doubly linked, so that an answered caller leaves it in O(1): a busy server would otherwise keep
 * five seconds' worth of answered requests. When the last one leaves, the sleeper is stopped on the next turn, not at
 * once: the next caller usually comes in the same turn, and a sleeper left behind would keep the process alive.
 *
 * @since 0.1.0
 */
import { Clock, Context, Duration, Effect, type Fiber, Scheduler } from "effect"

/** One that waits. */
export abstract class Deadline {
  at = 0
  previous: Deadline | undefined = undefined
  next: Deadline | undefined = undefined
  list: DeadlineList | undefined = undefined
  /** The time is over; called once, after it has left the list. */
  abstract expire(millis: number): void
}

/** Those who wait equally long. */
export class DeadlineList {
  private head: Deadline | undefined = undefined
  private tail: Deadline | undefined = undefined
  private sleeper: Fiber.Fiber<void> | undefined = undefined
  private stopping = false
  private readonly millis: number
  private readonly context: Context.Context<never>
  private readonly clock: Clock.Clock
  private readonly forget: (millis: number) => void

  /** `forget` is told when nobody is left. */
  constructor(millis: number, context: Context.Context<never>, forget: (millis: number) => void) {
    this.millis = millis
    this.forget = forget
    this.context = context
    this.clock = Context.get(context, Clock.Clock)
  }

  add(one: Deadline): void {
    one.at = this.clock.currentTimeMillisUnsafe() + this.millis
    one.list = this
    one.previous = this.tail
    if (this.tail === undefined) this.head = one
    else this.tail.next = one
    this.tail = one
    if (this.sleeper === undefined) this.sleep()
  }

  remove(one: Deadline): void {
    if (one.list !== this) return
    one.list = undefined
    if (one.previous === undefined) this.head = one.next
    else one.previous.next = one.next
    if (one.next === undefined) this.tail = one.previous
    else one.next.previous = one.previous
    one.previous = one.next = undefined
    if (this.head === undefined && this.sleeper !== undefined && !this.stopping) {
      this.stopping = true
      Context.get(this.context, Scheduler.Scheduler).makeDispatcher().scheduleTask(this.stop, 0)
    }
  }

  private readonly stop = (): void => {
    this.stopping = false
    if (this.head !== undefined || this.sleeper === undefined) return
    const sleeper = this.sleeper
    this.sleeper = undefined
    sleeper.interruptUnsafe()
    this.forget(this.millis)
  }

  private sleep(): void {
    const rest = Math.max(this.head!.at - this.clock.currentTimeMillisUnsafe(), 0)
    const sleeper = Effect.runForkWith(this.context)(this.clock.sleep(Duration.millis(rest)))
    this.sleeper = sleeper
    sleeper.addObserver((exit) => {
      if (exit._tag === "Failure" || this.sleeper !== sleeper) return
      this.sleeper = undefined
      const now = this.clock.currentTimeMillisUnsafe()
      while (this.head !== undefined && this.head.at <= now) {
        const due = this.head
        this.remove(due)
        due.expire(this.millis)
      }
      if (this.sleeper !== undefined) return
      if (this.head === undefined) this.forget(this.millis)
      else this.sleep()
    })
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
