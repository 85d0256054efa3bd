import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Latch, Layer, Option, Schema } from "effect"
import { TestClock } from "effect/testing"
import { GenServer, Next, Process, StateContainer, Supervisor, Sys } from "../../../src/index.ts"
import { Harness } from "../../../src/testing.ts"
import { now, poll } from "../../kit/Fibers.ts"

class Cell extends GenServer.Service<Cell>()("test/Cell", {
  state: Schema.Int,
  messages: {
    Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }),
    Put: GenServer.cast({ payload: { to: Schema.Int } }),
    Arm: GenServer.call({ payload: { millis: Schema.Number } }),
    ArmAndSend: GenServer.call({ payload: { millis: Schema.Number, to: Schema.Int } }),
    Hold: GenServer.call({ timeout: "infinity" }),
    Inspect: GenServer.call({ reply: Schema.String }),
    Crash: GenServer.call()
  }
}) {}

/** A cell, what its idle callback did, and what its `Hold` waits for. */
const setting = (options: GenServer.Options = {}) => {
  const idled: Array<number> = []
  const gate = Latch.makeUnsafe()
  const cell = Cell.layer({
    init: 0,
    handlers: {
      Add: (n, { by }) => [n + by, n + by],
      Put: (_, { to }) => to,
      Arm: (n, { millis }) => Next.reply(undefined, n, { idleAfter: millis }),
      ArmAndSend: (n, { millis, to }) =>
        Effect.as(
          Effect.flatMap(Cell.self, (self) => self.Put({ to })),
          Next.reply(undefined, n, { idleAfter: millis })
        ),
      Hold: (n) => Effect.as(gate.await, [undefined, n] as const),
      Inspect: (n) =>
        Effect.map(
          Effect.match(Effect.flatMap(Cell.self, (self) => Sys.getState(self)), {
            onSuccess: String,
            onFailure: ({ reason }) => reason._tag
          }),
          (answer) => [answer, n] as const
        ),
      Crash: () => Effect.die("boom")
    },
    idle: (n) => {
      idled.push(n)
      return n
    }
  }, options)
  const app = Supervisor.layer({ id: "root", strategy: "one_for_one" }, [StateContainer.layerMemory(Cell), cell])
  return { idled, gate, app: Layer.provideMerge(app, Harness.Harness.layer) }
}

describe("the status of a process that is no server", () => {
  it.effect("is what it is, with nothing that waits", () => {
    class Root extends Supervisor.Service<Root>()("root") {}
    return Effect.gen(function*() {
      const root = yield* Root
      const { budget, process, ...status } = yield* Sys.getStatus(root)
      assert.strictEqual(process, root[Process.processOf])
      assert.isDefined(budget)
      assert.deepStrictEqual(status, {
        path: ["root"],
        parent: [],
        incarnation: 1,
        status: "running",
        queued: 0,
        quarantined: 0,
        log: []
      })
    }).pipe(Effect.provide(Root.layer({ strategy: "one_for_one" }, [])))
  })
})

describe("what watches a server", () => {
  it.effect("is switched off as a whole; of a server that nothing watches, nothing is", () => {
    const { app } = setting()
    return Effect.gen(function*() {
      const cell = yield* Cell
      yield* Sys.noDebug(cell)
      const seen: Array<string> = []
      yield* Sys.log(cell, true)
      yield* Sys.statistics(cell, true)
      yield* Sys.trace(cell, ({ _tag }) => void seen.push(_tag))
      yield* Sys.install(cell, () => void seen.push("function"), undefined)
      yield* cell.Add({ by: 1 })
      assert.deepStrictEqual(seen.splice(0), ["In", "function", "Out", "function"])
      assert.strictEqual((yield* Sys.log(cell, "get")).length, 2)
      const counts = Option.getOrThrow(yield* Sys.statistics(cell, "get"))
      assert.deepStrictEqual([counts.messagesIn, counts.messagesOut], [1, 1])
      yield* Sys.noDebug(cell)
      yield* cell.Add({ by: 1 })
      assert.deepStrictEqual(
        [seen, yield* Sys.log(cell, "get"), yield* Sys.statistics(cell, "get")],
        [[], [], Option.none()]
      )
      yield* Sys.noDebug(cell)
    }).pipe(Effect.provide(app))
  })
})

