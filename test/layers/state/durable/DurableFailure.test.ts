/** What becomes of answers, incarnations and states when the store does not do what it is asked. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Effect, Exit, Fiber, Latch, Schedule } from "effect"
import { TestClock } from "effect/testing"
import type { CrashReport } from "../../../../src/domain/observation/CrashReport.ts"
import { type GenServer, Process, Restart, StateStore } from "../../../../src/index.ts"
import { tableOf } from "../../../../src/layers/state/container/Container.ts"
import { Harness } from "../../../../src/testing.ts"
import { Account, Inside, many, one, Saving, scripted, start } from "../../../kit/Account.ts"
import { reasonOf } from "../../../kit/Failures.ts"
import { FakeProcess } from "../../../kit/FakeProcess.ts"
import { now, poll, turns } from "../../../kit/Fibers.ts"
import { recordedLog } from "../../../kit/Log.ts"
import { away, fail, full, onAll, onSave, type Scripted } from "../../../kit/Scripted.ts"
import { sinkOf } from "../../../kit/Sinks.ts"

/** Tries again after 1 and 2 seconds, and then no more. */
const patience = Schedule.max([Schedule.exponential("1 second"), Schedule.recurs(2)])

/** What the store said, when a call failed because of it. */
const storeErrorOf = (exit: Exit.Exit<unknown, unknown>): StateStore.StoreError => {
  const reason = reasonOf(exit)
  assert.strictEqual(reason?._tag, "NotConserved")
  const error = reason?._tag === "NotConserved" ? Cause.squash(reason.cause) : undefined
  assert.instanceOf(error, StateStore.StoreError)
  return error
}

const assertAway = (exit: Exit.Exit<unknown, unknown>): void =>
  assert.strictEqual(storeErrorOf(exit).reason._tag, "Unavailable")

/** The crash reports of a tree. */
const reports = Effect.map(Harness.Harness, ({ telemetry }) => {
  const all: Array<CrashReport> = []
  const { crashed } = sinkOf(telemetry)
  sinkOf(telemetry).crashed = (report, context) => {
    all.push(report)
    crashed(report, context)
  }
  return all
})

describe("a store that is away for a while", () => {
  for (const [name, reason] of [["does not answer", away], ["is full", full]] as const) {
    it.effect(`which ${name}, is asked again by the Schedule; only the answers wait`, () => {
      const { inside, script } = scripted()
      script.before = onSave(reason)
      return Effect.gen(function*() {
        const account = yield* Account
        const times: Array<number> = []
        script.before = onSave((operation) =>
          Effect.andThen(Effect.map(Clock.currentTimeMillis, (now) => times.push(now)), reason(operation))
        )
        const first = yield* now(account.Add({ by: 1 }, { timeout: "infinity" }))
        yield* TestClock.adjust("2 seconds")
        assert.deepStrictEqual(times, [0, 1000])
        yield* account.Put({ to: 5 })
        yield* turns
        assert.deepStrictEqual(inside.handled, ["Add", "Put"])
        script.before = () => Effect.void
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* Fiber.join(first), 1)
        assert.deepStrictEqual(yield* script.states("test/Account"), ["5", "1"])
        assert.strictEqual(yield* Process.incarnation(account), 1)
      }).pipe(Effect.provide(one(inside, { retry: patience })))
    })
  }

  it.effect("a batch that was stored although the store did not say so is stored once", () => {
    const { inside, script } = scripted()
    return Effect.gen(function*() {
      const account = yield* Account
      script.after = onSave(away)
      const first = yield* now(account.Add({ by: 1 }))
      yield* turns
      assert.isUndefined(poll(first))
      script.after = () => Effect.void
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(first), 1)
      assert.deepStrictEqual(yield* script.states("test/Account"), ["1"])
    }).pipe(Effect.provide(one(inside, { retry: patience })))
  })

  it.effect("while a store is away, a timeout carries its error", () => {
    const { inside, script } = scripted()
    return Effect.gen(function*() {
      const account = yield* Account
      script.before = onSave(away)
      const early = yield* now(Effect.flip(account.Add({ by: 1 })))
      yield* TestClock.adjust("5 seconds")
      const { message, reason } = yield* Fiber.join(early)
      assert.deepInclude(reason, { _tag: "Timeout", begun: true, waitsFor: "store" })
      assert.include(message, "its answer waits for the store: the update may or may not be kept.")
      assert.include(message, "The store does not take it: save in the state store \"scripted\": it is not available")
      script.before = () => Effect.void
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(yield* script.states("test/Account"), ["1"])
    }).pipe(Effect.provide(one(inside)))
  })

  it.effect("a store that hangs holds up only the callers that wait for it, and all goes on when it comes back", () => {
    const { inside, script } = scripted()
    const gate = Latch.makeUnsafe(false)
    return Effect.gen(function*() {
      const account = yield* Account
      script.before = onSave(() => gate.await)
      const early = yield* now(Effect.flip(account.Add({ by: 1 })))
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual((yield* Fiber.join(early)).reason, {
        _tag: "Timeout",
        millis: 5000,
        begun: true,
        waitsFor: "store"
      })
      const late = yield* now(account.Add({ by: 1 }))
      yield* turns
      yield* gate.open
      assert.strictEqual(yield* Fiber.join(late), 2)
      assert.deepStrictEqual(yield* script.states("test/Account"), ["2", "1"])
    }).pipe(Effect.provide(one(inside)))
  })
})

