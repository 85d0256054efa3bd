/** A shutdown with a sibling that takes its time: what is dead already is gone for everything else. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Option, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import {
  DynamicSupervisor,
  GenServer,
  Groups,
  Process,
  Registry,
  Restart,
  StateContainer,
  Supervisor,
  Telemetry
} from "../../../../src/index.ts"
import { now } from "../../../kit/Fibers.ts"
import { recordedLog } from "../../../kit/Log.ts"
import { boom, probe, recipe, record, Script, top } from "../../../kit/Probe.ts"

class Room extends GenServer.Service<Room>()("test/Room", {
  state: Schema.Int,
  messages: { Get: GenServer.call({ reply: Schema.Int, timeout: "infinity" }) }
}) {}

class Names extends Registry.Service<Names, { readonly ref: Room["Service"] }>()("test/Names", { keys: "unique" }) {}
class Rooms extends Groups.Service<Rooms, { readonly ref: Room["Service"] }>()("test/Rooms") {}

const room = Room.layer({ init: 0, handlers: { Get: (state) => [state, state] } })

/** Takes five seconds to stop, and began before: it is stopped after those that came later. */
const slow = Supervisor.worker(
  "slow",
  Effect.andThen(
    Effect.acquireRelease(Effect.void, () => Effect.sleep("5 seconds")),
    Effect.never
  ),
  { shutdown: "infinity" }
)

const one = { strategy: "one_for_one" } as const

/** A room under supervisors of all kinds, beside the slow one; closed within `stop`. */
const places = {
  "a root": Supervisor.layer(one, [slow, StateContainer.layerMemory(Room), room]),
  "a supervisor under it": Supervisor.layer(one, [
    slow,
    StateContainer.layerMemory(Room),
    Supervisor.layer({ ...one, id: "sub" }, [room])
  ]),
  "a supervisor beside it": Supervisor.layer(one, [
    Supervisor.layer({ ...one, id: "sub" }, [slow, StateContainer.layerMemory(Room), room])
  ])
}

describe("while a slow sibling is shut down, a server that is dead already", () => {
  for (const [where, tree] of Object.entries(places)) {
    it.effect(`holds no name and no membership, is joined to no group, and answers at once (${where})`, () =>
      Effect.gen(function*() {
        const names = yield* Names
        const groups = yield* Rooms
        const scope = yield* Scope.make()
        const context = yield* Layer.buildWithScope(tree, scope)
        const ref = Context.get(context, Room)
        yield* names.register("room", ref)
        yield* groups.join("rooms", ref)
        // The first sleep of a test clock is interruptible for a moment, and that in the slow one would be the first.
        yield* now(Effect.sleep(1))
        yield* TestClock.adjust(1)
        const closing = yield* now(Scope.close(scope, Exit.void))
        yield* TestClock.adjust("1 second")
        assert.isUndefined(closing.pollUnsafe(), "the slow one is not down yet")
        assert.strictEqual(yield* Process.status(ref), "stopped")
        assert.deepStrictEqual(yield* names.whereis("room"), Option.none())
        assert.deepStrictEqual(yield* groups.members("rooms"), [])
        assert.strictEqual((yield* Effect.flip(ref.Get())).reason._tag, "NotRunning")
        yield* Effect.exit(groups.join("rooms", ref))
        assert.deepStrictEqual(yield* groups.members("rooms"), [])
        yield* TestClock.adjust("5 seconds")
        assert.isDefined(closing.pollUnsafe())
      }).pipe(Effect.provide([Names.layer, Rooms.layer]), Effect.provide(recordedLog().layer)))
  }
})

class Pool extends DynamicSupervisor.Service<Pool>()("pool") {}