describe("requests of the system", () => {
  it.effect("leave an idle timeout alone", () => {
    const { app, idled } = setting()
    return Effect.gen(function*() {
      const cell = yield* Cell
      yield* cell.Arm({ millis: 1000 })
      for (let n = 0; n < 4; n++) {
        yield* TestClock.adjust(200)
        yield* Sys.getState(cell)
        yield* Sys.getStatus(cell)
      }
      assert.deepStrictEqual(idled, [])
      yield* TestClock.adjust(200)
      assert.deepStrictEqual(idled, [0])
      yield* TestClock.adjust(5000)
      assert.deepStrictEqual(idled, [0])
    }).pipe(Effect.provide(app))
  })

  it.effect("that take time do not lose an idle timeout that falls due meanwhile", () => {
    const { app, idled } = setting()
    return Effect.gen(function*() {
      const cell = yield* Cell
      yield* cell.Arm({ millis: 100 })
      const replacing = yield* now(Sys.replaceState(cell, (n) => Effect.delay(Effect.succeed(n + 1), 200)))
      yield* TestClock.adjust(200)
      assert.strictEqual(yield* Fiber.join(replacing), 1)
      yield* Sys.getState(cell)
      assert.deepStrictEqual(idled, [1])
    }).pipe(Effect.provide(app))
  })

  it.effect("wait their turn behind what was sent before", () => {
    const { app, gate } = setting()
    return Effect.gen(function*() {
      const cell = yield* Cell
      const held = yield* now(cell.Hold())
      yield* cell.Put({ to: 7 })
      const state = yield* now(Sys.getState(cell))
      yield* cell.Put({ to: 8 })
      yield* gate.open
      yield* Fiber.join(held)
      assert.strictEqual(yield* Fiber.join(state), 7)
      assert.strictEqual(yield* Sys.getState(cell), 8)
    }).pipe(Effect.provide(app))
  })

  for (const overflow of ["suspend", "fail", "drop_oldest"] as const) {
    it.effect(`find room in a full mailbox, and take none from a message (${overflow})`, () => {
      const { app, gate } = setting({ mailbox: { capacity: 2, overflow } })
      return Effect.gen(function*() {
        const [cell, harness] = [yield* Cell, yield* Harness.Harness]
        // One that waits leaves the users as much room as there is without it.
        const held = yield* now(cell.Hold())
        const before = yield* now(Sys.getState(cell))
        const users = yield* Effect.forEach([1, 2], (by) => now(cell.Add({ by })))
        assert.deepStrictEqual(users.map(poll), [undefined, undefined])
        const third = yield* now(cell.Add({ by: 4 }))
        assert.deepStrictEqual(
          [...users, third].map((fiber) => poll(fiber) === undefined),
          {
            suspend: [true, true, true],
            fail: [true, true, false],
            drop_oldest: [false, true, true]
          }[overflow]
        )
        yield* gate.open
        yield* Fiber.join(held)
        assert.strictEqual(yield* Fiber.join(before), 0)
        yield* Fiber.awaitAll([...users, third])
        yield* Sys.replaceState(cell, () => Effect.succeed(0))

        yield* Sys.suspend(cell)
        const added = yield* Effect.forEach([1, 2, 4], (by) => now(cell.Add({ by })))
        const state = yield* now(Sys.getState(cell))
        assert.strictEqual(yield* Fiber.join(state), 0)
        assert.strictEqual((yield* Sys.getStatus(cell)).queued, 2)
        yield* Sys.resume(cell)
        const answers = yield* Effect.forEach(added, (fiber) => Fiber.await(fiber))
        const dropped = (yield* harness.eventsOf(cell)).filter(({ _tag }) => _tag === "Dropped").length
        // One here, and one before.
        assert.strictEqual(dropped, overflow === "suspend" ? 0 : 2)
        assert.deepStrictEqual(
          answers.map((exit) => exit._tag === "Success" ? exit.value : "dropped"),
          overflow === "suspend" ? [1, 3, 7] : overflow === "fail" ? [1, 3, "dropped"] : ["dropped", 2, 6]
        )
        // A server with a full mailbox can be stopped, too.
        yield* Sys.suspend(cell)
        yield* Effect.forEach([1, 2, 4], (by) => now(Effect.exit(cell.Add({ by }))))
        yield* GenServer.stop(cell)
        yield* harness.awaitIncarnation(cell, 2)
      }).pipe(Effect.provide(app))
    })
  }

  it.effect("are not answered by a server from its own handler, which would wait for itself", () => {
    const { app } = setting()
    return Effect.gen(function*() {
      const cell = yield* Cell
      assert.strictEqual(yield* cell.Inspect(), "CallingSelf")
    }).pipe(Effect.provide(app))
  })

  it.effect("wait while the server restarts, and fail when it is down for good", () => {
    const { app } = setting({ restart: "transient" })
    return Effect.gen(function*() {
      const cell = yield* Cell
      yield* cell.Add({ by: 5 })
      yield* Effect.exit(cell.Crash())
      assert.strictEqual(yield* Sys.getState(cell), 5)
      yield* GenServer.stop(cell)
      const error = yield* Effect.flip(Sys.getState(cell))
      assert.instanceOf(error, GenServer.CallError)
      assert.deepStrictEqual([error.request, error.reason._tag], ["Sys.getState", "NotRunning"])
    }).pipe(Effect.provide(app))
  })

  it.effect("commit nothing unless they change something", () => {
    const { app } = setting()
    return Effect.gen(function*() {
      const [cell, container] = [yield* Cell, yield* Cell.StateContainer]
      yield* cell.Add({ by: 1 })
      const before = yield* container.for().snapshots
      yield* Sys.getState(cell)
      yield* Sys.statistics(cell, true)
      yield* Sys.suspend(cell)
      yield* Sys.resume(cell)
      assert.deepStrictEqual(yield* container.for().snapshots, before)
      yield* Sys.replaceState(cell, (n) => n + 41)
      assert.deepStrictEqual(yield* container.for().get, Option.some(42))
      yield* Process.kill(cell)
      assert.strictEqual(yield* Sys.getState(cell), 42)
    }).pipe(Effect.provide(app))
  })
})

