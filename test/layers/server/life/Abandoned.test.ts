/** Fibers that end after their waiters are gone. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Latch, Layer, Option, Schema } from "effect"
import { TestClock } from "effect/testing"
import type { CrashReport } from "../../../../src/domain/observation/CrashReport.ts"
import { DynamicSupervisor, GenServer, Process, StateContainer, Supervisor } from "../../../../src/index.ts"
import * as Turn from "../../../../src/layers/process/Turn.ts"
import { Harness } from "../../../../src/testing.ts"
import { now } from "../../../kit/Fibers.ts"
import { often } from "../../../kit/Restarts.ts"
import { sinkOf } from "../../../kit/Sinks.ts"

class Num extends GenServer.Service<Num>()("test/Num", {
  state: Schema.Int,
  messages: {
    Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }),
    Do: GenServer.call({ reply: Schema.Int }),
    DoAgain: GenServer.call({ reply: Schema.Int, redeliver: { maxAttempts: 2 } }),
    Note: GenServer.cast(),
    NoteAgain: GenServer.cast({ redeliver: { maxAttempts: 2 } }),
    Hold: GenServer.call({ timeout: "infinity" })
  }
}) {}

class Top extends Supervisor.Service<Top>()("test/Top") {}

class Pool extends DynamicSupervisor.Service<Pool>()("test/Pool") {}

const app = Layer.provideMerge(
  Top.layer({ id: "root", strategy: "one_for_one" }, [StateContainer.layerMemory(Num), Pool.layer({})]),
  Harness.Harness.layer
)

/**
 * When a handler does something to its server: while it makes its answer, or while that is run, with or without a wait.
 */
const styles = {
  "a plain handler": (work, answer) => {
    Effect.runFork(work)
    return answer
  },
  "an effectful handler": (work, answer) => Effect.as(beside(work), answer),
  "one that cannot be interrupted": (work, answer) => Effect.uninterruptible(Effect.as(beside(work), answer)),
  "one that waits afterwards": (work, answer) =>
    Effect.uninterruptible(Effect.as(Effect.andThen(beside(work), Effect.yieldNow), answer))
} satisfies Record<
  string,
  <A>(work: Effect.Effect<unknown>, answer: A) => A | Effect.Effect<A>
>

type Style = typeof styles[keyof typeof styles]

const beside = (work: Effect.Effect<unknown>) => Effect.forkDetach(work, { startImmediately: true })

const hold = Latch.makeUnsafe(true)

const behaving = (style: Style, work: Effect.Effect<unknown>) => ({
  init: 0,
  handlers: {
    Add: (n: number, { by }: { readonly by: number }) => [n + by, n + by] as const,
    Do: (n: number) => style(work, [n + 1, n + 1] as const),
    DoAgain: (n: number, _: object, { attempt }: { readonly attempt: number }) =>
      attempt > 1 ? [n + 1, n + 1] as const : style(work, [n + 1, n + 1] as const),
    Note: (n: number) => style(work, n + 1),
    NoteAgain: (n: number, _: object, { attempt }: { readonly attempt: number }) =>
      attempt > 1 ? n + 1 : style(work, n + 1),
    Hold: (n: number) => Effect.as(hold.await, [undefined, n] as const)
  }
})

const start = (work: Effect.Effect<unknown>, style: Style = Effect.as) =>
  Effect.flatMap(
    Pool,
    (pool) => pool.startChild(Num.recipe(behaving(style, work), { key: "a", shutdown: "brutal_kill" }))
  )

const conserved = Effect.flatMap(Num.StateContainer, (container) => container.for("a").get)

it.effect("a supervisor may be given more patience than its child's recipe has", () =>
  Effect.gen(function*() {
    const pool = yield* Pool
    const harness = yield* Harness.Harness
    const recipe = Num.recipe({ ...behaving(Effect.as, Effect.void), terminate: () => Effect.sleep("1 minute") }, {
      key: "a"
    })
    const num = yield* pool.startChild(recipe, { shutdown: "infinity" })
    const terminated = yield* Effect.forkChild(pool.terminateChild(num), { startImmediately: true })
    yield* TestClock.adjust("59 seconds")
    assert.isUndefined(terminated.pollUnsafe())
    yield* TestClock.adjust("1 second")
    yield* Fiber.join(terminated)
    assert.notInclude(yield* harness.historyOf(num), "Abandoned")
  }).pipe(Effect.provide(app)))

