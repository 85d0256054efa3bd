/**
 * A client that looks its server up by name at each call.
 *
 * @since 0.1.0
 */
import { Effect } from "effect"
import { type CallError, callError } from "../../domain/process/CallError.ts"
import { type HasProcess, type Process, processOf } from "../process/Process.ts"

/**
 * The client of whoever has the name when it is called: the same methods; each may also fail with a `CallError` whose
 * reason is `NotRunning`, when nobody has it. What a handle has beside methods (`countChildren`) has no counterpart: look
 * the handle up (`whereis`) for that.
 */
export type Via<R extends HasProcess> = {
  readonly [K in keyof R]: R[K] extends (...args: infer A) => Effect.Effect<infer X, infer E, infer Q>
    ? (...args: A) => Effect.Effect<X, E | CallError, Q>
    : K extends keyof HasProcess ? R[K]
    : never
}

/** A process that is not there: what a name stands for that nobody has. */
const nobody = (registry: string, name: string): Process => ({
  get [processOf]() {
    return this
  },
  id: name,
  path: [registry, name],
  kind: "worker",
  incarnation: 0,
  status: "stopped",
  lastExit: undefined,
  addExitObserver: () => false,
  removeExitObserver: () => {},
  addGoneObserver: () => false,
  removeGoneObserver: () => {},
  exit: () => {}
})

// Asked of every value by promises, printers and Effect's own protocols: a client has no such messages.
const isForeign = (property: string | symbol): boolean =>
  typeof property === "symbol" || property === "then" || property === "toJSON" || property.startsWith("~")

/**
 * A client for a name: `resolve` is asked at each call.
 *
 * @since 0.1.0
 */
export const via = <R extends HasProcess>(
  registry: string,
  name: string,
  resolve: () => R | undefined
): Via<R> => {
  const call = (method: string, args: ReadonlyArray<unknown>): Effect.Effect<unknown, unknown, unknown> =>
    Effect.suspend(() => {
      const ref = resolve()
      if (ref === undefined) return Effect.fail(callError(`${registry}/${name}`, method, { _tag: "NotRunning" }))
      // Which methods a client has is known to its type alone: a name resolves to a different client each time.
      const found: unknown = Reflect.get(ref, method)
      return typeof found === "function"
        ? Reflect.apply(found, ref, args)
        : Effect.die(new TypeError(`${registry}/${name} stands for a process that takes no ${method}`))
    })
  const handler: ProxyHandler<object> = {
    get: (_, property) => {
      if (property === processOf) return resolve()?.[processOf] ?? nobody(registry, name)
      if (typeof property === "symbol" || isForeign(property)) return undefined
      return (...args: ReadonlyArray<unknown>) => call(property, args)
    },
    has: (_, property) => property === processOf
  }
  // The type system cannot follow a Proxy; the handler answers each property of R as Via<R> says.
  return new Proxy({}, handler) as Via<R>
}