describe("an idle timeout", () => {
  it.effect("of 0 falls due at once, unless a message waits", () => {
    const { app, idled } = setting()
    return Effect.gen(function*() {
      const cell = yield* Cell
      yield* cell.Arm({ millis: 0 })
      yield* Sys.getState(cell)
      assert.deepStrictEqual(idled.splice(0), [0])
      yield* cell.ArmAndSend({ millis: 0, to: 3 })
      assert.strictEqual(yield* Sys.getState(cell), 3)
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual(idled, [])
    }).pipe(Effect.provide(app))
  })

  it.effect("that falls due while the server is suspended has its turn after resume, unless a message waits", () => {
    const { app, idled } = setting()
    return Effect.gen(function*() {
      const cell = yield* Cell
      yield* cell.Arm({ millis: 100 })
      yield* Sys.suspend(cell)
      yield* TestClock.adjust(100)
      yield* Sys.getState(cell)
      assert.deepStrictEqual(idled, [])
      yield* Sys.resume(cell)
      yield* Sys.getState(cell)
      assert.deepStrictEqual(idled.splice(0), [0])

      yield* cell.Arm({ millis: 100 })
      yield* Sys.suspend(cell)
      yield* TestClock.adjust(100)
      yield* cell.Put({ to: 9 })
      yield* Sys.resume(cell)
      assert.strictEqual(yield* cell.Add({ by: 0 }), 9)
      assert.deepStrictEqual(idled, [])
    }).pipe(Effect.provide(app))
  })
})

describe("suspend", () => {
  it.effect("holds every message until resume, and is over when the incarnation is", () => {
    const { app } = setting()
    return Effect.gen(function*() {
      const cell = yield* Cell
      yield* Sys.suspend(cell)
      const added = yield* now(cell.Add({ by: 1 }))
      const late = yield* now(Effect.flip(cell.Add({ by: 10 }, { timeout: 50 })))
      yield* TestClock.adjust(50)
      assert.strictEqual((yield* Fiber.join(late)).reason._tag, "Timeout")
      assert.isUndefined(added.pollUnsafe())
      assert.strictEqual(yield* Sys.getState(cell), 0)
      yield* Process.kill(cell)
      assert.strictEqual(yield* Fiber.join(added), 1)
      assert.strictEqual((yield* Sys.getStatus(cell)).status, "running")
    }).pipe(Effect.provide(app))
  })
})

