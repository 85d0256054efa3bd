/**
 * Other systems' cases of registries, with real processes: counts, matches and selections, dispatch, listeners, locks,
 * one owner a key, starts under a name.
 */
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Option, Queue, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Process, Registry } from "../../../src/index.ts"
import { refusalReason } from "../../kit/Failures.ts"
import { behavior, Peer, peer, Peers, PeersLive } from "../../kit/Peer.ts"

interface Triple {
  readonly first: number
  readonly second: string
  readonly third: number
}

const triple = (first: number): Triple => ({ first, second: "atom", third: 1 })

type Types = { readonly ref: Peer["Service"]; readonly value: string }

class Names extends Registry.Service<Names, Types>()("test/Names", { keys: "unique" }) {}
class Topics extends Registry.Service<Topics, Types>()("test/Topics", { keys: "duplicate" }) {}
class Shapes extends Registry.Service<Shapes, { readonly value: Triple }>()("test/Shapes", { keys: "unique" }) {}
class ManyShapes
  extends Registry.Service<ManyShapes, { readonly value: Triple }>()("test/ManyShapes", { keys: "duplicate" })
{}
class Counts extends Registry.Service<Counts, { readonly value: number }>()("test/Counts", { keys: "unique" }) {}
class AnyKeys extends Registry.Service<AnyKeys, { readonly key: unknown }>()("test/AnyKeys", { keys: "unique" }) {}

const Live = Layer.mergeAll(
  Names.layer,
  Topics.layer,
  Shapes.layer,
  ManyShapes.layer,
  Counts.layer,
  AnyKeys.layer,
  PeersLive
)

/** A handle that counts who watches for the end of the process behind it. */
const spied = (process: Process.Process) => {
  let watchers = 0
  const spy: Process.Process = {
    get [Process.processOf]() {
      return spy
    },
    id: process.id,
    path: process.path,
    kind: process.kind,
    get incarnation() {
      return process.incarnation
    },
    get status() {
      return process.status
    },
    get lastExit() {
      return process.lastExit
    },
    addExitObserver: (observer) => process.addExitObserver(observer),
    removeExitObserver: (observer) => process.removeExitObserver(observer),
    addGoneObserver: (observer) => {
      watchers++
      return process.addGoneObserver(observer)
    },
    removeGoneObserver: (observer) => {
      watchers--
      process.removeGoneObserver(observer)
    },
    addReturnObserver: (observer) => process.addReturnObserver(observer),
    exit: (reason) => process.exit(reason)
  }
  return { ref: { [Process.processOf]: spy }, watchers: () => watchers }
}

const test = <A, E>(
  name: string,
  body: Effect.Effect<
    A,
    E,
    Names | Topics | Shapes | ManyShapes | Counts | AnyKeys | Peers | Layer.Success<typeof PeersLive>
  >
) => it.effect(name, () => Effect.provide(body, Live))

