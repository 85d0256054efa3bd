/**
 * Other systems' cases of stopping servers: by reference and by name, with the outcome that it really had, and which
 * ends are logged as crashes.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Fiber, Latch, Layer, Option } from "effect"
import { TestClock } from "effect/testing"
import { crashed, type ExitReason, normal, shutdown } from "../../../src/domain/process/ExitReason.ts"
import { GenServer, Process, Supervisor } from "../../../src/index.ts"
import { refusal } from "../../kit/Failures.ts"
import { now } from "../../kit/Fibers.ts"
import { recordedLog } from "../../kit/Log.ts"
import { behavior, isUp, Live, More, Names, Root, Server, start, stopped } from "../../kit/ServerCases.ts"

describe("server: stopping", () => {
  it.effect("SRV-007 stop by handle and by name", () =>
    Effect.gen(function*() {
      const [names, more] = [yield* Names, yield* More]
      const anonymous = yield* start("anonymous")
      yield* GenServer.stop(anonymous, normal)
      assert.isFalse(isUp(anonymous))
      assert.deepStrictEqual(anonymous[Process.processOf].lastExit, normal)

      const patient = yield* start("patient")
      assert.deepStrictEqual(yield* GenServer.stop(patient, stopped, { timeout: "infinity" }), stopped)
      assert.deepStrictEqual(patient[Process.processOf].lastExit, stopped)

      for (const registry of [names, more]) {
        const server = yield* registry.start("name", start(`${registry.id}/server`))
        yield* GenServer.stop(registry.via("name"))
        assert.isFalse(isUp(server))
        assert.deepStrictEqual(yield* registry.whereis("name"), Option.none())
        assert.strictEqual(
          yield* refusal(Effect.catchTag(GenServer.stop(server), "StopFailed", Effect.die)),
          "NotRunning"
        )
        const gone = GenServer.stop(registry.via("name"))
        assert.strictEqual(yield* refusal(Effect.catchTag(gone, "StopFailed", Effect.die)), "NotRunning")
        // The name can be taken again, and so can the key.
        yield* registry.start("name", start(`${registry.id}/server`))
      }

      const fresh = yield* start("fresh")
      const invalid = yield* Effect.exit(GenServer.stop(fresh, normal, { timeout: "for a while" as never }))
      assert.include(String(invalid), "as timeout: it must be a duration")
      assert.strictEqual(yield* fresh.Started(), "ok")
      assert.isTrue(isUp(fresh))
    }).pipe(Effect.provide(Live)))

  it.effect("SRV-009 stop reports the real outcome", () =>
    Effect.gen(function*() {
      const root = yield* Root
      const ending = (key: string, terminate: () => void | Effect.Effect<void>) =>
        root.startChild(
          Server.recipe({ ...behavior, terminate }, { key, restart: "temporary", shutdown: "10 seconds" })
        )

      const dies = yield* ending("dies", () => Effect.die("die"))
      const died = yield* Effect.flip(GenServer.stop(dies))
      assert(died instanceof GenServer.StopFailed)
      assert.deepStrictEqual([died.asked, died.reason], [normal, crashed(Cause.die("die"))])

      // It crashes by itself, and otherwise than it was asked to.
      const gate = Latch.makeUnsafe()
      const handlers = { ...behavior.handlers, NoReply: () => Effect.andThen(gate.await, Effect.die("boom")) }
      const busy = yield* root.startChild(
        Server.recipe({ ...behavior, handlers }, { key: "busy", restart: "temporary" })
      )
      yield* now(Effect.exit(busy.NoReply()))
      const stopping = yield* now(Effect.flip(GenServer.stop(busy, crashed(Cause.die("asked")))))
      yield* gate.open
      const other = yield* Fiber.join(stopping)
      assert(other instanceof GenServer.StopFailed)
      assert.deepStrictEqual(other.reason, crashed(Cause.die("boom")))

      const hangs = yield* ending("hangs", () => Effect.sleep(5000))
      const waiting = yield* now(Effect.flip(GenServer.stop(hangs, normal, { timeout: 1000 })))
      yield* TestClock.adjust(999)
      assert.isUndefined(waiting.pollUnsafe())
      yield* TestClock.adjust(1)
      const late = yield* Fiber.join(waiting)
      assert(late._tag === "CallError")
      assert.deepStrictEqual(late.reason, { _tag: "Timeout", millis: 1000, begun: true, waitsFor: "end" })
      yield* TestClock.adjust(4000)

      const oops = new Error("oops")
      const throws = yield* ending("throws", () => {
        throw oops
      })
      const thrown = yield* Effect.flip(GenServer.stop(throws))
      assert(thrown instanceof GenServer.StopFailed)
      assert.deepStrictEqual(thrown.reason, crashed(Cause.die(oops)))
      assert.isFalse(isUp(throws))
      assert.strictEqual(yield* refusal(throws.Started()), "NotRunning")
    }).pipe(Effect.provide(Live)))

  it.effect("SRV-016 Only abnormal exits are logged as crashes", () => {
    const { layer, lines: errors } = recordedLog(({ level }) => level === "Error")
    return Effect.gen(function*() {
      const [root, server] = [yield* Root, "test/Root > test/Server"]
      const because = (detail: string): ExitReason => ({ _tag: "Shutdown", detail })
      const orderly: ReadonlyArray<readonly [by: "exit" | "stop", reason: ExitReason]> = [
        ["exit", because("reason")],
        ["stop", because("stop_reason")],
        ["exit", shutdown],
        ["stop", shutdown]
      ]
      for (const [n, [by, reason]] of orderly.entries()) {
        const ends = yield* start(`orderly${n}`)
        assert.strictEqual(yield* refusal(ends.End({ by, reason })), "NotRunning")
        assert.deepStrictEqual(ends[Process.processOf].lastExit, reason)
      }
      for (const [n, reason] of [shutdown, because("a,b,c")].entries()) {
        const plain = yield* root.startChild(
          Supervisor.workerRecipe(`plain${n}`, Effect.never, { restart: "temporary" })
        )
        yield* Process.exit(Process.reference(plain), reason)
        assert.deepStrictEqual(plain.lastExit, reason)
      }
      assert.deepStrictEqual(errors, [])

      // States and payloads are shown as the behaviour's format hook leaves them, and not without one.
      const crashes = yield* root.startChild(
        Server.recipe({ ...behavior, formatStatus: (shown) => shown }, { key: "crashes", restart: "temporary" })
      )
      yield* crashes.CallWithin({ millis: 1000 })
      assert.strictEqual(yield* refusal(crashes.Die({ with: "crashed" })), "Crashed")
      const [error, ...others] = errors
      assert.deepStrictEqual(others, [])
      assert.include(error!.text, `${server}/crashes`)
      assert.include(error!.text, "crashed")
      assert.deepStrictEqual(error!.cause, Cause.die("crashed"))
      assert.strictEqual(error!.annotations["path"], `${server}/crashes`)
      assert.deepStrictEqual(error!.annotations["message"], { request: "Die", payload: { with: "crashed" } })
      assert.deepStrictEqual(error!.annotations["state"], { flag: true })
    }).pipe(Effect.provide(Layer.provideMerge(Live, layer)))
  })
})
