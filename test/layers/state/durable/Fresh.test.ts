/** What a store gets of a server of which nothing was changed: nothing, whatever it was asked. */
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, References, Schedule, Schema, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { join } from "node:path"
import {
  DynamicSupervisor,
  GenServer,
  Next,
  Process,
  StateContainer,
  StateStore,
  Supervisor,
  Sys
} from "../../../../src/index.ts"
import * as StateStoreFile from "../../../../src/layers/state/StateStoreFile.ts"
import * as StateStoreSql from "../../../../src/layers/state/StateStoreSql.ts"
import * as StateStoreSqlite from "../../../../src/layers/state/StateStoreSqlite.ts"
import { now, turns } from "../../../kit/Fibers.ts"
import { folder } from "../../../kit/Folder.ts"
import { away, layer as storeLayer, onSave, Scripted, Store } from "../../../kit/Scripted.ts"
import { usePostgres } from "../../../kit/stores/UsePostgres.ts"

class Refused extends Schema.TaggedError<Refused>()("Refused", {}) {}

class Page extends GenServer.Service<Page>()("test/Page", {
  state: Schema.Struct({ n: Schema.Int }),
  messages: {
    Read: GenServer.call({ reply: Schema.Int }),
    Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }),
    Refuse: GenServer.call({ error: Refused }),
    Touch: GenServer.cast(),
    Die: GenServer.call(),
    Poison: GenServer.call({ payload: { n: Schema.Int }, redeliver: { maxAttempts: 2 } })
  }
}) {}

class Pages extends DynamicSupervisor.Service<Pages>()("test/Pages") {}

type State = { readonly n: number }

const behavior =
  (inits: Array<string>, first: (state: State) => Next.Initial<State> | State = (state) => state) => (key: string) =>
    Page.behavior({
      init: Effect.sync(() => {
        inits.push(key)
        return first({ n: 0 })
      }),
      handlers: {
        Read: (state) => [state.n, state],
        Add: (state, { by }) => [state.n + by, { n: state.n + by }],
        Refuse: () => Effect.fail(new Refused()),
        Touch: (state) => state,
        Die: () => Effect.die("boom"),
        Poison: () => Effect.die("poison")
      }
    })

const pages = <Self, G extends StateContainer.Grade>(
  store: StateStore.StateStoreKey<Self, G>,
  inits: Array<string>,
  first?: (state: State) => Next.Initial<State> | State,
  options: GenServer.Options = {},
  container: Omit<StateContainer.StoreOptions<Self, G>, "store"> = {}
) =>
  Supervisor.layer({ strategy: "one_for_one" }, [
    StateContainer.layerStore(Page, { store, ...container }),
    Pages.layer(),
    Layer.provide(Page.layerKeyed(behavior(inits, first), options), Pages.asSupervisor)
  ])

const quietly = Effect.provideService(References.MinimumLogLevel, "None")

class Durable extends StateStore.Service<Durable>()("test/Durable", "process") {}

const postgres = usePostgres()
let tables = 0
const stores: Record<string, Effect.Effect<Layer.Layer<Durable, unknown>, never, Scope.Scope>> = {
  "SQLite": Effect.map(
    folder,
    (directory) => StateStoreSqlite.layer(Durable, { filename: join(directory, "pages.db") })
  ),
  "a folder": Effect.map(
    folder,
    (directory) =>
      Layer.provide(StateStoreFile.layer(Durable, { directory: join(directory, "pages") }), NodeServices.layer)
  ),
  "PostgreSQL": Effect.sync(() =>
    StateStoreSql.layer(Durable, { table: `pages_${++tables}` }).pipe(Layer.provide(postgres().client))
  )
}

