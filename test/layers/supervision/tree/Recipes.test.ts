/** What a recipe in foreign code may do wrong: both supervisors answer alike, report it, and go on. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, type Scope } from "effect"
import {
  DynamicSupervisor,
  ExitReason,
  GenServer,
  PartitionSupervisor,
  Process,
  Restart,
  StateContainer,
  Supervisor,
  TaskSupervisor
} from "../../../../src/index.ts"
import { Harness } from "../../../../src/testing.ts"
import { harmful } from "../../../kit/Hostile.ts"
import { recordedLog } from "../../../kit/Log.ts"
import { recipe, Script, top } from "../../../kit/Probe.ts"
import { often } from "../../../kit/Restarts.ts"

class Pool extends DynamicSupervisor.Service<Pool>()("pool") {}

interface Starts {
  startChild<A, E>(recipe: Supervisor.StartRecipe<A, E>): Effect.Effect<A, Supervisor.StartError<E>>
}

const supervisors = {
  Supervisor: Effect.map(
    top({ strategy: "one_for_one", restart: often }),
    ({ supervisor }): Starts & { stop(): Effect.Effect<void> } => supervisor
  ),
  DynamicSupervisor: Effect.map(
    Layer.build(Pool.layer({ restart: often })),
    (context): Starts & { stop(): Effect.Effect<void> } => Context.get(context, Pool)
  )
}

const refuse = (value: unknown) => (): never => {
  throw value
}

/** A probe whose recipe makes something else of it. */
const bent = (
  script: Script,
  bend: (child: Process.Process) => void
): Supervisor.StartRecipe<Process.Process, string> => {
  const straight = recipe("a", script)
  return {
    ...straight,
    make: (parent, context, id) => {
      const made = straight.make(parent, context, id)
      bend(made.child)
      return made
    }
  }
}

/** Overrides a method with one that throws, after it has done its work. */
const after = (method: "settle" | "startsNoMore" | "removed") => (child: Process.Process): void => {
  const done: unknown = Reflect.get(child, method)
  Reflect.set(child, method, (...given: ReadonlyArray<unknown>) => {
    if (typeof done === "function") Reflect.apply(done, child, given)
    throw new Error(`thrown by ${method}`)
  })
}

/** Runs a test with its log. */
const logged = <A, E>(
  body: (texts: () => ReadonlyArray<string>) => Effect.Effect<A, E, Scope.Scope>
): Effect.Effect<A, E, Scope.Scope> => {
  const log = recordedLog()
  return Effect.provide(body(() => log.lines.map(({ text }) => text)), log.layer)
}

