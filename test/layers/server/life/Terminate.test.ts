import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Latch, Layer, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import type { ExitReason } from "../../../../src/domain/process/ExitReason.ts"
import { GenServer, Next, Process, Restart, StateContainer, Supervisor } from "../../../../src/index.ts"
import { Harness } from "../../../../src/testing.ts"
import { tagOf } from "../../../kit/Failures.ts"
import { now } from "../../../kit/Fibers.ts"

class Num extends GenServer.Service<Num>()("test/Num", {
  state: Schema.Int,
  messages: {
    Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }),
    Crash: GenServer.call({ payload: { how: Schema.Literals(["throw", "die", "late", "invalid"]) } }),
    Hang: GenServer.call({ timeout: "infinity" }),
    Stop: GenServer.call({
      payload: { reply: Schema.Boolean, state: Schema.Boolean, orderly: Schema.Boolean },
      reply: Schema.String
    })
  }
}) {}

interface Options {
  readonly terminate?: GenServer.Behavior<number, unknown>["terminate"]
  readonly server?: GenServer.Options
  readonly supervisor?: Supervisor.Options["restart"]
  readonly init?: Effect.Effect<number, string>
}

const app = ({ init, server, supervisor, terminate }: Options) =>
  Layer.provideMerge(
    Supervisor.layer({ id: "root", strategy: "one_for_one", restart: supervisor }, [
      StateContainer.layerMemory(Num),
      Num.layer({
        init: init ?? 0,
        terminate,
        handlers: {
          Add: (n, { by }) => [n + by, n + by],
          Crash: (n, { how }) => {
            switch (how) {
              case "throw":
                throw new Error("boom")
              case "die":
                return Effect.die("boom")
              case "late":
                return Effect.andThen(Effect.yieldNow, Effect.die("boom"))
              case "invalid":
                return [n] as unknown as readonly [undefined, number]
            }
          },
          Hang: () => Effect.never,
          Stop: (n, { orderly, reply, state }) =>
            Next.stop(orderly ? "normal" : { _tag: "Crashed", cause: Cause.die("stopped itself") }, {
              ...(reply ? { reply: "bye" } : {}),
              ...(state ? { state: n + 1000 } : {})
            })
        }
      }, server)
    ]),
    Harness.Harness.layer
  )

/** Notes the arguments of `terminate`. */
const noting = () => {
  const noted: Array<string> = []
  return {
    noted,
    terminate: (reason: ExitReason, state: number) => Effect.sync(() => void noted.push(`${reason._tag} ${state}`))
  }
}

