/** What the functions of the library are given from code without types: each refuses it by name, where it is given. */
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Schema, Stream } from "effect"
import {
  DynamicSupervisor,
  GenServer,
  PartitionSupervisor,
  Registry,
  Restart,
  Snapshots,
  StateContainer,
  StateSchema,
  StateStore,
  Supervisor,
  Sys,
  TaskSupervisor,
  Telemetry
} from "../src/index.ts"
import * as SqliteClient from "../src/layers/state/SqliteClient.ts"
import * as StateStoreFile from "../src/layers/state/StateStoreFile.ts"
import * as StateStoreSql from "../src/layers/state/StateStoreSql.ts"
import * as StateStoreSqlite from "../src/layers/state/StateStoreSqlite.ts"
import { FaultyStore, Simulation } from "../src/testing.ts"

class Num extends GenServer.Service<Num>()("test/Num", { state: Schema.Int, messages: {} }) {}
class Names extends Registry.Service<Names>()("test/Names", { keys: "duplicate" }) {}
class Tasks extends TaskSupervisor.Service<Tasks>()("test/Tasks") {}
class Parts extends PartitionSupervisor.Service<Parts, DynamicSupervisor.DynamicSupervisor>()("test/Parts") {}
class Store extends StateStore.Service<Store>()("test/Store", "crash") {}

const app = Supervisor.layer({ strategy: "one_for_one" }, [
  Names.layer,
  Tasks.layer(),
  StateContainer.layerMemory(Num),
  Num.layer({ init: 0, handlers: {} })
])

const memory = StateStore.makeMemory()
const none = [undefined, null, 5, "x"]
const noObject = [null, 5, "x"]
const place = { key: "x" }

