/** A server is free before its caller goes on, and goes on by itself with what it was sent. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Option, Schema } from "effect"
import { Idle, type Phase } from "../../../../src/domain/server/Phase.ts"
import { GenServer, Next, StateContainer, Supervisor, Sys } from "../../../../src/index.ts"
import { serverOf } from "../../../../src/layers/server/class/ServerRef.ts"
import { Cell, gates, styles, tree } from "../../../kit/Cell.ts"
import { now, turns } from "../../../kit/Fibers.ts"
import { often } from "../../../kit/Restarts.ts"

describe("a server is free before its caller goes on", () => {
  const [again, reused, promised] = [{ idempotencyKey: "again" }, { idempotencyKey: "reused" }, {
    idempotencyKey: "later"
  }]
  const ways = {
    "an answer on record": (cell: typeof Cell.Service) => cell.Add({ by: 1 }, again),
    "a key that has answered another call": (cell: typeof Cell.Service) => cell.Add({ by: 2 }, reused),
    "a key of another call that is promised its reply": (cell: typeof Cell.Service) => cell.Add({ by: 2 }, promised),
    "a reply": (cell: typeof Cell.Service) => cell.Add({ by: 1 }),
    "a typed failure": (cell: typeof Cell.Service) => cell.Refuse({ by: 1 }),
    "a look of the system": (cell: typeof Cell.Service) => Sys.getState(cell),
    "a change by the system": (cell: typeof Cell.Service) => Sys.replaceState(cell, (n) => n + 1)
  } satisfies Record<string, (cell: typeof Cell.Service) => Effect.Effect<unknown, unknown>>

  for (const style of styles) {
    for (const [what, way] of Object.entries(ways)) {
      it.effect(`${what}: ${style}`, () => {
        const own = gates()
        return Effect.gen(function*() {
          const cell = yield* Cell
          const server = serverOf(cell)!
          const phases: Array<Phase> = []
          const asking: Effect.Effect<unknown, unknown> = way(cell)
          yield* cell.Add({ by: 1 }, again)
          yield* cell.Add({ by: 1 }, reused)
          yield* now(Effect.exit(cell.Later({}, promised)))
          yield* turns
          yield* own.hold.close
          yield* now(cell.Hold())
          const caller = yield* now(Effect.exit(asking).pipe(Effect.tap(Effect.sync(() => phases.push(server.phase)))))
          assert.deepStrictEqual(phases, [])
          yield* own.hold.open
          yield* Fiber.join(caller)
          assert.deepStrictEqual(phases, [Idle])
        }).pipe(Effect.provide(tree(style, own)))
      })
    }
  }
})

class Sum extends GenServer.Service<Sum>()("test/Sum", {
  state: Schema.Int,
  messages: {
    /** Asks for an idle callback, an hour from now. */
    Arm: GenServer.call(),
    Add: GenServer.cast({ payload: { by: Schema.Int } }),
    Crash: GenServer.call()
  }
}) {}

const conserved = Effect.flatMap(Sum.StateContainer, (container) => container.for().get)

const sum = () =>
  Supervisor.layer({ id: "root", strategy: "one_for_one", restart: often }, [
    StateContainer.layerMemory(Sum),
    Sum.layer({
      init: 0,
      handlers: {
        Arm: (n) => Next.reply(undefined, n, { idleAfter: "1 hour" }),
        Add: (n, { by }) => n + by,
        Crash: () => Effect.die("boom")
      },
      idle: (n) => n
    })
  ])

describe("a cast is handled when nothing else comes, by a server", () => {
  const before = {
    "that is idle": () => Effect.void,
    "with an idle timer": (own: typeof Sum.Service) => own.Arm(),
    "with a debug log": (own: typeof Sum.Service) => Sys.log(own, 10),
    "that was suspended and resumed": (own: typeof Sum.Service) => Effect.andThen(Sys.suspend(own), Sys.resume(own)),
    "that was restarted": (own: typeof Sum.Service) => Effect.ignore(own.Crash())
  } satisfies Record<string, (own: typeof Sum.Service) => Effect.Effect<unknown, unknown>>
  for (const [what, prepare] of Object.entries(before)) {
    for (const span of ["without a span", "in a span"]) {
      it.effect(`${what}, sent ${span}`, () =>
        Effect.gen(function*() {
          const own = yield* Sum
          yield* prepare(own)
          yield* turns
          yield* span === "in a span" ? Effect.withSpan(own.Add({ by: 7 }), "sender") : own.Add({ by: 7 })
          yield* turns
          assert.deepStrictEqual(yield* conserved, Option.some(7))
        }).pipe(Effect.provide(sum())))
    }
  }

  it.effect("that was suspended meanwhile", () =>
    Effect.gen(function*() {
      const own = yield* Sum
      yield* Sys.suspend(own)
      yield* own.Add({ by: 7 })
      yield* turns
      assert.deepStrictEqual(yield* conserved, Option.none())
      yield* Sys.resume(own)
      yield* turns
      assert.deepStrictEqual(yield* conserved, Option.some(7))
    }).pipe(Effect.provide(sum())))
})
