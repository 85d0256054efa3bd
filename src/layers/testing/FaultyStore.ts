/**
 * A store whose requests go wrong where a plan says so: they fail, hang, come late, or are done and fail all the same.
 *
 * What is stored stays whole: a batch is done or not. What happens to half a write is for the tests of each store.
 *
 * @since 0.1.0
 */
import { Context, Effect, Layer } from "effect"
import type { Grade } from "../../domain/state/Survival.ts"
import type { StoreFault } from "../../domain/testing/TimedFaults.ts"
import { type StateStore, type StateStoreKey, StoreError } from "../state/store/StateStore.ts"
import { storeKeyOf } from "../state/store/StoreShape.ts"

/**
 * Asked at every request of a store: what goes wrong with it, if anything does.
 *
 * @category models
 * @since 0.1.0
 */
export type StoreFaults = (operation: string) => StoreFault | undefined

/**
 * What goes wrong with the stores below; nothing by default.
 *
 * @category fault injection
 * @since 0.1.0
 */
export const CurrentStoreFaults: Context.Reference<StoreFaults | undefined> = Context.Reference<
  StoreFaults | undefined
>("heirloom/testing/StoreFaults", { defaultValue: () => undefined })

type Run = <A>(request: Effect.Effect<A, StoreError>) => Effect.Effect<A, StoreError>

const inItsFiber: Run = (request) => request

/**
 * Runs a request that hangs: in the fiber that asks, by default. In a simulation it is on its way, and is done even
 * when the process that sent it is gone by then. A session that is to begin is not: no store begins one of a process
 * that is gone (`StateStore.acquireEpoch`).
 *
 * @category fault injection
 * @since 0.1.0
 */
export const OnItsWay: Context.Reference<Run> = Context.Reference("heirloom/testing/OnItsWay", {
  defaultValue: () => inItsFiber
})

/**
 * A store over another one that is struck by `faults`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <G extends Grade>(store: StateStore<G>, faults: StoreFaults): StateStore<G> => {
  const away = (operation: string, what: string) =>
    Effect.fail(new StoreError({ store: store.name, operation, reason: { _tag: "Unavailable", cause: what } }))
  const struck = <A>(
    operation: string,
    request: Effect.Effect<A, StoreError>,
    hanging: Effect.Effect<Run> = OnItsWay
  ): Effect.Effect<A, StoreError> =>
    Effect.suspend(() => {
      const fault = faults(operation)
      switch (fault?.how) {
        case undefined:
          return request
        case "Fails":
          return away(operation, "injected on purpose: the request fails")
        case "Away":
          return away(operation, "injected on purpose: the store is away")
        case "Tears":
          return Effect.andThen(request, away(operation, "injected on purpose: the answer is lost"))
        case "Late":
          return Effect.tap(request, () => Effect.sleep(fault.millis))
        case "Hangs":
          return Effect.flatMap(hanging, (run) => run(Effect.andThen(Effect.sleep(fault.millis), request)))
      }
    })
  const { confirm, count, doubt, settle, timers } = store
  return {
    name: store.name,
    grade: store.grade,
    acquireEpoch: (owner, of) =>
      struck("acquireEpoch", store.acquireEpoch(owner, of), of === "key" ? OnItsWay : Effect.succeed(inItsFiber)),
    ...(confirm === undefined ? {} : { confirm: (epoch, key) => struck("confirm", confirm(epoch, key)) }),
    ...(store.hold === undefined ? {} : { hold: store.hold }),
    load: (key) => struck("load", store.load(key)),
    save: (records) => struck("save", store.save(records)),
    setAside: (snapshot) => struck("setAside", store.setAside(snapshot)),
    listAside: (key) => struck("listAside", store.listAside(key)),
    keys: (prefix, page) => struck("keys", store.keys(prefix, page)),
    ...(count === undefined ? {} : { count: (prefix) => struck("count", count(prefix)) }),
    remove: (keys, epoch) => struck("remove", store.remove(keys, epoch)),
    ...(doubt === undefined ? {} : { doubt: struck("doubt", doubt) }),
    ...(settle === undefined ? {} : { settle: (epoch) => struck("settle", settle(epoch)) }),
    ...(timers === undefined ? {} : { timers: (...page) => struck("timers", timers(...page)) })
  }
}

/**
 * The store that a layer makes, struck by the faults of the context.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <Self, G extends Grade, E, R>(
  store: StateStoreKey<Self, G>,
  real: Layer.Layer<Self, E, R>
): Layer.Layer<Self, E, R> =>
  Layer.effect(
    storeKeyOf("FaultyStore.layer", store),
    Effect.gen(function*() {
      const faults = yield* CurrentStoreFaults
      const made = Context.get(yield* Layer.build(real), store)
      return faults === undefined ? made : make(made, faults)
    })
  )
