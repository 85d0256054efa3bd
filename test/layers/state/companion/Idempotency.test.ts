import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Schedule, Schema } from "effect"
import { TestClock } from "effect/testing"
import { GenServer, Next, Process, StateContainer, StateStore, Supervisor } from "../../../../src/index.ts"
import { Account, Inside, one } from "../../../kit/Account.ts"
import { full, onSave, Scripted } from "../../../kit/Scripted.ts"

class Broke extends Schema.TaggedError<Broke>()("Broke", { missing: Schema.Int }) {}

class Purse extends GenServer.Service<Purse>()("test/Purse", {
  state: Schema.Int,
  messages: {
    Earn: GenServer.call({ payload: { amount: Schema.Int }, reply: Schema.Int }),
    Spend: GenServer.call({ payload: { amount: Schema.Int }, reply: Schema.Int, error: Broke }),
    EarnLater: GenServer.call({ payload: { amount: Schema.Int }, reply: Schema.Int }),
    /** Earns, and promises the reply, after 2 seconds. */
    EarnSlowly: GenServer.call({ payload: { amount: Schema.Int }, reply: Schema.Int }),
    /** Earns, and replies twice while it is at work. */
    EarnTwice: GenServer.call({ payload: { amount: Schema.Int }, reply: Schema.Int }),
    /** Earns, and ends without a reply. */
    Leave: GenServer.call({ payload: { amount: Schema.Int }, reply: Schema.Int }),
    /** Ends, and has done nothing. */
    Quit: GenServer.call({ payload: { amount: Schema.Int }, reply: Schema.Int }),
    Hold: GenServer.call({ timeout: "infinity" }),
    Crash: GenServer.call({ payload: { amount: Schema.Int }, reply: Schema.Int })
  }
}) {}

class Store extends StateStore.Service<Store>()("test/IdempotencyStore", "crash") {}

/** A sum that no incarnation starts from. */
const unlucky = 13

const purse = (options: { readonly later: Deferred.Deferred<void>; readonly crashes: { left: number } }) =>
  Purse.layer({
    init: 0,
    restore: (coins) => coins === unlucky ? Effect.die("bad luck") : coins,
    handlers: {
      Earn: (coins, { amount }) => [coins + amount, coins + amount],
      Spend: (coins, { amount }) =>
        amount > coins
          ? Effect.fail(new Broke({ missing: amount - coins }))
          : Effect.succeed([coins - amount, coins - amount]),
      EarnLater: Effect.fnUntraced(function*(coins, { amount }, { from }) {
        yield* Effect.forkDetach(
          Effect.andThen(Deferred.await(options.later), GenServer.reply(from, Exit.succeed(amount)))
        )
        return Next.noReply(coins + amount)
      }),
      EarnSlowly: Effect.fnUntraced(function*(coins, { amount }, { from }) {
        yield* Effect.sleep("2 seconds")
        yield* Effect.forkDetach(GenServer.reply(from, Exit.succeed(amount)))
        return Next.noReply(coins + amount)
      }),
      EarnTwice: Effect.fnUntraced(function*(coins, { amount }, { from }) {
        yield* GenServer.reply(from, Exit.succeed(amount))
        yield* GenServer.reply(from, Exit.succeed(-1))
        return Next.noReply(coins + amount)
      }),
      Leave: (coins, { amount }) => Next.stop({ _tag: "Shutdown" }, { state: coins + amount }),
      Quit: () => {
        options.crashes.left++
        return Next.stop({ _tag: "Shutdown" })
      },
      Hold: (coins) => Effect.as(Deferred.await(options.later), [undefined, coins]),
      Crash: (coins, { amount }) =>
        options.crashes.left-- > 0 ? Effect.die("boom") : Effect.succeed([coins + amount, coins + amount])
    }
  })

const trees = {
  memory: StateContainer.layerMemory(Purse),
  "memory, late": StateContainer.layerMemory(Purse, { when: { every: "1 minute" } }),
  store: StateContainer.layerStore(Purse, { store: Store })
}

