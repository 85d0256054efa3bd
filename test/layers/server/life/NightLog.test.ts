/** What an operator reads at night of a server whose store is away, and of messages that crash it. */
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Schedule, Schema } from "effect"
import { TestClock } from "effect/testing"
import { GenServer, Process, StateContainer, Supervisor } from "../../../../src/index.ts"
import { now } from "../../../kit/Fibers.ts"
import { recordedLog } from "../../../kit/Log.ts"
import { often } from "../../../kit/Restarts.ts"
import { away, layer as storeLayer, onSave, Scripted, Store } from "../../../kit/Scripted.ts"

class Mill extends GenServer.Service<Mill>()("test/Mill", {
  state: Schema.Int,
  messages: {
    Add: GenServer.call({ reply: Schema.Int, timeout: "infinity" }),
    Feed: GenServer.cast({ redeliver: { maxAttempts: 2 } }),
    Grind: GenServer.call({ redeliver: { maxAttempts: 2 } }),
    Once: GenServer.call()
  }
}) {}

const choke = (): never => {
  throw new Error("choked")
}

/** What a test logs, as its levels and texts; `script` is the store. */
const night = (
  body: (mill: typeof Mill.Service, script: Scripted) => Effect.Effect<unknown, unknown>,
  expected: ReadonlyArray<string>
) => {
  const [log, script] = [recordedLog(), new Scripted()]
  const app = Supervisor.layer({ id: "root", strategy: "one_for_one", restart: often }, [
    StateContainer.layerStore(Mill, { store: Store, retry: Schedule.spaced("1 second") }),
    Mill.layer({ init: 0, handlers: { Add: (n) => [n + 1, n + 1], Feed: choke, Grind: choke, Once: choke } })
  ]).pipe(Layer.provide(storeLayer(script)))
  return Effect.gen(function*() {
    const mill = yield* Mill
    yield* mill.Add()
    yield* body(mill, script)
    yield* TestClock.adjust(0)
    assert.deepStrictEqual(log.lines.map(({ level, text }) => `${level}: ${text}`), expected)
  }).pipe(Effect.provide(app), Effect.provide(log.layer))
}

const crashed = (incarnation: number, more = "") =>
  `Error: root > test/Mill #${incarnation} crashed; it is restarted${more}`

it.effect("a message that is put in quarantine is named with the crash that put it there, a call as a cast", () =>
  night((mill) => Effect.andThen(Effect.exit(mill.Grind()), mill.Feed()), [
    crashed(1),
    crashed(2, ", and Grind is in quarantine (attempts: 2; see Sys.quarantined)"),
    crashed(3),
    crashed(4, ", and Feed is in quarantine (attempts: 2; see Sys.quarantined)")
  ]))

it.effect("a message that is not to be handled again is in no quarantine, and no line says so", () =>
  night((mill) => Effect.exit(mill.Once()), [crashed(1)]))

it.effect("a store that is away is one line, and so is its return, however long it was away and however many called", () =>
  night((mill, script) =>
    Effect.gen(function*() {
      script.before = onSave(away)
      for (let i = 0; i < 5; i++) yield* now(mill.Add())
      yield* TestClock.adjust("10 minutes")
      script.before = () => Effect.void
      yield* TestClock.adjust("1 second")
    }), [
    "Warn: save in the state store \"scripted\": it is not available (away). It is tried again; answers wait until what " +
    "they were computed from is stored.",
    "Info: the state store \"scripted\" answers again after 601000 ms: 1 waited for it."
  ]))

it.effect("what does not end in the time it was given is said to be left behind; what is killed, to be killed", () => {
  const log = recordedLog()
  class Top extends Supervisor.Service<Top>()("root") {}
  const app = Top.layer({ strategy: "one_for_one" }, [
    StateContainer.layerMemory(Mill),
    Mill.layer({
      init: 0,
      handlers: { Add: (n) => [n, n], Feed: choke, Grind: choke, Once: choke },
      terminate: () => Effect.never
    }),
    Supervisor.worker("work", Effect.uninterruptible(Effect.never))
  ])
  return Effect.gen(function*() {
    const top = yield* Top
    yield* Process.kill(yield* Mill)
    const stuck = Effect.uninterruptible(Effect.never)
    const told = yield* top.startChild(Supervisor.workerRecipe("told", stuck, { restart: "temporary" }))
    yield* Process.exit(told, { _tag: "Shutdown" })
    yield* now(top.terminateChild("test/Mill"))
    yield* now(top.terminateChild("work"))
    yield* TestClock.adjust("5 seconds")
    assert.deepStrictEqual(log.lines.map(({ text }) => text), [
      "root > test/Mill #1 killed; it is restarted",
      "root > told #1 did not end in time, and is left behind; it stays down",
      "root > test/Mill #2 did not end in time, and is left behind; it stays down",
      "root > work #1 did not end in time, and is left behind; it stays down"
    ])
  }).pipe(Effect.provide(app), Effect.provide(log.layer))
})
