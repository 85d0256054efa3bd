/** Answers on record, read by code whose messages have changed since. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Schema } from "effect"
import { GenServer, Process, StateContainer, StateStore, Supervisor } from "../../../../src/index.ts"
import { reasonOf } from "../../../kit/Failures.ts"

class Store extends StateStore.Service<Store>()("test/TillStore", "crash") {}

const withDefault = <S extends Schema.Top & Schema.WithoutConstructorDefault>(schema: S, value: S["~type.make.in"]) =>
  schema.pipe(Schema.withConstructorDefault(Effect.succeed(value)))
const decodedWith = (value: number) => Schema.Int.pipe(Schema.withDecodingDefault(Effect.succeed(value)))

type Message = NonNullable<Parameters<typeof GenServer.call>[0]>

interface Release {
  readonly message: Message
  readonly tag?: string
}

/** One release of a server whose every call counts; what the handler answers is given. */
const release = ({ message, tag = "Take" }: Release, answer: Exit.Exit<unknown, unknown>) => {
  class Till extends GenServer.Service<Till>()("test/Till", {
    state: Schema.Int,
    messages: { [tag]: GenServer.call(message), Count: GenServer.call({ reply: Schema.Int }) }
  }) {}
  const handlers: Record<string, unknown> = {
    [tag]: (count: number) => answer._tag === "Success" ? [answer.value, count + 1] : Effect.failCause(answer.cause),
    Count: (count: number) => [count, count]
  }
  const layer = Supervisor.layer({ strategy: "one_for_one" }, [
    StateContainer.layerStore(Till, { store: Store }),
    Till.layer({ init: 0, handlers: handlers as never })
  ])
  const client = Till as unknown as Effect.Effect<
    Record<string, (payload?: unknown, options?: GenServer.CallOptions) => Effect.Effect<unknown, unknown>>,
    never,
    Till
  >
  /** Makes the call under one key, and counts how often any was handled. */
  const call = (payload: unknown) =>
    Effect.gen(function*() {
      const till = yield* client
      const exit = yield* Effect.exit(till[tag]!(payload, { idempotencyKey: "k" }))
      assert.strictEqual(yield* Process.incarnation((yield* Till) as never), 1)
      return [exit, yield* till["Count"]!()] as const
    }).pipe(Effect.provide(layer))
  return call
}

const fresh = Effect.provide(Layer.fresh(StateStore.layerMemory(Store)))

/** What the call of the later release is answered after that of the earlier. */
const later = (
  before: Release & { readonly payload?: unknown; readonly answer?: Exit.Exit<unknown, unknown> },
  after: Release & { readonly payload?: unknown }
) =>
  Effect.gen(function*() {
    const first = before.answer ?? Exit.succeed(1)
    const [exit, count] = yield* release(before, first)(before.payload)
    assert.deepStrictEqual(exit, first)
    const [again, total] = yield* release(after, Exit.die("handled twice"))(after.payload)
    assert.strictEqual(total, count)
    return again
  }).pipe(fresh)

const V1 = Schema.Struct({ total: Schema.Int })
const total = Exit.succeed({ total: 5 })

class Receipt extends Schema.Class<Receipt>("Receipt")({
  total: Schema.Int,
  note: Schema.String.pipe(Schema.withConstructorDefault(Effect.succeed("none")))
}) {}

class Broke extends Schema.TaggedError<Broke>()("Broke", { missing: Schema.Int }) {}
class BrokeNow extends Schema.TaggedError<BrokeNow>()("Broke", {
  missing: Schema.Int,
  since: Schema.Int.pipe(Schema.withDecodingDefault(Effect.succeed(0)))
}) {}

