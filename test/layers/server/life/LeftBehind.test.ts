/** What an incarnation that was left behind still does: nothing to the server that goes on without it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Latch, Layer, Option, Schema } from "effect"
import { TestClock } from "effect/testing"
import { GenServer, Next, Process, StateContainer, Supervisor, Sys } from "../../../../src/index.ts"
import { tableOf } from "../../../../src/layers/state/container/Container.ts"
import { Harness } from "../../../../src/testing.ts"
import { errorOf } from "../../../kit/Failures.ts"
import { now, turns } from "../../../kit/Fibers.ts"
import { quiet } from "../../../kit/Log.ts"
import { often } from "../../../kit/Restarts.ts"

class Num extends GenServer.Service<Num>()("test/Num", {
  state: Schema.Int,
  messages: {
    Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }),
    /** Acquires something, and goes on when the gate is open, whatever happens. */
    Hold: GenServer.call({ timeout: "infinity" }),
    Crash: GenServer.call()
  }
}) {}

class Elder extends GenServer.Service<Elder>()("test/Elder", { state: Schema.Int, messages: {} }) {}

class Top extends Supervisor.Service<Top>()("test/Top") {}

/** A gate, and what was acquired and released. */
const inside = () => {
  const [gate, log] = [Latch.makeUnsafe(), new Array<string>()]
  const acquire = (name: string, release: Effect.Effect<void> = Effect.void) =>
    Effect.acquireRelease(
      Effect.sync(() => log.push(`${name} acquired`)),
      () => Effect.andThen(release, Effect.sync(() => log.push(`${name} released`)))
    )
  return { gate, log, acquire }
}

const handlers = ({ acquire, gate }: ReturnType<typeof inside>) => ({
  Add: (n: number, { by }: { readonly by: number }) => [n + by, n + by] as const,
  Hold: (n: number) =>
    Effect.uninterruptible(Effect.as(Effect.andThen(acquire("hold"), gate.await), [undefined, n + 1000] as const)),
  Crash: () => Effect.die("boom")
})

const app = <E, R>(num: Layer.Layer<Num, E, R>) =>
  Layer.provideMerge(
    Top.layer({ id: "root", strategy: "rest_for_one", restart: often }, [
      StateContainer.layerMemory(Num),
      StateContainer.layerForget(Elder),
      Elder.layer({ init: 0, handlers: {} }),
      num
    ]),
    Harness.Harness.layer
  )

describe("a handler that was left behind", () => {
  it.effect("has what it holds until it is done with it; what it computes is not kept", () => {
    const own = inside()
    return Effect.gen(function*() {
      const num = yield* Num
      yield* num.Add({ by: 41 })
      const held = yield* now(Effect.exit(num.Hold()))
      yield* Process.kill(num)
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(errorOf(yield* Fiber.join(held)).reason._tag, "Crashed")
      assert.strictEqual(yield* num.Add({ by: 1 }), 42)
      assert.deepStrictEqual(own.log, ["hold acquired"])
      yield* own.gate.open
      yield* turns
      assert.deepStrictEqual(own.log, ["hold acquired", "hold released"])
      assert.deepStrictEqual([yield* num.Add({ by: 0 }), yield* Process.incarnation(num)], [42, 2])
    }).pipe(Effect.provide(app(Num.layer({ init: 0, handlers: handlers(own) }))), quiet)
  })

  it.effect("is fenced off from the state at once, when no other incarnation has taken over", () => {
    const own = inside()
    return Effect.gen(function*() {
      const [num, top, container] = [yield* Num, yield* Top, yield* Num.StateContainer]
      yield* num.Add({ by: 41 })
      const companion = tableOf(container).claim("", num[Process.processOf])
      assert.isTrue(companion.commit(1, 41, "call"))
      yield* now(Effect.exit(num.Hold()))
      yield* top.terminateChild("test/Num")
      assert.isFalse(companion.commit(1, 1000, "call"))
      assert.deepStrictEqual(yield* container.for().get, Option.some(41))
      yield* own.gate.open
    }).pipe(Effect.provide(app(Num.layer({ init: 0, handlers: handlers(own) }, { shutdown: "brutal_kill" }))), quiet)
  })
})

