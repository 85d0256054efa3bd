/**
 * The thread's side: it runs callbacks of behaviours, one incarnation a seat, and answers what they came to.
 *
 * It keeps the state that it answered a seat with last. The parent sends one only when its own is another, so the state
 * of a server that is called often crosses once a call and not twice.
 *
 * @since 0.1.0
 */
import { Cause, Context, Effect, Exit, type Fiber, Layer, Logger, References, Scope } from "effect"
import type { From, HandlerContext } from "../../../domain/server/Message.ts"
import { bounded, errorFields, reportLength } from "../../../domain/text/ForeignCause.ts"
import { json } from "../../../domain/text/ForeignText.ts"
import { isEffect } from "../../process/EffectInternals.ts"
import { Absent } from "../../server/message/HandlerView.ts"
import type { AnyBehavior } from "../../server/parts/ServerSpec.ts"
import { isDropped, outcomeOf, stateAfter } from "./Answers.ts"
import { codecOf, decodeReason, Uncrossable, type WireServer } from "./Codecs.ts"
import { type Ask, begun, type Callback, type Guest, guestKey, type Outcome, waiting } from "./Protocol.ts"

/** What an entry serves: a class, its behaviour, and the services of its handlers. */
export interface Definition {
  readonly server: WireServer
  readonly behavior: AnyBehavior | ((key: string) => AnyBehavior)
  readonly layer: Layer.Layer<never, unknown> | undefined
}

/** An incarnation of a server, as its thread knows it. */
interface Seat {
  readonly definition: Definition
  readonly behavior: AnyBehavior
  state: unknown
}

/** The thread, or process, that this module was loaded in to serve; `undefined` in a program of its own. */
export const guest: Guest | undefined = Reflect.get(globalThis, Symbol.for(guestKey))

/** Serves a class in this thread. */
export const serve = (guest: Guest, definition: Definition): void => {
  guest.served.set(definition.server.key, definition)
  guest.receive ??= receiver(guest)
}

const receiver = (guest: Guest): NonNullable<Guest["receive"]> => {
  const seats = new Map<number, Seat>()
  const running = new Map<number, Fiber.Fiber<unknown, unknown>>()
  const services = new Map<string, Context.Context<never>>()
  const scope = Scope.makeUnsafe()
  const base = Context.make(Logger.CurrentLoggers, new Set([forwarding(guest)]))

  const seatOf = ({ key, seat, server }: Ask): Seat => {
    const known = seats.get(seat)
    if (known !== undefined) return known
    const definition = guest.served.get(server) as Definition
    const { behavior } = definition
    const made = {
      definition,
      behavior: typeof behavior === "function" ? behavior(key ?? "") : behavior,
      state: undefined
    }
    seats.set(seat, made)
    return made
  }

  const answer = (id: number, outcome: Outcome): void => guest.post({ is: "outcome", id, outcome })

  const ask = (request: Ask): void => {
    const { callback, id, slot } = request
    if (slot >= 0 && guest.marks === undefined) guest.post({ is: "begun", id })
    if (slot >= 0 && guest.marks !== undefined) {
      if (Atomics.compareExchange(guest.marks, slot + 1, waiting, begun) !== waiting) {
        return answer(id, { is: "interrupted" })
      }
      Atomics.add(guest.marks, 0, 1)
    }
    let seat: Seat
    let given: unknown
    let next: unknown
    try {
      seat = seatOf(request)
      const codec = codecOf(seat.definition.server)
      if (request.state !== undefined) seat.state = codec.decodeState(request.state)
      given = seat.state
      next = call(request, seat, given)
    } catch (error) {
      if (error instanceof Uncrossable) return answer(id, { is: "refused", what: error.what, issue: error.issue })
      return answer(id, { is: "defect", error: errorFields(error) })
    }
    const done = (exit: Exit.Exit<unknown, unknown>): void => {
      const outcome = outcomeOf(codecOf(seat.definition.server), callback, exit, given)
      // Of what does not travel the parent keeps nothing in mind, either: it sends a state with the next message.
      seat.state = isDropped(outcome) ? undefined : stateAfter(callback, exit, given)
      answer(id, outcome)
    }
    if (!isEffect(next)) return done(Exit.succeed(next))
    const fiber = Effect.runForkWith(services.get(request.server) ?? base)(next)
    running.set(id, fiber)
    fiber.addObserver((exit) => {
      running.delete(id)
      done(exit)
    })
  }

  const build = (id: number, server: string): void => {
    const definition = guest.served.get(server) as Definition | undefined
    if (definition === undefined) {
      const message = "its module has an entry at its top level, but none of this class"
      return guest.post({ is: "done", id, error: { name: "NoEntry", message } })
    }
    const built = Layer.buildWithScope(definition.layer ?? Layer.empty, scope)
    Effect.runForkWith(base)(built).addObserver((exit) => {
      if (exit._tag === "Success") services.set(server, Context.merge(base, exit.value))
      const error = exit._tag === "Success" ? undefined : errorFields(Cause.squash(exit.cause))
      guest.post({ is: "done", id, error })
    })
  }

  return (request) => {
    switch (request.to) {
      case "ask":
        return ask(request)
      case "serve":
        return build(request.id, request.server)
      case "interrupt":
        return running.get(request.id)?.interruptUnsafe()
      case "forget":
        return void seats.delete(request.seat)
      case "end":
        return void Effect.runFork(Scope.close(scope, Exit.void)).addObserver((exit) =>
          guest.post({
            is: "done",
            id: request.id,
            error: exit._tag === "Success" ? undefined : errorFields(Cause.squash(exit.cause))
          })
        )
    }
  }
}

const call = ({ callback, key }: Ask, { behavior, definition }: Seat, state: unknown): unknown => {
  switch (callback.of) {
    case "init":
      return behavior.init
    case "restore":
      return behavior.restore?.(state)
    case "idle":
      return behavior.idle?.(state)
    case "terminate":
      return behavior.terminate?.(decodeReason(callback.reason), state)
    case "handler": {
      const { context, payload, tag } = callback
      const given = codecOf(definition.server).message(tag)?.payload.decode(payload)
      return behavior.handlers[tag]?.(state, given, new GuestContext(context, key))
    }
  }
}

/** The message in hand, in the thread of its handler. */
class GuestContext implements HandlerContext<never, never> {
  readonly incarnation: number
  readonly attempt: number
  readonly seq: number
  readonly timer: HandlerContext["timer"]
  readonly key: string | undefined
  constructor(
    { attempt, incarnation, seq, timer }: Extract<Callback, { of: "handler" }>["context"],
    key: string | undefined
  ) {
    this.incarnation = incarnation
    this.attempt = attempt
    this.seq = seq
    this.timer = timer
    this.key = key
  }
  get from(): From<never, never> {
    return new Absent()
  }
}

/** A logger that has the parent log what is logged here. */
const forwarding = (guest: Guest): Logger.Logger<unknown, void> =>
  Logger.make(({ cause, fiber, logLevel, message }) => {
    if (logLevel === "All" || logLevel === "None") return
    guest.post({
      is: "log",
      level: logLevel,
      message: (Array.isArray(message) ? message : [message]).map(plain),
      annotations: Object.fromEntries(
        Object.entries(fiber.getRef(References.CurrentLogAnnotations)).map(([name, value]) => [name, plain(value)])
      ),
      cause: cause.reasons.length === 0 ? undefined : errorFields(Cause.squash(bounded(cause)))
    })
  })

const plain = (value: unknown): unknown => typeof value === "string" ? value : json(value, reportLength)