describe("replaceState", () => {
  class Offset extends Context.Service<Offset, number>()("test/Offset") {}

  it.effect("takes an Effect, with the services of its caller", () => {
    const { app } = setting()
    return Effect.gen(function*() {
      const cell = yield* Cell
      const replaced = Sys.replaceState(cell, (n) => Effect.map(Offset, (offset) => n + offset))
      assert.strictEqual(yield* Effect.provideService(replaced, Offset, 5), 5)
      assert.strictEqual(yield* cell.Add({ by: 1 }), 6)
    }).pipe(Effect.provide(app))
  })

  it.effect("that throws, dies, fails or is interrupted changes nothing", () => {
    const { app } = setting()
    return Effect.gen(function*() {
      const cell = yield* Cell
      yield* cell.Add({ by: 5 })
      const replacements: ReadonlyArray<(n: number) => number | Effect.Effect<number, string>> = [
        () => {
          throw new Error("throws")
        },
        () => Effect.die("dies"),
        () => Effect.fail("fails"),
        () => Effect.interrupt
      ]
      for (const f of replacements) {
        const error = yield* Effect.flip(Sys.replaceState(cell, f))
        assert(error instanceof GenServer.ReplaceFailed)
        assert.deepStrictEqual([error.server, error.what], ["root > test/Cell", "state"])
        assert.include(error.message, "goes on with the one it had")
      }
      assert.strictEqual(yield* cell.Add({ by: 0 }), 5)
      assert.strictEqual(yield* Process.incarnation(cell), 1)
    }).pipe(Effect.provide(app))
  })

  it.effect("that takes time is cut short by a kill, and its call fails", () => {
    const { app } = setting()
    return Effect.gen(function*() {
      const cell = yield* Cell
      const begun = Latch.makeUnsafe()
      const replacing = yield* now(
        Effect.flip(Sys.replaceState(cell, () => Effect.andThen(begun.open, Effect.never)))
      )
      yield* begun.await
      yield* Process.kill(cell)
      const error = yield* Fiber.join(replacing)
      assert(error._tag === "CallError")
      assert.strictEqual(error.reason._tag, "Crashed")
      assert.strictEqual(yield* Sys.getState(cell), 0)
    }).pipe(Effect.provide(app))
  })
})

