/** A list in the order of a column, made in parts of however many processes there are. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import type { Column } from "../../../../src/domain/observer/Ranking.ts"
import { DynamicSupervisor, StateContainer, Supervisor } from "../../../../src/index.ts"
import { Ranked } from "../../../../src/layers/observer/look/Ranked.ts"
import { serverOf } from "../../../../src/layers/server/class/ServerRef.ts"
import { behavior, Counter } from "../../../kit/Counter.ts"
import { turns } from "../../../kit/Fibers.ts"

class Crowd extends DynamicSupervisor.Service<Crowd>()("test/Crowd") {}

const App = Supervisor.layer({ strategy: "one_for_one" }, [StateContainer.layerMemory(Counter), Crowd.layer()])

const many = 20

const crowd = Effect.gen(function*() {
  const supervisor = yield* Crowd
  const counters = yield* Effect.forEach(
    Array.from({ length: many }, (_, i) => `${i}`.padStart(2, "0")),
    (key) => supervisor.startChild(Counter.recipe(Counter.behavior(behavior), { key }))
  )
  const servers = counters.map((counter) => serverOf(counter)!)
  const begin = () => servers[Symbol.iterator]()
  const add = (key: number, times: number) =>
    Effect.forEach(Array.from({ length: times }), () => counters[key]!.Add({ by: 1 }), { discard: true })
  return { add, begin, counters }
})

const keys = ({ found }: Ranked): ReadonlyArray<string> => found.map(({ id }) => id.slice(-2))

const sorted = (by: Column, begin: () => Iterator<never, void>, most: number) =>
  new Ranked({ by, order: "descending" }, begin, most)

describe("a list in the order of a column", () => {
  it.effect("has the first of all processes, of which it looks at so many at a time", () =>
    Effect.gen(function*() {
      const { begin } = yield* crowd
      const list = sorted("name", begin as never, 3)
      list.advance(0, 8)
      assert.deepStrictEqual(keys(list), ["07", "06", "05"])
      list.advance(1000, 8)
      list.advance(2000, 8)
      assert.deepStrictEqual(keys(list), ["19", "18", "17"])
      // It stays as it is until the next time around is over.
      list.advance(3000, 8)
      assert.deepStrictEqual(keys(list), ["19", "18", "17"])
    }).pipe(Effect.provide(App)))

  it.effect("of messages a second is that of what was handled from one look to the next", () =>
    Effect.gen(function*() {
      const { add, begin } = yield* crowd
      yield* add(4, 9)
      yield* add(5, 3)
      const list = sorted("rate", begin as never, 2)
      list.advance(0, many + 1)
      assert.deepStrictEqual(keys(list), ["04", "05"])
      yield* add(7, 2)
      yield* add(5, 1)
      list.advance(500, many + 1)
      assert.deepStrictEqual(keys(list), ["07", "05"])
      yield* add(4, 1)
      // One that asks sooner does not read anew.
      list.advance(550, many + 1)
      assert.deepStrictEqual(keys(list), ["07", "05"])
      list.advance(1000, many + 1)
      assert.deepStrictEqual(keys(list), ["04", "00"])
    }).pipe(Effect.provide(App)))

  it.effect("of messages in hand has the one that has taken longest first, and those last that have none", () =>
    Effect.gen(function*() {
      const { begin, counters } = yield* crowd
      for (const key of [7, 3, 11]) {
        yield* TestClock.adjust("1 second")
        yield* Effect.forkChild(counters[key]!.Hang(), { startImmediately: true })
      }
      yield* turns
      const list = sorted("in hand", begin as never, 3)
      list.advance(10_000, many + 1)
      assert.deepStrictEqual(keys(list), ["07", "03", "11"])
    }).pipe(Effect.provide(App)))

  it.effect("of messages a second is made in parts, too", () =>
    Effect.gen(function*() {
      const { add, begin } = yield* crowd
      const list = sorted("rate", begin as never, 1)
      yield* add(1, 5)
      // As many as there are: that these were all is found at the next look.
      list.advance(0, many / 2)
      yield* add(8, 1)
      list.advance(500, many / 2)
      yield* add(16, 2)
      list.advance(1000, many / 2)
      list.advance(1500, many / 2)
      assert.deepStrictEqual(keys(list), ["16"])
      yield* add(3, 1)
      for (const now of [2000, 2500, 3000]) list.advance(now, many / 2)
      assert.deepStrictEqual(keys(list), ["03"])
    }).pipe(Effect.provide(App)))
})
