/** What makes a run of the testing kit that tests nothing. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Schema } from "effect"
import { GenServer, StateContainer, Supervisor } from "../../../src/index.ts"
import { Chaos, Harness, History, Simulation } from "../../../src/testing.ts"

class Num extends GenServer.Service<Num>()("test/Num", {
  state: Schema.Int,
  messages: { Add: GenServer.call({ reply: Schema.Int }) }
}) {}

const app = Supervisor.layer({ strategy: "one_for_one" }, [
  StateContainer.layerMemory(Num),
  Num.layer({ init: 0, handlers: { Add: (n) => [n + 1, n + 1] } })
])

const step = Effect.flatMap(Num, (num) => History.add("n", 1, num.Add()))
const right = { seed: 1, for: "10 seconds", clients: { one: step } } as const

const wrong: ReadonlyArray<readonly [option: string, given: object]> = [
  ...[1.5, Number.NaN, Infinity, "x", undefined].map((seed) => ["seed", { seed }] as const),
  ...[0, -1, Number.NaN, Infinity, "x", undefined, null, {}].map((time) => ["for", { for: time }] as const),
  ...[undefined, null, 5].map((clients) => ["clients", { clients }] as const),
  ["clients.one", { clients: { one: () => Effect.void } }],
  ["clients.one", { clients: { one: Promise.resolve() } }],
  ["faults", { faults: null }],
  ["faults.lives", { faults: { lives: -1 } }],
  ["faults.lives", { faults: { lives: Infinity } }],
  ["a kind of faults", { faults: { life: 1 } }],
  ["invariant", { invariant: () => Effect.void }],
  ["pause", { pause: 0 }],
  ["recovery", { recovery: -1 }]
]

const refusal = (exit: Exit.Exit<unknown, unknown>): unknown => {
  const error: unknown = Exit.isFailure(exit) ? Cause.squash(exit.cause) : exit
  return error instanceof Error && error.name === "InvalidOption" ? Reflect.get(error, "option") : error
}

describe("a run that would test nothing", () => {
  it.effect("is refused by what makes it so, in virtual time and in real time", () =>
    Effect.gen(function*() {
      for (const [option, given] of [...wrong, ["options", null] as const]) {
        const options = given === null ? null as never : { ...right, ...given } as typeof right
        assert.strictEqual(refusal(yield* Effect.exit(Simulation.run(app, options))), option)
        assert.strictEqual(refusal(yield* Effect.exit(Chaos.run(app, options))), option)
      }
    }))

  it.effect("fails when every step of a client dies, and not when one does", () =>
    Effect.gen(function*() {
      const dead = { ...right, clients: { one: step, two: Effect.andThen(step, Effect.die(new Error("boom"))) } }
      const failed = yield* Effect.flip(Simulation.run(app, dead))
      assert.strictEqual(failed.kind, "client")
      assert.include(failed.what, "every step of the client \"two\" dies: Error: boom")
      let steps = 0
      const once = Effect.suspend(() => steps++ === 0 ? Effect.die("boom") : step)
      const report = yield* Simulation.run(app, { ...right, clients: { one: once } })
      assert.isAbove(report.answered, 0)
    }))

  it.effect("a crash of nothing, or in no known way, is refused", () =>
    Effect.gen(function*() {
      const crashes = Harness.run(
        app,
        Effect.gen(function*() {
          const harness = yield* Harness.Harness
          const num = yield* Num
          const none = refusal(yield* Effect.exit(harness.crash(undefined as never, "kill")))
          return [none, refusal(yield* Effect.exit(harness.crash(num, "boo" as never))), yield* num.Add()]
        })
      )
      assert.deepStrictEqual(yield* crashes, ["a reference", "reason", 1])
    }))
})