it.effect("a patience that has run out for an incarnation that is gone says nothing to the next one", () =>
  Effect.gen(function*() {
    const [top, harness] = [yield* Top, yield* Harness.Harness]
    const { handlers, init } = behaving(Effect.as, Effect.void)
    const Hold = (n: number) => Effect.uninterruptible(handlers.Hold(n))
    yield* hold.close
    const num = yield* top.startChild(Num.recipe({ init, handlers: { ...handlers, Hold } }, { key: "a" }), {
      shutdown: "brutal_kill"
    })
    const held = yield* Effect.forkChild(Effect.exit(num.Hold()), { startImmediately: true })
    // Its patience is the recipe's, 5 seconds; its supervisor has none.
    num[Process.processOf].exit({ _tag: "Shutdown" })
    yield* top.terminateChild("test/Num/a")
    yield* Fiber.join(held)
    yield* top.restartChild("test/Num/a")
    const again = yield* Effect.forkChild(Effect.exit(num.Hold()), { startImmediately: true })
    yield* TestClock.adjust("1 minute")
    assert.deepStrictEqual([yield* Process.incarnation(num), yield* Process.status(num)], [2, "running"])
    assert.lengthOf((yield* harness.historyOf(num)).filter((tag) => tag === "Abandoned"), 1)
    yield* hold.open
    yield* Fiber.join(again)
  }).pipe(Effect.provide(app)))

it.effect("a handler that has its own server terminated ends nothing twice", () =>
  Effect.gen(function*() {
    const harness = yield* Harness.Harness
    const pool = yield* Pool
    const ref: { num?: typeof Num.Service } = {}
    ref.num = yield* start(Effect.suspend(() => Effect.exit(pool.terminateChild(ref.num!))))
    const { num } = ref
    yield* num.Add({ by: 41 })
    const exit = yield* Effect.exit(num.Do())
    assert.include(String(exit), "was ended (killed)")
    yield* Effect.yieldNow
    assert.strictEqual(yield* Process.status(num), "stopped")
    assert.deepStrictEqual(yield* conserved, Option.some(41))
    const again = yield* start(Effect.void)
    assert.strictEqual(yield* again.Add({ by: 1 }), 42)
    const exits = (yield* harness.eventsOf(num)).filter((event) => event._tag === "Exited")
    assert.strictEqual(exits.length, 1)
  }).pipe(Effect.provide(app)))

it.effect("a handler that ends on a deep stack, and is abandoned before that is noticed, has no effect", () => {
  const gate = Latch.makeUnsafe()
  return Effect.gen(function*() {
    const pool = yield* Pool
    const num = yield* start(gate.await)
    yield* num.Add({ by: 41 })
    const working = yield* now(Effect.exit(num.Do()))
    const context = yield* Effect.context<never>()
    for (let i = 0; i < Turn.maxDepth; i++) Turn.enter()
    gate.openUnsafe()
    const terminating = Effect.runForkWith(context)(pool.terminateChild(num))
    for (let i = 0; i < Turn.maxDepth; i++) Turn.leave()
    yield* Fiber.join(terminating)
    assert.include(String(yield* Fiber.join(working)), "was ended (killed)")
    assert.strictEqual(yield* Process.status(num), "stopped")
    assert.deepStrictEqual(yield* conserved, Option.some(41))
    const again = yield* start(Effect.void)
    assert.strictEqual(yield* again.Add({ by: 1 }), 42)
  }).pipe(Effect.provide(app))
})

class Elder extends GenServer.Service<Elder>()("test/Elder", { state: Schema.Int, messages: {} }) {}

/** A server that is replaced, without being waited for, when the one before it is killed. */
const group = (style: Style) => regroup(Process.kill, style)

/** The same, whose handler does more. */
const regroup = (
  work: (elder: typeof Elder.Service) => Effect.Effect<unknown>,
  style: Style = styles["a plain handler"]
) =>
  Layer.provideMerge(
    Supervisor.layer({ id: "root", strategy: "rest_for_one", restart: often }, [
      StateContainer.layerMemory(Num),
      StateContainer.layerForget(Elder),
      Elder.layer({ init: 0, handlers: {} }),
      Num.layer(Effect.map(Elder, (elder) => Num.behavior(behaving(style, work(elder)))), {
        shutdown: "brutal_kill"
      })
    ]),
    Harness.Harness.layer
  )

