/** States that this code cannot read at all: who hears of it by which door, and that nothing is put in their place. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Layer, Option, Schema } from "effect"
import {
  Agent,
  DynamicSupervisor,
  GenServer,
  Process,
  Restart,
  StateContainer,
  StateSchema,
  StateStore,
  Supervisor
} from "../../../../src/index.ts"
import { Harness } from "../../../../src/testing.ts"
import { turns } from "../../../kit/Fibers.ts"
import { recordedLog } from "../../../kit/Log.ts"
import { layer as storeLayer, Scripted, Store } from "../../../kit/Scripted.ts"

/** Whether the migration is mended by now. */
let isMended = false
const schema = StateSchema.make(Schema.Struct({ count: Schema.Int })).next(
  Schema.Struct({ total: Schema.Int }),
  ({ count }) => {
    if (!isMended && count > 1) throw new Error("no such field")
    return { total: count }
  }
)

const messages = {
  Get: GenServer.call({ reply: Schema.Int }),
  Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }),
  Die: GenServer.call(),
  Ring: GenServer.cast({ internal: true })
}
class Till extends GenServer.Service<Till>()("test/Till", { state: schema, messages }) {}
class Other extends GenServer.Service<Other>()("test/Other", { state: Schema.Int, messages: { Get: messages.Get } }) {}
class Purse extends Agent.Service<Purse>()("test/Purse", { state: schema }) {}
class Tills extends DynamicSupervisor.Service<Tills>()("test/Tills") {}

let bad = new Set<number>()
const behavior = Till.behavior({
  init: { total: 0 },
  restore: (state) => bad.has(state.total) ? Effect.die("bad luck") : state,
  handlers: {
    Get: (state) => [state.total, state],
    Add: ({ total }, { by }) => [total + by, { total: total + by }],
    Die: () => Effect.die("boom"),
    Ring: ({ total }) => ({ total: total + 100 })
  }
})

const other = Other.layer({ init: 7, handlers: { Get: (n) => [n, n] } })

/** Children of one dynamic supervisor that has two restarts to give. */
const dynamic = (options: Partial<StateContainer.StoreOptions<Store, "crash">> = {}) =>
  Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
    StateContainer.layerStore(Till, { store: Store, ...options }),
    StateContainer.layerStore(Purse, { store: Store, ...options }),
    StateContainer.layerMemory(Other),
    other,
    Tills.layer({ restart: Restart.intensity({ restarts: 2, within: "1 hour" }) }),
    Layer.provide(Layer.merge(Till.layerKeyed(behavior), Purse.layerKeyed({ total: 0 })), Tills.asSupervisor)
  ]).pipe(Layer.provideMerge(Harness.Harness.layer))

const fixed = (options: { readonly onGiveUp?: "park" } = {}) =>
  Supervisor.layer({ id: "root", strategy: "one_for_one", ...options }, [
    StateContainer.layerStore(Till, { store: Store }),
    StateContainer.layerMemory(Other),
    other,
    Till.layer(behavior)
  ]).pipe(Layer.provideMerge(Harness.Harness.layer))

type Snapshot = readonly [version: number, state: string]
const good: Snapshot = [1, "{\"count\":1}"]
const unreadable: ReadonlyArray<readonly [name: string, snapshot: Snapshot, why: string, remedy: string]> = [
  [
    "whose migration throws",
    [1, "{\"count\":5}"],
    "the migration to version 2 died: no such field",
    "Mend the migration"
  ],
  ["whose text does not decode", [2, "{\"tot"], "not a state of version 2", "Mend its schema"],
  ["that is not what its schema says", [1, "{\"count\":\"five\"}"], "not a state of version 1", "Mend its schema"],
  [
    "from the future",
    [3, "{}"],
    "stored as version 3, and this code knows versions up to 2",
    "Deploy the code that wrote it"
  ]
]

