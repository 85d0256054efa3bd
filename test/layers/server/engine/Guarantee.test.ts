import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Option, Schema } from "effect"
import { GenServer, Process, StateContainer, Supervisor } from "../../../../src/index.ts"
import { tableOf } from "../../../../src/layers/state/container/Container.ts"
import { Harness } from "../../../../src/testing.ts"
import { along, Cell, everyWay, gates, type Path, Refused, type Style, tree } from "../../../kit/Cell.ts"
import { errorOf } from "../../../kit/Failures.ts"
import { sinkOf } from "../../../kit/Sinks.ts"

class Clumsy extends GenServer.Service<Clumsy>()("test/Clumsy", {
  state: Schema.Int,
  messages: { Refuse: GenServer.call({ error: Refused }) }
}) {}

/** A promise about one call, held on every path and by every style of handler. */
const promise = (
  name: string,
  body: (way: {
    readonly path: Path
    readonly style: Style
    readonly run: <A, E, R>(call: Effect.Effect<A, E, R>) => Effect.Effect<Exit.Exit<A, E>, never, R>
    readonly cell: typeof Cell.Service
  }) => Effect.Effect<void, unknown, Harness.Harness | typeof Cell.StateContainer.Identifier>
) =>
  describe(name, () => {
    for (const [path, style] of everyWay) {
      const own = gates()
      it.effect(`${style}, ${path}`, () =>
        Effect.gen(function*() {
          const cell = yield* Cell
          yield* cell.Add({ by: 40 })
          yield* body({ path, style, cell, run: (call) => along(path, cell, own, call) })
          const { telemetry } = yield* Harness.Harness
          assert.strictEqual(sinkOf(telemetry).counters.queued, 0, "messages waiting at the end")
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
      assert.strictEqual(yield* Process.incarnation(cell), path === "restarting" ? 2 : 1)
    })
)

describe("a reply whose state is refused is never given: an incarnation that was left behind ends", () => {
  for (const [path, style] of everyWay.filter(([path]) => path === "idle" || path === "deep")) {
    const own = gates()
    it.effect(`${style}, ${path}`, () =>
      Effect.gen(function*() {
        const cell = yield* Cell
        const harness = yield* Harness.Harness
        yield* cell.Add({ by: 40 })
        const companion = tableOf(yield* Cell.StateContainer).claim("", cell[Process.processOf])
        companion.fenceOff(1)
        const reason = errorOf(yield* along(path, cell, own, cell.Add({ by: 1 })))?.reason
        assert.strictEqual(reason?._tag, "Crashed")
        if (reason?._tag === "Crashed") assert.instanceOf(Cause.squash(reason.cause), GenServer.Fenced)
        assert.deepInclude(yield* harness.awaitTag("WriteFenced", cell), { incarnation: 1, current: 2 })
        assert.strictEqual(yield* cell.Get(), 40)
        assert.strictEqual(yield* Process.incarnation(cell), 2)
      }).pipe(Effect.provide(tree(style, own))))
  }
})

const crash = (
  name: string,
  send: (cell: typeof Cell.Service) => Effect.Effect<unknown, GenServer.CallError>,
  check: (cause: Cause.Cause<unknown>) => void
) =>
  promise(name, ({ cell, path, run }) =>
    Effect.gen(function*() {
      const error = errorOf(yield* run(send(cell)))
      assert.instanceOf(error, GenServer.CallError)
      assert.strictEqual(error.server, "root > test/Cell")
      assert.strictEqual(error.reason._tag, "Crashed")
      if (error.reason._tag !== "Crashed") return
      assert.isTrue(error.reason.willRestart)
      check(error.reason.cause)
      assert.strictEqual(yield* cell.Get(), 40)
      assert.strictEqual(yield* Process.incarnation(cell), path === "restarting" ? 3 : 2)
    }))

crash("a defect ends the incarnation, fails the call, and keeps the state", (cell) => cell.Die(), (cause) => {
  assert.isTrue(Cause.hasDies(cause))
})

crash("a handler that is interrupted is a crash, and keeps the state", (cell) => cell.Interrupt(), (cause) => {
  assert.isTrue(Cause.hasInterruptsOnly(cause))
})

crash("an invalid result is a crash that says so, and keeps the state", (cell) => cell.Invalid(), (cause) => {
  assert.instanceOf(Cause.squash(cause), GenServer.InvalidResult)
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
  "a cast that crashes the server keeps the state and the messages queued behind it",
  ({ cell, run }) =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* run(Effect.andThen(cell.DieUnasked(), cell.Add({ by: 1 }))), Exit.succeed(41))
    })
)

it.effect("a typed failure that comes with a defect is a crash", () =>
  Effect.gen(function*() {
    const clumsy = yield* Clumsy
    const error = yield* Effect.flip(clumsy.Refuse())
    assert.instanceOf(error, GenServer.CallError)
    if (error instanceof GenServer.CallError) assert.strictEqual(error.reason._tag, "Crashed")
    assert.strictEqual(yield* Process.incarnation(clumsy), 2)
  }).pipe(Effect.provide(
    Supervisor.layer({ strategy: "one_for_one" }, [
      StateContainer.layerMemory(Clumsy),
      Clumsy.layer({
        init: 0,
        handlers: {
          Refuse: () =>
            Effect.failCause(Cause.combine(Cause.fail(new Refused({ by: 1 })), Cause.die(new Error("boom"))))
        }
      })
    ])
  )))

it.effect("an idle server answers a plain handler's call on its caller's stack, also after it was busy, and after a crash", () => {
  const own = gates()
  return Effect.gen(function*() {
    const cell = yield* Cell
    assert.strictEqual(Effect.runSync(cell.Add({ by: 1 })), 1)
    for (const path of ["busy", "deep", "restarting"] as const) {
      yield* along(path, cell, own, cell.Get())
      yield* Effect.yieldNow
      assert.strictEqual(Effect.runSync(cell.Add({ by: 0 })), 1)
    }
    yield* Effect.exit(cell.Die())
    assert.strictEqual(Effect.runSync(cell.Add({ by: 0 })), 1)
  }).pipe(Effect.provide(tree("a plain handler", own)))
})

class Nesting extends GenServer.Service<Nesting>()("test/Nesting", {
  state: Schema.Int,
  messages: { Nest: GenServer.call({ reply: Schema.Int }), Get: GenServer.call({ reply: Schema.Int }) }
}) {}

for (const [what, inner] of [["fails", Exit.fail(7)], ["succeeds", Exit.succeed([7, 7])]] as const) {
  it.effect(`an Effect as a result of a handler's Effect is no answer, and its own result is dropped (it ${what})`, () =>
    Effect.gen(function*() {
      const nesting = yield* Nesting
      const { reason } = yield* Effect.flip(nesting.Nest())
      assert.strictEqual(reason._tag, "Crashed")
      assert.strictEqual(yield* nesting.Get(), 0)
    }).pipe(Effect.provide(Supervisor.layer({ strategy: "one_for_one" }, [
      StateContainer.layerMemory(Nesting),
      Nesting.layer({
        init: 0,
        handlers: {
          // What no handler may return: the type checker knows it, the engine has to.
          Nest: () => Effect.sync(() => inner as unknown as readonly [number, number]),
          Get: (n) => [n, n]
        }
      })
    ]))))
}

class Twice extends GenServer.Service<Twice>()("test/Twice", {
  state: Schema.Int,
  messages: { Ask: GenServer.call({ reply: Schema.Int }), AskSoftly: GenServer.call({ reply: Schema.Int }) }
}) {}

for (const message of ["Ask", "AskSoftly"] as const) {
  it.effect(`of a handler that has given its answer by GenServer.reply and then returns another, the first counts (${message})`, () =>
    Effect.gen(function*() {
      const twice = yield* Twice
      assert.deepStrictEqual([yield* twice[message](), yield* twice[message]()], [100, 101])
    }).pipe(Effect.provide(Supervisor.layer({ strategy: "one_for_one" }, [
      StateContainer.layerMemory(Twice),
      Twice.layer({
        init: 0,
        handlers: {
          Ask: (n, _, { from }) => {
            Effect.runSync(GenServer.reply(from, Exit.succeed(100 + n)))
            return [n, n + 1]
          },
          AskSoftly: (n, _, { from }) => Effect.as(GenServer.reply(from, Exit.succeed(100 + n)), [n, n + 1] as const)
        }
      })
    ]))))
}