describe("a server that was only asked, or only refused", () => {
  for (const [name, place] of Object.entries(stores)) {
    it.live(`leaves nothing in its store; one that was changed does (${name})`, () =>
      Effect.gen(function*() {
        const store = yield* Layer.build(yield* place)
        const inits: Array<string> = []
        const life = Effect.gen(function*() {
          const [asked, refused, changed, recorded] = [
            yield* Page.at("asked"),
            yield* Page.at("refused"),
            yield* Page.at("changed"),
            yield* Page.at("recorded")
          ]
          yield* Page.at("untouched")
          yield* asked.Touch()
          assert.strictEqual(yield* asked.Read(), 0)
          yield* Effect.flip(refused.Refuse())
          yield* Effect.exit(refused.Poison({ n: 1 }))
          assert.lengthOf(yield* Sys.quarantined(refused), 1)
          yield* changed.Read()
          yield* changed.Add({ by: 1 })
          // Its answer is on record, so its state is, too.
          yield* Effect.flip(recorded.Refuse({}, { idempotencyKey: "once" }))
          return yield* (yield* Page.StateContainer).keys
        }).pipe(Effect.provide(pages(Durable, inits)), quietly)
        yield* Effect.provideContext(life, store)
        const stored = yield* Effect.flatMap(Durable, (store) => store.keys("test/Page")).pipe(
          Effect.provideContext(store)
        )
        assert.deepStrictEqual([...stored].sort(), ["test/Page/changed", "test/Page/recorded"])
        // So another process makes it anew.
        inits.length = 0
        yield* Effect.provideContext(life, store)
        assert.deepStrictEqual([...new Set(inits)].sort(), ["asked", "refused", "untouched"])
      }).pipe(Effect.scoped), 120_000)
  }

  for (const isolation of ["share", "freeze", "copy"] as const) {
    it.effect(`asks nothing of its store, and is answered while that is away (isolation ${isolation})`, () => {
      const script = new Scripted()
      return Effect.gen(function*() {
        const page = yield* Page.at("a")
        script.before = onSave(away)
        assert.strictEqual(yield* page.Read(), 0)
        yield* page.Touch()
        yield* Effect.flip(page.Refuse())
        assert.strictEqual(yield* page.Read(), 0)
        yield* turns
        assert.deepStrictEqual(script.batches, [])
        // A change waits for the store, and what init made is stored with it.
        const adding = yield* now(page.Add({ by: 1 }))
        yield* turns
        assert.isUndefined(adding.pollUnsafe())
        script.before = () => Effect.void
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* Fiber.join(adding), 1)
        assert.deepStrictEqual(yield* script.states("test/Page/a"), ["{\"n\":1}"])
      }).pipe(quietly, Effect.provide(Layer.provide(pages(Store, [], undefined, { isolation }), storeLayer(script))))
    })
  }

  for (const when of ["commit", { every: "1 second" }, "terminate"] as const) {
    it.effect(`leaves nothing there at its end, either (when: ${JSON.stringify(when)})`, () => {
      const script = new Scripted()
      return Effect.gen(function*() {
        const page = yield* Page.at("a")
        yield* page.Read()
        yield* TestClock.adjust("1 hour")
        yield* GenServer.stop(page)
        yield* turns
        assert.deepStrictEqual(script.batches, [])
        const again = yield* Page.at("a")
        yield* again.Add({ by: 1 })
        yield* GenServer.stop(again)
        yield* TestClock.adjust("1 second")
        assert.lengthOf(script.batches, 1)
      }).pipe(Effect.provide(Layer.provide(pages(Store, [], undefined, {}, { when }), storeLayer(script))))
    })
  }
})

