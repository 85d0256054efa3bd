/** What is left of monitors that are over: nothing, in the scope of the watcher and on what was watched. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Queue, Schema, Scope } from "effect"
import { killed } from "../../../src/domain/process/ExitReason.ts"
import {
  GenServer,
  Groups,
  Monitor,
  type Process,
  StateContainer,
  Supervisor,
  TaskSupervisor
} from "../../../src/index.ts"
import { FakeProcess } from "../../kit/FakeProcess.ts"
import { many, reachable } from "../../kit/Garbage.ts"

/** What the turns before have looked at may still be held. */
const few = 33

describe("a watcher", () => {
  type End = (target: FakeProcess, watch: Monitor.Watch<FakeProcess>) => unknown
  const ways: ReadonlyArray<readonly [name: string, end: End, n: number]> = [
    ["have reported", (target) => target.crash(killed), many],
    ["were ended", (_, watch) => Effect.runSync(watch.demonitor()), many],
    ["were ended after their report", (target, watch) => {
      target.crash(killed)
      Effect.runSync(watch.demonitor({ flush: true }))
    }, 1000]
  ]
  for (const [name, end, n] of ways) {
    it.effect(`keeps nothing of ${n} watches that ${name}`, () =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const targets: Array<WeakRef<FakeProcess>> = []
        for (let i = 0; i < n; i++) {
          const target = new FakeProcess("target")
          targets.push(new WeakRef(target))
          end(target, Effect.runSync(Scope.provide(Monitor.watch(target), scope)))
        }
        yield* Effect.yieldNow
        assert.strictEqual(scope.state._tag, "Empty")
        assert.isAtMost(yield* reachable(targets, few), few)
        // The scope itself still has its use: one that it ends is observed no longer.
        const last = new FakeProcess("last")
        yield* Scope.provide(Monitor.watch(last), scope)
        assert.strictEqual(last.exitObservers.length, 1)
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual(last.exitObservers.length, 0)
      }))
  }

  it.effect("keeps nothing of a watch of a process that was down", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const target = new FakeProcess("target")
      target.stopSilently()
      yield* Scope.provide(Monitor.watch(target), scope)
      assert.strictEqual(scope.state._tag, "Empty")
    }))

  it.effect(`that is a server keeps nothing of ${many} tasks that it has watched`, () => {
    class Tasks extends TaskSupervisor.Service<Tasks>()("test/Tasks") {}
    class Watcher extends GenServer.Service<Watcher>()("test/Watcher", {
      state: Schema.Int,
      messages: { Watch: GenServer.call({ reply: Schema.Int }) }
    }) {}
    const tasks: Array<WeakRef<object>> = []
    const scopes = new Set<Scope.Scope>()
    const App = Supervisor.layer({ strategy: "one_for_one" }, [
      StateContainer.layerMemory(Watcher),
      Watcher.layer({
        init: 0,
        handlers: {
          Watch: (n) =>
            Effect.gen(function*() {
              scopes.add(yield* Effect.scope)
              const task = yield* Effect.orDie((yield* Tasks).asyncNolink(Effect.yieldNow))
              tasks.push(new WeakRef(task))
              const { down } = yield* Monitor.watch(task)
              yield* down
              return [n + 1, n + 1]
            })
        }
      })
    ])
    return Effect.gen(function*() {
      const watcher = yield* Watcher
      for (let i = 0; i < many; i++) yield* watcher.Watch()
      assert.strictEqual(tasks.length, many)
      assert.deepStrictEqual(Array.from(scopes, ({ state }) => state._tag), ["Empty"])
      assert.isAtMost(yield* reachable(tasks, few), few)
    }).pipe(Effect.provide(Layer.provideMerge(App, Tasks.layer())))
  })
})

describe("who monitors groups", () => {
  class Rooms extends Groups.Service<Rooms>()("test/Rooms") {}

  type Service = typeof Rooms.Service
  const kinds = [
    ["one group", (rooms: Service) => rooms.monitor("lobby"), many],
    ["all groups", (rooms: Service) => rooms.monitorAll, 1000]
  ] as const
  for (const [kind, monitorOf, n] of kinds) {
    it.effect(`keeps nothing of ${n} monitors of ${kind} that were ended`, () =>
      Effect.gen(function*() {
        const rooms = yield* Rooms
        const scope = yield* Scope.make()
        const monitor: Effect.Effect<
          Groups.GroupMonitor<string, Process.HasProcess, unknown>,
          never,
          Scope.Scope
        > = monitorOf(rooms)
        const queues: Array<WeakRef<object>> = []
        for (let i = 0; i < n; i++) {
          const { demonitor, events } = Effect.runSync(Scope.provide(monitor, scope))
          queues.push(new WeakRef(events))
          Effect.runSync(demonitor)
        }
        assert.strictEqual(scope.state._tag, "Empty")
        yield* rooms.join("lobby", new FakeProcess("a"))
        assert.isAtMost(yield* reachable(queues, few), few)
        const { events } = yield* Scope.provide(monitor, scope)
        yield* Scope.close(scope, Exit.void)
        yield* rooms.join("lobby", new FakeProcess("b"))
        assert.isTrue(Exit.isFailure(yield* Effect.exit(Queue.take(events))))
      }).pipe(Effect.provide(Rooms.layer)))
  }
})
