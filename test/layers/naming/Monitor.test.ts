import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Queue, Scope } from "effect"
import { killed, normal, shutdown } from "../../../src/domain/process/ExitReason.ts"
import { Monitor } from "../../../src/index.ts"
import { FakeProcess } from "../../kit/FakeProcess.ts"

const inbox = Queue.unbounded<Monitor.Down<FakeProcess>>()

describe("a watch", () => {
  it.effect("reports the end of the incarnation that is alive, once, with its reason", () =>
    Effect.gen(function*() {
      const target = new FakeProcess("target")
      const downs = yield* inbox
      const watch = yield* Monitor.watch(target, { into: downs })
      target.crash(killed)
      target.restart()
      target.crash(shutdown)
      const down: Monitor.Down<FakeProcess> = {
        _tag: "Down",
        ref: target,
        path: ["app", "target"],
        incarnation: 1,
        reason: killed
      }
      assert.deepStrictEqual(yield* watch.down, down)
      assert.deepStrictEqual(yield* watch.down, down)
      assert.deepStrictEqual(yield* Queue.clear(downs), [down])
    }))

  it.effect("wakes a fiber that waits for it", () =>
    Effect.gen(function*() {
      const target = new FakeProcess("target")
      const watch = yield* Monitor.watch(target)
      const waiting = yield* Effect.forkChild(watch.down, { startImmediately: true })
      target.crash(normal)
      assert.strictEqual((yield* Fiber.join(waiting)).reason, normal)
    }))

  it.effect("resumes no waiter inside the stack of the one that ends the process", () =>
    Effect.gen(function*() {
      const target = new FakeProcess("target")
      const downs = yield* inbox
      const watch = yield* Monitor.watch(target, { into: downs })
      const log: Array<string> = []
      yield* Effect.forkChild(Effect.tap(watch.down, () => Effect.sync(() => log.push("down"))), {
        startImmediately: true
      })
      yield* Effect.forkChild(Effect.tap(Queue.take(downs), () => Effect.sync(() => log.push("taken"))), {
        startImmediately: true
      })
      target.crash(killed)
      log.push("crashed")
      yield* Effect.yieldNow
      assert.strictEqual(log[0], "crashed")
      assert.sameMembers(log, ["crashed", "down", "taken"])
    }))

  it.effect("that another observer of the same end has ended does not report it", () =>
    Effect.gen(function*() {
      const target = new FakeProcess("target")
      const downs = yield* inbox
      const ended: Array<boolean> = []
      const watches: Array<Monitor.Watch<FakeProcess>> = []
      target.addExitObserver(() => ended.push(...watches.map((watch) => Effect.runSync(watch.demonitor()))))
      watches.push(yield* Monitor.watch(target, { into: downs }))
      target.crash(killed)
      yield* Effect.yieldNow
      assert.deepStrictEqual([ended, yield* Queue.clear(downs)], [[true], []])
    }))

  it.effect("of a process without an incarnation reports NoProcess at once", () =>
    Effect.gen(function*() {
      const target = new FakeProcess("target")
      target.crash(killed)
      const restarting = yield* Monitor.watch(target)
      assert.deepStrictEqual((yield* restarting.down).reason, { _tag: "NoProcess" })
      target.gone()
      const gone = yield* Monitor.watch(target)
      assert.deepStrictEqual((yield* gone.down).reason, { _tag: "NoProcess" })
    }))

  it.effect("ends with its scope, and leaves nothing on the process", () =>
    Effect.gen(function*() {
      const target = new FakeProcess("target")
      const scope = yield* Scope.make()
      const watch = yield* Scope.provide(Monitor.watch(target), scope)
      assert.strictEqual(target.exitObservers.length, 1)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(target.exitObservers.length, 0)
      assert.isTrue(Exit.hasInterrupts(yield* Effect.exit(watch.down)))
    }))
})

describe("demonitor", () => {
  it.effect("before the end: no report comes, and a waiting fiber is interrupted", () =>
    Effect.gen(function*() {
      const target = new FakeProcess("target")
      const downs = yield* inbox
      const watch = yield* Monitor.watch(target, { into: downs })
      const waiting = yield* Effect.forkChild(watch.down, { startImmediately: true })
      assert.isTrue(yield* watch.demonitor())
      assert.isFalse(yield* watch.demonitor())
      target.crash(killed)
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(waiting)))
      assert.deepStrictEqual(yield* Queue.clear(downs), [])
    }))

  it.effect("after the end: the report stays where it is, unless it is flushed", () =>
    Effect.gen(function*() {
      const [kept, flushed, other] = [new FakeProcess("kept"), new FakeProcess("flushed"), new FakeProcess("other")]
      const downs = yield* inbox
      const keptWatch = yield* Monitor.watch(kept, { into: downs })
      const flushedWatch = yield* Monitor.watch(flushed, { into: downs })
      yield* Monitor.watch(other, { into: downs })
      for (const target of [kept, flushed, other]) target.crash(killed)
      assert.isFalse(yield* keptWatch.demonitor())
      assert.isFalse(yield* flushedWatch.demonitor({ flush: true }))
      assert.deepStrictEqual((yield* Queue.clear(downs)).map(({ ref }) => ref), [kept, other])
      assert.strictEqual((yield* keptWatch.down).reason, killed)
      assert.isTrue(Exit.hasInterrupts(yield* Effect.exit(flushedWatch.down)))
    }))

  it.effect("a flush takes back a report that waits for a place in a full queue", () =>
    Effect.gen(function*() {
      const [first, second] = [new FakeProcess("first"), new FakeProcess("second")]
      const downs = yield* Queue.bounded<Monitor.Down<FakeProcess>>(1)
      yield* Monitor.watch(first, { into: downs })
      const watch = yield* Monitor.watch(second, { into: downs })
      first.crash(killed)
      second.crash(killed)
      yield* watch.demonitor({ flush: true })
      assert.strictEqual((yield* Queue.take(downs)).ref, first)
      yield* Effect.yieldNow
      assert.deepStrictEqual(yield* Queue.clear(downs), [])
    }))

  it.effect("a report that waits for a place is not lost", () =>
    Effect.gen(function*() {
      const [first, second] = [new FakeProcess("first"), new FakeProcess("second")]
      const downs = yield* Queue.bounded<Monitor.Down<FakeProcess>>(1)
      yield* Monitor.watch(first, { into: downs })
      yield* Monitor.watch(second, { into: downs })
      first.crash(killed)
      second.crash(killed)
      assert.deepStrictEqual([(yield* Queue.take(downs)).ref, (yield* Queue.take(downs)).ref], [first, second])
    }))
})

describe("startMonitor", () => {
  it.effect("starts and watches in one step", () =>
    Effect.gen(function*() {
      const started = new FakeProcess("started")
      const [ref, watch] = yield* Monitor.startMonitor(Effect.succeed(started))
      assert.strictEqual(ref, started)
      started.crash(killed)
      assert.strictEqual((yield* watch.down).reason, killed)
    }))

  it.effect("reports an end right after the start with its real reason", () =>
    Effect.gen(function*() {
      const started = new FakeProcess("started")
      started.exit(killed)
      const [, watch] = yield* Monitor.startMonitor(Effect.succeed(started))
      assert.strictEqual((yield* watch.down).reason, killed)
    }))

  it.effect("fails as the start fails", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* Effect.flip(Monitor.startMonitor(Effect.fail("no" as const))), "no")
    }))
})
