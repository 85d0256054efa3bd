/** Other systems' cases of stopping dynamic children: together, brutally, in their time and over it. */
import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { shutdown } from "../../../../src/domain/process/ExitReason.ts"
import { Next, Process } from "../../../../src/index.ts"
import { start } from "../../../kit/DynamicFamily.ts"
import { child, isAlive, published, testCase } from "../../../kit/Family.ts"

/** When it is stopped, it takes so long. */
const slow = (millis: number) => ({ terminate: () => Effect.sleep(millis) })

describe("dynamic supervisor: stopping", () => {
  testCase(
    "DYN-005 Dynamic child over its shutdown timeout is killed",
    Effect.gen(function*() {
      const sup = yield* start()
      const options = { restart: "temporary", shutdown: 1000 } as const
      yield* sup.startChild(child("idle", options))
      const busy = yield* sup.startChild(child("busy", options))
      yield* busy.Busy({ millis: 200_000 })
      yield* TestClock.adjust(1000)
      yield* published

      yield* Process.exit(sup, shutdown)
      yield* TestClock.adjust(999)
      assert.deepStrictEqual(yield* published, ["idle#1 exited: shutdown"])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* published, ["busy abandoned", "busy#1 exited: killed", "sup#1 exited: shutdown"])
      yield* TestClock.adjust(200_000)
      assert.deepStrictEqual(yield* published, [])
    })
  )

  testCase(
    "DYN-006 brutal_kill for all dynamic children",
    Effect.gen(function*() {
      const sup = yield* start()
      const ids = Array.from({ length: 10 }, (_, i) => `child${i}`)
      for (const id of ids) {
        yield* sup.startChild(child(id, { restart: "temporary", shutdown: "brutal_kill", ...slow(1) }))
      }
      yield* published
      yield* Process.exit(sup, shutdown)
      assert.deepStrictEqual(yield* published, [...ids.map((id) => `${id}#1 exited: killed`), "sup#1 exited: shutdown"])
    })
  )

  testCase(
    "DYN-012 Dynamic children are stopped concurrently",
    Effect.gen(function*() {
      const sup = yield* start()
      for (const [id, millis] of [["a", 1000], ["b", 1000], ["c", 5000]] as const) {
        yield* sup.startChild(child(id, { shutdown: 2000, ...slow(millis) }))
      }
      yield* published
      yield* Process.exit(sup, shutdown)
      yield* TestClock.adjust(999)
      assert.deepStrictEqual(yield* published, [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* published, ["a#1 exited: shutdown", "b#1 exited: shutdown"])
      yield* TestClock.adjust(999)
      assert.deepStrictEqual(yield* published, [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* published, ["c abandoned", "c#1 exited: killed", "sup#1 exited: shutdown"])
      yield* TestClock.adjust(5000)
      assert.deepStrictEqual(yield* published, [])
    })
  )

  testCase(
    "DYN-039 Graceful stop: infinity and 1000 ms, and children choosing their own reason",
    Effect.gen(function*() {
      const oops = { terminate: () => Next.stop({ _tag: "Shutdown", detail: "oops" }) }
      for (const shutdownTime of ["infinity", 1000] as const) {
        for (const [reason, handling] of [["shutdown", {}], ["shutdown (oops)", oops]] as const) {
          const sup = yield* start()
          const ids = ["a", "b", "c"]
          for (const id of ids) yield* sup.startChild(child(id, { shutdown: shutdownTime, ...handling }))
          yield* published
          yield* Process.exit(sup, shutdown)
          assert.deepStrictEqual(yield* published, [
            ...ids.map((id) => `${id}#1 exited: ${reason}`),
            "sup#1 exited: shutdown"
          ])
        }
      }
    })
  )

  testCase(
    "DYN-041 Permanent children ending normally during shutdown; mixed shutdown values",
    Effect.gen(function*() {
      const obliging = yield* start()
      const ids = ["a", "b", "c"]
      for (const id of ids) {
        yield* obliging.startChild(child(id, { shutdown: "infinity", terminate: () => Next.stop("normal") }))
      }
      yield* published
      yield* Process.exit(obliging, shutdown)
      assert.deepStrictEqual(yield* published, [
        ...ids.map((id) => `${id}#1 exited: normal`),
        "sup#1 exited: shutdown"
      ])

      const mixed = yield* start()
      const patient = yield* mixed.startChild(child("patient", { shutdown: "infinity", ...slow(60_000) }))
      const brutal = yield* mixed.startChild(child("brutal", { shutdown: "brutal_kill", ...slow(60_000) }))
      yield* published
      yield* Process.exit(mixed, shutdown)
      assert.deepStrictEqual(yield* published, ["brutal#1 exited: killed"])
      yield* TestClock.adjust(60_000)
      assert.deepStrictEqual(yield* published, ["patient#1 exited: shutdown", "sup#1 exited: shutdown"])
      assert.deepStrictEqual([patient, brutal].map(isAlive), [false, false])
    })
  )
})