for (const [name, supervisor] of Object.entries(supervisors)) {
  describe(name, () => {
    it.effect("a recipe whose make throws is a StartError, and the next child starts", () =>
      logged(() =>
        Effect.gen(function*() {
          const { startChild } = yield* supervisor
          for (const value of [new Error("thrown by make"), ...harmful.map(([, make]) => make())]) {
            const error = yield* Effect.flip(startChild({ ...recipe("a"), make: refuse(value) }))
            assert.strictEqual(error.reason._tag, "Failed")
            assert.include(error.message, "it did not come up, crashed: ")
            assert.isBelow(error.message.length, 3000)
          }
          yield* startChild(recipe("a"))
        })
      ))

    it.effect("one that is no recipe, or is wrong in its parts, is refused by what is wrong first", () =>
      Effect.gen(function*() {
        const { startChild } = yield* supervisor
        const wrong: ReadonlyArray<readonly [option: string, given: unknown]> = [
          ["child", undefined],
          ["child", "a recipe"],
          ["id", { ...recipe("a"), id: "" }],
          ["id", { ...recipe("a"), id: "", make: undefined }],
          ["kind", { ...recipe("a"), kind: "thing", make: undefined }],
          ["restart", { ...recipe("a"), options: { restart: "often" } }],
          ["shutdown", { ...recipe("a"), options: { shutdown: -1 }, make: "make" }],
          ["make", { ...recipe("a"), make: undefined }],
          ["make", { ...recipe("a"), make: recipe("a") }]
        ]
        for (const [option, given] of wrong) {
          const { reason } = yield* Effect.flip(startChild(given as Supervisor.StartRecipe<unknown>))
          assert.strictEqual(reason._tag === "InvalidOption" ? reason.option : reason, option)
        }
        yield* startChild(recipe("a"))
      }))

    it.effect("so is one that makes no child", () =>
      logged(() =>
        Effect.gen(function*() {
          const { startChild } = yield* supervisor
          for (const made of [undefined, null, {}, { child: undefined }, { child: {} }, Promise.resolve(), "a child"]) {
            const error = yield* Effect.flip(startChild({ ...recipe("a"), make: () => made as never }))
            assert.strictEqual(error.reason._tag, "Failed")
            assert.include(error.message, "make answers with a child and its reference, and not with")
          }
          yield* startChild(recipe("a"))
        })
      ))

    it.effect("a child that throws when it is settled is reported, and restarted all the same", () =>
      logged((texts) =>
        Effect.gen(function*() {
          const { startChild } = yield* supervisor
          const script = new Script()
          const child = yield* startChild(bent(script, after("settle")))
          script.end()
          script.end()
          assert.strictEqual(yield* Process.incarnation(child), 3)
          assert.deepStrictEqual(texts().filter((text) => text.includes(" threw ")), [
            `${child.path.join(" > ")} threw when it was settled as restarting`,
            `${child.path.join(" > ")} threw when it was settled as restarting`
          ])
        })
      ))

    it.effect("so is one that throws when it is settled, and removed, for good: its supervisor ends in order", () =>
      logged((texts) =>
        Effect.gen(function*() {
          const { startChild, stop } = yield* supervisor
          const script = new Script()
          const ended = yield* startChild({
            ...bent(script, (child) => {
              after("startsNoMore")(child)
              after("removed")(child)
            }),
            options: { restart: "temporary" }
          })
          script.end()
          yield* startChild(bent(new Script(), after("settle")))
          yield* stop()
          assert.isFalse(ended.status === "running")
          const said = texts().filter((text) => text.includes(" threw "))
          assert.isTrue(said.some((text) => text.endsWith("threw when it was up for good")), said.join("\n"))
          assert.isTrue(said.some((text) => text.endsWith("threw when it was removed")), said.join("\n"))
        })
      ))

    it.effect("a child whose stop answers with no Effect, or with no reason, is down all the same", () =>
      logged(() =>
        Effect.gen(function*() {
          const { startChild, stop } = yield* supervisor
          for (const [i, answer] of [undefined, Effect.succeed("no reason"), Effect.succeed(undefined)].entries()) {
            yield* startChild({
              ...bent(new Script(), (child) => Reflect.set(child, "stop", () => answer)),
              id: `a${i}`
            })
          }
          yield* stop()
          assert.isTrue(true, "it has stopped")
        })
      ))

    it.effect.each(harmful)(
      "a child that dies of %s in its first start is a StartError that says so",
      ([, value]) =>
        logged(() =>
          Effect.gen(function*() {
            const { startChild } = yield* supervisor
            const dying = bent(new Script(), (child) => Reflect.set(child, "start", refuse(value())))
            const error = yield* Effect.flip(startChild(dying))
            assert.strictEqual(error.reason._tag, "Failed")
            assert.isBelow(error.message.length, 3000)
            yield* startChild(recipe("b"))
          })
        )
    )
  })
}