describe("init", () => {
  it.effect("runs once for what was answered, over crashes: not again while its process lives", () => {
    const script = new Scripted()
    const inits: Array<string> = []
    return Effect.gen(function*() {
      const page = yield* Page.at("a")
      // No caller knows its state yet.
      yield* Effect.exit(page.Die())
      assert.deepStrictEqual(inits, ["a", "a"])
      yield* page.Read()
      yield* Effect.exit(page.Die())
      yield* Effect.exit(page.Die())
      assert.strictEqual(yield* page.Read(), 0)
      assert.deepStrictEqual(inits, ["a", "a"])
      assert.strictEqual(yield* Process.incarnation(page), 4)
      assert.deepStrictEqual(script.batches, [])
      assert.strictEqual(yield* page.Add({ by: 1 }), 1)
    }).pipe(quietly, Effect.provide(Layer.provide(pages(Store, inits), storeLayer(script))))
  })

  it.effect("runs again for a server that has stopped because it was left alone before anything was changed", () => {
    const inits: Array<string> = []
    return Effect.gen(function*() {
      const page = yield* Page.at("a")
      yield* page.Read()
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* Process.status(page), "stopped")
      assert.strictEqual(yield* page.Add({ by: 1 }), 1)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* page.Read(), 1)
      assert.deepStrictEqual(inits, ["a", "a"])
    }).pipe(Effect.provide(
      Layer.provide(
        pages(Store, inits, undefined, { passivate: { after: "10 seconds" } }),
        storeLayer(new Scripted())
      )
    ))
  })

  it.effect("whose state is to be conserved says so: the start waits for the store", () => {
    const script = new Scripted()
    const inits: Array<string> = []
    return Effect.gen(function*() {
      script.before = onSave(away)
      const asking = yield* now(Page.at("a"))
      yield* turns
      assert.isUndefined(asking.pollUnsafe())
      script.before = () => Effect.void
      yield* TestClock.adjust("1 second")
      const page = yield* Fiber.join(asking)
      assert.deepStrictEqual(yield* script.states("test/Page/a"), ["{\"n\":0}"])
      yield* Effect.exit(page.Die())
      assert.strictEqual(yield* page.Read(), 0)
      assert.deepStrictEqual(inits, ["a"])
      assert.deepStrictEqual(script.batches.at(-1), ["a#1"])
    }).pipe(
      quietly,
      Effect.provide(
        Layer.provide(pages(Store, inits, (state) => Next.start(state, { conserve: true })), storeLayer(script))
      )
    )
  })

  it.effect("and cannot be, is a start that fails, and leaves the key free", () => {
    const script = new Scripted()
    return Effect.gen(function*() {
      script.before = onSave(away)
      const exit = yield* Effect.exit(Page.at("a"))
      assert.include(String(exit), "was starting from a state that could not be stored")
      script.before = () => Effect.void
      assert.strictEqual(yield* (yield* Page.at("a")).Read(), 0)
    }).pipe(
      quietly,
      Effect.provide(Layer.provide(
        pages(Store, [], (state) => Next.start(state, { conserve: true }), {}, { retry: Schedule.recurs(0) }),
        storeLayer(script)
      ))
    )
  })
})

describe("a state of init's that", () => {
  it.effect("is replaced from outside is stored, and one that is set to the same is, too", () => {
    const script = new Scripted()
    return Effect.gen(function*() {
      const page = yield* Page.at("a")
      yield* page.Read()
      const companion = (yield* Page.StateContainer).for("a")
      yield* companion.set({ n: 0 })
      assert.deepStrictEqual(yield* script.states("test/Page/a"), ["{\"n\":0}"])
      yield* companion.set({ n: 7 })
      assert.deepStrictEqual(yield* script.states("test/Page/a"), ["{\"n\":7}", "{\"n\":0}"])
      yield* Effect.exit(page.Die())
      assert.strictEqual(yield* page.Read(), 7)
    }).pipe(quietly, Effect.provide(Layer.provide(pages(Store, []), storeLayer(script))))
  })

  it.effect("crashes its own restore is made anew", () => {
    const script = new Scripted()
    let inits = 0
    return Effect.gen(function*() {
      const page = yield* Page
      yield* page.Read()
      yield* Effect.exit(page.Die())
      assert.strictEqual(yield* page.Read(), 2)
    }).pipe(
      quietly,
      Effect.provide(Layer.provide(
        Supervisor.layer({ strategy: "one_for_one" }, [
          StateContainer.layerStore(Page, { store: Store }),
          Page.layer({
            ...behavior([])(""),
            init: Effect.sync(() => ({ n: ++inits })),
            restore: () => Effect.die("no way")
          })
        ]),
        storeLayer(script)
      ))
    )
  })
})
