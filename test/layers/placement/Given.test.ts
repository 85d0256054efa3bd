/** What the functions of placements are given from code without types: each is refused by name, where it is given. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Layer, Schema } from "effect"
import { TestRunner } from "effect/cluster"
import { HttpRouter } from "effect/http"
import { RpcSerialization } from "effect/rpc"
import { ClusterServer } from "../../../src/cluster.ts"
import { DynamicSupervisor, GenServer, InvalidOption, StateContainer, Supervisor } from "../../../src/index.ts"
import { Serve } from "../../../src/serve.ts"
import { WorkerServer } from "../../../src/worker.ts"

class Counter extends GenServer.Service<Counter>()("test/given/Counter", {
  state: Schema.Int,
  messages: { Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }) }
}) {}

class Other extends GenServer.Service<Other>()("test/given/Other", { state: Schema.Int, messages: {} }) {}
class Counters extends DynamicSupervisor.Service<Counters>()("test/given/Counters") {}
class Threads extends WorkerServer.Pool<Threads>()("test/given/Threads") {}

const behavior = Counter.behavior({ init: 0, handlers: { Add: (n, { by }) => [n + by, n + by] } })
// No thread is started here: what is refused is refused before.
const entry = WorkerServer.entry(Counter, behavior, import.meta.url)
const others = WorkerServer.entry(Other, Other.behavior({ init: 0, handlers: {} }), import.meta.url)
const pool = WorkerServer.layerPool(Threads, { size: 1 })
const group = Serve.group(Counter)
const api = Serve.api(Counter, { name: "counter" })

const around = Layer.mergeAll(
  Counters.asSupervisor.pipe(
    Layer.provideMerge(
      Supervisor.layer({ strategy: "one_for_one" }, [StateContainer.layerMemory(Counter), Counters.layer()])
    )
  ),
  TestRunner.layer,
  RpcSerialization.layerJson,
  HttpRouter.layer
)

/** No value of any kind that is asked for. */
const nothing = [undefined, null, 5, "", Symbol("none"), {}]
/** No options, which may be left out. */
const noOptions = [null, 5, "one", Symbol("none"), () => ({})]
const noSource = [undefined, null, 5, "one", {}]

// Past the type checker.
const [cluster, worker, serve] = [ClusterServer, WorkerServer, Serve] as ReadonlyArray<any>

type Row = readonly [option: string, what: string, values: ReadonlyArray<unknown>, make: (given: any) => unknown]

