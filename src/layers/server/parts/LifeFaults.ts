/**
 * How a fault strikes the callbacks that begin and end an incarnation (`FaultPoints.LifePoints`).
 *
 * @since 0.1.0
 */
import { Effect, Exit } from "effect"
import { type ExitReason, killed } from "../../../domain/process/ExitReason.ts"
import type { LifeFault, LifePoint, LifePoints } from "../../../domain/testing/Fault.ts"
import { isEffect } from "../../process/EffectInternals.ts"
import { type Handler, HandlerOf } from "../message/CallChain.ts"

/** The callbacks of a behaviour that begin and end an incarnation. */
interface Life {
  readonly init: unknown
  readonly restore?: ((conserved: unknown) => unknown) | undefined
  readonly terminate?: ((reason: ExitReason, state: unknown) => unknown) | undefined
}

/** The behaviour, with faults at the points of an incarnation. */
export const withLifeFaults = <B extends Life>(points: LifePoints, behavior: B): B => {
  const ask = (server: Handler, point: LifePoint): Effect.Effect<void, unknown> =>
    Effect.suspend(() => perform(server, points(point, { server: server.name, incarnation: server.incarnation })))
  const callIn = (point: LifePoint, callback: () => unknown): Effect.Effect<unknown, unknown> =>
    Effect.flatMap(HandlerOf, (server) => {
      if (server === undefined) return asEffect(callback)
      const faulty = Effect.andThen(ask(server, point), asEffect(callback))
      if (point === "terminate") return faulty
      // Released last, after what the callback acquires.
      return Effect.andThen(Effect.addFinalizer(() => Effect.orDie(ask(server, "finalizer"))), faulty)
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
