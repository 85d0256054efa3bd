/** The keys of a class: those in memory and those in its store, as one list. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema, Stream } from "effect"
import { compare } from "../../../../src/domain/state/stored/KeyText.ts"
import { keys, type ListOptions } from "../../../../src/layers/state/container/Listing.ts"
import { storedOf } from "../../../../src/layers/state/durable/StoredKeys.ts"
import { KeyPages } from "../../../../src/layers/state/store/KeyPages.ts"

/** A store with these names, that answers in pages of two. */
const storeOf = (names: ReadonlyArray<string>, pageSize: number) => {
  const pages = new KeyPages(() => names)
  const asked: Array<string | undefined> = []
  const stored: Parameters<typeof keys>[1]["stored"] = {
    all: Effect.succeed(names),
    count: Effect.succeed(names.length),
    page: (prefix, { after, limit }) =>
      Effect.sync(() => {
        asked.push(after)
        return pages.page(prefix, { after, limit: Math.min(limit, pageSize) })
      })
  }
  return { asked, stored }
}

const listed = (
  here: Iterable<string>,
  stored: Parameters<typeof keys>[1]["stored"],
  options?: ListOptions
) =>
  Stream.runCollect(keys("a class", {
    keys: function*() {
      yield* here
    },
    stored
  }, options))

const Key = Schema.Literals(["", "a", "a/1", "aa", "b", "b/1", "b/é", "c", "z"])

describe("the keys of a class", () => {
  it.effect.prop("are those in memory and those in the store, each once, in order, with a prefix and after a key", {
    here: Schema.Array(Key),
    there: Schema.Array(Key),
    prefix: Schema.UndefinedOr(Schema.Literals(["", "a", "b/"])),
    after: Schema.UndefinedOr(Schema.Literals(["", "a", "b", "bb", "z"])),
    isStored: Schema.Boolean
  }, ({ after, here, isStored, prefix, there }) =>
    Effect.gen(function*() {
      const { stored } = storeOf([...new Set(there)], 2)
      const found = yield* listed(new Set(here), isStored ? stored : undefined, { prefix, after })
      const all = new Set<string>([...here, ...isStored ? there : []])
      const expected = [...all].sort(compare)
        .filter((key) => key.startsWith(prefix ?? "") && (after === undefined || compare(key, after) > 0))
      assert.deepStrictEqual(Array.from(found), expected)
    }))

  it.effect("are asked of the store page by page, each after the last of the one before", () =>
    Effect.gen(function*() {
      const { asked, stored } = storeOf(["a", "b", "c", "d"], 2)
      assert.deepStrictEqual(Array.from(yield* listed(["bb", "x"], stored)), ["a", "b", "bb", "c", "d", "x"])
      assert.deepStrictEqual(asked, [undefined, "b", "d"])
      assert.deepStrictEqual(Array.from(yield* listed([], stored, { after: "c" })), ["d"])
      assert.deepStrictEqual(asked.slice(3), ["c", "d"])
    }))

  it.effect("what is no option is refused by its name", () =>
    Effect.gen(function*() {
      const refused = (options: unknown) =>
        Effect.map(
          Effect.exit(listed([], undefined, Object(options) === options ? { ...Object(options) } : options as never)),
          String
        )
      assert.match(yield* refused({ prefix: 1 }), /a class.*prefix/s)
      assert.match(yield* refused({ after: 1 }), /a class.*after/s)
      assert.match(yield* refused("a"), /a class.*keys/s)
    }))
})

describe("what a store calls the servers of a class", () => {
  const store = (names: ReadonlyArray<string>, countsBy?: (prefix: string) => number) => {
    const pages = new KeyPages(() => names)
    const own = {
      keys: (prefix: string, page = { limit: Infinity }) => Effect.sync(() => pages.page(prefix, page)),
      ...(countsBy === undefined ? {} : { count: (prefix: string) => Effect.sync(() => countsBy(prefix)) })
    }
    return storedOf(own as never, "C")
  }
  const names = ["B", "C", "C/1", "C/a", "C/a/b", "CC", "CC/1", "D"]

  it.effect("is its id, with a slash and a key if it has one: no other class's are among them", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* store(names).all, ["", "1", "a", "a/b"])
      assert.deepStrictEqual(yield* store(names).page("", { limit: 9 }), ["", "1", "a", "a/b"])
      assert.deepStrictEqual(yield* store(names).page("a", { limit: 9 }), ["a", "a/b"])
      assert.deepStrictEqual(yield* store(names).page("", { after: "1", limit: 1 }), ["a"])
      assert.deepStrictEqual(yield* store(names).page("", { after: "", limit: 2 }), ["1", "a"])
      const without = names.filter((name) => name !== "C")
      assert.deepStrictEqual(yield* store(without).page("", { limit: 9 }), ["1", "a", "a/b"])
      assert.deepStrictEqual(yield* store([]).all, [])
    }))

  it.effect("is counted by the store where it can, and by its names where it cannot", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* store(names).count, 4)
      assert.strictEqual(yield* store(names.slice(2)).count, 3)
      const asked: Array<string> = []
      const counts = (prefix: string) => {
        asked.push(prefix)
        return 10
      }
      assert.strictEqual(yield* store(names, counts).count, 11)
      assert.strictEqual(yield* store(names.slice(2), counts).count, 10)
      assert.deepStrictEqual(asked, ["C/", "C/"])
    }))

  it.effect("a store that knows no pages is taken in order, and without what came before", () =>
    Effect.gen(function*() {
      const all = { keys: () => Effect.succeed(["C/b", "C/a", "C", "C/c"]) }
      const stored = storedOf(all as never, "C")
      assert.deepStrictEqual(yield* stored.page("", { after: "a", limit: 1 }), ["b", "c"])
    }))
})
