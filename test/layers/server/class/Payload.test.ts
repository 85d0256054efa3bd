import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { GenServer, StateContainer, Supervisor } from "../../../../src/index.ts"

class Point extends Schema.Class<Point>("test/Point")({ x: Schema.Int, y: Schema.Int }) {
  get sum(): number {
    return this.x + this.y
  }
}

class Plane extends GenServer.Service<Plane>()("test/Plane", {
  state: Schema.Array(Schema.String),
  messages: {
    Struct: GenServer.call({ payload: Schema.Struct({ x: Schema.Int, label: Schema.optionalKey(Schema.String) }) }),
    Class: GenServer.call({ payload: Point, reply: Schema.Int }),
    Union: GenServer.cast({ payload: Schema.Union([Schema.Literal("origin"), Point]) }),
    Text: GenServer.cast({ payload: Schema.String }),
    Maybe: GenServer.cast({ payload: Schema.UndefinedOr(Schema.Int) }),
    Date: GenServer.call({ payload: Schema.Date, reply: Schema.Date }),
    Fields: GenServer.call({
      payload: { x: Schema.Int, y: Schema.Int.pipe(Schema.withConstructorDefault(Effect.succeed(7))) }
    }),
    Seen: GenServer.call({ reply: Schema.Array(Schema.String) })
  }
}) {}

const PlaneLive = Plane.layer({
  init: [],
  handlers: {
    Struct: (seen, { label, x }) => [undefined, [...seen, `${label} ${x}`]],
    Class: (seen, point) => [point.sum, [...seen, `${point.x},${point.y}`]],
    Union: (seen, point) => [...seen, point === "origin" ? point : `${point.sum}`],
    Text: (seen, text) => [...seen, text],
    Maybe: (seen, number) => [...seen, `${number}`],
    Date: (seen, date) => [date, [...seen, date.toISOString()]],
    Fields: (seen, { x, y }) => [undefined, [...seen, `${x} ${y}`]],
    Seen: (seen) => [seen, seen]
  }
})

const app = Supervisor.layer({ strategy: "one_for_one" }, [StateContainer.layerMemory(Plane), PlaneLive])

describe("a payload", () => {
  it.effect("may be a struct, a class, a union, any schema: client and handler have its type", () =>
    Effect.gen(function*() {
      const plane = yield* Plane
      yield* plane.Struct({ x: 1, label: "one" })
      assert.strictEqual(yield* plane.Class(new Point({ x: 1, y: 2 })), 3)
      yield* plane.Union("origin")
      yield* plane.Union(new Point({ x: 2, y: 2 }))
      yield* plane.Text("")
      yield* plane.Maybe()
      yield* plane.Maybe(5)
      yield* plane.Date(new Date(0))
      yield* plane.Fields({ x: 1 })
      assert.deepStrictEqual(
        yield* plane.Seen(),
        ["one 1", "1,2", "origin", "4", "", "undefined", "5", "1970-01-01T00:00:00.000Z", "1 7"]
      )
    }).pipe(Effect.provide(app)))

  it.effect("of any schema is compared as its schema writes it, where a call is made again with its key", () =>
    Effect.gen(function*() {
      const plane = yield* Plane
      const once = { idempotencyKey: "k" }
      assert.strictEqual(yield* plane.Class(new Point({ x: 1, y: 2 }), once), 3)
      assert.strictEqual(yield* plane.Class(new Point({ x: 1, y: 2 }), once), 3)
      const other = yield* Effect.flip(plane.Class(new Point({ x: 2, y: 1 }), once))
      assert.deepStrictEqual(other.reason, { _tag: "KeyReused", key: "k" })
      assert.deepStrictEqual(yield* plane.Date(new Date(0), { idempotencyKey: "d" }), new Date(0))
      assert.deepStrictEqual(yield* plane.Date(new Date(0), { idempotencyKey: "d" }), new Date(0))
      assert.deepStrictEqual(yield* plane.Seen(), ["1,2", "1970-01-01T00:00:00.000Z"])
    }).pipe(Effect.provide(app)))

  const define = (message: unknown) => () =>
    GenServer.Service<never>()("test/Wrong", {
      state: Schema.Int,
      // Past the type checker, as from JavaScript.
      messages: { Wrong: message } as { readonly Wrong: GenServer.Cast<{}> }
    })
  const given = (option: "payload" | "reply" | "error", value: unknown) =>
    define({ ...GenServer.call(), [option]: value })
  const wrong: ReadonlyArray<readonly [what: string, define: () => unknown, option: string]> = [
    ["text", given("payload", "nonsense"), "payload"],
    ["a constructor", given("payload", Number), "payload"],
    [
      "a class that is no schema",
      given(
        "payload",
        class Foo {
          readonly x = Schema.Int
        }
      ),
      "payload"
    ],
    ["a function", given("payload", () => Schema.Int), "payload"],
    ["null", given("payload", null), "payload"],
    ["an array", given("payload", [Schema.Int]), "payload"],
    ["fields of which one is no schema", given("payload", { by: Number }), "payload"],
    ["fields of which one is missing", given("payload", { by: undefined }), "payload"],
    ["as a reply, fields", given("reply", { by: Schema.Int }), "reply"],
    ["as an error, a class that is no schema", given("error", Error), "error"],
    ["as a message, a schema", define(Schema.Int), "a message"],
    ["as a message, nothing", define(undefined), "a message"]
  ]
  for (const [what, define, option] of wrong) {
    it(`that is none is refused when the class is defined: ${what}`, () => {
      try {
        define()
        assert.fail("it was not refused")
      } catch (error) {
        assert.deepInclude(error, { _tag: "InvalidOption", of: "test/Wrong", request: "Wrong", option })
      }
    })
  }
})
