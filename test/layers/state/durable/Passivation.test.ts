/** What becomes of the state of a server that hibernates over a store. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Latch, Layer, Schedule, Schema } from "effect"
import { TestClock } from "effect/testing"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { CallError } from "../../../../src/domain/Errors.ts"
import type { ExitReason } from "../../../../src/domain/process/ExitReason.ts"
import type { StoreError } from "../../../../src/domain/state/stored/StoreError.ts"
import {
  GenServer,
  Next,
  Restart,
  StateContainer,
  StateStore,
  StateTable,
  Supervisor,
  Sys
} from "../../../../src/index.ts"
import { processOf } from "../../../../src/layers/process/Process.ts"
import * as StateStoreSqlite from "../../../../src/layers/state/StateStoreSqlite.ts"
import { Harness } from "../../../../src/layers/testing/Harness.ts"
import { fork, poll, turns } from "../../../kit/Account.ts"
import { away, layer as storeLayer, onSave, Scripted, Store } from "../../../kit/Scripted.ts"

class Sleeper extends GenServer.Service<Sleeper>()("test/Sleeper", {
  state: Schema.Struct({ n: Schema.Int }),
  messages: {
    /** Adds, and hibernates. */
    Sleep: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }),
    Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }),
    Read: GenServer.call({ reply: Schema.Int }),
    Put: GenServer.cast({ payload: { to: Schema.Int } }),
    /** Hibernates, is answered by `Settle`. */
    SleepOn: GenServer.call({ reply: Schema.Int }),
    Settle: GenServer.cast(),
    /** Hibernates for at most 100 ms. */
    Nap: GenServer.call(),
    Die: GenServer.call()
  }
}) {}

class Top extends Supervisor.Service<Top>()("test/Top") {}

interface State {
  readonly n: number
}

/** What is seen from inside: states as handlers were given them, ends, and a promised reply. */
class Inside {
  readonly script = new Scripted()
  readonly states: Array<State> = []
  readonly life: Array<string> = []
  from: GenServer.From<number, never> | undefined = undefined
}

type Options = Omit<
  Parameters<typeof StateContainer.layerStore<typeof Sleeper, string, State, Store, "crash">>[1],
  "store"
>

const behavior = (inside: Inside) => {
  const seen = (state: State) => {
    inside.states.push(state)
    return state
  }
  return Sleeper.behavior({
    init: { n: 0 },
    handlers: {
      Sleep: (state, { by }) => Next.reply(seen(state).n + by, { n: state.n + by }, { hibernate: true }),
      Add: (state, { by }) => [seen(state).n + by, { n: state.n + by }],
      Read: (state) => [seen(state).n, state],
      Put: (_state, { to }) => ({ n: to }),
      SleepOn: (state, _, { from }) => {
        inside.from = from
        return Next.noReply(state, { hibernate: true })
      },
      Settle: (state) => Effect.as(GenServer.reply(inside.from!, Exit.succeed(seen(state).n)), state),
      Nap: (state) => Next.reply(undefined, { n: state.n + 1 }, { hibernate: true, idleAfter: 100 }),
      Die: () => Effect.die("boom")
    },
    idle: (state) => ({ n: seen(state).n + 1000 }),
    terminate: (reason: ExitReason, state) => {
      inside.life.push(`${reason._tag} at ${state.n}`)
    }
  })
}

const setUp = (inside: Inside, options: Options = {}, supervisor: Partial<Supervisor.Options> = {}) =>
  Top.layer({ id: "root", strategy: "one_for_one", ...supervisor }, [
    StateContainer.layerStore(Sleeper, { store: Store, ...options }),
    Sleeper.layer(behavior(inside))
  ]).pipe(Layer.provide(storeLayer(inside.script)), Layer.provideMerge(Harness.layer))

const patience = Schedule.max([Schedule.exponential("1 second"), Schedule.recurs(2)])
const noRestarts = { restart: Restart.intensity({ restarts: 0, within: "1 minute" }) }

/** Loads since the server started. */
const loads = (inside: Inside) => inside.script.count("load") - 1