/** A store with the snapshots of each key, the oldest first. */
const holding = (keys: { readonly [key: string]: ReadonlyArray<Snapshot> }) =>
  Effect.gen(function*() {
    isMended = false
    bad = new Set()
    const script = new Scripted()
    const epoch = yield* script.memory.acquireEpoch("test")
    for (const [key, snapshots] of Object.entries(keys)) {
      for (const [index, [version, state]] of snapshots.entries()) {
        yield* script.memory.save([{ key, epoch, seq: index + 1, version, state, trusted: index, at: 0 }])
      }
    }
    return script
  })

const isUntouched = (script: Scripted, key: string, snapshots: ReadonlyArray<Snapshot>) =>
  Effect.gen(function*() {
    assert.deepStrictEqual(yield* script.states(key), snapshots.map(([, state]) => state).reverse())
    assert.deepStrictEqual(yield* script.memory.listAside(), [])
  })

/** It names what cannot be read, why, and what to do. */
const isRefusal = (error: unknown, key: string, seq: number, why: string, remedy: string) => {
  assert(error instanceof Supervisor.StartError, String(error))
  assert(error.reason._tag === "StateUnreadable")
  const { reason } = error
  assert.instanceOf(reason, StateContainer.StateUnreadable)
  assert.deepStrictEqual([reason.key, reason.seq, reason.store], [key, seq, "scripted"])
  assert.include(reason.why, why)
  for (const part of [`snapshot ${seq} of "${key}"`, why, remedy, "nothing was set aside", "onUnreadable"]) {
    assert.include(error.message, part)
  }
}

type App = Layer.Success<ReturnType<typeof dynamic>>

const doors: Readonly<Record<string, Effect.Effect<unknown, unknown, App>>> = {
  "at(key)": Till.at("a"),
  "via(key)": Effect.flatMap(Till.via("a"), (till) => till.Get()),
  "startChild": Effect.flatMap(Tills, (tills) => tills.startChild(Till.recipe(behavior, { key: "a" }))),
  "start": Effect.provide(Till.start(behavior, { key: "a" }), Tills.asSupervisor),
  "an agent's at(key)": Purse.at("a"),
  "an agent's via(key)": Effect.flatMap(Purse.via("a"), (purse) => purse.get()),
  "an agent's start": Effect.provide(Purse.start({ total: 0 }, { key: "a" }), Tills.asSupervisor)
}

for (const [how, snapshot, why, remedy] of unreadable) {
  for (const [what, snapshots] of [["alone", [snapshot]], ["over one that can be read", [good, snapshot]]] as const) {
    describe(`a state ${how}, ${what}`, () => {
      for (const [name, door] of Object.entries(doors)) {
        it.effect(`refuses the start by ${name}: typed, and nothing is set aside`, () =>
          Effect.gen(function*() {
            const key = name.startsWith("an agent") ? "test/Purse/a" : "test/Till/a"
            const script = yield* holding({ [key]: snapshots, "test/Till/b": [good] })
            yield* Effect.gen(function*() {
              const before = yield* Till.at("b")
              for (let times = 0; times < 5; times++) {
                isRefusal(yield* Effect.flip(door), key, snapshots.length, why, remedy)
              }
              yield* isUntouched(script, key, snapshots)
              assert.strictEqual(yield* before.Add({ by: 1 }), 2)
              assert.strictEqual(yield* Process.incarnation(before), 1)
            }).pipe(Effect.provide(Layer.provide(dynamic(), storeLayer(script))))
          }).pipe(Effect.provide(recordedLog().layer)))
      }

      it.effect("refuses the start of a static child: its layer fails with that, and so does the app", () =>
        Effect.gen(function*() {
          const script = yield* holding({ "test/Till": snapshots })
          const { layer, lines } = recordedLog(({ level }) => level === "Error")
          const exit = yield* Effect.exit(
            Effect.scoped(Layer.build(Layer.provide(fixed(), storeLayer(script)))).pipe(Effect.provide(layer))
          )
          assert(exit._tag === "Failure")
          isRefusal(Cause.squash(exit.cause), "test/Till", snapshots.length, why, remedy)
          assert.lengthOf(lines, 1)
          assert.include(`${lines[0]!.text} ${Cause.pretty(lines[0]!.cause)}`, why)
          yield* isUntouched(script, "test/Till", snapshots)
        }))

      it.effect("is not what its container answers with, nor anything older", () =>
        Effect.gen(function*() {
          const script = yield* holding({ "test/Till/a": snapshots })
          yield* Effect.gen(function*() {
            const container = yield* Till.StateContainer
            const exit = yield* Effect.exit(container.for("a").get)
            assert(exit._tag === "Failure")
            assert.instanceOf(Cause.squash(exit.cause), StateContainer.StateUnreadable)
            assert.deepStrictEqual(yield* container.for("none").get, Option.none())
          }).pipe(Effect.provide(Layer.provide(dynamic(), storeLayer(script))))
        }))
    })
  }
}

