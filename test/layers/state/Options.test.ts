/** Options of companions and stores that make no sense are refused, by name, where the layer is built. */
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Cause, type Duration, Effect, Exit, Layer, Stream } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import { InvalidOption } from "../../../src/domain/options/InvalidOption.ts"
import { StateContainer, StateStore, StateTable, Supervisor } from "../../../src/index.ts"
import { tableOf } from "../../../src/layers/state/container/Container.ts"
import * as StateStoreFile from "../../../src/layers/state/StateStoreFile.ts"
import * as StateStoreSqlite from "../../../src/layers/state/StateStoreSqlite.ts"
import { Account, behavior, Inside, type StoreOptions } from "../../kit/Account.ts"
import { folder } from "../../kit/Folder.ts"
import { layer as storeLayer, Scripted, Store } from "../../kit/Scripted.ts"

const refusal = (exit: Exit.Exit<unknown, unknown>): InvalidOption => {
  const error = exit._tag === "Failure" ? Cause.squash(exit.cause) : undefined
  assert.instanceOf(error, InvalidOption)
  return error
}

/** A duration whose number went wrong. */
const broken = `${Number.NaN} seconds` as Duration.Input
const unsound: ReadonlyArray<readonly [option: string, given: unknown, options: StoreOptions]> = [
  ...[0, -1, Number.NaN, 1.5].map((maxAhead) => ["maxAhead", maxAhead, { maxAhead }] as const),
  ...[0, -1, Number.NaN, 1.5].map((maxCount) => ["answers.maxCount", maxCount, { answers: { maxCount } }] as const),
  ...[0, -5, Number.NaN, broken, "a while" as Duration.Input].map((maxAge) =>
    ["answers.maxAge", maxAge, { answers: { maxAge } }] as const
  ),
  ...[0, -1, Number.NaN, broken, "soon" as Duration.Input].map((every) =>
    ["when.every", every, { when: { every } }] as const
  )
]

describe("companions", () => {
  const script = new Scripted()
  const Below = Layer.mergeAll(storeLayer(script), StateTable.StateTable.layer)
  const layers = {
    layerStore: (options: StoreOptions) => StateContainer.layerStore(Account, { store: Store, ...options }),
    layerMemory: (options: StoreOptions) => StateContainer.layerMemory(Account, options),
    layerTable: (options: StoreOptions) => StateContainer.layerTable(Account, options)
  }

  for (const [name, companions] of Object.entries(layers)) {
    it.effect(`${name} refuses a value that makes no sense, with the server, the option, the value and what it must be`, () =>
      Effect.gen(function*() {
        for (const [option, given, options] of unsound) {
          if (option === "maxAhead" && name !== "layerStore") continue
          const app = Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
            companions(options),
            Account.layer(behavior(new Inside(script)))
          ])
          const error = refusal(yield* Effect.exit(Layer.build(app).pipe(Effect.provide(Below))))
          assert.deepStrictEqual([error.of, error.option, error.given], ["test/Account", option, given])
          assert.match(error.message, /^test\/Account was given .* as .*: it must be /)
        }
        // refused before the store is asked for anything
        assert.deepStrictEqual(script.operations, [])
      }))

    it.effect(`${name} takes what makes sense, having no limit included`, () =>
      Effect.gen(function*() {
        const some = {
          answers: { maxCount: Infinity, maxAge: Infinity },
          when: { every: "1 second" as const }
        }
        const app = Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
          companions({ ...some, maxAhead: Infinity } as StoreOptions),
          Account.layer(behavior(new Inside(script)))
        ])
        const add = Effect.flatMap(Account, (account) => account.Add({ by: 41 }))
        assert.strictEqual(
          yield* add.pipe(
            Effect.provide(app),
            Effect.provide(Layer.mergeAll(storeLayer(new Scripted()), StateTable.StateTable.layer))
          ),
          41
        )
      }))
  }
})

const tried = (f: () => unknown): unknown => {
  try {
    return f()
  } catch (error) {
    return error
  }
}

