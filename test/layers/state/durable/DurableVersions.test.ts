/** States written by code that was older, younger, or had another key: what a server makes of them. */
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Metric, Redacted, Schema, SchemaGetter } from "effect"
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto"
import { join } from "node:path"
import type { Pure } from "../../../../src/domain/state/StateSchema.ts"
import {
  DynamicSupervisor,
  GenServer,
  Metrics,
  Process,
  StateContainer,
  StateSchema,
  StateStore,
  Supervisor
} from "../../../../src/index.ts"
import * as StateStoreFile from "../../../../src/layers/state/StateStoreFile.ts"
import * as StateStoreSqlite from "../../../../src/layers/state/StateStoreSqlite.ts"
import { Harness } from "../../../../src/testing.ts"
import { recordedLog } from "../../../kit/Log.ts"
import { layer as storeLayer, Scripted, Store } from "../../../kit/Scripted.ts"
import { copy } from "../../../kit/stores/Copies.ts"

const V1 = Schema.Struct({ count: Schema.Int })
const V2 = Schema.Struct({ total: Schema.Int })

/** The same server before and after a deploy. */
const before = StateSchema.make(V1)
const after = before.next(V2, ({ count }) => {
  if (count === 13) throw new Error("thirteen")
  return { total: count * 10 }
})

class Old extends GenServer.Service<Old>()("test/Till", {
  state: before,
  messages: { Set: GenServer.call({ payload: { to: Schema.Int } }) }
}) {}

class New extends GenServer.Service<New>()("test/Till", {
  state: after,
  messages: {
    Get: GenServer.call({ reply: Schema.Int }),
    Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int })
  }
}) {}

type Options = Pick<StateContainer.StoreOptions<Store, "crash">, "onSuspect" | "onUnreadable">

/** What cannot be read gives way. */
const giveWay: Options = { onUnreadable: "init" }

const OldLive = Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
  StateContainer.layerStore(Old, { store: Store }),
  Old.layer({ init: { count: 0 }, handlers: { Set: (_state, { to }) => [undefined, { count: to }] } })
])

const NewLive = (options: Options = {}) =>
  Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
    StateContainer.layerStore(New, { store: Store, ...options }),
    New.layer({
      init: { total: 0 },
      handlers: {
        Get: (state) => [state.total, state],
        Add: ({ total }, { by }) => [total + by, { total: total + by }]
      }
    })
  ]).pipe(Layer.provideMerge(Harness.Harness.layer))

/** What the server makes of states that were set one after the other before the deploy. */
const deploy = <A, E>(
  states: ReadonlyArray<number>,
  test: (script: Scripted) => Effect.Effect<A, E, New | Harness.Harness>,
  options: Options = {}
) =>
  Effect.gen(function*() {
    const script = new Scripted()
    const store = storeLayer(script)
    yield* Effect.gen(function*() {
      const old = yield* Old
      for (const to of states) yield* old.Set({ to })
    }).pipe(Effect.provide(OldLive.pipe(Layer.provide(store))))
    return yield* Effect.provide(test(script), NewLive(options).pipe(Layer.provide(store)))
  })

const versions = (script: Scripted) =>
  Effect.map(
    Effect.orDie(script.memory.load("test/Till")),
    (records) => records.map(({ seq, version }) => [seq, version])
  )

const seen = Effect.flatMap(Harness.Harness, (harness) => harness.historyOf("root > test/Till"))

