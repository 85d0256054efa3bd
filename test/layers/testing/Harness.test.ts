import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import type { Lifecycle } from "../../../src/domain/observation/Lifecycle.ts"
import { killed } from "../../../src/domain/process/ExitReason.ts"
import { SystemView } from "../../../src/index.ts"
import * as Sink from "../../../src/layers/observation/Sink.ts"
import { Harness } from "../../../src/testing.ts"
import { FakeProcess } from "../../kit/FakeProcess.ts"
import { sinkOf } from "../../kit/Sinks.ts"

const about = (id: string, incarnation: number) => ({ path: ["app", id], at: 0, kind: "worker", incarnation }) as const
const started = (id: string, incarnation: number): Lifecycle => ({ _tag: "Started", ...about(id, incarnation) })
const exited = (id: string, incarnation: number): Lifecycle => ({
  _tag: "Exited",
  ...about(id, incarnation),
  reason: killed
})

describe("the harness", () => {
  it.effect("records what the trees below it tell, in order", () =>
    Effect.gen(function*() {
      const harness = yield* Harness.Harness
      const telemetry = yield* Sink.root
      assert.strictEqual(telemetry, harness.telemetry)
      const events = [started("a", 1), started("b", 1), exited("a", 1), started("a", 2)]
      for (const event of events) telemetry.publish(event)
      assert.deepStrictEqual(yield* harness.events, events)
      assert.deepStrictEqual(yield* harness.eventsOf(["app", "b"]), [started("b", 1)])
      assert.deepStrictEqual(yield* harness.historyOf("app > a"), ["Started", "Exited", "Started"])
      assert.deepStrictEqual(yield* harness.historyOf(new FakeProcess("a")), ["Started", "Exited", "Started"])
      assert.deepStrictEqual(SystemView.toText(yield* harness.view).split("\n"), [
        "app",
        "├─ a  #2 running  1 restart, last exit killed",
        "└─ b  #1 running"
      ])
    }).pipe(Effect.provide(Harness.Harness.layer)))

  it.effect("waiting for what has happened ends at once", () =>
    Effect.gen(function*() {
      const harness = yield* Harness.Harness
      sinkOf(harness.telemetry).publish(started("a", 1))
      sinkOf(harness.telemetry).publish(exited("a", 1))
      assert.deepStrictEqual(yield* harness.awaitEvent(({ _tag }) => _tag === "Exited"), exited("a", 1))
    }).pipe(Effect.provide(Harness.Harness.layer)))

  it.effect("waiting for what is to happen ends when it does, and not before", () =>
    Effect.gen(function*() {
      const harness = yield* Harness.Harness
      const waiting = yield* Effect.forkChild(harness.awaitIncarnation("app > a", 2), { startImmediately: true })
      sinkOf(harness.telemetry).publish(started("a", 1))
      sinkOf(harness.telemetry).publish(started("b", 2))
      yield* Effect.yieldNow
      assert.isUndefined(waiting.pollUnsafe())
      sinkOf(harness.telemetry).publish(started("a", 2))
      assert.deepStrictEqual(yield* Fiber.join(waiting), started("a", 2))
    }).pipe(Effect.provide(Harness.Harness.layer)))

  it.effect("works on virtual time", () =>
    Effect.gen(function*() {
      const harness = yield* Harness.Harness
      yield* Effect.forkChild(
        Effect.delay(Effect.sync(() => sinkOf(harness.telemetry).publish(started("a", 1))), "1 hour")
      )
      const waiting = yield* Effect.forkChild(harness.awaitTag("Started", "app > a"))
      yield* TestClock.adjust("1 hour")
      assert.strictEqual((yield* Fiber.join(waiting)).incarnation, 1)
    }).pipe(Effect.provide(Harness.Harness.layer)))

  it.effect("waits for the n-th event of a kind", () =>
    Effect.gen(function*() {
      const harness = yield* Harness.Harness
      for (const incarnation of [1, 2, 3]) sinkOf(harness.telemetry).publish(exited("a", incarnation))
      const second = yield* harness.awaitTag("Exited", "app > a", 2)
      assert.deepStrictEqual([second.incarnation, second.reason], [2, killed])
    }).pipe(Effect.provide(Harness.Harness.layer)))

  it.effect("waits for several events, many of which may come at once", () =>
    Effect.gen(function*() {
      const harness = yield* Harness.Harness
      sinkOf(harness.telemetry).publish(exited("a", 1))
      const waiting = yield* Effect.forkChild(harness.awaitEvents(3, ({ _tag }) => _tag === "Exited"), {
        startImmediately: true
      })
      for (const incarnation of [2, 3, 4]) sinkOf(harness.telemetry).publish(exited("a", incarnation))
      assert.deepStrictEqual(yield* Fiber.join(waiting), [exited("a", 1), exited("a", 2), exited("a", 3)])
    }).pipe(Effect.provide(Harness.Harness.layer)))

  it.effect("after a clear only what comes counts", () =>
    Effect.gen(function*() {
      const harness = yield* Harness.Harness
      sinkOf(harness.telemetry).publish(started("a", 1))
      yield* harness.clear
      assert.deepStrictEqual(yield* harness.events, [])
      const waiting = yield* Effect.forkChild(harness.awaitTag("Started", "app > a"), { startImmediately: true })
      yield* Effect.yieldNow
      sinkOf(harness.telemetry).publish(started("a", 2))
      assert.strictEqual((yield* Fiber.join(waiting)).incarnation, 2)
    }).pipe(Effect.provide(Harness.Harness.layer)))

  it.effect("a question that throws fails the test, not the tree", () =>
    Effect.gen(function*() {
      const harness = yield* Harness.Harness
      const waiting = yield* Effect.forkChild(harness.awaitEvent(() => assert.fail("asked")), {
        startImmediately: true
      })
      sinkOf(harness.telemetry).publish(started("a", 1))
      assert.isTrue(Exit.hasDies(yield* Fiber.await(waiting)))
    }).pipe(Effect.provide(Harness.Harness.layer)))

  it.effect("resumes no waiter inside the stack of the one that causes the event", () =>
    Effect.gen(function*() {
      const harness = yield* Harness.Harness
      const log: Array<string> = []
      const waiting = yield* Effect.forkChild(
        Effect.tap(harness.awaitTag("Started", "app > a"), () => Effect.sync(() => log.push("woken"))),
        { startImmediately: true }
      )
      sinkOf(harness.telemetry).publish(started("a", 1))
      log.push("published")
      yield* Fiber.join(waiting)
      assert.deepStrictEqual(log, ["published", "woken"])
    }).pipe(Effect.provide(Harness.Harness.layer)))
})