describe("a write that finally fails", () => {
  it.effect("held answers fail with NotConserved, and the next incarnation starts from what the store really holds", () => {
    const { inside, script } = scripted()
    return Effect.gen(function*() {
      const harness = yield* Harness.Harness
      const account = yield* Account
      yield* account.Add({ by: 40 })
      script.before = onSave(away)
      const lost = yield* Effect.replicateEffect(now(Effect.exit(account.Add({ by: 1 }))), 2)
      const refused = yield* now(Effect.exit(account.Overdraw({ by: 1 })))
      const later = yield* now(Effect.exit(account.AddLater({ by: 1 })))
      yield* TestClock.adjust("3 seconds")
      for (const fiber of [...lost, refused, later]) assertAway(yield* Fiber.join(fiber))
      script.before = () => Effect.void
      assert.strictEqual(yield* account.Add({ by: 2 }), 42)
      assert.deepStrictEqual(yield* harness.historyOf(account), [
        "Started",
        "Exited",
        "Restarting",
        "StateRestored",
        "Started"
      ])
      const exited = yield* harness.awaitTag("Exited", account)
      assert.strictEqual(exited.reason._tag, "NotConserved")
      // its Scope is closed, and it has no last word
      assert.deepStrictEqual(inside.life, ["acquired 1", "released 1", "acquired 2"])
    }).pipe(Effect.provide(one(inside, { retry: patience })))
  })

  it.effect("the next incarnation starts from a state that was stored although the store did not say so", () => {
    const { inside, script } = scripted()
    return Effect.gen(function*() {
      const account = yield* Account
      script.after = onSave(away)
      const lost = yield* now(Effect.exit(account.Add({ by: 41 })))
      yield* TestClock.adjust("3 seconds")
      assertAway(yield* Fiber.join(lost))
      script.after = () => Effect.void
      assert.strictEqual(yield* account.Add({ by: 1 }), 42)
    }).pipe(Effect.provide(one(inside, { retry: patience })))
  })

  it.effect("the report counts the casts that were undone, and no call", () => {
    const { inside, script } = scripted()
    return Effect.gen(function*() {
      const all = yield* reports
      const account = yield* Account
      yield* account.Put({ to: 1 })
      yield* account.Add({ by: 1 })
      script.before = onSave(away)
      yield* account.Put({ to: 10 })
      const calls = yield* Effect.replicateEffect(now(Effect.exit(account.Add({ by: 1 }))), 3)
      yield* now(Effect.exit(account.AddLater({ by: 1 })))
      yield* account.Put({ to: 20 })
      yield* now(Effect.exit(account.Overdraw({ by: 1 })))
      yield* TestClock.adjust("3 seconds")
      yield* Fiber.awaitAll(calls)
      script.before = () => Effect.void
      assert.strictEqual(yield* account.Get(), 2)
      assert.deepStrictEqual(all.map(({ reason, undone }) => [reason._tag, undone]), [["NotConserved", 2]])
    }).pipe(Effect.provide(one(inside, { retry: patience })))
  })

  it.effect("a cast that came while a batch was being written is not stored with it, and counts when it is undone", () => {
    const { inside, script } = scripted()
    const gate = Latch.makeUnsafe(false)
    script.before = onSave(() => gate.await)
    return Effect.gen(function*() {
      const all = yield* reports
      const account = yield* Account
      yield* account.Put({ to: 1 })
      yield* turns
      yield* account.Put({ to: 10 })
      yield* turns
      assert.deepStrictEqual(script.batches, [["Account#1"]])
      script.before = onSave(away)
      yield* gate.open
      yield* TestClock.adjust("3 seconds")
      script.before = () => Effect.void
      assert.strictEqual(yield* account.Get(), 1)
      assert.deepStrictEqual(all.map(({ reason, undone }) => [reason._tag, undone]), [["NotConserved", 1]])
    }).pipe(Effect.provide(one(inside, { retry: patience })))
  })

  it.effect("a second loss counts its own casts, not those of the first again", () => {
    const { inside, script } = scripted()
    return Effect.gen(function*() {
      const all = yield* reports
      const account = yield* Account
      script.before = onSave(away)
      for (const casts of [3, 1]) {
        for (let to = 1; to <= casts; to++) yield* account.Put({ to })
        yield* TestClock.adjust("3 seconds")
      }
      assert.deepStrictEqual(all.map(({ reason, undone }) => [reason._tag, undone]), [
        ["NotConserved", 3],
        ["NotConserved", 1]
      ])
    }).pipe(Effect.provide(one(inside, { retry: patience })))
  })

  it.effect("messages in the mailbox wait for the next incarnation; the one in hand fails", () => {
    const { inside, script } = scripted()
    inside.slow = Latch.makeUnsafe(false)
    return Effect.gen(function*() {
      const account = yield* Account
      script.before = onSave(away)
      const held = yield* now(Effect.exit(account.Add({ by: 1 }, { timeout: "infinity" })))
      const inHand = yield* now(Effect.exit(account.AddSlowly({ by: 1 }, { timeout: "infinity" })))
      const queued = yield* now(account.Add({ by: 10 }, { timeout: "infinity" }))
      yield* TestClock.adjust("3 seconds")
      script.before = () => Effect.void
      yield* TestClock.adjust("1 second")
      assertAway(yield* Fiber.join(held))
      assertAway(yield* Fiber.join(inHand))
      assert.strictEqual(yield* Fiber.join(queued), 10)
    }).pipe(Effect.provide(one(inside, { retry: patience })))
  })

  it.effect("nothing of the incarnation that ends is committed on top of what was lost", () => {
    const { inside, script } = scripted()
    inside.slow = Latch.makeUnsafe(false)
    return Effect.gen(function*() {
      const account = yield* Account
      script.before = onSave(away)
      yield* account.Put({ to: 100 })
      // a handler that cannot be interrupted, over the moment of the failure
      inside.uninterruptible = true
      const inHand = yield* now(Effect.exit(account.AddSlowly({ by: 1 }, { timeout: "infinity" })))
      yield* TestClock.adjust("3 seconds")
      // the next incarnation is slow to ask the store: what the last one would commit would be there before
      const asked = Latch.makeUnsafe(false)
      script.before = (operation) => operation === "load" ? asked.await : Effect.void
      yield* inside.slow!.open
      assertAway(yield* Fiber.join(inHand))
      yield* turns
      yield* asked.open
      assert.strictEqual(yield* account.Add({ by: 1 }), 1)
      assert.deepStrictEqual(yield* script.states("test/Account"), ["1"])
    }).pipe(Effect.provide(one(inside, { retry: patience })))
  })

  it.effect("its incarnation is fenced off at once, whatever it still tries", () => {
    const { inside, script } = scripted()
    return Effect.gen(function*() {
      const container = yield* Account.StateContainer
      const process = new FakeProcess("test/Account/x")
      const companion = tableOf(container).claim("x", process)
      const taken = companion.takeOver(1)
      assert.isTrue(Effect.isEffect(taken))
      if (Effect.isEffect(taken)) yield* taken
      script.before = onSave(away)
      assert.isTrue(companion.commit(process.incarnation, 1, "call"))
      yield* TestClock.adjust("3 seconds")
      assert.isFalse(companion.commit(process.incarnation, 2, "call"))
      script.before = () => Effect.void
      yield* turns
      assert.deepStrictEqual(yield* script.states("test/Account/x"), [])
    }).pipe(Effect.provide(one(inside, { retry: patience })))
  })

  it.effect("the restart budget is untouched", () => {
    const { inside, script } = scripted()
    return Effect.gen(function*() {
      const account = yield* Account
      for (let i = 1; i <= 10; i++) {
        script.before = onSave(away)
        assertAway(yield* Effect.exit(account.Add({ by: 1 })))
        script.before = () => Effect.void
        assert.strictEqual(yield* account.Add({ by: 1 }), i)
      }
      assert.strictEqual(yield* Process.incarnation(account), 11)
    }).pipe(Effect.provide(one(inside, { retry: Schedule.recurs(0) }, { restart: Restart.never })))
  })

  it.effect("the budget of a dynamic supervisor is untouched too", () => {
    const { inside, script } = scripted()
    return Effect.gen(function*() {
      const account = yield* start(inside, "a")
      for (let i = 1; i <= 10; i++) {
        script.before = onSave(away)
        assertAway(yield* Effect.exit(account.Add({ by: 1 })))
        script.before = () => Effect.void
        assert.strictEqual(yield* account.Add({ by: 1 }), i)
      }
    }).pipe(Effect.provide(many(inside, { retry: Schedule.recurs(0) })))
  })

  it.effect("a start that is under way when the write before it fails is broken off, and not charged either", () => {
    const { inside, script } = scripted()
    const gate = Latch.makeUnsafe(false)
    return Effect.gen(function*() {
      const [account, harness] = [yield* Account, yield* Harness.Harness]
      yield* account.Add({ by: 1 })
      script.before = onSave(away)
      yield* account.Put({ to: 100 })
      // charged: the only restart there is
      const died = yield* now(Effect.exit(account.Die({}, { timeout: "infinity" })))
      yield* TestClock.adjust("3 seconds")
      script.before = () => Effect.void
      const failed = yield* harness.awaitTag("StartFailed", account)
      assert.strictEqual(failed.reason._tag, "NotConserved")
      yield* gate.open
      yield* turns
      assert.strictEqual(yield* account.Get(), 1)
      assert.strictEqual(yield* Process.incarnation(account), 3)
      assert.strictEqual(reasonOf(yield* Fiber.join(died))?._tag, "Crashed")
    }).pipe(Effect.provide(one(
      inside,
      { retry: patience },
      { restart: Restart.intensity({ restarts: 1, within: "1 minute" }) },
      (conserved) => Effect.as(gate.await, conserved)
    )))
  })

  it.effect("while the store is still away the next incarnation waits for it, and calls wait for that one", () => {
    const { inside, script } = scripted()
    return Effect.gen(function*() {
      const account = yield* Account
      yield* account.Add({ by: 40 })
      script.before = onAll(away)
      const lost = yield* now(Effect.exit(account.Add({ by: 1 })))
      yield* TestClock.adjust("3 seconds")
      assertAway(yield* Fiber.join(lost))
      assert.strictEqual(yield* Process.status(account), "starting")
      const waiting = yield* now(account.Add({ by: 2 }))
      script.before = () => Effect.void
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(waiting), 42)
    }).pipe(Effect.provide(one(inside, { retry: patience })))
  })

  it.effect("a state that no store will take is charged to the budget, so that it cannot go on for ever", () => {
    const { inside, script } = scripted()
    return Effect.gen(function*() {
      const harness = yield* Harness.Harness
      const account = yield* Account
      script.before = onSave(fail({ _tag: "Invalid", what: "too large" }))
      for (let i = 0; i < 2; i++) {
        assert.strictEqual(storeErrorOf(yield* Effect.exit(account.Add({ by: 1 }))).reason._tag, "Invalid")
      }
      yield* harness.awaitTag("GaveUp", "root")
      assert.deepStrictEqual(reasonOf(yield* Effect.exit(account.Get())), { _tag: "NotRunning" })
    }).pipe(Effect.provide(one(inside, {}, { restart: Restart.intensity({ restarts: 1, within: "1 hour" }) })))
  })

  it.effect("a state that does not fit its schema fails the calls of its own server, and of no other", () => {
    const { inside } = scripted()
    return Effect.gen(function*() {
      const bad = yield* start(inside, "bad")
      const good = yield* start(inside, "good")
      const exits = yield* Effect.all(
        [Effect.exit(bad.Add({ by: 0.5 })), Effect.exit(good.Add({ by: 1 }))],
        { concurrency: "unbounded" }
      )
      assert.include(storeErrorOf(exits[0]).message, "does not fit its schema")
      assert.deepStrictEqual(exits[1], Exit.succeed(1))
      assert.strictEqual(yield* bad.Add({ by: 3 }), 3)
    }).pipe(Effect.provide(many(inside)))
  })

  it.effect("the error of its callers names the server, says what is kept, and does not contradict itself", () => {
    const { inside, script } = scripted()
    const seen = <A>(call: Effect.Effect<A, GenServer.CallError>) =>
      Effect.map(Effect.flip(call), (error) => error.message)
    return Effect.gen(function*() {
      const account = yield* start(inside, "ann")
      const path = "root > test/Pool > test/Account/ann"
      assert.strictEqual(
        yield* seen(account.Add({ by: 0.5 })),
        `Add to ${path}: its state could not be stored (encode in the state store "scripted": the state of ` +
          "test/Account/ann does not fit its schema: Expected an integer). The update is not kept: the same would be " +
          "refused again."
      )
      script.before = onSave(away)
      assert.strictEqual(
        yield* seen(account.Add({ by: 1 })),
        `Add to ${path}: its state could not be stored (save in the state store "scripted": it is not available ` +
          "(away)). The update may or may not be kept: ask the server where it stands before you send it again."
      )
      script.before = () => Effect.void
      assert.strictEqual(yield* account.Add({ by: 1 }), 1)
      yield* script.memory.acquireEpoch(StateStore.wholeStore)
      assert.strictEqual(
        yield* seen(account.Add({ by: 1 })),
        `Add to ${path}: its state could not be stored (save in the state store "memory": a younger session has taken ` +
          "over (epoch 1, in force is 2): another process, or another runtime of this one, has " +
          "opened the store since). Whether the update is kept, the server that has taken over can tell: ask it before " +
          "you send it again."
      )
    }).pipe(Effect.provide(many(inside, { retry: Schedule.recurs(0) })))
  })

  it.effect("a record that the store refuses does not take others' states along", () => {
    const { inside, script } = scripted()
    return Effect.gen(function*() {
      const saving = yield* Saving
      const bad = yield* start(inside, "bad")
      const others = yield* Effect.forEach(["a", "b", "c", "d"], (key) => start(inside, key))
      script.before = (operation, records) =>
        records.some(({ key }) => key === "test/Account/bad")
          ? fail({ _tag: "Invalid", what: "no" })(operation)
          : Effect.void
      const exits = yield* Effect.all(
        [bad, saving, ...others].map((server) => Effect.exit(server.Add({ by: 1 }))),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(exits.map((exit) => exit._tag), ["Failure", ...Array.from({ length: 5 }, () => "Success")])
      assert.deepStrictEqual([...yield* script.memory.keys()], [
        "test/Account/a",
        "test/Account/b",
        "test/Account/c",
        "test/Account/d",
        "test/Saving"
      ])
    }).pipe(Effect.provide(many(inside)))
  })
})

