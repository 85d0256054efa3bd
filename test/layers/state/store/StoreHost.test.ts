/** A store at work: each of its methods is passed what it is given, guarded, and told of as what it is. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Scope } from "effect"
import { TestClock } from "effect/testing"
import { StoreError } from "../../../../src/domain/state/stored/StoreError.ts"
import { makeMemory } from "../../../../src/layers/state/store/StateStore.ts"
import * as StoreHost from "../../../../src/layers/state/store/StoreHost.ts"
import { quiet } from "../../../kit/Log.ts"
import { record } from "../../../kit/stores/Records.ts"

type Store = ReturnType<typeof makeMemory>

const away = new StoreError({ store: "own", operation: "any", reason: { _tag: "Unavailable", cause: "away" } })

/** A store that says what it was asked, and answers as a test says. */
const asking = (answer: Effect.Effect<never, StoreError> | undefined = undefined) => {
  const asked: Array<ReadonlyArray<unknown>> = []
  const method = (name: string, value: unknown) => (...args: ReadonlyArray<unknown>) => {
    asked.push([name, ...args])
    return answer ?? Effect.succeed(value)
  }
  const effect = (name: string, value: unknown) =>
    Effect.suspend(() => {
      asked.push([name])
      return answer ?? Effect.succeed(value)
    })
  const store = {
    name: "own",
    grade: "crash",
    acquireEpoch: method("acquireEpoch", 7),
    confirm: method("confirm", undefined),
    hold: { ownership: "shared", patience: 5, take: effect("take", undefined) },
    load: method("load", ["loaded"]),
    save: method("save", undefined),
    setAside: method("setAside", undefined),
    listAside: method("listAside", ["aside"]),
    keys: method("keys", ["k"]),
    count: method("count", 3),
    remove: method("remove", undefined),
    doubt: effect("doubt", { at: 1, why: "w" }),
    settle: method("settle", undefined),
    timers: method("timers", ["due"])
  } as unknown as Store
  return { asked, store }
}

const aside = { key: "a", seq: 1, epoch: 2, why: "why" }

/** Every question there is: what it is asked as, and what it answers. */
const questions = (
  store: Store
): ReadonlyArray<
  readonly [
    asked: ReadonlyArray<unknown>,
    question: Effect.Effect<unknown, unknown, Scope.Scope>,
    answer: unknown,
    use: "read" | "write"
  ]
> => [
  [["acquireEpoch", "o", "key"], store.acquireEpoch("o", "key"), 7, "write"],
  [["confirm", 1, "a"], store.confirm!(1, "a"), undefined, "read"],
  [["take"], store.hold!.take, undefined, "write"],
  [["load", "a"], store.load("a"), ["loaded"], "read"],
  [["save", [record("a", 1, 1)]], store.save([record("a", 1, 1)]), undefined, "write"],
  [["setAside", aside], store.setAside(aside), undefined, "write"],
  [["listAside", "a"], store.listAside("a"), ["aside"], "read"],
  [["keys", "p", { limit: 3 }], store.keys("p", { limit: 3 }), ["k"], "read"],
  [["count", "p"], store.count!("p"), 3, "read"],
  [["remove", ["a"], 2], store.remove(["a"], 2), undefined, "write"],
  [["doubt"], store.doubt!, { at: 1, why: "w" }, "read"],
  [["settle", 2], store.settle!(2), undefined, "write"],
  [["timers", 9, { due: 1, key: "a" }, 5], store.timers!(9, { due: 1, key: "a" }, 5), ["due"], "read"]
]

