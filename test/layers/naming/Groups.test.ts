import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Layer, Queue, Scope, Stream } from "effect"
import { killed } from "../../../src/domain/process/ExitReason.ts"
import { Groups, Process } from "../../../src/index.ts"
import { FakeProcess } from "../../kit/FakeProcess.ts"

class Rooms extends Groups.Service<Rooms, { readonly group: string | readonly [string, number] }>()("test/Rooms") {}

const seen = <G, R>(events: Queue.Dequeue<Groups.GroupEvent<G, R>, Cause.Done>) =>
  Effect.map(
    Queue.clear(events),
    (events) => events.map(({ _tag, group, members }): ReadonlyArray<unknown> => [_tag, group, members])
  )

describe("process groups", () => {
  it.effect("membership is counted", () =>
    Effect.gen(function*() {
      const rooms = yield* Rooms
      const a = new FakeProcess("a")
      yield* rooms.join("lobby", a)
      yield* rooms.join("lobby", [a, a])
      assert.deepStrictEqual(yield* rooms.members("lobby"), [a, a, a])
      yield* rooms.leave("lobby", [a, a])
      assert.deepStrictEqual(yield* rooms.members("lobby"), [a])
      assert.strictEqual(a.goneObservers.length, 1)
      yield* rooms.leave("lobby", a)
      assert.deepStrictEqual(yield* rooms.groups, [])
      assert.strictEqual(a.goneObservers.length, 0)
    }).pipe(Effect.provide(Rooms.layer)))

  it.effect("leaving a group without being a member is refused, and says so", () =>
    Effect.gen(function*() {
      const rooms = yield* Rooms
      const a = new FakeProcess("a")
      yield* rooms.join("lobby", a)
      const error = yield* Effect.flip(rooms.leave("lobby", new FakeProcess("b")))
      assert.deepStrictEqual(error.reason, { _tag: "NotJoined", group: "lobby" })
      assert.strictEqual(
        error.message,
        "test/Rooms, group \"lobby\": none of those that were to leave is a member. One that has ended has left already."
      )
      assert.deepStrictEqual(yield* rooms.members("lobby"), [a])
    }).pipe(Effect.provide(Rooms.layer)))

  it.effect("several join in one step, or none", () =>
    Effect.gen(function*() {
      const rooms = yield* Rooms
      const [a, b] = [new FakeProcess("a"), new FakeProcess("b")]
      b.gone()
      const error = yield* Effect.flip(rooms.join("lobby", [a, b]))
      assert.deepStrictEqual(error.reason, { _tag: "NotAlive", group: "lobby", path: ["app", "b"] })
      assert.deepStrictEqual(yield* rooms.members("lobby"), [])
      assert.strictEqual(a.goneObservers.length, 0)
    }).pipe(Effect.provide(Rooms.layer)))

  it.effect("compares groups by value, and members by their process", () =>
    Effect.gen(function*() {
      const rooms = yield* Rooms
      const a = new FakeProcess("a")
      const alias: Process.HasProcess = { [Process.processOf]: a }
      yield* rooms.join(["floor", 1], [a, alias])
      yield* rooms.leave(["floor", 1], [a, a])
      assert.deepStrictEqual(yield* rooms.members(["floor", 1]), [])
    }).pipe(Effect.provide(Rooms.layer)))

  it.effect("a member stays while it is restarted, and leaves all groups when it is gone for good", () =>
    Effect.gen(function*() {
      const rooms = yield* Rooms
      const [a, b] = [new FakeProcess("a"), new FakeProcess("b")]
      yield* rooms.join("lobby", [a, b, a])
      yield* rooms.join("attic", a)
      a.crash(killed)
      assert.deepStrictEqual(yield* rooms.members("attic"), [a])
      a.restart()
      a.exit(killed)
      assert.deepStrictEqual(yield* rooms.members("lobby"), [b])
      assert.deepStrictEqual(yield* rooms.groups, ["lobby"])
    }).pipe(Effect.provide(Rooms.layer)))

  it.effect("never hands out a member that is down, even before its end was reported", () =>
    Effect.gen(function*() {
      const rooms = yield* Rooms
      const a = new FakeProcess("a")
      yield* rooms.join("lobby", a)
      a.stopSilently()
      assert.deepStrictEqual(yield* rooms.members("lobby"), [])
      assert.deepStrictEqual(yield* rooms.groups, [])
    }).pipe(Effect.provide(Rooms.layer)))
})

