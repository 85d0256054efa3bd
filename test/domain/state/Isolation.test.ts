import { assert, describe, it } from "@effect/vitest"
import { Chunk, DateTime, Equal, Hash, HashMap, HashSet, Option, Result, Schema } from "effect"
import { isAlive } from "../../../src/domain/process/Living.ts"
import { freeze } from "../../../src/domain/state/Isolation.ts"

class Person extends Schema.Class<Person>("Person")({ name: Schema.String, tags: Schema.Array(Schema.String) }) {}

const throws = (change: () => unknown): void => {
  assert.throws(change, TypeError)
}

describe("freeze", () => {
  it("freezes through and through, whatever a part is made of, and returns the value itself", () => {
    const state = { list: [{ deep: { n: 1 } }], person: new Person({ name: "Ada", tags: ["a"] }) }
    assert.strictEqual(freeze(state), state)
    throws(() => state.list.push({ deep: { n: 2 } }))
    throws(() => state.list[0]!.deep.n = 2)
    throws(() => (state.person.tags as Array<string>).push("b"))
  })

  it("freezes the parts of a value that is frozen only at the top", () => {
    const state = freeze(Object.freeze({ inner: { n: 1 } }))
    throws(() => (state.inner as { n: number }).n = 2)
  })

  it("reaches what is under a symbol, or is not shown, and leaves what is alive as it is", () => {
    const hidden = Symbol("hidden")
    const value = freeze(Object.defineProperty({ [hidden]: { n: 1 } }, "secret", { value: { n: 1 } }))
    throws(() => value[hidden].n = 2)
    throws(() => Reflect.get(value, "secret").n = 2)
    const alive = { [isAlive]: true, n: 1 }
    freeze({ alive }).alive.n = 2
    assert.strictEqual(alive.n, 2)
  })

  it("ends on values that hold themselves", () => {
    const state: { self?: unknown } = {}
    state.self = state
    assert.isTrue(Object.isFrozen(freeze(state)))
  })

  it("runs no getter", () => {
    let ran = 0
    freeze({
      get expensive() {
        return ++ran
      }
    })
    assert.strictEqual(ran, 0)
  })

  it("leaves values that are none alone", () => {
    for (const value of [undefined, null, 1, "a", Symbol.iterator, () => 1]) assert.strictEqual(freeze(value), value)
    assert.strictEqual(freeze({ bytes: new Uint8Array([1, 2]) }).bytes[1], 2)
  })

  it("leaves effect's data types at work, and freezes what they hold", () => {
    const map = freeze(HashMap.fromIterable([["a", { n: 1 }], ["b", { n: 2 }]]))
    assert.isTrue(Equal.equals(map, HashMap.fromIterable([["b", { n: 2 }], ["a", { n: 1 }]])))
    assert.strictEqual(HashMap.size(freeze(HashMap.set(map, "c", { n: 3 }))), 3)
    throws(() => Option.getOrThrow(HashMap.get(map, "a")).n = 7)

    const chunk = freeze(Chunk.append(Chunk.make({ n: 1 }), { n: 2 }))
    assert.strictEqual(Hash.hash(chunk), Hash.hash(Chunk.make({ n: 1 }, { n: 2 })))
    throws(() => Chunk.headUnsafe(chunk).n = 7)

    const option = freeze(Option.some({ n: 1 }))
    assert.isTrue(Equal.equals(option, Option.some({ n: 1 })))
    throws(() => Option.getOrThrow(option).n = 7)

    const result = freeze(Result.fail({ n: 1 }))
    throws(() => Result.getFailure(result).pipe(Option.getOrThrow).n = 7)

    const set = freeze(HashSet.fromIterable([{ n: 1 }]))
    throws(() => Array.from(set)[0]!.n = 7)

    const time = freeze({ at: DateTime.makeUnsafe(0) })
    assert.strictEqual(DateTime.toPartsUtc(time.at).year, 1970)
  })
})
