/**
 * Options that the types refuse, and that code which the compiler has not seen, or a value that was computed, gives all
 * the same.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Layer, Schema } from "effect"
import {
  DynamicSupervisor,
  GenServer,
  InvalidOption,
  Requests,
  Restart,
  StateContainer,
  StateStore,
  StateTable,
  Supervisor,
  Sys
} from "../../../../src/index.ts"
import * as StateStoreSqlite from "../../../../src/layers/state/StateStoreSqlite.ts"

class One extends GenServer.Service<One>()("test/One", {
  state: Schema.Int,
  messages: { Get: GenServer.call({ reply: Schema.Int }) }
}) {}

class Store extends StateStore.Service<Store>()("test/Store", "crash") {}
class Db extends StateStore.Service<Db>()("test/Db", "process") {}
class Pool extends DynamicSupervisor.Service<Pool>()("test/Pool") {}

const behavior = { init: 1, handlers: { Get: (n: number) => [n, n] as const } }

type Given = never

const tree = (...children: ReadonlyArray<Layer.Any>) =>
  Layer.build(Supervisor.layer({ strategy: "one_for_one" }, children as Given) as Layer.Layer<never, unknown>).pipe(
    Effect.provide(Layer.mergeAll(StateStore.layerMemory(Store), StateTable.StateTable.layer)),
    Effect.scoped
  )

const server = (options: object) => tree(StateContainer.layerMemory(One), One.layer(behavior, options))

const stored = (options: object) => tree(StateContainer.layerStore(One, { store: Store, ...options }))

const asked = (ask: (one: typeof One.Service) => Effect.Effect<unknown, unknown>) =>
  Effect.flatMap(One, ask).pipe(
    Effect.provide(
      Supervisor.layer({ strategy: "one_for_one" }, [StateContainer.layerMemory(One), One.layer(behavior)])
    )
  )

const keyed = (key: unknown) =>
  One.at(key as Given).pipe(
    Effect.provide(Layer.provide(One.layerKeyed(behavior), Pool.asSupervisor)),
    Effect.provide(Supervisor.layer({ strategy: "one_for_one" }, [StateContainer.layerMemory(One), Pool.layer()]))
  )

const declared = (of: { readonly id?: unknown; readonly state?: unknown; readonly messages?: unknown }) =>
  Effect.sync(() => {
    const { id = "test/Two", messages = {}, state = Schema.Int } = of
    return GenServer.Service()(id as "test/Two", { state: state as typeof Schema.Int, messages: messages as {} })
  })

/** By option, what was given for it, and what is made with it. */
const refused: ReadonlyArray<
  readonly [option: string, given: unknown, make: (given: Given) => Effect.Effect<unknown, unknown>]
> = [
  ["when", "comit", (when) => tree(StateContainer.layerMemory(One, { when }))],
  ["when", null, (when) => stored({ when })],
  ["afterStop", "forgot", (afterStop) => tree(StateContainer.layerMemory(One, { afterStop }))],
  ["afterStop", true, (afterStop) => stored({ afterStop })],
  ["onSuspect", "rolback", (onSuspect) => stored({ onSuspect })],
  ["onSuspect", "", (onSuspect) => tree(StateContainer.layerMemory(One, { onSuspect }))],
  ["retry", "5 seconds", (retry) => stored({ retry })],
  ["row", "row", (row) => tree(StateContainer.layerTable(One, { row }))],
  ["isolation", "deep", (isolation) => server({ isolation })],
  ["mailbox.overflow", "drop", (overflow) => server({ mailbox: { capacity: 1, overflow } })],
  ["mailbox.capacity", Symbol("many"), (capacity) => server({ mailbox: { capacity } })],
  ["mailbox.capacity", "10", (capacity) => server({ mailbox: { capacity } })],
  [
    "redeliver.maxAttempts",
    Number.NaN,
    (maxAttempts) => declared({ messages: { A: GenServer.call({ redeliver: { maxAttempts } }) } })
  ],
  [
    "redeliver.maxAttempts",
    undefined,
    () => declared({ messages: { A: GenServer.cast({ redeliver: true as Given }) } })
  ],
  ["state", { n: 1 }, (state) => declared({ state })],
  ["messages", null, (messages) => declared({ messages })],
  ["id", Symbol("id"), (id) => declared({ id })],
  ["key", Symbol("key"), keyed],
  ["key", undefined, keyed],
  [
    "restart",
    { restarts: 3 },
    (restart) => Effect.scoped(Layer.build(Supervisor.layer({ strategy: "one_for_one", restart }, [])))
  ],
  ["restart", "never", (restart) => tree(Pool.layer({ restart }))],
  ["maxChildren", "10", (maxChildren) => tree(Pool.layer({ maxChildren }))],
  [
    "children",
    "all",
    (children) => Effect.scoped(Layer.build(Supervisor.layer({ strategy: "one_for_one" }, children)))
  ],
  ["effect", 1, (effect) => tree(Supervisor.worker("work", effect))],
  ["factor", Symbol("two"), (factor) => Effect.sync(() => Restart.backoff({ factor }))],
  ["filename", undefined, (filename) => Effect.scoped(Layer.build(StateStoreSqlite.layer(Db, { filename })))],
  [
    "synchronous",
    "OFF; DROP TABLE heirloom_state",
    (synchronous) => Effect.scoped(Layer.build(StateStoreSqlite.layer(Db, { filename: ":memory:", synchronous })))
  ],
  [
    "timeout",
    -1,
    (timeout) =>
      asked((one) =>
        Effect.scoped(Effect.flatMap(Requests.send(one.Get()), (request) => Requests.wait(request, { timeout })))
      )
  ],
  ["flag", Symbol("ten"), (flag) => asked((one) => Sys.log(one, flag))],
  ["flag", -1, (flag) => asked((one) => Sys.log(one, flag))]
]

const refusalOf = (error: unknown): unknown =>
  error instanceof Supervisor.StartError
    ? error.reason._tag === "Failed" ? refusalOf(Cause.squash(error.reason.cause)) : error.reason
    : error

describe("an option that makes no sense", () => {
  it.effect.each(
    refused.map(([option, given, make]) => ({ option, given, make, name: `${option}: ${String(given)}` }))
  )(
    "is refused, by its name and with what was given: $name",
    ({ given, make, option }) =>
      Effect.gen(function*() {
        const exit = yield* Effect.exit(Effect.timeout(make(given as Given), "1 second"))
        const error = exit._tag === "Failure" ? refusalOf(Cause.squash(exit.cause)) : undefined
        assert.instanceOf(error, InvalidOption.InvalidOption)
        assert.deepStrictEqual([error.option, error.given], [option, given])
      })
  )
})
