/** A message that a generator waits for: sent in the generator's own step, it comes to what the run loop makes of it. */
import { assert, describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Scheduler, Schema, Tracer, Utils } from "effect"
import { TestClock } from "effect/testing"
import { evaluateKey } from "../../../../src/domain/text/EffectKeys.ts"
import { GenServer, Next, StateContainer, Supervisor } from "../../../../src/index.ts"
import { Harness } from "../../../../src/testing.ts"
import { now, turns } from "../../../kit/Fibers.ts"
import { quiet } from "../../../kit/Log.ts"
import { often } from "../../../kit/Restarts.ts"
import { seenOf } from "../../../kit/Sinks.ts"

class Refused extends Schema.TaggedError<Refused>()("Refused", { by: Schema.Int }) {}

const failing = Schema.Int.pipe(Schema.withConstructorDefault(Effect.die(new Error("no default"))))

class Counter extends GenServer.Service<Counter>()("test/Counter", {
  state: Schema.Int,
  messages: {
    Add: GenServer.cast(),
    AddWithEffect: GenServer.cast(),
    AddLess: GenServer.cast({ payload: { by: failing } }),
    AddChecked: GenServer.cast({ payload: { by: Schema.Int }, validate: true }),
    Note: GenServer.cast(),
    Next: GenServer.call({ reply: Schema.Int }),
    NextWithEffect: GenServer.call({ reply: Schema.Int }),
    NextLess: GenServer.call({ payload: { by: failing }, reply: Schema.Int }),
    NextChecked: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int, validate: true }),
    Refuse: GenServer.call({ reply: Schema.Int, error: Refused }),
    Slow: GenServer.call({ reply: Schema.Int }),
    Later: GenServer.call({ reply: Schema.Int }),
    Die: GenServer.call(),
    Stop: GenServer.call({ reply: Schema.Int }),
    Strike: GenServer.call({ reply: Schema.Int })
  }
}) {}
type Client = typeof Counter.Service

/** Interrupts its caller, on whose stack it runs. */
const strike = () => Fiber.getCurrent()?.interruptUnsafe()

/** `note` is called with each `Note`. */
const behavior = (init: Effect.Effect<number>, note = () => {}) =>
  Counter.behavior({
    init,
    handlers: {
      Add: (n) => n + 1,
      AddWithEffect: (n) => Effect.succeed(n + 1),
      AddLess: (n, { by }) => n - by,
      AddChecked: (n, { by }) => n + by,
      Note: (n) => {
        note()
        return n
      },
      Next: (n) => [n + 1, n + 1],
      NextWithEffect: (n) => Effect.sync(() => [n + 1, n + 1] as const),
      NextLess: (n, { by }) => [n - by, n - by],
      NextChecked: (n, { by }) => [n + by, n + by],
      Refuse: (n) => Effect.fail(new Refused({ by: n })),
      Slow: (n) => Effect.as(Effect.sleep("1 second"), [n, n + 1] as const),
      Later: (n) => Next.noReply(n),
      Die: () => Effect.die("boom"),
      Stop: (n) => Next.stop("shutdown", { reply: n, state: n }),
      Strike: (n) => {
        strike()
        return [n + 1, n + 1]
      }
    }
  })

const tree = { id: "root", strategy: "one_for_one", restart: often } as const

const app = (note?: () => void) =>
  Supervisor.layer(tree, [StateContainer.layerMemory(Counter), Counter.layer(behavior(Effect.succeed(0), note))])

/** By keys, of which each takes a moment to start. */
const OfKeys = Supervisor.layer(tree, [
  StateContainer.layerMemory(Counter),
  Counter.layerKeyed(behavior(Effect.as(Effect.yieldNow, 0)))
])

type Way = <A, E, R>(message: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** The run loop runs it: it is a value among other Effects. */
const plainly: Way = (message) => Effect.flatMap(message, Effect.succeed)
/** A generator waits for it. */
const yielded: Way = (message) =>
  Effect.gen(function*() {
    return yield* message
  })
const ways = { plainly, yielded }
/** A generator waits for it, and hands it to the run loop, as it does any other Effect. */
const handed: Way = <A, E, R>(message: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    return yield* { [Symbol.iterator]: () => new Utils.SingleShotGen<typeof message, A>(message) }
  })

