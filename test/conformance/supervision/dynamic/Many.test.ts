/** Other systems' cases of dynamic supervisors with very many children, or children with very large arguments. */
import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import { killed } from "../../../../src/domain/process/ExitReason.ts"
import { type GenServer, Monitor, Process, Supervisor } from "../../../../src/index.ts"
import { looks } from "../../../kit/Counting.ts"
import { start } from "../../../kit/DynamicFamily.ts"
import { child, count, died, list, testCase } from "../../../kit/Family.ts"
import { isCollected, reachable } from "../../../kit/Garbage.ts"

const temporary = { restart: "temporary" } as const

describe("dynamic supervisor: many children, large arguments", () => {
  testCase(
    "DYN-015 Arguments of temporary children are dropped even after an earlier child died",
    Effect.gen(function*() {
      const sup = yield* start()
      // The maker of the argument is gone: only the child, or its supervisor, can still hold it.
      const startWithLarge = (id: string, options: GenServer.Options) =>
        Effect.suspend(() => {
          const large = Array.from({ length: 50_000 }, (_, i) => i)
          const body = Effect.suspend(() =>
            large.length === 50_000 ? Effect.never : Effect.die("not given its argument")
          )
          return Effect.as(sup.startChild(Supervisor.workerRecipe(id, body, options)), new WeakRef(large))
        })
      yield* Process.exit(yield* sup.startChild(child("h1", temporary)), died)
      const dropped = yield* startWithLarge("h2", temporary)
      const kept = yield* startWithLarge("h3", { restart: "permanent" })
      assert.isTrue(yield* isCollected(dropped))
      // One that is started again needs it.
      assert.strictEqual(yield* reachable([kept]), 1)
      assert.deepStrictEqual(yield* list(sup), ["h2 -> 1", "h3 -> 1"])
    })
  )

  testCase(
    "DYN-018 Counting with thousands of children",
    Effect.gen(function*() {
      const sup = yield* start()
      const startMany = (from: number) =>
        Effect.forEach(
          Array.from({ length: 1000 }, (_, i) => `child${from + i}`),
          (id) => sup.startChild(child(id, temporary))
        )
      // Each child is a spec of its own, as in Elixir.
      const reading = Effect.all([Effect.map(sup.whichChildren, ({ length }) => length), count(sup)])
      const first = yield* startMany(0)
      assert.deepStrictEqual(yield* reading, [1000, [1000, 1000, 0, 1000]])
      const second = yield* startMany(1000)
      assert.deepStrictEqual([yield* reading, yield* reading], [
        [2000, [2000, 2000, 0, 2000]],
        [2000, [2000, 2000, 0, 2000]]
      ])
      for (const ref of [...first, ...second]) {
        const watch = yield* Monitor.watch(ref)
        yield* Process.kill(ref)
        assert.deepStrictEqual((yield* watch.down).reason, killed)
      }
      assert.deepStrictEqual(yield* reading, [0, [0, 0, 0, 0]])
    })
  )

  testCase(
    "DYN-021 terminateChild scales with many children",
    Effect.gen(function*() {
      const sup = yield* start()
      const terminateAll = Effect.fnUntraced(function*(children: number) {
        const ids = Array.from({ length: children }, (_, i) => `child${i}`)
        const refs = yield* Effect.forEach(ids, (id) => sup.startChild(child(id, temporary)))
        const counted = yield* looks(Effect.forEach(refs, (ref) => sup.terminateChild(ref), { discard: true }))
        assert.deepStrictEqual(yield* count(sup), [0, 0, 0, 0])
        assert.isAbove(counted, children)
        return counted
      })
      // What once is made for all is made now.
      yield* terminateAll(10)
      const [small, large] = [yield* terminateAll(1000), yield* terminateAll(10_000)]
      // Ten times the children, ten times the looks; 50 times is what the case allows.
      assert.isBelow(large / small, 11)
    })
  )
})
