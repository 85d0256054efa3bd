import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { Cause, Context, Deferred, Effect, Exit, Fiber, Layer, Schema, type Scope } from "effect"
import { pathText } from "../../../src/domain/observation/Lifecycle.ts"
import { crashed } from "../../../src/domain/process/ExitReason.ts"
import {
  DynamicSupervisor,
  PartitionSupervisor,
  Process,
  Restart,
  StateContainer,
  Supervisor,
  TaskSupervisor
} from "../../../src/index.ts"
import { Harness } from "../../../src/testing.ts"
import { behavior, Counter } from "../../kit/Counter.ts"
import { turns } from "../../kit/Fibers.ts"
import { quiet } from "../../kit/Log.ts"

class NoInit extends Schema.TaggedError<NoInit>()("NoInit", {}) {}

class Counters extends PartitionSupervisor.Service<Counters, Counter["Service"]>()("test/Counters") {}
class Spawners extends PartitionSupervisor.Service<Spawners, DynamicSupervisor.DynamicSupervisor>()("test/Spawners") {}
class Tasks extends PartitionSupervisor.Service<Tasks, TaskSupervisor.TaskSupervisor>()("test/Tasks") {}
class Top extends Supervisor.Service<Top>()("top") {}
class Late extends DynamicSupervisor.Service<Late>()("late") {}

const keyed = (partition: number) => Counter.recipe(behavior, { key: String(partition) })

const Live = Layer.provideMerge(
  Top.layer({ strategy: "one_for_one" }, [
    StateContainer.layerMemory(Counter),
    Counters.layer({ partitions: 4, child: keyed })
  ]),
  Harness.Harness.layer
)

const run = <A, E>(body: Effect.Effect<A, E, Counters | Top | Harness.Harness | Scope.Scope>) =>
  quiet(Effect.provide(body, Live))

const dies = (exit: Exit.Exit<unknown, unknown>): string =>
  Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : "ok"

const processesOf = (refs: ReadonlyArray<Process.HasProcess>) => refs.map((ref) => ref[Process.processOf])

describe("a partition supervisor that is resized twice at once", () => {
  class Slow extends PartitionSupervisor.Service<Slow, Process.Process>()("test/Slow") {}

  it.effect("does one after the other", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const slow = Effect.andThen(Effect.acquireRelease(Effect.void, () => Deferred.await(gate)), Effect.never)
      const context = yield* Layer.build(
        Slow.layer({ partitions: 3, child: (n) => Supervisor.workerRecipe(String(n), slow, { shutdown: "infinity" }) })
      )
      const parts = Context.get(context, Slow)
      const down = yield* Effect.forkChild(parts.resize(1), { startImmediately: true })
      const up = yield* Effect.forkChild(parts.resize(3), { startImmediately: true })
      assert.strictEqual(yield* parts.partitions, 1)
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual([yield* Fiber.join(down), yield* Fiber.join(up)], [3, 1])
      assert.deepStrictEqual((yield* parts.countChildren).active, 3)
    }).pipe(Effect.scoped))
})

it.effect("a client of a partition's key says that there is none, when the supervisor is down, whatever is behind it", () =>
  Effect.gen(function*() {
    const child = (n: number) => DynamicSupervisor.recipe({ id: String(n) })
    const context = yield* Layer.build(Spawners.layer({ partitions: 2, child }))
    const spawners = Context.get(context, Spawners)
    yield* spawners.stop()
    const error = yield* Effect.flip(spawners.via("key").startChild(Supervisor.workerRecipe("w", Effect.never)))
    assert.strictEqual(error._tag, "CallError")
  }).pipe(Effect.scoped))