const sent = {
  Add: (counter: Client) => counter.Add(),
  AddWithEffect: (counter: Client) => counter.AddWithEffect(),
  AddLess: (counter: Client) => counter.AddLess({}),
  AddChecked: (counter: Client) => counter.AddChecked({ by: 2 }),
  AddInvalid: (counter: Client) => counter.AddChecked({ by: 0.5 }),
  Next: (counter: Client) => counter.Next(),
  NextAgain: (counter: Client) => counter.Next({}, { idempotencyKey: "again" }),
  NextWithEffect: (counter: Client) => counter.NextWithEffect(),
  NextLess: (counter: Client) => counter.NextLess({}),
  NextTwice: (counter: Client) => counter.Next({}, { idempotencyKey: "" }),
  NextChecked: (counter: Client) => counter.NextChecked({ by: 2 }),
  NextInvalid: (counter: Client) => counter.NextChecked({ by: 0.5 }),
  Refuse: (counter: Client) => counter.Refuse(),
  Slow: (counter: Client) => counter.Slow(),
  Later: (counter: Client) => counter.Later({}, { timeout: "2 seconds" }),
  Die: (counter: Client) => counter.Die(),
  Stop: (counter: Client) => counter.Stop()
}
const names = Object.keys(sent) as [keyof typeof sent]

/** All that can be seen of a server that is sent these, one after the other. */
const seen = (messages: ReadonlyArray<keyof typeof sent>, way: Way) =>
  Effect.gen(function*() {
    const counter = yield* Counter
    const heard: Array<string> = []
    for (const name of messages) {
      const caller = yield* now(Effect.exit(way<unknown, unknown, never>(sent[name](counter))))
      while (caller.pollUnsafe() === undefined) yield* TestClock.adjust("1 second")
      heard.push(String(yield* Fiber.join(caller)))
    }
    yield* turns
    return { heard, ...yield* seenOf(counter) }
  }).pipe(Effect.provide(Layer.provideMerge(app(), Harness.Harness.layer)), quiet)

const Called = Schema.Struct({
  key: Schema.Literals(["a", "b"]),
  name: Schema.Literals(["Add", "Next", "NextWithEffect", "Slow", "Die", "Stop"]),
  /** Whether it is sent by a client of the key, and not by one of the server that has it. */
  isVia: Schema.Boolean,
  /** Whether another fiber asks for the key, too, before it is there. */
  isShared: Schema.Boolean
})

/** All that can be heard from servers that are got by their keys. */
const heardOfKeys = (called: ReadonlyArray<typeof Called.Type>, way: Way) =>
  Effect.gen(function*() {
    const heard: Array<string> = []
    for (const { isShared, isVia, key, name } of called) {
      const call = Effect.gen(function*() {
        const counter: Record<typeof name, () => Effect.Effect<unknown, unknown>> = isVia
          ? yield* Counter.via(key)
          : yield* way(Counter.at(key))
        return yield* way(counter[name]())
      })
      const callers = [yield* now(Effect.exit(call))]
      if (isShared) callers.push(yield* now(Effect.exit(call)))
      for (const caller of callers) {
        while (caller.pollUnsafe() === undefined) yield* TestClock.adjust("1 second")
        heard.push(String(yield* Fiber.join(caller)))
      }
      yield* turns
    }
    const events = yield* (yield* Harness.Harness).events
    return { heard, events: events.map(({ _tag, path }) => `${path.join(" > ")}: ${_tag}`) }
  }).pipe(Effect.provide(Layer.provideMerge(OfKeys, Harness.Harness.layer)), quiet)