describe.each(["memory", "memory, late", "store"] as const)("idempotency keys over %s", (name) => {
  const setUp = Effect.gen(function*() {
    const later = yield* Deferred.make<void>()
    const crashes = { left: 0 }
    const tree = Supervisor.layer({ strategy: "one_for_one" }, [trees[name], purse({ later, crashes })])
    return { later, crashes, tree }
  })
  const withStore = Effect.provide(StateStore.layerMemory(Store))

  it.effect("a call made again gets the recorded reply and is not handled again", () =>
    Effect.gen(function*() {
      const { tree } = yield* setUp
      yield* Effect.gen(function*() {
        const purse = yield* Purse
        const earn = purse.Earn({ amount: 5 }, { idempotencyKey: "a" })
        assert.strictEqual(yield* earn, 5)
        assert.strictEqual(yield* earn, 5)
        yield* Process.kill(purse)
        assert.strictEqual(yield* earn, 5)
        assert.strictEqual(yield* purse.Earn({ amount: 1 }), 6)
      }).pipe(Effect.provide(tree))
    }).pipe(withStore))

  it.effect("a typed failure is recorded, a defect is not", () =>
    Effect.gen(function*() {
      const { crashes, tree } = yield* setUp
      yield* Effect.gen(function*() {
        const purse = yield* Purse
        const spend = purse.Spend({ amount: 3 }, { idempotencyKey: "s" })
        assert.deepStrictEqual(yield* Effect.flip(spend), new Broke({ missing: 3 }))
        yield* purse.Earn({ amount: 10 })
        assert.deepStrictEqual(yield* Effect.flip(spend), new Broke({ missing: 3 }))
        crashes.left = 1
        const crash = purse.Crash({ amount: 2 }, { idempotencyKey: "c" })
        const error = yield* Effect.flip(crash)
        assert.strictEqual(error.reason._tag, "Crashed")
        assert.strictEqual(yield* crash, 12)
        assert.strictEqual(yield* crash, 12)
      }).pipe(Effect.provide(tree))
    }).pipe(withStore))

  it.effect("the same key with another message or payload fails, typed, and changes nothing", () =>
    Effect.gen(function*() {
      const { tree } = yield* setUp
      yield* Effect.gen(function*() {
        const purse = yield* Purse
        yield* purse.Earn({ amount: 5 }, { idempotencyKey: "a" })
        const payload = yield* Effect.flip(purse.Earn({ amount: 6 }, { idempotencyKey: "a" }))
        assert.deepStrictEqual(payload.reason, { _tag: "KeyReused", key: "a" })
        const message = yield* Effect.flip(purse.Crash({ amount: 5 }, { idempotencyKey: "a" }))
        assert.deepStrictEqual(message.reason, { _tag: "KeyReused", key: "a" })
        assert.strictEqual(yield* purse.Earn({ amount: 0 }), 5)
      }).pipe(Effect.provide(tree))
    }).pipe(withStore))

  it.effect("a duplicate of a call that was promised a later reply joins it", () =>
    Effect.gen(function*() {
      const { later, tree } = yield* setUp
      yield* Effect.gen(function*() {
        const purse = yield* Purse
        const earn = purse.EarnLater({ amount: 5 }, { idempotencyKey: "l" })
        const first = yield* Effect.forkChild(earn, { startImmediately: true })
        const second = yield* Effect.forkChild(earn, { startImmediately: true })
        assert.strictEqual(yield* purse.Earn({ amount: 0 }), 5)
        yield* Deferred.succeed(later, undefined)
        assert.deepStrictEqual(yield* Fiber.joinAll([first, second]), [5, 5])
        assert.strictEqual(yield* earn, 5)
        assert.strictEqual(yield* purse.Earn({ amount: 0 }), 5)
      }).pipe(Effect.provide(tree))
    }).pipe(withStore))

  it.effect("also when the caller of the first does not wait any longer: it is still handled once", () =>
    Effect.gen(function*() {
      const { later, tree } = yield* setUp
      yield* Effect.gen(function*() {
        const purse = yield* Purse
        const earn = purse.EarnLater({ amount: 5 }, { idempotencyKey: "l", timeout: "1 second" })
        const first = yield* Effect.forkChild(Effect.flip(earn), { startImmediately: true })
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* Fiber.join(first)).reason._tag, "Timeout")
        const second = yield* Effect.forkChild(earn, { startImmediately: true })
        yield* TestClock.adjust("500 millis")
        const third = yield* Effect.forkChild(earn, { startImmediately: true })
        yield* TestClock.adjust("500 millis")
        assert.strictEqual((yield* Effect.flip(Fiber.join(second))).reason._tag, "Timeout")
        assert.isUndefined(third.pollUnsafe())
        yield* Deferred.succeed(later, undefined)
        assert.strictEqual(yield* Fiber.join(third), 5)
        assert.deepStrictEqual([yield* earn, yield* purse.Earn({ amount: 0 })], [5, 5])
      }).pipe(Effect.provide(tree))
    }).pipe(withStore))

  it.effect("nor when that was before its handler had promised anything", () =>
    Effect.gen(function*() {
      const { later, tree } = yield* setUp
      yield* Effect.gen(function*() {
        const purse = yield* Purse
        const held = yield* Effect.forkChild(purse.Hold(), { startImmediately: true })
        const earn = purse.EarnLater({ amount: 5 }, { idempotencyKey: "l", timeout: "1 second" })
        const slow = purse.EarnSlowly({ amount: 5 }, { idempotencyKey: "s", timeout: "1 second" })
        const queued = yield* Effect.forkChild(Effect.flip(earn), { startImmediately: true })
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* Fiber.join(queued)).reason._tag, "Timeout")
        yield* Deferred.succeed(later, undefined)
        yield* Fiber.join(held)
        // it had not begun: this is the first time
        assert.strictEqual(yield* earn, 5)
        const begun = yield* Effect.forkChild(Effect.flip(slow), { startImmediately: true })
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* Fiber.join(begun)).reason._tag, "Timeout")
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual([yield* slow, yield* purse.Earn({ amount: 0 })], [5, 10])
      }).pipe(Effect.provide(tree))
    }).pipe(withStore))

  it.effect("one whose incarnation ended before the reply is not handled again: its caller hears that it was begun", () =>
    Effect.gen(function*() {
      const { later, tree } = yield* setUp
      yield* Effect.gen(function*() {
        const purse = yield* Purse
        const key = { idempotencyKey: "a" }
        const earn = purse.EarnLater({ amount: 5 }, key)
        const first = yield* Effect.forkChild(Effect.exit(earn), { startImmediately: true })
        yield* TestClock.adjust(0)
        yield* Process.kill(purse)
        assert.include(String(yield* Fiber.join(first)), "was ended (killed)")
        yield* Deferred.succeed(later, undefined)
        yield* TestClock.adjust(0)
        for (let times = 0; times < 2; times++) {
          const error = yield* Effect.flip(earn)
          assert.deepStrictEqual(error.reason, { _tag: "AnswerLost", key: "a", handled: "begun" })
          assert.include(error.message, "was begun before")
          assert.strictEqual((yield* Effect.flip(purse.EarnLater({ amount: 6 }, key))).reason._tag, "KeyReused")
          assert.strictEqual((yield* Effect.flip(purse.Earn({ amount: 5 }, key))).reason._tag, "KeyReused")
          yield* Process.kill(purse)
        }
        assert.strictEqual(yield* purse.Earn({ amount: 0 }), 5)
      }).pipe(Effect.provide(tree))
    }).pipe(withStore))

  it.effect("an answer that came later is on record, and its mark is in no one's way", () =>
    Effect.gen(function*() {
      const { later, tree } = yield* setUp
      yield* Effect.gen(function*() {
        const purse = yield* Purse
        yield* Deferred.succeed(later, undefined)
        const earn = purse.EarnLater({ amount: 5 }, { idempotencyKey: "a" })
        assert.strictEqual(yield* earn, 5)
        yield* Process.kill(purse)
        assert.strictEqual(yield* earn, 5)
        assert.strictEqual(yield* purse.Earn({ amount: 0 }), 5)
      }).pipe(Effect.provide(tree))
    }).pipe(withStore))

  it.effect("a handler that stops, and commits nothing, is run again for the same call", () =>
    Effect.gen(function*() {
      const { crashes, tree } = yield* setUp
      yield* Effect.gen(function*() {
        const purse = yield* Purse
        const quit = purse.Quit({ amount: 5 }, { idempotencyKey: "a" })
        for (let times = 1; times < 3; times++) {
          assert.strictEqual((yield* Effect.flip(quit)).reason._tag, "Crashed")
          assert.strictEqual(crashes.left, times)
        }
      }).pipe(Effect.provide(tree))
    }).pipe(withStore))

  it.effect("of two answers that a handler gives while it is at work the first counts, and is on record", () =>
    Effect.gen(function*() {
      const { tree } = yield* setUp
      yield* Effect.gen(function*() {
        const purse = yield* Purse
        const earn = purse.EarnTwice({ amount: 5 }, { idempotencyKey: "a" })
        assert.strictEqual(yield* earn, 5)
        yield* Process.kill(purse)
        assert.strictEqual(yield* earn, 5)
        assert.strictEqual(yield* purse.Earn({ amount: 0 }), 5)
      }).pipe(Effect.provide(tree))
    }).pipe(withStore))

  it.effect("a handler that commits and stops without an answer is not run again for the same call", () =>
    Effect.gen(function*() {
      const { tree } = yield* setUp
      yield* Effect.gen(function*() {
        const purse = yield* Purse
        const leave = purse.Leave({ amount: 5 }, { idempotencyKey: "a" })
        assert.strictEqual((yield* Effect.flip(leave)).reason._tag, "Crashed")
        assert.deepInclude((yield* Effect.flip(leave)).reason, { _tag: "AnswerLost", handled: "begun" })
        assert.strictEqual(yield* purse.Earn({ amount: 0 }), 5)
      }).pipe(Effect.provide(tree))
    }).pipe(withStore))

  it.effect("the key of a call that was promised a later reply is taken: another payload fails at once", () =>
    Effect.gen(function*() {
      const { later, tree } = yield* setUp
      yield* Effect.gen(function*() {
        const purse = yield* Purse
        const key = { idempotencyKey: "l" }
        const first = yield* Effect.forkChild(purse.EarnLater({ amount: 5 }, key), { startImmediately: true })
        const payload = yield* Effect.flip(purse.EarnLater({ amount: 6 }, key))
        assert.deepStrictEqual(payload.reason, { _tag: "KeyReused", key: "l" })
        const message = yield* Effect.flip(purse.Earn({ amount: 5 }, key))
        assert.deepStrictEqual(message.reason, { _tag: "KeyReused", key: "l" })
        yield* Deferred.succeed(later, undefined)
        assert.strictEqual(yield* Fiber.join(first), 5)
        assert.strictEqual(yield* purse.Earn({ amount: 0 }), 5)
      }).pipe(Effect.provide(tree))
    }).pipe(withStore))

  it.effect("an answer is forgotten with the state it was recorded with: cleared by hand", () =>
    Effect.gen(function*() {
      const { tree } = yield* setUp
      yield* Effect.gen(function*() {
        const purse = yield* Purse
        const companion = (yield* Purse.StateContainer).for()
        yield* purse.Earn({ amount: 100 })
        const earn = purse.Earn({ amount: 5 }, { idempotencyKey: "a" })
        assert.strictEqual(yield* earn, 105)
        yield* companion.clear
        yield* Process.kill(purse)
        assert.strictEqual(yield* earn, 5)
        assert.strictEqual(yield* purse.Earn({ amount: 0 }), 5)
      }).pipe(Effect.provide(tree))
    }).pipe(withStore))

  it.effect("or rolled back; those recorded before it are kept", () =>
    Effect.gen(function*() {
      const { tree } = yield* setUp
      yield* Effect.gen(function*() {
        const purse = yield* Purse
        const first = purse.Earn({ amount: 5 }, { idempotencyKey: "a" })
        const second = purse.Earn({ amount: 8 }, { idempotencyKey: "b" })
        assert.strictEqual(yield* first, 5)
        // a last state of its own, also where they are written late
        yield* Process.kill(purse)
        assert.strictEqual(yield* second, unlucky)
        yield* Process.kill(purse)
        assert.strictEqual(yield* purse.Earn({ amount: 100 }), 105)
        assert.strictEqual(yield* first, 5)
        assert.strictEqual(yield* second, 113)
        assert.strictEqual(yield* purse.Earn({ amount: 0 }), 113)
      }).pipe(Effect.provide(tree))
    }).pipe(withStore))
})

