import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Latch } from "effect"
import { TestClock } from "effect/testing"
import { GenServer, type StateContainer, Sys } from "../../../../src/index.ts"
import { Account, Inside, many, one, Overdrawn, Saving, start } from "../../../kit/Account.ts"
import { now, poll, turns } from "../../../kit/Fibers.ts"
import { onSave, Scripted } from "../../../kit/Scripted.ts"

/** A store whose saves wait for a gate. */
const gated = () => {
  const gate = Latch.makeUnsafe(false)
  const script = new Scripted()
  script.before = onSave(() => gate.await)
  return { gate, script, inside: new Inside(script) }
}

describe("answers wait for the store, the server does not", () => {
  it.effect("a reply is held until the state it was computed from is stored", () => {
    const { gate, inside, script } = gated()
    return Effect.gen(function*() {
      const account = yield* Account
      const first = yield* now(account.Add({ by: 1 }))
      yield* turns
      assert.deepStrictEqual(script.batches, [["Account#1"]])
      assert.isUndefined(poll(first))
      assert.deepStrictEqual(yield* script.states("test/Account"), [])
      yield* gate.open
      assert.strictEqual(yield* Fiber.join(first), 1)
      assert.deepStrictEqual(yield* script.states("test/Account"), ["1"])
    }).pipe(Effect.provide(one(inside)))
  })

  it.effect("the server handles what comes next meanwhile, in order", () => {
    const { gate, inside, script } = gated()
    return Effect.gen(function*() {
      const account = yield* Account
      const first = yield* now(account.Add({ by: 1 }))
      const second = yield* now(account.Add({ by: 1 }))
      yield* account.Put({ to: 40 })
      const third = yield* now(account.Add({ by: 2 }))
      yield* turns
      assert.deepStrictEqual(inside.handled, ["Add", "Add", "Put", "Add"])
      assert.deepStrictEqual([first, second, third].map(poll), [undefined, undefined, undefined])
      // the system is answered about the state as it is, which was not promised to any caller
      assert.strictEqual(yield* Sys.getState(account), 42)
      yield* gate.open
      assert.deepStrictEqual(yield* Fiber.joinAll([first, second, third]), [1, 2, 42])
      assert.strictEqual((yield* script.states("test/Account"))[0], "42")
    }).pipe(Effect.provide(one(inside)))
  })

  it.effect("typed failures and later replies are held too, for what they were computed from", () => {
    const { gate, inside } = gated()
    return Effect.gen(function*() {
      const account = yield* Account
      yield* account.Put({ to: 5 })
      const refused = yield* now(Effect.exit(account.Overdraw({ by: 7 })))
      const later = yield* now(account.AddLater({ by: 1 }))
      yield* account.Settle()
      yield* turns
      assert.deepStrictEqual([poll(refused), poll(later)], [undefined, undefined])
      yield* gate.open
      assert.deepStrictEqual(yield* Fiber.join(refused), Exit.fail(new Overdrawn({ by: 7 })))
      assert.strictEqual(yield* Fiber.join(later), 6)
    }).pipe(Effect.provide(one(inside)))
  })

  it.effect("a state that was replaced by hand is acknowledged when it is stored", () => {
    const { gate, inside, script } = gated()
    return Effect.gen(function*() {
      const account = yield* Account
      const replaced = yield* now(Sys.replaceState(account, () => 41))
      yield* turns
      assert.deepStrictEqual(script.batches, [["Account#1"]])
      assert.isUndefined(poll(replaced))
      yield* gate.open
      assert.strictEqual(yield* Fiber.join(replaced), 41)
      assert.deepStrictEqual(yield* script.states("test/Account"), ["41"])
    }).pipe(Effect.provide(one(inside)))
  })

  it.effect("a reply computed from a stored state is given at once", () => {
    const { gate, inside, script } = gated()
    return Effect.gen(function*() {
      const account = yield* Account
      yield* Effect.exit(account.Overdraw({ by: 1 }))
      assert.strictEqual(script.count("save"), 0)
      yield* gate.open
      yield* account.Add({ by: 1 })
      yield* gate.close
      assert.deepStrictEqual(yield* Effect.exit(account.Overdraw({ by: 1 })), Exit.fail(new Overdrawn({ by: 1 })))
    }).pipe(Effect.provide(one(inside)))
  })

  it.effect("a caller that does not wait any more gets a timeout; its update is stored all the same", () => {
    const { gate, inside, script } = gated()
    return Effect.gen(function*() {
      const account = yield* Account
      const late = yield* now(Effect.flip(account.Add({ by: 1 }, { timeout: "1 second" })))
      const gone = yield* now(account.Add({ by: 1 }))
      yield* turns
      gone.interruptUnsafe()
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual((yield* Fiber.join(late)).reason, {
        _tag: "Timeout",
        millis: 1000,
        begun: true,
        waitsFor: "store"
      })
      yield* gate.open
      assert.strictEqual(yield* account.Get(), 2)
      assert.strictEqual((yield* script.states("test/Account"))[0], "2")
    }).pipe(Effect.provide(one(inside)))
  })

  it.effect("after a crash of the server alone the next incarnation has what is on its way to the store", () => {
    const { gate, inside, script } = gated()
    return Effect.gen(function*() {
      const account = yield* Account
      const first = yield* now(account.Add({ by: 41 }))
      yield* Effect.exit(account.Die())
      const second = yield* now(account.Add({ by: 1 }))
      yield* turns
      assert.deepStrictEqual([poll(first), poll(second)], [undefined, undefined])
      yield* gate.open
      assert.deepStrictEqual(yield* Fiber.joinAll([first, second]), [41, 42])
      assert.strictEqual((yield* script.states("test/Account"))[0], "42")
      assert.strictEqual(script.count("load"), 1)
    }).pipe(Effect.provide(one(inside)))
  })
})