describe("an answer on record is read with the schemas of today", () => {
  const replies: ReadonlyArray<readonly [name: string, reply: Schema.Top, expected: unknown]> = [
    ["gained a field that decodes to a default", Schema.Struct({ ...V1.fields, tip: decodedWith(7) }), {
      total: 5,
      tip: 7
    }],
    [
      "gained a field with a default of its constructor",
      Schema.Struct({ ...V1.fields, tip: withDefault(Schema.Int, 7) }),
      { total: 5, tip: 7 }
    ],
    ["gained one that may be left out", Schema.Struct({ ...V1.fields, tip: Schema.optionalKey(Schema.Int) }), {
      total: 5
    }],
    ["is a class now", Receipt, new Receipt({ total: 5 })],
    ["gained both", Schema.Struct({ ...V1.fields, a: decodedWith(1), b: withDefault(Schema.Int, 2) }), {
      total: 5,
      a: 1,
      b: 2
    }],
    ["lost a field", Schema.Struct({ tip: Schema.optionalKey(Schema.Int) }), {}]
  ]
  for (const [name, reply, expected] of replies) {
    it.effect(`whose reply ${name}`, () =>
      Effect.gen(function*() {
        const exit = yield* later({ message: { reply: V1 }, answer: total }, { message: { reply } })
        assert.deepStrictEqual(exit, Exit.succeed(expected))
      }))
  }

  it.effect("whose reply gained a field further in", () =>
    Effect.gen(function*() {
      const inner = Schema.Struct({ ...V1.fields, tip: withDefault(Schema.Int, 7) })
      const exit = yield* later(
        { message: { reply: Schema.Struct({ in: V1 }) }, answer: Exit.succeed({ in: { total: 5 } }) },
        { message: { reply: Schema.Struct({ in: inner }) } }
      )
      assert.deepStrictEqual(exit, Exit.succeed({ in: { total: 5, tip: 7 } }))
    }))

  it.effect("whose error gained a field", () =>
    Effect.gen(function*() {
      const exit = yield* later(
        { message: { error: Broke }, answer: Exit.fail(new Broke({ missing: 3 })) },
        { message: { error: BrokeNow } }
      )
      assert.deepStrictEqual(exit, Exit.fail(new BrokeNow({ missing: 3, since: 0 })))
    }))

  const unreadable: ReadonlyArray<readonly [name: string, after: Message, why: string]> = [
    ["reply is of another type", { reply: Schema.String }, "string"],
    ["reply gained a field without a default", { reply: Schema.Struct({ ...V1.fields, tip: Schema.Int }) }, "tip"],
    ["reply is read by code that throws", {
      reply: V1.check(Schema.makeFilter(() => {
        throw new Error("no")
      }))
    }, "only throw schema"],
    ["payload gained a field without a default", { payload: { amount: Schema.Int }, reply: V1 }, "amount"]
  ]
  for (const [name, message, why] of unreadable) {
    it.effect(`one whose ${name} is lost, typed: it is not handled again`, () =>
      Effect.gen(function*() {
        const exit = yield* later(
          { message: { payload: { sum: Schema.optionalKey(Schema.Int) }, reply: V1 }, payload: {}, answer: total },
          { message, payload: "payload" in message ? { amount: 1 } : {} }
        )
        const reason = reasonOf(exit)
        assert(reason?._tag === "AnswerLost")
        assert.deepInclude(reason, { key: "k", handled: "yes" })
        assert.include(reason.issue, why)
      }))
  }
})