/** How many messages a sender without end sends before another fiber has its turn. */
const sentBefore = (name: "Add" | "Next" | "Refuse", way: Way) =>
  Effect.gen(function*() {
    const counter = yield* Counter
    let count = 0
    const sender = yield* Effect.forkChild(Effect.gen(function*() {
      while (true) {
        count++
        yield* Effect.exit(way<unknown, unknown, never>(counter[name]()))
      }
    }))
    yield* Effect.yieldNow
    const first = count
    yield* Fiber.interrupt(sender)
    return first
  }).pipe(Effect.provide(app()), Effect.provideService(Scheduler.MaxOpsBeforeYield, 1_000))

/** What comes of a message, and how many steps its fiber, which is a new one, has taken until then. */
const stepsOf = (name: keyof typeof sent, way: Way) =>
  Effect.gen(function*() {
    const counter = yield* Counter
    const sender = Effect.withFiber((fiber) =>
      Effect.map(Effect.exit(way<unknown, unknown, never>(sent[name](counter))), String).pipe(
        Effect.map((exit) => [exit, fiber.currentOpCount])
      )
    )
    return yield* Fiber.join(yield* now(sender))
  }).pipe(Effect.provide(app()), quiet)

/** How often a Scheduler that counts how often it is asked says that a sender has to give way; how often that does. */
const turnsAmong = (calls: number, way: Way) =>
  Effect.withFiber((sender) => {
    let [asked, said, given] = [0, 0, 0]
    const effects = new Scheduler.MixedScheduler()
    const scheduler: Scheduler.Scheduler = {
      executionMode: effects.executionMode,
      shouldYield: (fiber) => {
        const gives = fiber === sender && ++asked % 47 === 0
        if (gives) said++
        return gives
      },
      makeDispatcher: () => {
        const dispatcher = effects.makeDispatcher()
        return {
          scheduleTask: (task, priority) => {
            given++
            dispatcher.scheduleTask(task, priority)
          },
          flush: () => dispatcher.flush()
        }
      }
    }
    return Effect.gen(function*() {
      const counter = yield* Counter
      ;[said, given] = [0, 0]
      for (let i = 0; i < calls; i++) yield* way(counter.Next())
      return { said, given }
    }).pipe(Effect.provide(app()), Effect.provideService(Scheduler.Scheduler, scheduler))
  })

/** Counts how often the run loop runs an Effect. */
const countRuns = (effect: Effect.Effect<unknown, unknown, unknown>): () => number => {
  let count = 0
  const evaluate: (...args: ReadonlyArray<unknown>) => unknown = Reflect.get(effect, evaluateKey)
  const counting = (...args: ReadonlyArray<unknown>): unknown => {
    count++
    return Reflect.apply(evaluate, effect, args)
  }
  Object.defineProperty(effect, evaluateKey, { value: counting })
  return () => count
}

