/** What travels between a server and the thread of its handlers, and what does not. */
import { assert, describe, it, layer } from "@effect/vitest"
import { Cause, Effect, Layer, Logger, References } from "effect"
import { threadId } from "node:worker_threads"
import { ExitReason, GenServer, Process, StateContainer, Supervisor, Sys } from "../../../../src/index.ts"
import { WorkerServer } from "../../../../src/worker.ts"
import { reasonOf } from "../../../kit/Failures.ts"
import { often } from "../../../kit/Restarts.ts"
import {
  behavior,
  Crunch,
  layer as services,
  Overdrawn,
  Unborn,
  unborn,
  Unlit,
  unlit
} from "../../../kit/worker/Crunch.ts"
import { crashOf, defectOf, one, url } from "../../../kit/worker/Places.ts"

interface Line {
  readonly level: string
  readonly message: unknown
  readonly annotations: Readonly<Record<string, unknown>>
}

const lines: Array<Line> = []
const heard = Logger.layer([
  Logger.make(({ fiber, logLevel, message }) => {
    const annotations = fiber.getRef(References.CurrentLogAnnotations)
    lines.push({ level: logLevel, message: Array.isArray(message) ? message[0] : message, annotations })
  })
])

const quiet = Layer.succeed(References.MinimumLogLevel, "None")
const broken: unknown = "no number"

layer(Layer.provide(one({ hang: { patience: "50 millis" } }), heard), { excludeTestServices: true })(
  "between a server and its thread",
  (it) => {
    it.effect("replies, states and services: the handler runs in the thread, with what its layer has", () =>
      Effect.gen(function*() {
        const crunch = yield* Crunch
        assert.strictEqual(yield* crunch.Add({ by: 41 }), 41)
        yield* crunch.Plus({ by: 1 })
        const { key, process, rate, thread } = yield* crunch.Where()
        assert.deepStrictEqual({ key, rate }, { key: undefined, rate: 7 })
        assert.strictEqual(process, globalThis.process.pid)
        assert.notStrictEqual(thread, threadId)
        assert.deepStrictEqual(yield* Sys.getState(crunch), { n: 42, at: new Date(0) })
      }))

    it.effect("nothing of what other code posts to the parent", () =>
      Effect.gen(function*() {
        const crunch = yield* Crunch
        const before = yield* Process.incarnation(crunch)
        yield* crunch.Post()
        yield* crunch.Add({ by: 0 })
        assert.strictEqual(yield* Process.incarnation(crunch), before)
      }))

    it.effect("the message's own error, as an instance of its class", () =>
      Effect.gen(function*() {
        const crunch = yield* Crunch
        const error = yield* Effect.flip(crunch.Withdraw({ amount: 1000 }))
        assert.instanceOf(error, Overdrawn)
        assert.deepInclude(error, { amount: 1000 })
      }))

    it.effect("the number of the incarnation, of the attempt and of the state", () =>
      Effect.gen(function*() {
        const crunch = yield* Crunch
        const before = yield* crunch.Where()
        yield* crunch.Add({ by: 1 })
        const after = yield* crunch.Where()
        assert.strictEqual(after.seq, before.seq + 1)
        assert.deepStrictEqual([after.attempt, after.incarnation], [1, yield* Process.incarnation(crunch)])
      }))

    it.effect("a state that was replaced beside the thread", () =>
      Effect.gen(function*() {
        const crunch = yield* Crunch
        yield* Sys.replaceState(crunch, () => ({ n: 1000, at: new Date(5) }))
        assert.strictEqual(yield* crunch.Add({ by: 1 }), 1001)
        assert.deepStrictEqual(yield* Sys.getState(crunch), { n: 1001, at: new Date(5) })
      }))

    it.effect("durable timers, and their messages", () =>
      Effect.gen(function*() {
        const crunch = yield* Crunch
        const before = yield* crunch.Add({ by: 0 })
        yield* crunch.Later({ millis: 1 })
        yield* Effect.gen(function*() {
          return (yield* Sys.getState(crunch)).n === before + 100
        }).pipe(Effect.repeat({ until: (isDue) => isDue }))
        assert.strictEqual(yield* crunch.Add({ by: 0 }), before + 100)
      }))

    it.effect("lines of the log, which the parent logs", () =>
      Effect.gen(function*() {
        const crunch = yield* Crunch
        yield* Sys.replaceState(crunch, (state) => ({ ...state, at: new Date(5) }))
        yield* crunch.Log({ line: "in the thread" })
        const line = lines.find(({ message }) => message === "in the thread")
        assert.deepInclude(line, { level: "Warn" })
        assert.deepInclude(line?.annotations, { of: "a thread", at: "1970-01-01T00:00:00.005Z" })
      }))

    it.effect("a warning when a handler takes long, and its answer when it is there", () =>
      Effect.gen(function*() {
        const crunch = yield* Crunch
        const { thread } = yield* crunch.Where()
        const isReported = () =>
          lines.some(({ message }) => String(message).includes("with Burn of Supervisor > test/Crunch"))
        // On a machine that has no time for it, it has not computed that long.
        yield* Effect.repeat(Effect.map(crunch.Burn({ millis: 300 }), isReported), { until: (reported) => reported })
        assert.strictEqual((yield* crunch.Where()).thread, thread)
      }))

    it.effect("an interruption: a handler that waits is interrupted in the thread when its server is stopped", () =>
      Effect.gen(function*() {
        const crunch = yield* Crunch
        lines.length = 0
        yield* Effect.forkChild(Effect.exit(crunch.Rest({ millis: 60_000 }, { timeout: "infinity" })), {
          startImmediately: true
        })
        yield* Effect.repeat(Effect.sync(() => lines.some(({ message }) => message === "resting")), {
          until: (isThere) => isThere
        }).pipe(Effect.andThen(Effect.yieldNow))
        yield* Process.exit(crunch, ExitReason.crashed(Cause.die("enough")))
        yield* crunch.Add({ by: 0 })
        assert.isTrue(lines.some(({ message }) => message === "interrupted"))
      }))

    it.effect("an answer that ends the server, with its last state", () =>
      Effect.gen(function*() {
        const crunch = yield* Crunch
        assert.strictEqual(yield* crunch.End({ n: 5 }), "bye")
        assert.strictEqual(yield* crunch.Add({ by: 1 }), 6)
      }))

    it.effect("no reply that does not fit its schema: the server crashes, and says so", () =>
      Effect.gen(function*() {
        const crunch = yield* Crunch
        const before = yield* crunch.Add({ by: 0 })
        const defect = defectOf(yield* Effect.exit(crunch.WrongReply()))
        assert.instanceOf(defect, GenServer.InvalidReply)
        assert.strictEqual(yield* crunch.Add({ by: 0 }), before)
      }))

    it.effect("no state that does not fit its schema, no reply for later, no answer ahead of the handler's", () =>
      Effect.gen(function*() {
        const crunch = yield* Crunch
        const before = yield* crunch.Add({ by: 0 })
        const state = yield* Effect.exit(crunch.WrongState())
        assert.instanceOf(defectOf(state), WorkerServer.NotCrossing)
        assert.include(crashOf(state), "the state of WrongState does not leave")
        assert.include(crashOf(yield* Effect.exit(crunch.WrongAnswer())), "the answer of WrongAnswer does not leave")
        assert.include(crashOf(yield* Effect.exit(crunch.EarlyReply())), "where the caller is not")
        assert.strictEqual(yield* crunch.Add({ by: 0 }), before)
      }))

    it.effect("no payload that does not fit its schema: its caller hears of it, and the server goes on", () =>
      Effect.gen(function*() {
        const crunch = yield* Crunch
        const incarnation = yield* Process.incarnation(crunch)
        const exit = yield* Effect.exit(crunch.Add({ by: broken as number }))
        assert.strictEqual(reasonOf(exit)?._tag, "InvalidPayload")
        assert.strictEqual(yield* Process.incarnation(crunch), incarnation)
      }))

    it.effect("no payload that cannot be copied, though its schema lets it through", () =>
      Effect.gen(function*() {
        const crunch = yield* Crunch
        const incarnation = yield* Process.incarnation(crunch)
        for (const value of [() => 1, new Proxy({}, {}), { deep: [Symbol("x")] }]) {
          const exit = yield* Effect.exit(crunch.Any({ value }))
          assert.strictEqual(reasonOf(exit)?._tag, "InvalidPayload")
        }
        yield* crunch.Any({ value: { plain: true } })
        assert.strictEqual(yield* Process.incarnation(crunch), incarnation)
      }))
  }
)