for (const [name, style] of Object.entries(styles)) {
  describe(`${name} that has its own server killed at once`, () => {
    for (const path of ["idle", "busy"] as const) {
      for (const message of ["Do", "Note"] as const) {
        it.effect(`ends it once, and nothing of what it computes is kept: ${message}, ${path}`, () =>
          Effect.gen(function*() {
            const harness = yield* Harness.Harness
            const pool = yield* Pool
            const ref: { num?: typeof Num.Service } = {}
            ref.num = yield* start(Effect.suspend(() => Effect.exit(pool.terminateChild(ref.num!))), style)
            const { num } = ref
            yield* num.Add({ by: 41 })
            if (path === "busy") yield* hold.close
            const held = yield* now(Effect.exit(num.Hold()))
            const asking: Effect.Effect<unknown, unknown> = message === "Do" ? num.Do() : num.Note()
            const asked = yield* now(Effect.isFailure(asking))
            const behind = yield* now(Effect.exit(num.Add({ by: 1 })))
            yield* hold.open
            yield* Fiber.join(held)
            assert.strictEqual(yield* Fiber.join(asked), message === "Do")
            assert.include(String(yield* Fiber.join(behind)), "is not running and no start is due")
            for (let i = 0; i < 3; i++) yield* Effect.yieldNow
            assert.strictEqual(yield* Process.status(num), "stopped")
            assert.deepStrictEqual(yield* conserved, Option.some(41))
            const again = yield* start(Effect.void)
            assert.strictEqual(yield* again.Add({ by: 1 }), 42)
            const history = yield* harness.historyOf(num)
            assert.strictEqual(history.filter((tag) => tag === "Exited").length, 1)
            assert.strictEqual(sinkOf(harness.telemetry).counters.queued, 0)
          }).pipe(Effect.provide(app)))
      }
    }
  })

  describe(`${name} that has its own server restarted at once, with its group`, () => {
    it.effect("is answered Crashed, and the next incarnation knows nothing of it", () =>
      Effect.gen(function*() {
        const harness = yield* Harness.Harness
        const num = yield* Num
        yield* num.Add({ by: 41 })
        const { reason } = yield* Effect.flip(num.Do())
        assert.isTrue(reason._tag === "Crashed" && reason.willRestart)
        const reports: Array<CrashReport> = []
        const { telemetry } = harness
        const { crashed } = sinkOf(telemetry)
        sinkOf(telemetry).crashed = (report, context) => {
          reports.push(report)
          crashed.call(telemetry, report, context)
        }
        yield* Process.kill(num)
        assert.deepStrictEqual(reports.map(({ message }) => message), [undefined], "nothing was in hand any more")
        yield* num.Note()
        assert.strictEqual(yield* num.Add({ by: 0 }), 41)
        yield* Effect.yieldNow
        const fenced = (yield* harness.eventsOf(num)).filter((event) => event._tag === "WriteFenced")
        // An Effect is interrupted, and computes nothing that would have to be refused.
        assert.deepStrictEqual(
          fenced.map(({ current, incarnation }) => [incarnation, current]),
          name === "a plain handler" ? [[1, 2], [3, 4]] : []
        )
        assert.strictEqual(yield* num.Add({ by: 1 }), 42)
        assert.strictEqual(yield* Process.incarnation(num), 4)
      }).pipe(Effect.provide(group(style))))

    it.effect("is handled again, if it says so", () =>
      Effect.gen(function*() {
        const { telemetry } = yield* Harness.Harness
        const num = yield* Num
        yield* num.NoteAgain()
        assert.strictEqual(yield* num.DoAgain(), 2)
        yield* num.NoteAgain()
        assert.strictEqual(yield* num.Add({ by: 0 }), 3)
        assert.strictEqual(yield* Process.incarnation(num), 4)
        assert.strictEqual(sinkOf(telemetry).counters.queued, 0)
      }).pipe(Effect.provide(group(style))))
  })
}

for (const path of ["idle", "busy"] as const) {
  for (const message of ["Do", "Note"] as const) {
    it.effect(`a handler that had its own server restarted, and busy again, is not taken for the next one: ${message}, ${path}`, () => {
      const ref: { num?: typeof Num.Service } = {}
      const work = (elder: typeof Elder.Service) =>
        Effect.andThen(
          Process.kill(elder),
          Effect.suspend(() => {
            hold.closeUnsafe()
            return beside(Effect.exit(ref.num!.Hold()))
          })
        )
      return Effect.gen(function*() {
        const [num, harness] = [yield* Num, yield* Harness.Harness]
        ref.num = num
        yield* num.Add({ by: 41 })
        if (path === "busy") yield* hold.close
        const held = yield* now(Effect.exit(num.Hold()))
        const asking: Effect.Effect<unknown, unknown> = message === "Do" ? num.Do() : num.Note()
        const asked = yield* now(Effect.isFailure(asking))
        yield* hold.open
        yield* Fiber.join(held)
        for (let i = 0; i < 3; i++) yield* Effect.yieldNow
        yield* hold.open
        assert.strictEqual(yield* Fiber.join(asked), message === "Do")
        assert.deepStrictEqual([yield* num.Add({ by: 1 }), yield* Process.incarnation(num)], [42, 2])
        assert.include(yield* harness.historyOf(num), "WriteFenced")
      }).pipe(Effect.ensuring(hold.open), Effect.provide(regroup(work)))
    })
  }
}
