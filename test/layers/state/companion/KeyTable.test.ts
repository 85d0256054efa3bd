/** What is kept by key: as a `Map` from strings would, also where hashes of keys agree. */
import { assert, it } from "@effect/vitest"
import { Array as Arr, Effect, Hash, Schema } from "effect"
import { KeyTable } from "../../../../src/layers/state/companion/KeyTable.ts"

const letters = Array.from("abcdefghijklmnopqrstuvwxyzABCDEFGHIJ")

/** Keys whose hashes agree, three and more of each kind. */
const alike = Object.values(
  Arr.groupBy(
    letters.flatMap((a) => letters.flatMap((b) => letters.map((c) => a + b + c))),
    (key) => String(Hash.string(key))
  )
).filter((keys) => keys.length > 2)

const keys = [...alike[0]!, ...alike[1]!, "", "key", "täglich", "日"] as const

const Op = Schema.Struct({ op: Schema.Literals(["add", "add", "put", "delete"]), key: Schema.Literals(keys) })

it("there are keys whose hashes agree", () => {
  assert.isAtLeast(alike.length, 2)
})

it.effect.prop(
  "any sequence of changes leaves what a map from strings has, whether hashes of keys agree or not",
  { ops: Schema.Array(Op) },
  ({ ops }) =>
    Effect.sync(() => {
      const table = new KeyTable<{ readonly key: string; readonly n: number }>()
      const map = new Map<string, { readonly key: string; readonly n: number }>()
      for (const [n, { key, op }] of ops.entries()) {
        const entry = { key, n }
        switch (op) {
          case "add":
            assert.strictEqual(table.add(entry), map.get(key))
            if (!map.has(key)) map.set(key, entry)
            break
          case "put":
            table.put(entry)
            map.set(key, entry)
            break
          case "delete":
            table.delete(key)
            map.delete(key)
        }
        for (const one of keys) assert.strictEqual(table.get(one), map.get(one))
        assert.deepStrictEqual(Array.from(table.keys()).sort(), Array.from(map.keys()).sort())
      }
    }),
  { arbitrary: { runs: 300 } }
)