const rows: ReadonlyArray<Row> = [
  ["behavior", "layer of a class", [undefined, null, 5, () => 5], (given) => Counter.layer(given)],
  ["options", "layer of a class", noOptions, (given) => Counter.layer(behavior, given)],
  ["behavior", "layerKeyed of a class", [undefined, null, 5], (given) => Counter.layerKeyed(given)],
  ["options", "layerKeyed of a class", noOptions, (given) => Counter.layerKeyed(behavior, given)],

  ["server", "WorkerServer.entry", nothing, (given) => worker.entry(given, behavior, import.meta.url)],
  ["behavior", "WorkerServer.entry", [undefined, 5], (given) => worker.entry(Counter, given, import.meta.url)],
  ["url", "WorkerServer.entry", nothing, (given) => worker.entry(Counter, behavior, given)],
  ["options", "WorkerServer.entry", noOptions, (given) => worker.entry(Counter, behavior, import.meta.url, given)],
  ["server", "WorkerServer.layer", nothing, (given) => worker.layer(given, entry)],
  ["entry", "WorkerServer.layer", [...nothing, behavior, others], (given) => worker.layer(Counter, given)],
  ["options", "WorkerServer.layer", noOptions, (given) => worker.layer(Counter, entry, given)],
  ["pool", "WorkerServer.layerPool", nothing, (given) => worker.layerPool(given, { size: 1 })],
  ["options", "WorkerServer.layerPool", [undefined, ...noOptions], (given) => worker.layerPool(Threads, given)],
  ["placement", "WorkerServer.layerPool", ["here"], (one) => worker.layerPool(Threads, { size: 1, placement: one })],
  [
    "hang.patience",
    "WorkerServer.layerPool",
    ["never", 0],
    (patience) => worker.layerPool(Threads, { size: 1, hang: { patience } })
  ],
  [
    "hang.action",
    "WorkerServer.layerPool",
    ["wait"],
    (action) => worker.layerPool(Threads, { size: 1, hang: { action } })
  ],
  ["size", "WorkerServer.layerPool", [undefined, null, 0, "1"], (size) => worker.layerPool(Threads, { size })],
  ["server", "WorkerServer.layerKeyed", nothing, (given) => worker.layerKeyed(given, entry, { pool: Threads })],
  ["entry", "WorkerServer.layerKeyed", nothing, (given) => worker.layerKeyed(Counter, given, { pool: Threads })],
  [
    "options",
    "WorkerServer.layerKeyed",
    [undefined, ...noOptions],
    (given) => worker.layerKeyed(Counter, entry, given)
  ],
  ["pool", "WorkerServer.layerKeyed", nothing, (pool) => worker.layerKeyed(Counter, entry, { pool })],

  ["server", "ClusterServer.layer", nothing, (given) => cluster.layer(given, behavior)],
  ["behavior", "ClusterServer.layer", [undefined, null, 5], (given) => cluster.layer(Counter, given)],
  ["options", "ClusterServer.layer", noOptions, (given) => cluster.layer(Counter, behavior, given)],
  ["downFor", "ClusterServer.layer", ["never"], (downFor) => cluster.layer(Counter, behavior, { downFor })],
  [
    "maxIdleTime",
    "ClusterServer.layer",
    ["never"],
    (given) => cluster.layer(Counter, behavior, { maxIdleTime: given })
  ],
  [
    "initTimeout",
    "ClusterServer.layer",
    ["never"],
    (given) => cluster.layer(Counter, behavior, { initTimeout: given })
  ],
  ["server", "ClusterServer.client", nothing, (given) => cluster.client(given)],
  ["options", "ClusterServer.client", noOptions, (given) => cluster.client(Counter, given)],
  ["keyless", "ClusterServer.client", [null, 5, "Add", ["add"]], (keyless) => cluster.client(Counter, { keyless })],
  [
    "persisted",
    "ClusterServer.client",
    [null, 5, "Add", [5]],
    (given) => cluster.client(Counter, { persisted: given })
  ],
  [
    "key",
    "a client of a cluster",
    [undefined, null, 5, {}],
    (key) => Effect.map(ClusterServer.client(Counter), (at) => at(key))
  ],
  ["server", "ClusterServer.entity", nothing, (given) => cluster.entity(given)],
  ["options", "ClusterServer.entity", noOptions, (given) => cluster.entity(Counter, given)],

  ["server", "Serve.group", [...nothing, { messages: { Add: 5 } }], (given) => serve.group(given)],
  ["options", "Serve.group", noOptions, (given) => serve.group(Counter, given)],
  ["keyed", "Serve.group", [null, 5, {}], (keyed) => serve.group(Counter, { keyed })],
  ["server", "Serve.api", [...nothing, { messages: { Add: 5 } }], (given) => serve.api(given, { name: "counter" })],
  ["options", "Serve.api", [undefined, ...noOptions], (given) => serve.api(Counter, given)],
  ["name", "Serve.api", nothing, (name) => serve.api(Counter, { name })],
  ["path", "Serve.api", [null, 5, "a"], (path) => serve.api(Counter, { name: "counter", path })],
  ["keyed", "Serve.api", [null, 5, {}], (keyed) => serve.api(Counter, { name: "counter", keyed })],
  ["options", "Serve.apiGroup", [undefined, ...noOptions], (given) => serve.apiGroup(Counter, given)],
  ["group", "Serve.layer", nothing, (given) => serve.layer(given, Counter)],
  ["source", "Serve.layer", noSource, (given) => serve.layer(group, given)],
  ["source", "Serve.layer", [Effect.succeed(5)], (given) => serve.layer(group, given)],
  ["options", "Serve.layer", noOptions, (given) => serve.layer(group, Counter, given)],
  ["api", "Serve.apiLayer", nothing, (given) => serve.apiLayer(given, "counter", Counter)],
  ["name", "Serve.apiLayer", [...nothing, "Counter"], (given) => serve.apiLayer(api, given, Counter)],
  ["source", "Serve.apiLayer", noSource, (given) => serve.apiLayer(api, "counter", given)],
  ["options", "Serve.guard", noOptions, (given) => serve.guard(given)],
  ["rate", "Serve.guard", [null, 5], (rate) => serve.guard({ rate })],
  ["rate.limit", "Serve.guard", [undefined, 0, "x"], (limit) => serve.guard({ rate: { limit, window: 1 } })],
  ["rate.window", "Serve.guard", [undefined, 0, "x"], (window) => serve.guard({ rate: { limit: 1, window } })],
  ["rate.caller", "Serve.guard", [5, {}], (caller) => serve.guard({ rate: { limit: 1, window: 1, caller } })],
  ["api", "Serve.unknown", nothing, (given) => serve.unknown(given)],
  ["options", "Serve.layerHttp", [undefined, ...noOptions], (given) => serve.layerHttp(given)],
  ["group", "Serve.layerHttp", nothing, (given) => serve.layerHttp({ group: given, path: "/a" })],
  ["path", "Serve.layerHttp", nothing, (path) => serve.layerHttp({ group, path })],
  ["protocol", "Serve.layerHttp", [null, 5, "tcp"], (protocol) => serve.layerHttp({ group, path: "/a", protocol })]
]

/** Makes it, and builds it where it is a Layer. */
const made = (make: () => unknown): Effect.Effect<unknown, unknown, any> =>
  Effect.suspend(() => {
    const one = make()
    if (Layer.isLayer(one)) return Effect.scoped(Layer.build(one as Layer.Layer<never, unknown, any>))
    return Effect.isEffect(one) ? one as Effect.Effect<unknown, unknown, any> : Effect.succeed(one)
  })

describe("what is no argument", () => {
  for (const [option, what, values, make] of rows) {
    it.effect(`is refused by ${what}, which names it: ${option}`, () =>
      Effect.gen(function*() {
        for (const given of values) {
          const cause = yield* Effect.flip(Effect.sandbox(made(() => make(given))))
          const error = Cause.squash(cause)
          assert.instanceOf(error, InvalidOption.InvalidOption, `${String(error)}: ${Cause.pretty(cause)}`)
          assert.deepStrictEqual(error.option, option)
          if (option === "server") assert.strictEqual(error.of.slice(0, what.length), what.slice(0, error.of.length))
          assert.notStrictEqual(error.of, "")
          assert.match(error.message, /: it must be .*\.$/)
        }
      }).pipe(Effect.provide(Layer.merge(around, pool.pipe(Layer.provide(around))))) as Effect.Effect<void>)
  }
})