describe("a partition supervisor", () => {
  it.effect("runs as many children as partitions, which go by their number", () =>
    run(Effect.gen(function*() {
      const counters = yield* Counters
      const children = yield* counters.whichChildren
      assert.deepStrictEqual(children.map(({ id }) => id), ["0", "1", "2", "3"])
      assert.deepStrictEqual(children.map(({ process }) => pathText(process.path)), [
        "top > test/Counters > 0",
        "top > test/Counters > 1",
        "top > test/Counters > 2",
        "top > test/Counters > 3"
      ])
      assert.deepStrictEqual(yield* counters.countChildren, { specs: 4, active: 4, supervisors: 0, workers: 4 })
    })))

  it.effect("routes equal keys to one partition and integers to their own", () =>
    run(
      Effect.gen(function*() {
        const counters = yield* Counters
        const children = yield* counters.whichChildren
        const byNumber = yield* Effect.forEach([0, 1, 2, 3], counters.route)
        assert.deepStrictEqual(processesOf(byNumber), children.map(({ process }) => process))
        for (const key of ["joe", ["room", 7], { tenant: "a", id: 1 }, 7n, null]) {
          assert.strictEqual(yield* counters.route(key), yield* counters.route(structuredClone(key)))
        }
      }).pipe(Effect.asVoid)
    ))

  it.effect("routes every reference to one process to one partition", () =>
    run(Effect.gen(function*() {
      const counters = yield* Counters
      for (const partition of [0, 1, 2, 3]) {
        const ref = yield* counters.at(partition)
        const routed = yield* counters.route(ref)
        assert.strictEqual(yield* counters.route(Process.reference(ref[Process.processOf])), routed)
        yield* ref.Add({ by: 1 })
        assert.strictEqual(yield* counters.route(counters.via(partition)), routed)
      }
    })))

  it.effect("gives a partition by its number, and a typed error for one that is not there", () =>
    run(Effect.gen(function*() {
      const counters = yield* Counters
      assert.strictEqual(yield* counters.at(3), yield* counters.route(3))
      for (const partition of [4, -1, 0.5, NaN]) {
        const error = yield* Effect.flip(counters.at(partition))
        assert.deepStrictEqual(error.reason, { _tag: "UnknownPartition", partition, partitions: 4 })
        assert.include(error.message, "top > test/Counters: there is no partition")
      }
    })))

  it.effect("may run any process: supervisors of tasks, one recipe for all", () =>
    Effect.gen(function*() {
      const tasks = yield* Tasks
      const supervisor = yield* tasks.route("joe")
      const task = yield* supervisor.asyncNolink(Effect.succeed(42))
      assert.strictEqual(yield* task.await(), 42)
      assert.deepStrictEqual(yield* tasks.countChildren, { specs: 3, active: 3, supervisors: 3, workers: 0 })
    }).pipe(Effect.provide(Tasks.layer({ partitions: 3, child: TaskSupervisor.recipe({ id: "tasks" }) }))))

  it.effect("restarts a partition that crashes, on its own, and its reference stays good", () =>
    run(Effect.gen(function*() {
      const [counters, harness] = [yield* Counters, yield* Harness.Harness]
      const [joe, other] = [yield* counters.at(1), yield* counters.at(2)]
      yield* joe.Add({ by: 41 })
      yield* Effect.exit(joe.Crash())
      yield* harness.awaitIncarnation(joe, 2)
      assert.strictEqual(yield* counters.at(1), joe)
      assert.strictEqual(yield* joe.Add({ by: 1 }), 42)
      assert.deepStrictEqual(yield* harness.historyOf(other), ["Started"])
    })))

  it.effect("fails as the init of a partition does, and leaves none running", () =>
    quiet(
      Effect.gen(function*() {
        const harness = yield* Harness.Harness
        const failing = (partition: number) =>
          Counter.recipe(
            Effect.gen(function*() {
              if (partition === 2) return yield* new NoInit()
              return behavior
            }),
            { key: String(partition) }
          )
        const layer = Supervisor.layer({ id: "app", strategy: "one_for_one" }, [
          StateContainer.layerForget(Counter),
          Counters.layer({ child: failing })
        ])
        expectTypeOf(layer).toExtend<Layer.Layer<Counters, NoInit>>()
        const error = yield* Effect.flip(Effect.scoped(Layer.build(layer)))
        assert.deepStrictEqual(error, new NoInit())
        for (const partition of [0, 1]) {
          assert.deepStrictEqual(yield* harness.historyOf(`app > test/Counters > ${partition}`), [
            "Started",
            "Exited",
            "Deleted"
          ])
        }
      }).pipe(Effect.provide(Harness.Harness.layer))
    ))

  it.effect("asks for what its partitions need", () =>
    Effect.gen(function*() {
      const layer = Counters.layer({ child: keyed })
      expectTypeOf(layer).toEqualTypeOf<
        Layer.Layer<Counters, never, StateContainer.StateOf<Counter>>
      >()
      // Past the compiler, without it.
      const without = layer as Layer.Layer<Counters>
      const within = (child: Layer.Layer<Counters>) =>
        Effect.exit(Layer.build(Top.layer({ strategy: "one_for_one" }, [child])))
      assert.match(dies(yield* within(without)), /Service not found: test\/Counter/)
      const provided = without.pipe(Layer.provide(StateContainer.layerMemory(Counter)))
      assert.strictEqual(dies(yield* within(provided as Layer.Layer<Counters>)), "ok")
    }))

  it.effect("can be started at run time", () =>
    Effect.gen(function*() {
      const late = yield* Late
      const spawners = yield* late.startChild(PartitionSupervisor.recipe({
        id: "spawners",
        partitions: 2,
        child: DynamicSupervisor.recipe({ id: "spawner" })
      }))
      const second = yield* spawners.at(1)
      assert.deepStrictEqual(second.path, ["late", "spawners", "1"])
      yield* spawners.resize(1)
      assert.strictEqual(yield* spawners.partitions, 1)
      yield* late.terminateChild(spawners)
      assert.strictEqual((yield* Effect.flip(spawners.partitions)).reason._tag, "NotRunning")
    }).pipe(Effect.provide(Late.layer())))

  it.effect("is refused, by what is wrong with it, when it makes no sense", () =>
    Effect.gen(function*() {
      const spawner = DynamicSupervisor.recipe({ id: "spawner" })
      const worker = {
        ...spawner,
        options: { restart: "temporary" as const }
      }
      const refused = (options: PartitionSupervisor.Options<DynamicSupervisor.DynamicSupervisor>) =>
        Effect.map(Effect.exit(Effect.scoped(Layer.build(Spawners.layer(options)))), dies)
      for (const none of [0, -1, 1.5, NaN, Infinity]) {
        assert.include(
          yield* refused({ child: spawner, partitions: none }),
          `test/Spawners was given ${none} as partitions: it must be a whole number, 1 at least`
        )
      }
      assert.isTrue(Number.isSafeInteger(PartitionSupervisor.defaultCount) && PartitionSupervisor.defaultCount > 0)
      assert.include(
        yield* refused({ child: worker }),
        "was given \"temporary\" as child.options.restart: it must be another"
      )
    }))
})