describe("a call is the same when it means the same", () => {
  const Item = Schema.Struct({ id: Schema.Int, size: Schema.optional(Schema.NullOr(Schema.Int)) })
  const any = { payload: { item: Item, by: Schema.optional(Schema.String), at: Schema.optionalKey(Schema.Int) } }
  const item = { id: 1, size: 2 }

  const pairs: ReadonlyArray<
    readonly [name: string, message: Message, before: unknown, after: unknown, isSame: boolean]
  > = [
    ["fields in another order", any, { item, by: "ann" }, { by: "ann", item: { size: 2, id: 1 } }, true],
    ["a field that is undefined, and none", any, { item }, { item, by: undefined }, true],
    ["further in", any, { item: { id: 1 } }, { item: { id: 1, size: undefined } }, true],
    ["where the schema has no undefined", any, { item, at: undefined }, { item }, true],
    ["of one that must be there", { payload: { a: Schema.UndefinedOr(Schema.Int) } }, { a: undefined }, {
      a: undefined
    }, true],
    ["in a record", { payload: Schema.Record(Schema.String, Schema.Int) }, { a: 1, b: 2 }, { b: 2, a: 1 }, true],
    ["-0 and 0", { payload: { n: Schema.Number } }, { n: -0 }, { n: 0 }, true],
    [
      "sets",
      { payload: { of: Schema.ReadonlySet(Schema.Int) } },
      { of: new Set([1, 2]) },
      { of: new Set([2, 1]) },
      true
    ],
    ["null, and none", any, { item: { id: 1, size: null } }, { item: { id: 1 } }, false],
    ["another value", any, { item }, { item: { id: 2, size: 2 } }, false],
    ["lists in another order", { payload: { of: Schema.Array(Schema.Int) } }, { of: [1, 2] }, { of: [2, 1] }, false]
  ]
  for (const [name, message, before, after, isSame] of pairs) {
    it.effect(`${name}: ${isSame ? "the same" : "another"}`, () =>
      Effect.gen(function*() {
        const exit = yield* later({ message: { ...message, reply: Schema.Int }, payload: before }, {
          message: { ...message, reply: Schema.Int },
          payload: after
        })
        if (isSame) assert.deepStrictEqual(exit, Exit.succeed(1))
        else assert.strictEqual(reasonOf(exit)?._tag, "KeyReused")
      }))
  }

  const gained: ReadonlyArray<readonly [name: string, fields: Schema.Struct.Fields, payload: object, isSame: boolean]> =
    [
      ["a default of its constructor", { note: withDefault(Schema.String, "none") }, {}, true],
      ["a default of its constructor, given", { note: withDefault(Schema.String, "none") }, { note: "none" }, true],
      ["a decoding default", { tip: decodedWith(0) }, { tip: 0 }, true],
      ["a field that may be left out", { tip: Schema.optionalKey(Schema.Int) }, {}, true],
      ["a default that was not meant", { note: withDefault(Schema.String, "none") }, { note: "some" }, false],
      ["a field that is given now", { tip: Schema.optionalKey(Schema.Int) }, { tip: 1 }, false]
    ]
  for (const [name, fields, more, isSame] of gained) {
    it.effect(`after a deploy, when its payload gained ${name}: ${isSame ? "the same" : "another"}`, () =>
      Effect.gen(function*() {
        const amount = { amount: Schema.Int }
        const exit = yield* later({ message: { payload: amount, reply: Schema.Int }, payload: { amount: 5 } }, {
          message: { payload: { ...fields, ...amount }, reply: Schema.Int },
          payload: { amount: 5, ...more }
        })
        if (isSame) assert.deepStrictEqual(exit, Exit.succeed(1))
        else assert.strictEqual(reasonOf(exit)?._tag, "KeyReused")
      }))
  }

  it.effect("after a deploy, when its payload lost a field", () =>
    Effect.gen(function*() {
      const amount = { amount: Schema.Int }
      const exit = yield* later({
        message: { payload: { note: Schema.String, ...amount }, reply: Schema.Int },
        payload: { amount: 5, note: "some" }
      }, { message: { payload: amount, reply: Schema.Int }, payload: { amount: 5 } })
      assert.deepStrictEqual(exit, Exit.succeed(1))
    }))

  it.effect("another message under the same key is another call, also one whose name begins as its own", () =>
    Effect.gen(function*() {
      const reply = Schema.Int
      for (const tag of ["Pay", "Take it"]) {
        const one = yield* later({ message: { reply } }, { message: { reply }, tag })
        const other = yield* later({ message: { reply }, tag }, { message: { reply } })
        assert.deepStrictEqual([reasonOf(one)?._tag, reasonOf(other)?._tag], ["KeyReused", "KeyReused"])
      }
    }))

  it.effect("as version 0.1 wrote it down, with its fields as they came", () =>
    Effect.gen(function*() {
      const store = yield* Store
      const epoch = yield* store.acquireEpoch("test/Till")
      const body = JSON.stringify({ call: "Take {\"by\":2,\"amount\":5}", exit: { success: 42 } })
      yield* store.save([{
        key: "test/Till",
        epoch,
        seq: 1,
        version: 1,
        state: "7",
        trusted: 0,
        at: 0,
        answers: [{ id: "k", seq: 1, at: 0, body }]
      }])
      const message = { payload: { amount: Schema.Int, by: Schema.Int }, reply: Schema.Int }
      const [exit, count] = yield* release({ message }, Exit.die("handled twice"))({ amount: 5, by: 2 })
      assert.deepStrictEqual([exit, count], [Exit.succeed(42), 7])
    }).pipe(fresh))

  it.effect("a record that is no text of an answer is lost, typed", () =>
    Effect.gen(function*() {
      const store = yield* Store
      for (const [seq, body] of ["{\"call\":", "null", "{}", "{\"call\":7,\"exit\":{}}"].entries()) {
        const epoch = yield* store.acquireEpoch("test/Till")
        yield* store.save([{
          key: "test/Till",
          epoch,
          seq: seq + 1,
          version: 1,
          state: "7",
          trusted: seq,
          at: 0,
          answers: [{ id: "k", seq: seq + 1, at: 0, body }]
        }])
        const [exit, count] = yield* release({ message: {} }, Exit.die("handled twice"))({})
        assert.deepInclude(reasonOf(exit), { _tag: "AnswerLost", handled: "yes" })
        assert.strictEqual(count, 7)
      }
    }).pipe(fresh))
})