describe("a message that a generator waits for", () => {
  it.effect.prop(
    "comes to what it comes to as a value among other Effects",
    [Schema.Array(Schema.Literals(names)).check(Schema.isMaxLength(12))],
    ([messages]) =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* seen(messages, yielded), yield* seen(messages, plainly))
      })
  )

  it.effect("lets its generator go on in the same step when it is answered at once", () =>
    Effect.gen(function*() {
      const counter = yield* Counter
      const messages = [
        counter.Next(),
        counter.NextWithEffect(),
        counter.Add(),
        counter.NextChecked({ by: 1 }),
        counter.AddChecked({ by: 1 })
      ]
      const runs = messages.map(countRuns)
      for (const message of messages) yield* message
      assert.deepStrictEqual(runs.map((count) => count()), [0, 0, 0, 0, 0])
      for (const message of messages) yield* handed<unknown, unknown, never>(message)
      assert.deepStrictEqual(runs.map((count) => count()), [1, 1, 1, 1, 1])
    }).pipe(Effect.provide(app())))

  it.effect("is sent when it is waited for, and not before", () =>
    Effect.gen(function*() {
      const counter = yield* Counter
      const next = counter.Next()
      next[Symbol.iterator]()
      assert.strictEqual(yield* next, 1)
      assert.strictEqual(yield* next, 2)
    }).pipe(Effect.provide(app())))

  it("is not sent by a generator that no fiber runs", () => {
    let noted = 0
    const counter = Effect.runSync(Effect.provide(Counter, app(() => noted++)))
    const note = counter.Note()
    const byHand = function*() {
      yield* note
    }
    assert.strictEqual(byHand().next().value, note)
    assert.strictEqual(noted, 0)
  })

  it.effect("is not sent by what looks at it as a list: a loop, a spread, a comparison", () =>
    Effect.gen(function*() {
      const counter = yield* Counter
      const next = counter.Next()
      for (const message of next) assert.strictEqual(message, next)
      assert.deepStrictEqual([...next], [next])
      expect(next).toEqual(counter.Next())
      assert.deepStrictEqual(yield* Effect.all(next), [1])
    }).pipe(Effect.provide(app())))

  it.effect("is a defect where its default throws, which the generator cannot catch", () =>
    Effect.gen(function*() {
      const counter = yield* Counter
      for (const message of [counter.NextLess({}), counter.AddLess({})]) {
        const exit = yield* Effect.exit(Effect.gen(function*() {
          try {
            yield* message
          } catch {
            return "caught"
          }
        }))
        assert.deepStrictEqual(exit, yield* Effect.exit(plainly<unknown, unknown, never>(message)))
        assert.include(String(exit), "no default")
      }
    }).pipe(Effect.provide(app())))

  for (const [name, way] of Object.entries(ways)) {
    it.effect(`does not let a caller go on that was interrupted by its handler, sent ${name}`, () =>
      Effect.gen(function*() {
        const counter = yield* Counter
        let wentOn = false
        const caller = yield* now(Effect.gen(function*() {
          yield* way(counter.Strike())
          wentOn = true
        }))
        assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(caller)))
        assert.isFalse(wentOn)
        assert.strictEqual(yield* counter.Next(), 2)
      }).pipe(Effect.provide(app())))

    it.effect(`is not sent by a fiber that was interrupted before, ${name}`, () =>
      Effect.gen(function*() {
        const counter = yield* Counter
        const sender = yield* now(Effect.gen(function*() {
          strike()
          yield* way(counter.Add())
        }))
        assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(sender)))
        assert.strictEqual(yield* counter.Next(), 1)
      }).pipe(Effect.provide(app())))

    it.effect(`is sent by a fiber that was interrupted but must not be, ${name}`, () =>
      Effect.gen(function*() {
        const counter = yield* Counter
        const answers: Array<number> = []
        const sender = yield* now(Effect.uninterruptible(Effect.gen(function*() {
          strike()
          yield* way(counter.Add())
          answers.push(yield* way(counter.Next()))
        })))
        assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(sender)))
        assert.deepStrictEqual(answers, [2])
      }).pipe(Effect.provide(app())))

    it.effect(`is a step that a tracer has around it, where it wants that, ${name}`, () =>
      Effect.gen(function*() {
        const counter = yield* Counter
        const messages = [counter.Add(), counter.Next()]
        const around: Array<unknown> = []
        const tracer = Tracer.make({
          span: (options) => new Tracer.NativeSpan(options),
          context: (primitive, fiber) => {
            if (messages.some((message) => Object.is(message, primitive))) around.push(primitive)
            return primitive["~effect/Effect/evaluate"](fiber)
          }
        })
        yield* Effect.withTracer(
          Effect.gen(function*() {
            for (const message of messages) yield* way<unknown, unknown, never>(message)
          }),
          tracer
        )
        assert.deepStrictEqual(around, messages)
      }).pipe(Effect.provide(app())))
  }

  for (const name of ["Add", "Next", "Refuse"] as const) {
    it.effect(`counts as a step of its fiber, which gives way after as many: ${name}`, () =>
      Effect.gen(function*() {
        const [plain, short] = [yield* sentBefore(name, handed), yield* sentBefore(name, yielded)]
        assert.isAtLeast(plain, 50)
        assert.strictEqual(short, plain)
      }))
  }

  for (const name of names.filter((name) => name !== "Slow" && name !== "Later")) {
    it.effect(`takes as many steps of its fiber, whatever comes of it: ${name}`, () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* stepsOf(name, yielded), yield* stepsOf(name, handed))
      }))
  }

  for (const [name, way] of Object.entries(ways)) {
    it.effect(`makes its fiber give way as often as a Scheduler says that counts how often it is asked, sent ${name}`, () =>
      Effect.gen(function*() {
        const { given, said } = yield* turnsAmong(1_000, way)
        assert.isAtLeast(said, 20)
        assert.strictEqual(given, said)
      }))
  }

  it("is left to the run loop in a long chain of handlers, on whose stack their generators stand", () => {
    const runs: Array<number> = []
    class Link extends GenServer.Service<Link>()("test/Link", {
      state: Schema.Int,
      messages: { Length: GenServer.call({ payload: { left: Schema.Int }, reply: Schema.Int }) }
    }) {}
    const Chain = Supervisor.layer(tree, [
      StateContainer.layerMemory(Link),
      Link.layerKeyed((key) =>
        Link.behavior({
          init: 0,
          handlers: {
            Length: Effect.fnUntraced(
              function*(n, { left }) {
                if (left === 0) return [0, n] as const
                const next = yield* Link.at(`${Number(key) + 1}`)
                const message = next.Length({ left: left - 1 })
                const count = countRuns(message)
                const length = 1 + (yield* message)
                runs[Number(key)] = count()
                return [length, n] as const
              },
              Effect.orDie
            )
          }
        })
      )
    ])
    const program = Effect.gen(function*() {
      const first = yield* Link.at("0")
      // The first time starts them.
      for (let i = 0; i < 2; i++) assert.strictEqual(yield* first.Length({ left: 12 }), 12)
      assert.deepStrictEqual(runs, [0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1])
    })
    return Effect.runPromise(Effect.provide(program, Chain))
  })

  it.effect("does not make a fiber give way that must not", () =>
    Effect.gen(function*() {
      const counter = yield* Counter
      let others = 0
      yield* now(Effect.forever(Effect.andThen(Effect.yieldNow, Effect.sync(() => others++))))
      const before = others
      for (let i = 0; i < 5_000; i++) yield* counter.Next()
      assert.strictEqual(others, before)
    }).pipe(Effect.provide(app()), Effect.provideService(Scheduler.PreventSchedulerYield, true)))

  it("is sent by an eager function where that is called", () => {
    const program = Effect.gen(function*() {
      const counter = yield* Counter
      const eager = Effect.fnUntracedEager(function*() {
        return yield* counter.Next()
      })
      const first = eager()
      assert.strictEqual(yield* counter.Next(), 2)
      assert.strictEqual(yield* first, 1)
    })
    return Effect.runPromise(Effect.provide(program, app()))
  })

  it.effect.prop(
    "goes to the server of a key that a generator waits for, as found by the run loop",
    [Schema.Array(Called).check(Schema.isMaxLength(8))],
    ([called]) =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* heardOfKeys(called, yielded), yield* heardOfKeys(called, plainly))
      })
  )

  it.effect("goes to a server that is got by its key in the same step, once that is up", () =>
    Effect.gen(function*() {
      const first = yield* Counter.at("a")
      const again = Counter.at("a")
      const next = (yield* Counter.via("a")).Next()
      const runs = [countRuns(again), countRuns(next)]
      assert.strictEqual(yield* again, first)
      assert.strictEqual(yield* next, 1)
      assert.deepStrictEqual(runs.map((count) => count()), [0, 0])
    }).pipe(Effect.provide(OfKeys)))

  it.effect("is a defect where no layer has its keys, which the generator cannot catch", () =>
    Effect.gen(function*() {
      // Past the type checker.
      const at = Counter.at("a") as Effect.Effect<Client, Supervisor.StartError>
      const exit = yield* Effect.exit(Effect.gen(function*() {
        try {
          yield* at
        } catch {
          return "caught"
        }
      }))
      assert.isTrue(Exit.hasDies(exit))
      assert.strictEqual(String(exit), String(yield* Effect.exit(plainly<unknown, unknown, never>(at))))
    }))
})
