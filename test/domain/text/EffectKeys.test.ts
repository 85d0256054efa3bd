/**
 * What effect marks its values with. When one of these fails, a release of effect has moved a key: mend
 * `EffectKeys.ts`.
 */
import { assert, describe, it } from "@effect/vitest"
import { Chunk, DateTime, Duration, Effect, Exit, HashMap, HashSet, Option, Redactable, Result, Schema } from "effect"
import { globSync, readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { chunkKey, classKey, exitKey, hashKey, redactableKey } from "../../../src/domain/text/EffectKeys.ts"

describe("effect's keys", () => {
  it("are on every Exit, and on no other Effect", () => {
    for (const exit of [Exit.succeed(1), Exit.fail("no"), Exit.die("boom"), Exit.void, Effect.succeed(1)]) {
      assert.isTrue(exitKey in exit)
    }
    for (const effect of [Effect.sync(() => 1), Effect.never, Effect.yieldNow, Effect.suspend(() => Exit.void)]) {
      assert.isFalse(exitKey in effect)
    }
  })

  it("are on effect's data types, and not on plain values", () => {
    const values = [
      HashMap.make(["a", 1]),
      HashSet.make(1),
      Option.some(1),
      Option.none(),
      Result.succeed(1),
      Chunk.make(1),
      Duration.seconds(1),
      DateTime.makeUnsafe(0)
    ]
    for (const value of values) assert.isTrue(hashKey in value, String(value))
    for (const plain of [{}, [], new Map(), new Date()]) assert.isFalse(hashKey in plain)
  })

  it("are on every Chunk, and on nothing that is none", () => {
    assert.isTrue(chunkKey in Chunk.make(1) && chunkKey in Chunk.empty())
    assert.isFalse(chunkKey in HashSet.make(1))
  })

  it("are among the annotations of the schema of a class, and of no other", () => {
    class Money extends Schema.Class<Money>("Money")({ cents: Schema.Int }) {}
    class Lost extends Schema.TaggedError<Lost>()("Lost", { cents: Schema.Int }) {}
    const has = (schema: Schema.Top) => Schema.toType(schema).ast.annotations?.[classKey] !== undefined
    for (const schema of [Money, Lost]) assert.isTrue(has(schema))
    const inner = Schema.Struct({ cents: Schema.Int })
    const others = [inner, Schema.Option(inner), Schema.Chunk(inner), Schema.HashSet(inner), Schema.instanceOf(Money)]
    for (const schema of others) assert.isFalse(has(schema))
  })

  it("are on what hides its value", () => {
    assert.isTrue(Symbol.for("~effect/Redactable") === Redactable.symbolRedactable)
    assert.isTrue(Redactable.isRedactable({ [redactableKey]: () => "hidden" }))
  })

  it("are written in one file", () => {
    const repository = resolve(import.meta.dirname, "../../..")
    const elsewhere = globSync("src/**/*.ts", { cwd: repository }).filter((file) =>
      !file.endsWith("EffectKeys.ts") && /"~effect\//.test(readFileSync(join(repository, file), "utf8"))
    )
    assert.deepStrictEqual(elsewhere, [])
  })
})