describe("a server whose state could not be read", () => {
  const broken: ReadonlyArray<Snapshot> = [good, [1, "{\"count\":5}"]]

  it.effect("goes on where it was when the code is mended, in the same process and in another", () =>
    Effect.gen(function*() {
      const script = yield* holding({ "test/Till/a": broken, "test/Till": broken })
      const app = Layer.provide(dynamic(), storeLayer(script))
      yield* Effect.gen(function*() {
        yield* Effect.flip(Till.at("a"))
        isMended = true
        assert.strictEqual(yield* (yield* Till.at("a")).Get(), 5)
      }).pipe(Effect.provide(app))
      isMended = false
      yield* Effect.provide(Effect.flip(Till.at("a")), app)
      isMended = true
      yield* Effect.provide(
        Effect.gen(function*() {
          assert.strictEqual(yield* (yield* Till.at("a")).Add({ by: 1 }), 6)
        }),
        app
      )
      const static_ = Layer.provide(fixed(), storeLayer(script))
      isMended = false
      assert.include(
        String(yield* Effect.exit(Effect.scoped(Layer.build(static_)))),
        "the migration to version 2 died: no such field"
      )
      isMended = true
      assert.strictEqual(yield* Effect.provide(Effect.flatMap(Till, (till) => till.Get()), static_), 5)
    }).pipe(Effect.provide(recordedLog().layer)))

  it.effect("is started from what a person has put in its place", () =>
    Effect.gen(function*() {
      const script = yield* holding({ "test/Till/a": broken })
      yield* Effect.gen(function*() {
        yield* Effect.flip(Till.at("a"))
        yield* (yield* Till.StateContainer).for("a").set({ total: 4 })
        assert.strictEqual(yield* (yield* Till.at("a")).Get(), 4)
        assert.deepStrictEqual((yield* script.states("test/Till/a"))[1], "{\"count\":5}")
      }).pipe(Effect.provide(Layer.provide(dynamic(), storeLayer(script))))
    }).pipe(Effect.provide(recordedLog().layer)))

  it.effect("gives way where it is to, whatever onSuspect says: it is set aside, which is an event", () =>
    Effect.gen(function*() {
      for (const onSuspect of [undefined, "refuse", "rollback"] as const) {
        const script = yield* holding({ "test/Till/a": broken, "test/Till/b": broken.slice(1) })
        yield* Effect.gen(function*() {
          assert.deepStrictEqual(
            Option.getOrUndefined(yield* (yield* Till.StateContainer).for("a").get),
            { total: 1 }
          )
          const [a, b] = [yield* Till.at("a"), yield* Till.at("b")]
          assert.deepStrictEqual([yield* a.Get(), yield* b.Get()], [1, 0])
          const { from, to } = yield* (yield* Harness.Harness).awaitTag("StateRolledBack", a)
          assert.deepStrictEqual([from, to], [2, 1])
          assert.lengthOf(yield* script.memory.listAside(), 2)
        }).pipe(Effect.provide(Layer.provide(dynamic({ onUnreadable: "init", onSuspect }), storeLayer(script))))
      }
    }).pipe(Effect.provide(recordedLog().layer)))

  it.effect("has its timers left where they are, and delivered when the code is mended", () =>
    Effect.gen(function*() {
      const script = yield* holding({ "test/Till/a": [good, [1, "{\"count\":5}"]] })
      const [newest] = yield* script.memory.load("test/Till/a")
      const epoch = yield* script.memory.acquireEpoch("test")
      const ring = [{ name: "ring", due: 0, message: "Ring", payload: {} }]
      yield* script.memory.save([{ ...newest!, answers: [], epoch, timers: ring }])
      const kept = StateStore.layer(Store, Effect.succeed(script.memory))
      yield* Effect.gen(function*() {
        yield* Effect.flip(Till.at("a"))
        yield* turns
        assert.strictEqual((yield* script.memory.load("test/Till/a"))[0]?.timers?.length, 1)
      }).pipe(Effect.provide(Layer.provide(dynamic(), kept)))
      isMended = true
      yield* Effect.gen(function*() {
        const till = yield* Till.at("a")
        yield* (yield* Harness.Harness).awaitTag("TimerFired", till)
        assert.strictEqual(yield* till.Get(), 105)
      }).pipe(Effect.provide(Layer.provide(dynamic(), kept)))
    }).pipe(Effect.provide(recordedLog().layer)))
})

