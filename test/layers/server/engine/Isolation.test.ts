import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Layer, Option, Predicate, Schema } from "effect"
import type { Isolation } from "../../../../src/domain/state/Isolation.ts"
import { GenServer, Next, Process, StateContainer, Supervisor } from "../../../../src/index.ts"
import { Harness } from "../../../../src/testing.ts"
import { along, gates, type Path, paths } from "../../../kit/Cell.ts"

const Basket = Schema.Struct({ owner: Schema.String, items: Schema.Array(Schema.String), since: Schema.Date })
type Basket = typeof Basket.Type

class Shop extends GenServer.Service<Shop>()("test/Shop", {
  state: Basket,
  messages: {
    Put: GenServer.call({ payload: { item: Schema.String }, reply: Schema.Int }),
    /** Changes the state in place, which the types forbid, and dies. */
    Spoil: GenServer.call(),
    SpoilSlowly: GenServer.call(),
    /** Changes it in place and answers as if nothing had happened. */
    SpoilQuietly: GenServer.call(),
    /** Answers a state that is none. */
    Nonsense: GenServer.call(),
    NonsenseUnasked: GenServer.cast(),
    Read: GenServer.call({ reply: Basket }),
    Hold: GenServer.call({ timeout: "infinity" })
  }
}) {}

const spoil = (basket: Basket): void => void (basket.items as Array<string>).push("stolen")

const since = new Date(0)

const app = (isolation: Isolation, own = gates(), restored: { last: Basket | undefined } = { last: undefined }) =>
  Layer.provideMerge(
    Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
      StateContainer.layerMemory(Shop),
      Shop.layer({
        init: { owner: "ada", items: [], since },
        restore: (basket) => restored.last = basket,
        handlers: {
          Put: (basket, { item }) => [basket.items.length + 1, { ...basket, items: [...basket.items, item] }],
          Spoil: (basket) => {
            spoil(basket)
            return Effect.die("boom")
          },
          SpoilSlowly: (basket) =>
            Effect.andThen(
              Effect.yieldNow,
              Effect.sync(() => {
                spoil(basket)
                throw new Error("boom")
              })
            ),
          SpoilQuietly: (basket) => {
            spoil(basket)
            return [undefined, { ...basket }]
          },
          Nonsense: () => [undefined, { owner: 1 } as unknown as Basket],
          NonsenseUnasked: () => "no basket" as unknown as Basket,
          Read: (basket) => [basket, basket],
          Hold: (basket) => Effect.as(own.hold.await, [undefined, basket] as const)
        }
      }, { isolation })
    ]),
    Harness.Harness.layer
  )

type Shops = typeof Shop.Service

const crashOf = (exit: Exit.Exit<unknown, unknown>): unknown => {
  const error = exit._tag === "Failure" ? Option.getOrUndefined(Cause.findErrorOption(exit.cause)) : undefined
  return error instanceof GenServer.CallError && error.reason._tag === "Crashed"
    ? Cause.squash(error.reason.cause)
    : undefined
}

/** On every path that a call can take to an incarnation that lives. */
const everyPath = (
  name: string,
  isolation: Isolation,
  body: (
    shop: Shops,
    run: <A, E, R>(call: Effect.Effect<A, E, R>) => Effect.Effect<Exit.Exit<A, E>, never, R>
  ) => Effect.Effect<void, unknown, typeof Shop.StateContainer.Identifier>
) =>
  describe(name, () => {
    for (const path of paths.filter((path): path is Exclude<Path, "restarting"> => path !== "restarting")) {
      const own = gates()
      it.effect(path, () =>
        Effect.gen(function*() {
          const shop = yield* Shop
          yield* shop.Put({ item: "bread" })
          yield* body(shop, (call) => along(path, shop, own, call))
        }).pipe(Effect.provide(app(isolation, own))))
    }
  })

for (const spoiling of ["Spoil", "SpoilSlowly"] as const) {
  everyPath(
    `frozen, a handler that mutates the state (${spoiling}) is a crash at its place, and the committed state untouched`,
    "freeze",
    (shop, run) =>
      Effect.gen(function*() {
        assert.instanceOf(crashOf(yield* run(shop[spoiling]())), TypeError)
        assert.deepStrictEqual((yield* shop.Read()).items, ["bread"])
      })
  )

  everyPath(
    `copied, a handler that mutates the state (${spoiling}) and dies leaves the committed state untouched`,
    "copy",
    (shop, run) =>
      Effect.gen(function*() {
        const crash = crashOf(yield* run(shop[spoiling]()))
        assert.include(String(crash), "boom")
        assert.deepStrictEqual((yield* shop.Read()).items, ["bread"])
        const companion = (yield* Shop.StateContainer).for()
        assert.deepStrictEqual(yield* companion.get, Option.some({ owner: "ada", items: ["bread"], since }))
      })
  )
}

everyPath("copied, what a caller does to its reply is its own affair", "copy", (shop, run) =>
  Effect.gen(function*() {
    const reply = yield* yield* run(shop.Read())
    spoil(reply)
    assert.deepStrictEqual((yield* shop.Read()).items, ["bread"])
  }))