describe("a state written before a deploy", () => {
  it.effect("is migrated when it is restored, and written in the new version with the next commit", () =>
    deploy([1, 2], (script) =>
      Effect.gen(function*() {
        const till = yield* New
        assert.strictEqual(yield* till.Get(), 20)
        assert.deepStrictEqual(yield* versions(script), [[2, 1], [1, 1]])
        assert.strictEqual(yield* till.Add({ by: 1 }), 21)
        assert.deepStrictEqual(yield* versions(script), [[3, 2], [2, 1], [1, 1]])
        yield* Process.kill(till)
        assert.strictEqual(yield* till.Get(), 21)
      })))

  it.effect("with a migration that dies gives way, if it is to: the last good one comes back, and it is set aside", () =>
    deploy([1, 13], (script) =>
      Effect.gen(function*() {
        const till = yield* New
        const harness = yield* Harness.Harness
        assert.strictEqual(yield* till.Get(), 10)
        const { from, to, why } = yield* harness.awaitTag("StateRolledBack", till)
        assert.deepStrictEqual([from, to], [2, 1])
        assert.include(why, "snapshot 2 cannot be read: the migration to version 2 died: thirteen")
        const [aside] = yield* script.memory.listAside()
        assert.deepStrictEqual([aside?.seq, aside?.state], [2, "{\"count\":13}"])
        assert.strictEqual(yield* till.Add({ by: 1 }), 11)
        assert.deepStrictEqual(yield* versions(script), [[3, 2], [1, 1]])
      }), giveWay))

  it.effect("when no migration of any succeeds, it starts from init, and every one is kept aside", () =>
    deploy([13, 13, 13], (script) =>
      Effect.gen(function*() {
        assert.strictEqual(yield* Effect.flatMap(New, (till) => till.Get()), 0)
        assert.deepStrictEqual((yield* script.memory.listAside()).map((one) => one.seq).sort(), [1, 2, 3])
        assert.deepStrictEqual((yield* seen).slice(-2), ["StateRolledBack", "Started"])
        // Nothing was changed: what was set aside may come back over it.
        assert.deepStrictEqual(yield* versions(script), [])
      }), giveWay))

  for (
    const [states, lost] of [
      [[1, 13], "starts from snapshot 1, and not from 2: 1 update is given up"],
      [[13, 13], "starts from init, and not from snapshot 2: no snapshot of it can be used"]
    ] as const
  ) {
    it.effect(`is logged at Error level and counted, while the tree is only being built: ${lost.slice(0, 20)}`, () => {
      const { layer, lines } = recordedLog()
      return deploy(states, () =>
        Effect.gen(function*() {
          yield* New
          const [line, ...more] = lines
          assert.deepStrictEqual(more, [])
          assert.strictEqual(line?.level, "Error")
          assert.include(line?.text, `root > test/Till #1 ${lost}`)
          assert.include(line?.text, "the migration to version 2 died: thirteen")
          assert.include(line?.text, "set aside and not deleted")
          assert.deepInclude(yield* Metric.value(Metrics.rollbacks), { count: 1 })
        }), giveWay).pipe(
          Effect.provide(layer),
          Effect.provideService(Metric.MetricRegistry, new Map())
        )
    })
  }
})

describe("a state that this code cannot read", () => {
  const written = (version: number, state: string) => (script: Scripted) =>
    Effect.gen(function*() {
      const epoch = yield* script.memory.acquireEpoch("test/Till")
      for (const [seq, record] of [[1, { version: 1, state: "{\"count\":4}" }], [2, { version, state }]] as const) {
        yield* script.memory.save([{ key: "test/Till", epoch, seq, trusted: seq - 1, at: 0, ...record }])
      }
    })

  const cases: ReadonlyArray<readonly [name: string, version: number, state: string, why: string]> = [
    ["from the future", 3, "{\"grand\":7}", "stored as version 3, and this code knows versions up to 2"],
    ["torn", 2, "{\"tot", "not a state of version 2"],
    ["that is not what its schema describes", 2, "{\"total\":\"seven\"}", "not a state of version 2"]
  ]

  for (const [name, version, state, why] of cases) {
    it.effect(`${name} is set aside, if it is to give way, reported, and the generation before comes back`, () => {
      const script = new Scripted()
      return Effect.gen(function*() {
        yield* written(version, state)(script)
        yield* Effect.gen(function*() {
          const till = yield* New
          const harness = yield* Harness.Harness
          assert.strictEqual(yield* till.Get(), 40)
          assert.deepStrictEqual(yield* seen, ["StateSetAside", "StateRolledBack", "StateRestored", "Started"])
          const event = yield* harness.awaitTag("StateSetAside", till)
          assert.strictEqual(event.seq, 2)
          assert.include(event.why, why)
          assert.deepStrictEqual((yield* script.memory.listAside()).map((one) => one.state), [state])
        }).pipe(Effect.provide(NewLive(giveWay).pipe(Layer.provide(storeLayer(script)))))
      })
    })
  }
})

