/**
 * The named points of a server's work and life at which tests inject faults.
 *
 * @since 0.1.0
 */
import { Context, Effect, Exit } from "effect"
import { type ExitReason, killed } from "../../../domain/process/ExitReason.ts"
import type {
  FaultPoints as Points,
  LifeFault,
  LifePoint,
  LifePoints as LifePointsOf
} from "../../../domain/testing/Fault.ts"
import { isEffect } from "../../process/EffectInternals.ts"
import { type Handler, HandlerOf } from "../message/CallChain.ts"

/**
 * Asked before a handler runs, after it did its work, after its state was committed, and after it was answered: what it
 * answers really strikes the server there.
 *
 * **When to use**
 *
 * In tests and chaos runs: provide it to the supervisor's layer. Read once, when a server is registered; absent by
 * default, and then it costs nothing.
 *
 * @since 0.1.0
 */
export const FaultPoints: Context.Reference<Points | undefined> = Context.Reference<Points | undefined>(
  "heirloom/FaultPoints",
  { defaultValue: () => undefined }
)

/**
 * Asked when an incarnation begins (before `init` or `restore`), before its `terminate`, and by a finalizer of its Scope:
 * what it answers strikes there, in that callback's own fiber.
 *
 * **When to use**
 *
 * As {@link FaultPoints}. A server under it begins and ends in a fiber, and has a `restore` and a `terminate`, whether or not
 * its behaviour has.
 *
 * **Gotchas**
 *
 * A defect when a conserved state is restored is evidence against that state. A failure is none.
 *
 * @category fault injection
 * @since 0.1.0
 */
export const LifePoints: Context.Reference<LifePointsOf | undefined> = Context.Reference<LifePointsOf | undefined>(
  "heirloom/LifePoints",
  { defaultValue: () => undefined }
)

/** The callbacks of a behaviour that begin and end an incarnation. */
interface Life {
  readonly init: unknown
  readonly restore?: ((conserved: unknown) => unknown) | undefined
  readonly terminate?: ((reason: ExitReason, state: unknown) => unknown) | undefined
}

/** A behaviour that is struck at the points of an incarnation. */
export const struckInLife = <B extends Life>(points: LifePointsOf, behavior: B): B => {
  const ask = (server: Handler, point: LifePoint): Effect.Effect<void, unknown> =>
    Effect.suspend(() => perform(server, points(point, { server: server.name, incarnation: server.incarnation })))
  const callIn = (point: LifePoint, callback: () => unknown): Effect.Effect<unknown, unknown> =>
    Effect.flatMap(HandlerOf, (server) => {
      if (server === undefined) return asEffect(callback)
      const struck = Effect.andThen(ask(server, point), asEffect(callback))
      if (point === "terminate") return struck
      // Released last, after what the callback acquires.
      return Effect.andThen(Effect.addFinalizer(() => Effect.orDie(ask(server, "finalizer"))), struck)
    }) as Effect.Effect<unknown, unknown>
  const { init, restore, terminate } = behavior
  return {
    ...behavior,
    ...("init" in behavior ? { init: callIn("init", () => init) } : {}),
    restore: (conserved: unknown) => callIn("init", () => restore === undefined ? conserved : restore(conserved)),
    terminate: (reason: ExitReason, state: unknown) => callIn("terminate", () => terminate?.(reason, state))
  }
}

const asEffect = (callback: () => unknown): Effect.Effect<unknown, unknown> =>
  Effect.suspend(() => {
    const answer = callback()
    return isEffect(answer) ? answer : Exit.succeed(answer)
  })

const perform = (server: Handler, fault: LifeFault | undefined): Effect.Effect<void, unknown> => {
  switch (fault?._tag) {
    case undefined:
      return Effect.void
    case "Defect":
      return Effect.die(fault.defect)
    case "Failure":
      return Effect.fail(fault.error)
    case "Interrupt":
      return Effect.interrupt
    case "Delay":
      return Effect.sleep(fault.millis)
    case "Kill":
      // The signal ends this fiber; where it cannot, nothing else happens.
      return Effect.sync(() => server.exit(killed))
  }
}