describe("a subtree that is made level by level", () => {
  it.effect("is made anew, whole, when one of its recipes could not make its child", () =>
    logged(() =>
      Effect.gen(function*() {
        let attempts = 0
        const subtree = Supervisor.recipe({ id: "subtree", strategy: "one_for_one" }, [
          recipe("a"),
          {
            ...recipe("b"),
            make: (...given) => ++attempts < 3 ? refuse(new Error("not yet"))() : recipe("b").make(...given)
          }
        ])
        const { supervisor } = yield* top({ strategy: "one_for_one", restart: often })
        const branch = yield* Effect.flip(supervisor.startChild(subtree))
        assert.include(branch.message, "not yet")
        // The same object is started again where its supervisor is a child of another.
        const above = Supervisor.recipe({ id: "above", strategy: "one_for_one", restart: often }, [subtree])
        assert.include((yield* Effect.flip(supervisor.startChild(above))).message, "not yet")
        yield* supervisor.startChild(above)
        assert.strictEqual(attempts, 3)
      })
    ))

  it.effect("routes to the partitions that came up, and to no others", () =>
    logged(() =>
      Effect.gen(function*() {
        let attempts = 0
        const partitions = PartitionSupervisor.recipe({
          id: "partitions",
          partitions: 2,
          child: (partition) => ({
            ...recipe("p"),
            make: (parent, context, id) =>
              partition === 1 && ++attempts === 1
                ? refuse(new Error("not yet"))()
                : recipe("p").make(parent, context, id)
          })
        })
        const { supervisor } = yield* top({ strategy: "one_for_one", restart: often })
        assert.include((yield* Effect.flip(supervisor.startChild(partitions))).message, "not yet")
        const handle = yield* supervisor.startChild(partitions)
        assert.strictEqual((yield* handle.at(1)).path.at(-1), "1")
      })
    ))
})

class Tasks extends TaskSupervisor.Service<Tasks>()("tasks") {}

describe.each(harmful)("of %s", (_, value) => {
  it.effect("a worker dies, is restarted, and that is reported", () =>
    logged((texts) =>
      Effect.gen(function*() {
        let starts = 0
        const body = Effect.suspend(() => ++starts < 3 ? Effect.die(value()) : Effect.never)
        const app = Supervisor.layer({ id: "root", strategy: "one_for_one", restart: often }, [
          Supervisor.worker("worker", body)
        ])
        yield* Layer.build(app)
        assert.strictEqual(starts, 3)
        assert.deepStrictEqual(texts(), [
          "root > worker #1 crashed; it is restarted",
          "root > worker #2 crashed; it is restarted"
        ])
      })
    ))

  it.effect("a task dies, and whoever waits for it is told within bounds", () =>
    logged(() =>
      Effect.gen(function*() {
        const tasks = yield* Tasks
        for (const body of [Effect.die(value()), Effect.andThen(Effect.yieldNow, Effect.die(value()))]) {
          const task = yield* tasks.asyncNolink(body)
          const error = yield* Effect.flip(task.await())
          assert.strictEqual(error.reason._tag, "Crashed")
          assert.isBelow(error.message.length, 3000)
        }
      }).pipe(Effect.provide(Tasks.layer()))
    ))

  it.effect("children die until their supervisor gives up, and its own supervisor restarts it", () =>
    logged((texts) =>
      Effect.gen(function*() {
        let starts = 0
        const body = Effect.suspend(() => ++starts < 4 ? Effect.die(value()) : Effect.never)
        const app = Supervisor.layer({ id: "root", strategy: "one_for_one", restart: often }, [
          Supervisor.layer({ id: "branch", strategy: "one_for_one", restart: Restart.intensity({ restarts: 1 }) }, [
            Supervisor.worker("worker", body)
          ])
        ])
        yield* Layer.build(app)
        assert.strictEqual(starts, 4)
        assert.isAbove(texts().length, 3)
      })
    ))
})

class Counter extends GenServer.Service<Counter>()("test/Counter", { state: ExitReason.Normal, messages: {} }) {}

it.effect("an observer that throws is reported, and changes nothing for the others and the process", () =>
  logged((texts) =>
    Effect.gen(function*() {
      const app = Supervisor.layer({ id: "root", strategy: "one_for_one", restart: often }, [
        StateContainer.layerMemory(Counter),
        Counter.layer({ init: { _tag: "Normal" }, handlers: {} })
      ])
      const counter = Context.get(yield* Layer.build(Layer.provideMerge(app, Harness.Harness.layer)), Counter)
      const heard: Array<number> = []
      const process = counter[Process.processOf]
      process.addExitObserver(refuse(new Error("boom")))
      process.addExitObserver((incarnation) => heard.push(incarnation))
      yield* Process.kill(counter)
      assert.deepStrictEqual(heard, [1])
      assert.strictEqual(yield* Process.incarnation(counter), 2)
      assert.include(texts(), "root > test/Counter #1: an observer failed")
    })
  ))
