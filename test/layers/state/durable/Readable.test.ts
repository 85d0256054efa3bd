/** What is acknowledged is there at the next start: a state that its text would not give back is refused. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, type Exit, Layer, Option, Schema, SchemaTransformation } from "effect"
import { GenServer, Process, StateContainer, StateStore, Supervisor } from "../../../../src/index.ts"
import { reasonOf, tagOf } from "../../../kit/Failures.ts"
import { turns } from "../../../kit/Fibers.ts"
import { recordedLog } from "../../../kit/Log.ts"
import { layer as storeLayer, Scripted, Store } from "../../../kit/Scripted.ts"

const storeErrorOf = (exit: Exit.Exit<unknown, unknown>): StateStore.StoreError => {
  const reason = reasonOf(exit)
  const error = reason?._tag === "NotConserved" ? Cause.squash(reason.cause) : undefined
  assert.instanceOf(error, StateStore.StoreError)
  return error
}

/** A server that is told by place which state to take. */
const holder = <const S extends Schema.ConstraintCodec<unknown, unknown>>(
  schema: S,
  stateAt: (at: number) => unknown
) => {
  class Holder extends GenServer.Service<Holder>()("test/Holder", {
    state: schema,
    messages: {
      Put: GenServer.call({ payload: { at: Schema.Int }, reply: Schema.Int }),
      Tell: GenServer.cast({ payload: { at: Schema.Int } }),
      Get: GenServer.call({ reply: Schema.Any })
    }
  }) {}
  const server = Holder.layer({
    init: stateAt(0) as never,
    handlers: {
      Put: (_state, { at }) => [at, stateAt(at) as never],
      Tell: (_state, { at }) => stateAt(at) as never,
      Get: (state) => [state, state]
    }
  })
  const tree = { id: "root", strategy: "one_for_one" } as const
  const inStore = (script: Scripted) =>
    Supervisor.layer(tree, [StateContainer.layerStore(Holder, { store: Store }), server]).pipe(
      Layer.provide(storeLayer(script))
    )
  const inMemory = Supervisor.layer(tree, [StateContainer.layerMemory(Holder), server])
  return { Holder, server, inStore, inMemory }
}

const nested = (levels: number): unknown => levels === 0 ? 1 : [nested(levels - 1)]

class Point {
  readonly x = 1
}

const throwing = new Proxy({}, {
  get: () => {
    throw new Error("looked at")
  },
  ownKeys: () => {
    throw new Error("looked at")
  }
})
let looks = 0
const fickle = {
  get a() {
    return ++looks
  }
}
const circle: { self?: unknown } = {}
circle.self = circle
const generated = (function*() {
  yield 1
})()

const One = Schema.Struct({ a: Schema.Int })

/** Reads what it wrote without the blanks around it. */
const Trimmed = Schema.String.pipe(
  Schema.decodeTo(Schema.String, SchemaTransformation.transform({ decode: (s) => s.trim(), encode: (s) => s }))
)
const Loose = Schema.Union([Schema.Struct({ a: Schema.optionalKey(Schema.Int) }), Schema.Struct({ b: Schema.Int })])

interface Link {
  readonly value: number
  readonly next: Option.Option<Link>
}
const Chain: Schema.Codec<Link, unknown> = Schema.Struct({
  value: Schema.Int,
  next: Schema.Option(Schema.suspend((): Schema.Codec<Link, unknown> => Chain))
})
const chained = (length: number): Link => {
  let link: Link = { value: 0, next: Option.none() }
  for (let value = 1; value <= length; value++) link = { value, next: Option.some(link) }
  return link
}

describe("a state that its text gives back is there at the next start", () => {
  const cases: ReadonlyArray<readonly [string, Schema.ConstraintCodec<unknown, unknown>, ReadonlyArray<unknown>]> = [
    ["Any", Schema.Any, [0, { a: [1, "two", null, { b: true }], c: 0.5 }]],
    ["Any, 256 levels deep", Schema.Any, [0, nested(256)]],
    ["a string of a union", Schema.Union([Schema.BigInt, Schema.String]), [1n, "twelve"]],
    ["a bigint of a union", Schema.Union([Schema.BigInt, Schema.String]), ["one", 12n]]
  ]
  for (const [name, schema, states] of cases) {
    it.effect(name, () => {
      const { Holder, inStore } = holder(schema, (at) => states[at])
      const script = new Scripted()
      return Effect.gen(function*() {
        yield* Effect.provide(Effect.flatMap(Holder, (server) => server.Put({ at: 1 })), inStore(script))
        const found = yield* Effect.provide(Effect.flatMap(Holder, (server) => server.Get()), inStore(script))
        assert.deepEqual(found, states[1])
      })
    })
  }
})

