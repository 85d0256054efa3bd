import { assert, describe, it } from "@effect/vitest"
import { Cause, type Duration, Effect, type Exit, Schema } from "effect"
import { InvalidOption } from "../../../../src/domain/options/InvalidOption.ts"
import { Agent, GenServer, StateContainer, Sys } from "../../../../src/index.ts"
import { along, branch, Cell, everyWay, gates, Top, tree } from "../../../kit/Cell.ts"

const nonsense: ReadonlyArray<readonly [given: unknown, shown: string]> = [
  [NaN, "NaN"],
  [-1, "-1"],
  [`${NaN} seconds`, `"NaN seconds"`],
  ["soon", `"soon"`]
]
// The first two are numbers, the third is what a template makes: the type checker lets them pass.
const asInput = (given: unknown) => given as Duration.Input

const defectOf = (exit: Exit.Exit<unknown, unknown>): InvalidOption => {
  assert(exit._tag === "Failure")
  const error = Cause.squash(exit.cause)
  assert(error instanceof InvalidOption)
  return error
}

describe("the timeout of a call that is no time is a defect of the caller: nothing is sent", () => {
  for (const [path, style] of everyWay) {
    it.effect(`${path}, ${style}`, () => {
      const own = gates()
      return Effect.gen(function*() {
        const cell = yield* Cell
        for (const [given, shown] of nonsense) {
          const add = cell.Add({ by: 1 }, { timeout: asInput(given) })
          const error = defectOf(yield* path === "restarting" ? Effect.exit(add) : along(path, cell, own, add))
          assert.strictEqual(
            error.message,
            `Add of root > test/Cell was given ${shown} as timeout: it must be a duration, zero or longer, or "infinity".`
          )
        }
        assert.strictEqual(yield* cell.Get(), 0)
      }).pipe(Effect.provide(branch(style, own)))
    })
  }

  it.effect("so is that of a request of the system", () =>
    Effect.gen(function*() {
      const cell = yield* Cell
      const options = { timeout: asInput("soon") }
      const asked = [
        Sys.getState(cell, options),
        GenServer.stop(cell, { _tag: "Normal" }, options),
        GenServer.replace(cell, { init: 0, handlers: {} as never }, options)
      ]
      for (const [i, request] of ["Sys.getState", "stop", "replace"].entries()) {
        const error = defectOf(yield* Effect.exit<unknown, unknown, never>(asked[i]!))
        assert.include(error.message, `${request} of root > test/Cell was given "soon" as timeout`)
      }
      assert.strictEqual(yield* cell.Get(), 0)
    }).pipe(Effect.provide(branch("a plain handler", gates()))))
})

describe("the timeouts of a class are checked when the class is made", () => {
  for (const [given, shown] of nonsense) {
    it(`of a message: ${shown}`, () => {
      const make = () =>
        GenServer.Service<never>()("test/Bad", {
          state: Schema.Int,
          messages: { Get: GenServer.call({ reply: Schema.Int, timeout: asInput(given) }) }
        })
      assert.throws(
        make,
        `Get of test/Bad was given ${shown} as timeout: it must be a duration, zero or longer, or "infinity".`
      )
    })

    it(`of all of them: ${shown}`, () => {
      const options = { state: Schema.Int, timeout: asInput(given) }
      const message = `test/Bad was given ${shown} as timeout: it must be a duration, zero or longer, or "infinity".`
      assert.throws(() => GenServer.Service<never>()("test/Bad", { ...options, messages: {} }), message)
      assert.throws(() => Agent.Service<never>()("test/Bad", options), message)
    })
  }
})

describe("an initTimeout that is no time fails the layer", () => {
  for (const [given, shown] of nonsense) {
    const message = `test/Cell was given ${shown} as initTimeout: it must be a duration, zero or longer.`

    it.effect(`of a server: ${shown}`, () =>
      Effect.gen(function*() {
        const app = tree("a plain handler", gates(), { initTimeout: asInput(given) })
        assert.include(String(yield* Effect.exit(Effect.provide(Cell, app))), message)
      }))

    it.effect(`of servers by key, before the first is asked for: ${shown}`, () =>
      Effect.gen(function*() {
        const cells = Cell.layerKeyed({ init: 0, handlers: {} as never }, { initTimeout: asInput(given) })
        const app = Top.layer({ strategy: "one_for_one" }, [StateContainer.layerMemory(Cell), cells])
        assert.include(String(yield* Effect.exit(Effect.provide(Top, app))), message)
      }))
  }
})
