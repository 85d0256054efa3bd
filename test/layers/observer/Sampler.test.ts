/** What has happened is in the next look, whatever the processes are doing: the layer looks twice a second. */
import { assert, describe, it } from "@effect/vitest"
import { type Cause, Deferred, Effect, Layer, Queue } from "effect"
import { TestClock } from "effect/testing"
import { applied } from "../../../src/domain/observer/Difference.ts"
import type { Change, Screen, Snapshot } from "../../../src/domain/observer/Wire.ts"
import { StateStore, Telemetry } from "../../../src/index.ts"
import { Hearing } from "../../../src/layers/observer/Hearing.ts"
import { Sampler } from "../../../src/layers/observer/Sampler.ts"
import { quiet } from "../../kit/Log.ts"
import { rowOf } from "../../kit/observer/Reading.ts"
import { Clerk, Counter, Store, Tree } from "../../kit/observer/Watched.ts"

/** A reader at a time that the test says; `look` is the next look, of which it takes what it is sent. */
const reading = Effect.gen(function*() {
  yield* TestClock.adjust(1000)
  const time = { now: 1000 }
  const hearing = new Hearing(yield* Effect.context<never>())
  const source = { source: "here", startedAt: 0, actions: false, about: "" }
  const sampler = new Sampler(hearing, source, () => time.now)
  const sent = yield* Queue.unbounded<string, Cause.Done>()
  sampler.open("a", sent)
  const data = Effect.map(Queue.take(sent), (text) => JSON.parse(text.split("\ndata: ")[1]!))
  let screen: Screen = ((yield* data) as Snapshot).screen
  const look = Effect.gen(function*() {
    sampler.tick()
    return screen = applied(screen, (yield* data) as Change)
  })
  return { look, time }
})

const App = Tree.pipe(Layer.provideMerge(Telemetry.layer), Layer.provide(StateStore.layerMemory(Store)))

describe("the next look", () => {
  it.effect("has a crash, its restart, and the new incarnation", () =>
    Effect.gen(function*() {
      const counter = yield* Counter
      const { look } = yield* reading
      yield* counter.Add({ by: 1 })
      yield* Effect.exit(counter.Crash())
      const screen = yield* look
      const [group] = screen.feed
      assert.deepStrictEqual(group?.path, ["app", "watched/Counter"])
      assert.deepStrictEqual(group?.steps.map(({ tag }) => tag), ["Exited", "Restarting", "StateRestored", "Started"])
      assert.deepInclude(rowOf("watched/Counter")(screen), { incarnation: 2, lastExit: "crashed: Error: boom" })
      const { recoveryMillis, ...counts } = screen.totals
      assert.isAtLeast(recoveryMillis, 0)
      assert.deepStrictEqual(counts, {
        messages: 2,
        queued: 0,
        crashes: 1,
        restarts: 1,
        rollbacks: 0,
        recoveries: 1,
        processes: 9,
        troubled: 0
      })
    }).pipe(Effect.provide(App), quiet))

  it.effect("has a server that is busy, with its message and since when, and an alarm when that takes ten seconds", () =>
    Effect.gen(function*() {
      const clerk = yield* Clerk
      const { look, time } = yield* reading
      const until = yield* Deferred.make<void>()
      yield* clerk.File({ until })
      yield* clerk.File({ until })
      yield* Effect.yieldNow
      const screen = yield* look
      assert.deepInclude(rowOf("watched/Clerk")(screen), { queued: 1, inHand: { message: "File", since: 1000 } })
      assert.deepStrictEqual(screen.alarms, [])
      time.now = 11_000
      const [alarm] = (yield* look).alarms
      assert.strictEqual(alarm?.text, "watched/Clerk has had File in hand for 10 s.")
      yield* Deferred.succeed(until, undefined)
      yield* Effect.yieldNow
      const after = yield* look
      assert.deepStrictEqual([after.alarms, rowOf("watched/Clerk")(after)?.inHand], [[], null])
    }).pipe(Effect.provide(App), quiet))
})
