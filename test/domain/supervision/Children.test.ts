import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { Children } from "../../../src/domain/supervision/Children.ts"

interface Child {
  readonly spec: { readonly id: string }
  readonly version: number
}

const ids = ["a", "b", "c", "d"] as const

const Change = Schema.Struct({ id: Schema.Literals(ids), remove: Schema.Boolean })

const contents = (children: Children<Child>) => ({
  byId: ids.map((id) => children.get(id)?.version),
  all: Array.from(children.values, ({ spec: { id }, version }) => `${id}${version}`).sort()
})

describe("Children", () => {
  it.prop("holds what a plain map would, and no version ever changes", [Schema.Array(Change)], ([changes]) => {
    const plain = new Map<string, Child>()
    const seen: Array<{ readonly children: Children<Child>; readonly contents: unknown }> = []
    let children = Children.none<Child>()
    for (const [version, { id, remove }] of changes.entries()) {
      const child = { spec: { id }, version }
      children = remove ? children.without(id) : children.set(child)
      if (remove) plain.delete(id)
      else plain.set(id, child)
      const expected = {
        byId: ids.map((id) => plain.get(id)?.version),
        all: Array.from(plain, ([id, { version }]) => `${id}${version}`).sort()
      }
      assert.deepStrictEqual(contents(children), expected)
      seen.push({ children, contents: expected })
    }
    for (const { children, contents: expected } of seen) assert.deepStrictEqual(contents(children), expected)
  })

  it("changing an older version leaves the newer ones as they are", () => {
    const a = { spec: { id: "a" }, version: 1 }
    const older = Children.none<Child>().set(a).set({ spec: { id: "b" }, version: 1 })
    const newer = older.set({ ...a, version: 2 })
    const branch = older.without("a").set({ spec: { id: "c" }, version: 1 })
    assert.deepStrictEqual(contents(older), { byId: [1, 1, undefined, undefined], all: ["a1", "b1"] })
    assert.deepStrictEqual(contents(newer), { byId: [2, 1, undefined, undefined], all: ["a2", "b1"] })
    assert.deepStrictEqual(contents(branch), { byId: [undefined, 1, 1, undefined], all: ["b1", "c1"] })
  })
})
