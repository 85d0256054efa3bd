/**
 * Effects for handlers: a later reply, a message after a delay, work beside the server, a wait for its store.
 *
 * @since 0.1.0
 */
import { Cause, Context, type Duration, Effect, Exit, Fiber, Function, type Scope, Tracer } from "effect"
import { refuse, timeout } from "../../../domain/options/GivenOption.ts"
import { crashed } from "../../../domain/process/ExitReason.ts"
import type { From } from "../../../domain/server/Message.ts"
import { InvalidReply } from "../../../domain/server/ServerErrors.ts"
import { tied } from "../../process/Own.ts"
import * as Turn from "../../process/Turn.ts"
import { HandlerOf } from "../message/CallChain.ts"
import { Envelope } from "../message/Envelope.ts"
import { Absent } from "../message/HandlerView.ts"

/**
 * Answers a caller that was promised a later reply with `Next.noReply` (OTP: `gen_server:reply/2`).
 *
 * **Details**
 *
 * Only the first answer counts. One that is given while its handler is still at work goes out at once, as in OTP: it is
 * ahead of the state that the handler commits, and a crash in between undoes that state alone. Use `Next.reply` with
 * `continueWith` to commit first, answer, and work on. Where the call has an idempotency key, the answer waits for the
 * commit. One that is given after the handler has crashed is dropped: its state was not committed. A caller that is
 * still waiting when the incarnation ends is answered `Crashed`. A reply to a validated message that is not what its
 * schema says answers no caller: it is a defect of the Effect that replies (`InvalidReply`).
 *
 * @category replies
 * @since 0.1.0
 */
export const reply: {
  <A, E>(exit: Exit.Exit<A, E>): (from: From<A, E>) => Effect.Effect<void>
  <A, E>(from: From<A, E>, exit: Exit.Exit<A, E>): Effect.Effect<void>
} = Function.dual(2, <A, E>(from: From<A, E>, exit: Exit.Exit<A, E>): Effect.Effect<void> =>
  Effect.sync(() => {
    if (from instanceof Absent) {
      throw new Error(
        "GenServer.reply was used in a worker, where the caller is not: reply with what the handler returns."
      )
    }
    if (!(from instanceof Envelope)) {
      return refuse({ of: "GenServer.reply", option: "a caller", given: from }, "the from of a handler's context")
    }
    if (!Exit.isExit(exit)) {
      return refuse({ of: from.server.name, request: from.type.tag, option: "a later reply", given: exit }, "an Exit")
    }
    const { server, type: { checks, tag } } = from
    const issue = exit._tag === "Success" ? checks?.reply(exit.value) : undefined
    if (issue !== undefined) throw new InvalidReply({ server: server.name, request: tag, issue })
    server.answerLater(from, exit)
  }))

const timers = { startImmediately: true } as const

const untraced = (context: Context.Context<never>): Context.Context<never> => Context.omit(Tracer.ParentSpan)(context)

/**
 * Sends a message after a delay, unless the scope is closed before (OTP: `erlang:send_after/3`).
 *
 * **When to use**
 *
 * In a handler, for a message of the server to itself: the handler's scope is the incarnation's, so a timer does not
 * outlive the incarnation that set it. Answers an Effect that cancels it. Its message has no part in the trace of the
 * message that made the handler set it.
 *
 * **Example** (a tick that only the server itself sends)
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { GenServer } from "heirloom"
 *
 * class Clock extends GenServer.Service<Clock>()("app/Clock", {
 *   state: Schema.Int,
 *   messages: { Tick: GenServer.cast({ internal: true }) }
 * }) {}
 *
 * const nextTick = Effect.flatMap(Clock.self, (self) => self.Tick().pipe(GenServer.castAfter("1 second")))
 *
 * const ClockLive = Clock.layer({
 *   init: Effect.as(nextTick, 0),
 *   handlers: { Tick: (seconds) => Effect.as(nextTick, seconds + 1) }
 * })
 * ```
 *
 * @category timers
 * @since 0.1.0
 */
export const castAfter: {
  (delay: Duration.Input): (message: Effect.Effect<void>) => Effect.Effect<Effect.Effect<void>, never, Scope.Scope>
  (message: Effect.Effect<void>, delay: Duration.Input): Effect.Effect<Effect.Effect<void>, never, Scope.Scope>
} = Function.dual(2, (
  message: Effect.Effect<void>,
  delay: Duration.Input
): Effect.Effect<Effect.Effect<void>, never, Scope.Scope> =>
  Effect.suspend(() => {
    timeout({ of: "GenServer.castAfter", option: "delay", given: delay })
    return delayed(message, delay)
  }))

const delayed = (
  message: Effect.Effect<void>,
  delay: Duration.Input
): Effect.Effect<Effect.Effect<void>, never, Scope.Scope> =>
  Effect.map(
    // A tick that sets the next one would otherwise belong to the trace of the first one's sender, for ever.
    Effect.forkScoped(Effect.delay(Effect.updateContext(message, untraced), delay), timers),
    (fiber) => {
      tied("work", fiber)
      return Effect.sync(() => fiber.interruptUnsafe())
    }
  )

/**
 * Waits until all that the server of the running handler has committed before is stored.
 *
 * **When to use**
 *
 * In a handler that tells others what must not be taken back: its own answer waits by itself, what it sends does not.
 * Over a companion in memory, and outside a handler, it does not wait.
 *
 * @category waiting
 * @since 0.1.0
 */
export const stored: Effect.Effect<void> = Effect.callback<void>((resume) => {
  const fiber = Fiber.getCurrent()
  const server = fiber === undefined ? undefined : Context.get(fiber.context, HandlerOf)
  if (server === undefined) return resume(Effect.void)
  const cancel = server.whenStored(() => resume(Effect.void))
  return Effect.sync(cancel)
})

/**
 * Runs an Effect beside the server, as long as the incarnation lives: if it fails, the incarnation ends with its cause
 * (OTP: `spawn_link/1`).
 *
 * **When to use**
 *
 * In a handler or in init, for background work that the server cannot do without. For work whose failure is no one's
 * business use `Effect.forkScoped`: a fiber that fails there is silent.
 *
 * **Details**
 *
 * It starts after the handler in progress has had its turn. Completing and being interrupted end nothing else.
 *
 * @category background work
 * @since 0.1.0
 */
export const spawnLink = <A, E, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<Fiber.Fiber<A, E>, never, R | Scope.Scope> =>
  Effect.tap(Effect.forkScoped(effect), (fiber) =>
    Effect.map(HandlerOf, (server) => {
      if (server === undefined) return
      tied("work", fiber)
      const { incarnation } = server
      fiber.addObserver((exit) => {
        if (exit._tag === "Success" || Cause.hasInterruptsOnly(exit.cause)) return
        const { cause } = exit
        Turn.run(() => {
          if (server.incarnation === incarnation) server.exit(crashed(cause))
        })
      })
    }))