describe("a class's companions", () => {
  it.effect("refuse a way to be watched that there is not, by its name", () =>
    Effect.gen(function*() {
      const companion = (yield* Account.StateContainer).for()
      const cases = [
        [{ show: "all" }, "show", "all"],
        [{ buffer: { capacity: 4, strategy: "suspend" } }, "buffer.strategy", "suspend"],
        [{ buffer: { capacity: 0 } }, "buffer.capacity", 0]
      ] as const
      for (const [options, option, given] of cases) {
        const error = refusal(yield* Effect.exit(Stream.runDrain(companion.changes(options as never))))
        assert.deepStrictEqual([error.of, error.option, error.given], ["test/Account", option, given])
      }
    }).pipe(
      Effect.provide(
        Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
          StateContainer.layerMemory(Account),
          Account.layer(behavior(new Inside(new Scripted())))
        ])
      )
    ))

  it.effect("refuse an option that is none of those there are, by its name", () =>
    Effect.gen(function*() {
      const script = new Scripted()
      const of = "test/Account"
      const given = (options: object) => ({ store: Store, ...options })
      const app = (layer: Layer.Layer<never>) =>
        Effect.map(
          Effect.exit(
            Layer.build(
              Supervisor.layer({ id: "root", strategy: "one_for_one" }, [layer]).pipe(
                Layer.provide(Layer.mergeAll(storeLayer(script), StateTable.StateTable.layer))
              )
            )
          ),
          (exit) => {
            const error = refusal(exit)
            return [error.of, error.option, error.given]
          }
        )
      const cases = [
        [StateContainer.layerStore(Account, given({ fence: "none" }) as never), "fence", "none"],
        [StateContainer.layerStore(Account, given({ afterStop: "drop" }) as never), "afterStop", "drop"],
        [StateContainer.layerStore(Account, given({ onUnreadable: "skip" }) as never), "onUnreadable", "skip"],
        [StateContainer.layerStore(Account, given({ onSuspect: "skip" }) as never), "onSuspect", "skip"],
        [StateContainer.layerStore(Account, given({ when: "never" }) as never), "when", "never"],
        [StateContainer.layerStore(Account, given({ retry: "often" }) as never), "retry", "often"],
        [StateContainer.layerStore(Account, given({ store: "here" }) as never), "store", "here"],
        [StateContainer.layerMemory(Account, { onSuspect: "skip" } as never), "onSuspect", "skip"],
        [StateContainer.layerMemory(Account, { when: "never" } as never), "when", "never"],
        [StateContainer.layerTable(Account, { when: "never" } as never), "when", "never"],
        [StateContainer.layerTable(Account, { row: "a" } as never), "row", "a"]
      ] as const
      for (const [layer, option, value] of cases) {
        assert.deepStrictEqual(yield* app(layer as never), [of, option, value])
      }
      const { layerForget, layerMemory, layerStore, layerTable } = StateContainer
      for (const [kind, of] of Object.entries({ layerForget, layerMemory, layerStore, layerTable })) {
        const make: (server: never, options: never) => Layer.Layer<never> = of as never
        const exit = yield* Effect.exit(
          Layer.build(
            Layer.unwrap(Effect.sync(() => make({} as never, { store: Store } as never)))
              .pipe(Layer.provide(storeLayer(script)))
          )
        )
        const error = refusal(exit)
        assert.deepStrictEqual([error.of, error.option], [`StateContainer.${kind}`, "server"])
        assert.include(error.message, "a class of GenServer.Service or Agent.Service")
      }
      const error = refusal(Exit.die(tried(() => tableOf({} as never))))
      assert.deepStrictEqual([error.of, error.option], ["a server", "StateContainer"])
      assert.include(error.message, "one that a layer of StateContainer made")
    }))
})

describe("stores", () => {
  class Db extends StateStore.Service<Db>()("test/Db", "process") {}
  class Cell extends StateStore.Service<Cell>()("test/Cell", "crash") {}

  it.live("refuse what makes no sense, by their name, before anything is opened", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const filename = join(directory, "app.db")
      const build = <A, E, R>(layer: Layer.Layer<A, E, R>) => Effect.exit(Layer.build(layer))
      for (const generations of [0, 1, -1, Number.NaN, 2.5, Infinity]) {
        for (
          const exit of [
            yield* build(StateStoreSqlite.layer(Db, { filename, generations })),
            yield* build(StateStoreFile.layer(Db, { directory, generations })),
            yield* build(StateStore.layerMemory(Cell, { generations }))
          ]
        ) {
          const error = refusal(exit)
          assert.deepStrictEqual([error.option, error.given], ["generations", generations])
          assert.include([`sqlite ${filename}`, `file ${directory}`, "memory"], error.of)
        }
      }
      fs.rmSync(filename, { force: true })
      for (const busyTimeout of [-1, Number.NaN, Infinity, broken, "soon" as Duration.Input]) {
        const error = refusal(yield* build(StateStoreSqlite.layer(Db, { filename, busyTimeout })))
        assert.deepStrictEqual([error.of, error.option, error.given], [
          `sqlite ${filename}`,
          "busyTimeout",
          busyTimeout
        ])
      }
      for (const patience of [-1, Number.NaN, broken, "soon" as Duration.Input]) {
        const error = refusal(yield* build(StateStoreSqlite.layer(Db, { filename, patience })))
        assert.deepStrictEqual([error.of, error.option, error.given], [`sqlite ${filename}`, "patience", patience])
      }
      assert.isFalse(fs.existsSync(filename))
      const soon = refusal(
        yield* build(StateStoreSqlite.layer(Db, { filename, busyTimeout: "soon" as Duration.Input }))
      )
      assert.strictEqual(
        soon.message,
        `sqlite ${filename} was given "soon" as busyTimeout: it must be a duration of 0 or more that ends, such as ` +
          "\"5 seconds\", or a number of milliseconds."
      )
      for (const compactAbove of [-1, Number.NaN]) {
        const error = refusal(yield* build(StateStoreFile.layer(Db, { directory, compactAbove })))
        assert.strictEqual(error.option, "compactAbove")
      }
      const untyped: object = { filename, readOnly: true }
      const error = refusal(yield* build(StateStoreSqlite.layer(Db, untyped as StateStoreSqlite.Options)))
      assert.strictEqual(error.option, "readOnly")
      for (
        const [option, options] of [
          ["filename", { filename: 5 }],
          ["synchronous", { filename, synchronous: "OFF" }],
          ["ownership", { filename, ownership: "mine" }],
          ["lockTimeout", { filename, lockTimeout: -1 }]
        ] as const
      ) {
        const error = refusal(yield* build(StateStoreSqlite.layer(Db, options as never)))
        assert.deepStrictEqual([error.of, error.option], [
          option === "filename" ? "sqlite" : `sqlite ${filename}`,
          option
        ])
      }
      const noFolder = refusal(yield* build(StateStoreFile.layer(Db, { directory: 5 } as never)))
      assert.deepStrictEqual([noFolder.of, noFolder.option], ["file", "directory"])
    }).pipe(Effect.provide(NodeServices.layer)))
})