describe("group commit", () => {
  it.effect("only the newest snapshot of a server is in a batch", () => {
    const { gate, inside, script } = gated()
    return Effect.gen(function*() {
      const account = yield* Account
      const fibers = yield* Effect.replicateEffect(now(account.Add({ by: 1 })), 100)
      yield* turns
      yield* gate.open
      assert.deepStrictEqual(yield* Fiber.joinAll(fibers), Array.from({ length: 100 }, (_, i) => i + 1))
      assert.deepStrictEqual(script.batches, [["Account#100"]])
    }).pipe(Effect.provide(one(inside)))
  })

  it.effect("a commit while a batch is being written is in the next one", () => {
    const { gate, inside, script } = gated()
    return Effect.gen(function*() {
      const account = yield* Account
      const first = yield* now(account.Add({ by: 1 }))
      yield* turns
      const more = yield* Effect.replicateEffect(now(account.Add({ by: 1 })), 9)
      yield* turns
      yield* gate.open
      assert.strictEqual(yield* Fiber.join(first), 1)
      yield* Fiber.joinAll(more)
      assert.deepStrictEqual(script.batches, [["Account#1"], ["Account#10"]])
    }).pipe(Effect.provide(one(inside)))
  })

  it.effect("an answer goes as soon as its own state is stored, not when a later one is", () => {
    const script = new Scripted()
    const gates = [Latch.makeUnsafe(false), Latch.makeUnsafe(false)]
    script.before = onSave(() => gates[script.batches.length - 1]?.await ?? Effect.void)
    return Effect.gen(function*() {
      const account = yield* Account
      const first = yield* now(account.Add({ by: 1 }))
      yield* turns
      const second = yield* now(account.Add({ by: 1 }))
      yield* turns
      yield* gates[0]!.open
      assert.strictEqual(yield* Fiber.join(first), 1)
      assert.isUndefined(poll(second))
      yield* gates[1]!.open
      assert.strictEqual(yield* Fiber.join(second), 2)
    }).pipe(Effect.provide(one(new Inside(script))))
  })

  it.effect("servers of several classes share one transaction", () => {
    const { gate, inside, script } = gated()
    return Effect.gen(function*() {
      const saving = yield* Saving
      const accounts = yield* Effect.forEach(["a", "b", "c"], (key) => start(inside, key))
      const fibers = yield* Effect.forEach(
        [...accounts, saving],
        (server) => Effect.replicateEffect(now(server.Add({ by: 1 })), 3)
      )
      yield* turns
      yield* gate.open
      for (const own of fibers) assert.deepStrictEqual(yield* Fiber.joinAll(own), [1, 2, 3])
      assert.deepStrictEqual(script.batches, [["a#3", "b#3", "c#3", "Saving#3"]])
    }).pipe(Effect.provide(many(inside)))
  })
})

