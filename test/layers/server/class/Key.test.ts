/** What a server knows of itself: its key, its incarnation, and the revision of the state it was given. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { DynamicSupervisor, GenServer, Process, StateContainer, StateStore, Supervisor } from "../../../../src/index.ts"
import * as StateStoreSqlite from "../../../../src/layers/state/StateStoreSqlite.ts"
import { folder } from "../../../kit/Folder.ts"

class UnknownLot extends Schema.TaggedError<UnknownLot>()("UnknownLot", { lot: Schema.String }) {}

class Lot extends GenServer.Service<Lot>()("test/Lot", {
  state: Schema.Struct({ title: Schema.String, bids: Schema.Int }),
  messages: {
    Bid: GenServer.call({ reply: Schema.String, error: UnknownLot }),
    Slow: GenServer.call({ reply: Schema.String }),
    Note: GenServer.cast(),
    Notes: GenServer.call({ reply: Schema.Array(Schema.String) }),
    Crash: GenServer.call()
  }
}) {}

class Store extends StateStore.Service<Store>()("test/Store", "process") {}
class Lots extends DynamicSupervisor.Service<Lots>()("test/Lots") {}

const titles: Record<string, string> = { a: "An amphora", b: "A bust" }

const said = ({ attempt, incarnation, key, seq }: GenServer.HandlerContext<never, never>) =>
  `${key} #${incarnation} at ${seq}, ${attempt}`

/** Notes what casts are told, for all lots. */
const behavior = (notes: Array<string>) =>
  Lot.behavior({
    init: { title: "", bids: 0 },
    handlers: {
      Bid: (state, _, context) => [said(context), { ...state, bids: state.bids + 1 }],
      Slow: (state, _, context) =>
        Effect.map(Effect.yieldNow, () => [said(context), { ...state, bids: state.bids + 1 }] as const),
      Note: (state, _, context) => {
        notes.push(said(context))
        return { ...state, bids: state.bids + 1 }
      },
      Notes: (state) => [notes, state],
      Crash: () => Effect.die("boom")
    }
  })

const tree = <E>(lots: Layer.Layer<GenServer.Keyed<Lot>, E, Supervisor.Supervisor | StateContainer.StateOf<Lot>>) =>
  Supervisor.layer({ strategy: "one_for_one" }, [
    StateContainer.layerMemory(Lot),
    Lots.layer(),
    Layer.provide(lots, Lots.asSupervisor)
  ])

