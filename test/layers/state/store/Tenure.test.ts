/** The times for which a process owns a store. */
import { assert, it } from "@effect/vitest"
import { Cause, type Context, Effect, Exit, Schedule, Scope } from "effect"
import { StateStore } from "../../../../src/index.ts"
import { StoreHealth } from "../../../../src/layers/state/store/StoreHealth.ts"
import { Tenures } from "../../../../src/layers/state/store/Tenure.ts"

it.effect("a class that comes when the time before is over begins another, which those that follow share", () =>
  Effect.scoped(Effect.gen(function*() {
    const tenures = new Tenures(StateStore.makeMemory(), new StoreHealth("memory"), yield* Effect.context<never>())
    const lost: Array<string> = []
    const join = (name: string) => tenures.join(name, Schedule.recurs(0), () => lost.push(name))
    const one = yield* join("a")
    assert.strictEqual(yield* join("b"), one)
    one.end(Cause.fail("taken over"))
    yield* Effect.yieldNow
    const other = yield* join("c")
    assert.isAbove(other.epoch, one.epoch)
    assert.strictEqual(yield* join("d"), other)
    assert.deepStrictEqual(lost, ["a", "b"])
  })))

/** The tenures of a store, each method of which a test may replace. */
const tenuresOf = (change: (store: ReturnType<typeof StateStore.makeMemory>) => object) =>
  Effect.contextWith((context: Context.Context<never>) => {
    const memory = StateStore.makeMemory()
    const store: typeof memory = { ...memory, ...change(memory) }
    return Effect.succeed({ store, tenures: new Tenures(store, new StoreHealth("memory"), context) })
  })

const never = Schedule.recurs(0)

it.effect("is confirmed by its store, under its epoch; one that cannot be asked is in force", () =>
  Effect.scoped(Effect.gen(function*() {
    const asked: Array<unknown> = []
    const { store, tenures } = yield* tenuresOf((memory) => ({
      confirm: (...args: Parameters<NonNullable<typeof memory.confirm>>) => {
        asked.push(args)
        return memory.confirm!(...args)
      }
    }))
    const lost: Array<string> = []
    const tenure = yield* tenures.join("a", never, () => lost.push("a"))
    const confirm = Effect.callback<string>((resume) =>
      void Effect.runFork(tenure.confirm(never, (exit) => resume(Effect.succeed(exit._tag))))
    )
    assert.strictEqual(yield* confirm, "Success")
    assert.deepStrictEqual(asked, [[tenure.epoch]])
    yield* store.acquireEpoch(StateStore.wholeStore)
    assert.strictEqual(yield* confirm, "Failure")
    yield* Effect.yieldNow
    assert.deepStrictEqual(lost, ["a"])
    assert.isDefined(tenure.lost)
    const silent = yield* tenuresOf(() => ({ confirm: undefined }))
    const other = yield* silent.tenures.join("a", never, () => lost.push("b"))
    const confirmed = yield* Effect.callback<string>((resume) =>
      void Effect.runFork(other.confirm(never, (exit) => resume(Effect.succeed(exit._tag))))
    )
    assert.strictEqual(confirmed, "Success")
  })))

it.effect("is over for what the store says of all of it, and not of one key, or of an outage", () =>
  Effect.scoped(Effect.gen(function*() {
    const { tenures } = yield* tenuresOf(() => ({}))
    const tenure = yield* tenures.join("a", never, () => {})
    const of = (reason: StateStore.StoreErrorReason) =>
      Cause.fail(new StateStore.StoreError({ store: "memory", operation: "save", reason }))
    tenure.notice(of({ _tag: "Unavailable", cause: "away" }))
    tenure.notice(of({ _tag: "Fenced", epoch: 1, current: 2, key: "a" }))
    tenure.notice(Cause.die("boom"))
    assert.isUndefined(tenure.lost)
    const first = of({ _tag: "Fenced", epoch: 1, current: 2 })
    tenure.notice(first)
    tenure.notice(of({ _tag: "Fenced", epoch: 1, current: 3 }))
    assert.strictEqual(tenure.lost, first)
  })))

it.effect("a class that comes a second time, or to a store that is had by its keys, begins anew, or is refused", () =>
  Effect.scoped(Effect.gen(function*() {
    const { tenures } = yield* tenuresOf(() => ({}))
    const lost: Array<string> = []
    const one = yield* tenures.join("a", never, (cause) => lost.push(String(Cause.squash(cause))))
    const other = yield* tenures.join("a", never, () => lost.push("other"))
    assert.notStrictEqual(other, one)
    yield* Effect.yieldNow
    assert.lengthOf(lost, 1)
    assert.include(lost[0]!, `${other.epoch}`)
    const refused = yield* Effect.flip(tenures.share("b", never))
    assert.include(
      String(refused.message),
      "\"b\" is not to have fence: \"key\" in it, while another class there has one " +
        "epoch of the whole store"
    )
    const shared = yield* tenuresOf(() => ({}))
    const scope = yield* Scope.make()
    yield* Scope.provide(shared.tenures.share("a", never), scope)
    yield* Scope.provide(shared.tenures.share("b", never), scope)
    const mixed = yield* Effect.flip(shared.tenures.join("c", never, () => {}))
    assert.include(
      String(mixed.message),
      "\"c\" is not to have fence: \"class\" in it, while another class there has an " +
        "epoch for each key"
    )
    yield* Scope.close(scope, Exit.void)
    assert.isAbove((yield* shared.tenures.join("c", never, () => {})).epoch, 0)
  })))

it.effect("the store is taken with the first class, and let go of with the last, also where it could not be begun", () =>
  Effect.gen(function*() {
    const held: Array<string> = []
    let epochs: Effect.Effect<number, StateStore.StoreError> = Effect.succeed(1)
    const take = Effect.as(
      Effect.acquireRelease(Effect.sync(() => held.push("taken")), () => Effect.sync(() => held.push("let go"))),
      undefined
    )
    const { tenures } = yield* tenuresOf(() => ({
      hold: { ownership: "exclusive", patience: 0, take },
      acquireEpoch: () => epochs,
      confirm: undefined
    }))
    const [one, other] = [yield* Scope.make(), yield* Scope.make()]
    const join = (name: string) => tenures.join(name, never, () => {})
    yield* Scope.provide(join("a"), one)
    yield* Scope.provide(join("b"), other)
    assert.deepStrictEqual(held, ["taken"])
    yield* Scope.close(one, Exit.void)
    assert.deepStrictEqual(held, ["taken"])
    yield* Scope.close(other, Exit.void)
    assert.deepStrictEqual(held.splice(0), ["taken", "let go"])
    epochs = Effect.fail(
      new StateStore.StoreError({ store: "memory", operation: "acquireEpoch", reason: { _tag: "Full", cause: 1 } })
    )
    yield* Effect.exit(Effect.scoped(join("a")))
    assert.deepStrictEqual(held.splice(0), ["taken", "let go"])
    const [first, second] = [yield* Scope.make(), yield* Scope.make()]
    yield* Scope.provide(tenures.share("a", never), first)
    yield* Scope.provide(tenures.share("b", never), second)
    yield* Scope.close(first, Exit.void)
    assert.deepStrictEqual(held, ["taken"])
    yield* Scope.close(second, Exit.void)
    assert.deepStrictEqual(held, ["taken", "let go"])
  }))
