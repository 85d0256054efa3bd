import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { Context, Effect, Option, Redacted, Result, Schema, SchemaGetter } from "effect"
import * as StateSchema from "../../../src/domain/state/StateSchema.ts"

const V1 = Schema.Struct({ count: Schema.Int })
const V2 = Schema.Struct({ total: Schema.Int, seen: Schema.ReadonlySet(Schema.String) })
const V3 = Schema.Struct({ total: Schema.Int, seen: Schema.ReadonlySet(Schema.String), since: Schema.Date })

const State = StateSchema.make(V1)
  .next(V2, ({ count }) => ({ total: count, seen: new Set<string>() }))
  .next(V3, (two) => ({ ...two, since: new Date(0) }))

/** One stored state of each version, as those versions wrote them. Never change a line: add one per version. */
const samples = [
  { version: 1, state: `{"count":41}` },
  { version: 2, state: `{"total":41,"seen":["a","b"]}` },
  { version: 3, state: `{"total":41,"seen":["a"],"since":"2026-11-01T00:00:00.000Z"}` }
]

describe("StateSchema", () => {
  it("reads a stored sample of every version, migrated to the newest", () => {
    assert.deepStrictEqual(samples.map(({ state, version }) => State.decode(version, state)), [
      { _tag: "Decoded", state: { total: 41, seen: new Set<string>(), since: new Date(0) }, migratedFrom: 1 },
      { _tag: "Decoded", state: { total: 41, seen: new Set(["a", "b"]), since: new Date(0) }, migratedFrom: 2 },
      {
        _tag: "Decoded",
        state: { total: 41, seen: new Set(["a"]), since: new Date("2026-11-01") },
        migratedFrom: undefined
      }
    ])
  })

  it.prop("a state is encoded in the newest version, and decodes to itself", { state: V3 }, ({ state }) => {
    const encoded = Result.getOrThrow(State.encode(state))
    assert.strictEqual(encoded.version, 3)
    const decoded = State.decode(encoded.version, encoded.state)
    assert.isTrue(decoded._tag === "Decoded" && Schema.toEquivalence(V3)(decoded.state, state))
  })

  it.prop("text is plain ASCII-safe JSON whatever strings a state holds: no NUL, no lone surrogate", {
    state: Schema.String
  }, ({ state }) => {
    const hard = `${state}\u0000\ud800`
    const { state: text } = Result.getOrThrow(StateSchema.make(Schema.String).encode(hard))
    assert.isFalse(/[\ud800-\udfff]/u.test(text))
    assert.isFalse(text.includes("\u0000"))
    assert.deepStrictEqual(StateSchema.make(Schema.String).decode(1, text), {
      _tag: "Decoded",
      state: hard,
      migratedFrom: undefined
    })
  })

  it("a state from a younger version is from the future, not an error", () => {
    assert.deepStrictEqual(State.decode(4, `{"anything":true}`), { _tag: "FromTheFuture", version: 4, newest: 3 })
    assert.strictEqual(
      StateSchema.explain({ _tag: "FromTheFuture", version: 4, newest: 3 }),
      "stored as version 4, and this code knows versions up to 3"
    )
  })

  it("text that is not JSON, or not what its version describes, is undecodable and says why", () => {
    for (
      const [version, text] of [[3, "{"], [3, `{"total":"x"}`], [1, `{"total":1}`], [0, "{}"], [1.5, "{}"]] as const
    ) {
      const decoded = State.decode(version, text)
      assert.strictEqual(decoded._tag, "Undecodable", text)
      if (decoded._tag === "Undecodable") assert.isAbove(decoded.issue.length, 10)
    }
    const issue = State.decode(1, `{"count":"x"}`)
    assert.match(issue._tag === "Undecodable" ? StateSchema.explain(issue) : "", /version 1: .*count/s)
  })

  it("a migration that throws has died, and its error is kept", () => {
    const boom = new Error("boom")
    const Dying = StateSchema.make(V1).next(V2, () => {
      throw boom
    })
    const decoded = Dying.decode(1, `{"count":1}`)
    assert.deepStrictEqual(decoded, { _tag: "MigrationDied", version: 1, to: 2, defect: boom })
    assert.strictEqual(
      decoded._tag === "MigrationDied" ? StateSchema.explain(decoded) : "",
      "the migration to version 2 died: boom"
    )
  })

  it("a migration whose result its version refuses has died", () => {
    const Wrong = StateSchema.make(V1).next(V1, ({ count }) => ({ count: count + 0.5 }))
    const decoded = Wrong.decode(1, `{"count":1}`)
    assert.strictEqual(decoded._tag, "MigrationDied")
    assert.strictEqual(Wrong.decode(2, `{"count":1}`)._tag, "Decoded")
  })

  it("a state that its own schema refuses does not encode, and the answer says what is wrong", () => {
    const encoded = StateSchema.make(V1).encode({ count: 1.5 })
    assert.isTrue(Result.isFailure(encoded))
    assert.match(Option.getOrThrow(Result.getFailure(encoded)), /count/)
  })

  it("a plain schema is a StateSchema of one version, and a StateSchema is itself", () => {
    assert.strictEqual(StateSchema.from(State), State)
    const plain = StateSchema.from(V1)
    assert.strictEqual(plain.version, 1)
    assert.deepStrictEqual(plain.decode(1, `{"count":2}`), {
      _tag: "Decoded",
      state: { count: 2 },
      migratedFrom: undefined
    })
  })

  it("the type of the state is the newest version's, and a schema that needs services does not compile", () => {
    expectTypeOf<StateSchema.TypeOf<typeof State>>().toEqualTypeOf<typeof V3.Type>()
    expectTypeOf<StateSchema.TypeOf<typeof V1>>().toEqualTypeOf<typeof V1.Type>()
    const needy = Schema.String.pipe(Schema.decodeTo(Schema.String, {
      decode: SchemaGetter.transformEffect((text: string) => Effect.as(Effect.service(Needed), text)),
      encode: SchemaGetter.passthrough()
    }))
    // @ts-expect-error decoding needs a service
    assert.strictEqual(StateSchema.make(needy).version, 1)
  })
})