describe("a monitor of groups", () => {
  it.effect("has the members as they are and every change after, ends included", () =>
    Effect.gen(function*() {
      const rooms = yield* Rooms
      const [a, b] = [new FakeProcess("a"), new FakeProcess("b")]
      yield* rooms.join("lobby", a)
      const one = yield* rooms.monitor("lobby")
      const all = yield* rooms.monitorAll
      assert.deepStrictEqual(one.members, [a])
      assert.deepStrictEqual(all.members, [["lobby", [a]]])
      yield* rooms.join("lobby", [b, b])
      yield* rooms.join("attic", b)
      yield* rooms.leave("lobby", a)
      b.gone()
      const lobby = [["Joined", "lobby", [b, b]], ["Left", "lobby", [a]], ["Left", "lobby", [b, b]]]
      assert.deepStrictEqual(yield* seen(one.events), lobby)
      assert.sameDeepMembers(yield* seen(all.events), [
        ...lobby,
        ["Joined", "attic", [b]],
        ["Left", "attic", [b]]
      ])
    }).pipe(Effect.provide(Rooms.layer)))

  it.effect("gets no event after it ended, by itself or with its scope", () =>
    Effect.gen(function*() {
      const rooms = yield* Rooms
      const scope = yield* Scope.make()
      const scoped = yield* Scope.provide(rooms.monitorAll, scope)
      const ended = yield* rooms.monitorAll
      yield* Scope.close(scope, Exit.void)
      yield* ended.demonitor
      yield* rooms.join("lobby", new FakeProcess("a"))
      assert.isTrue(Exit.hasInterrupts(yield* Effect.exit(Queue.take(scoped.events))))
      assert.isTrue(Exit.hasInterrupts(yield* Effect.exit(Queue.take(ended.events))))
    }).pipe(Effect.provide(Rooms.layer)))

  it.effect("lists the members now and after every change", () =>
    Effect.gen(function*() {
      const rooms = yield* Rooms
      const [a, b] = [new FakeProcess("a"), new FakeProcess("b")]
      yield* rooms.join("lobby", a)
      const listings = yield* Effect.forkChild(Stream.runCollect(Stream.take(rooms.listing("lobby"), 4)), {
        startImmediately: true
      })
      yield* Effect.yieldNow
      yield* rooms.join("lobby", b)
      a.gone()
      yield* rooms.leave("lobby", b)
      assert.deepStrictEqual(yield* Fiber.join(listings), [[a], [a, b], [b], []])
    }).pipe(Effect.provide(Rooms.layer)))
})

describe("groups that are shut down", () => {
  it.effect("forget all members, end their monitors and refuse to join or leave", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const rooms = yield* Effect.provide(Rooms, yield* Layer.buildWithScope(Rooms.layer, scope))
      const a = new FakeProcess("a")
      yield* rooms.join("lobby", a)
      const { events } = yield* rooms.monitor("lobby")
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(a.goneObservers.length, 0)
      assert.deepStrictEqual(yield* rooms.members("lobby"), [])
      assert.strictEqual((yield* Effect.flip(rooms.join("lobby", a))).reason._tag, "GroupsClosed")
      assert.strictEqual((yield* Effect.flip(rooms.leave("lobby", a))).reason._tag, "GroupsClosed")
      assert.isTrue(Cause.isDone(Cause.squash(yield* Effect.flip(Effect.sandbox(Queue.take(events))))))
      const late = yield* rooms.monitor("lobby")
      assert.deepStrictEqual(yield* Queue.collect(late.events), [])
    }))
})
