/**
 * The events of one supervisor, handled one after the other.
 *
 * Whoever brings an event drives the supervisor: the event is handled at once, unless one is being handled already.
 *
 * *Tricky*: an event may arrive in the middle of another, in the stack of a command; it is queued, outcomes of commands
 * before anything else, so that a decision never sees a world that is half known. Callers are answered after the pass, each
 * through a {@link Turn}: what they do next finds the supervisor consistent, and deep trees do not deepen the stack. A pass
 * that does not end by itself (a child that dies in its own start, with a boundless budget) gives way to the event loop.
 *
 * @since 0.1.0
 */
import { type Context, Effect } from "effect"
import * as Turn from "../../process/Turn.ts"

/** Events handled before the event loop gets a turn. */
const passLength = 4096

/** Events that wait, in order, and the pass that handles them. */
export class EventQueue<E> {
  private readonly context: Context.Context<never>
  private readonly handle: (event: E) => void
  private events: Array<E> = []
  private outcomes: Array<E> = []
  private head = 0
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

  /** What a command came to: while one is performed, that goes before everything queued. */
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
    if (this.handling) return
    this.handling = true
    try {
      for (let handled = 0; handled < passLength; handled++) {
        const event = this.next()
        if (event === undefined) break
        this.handle(event)
      }
    } finally {
      this.handling = false
      if (this.isBehind) this.passLater()
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

  private passLater(): void {
    Effect.runForkWith(this.context)(Effect.yieldNow).addObserver(() => Turn.run(this.pass))
  }

  private next(): E | undefined {
    const outcome = this.outcomes.shift()
    if (outcome !== undefined) return outcome
    const event = this.events[this.head]
    if (event === undefined) return undefined
    if (++this.head === this.events.length) {
      this.events = []
      this.head = 0
    }
    return event
  }
}