describe("a state that its text does not give back is NotConserved, and the server goes on with the one before", () => {
  const any = (one: unknown) => [Schema.Any, 0, one] as const
  const numberOrText = Schema.Union([Schema.BigInt, Schema.String])
  const cases: ReadonlyArray<readonly [string, Schema.ConstraintCodec<unknown, unknown>, unknown, unknown]> = [
    ["a string that reads as a bigint", numberOrText, "one", "12"],
    ["a string that reads as a Date", Schema.Union([Schema.Date, Schema.String]), "one", "2020-01-01T00:00:00.000Z"],
    ["a Map", ...any(new Map([[1, 2]]))],
    ["a Set", ...any(new Set([1]))],
    ["a Date", ...any(new Date(0))],
    ["an object of a class", ...any(new Point())],
    ["a function", ...any(() => 1)],
    ["a symbol", ...any(Symbol("one"))],
    ["undefined", ...any(undefined)],
    ["undefined in an array", ...any([undefined])],
    ["a bigint", ...any(1n)],
    ["what is under a symbol", ...any({ a: 1, [Symbol("hidden")]: 2 })],
    ["a property of an array", ...any(Object.assign([1], { more: 2 }))],
    ["an object that throws when it is looked at", ...any(throwing)],
    ["a getter that answers anew each time", ...any(fickle)],
    ["a circle", ...any(circle)],
    ["a promise inside", ...any({ later: Promise.resolve(1) })],
    ["a generator", ...any(generated)],
    ["what says itself how it is written", ...any({ a: 1, toJSON: () => ({ a: 2 }) })],
    ["an Option", ...any(Option.some(1))],
    ["a number without JSON", ...any({ a: Number.POSITIVE_INFINITY })],
    ["257 levels", ...any(nested(257))],
    ["100,000 levels", ...any(JSON.parse("[".repeat(100_000) + "]".repeat(100_000)))],
    ["a text that its transformation does not give back", Trimmed, "one", " two "],
    ["a struct of a union that reads as another", Loose, { a: 1 }, { b: 1 }],
    ["a list by options, 2,000 long", Chain, { value: 0, next: Option.none() }, chained(2000)],
    ["a Map inside", Schema.Struct({ held: Schema.Unknown }), { held: 0 }, { held: new Map() }],
    ["a property that its schema does not name", One, { a: 1 }, { a: 2, b: 3 }],
    ["one in an Option", Schema.Option(One), Option.none(), Option.some({ a: 2, b: 3 })]
  ]
  for (const [name, schema, first, second] of cases) {
    it.effect(name, () => {
      const { Holder, inStore } = holder(schema, (at) => at === 0 ? first : second)
      const script = new Scripted()
      return Effect.gen(function*() {
        const server = yield* Holder
        yield* server.Put({ at: 0 })
        const refused = yield* Effect.exit(server.Put({ at: 1 }))
        assert.strictEqual(storeErrorOf(refused).reason._tag, "Invalid")
        assert.deepEqual(yield* server.Get(), first)
        yield* server.Tell({ at: 1 })
        yield* turns
        assert.deepEqual(yield* server.Get(), first)
        assert.strictEqual(yield* server.Put({ at: 0 }), 0)
      }).pipe(Effect.provide(inStore(script)), Effect.provide(recordedLog().layer))
    })
  }
})

it.effect("the last word of a server that is no state is reported, since its server has gone", () => {
  const { Holder, server } = holder(Schema.Any, (at) => at === 0 ? 7 : () => 1)
  const log = recordedLog(({ level, text }) => level === "Error" && text.includes("the last state"))
  const script = new Scripted()
  const App = Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
    StateContainer.layerStore(Holder, { store: Store, when: "terminate" }),
    server
  ]).pipe(Layer.provide(storeLayer(script)))
  return Effect.gen(function*() {
    yield* Effect.provide(Effect.flatMap(Holder, (one) => one.Put({ at: 1 })), App)
    assert.deepStrictEqual(log.lines.map(({ text }) => text), [
      "the last state of \"test/Holder\" was not stored, and its server has gone"
    ])
    assert.deepStrictEqual(yield* script.states("test/Holder"), [])
  }).pipe(Effect.provide(log.layer))
})

describe.each(["in memory", "in a store"] as const)("a promise is no state %s", (where) => {
  const told: ReadonlyArray<readonly [string, "Put" | "Tell", () => Promise<unknown>]> = [
    ["of a call", "Put", () => Promise.resolve(1)],
    ["of a call, rejected", "Put", () => Promise.reject(new Error("too late"))],
    ["of a cast", "Tell", () => Promise.resolve(1)],
    ["of a cast, rejected", "Tell", () => Promise.reject(new Error("too late"))]
  ]
  for (const [name, how, promise] of told) {
    it.effect(`${name}: the server crashes, and goes on with the state before`, () => {
      const { Holder, inMemory, inStore } = holder(Schema.Any, (at) => at === 0 ? 7 : promise())
      const log = recordedLog(({ text }) => text.includes("was rejected"))
      return Effect.gen(function*() {
        const server = yield* Holder
        yield* server.Put({ at: 0 })
        if (how === "Put") assert.strictEqual(tagOf(yield* Effect.exit(server.Put({ at: 1 }))), "Crashed")
        else yield* server.Tell({ at: 1 })
        assert.strictEqual(yield* server.Get(), 7)
        assert.strictEqual(yield* Process.incarnation(server), 2)
        yield* turns
        assert.lengthOf(log.lines, name.includes("rejected") ? 1 : 0)
      }).pipe(Effect.provide(where === "in memory" ? inMemory : inStore(new Scripted())), Effect.provide(log.layer))
    })
  }
})
