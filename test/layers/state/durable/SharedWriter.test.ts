/**
 * One store, one writer: classes that conserve in the same store share its transactions, each with a patience of its
 * own.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Layer, Schedule, Schema } from "effect"
import { TestClock } from "effect/testing"
import { GenServer, StateContainer, StateStore, Supervisor } from "../../../../src/index.ts"
import { now, turns } from "../../../kit/Fibers.ts"
import { away, layer as plainLayer, onSave, Scripted, Store } from "../../../kit/Scripted.ts"

const messages = { Add: GenServer.call({ reply: Schema.Int, timeout: "infinity" }) }

class One extends GenServer.Service<One>()("test/One", { state: Schema.Int, messages }) {}
class Two extends GenServer.Service<Two>()("test/Two", { state: Schema.Int, messages }) {}

const handlers = { Add: (n: number) => [n + 1, n + 1] as const }

type Retry = Schedule.Schedule<unknown, StateStore.StoreError>

const tree = (store: Layer.Layer<Store>, retries: { readonly one: Retry; readonly two: Retry }) =>
  Supervisor.layer({ strategy: "one_for_one" }, [
    StateContainer.layerStore(One, { store: Store, retry: retries.one }),
    One.layer({ init: 0, handlers }),
    StateContainer.layerStore(Two, { store: Store, retry: retries.two }),
    Two.layer({ init: 0, handlers })
  ]).pipe(Layer.provide(store))

const stores = {
  "of a layer": (script: Scripted) => StateStore.layer(Store, Effect.succeed(script.store)),
  "that is a plain value": (script: Scripted) => plainLayer(script)
}

describe.each(Object.entries(stores))("two classes over a store %s", (_name, layerOf) => {
  it.effect("share a transaction, though each writes a retry Schedule of its own", () => {
    const script = new Scripted()
    return Effect.gen(function*() {
      const calls = [yield* now((yield* One).Add()), yield* now((yield* Two).Add())]
      yield* turns
      assert.deepStrictEqual(script.batches, [["One#1", "Two#1"]])
      assert.deepStrictEqual(yield* Effect.forEach(calls, Fiber.join), [1, 1])
    }).pipe(Effect.provide(tree(layerOf(script), { one: Schedule.recurs(5), two: Schedule.recurs(5) })))
  })

  it.effect("give up each by its own retry", () => {
    const script = new Scripted()
    return Effect.gen(function*() {
      script.before = onSave(away)
      const one = yield* now((yield* One).Add())
      const two = yield* now((yield* Two).Add())
      yield* turns
      const failed = yield* Effect.exit(Fiber.join(one))
      assert.strictEqual(
        Exit.isFailure(failed) && (Cause.squash(failed.cause) as GenServer.CallError).reason._tag,
        "NotConserved"
      )
      yield* TestClock.adjust("1 minute")
      assert.isUndefined(two.pollUnsafe())
      script.before = () => Effect.void
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(two), 1)
    }).pipe(Effect.provide(tree(layerOf(script), { one: Schedule.recurs(0), two: Schedule.spaced("1 second") })))
  })
})
