import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { DynamicSupervisor, GenServer, StateContainer, Supervisor } from "../../../../src/index.ts"

class Box extends GenServer.Service<Box>()("test/NamedBox", {
  state: Schema.Int,
  messages: { Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }) }
}) {}

class Boxes extends DynamicSupervisor.Service<Boxes>()("test/NamedBoxes") {}

const behavior = Box.behavior({ init: 0, handlers: { Add: (n, { by }) => [n + by, n + by] } })

describe("the name of a message", () => {
  for (const name of ["then", "constructor", "toJSON", "toString"]) {
    it(`cannot be ${name}: the class is refused`, () => {
      const messages: GenServer.Messages = { Get: GenServer.call(), [name]: GenServer.call() }
      assert.throws(
        () => GenServer.Service<never>()("test/Unnamable", { state: Schema.Int, messages }),
        `test/Unnamable was given "${name}" as the name of a message: it must be one that its clients can have as a method`
      )
    })
  }
})

describe("a key may be any text, also what the container of the class is called by", () => {
  const keys = ["StateContainer", ":StateContainer", "/StateContainer", "toString", "__proto__", "a/b"]
  const uses = Effect.gen(function*() {
    for (const key of keys) {
      const box = yield* Box.at(key)
      assert.strictEqual(yield* box.Add({ by: 1 }), 1)
      assert.strictEqual(yield* (yield* Box.at(key)).Add({ by: 1 }), 2)
    }
  })

  it.effect("under a static supervisor, beside its container", () =>
    Effect.provide(
      uses,
      Supervisor.layer({ strategy: "one_for_one" }, [StateContainer.layerMemory(Box), Box.layerKeyed(behavior)])
    ))

  it.effect("under a dynamic one", () =>
    Effect.gen(function*() {
      const boxes = yield* Boxes
      for (const key of keys) {
        const box = yield* boxes.startChild(Box.recipe(behavior, { key }))
        assert.strictEqual(yield* box.Add({ by: 1 }), 1)
      }
    }).pipe(Effect.provide(
      Supervisor.layer({ strategy: "one_for_one" }, [StateContainer.layerMemory(Box), Boxes.layer()])
    )))
})