/** By the function, and the option it names: what is no such option, and the call. */
const rows: ReadonlyArray<readonly [string, string, ReadonlyArray<unknown>, (given: any) => unknown]> = [
  ["GenServer.changes", "options", [null, 5], (given) => Effect.map(Num, (num) => GenServer.changes(num, given))],
  ["Supervisor.child", "layer", none, (given) => Supervisor.child(given, { id: "one" })],
  ["Supervisor.launch", "layer", none, (given) => Supervisor.launch(given)],
  ["Supervisor.recipe", "options", none, (given) => Supervisor.recipe(given, [])],
  [
    "Supervisor.recipe",
    "children",
    none,
    (given) => Supervisor.recipe({ id: "one", strategy: "one_for_one" }, given)
  ],
  ["DynamicSupervisor.recipe", "options", none, (given) => DynamicSupervisor.recipe(given)],
  ["TaskSupervisor.recipe", "options", none, (given) => TaskSupervisor.recipe(given)],
  ["PartitionSupervisor.recipe", "options", none, (given) => PartitionSupervisor.recipe(given)],
  ["test/Parts", "options", none, (given) => Parts.layer(given)],
  ["Restart.backoff", "options", noObject, (given) => Restart.backoff(given)],
  [
    "asyncStream",
    "items",
    [undefined, null, 5],
    (given) => Effect.map(Tasks, (tasks) => tasks.asyncStream(given, () => Effect.void))
  ],
  [
    "asyncStream",
    "items",
    [undefined, null, 5],
    (given) => Effect.map(Tasks, (tasks) => tasks.asyncStreamNolink(given, () => Effect.void))
  ],
  ["test/Names", "matches", noObject, (given) => Effect.flatMap(Names, (names) => names.select(given))],
  ["test/Names", "matches", none, (given) => Effect.flatMap(Names, (names) => names.countSelect(given))],
  ["Sys.find", "path", none, (given) => Sys.find(given)],
  ["Telemetry.stream", "telemetry", none, (given) => Telemetry.stream(given)],
  ["Telemetry.reports", "telemetry", none, (given) => Telemetry.reports(given)],
  ["StateSchema.make", "schema", none, (given) => StateSchema.make(given)],
  ["next of a StateSchema", "schema", none, (given) => StateSchema.make(Schema.Int).next(given, () => 0)],
  ["StateSchema.from", "schema", none, (given) => StateSchema.from(given)],
  ["StateSchema.redacted", "schema", none, (given) => StateSchema.redacted(given)],
  ["StateStore.layer", "store", none, (given) => StateStore.layer(given, Effect.succeed(memory))],
  ["StateStore.layerMemory", "store", none, (given) => StateStore.layerMemory(given)],
  ["memory", "options", noObject, (given) => StateStore.makeMemory(given)],
  ["StateStoreFile.layer", "store", none, (given) => StateStoreFile.layer(given, { directory: "x" })],
  ["file", "options", none, (given) => StateStoreFile.layer(Store, given)],
  ["file", "options", none, (given) => StateStoreFile.look(given)],
  ["StateStoreSql.layer", "store", none, (given) => StateStoreSql.layer(given)],
  ["sql", "options", noObject, (given) => StateStoreSql.layer(Store, given)],
  ["sql", "options", noObject, (given) => StateStoreSql.look(given)],
  ["StateStoreSqlite.layer", "store", none, (given) => StateStoreSqlite.layer(given, { filename: "x" })],
  ["sqlite", "options", none, (given) => StateStoreSqlite.layer(Store, given)],
  ["sqlite", "options", none, (given) => StateStoreSqlite.look(given)],
  ["sqlite", "options", none, (given) => StateStoreSqlite.backup(given, "y")],
  [
    "StateStoreSqlite.backup",
    "target",
    [undefined, null, 5, ""],
    (given) => StateStoreSqlite.backup({ filename: "x" }, given)
  ],
  ["sqlite", "options", none, (given) => SqliteClient.layer(given)],
  ["FaultyStore.layer", "store", none, (given) => FaultyStore.layer(given, StateStore.layerMemory(Store))],
  ["Simulation.layerStore", "store", none, (given) => Simulation.layerStore(given)],
  ["Snapshots.keys", "store", none, (given) => Snapshots.keys(given)],
  ["Snapshots.keys", "prefix", [null, 5], (given) => Snapshots.keys(memory, given)],
  ["Snapshots.timers", "store", none, (given) => Snapshots.timers(given)],
  ["Snapshots.timers", "prefix", [null, 5], (given) => Snapshots.timers(memory, given)],
  ["Snapshots.list", "store", none, (given) => Snapshots.list(given, "x")],
  ["Snapshots.list", "key", [undefined, null, 5], (given) => Snapshots.list(memory, given)],
  ["Snapshots.aside", "store", none, (given) => Snapshots.aside(given)],
  ["Snapshots.text", "store", none, (given) => Snapshots.text(given, place)],
  ["Snapshots.text", "place", none, (given) => Snapshots.text(memory, given)],
  ["Snapshots.read", "store", none, (given) => Snapshots.read(given, place)],
  ["Snapshots.read", "key", none.slice(0, 3), (key) => Snapshots.read(memory, { key })],
  ["Snapshots.diff", "place", none, (given) => Snapshots.diff(memory, given, place)],
  ["Snapshots.restore", "store", none, (given) => Snapshots.restore(given, { key: "x", seq: 1 })],
  ["Snapshots.restore", "place", none, (given) => Snapshots.restore(memory, given)],
  ["Snapshots.doubt", "store", none, (given) => Snapshots.doubt(given)],
  ["Snapshots.settle", "store", none, (given) => Snapshots.settle(given)]
]

/** Runs whatever a function of the library answers with. */
const run = (made: unknown): Effect.Effect<unknown, unknown, any> =>
  Layer.isLayer(made)
    ? Effect.scoped(Layer.build(made as Layer.Layer<never, unknown, any>))
    : Stream.isStream(made)
    ? Stream.runDrain(made)
    : Effect.isEffect(made)
    ? Effect.flatMap(made, run)
    : Effect.void

describe("what is no argument", () => {
  for (const [of, option, values, make] of rows) {
    it.effect(`is refused by ${of}: ${option}`, () =>
      Effect.gen(function*() {
        for (const given of values) {
          const exit = yield* Effect.exit(Effect.suspend(() => run(make(given))))
          const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : exit
          const said = [
            Reflect.get(Object(error), "_tag"),
            Reflect.get(Object(error), "of"),
            Reflect.get(Object(error), "option")
          ]
          assert.deepStrictEqual(said, ["InvalidOption", of, option], String(error))
        }
      }).pipe(Effect.provide([app, NodeServices.layer])) as Effect.Effect<void>)
  }
})
