/** A server that hibernates over a store: when its state leaves memory, and when it comes back. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Latch, Layer, Schedule, Schema } from "effect"
import { TestClock } from "effect/testing"
import { GenServer, Process, StateContainer, StateTable, Supervisor, Sys } from "../../../../src/index.ts"
import { Harness } from "../../../../src/testing.ts"
import { now, poll, turns } from "../../../kit/Fibers.ts"
import { quiet } from "../../../kit/Log.ts"
import { often } from "../../../kit/Restarts.ts"
import { away, layer as storeLayer, onSave, Store } from "../../../kit/Scripted.ts"
import { behavior, Inside, loads, setUp, Sleeper, type State, Top } from "../../../kit/Sleeper.ts"

const keyed = { idempotencyKey: "once" } as const

describe("a server that hibernates over anything else", () => {
  const others = {
    memory: StateContainer.layerMemory(Sleeper),
    table: Layer.provide(StateContainer.layerTable(Sleeper), StateTable.StateTable.layer),
    nothing: StateContainer.layerForget(Sleeper)
  }
  for (const [what, container] of Object.entries(others)) {
    it.effect(`keeps its state: the next message has the very same (${what})`, () => {
      const inside = new Inside()
      return Effect.gen(function*() {
        const [sleeper, harness] = [yield* Sleeper, yield* Harness.Harness]
        yield* sleeper.Sleep({ by: 1 })
        yield* turns
        yield* sleeper.Read()
        yield* sleeper.Read()
        assert.deepStrictEqual(inside.states, [{ n: 0 }, { n: 1 }, { n: 1 }])
        assert.strictEqual(inside.states[1], inside.states[2])
        assert.deepStrictEqual(yield* harness.historyOf(sleeper), ["Started"])
        yield* Effect.exit(sleeper.Die())
        assert.strictEqual(yield* sleeper.Read(), what === "nothing" ? 0 : 1)
      }).pipe(
        Effect.provide(Layer.provideMerge(
          Supervisor.layer({ id: "root", strategy: "one_for_one" }, [container, Sleeper.layer(behavior(inside))]),
          Harness.Harness.layer
        ))
      )
    })
  }
})

describe("a server that hibernates over a store", () => {
  it.effect("lets its state leave memory when it is stored; the next message loads it before its handler runs", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const [sleeper, harness] = [yield* Sleeper, yield* Harness.Harness]
      assert.strictEqual(yield* sleeper.Sleep({ by: 41 }), 41)
      yield* turns
      assert.strictEqual(loads(inside), 0)
      assert.strictEqual(yield* sleeper.Add({ by: 1 }), 42)
      assert.strictEqual(loads(inside), 1)
      // loaded, not kept: another object
      assert.deepStrictEqual(inside.states, [{ n: 0 }, { n: 41 }])
      assert.strictEqual(yield* sleeper.Add({ by: 1 }), 43)
      assert.strictEqual(loads(inside), 1)
      // published, and neither a restart nor a restored state
      assert.strictEqual(yield* Process.incarnation(sleeper), 1)
      assert.deepStrictEqual(yield* harness.historyOf(sleeper), ["Started", "StatePassivated", "StateActivated"])
      assert.deepStrictEqual(inside.life, [])
    }).pipe(Effect.provide(setUp(inside)))
  })

  it.effect("a state that was loaded again is protected from handlers as it was before", () => {
    const inside = new Inside()
    const own = behavior(inside)
    const frozen: Array<boolean> = []
    const Read = (state: State) => {
      frozen.push(Object.isFrozen(state))
      return [state.n, state] as const
    }
    const app = Layer.provide(
      Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
        StateContainer.layerStore(Sleeper, { store: Store }),
        Sleeper.layer({ ...own, handlers: { ...own.handlers, Read } }, { isolation: "freeze" })
      ]),
      storeLayer(inside.script)
    )
    return Effect.gen(function*() {
      const sleeper = yield* Sleeper
      yield* sleeper.Sleep({ by: 41 })
      yield* turns
      assert.strictEqual(yield* sleeper.Read(), 41)
      assert.strictEqual(loads(inside), 1)
      assert.deepStrictEqual(frozen, [true])
    }).pipe(Effect.provide(app))
  })

  for (const [how, isTrusted] of [["as little", false], ["as much", true]] as const) {
    it.effect(`a state that was loaded again is trusted ${how} as before: whether it gives way to the one before`, () => {
      const inside = new Inside()
      const own = behavior(inside)
      const Add = (state: State, { by }: { readonly by: number }) =>
        state.n === 2 ? Effect.die("poisoned") : [state.n + by, { n: state.n + by }] as const
      const app = Layer.provide(
        Supervisor.layer({ id: "root", strategy: "one_for_one", restart: often }, [
          StateContainer.layerStore(Sleeper, { store: Store, onSuspect: "rollback" }),
          Sleeper.layer({ ...own, handlers: { ...own.handlers, Add } }, { passivate: { after: "30 seconds" } })
        ]),
        storeLayer(inside.script)
      )
      return Effect.gen(function*() {
        const sleeper = yield* Sleeper
        yield* sleeper.Add({ by: 1 })
        yield* sleeper.Add({ by: 1 })
        // A message that was handled from it speaks for it.
        if (isTrusted) yield* sleeper.Read()
        yield* Process.kill(sleeper)
        const before = inside.script.count("load")
        yield* TestClock.adjust("1 minute")
        yield* Effect.exit(sleeper.Add({ by: 5 }))
        assert.isAbove(inside.script.count("load"), before)
        yield* Effect.exit(sleeper.Add({ by: 6 }))
        yield* Effect.exit(sleeper.Add({ by: 7 }))
        assert.strictEqual(yield* sleeper.Read(), isTrusted ? 2 : 1)
      }).pipe(Effect.provide(app), quiet)
    })
  }

  it.effect("is running, to its supervisor and to its callers: nothing is loaded for that", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const [sleeper, harness] = [yield* Sleeper, yield* Harness.Harness]
      yield* sleeper.Sleep({ by: 41 })
      yield* harness.awaitTag("StatePassivated", sleeper)
      const top = yield* Top
      const { status } = yield* top.whichChild("test/Sleeper")
      assert.deepStrictEqual([status, sleeper[Process.processOf].status], ["running", "running"])
      assert.deepStrictEqual(yield* top.countChildren, { specs: 2, active: 2, supervisors: 0, workers: 2 })
      assert.strictEqual(loads(inside), 0)
    }).pipe(Effect.provide(setUp(inside)))
  })

  it.effect("is hibernating, to a caller that asks for its status: nothing is loaded for that", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const [sleeper, harness] = [yield* Sleeper, yield* Harness.Harness]
      yield* sleeper.Sleep({ by: 41 })
      // Not before it is stored.
      const before = yield* Sys.getStatus(sleeper)
      assert.deepStrictEqual([before.status, before.state], ["running", { n: 41 }])
      yield* Sys.log(sleeper, 1)
      yield* sleeper.Sleep({ by: 0 })
      yield* harness.awaitTag("StatePassivated", sleeper)
      const status = yield* Sys.getStatus(sleeper)
      assert.deepStrictEqual([status.status, status.incarnation, status.queued], ["hibernating", 1, 0])
      // That of the last message: no format hook has to see it with the state.
      assert.lengthOf(status.log, 1)
      assert.isFalse("state" in status)
      yield* turns
      assert.strictEqual(loads(inside), 0)
      assert.notInclude(yield* harness.historyOf(sleeper), "StateActivated")
      assert.strictEqual(yield* sleeper.Add({ by: 1 }), 42)
      const after = yield* Sys.getStatus(sleeper)
      assert.deepStrictEqual([after.status, after.state], ["running", { n: 42 }])
      assert.strictEqual(loads(inside), 1)
    }).pipe(Effect.provide(setUp(inside)))
  })

  it.effect("a status asked for while others wait is answered in its turn", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const [sleeper, harness] = [yield* Sleeper, yield* Harness.Harness]
      yield* sleeper.Sleep({ by: 41 })
      yield* harness.awaitTag("StatePassivated", sleeper)
      yield* sleeper.Put({ to: 7 })
      const status = yield* Sys.getStatus(sleeper)
      assert.deepStrictEqual([status.status, status.state], ["running", { n: 7 }])
    }).pipe(Effect.provide(setUp(inside)))
  })

  it.effect("messages that come while the state is loaded wait in their order", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const sleeper = yield* Sleeper
      yield* sleeper.Sleep({ by: 1 })
      yield* turns
      const gate = Latch.makeUnsafe(false)
      inside.script.before = (operation) => operation === "load" ? gate.await : Effect.void
      const answers: Array<number> = []
      const add = (by: number) => Effect.map(sleeper.Add({ by }), (n) => answers.push(n))
      const callers = yield* Effect.forEach([10, 100, 1000], (by) => now(add(by)))
      yield* sleeper.Put({ to: 0 })
      callers.push(yield* now(add(5)))
      yield* turns
      assert.deepStrictEqual(answers, [])
      yield* gate.open
      yield* Effect.forEach(callers, Fiber.join)
      assert.deepStrictEqual(answers, [11, 111, 1111, 5])
      assert.strictEqual(loads(inside), 1)
    }).pipe(Effect.provide(setUp(inside)))
  })

  it.effect("keeps its state when a message comes while it is being written", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const sleeper = yield* Sleeper
      const gate = Latch.makeUnsafe(false)
      inside.script.before = onSave(() => gate.await)
      const slept = yield* now(sleeper.Sleep({ by: 1 }))
      yield* turns
      const read = yield* now(sleeper.Read())
      yield* turns
      assert.isUndefined(poll(slept))
      yield* gate.open
      assert.deepStrictEqual([yield* Fiber.join(slept), yield* Fiber.join(read)], [1, 1])
      yield* turns
      assert.strictEqual(yield* sleeper.Read(), 1)
      assert.strictEqual(loads(inside), 0)
      assert.strictEqual(inside.states.at(-1), inside.states.at(-2))
      // until it hibernates again
      yield* sleeper.Sleep({ by: 1 })
      yield* turns
      assert.strictEqual(yield* sleeper.Read(), 2)
      assert.strictEqual(loads(inside), 1)
    }).pipe(Effect.provide(setUp(inside)))
  })

  for (const wanted of [true, false]) {
    it.effect(`a state that the system changes while it is being written ${wanted ? "and wanted stays" : "leaves later"}`, () => {
      const inside = new Inside()
      return Effect.gen(function*() {
        const sleeper = yield* Sleeper
        const gates = [Latch.makeUnsafe(false), Latch.makeUnsafe(false)]
        inside.script.before = onSave(() => gates[inside.script.batches.length - 1]?.await ?? Effect.void)
        const slept = yield* now(sleeper.Sleep({ by: 1 }))
        yield* turns
        const replaced = yield* now(Sys.replaceState(sleeper, () => ({ n: 100 })))
        yield* turns
        yield* gates[0]!.open
        assert.strictEqual(yield* Fiber.join(slept), 1)
        yield* turns
        const early = wanted ? yield* now(sleeper.Read()) : undefined
        yield* turns
        yield* gates[1]!.open
        yield* Fiber.join(replaced)
        yield* turns
        assert.strictEqual(yield* (early === undefined ? sleeper.Read() : Fiber.join(early)), 100)
        assert.strictEqual(loads(inside), wanted ? 0 : 1)
        assert.strictEqual(yield* Process.incarnation(sleeper), 1)
      }).pipe(Effect.provide(setUp(inside)))
    })
  }

  it.effect("keeps its state while a caller is promised a later reply", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const sleeper = yield* Sleeper
      yield* sleeper.Add({ by: 7 })
      const promised = yield* now(sleeper.SleepOn())
      yield* turns
      yield* sleeper.Settle()
      assert.strictEqual(yield* Fiber.join(promised), 7)
      assert.strictEqual(loads(inside), 0)
      // Nothing is left of the promise: it hibernates as any other.
      yield* sleeper.Sleep({ by: 0 })
      yield* turns
      assert.strictEqual(yield* sleeper.Read(), 7)
      assert.strictEqual(loads(inside), 1)
    }).pipe(Effect.provide(setUp(inside)))
  })

  it.effect("one that only read lets go of what is stored already; one that never committed has nothing to let go of", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const sleeper = yield* Sleeper
      yield* sleeper.Sleep({ by: 0 })
      yield* turns
      yield* sleeper.Sleep({ by: 0 })
      yield* turns
      assert.strictEqual(loads(inside), 1)
      assert.strictEqual(yield* sleeper.Read(), 0)
      assert.strictEqual(loads(inside), 2)
    }).pipe(Effect.provide(setUp(inside)))
  })

  it.effect("an idle timeout and system messages bring the state back", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const sleeper = yield* Sleeper
      yield* sleeper.Nap()
      yield* turns
      yield* TestClock.adjust(100)
      assert.deepStrictEqual(inside.states, [{ n: 1 }])
      assert.strictEqual(loads(inside), 1)
      yield* sleeper.Sleep({ by: 1 })
      yield* turns
      assert.deepStrictEqual(yield* Sys.getState(sleeper), { n: 1002 })
      assert.strictEqual(loads(inside), 2)
      yield* sleeper.Sleep({ by: 1 })
      yield* turns
      yield* Sys.replaceState(sleeper, (state) => ({ n: state.n * 2 }))
      assert.strictEqual(yield* sleeper.Read(), 2006)
      assert.strictEqual(yield* Process.incarnation(sleeper), 1)
    }).pipe(Effect.provide(setUp(inside)))
  })

  it.effect("with states written at intervals, it has its own written at once, and then lets go of it", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const sleeper = yield* Sleeper
      yield* sleeper.Sleep({ by: 3 })
      yield* turns
      assert.deepStrictEqual(yield* inside.script.states("test/Sleeper"), [`{"n":3}`])
      assert.strictEqual(yield* sleeper.Read(), 3)
      assert.strictEqual(loads(inside), 1)
    }).pipe(Effect.provide(setUp(inside, { when: { every: "1 hour" } })))
  })

  it.effect("conserved on terminate alone, or in memory, its state stays", () => {
    const inside = new Inside()
    const program = Effect.gen(function*() {
      const sleeper = yield* Sleeper
      yield* sleeper.Sleep({ by: 3 })
      yield* turns
      yield* sleeper.Read()
      yield* sleeper.Read()
      assert.strictEqual(inside.states.at(-1), inside.states.at(-2))
      return inside.states.at(-1)
    })
    return Effect.gen(function*() {
      assert.deepStrictEqual(yield* Effect.provide(program, setUp(inside, { when: "terminate" })), { n: 3 })
      assert.strictEqual(loads(inside), 0)
      const inMemory = Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
        StateContainer.layerMemory(Sleeper),
        Sleeper.layer(behavior(inside))
      ]).pipe(Layer.provideMerge(Harness.Harness.layer))
      assert.deepStrictEqual(yield* Effect.provide(program, inMemory), { n: 3 })
    })
  })

  it.effect("a call made again gets the answer on record, which left memory with the state", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const sleeper = yield* Sleeper
      assert.strictEqual(yield* sleeper.Sleep({ by: 5 }, keyed), 5)
      yield* turns
      assert.strictEqual(yield* sleeper.Sleep({ by: 5 }, keyed), 5)
      assert.strictEqual(loads(inside), 1)
      assert.strictEqual(yield* sleeper.Read(), 5)
    }).pipe(Effect.provide(setUp(inside)))
  })

  it.effect("also when a person has set another state meanwhile: the answers on record stay there", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const sleeper = yield* Sleeper
      const companion = (yield* Sleeper.StateContainer).for()
      assert.strictEqual(yield* sleeper.Sleep({ by: 5 }, keyed), 5)
      yield* turns
      yield* companion.set({ n: 100 })
      assert.strictEqual(yield* sleeper.Sleep({ by: 5 }, keyed), 5)
      assert.strictEqual(yield* sleeper.Read(), 100)
    }).pipe(Effect.provide(setUp(inside)))
  })
})

describe("any life of a server that hibernates", () => {
  const Op = Schema.Union([
    Schema.TaggedStruct("Call", { tag: Schema.Literals(["Sleep", "Add"]), by: Schema.Int }),
    Schema.TaggedStruct("Cast", { to: Schema.Int }),
    Schema.TaggedStruct("Turns", {}),
    Schema.TaggedStruct("Kill", {}),
    Schema.TaggedStruct("Stop", {}),
    /** The store is away until it was asked that often. */
    Schema.TaggedStruct("Away", { times: Schema.Literals([1, 2, 3]) })
  ])

  it.effect.prop(
    "answers are those of one that never sleeps, and none that was given is lost",
    { ops: Schema.Array(Op), late: Schema.Boolean },
    ({ late, ops }) => {
      const inside = new Inside()
      return Effect.gen(function*() {
        const sleeper = yield* Sleeper
        let n = 0
        const expected: Array<number> = []
        const calls: Array<Fiber.Fiber<number, unknown>> = []
        const quiet = Effect.andThen(TestClock.adjust("20 seconds"), turns)
        for (const op of ops) {
          switch (op._tag) {
            case "Call": {
              n += op.by
              expected.push(n)
              calls.push(yield* now(sleeper[op.tag]({ by: op.by }, { timeout: "infinity" })))
              break
            }
            case "Cast":
              n = op.to
              yield* sleeper.Put({ to: op.to })
              break
            case "Turns":
              yield* turns
              break
            case "Kill":
            case "Stop": {
              // a message in hand would fail with it
              yield* quiet
              const ending = yield* now(op._tag === "Kill" ? Process.kill(sleeper) : GenServer.stop(sleeper))
              yield* quiet
              yield* Fiber.join(ending)
              break
            }
            case "Away": {
              let left = op.times
              inside.script.before = (operation) => left-- > 0 ? away(operation) : Effect.void
            }
          }
        }
        yield* quiet
        assert.deepStrictEqual(yield* Effect.forEach(calls, Fiber.join), expected)
        inside.script.before = () => Effect.void
        assert.strictEqual(yield* sleeper.Read(), n)
      }).pipe(Effect.provide(setUp(
        inside,
        {
          retry: Schedule.max([Schedule.spaced("100 millis"), Schedule.recurs(100)]),
          when: late ? { every: "1 second" } : "commit"
        },
        { restart: often }
      )))
    },
    { arbitrary: { runs: 200 }, timeout: 60_000 }
  )
})
