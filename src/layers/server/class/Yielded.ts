/**
 * The short way of a message that a generator waits for, as in `yield* counter.Increment()`; and of the server of a
 * key, as in `yield* Counter.at(key)`.
 *
 * What a generator yields goes to the run loop of its fiber, which runs it and then goes on with the generator. That
 * takes longer than a call that is answered at once. So the message is sent here, where the generator asks for its next
 * step, and the generator goes on with the answer. Whatever else comes of it is left to the run loop, which is the
 * plain way. `test/layers/server/class/Yielded.test.ts` holds the two equal. To understand servers, skip this file.
 *
 * *Tricky*
 * - A generator of Effects is run by a fiber, and that is the one that runs now. `Effect.fnUntracedEager` is the
 *   exception: it runs what can be run at once where the function is called, and a message is sent there.
 * - Nothing is thrown here: the generator could catch it, where in the run loop it is a defect.
 * - A handler may interrupt its caller and fail, too: the run loop ends the fiber before it looks at the failure, and
 *   the fiber's `Cause` tells of the interruption alone. Where the run loop has sent the message, it may tell of both.
 * - The generator, and those that it is nested in, stand on the stack below the handler. The run loop would have left
 *   them first. So this way is for the first levels of a chain of handlers: generators may be nested by hundreds.
 *
 * @since 0.1.0
 */
import { Effect, Effectable, Exit, Fiber } from "effect"
import {
  beginWith,
  countStep,
  effectWith,
  goOnWith,
  hasToYield,
  isExit,
  isInterrupting,
  mayStep,
  uncountStep
} from "../../process/EffectInternals.ts"
import * as Turn from "../../process/Turn.ts"

/** What a fiber sends in a step of its own: what comes of it at once, or what is to be waited for. */
export interface Sendable<A, E> extends Effect.Effect<A, E> {
  send(fiber: Fiber.Fiber<unknown, unknown>): Effect.Effect<A, E>
}

/**
 * Sends a message that would have been a fiber's `step`th, had the fiber not had to give way. The run loop asks the
 * Scheduler, too, and one that counts or draws may answer otherwise: then the turn is given here.
 */
const afterTurn = <A, E>(message: Sendable<A, E>, step: number): Effect.Effect<A, E> =>
  Effect.withFiber((fiber) =>
    fiber.currentOpCount === step ? Effect.andThen(Effect.yieldNow, message) : beginWith(message, fiber)
  )

/** What a generator iterates over when it waits for a message. It is its own result: each message makes one. */
export class Yielded<A, E> implements Effect.EffectIterator<Effect.Effect<A, E>> {
  private begun = false
  done = false
  /** What the run loop has to run, until it is done; the answer then. */
  private value: Effect.Effect<A, E> | A

  constructor(message: Sendable<A, E>) {
    this.value = message
  }

  next(answer?: A): IteratorResult<Effect.Effect<A, E>, A> {
    if (this.begun) this.conclude(answer as A)
    else {
      this.begun = true
      // `yield*` hands on what its generator was resumed with, if only `undefined`. A loop, a spread and a comparison
      // hand on nothing: they look at the message, and do not send it.
      const fiber = arguments.length === 0 ? undefined : Fiber.getCurrent()
      if (fiber !== undefined && Turn.isNearTop() && mayStep(fiber)) this.step(fiber, this.value as Sendable<A, E>)
    }
    return this as unknown as IteratorResult<Effect.Effect<A, E>, A>
  }

  private step(fiber: Fiber.Fiber<unknown, unknown>, message: Sendable<A, E>): void {
    countStep(fiber)
    if (hasToYield(fiber)) {
      this.value = afterTurn(message, fiber.currentOpCount)
      return uncountStep(fiber)
    }
    let sent: Effect.Effect<A, E>
    try {
      sent = message.send(fiber)
    } catch (defect) {
      this.value = Exit.die(defect)
      return
    }
    if (!isExit(sent)) this.value = sent
    // The run loop has to see that its fiber was interrupted meanwhile. An outcome would not get there.
    else if (isInterrupting(fiber)) this.value = Effect.suspend(() => sent)
    else if (sent._tag === "Success") this.conclude(sent.value)
    else {
      this.value = sent
      // The run loop counts the step in which it takes a failure.
      uncountStep(fiber)
    }
  }

  private conclude(answer: A): void {
    this.done = true
    this.value = answer
  }
}

/** The base of a class of these Effects: run by the run loop, or by the generator that waits for it. */
export const sendable = <A, E>(label: string): new() => Effect.Effect<A, E> => {
  const prototype = Effectable.Prototype<Sendable<A, E>>({
    label,
    evaluate(fiber) {
      const sent = this.send(fiber)
      return isExit(sent) ? goOnWith(sent, fiber) : sent
    }
  })
  const iterator = function(this: Sendable<A, E>) {
    return new Yielded(this)
  }
  return effectWith(Object.defineProperty(prototype, Symbol.iterator, { value: iterator }))
}

/** Sends what can be sent in a step of `fiber`; whatever else it is, it is still to be run. */
export const sendBy = <A, E>(fiber: Fiber.Fiber<unknown, unknown>, effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  "send" in effect ? (effect as Sendable<A, E>).send(fiber) : effect

const SuspendedBase: new() => Effect.Effect<unknown, unknown> = sendable("Suspended")

/** A message that is made when it is sent, as `Effect.suspend` would. */
export class Suspended extends SuspendedBase implements Sendable<unknown, unknown> {
  private readonly make: (fiber: Fiber.Fiber<unknown, unknown>) => Effect.Effect<unknown, unknown>
  constructor(make: (fiber: Fiber.Fiber<unknown, unknown>) => Effect.Effect<unknown, unknown>) {
    super()
    this.make = make
  }

  send(fiber: Fiber.Fiber<unknown, unknown>): Effect.Effect<unknown, unknown> {
    return sendBy(fiber, this.make(fiber))
  }
}
