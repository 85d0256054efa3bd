/**
 * The fixtures of the dynamic supervisor cases, beside those of the supervisor cases (`Family.ts`).
 *
 * A dynamic child has no id of its own in OTP; here it goes by its recipe's, which need not be unique.
 */
import { Context, Effect, Layer } from "effect"
import { DynamicSupervisor, type Supervisor } from "../../src/index.ts"
import { child, type ChildOptions, within } from "./Family.ts"

/** The dynamic supervisor under test. */
export class Sup extends DynamicSupervisor.Service<Sup>()("sup") {}

/** Starts the supervisor in the scope of the test: 2 restarts in 3600 s, by default. */
export const start = (options: DynamicSupervisor.Options = {}) =>
  Effect.map(Layer.build(Sup.layer({ restart: within(2, 3600), ...options })), (context) => Context.get(context, Sup))

type Start = NonNullable<ChildOptions["init"]>

/** A child whose starts come to what is listed, one after the other, and then to the last of them for ever. */
export const scripted = (
  id: string,
  [...starts]: readonly [Start, ...ReadonlyArray<Start>],
  options: ChildOptions = {}
) => child(id, { ...options, init: Effect.suspend(() => starts.length > 1 ? starts.shift()! : starts[0]!) })

/** A child whose starts, from one on, answer with what no start may come to: possible only past the type checker. */
export const garbled = <A, E, R>(
  recipe: Supervisor.StartRecipe<A, E, R>,
  from = 1
): Supervisor.StartRecipe<A, E, R> => ({
  ...recipe,
  make: (parent, context, id) => {
    const made = recipe.make(parent, context, id)
    const start = made.child.start.bind(made.child)
    let starts = 0
    Object.assign(made.child, { start: () => ++starts < from ? start() : "garbage" })
    return made
  }
})
