/**
 * The fixtures of the dynamic supervisor cases, beside those of the supervisor cases (`family.ts`).
 *
 * A dynamic child has no id of its own in OTP; here it goes by its recipe's, which need not be unique.
 */
import { Context, Effect, Layer } from "effect"
import v8 from "node:v8"
import vm from "node:vm"
import { DynamicSupervisor } from "../../src/index.ts"
import type { StartRecipe } from "../../src/layers/process/Child.ts"
import { child, type ChildOptions, within } from "./Family.ts"

/** The dynamic supervisor under test. */
export class Sup extends DynamicSupervisor.Service<Sup>()("sup") {}

/** As many restarts as some cases allow, so that none of them is the last. */
export const often = within(100_000, 5)

/** Starts the supervisor in the scope of the test: 2 restarts in 3600 s, unless told otherwise. */
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
export const garbled = <A, E, R>(recipe: StartRecipe<A, E, R>, from = 1): StartRecipe<A, E, R> => ({
  ...recipe,
  make: (parent, context, id) => {
    const made = recipe.make(parent, context, id)
    const start = made.child.start.bind(made.child)
    let starts = 0
    Object.assign(made.child, { start: () => ++starts < from ? start() : "garbage" })
    return made
  }
})

/** Whether something is gone once garbage was collected: nobody holds it. */
export const isCollected = (thing: WeakRef<object>): Effect.Effect<boolean> =>
  Effect.gen(function*() {
    for (let turn = 0; turn < 10 && thing.deref() !== undefined; turn++) {
      // What was looked at stays until the turn of the event loop is over.
      yield* Effect.yieldNow
      collectGarbage()
    }
    return thing.deref() === undefined
  })

v8.setFlagsFromString("--expose-gc")
const collectGarbage: () => void = vm.runInNewContext("gc")

/** How often an effect looks at an element of a map, a set or an array, one that a built-in method looks at included. */
export const looks = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<number, E, R> =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      let count = 0
      const restore = [
        ...spied(Map.prototype, ["get", "set", "has", "delete"], () => count++),
        ...spied(Set.prototype, ["add", "has", "delete"], () => count++),
        ...spied(Object.getPrototypeOf(new Map().keys()), ["next"], () => count++),
        ...spied(Object.getPrototypeOf(new Set().keys()), ["next"], () => count++),
        ...spied(Object.getPrototypeOf([].keys()), ["next"], () => count++),
        ...spied(Array.prototype, wholesale, (self) => count += Array.isArray(self) ? self.length : 0)
      ]
      return { restore, total: () => count }
    }),
    ({ total }) => Effect.map(effect, total),
    ({ restore }) => Effect.sync(() => restore.forEach((undo) => undo()))
  )

const wholesale = [
  "indexOf",
  "includes",
  "find",
  "findIndex",
  "filter",
  "map",
  "some",
  "every",
  "forEach",
  "slice",
  "splice",
  "shift"
]

/** Calls `seen` before each call of some methods, until it is undone. */
const spied = (prototype: object, methods: ReadonlyArray<string>, seen: (self: unknown) => void) =>
  methods.map((method) => {
    const own = Object.getOwnPropertyDescriptor(prototype, method)!
    const { value: original } = own
    const spy = function(this: unknown, ...args: ReadonlyArray<unknown>): unknown {
      seen(this)
      return Reflect.apply(original, this, args)
    }
    Object.defineProperty(prototype, method, { ...own, value: spy })
    return () => void Object.defineProperty(prototype, method, own)
  })