describe("a handler's context", () => {
  it.effect("has the key, the incarnation, and the revision of the state, however its message came", () => {
    const notes: Array<string> = []
    return Effect.gen(function*() {
      const [a, b] = [yield* Lot.at("a"), yield* Lot.at("b")]
      assert.strictEqual(yield* a.Bid(), "a #1 at 0, 1")
      assert.strictEqual(yield* a.Slow(), "a #1 at 1, 1")
      assert.strictEqual(yield* b.Slow(), "b #1 at 0, 1")
      yield* a.Note()
      assert.deepStrictEqual(yield* a.Notes(), ["a #1 at 2, 1"])
      yield* Effect.exit(a.Crash())
      assert.strictEqual(yield* a.Bid(), "a #2 at 3, 1")
    }).pipe(Effect.provide(tree(Lot.layerKeyed(behavior(notes)))))
  })

  it.effect("has no key in a server that was given none, and the empty one where that was given", () =>
    Effect.gen(function*() {
      const lot = yield* Lot
      assert.strictEqual(yield* lot.Bid(), "undefined #1 at 0, 1")
      assert.isUndefined(lot.key)
      yield* GenServer.stop(lot)
      const empty = yield* (yield* Lots).startChild(Lot.recipe(behavior([]), { key: "" }))
      assert.deepStrictEqual([yield* empty.Bid(), empty.key], [" #2 at 1, 1", ""])
    }).pipe(Effect.provide(
      Supervisor.layer({ strategy: "one_for_one" }, [
        StateContainer.layerMemory(Lot, { afterStop: "keep" }),
        Lot.layer(behavior([]), { restart: "transient" }),
        Lots.layer()
      ])
    )))

  it.live("has a revision that grows over the processes that have the state, one after the other", () =>
    Effect.gen(function*() {
      const filename = `${yield* folder}/lots.db`
      const life = Effect.gen(function*() {
        const lot = yield* Lot.at("a")
        return [yield* lot.Bid(), yield* lot.Bid()]
      }).pipe(
        Effect.provide(Supervisor.layer({ strategy: "one_for_one" }, [
          StateContainer.layerStore(Lot, { store: Store }),
          Lots.layer(),
          Layer.provide(Lot.layerKeyed(behavior([])), Lots.asSupervisor)
        ])),
        Effect.provide(StateStoreSqlite.layer(Store, { filename }))
      )
      assert.deepStrictEqual(yield* life, ["a #1 at 0, 1", "a #1 at 1, 1"])
      const [again] = yield* life
      assert.match(again!, /^a #\d+ at 2, 1$/)
    }).pipe(Effect.scoped))
})

describe("self", () => {
  it.effect("has the key, in init as in a handler, and so has every client", () =>
    Effect.gen(function*() {
      const lot = yield* Lot.at("b")
      assert.strictEqual(yield* lot.Bid(), "b, A bust")
      assert.strictEqual(lot.key, "b")
    }).pipe(Effect.provide(tree(Lot.layerKeyed({
      init: Effect.map(Lot.self, ({ key = "" }) => ({ title: titles[key] ?? "", bids: 0 })),
      handlers: {
        ...behavior([]).handlers,
        Bid: (state) => Effect.map(Lot.self, (self) => [`${self.key}, ${state.title}`, state] as const)
      }
    })))))
})

describe("a behaviour that is a function of the key", () => {
  const asking = (key: string) =>
    Lot.behavior({
      ...behavior([]),
      init: { title: titles[key] ?? "", bids: 0 },
      handlers: {
        ...behavior([]).handlers,
        Bid: (state) => state.title === "" ? Effect.fail(new UnknownLot({ lot: key })) : [state.title, state]
      }
    })
  const made: Array<string> = []
  const making = (key: string) => {
    made.push(key)
    return asking(key)
  }
  for (
    const [how, lots] of [
      ["at once", Lot.layerKeyed(making)],
      ["as an Effect", Lot.layerKeyed((key) => Effect.map(Effect.yieldNow, () => making(key)))]
    ] as const
  ) {
    it.effect(`lets init load by key, and errors name the thing (${how})`, () =>
      Effect.gen(function*() {
        made.length = 0
        const [a, c] = [yield* Lot.at("a"), yield* Lot.at("c")]
        assert.strictEqual(yield* a.Bid(), "An amphora")
        assert.deepStrictEqual(yield* Effect.flip(c.Bid()), new UnknownLot({ lot: "c" }))
        assert.strictEqual(yield* (yield* Lot.via("a")).Bid(), "An amphora")
        // Once for each incarnation.
        yield* Effect.exit(a.Crash())
        assert.strictEqual(yield* a.Bid(), "An amphora")
        assert.deepStrictEqual(made, ["a", "c", "a"])
      }).pipe(Effect.provide(tree(lots))))
  }

  it.effect("that throws is a start that fails, and the key stays free", () => {
    let isBroken = true
    const lots = Lot.layerKeyed((key) => {
      if (isBroken) throw new Error(`no ${key}`)
      return behavior([])
    })
    return Effect.gen(function*() {
      const error = yield* Effect.flip(Lot.at("a"))
      assert.include(error.message, "no a")
      isBroken = false
      assert.strictEqual(yield* (yield* Lot.at("a")).Bid(), "a #1 at 0, 1")
    }).pipe(Effect.provide(tree(lots)))
  })

  it.effect("is taken by a recipe and by start, too; what it acquires is the incarnation's", () => {
    const life: Array<string> = []
    const acquiring = (key: string) =>
      Effect.as(
        Effect.acquireRelease(
          Effect.sync(() => life.push(`opens ${key}`)),
          () => Effect.sync(() => life.push(`closes ${key}`))
        ),
        behavior([])
      )
    return Effect.gen(function*() {
      const lots = yield* Lots
      const a = yield* lots.startChild(Lot.recipe(acquiring, { key: "a" }))
      const b = yield* Effect.provideService(
        Lot.start(acquiring, { key: "b" }),
        Supervisor.Supervisor,
        lots.asSupervisor
      )
      assert.deepStrictEqual([yield* a.Bid(), yield* b.Bid()], ["a #1 at 0, 1", "b #1 at 0, 1"])
      yield* lots.terminateChild(a)
      assert.deepStrictEqual(life, ["opens a", "opens b", "closes a"])
      assert.strictEqual(yield* Process.status(a), "stopped")
    }).pipe(Effect.provide(
      Supervisor.layer({ strategy: "one_for_one" }, [StateContainer.layerMemory(Lot), Lots.layer()])
    ))
  })
})
