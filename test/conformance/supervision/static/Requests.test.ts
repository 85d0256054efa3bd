/**
 * Other systems' cases of requests to a supervisor: start, terminate, restart and delete a child, whatever it is doing.
 */
import { assert, describe } from "@effect/vitest"
import { Context, Effect, Layer, Option, Schema } from "effect"
import { TestClock } from "effect/testing"
import { killed, normal, shutdown } from "../../../../src/domain/process/ExitReason.ts"
import { GenServer, Monitor, Next, Process, Registry, StateContainer, Supervisor } from "../../../../src/index.ts"
import { refusal } from "../../../kit/Failures.ts"
import {
  type Child,
  child,
  count,
  died,
  isAlive,
  lastExit,
  list,
  published,
  start,
  testCase,
  within
} from "../../../kit/Family.ts"

class Names extends Registry.Service<Names, { readonly ref: Supervisor.Supervisor }>()("test/Names", {
  keys: "unique"
}) {}

class Stack extends GenServer.Service<Stack>()("test/Stack", {
  state: Schema.Array(Schema.String),
  messages: { Pop: GenServer.call({ reply: Schema.UndefinedOr(Schema.String) }) }
}) {}

describe("supervisor: requests", () => {
  testCase(
    "SUP-016 terminateChild: result, exit reason, idempotence",
    Effect.gen(function*() {
      const sup = yield* start()
      const spec = child("child1", { shutdown: 1000 })
      const h = yield* sup.startChild(spec)
      const again = yield* Effect.flip(sup.startChild(spec))
      assert.deepStrictEqual(again.reason, { _tag: "AlreadyStarted", process: h[Process.processOf] })
      assert.strictEqual(yield* refusal(sup.terminateChild("hej")), "NotFound")
      yield* sup.terminateChild("child1")
      assert.deepStrictEqual(lastExit(h), shutdown)
      assert.deepStrictEqual(yield* list(sup), ["child1 -> undefined"])
      assert.deepStrictEqual(yield* count(sup), [1, 0, 0, 1])
      yield* sup.terminateChild("child1")
      assert.deepStrictEqual(yield* list(sup), ["child1 -> undefined"])
      assert.deepStrictEqual(yield* published, ["sup#1 started", "child1#1 started", "child1#1 exited: shutdown"])
    })
  )

  testCase(
    "SUP-017 Stopped child: already_present, restartChild, running",
    Effect.gen(function*() {
      const sup = yield* start()
      const spec = child("child1", { shutdown: 1000 })
      yield* sup.startChild(spec)
      yield* sup.terminateChild("child1")
      assert.strictEqual(yield* refusal(sup.startChild(spec)), "AlreadyPresent")
      assert.deepStrictEqual(yield* sup.restartChild("child1"), { _tag: "Started" })
      assert.deepStrictEqual(yield* list(sup), ["child1 -> 2"])
      assert.deepStrictEqual(yield* count(sup), [1, 1, 0, 1])
      assert.strictEqual(yield* refusal(sup.restartChild("child1")), "Running")
      assert.strictEqual(yield* refusal(sup.restartChild("child2")), "NotFound")
    })
  )

  testCase(
    "SUP-019 Static supervisor addresses children by id only; calls to a missing supervisor fail as noproc",
    Effect.gen(function*() {
      const names = Context.get(yield* Layer.build(Names.layer), Names)
      const sup = yield* start()
      const h = yield* sup.startChild(child("child1"))
      for (const handle of [h, h[Process.processOf]]) {
        // Past the type checker: an id is a string.
        assert.strictEqual(yield* refusal(sup.terminateChild(handle as never)), "NotFound")
      }
      assert.deepStrictEqual(yield* list(sup), ["child1 -> 1"])
      assert.deepStrictEqual(yield* count(sup), [1, 1, 0, 1])

      // A name without a process stands for no handle.
      const foo = Effect.flatMap(names.whereis("foo"), Effect.fromOption)
      const called = yield* Effect.all([
        Effect.flip(Effect.flatMap(foo, (foo) => foo.startChild(child("child2")))),
        Effect.flip(Effect.flatMap(foo, (foo) => foo.terminateChild("child1"))),
        Effect.flip(Effect.flatMap(foo, (foo) => foo.deleteChild("child1"))),
        Effect.flip(Effect.flatMap(foo, list)),
        Effect.flip(Effect.flatMap(foo, count))
      ])
      assert.deepStrictEqual(called.map(({ _tag }) => _tag), Array.from(called, () => "NoSuchElementError"))
      // A handle whose supervisor is gone lists its children: none is running.
      yield* names.register("bar", sup, undefined)
      yield* sup.stop()
      assert.deepStrictEqual(yield* names.whereis("bar"), Option.none())
      assert.strictEqual(yield* refusal(sup.startChild(child("child2"))), "NotRunning")
      assert.strictEqual(yield* refusal(sup.terminateChild("child1")), "NotRunning")
      assert.strictEqual(yield* refusal(sup.deleteChild("child1")), "NotRunning")
      assert.deepStrictEqual(yield* list(sup), ["child1 -> undefined"])
      assert.deepStrictEqual(yield* count(sup), [1, 0, 0, 1])
    })
  )

  testCase(
    "SUP-020 Extra information returned by a child's start is passed through",
    Effect.gen(function*() {
      const sup = yield* start()
      const init = Effect.succeed(Next.start("idle", { info: "extra_return" }))
      const spec = child("child1", { shutdown: 1000, init })
      const extra = { _tag: "Started", info: "extra_return" } as const
      const plainList = Effect.map(sup.whichChildren, (children) => children.flatMap(Object.values))
      yield* sup.startChild(spec)
      yield* sup.terminateChild("child1")
      assert.deepStrictEqual(yield* sup.restartChild("child1"), extra)
      assert.notInclude(yield* plainList, "extra_return")
      yield* sup.terminateChild("child1")
      yield* sup.deleteChild("child1")
      const { ref, started } = yield* sup.startChildInfo(spec)
      assert.deepStrictEqual(started, extra)
      assert.notInclude(yield* plainList, "extra_return")
      yield* GenServer.stop(ref, died)
      assert.deepStrictEqual(yield* list(sup), ["child1 -> 2"])
      assert.deepStrictEqual(yield* count(sup), [1, 1, 0, 1])
      assert.strictEqual(yield* refusal(sup.restartChild("child2")), "NotFound")
      assert.strictEqual(yield* refusal(sup.deleteChild("child2")), "NotFound")
      assert.strictEqual(yield* refusal(sup.terminateChild("child2")), "NotFound")
      assert.strictEqual(yield* refusal(sup.restartChild("child1")), "Running")
      assert.strictEqual(yield* refusal(sup.deleteChild("child1")), "Running")
    })
  )

  testCase(
    "SUP-058 Which specs survive a child's end",
    Effect.gen(function*() {
      const ends = {
        kill: (_, h) => Process.exit(h, killed),
        normal: (_, h) => GenServer.stop(h, normal),
        abnormal: (_, h) => GenServer.stop(h, died),
        terminateChild: (sup) => sup.terminateChild("child1")
      } satisfies Record<string, (sup: Supervisor.Supervisor, h: Child) => Effect.Effect<unknown, unknown>>
      for (const strategy of ["one_for_all", "one_for_one", "rest_for_one"] as const) {
        for (const [how, end] of Object.entries(ends)) {
          for (const restart of ["permanent", "transient", "temporary"] as const) {
            yield* Effect.scoped(Effect.gen(function*() {
              const sup = yield* start({ strategy })
              const spec = child("child1", { restart })
              const h = yield* sup.startChild(spec)
              yield* end(sup, h)
              const again = yield* Effect.exit(sup.startChild(spec))
              const name = `${strategy}, ${restart}, ${how}`
              if (restart === "temporary") {
                assert.strictEqual(again._tag, "Success", name)
                const { process } = yield* sup.whichChild("child1")
                assert.notStrictEqual(process, h[Process.processOf], name)
                return assert.deepStrictEqual(yield* list(sup), ["child1 -> 1"], name)
              }
              const stays = how === "terminateChild" || (how === "normal" && restart === "transient")
              const why = yield* refusal(again)
              assert.strictEqual(why, stays ? "AlreadyPresent" : "AlreadyStarted", name)
              if (stays) assert.deepStrictEqual(yield* sup.restartChild("child1"), { _tag: "Started" }, name)
              assert.deepStrictEqual(yield* list(sup), ["child1 -> 2"], name)
            }))
          }
        }
      }
    })
  )

  testCase(
    "SUP-062 The supervisor stays manageable while a child keeps failing to restart",
    Effect.gen(function*() {
      const sup = yield* start({ restart: within(8, 10) })
      let flag = false
      let attempts = 0
      const init = Effect.suspend(() => {
        attempts++
        return flag ? Effect.andThen(Effect.sleep(2000), Effect.fail("flag")) : Effect.succeed("idle")
      })
      const spec = child("child1", { shutdown: "brutal_kill", init })
      const child1 = yield* sup.startChild(spec)
      const watch = yield* Monitor.watch(child1)
      flag = true
      yield* Process.exit(child1, died)
      assert.deepStrictEqual((yield* watch.down).reason, died)
      yield* TestClock.adjust(2000)
      assert.strictEqual(attempts, 3)

      assert.strictEqual(yield* refusal(sup.startChild(spec)), "AlreadyPresent")
      assert.strictEqual(yield* refusal(sup.restartChild("child1")), "Restarting")
      assert.strictEqual(yield* refusal(sup.deleteChild("child1")), "Restarting")
      assert.deepStrictEqual(yield* list(sup), ["child1 -> restarting"])
      assert.deepStrictEqual(yield* count(sup), [1, 0, 0, 1])
      yield* sup.terminateChild("child1")
      assert.deepStrictEqual(yield* list(sup), ["child1 -> undefined"])
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(attempts, 3)
      assert.deepStrictEqual(yield* list(sup), ["child1 -> undefined"])
      flag = false
      assert.deepStrictEqual(yield* sup.restartChild("child1"), { _tag: "Started" })
      assert.isTrue(isAlive(child1))
    })
  )

  testCase(
    "SUP-072 Whole life of one child",
    Effect.gen(function*() {
      const keeper = Supervisor.layer({ strategy: "one_for_one", id: "keepers" }, [StateContainer.layerForget(Stack)])
      const services = yield* Layer.build(keeper)
      const sup = yield* start()
      assert.deepStrictEqual(yield* list(sup), [])
      assert.deepStrictEqual(yield* count(sup), [0, 0, 0, 0])
      const spec = Stack.recipe({
        init: ["hello"],
        handlers: { Pop: ([first, ...rest]) => [first, rest] }
      }, { key: "stack" })
      const stack = yield* Effect.provideContext(sup.startChild(spec), services)
      assert.strictEqual(yield* stack.Pop(), "hello")
      assert.deepStrictEqual(
        (yield* sup.whichChildren).map(({ id, kind, process, status }) => ({ id, kind, process, status })),
        [
          { id: "test/Stack/stack", kind: "worker", process: stack[Process.processOf], status: "running" }
        ]
      )
      assert.deepStrictEqual(yield* count(sup), [1, 1, 0, 1])
      assert.strictEqual(yield* refusal(sup.deleteChild("test/Stack/stack")), "Running")
      yield* sup.terminateChild("test/Stack/stack")
      assert.deepStrictEqual(yield* sup.restartChild("test/Stack/stack"), { _tag: "Started" })
      assert.deepStrictEqual(yield* list(sup), ["test/Stack/stack -> 2"])
      assert.strictEqual(yield* stack.Pop(), "hello")
      yield* sup.terminateChild("test/Stack/stack")
      yield* sup.deleteChild("test/Stack/stack")
      assert.deepStrictEqual(yield* list(sup), [])
      yield* sup.stop()
      assert.isFalse(isAlive(sup))
    })
  )
})