describe("registry", () => {
  test(
    "REG-002 count counts registrations, not distinct keys",
    Effect.gen(function*() {
      const [names, topics, self] = [yield* Names, yield* Topics, yield* peer("self")]
      assert.deepStrictEqual([yield* names.count, yield* topics.count], [0, 0])
      yield* names.register("hello", self, "value")
      yield* names.register("world", self, "value")
      yield* topics.register("hello", self, "value")
      yield* topics.register("hello", self, "value")
      assert.deepStrictEqual([yield* names.count, yield* topics.count], [2, 2])
    })
  )

  test(
    "REG-003 Unique registry, one owner",
    Effect.gen(function*() {
      const [names, self] = [yield* Names, yield* peer("self")]
      yield* names.register("hello", self, "value")
      assert.deepStrictEqual(yield* names.keys(self), ["hello"])
      assert.deepStrictEqual(yield* names.values("hello", self), ["value"])
      const other = yield* peer("other")
      const taken = yield* refusalReason(names.register("hello", other, "value"))
      assert.deepStrictEqual(taken, { _tag: "AlreadyRegistered", key: "hello", holder: self })
      // Elixir refuses it to its owner, too; here an init may register again what the process has.
      yield* names.register("hello", self, "value")
      assert.deepStrictEqual(yield* names.keys(self), ["hello"])
      assert.deepStrictEqual(yield* names.values("hello", self), ["value"])
      yield* names.register("world", self, "value")
      assert.sameMembers([...yield* names.keys(self)], ["hello", "world"])
    })
  )

  test(
    "REG-007 match / count_match with several values under one key",
    Effect.gen(function*() {
      const [shapes, self] = [yield* ManyShapes, yield* peer("self")]
      yield* shapes.register("hello", self, triple(1))
      yield* shapes.register("hello", self, { ...triple(2), third: 2 })
      const matchers: ReadonlyArray<readonly [(value: Triple) => boolean, number]> = [
        [({ first }) => first === 1, 1],
        [({ first }) => first === 2, 1],
        [({ second }) => second === "atom", 2],
        [({ first, third }) => first === third, 2],
        [({ first }) => first < 2, 1],
        [({ first }) => first > 3, 0],
        [({ first }) => first < 3, 2]
      ]
      for (const [matches, count] of matchers) {
        const found = yield* shapes.match("hello", matches)
        assert.strictEqual(found.length, count)
        assert.isTrue(found.every(({ key, ref, value }) => key === "hello" && ref === self && matches(value)))
        assert.strictEqual(yield* shapes.countMatch("hello", matches), count)
      }
    })
  )

  test(
    "REG-008 unregister_match removes only matching values",
    Effect.gen(function*() {
      const [unique, many, self] = [yield* Shapes, yield* ManyShapes, yield* peer("self")]
      const values = Effect.map(many.lookup("hello"), (found) => found.map(({ value }) => value))

      yield* unique.register("hello", self, triple(1))
      yield* unique.unregisterMatch("hello", self, ({ first }) => first === 2)
      assert.deepStrictEqual(yield* unique.values("hello", self), [triple(1)])
      yield* unique.unregisterMatch("hello", self, ({ second }) => second === "atom")
      assert.deepStrictEqual(yield* unique.lookup("hello"), [])

      yield* many.register("hello", self, triple(1))
      yield* many.register("hello", self, triple(2))
      yield* many.unregisterMatch("hello", self, ({ first }) => first === 2)
      assert.deepStrictEqual(yield* values, [triple(1)])
      yield* many.register("hello", self, triple(2))
      yield* many.unregisterMatch("hello", self, ({ first }) => Object.is(first, "2"))
      assert.deepStrictEqual(yield* values, [triple(1), triple(2)])
      yield* many.unregisterMatch("hello", self, ({ second }) => second === "atom")
      assert.deepStrictEqual(yield* values, [])

      yield* unique.register("hello", self, triple(1))
      yield* unique.unregisterMatch("hello", self, ({ first }) => first < 2)
      assert.deepStrictEqual(yield* unique.lookup("hello"), [])
      yield* many.register("hello", self, triple(1))
      yield* many.register("hello", self, triple(2))
      yield* many.unregisterMatch("hello", self, ({ first }) => first < 2)
      assert.deepStrictEqual(yield* values, [triple(2)])
    })
  )

  test(
    "REG-011 Near-equal keys are different keys",
    Effect.gen(function*() {
      const [keys, self] = [yield* AnyKeys, yield* peer("self")]
      for (const key of [1, "1", 1n]) yield* keys.register(key, self)
      assert.sameMembers([...yield* keys.keys(self)], [1, "1", 1n])
    })
  )

  test(
    "REG-012 update_value works for the owner only",
    Effect.gen(function*() {
      const [counts, self, other] = [yield* Counts, yield* peer("self"), yield* peer("T")]
      const never = () => assert.fail("f was called")
      assert.strictEqual((yield* refusalReason(counts.updateValue("hello", self, never)))._tag, "NotRegistered")
      yield* counts.register("hello", other, 0)
      assert.strictEqual((yield* refusalReason(counts.updateValue("hello", self, never)))._tag, "NotRegistered")
      yield* counts.register("world", self, 1)
      assert.deepStrictEqual(yield* counts.updateValue("world", self, (value) => value + 1), [2, 1])
      assert.deepStrictEqual(yield* counts.lookup("world"), [{ key: "world", ref: self, value: 2 }])
      assert.deepStrictEqual(yield* counts.values("world", self), [2])
      assert.notProperty(yield* ManyShapes, "updateValue")
    })
  )

  const delivered = Effect.fnUntraced(function*(options?: { readonly concurrency: "unbounded" }) {
    const [topics, self] = [yield* Topics, yield* peer("self")]
    const caller = yield* Effect.withFiber((fiber) => Effect.succeed(fiber.id))
    const fibers = new Set<number>()
    const deliver = ({ ref, value }: Registry.Registration<string, Peer["Service"], string>) =>
      Effect.withFiber((fiber) => {
        fibers.add(fiber.id)
        return ref.Deliver({ text: value })
      })
    yield* topics.dispatch("hello", () => Effect.die("invoked for an empty key"), options)
    yield* topics.register("hello", self, "value1")
    yield* topics.register("hello", self, "value2")
    yield* topics.register("world", self, "value3")
    yield* topics.dispatch("hello", deliver, options)
    assert.sameMembers([...yield* self.Heard()], ["value1", "value2"])
    yield* topics.dispatch("world", deliver, options)
    assert.sameMembers([...yield* self.Heard()], ["value1", "value2", "value3"])
    return { caller, fibers: Array.from(fibers) }
  })

  test(
    "REG-014 Serial dispatch over duplicates",
    Effect.gen(function*() {
      const { caller, fibers } = yield* delivered()
      assert.deepStrictEqual(fibers, [caller])
    })
  )

  test(
    "REG-015 Parallel dispatch delivers the same entries and leaks nothing",
    Effect.gen(function*() {
      const { caller, fibers } = yield* delivered({ concurrency: "unbounded" })
      assert.notInclude(fibers, caller)
      // An exit notification that strays to the caller would interrupt it where it can be interrupted.
      yield* Effect.yieldNow
    })
  )

  test(
    "REG-017 Listeners hear register and unregister",
    Effect.gen(function*() {
      const [names, self, other] = [yield* Names, yield* peer("self"), yield* peer("T")]
      const events = yield* names.listen
      yield* names.register("hello", other, "world")
      yield* names.register("key", self, "value")
      yield* names.unregister("key", self)
      assert.deepStrictEqual(yield* Queue.takeAll(events), [
        { _tag: "Registered", key: "hello", ref: other, value: "world" },
        { _tag: "Registered", key: "key", ref: self, value: "value" },
        { _tag: "Unregistered", key: "key", ref: self, value: "value" }
      ])
    }).pipe(Effect.scoped)
  )

  test(
    "REG-018 Unknown registry",
    Effect.gen(function*() {
      const self = yield* peer("self")
      // A registry that is in no layer does not compile; the only unknown one is one that has been shut down.
      const names = yield* Effect.scoped(
        Effect.map(Layer.build(Layer.fresh(Names.layer)), (context) => Context.get(context, Names))
      )
      const error = yield* Effect.flip(names.register("hello", self, "value"))
      assert.strictEqual(error.reason._tag, "RegistryClosed")
      assert.include(error.message, "test/Names")
      assert.include(error.message, "the registry has been shut down")
    })
  )

  test(
    "REG-020 Duplicate registries cannot name servers; invalid keys mode is rejected",
    Effect.gen(function*() {
      const topics = yield* Topics
      for (const name of ["via", "start", "updateValue", "whereis"]) assert.notProperty(topics, name)
      const untyped = (self: Peer["Service"]) => {
        // @ts-expect-error a key may have several owners
        topics.via("news")
        // @ts-expect-error a key may have several owners
        topics.start("news", Effect.succeed(self), "value")
        // @ts-expect-error a key may have several owners
        topics.updateValue("news", self, (value: string) => value)
        // @ts-expect-error a key may have several owners
        topics.whereis("news")
        // @ts-expect-error a value is asked for
        topics.register("news", self)
      }
      assert.isFunction(untyped)
      assert.throws(
        // @ts-expect-error keys are unique or duplicate
        () => Registry.Service<Names>()("test/Misconfigured", { keys: "unknown" }),
        "test/Misconfigured was given \"unknown\" as keys: it must be \"unique\" or \"duplicate\"."
      )
    })
  )

  test(
    "REG-021 select / count_select over a whole registry",
    Effect.gen(function*() {
      const [names, topics, shapes] = [yield* Names, yield* Topics, yield* Shapes]
      assert.deepStrictEqual([yield* names.select(), yield* topics.select()], [[], []])
      const self = yield* peer("self")
      const agent = yield* names.start("hello", peer("agent"), "")
      yield* names.register("world", self, "value")
      const hello = { key: "hello", ref: agent, value: "" }
      const world = { key: "world", ref: self, value: "value" }
      const selectors: ReadonlyArray<
        readonly [matches: (registration: typeof hello) => boolean, found: ReadonlyArray<typeof hello>]
      > = [
        [() => true, [hello, world]],
        [({ key }) => key === "hello", [hello]],
        [({ ref }) => ref === self, [world]],
        [({ value }) => value === "value", [world]],
        [({ value }) => value === "other", []],
        [({ key, value }) => key === "hello" || value === "value", [hello, world]]
      ]
      for (const [matches, found] of selectors) {
        assert.sameDeepMembers([...yield* names.select(matches)], [...found])
        assert.strictEqual(yield* names.countSelect(matches), found.length)
      }
      yield* shapes.register("hello", self, triple(1))
      assert.strictEqual((yield* shapes.select(({ value }) => value.first < 2 && value.second === "atom")).length, 1)
      assert.strictEqual((yield* shapes.select(({ value }) => value.first > 2)).length, 0)

      yield* topics.register("hello", self, "value")
      yield* topics.register("hello", self, "value")
      const twice = { key: "hello", ref: self, value: "value" }
      assert.deepStrictEqual(yield* topics.select(), [twice, twice])
      assert.strictEqual(yield* topics.countSelect(({ key }) => key === "hello"), 2)
    })
  )

  test(
    "REG-023 A refused registration leaves no trace",
    Effect.gen(function*() {
      const [names, self, other] = [yield* Names, yield* peer("self"), yield* peer("T")]
      yield* names.register("hello", self, "value")
      yield* names.register("world", self, "value")
      yield* names.register("hello", self, "value")
      assert.strictEqual((yield* names.keys(self)).length, 2)
      yield* refusalReason(names.register("hello", other, "value"))
      assert.deepStrictEqual(yield* names.keys(other), [])
      assert.strictEqual(yield* names.count, 2)
      yield* Process.kill(other)
      assert.deepStrictEqual(yield* names.lookup("hello"), [{ key: "hello", ref: self, value: "value" }])
      assert.strictEqual(yield* names.count, 2)
    })
  )

  const locking = (key: string, gate: Deferred.Deferred<void>, entered: (key: string) => void) =>
    Effect.gen(function*() {
      const names = yield* Names
      return yield* Effect.forkChild(
        names.lock(
          key,
          Effect.gen(function*() {
            entered(key)
            yield* Deferred.await(gate)
            return "done"
          })
        ),
        { startImmediately: true }
      )
    })

  test(
    "REG-027 Per-key locks: same key excludes, different keys do not",
    Effect.gen(function*() {
      const names = yield* Names
      const entered: Array<string> = []
      const [first, second, third] = [
        yield* Deferred.make<void>(),
        yield* Deferred.make<void>(),
        yield* Deferred.make<void>()
      ]
      const task1 = yield* locking("k", first, () => entered.push("task1"))
      const task2 = yield* locking("other", second, () => entered.push("task2"))
      const task3 = yield* locking("k", third, () => entered.push("task3"))
      yield* TestClock.adjust("100 millis")
      assert.deepStrictEqual(entered, ["task1", "task2"])
      for (const gate of [first, second, third]) yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(yield* Effect.all([task1, task2, task3].map(Fiber.join)), ["done", "done", "done"])
      assert.deepStrictEqual(entered, ["task1", "task2", "task3"])
      assert.strictEqual(yield* names.lock("k", Effect.succeed("again")), "again")
      assert.strictEqual(yield* names.lock("other", Effect.succeed("again")), "again")
    })
  )

  test(
    "REG-029 Locks survive failing, killed and cancelled parties",
    Effect.gen(function*() {
      const names = yield* Names
      const fork = <A, E>(effect: Effect.Effect<A, E>) =>
        Effect.forkChild(names.lock("k", effect), { startImmediately: true })
      const again = Effect.andThen(
        names.lock("k", Effect.succeed("again")),
        (answer) => Effect.sync(() => assert.strictEqual(answer, "again"))
      )

      const gate = yield* Deferred.make<void>()
      const raising = yield* fork(Effect.andThen(Deferred.await(gate), Effect.die("raised")))
      const afterRaise = yield* fork(Effect.succeed("entered"))
      yield* Deferred.succeed(gate, undefined)
      assert.isTrue(Exit.hasDies(yield* Fiber.await(raising)))
      assert.strictEqual(yield* Fiber.join(afterRaise), "entered")
      yield* again

      const killed = yield* fork(Effect.never)
      const afterKill = yield* fork(Effect.succeed("entered"))
      yield* Fiber.interrupt(killed)
      assert.strictEqual(yield* Fiber.join(afterKill), "entered")
      yield* again

      const open = yield* Deferred.make<string>()
      const holding = yield* fork(Deferred.await(open))
      const waiting = yield* fork(Effect.succeed("entered"))
      yield* Fiber.interrupt(waiting)
      yield* Deferred.succeed(open, "done")
      assert.strictEqual(yield* Fiber.join(holding), "done")
      yield* again
    })
  )

  test(
    "REG-030 The registry's watch on an owner ends with its last key",
    Effect.gen(function*() {
      const self = yield* peer("self")
      const scope = yield* Scope.make()
      const counts = Context.get(yield* Layer.buildWithScope(Layer.fresh(Counts.layer), scope), Counts)
      const { ref, watchers } = spied(self[Process.processOf])
      yield* counts.register("hello", ref, 1)
      yield* counts.register("world", ref, 2)
      assert.strictEqual(watchers(), 1)
      yield* counts.unregister("hello", ref)
      assert.strictEqual(watchers(), 1)
      yield* counts.unregister("world", ref)
      assert.strictEqual(watchers(), 0)
      yield* counts.register("again", ref, 3)
      yield* Scope.close(scope, Exit.die("the registry crashed"))
      assert.strictEqual(watchers(), 0)
      assert.deepStrictEqual(yield* self.Heard(), [])
    })
  )

  test(
    "REG-031 Global name lookup and duplicate names",
    Effect.gen(function*() {
      const names = yield* Names
      const actor = yield* names.start("my_actor", peer("first"), "")
      assert.strictEqual(Option.getOrThrow(yield* names.whereis("my_actor")), actor)
      assert.deepStrictEqual((yield* names.select()).map(({ key }) => key), ["my_actor"])
      const second = yield* Effect.flip(names.start("my_actor", peer("second"), ""))
      assert.deepStrictEqual(second._tag === "RegistryError" ? second.reason : second, {
        _tag: "AlreadyRegistered",
        key: "my_actor",
        holder: actor
      })
      assert.deepStrictEqual((yield* (yield* Peers).whichChildren).map(({ id }) => id), [
        "test/Peer/first",
        "test/Peer:StateContainer"
      ])
      assert.strictEqual(Option.getOrThrow(yield* names.whereis("my_actor")), actor)
    })
  )

  test(
    "REG-032 A start that fails or is cancelled frees the name",
    Effect.gen(function*() {
      const [names, peers] = [yield* Names, yield* Peers]
      const failing = peers.startChild(
        Peer.recipe({ ...behavior, init: Effect.fail("init failed" as const) }, { key: "a", restart: "temporary" })
      )
      const failed = yield* Effect.flip(names.start("name", failing, ""))
      assert.strictEqual(failed._tag, "StartError")
      assert.deepStrictEqual(yield* names.whereis("name"), Option.none())
      const afterFailure = yield* names.start("name", peer("a"), "")
      assert.deepStrictEqual(yield* afterFailure.Heard(), [])
      yield* Process.kill(afterFailure)

      const hanging = peers.startChild(
        Peer.recipe({ ...behavior, init: Effect.never }, { key: "b", restart: "temporary" })
      )
      const start = yield* Effect.forkChild(names.start("name", hanging, ""), { startImmediately: true })
      yield* TestClock.adjust("10 millis")
      yield* Fiber.interrupt(start)
      assert.deepStrictEqual(yield* names.whereis("name"), Option.none())
      // The name is the registry's key; the id under the supervisor is another matter: a start goes on without its
      // starter.
      const afterCancel = yield* names.start("name", peer("c"), "")
      assert.deepStrictEqual(yield* afterCancel.Heard(), [])
    })
  )
})
