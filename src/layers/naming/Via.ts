/**
 * A client that looks its server up by name at each call.
 *
 * @since 0.1.0
 */
import { Effect, Pipeable } from "effect"
import { pathText } from "../../domain/observation/Lifecycle.ts"
import { type CallError, callError } from "../../domain/process/CallError.ts"
import { type HasProcess, type Process, processOf } from "../process/Process.ts"

/**
 * The methods of a reference behind a name, where TypeScript cannot compute them: generic ones that do not fail with
 * a `CallError` by themselves. A type of references declares them; no value stands behind it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Named<out Methods> {
  readonly "~heirloom/Named"?: Methods
}

type NamedOf<R> = R extends Named<infer Methods> ? NonNullable<Methods> : unknown

type Method = (...args: any) => Effect.Effect<any, any, any>

// Inference loses the overloads and type parameters of a method: one that fails with a CallError anyway is taken as it
// is.
type Called<M> = M extends (...args: infer A) => Effect.Effect<infer X, infer E, infer Q>
  ? [CallError] extends [E] ? M : (...args: A) => Effect.Effect<X, E | CallError, Q>
  : never

type Kept = keyof HasProcess | `~${string}`

/**
 * The client of the process that has a name when it is called: the same methods, with their overloads and type
 * parameters; each may also fail with a `CallError` whose reason is `NotRunning`, when no process has it.
 *
 * **Gotchas**
 *
 * Properties of a handle that are no methods (`countChildren`) have no counterpart: look the handle up (`whereis`) for
 * that.
 *
 * @category models
 * @since 0.1.0
 */
export type Via<R extends HasProcess> =
  & {
    readonly [
      K in keyof R as K extends Kept ? K : K extends "pipe" | keyof NamedOf<R> ? never : R[K] extends Method ? K : never
    ]: K extends Kept ? R[K] : Called<R[K]>
  }
  & NamedOf<R>
  & Pipeable.Pipeable

/** The process of a name that no process has: it is not there. */
const missing = (registry: string, name: string): Process => ({
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
  addReturnObserver: () => false,
  addGoneObserver: () => false,
  removeGoneObserver: () => {},
  exit: () => {}
})

// Asked of every value by promises, printers and Effect's own protocols: a client has no such messages.
const isForeign = (property: string): boolean =>
  property === "then" || property === "toJSON" || property.startsWith("~")

const pipe = (client: unknown) =>
  function() {
    return Pipeable.pipeArguments(client, arguments)
  }

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
      if (ref === undefined) return Effect.fail(callError(pathText([registry, name]), method, { _tag: "NotRunning" }))
      // Which methods a client has is known to its type alone: a name resolves to a different client each time.
      const found: unknown = Reflect.get(ref, method)
      return typeof found === "function"
        ? Reflect.apply(found, ref, args)
        : Effect.die(new TypeError(`${pathText([registry, name])} stands for a process that takes no ${method}`))
    })
  const handler: ProxyHandler<object> = {
    get: (_, property, client) => {
      if (property === processOf) return resolve()?.[processOf] ?? missing(registry, name)
      if (typeof property === "symbol" || isForeign(property)) return undefined
      if (property === "pipe") return pipe(client)
      return (...args: ReadonlyArray<unknown>) => call(property, args)
    },
    has: (_, property) => property === processOf
  }
  // The type system cannot follow a Proxy; the handler answers each property of R as Via<R> says.
  return new Proxy({}, handler) as Via<R>
}
