/** The trees of a JavaScript thread, and the way from a path to its process. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Layer, Option, References } from "effect"
import {
  DynamicSupervisor,
  InvalidOption,
  PartitionSupervisor,
  Process,
  Restart,
  Supervisor,
  Sys,
  TaskSupervisor,
  Telemetry
} from "../../../../src/index.ts"

class Top extends Supervisor.Service<Top>()("test/Top") {}
class Many extends DynamicSupervisor.Service<Many>()("test/Many") {}
class Tasks extends TaskSupervisor.Service<Tasks>()("test/Tasks") {}
class Parts extends PartitionSupervisor.Service<Parts, Process.HasProcess>()("test/Parts") {}

const app = (id: string) =>
  Supervisor.layer({ id, strategy: "one_for_one" }, [
    Supervisor.layer({ id: "inner", strategy: "one_for_one" }, [Supervisor.worker("poller", Effect.never)]),
    Many.layer()
  ])

const App = app("app")

const pathsBelow = (process: Process.Process): Effect.Effect<ReadonlyArray<string>> =>
  Effect.flatMap(Sys.children(process), (children) =>
    Effect.map(
      Effect.forEach(children, pathsBelow),
      (below) => [process.path.join("/"), ...below.flat()]
    ))

describe("the roots", () => {
  it.effect("are those that report to the telemetry of the context, until their scopes close", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* Sys.roots, [])
      const paths = yield* Effect.gen(function*() {
        const roots = yield* Sys.roots
        return yield* Effect.forEach(roots, pathsBelow)
      }).pipe(Effect.provide(App))
      assert.deepStrictEqual(paths, [["app", "app/inner", "app/inner/poller", "app/test/Many"]])
      assert.deepStrictEqual(yield* Sys.roots, [])
    }).pipe(Effect.provide(Telemetry.layer)))

  it.effect("are all of the thread where the context has no telemetry", () =>
    Effect.gen(function*() {
      const own = yield* Sys.find(["alone", "inner", "poller"])
      assert.strictEqual(Option.getOrThrow(own).status, "running")
      const others = yield* Effect.provide(Sys.roots, Telemetry.layer)
      assert.deepStrictEqual(others, [])
      assert.include((yield* Sys.roots).map(({ id }) => id), "alone")
    }).pipe(Effect.provide(app("alone"))))

  it.effect("are there when they have given up, as what they are", () =>
    Effect.gen(function*() {
      const root = Option.getOrThrow(yield* Sys.find(["app"]))
      yield* Effect.yieldNow
      assert.strictEqual(root.status, "stopped")
      assert.strictEqual((yield* Sys.peek(root)).lastExit?._tag, "GaveUp")
      assert.deepStrictEqual((yield* Sys.children(root)).map(({ id, status }) => [id, status]), [["poller", "stopped"]])
    }).pipe(
      Effect.provide(
        Supervisor.layer({ id: "app", strategy: "one_for_one", restart: Restart.intensity({ restarts: 0 }) }, [
          Supervisor.worker("poller", Effect.die("boom"))
        ])
      ),
      Effect.provideService(References.MinimumLogLevel, "None"),
      Effect.provide(Telemetry.layer)
    ))
})

describe("options that are no object", () => {
  for (const [of, make] of [["Supervisor", Supervisor.layer], ["test/Top", Top.layer]] as const) {
    it.effect(`are refused, by name: ${of}`, () =>
      Effect.gen(function*() {
        // As from code without types.
        for (const given of [null, undefined, 5, "one_for_one"] as ReadonlyArray<unknown>) {
          const app = make(given as Supervisor.Options, [])
          const error = Cause.squash(yield* Effect.flip(Effect.sandbox(Effect.scoped(Layer.build(app)))))
          assert.isTrue(error instanceof InvalidOption.InvalidOption && error.of === of && error.option === "options")
        }
      }))
  }
})

describe("a path", () => {
  it.effect("leads to its process below every kind of supervisor, and to no other", () =>
    Effect.gen(function*() {
      const many = yield* Many
      const child = yield* many.startChild(Supervisor.workerRecipe("child", Effect.never))
      const tasks = yield* Tasks
      const task = yield* tasks.async(Effect.never)
      const found = (path: ReadonlyArray<string>) => Effect.map(Sys.find(path), Option.getOrUndefined)
      for (const ref of [child, task]) {
        const process = ref[Process.processOf]
        assert.strictEqual(yield* found(process.path), process)
      }
      const partitions = yield* Effect.flatMap(found(["app", "test/Parts"]), (one) => Sys.children(one!))
      assert.lengthOf(partitions, 2)
      for (const partition of partitions) assert.strictEqual(yield* found(partition.path), partition)
      for (
        const path of [[], ["other"], ["app", "test/Many", "none"], ["app", "test/Many", "child", "below"], [
          "test/Many"
        ]]
      ) {
        assert.isTrue(Option.isNone(yield* Sys.find(path)), path.join("/"))
      }
    }).pipe(
      Effect.provide(
        Supervisor.layer({ id: "app", strategy: "one_for_one" }, [
          Many.layer(),
          Tasks.layer(),
          Parts.layer({ partitions: 2, child: Supervisor.workerRecipe("part", Effect.never) })
        ])
      ),
      Effect.provide(Layer.fresh(Telemetry.layer))
    ))
})
