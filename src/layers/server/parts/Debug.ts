/**
 * The event log, the statistics and the debug functions of a server, which `Sys` switches on.
 *
 * A server has one of these only while something is switched on, and it is left off the direct path for as long: when
 * nothing is, observation costs nothing.
 *
 * *Tricky*: debug functions run on the server's own stack, between one message and the next. One that throws is
 * removed, as in OTP, and harms nothing else.
 *
 * @since 0.1.0
 */
import type { Exit } from "effect"
import type { SystemEvent } from "../../../domain/server/SystemEvent.ts"
import { whenRejected } from "../../observation/SafeLog.ts"
import { causeOf } from "../message/CallChain.ts"
import type { Envelope } from "../message/Envelope.ts"

/**
 * Answered by a debug function that wants to be removed.
 *
 * @category debugging
 * @since 0.1.0
 */
export const done: unique symbol = Symbol.for("heirloom/Sys/done")

/**
 * Sees every event; answers the state it is called with next time, or {@link done}.
 *
 * @category models
 * @since 0.1.0
 */
export type DebugFunction<A> = (state: A, event: SystemEvent, serverState: unknown) => A | typeof done

interface Installed {
  /** The name it was given, or the function itself. */
  readonly id: unknown
  readonly step: (event: SystemEvent, serverState: unknown) => Installed | undefined
}

type Failed = (defect: unknown) => void

const installed = <A>(id: unknown, f: DebugFunction<A>, state: A, failed: Failed): Installed => ({
  id,
  step: (event, serverState) => {
    const next = f(state, event, serverState)
    whenRejected(next, failed)
    return next === done ? undefined : installed(id, f, next, failed)
  }
})

/** Counts of messages since they were switched on. */
export interface Counts {
  readonly startTime: number
  messagesIn: number
  messagesOut: number
}

/** The log, the statistics and the debug functions of one server. */
export class Debug {
  counts: Counts | undefined = undefined
  /** Counts of messages by their tags, of those that look at the server for a while, each by what it is known by. */
  readonly tallies = new Map<unknown, Map<string, number>>()
  private events: Array<SystemEvent> | undefined = undefined
  private keep = 0
  private functions: ReadonlyArray<Installed> = []
  /** Hears of a debug function that fails. */
  private readonly failed: Failed

  constructor(failed: Failed) {
    this.failed = failed
  }

  get isOff(): boolean {
    return !this.isHeld && this.tallies.size === 0
  }

  /** Whether something would be lost with the server. A tally is its owner's: who only looks keeps no server awake. */
  get isHeld(): boolean {
    return this.counts !== undefined || this.events !== undefined || this.functions.length > 0
  }

  /** The newest events, the oldest first; `undefined` when the log is off. */
  get log(): ReadonlyArray<SystemEvent> | undefined {
    return this.events?.slice()
  }

  /** Keeps the newest `keep` events from now on; 0 switches the log off. */
  logLast(keep: number): void {
    this.keep = keep
    this.events = keep === 0 ? undefined : (this.events ?? []).slice(-keep)
  }

  /** Installs a function, unless one of that id is there. */
  install<A>(id: unknown, f: DebugFunction<A>, state: A): void {
    if (this.functions.some((other) => other.id === id)) return
    this.functions = [...this.functions, installed(id, f, state, this.failed)]
  }

  remove(id: unknown): void {
    this.functions = this.functions.filter((other) => other.id !== id)
  }

  /** A message is about to be handled. */
  received(envelope: Envelope, state: unknown): void {
    if (this.counts !== undefined) this.counts.messagesIn++
    const { tag } = envelope.type
    for (const tally of this.tallies.values()) tally.set(tag, (tally.get(tag) ?? 0) + 1)
    this.emit({
      _tag: "In",
      kind: envelope.type.isCall ? "call" : "cast",
      request: envelope.type.tag,
      payload: envelope.payload,
      from: causeOf(envelope)?.server.name
    }, state)
  }

  /** A caller is answered. */
  sent(envelope: Envelope, reply: Exit.Exit<unknown, unknown>, state: unknown): void {
    if (this.counts !== undefined) this.counts.messagesOut++
    this.emit({ _tag: "Out", request: envelope.type.tag, reply, to: causeOf(envelope)?.server.name }, state)
  }

  /** A message was handled without an answer. */
  silent(envelope: Envelope, state: unknown): void {
    this.emit({ _tag: "NoReply", request: envelope.type.tag, state }, state)
  }

  private emit(event: SystemEvent, state: unknown): void {
    if (this.events !== undefined) {
      this.events.push(event)
      if (this.events.length > this.keep) this.events.shift()
    }
    if (this.functions.length === 0) return
    const next: Array<Installed> = []
    for (const one of this.functions) {
      try {
        const again = one.step(event, state)
        if (again !== undefined) next.push(again)
      } catch (defect) {
        // As in OTP: a debug function that fails is removed.
        this.failed(defect)
      }
    }
    this.functions = next
  }
}