describe("a debug function that is switched on", () => {
  it.effect("a debug function keeps a state of its own, and is removed when it is done, or throws", () => {
    const { app } = setting()
    return Effect.gen(function*() {
      const cell = yield* Cell
      const counted: Array<number> = []
      let thrown = 0
      yield* Sys.install(cell, (seen: number, _, state) => {
        counted.push(seen, state as number)
        return seen === 1 ? Sys.done : seen + 1
      }, 0)
      yield* Sys.install(cell, () => {
        thrown++
        throw new Error("a debug function that fails")
      }, undefined)
      for (let n = 0; n < 3; n++) yield* cell.Add({ by: 1 })
      assert.deepStrictEqual(counted, [0, 0, 1, 1])
      assert.strictEqual(thrown, 1)
      assert.strictEqual(yield* Sys.getState(cell), 3)
    }).pipe(Effect.provide(app))
  })

  it.effect("a debug function is installed once under an id: another one is not beside it, nor in its place", () => {
    const { app } = setting()
    return Effect.gen(function*() {
      const cell = yield* Cell
      const counted: Array<string> = []
      const noting = (name: string) => (n: number) => {
        counted.push(`${name}${n}`)
        return n + 1
      }
      yield* Sys.install(cell, noting("a"), 0, { id: "one" })
      yield* Sys.install(cell, noting("b"), 7, { id: "one" })
      yield* cell.Add({ by: 1 })
      assert.deepStrictEqual(counted, ["a0", "a1"])
      yield* Sys.remove(cell, "one")
      yield* Sys.install(cell, noting("b"), 7, { id: "one" })
      yield* cell.Add({ by: 1 })
      assert.deepStrictEqual(counted.slice(2), ["b7", "b8"])
    }).pipe(Effect.provide(app))
  })

  it.effect("records typed failures, later replies and messages without an answer", () => {
    const { app } = setting()
    return Effect.gen(function*() {
      const cell = yield* Cell
      yield* Sys.log(cell, 3)
      yield* cell.Put({ to: 2 })
      yield* cell.Add({ by: 1 })
      assert.deepStrictEqual(yield* Sys.log(cell, "get"), [
        { _tag: "NoReply", request: "Put", state: 2 },
        { _tag: "In", kind: "call", request: "Add", payload: { by: 1 }, from: undefined },
        { _tag: "Out", request: "Add", reply: Exit.succeed(3), to: undefined }
      ])
    }).pipe(Effect.provide(app))
  })

  it.effect("stays on over restarts", () => {
    const { app } = setting()
    return Effect.gen(function*() {
      const cell = yield* Cell
      yield* Sys.statistics(cell, true)
      yield* TestClock.adjust(10)
      yield* Effect.exit(cell.Crash())
      yield* cell.Add({ by: 1 })
      const counts = Option.getOrThrow(yield* Sys.statistics(cell, "get"))
      assert.deepStrictEqual(counts, { startTime: 0, currentTime: 10, messagesIn: 2, messagesOut: 1 })
    }).pipe(Effect.provide(app))
  })

  it.effect("names the server that asked", () => {
    const { app } = setting()
    const events: Array<Sys.SystemEvent> = []
    class Asker extends GenServer.Service<Asker>()("test/Asker", {
      state: Schema.Int,
      messages: { Ask: GenServer.call({ reply: Schema.Int }) }
    }) {}
    return Effect.gen(function*() {
      const cell = yield* Cell
      const Asking = Supervisor.layer({ id: "other", strategy: "one_for_one" }, [
        StateContainer.layerForget(Asker),
        Asker.layer({
          init: 0,
          handlers: { Ask: (n) => Effect.map(Effect.orDie(cell.Add({ by: 1 })), (sum) => [sum, n] as const) }
        })
      ])
      yield* Sys.trace(cell, (event) => void events.push(event))
      yield* Effect.flatMap(Asker, (asker) => asker.Ask()).pipe(Effect.provide(Asking))
      assert.deepStrictEqual(events.map(Sys.toText), [
        "got call Add {\"by\":1} from other > test/Asker",
        "sent 1 to other > test/Asker, for Add"
      ])
    }).pipe(Effect.provide(app))
  })
})

describe("processes that are no servers", () => {
  it.effect("tell their status, and nothing else", () => {
    const { app } = setting()
    class Root extends Supervisor.Service<Root>()("test/Root") {}
    return Effect.gen(function*() {
      const root = yield* Root
      const worker = yield* root.startChild(Supervisor.workerRecipe("worker", Effect.never))
      const status = yield* Sys.getStatus(root)
      assert.deepStrictEqual([status.path, status.parent, status.status], [["test/Root"], [], "running"])
      assert.notProperty(status, "state")
      assert.deepStrictEqual(Sys.fromProcess(worker), Option.none())
      assert.deepStrictEqual(Sys.fromProcess(root[Process.processOf]), Option.none())
      const cell = yield* Effect.provide(Cell, app)
      assert.isTrue(Option.isSome(Sys.fromProcess(cell[Process.processOf])))
    }).pipe(Effect.provide(Root.layer({ strategy: "one_for_one" }, [])))
  })

  it.effect("a server is found in a listing", () => {
    class Root extends Supervisor.Service<Root>()("test/Root") {}
    const app = Root.layer({ strategy: "one_for_one" }, [
      StateContainer.layerForget(Cell),
      Supervisor.worker("worker", Effect.never)
    ])
    return Effect.gen(function*() {
      const root = yield* Root
      yield* root.startChild(Cell.recipe({
        init: 3,
        handlers: {
          Add: (n, { by }) => [n + by, n + by],
          Put: (_, { to }) => to,
          Arm: (n) => [undefined, n],
          ArmAndSend: (n) => [undefined, n],
          Hold: (n) => [undefined, n],
          Inspect: (n) => ["", n],
          Crash: () => Effect.die("boom")
        }
      }, { key: "a" }))
      const states = (yield* root.whichChildren).flatMap(({ process }) => Option.toArray(Sys.fromProcess(process)))
      assert.deepStrictEqual(yield* Effect.forEach(states, (server) => Sys.getState(server)), [3])
    }).pipe(Effect.provide(app))
  })
})