everyPath(
  "copied, a state that its codec refuses is a crash, and the committed one is kept",
  "copy",
  (shop, run) =>
    Effect.gen(function*() {
      assert.include(String(crashOf(yield* run(shop.Nonsense()))), `at ["owner"]`)
      assert.deepStrictEqual((yield* shop.Read()).items, ["bread"])
      yield* run(Effect.andThen(shop.NonsenseUnasked(), shop.Read()))
      assert.deepStrictEqual((yield* shop.Read()).items, ["bread"])
      assert.strictEqual(yield* Process.incarnation(shop), 3)
    })
)

it.effect("shared, by default, it would change what is conserved: the types are all that forbids it", () =>
  Effect.gen(function*() {
    const shop = yield* Shop
    yield* shop.Put({ item: "bread" })
    yield* Effect.exit(shop.Spoil())
    assert.deepStrictEqual((yield* shop.Read()).items, ["bread", "stolen"])
  }).pipe(Effect.provide(app("share"))))

it.effect("frozen, the state is frozen through and through, from init on", () =>
  Effect.gen(function*() {
    const shop = yield* Shop
    const basket = yield* shop.Read()
    assert.isTrue(Object.isFrozen(basket) && Object.isFrozen(basket.items))
    assert.instanceOf(crashOf(yield* Effect.exit(shop.SpoilQuietly())), TypeError)
  }).pipe(Effect.provide(app("freeze"))))

it.effect("copied, a copy is a real value of its schema: dates stay dates, and restore gets a copy of its own", () => {
  const restored: { last: Basket | undefined } = { last: undefined }
  return Effect.gen(function*() {
    const shop = yield* Shop
    yield* shop.Put({ item: "bread" })
    assert.instanceOf((yield* shop.Read()).since, Date)
    yield* Effect.exit(shop.Spoil())
    yield* Process.kill(shop)
    // before any message is handled: what is conserved is still what `restore` was given a copy of
    spoil(restored.last!)
    yield* Process.kill(shop)
    assert.deepStrictEqual((yield* shop.Read()).items, ["bread"])
    const conserved = yield* (yield* Shop.StateContainer).for().get
    assert.deepStrictEqual(Option.getOrThrow(conserved).items, ["bread"])
  }).pipe(Effect.provide(app("copy", gates(), restored)))
})

it.effect("an init whose state cannot be kept fails the start", () =>
  Effect.gen(function*() {
    const exit = yield* Effect.exit(Layer.build(
      Supervisor.layer({ strategy: "one_for_one" }, [
        StateContainer.layerMemory(Count),
        Count.layer({ init: 0.5, handlers: { Get: (n) => [n, n] } }, { isolation: "copy" })
      ])
    ))
    assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
  }))

class Count extends GenServer.Service<Count>()("test/Count", {
  state: Schema.Int,
  messages: { Get: GenServer.call({ reply: Schema.Int }) }
}) {}

type Caller = GenServer.From<number, never>

class Desk extends GenServer.Service<Desk>()("test/Desk", {
  state: Schema.Struct({
    waiting: Schema.Array(Schema.declare((u): u is Caller => Predicate.isObject(u))),
    known: Schema.Array(Schema.Unknown)
  }),
  messages: {
    /** Answered by the next `Give`. */
    Take: GenServer.call({ reply: Schema.Int, timeout: "infinity" }),
    Give: GenServer.call({ payload: { n: Schema.Int }, reply: Schema.Int }),
    Know: GenServer.call({ payload: { who: Schema.Unknown }, reply: Schema.Int })
  }
}) {}

it.effect("frozen, a state may hold callers to answer later and references: they live on", () =>
  Effect.gen(function*() {
    const desk = yield* Desk
    const taken = yield* Effect.forkChild(desk.Take(), { startImmediately: true })
    assert.strictEqual(yield* desk.Know({ who: desk }), 1)
    assert.strictEqual(yield* desk.Know({ who: yield* Desk.StateContainer }), 2)
    assert.strictEqual(yield* desk.Give({ n: 7 }), 1)
    assert.strictEqual(yield* Fiber.join(taken), 7)
    assert.strictEqual(yield* desk.Give({ n: 8 }), 0)
  }).pipe(Effect.provide(
    Supervisor.layer({ strategy: "one_for_one" }, [
      StateContainer.layerMemory(Desk),
      Desk.layer({
        init: { waiting: [], known: [] },
        handlers: {
          Take: (desk, _, { from }) => Next.noReply({ ...desk, waiting: [...desk.waiting, from] }),
          Give: (desk, { n }) =>
            Effect.as(
              Effect.forEach(desk.waiting, (from) => GenServer.reply(from, Exit.succeed(n))),
              [desk.waiting.length, { ...desk, waiting: [] }]
            ),
          Know: (desk, { who }) => [desk.known.length + 1, { ...desk, known: [...desk.known, who] }]
        }
      }, { isolation: "freeze" })
    ])
  )))
