/**
 * The events of one supervisor, handled one after the other.
 *
 * Whatever brings an event drives the supervisor: the event is handled at once, unless one is being handled already.
 *
 * *Tricky*: (1) An event may arrive in the middle of another, in the stack of a command; it is queued, outcomes of
 * commands before the others, so that a decision seldom sees a world that is half known. (2) A child that fails in its
 * own start, under a budget without end, is a stream of outcomes without end: so one queued event goes after every few
 * outcomes, and a pass gives way to the event loop when it has taken long enough. Requests, timers and the shutdown
 * have their turn. The next pass is a turn among those of servers and other supervisors. While anything waits for a
 * turn, what an event begins is a short pass: long ones would add up, and a hundred of them in a row are a second. (3)
 * Callers are answered after the pass, each through a {@link Turn}: what they do next finds the supervisor consistent,
 * and deep trees do not deepen the stack.
 *
 * @since 0.1.0
 */
import { Clock, Context, Scheduler } from "effect"
import { instantOf } from "../../process/Timer.ts"
import * as Turn from "../../process/Turn.ts"

/** Events of a pass, at most. */
const passLength = 4096

/** Milliseconds of a pass while nothing waits for a turn. Events are cheap, what they make children do may not be. */
export const passMillis = 10

/**
 * The clock is read once for so many events: most passes are over before it is read at all. It is the length of a short
 * pass, too, which comes to a queued event at least once.
 */
export const timed = 32

/** Outcomes in a row while another event waits. */
const mostOutcomes = 16

/** Events that wait, in order, and the pass that handles them. */
export class EventQueue<E> implements Turn.Ready {
  /** The last pass gave way: a turn is to come. */
  queued = false
  private readonly context: Context.Context<never>
  private readonly handle: (event: E) => void
  private events: Array<E> = []
  private head = 0
  private outcomes: Array<E> = []
  /** Outcomes handled in a row. */
  private row = 0
  private answers: Array<() => void> = []
  private handling = false

  constructor(context: Context.Context<never>, handle: (event: E) => void) {
    this.context = context
    this.handle = handle
  }

  /** Whether nothing is being handled, and nothing waits. */
  get isIdle(): boolean {
    return !this.handling && !this.isBehind
  }

  /** Something happened. */
  post(event: E): void {
    this.events.push(event)
    if (!this.handling) Turn.run(this.pass)
  }

  /** What a command came to: while one is performed, that goes before what is queued. */
  outcome(event: E): void {
    if (this.handling) this.outcomes.push(event)
    else this.post(event)
  }

  /** Calls `answer` when the pass is over. */
  afterwards(answer: () => void): void {
    this.answers.push(answer)
  }

  /** Queues everything until {@link end}: the caller handles something by itself. */
  begin(): void {
    this.handling = true
  }

  end(): void {
    this.handling = false
    if (this.isBehind) this.pass()
  }

  private readonly pass = (): void => {
    if (!this.handling) this.work(undefined)
  }

  /** Goes on, in a turn that may have had other work before. */
  drain(): void {
    this.work(this.turns)
  }

  private get turns(): Turn.RunQueue {
    return Turn.runQueue(Context.get(this.context, Scheduler.Scheduler))
  }

  private work(turn: Turn.RunQueue | undefined): void {
    this.handling = true
    const clock = Context.get(this.context, Clock.Clock)
    let until: number | undefined
    try {
      for (let handled = 1; handled <= passLength; handled++) {
        const event = this.next()
        if (event === undefined) break
        this.handle(event)
        if (turn?.spend(clock) === true) break
        if (turn !== undefined || handled % timed !== 0) continue
        const now = instantOf(clock)
        until ??= now + passMillis
        if (now >= until || this.turns.isBehind) break
      }
    } finally {
      this.handling = false
      if (this.isBehind) this.turns.push(this)
    }
    while (this.answers.length > 0) {
      const answers = this.answers
      this.answers = []
      for (const answer of answers) Turn.run(answer)
    }
  }

  private get isBehind(): boolean {
    return this.outcomes.length > 0 || this.head < this.events.length
  }

  private next(): E | undefined {
    const waits = this.head < this.events.length
    if (this.outcomes.length > 0 && (!waits || this.row < mostOutcomes)) {
      this.row++
      return this.outcomes.shift()
    }
    this.row = 0
    if (!waits) return undefined
    const event = this.events[this.head++]
    if (this.head === this.events.length) {
      this.events = []
      this.head = 0
    }
    return event
  }
}