describe("a store at work", () => {
  it.effect("is asked what it is to be asked, and answers what it answers", () =>
    Effect.gen(function*() {
      const { asked, store } = asking()
      const { store: guarded } = yield* StoreHost.of(store)
      assert.deepStrictEqual([guarded.name, guarded.grade], ["own", "crash"])
      assert.deepInclude(guarded.hold, { ownership: "shared", patience: 5 })
      for (const [question, effect, answer] of questions(guarded as Store)) {
        asked.length = 0
        assert.deepStrictEqual(yield* effect, answer)
        // What delivers timers asks beside this.
        assert.deepInclude(asked, question)
      }
    }))

  it.effect("a method that throws, or answers no Effect, fails that question alone, by its name", () =>
    Effect.gen(function*() {
      const { store } = asking()
      const broken: Record<string, unknown> = { ...store }
      for (const [name, method] of Object.entries(store)) {
        if (typeof method === "function") broken[name] = name === "load" ? () => 5 : () => assert.fail("boom")
      }
      const { store: guarded } = yield* StoreHost.of(broken as unknown as Store)
      for (const [[name], effect] of questions(guarded as Store)) {
        const exit = yield* Effect.exit(effect)
        if (name === "take" || name === "doubt") continue
        assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause), String(name))
        if (name === "load") assert.include(String(exit), "load of the state store \"own\"")
      }
    }))

  it.effect("has no method that the store has not", () =>
    Effect.gen(function*() {
      const { store } = asking()
      const few: Record<string, unknown> = { ...store }
      const optional = ["confirm", "hold", "count", "doubt", "settle", "timers"]
      for (const name of optional) delete few[name]
      const host = yield* StoreHost.of(few as unknown as Store)
      for (const name of optional) assert.notProperty(host.store, name)
      assert.isUndefined(host.alarms)
      assert.isDefined((yield* StoreHost.of(store)).alarms)
    }))

  it.effect("that is away is away for what it was asked: an outage of writes ends with a write, one of reads with either", () =>
    Effect.gen(function*() {
      for (const [i, [name]] of questions(asking().store).entries()) {
        const { store } = asking(Effect.fail(away))
        const { health, store: guarded } = yield* StoreHost.of(store)
        const [, effect, , use] = questions(guarded as Store)[i]!
        assert.isTrue(Exit.isFailure(yield* Effect.exit(effect)), String(name))
        yield* health.failed(away, use)
        yield* health.recovered("read")
        assert.strictEqual(health.outage === undefined, use === "read")
        yield* health.recovered("write")
        assert.isUndefined(health.outage)
      }
    }))

  it.effect("that is silent is away for what it was asked, by its name: a question is given up, a write is waited for", () =>
    Effect.gen(function*() {
      const waitedFor = new Set<unknown>(["take", "save", "remove"])
      for (const [i, [[name], , , use]] of questions(asking().store).entries()) {
        const { store } = asking(Effect.never)
        const { health, store: guarded } = yield* StoreHost.of(
          { ...store, timers: name === "timers" ? store.timers : undefined } as Store
        )
        const [, effect] = questions({ timers: () => Effect.void, ...guarded } as unknown as Store)[i]!
        const asker = yield* Effect.forkChild(Effect.exit(effect), { startImmediately: true })
        yield* TestClock.adjust("5 seconds")
        assert.strictEqual(health.outage?.operation, name === "take" ? "hold" : name)
        assert.include(health.outage?.message, "it has not answered for 5s")
        yield* TestClock.adjust("25 seconds")
        const exit = asker.pollUnsafe()
        assert.strictEqual(exit === undefined, waitedFor.has(name), String(name))
        // An outage of reads ends with any answer, one of writes with a write.
        yield* health.recovered("read")
        assert.strictEqual(health.outage === undefined, use === "read", String(name))
        yield* Fiber.interrupt(asker)
      }
    }).pipe(Effect.scoped, quiet))

  it.effect("is one for all that use a plain value, as long as one does; a Layer's is its own", () =>
    Effect.gen(function*() {
      const store = makeMemory()
      const [one, other] = [yield* Scope.make(), yield* Scope.make()]
      const host = yield* Scope.provide(StoreHost.of(store), one)
      assert.strictEqual(yield* Scope.provide(StoreHost.of(store), other), host)
      yield* Scope.close(one, Exit.void)
      assert.strictEqual(yield* StoreHost.of(store), host)
      yield* Scope.close(other, Exit.void)
      const own = yield* StoreHost.hosted(store, "crash")
      const of = yield* StoreHost.of(own)
      assert.notStrictEqual(of, host)
      assert.strictEqual(yield* StoreHost.of(own), of)
      // A copy with other methods is another store.
      assert.notStrictEqual(yield* StoreHost.of({ ...own }), of)
    }))

  it.effect("that no session uses any more is begun anew by the next", () =>
    Effect.gen(function*() {
      const store = makeMemory()
      const first = yield* Effect.scoped(StoreHost.of(store))
      assert.notStrictEqual(yield* Effect.scoped(StoreHost.of(store)), first)
    }))
})
