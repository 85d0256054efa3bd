/** A state that is in its store alone: while the store is away, at the server's end, and when others change it. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Latch, Option, Schedule } from "effect"
import { TestClock } from "effect/testing"
import { killed, shutdown } from "../../../../src/domain/process/ExitReason.ts"
import { GenServer, Process, Restart, StateContainer, type StateStore } from "../../../../src/index.ts"
import { Harness } from "../../../../src/testing.ts"
import { reasonOf, tagOf } from "../../../kit/Failures.ts"
import { now, poll, turns } from "../../../kit/Fibers.ts"
import { never } from "../../../kit/Restarts.ts"
import { away, onSave } from "../../../kit/Scripted.ts"
import { Inside, loads, setUp, Sleeper } from "../../../kit/Sleeper.ts"

const patience = Schedule.max([Schedule.exponential("1 second"), Schedule.recurs(2)])
const noRestarts = { restart: never }

/** Another snapshot on top of those of the sleeper. */
const overwrite = Effect.fnUntraced(function*({ script: { memory } }: Inside, more: { readonly epoch?: number } = {}) {
  const [before] = yield* memory.load("test/Sleeper")
  yield* memory.save([{ ...before!, ...more, seq: before!.seq + 1, state: `{"n":1000}` }])
})

describe("a store that is away when the state is wanted", () => {
  it.effect("is asked again by the Schedule; the message waits, and no restart is counted", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const sleeper = yield* Sleeper
      yield* sleeper.Sleep({ by: 1 })
      yield* turns
      inside.script.before = (operation) => operation === "load" ? away(operation) : Effect.void
      const read = yield* now(sleeper.Read({}, { timeout: "infinity" }))
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(loads(inside), 2)
      inside.script.before = () => Effect.void
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(read), 1)
      assert.strictEqual(yield* Process.incarnation(sleeper), 1)
    }).pipe(Effect.provide(setUp(inside, { retry: patience }, noRestarts)))
  })

  it.effect("when it gives up, the incarnation ends as not conserved; the message waits for the next one, uncharged", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const [sleeper, harness] = [yield* Sleeper, yield* Harness.Harness]
      yield* sleeper.Sleep({ by: 1 })
      yield* turns
      inside.script.before = (operation) => operation === "load" ? away(operation) : Effect.void
      const read = yield* now(sleeper.Read({}, { timeout: "infinity" }))
      yield* TestClock.adjust("3 seconds")
      inside.script.before = () => Effect.void
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual(yield* Fiber.join(read), 1)
      const exited = yield* harness.awaitTag("Exited", sleeper)
      assert.strictEqual(exited.reason._tag, "NotConserved")
      assert.strictEqual(yield* Process.incarnation(sleeper), 2)
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
      const read = yield* now(Effect.exit(sleeper.Read({}, { timeout: "infinity" })))
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

  it.effect("stopped while the store is away, its clean-up cannot be run, and that is reported", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const sleeper = yield* Sleeper
      yield* sleeper.Sleep({ by: 9 })
      yield* turns
      inside.script.before = (operation) => operation === "load" ? away(operation) : Effect.void
      const stopping = yield* now(Effect.flip(GenServer.stop(sleeper)))
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
      const [sleeper, harness] = [yield* Sleeper, yield* Harness.Harness]
      yield* sleeper.Sleep({ by: 1 })
      yield* turns
      yield* Process.kill(sleeper)
      yield* harness.awaitIncarnation(sleeper, 2)
      assert.strictEqual(yield* sleeper.Sleep({ by: 1 }), 2)
      yield* turns
      const gate = Latch.makeUnsafe(false)
      inside.script.before = (operation) => operation === "load" ? gate.await : Effect.void
      const read = yield* now(sleeper.Read())
      yield* turns
      yield* Process.kill(sleeper)
      yield* gate.open
      yield* harness.awaitIncarnation(sleeper, 3)
      assert.strictEqual(yield* Fiber.join(read), 2)
      assert.deepStrictEqual(inside.life, [])
    }).pipe(Effect.provide(setUp(inside)))
  })

  for (const reason of [killed, shutdown]) {
    it.effect(`ended while the state is loaded, it has ended for the reason it was given: ${reason._tag}`, () => {
      const inside = new Inside()
      return Effect.gen(function*() {
        const [sleeper, harness] = [yield* Sleeper, yield* Harness.Harness]
        yield* sleeper.Sleep({ by: 1 })
        yield* turns
        const gate = Latch.makeUnsafe(false)
        inside.script.before = (operation) => operation === "load" ? gate.await : Effect.void
        const read = yield* now(sleeper.Read())
        yield* turns
        yield* Process.exit(sleeper, reason)
        yield* gate.open
        yield* harness.awaitIncarnation(sleeper, 2)
        assert.deepStrictEqual(yield* Process.lastExit(sleeper), Option.some(reason))
        assert.strictEqual(yield* Fiber.join(read), 1)
      }).pipe(Effect.provide(setUp(inside)))
    })
  }

  it.effect("a crash of the message that brought the state back is no evidence against it", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const [sleeper, harness] = [yield* Sleeper, yield* Harness.Harness]
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
  it.effect("the server goes on with a state set from outside; a cleared one is gone with its incarnation", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const [sleeper, harness] = [yield* Sleeper, yield* Harness.Harness]
      const companion = (yield* Sleeper.StateContainer).for()
      yield* sleeper.Sleep({ by: 1 })
      yield* turns
      yield* companion.set({ n: 50 })
      assert.strictEqual(yield* sleeper.Sleep({ by: 1 }), 51)
      assert.strictEqual(yield* Process.incarnation(sleeper), 1)
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
      const read = yield* now(sleeper.Read())
      yield* turns
      inside.script.after = () => Effect.void
      return { sleeper, read, gate }
    })

  it.effect("the server goes on with a state that was set from outside while it loaded its own", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const companion = (yield* Sleeper.StateContainer).for()
      const { gate, read, sleeper } = yield* loading(inside)
      yield* companion.set({ n: 50 })
      yield* gate.open
      assert.strictEqual(yield* Fiber.join(read), 50)
      assert.strictEqual(yield* Process.incarnation(sleeper), 1)
    }).pipe(Effect.provide(setUp(inside)))
  })

  it.effect("a state that is cleared while it is loaded is gone with its incarnation", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const companion = (yield* Sleeper.StateContainer).for()
      const { gate, read, sleeper } = yield* loading(inside)
      yield* companion.clear
      yield* gate.open
      assert.strictEqual(yield* Fiber.join(read), 0)
      assert.strictEqual(yield* Process.incarnation(sleeper), 2)
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
      const read = yield* now(sleeper.Read())
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
      const slept = yield* now(sleeper.Sleep({ by: 1 }))
      yield* turns
      const set = yield* now(companion.set({ n: 50 }))
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
      yield* overwrite(inside)
      assert.strictEqual(yield* sleeper.Read(), 1000)
      assert.strictEqual(yield* Process.incarnation(sleeper), 2)
    }).pipe(Effect.provide(setUp(inside)))
  })

  it.effect("written by a younger owner, it is refused: the server ends, fenced off", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const [sleeper, harness] = [yield* Sleeper, yield* Harness.Harness]
      yield* sleeper.Sleep({ by: 1 })
      yield* turns
      const epoch = yield* inside.script.memory.acquireEpoch("another")
      yield* overwrite(inside, { epoch })
      const read = yield* now(Effect.exit(sleeper.Read({}, { timeout: "infinity" })))
      const exited = yield* harness.awaitTag("Exited", sleeper)
      const error = exited.reason._tag === "NotConserved" ? Cause.squash(exited.reason.cause) : undefined
      assert.deepInclude((error as StateStore.StoreError).reason, {
        _tag: "Fenced",
        current: epoch,
        key: "test/Sleeper"
      })
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(reasonOf(yield* Fiber.join(read))?._tag, "NotRunning")
      assert.deepStrictEqual(inside.states, [{ n: 0 }])
    }).pipe(Effect.provide(setUp(inside, {}, noRestarts)))
  })

  it.effect("nor does any other server of that session go on with what the younger owner has written", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const [sleeper, harness] = [yield* Sleeper, yield* Harness.Harness]
      yield* sleeper.Sleep({ by: 1 })
      yield* turns
      yield* overwrite(inside, { epoch: yield* inside.script.memory.acquireEpoch("another") })
      yield* now(Effect.exit(sleeper.Read({}, { timeout: "infinity" })))
      yield* harness.awaitTag("Exited", sleeper)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(inside.states, [{ n: 0 }])
      assert.notInclude(yield* harness.historyOf(sleeper), "StateRestored")
    }).pipe(Effect.provide(setUp(inside)))
  })

  for (const onUnreadable of ["refuse", "init"] as const) {
    it.effect(`one that does not decode any more ends the incarnation; the next one judges it (${onUnreadable})`, () => {
      const inside = new Inside()
      return Effect.gen(function*() {
        const [sleeper, harness] = [yield* Sleeper, yield* Harness.Harness]
        yield* sleeper.Add({ by: 1 })
        yield* sleeper.Sleep({ by: 1 })
        yield* turns
        const { memory } = inside.script
        const [newest] = yield* memory.load("test/Sleeper")
        yield* memory.save([{ ...newest!, state: "rotten" }])
        const read = yield* Effect.exit(sleeper.Read())
        if (onUnreadable === "init") {
          assert.deepStrictEqual(read, Exit.succeed(1))
          const rolledBack = yield* harness.awaitTag("StateRolledBack", sleeper)
          assert.deepInclude(rolledBack, { from: 2, to: 1 })
        } else {
          assert.strictEqual(tagOf(read), "NotRunning")
          const { reason } = yield* harness.awaitTag("GaveUp", "root")
          assert(reason._tag === "NotConserved")
          assert.instanceOf(Cause.squash(reason.cause), StateContainer.StateUnreadable)
          assert.deepStrictEqual(yield* memory.listAside(), [])
        }
      }).pipe(Effect.provide(setUp(inside, { onUnreadable })))
    })
  }
})
