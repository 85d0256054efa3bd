/**
 * The parent's side of one thread, or process: what it was asked, and what becomes of that when it dies.
 *
 * *Tricky*
 * - When it dies, its owner hears of it before those who wait for it: who hears of it first asks again at once, and
 *   must not be sent to the dead one.
 * - What it had begun falls with it. What was only on its way is handed back, to be asked of another one. Where it
 *   cannot be said which of both it was, it counts as begun: a message is never handled twice.
 * - A handler that is interrupted is waited for, as one beside its server would be, but not for ever: then the place is
 *   ended.
 *
 * @since 0.1.0
 */
import { type Context, Effect, Exit, Result } from "effect"
import { type Place as Kind, WorkerDied, WorkerFailed } from "../../../domain/placement/WorkerErrors.ts"
import { plainError } from "../../../domain/text/ForeignCause.ts"
import { messageOf } from "../../../domain/text/ForeignText.ts"
import * as Timer from "../../process/Timer.ts"
import { Uncrossable } from "./Codecs.ts"
import type { Listener, Place } from "./Place.ts"
import { type Ask, begun, calledBack, type Outcome, type Response, slots, waiting } from "./Protocol.ts"

/** In place of an outcome: the place died, and the message was not begun. */
export const unbegun = Symbol("heirloom/unbegun")

/** What of a request cannot be copied, where a schema lets any value through: a function, a Proxy, what holds one. */
const uncloneable = ({ state }: Pick<Ask, "state">, error: unknown): Uncrossable => {
  const isOfState = Result.isFailure(Result.try(() => structuredClone(state)))
  return new Uncrossable(isOfState ? "state" : "payload", messageOf(error))
}

/** Something that was asked, until it is answered. */
interface Waiter {
  readonly slot: number
  /** What is said of it when it takes too long. */
  readonly what: string
  isBegun: boolean
  done: (outcome: Exit.Exit<Outcome | typeof unbegun>) => void
}

/** What happens beside answers. */
export interface HostEvents {
  readonly logged: (entry: Extract<Response, { is: "log" }>) => void
  /** What its layers had acquired was not released; why, as the end of that sentence, and the error. */
  readonly unreleased: (why: string, error: unknown) => void
  /** Something is asked of it: now is the time to watch it. */
  readonly asked: (host: Host) => void
}

const noResponse: Exit.Exit<Outcome> = Exit.succeed({ is: "nothing" })

/** A thread or a process. */
export class Host {
  readonly place: Place
  /** Of what it died. */
  dead: WorkerDied | undefined = undefined
  /** What its owner does when it dies, with so many things begun. */
  onDeath: (error: WorkerDied, begun: number) => void = noDeed
  private readonly waiters = new Map<number, Waiter>()
  /** What is loaded and built there, or about to be. */
  private readonly prepared = new Map<string, Effect.Effect<void, WorkerFailed>>()
  private readonly free: Array<number> = []
  private fresh = 0
  private nextId = 0
  private nextSeat = 0
  private answered = 0
  private startedByMessage = 0
  private readonly context: Context.Context<never>
  private readonly events: HostEvents
  /** Whether several servers are in it, so that it counts which message was begun. */
  private readonly isShared: boolean

  constructor(
    context: Context.Context<never>,
    start: (listener: Listener) => Place,
    events: HostEvents,
    isShared: boolean
  ) {
    this.context = context
    this.events = events
    this.isShared = isShared
    this.place = start({
      response: (response) => this.heard(response),
      died: (how, cause) => this.die(how, cause)
    })
  }

  get kind(): Kind {
    return this.place.kind
  }

  /** A number that changes whenever a message is begun or answered; `undefined` while none is waited for. */
  get inHand(): number | undefined {
    if (this.waiters.size === 0) return undefined
    const { marks } = this.place
    return this.answered + (marks === undefined ? this.startedByMessage : Atomics.load(marks, 0))
  }

  /** The messages that it has begun. */
  get begun(): ReadonlyArray<string> {
    return [...this.waiters.values()].flatMap((waiter) => this.wasBegun(waiter) ? [waiter.what] : [])
  }