describe("a restart that is refused", () => {
  /** It crashes on its newest state, and the one that would take its place cannot be read. */
  const suspect: ReadonlyArray<Snapshot> = [[1, "{\"count\":5}"], [2, "{\"total\":1}"]]

  it.effect("asks no budget: a dynamic supervisor drops the child, and its siblings go on", () =>
    Effect.gen(function*() {
      const script = yield* holding({ "test/Till/a": suspect, "test/Till/b": [good] })
      yield* Effect.gen(function*() {
        const harness = yield* Harness.Harness
        const [a, b] = [yield* Till.at("a"), yield* Till.at("b")]
        bad = new Set([1])
        const exit = yield* Effect.exit(a.Die())
        assert.include(String(exit), "the server crashed: boom")
        yield* turns
        assert.strictEqual(yield* Process.status(a), "stopped")
        const { reason } = yield* harness.awaitTag("StartFailed", a, 2)
        assert(reason._tag === "Crashed")
        assert.include(Cause.pretty(reason.cause), "restore crashed on snapshot 2")
        assert.include(Cause.pretty(reason.cause), "cannot be read")
        yield* isUntouched(script, "test/Till/a", suspect)
        assert.strictEqual(yield* Process.incarnation(b), 1)
        assert.strictEqual(yield* Effect.flatMap(Other, (other) => other.Get()), 7)
        bad = new Set()
        assert.strictEqual(yield* (yield* Till.at("a")).Get(), 1)
      }).pipe(Effect.provide(Layer.provide(dynamic(), storeLayer(script))))
    }).pipe(Effect.provide(recordedLog().layer)))

  for (const onGiveUp of ["escalate", "park"] as const) {
    it.effect(`a static supervisor gives up at once (${onGiveUp})`, () =>
      Effect.gen(function*() {
        const script = yield* holding({ "test/Till": suspect })
        yield* Effect.gen(function*() {
          const harness = yield* Harness.Harness
          const till = yield* Till
          bad = new Set([1])
          const before = script.count("load")
          yield* Effect.exit(till.Die())
          yield* harness.awaitTag("GaveUp", "root")
          yield* turns
          assert.strictEqual(yield* Process.status(till), onGiveUp === "park" ? "parked" : "stopped")
          assert.strictEqual(script.count("load") - before, 2, "no attempt after the one that was refused")
          yield* isUntouched(script, "test/Till", suspect)
        }).pipe(Effect.provide(Layer.provide(fixed(onGiveUp === "park" ? { onGiveUp } : {}), storeLayer(script))))
      }).pipe(Effect.provide(recordedLog().layer)))
  }
})