describe("terminate", () => {
  for (const how of ["throw", "die", "late", "invalid"] as const) {
    it.effect(`is given the state from before the callback that crashed (${how})`, () => {
      const { noted, terminate } = noting()
      return Effect.gen(function*() {
        const num = yield* Num
        yield* num.Add({ by: 41 })
        yield* Effect.exit(num.Crash({ how }))
        assert.deepStrictEqual(noted, ["Crashed 41"])
        assert.strictEqual(yield* num.Add({ by: 1 }), 42)
      }).pipe(Effect.provide(app({ terminate })))
    })
  }

  it.effect("is skipped on a kill, idle or at work", () => {
    const { noted, terminate } = noting()
    return Effect.gen(function*() {
      const num = yield* Num
      yield* num.Add({ by: 1 })
      yield* Process.kill(num)
      const hanging = yield* now(num.Hang())
      yield* Effect.yieldNow
      yield* Process.kill(num)
      assert.strictEqual(tagOf(yield* Fiber.await(hanging)), "Crashed")
      assert.deepStrictEqual(noted, [])
    }).pipe(Effect.provide(app({ terminate })))
  })

  it.effect("is skipped when init failed", () => {
    const { noted, terminate } = noting()
    return Effect.gen(function*() {
      const exit = yield* Effect.exit(Layer.build(app({ terminate, init: Effect.fail("no") })))
      assert.deepStrictEqual(exit, Exit.fail("no"))
      assert.deepStrictEqual(noted, [])
    })
  })

  it.effect("runs when the tree is shut down, idle or at work, and the tree waits for it", () =>
    Effect.gen(function*() {
      for (const busy of [false, true]) {
        const { noted, terminate } = noting()
        const gate = Latch.makeUnsafe()
        const scope = yield* Scope.make()
        const context = yield* Layer.buildWithScope(
          app({ terminate: (reason, state) => Effect.andThen(gate.await, terminate(reason, state)) }),
          scope
        )
        yield* Effect.gen(function*() {
          const num = yield* Num
          yield* num.Add({ by: 1 })
          if (busy) yield* now(Effect.exit(num.Hang()))
          const closing = yield* now(Scope.close(scope, Exit.void))
          yield* TestClock.adjust("1 second")
          assert.isUndefined(closing.pollUnsafe())
          yield* gate.open
          yield* Fiber.join(closing)
          assert.deepStrictEqual(noted, ["Shutdown 1"])
        }).pipe(Effect.provide(context))
      }
    }))

  it.effect("that fails makes an orderly end a crash: a transient server is restarted", () => {
    let failing = true
    return Effect.gen(function*() {
      const harness = yield* Harness.Harness
      const num = yield* Num
      yield* num.Add({ by: 41 })
      const exit = yield* Effect.exit(GenServer.stop(num))
      assert.include(String(exit), "ended crashed: cannot clean up")
      const exited = yield* harness.awaitTag("Exited", num)
      assert.strictEqual(exited.reason._tag, "Crashed")
      failing = false
      assert.strictEqual(yield* num.Add({ by: 1 }), 42)
      yield* GenServer.stop(num)
      assert.strictEqual(yield* Process.status(num), "stopped")
    }).pipe(Effect.provide(app({
      terminate: () => failing ? Effect.die("cannot clean up") : undefined,
      server: { restart: "transient" }
    })))
  })

  it.effect("that fails after a crash leaves the crash the reason", () =>
    Effect.gen(function*() {
      const harness = yield* Harness.Harness
      const num = yield* Num
      yield* Effect.exit(num.Crash({ how: "throw" }))
      const { reason } = yield* harness.awaitTag("Exited", num)
      assert.isTrue(reason._tag === "Crashed" && String(Cause.squash(reason.cause)).includes("boom"))
    }).pipe(Effect.provide(app({
      terminate: () => {
        throw new Error("cannot clean up")
      }
    }))))

  for (const style of ["at once", "later"] as const) {
    it.effect(`may end it for another reason than the one it was given, ${style}`, () => {
      const last: ExitReason = { _tag: "Shutdown", detail: "my own" }
      const stop = Next.stop(last)
      return Effect.gen(function*() {
        const harness = yield* Harness.Harness
        const num = yield* Num
        yield* num.Add({ by: 41 })
        for (const end of [GenServer.stop(num), num.Crash({ how: "throw" }), num.Crash({ how: "late" })]) {
          yield* harness.clear
          yield* Effect.exit(end)
          const { reason } = yield* harness.awaitTag("Exited", num)
          assert.deepStrictEqual(reason, last)
          assert.strictEqual(yield* num.Add({ by: 0 }), 41)
        }
        yield* harness.clear
        yield* Process.kill(num)
        assert.strictEqual((yield* harness.awaitTag("Exited", num)).reason._tag, "Killed")
      }).pipe(Effect.provide(app({
        terminate: () => style === "at once" ? stop : Effect.as(Effect.yieldNow, stop),
        supervisor: Restart.intensity({ restarts: 4, within: "1 hour" })
      })))
    })
  }

  it.effect("that does not end is abandoned at the shutdown timeout, and the next incarnation comes up", () =>
    Effect.gen(function*() {
      const harness = yield* Harness.Harness
      const num = yield* Num
      yield* num.Add({ by: 41 })
      const crashing = yield* now(Effect.exit(num.Crash({ how: "die" })))
      const waiting = yield* now(num.Add({ by: 1 }, { timeout: "infinity" }))
      yield* TestClock.adjust("999 millis")
      assert.isUndefined(waiting.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      yield* harness.awaitTag("Abandoned", num)
      assert.include(String(yield* Fiber.join(crashing)), "was ended (killed)")
      assert.strictEqual(yield* Fiber.join(waiting), 42)
    }).pipe(Effect.provide(app({
      terminate: (reason) => reason._tag === "Crashed" ? Effect.never : undefined,
      server: { shutdown: "1 second" }
    }))))
})

describe("Next.stop", () => {
  for (const orderly of [true, false]) {
    for (const reply of [true, false]) {
      for (const state of [true, false]) {
        const name = `${orderly ? "in order" : "with a crash"}, ${reply ? "with" : "without"} a reply, ` +
          `${state ? "with" : "without"} a last state`
        it.effect(name, () => {
          const { noted, terminate } = noting()
          return Effect.gen(function*() {
            const num = yield* Num
            yield* num.Add({ by: 1 })
            const exit = yield* Effect.exit(num.Stop({ orderly, reply, state }))
            // Its caller hears of it when it is over.
            const last = state ? 1001 : 1
            assert.deepStrictEqual(noted, [`${orderly ? "Normal" : "Crashed"} ${last}`])
            if (reply) assert.deepStrictEqual(exit, Exit.succeed("bye"))
            else assert.strictEqual(tagOf(exit), "Crashed")
            assert.strictEqual(yield* num.Add({ by: 0 }), last)
            assert.strictEqual(yield* Process.incarnation(num), 2)
          }).pipe(Effect.provide(app({ terminate })))
        })
      }
    }
  }

  for (const restart of ["permanent", "transient"] as const) {
    it.effect(`with a reply: its caller finds the server ${restart === "permanent" ? "restarting" : "gone"}`, () =>
      Effect.gen(function*() {
        const num = yield* Num
        const stop = num.Stop({ orderly: true, reply: true, state: false })
        const status = yield* Effect.andThen(stop, Process.status(num))
        assert.strictEqual(status, restart === "permanent" ? "restarting" : "stopped")
        const exit = yield* Effect.exit(num.Add({ by: 1 }))
        if (restart === "permanent") assert.deepStrictEqual(exit, Exit.succeed(1))
        else assert.strictEqual(tagOf(exit), "NotRunning")
      }).pipe(Effect.provide(app({ server: { restart }, terminate: () => Effect.yieldNow }))))
  }

  it.effect("of a server that is not restarted: without a reply its caller gets NotRunning", () =>
    Effect.gen(function*() {
      const num = yield* Num
      const exit = yield* Effect.exit(num.Stop({ orderly: true, reply: false, state: false }))
      assert.strictEqual(tagOf(exit), "NotRunning")
      assert.strictEqual(yield* Process.status(num), "stopped")
    }).pipe(Effect.provide(app({ server: { restart: "transient" } }))))
})
