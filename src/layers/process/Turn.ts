/**
 * Turns: who runs now, who runs later, and how deep.
 *
 * Resumes in Effect are synchronous: code that completes a callback runs its waiter on its own stack, and a cascade of
 * some hundreds aborts the process. Every hand-off of Heirloom (a call served at once, a reply, a crash reported to a
 * supervisor) goes through here: it runs at once while the stack is shallow and is queued for the outermost frame
 * when it is not.
 *
 * *Tricky*: `leave` drains what was queued only in the outermost frame, so a queued hand-off never nests inside
 * another; it must run even when the hand-off that queued it throws, hence the `finally` around every `enter`.
 *
 * @since 0.1.0
 */
import { type Clock, Effect, MutableList, type Scheduler } from "effect"

/** Nested hand-offs before the trampoline takes over: each level is several JS frames of Effect's own. */
export const maxDepth = 24

/** The same where a user's generators stand between the levels, which may be nested. */
const roomy = 8

/** How many hand-offs are entered and not left. A record, so that one can be put back where nothing can be called. */
export const stack = { depth: 0 }
const deferred: Array<() => void> = []
let head = 0

/** Whether one more hand-off may run on this stack. */
export const isShallow = (): boolean => stack.depth < maxDepth

/** Whether the stack is so shallow that a user's generators, too, may stand between one hand-off and the next. */
export const isNearTop = (): boolean => stack.depth < roomy

/** Enters a hand-off; pair with {@link leave} in a `finally`. */
export const enter = (): void => {
  stack.depth++
}

/** Leaves a hand-off; the outermost one runs what had to wait. */
export const leave = (): void => {
  if (--stack.depth === 0 && deferred.length > 0) runDeferred()
}

// Apart, because every call passes through `leave` and next to none has anything to run: emptying an empty array alone
// was a tenth of a call.
const runDeferred = (): void => {
  while (head < deferred.length) {
    const task = deferred[head]!
    deferred[head++] = noop
    stack.depth++
    try {
      task()
    } finally {
      stack.depth--
    }
  }
  deferred.length = 0
  head = 0
}

const noop = () => {}

/** Runs a hand-off now, or as soon as the outermost one is done when the stack is deep. */
export const run = (task: () => void): void => {
  if (stack.depth >= maxDepth) {
    deferred.push(task)
    return
  }
  stack.depth++
  try {
    task()
  } finally {
    leave()
  }
}

/** An Effect that begins at once, or a turn later when the stack is deep by then. */
export const shallow = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => isShallow() ? effect : Effect.andThen(Effect.yieldNow, effect))

/** Work that wants a turn: a server with messages waiting, a supervisor with events. */
export interface Ready {
  /** Whether it waits for its turn already; kept by the queue. */
  queued: boolean
  /** Works until it has nothing to do or {@link RunQueue.spend} says that the turn is over. */
  drain(): void
}

// Pieces of work done before the event loop must get a turn: queued messages, continuations, idle callbacks. Calls
// served at once are not counted: they are operations of the caller's own fiber, which yields by itself; refusing them
// would lock every caller out of that path.
const budget = 1024

// Nanoseconds of a turn, for pieces that are large. The clock costs more than a small piece: a turn of four pieces does
// not read it, a longer one reads it before the next ones, then ever more seldom, at last before every 128th.
const longest = 10_000_000n
const unread = 4
const seldom = 128

/**
 * The servers and supervisors that wait for a turn, in order: one queue per Scheduler, so that a test clock knows of
 * every turn.
 *
 * *Tricky*: servers made ready while a turn runs go on in that turn until the budget is spent, so a ping-pong of casts
 * costs no turn of the event loop per hop, and still cannot starve a timer.
 */
export class RunQueue {
  private readonly dispatcher: Scheduler.SchedulerDispatcher
  private readonly waiting = MutableList.make<Ready>()
  private armed = false
  private running = false
  private spent = 0
  /** The piece before which the clock is read next, and the time at which the turn is over. */
  private look = unread
  private until = 0n

  constructor(scheduler: Scheduler.Scheduler) {
    this.dispatcher = scheduler.makeDispatcher()
  }

  /** Counts one piece of work; true when the event loop must get its turn first. */
  spend(clock: Clock.Clock): boolean {
    if (this.spent === this.look) this.read(clock)
    return this.spent++ >= budget
  }

  /** The same for a piece that may be large: the clock is read before each. */
  spendLarge(clock: Clock.Clock): boolean {
    const now = clock.monotonicTimeNanosUnsafe()
    if (this.look === unread) this.until = now + longest
    else if (now >= this.until) this.spent = budget
    // The next one reads the clock, whatever it is.
    this.look = Math.max(this.spent, unread) + 1
    return this.spent++ >= budget
  }

  private read(clock: Clock.Clock): void {
    const now = clock.monotonicTimeNanosUnsafe()
    if (this.look === unread) this.until = now + longest
    else if (now >= this.until) this.spent = budget
    this.look += Math.min(Math.max(this.look - unread, 1), seldom)
  }

  /** Whether there is work that waits for its turn. */
  get isBehind(): boolean {
    return this.waiting.length > 0
  }

  /** Gives `ready` a turn, once, after those that wait already. */
  push(ready: Ready): void {
    if (!ready.queued) {
      MutableList.append(this.waiting, ready)
      ready.queued = true
    }
    if (!this.running) this.arm()
  }

  private arm(): void {
    if (this.armed) return
    this.armed = true
    try {
      this.dispatcher.scheduleTask(this.turn, 0)
    } catch (defect) {
      // The stack is at its end, or the Scheduler is: the next one that asks is heard.
      this.armed = false
      throw defect
    }
  }

  private readonly turn = (): void => {
    this.armed = false
    this.running = true
    this.spent = 0
    this.look = unread
    try {
      while (this.spent < budget) {
        const ready = MutableList.take(this.waiting)
        if (ready === MutableList.Empty) break
        ready.queued = false
        enter()
        try {
          ready.drain()
        } finally {
          leave()
        }
      }
    } finally {
      this.running = false
      if (this.waiting.length > 0) this.arm()
    }
  }
}

const queues = new WeakMap<Scheduler.Scheduler, RunQueue>()

/** The run queue of a Scheduler. */
export const runQueue = (scheduler: Scheduler.Scheduler): RunQueue => {
  let queue = queues.get(scheduler)
  if (queue === undefined) queues.set(scheduler, queue = new RunQueue(scheduler))
  return queue
}
