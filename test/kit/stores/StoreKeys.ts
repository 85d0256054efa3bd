/** What every store promises of its keys: pages in one order, and their number. */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { compare } from "../../../src/domain/state/stored/KeyText.ts"
import type { StateContainer, StateStore } from "../../../src/index.ts"
import { type inPlace, record } from "./Records.ts"

type Store = StateStore.StateStore<StateContainer.Grade>

const paged = Effect.fnUntraced(function*(store: Store, prefix: string, limit: number) {
  const found: Array<string> = []
  for (;;) {
    const page = yield* store.keys(prefix, { after: found.at(-1), limit })
    if (page.length === 0) return found
    assert.isAtMost(page.length, limit)
    found.push(...page)
  }
})

export const keyPages = (test: ReturnType<typeof inPlace>, hardKeys: ReadonlyArray<string>): void =>
  test(
    "keys are listed page by page, in the order of their bytes, each once; and counted",
    Effect.fnUntraced(function*(open) {
      const store = yield* open()
      const epoch = yield* store.acquireEpoch("app")
      assert.strictEqual(yield* store.count!(), 0)
      assert.deepStrictEqual(yield* store.keys("", { limit: 2 }), [])
      yield* store.save(hardKeys.flatMap((key) => [record(key, 1, epoch), record(key, 2, epoch)]))
      const sorted = [...hardKeys].sort(compare)
      for (const limit of [1, 7, 1000]) assert.deepStrictEqual(yield* paged(store, "", limit), sorted)
      assert.strictEqual(yield* store.count!(), hardKeys.length)
      for (const prefix of ["app/Counter/1", "a", "%", "\u0000", "\ud83d", "😀", "zz"]) {
        const own = sorted.filter((key) => key.startsWith(prefix))
        assert.deepStrictEqual(yield* paged(store, prefix, 1), own)
        assert.strictEqual(yield* store.count!(prefix), own.length)
      }
      assert.deepStrictEqual(yield* store.keys("a", { after: "A", limit: 1 }), ["a\ud83d"])
      yield* store.remove([sorted[3]!], epoch)
      yield* store.save([record("new", 1, epoch)])
      const now = [...sorted.filter((_, i) => i !== 3), "new"].sort(compare)
      assert.deepStrictEqual(yield* paged(store, "", 5), now)
    })
  )
