import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Latch, Layer, Logger, Schema } from "effect"
import { DynamicSupervisor, GenServer, Next, Process, StateContainer, Supervisor } from "../../../../src/index.ts"
import { now } from "../../../kit/Fibers.ts"
import { often } from "../../../kit/Restarts.ts"

/** One of a chain: asks the next one, and adds one to what that answers. */
class Link extends GenServer.Service<Link>()("test/Link", {
  state: Schema.Int,
  messages: {
    Depth: GenServer.call({ reply: Schema.Int, timeout: "infinity" }),
    Pass: GenServer.cast()
  }
}) {}

/** Answers later, as others tell it. */
class Later extends GenServer.Service<Later>()("test/Later", {
  state: Schema.Int,
  messages: { Get: GenServer.call({ reply: Schema.Int, timeout: "infinity" }) }
}) {}

class Pool extends DynamicSupervisor.Service<Pool>()("test/Pool") {}

const App = Supervisor.layer({ strategy: "one_for_one" }, [
  StateContainer.layerMemory(Link),
  StateContainer.layerMemory(Later),
  Pool.layer({ restart: often })
])

type Links = typeof Link.Service

const length = 3_000
const atOnce = 10_000

const styles = {
  "handlers that are plain functions": (next: Links) => ({
    Depth: (asked: number) => Effect.map(next.Depth(), (depth) => [depth + 1, asked + 1] as const).pipe(Effect.orDie),
    Pass: (passed: number) => Effect.as(next.Pass(), passed + 1)
  }),
  "handlers that are generators": (next: Links) => ({
    Depth: Effect.fnUntraced(function*(asked: number) {
      return [(yield* next.Depth()) + 1, asked + 1] as const
    }, Effect.orDie),
    Pass: Effect.fnUntraced(function*(passed: number) {
      yield* next.Pass()
      return passed + 1
    })
  }),
  "handlers that wait before and after": (next: Links) => ({
    Depth: Effect.fnUntraced(function*(asked: number) {
      yield* Effect.yieldNow
      const depth = yield* next.Depth()
      yield* Effect.yieldNow
      return [depth + 1, asked + 1] as const
    }, Effect.orDie),
    Pass: Effect.fnUntraced(function*(passed: number) {
      yield* Effect.yieldNow
      yield* next.Pass()
      return passed + 1
    })
  })
}

const start = (key: string, handlers: ReturnType<typeof styles[keyof typeof styles]>) =>
  Effect.gen(function*() {
    const pool = yield* Pool
    return yield* pool.startChild(Link.recipe({ init: 0, handlers }, { key }))
  })

describe("thousands of servers that call each other in a chain do not overflow the stack", () => {
  for (const [name, handlers] of Object.entries(styles)) {
    it.live(name, () =>
      Effect.gen(function*() {
        const bottom = Latch.makeUnsafe(true)
        const reached = Latch.makeUnsafe()
        let link: Links = yield* start("last", {
          Depth: () => Effect.andThen(reached.open, Effect.as(bottom.await, [1, 1] as const)),
          Pass: (passed: number) => Effect.succeed(passed + 1)
        })
        for (let i = 1; i < length; i++) link = yield* start(String(i), handlers(link))
        assert.strictEqual(yield* link.Depth(), length)
        yield* link.Pass()

        // The answer comes up from a server that waits.
        yield* bottom.close
        yield* reached.close
        const caller = yield* now(link.Depth())
        yield* reached.await
        yield* bottom.open
        assert.strictEqual(yield* Fiber.join(caller), length)

        // The first dies while all the others are waiting for the last.
        yield* bottom.close
        yield* reached.close
        const crashing = yield* now(Effect.exit(link.Depth()))
        yield* reached.await
        yield* Process.kill(link)
        assert.include(String(yield* Fiber.join(crashing)), "was ended (killed)")
        yield* bottom.open
        assert.strictEqual(yield* link.Depth(), length)
      }).pipe(Effect.provide(App), Effect.provide(Logger.layer([]))))
  }
})

it.live("10,000 callers answered at once are each answered, without overflowing the stack", () => {
  const gate = Latch.makeUnsafe()
  return Effect.gen(function*() {
    const link = yield* start("only", {
      Depth: (n: number) => Effect.as(gate.await, [n + 1, n + 1] as const),
      Pass: (n: number) => Effect.succeed(n)
    })
    // Each caller's continuation calls again: every reply resumes a caller that calls at once.
    const callers = yield* Effect.forEach(
      Array.from({ length: atOnce }),
      () => now(Effect.andThen(link.Depth(), link.Depth()))
    )
    yield* gate.open
    const answers = yield* Effect.forEach(callers, Fiber.join)
    assert.strictEqual(Math.max(...answers), 2 * atOnce)
    assert.strictEqual(new Set(answers).size, atOnce)
  }).pipe(Effect.provide(App))
})

it.live("10,000 callers that each answer the next one when they are answered do not overflow the stack", () =>
  Effect.gen(function*() {
    const froms: Array<GenServer.From<number>> = []
    const pool = yield* Pool
    const later = yield* pool.startChild(
      Later.recipe({
        init: 0,
        handlers: {
          Get: (n, _, { from }) => {
            froms.push(from)
            return Next.noReply(n)
          }
        }
      }, { key: "later" })
    )
    const callers = yield* Effect.forEach(
      Array.from({ length: atOnce }, (_, n) => n),
      (n) =>
        now(Effect.tap(
          later.Get(),
          (answer) => n + 1 < atOnce ? GenServer.reply(froms[n + 1]!, Exit.succeed(answer + 1)) : Effect.void
        ))
    )
    assert.strictEqual(froms.length, atOnce)
    yield* GenServer.reply(froms[0]!, Exit.succeed(1))
    assert.strictEqual(yield* Fiber.join(callers.at(-1)!), atOnce)
  }).pipe(Effect.provide(App)))

it.live("the death of a server that 10,000 callers wait for answers them all", () => {
  const gate = Latch.makeUnsafe()
  return Effect.gen(function*() {
    const link = yield* start("only", {
      Depth: (n: number) => Effect.as(gate.await, [n, n] as const),
      Pass: (n: number) => Effect.succeed(n)
    })
    const callers = yield* Effect.forEach(
      Array.from({ length: atOnce }),
      () => now(Effect.andThen(Effect.exit(link.Depth()), Effect.exit(link.Depth())))
    )
    const pool = yield* Pool
    yield* pool.terminateChild(link)
    const answers = yield* Effect.forEach(callers, Fiber.join)
    assert.isTrue(answers.every(Exit.isFailure))
  }).pipe(Effect.provide(Layer.fresh(App)))
})
