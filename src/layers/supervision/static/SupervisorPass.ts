/**
 * The pass of a static supervisor: events come in, `Supervision.decide` decides on one after the other, and every command is
 * performed before the next.
 *
 * *Tricky*: an event may arrive in the middle of a decision, in the stack of a command; it is queued, outcomes of commands
 * before anything else, so that `decide` never sees a world that is half told. Callers are answered after the pass, each
 * through a {@link Turn}: what they do next finds the supervisor consistent, and deep trees do not deepen the stack. A pass
 * that does not end by itself (a child that dies in its own start, with a boundless budget) gives way to the event loop.
 *
 * @since 0.1.0
 */
import { type Context, Effect } from "effect"
import { decide } from "../../../domain/supervision/Supervision.ts"
import type { Command, Event } from "../../../domain/supervision/SupervisionEvents.ts"
import { make, type Options, type State } from "../../../domain/supervision/SupervisionState.ts"
import type { Parent } from "../../process/Child.ts"
import * as Turn from "../../process/Turn.ts"
import type { RestartSchedule } from "../restart/Budget.ts"
import { SupervisingProcess } from "../tree/SupervisingProcess.ts"
import { type Slot, tellEvent } from "./SupervisorNews.ts"

/** Told of every event and of what was decided, for tests that replay the rule. */
export type Recorder = (event: Event, commands: ReadonlyArray<Command>) => void

/** Events handled before the event loop gets a turn. */
const passLength = 4096

/** A supervisor that is driven by events. */
export abstract class SupervisorPass extends SupervisingProcess {
  readonly slots = new Map<string, Slot>()
  recorder: Recorder | undefined = undefined
  protected known: State
  protected draining = false
  /** Those who are told when the pass is over. */
  protected answers: Array<() => void> = []
  private events: Array<Event> = []
  private outcomes: Array<Event> = []
  private head = 0

  constructor(
    parent: Parent,
    id: string,
    options: Options,
    schedule: RestartSchedule,
    context: Context.Context<never>
  ) {
    super(parent, id, schedule, context)
    this.known = make(options)
  }

  protected abstract perform(command: Command): void

  protected post(event: Event): void {
    this.events.push(event)
    if (!this.draining) Turn.run(this.pass)
  }

  protected readonly pass = (): void => {
    if (this.draining) return
    this.draining = true
    try {
      for (let handled = 0; handled < passLength; handled++) {
        const event = this.next()
        if (event === undefined) break
        this.handle(event)
      }
    } finally {
      this.draining = false
      if (this.isBehind) this.passLater()
    }
    while (this.answers.length > 0) {
      const answers = this.answers
      this.answers = []
      for (const answer of answers) Turn.run(answer)
    }
  }

  protected get isBehind(): boolean {
    return this.outcomes.length > 0 || this.head < this.events.length
  }

  private passLater(): void {
    Effect.runForkWith(this.reportContext)(Effect.yieldNow).addObserver(() => Turn.run(this.pass))
  }

  private next(): Event | undefined {
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

  private handle(event: Event): void {
    const before = this.known
    const commands = this.decide(event)
    tellEvent(this.news, this.slots, before, event)
    for (const command of commands) this.perform(command)
  }

  /** Knows what follows from an event; answers what is to be performed. */
  protected decide(event: Event): ReadonlyArray<Command> {
    const [state, commands] = decide(this.known, event)
    this.known = state
    this.recorder?.(event, commands)
    return commands
  }

  /** An outcome that is known while a command is performed goes before everything queued; a later one is an event. */
  protected outcome(event: Event): void {
    if (this.draining) this.outcomes.push(event)
    else this.post(event)
  }
}
