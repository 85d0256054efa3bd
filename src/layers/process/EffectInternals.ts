/**
 * Reading effect's own values beyond its documented functions: each way to is pinned by a test.
 *
 * Use effect's functions wherever they do: these are here because the function costs as much as the work it is asked
 * in, or because there is none.
 *
 * @since 0.1.0
 */
import { Effect, type Exit, type Fiber, type Schema, type Tracer } from "effect"
import { evaluateKey, exitKey, interruptKey } from "../../domain/text/EffectKeys.ts"

// Both ask for a key and nothing else: `Effect.isEffect` costs as much as a restart's bookkeeping, `Exit.isExit` more
// than a call that is answered at once.
/** Whether it is an Effect, and not a plain value. */
export const isEffect = (u: unknown): u is Effect.Effect<unknown, unknown> =>
  typeof u === "object" && u !== null && (u as { readonly [Effect.TypeId]?: unknown })[Effect.TypeId] !== undefined

/** Whether an Effect is an outcome already: nothing has to be run. */
export const isExit = <A, E, R>(effect: Effect.Effect<A, E, R>): effect is Exit.Exit<A, E> =>
  (effect as { readonly [exitKey]?: unknown })[exitKey] !== undefined

/** The span that a fiber is in: from its cache, where looking it up in its context is a good part of a cast. */
export const spanOf = ({ cache }: Pick<Fiber.Fiber<unknown, unknown>, "cache">): Tracer.AnySpan | undefined =>
  cache.span

/**
 * Goes on in a fiber with an outcome, as the fiber itself would in its next step: effect's own `sync` does so. The step
 * is a tenth of a call that is answered at once.
 */
export const goOnWith = <A, E>(exit: Exit.Exit<A, E>, fiber: Fiber.Fiber<unknown, unknown>): Effect.Effect<A, E> =>
  (exit as unknown as Evaluated<A, E>)[evaluateKey](fiber)

/** The same with any Effect. Apart, because V8 finds the step of an outcome sooner where it has seen nothing else. */
export const beginWith = <A, E>(
  effect: Effect.Effect<A, E>,
  fiber: Fiber.Fiber<unknown, unknown>
): Effect.Effect<A, E> => (effect as unknown as Evaluated<A, E>)[evaluateKey](fiber)

/** Counts a step that a fiber has not taken itself: it gives way after so many. */
export const countStep = (fiber: Fiber.Fiber<unknown, unknown>): void => {
  ;(fiber as { currentOpCount: number }).currentOpCount++
}

/** Takes that back: the fiber is about to take the step itself. */
export const uncountStep = (fiber: Fiber.Fiber<unknown, unknown>): void => {
  ;(fiber as { currentOpCount: number }).currentOpCount--
}

/** Whether a fiber was interrupted in the middle of a step, which its run loop sees after it. */
export const isInterrupting = (fiber: Fiber.Fiber<unknown, unknown>): boolean =>
  (fiber as unknown as { readonly [interruptKey]: boolean })[interruptKey]

/** Whether a fiber may take a step outside its run loop: it does not have to end before, and nothing is around it. */
export const mayStep = (fiber: Fiber.Fiber<unknown, unknown>): boolean =>
  fiber.cache.tracerContext === undefined && !isInterrupting(fiber)

/** Whether a fiber has to give way before a step that is counted already, as its run loop asks. */
export const hasToYield = (fiber: Fiber.Fiber<unknown, unknown>): boolean => {
  const { preventYield, scheduler } = fiber.cache
  return !preventYield && scheduler.shouldYield(fiber)
}

/** The base of a class of Effects. `Effectable.Class` does not hand the fiber on: it would have to be looked up. */
export const effectWith = <A, E>(prototype: Effect.Effect<A, E>): new() => Effect.Effect<A, E> => {
  // A class extends a constructor; this one has nothing to do.
  function Base() {}
  Base.prototype = prototype
  return Base as unknown as new() => Effect.Effect<A, E>
}

interface Evaluated<A, E> {
  readonly [evaluateKey]: (fiber: Fiber.Fiber<unknown, unknown>) => Effect.Effect<A, E>
}

/** Whether a field may be left out of what a schema's constructor is given. */
export const hasConstructorDefault = (field: Schema.Constraint): boolean =>
  field.ast.context?.constructorDefault !== undefined
