/** What is counted as a restart, and how long a recovery took: from the end of one incarnation until the next is up. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { TestClock } from "effect/testing"
import type { Supervisor } from "../../../../src/index.ts"
import { recipe, Script, top } from "../../../kit/Probe.ts"
import { never } from "../../../kit/Restarts.ts"
import { sinkOf } from "../../../kit/Sinks.ts"

/** A supervisor of two, and what it has counted: restarts, and the seconds that they took, added up. */
const counted = Effect.fnUntraced(function*(options: Partial<Supervisor.Options>) {
  const { supervisor, telemetry } = yield* top({ strategy: "one_for_one", ...options })
  const [a, b] = [new Script(), new Script()]
  yield* supervisor.startChild(recipe("a", a))
  yield* supervisor.startChild(recipe("b", b))
  const { counters } = sinkOf(telemetry)
  return { supervisor, a, counts: () => [counters.restarts, counters.recoveries().sum] }
})

const late = Schedule.spaced("3 seconds")

describe("a restart is counted, with the time that it took", () => {
  it.effect("from the crash until the next incarnation is up, attempts that failed included", () =>
    Effect.gen(function*() {
      const { a, counts } = yield* counted({ restart: late })
      a.starts.push("fail", "hang")
      a.end()
      yield* TestClock.adjust("6 seconds")
      assert.deepStrictEqual(counts(), [0, 0])
      yield* TestClock.adjust("1 second")
      a.release("ok")
      assert.deepStrictEqual(counts(), [1, 7])
    }))

  it.effect("of each child that is taken along", () =>
    Effect.gen(function*() {
      const { a, counts } = yield* counted({ restart: late, strategy: "one_for_all" })
      a.end()
      yield* TestClock.adjust("3 seconds")
      assert.deepStrictEqual(counts(), [2, 6])
    }))

  it.effect("but not when a person stopped it, and starts it again an hour later", () =>
    Effect.gen(function*() {
      const { a, counts, supervisor } = yield* counted({ restart: late })
      yield* supervisor.terminateChild("a")
      yield* TestClock.adjust("1 hour")
      yield* supervisor.restartChild("a")
      assert.deepStrictEqual([a.started, counts()], [2, [0, 0]])
    }))

  it.effect("nor when it ended, was parked, and is resumed by a person", () =>
    Effect.gen(function*() {
      const { a, counts, supervisor } = yield* counted({ restart: never, onGiveUp: "park" })
      a.end()
      yield* TestClock.adjust("1 hour")
      yield* supervisor.resumeChild("a")
      assert.deepStrictEqual([a.started, counts()], [2, [0, 0]])
    }))
})