  /** A number for an incarnation that is served there. */
  seat(): number {
    return this.nextSeat++
  }

  /** Lets go of what it keeps of an incarnation. */
  forget(seat: number): void {
    if (this.dead === undefined) this.place.post({ to: "forget", seat })
  }

  /** Loads a module there, once. */
  load(url: string, server: string): Effect.Effect<void, WorkerFailed> {
    return this.once(`load ${url}`, server, "module", (id) => ({ to: "load", id, url }))
  }

  /** Builds the services of a server's handlers there, once. */
  serve(server: string): Effect.Effect<void, WorkerFailed> {
    return this.once(`serve ${server}`, server, "layer", (id) => ({ to: "serve", id, server }))
  }

  /**
   * Asks for a callback to be run. Interrupted, it waits for as long as `patience` says until the handler has ended.
   */
  ask(
    request: Omit<Ask, "to" | "id" | "slot">,
    what: string,
    patience: () => number
  ): Effect.Effect<Outcome | typeof unbegun> {
    return Effect.callback<Outcome | typeof unbegun>((resume) => {
      if (this.dead !== undefined) return resume(this.isShared ? Exit.succeed(unbegun) : Exit.die(this.dead))
      const slot = this.isShared ? this.takeSlot() : -1
      const id = this.wait(slot, what, resume)
      try {
        this.place.post({ ...request, to: "ask", id, slot })
      } catch (error) {
        return this.answer(id, Exit.die(uncloneable(request, error)))
      }
      this.events.asked(this)
      return this.interrupted(id, patience)
    })
  }

  /**
   * Ends it, in order if it is at nothing: then what its layers have acquired is released, for as long as that. What is
   * not released is said.
   */
  end(millis: number): Effect.Effect<void> {
    const kill = Effect.suspend(() => this.kill("was ended", millis))
    if (this.dead !== undefined) return kill
    if (this.waiters.size > 0 || millis <= 0) return kill
    let released: Exit.Exit<Outcome | typeof unbegun> | undefined
    return Effect.andThen(
      this.bounded(millis, (done) => {
        const id = this.wait(-1, "its end", (exit) => {
          released = exit
          done()
        })
        this.place.post({ to: "end", id })
      }),
      Effect.suspend(() => {
        if (released === undefined) this.events.unreleased(`within ${millis} ms`, undefined)
        else if (released._tag === "Failure") this.events.unreleased(`since it ${this.dead?.how}`, this.dead?.cause)
        else if (typeof released.value === "object" && released.value.is === "defect") {
          this.events.unreleased("", plainError(released.value.error))
        }
        return kill
      })
    )
  }

  /** Ends it at once, whatever it is doing, and waits until it is gone. One that is in native code may stay. */
  kill(how: string, millis = 5000): Effect.Effect<void> {
    return this.bounded(Math.max(millis, 1000), (done) => {
      this.die(how)
      this.place.end(done)
    })
  }

  private once(
    name: string,
    server: string,
    at: "module" | "layer",
    request: (id: number) => Parameters<Place["post"]>[0]
  ): Effect.Effect<void, WorkerFailed> {
    const known = this.prepared.get(name)
    if (known !== undefined) return known
    let outcome: Exit.Exit<void, WorkerFailed> | undefined
    const waiting: Array<(exit: Exit.Exit<void, WorkerFailed>) => void> = []
    const failed = (cause: unknown, place: WorkerFailed["at"]): WorkerFailed =>
      new WorkerFailed({ server, place: this.kind, at: place, cause })
    const settle = (exit: Exit.Exit<Outcome | typeof unbegun>): void => {
      if (exit._tag === "Failure") outcome = Exit.fail(failed(this.dead, at))
      else if (typeof exit.value === "object" && exit.value.is === "defect") {
        const { error } = exit.value
        outcome = Exit.fail(failed(plainError(error), error.name === "NoEntry" ? "module" : at))
      } else outcome = Exit.void
      // What was not there this time may be there the next time.
      if (outcome._tag === "Failure") this.prepared.delete(name)
      for (const resume of waiting) resume(outcome)
    }
    const prepared = Effect.callback<void, WorkerFailed>((resume) => {
      if (this.dead !== undefined) return resume(Exit.fail(failed(this.dead, "start")))
      if (outcome !== undefined) return resume(outcome)
      waiting.push(resume)
      if (waiting.length > 1) return
      const id = this.wait(-1, name, settle)
      this.place.post(request(id))
    })
    this.prepared.set(name, prepared)
    return prepared
  }