describe("a slow store", () => {
  it.effect("a server that is so far ahead waits for it, and goes on when there is room", () => {
    const { gate, inside, script } = gated()
    return Effect.gen(function*() {
      const account = yield* Account
      const fibers = yield* Effect.replicateEffect(now(account.Add({ by: 1 })), 10)
      yield* turns
      assert.strictEqual(inside.handled.length, 4)
      yield* gate.open
      assert.deepStrictEqual(yield* Fiber.joinAll(fibers), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
      assert.deepStrictEqual(script.batches, [["Account#4"], ["Account#8"], ["Account#10"]])
    }).pipe(Effect.provide(one(inside, { maxAhead: 4 })))
  })

  it.effect("casts are held back just as calls are", () => {
    const { gate, inside } = gated()
    return Effect.gen(function*() {
      const account = yield* Account
      for (let i = 1; i <= 10; i++) yield* account.Put({ to: i })
      yield* turns
      assert.strictEqual(inside.handled.length, 4)
      yield* gate.open
      assert.strictEqual(yield* account.Get(), 10)
    }).pipe(Effect.provide(one(inside, { maxAhead: 4 })))
  })

  it.effect("also where a caller finds them waiting", () => {
    const { gate, inside } = gated()
    return Effect.gen(function*() {
      const account = yield* Account
      for (let i = 1; i <= 10; i++) yield* account.Put({ to: i })
      const caller = yield* now(account.Get())
      assert.strictEqual(inside.handled.length, 4)
      yield* gate.open
      assert.strictEqual(yield* Fiber.join(caller), 10)
    }).pipe(Effect.provide(one(inside, { maxAhead: 4 })))
  })
})

describe("GenServer.stored", () => {
  it.effect("is a barrier: a handler goes on when all that was committed before it is stored", () => {
    const { gate, inside } = gated()
    return Effect.gen(function*() {
      const account = yield* Account
      yield* account.Put({ to: 5 })
      const barrier = yield* now(account.Barrier())
      yield* turns
      assert.deepStrictEqual(inside.handled, ["Put"])
      yield* gate.open
      assert.strictEqual(yield* Fiber.join(barrier), 1)
      assert.deepStrictEqual(inside.handled, ["Put", "Barrier"])
    }).pipe(Effect.provide(one(inside)))
  })

  it.effect("does not wait when nothing is on its way, nor outside a server", () => {
    const { gate, inside } = gated()
    return Effect.gen(function*() {
      yield* GenServer.stored
      const barrier = yield* now(Effect.flatMap(Account, (account) => account.Barrier()))
      yield* turns
      assert.deepStrictEqual(inside.handled, ["Barrier"])
      yield* gate.open
      yield* Fiber.join(barrier)
    }).pipe(Effect.provide(one(inside)))
  })
})

describe("the companion of a durable server", () => {
  it.effect("shows what is on its way first, then what is stored", () => {
    const { gate, inside } = gated()
    return Effect.gen(function*() {
      const account = yield* Account
      const companion = (yield* Account.StateContainer).for()
      yield* gate.open
      yield* account.Add({ by: 1 })
      yield* gate.close
      yield* account.Put({ to: 7 })
      yield* turns
      assert.deepStrictEqual(
        (yield* companion.snapshots).map(({ seq, state }) => [seq, state]),
        [[2, 7], [1, 1]]
      )
      yield* gate.open
    }).pipe(Effect.provide(one(inside)))
  })
})

it.effect("a container names every server that has conserved state, alive or not", () => {
  const script = new Scripted()
  const inside = new Inside(script)
  return Effect.gen(function*() {
    yield* Effect.gen(function*() {
      for (const key of ["a", "b/c"]) yield* Effect.flatMap(start(inside, key), (account) => account.Add({ by: 1 }))
    }).pipe(Effect.provide(many(inside)))
    // another class, whose name begins as this one's does
    const epoch = yield* script.memory.acquireEpoch("test/Accounts")
    const foreign = { epoch, seq: 1, version: 1, state: "1", trusted: 0, at: 0 }
    yield* script.memory.save([{ ...foreign, key: "test/Accounts" }, { ...foreign, key: "test/Accounts/z" }])
    yield* Effect.gen(function*() {
      const container: StateContainer.StateContainer<number> = yield* Account.StateContainer
      yield* start(inside, "new")
      assert.deepStrictEqual([...yield* container.keys].sort(), ["a", "b/c", "new"])
    }).pipe(Effect.provide(many(inside)))
  })
})
