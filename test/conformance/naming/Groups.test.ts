/**
 * Other systems' cases of process groups, with real processes: members that end while they join or leave, a monitor
 * that is a member itself, groups that are shut down and come again.
 */
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Queue, Scope, Stream } from "effect"
import { GenServer, Groups, Process } from "../../../src/index.ts"
import { Harness } from "../../../src/testing.ts"
import { peer, type Peers, PeersLive, worker } from "../../kit/Peer.ts"

class Pg extends Groups.Service<Pg>()("test/Pg") {}

const Live = Layer.mergeAll(Pg.layer, PeersLive)

const test = <A, E>(
  name: string,
  body: Effect.Effect<A, E, Pg | Peers | Layer.Success<typeof PeersLive> | Scope.Scope>
) => it.effect(name, () => Effect.provide(body, Live))

const seen = <G, R>(monitor: Groups.GroupMonitor<G, R, unknown>) =>
  Effect.map(
    Queue.clear(monitor.events),
    (events) => events.map(({ _tag, group, members }): ReadonlyArray<unknown> => [_tag, group, members])
  )

const notJoined = (group: string) => ({ _tag: "NotJoined", group })

describe("groups", () => {
  test(
    "GRP-001 Join and leave are counted",
    Effect.gen(function*() {
      const [pg, self, other] = [yield* Pg, yield* peer("self"), yield* peer("P")]
      yield* pg.join("group", self)
      yield* pg.join("group", [self, self])
      assert.deepStrictEqual(yield* pg.members("group"), [self, self, self])
      const missing = yield* Effect.flip(pg.leave("missing", self))
      assert.deepStrictEqual<unknown>(missing.reason, notJoined("missing"))
      yield* pg.leave("group", [self, self])
      yield* pg.leave("group", self)
      assert.deepStrictEqual(yield* pg.groups, [])
      assert.deepStrictEqual(yield* pg.members("group"), [])
      yield* pg.join("group", self)
      yield* pg.join("group", other)
      assert.deepStrictEqual(yield* pg.members("group"), [self, other])
      yield* Process.kill(other)
      assert.deepStrictEqual(yield* pg.members("group"), [self])
    })
  )

  test(
    "GRP-002 Leaving while dying",
    Effect.gen(function*() {
      const pg = yield* Pg
      for (let i = 0; i < 100; i++) {
        const short = Process.reference(yield* worker(`short-${i}`, i % 2 === 0 ? Effect.void : Effect.yieldNow))
        const exits = [yield* Effect.exit(pg.join("group", short)), yield* Effect.exit(pg.leave("group", short))]
        assert.isFalse(exits.some(Exit.hasDies))
      }
      yield* Effect.yieldNow
      assert.deepStrictEqual(yield* pg.groups, [])
      const alive = yield* peer("alive")
      yield* pg.join("group", alive)
      assert.deepStrictEqual(yield* pg.members("group"), [alive])
    })
  )

  test(
    "GRP-005 A process may monitor groups it joins",
    Effect.gen(function*() {
      const [pg, harness] = [yield* Pg, yield* Harness.Harness]
      const identity = yield* Deferred.make<Process.HasProcess>()
      const report = yield* Deferred.make<ReadonlyArray<Groups.GroupMonitor<string, Process.HasProcess, unknown>>>()
      const heard: Array<ReadonlyArray<unknown>> = []
      const process = yield* worker(
        "watcher",
        Effect.gen(function*() {
          const self = yield* Deferred.await(identity)
          const monitors = [yield* pg.monitor("one"), yield* pg.monitor("two"), yield* pg.monitorAll]
          yield* pg.join("one", self)
          yield* pg.join("two", self)
          for (const monitor of monitors) heard.push(...yield* seen(monitor))
          yield* Deferred.succeed(report, monitors)
        })
      )
      const self = Process.reference(process)
      yield* Deferred.succeed(identity, self)
      const exited = yield* harness.awaitTag("Exited", self)
      assert.strictEqual(exited.reason._tag, "Normal")
      assert.sameDeepMembers(heard, [
        ["Joined", "one", [self]],
        ["Joined", "one", [self]],
        ["Joined", "two", [self]],
        ["Joined", "two", [self]]
      ])
      yield* pg.join("one", yield* peer("late"))
      assert.strictEqual((yield* pg.members("one")).length, 1)
      for (const monitor of yield* Deferred.await(report)) {
        assert.isTrue(Exit.hasInterrupts(yield* Effect.exit(Queue.take(monitor.events))))
      }
    })
  )

  test(
    "GRP-006 Scope not running / restarted",
    Effect.gen(function*() {
      const self = yield* peer("self")
      const start = Effect.fnUntraced(function*(scope: Scope.Scope) {
        return Context.get(yield* Layer.buildWithScope(Layer.fresh(Pg.layer), scope), Pg)
      })
      const first = yield* Scope.make()
      const stopped = yield* start(first)
      yield* stopped.join("group", self)
      yield* Scope.close(first, Exit.void)
      const closed = { _tag: "GroupsClosed", group: "group" }
      assert.deepStrictEqual<unknown>((yield* Effect.flip(stopped.join("group", self))).reason, closed)
      assert.deepStrictEqual<unknown>((yield* Effect.flip(stopped.leave("group", self))).reason, closed)
      const restarted = yield* start(yield* Scope.Scope)
      assert.deepStrictEqual(yield* restarted.members("group"), [])
      yield* restarted.join("group", self)
      assert.deepStrictEqual(yield* restarted.members("group"), [self])
    })
  )

  test(
    "GRP-008 Monitors do not duplicate and can be removed completely",
    Effect.gen(function*() {
      const [pg, first, second] = [yield* Pg, yield* peer("first"), yield* peer("second")]
      const monitors = [yield* pg.monitor("group"), yield* pg.monitor("group")]
      yield* pg.join("group", first)
      const all = yield* pg.monitorAll
      yield* Process.kill(first)
      yield* pg.join("group", second)
      for (const monitor of monitors) {
        assert.deepStrictEqual(yield* seen(monitor), [
          ["Joined", "group", [first]],
          ["Left", "group", [first]],
          ["Joined", "group", [second]]
        ])
      }
      assert.deepStrictEqual(all.members, [["group", [first]]])
      assert.deepStrictEqual(yield* seen(all), [["Left", "group", [first]], ["Joined", "group", [second]]])
      yield* all.demonitor
      yield* pg.join("group", yield* peer("third"))
      assert.isTrue(Exit.hasInterrupts(yield* Effect.exit(Queue.take(all.events))))
    })
  )

  test(
    "GRP-009 Service listing with subscriptions",
    Effect.gen(function*() {
      const [pg, a, b, c] = [yield* Pg, yield* peer("A"), yield* peer("B"), yield* peer("C")]
      const subscribe = (group: string, changes: number) =>
        Effect.forkChild(Stream.runCollect(Stream.take(pg.listing(group), changes + 1)), { startImmediately: true })
      const keyA = yield* subscribe("A", 5)
      const keyB = yield* subscribe("B", 3)
      yield* Effect.yieldNow

      yield* pg.join("A", a)
      yield* pg.join("B", b)
      yield* pg.join("A", c)
      yield* pg.join("B", c)
      assert.deepStrictEqual(yield* pg.members("A"), [a, c])
      assert.deepStrictEqual(yield* pg.members("B"), [b, c])
      yield* GenServer.stop(c)
      assert.deepStrictEqual(yield* pg.members("A"), [a])
      assert.deepStrictEqual(yield* pg.members("B"), [b])
      yield* pg.leave("A", a)
      assert.deepStrictEqual(yield* pg.members("A"), [])
      assert.deepStrictEqual(yield* pg.members("B"), [b])
      yield* pg.join("A", a)
      assert.deepStrictEqual(yield* pg.members("A"), [a])

      assert.deepStrictEqual(yield* Fiber.join(keyA), [[], [a], [a, c], [a], [], [a]])
      assert.deepStrictEqual(yield* Fiber.join(keyB), [[], [b], [b, c], [b]])
    })
  )
})