describe("another process takes over", () => {
  const takeOver = (script: Scripted) => script.memory.acquireEpoch(StateStore.wholeStore)

  it.effect("the older session's writes are refused: its servers stop, typed, and do not take the store back", () => {
    const { inside, script } = scripted()
    return Effect.gen(function*() {
      const harness = yield* Harness.Harness
      const account = yield* Account
      yield* account.Add({ by: 41 })
      const epoch = yield* takeOver(script)
      yield* script.memory.save([{
        key: "test/Account",
        epoch,
        seq: 2,
        version: 1,
        state: "1000",
        trusted: 1,
        at: 0
      }])
      const error = storeErrorOf(yield* Effect.exit(account.Add({ by: 1 })))
      assert.deepStrictEqual(error.reason, { _tag: "Fenced", epoch: epoch - 1, current: epoch })
      assert.include(error.message, "a younger session has taken over")
      const gaveUp = yield* harness.awaitTag("GaveUp", "root")
      assert.strictEqual(gaveUp.child, "test/Account")
      assert.deepStrictEqual(reasonOf(yield* Effect.exit(account.Add({ by: 1 }))), { _tag: "NotRunning" })
      assert.strictEqual(script.count("acquireEpoch"), 1)
      assert.deepStrictEqual(yield* script.states("test/Account"), ["1000", "41"])
    }).pipe(Effect.provide(one(inside)))
  })

  it.effect("one key that another session has written is refused, all others are stored, even in the same batch", () => {
    const { inside, script } = scripted()
    return Effect.gen(function*() {
      const saving = yield* Saving
      const [account, same] = [yield* start(inside, "a"), yield* start(inside, "b")]
      yield* account.Add({ by: 1 })
      const epoch = yield* script.memory.acquireEpoch("test/Tool")
      const key = "test/Account/a"
      yield* script.memory.save([{ key, epoch, seq: 2, version: 1, state: "7", trusted: 1, at: 0 }])
      const [refused, ...kept] = yield* Effect.all(
        [Effect.exit(account.Add({ by: 1 })), saving.Add({ by: 1 }), same.Add({ by: 1 })],
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(storeErrorOf(refused).reason, { _tag: "Fenced", key, epoch: epoch - 1, current: epoch })
      assert.deepStrictEqual(kept, [1, 1])
      assert.deepStrictEqual(yield* script.states(key), ["7", "1"])
      assert.deepStrictEqual(yield* script.states("test/Saving"), ["1"])
      assert.strictEqual(yield* saving.Add({ by: 1 }), 2)
    }).pipe(Effect.provide(many(inside, {}, { onGiveUp: "park" })))
  })

  it.effect("the process that opens the store last goes on from the updates that the other acknowledged", () => {
    const { inside, script } = scripted()
    const other = new Inside(script)
    return Effect.gen(function*() {
      const account = yield* Account
      yield* account.Add({ by: 40 })
      yield* Effect.gen(function*() {
        const taken = yield* Account
        assert.strictEqual(yield* taken.Add({ by: 2 }), 42)
        assert.strictEqual((yield* Effect.exit(account.Add({ by: 1 })))._tag, "Failure")
        assert.strictEqual(yield* taken.Add({ by: 1 }), 43)
      }).pipe(Effect.provide(one(other)))
      assert.deepStrictEqual(yield* script.states("test/Account"), ["43", "42", "40"])
    }).pipe(Effect.provide(one(inside)))
  })
})

it.effect("a state that could not be stored makes a crash report that says so in words", () => {
  const { inside, script } = scripted()
  const { layer, lines } = recordedLog()
  return Effect.gen(function*() {
    const account = yield* Account
    script.before = onSave(away)
    yield* account.Put({ to: 1 })
    yield* turns
    // and one that the store is away
    assert.lengthOf(lines, 2)
    assert.include(lines[1]!.text, "root > test/Account #1 state not conserved; ")
    assert.include(Cause.pretty(lines[1]!.cause).split("\n")[0], "StoreError: save in the state store")
  }).pipe(Effect.provide(one(inside, { retry: Schedule.recurs(0) })), Effect.provide(layer))
})