const reasonOf = (exit: Exit.Exit<unknown, unknown>) => {
  const error = Exit.findErrorOption(exit)
  return error._tag === "Some" && error.value instanceof CallError ? error.value.reason : undefined
}

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
        const [sleeper, harness] = [yield* Sleeper, yield* Harness]
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
          Harness.layer
        ))
      )
    })
  }
})

describe("a server that hibernates over a store", () => {
  it.effect("lets its state leave memory when it is stored; the next message loads it before its handler runs", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const [sleeper, harness] = [yield* Sleeper, yield* Harness]
      assert.strictEqual(yield* sleeper.Sleep({ by: 41 }), 41)
      yield* turns
      assert.strictEqual(loads(inside), 0)
      assert.strictEqual(yield* sleeper.Add({ by: 1 }), 42)
      assert.strictEqual(loads(inside), 1)
      // loaded, not kept: another object
      assert.deepStrictEqual(inside.states, [{ n: 0 }, { n: 41 }])
      assert.strictEqual(yield* sleeper.Add({ by: 1 }), 43)
      assert.strictEqual(loads(inside), 1)
      // told, and neither a restart nor a restored state
      assert.strictEqual(yield* GenServer.incarnation(sleeper), 1)
      assert.deepStrictEqual(yield* harness.historyOf(sleeper), ["Started", "StatePassivated", "StateActivated"])
      assert.deepStrictEqual(inside.life, [])
    }).pipe(Effect.provide(setUp(inside)))
  })

  it.effect("is running, to its supervisor and to whoever asks: nothing is loaded for that", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const [sleeper, harness] = [yield* Sleeper, yield* Harness]
      yield* sleeper.Sleep({ by: 41 })
      yield* harness.awaitTag("StatePassivated", sleeper)
      const top = yield* Top
      const { status } = yield* top.whichChild("test/Sleeper")
      assert.deepStrictEqual([status, sleeper[processOf].status], ["running", "running"])
      assert.deepStrictEqual(yield* top.countChildren, { specs: 2, active: 2, supervisors: 0, workers: 2 })
      assert.strictEqual(loads(inside), 0)
    }).pipe(Effect.provide(setUp(inside)))
  })

  it.effect("is hibernating, to whoever asks for its status: nothing is loaded for that", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const [sleeper, harness] = [yield* Sleeper, yield* Harness]
      yield* sleeper.Sleep({ by: 41 })
      // Not before it is stored.
      const before = yield* Sys.getStatus(sleeper)
      assert.deepStrictEqual([before.status, before.state], ["running", { n: 41 }])
      yield* sleeper.Sleep({ by: 0 })
      yield* harness.awaitTag("StatePassivated", sleeper)
      const status = yield* Sys.getStatus(sleeper)
      assert.deepStrictEqual([status.status, status.incarnation, status.queued, status.log], ["hibernating", 1, 0, []])
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

  it.effect("a status asked for while others wait is told in its turn", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const [sleeper, harness] = [yield* Sleeper, yield* Harness]
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
      const callers = yield* Effect.forEach([10, 100, 1000], (by) => fork(add(by)))
      yield* sleeper.Put({ to: 0 })
      callers.push(yield* fork(add(5)))
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
      const slept = yield* fork(sleeper.Sleep({ by: 1 }))
      yield* turns
      const read = yield* fork(sleeper.Read())
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
        const slept = yield* fork(sleeper.Sleep({ by: 1 }))
        yield* turns
        const replaced = yield* fork(Sys.replaceState(sleeper, () => ({ n: 100 })))
        yield* turns
        yield* gates[0]!.open
        assert.strictEqual(yield* Fiber.join(slept), 1)
        yield* turns
        const early = wanted ? yield* fork(sleeper.Read()) : undefined
        yield* turns
        yield* gates[1]!.open
        yield* Fiber.join(replaced)
        yield* turns
        assert.strictEqual(yield* (early === undefined ? sleeper.Read() : Fiber.join(early)), 100)
        assert.strictEqual(loads(inside), wanted ? 0 : 1)
        assert.strictEqual(yield* GenServer.incarnation(sleeper), 1)
      }).pipe(Effect.provide(setUp(inside)))
    })
  }

  it.effect("keeps its state while a caller is promised a later reply", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const sleeper = yield* Sleeper
      yield* sleeper.Add({ by: 7 })
      const promised = yield* fork(sleeper.SleepOn())
      yield* turns
      yield* sleeper.Settle()
      assert.strictEqual(yield* Fiber.join(promised), 7)
      assert.strictEqual(loads(inside), 0)
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

  it.effect("an idle timeout, and what the system asks, bring the state back", () => {
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
      assert.strictEqual(yield* GenServer.incarnation(sleeper), 1)
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

  it.effect("conserved with its last word alone, or in memory, its state stays", () => {
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
      ]).pipe(Layer.provideMerge(Harness.layer))
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

describe("a store that is away when the state is wanted", () => {
  it.effect("is asked again by the Schedule; the message waits, and no restart is counted", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const sleeper = yield* Sleeper
      yield* sleeper.Sleep({ by: 1 })
      yield* turns
      inside.script.before = (operation) => operation === "load" ? away(operation) : Effect.void
      const read = yield* fork(sleeper.Read({}, { timeout: "infinity" }))
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(loads(inside), 2)
      inside.script.before = () => Effect.void
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(read), 1)
      assert.strictEqual(yield* GenServer.incarnation(sleeper), 1)
    }).pipe(Effect.provide(setUp(inside, { retry: patience }, noRestarts)))
  })

  it.effect("when it gives up, the incarnation ends as not conserved; the message waits for the next one, uncharged", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const [sleeper, harness] = [yield* Sleeper, yield* Harness]
      yield* sleeper.Sleep({ by: 1 })
      yield* turns
      inside.script.before = (operation) => operation === "load" ? away(operation) : Effect.void
      const read = yield* fork(sleeper.Read({}, { timeout: "infinity" }))
      yield* TestClock.adjust("3 seconds")
      inside.script.before = () => Effect.void
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual(yield* Fiber.join(read), 1)
      const exited = yield* harness.awaitTag("Exited", sleeper)
      assert.strictEqual(exited.reason._tag, "NotConserved")
      assert.strictEqual(yield* GenServer.incarnation(sleeper), 2)
      // it was never asked for its last word: it had no state
      assert.deepStrictEqual(inside.life, [])
    }).pipe(Effect.provide(setUp(inside, { retry: patience }, noRestarts)))
  })

  it.effect("for good: no caller hangs", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const sleeper = yield* Sleeper
      yield* sleeper.Sleep({ by: 1 })
      yield* turns
      inside.script.before = (operation) => away(operation)
      const read = yield* fork(Effect.exit(sleeper.Read({}, { timeout: "infinity" })))
      yield* TestClock.adjust("1 minute")

      assert.strictEqual(reasonOf(yield* Fiber.join(read))?._tag, "NotRunning")
    }).pipe(Effect.provide(setUp(inside, { retry: patience }, noRestarts)))
  })
})

