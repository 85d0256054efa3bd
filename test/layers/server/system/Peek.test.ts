/** A look at a process from outside: at once, without a message to it. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Latch, Layer, Option, References, Schema } from "effect"
import { TestClock } from "effect/testing"
import {
  GenServer,
  Next,
  Process,
  Restart,
  StateContainer,
  StateSchema,
  Supervisor,
  Sys,
  Timer
} from "../../../../src/index.ts"
import { reference } from "../../../../src/layers/process/Process.ts"
import { now, turns } from "../../../kit/Fibers.ts"
import { away, layer as storeLayer, onSave, Scripted, Store } from "../../../kit/Scripted.ts"

class Desk extends GenServer.Service<Desk>()("test/Desk", {
  state: Schema.Struct({ n: Schema.Int, pin: StateSchema.redacted(Schema.String) }),
  messages: {
    Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int, timeout: "infinity" }),
    Wait: GenServer.call({ timeout: "infinity" }),
    Later: GenServer.call({ timeout: "infinity" }),
    Note: GenServer.cast(),
    Arm: GenServer.call(),
    Poison: GenServer.call({ redeliver: { maxAttempts: 1 } }),
    Crash: GenServer.call(),
    Fail: GenServer.call({ error: Schema.String })
  }
}) {}

/** A desk whose `Wait` waits for a latch, or for ever. */
const behaviorOf = (gate: Latch.Latch) =>
  Desk.behavior({
    init: { n: 0, pin: "1234" },
    handlers: {
      Add: (state, { by }) => [state.n + by, { ...state, n: state.n + by }],
      Wait: (state) => Effect.as(gate.await, [undefined, { ...state, n: 99 }] as const),
      Later: (state) => Next.noReply(state),
      Note: (state) => ({ ...state, n: state.n + 1 }),
      Arm: (state) => Next.reply(undefined, state, { timers: [Timer.after("mail", "1 hour", Desk.message.Note())] }),
      Poison: () => Effect.die("poison"),
      Crash: () => Effect.die("boom"),
      Fail: () => Effect.fail("no")
    }
  })

const restart = Restart.intensity({ restarts: 9, within: "1 minute" })

const inMemory = (gate: Latch.Latch, options: GenServer.Options = {}) =>
  Supervisor.layer({ id: "root", strategy: "one_for_one", restart }, [
    StateContainer.layerMemory(Desk),
    Desk.layer(behaviorOf(gate), options)
  ])

const inStore = (script: Scripted, options: GenServer.Options = {}) =>
  Layer.provide(
    Supervisor.layer({ id: "root", strategy: "one_for_one", restart }, [
      StateContainer.layerStore(Desk, { store: Store }),
      Desk.layer(behaviorOf(Latch.makeUnsafe()), options)
    ]),
    storeLayer(script)
  )

const serverOf = (ref: Process.HasProcess) => Effect.map(Sys.peek(ref), ({ server }) => server!)

const quietly = Effect.provideService(References.MinimumLogLevel, "None")