  private wait(slot: number, what: string, done: Waiter["done"]): number {
    const id = this.nextId++
    this.waiters.set(id, { slot, what, isBegun: false, done })
    return id
  }

  private takeSlot(): number {
    const slot = this.free.pop() ?? (this.fresh < slots ? this.fresh++ : -1)
    if (slot >= 0 && this.place.marks !== undefined) Atomics.store(this.place.marks, slot + 1, waiting)
    return slot
  }

  private wasBegun({ isBegun, slot }: Waiter): boolean {
    const { marks } = this.place
    if (slot < 0) return true
    return marks === undefined ? isBegun : Atomics.load(marks, slot + 1) === begun
  }

  private heard(response: Response): void {
    switch (response.is) {
      case "log":
        return this.events.logged(response)
      case "begun": {
        const waiter = this.waiters.get(response.id)
        if (waiter !== undefined) waiter.isBegun = true
        this.startedByMessage++
        return
      }
      case "outcome":
        return this.answer(response.id, Exit.succeed(response.outcome))
      case "done":
        return this.answer(
          response.id,
          response.error === undefined ? noResponse : Exit.succeed({ is: "defect", error: response.error })
        )
    }
  }

  private answer(id: number, outcome: Exit.Exit<Outcome>): void {
    const waiter = this.waiters.get(id)
    if (waiter === undefined) return
    this.waiters.delete(id)
    this.answered++
    if (waiter.slot >= 0) this.free.push(waiter.slot)
    waiter.done(outcome)
  }

  private die(how: string, cause?: unknown): void {
    if (this.dead !== undefined) return
    const error = new WorkerDied({ place: this.kind, how, ...(cause === undefined ? {} : { cause }) })
    this.dead = error
    const left = [...this.waiters.values()]
    this.waiters.clear()
    const wasBegun = left.map((waiter) => this.wasBegun(waiter))
    this.onDeath(error, wasBegun.filter((one) => one).length)
    const died = Exit.die(error)
    const handedBack = Exit.succeed(unbegun)
    for (const [i, { done }] of left.entries()) done(wasBegun[i] === true ? died : handedBack)
  }

  /** What an interruption does: the handler is interrupted as well, and has so much time to end. */
  private interrupted(id: number, patience: () => number): Effect.Effect<void> {
    return Effect.suspend(() => {
      const waiter = this.waiters.get(id)
      if (waiter === undefined) return Effect.void
      const { marks } = this.place
      const isCalledBack = waiter.slot >= 0 && marks !== undefined &&
        Atomics.compareExchange(marks, waiter.slot + 1, waiting, calledBack) === waiting
      if (isCalledBack) {
        waiter.done = noDeed
        return Effect.void
      }
      this.place.post({ to: "interrupt", id })
      const millis = patience()
      const isOver = this.bounded(millis, (done) => {
        waiter.done = done
        // There is nothing to wait for.
        if (millis <= 0) done()
      })
      return Effect.flatMap(isOver, () => {
        if (!this.waiters.has(id) || !this.wasBegun(waiter)) return Effect.void
        return this.kill("was ended, since a handler did not end when it was interrupted")
      })
    })
  }

  /** Waits for something, but not for longer than that: where nothing can be interrupted any more. */
  private bounded(millis: number, begin: (done: () => void) => void): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      const cancel = Timer.after(this.context, millis, () => resume(Exit.void))
      begin(() => {
        cancel()
        resume(Exit.void)
      })
    })
  }
}

const noDeed = () => {}
