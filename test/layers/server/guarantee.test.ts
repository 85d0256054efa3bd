import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Option } from "effect"
import { CallError, InvalidResult } from "../../../src/domain/Errors.ts"
import { GenServer } from "../../../src/index.ts"
import { Harness } from "../../../src/layers/testing/Harness.ts"
import { along, Cell, everyWay, gates, type Path, Refused, type Style, tree } from "./cell.ts"

const errorOf = <A, E>(exit: Exit.Exit<A, E>): E | undefined =>
  exit._tag === "Failure" ? Option.getOrUndefined(Cause.findErrorOption(exit.cause)) : undefined

/** A promise about one call, held on every path and by every style of handler. */
const promise = (
  name: string,
  body: (way: {
    readonly path: Path
    readonly style: Style
    readonly run: <A, E, R>(call: Effect.Effect<A, E, R>) => Effect.Effect<Exit.Exit<A, E>, never, R>
    readonly cell: typeof Cell.Service
  }) => Effect.Effect<void, unknown, Harness | typeof Cell.StateContainer.Identifier>
) =>
  describe(name, () => {
    for (const [path, style] of everyWay) {
      const own = gates()
      it.effect(`${style}, ${path}`, () =>
        Effect.gen(function*() {
          const cell = yield* Cell
          yield* cell.Add({ by: 40 })
          yield* body({ path, style, cell, run: (call) => along(path, cell, own, call) })
          const { telemetry } = yield* Harness
          assert.strictEqual(telemetry.counters.queued, 0, "messages waiting at the end")
        }).pipe(Effect.provide(tree(style, own))))
    }
  })

promise(
  "a call is answered with its handler's reply, and the next state is the server's",
  ({ cell, run }) =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* run(cell.Add({ by: 1 })), Exit.succeed(41))
      assert.strictEqual(yield* cell.Get(), 41)
    })
)

promise("the state is conserved before the caller hears of it", ({ cell, run }) =>
  Effect.gen(function*() {
    const companion = (yield* Cell.StateContainer).for()
    const seen = yield* run(Effect.andThen(cell.Add({ by: 1 }), companion.get))
    assert.deepStrictEqual(seen, Exit.succeed(Option.some(41)))
  }))

promise(
  "a typed failure is a reply, not a crash: the state is as it was",
  ({ cell, path, run }) =>
    Effect.gen(function*() {
      const exit = yield* run(cell.Refuse({ by: 7 }))
      assert.deepStrictEqual(errorOf(exit), new Refused({ by: 7 }))
      assert.strictEqual(yield* cell.Get(), 40)
      assert.strictEqual(yield* GenServer.incarnation(cell), path === "restarting" ? 2 : 1)
    })
)

const crash = (
  name: string,
  send: (cell: typeof Cell.Service) => Effect.Effect<unknown, CallError>,
  check: (cause: Cause.Cause<unknown>) => void
) =>
  promise(name, ({ cell, path, run }) =>
    Effect.gen(function*() {
      const error = errorOf(yield* run(send(cell)))
      assert.instanceOf(error, CallError)
      assert.strictEqual(error.server, "root/test/Cell")
      assert.strictEqual(error.reason._tag, "Crashed")
      if (error.reason._tag !== "Crashed") return
      assert.isTrue(error.reason.willRestart)
      check(error.reason.cause)
      assert.strictEqual(yield* cell.Get(), 40)
      assert.strictEqual(yield* GenServer.incarnation(cell), path === "restarting" ? 3 : 2)
    }))

crash("a defect ends the incarnation, fails the call, and keeps the state", (cell) => cell.Die(), (cause) => {
  assert.isTrue(Cause.hasDies(cause))
})

crash("a handler that is interrupted is a crash, and keeps the state", (cell) => cell.Interrupt(), (cause) => {
  assert.isTrue(Cause.hasInterruptsOnly(cause))
})

crash("an invalid result is a crash that says so, and keeps the state", (cell) => cell.Invalid(), (cause) => {
  assert.instanceOf(Cause.squash(cause), InvalidResult)
})

promise(
  "a cast becomes the state before any later message of its sender is handled",
  ({ cell, run }) =>
    Effect.gen(function*() {
      const companion = (yield* Cell.StateContainer).for()
      assert.deepStrictEqual(yield* run(Effect.andThen(cell.Put({ to: 7 }), cell.Get())), Exit.succeed(7))
      assert.deepStrictEqual(yield* companion.get, Option.some(7))
    })
)

promise(
  "a cast that crashes the server keeps the state and what is queued behind it",
  ({ cell, run }) =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* run(Effect.andThen(cell.DieUnasked(), cell.Add({ by: 1 }))), Exit.succeed(41))
    })
)
