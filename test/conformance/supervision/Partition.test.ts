/**
 * Other systems' cases of partition supervisors: ids from names, keys of any type, options that are refused, sizes in
 * any order, an end that takes the name along.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Layer, Option, Random, Schema } from "effect"
import {
  DynamicSupervisor,
  GenServer,
  PartitionSupervisor,
  Process,
  Registry,
  StateContainer,
  Supervisor
} from "../../../src/index.ts"
import { quiet } from "../../kit/Log.ts"

/** What the cases call an agent: a server that holds a value. */
class Agent extends GenServer.Service<Agent>()("test/Agent", {
  state: Schema.Unknown,
  messages: { Get: GenServer.call({ reply: Schema.Unknown }) }
}) {}

const agent = (key: string, value: unknown) =>
  Agent.recipe({ init: Effect.succeed(value), handlers: { Get: (value) => [value, value] } }, { key })

class Foo extends PartitionSupervisor.Service<Foo, Agent["Service"]>()("test/Foo") {}
class Spawners extends PartitionSupervisor.Service<Spawners, DynamicSupervisor.DynamicSupervisor>()("test/Spawners") {}
class App extends Supervisor.Service<App>()("app") {}
class Late extends DynamicSupervisor.Service<Late>()("test/Late") {}
interface Named {
  readonly key: readonly [string, string]
  readonly ref: PartitionSupervisor.PartitionSupervisor<Process.HasProcess>
}
class Names extends Registry.Service<Names, Named>()("test/Names", { keys: "unique" }) {}

const agents = (partition: number) => agent(String(partition), partition)

const live = (options?: Partial<PartitionSupervisor.Options<Agent["Service"]>>) =>
  Layer.mergeAll(
    App.layer({ strategy: "one_for_one" }, [
      StateContainer.layerForget(Agent),
      Foo.layer({ child: agents, ...options })
    ]),
    Names.layer
  )

const processesOf = (refs: ReadonlyArray<Process.HasProcess>) => refs.map((ref) => ref[Process.processOf])

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)