describe("a look at a server", () => {
  it.effect("does not wait behind the message in hand, and says which that is, and since when", () => {
    const gate = Latch.makeUnsafe()
    return Effect.gen(function*() {
      const desk = yield* Desk
      yield* desk.Add({ by: 1 })
      yield* TestClock.adjust("1 minute")
      const waiting = yield* now(desk.Wait())
      const queued = yield* now(desk.Add({ by: 1 }))
      yield* desk.Note()
      yield* TestClock.adjust("10 seconds")
      assert.deepInclude(yield* serverOf(desk), {
        class: "test/Desk",
        key: "",
        phase: "busy",
        inHand: "Wait",
        since: 60_000,
        queued: 2,
        capacity: 7,
        handled: 1,
        seq: 1
      })
      assert.deepStrictEqual(
        Option.map(yield* Sys.committed(desk), ({ seq, state }) => [seq, state]),
        Option.some([1, {
          n: 1,
          pin: "<redacted>"
        }])
      )
      yield* gate.open
      yield* Fiber.join(waiting)
      yield* Fiber.join(queued)
      yield* turns
      const after = yield* serverOf(desk)
      assert.deepInclude(after, { phase: "idle", queued: 0, handled: 4, seq: 4 })
      assert.isFalse("inHand" in after || "since" in after)
    }).pipe(Effect.provide(inMemory(gate, { mailbox: { capacity: 7 } })))
  })

  it.effect("counts the messages that its incarnation has handled, each kind of them once, and no request of the system", () =>
    Effect.gen(function*() {
      const desk = yield* Desk
      const handled = Effect.map(serverOf(desk), (one) => one.handled)
      yield* desk.Add({ by: 1 })
      yield* desk.Note()
      yield* Effect.exit(desk.Fail())
      yield* now(desk.Later())
      yield* turns
      yield* Sys.getState(desk)
      yield* Sys.replaceState(desk, (state) => ({ ...state, n: 7 }))
      assert.strictEqual(yield* handled, 4)
      assert.strictEqual((yield* serverOf(desk)).promised, 1)
      yield* Effect.exit(desk.Crash())
      yield* turns
      assert.deepStrictEqual([yield* handled, yield* Process.incarnation(desk)], [0, 2])
      yield* desk.Add({ by: 1 })
      assert.strictEqual(yield* handled, 1)
    }).pipe(quietly, Effect.provide(inMemory(Latch.makeUnsafe()))))

  it.effect("shows what is in quarantine, the timers that are set, and what it was restored from", () =>
    Effect.gen(function*() {
      const desk = yield* Desk
      yield* desk.Arm()
      yield* Effect.exit(desk.Poison())
      yield* turns
      assert.deepInclude(yield* serverOf(desk), { quarantined: 1, timers: 1, restoredFrom: 1 })
      const { incarnation, kind, lastExit, path, status } = yield* Sys.peek(desk)
      assert.deepStrictEqual([path, kind, incarnation, status, lastExit?._tag], [
        ["root", "test/Desk"],
        "worker",
        2,
        "running",
        "Crashed"
      ])
    }).pipe(quietly, Effect.provide(inMemory(Latch.makeUnsafe()))))

  it.effect("says that it is suspended", () =>
    Effect.gen(function*() {
      const desk = yield* Desk
      yield* Sys.suspend(desk)
      assert.strictEqual((yield* Sys.peek(desk)).status, "suspended")
      yield* Sys.resume(desk)
      assert.strictEqual((yield* Sys.peek(desk)).status, "running")
    }).pipe(Effect.provide(inMemory(Latch.makeUnsafe()))))

  it.effect("says where its state is stored, which answers wait for that, and that the store is away", () => {
    const script = new Scripted()
    return Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      script.before = onSave(() => Deferred.await(gate))
      const desk = yield* Desk
      const first = yield* now(desk.Add({ by: 1 }))
      const second = yield* now(desk.Add({ by: 1 }))
      yield* turns
      assert.deepInclude(yield* serverOf(desk), {
        phase: "idle",
        held: 2,
        handled: 2,
        seq: 2,
        store: { name: "scripted", key: "test/Desk" }
      })
      assert.deepInclude(Option.getOrThrow(yield* Sys.committed(desk)), {
        seq: 2,
        trust: "probation",
        isConserved: false
      })
      yield* Fiber.interrupt(second)
      assert.strictEqual((yield* serverOf(desk)).held, 1)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(first)
      yield* turns
      assert.strictEqual((yield* serverOf(desk)).held, 0)
      assert.isTrue(Option.getOrThrow(yield* Sys.committed(desk)).isConserved)
      script.before = onSave(() => away("save"))
      yield* now(desk.Add({ by: 1 }))
      yield* TestClock.adjust("1 second")
      assert.include((yield* serverOf(desk)).store?.outage, "scripted")
      script.before = () => Effect.void
      yield* TestClock.adjust("10 seconds")
      assert.isFalse("outage" in (yield* serverOf(desk)).store!)
    }).pipe(quietly, Effect.provide(inStore(script)))
  })

  it.effect("wakes none that hibernates, and asks no store", () => {
    const script = new Scripted()
    return Effect.gen(function*() {
      const desk = yield* Desk
      yield* desk.Add({ by: 1 })
      yield* TestClock.adjust("10 seconds")
      const asked = script.operations.length
      const { server, status } = yield* Sys.peek(desk)
      assert.deepStrictEqual([status, server?.seq, server?.store?.key], ["hibernating", 1, "test/Desk"])
      assert.isTrue(Option.isNone(yield* Sys.committed(desk)))
      yield* turns
      assert.deepStrictEqual([(yield* Sys.peek(desk)).status, script.operations.length], ["hibernating", asked])
    }).pipe(Effect.provide(inStore(script, { passivate: { after: "10 seconds" } })))
  })

  it.effect("is had also while it is down, with the state that is conserved", () =>
    Effect.gen(function*() {
      const desk = yield* Desk
      yield* desk.Add({ by: 41 })
      yield* Effect.exit(desk.Crash())
      yield* turns
      assert.deepStrictEqual([(yield* Sys.peek(desk)).status, (yield* serverOf(desk)).phase], ["parked", "parked"])
      assert.deepInclude(Option.getOrThrow(yield* Sys.committed(desk)), {
        state: { n: 41, pin: "<redacted>" },
        seq: 1,
        incarnation: 1
      })
    }).pipe(
      quietly,
      Effect.provide(
        Supervisor.layer({
          id: "root",
          strategy: "one_for_one",
          restart: Restart.intensity({ restarts: 0 }),
          onGiveUp: "park"
        }, [StateContainer.layerMemory(Desk), Desk.layer(behaviorOf(Latch.makeUnsafe()))])
      )
    ))

  it.effect("says how far its state is trusted, and what crashed on it", () =>
    Effect.gen(function*() {
      const desk = yield* Desk
      const trust = Effect.map(Sys.committed(desk), (one) => Option.getOrThrow(one))
      yield* desk.Add({ by: 1 })
      assert.deepInclude(yield* trust, { trust: "probation", against: [] })
      yield* Effect.exit(desk.Crash())
      yield* turns
      assert.deepInclude(yield* trust, { incarnation: 1, seq: 1 })
      yield* Effect.exit(desk.Crash())
      yield* turns
      assert.deepInclude(yield* trust, { trust: "suspect", against: ["Crash"] })
      yield* desk.Add({ by: 0 })
      yield* Effect.exit(desk.Fail())
      assert.strictEqual((yield* trust).trust, "probation")
    }).pipe(quietly, Effect.provide(inMemory(Latch.makeUnsafe()))))
})