describe("resize", () => {
  it.effect("stops the partitions above it, keeps their places, and starts them again", () =>
    run(Effect.gen(function*() {
      const [counters, harness] = [yield* Counters, yield* Harness.Harness]
      const third = yield* counters.at(2)
      yield* counters.resize(2)
      assert.strictEqual(yield* counters.partitions, 2)
      assert.deepStrictEqual((yield* counters.whichChildren).map(({ status }) => status), [
        "running",
        "running",
        "stopped",
        "stopped"
      ])
      assert.deepStrictEqual(yield* counters.countChildren, { specs: 4, active: 2, supervisors: 0, workers: 4 })
      const gone = yield* Effect.flip(third.Add({ by: 1 }))
      assert.strictEqual(gone.reason._tag, "NotRunning")
      yield* counters.resize(4)
      assert.strictEqual(yield* counters.at(2), third)
      assert.strictEqual(yield* third.Add({ by: 1 }), 1)
      assert.deepStrictEqual(yield* harness.historyOf(third), ["Started", "Exited", "Started"])
    })))

  it.effect("to nothing leaves no partition for any key", () =>
    run(Effect.gen(function*() {
      const counters = yield* Counters
      yield* counters.resize(0)
      const error = yield* Effect.flip(counters.route("joe"))
      assert.deepStrictEqual(error.reason, { _tag: "NoPartitions" })
      const call = yield* Effect.flip(counters.via("joe").Add({ by: 1 }))
      assert.strictEqual(call.reason._tag, "NotRunning")
    })))

  it.effect("waits for the one before it", () =>
    run(Effect.gen(function*() {
      const counters = yield* Counters
      const before = yield* Effect.all([1, 4, 0, 3].map((partitions) => counters.resize(partitions)), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(before, [4, 1, 4, 0], "each answers how many there were")
      assert.strictEqual(yield* counters.partitions, 3)
      assert.deepStrictEqual(yield* counters.countChildren, { specs: 4, active: 3, supervisors: 0, workers: 4 })
    })))

  it.effect("that is interrupted is made good by the next one", () =>
    quiet(Effect.gen(function*() {
      const go = yield* Deferred.make<void>()
      let starts = 0
      const slow = (partition: number) =>
        Counter.recipe(
          Effect.suspend(() =>
            ++starts > 4 && partition === 1 ? Effect.as(Deferred.await(go), behavior) : Effect.succeed(behavior)
          ),
          { key: String(partition) }
        )
      const App = Supervisor.layer({ id: "app", strategy: "one_for_one" }, [
        StateContainer.layerForget(Counter),
        Counters.layer({ partitions: 4, child: slow })
      ])
      const counters = Context.get(yield* Layer.build(App), Counters)
      yield* counters.resize(0)
      const growing = yield* Effect.forkChild(counters.resize(3), { startImmediately: true })
      yield* Effect.yieldNow
      assert.strictEqual(yield* counters.partitions, 1)
      yield* Fiber.interrupt(growing)
      yield* Deferred.succeed(go, undefined)
      yield* counters.resize(2)
      assert.strictEqual(yield* counters.partitions, 2)
      assert.deepStrictEqual(yield* counters.countChildren, { specs: 4, active: 2, supervisors: 0, workers: 4 })
    })))

  it.effect("takes a partition that an earlier one had begun to start, and that has crashed since", () =>
    quiet(Effect.gen(function*() {
      const go = yield* Deferred.make<void>()
      let starts = 0
      const slow = (partition: number) =>
        Counter.recipe(
          Effect.suspend(() => ++starts === 3 ? Effect.as(Deferred.await(go), behavior) : Effect.succeed(behavior)),
          { key: String(partition) }
        )
      const App = Supervisor.layer({ id: "app", strategy: "one_for_one" }, [
        StateContainer.layerForget(Counter),
        Counters.layer({ partitions: 2, child: slow, restart: Restart.backoff({ base: "10 seconds" }) })
      ])
      const counters = Context.get(yield* Layer.build(App), Counters)
      const second = yield* counters.at(1)
      yield* counters.resize(1)
      const growing = yield* Effect.forkChild(counters.resize(2), { startImmediately: true })
      yield* turns
      yield* Fiber.interrupt(growing)
      yield* Deferred.succeed(go, undefined)
      yield* turns
      assert.deepStrictEqual([yield* counters.partitions, second[Process.processOf].status], [1, "running"])
      yield* Process.kill(second)
      assert.strictEqual(second[Process.processOf].status, "restarting")
      assert.strictEqual(yield* counters.resize(2), 1)
      assert.strictEqual(yield* counters.partitions, 2)
    })))

  it.effect("names the partition that does not come up; those before it are there", () =>
    quiet(Effect.gen(function*() {
      let broken = false
      const fragile = (partition: number) =>
        Counter.recipe(
          Effect.suspend(() => broken && partition === 2 ? Effect.fail(new NoInit()) : Effect.succeed(behavior)),
          { key: String(partition) }
        )
      const App = Supervisor.layer({ id: "app", strategy: "one_for_one" }, [
        StateContainer.layerForget(Counter),
        Counters.layer({ partitions: 4, child: fragile })
      ])
      const counters = Context.get(yield* Layer.build(App), Counters)
      yield* counters.resize(0)
      broken = true
      const { reason } = yield* Effect.flip(counters.resize(4))
      assert.isTrue(
        reason._tag === "NotStarted" && reason.partition === 2 && Cause.squash(reason.cause) instanceof NoInit
      )
      assert.strictEqual(yield* counters.partitions, 2)
      broken = false
      yield* counters.resize(4)
      assert.strictEqual((yield* counters.countChildren).active, 4)
    })))

  it.effect("does not outlive the supervisor: restarted, it has all its partitions", () =>
    run(Effect.gen(function*() {
      const [counters, harness] = [yield* Counters, yield* Harness.Harness]
      const before = yield* Effect.forEach([0, 1, 2, 3], counters.at)
      yield* counters.resize(1)
      counters[Process.processOf].exit(crashed(Cause.die("from outside")))
      yield* harness.awaitIncarnation(counters, 2)
      assert.strictEqual(yield* counters.partitions, 4)
      assert.deepStrictEqual(yield* Effect.forEach([0, 1, 2, 3], counters.at), before)
      assert.strictEqual((yield* counters.countChildren).active, 4)
    })))
})

describe("via", () => {
  it.effect("calls the partition that the key belongs to at the time of the call", () =>
    run(Effect.gen(function*() {
      const counters = yield* Counters
      const third = counters.via(3)
      yield* third.Add({ by: 10 })
      assert.strictEqual(yield* Effect.flatMap(counters.at(3), (counter) => counter.Add({ by: 0 })), 10)
      yield* counters.resize(2)
      yield* third.Add({ by: 1 })
      assert.strictEqual(yield* Effect.flatMap(counters.at(1), (counter) => counter.Add({ by: 0 })), 1)
      assert.strictEqual(third[Process.processOf], (yield* counters.at(1))[Process.processOf])
    })))
})

describe("one partition", () => {
  it.effect("has every key", () =>
    quiet(
      Effect.gen(function*() {
        const counters = yield* Counters
        assert.strictEqual(yield* counters.partitions, 1)
        const only = yield* counters.at(0)
        for (const key of ["joe", 0, 1, 7, null]) assert.strictEqual(yield* counters.route(key), only)
        assert.deepStrictEqual((yield* Effect.flip(counters.at(1))).reason, {
          _tag: "UnknownPartition",
          partition: 1,
          partitions: 1
        })
      }).pipe(Effect.provide(Supervisor.layer({ strategy: "one_for_one" }, [
        StateContainer.layerForget(Counter),
        Counters.layer({ partitions: 1, child: keyed })
      ])))
    ))
})

describe("stop", () => {
  it.effect("stops all partitions and has no more of them", () =>
    quiet(
      Effect.gen(function*() {
        const counters = yield* Counters
        const partition = yield* counters.at(0)
        yield* counters.stop()
        assert.strictEqual(counters[Process.processOf].status, "stopped")
        assert.strictEqual(partition[Process.processOf].status, "stopped")
        const asked = [
          counters.partitions,
          counters.countChildren,
          counters.whichChildren,
          counters.route(1),
          counters.at(1)
        ]
        for (const effect of [...asked, counters.resize(1)]) {
          const error = yield* Effect.flip(effect as Effect.Effect<unknown, PartitionSupervisor.PartitionError>)
          assert.deepStrictEqual(error.reason, { _tag: "NotRunning" })
          assert.include(error.message, "the partition supervisor is not running. Start it")
        }
      }).pipe(Effect.provide(Supervisor.layer({ strategy: "one_for_one" }, [
        StateContainer.layerForget(Counter),
        Supervisor.child(Counters.layer({ partitions: 2, child: keyed }), { restart: "temporary" })
      ])))
    ))
})