describe("partition supervisor", () => {
  it.effect("PAR-001 Child-spec id comes from the name", () =>
    Effect.gen(function*() {
      const app = yield* App
      const children = (yield* app.whichChildren).filter(({ kind }) => kind === "supervisor")
      assert.deepStrictEqual(children.map(({ id }) => id), ["bar/baz", "test/Foo"])
      assert.strictEqual(yield* Effect.flatMap(Foo, (foo) => foo.partitions), 3)
      const spawner = DynamicSupervisor.recipe({ id: "spawner" })
      const recipe = PartitionSupervisor.recipe({ id: "bar/baz", partitions: 2, child: spawner })
      assert.deepStrictEqual([recipe.id, recipe.kind], ["bar/baz", "supervisor"])
    }).pipe(Effect.provide(
      App.layer({ strategy: "one_for_one" }, [
        StateContainer.layerForget(Agent),
        Foo.layer({ partitions: 3, child: agents }),
        Spawners.layer({ id: "bar/baz", child: DynamicSupervisor.recipe({ id: "spawner" }) })
      ])
    )))

  it.effect("PAR-002 Default partition count and routing by arbitrary key", () =>
    Effect.gen(function*() {
      const spawners = yield* Spawners
      assert.deepStrictEqual([yield* spawners.partitions, PartitionSupervisor.defaultCount], [8, 8])
      const keys = Array.from({ length: 100 }, (_, i) => i % 2 === 0 ? { id: i } : ["key", i])
      const started = new Map<Process.Process, Agent["Service"]>()
      for (const [i, key] of keys.entries()) {
        const spawner = yield* spawners.route(key)
        const ref = yield* spawner.startChild(agent(String(i), key))
        started.set(ref[Process.processOf], ref)
      }
      const found: Array<unknown> = []
      for (const partition of numbers(PartitionSupervisor.defaultCount)) {
        const spawner = yield* spawners.at(partition)
        for (const { process } of yield* spawner.whichChildren) {
          found.push(yield* started.get(process)!.Get())
        }
      }
      assert.lengthOf(found, 100)
      assert.sameDeepMembers(found, keys)
    }).pipe(Effect.provide(
      Supervisor.layer({ strategy: "one_for_one" }, [
        StateContainer.layerForget(Agent),
        Spawners.layer({ child: DynamicSupervisor.recipe({ id: "spawner" }) })
      ])
    )))

  it.effect("PAR-005 Required options and option validation", () =>
    quiet(Effect.gen(function*() {
      const child = DynamicSupervisor.recipe({ id: "spawner" })
      const refused = <E>(layer: Layer.Layer<Spawners, E>) =>
        Effect.map(
          Effect.exit(Effect.scoped(Layer.build(layer))),
          (exit) => Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : "not refused"
        )
      // @ts-expect-error: a name is required
      const nameless = () => PartitionSupervisor.Service<Spawners, DynamicSupervisor.DynamicSupervisor>()()
      assert.isFunction(nameless)
      assert.include(
        // @ts-expect-error: a child is required
        yield* refused(Spawners.layer({})),
        "test/Spawners was given undefined as child: it must be a start recipe"
      )
      assert.include(
        yield* refused(Spawners.layer({ child, partitions: 0 })),
        "was given 0 as partitions: it must be a whole number, 1 at least"
      )
      assert.include(
        // @ts-expect-error: what makes a recipe is a function of the partition's number
        yield* refused(Spawners.layer({ child: 123 })),
        "was given 123 as child: it must be a start recipe, or a function from a partition's number to one"
      )
      const significant = { child, autoShutdown: "any_significant" as const }
      assert.include(
        yield* refused(Spawners.layer(significant)),
        "was given \"any_significant\" as autoShutdown: it must be left out"
      )
      // @ts-expect-error: written in place, the compiler refuses it as well
      assert.include(yield* refused(Spawners.layer({ child, autoShutdown: "any_significant" })), "it must be left out")
    })))

  it.effect("PAR-007 stop waits until the process and its name are gone", () =>
    quiet(
      Effect.gen(function*() {
        const [late, names] = [yield* Late, yield* Names]
        for (const key of [["bar", "baz"], ["foo", "baz"]] as const) {
          const options = { id: key.join("/"), partitions: 2, child: agents }
          const start = late.startChild(PartitionSupervisor.recipe(options), { restart: "temporary" })
          const foo = yield* names.start(key, start, undefined)
          const partitions = yield* Effect.forEach([0, 1], foo.at)
          yield* foo.stop()
          assert.isTrue(Option.isNone(yield* names.whereis(key)))
          assert.deepStrictEqual(processesOf([foo, ...partitions]).map(({ status }) => status), [
            "stopped",
            "stopped",
            "stopped"
          ])
          assert.deepStrictEqual(yield* late.whichChildren, [])
        }
      }).pipe(Effect.provide(Layer.mergeAll(
        Names.layer,
        Supervisor.layer({ strategy: "one_for_one" }, [StateContainer.layerForget(Agent), Late.layer()])
      )))
    ))

  it.effect("PAR-009 Unknown partition supervisor", () =>
    quiet(
      Effect.gen(function*() {
        // A name under which nothing was ever started does not compile.
        const asked = Effect.flatMap(Foo, (foo) => foo.partitions)
        // @ts-expect-error: there is no Foo
        const unprovided: Effect.Effect<number, PartitionSupervisor.PartitionError> = asked
        assert.include(String(yield* Effect.exit(unprovided)), "Service not found: test/Foo")

        // One under which something ran, and a registry's key.
        const names = yield* Names
        const child = DynamicSupervisor.recipe({ id: "spawner" })
        const spawners = Context.get(yield* Layer.build(Spawners.layer({ child })), Spawners)
        yield* names.register(["bar", "baz"], spawners, undefined)
        assert.strictEqual(Option.getOrThrow(yield* names.whereis(["bar", "baz"])), spawners)
        yield* spawners.stop()
        assert.isTrue(Option.isNone(yield* names.whereis(["bar", "baz"])))
        for (const ask of [Effect.asVoid(spawners.partitions), Effect.asVoid(spawners.countChildren)]) {
          const error = yield* Effect.flip(ask)
          assert.deepStrictEqual(error.reason, { _tag: "NotRunning" })
        }
      }).pipe(Effect.provide(Names.layer))
    ))

  it.effect("PAR-010 Resize down and up, in any order", () =>
    quiet(
      Effect.gen(function*() {
        const foo = yield* Foo
        const sizes = [...numbers(9).reverse(), ...numbers(9), ...(yield* Random.shuffle(numbers(9)))]
        for (const size of sizes) {
          yield* foo.resize(size)
          assert.strictEqual(yield* foo.partitions, size, sizes.join())
          assert.deepStrictEqual(yield* foo.countChildren, { specs: 8, active: size, supervisors: 0, workers: 8 })
          const routed = size === 0 ? [] : processesOf(yield* Effect.forEach(numbers(8), foo.route))
          assert.strictEqual(new Set(routed).size, size, `resized through ${sizes.join()}`)
          assert.isTrue(routed.every(({ status }) => status === "running"))
        }
      }).pipe(Effect.provide(live({ partitions: 8 })))
    ))

  it.effect("PAR-012 Cannot grow beyond the initial size", () =>
    Effect.gen(function*() {
      const foo = yield* Foo
      for (const partitions of [9, -1, 1.5]) {
        const error = yield* Effect.flip(foo.resize(partitions))
        const problem = `it must be an integer between 0 and 8, got ${partitions}`
        assert.deepStrictEqual(error.reason, { _tag: "InvalidSize", problem })
        assert.include(error.message, problem)
      }
      assert.strictEqual(yield* foo.partitions, 8)
    }).pipe(Effect.provide(live({ partitions: 8 }))))

  it.effect("PAR-013 whichChildren lists partitions by index", () =>
    Effect.gen(function*() {
      const foo = yield* Foo
      const children = yield* foo.whichChildren
      const routed = yield* Effect.forEach(numbers(PartitionSupervisor.defaultCount), foo.route)
      assert.deepStrictEqual(
        children.map(({ id, kind, process }) => ({ id, kind, process })),
        routed.map((ref, index) => ({ id: String(index), kind: "worker", process: ref[Process.processOf] }))
      )
    }).pipe(Effect.provide(live())))
})