describe("the end of a server whose state is in its store alone", () => {
  it.effect("stopped, its clean-up gets the state", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const sleeper = yield* Sleeper
      yield* sleeper.Sleep({ by: 9 })
      yield* turns
      yield* GenServer.stop(sleeper)
      assert.deepStrictEqual(inside.life, ["Normal at 9"])
      assert.strictEqual(loads(inside), 1)
      assert.strictEqual(yield* sleeper.Read(), 9)
    }).pipe(Effect.provide(setUp(inside)))
  })

  it.effect("stopped while the store is away, its clean-up cannot be run, and that is told", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const sleeper = yield* Sleeper
      yield* sleeper.Sleep({ by: 9 })
      yield* turns
      inside.script.before = (operation) => operation === "load" ? away(operation) : Effect.void
      const stopping = yield* fork(Effect.flip(GenServer.stop(sleeper)))
      yield* TestClock.adjust("3 seconds")
      const failed = yield* Fiber.join(stopping)
      assert.strictEqual(failed._tag, "StopFailed")
      assert.deepStrictEqual(inside.life, [])
      inside.script.before = () => Effect.void
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual(yield* sleeper.Read(), 9)
    }).pipe(Effect.provide(setUp(inside, { retry: patience })))
  })

  it.effect("shut down with its tree, its clean-up gets the state", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      yield* Effect.gen(function*() {
        const sleeper = yield* Sleeper
        yield* sleeper.Sleep({ by: 9 })
        yield* turns
      }).pipe(Effect.provide(setUp(inside)))
      assert.deepStrictEqual(inside.life, ["Shutdown at 9"])
      assert.deepStrictEqual(yield* inside.script.states("test/Sleeper"), [`{"n":9}`])
    })
  })

  it.effect("killed, or killed while the state is loaded, the next incarnation starts from what is stored", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const [sleeper, harness] = [yield* Sleeper, yield* Harness]
      yield* sleeper.Sleep({ by: 1 })
      yield* turns
      yield* GenServer.kill(sleeper)
      yield* harness.awaitIncarnation(sleeper, 2)
      assert.strictEqual(yield* sleeper.Sleep({ by: 1 }), 2)
      yield* turns
      const gate = Latch.makeUnsafe(false)
      inside.script.before = (operation) => operation === "load" ? gate.await : Effect.void
      const read = yield* fork(sleeper.Read())
      yield* turns
      yield* GenServer.kill(sleeper)
      yield* gate.open
      yield* harness.awaitIncarnation(sleeper, 3)
      assert.strictEqual(yield* Fiber.join(read), 2)
      assert.deepStrictEqual(inside.life, [])
    }).pipe(Effect.provide(setUp(inside)))
  })

  it.effect("a crash of the message that brought the state back is no evidence against it", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const [sleeper, harness] = [yield* Sleeper, yield* Harness]
      for (let crash = 1; crash <= 5; crash++) {
        yield* sleeper.Sleep({ by: 1 })
        yield* turns
        assert.strictEqual(reasonOf(yield* Effect.exit(sleeper.Die()))?._tag, "Crashed")
        yield* harness.awaitIncarnation(sleeper, crash + 1)
      }
      assert.strictEqual(yield* sleeper.Read(), 5)
      assert.notInclude(yield* harness.historyOf(sleeper), "StateRolledBack")
    }).pipe(Effect.provide(setUp(inside, {}, { restart: Restart.intensity({ restarts: 5, within: "1 minute" }) })))
  })
})

