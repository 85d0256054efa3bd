import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Latch, Layer, Option, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { GenServer, Next, Process, StateContainer, Supervisor } from "../../../../src/index.ts"
import { Harness } from "../../../../src/testing.ts"
import { now } from "../../../kit/Fibers.ts"

class Num extends GenServer.Service<Num>()("test/Num", {
  state: Schema.Int,
  messages: {
    Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int, timeout: "infinity" }),
    Crash: GenServer.call(),
    Rest: GenServer.call(),
    /** Runs what the test says, and adds one. */
    Do: GenServer.call({ reply: Schema.Int, timeout: "infinity" })
  }
}) {}

class Top extends Supervisor.Service<Top>()("test/Top") {}

interface Options {
  /** Run by every incarnation, in its Scope. */
  readonly make?: (incarnation: number) => Effect.Effect<unknown, never, Scope.Scope>
  /** What `Do` does. */
  readonly work?: Effect.Effect<unknown, never, Scope.Scope>
  readonly server?: GenServer.Options
}

const serverOf = ({ make = () => Effect.void, server, work = Effect.void }: Options) => {
  let incarnation = 0
  return Num.layer(
    Effect.map(Effect.suspend(() => make(++incarnation)), () =>
      Num.behavior({
        init: 0,
        handlers: {
          Add: (n, { by }) => [n + by, n + by],
          Crash: () => Effect.die("boom"),
          Rest: (n) => Next.reply(undefined, n, { hibernate: true }),
          Do: (n) => Effect.as(work, [n + 1, n + 1] as const)
        }
      })),
    server
  )
}

const app = (options: Options) =>
  Layer.provideMerge(
    Top.layer({ id: "root", strategy: "one_for_one" }, [StateContainer.layerMemory(Num), serverOf(options)]),
    Harness.Harness.layer
  )

const resource = (log: Array<string>, name: string, release: Effect.Effect<unknown> = Effect.void) =>
  Effect.acquireRelease(
    Effect.sync(() => log.push(`${name} acquired`)),
    () => Effect.andThen(release, Effect.sync(() => log.push(`${name} released`)))
  )

describe("a resource of an incarnation is released when it ends", () => {
  it.effect("by its behaviour's Effect: every incarnation has its own", () => {
    const log: Array<string> = []
    return Effect.gen(function*() {
      const num = yield* Num
      yield* Effect.exit(num.Crash())
      yield* Process.kill(num)
      yield* num.Add({ by: 1 })
      assert.deepStrictEqual(log, [
        "1 acquired",
        "1 released",
        "2 acquired",
        "2 released",
        "3 acquired"
      ])
    }).pipe(
      Effect.provide(app({ make: (incarnation) => resource(log, String(incarnation)) })),
      Effect.ensuring(Effect.sync(() => assert.strictEqual(log.at(-1), "3 released")))
    )
  })

  it.effect("and its finalizers get an exit that says whether that was a crash", () => {
    const log: Array<string> = []
    const make = () => Effect.addFinalizer((exit) => Effect.sync(() => log.push(exit._tag)))
    return Effect.gen(function*() {
      const num = yield* Num
      yield* Effect.exit(num.Crash())
      yield* GenServer.stop(num)
      yield* num.Add({ by: 1 })
      assert.deepStrictEqual(log, ["Failure", "Success"])
    }).pipe(Effect.provide(app({ make })))
  })

  it.effect("also what is acquired in the Scope of its behaviour's Effect after the server has hibernated", () => {
    const log: Array<string> = []
    let own: Scope.Scope | undefined
    const make = () => Effect.map(Effect.scope, (scope) => own = scope)
    const work = Effect.suspend(() => Scope.provide(resource(log, "late"), own!))
    return Effect.gen(function*() {
      const num = yield* Num
      yield* num.Rest()
      yield* num.Do()
      assert.deepStrictEqual(log, ["late acquired"])
      yield* Effect.exit(num.Crash())
      assert.deepStrictEqual(log, ["late acquired", "late released"])
    }).pipe(Effect.provide(app({ make, work })))
  })

  it.effect("by a handler: it outlives the message, not the incarnation", () => {
    const log: Array<string> = []
    return Effect.gen(function*() {
      const num = yield* Num
      yield* num.Do()
      assert.strictEqual(yield* num.Add({ by: 1 }), 2)
      assert.deepStrictEqual(log, ["handler acquired"])
      yield* Effect.exit(num.Crash())
      assert.deepStrictEqual(log, ["handler acquired", "handler released"])
    }).pipe(Effect.provide(app({ work: resource(log, "handler") })))
  })

  it.effect("a fiber that a handler forked into its scope runs on after the message, and ends with the incarnation", () => {
    const log: Array<string> = []
    const beat = Effect.forkScoped(Effect.forever(Effect.delay(Effect.sync(() => log.push("beat")), "1 second")))
    return Effect.gen(function*() {
      const num = yield* Num
      yield* num.Do()
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(log, ["beat", "beat"])
      yield* Effect.exit(num.Crash())
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(log, ["beat", "beat"])
      assert.strictEqual(yield* num.Add({ by: 1 }), 2)
    }).pipe(Effect.provide(app({ work: beat })))
  })
})