it.effect("conserved on terminate alone, an answer is lost along with the state: a kill leaves none", () =>
  Effect.gen(function*() {
    const later = yield* Deferred.make<void>()
    yield* Effect.gen(function*() {
      const purse = yield* Purse
      const earn = purse.Earn({ amount: 5 }, { idempotencyKey: "a" })
      assert.deepStrictEqual([yield* earn, yield* earn], [5, 5])
      yield* Process.kill(purse)
      yield* purse.Earn({ amount: 100 })
      assert.strictEqual(yield* earn, 105)
      yield* Effect.exit(purse.Crash({ amount: 0 }))
      assert.strictEqual(yield* earn, 105)
      assert.strictEqual(yield* purse.Earn({ amount: 0 }), 105)
    }).pipe(Effect.provide(
      Supervisor.layer({ strategy: "one_for_one" }, [
        StateContainer.layerMemory(Purse, { when: "terminate" }),
        purse({ later, crashes: { left: 1 } })
      ])
    ))
  }))

it.effect("over a companion that forgets the state, answers are forgotten with it", () =>
  Effect.gen(function*() {
    const later = yield* Deferred.make<void>()
    yield* Effect.gen(function*() {
      const purse = yield* Purse
      yield* purse.Earn({ amount: 100 })
      const earn = purse.Earn({ amount: 5 }, { idempotencyKey: "a" })
      assert.strictEqual(yield* earn, 105)
      yield* Process.kill(purse)
      assert.strictEqual(yield* earn, 5)
    }).pipe(Effect.provide(
      Supervisor.layer({ strategy: "one_for_one" }, [
        StateContainer.layerForget(Purse),
        purse({ later, crashes: { left: 0 } })
      ])
    ))
  }))

