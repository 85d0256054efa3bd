import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { GenServer, Process, SystemView } from "../../../../src/index.ts"
import { Harness } from "../../../../src/testing.ts"
import { Cell, gates, Top, tree } from "../../../kit/Cell.ts"
import { now } from "../../../kit/Fibers.ts"
import { sinkOf } from "../../../kit/Sinks.ts"

const dropped = Effect.gen(function*() {
  const harness = yield* Harness.Harness
  const cell = yield* Cell
  return (yield* harness.eventsOf(cell)).flatMap((event) =>
    event._tag === "Dropped" ? [`${event.message} ${event.reason}`] : []
  )
})

describe("a cast that is not going to be handled is an event", () => {
  it.effect("sent to a server that is down", () =>
    Effect.gen(function*() {
      const cell = yield* Cell
      yield* GenServer.stop(cell)
      yield* cell.Put({ to: 1 })
      // Its caller fails, so it is none.
      yield* Effect.exit(cell.Add({ by: 1 }))
      yield* Effect.withSpan(cell.DieUnasked(), "caller")
      assert.deepStrictEqual(yield* dropped, ["Put NotRunning", "DieUnasked NotRunning"])
      const { telemetry } = yield* Harness.Harness
      assert.strictEqual(sinkOf(telemetry).counters.queued, 0)
    }).pipe(Effect.provide(tree("a plain handler", gates(), { restart: "temporary" }))))

  it.effect("left in the mailbox of one that goes down", () => {
    const own = gates()
    return Effect.gen(function*() {
      const cell = yield* Cell
      yield* own.hold.close
      yield* now(Effect.exit(cell.Hold()))
      yield* cell.Put({ to: 1 })
      const caller = yield* now(Effect.exit(cell.Add({ by: 1 })))
      yield* Effect.withSpan(cell.Put({ to: 2 }), "caller")
      yield* Process.kill(cell)
      assert.strictEqual((caller.pollUnsafe())?._tag, "Success")
      assert.deepStrictEqual(yield* dropped, ["Put NotRunning", "Put NotRunning"])
    }).pipe(Effect.provide(tree("a plain handler", own, { restart: "temporary" })))
  })

  it.effect("a cast that waits for the next incarnation is not dropped", () => {
    const own = gates()
    return Effect.gen(function*() {
      const cell = yield* Cell
      yield* own.boot.close
      yield* Process.kill(cell)
      yield* cell.Put({ to: 7 })
      yield* own.boot.open
      assert.strictEqual(yield* cell.Get(), 7)
      assert.deepStrictEqual(yield* dropped, [])
    }).pipe(Effect.provide(tree("a plain handler", own)))
  })

  it.effect("a cast to a process that was deleted does not bring it back into view", () =>
    Effect.gen(function*() {
      const [cell, top, harness] = [yield* Cell, yield* Top, yield* Harness.Harness]
      yield* top.terminateChild("test/Cell")
      yield* top.deleteChild("test/Cell")
      yield* cell.Put({ to: 1 })
      assert.deepStrictEqual(yield* dropped, ["Put NotRunning"])
      assert.notInclude(SystemView.toText(yield* harness.view), "test/Cell ")
    }).pipe(Effect.provide(tree("a plain handler", gates()))))
})
