/**
 * When a durable companion writes, and what it keeps: intervals, last words, shutdown, normal ends, what is set by
 * hand.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Latch, Option, Schedule } from "effect"
import { TestClock } from "effect/testing"
import { GenServer, Process } from "../../../../src/index.ts"
import { tableOf } from "../../../../src/layers/state/container/Container.ts"
import { Harness } from "../../../../src/testing.ts"
import { Account, type Inside, many, one, Pool, Saving, scripted, start } from "../../../kit/Account.ts"
import { now, poll, turns } from "../../../kit/Fibers.ts"
import { away, full, onSave } from "../../../kit/Scripted.ts"

describe("{ every }: at intervals", () => {
  const every = { when: { every: "1 second" } } as const

  it.effect("answers wait for nothing, and only the newest state of each interval is written", () => {
    const { inside, script } = scripted()
    return Effect.gen(function*() {
      const account = yield* Account
      for (let i = 1; i <= 5; i++) assert.strictEqual(yield* account.Add({ by: 1 }), i)
      assert.strictEqual(script.count("save"), 0)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(script.batches, [["Account#5"]])
      yield* TestClock.adjust("5 seconds")
      assert.lengthOf(script.batches, 1)
      yield* account.Add({ by: 1 })
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(script.batches, [["Account#5"], ["Account#6"]])
    }).pipe(Effect.provide(one(inside, every)))
  })

  it.effect("a crash of the server loses nothing, neither does one of the container's fiber", () => {
    const { inside } = scripted()
    return Effect.gen(function*() {
      const account = yield* Account
      const container = yield* Account.StateContainer
      yield* account.Add({ by: 41 })
      container[Process.processOf].exit({ _tag: "Killed" })
      yield* Process.kill(account)
      assert.strictEqual(yield* account.Add({ by: 1 }), 42)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* inside.script.states("test/Account"), ["42"])
    }).pipe(Effect.provide(one(inside, every)))
  })

  it.effect("GenServer.stored has what there is written at once, and waits for it", () => {
    const { inside, script } = scripted()
    return Effect.gen(function*() {
      const account = yield* Account
      yield* account.Add({ by: 1 })
      assert.strictEqual(yield* account.Barrier(), 1)
      assert.deepStrictEqual(script.batches, [["Account#1"]])
    }).pipe(Effect.provide(one(inside, every)))
  })

  it.effect("a state that was written for a waiting caller is not written again at the interval", () => {
    const { inside, script } = scripted()
    return Effect.gen(function*() {
      const account = yield* Account
      yield* account.Add({ by: 1 })
      yield* account.Barrier()
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(script.batches, [["Account#1"]])
    }).pipe(Effect.provide(one(inside, every)))
  })

  it.effect("a server is never held up for the store, however far it is ahead", () => {
    const { inside, script } = scripted()
    return Effect.gen(function*() {
      const account = yield* Account
      for (let to = 1; to <= 10; to++) yield* account.Put({ to })
      yield* turns
      assert.lengthOf(inside.handled, 10)
      const got = yield* now(account.Get())
      yield* turns
      assert.deepStrictEqual(poll(got), Exit.succeed(10))
      assert.strictEqual(script.count("save"), 0)
    }).pipe(Effect.provide(one(inside, { ...every, maxAhead: 2 })))
  })

  it.effect("a shutdown writes what the last interval did not", () => {
    const { inside, script } = scripted()
    return Effect.gen(function*() {
      yield* Effect.flatMap(Account, (account) => account.Add({ by: 7 })).pipe(Effect.provide(one(inside, every)))
      assert.deepStrictEqual(yield* script.states("test/Account"), ["7"])
    })
  })

  it.effect("a write that finally fails takes the server back to what is stored", () => {
    const { inside, script } = scripted()
    return Effect.gen(function*() {
      const account = yield* Account
      yield* account.Add({ by: 1 })
      yield* TestClock.adjust("1 second")
      script.before = onSave(away)
      yield* account.Add({ by: 10 })
      yield* TestClock.adjust("40 seconds")
      script.before = () => Effect.void
      assert.strictEqual(yield* account.Get(), 1)
    }).pipe(Effect.provide(one(inside, every)))
  })
})

describe("\"terminate\": at the server's end, the original pattern", () => {
  const last = { when: "terminate" } as const

  it.effect("nothing is written while the server lives; a crash still runs terminate and writes", () => {
    const { inside, script } = scripted()
    return Effect.gen(function*() {
      const account = yield* Account
      assert.strictEqual(yield* account.Add({ by: 41 }), 41)
      yield* turns
      assert.strictEqual(script.count("save"), 0)
      yield* Effect.exit(account.Die())
      assert.strictEqual(yield* account.Add({ by: 1 }), 42)
      yield* turns
      assert.deepStrictEqual(yield* script.states("test/Account"), ["41"])
    }).pipe(Effect.provide(one(inside, last)))
  })

  it.effect("a kill loses everything since", () => {
    const { inside, script } = scripted()
    return Effect.gen(function*() {
      const account = yield* Account
      yield* account.Add({ by: 41 })
      yield* Effect.exit(account.Die())
      yield* account.Add({ by: 100 })
      yield* Process.kill(account)
      assert.strictEqual(yield* account.Get(), 41)
      yield* turns
      assert.deepStrictEqual(yield* script.states("test/Account"), ["41"])
    }).pipe(Effect.provide(one(inside, last)))
  })

  it.effect("a shutdown writes it", () => {
    const { inside, script } = scripted()
    return Effect.gen(function*() {
      yield* Effect.flatMap(Account, (account) => account.Add({ by: 7 })).pipe(Effect.provide(one(inside, last)))
      assert.deepStrictEqual(yield* script.states("test/Account"), ["7"])
    })
  })
})

describe("a shutdown", () => {
  it.effect("waits until everything is stored, and answers each waiting caller", () => {
    const { inside, script } = scripted()
    const gate = Latch.makeUnsafe(false)
    script.before = onSave(() => gate.await)
    return Effect.gen(function*() {
      const waiting: Array<Fiber.Fiber<unknown, unknown>> = []
      const tree = yield* now(
        Effect.gen(function*() {
          const account = yield* Account
          yield* account.Put({ to: 7 })
          waiting.push(yield* Effect.forkDetach(account.Add({ by: 1 }), { startImmediately: true }))
          yield* turns
        }).pipe(Effect.provide(one(inside)))
      )
      yield* turns
      assert.isUndefined(poll(tree))
      yield* gate.open
      yield* Fiber.join(tree)
      assert.deepStrictEqual(yield* script.states("test/Account"), ["8"])
      assert.deepStrictEqual(yield* Fiber.await(waiting[0]!), Exit.succeed(8))
    })
  })

  it.effect("does not wait for ever for a store that does not answer", () => {
    const { inside, script } = scripted()
    script.before = onSave(() => Effect.never)
    return Effect.gen(function*() {
      const tree = yield* now(
        Effect.flatMap(Account, (account) => Effect.andThen(account.Put({ to: 7 }), turns)).pipe(
          Effect.provide(one(inside))
        )
      )
      yield* TestClock.adjust("29 seconds")
      assert.isUndefined(poll(tree))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(tree)
    })
  })

  it.effect("of one tree does not wait for another on the same store that never rests", () => {
    const { inside, script } = scripted()
    return Effect.gen(function*() {
      const saving = yield* Saving
      const busy = yield* now(Effect.forever(saving.Add({ by: 1 })))
      const account = yield* start(inside, "a")
      yield* Effect.repeat(account.Add({ by: 1 }), { times: 9 })
      yield* Effect.exit(account.Die())
      assert.strictEqual(yield* account.Get(), 10)
      busy.interruptUnsafe()
      assert.isAbove(script.batches.length, 9)
    }).pipe(Effect.provide(many(inside)))
  })
})

describe("after a normal end", () => {
  const finish = (inside: Inside, key: string) =>
    Effect.gen(function*() {
      const account = yield* start(inside, key)
      yield* account.Add({ by: 1 })
      return yield* account.Finish()
    })

  it.effect("the final state is kept, and the next server of that key has it", () => {
    const { inside, script } = scripted()
    return Effect.gen(function*() {
      assert.strictEqual(yield* finish(inside, "a"), 1)
      assert.strictEqual((yield* script.states("test/Account/a"))[0], "1001")
      assert.strictEqual(yield* Effect.flatMap(start(inside, "a"), (account) => account.Get()), 1001)
    }).pipe(Effect.provide(many(inside)))
  })

  it.effect("finished servers leave nothing in memory, also when they end before they are stored", () => {
    const { inside, script } = scripted()
    const gate = Latch.makeUnsafe(true)
    script.before = onSave(() => gate.await)
    return Effect.gen(function*() {
      const container = yield* Account.StateContainer
      // What the container has for a key: its companion, which is made anew when it was let go.
      const companionOf = (key: string) => {
        const nobody = container[Process.processOf]
        const companion = tableOf(container).claim(key, nobody)
        if (companion.owner === nobody) companion.owner = undefined
        return companion
      }
      const first = companionOf("a")
      yield* finish(inside, "a")
      yield* turns
      assert.notStrictEqual(companionOf("a"), first, "stored in time")
      const second = companionOf("b")
      yield* gate.close
      const ended = yield* now(finish(inside, "b"))
      yield* turns
      assert.strictEqual(companionOf("b"), second, "kept until it is stored")
      yield* gate.open
      yield* Fiber.join(ended)
      yield* turns
      assert.notStrictEqual(companionOf("b"), second, "stored later")
    }).pipe(Effect.provide(many(inside)))
  })

  it.effect("one that is started again before its last commit is stored goes on from that one", () => {
    const { inside, script } = scripted()
    const gates = [Latch.makeUnsafe(false), Latch.makeUnsafe(false)]
    script.before = onSave(() => gates[script.batches.length - 1]?.await ?? Effect.void)
    return Effect.gen(function*() {
      const account = yield* start(inside, "a")
      for (const [to, gate] of [[1, undefined], [2, gates[0]]] as const) {
        yield* account.Put({ to })
        yield* turns
        if (gate === undefined) continue
        yield* Effect.flatMap(Pool, (pool) => pool.terminateChild(account))
        yield* gate.open
        yield* turns
      }
      assert.deepStrictEqual(script.batches, [["a#1"], ["a#2"]])
      const again = yield* start(inside, "a")
      const got = yield* now(again.Get())
      yield* gates[1]!.open
      assert.strictEqual(yield* Fiber.join(got), 2)
    }).pipe(Effect.provide(many(inside)))
  })

  it.effect("one that is started again before it is stored is the server of that key when it is", () => {
    const { inside, script } = scripted()
    const gate = Latch.makeUnsafe(false)
    script.before = onSave(() => gate.await)
    return Effect.gen(function*() {
      const container = yield* Account.StateContainer
      const account = yield* start(inside, "a")
      yield* account.Put({ to: 5 })
      yield* turns
      yield* Effect.flatMap(Pool, (pool) => pool.terminateChild(account))
      const again = yield* start(inside, "a")
      yield* gate.open
      yield* turns
      assert.deepStrictEqual(yield* script.states("test/Account/a"), ["5"])
      assert.strictEqual(tableOf(container).owner("a"), again[Process.processOf])
      assert.deepStrictEqual(yield* container.for("a").get, Option.some(5))
    }).pipe(Effect.provide(many(inside)))
  })

  it.effect("a slow look at a stored state does not forget a server that has started meanwhile", () => {
    const { inside, script } = scripted()
    const gate = Latch.makeUnsafe(false)
    return Effect.gen(function*() {
      const container = yield* Account.StateContainer
      const companion = container.for("a")
      script.before = (operation) => operation === "load" ? gate.await : Effect.void
      const slow = yield* now(companion.get)
      script.before = () => Effect.void
      assert.deepStrictEqual(yield* companion.get, Option.none())
      const account = yield* start(inside, "a")
      yield* gate.open
      assert.deepStrictEqual(yield* Fiber.join(slow), Option.none())
      assert.strictEqual(tableOf(container).owner("a"), account[Process.processOf])
    }).pipe(Effect.provide(many(inside)))
  })

  it.effect("\"forget\" removes it from the store", () => {
    const { inside, script } = scripted()
    return Effect.gen(function*() {
      yield* finish(inside, "a")
      yield* turns
      assert.deepStrictEqual(yield* script.memory.keys(), [])
      assert.strictEqual(yield* Effect.flatMap(start(inside, "a"), (account) => account.Add({ by: 5 })), 5)
      assert.deepStrictEqual(yield* script.states("test/Account/a"), ["5"])
    }).pipe(Effect.provide(many(inside, { afterStop: "forget" })))
  })

  for (const afterStop of ["keep", "forget"] as const) {
    it.effect(`the state of a terminated child of a dynamic supervisor is in the store alone (afterStop: ${afterStop})`, () => {
      const { inside, script } = scripted()
      return Effect.gen(function*() {
        const account = yield* start(inside, "a")
        yield* account.Add({ by: 5 })
        yield* Effect.flatMap(Pool, (pool) => pool.terminateChild(account))
        yield* turns
        const before = script.count("load")
        assert.strictEqual(yield* Effect.flatMap(start(inside, "a"), (account) => account.Get()), 5)
        assert.strictEqual(script.count("load"), before + 1)
      }).pipe(Effect.provide(many(inside, { afterStop })))
    })
  }

  it.effect("a server that is started again before the removal is done is not removed with it", () => {
    const { inside, script } = scripted()
    const gate = Latch.makeUnsafe(false)
    script.before = (operation) => operation === "remove" ? gate.await : Effect.void
    return Effect.gen(function*() {
      yield* finish(inside, "a")
      const again = yield* start(inside, "a")
      const added = yield* now(again.Add({ by: 5 }))
      yield* turns
      assert.isUndefined(poll(added))
      yield* gate.open
      assert.strictEqual(yield* Fiber.join(added), 5)
      assert.deepStrictEqual(yield* script.states("test/Account/a"), ["5"])
    }).pipe(Effect.provide(many(inside, { afterStop: "forget" })))
  })
})

describe("by hand", () => {
  it.effect("clear removes the stored states; those that come after it are kept", () => {
    const { inside, script } = scripted()
    return Effect.gen(function*() {
      const account = yield* Account
      const companion = (yield* Account.StateContainer).for()
      yield* account.Add({ by: 1 })
      yield* companion.clear
      assert.deepStrictEqual(yield* script.memory.keys(), [])
      yield* Process.kill(account)
      assert.strictEqual(yield* account.Add({ by: 5 }), 5)
      yield* Effect.all([companion.clear, account.Add({ by: 1 })], { concurrency: "unbounded" })
      assert.deepStrictEqual(yield* script.states("test/Account"), ["6"])
    }).pipe(Effect.provide(one(inside)))
  })

  it.effect("an answer that waits for a state that is cleared meanwhile is given when that is done", () => {
    const { inside, script } = scripted()
    const gate = Latch.makeUnsafe(false)
    return Effect.gen(function*() {
      const account = yield* Account
      const companion = (yield* Account.StateContainer).for()
      script.before = (operation) => operation === "remove" ? gate.await : Effect.void
      const added = yield* now(account.Add({ by: 1 }))
      const cleared = yield* now(companion.clear)
      yield* turns
      assert.isUndefined(poll(added))
      yield* gate.open
      assert.strictEqual(yield* Fiber.join(added), 1)
      yield* Fiber.join(cleared)
      assert.deepStrictEqual(yield* script.memory.keys(), [])
    }).pipe(Effect.provide(one(inside)))
  })

  it.effect("no caller waits for a state that was cleared while the one before it was being written", () => {
    const { inside, script } = scripted()
    const gate = Latch.makeUnsafe(false)
    return Effect.gen(function*() {
      const account = yield* Account
      const companion = (yield* Account.StateContainer).for()
      script.before = onSave(() => gate.await)
      yield* account.Put({ to: 1 })
      yield* turns
      yield* account.Put({ to: 2 })
      yield* turns
      const cleared = yield* now(companion.clear)
      yield* gate.open
      yield* Fiber.join(cleared)
      assert.deepStrictEqual(yield* script.memory.keys(), [])
      const stored = yield* now(account.Barrier())
      yield* turns
      assert.deepStrictEqual(poll(stored), Exit.succeed(1))
      assert.deepStrictEqual(script.batches, [["Account#1"], ["Account#3"]])
    }).pipe(Effect.provide(one(inside)))
  })

  it.effect("an answer that waits for a state that could not be cleared fails as not conserved", () => {
    const { inside, script } = scripted()
    return Effect.gen(function*() {
      const account = yield* Account
      const companion = (yield* Account.StateContainer).for()
      script.before = (operation) => operation === "remove" ? full(operation) : Effect.void
      const added = yield* now(Effect.exit(account.Add({ by: 1 })))
      const cleared = yield* now(Effect.exit(companion.clear))
      yield* turns
      const error = Exit.findErrorOption(yield* Fiber.join(added))
      assert.strictEqual(error._tag === "Some" ? error.value.reason._tag : "answered", "NotConserved")
      assert.include(String(yield* Fiber.join(cleared)), "there is no room (full)")
    }).pipe(Effect.provide(one(inside, { retry: Schedule.recurs(0) })))
  })

  it.effect("a server does not start from a state of an earlier process that is being cleared", () => {
    const { inside, script } = scripted()
    const gate = Latch.makeUnsafe(false)
    return Effect.gen(function*() {
      yield* Effect.flatMap(start(inside, "a"), (account) => account.Add({ by: 5 })).pipe(
        Effect.provide(many(inside))
      )
      yield* Effect.gen(function*() {
        script.before = (operation) => operation === "remove" ? gate.await : Effect.void
        const cleared = yield* now(Effect.flatMap(Account.StateContainer, (container) => container.for("a").clear))
        const account = yield* start(inside, "a")
        const added = yield* now(account.Add({ by: 1 }))
        yield* turns
        yield* gate.open
        assert.strictEqual(yield* Fiber.join(added), 1)
        yield* Fiber.join(cleared)
        assert.deepStrictEqual(yield* script.states("test/Account/a"), ["1"])
      }).pipe(Effect.provide(many(inside)))
    })
  })

  it.effect("set takes nothing from a server that has started meanwhile", () => {
    const { inside, script } = scripted()
    const gate = Latch.makeUnsafe(false)
    return Effect.gen(function*() {
      script.after = (operation) => operation === "load" ? gate.await : Effect.void
      const set = yield* now(Effect.flatMap(Account.StateContainer, (container) => container.for("a").set(50)))
      script.after = () => Effect.void
      const account = yield* start(inside, "a")
      const add = account.Add({ by: 1 }, { idempotencyKey: "once" })
      assert.strictEqual(yield* add, 1)
      yield* gate.open
      yield* Fiber.join(set)
      assert.strictEqual(yield* add, 1)
      assert.strictEqual(yield* account.Get(), 1)
    }).pipe(Effect.provide(many(inside)))
  })

  it.effect("a stored state is shown once, after those that are not stored yet", () => {
    const { inside, script } = scripted()
    return Effect.gen(function*() {
      const account = yield* Account
      const companion = (yield* Account.StateContainer).for()
      const shown = Effect.map(companion.snapshots, (all) => all.map(({ seq, state }) => [seq, state]))
      yield* account.Add({ by: 41 })
      assert.deepStrictEqual(yield* shown, [[1, 41]])
      const gate = Latch.makeUnsafe(false)
      script.before = onSave(() => gate.await)
      yield* account.Put({ to: 42 })
      yield* turns
      assert.deepStrictEqual(yield* shown, [[2, 42], [1, 41]])
      yield* gate.open
    }).pipe(Effect.provide(one(inside)))
  })

  it.effect("set is stored when it is done, and is what the next incarnation starts from", () => {
    const { inside, script } = scripted()
    return Effect.gen(function*() {
      const account = yield* Account
      const companion = (yield* Account.StateContainer).for()
      yield* account.Add({ by: 1 })
      yield* companion.set(41)
      assert.strictEqual((yield* script.states("test/Account"))[0], "41")
      yield* Process.kill(account)
      assert.strictEqual(yield* account.Add({ by: 1 }), 42)
    }).pipe(Effect.provide(one(inside)))
  })

  it.effect("set on a server that is not started replaces what an earlier process stored", () => {
    const { inside, script } = scripted()
    return Effect.gen(function*() {
      yield* Effect.gen(function*() {
        const account = yield* start(inside, "a")
        yield* Effect.repeat(account.Add({ by: 1 }), { times: 4 })
      }).pipe(Effect.provide(many(inside)))
      yield* Effect.gen(function*() {
        const companion = (yield* Account.StateContainer).for("a")
        assert.deepStrictEqual(yield* companion.get, Option.some(5))
        yield* companion.set(41)
        assert.deepStrictEqual(yield* companion.get, Option.some(41))
        assert.strictEqual(yield* Effect.flatMap(start(inside, "a"), (account) => account.Add({ by: 1 })), 42)
      }).pipe(Effect.provide(many(inside)))
      assert.strictEqual((yield* script.states("test/Account/a"))[0], "42")
    })
  })
})

it.effect("a server that was stopped by its supervisor keeps its state, and has it when it is started again", () => {
  const { inside } = scripted()
  return Effect.gen(function*() {
    const harness = yield* Harness.Harness
    const account = yield* start(inside, "a")
    yield* account.Add({ by: 41 })
    yield* GenServer.stop(account)
    yield* harness.awaitTag("Exited", account)
    assert.strictEqual(yield* Effect.flatMap(start(inside, "a"), (account) => account.Add({ by: 1 })), 42)
  }).pipe(Effect.provide(many(inside)))
})
