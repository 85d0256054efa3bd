/** A reader that does not keep up costs the source no more than one that does. */
import { assert, describe, it } from "@effect/vitest"
import { type Cause, Context, Effect, Queue } from "effect"
import type { Change } from "../../../src/domain/observer/Wire.ts"
import * as Telemetry from "../../../src/layers/observation/Telemetry.ts"
import { Hearing } from "../../../src/layers/observer/Hearing.ts"
import { maxReaders, patience } from "../../../src/layers/observer/Readers.ts"
import { Sampler } from "../../../src/layers/observer/Sampler.ts"

/** A sampler of nothing, at a time that the test says. */
const sampling = () => {
  const time = { now: 1000 }
  const context = Context.make(Telemetry.CurrentTelemetry, Telemetry.make())
  const source = { source: "here", startedAt: 0, actions: false, about: "" }
  return { time, sampler: new Sampler(new Hearing(context as Context.Context<never>), source, () => time.now) }
}

const reading = Queue.unbounded<string, Cause.Done>()

const eventOf = (text: string): string => /^event: (\w+)/.exec(text)![1]!

describe("a reader", () => {
  it.effect("that takes what it is sent is sent each look, numbered", () =>
    Effect.gen(function*() {
      const { sampler, time } = sampling()
      const queue = yield* reading
      sampler.open("a", queue)
      assert.strictEqual(eventOf(yield* Queue.take(queue)), "snapshot")
      for (let seq = 1; seq <= 5; seq++) {
        time.now += 500
        sampler.tick()
        const change: Change = JSON.parse((yield* Queue.take(queue)).split("\ndata: ")[1]!)
        assert.deepStrictEqual(change, { seq, capturedAt: time.now })
      }
    }))

  it.effect("that takes nothing is kept one screen for, then let go, and hears so", () =>
    Effect.gen(function*() {
      const { sampler, time } = sampling()
      const queue = yield* reading
      sampler.open("a", queue)
      const began = time.now
      for (let i = 0; i < 1000 && sampler.isWatched; i++) {
        time.now += 500
        sampler.tick()
        assert.isAtMost(Queue.sizeUnsafe(queue), 2)
      }
      assert.isFalse(sampler.isWatched)
      assert.isAtLeast(time.now - began, patience)
      assert.isAtMost(time.now - began, patience + 1000)
      const sent = [yield* Queue.take(queue), yield* Queue.take(queue)]
      assert.deepStrictEqual(sent.map(eventOf), ["snapshot", "dropped"])
      assert.strictEqual((yield* Effect.exit(Queue.take(queue)))._tag, "Failure")
    }))

  it.effect("that was slow for a while goes on where it was", () =>
    Effect.gen(function*() {
      const { sampler, time } = sampling()
      const queue = yield* reading
      sampler.open("a", queue)
      for (let i = 0; i < 10; i++) {
        time.now += 500
        sampler.tick()
      }
      yield* Queue.take(queue)
      time.now += 500
      sampler.tick()
      assert.include(yield* Queue.take(queue), "\"seq\":1")
      for (let i = 0; i < 15; i++) {
        time.now += 500
        sampler.tick()
      }
      assert.isTrue(sampler.isWatched)
    }))

  it.effect("is refused when there are too many, and let in when one has gone", () =>
    Effect.gen(function*() {
      const { sampler } = sampling()
      const queue = yield* reading
      const readers = Array.from({ length: maxReaders }, (_, i) => sampler.open(`${i}`, queue))
      assert.isUndefined(sampler.open("more", queue))
      sampler.close(readers[0]!)
      assert.isDefined(sampler.open("more", queue))
    }))
})
