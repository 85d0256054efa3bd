import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import {
  acquired,
  fenced,
  fencedOff,
  holderText,
  misfit,
  type Refusal,
  refusedIn,
  wholeStore
} from "../../../../src/domain/state/stored/Ownership.ts"

describe("a holder", () => {
  it("is named by what is known of it", () => {
    assert.strictEqual(holderText({}), "another process")
    assert.strictEqual(holderText({ pid: 7 }), "process 7")
    assert.strictEqual(holderText({ host: "north" }), "another process on north")
    assert.strictEqual(holderText({ pid: 7, host: "north", since: "today" }), "process 7 on north (since today)")
  })
})

describe("epochs in force", () => {
  it("end with one of their own scope, and all of them with one of the whole store", () => {
    const inForce = new Map<string, number>()
    const after = (scope: string, epoch: number) => (acquired(inForce, scope, epoch), Object.fromEntries(inForce))
    assert.deepStrictEqual(after("a", 1), { a: 1 })
    assert.deepStrictEqual(after("b", 2), { a: 1, b: 2 })
    assert.deepStrictEqual(after("a", 3), { a: 3, b: 2 })
    assert.deepStrictEqual(after(wholeStore, 4), { [wholeStore]: 4 })
    assert.deepStrictEqual(after("b", 5), { [wholeStore]: 4, b: 5 })
  })
})

describe("a fence", () => {
  it("goes with a store that is owned as it expects, and says else what to give", () => {
    for (const ownership of ["exclusive", "youngest"] as const) {
      assert.isUndefined(misfit("class", ownership))
      assert.match(misfit("key", ownership)!, /give the store ownership: "shared", or leave the fence out/)
    }
    assert.isUndefined(misfit("key", "shared"))
    assert.match(misfit("class", "shared")!, /give fence: "key", or a store of its own/)
    for (const fence of ["class", "key"] as const) assert.isUndefined(misfit(fence, undefined))
  })

  it("names whose writes it refuses: the store's, an owner's, or those of one key", () => {
    for (const scope of [undefined, wholeStore]) {
      assert.deepStrictEqual(fencedOff(1, 2, scope, "k"), { epoch: 1, current: 2 })
    }
    assert.deepStrictEqual(fencedOff(1, 2, "Clerk", "k"), { owner: "Clerk", epoch: 1, current: 2 })
    assert.deepStrictEqual(fencedOff(1, 2, "Clerk"), { owner: "Clerk", epoch: 1, current: 2 })
    assert.deepStrictEqual(fencedOff(1, 2, "k", "k"), { key: "k", epoch: 1, current: 2 })
  })

  const Write = Schema.Struct({
    epoch: Schema.Literals([1, 2, 3]),
    key: Schema.Literals(["a", "b", "c", "d", "e", "f"]),
    scope: Schema.UndefinedOr(Schema.Literals([wholeStore, "Clerk", "a", "b"]))
  })

  it.prop(
    "tells each write of a batch why it is refused, and names each reason once",
    [Schema.Array(Write)],
    ([drawn]) => {
      // A batch holds a key once.
      const writes = [...new Map(drawn.map((write) => [write.key, write])).values()]
      const refusals = writes.map(({ epoch, key, scope }) => fencedOff(epoch, 9, scope, key))
      const reason = fenced(refusals)
      if (reason === undefined) return assert.strictEqual(writes.length, 0)
      const named: ReadonlyArray<Refusal> = [reason, ...(reason.others ?? [])]
      const namesOf = (all: ReadonlyArray<Refusal>) => all.map(({ epoch, key }) => `${epoch} ${key ?? ""}`)
      assert.deepStrictEqual(namesOf(named), [...new Set(namesOf(refusals))])
      const why = refusedIn(reason)
      for (const [i, { epoch, key }] of writes.entries()) {
        const { owner: _, ...found } = why({ epoch, key })!
        // That of the key itself, where there is one; else that of the epoch.
        const own = refusals.some((one) => one.key === key && one.epoch === epoch)
        assert.deepStrictEqual(found, own ? { key, epoch, current: 9 } : { epoch, current: 9 }, `write ${i}`)
      }
      assert.isUndefined(why({ epoch: 7, key: "a" }))
    }
  )

  it("keeps the owner whose epoch it refuses", () => {
    const why = refusedIn(fenced([fencedOff(1, 2, "Clerk", "a"), fencedOff(3, 4, wholeStore, "b")])!)
    assert.deepStrictEqual(why({ epoch: 1, key: "x" }), { owner: "Clerk", epoch: 1, current: 2 })
    assert.deepStrictEqual(why({ epoch: 3, key: "x" }), { epoch: 3, current: 4 })
  })
})
