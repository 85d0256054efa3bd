import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Latch, Layer, Option, Schema, Scope } from "effect"
import { GenServer, Next, Process, StateContainer, Supervisor } from "../../../../src/index.ts"
import { Harness } from "../../../../src/testing.ts"
import { branch, Cell, gates, Top, tree } from "../../../kit/Cell.ts"
import { now, poll, turns } from "../../../kit/Fibers.ts"
import { never, often } from "../../../kit/Restarts.ts"
import { sinkOf } from "../../../kit/Sinks.ts"

const reasonOf = (exit: Exit.Exit<unknown, unknown> | undefined): string => {
  if (exit === undefined) return "no answer"
  if (exit._tag === "Success") return "answered"
  const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
  return error instanceof GenServer.CallError ? error.reason._tag : "other"
}

/**
 * Ends a server with one call in hand, one that was promised a later reply, one in its mailbox and one that waits for
 * room, and says how each is answered. The promised one is answered as the one in hand.
 */
const ending = (
  name: string,
  options: {
    readonly end: (cell: typeof Cell.Service, scope: Scope.Closeable) => Effect.Effect<unknown>
    readonly supervisor?: Partial<Supervisor.Options>
    readonly server?: GenServer.Options
    readonly inHand: string
    readonly queued: string
    readonly later: string
  }
) =>
  it.effect(name, () => {
    const own = gates()
    const { end, inHand, later, queued, server, supervisor } = options
    return Effect.gen(function*() {
      const scope = yield* Scope.make()
      const app = Layer.provideMerge(
        Supervisor.layer({ id: "top", strategy: "one_for_one", restart: never }, [
          branch("a plain handler", own, { mailbox: { capacity: 1 }, ...server }, { restart: often, ...supervisor })
        ]),
        Harness.Harness.layer
      )
      const context = yield* Layer.buildWithScope(app, scope)
      yield* Effect.gen(function*() {
        const cell = yield* Cell
        yield* cell.Add({ by: 1 })
        const promised = yield* now(cell.Later())
        yield* own.hold.close
        const held = yield* now(cell.Hold())
        const waits = yield* now(cell.Get({}, { timeout: "infinity" }))
        const beforeFull = yield* now(cell.Get({}, { timeout: "infinity" }))
        yield* end(cell, scope)
        yield* turns
        const answers = [poll(held), poll(promised), poll(waits), poll(beforeFull)]
        assert.deepStrictEqual(answers.map(reasonOf), [inHand, inHand, queued, queued])
        assert.strictEqual(reasonOf(yield* Effect.exit(cell.Get({}, { timeout: "infinity" }))), later)
        const { telemetry } = yield* Harness.Harness
        assert.strictEqual(sinkOf(telemetry).counters.queued, 0)
        yield* own.hold.open
      }).pipe(Effect.provide(context))
      yield* Scope.close(scope, Exit.void)
    })
  })

describe("every caller gets an answer", () => {
  ending("when the server is killed: those queued are served by the next incarnation", {
    end: (cell) => Process.kill(cell),
    inHand: "Crashed",
    queued: "answered",
    later: "answered"
  })

  ending("when it gets an exit signal", {
    end: (cell) => Process.exit(cell, { _tag: "Shutdown" }),
    inHand: "Crashed",
    queued: "answered",
    later: "answered"
  })

  ending("when it ends for good", {
    end: (cell) => Process.exit(cell, { _tag: "Shutdown" }),
    server: { restart: "transient" },
    inHand: "NotRunning",
    queued: "NotRunning",
    later: "NotRunning"
  })

  ending("when it crashes and is temporary", {
    end: (cell) => Process.kill(cell),
    server: { restart: "temporary" },
    inHand: "Crashed",
    queued: "NotRunning",
    later: "NotRunning"
  })

  ending("when its tree is shut down", {
    end: (_cell, scope) => Scope.close(scope, Exit.void),
    inHand: "NotRunning",
    queued: "NotRunning",
    later: "NotRunning"
  })

  ending("when its supervisor gives up, and is not restarted", {
    end: (cell) => Process.kill(cell),
    supervisor: { restart: never },
    inHand: "Crashed",
    queued: "NotRunning",
    later: "NotRunning"
  })
})

