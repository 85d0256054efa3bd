/**
 * A behaviour whose messages are counted, timed and traced by their tags, where that is asked for
 * (`Telemetry.byClass`).
 *
 * It is the behaviour itself that counts: the engine does not know of it.
 *
 * @since 0.1.0
 */
import { Cause, type Clock, Effect, Exit, Record } from "effect"
import type { HandlerContext } from "../../../domain/server/Message.ts"
import type { ClassMeter, Outcome } from "../../observation/Meter.ts"
import { isEffect, isExit } from "../../process/EffectInternals.ts"
import { attempt } from "../../process/Execute.ts"
import { instantOf } from "../../process/Timer.ts"
import { DirectView, HandlerView } from "../message/HandlerView.ts"

type Handler = (state: unknown, payload: unknown, context: HandlerContext<never, never> | undefined) => unknown

/** The part of a behaviour that handles messages. */
interface Handling {
  readonly handlers: { readonly [tag: string]: Handler }
}

const outcomeOf = (exit: Exit.Exit<unknown, unknown>, isCall: boolean): Outcome => {
  if (exit._tag === "Success") return "handled"
  return isCall && Cause.hasFails(exit.cause) && !Cause.hasDies(exit.cause) ? "failed" : "crashed"
}

/** Counts the messages of a behaviour; `isCall` says of a tag what it is. */
export const metered = <B extends Handling>(
  meter: ClassMeter,
  clock: Clock.Clock,
  hasSpans: boolean,
  isCall: (tag: string) => boolean,
  behavior: B
): B => ({
  ...behavior,
  handlers: Record.map(behavior.handlers, (handler, tag): Handler => {
    const tagMeter = meter.message(tag)
    const isAnswered = isCall(tag)
    const traced = hasSpans ? inSpan(meter, clock, tag, isAnswered, handler) : handler
    return (state, payload, context) => {
      const begun = instantOf(clock)
      const over = (outcome: Outcome): void => {
        const now = instantOf(clock)
        tagMeter.note(outcome, now - begun)
        if (outcome === "crashed") return
        if (context instanceof DirectView || context instanceof HandlerView) meter.handled(context.server, now)
      }
      let next: unknown
      try {
        next = traced(state, payload, context)
      } catch (defect) {
        over("crashed")
        throw defect
      }
      if (!isEffect(next)) over("handled")
      else if (isExit(next)) over(outcomeOf(next, isAnswered))
      else return Effect.onExit(next, (exit) => Effect.sync(() => over(outcomeOf(exit, isAnswered))))
      return next
    }
  })
})

/** Handles each message in a span of its own, below that of its sender; in none, where the tracer throws. */
const inSpan = (meter: ClassMeter, clock: Clock.Clock, tag: string, isCall: boolean, handler: Handler): Handler => {
  const making = Effect.makeSpan(`${meter.id}.${tag}`, {
    kind: isCall ? "server" : "consumer",
    attributes: { "heirloom.server": meter.id, "heirloom.message": tag }
  })
  return (state, payload, context) => {
    const handled = Effect.suspend(() => {
      const next = handler(state, payload, context)
      return isEffect(next) ? next : Exit.succeed(next)
    })
    return Effect.matchCauseEffect(making, {
      onFailure: (cause) => {
        meter.untraced(Cause.squash(cause))
        return handled
      },
      onSuccess: (span) =>
        Effect.onExit(Effect.withParentSpan(handled, span), (exit) =>
          Effect.sync(() => {
            const ended = attempt(() => span.end(clock.currentTimeNanosUnsafe(), exit))
            if (ended._tag === "Failure") meter.untraced(Cause.squash(ended.cause))
          }))
    })
  }
}