describe("a state that is encrypted at rest", () => {
  /** Text that cannot be read without the key: a matter of the Schema alone. */
  const encrypted = <S extends Pure>(schema: S, key: Redacted.Redacted<Buffer>) => {
    const text = Schema.fromJsonString(Schema.toCodecJson(schema))
    return Schema.String.pipe(Schema.decodeTo(text, {
      decode: SchemaGetter.transform((sealed: string) => {
        const bytes = Buffer.from(sealed, "base64")
        const decipher = createDecipheriv("aes-256-gcm", Redacted.value(key), bytes.subarray(0, 12))
        decipher.setAuthTag(bytes.subarray(12, 28))
        return decipher.update(bytes.subarray(28), undefined, "utf8") + decipher.final("utf8")
      }),
      encode: SchemaGetter.transform((plain: string) => {
        const nonce = randomBytes(12)
        const cipher = createCipheriv("aes-256-gcm", Redacted.value(key), nonce)
        const sealed = Buffer.concat([cipher.update(plain, "utf8"), cipher.final()])
        return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString("base64")
      })
    }))
  }

  const vault = (key: Buffer) => {
    class Vault extends GenServer.Service<Vault>()("test/Vault", {
      state: encrypted(Schema.Struct({ secret: Schema.String }), Redacted.make(key)),
      messages: {
        Put: GenServer.call({ payload: { secret: Schema.String } }),
        Get: GenServer.call({ reply: Schema.String })
      }
    }) {}
    const layer = Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
      StateContainer.layerStore(Vault, { store: Store }),
      Vault.layer({
        init: { secret: "" },
        handlers: { Put: (_state, state) => [undefined, state], Get: (state) => [state.secret, state] }
      })
    ])
    return { Vault, layer }
  }

  it.effect("is unreadable in the store, comes back with the key, and is not replaced with another", () => {
    const script = new Scripted()
    const store = storeLayer(script)
    const key = randomBytes(32)
    const get = (key: Buffer) => {
      const { layer, Vault } = vault(key)
      return Effect.flatMap(Vault, (vault) => vault.Get()).pipe(Effect.provide(layer.pipe(Layer.provide(store))))
    }
    return Effect.gen(function*() {
      const { layer, Vault } = vault(key)
      yield* Effect.flatMap(Vault, (vault) => vault.Put({ secret: "the cake" })).pipe(
        Effect.provide(layer.pipe(Layer.provide(store)))
      )
      const [record] = yield* script.memory.load("test/Vault")
      assert.notInclude(record!.state, "cake")
      assert.strictEqual(yield* get(key), "the cake")
      assert.include(String(yield* Effect.exit(get(randomBytes(32)))), "not a state of version 1")
      assert.deepStrictEqual(yield* script.memory.listAside(), [])
      assert.strictEqual(yield* get(key), "the cake")
    })
  })
})

describe("a store of version 0.1, read by a server of today", () => {
  const Till = StateSchema.make(Schema.Struct({ count: Schema.Int, names: Schema.Array(Schema.String) })).next(
    Schema.Struct({ total: Schema.Int, names: Schema.ReadonlySet(Schema.String) }),
    ({ count, names }) => ({ total: count, names: new Set(names) })
  )
  class Disk extends StateStore.Service<Disk>()("test/Disk", "process") {}
  class Shop extends GenServer.Service<Shop>()("shop/till", {
    state: Till,
    messages: { Add: GenServer.call({ payload: { name: Schema.String }, reply: Schema.String }) }
  }) {}

  class Shops extends DynamicSupervisor.Service<Shops>()("shop/tills") {}

  const tree = Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
    StateContainer.layerStore(Shop, { store: Disk }),
    Shops.layer()
  ])

  const stores: ReadonlyArray<readonly [string, (directory: string) => Layer.Layer<Disk, unknown>]> = [
    [
      "files",
      (directory) =>
        StateStoreFile.layer(Disk, { directory: join(directory, "files") }).pipe(Layer.provide(NodeServices.layer))
    ],
    ["SQLite", (directory) => StateStoreSqlite.layer(Disk, { filename: join(directory, "states.db") })]
  ]
  for (const [name, store] of stores) {
    it.live(`from ${name}`, () =>
      Effect.gen(function*() {
        const built = store(yield* copy)
        const add = Effect.gen(function*() {
          const shops = yield* Shops
          const shop = yield* shops.startChild(Shop.recipe(
            {
              init: { total: 0, names: new Set<string>() },
              handlers: {
                Add: ({ names, total }, { name }) => {
                  const next = new Set([...names, name])
                  return [`${total} ${[...next].join()}`, { total: total + 1, names: next }]
                }
              }
            },
            { key: "1" }
          ))
          return yield* shop.Add({ name: "cy" })
        }).pipe(Effect.provide(tree))
        assert.strictEqual(yield* Effect.provide(add, built), "40 ann,bob,cy")
        assert.strictEqual(yield* Effect.provide(add, built), "41 ann,bob,cy")
      }))
  }
})
