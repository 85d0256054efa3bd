/**
 * Servers that give way at any moment, beside a plain sum: whatever is sent, by whatever client, while they are awake,
 * on their way out or gone, each message counts once and every call is answered.
 *
 * `MODEL_RUNS=1000` does more programs; a failing one is printed with the token that repeats it.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, type Fiber, Latch, Layer, Logger, Schema } from "effect"
import { TestClock } from "effect/testing"
import { DynamicSupervisor, GenServer, Next, StateContainer, Supervisor } from "../../src/index.ts"
import { now } from "../kit/Fibers.ts"
import { often } from "../kit/Restarts.ts"
import { layer as storeLayer, Scripted, Store } from "../kit/Scripted.ts"

class Refused extends Schema.TaggedError<Refused>()("Refused", {}) {}

class Sum extends GenServer.Service<Sum>()("test/Sum", {
  state: Schema.Struct({ n: Schema.Int }),
  messages: {
    Add: GenServer.call({ reply: Schema.Int, timeout: "infinity" }),
    Later: GenServer.call({ reply: Schema.Int, timeout: "infinity" }),
    Slowly: GenServer.call({ reply: Schema.Int, timeout: "infinity" }),
    Refuse: GenServer.call({ error: Refused, timeout: "infinity" }),
    Note: GenServer.cast(),
    Die: GenServer.call({ timeout: "infinity" })
  }
}) {}

class Sums extends DynamicSupervisor.Service<Sums>()("test/Sums") {}

const Step = Schema.Struct({
  what: Schema.Literals([
    "Add",
    "Add",
    "Later",
    "Slowly",
    "Refuse",
    "Note",
    "Note",
    "Die",
    "reply",
    "wait",
    "wait",
    "wait",
    "gate"
  ]),
  client: Schema.Literals(["first", "at", "via"]),
  millis: Schema.Literals([0, 1, 999, 1000, 1001])
})

const Program = Schema.Struct({
  steps: Schema.Array(Step).check(Schema.isMinLength(10), Schema.isMaxLength(40)),
  over: Schema.Literals(["memory", "store"]),
  by: Schema.Literals(["hibernate", "stop"]),
  cleansUp: Schema.Boolean
})

const run = Effect.fnUntraced(function*({ by, cleansUp, over, steps }: typeof Program.Type) {
  const gate = Latch.makeUnsafe(true)
  const storage = Latch.makeUnsafe(true)
  const script = new Scripted()
  script.before = () => storage.await
  const promised: Array<GenServer.From<number, never>> = []
  const behavior = Sum.behavior({
    init: { n: 0 },
    handlers: {
      Add: ({ n }) => [n + 1, { n: n + 1 }],
      Later: ({ n }, _, { from }) => {
        promised.push(from)
        return Next.noReply({ n: n + 1 })
      },
      Slowly: ({ n }) => Effect.as(gate.await, [n + 1, { n: n + 1 }] as const),
      Refuse: () => Effect.fail(new Refused()),
      Note: ({ n }) => ({ n: n + 1 }),
      Die: () => Effect.die("boom")
    },
    ...(cleansUp ? { terminate: () => gate.await } : {})
  })
  const container = over === "memory"
    ? StateContainer.layerMemory(Sum)
    : Layer.orDie(StateContainer.layerStore(Sum, { store: Store }))
  const App = Supervisor.layer({ strategy: "one_for_one" }, [
    container,
    Sums.layer({ restart: often }),
    Layer.provide(Sum.layerKeyed(behavior, { passivate: { after: 1000, by } }), Sums.asSupervisor)
  ]).pipe(Layer.provide(storeLayer(script)), Layer.provide(Logger.layer([])))

  yield* Effect.gen(function*() {
    const first = yield* Sum.at("one")
    const clients = { first: Effect.succeed(first), at: Sum.at("one"), via: Sum.via("one") }
    const calls: Array<readonly [what: string, Fiber.Fiber<Exit.Exit<unknown, unknown>>]> = []
    let notes = 0
    for (const { client, millis, what } of steps) {
      switch (what) {
        case "wait":
          yield* TestClock.adjust(millis)
          break
        case "gate":
          yield* millis > 999 ? storage.close : gate.close
          break
        case "reply": {
          const from = promised.shift()
          if (from !== undefined) yield* GenServer.reply(from, Exit.succeed(0))
          yield* gate.open
          yield* storage.open
          break
        }
        case "Note":
          notes++
          yield* now(Effect.flatMap(clients[client], (sum) => sum.Note()))
          break
        default:
          calls.push([what, yield* now(Effect.exit(Effect.flatMap(clients[client], (sum) => sum[what]())))])
      }
    }
    yield* gate.open
    yield* storage.open
    for (let i = 0; i < steps.length; i++) {
      yield* TestClock.adjust(100)
      for (const from of promised.splice(0)) yield* GenServer.reply(from, Exit.succeed(0))
    }
    let added = notes
    let crashed = 0
    for (const [what, call] of calls) {
      const exit = call.pollUnsafe()
      assert.isDefined(exit, `${what} was not answered`)
      const answer = Exit.isSuccess(exit) ? exit.value : exit
      if (what === "Refuse" || what === "Die") assert.isTrue(Exit.isFailure(answer), what)
      else if (Exit.isSuccess(answer)) added++
      // It was promised a reply by an incarnation that crashed.
      else crashed++
    }
    const { n } = { n: (yield* (yield* Sum.at("one")).Add()) - 1 }
    assert.isAtLeast(n, added)
    assert.isAtMost(n, added + crashed)
    // Only a crash leaves callers without their answer.
    if (!steps.some(({ what }) => what === "Die")) assert.strictEqual(n, added)
  }).pipe(Effect.provide(App))
})

describe("servers that give way when they are left alone", () => {
  it.effect.prop(
    "whatever is sent, and whenever, each message counts once and every call is answered",
    [Program],
    ([program]) => run(program),
    { arbitrary: { runs: Number(globalThis.process.env["MODEL_RUNS"] ?? 100) } }
  )
})