describe("an incarnation that was left behind", () => {
  const plans = {
    "its timeout": (num) => num.Add({ by: 0 }),
    "its suspension": (num) => Sys.suspend(num)
  } satisfies Record<string, (num: typeof Num.Service) => Effect.Effect<unknown, unknown>>
  for (const [plan, make] of Object.entries(plans)) {
    it.effect(`takes ${plan} along: the next one has none`, () => {
      const own = inside()
      const behavior = Num.behavior({
        init: 0,
        handlers: { ...handlers(own), Add: (n, { by }) => Next.reply(n + by, n + by, { idleAfter: "1 hour" }) },
        idle: (n) => n + 1000
      })
      return Effect.gen(function*() {
        const num = yield* Num
        const making: Effect.Effect<unknown, unknown> = make(num)
        yield* making
        // A request of the system cancels no timeout, and is handled in spite of a suspension.
        yield* now(Effect.exit(GenServer.replace(num, Num.behavior({ init: 0, handlers: handlers(own) }), {
          migrate: (n) => Effect.as(Effect.uninterruptible(own.gate.await), n)
        })))
        yield* turns
        yield* Process.kill(num)
        yield* TestClock.adjust("5 seconds")
        yield* TestClock.adjust("1 hour")
        const asked = yield* now(num.Add({ by: 1 }))
        assert.deepStrictEqual([asked.pollUnsafe(), yield* Process.incarnation(num)], [Exit.succeed(1), 2])
        yield* own.gate.open
      }).pipe(Effect.provide(app(Num.layer(behavior))), quiet)
    })
  }
})

describe("a start that was left behind", () => {
  it.effect("while its behaviour was made, does not begin in the place of the one that followed", () => {
    const own = inside()
    const made: Array<number> = []
    const make = Effect.gen(function*() {
      const elder = yield* Elder
      made.push(made.length + 1)
      const mine = made.length
      // The one before it ends on this very stack, and takes this start along: it is replaced at once.
      if (mine === 2) yield* Effect.yieldNow
      if (mine === 2) yield* Effect.uninterruptible(Effect.forkDetach(Process.kill(elder), { startImmediately: true }))
      return Num.behavior({
        init: 0,
        restore: (n) => Effect.sync(() => own.log.push(`restored by ${mine}`)).pipe(Effect.as(n)),
        handlers: { ...handlers(own), Add: (n, { by }) => [n + by + mine * 1000, n + by] }
      })
    })
    return Effect.gen(function*() {
      const num = yield* Num
      yield* num.Add({ by: 41 })
      yield* Effect.exit(num.Crash())
      yield* turns
      assert.strictEqual(yield* num.Add({ by: 1 }), 3042)
      assert.deepStrictEqual([made, own.log], [[1, 2, 3], ["restored by 3"]])
      assert.deepStrictEqual([yield* Process.incarnation(num), yield* Process.status(num)], [3, "running"])
    }).pipe(Effect.provide(app(Num.layer(make, { shutdown: "brutal_kill" }))), quiet)
  })

  it.effect("while it released what it had acquired, leaves once: the server that was started since is not touched", () => {
    const own = inside()
    let starts = 0
    const layer = Num.layer({
      init: 0,
      restore: (n) =>
        Effect.suspend(() =>
          ++starts > 1 ? Effect.succeed(n) : Effect.andThen(own.acquire("start", own.gate.await), Effect.die("no"))
        ),
      handlers: handlers(own)
    }, { shutdown: "brutal_kill" })
    return Effect.gen(function*() {
      const [num, top, harness] = [yield* Num, yield* Top, yield* Harness.Harness]
      yield* num.Add({ by: 41 })
      yield* Effect.exit(num.Add({ by: 0 }))
      yield* now(Effect.exit(num.Crash()))
      yield* turns
      assert.deepStrictEqual([own.log, yield* Process.status(num)], [["start acquired"], "starting"])
      yield* top.terminateChild("test/Num")
      assert.strictEqual(yield* Process.status(num), "stopped")
      yield* top.restartChild("test/Num")
      const before = yield* harness.historyOf(num)
      yield* own.gate.open
      yield* turns
      assert.deepStrictEqual(own.log, ["start acquired", "start released"])
      assert.deepStrictEqual([yield* Process.status(num), yield* harness.historyOf(num)], ["running", before])
      assert.deepStrictEqual(yield* Effect.exit(num.Add({ by: 1 })), Exit.succeed(42))
    }).pipe(Effect.provide(app(layer)), quiet)
  })
})