describe("a state that others change while it is in its store alone", () => {
  it.effect("what a person sets is what the server goes on with; what is cleared is gone with its incarnation", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const [sleeper, harness] = [yield* Sleeper, yield* Harness]
      const companion = (yield* Sleeper.StateContainer).for()
      yield* sleeper.Sleep({ by: 1 })
      yield* turns
      yield* companion.set({ n: 50 })
      assert.strictEqual(yield* sleeper.Sleep({ by: 1 }), 51)
      assert.strictEqual(yield* GenServer.incarnation(sleeper), 1)
      yield* turns
      yield* companion.clear
      assert.strictEqual(yield* sleeper.Read(), 0)
      yield* harness.awaitIncarnation(sleeper, 2)
    }).pipe(Effect.provide(setUp(inside)))
  })

  /** A server whose state is being loaded: the store has read it, and has not said so yet. */
  const loading = (inside: Inside) =>
    Effect.gen(function*() {
      const sleeper = yield* Sleeper
      yield* sleeper.Sleep({ by: 1 })
      yield* turns
      const gate = Latch.makeUnsafe(false)
      inside.script.after = (operation) => operation === "load" ? gate.await : Effect.void
      const read = yield* fork(sleeper.Read())
      yield* turns
      inside.script.after = () => Effect.void
      return { sleeper, read, gate }
    })

  it.effect("what a person sets while it is loaded is what the server goes on with", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const companion = (yield* Sleeper.StateContainer).for()
      const { gate, read, sleeper } = yield* loading(inside)
      yield* companion.set({ n: 50 })
      yield* gate.open
      assert.strictEqual(yield* Fiber.join(read), 50)
      assert.strictEqual(yield* GenServer.incarnation(sleeper), 1)
    }).pipe(Effect.provide(setUp(inside)))
  })

  it.effect("what is cleared while it is loaded is gone with its incarnation", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const companion = (yield* Sleeper.StateContainer).for()
      const { gate, read, sleeper } = yield* loading(inside)
      yield* companion.clear
      yield* gate.open
      assert.strictEqual(yield* Fiber.join(read), 0)
      assert.strictEqual(yield* GenServer.incarnation(sleeper), 2)
    }).pipe(Effect.provide(setUp(inside)))
  })

  it.effect("set by a person, it is there without the store", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const sleeper = yield* Sleeper
      yield* sleeper.Sleep({ by: 1 })
      yield* turns
      yield* Effect.flatMap(Sleeper.StateContainer, (container) => container.for().set({ n: 50 }))
      inside.script.before = (operation) => operation === "load" ? Effect.never : Effect.void
      const read = yield* fork(sleeper.Read())
      yield* turns
      assert.deepStrictEqual(poll(read), Exit.succeed(50))
    }).pipe(Effect.provide(setUp(inside)))
  })

  it.effect("one that a person sets before it has left is not the server's: that one keeps its own", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const sleeper = yield* Sleeper
      const companion = (yield* Sleeper.StateContainer).for()
      const gate = Latch.makeUnsafe(false)
      inside.script.before = onSave(() => gate.await)
      const slept = yield* fork(sleeper.Sleep({ by: 1 }))
      yield* turns
      const set = yield* fork(companion.set({ n: 50 }))
      yield* turns
      yield* gate.open
      yield* Fiber.joinAll([slept, set])
      yield* turns
      assert.strictEqual(yield* sleeper.Read(), 1)
    }).pipe(Effect.provide(setUp(inside)))
  })

  it.effect("another snapshot in its place ends the incarnation; the next one starts from that", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const sleeper = yield* Sleeper
      yield* sleeper.Sleep({ by: 1 })
      yield* turns
      const { memory } = inside.script
      const [before] = yield* memory.load("test/Sleeper")
      yield* memory.save([{ ...before!, seq: before!.seq + 1, state: `{"n":1000}` }])
      assert.strictEqual(yield* sleeper.Read(), 1000)
      assert.strictEqual(yield* GenServer.incarnation(sleeper), 2)
    }).pipe(Effect.provide(setUp(inside)))
  })

  it.effect("written by a younger owner, it is refused: the server ends, fenced off", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const [sleeper, harness] = [yield* Sleeper, yield* Harness]
      yield* sleeper.Sleep({ by: 1 })
      yield* turns
      const { memory } = inside.script
      const epoch = yield* memory.acquireEpoch("another")
      const [before] = yield* memory.load("test/Sleeper")
      yield* memory.save([{ ...before!, epoch, seq: before!.seq + 1, state: `{"n":1000}` }])
      const read = yield* fork(Effect.exit(sleeper.Read({}, { timeout: "infinity" })))
      const exited = yield* harness.awaitTag("Exited", sleeper)
      const error = exited.reason._tag === "NotConserved" ? Cause.squash(exited.reason.cause) : undefined
      assert.deepInclude((error as StoreError).reason, { _tag: "Fenced", current: epoch, key: "test/Sleeper" })
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(reasonOf(yield* Fiber.join(read))?._tag, "NotRunning")
      assert.deepStrictEqual(inside.states, [{ n: 0 }])
    }).pipe(Effect.provide(setUp(inside, {}, noRestarts)))
  })

  it.effect("nor does any other server of that session go on with what the younger owner has written", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const [sleeper, harness] = [yield* Sleeper, yield* Harness]
      yield* sleeper.Sleep({ by: 1 })
      yield* turns
      const { memory } = inside.script
      const epoch = yield* memory.acquireEpoch("another")
      const [before] = yield* memory.load("test/Sleeper")
      yield* memory.save([{ ...before!, epoch, seq: before!.seq + 1, state: `{"n":1000}` }])
      yield* fork(Effect.exit(sleeper.Read({}, { timeout: "infinity" })))
      yield* harness.awaitTag("Exited", sleeper)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(inside.states, [{ n: 0 }])
      assert.notInclude(yield* harness.historyOf(sleeper), "StateRestored")
    }).pipe(Effect.provide(setUp(inside)))
  })

  it.effect("one that does not decode any more ends the incarnation; the next one is given the last good one", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const [sleeper, harness] = [yield* Sleeper, yield* Harness]
      yield* sleeper.Add({ by: 1 })
      yield* sleeper.Sleep({ by: 1 })
      yield* turns
      const { memory } = inside.script
      const [newest] = yield* memory.load("test/Sleeper")
      yield* memory.save([{ ...newest!, state: "rotten" }])
      assert.strictEqual(yield* sleeper.Read(), 1)
      const rolledBack = yield* harness.awaitTag("StateRolledBack", sleeper)
      assert.deepInclude(rolledBack, { from: 2, to: 1 })
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
              calls.push(yield* fork(sleeper[op.tag]({ by: op.by }, { timeout: "infinity" })))
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
              const ending = yield* fork(op._tag === "Kill" ? GenServer.kill(sleeper) : GenServer.stop(sleeper))
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
        { restart: Restart.intensity({ restarts: 1000, within: "1 second" }) }
      )))
    },
    { arbitrary: { runs: 200 }, timeout: 60_000 }
  )
})