describe("what is shown of a state", () => {
  it.effect("is what the format hook makes of it, without a message to the server", () =>
    Effect.gen(function*() {
      const desk = yield* Desk
      const { state } = Option.getOrThrow(yield* Sys.committed(desk))
      assert.deepStrictEqual(state, { sum: 0 })
      assert.deepStrictEqual((yield* Sys.getStatus(desk)).state, { sum: 0 })
    }).pipe(Effect.provide(
      Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
        StateContainer.layerMemory(Desk),
        Desk.layer({
          ...behaviorOf(Latch.makeUnsafe()),
          formatStatus: ({ state }) => ({ state: { sum: state.n } })
        })
      ])
    )))

  it.effect("leaves out what the schema marks as secret, where the hook leaves the state as it is", () =>
    Effect.gen(function*() {
      const desk = yield* Desk
      yield* desk.Add({ by: 1 })
      const expected = { n: 1, pin: "<redacted>" }
      assert.deepStrictEqual(Option.getOrThrow(yield* Sys.committed(desk)).state, expected)
      assert.deepStrictEqual((yield* Sys.getStatus(desk)).state, expected)
      assert.deepStrictEqual(yield* Sys.getState(desk), { n: 1, pin: "1234" })
    }).pipe(Effect.provide(
      Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
        StateContainer.layerMemory(Desk),
        Desk.layer({ ...behaviorOf(Latch.makeUnsafe()), formatStatus: (shown) => shown })
      ])
    )))
})

describe("a look at a supervisor", () => {
  it.effect("says how many restarts of its budget count now", () =>
    Effect.gen(function*() {
      const desk = yield* Desk
      const root = Option.getOrThrow(yield* Sys.find(["root"]))
      const budget = Effect.map(Sys.peek(root), (one) => one.budget)
      const used = (used: number): Sys.Usage => ({ _tag: "Intensity", used, restarts: 9, within: 60_000 })
      assert.deepStrictEqual(yield* budget, used(0))
      yield* Effect.exit(desk.Crash())
      yield* TestClock.adjust("30 seconds")
      yield* Effect.exit(desk.Crash())
      yield* turns
      assert.deepStrictEqual(yield* budget, used(2))
      assert.deepStrictEqual((yield* Sys.getStatus(root)).budget, used(2))
      yield* TestClock.adjust("31 seconds")
      assert.deepStrictEqual(yield* budget, used(1))
      assert.isFalse("server" in (yield* Sys.peek(root)) || "budget" in (yield* Sys.peek(desk)))
      // It commits nothing.
      const untyped: object = reference(root)
      assert.deepStrictEqual(yield* Sys.committed(untyped as typeof desk), Option.none())
    }).pipe(quietly, Effect.provide(inMemory(Latch.makeUnsafe()))))

  it.effect("says that its budget is a Schedule", () =>
    Effect.gen(function*() {
      const root = Option.getOrThrow(yield* Sys.find(["root"]))
      assert.deepStrictEqual((yield* Sys.peek(root)).budget, { _tag: "Schedule" })
    }).pipe(Effect.provide(
      Supervisor.layer({ id: "root", strategy: "one_for_one", restart: Restart.backoff() }, [])
    )))
})
