/** What work costs, counted instead of timed: operations of fibers, function calls, looks at elements. */
import { Effect, Scheduler } from "effect"
import { Session } from "node:inspector/promises"

/** A scheduler that counts every operation of every fiber, and every task it is given. */
export const countingScheduler = () => {
  const inner = new Scheduler.MixedScheduler()
  let operations = 0
  const scheduler: Scheduler.Scheduler = {
    executionMode: inner.executionMode,
    shouldYield: (fiber) => {
      operations++
      return inner.shouldYield(fiber)
    },
    makeDispatcher: () => {
      const dispatcher = inner.makeDispatcher()
      return {
        scheduleTask: (task, priority) => {
          operations++
          dispatcher.scheduleTask(task, priority)
        },
        flush: () => dispatcher.flush()
      }
    }
  }
  return { scheduler, operations: () => operations }
}

/**
 * Counts the function calls an effect makes, in this library and below: whatever searches a list by a callback, or
 * sorts it, shows. Everything runs a few times slower while it is there.
 */
export const callCounter = Effect.gen(function*() {
  const session = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const session = new Session()
      session.connect()
      return session
    }),
    (session) => Effect.sync(() => session.disconnect())
  )
  const post = (method: "Profiler.enable" | "Profiler.stopPreciseCoverage") =>
    Effect.promise(() => session.post(method))
  yield* post("Profiler.enable")
  yield* Effect.acquireRelease(
    Effect.promise(() => session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: false })),
    () => post("Profiler.stopPreciseCoverage")
  )
  // Taking the counts sets them back to 0.
  const take = Effect.map(Effect.promise(() => session.post("Profiler.takePreciseCoverage")), ({ result }) => {
    let calls = 0
    for (const { functions } of result) for (const { ranges } of functions) calls += ranges[0]?.count ?? 0
    return calls
  })
  return <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.andThen(take, Effect.andThen(effect, take))
})

/**
 * How often an effect looks at an element of a map, a set or an array, one that a built-in method looks at included.
 */
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
