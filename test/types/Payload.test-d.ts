/** What can be the payload of a message, and what handlers and clients make of it. */
import { Effect, Schema } from "effect"
import { describe, expectTypeOf, it } from "vitest"
import { GenServer } from "../../src/index.ts"

class Point extends Schema.Class<Point>("types/Point")({ x: Schema.Int }) {}
class Unrelated {
  readonly x = Schema.Int
}

class Plane extends GenServer.Service<Plane>()("types/Plane", {
  state: Schema.Int,
  messages: {
    Struct: GenServer.call({ payload: Schema.Struct({ x: Schema.Int, label: Schema.optionalKey(Schema.String) }) }),
    Class: GenServer.call({ payload: Point, reply: Schema.Int }),
    Union: GenServer.cast({ payload: Schema.Union([Schema.String, Point]) }),
    Date: GenServer.cast({ payload: Schema.DateFromString }),
    Void: GenServer.cast({ payload: Schema.Void }),
    Fields: GenServer.call({
      payload: { x: Schema.Int, y: Schema.Int.pipe(Schema.withConstructorDefault(Effect.succeed(1))) }
    }),
    None: GenServer.call()
  }
}) {}

declare const plane: Plane["Service"]
type Sent = {
  readonly [K in keyof Plane["Service"]]: Plane["Service"][K] extends (payload: infer P, ...rest: never) => unknown ? P
    : never
}
type Answered = Effect.Effect<void, GenServer.CallError>

describe("a payload", () => {
  it("is the type of its schema, for the client and for the handler", () => {
    expectTypeOf(plane.Struct({ x: 1 })).toEqualTypeOf<Answered>()
    expectTypeOf(plane.Class(new Point({ x: 1 }))).toEqualTypeOf<Effect.Effect<number, GenServer.CallError>>()
    expectTypeOf<Sent["Class"]>().toEqualTypeOf<Point>()
    expectTypeOf<Sent["Union"]>().toEqualTypeOf<string | Point>()
    expectTypeOf<Sent["Date"]>().toEqualTypeOf<Date>()
    Plane.layer({
      init: 0,
      handlers: {
        Struct: (n, payload) => {
          expectTypeOf(payload).toEqualTypeOf<{ readonly x: number; readonly label?: string }>()
          return [undefined, n]
        },
        Class: (_, payload) => {
          expectTypeOf(payload).toEqualTypeOf<Point>()
          return [payload.x, payload.x]
        },
        Union: (n, payload) => {
          expectTypeOf(payload).toEqualTypeOf<string | Point>()
          return n
        },
        Date: (_, date) => date.getTime(),
        Void: (n, payload) => {
          expectTypeOf(payload).toEqualTypeOf<void>()
          return n
        },
        Fields: (_, { x, y }) => [undefined, x + y],
        None: (n, payload) => {
          expectTypeOf(payload).toEqualTypeOf<{}>()
          return [undefined, n]
        }
      }
    })
  })

  it("may be left out where its type says so", () => {
    expectTypeOf(plane.Void()).toEqualTypeOf<Effect.Effect<void>>()
    expectTypeOf(plane.None()).toEqualTypeOf<Answered>()
    expectTypeOf(plane.Fields({ x: 1 })).toEqualTypeOf<Answered>()
    // @ts-expect-error a struct is passed
    plane.Struct()
    // @ts-expect-error an instance is passed
    plane.Class()
    // @ts-expect-error x has no default
    plane.Fields({})
  })

  it("of another type is refused", () => {
    // @ts-expect-error x is a number
    plane.Struct({ x: "1" })
    // @ts-expect-error one field too many
    plane.Struct({ x: 1, y: 2 })
    // @ts-expect-error the fields of a class are no instance when it has more than fields
    plane.Union({ x: "1" })
    // @ts-expect-error a Date is passed, not what it is written as
    plane.Date("2026-01-01")
    // @ts-expect-error the options of a call are no payload
    plane.Class({ timeout: 1 })
  })

  it("that is no schema is one error, where it stands", () => {
    // @ts-expect-error
    GenServer.call({ payload: "nonsense" })
    // @ts-expect-error
    GenServer.call({ payload: Number, reply: Schema.Int })
    // @ts-expect-error
    GenServer.call({ payload: { by: Number } })
    // @ts-expect-error
    GenServer.cast({ payload: { by: Schema.Int, other: 5 } })
    // @ts-expect-error
    GenServer.cast({ payload: Unrelated })
    // @ts-expect-error
    GenServer.cast({ payload: new Unrelated() })
    // @ts-expect-error
    GenServer.cast({ payload: [Schema.Int] })
    // @ts-expect-error
    GenServer.cast({ payload: () => Schema.Int })
    // @ts-expect-error
    GenServer.cast({ payload: null })
  })
})

describe("validate", () => {
  it("is said of a class, or of a message", () => {
    const messages = { Add: GenServer.call({ payload: { by: Schema.Int }, validate: true }) }
    GenServer.Service<never>()("types/Validated", { state: Schema.Int, validate: true, messages })
    // @ts-expect-error
    GenServer.cast({ validate: "always" })
  })
})
