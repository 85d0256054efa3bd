/**
 * Runs an Effect from plain code, at once when it is an `Exit` already, and tells what came of it.
 *
 * Starting, stopping and restarting a child that has nothing to wait for must not cost a fiber; this is where that is
 * won.
 *
 * @since 0.1.0
 */
import { type Context, Deferred, Effect, Exit } from "effect"
import { crashed, type ExitReason } from "../../domain/process/ExitReason.ts"
import type { Shutdown } from "../../domain/process/Fate.ts"
import * as GivenReason from "../../domain/process/GivenReason.ts"
import { text } from "../../domain/text/ForeignText.ts"
import { whenRejected } from "../observation/SafeLog.ts"
import type { Child, Started } from "./Child.ts"
import { isEffect, isExit } from "./EffectInternals.ts"

/**
 * Runs `effect` and calls `done` with its exit: before this returns when it does not wait, from the observer of its
 * fiber otherwise.
 */
export const execute = <A, E>(
  context: Context.Context<never>,
  effect: Effect.Effect<A, E>,
  done: (exit: Exit.Exit<A, E>) => void
): void => {
  if (isExit(effect)) return done(effect)
  const fiber = Effect.runForkWith(context)(effect)
  const exit = fiber.pollUnsafe()
  if (exit === undefined) fiber.addObserver(done)
  else done(exit)
}

/** What a Deferred came to: itself an outcome when that is there, and an Effect that waits for it otherwise. */
export const outcomeOf = <A, E>(deferred: Deferred.Deferred<A, E>): Effect.Effect<A, E> =>
  deferred.effect ?? Deferred.await(deferred)

/** Calls plain code; what it throws is a defect. */
export const attempt = <A>(make: () => A): Exit.Exit<A> => {
  // A thrown defect must not unwind the supervisor that called: it is that child's crash and no other's.
  try {
    return Exit.succeed(make())
  } catch (defect) {
    return Exit.die(defect)
  }
}

/** Calls foreign code that answers with an Effect; whatever else it answers, or throws, is that Effect's defect. */
export const guarded = <A, E, R = never>(
  what: string,
  make: () => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => {
  try {
    const made = make()
    const answer: unknown = made
    if (isEffect(answer)) return made
    notAwaited(answer)
    return Exit.die(new TypeError(`${what} answers with an Effect, and not with ${text(answer)}`))
  } catch (defect) {
    return Exit.die(defect)
  }
}

/**
 * A promise stands where an Effect was wanted, and that is reported: what it comes to concerns none, and were it
 * rejected, that would end the program.
 */
export const notAwaited = (answer: unknown): void => whenRejected(answer, () => {})

/** Makes a child by its recipe; whatever else a recipe in plain JavaScript answers, or throws, is a defect. */
export const madeBy = <M extends { readonly child: Child }>(make: () => M): Exit.Exit<M> => {
  try {
    return Exit.succeed(checkedMade(make()))
  } catch (defect) {
    return Exit.die(defect)
  }
}

/** The child that a recipe has made; throws when it is none. */
export const checkedMade = <M extends { readonly child: Child }>(made: M): M => {
  if (isChild(made?.child)) return made
  throw new TypeError(`make answers with a child and its reference, and not with ${text(made)}`)
}

const isChild = (child: Child): boolean =>
  typeof child?.start === "function" && typeof child.stop === "function" && typeof child.settle === "function"

/** Stops a child; how it ended is in {@link endedAs}. */
export const stopOf = (
  child: Child,
  reason: ExitReason,
  shutdown: Shutdown,
  forGood: boolean
): Effect.Effect<ExitReason> => guarded("a child's stop", () => child.stop(reason, shutdown, forGood))

/** How a child ended that was stopped. */
export const endedAs = (stopped: Exit.Exit<ExitReason>): ExitReason => {
  const reason = stopped._tag === "Success"
    ? attempt(() => GivenReason.given("a child's stop", stopped.value))
    : stopped
  return reason._tag === "Success" ? reason.value : crashed(reason.cause)
}

/** Starts the next incarnation of a child; whatever else a recipe in plain JavaScript answers or throws is a defect. */
export const startOf = <E>(child: Child<E>): Effect.Effect<Started, E> => {
  try {
    const made = child.start()
    const answer: unknown = made
    return isEffect(answer) ? made : Exit.die(unstarted(answer))
  } catch (defect) {
    return Exit.die(defect)
  }
}

/** Whether a start has come up at once. */
export const isUp = <A extends { readonly _tag: string }, E>(
  start: Effect.Effect<A, E>
): start is Exit.Success<Extract<A, { readonly _tag: "Started" }>> =>
  isExit(start) && start._tag === "Success" && start.value._tag === "Started"

/** What a start came to, when it came to what a start may come to. */
export const started = <E>(exit: Exit.Exit<Started, E>): Exit.Exit<Started, E> => {
  if (exit._tag === "Failure") return exit
  const tag: unknown = exit.value?._tag
  return tag === "Started" || tag === "Ignored" ? exit : Exit.die(unstarted(exit.value))
}

const unstarted = (answer: unknown): TypeError => {
  notAwaited(answer)
  return new TypeError(`a child's start must come to Started or Ignored, not to ${text(answer)}`)
}