describe("a new incarnation starts only after the old one's finalizers", () => {
  it.effect("have ended", () => {
    const log: Array<string> = []
    const gate = Latch.makeUnsafe()
    return Effect.gen(function*() {
      const num = yield* Num
      yield* Process.kill(num)
      const waiting = yield* now(num.Add({ by: 1 }))
      yield* TestClock.adjust("4 seconds")
      assert.isUndefined(waiting.pollUnsafe())
      assert.deepStrictEqual(log, ["1 acquired"])
      yield* gate.open
      yield* Fiber.join(waiting)
      assert.deepStrictEqual(log, ["1 acquired", "1 released", "2 acquired"])
    }).pipe(Effect.provide(app({ make: (incarnation) => resource(log, String(incarnation), gate.await) })))
  })

  it.effect("or were abandoned at the shutdown timeout, which is an event", () => {
    const log: Array<string> = []
    const gate = Latch.makeUnsafe()
    return Effect.gen(function*() {
      const harness = yield* Harness.Harness
      const num = yield* Num
      yield* Process.kill(num)
      const waiting = yield* now(num.Add({ by: 1 }))
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual((yield* harness.awaitTag("Abandoned", num)).incarnation, 1)
      assert.strictEqual(yield* Fiber.join(waiting), 1)
      assert.deepStrictEqual(log, ["1 acquired", "2 acquired"])
      yield* gate.open
      yield* Effect.yieldNow
      assert.include(log, "1 released")
    }).pipe(Effect.provide(app({ make: (incarnation) => resource(log, String(incarnation), gate.await) })))
  })
})

