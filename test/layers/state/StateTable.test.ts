import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Option, Schema } from "effect"
import { GenServer, Process, StateContainer, StateTable as Table, Supervisor } from "../../../src/index.ts"
import { rowsOf } from "../../../src/layers/state/companion/TableRows.ts"

const { StateTable } = Table

describe("a table of states", () => {
  it.effect("get, put, update, remove and rows", () =>
    Effect.gen(function*() {
      const table = yield* StateTable
      assert.deepStrictEqual(yield* table.get("a"), Option.none())
      yield* table.put("a", 1)
      yield* table.update("a", (value) => Option.match(value, { onNone: () => 0, onSome: (n) => Number(n) + 1 }))
      yield* table.update("b", (value) => Option.isNone(value) ? "new" : "old")
      assert.deepStrictEqual([yield* table.get("a"), yield* table.get("b")], [Option.some(2), Option.some("new")])
      assert.deepStrictEqual(yield* table.rows, ["a", "b"])
      yield* table.remove("a")
      assert.deepStrictEqual(yield* table.rows, ["b"])
      assert.deepStrictEqual(yield* table.get("a"), Option.none())
    }).pipe(Effect.provide(StateTable.layer)))
})

class Topic extends GenServer.Service<Topic>()("test/Topic", {
  state: Schema.Array(Schema.String),
  messages: {
    Say: GenServer.call({ payload: { what: Schema.String } }),
    Read: GenServer.call({ reply: Schema.Array(Schema.String) })
  }
}) {}

const topic = Topic.layer({
  init: [],
  handlers: {
    Say: (said, { what }) => Effect.as(Effect.yieldNow, [undefined, [...said, what]] as const),
    Read: (said) => [said, said]
  }
})

describe("its races: two writers of one row, with a yield between get and put", () => {
  const two = <E, R>(write: (what: string) => Effect.Effect<unknown, E, R>) =>
    Effect.gen(function*() {
      const fibers = yield* Effect.forEach(["a", "b"], (what) =>
        Effect.forkChild(write(what), { startImmediately: true }))
      yield* Effect.forEach(fibers, (fiber) =>
        Fiber.join(fiber))
    })

  const rowOf = Effect.flatMap(StateTable, (table) => Effect.map(table.get("row"), Option.getOrElse(() => [])))

  it.effect("lose an update with get and put", () =>
    Effect.gen(function*() {
      const table = yield* StateTable
      yield* two(Effect.fnUntraced(function*(what: string) {
        const said = (yield* rowOf) as ReadonlyArray<string>
        yield* Effect.yieldNow
        yield* table.put("row", [...said, what])
      }))
      assert.deepStrictEqual(yield* rowOf, ["b"])
    }).pipe(Effect.provide(StateTable.layer)))

  it.effect("lose none with update, which is one step", () =>
    Effect.gen(function*() {
      const table = yield* StateTable
      yield* two((what) =>
        Effect.andThen(
          Effect.yieldNow,
          table.update("row", (said) => [...Option.getOrElse(said, () => []) as ReadonlyArray<string>, what])
        )
      )
      assert.deepStrictEqual(yield* rowOf, ["a", "b"])
    }).pipe(Effect.provide(StateTable.layer)))

  it.effect("lose none with a server: its messages are handled one at a time", () =>
    Effect.gen(function*() {
      const topic = yield* Topic
      yield* two((what) => topic.Say({ what }))
      assert.deepStrictEqual(yield* topic.Read(), ["a", "b"])
    }).pipe(Effect.provide(
      Supervisor.layer({ strategy: "one_for_one" }, [StateContainer.layerMemory(Topic), topic])
    )))

  it.effect("a server in a table is raced by another writer of its row: its next commit wins", () =>
    Effect.gen(function*() {
      const table = yield* StateTable
      const topic = yield* Topic
      yield* topic.Say({ what: "mine" })
      yield* table.put("test/Topic", ["theirs"])
      yield* topic.Say({ what: "again" })
      assert.deepStrictEqual(yield* table.get("test/Topic"), Option.some(["mine", "again"]))
      yield* table.put("test/Topic", ["theirs"])
      yield* Process.kill(topic)
      assert.deepStrictEqual(yield* topic.Read(), ["theirs"])
    }).pipe(
      Effect.provide(Supervisor.layer({ strategy: "one_for_one" }, [StateContainer.layerTable(Topic), topic])),
      Effect.provide(StateTable.layer)
    ))
})

describe("the rows of a class that is gone", () => {
  it.effect("are let go of: those that hold a value stay, a row that was emptied is made anew", () =>
    Effect.gen(function*() {
      const table = yield* StateTable
      const rows = rowsOf(table)!
      const app = Supervisor.layer({ strategy: "one_for_one" }, [StateContainer.layerTable(Topic), topic])
      let cell: unknown
      yield* Effect.gen(function*() {
        const topic = yield* Topic
        yield* topic.Say({ what: "mine" })
        cell = rows.attach("test/Topic")
        rows.detach("test/Topic")
      }).pipe(Effect.provide(app))
      assert.deepStrictEqual(yield* table.get("test/Topic"), Option.some(["mine"]))
      yield* table.remove("test/Topic")
      assert.notStrictEqual(rows.attach("test/Topic"), cell)
    }).pipe(Effect.provide(StateTable.layer)))
})