class Needed extends Context.Service<Needed, number>()("test/Needed") {}

describe("a state transformed at rest", () => {
  // A toy: what a real cipher does, reversibly and without a dependency.
  const rotate = (by: number) => (text: string) =>
    Array.from(text, (c) => String.fromCharCode((c.charCodeAt(0) + by + 65536) % 65536)).join("")
  const Encrypted = Schema.String.pipe(Schema.decodeTo(Schema.String, {
    decode: SchemaGetter.transform(rotate(-13)),
    encode: SchemaGetter.transform(rotate(13))
  }))
  const Secret = Schema.Struct({ user: Schema.String, token: Schema.RedactedFromValue(Encrypted) })

  it("is not readable in the store, and reads back", () => {
    const State = StateSchema.make(Secret)
    const state = { user: "ann", token: Redacted.make("hunter2") }
    const encoded = Result.getOrThrow(State.encode(state))
    assert.isFalse(encoded.state.includes("hunter2"))
    assert.isFalse(String(state.token).includes("hunter2"))
    const decoded = State.decode(1, encoded.state)
    assert.strictEqual(decoded._tag === "Decoded" ? Redacted.value(decoded.state.token) : "", "hunter2")
  })

  it("that cannot be looked into is compared by its text, and refused when it would be another one", () => {
    const Growing = Schema.String.pipe(Schema.decodeTo(Schema.String, {
      decode: SchemaGetter.passthrough(),
      encode: SchemaGetter.transform((text: string) => `${text}!`)
    }))
    const written = StateSchema.make(Schema.RedactedFromValue(Growing)).encode(Redacted.make("hunter2"))
    assert.include(JSON.stringify(written), "would be another one when it is read back")
  })

  it("is encrypted by a migration when an older version stored it in the clear", () => {
    const State = StateSchema.make(Schema.Struct({ user: Schema.String, token: Schema.String }))
      .next(Secret, ({ token, user }) => ({ user, token: Redacted.make(token) }))
    const decoded = State.decode(1, `{"user":"ann","token":"hunter2"}`)
    assert.strictEqual(decoded._tag, "Decoded")
    if (decoded._tag === "Decoded") {
      assert.isFalse(Result.getOrThrow(State.encode(decoded.state)).state.includes("hunter2"))
    }
  })

  it("a cipher that throws makes the snapshot undecodable, not the reader dead", () => {
    const Broken = Schema.String.pipe(Schema.decodeTo(Schema.String, {
      decode: SchemaGetter.transform((): string => {
        throw new Error("wrong key")
      }),
      encode: SchemaGetter.passthrough()
    }))
    const decoded = StateSchema.make(Broken).decode(1, `"x"`)
    assert.strictEqual(decoded._tag, "Undecodable")
    assert.match(decoded._tag === "Undecodable" ? decoded.issue : "", /wrong key/)
  })
})