describe("a thread that does not come to serve", () => {
  const startOf = (server: Layer.Layer<any, any, Supervisor.Supervisor>) =>
    Supervisor.layer({ strategy: "one_for_one", restart: often }, [server]).pipe(
      Layer.build,
      Effect.scoped,
      Effect.provide(quiet),
      Effect.flip,
      Effect.map(String)
    )

  it.live("fails the start with the reason: of its module, or because nothing is served there", () =>
    Effect.gen(function*() {
      const module = (code: string) => {
        const url = `data:text/javascript,${encodeURIComponent(code)}`
        const entry = WorkerServer.entry(Crunch, behavior, url, { layer: services })
        return startOf(
          WorkerServer.layer(Crunch, entry, { spare: false }).pipe(Layer.provide(StateContainer.layerMemory(Crunch)))
        )
      }
      const at = "did not load the module of test/Crunch"
      assert.include(yield* module("throw new Error('not today')"), `${at}: not today`)
      assert.include(yield* module(""), `${at}: its module has no WorkerServer.entry at its top level`)
      assert.include(yield* module("process.exit(3)"), "exited with code 3")
    }))

  it.live("fails the start with the reason: of its layer, and of its init", () =>
    Effect.gen(function*() {
      const dark = WorkerServer.layer(Unlit, unlit(url()), { spare: false })
      const unlitStart = startOf(Layer.provide(dark, StateContainer.layerMemory(Unlit)))
      assert.include(yield* unlitStart, "did not build the layer of test/Unlit: no rate today")
      const early = WorkerServer.layer(Unborn, unborn(url()), { spare: false })
      const unbornStart = startOf(Layer.provide(early, StateContainer.layerMemory(Unborn)))
      assert.include(yield* unbornStart, "not yet")
    }))
})