it.effect("an answer whose state could not be stored is lost with it: the call is handled when it is made again", () => {
  const script = new Scripted()
  return Effect.gen(function*() {
    const account = yield* Account
    const add = account.Add({ by: 1 }, { idempotencyKey: "a" })
    script.before = onSave(full)
    assert.strictEqual((yield* Effect.flip(add)).reason._tag, "NotConserved")
    script.before = () => Effect.void
    assert.deepStrictEqual([yield* add, yield* add], [1, 1])
    assert.strictEqual(yield* account.Get(), 1)
  }).pipe(Effect.provide(one(new Inside(script), { retry: Schedule.recurs(0) })))
})

it.effect("an answer is written once, with the state it was recorded with", () => {
  const script = new Scripted()
  const written: Array<ReadonlyArray<string>> = []
  script.before = (operation, records) => {
    if (operation === "save") written.push(...records.map(({ answers = [] }) => answers.map(({ id }) => id)))
    return Effect.void
  }
  return Effect.gen(function*() {
    const account = yield* Account
    yield* account.Add({ by: 1 }, { idempotencyKey: "a" })
    yield* account.Add({ by: 1 }, { idempotencyKey: "b" })
    yield* account.Add({ by: 1 })
    assert.deepStrictEqual(written, [["a"], ["b"], []])
  }).pipe(Effect.provide(one(new Inside(script))))
})

it.effect("recorded answers outlive the tree in a store, bounded by number", () =>
  Effect.gen(function*() {
    const later = yield* Deferred.make<void>()
    const tree = Supervisor.layer({ strategy: "one_for_one" }, [
      StateContainer.layerStore(Purse, { store: Store, answers: { maxCount: 2 } }),
      purse({ later, crashes: { left: 0 } })
    ])
    const earn = (key: string) => Effect.flatMap(Purse, (purse) => purse.Earn({ amount: 1 }, { idempotencyKey: key }))
    yield* Effect.forEach(["a", "b", "c"], earn).pipe(Effect.provide(tree))
    const again = yield* Effect.forEach(["c", "b", "a"], earn).pipe(Effect.provide(tree))
    assert.deepStrictEqual(again, [3, 2, 4])
    const store = yield* Store
    const [newest] = yield* store.load("test/Purse")
    assert.deepStrictEqual(newest?.answers?.map((answer) => answer.id), ["c", "a"])
  }).pipe(Effect.provide(Layer.fresh(StateStore.layerMemory(Store)))))