describe("a handler that cannot be interrupted", () => {
  const stuck = () => {
    const gate = Latch.makeUnsafe()
    return { gate, options: { work: Effect.uninterruptible(gate.await) } }
  }

  it.effect("is abandoned at the shutdown timeout when it is killed; it changes nothing later", () => {
    const { gate, options } = stuck()
    return Effect.gen(function*() {
      const harness = yield* Harness.Harness
      const num = yield* Num
      yield* num.Add({ by: 41 })
      const working = yield* now(Effect.exit(num.Do()))
      yield* Process.kill(num)
      const waiting = yield* now(num.Add({ by: 1 }))
      yield* TestClock.adjust("4999 millis")
      assert.isUndefined(waiting.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.include(String(yield* Fiber.join(working)), "was ended (killed)")
      assert.strictEqual(yield* Fiber.join(waiting), 42)
      yield* harness.awaitTag("Abandoned", num)
      yield* gate.open
      yield* Effect.yieldNow
      assert.strictEqual(yield* num.Add({ by: 0 }), 42)
      assert.strictEqual(yield* Process.incarnation(num), 2)
      assert.deepStrictEqual(yield* (yield* Num.StateContainer).for().get, Option.some(42))
    }).pipe(Effect.provide(app(options)))
  })

  it.effect("and that ends before its time is over makes way at once", () => {
    const { gate, options } = stuck()
    return Effect.gen(function*() {
      const harness = yield* Harness.Harness
      const num = yield* Num
      const working = yield* now(Effect.exit(num.Do()))
      yield* Process.kill(num)
      yield* TestClock.adjust("1 second")
      yield* gate.open
      assert.include(String(yield* Fiber.join(working)), "was ended (killed)")
      assert.strictEqual(yield* num.Add({ by: 1 }), 1)
      yield* TestClock.adjust("1 minute")
      assert.notInclude(yield* harness.historyOf(num), "Abandoned")
      assert.strictEqual(yield* Process.incarnation(num), 2)
    }).pipe(Effect.provide(app(options)))
  })

  it.effect("and that was asked to exit may be killed then: it ends as killed", () => {
    const { gate, options } = stuck()
    return Effect.gen(function*() {
      const harness = yield* Harness.Harness
      const num = yield* Num
      const working = yield* now(Effect.exit(num.Do()))
      yield* Process.exit(num, { _tag: "Shutdown" })
      yield* Process.kill(num)
      yield* Process.exit(num, { _tag: "Normal" })
      yield* gate.open
      assert.include(String(yield* Fiber.join(working)), "was ended (killed)")
      assert.deepStrictEqual((yield* harness.awaitTag("Exited", num)).reason, { _tag: "Killed" })
    }).pipe(Effect.provide(app(options)))
  })

  it.effect("is abandoned at once when its supervisor uses brutal_kill", () => {
    const { gate, options } = stuck()
    return Effect.gen(function*() {
      const top = yield* Top
      const harness = yield* Harness.Harness
      const num = yield* Num
      const working = yield* now(Effect.exit(num.Do()))
      yield* top.terminateChild("test/Num")
      yield* harness.awaitTag("Abandoned", num)
      assert.include(String(yield* Fiber.join(working)), "was ended (killed)")
      yield* gate.open
    }).pipe(Effect.provide(app({ ...options, server: { shutdown: "brutal_kill" } })))
  })

  it.effect("and that its supervisor gave up on twice concerns no later incarnation", () => {
    const { gate, options } = stuck()
    const tree = Layer.provideMerge(
      Top.layer({ id: "root", strategy: "one_for_one" }, [
        Supervisor.layer({ id: "inner", strategy: "one_for_one", shutdown: "1 second" }, [
          StateContainer.layerMemory(Num),
          serverOf({ ...options, server: { shutdown: "10 seconds" } })
        ])
      ]),
      Harness.Harness.layer
    )
    return Effect.gen(function*() {
      const top = yield* Top
      const harness = yield* Harness.Harness
      const num = yield* Num
      yield* now(Effect.exit(num.Do()))
      const terminating = yield* now(top.terminateChild("inner"))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(terminating)
      yield* harness.awaitTag("Abandoned", num)
      yield* top.restartChild("inner")
      assert.strictEqual(yield* num.Add({ by: 1 }), 1)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* Process.status(num), "running")
      assert.strictEqual(yield* Process.incarnation(num), 2)
      const history = yield* harness.historyOf(num)
      assert.strictEqual(history.filter((tag) => tag === "Abandoned").length, 1)
      yield* gate.open
    }).pipe(Effect.provide(tree))
  })
})

it.effect("a start that was abandoned concerns no later incarnation", () => {
  const gate = Latch.makeUnsafe()
  const make = (incarnation: number) => incarnation === 2 ? Effect.uninterruptible(gate.await) : Effect.void
  return Effect.gen(function*() {
    const harness = yield* Harness.Harness
    const num = yield* Num
    yield* num.Add({ by: 41 })
    yield* Effect.exit(num.Crash())
    assert.strictEqual(yield* Process.status(num), "starting")
    yield* Process.kill(num)
    yield* TestClock.adjust("5 seconds")
    yield* harness.awaitIncarnation(num, 3)
    yield* gate.open
    yield* Effect.yieldNow
    assert.strictEqual(yield* num.Add({ by: 1 }), 42)
    assert.strictEqual(yield* Process.incarnation(num), 3)
  }).pipe(Effect.provide(app({ make })))
})

for (const [what, release] of Object.entries({ "in time": Effect.sleep("4500 millis"), "not at all": Effect.never })) {
  it.effect(`a start that fails waits for its finalizers, at most its shutdown time: they end ${what}`, () => {
    const log: Array<string> = []
    const make = (incarnation: number) =>
      incarnation === 2 ? Effect.andThen(resource(log, "2", release), Effect.die("no")) : Effect.void
    return Effect.gen(function*() {
      const [num, harness] = [yield* Num, yield* Harness.Harness]
      yield* num.Add({ by: 41 })
      yield* Effect.exit(num.Crash())
      const waiting = yield* now(num.Add({ by: 1 }))
      yield* TestClock.adjust("4 seconds")
      assert.isUndefined(waiting.pollUnsafe())
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(waiting), 42)
      assert.deepStrictEqual(log, what === "in time" ? ["2 acquired", "2 released"] : ["2 acquired"])
      const left = (yield* harness.eventsOf(num)).flatMap((event) =>
        event._tag === "Abandoned" ? [event.incarnation] : []
      )
      assert.deepStrictEqual(left, what === "in time" ? [] : [2])
    }).pipe(Effect.provide(app({ make })))
  })
}