describe("a parked server", () => {
  it.effect("holds what is queued, answers new calls Parked, and goes on with its state when resumed", () => {
    const own = gates()
    return Effect.gen(function*() {
      const cell = yield* Cell
      const supervisor = yield* Top
      yield* cell.Add({ by: 41 })
      yield* own.hold.close
      const held = yield* now(cell.Hold())
      const queued = yield* now(cell.Add({ by: 1 }))
      yield* Process.kill(cell)
      assert.strictEqual(reasonOf(yield* Fiber.await(held)), "Crashed")
      assert.strictEqual(yield* Process.status(cell), "parked")
      assert.isUndefined(queued.pollUnsafe())
      assert.strictEqual(reasonOf(yield* Effect.exit(cell.Get())), "Parked")
      yield* cell.Put({ to: 7 })
      yield* own.hold.open
      yield* supervisor.resumeChild("test/Cell")
      assert.strictEqual(yield* Fiber.join(queued), 42)
      assert.strictEqual(yield* cell.Get(), 7)
    }).pipe(Effect.provide(parked(own)))
  })

  it.effect("answers those queued NotRunning when it is terminated, or its tree is shut down", () => {
    const own = gates()
    return Effect.gen(function*() {
      for (const end of ["terminate", "shut down"]) {
        const scope = yield* Scope.make()
        const context = yield* Layer.buildWithScope(parked(own), scope)
        yield* Effect.gen(function*() {
          const cell = yield* Cell
          const supervisor = yield* Top
          yield* own.hold.close
          yield* now(Effect.exit(cell.Hold()))
          const queued = yield* now(cell.Get())
          yield* Process.kill(cell)
          assert.isUndefined(queued.pollUnsafe())
          if (end === "terminate") yield* supervisor.terminateChild("test/Cell")
          else yield* Scope.close(scope, Exit.void)
          assert.strictEqual(reasonOf(yield* Fiber.await(queued)), "NotRunning")
          yield* own.hold.open
        }).pipe(Effect.provide(context))
        yield* Scope.close(scope, Exit.void)
      }
    })
  })
})

const parked = (own: ReturnType<typeof gates>) => tree("a plain handler", own, {}, { restart: never, onGiveUp: "park" })

it.effect("a later reply that is to be put on record comes too late when the server is down: no state is made up", () => {
  class Slow extends GenServer.Service<Slow>()("test/Slow", {
    state: Schema.Int,
    messages: {
      Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }),
      Later: GenServer.call({ reply: Schema.Int })
    }
  }) {}
  const callers: Array<GenServer.From<number, never>> = []
  const gate = Latch.makeUnsafe()
  const slow = Slow.layer({
    init: 0,
    handlers: {
      Add: (n, { by }) => [n + by, n + by],
      Later: (n, _payload, { from }) => {
        callers.push(from)
        return Next.noReply(n)
      }
    }
  })
  const sibling = Supervisor.worker("sibling", Effect.ensuring(Effect.never, gate.await))
  const app = Supervisor.layer({ strategy: "one_for_one", restart: often }, [
    Supervisor.layer({ id: "inner", strategy: "one_for_one", restart: never }, [
      StateContainer.layerMemory(Slow),
      sibling,
      slow
    ])
  ])
  return Effect.gen(function*() {
    const slow = yield* Slow
    yield* slow.Add({ by: 41 })
    const caller = yield* now(slow.Later({}, { idempotencyKey: "once" }))
    yield* slow.Add({ by: 0 })
    assert.lengthOf(callers, 1)
    yield* Process.kill(slow)
    // Its supervisor has given up, and waits for the sibling: the fate of the server is still open.
    yield* GenServer.reply(callers[0]!, Exit.succeed(7))
    assert.isUndefined(caller.pollUnsafe())
    yield* gate.open
    assert.strictEqual(reasonOf(yield* Fiber.await(caller)), "Crashed")
    assert.strictEqual(yield* slow.Add({ by: 1 }), 42)
  }).pipe(Effect.ensuring(gate.open), Effect.provide(app))
})
