/** What is kept by key: as a `Map` from strings would, also where hashes of keys agree. */
import { assert, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { KeyTable } from "../../../../src/layers/state/companion/KeyTable.ts"

const keys = ["aa", "ab", "ba", "bb", "ca", "a", "b", "", "key", "täglich", "日"] as const

interface Entry {
  readonly key: string
  readonly n: number
}

/** Looks for them by how long they are: the hashes of those of a length agree. */
class Poor extends KeyTable<Entry> {
  protected override hash({ length }: string): number {
    return length
  }
}

const Op = Schema.Struct({ op: Schema.Literals(["add", "add", "put", "delete"]), key: Schema.Literals(keys) })

for (const [how, Table] of [["agree", Poor], ["differ", KeyTable<Entry>]] as const) {
  it.effect.prop(
    `any sequence of changes leaves what a map from strings has, where hashes of keys ${how}`,
    { ops: Schema.Array(Op) },
    ({ ops }) =>
      Effect.sync(() => {
        const table = new Table()
        const map = new Map<string, Entry>()
        for (const [n, { key, op }] of ops.entries()) {
          const entry = { key, n }
          switch (op) {
            case "add":
              assert.strictEqual(table.add(entry), map.get(key))
              if (!map.has(key)) map.set(key, entry)
              break
            case "put":
              assert.strictEqual(table.put(entry), map.get(key))
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
}