describe("a child that is down while its supervisor is still ending", () => {
  const slowly = () => {
    const script = new Script()
    script.stops.push("hang")
    return script
  }

  it.effect("is settled at once where it is known that the supervisor does not come back", () =>
    Effect.gen(function*() {
      const [hanging, a] = [slowly(), new Script()]
      const { supervisor } = yield* top(one, probe("hanging", hanging), probe("a", a))
      const stopping = yield* now(supervisor.stop())
      assert.deepStrictEqual([a.fates, hanging.fates], [["stopped"], []])
      hanging.release()
      yield* TestClock.adjust(0)
      assert.isDefined(stopping.pollUnsafe())
      assert.deepStrictEqual([a.fates, hanging.fates], [["stopped"], ["stopped"]])
    }))

  it.effect("and with it where it may come back: its names are kept", () =>
    Effect.gen(function*() {
      const [hanging, a, b] = [slowly(), new Script(), new Script()]
      const never = { ...one, restart: Restart.never }
      yield* top(
        { ...one, restart: Restart.intensity({ restarts: 1 }) },
        Supervisor.layer({ ...never, id: "sub" }, [probe("hanging", hanging), probe("a", a), probe("b", b)])
      )
      b.end()
      assert.deepStrictEqual([a.process?.status, a.fates], ["restarting", []])
      hanging.release()
      assert.deepStrictEqual([a.fates, b.fates, a.process?.status], [["restarting"], ["restarting"], "running"])
    }))

  it.effect("and with it where its supervisor was sent an exit, and comes back", () =>
    Effect.gen(function*() {
      const [hanging, a] = [slowly(), new Script()]
      const { supervisor } = yield* top(
        { ...one, restart: Restart.intensity({ restarts: 1 }) },
        Supervisor.layer({ ...one, id: "sub" }, [probe("hanging", hanging), probe("a", a)])
      )
      const { process } = yield* supervisor.whichChild("sub")
      yield* now(Process.exit(process, boom))
      assert.deepStrictEqual([a.process?.status, a.fates], ["restarting", []])
      hanging.release()
      assert.deepStrictEqual([a.fates, a.process?.status], [["restarting"], "running"])
    }))

  it.effect("or as soon as that is known: its supervisor's own is stopped meanwhile", () =>
    Effect.gen(function*() {
      const [hanging, a, b] = [slowly(), new Script(), new Script()]
      const { supervisor } = yield* top(
        one,
        Supervisor.layer({ ...one, id: "sub", restart: Restart.never }, [
          probe("hanging", hanging),
          probe("a", a),
          probe("b", b)
        ])
      )
      b.end()
      assert.deepStrictEqual([a.fates, b.fates], [[], []])
      const stopping = yield* now(supervisor.stop())
      assert.deepStrictEqual([a.fates, b.fates], [["stopped"], ["stopped"]])
      hanging.release()
      yield* TestClock.adjust(0)
      assert.isDefined(stopping.pollUnsafe())
      assert.deepStrictEqual([a.fates, b.fates, hanging.fates], [["stopped"], ["stopped"], ["stopped"]])
    }))

  it.effect("under a dynamic supervisor always, since no child of it comes back", () =>
    Effect.gen(function*() {
      const [hanging, a] = [slowly(), new Script()]
      const pool = yield* Effect.map(Layer.build(Pool.layer()), (context) => Context.get(context, Pool))
      yield* pool.startChild(recipe("hanging", hanging))
      yield* pool.startChild(recipe("a", a))
      const stopping = yield* now(pool.stop())
      assert.deepStrictEqual([a.fates, hanging.fates], [["stopped"], []])
      hanging.release()
      yield* TestClock.adjust(0)
      assert.isDefined(stopping.pollUnsafe())
    }))

  for (const how of ["terminateChild", "stop"] as const) {
    it.effect(`in a tree under a dynamic supervisor, too (${how})`, () =>
      Effect.gen(function*() {
        const [hanging, a] = [slowly(), new Script()]
        const pool = yield* Effect.map(Layer.build(Pool.layer()), (context) => Context.get(context, Pool))
        const sub = yield* pool.startChild(
          Supervisor.recipe({ ...one, id: "sub" }, [recipe("hanging", hanging), recipe("a", a)])
        )
        const stopping = yield* now(how === "stop" ? pool.stop() : pool.terminateChild(sub))
        assert.deepStrictEqual([a.fates, hanging.fates], [["stopped"], []])
        hanging.release()
        yield* TestClock.adjust(0)
        assert.isDefined(stopping.pollUnsafe())
      }))
  }
})

describe("a child that crashes while its dynamic supervisor ends", () => {
  it.effect("before it was asked to stop, is not said to be restarted", () =>
    Effect.gen(function*() {
      const { take, telemetry } = record()
      const [a, b] = [new Script(), new Script()]
      const pool = yield* Effect.map(Layer.build(Pool.layer()), (context) => Context.get(context, Pool)).pipe(
        Effect.provideService(Telemetry.CurrentTelemetry, telemetry)
      )
      yield* pool.startChild(recipe("a", a))
      yield* pool.startChild(recipe("b", b))
      take()
      a.meanwhile.settle = () => b.end()
      yield* pool.stop()
      assert.deepStrictEqual([b.started, b.fates], [1, ["stopped"]])
      assert.deepStrictEqual(take().filter((line) => line.includes("b#")), ["Exited b#1 crashed: boom"])
    }))
})