describe("ten thousand servers that hibernate", () => {
  class Store extends StateStore.Service<Store>()("test/Sqlite", "process") {}

  class Page extends GenServer.Service<Page>()("test/Page", {
    state: Schema.Struct({ text: Schema.String }),
    messages: {
      Write: GenServer.call({ payload: { text: Schema.String, hibernate: Schema.Boolean } }),
      Read: GenServer.call({ reply: Schema.String })
    }
  }) {}

  const collect: () => void = (() => {
    setFlagsFromString("--expose-gc")
    return runInNewContext("gc")
  })()

  /** To the end of this turn of the event loop: until then whatever was looked at is held. */
  const turn = Effect.callback<void>((resume) => {
    setImmediate(() => resume(Effect.void))
  })

  it.live(
    "over SQLite none of their states can be reached in memory, and each is there when it is wanted",
    () =>
      Effect.gen(function*() {
        const directory = yield* Effect.acquireRelease(
          Effect.sync(() => mkdtempSync(join(tmpdir(), "heirloom-passive-"))),
          (directory) => Effect.sync(() => rmSync(directory, { recursive: true, force: true }))
        )
        const n = 10_000
        const states: Array<WeakRef<object>> = []
        const App = Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
          StateContainer.layerStore(Page, { store: Store }),
          Page.layerKeyed({
            init: { text: "" },
            handlers: {
              Write: (_state, { hibernate, text }) => {
                const next = { text }
                states.push(new WeakRef(next))
                return Next.reply(undefined, next, { hibernate })
              },
              Read: ({ text }) => [text, { text }]
            }
          })
        ]).pipe(
          Layer.provide(StateStoreSqlite.layer(Store, { filename: join(directory, "states.db") })),
          Layer.provideMerge(Harness.layer)
        )
        const reachable = () => states.filter((one) => one.deref() !== undefined).length
        const collected = Effect.gen(function*() {
          yield* turn
          collect()
          yield* turn
        })
        yield* Effect.gen(function*() {
          const pages = yield* Effect.forEach(Array.from({ length: n }, (_, i) => i), (i) => Page.at(`page-${i}`))
          const write = (hibernate: boolean) =>
            Effect.forEach(pages, (page, i) => page.Write({ text: `text ${i}`, hibernate }), {
              concurrency: "unbounded",
              discard: true
            })
          yield* write(false)
          yield* collected
          assert.strictEqual(reachable(), n)
          states.splice(0)
          yield* write(true)
          for (let i = 0; i < 50; i++) {
            yield* collected
            if (reachable() === 0) break
          }
          assert.strictEqual(reachable(), 0)
          for (const i of [0, 4711, n - 1]) assert.strictEqual(yield* pages[i]!.Read(), `text ${i}`)
        }).pipe(Effect.provide(App))
      }),
    60_000
  )
})
