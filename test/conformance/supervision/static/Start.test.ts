/** Other systems' cases of starting a supervisor: no children, children that ignore or fail, names that are taken. */
import { assert, describe } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Layer, Option } from "effect"
import { TestClock } from "effect/testing"
import { InvalidOption } from "../../../../src/domain/options/InvalidOption.ts"
import { shutdown } from "../../../../src/domain/process/ExitReason.ts"
import { GenServer, Monitor, Next, Process, Registry, Supervisor } from "../../../../src/index.ts"
import { Harness } from "../../../../src/testing.ts"
import {
  child,
  count,
  ignoring,
  isAlive,
  list,
  nonsensical,
  own,
  type Plain,
  published,
  start,
  Sup,
  testCase,
  within
} from "../../../kit/Family.ts"

describe("supervisor: starting", () => {
  testCase(
    "SUP-001 Empty supervisor starts and shuts down cleanly",
    Effect.gen(function*() {
      const sup = yield* start()
      assert.isTrue(isAlive(sup))
      const watch = yield* Monitor.watch(sup)
      yield* sup.stop(shutdown)
      assert.deepStrictEqual((yield* watch.down).reason, shutdown)
      assert.isFalse(isAlive(sup))
      assert.deepStrictEqual(yield* published, ["sup#1 started", "sup#1 exited: shutdown"])
    })
  )

  testCase(
    "SUP-002 Supervisor init may answer ignore",
    Effect.gen(function*() {
      class Wanted extends Supervisor.Service<Wanted>()("wanted") {}
      // What decides whether a supervisor is wanted is an Effect that makes its Layer.
      const deciding = (isWanted: boolean) =>
        Layer.unwrap(
          Effect.sync(() => isWanted ? Wanted.layer({ strategy: "one_for_one" }, [own(child("inner"))]) : Layer.empty)
        )
      const startWith = (isWanted: boolean) =>
        Effect.map(
          Layer.build(Sup.layer({ strategy: "one_for_one" }, [deciding(isWanted), own(child("after"))])),
          (services) => ({ sup: Context.get(services, Sup), wanted: Context.getOption(services, Wanted) })
        )
      yield* Effect.scoped(Effect.gen(function*() {
        const { sup, wanted } = yield* startWith(true)
        assert.isTrue(Option.isSome(wanted))
        assert.deepStrictEqual(yield* list(sup), ["after -> 1", "wanted -> 1"])
      }))
      yield* published
      // Neither a supervisor nor an error: the child after it starts all the same.
      const { sup, wanted } = yield* startWith(false)
      assert.isTrue(Option.isNone(wanted))
      assert.deepStrictEqual(yield* list(sup), ["after -> 1"])
      yield* TestClock.adjust("100 millis")
      assert.deepStrictEqual(yield* published, ["sup#1 started", "after#1 started"])
    })
  )

  testCase(
    "SUP-003 Ignored permanent child keeps its spec with no process",
    Effect.gen(function*() {
      const sup = yield* start()
      const child1 = yield* sup.startChildInfo(ignoring("child1", { shutdown: 1000 }))
      assert.deepStrictEqual(child1.started, { _tag: "Ignored" })
      const child2 = yield* sup.startChildInfo(child("child2", { shutdown: 1000 }))
      assert.deepStrictEqual(child2.started, { _tag: "Started" })
      assert.deepStrictEqual(yield* list(sup), ["child2 -> 1", "child1 -> undefined"])
      assert.deepStrictEqual(yield* count(sup), [2, 1, 0, 2])
    })
  )

  testCase(
    "SUP-005 Ignored temporary child added later leaves no spec",
    Effect.gen(function*() {
      const sup = yield* start()
      const child1 = yield* sup.startChildInfo(ignoring("child1", { restart: "temporary" }))
      assert.deepStrictEqual(child1.started, { _tag: "Ignored" })
      const child2 = yield* sup.startChildInfo(child("child2", { restart: "temporary" }))
      assert.deepStrictEqual(child2.started, { _tag: "Started" })
      assert.deepStrictEqual(yield* list(sup), ["child2 -> 1"])
      assert.deepStrictEqual(yield* count(sup), [1, 1, 0, 1])
    })
  )

  testCase(
    "SUP-006 Nonsense result from supervisor init is reported, not crashed on",
    Effect.gen(function*() {
      for (const nonsense of ["nonsense", 42, undefined, { strategy: "nonsense" }]) {
        // Past the type checker, as a description that was computed.
        const layer = Sup.layer(nonsense as never, [own(child("child1"))])
        const exit = yield* Effect.exit(Effect.scoped(Layer.build(layer)))
        assert(Exit.isFailure(exit))
        const error = Cause.squash(exit.cause)
        assert(error instanceof InvalidOption)
        const [option, given] = typeof nonsense === "object" ? ["strategy", nonsense.strategy] : ["options", nonsense]
        assert.deepStrictEqual([error.option, error.given], [option, given])
      }
      yield* TestClock.adjust("100 millis")
      assert.deepStrictEqual(yield* published, [])
    })
  )

  testCase(
    "SUP-008 startChild wraps the start failure and does not keep the spec",
    Effect.gen(function*() {
      const sup = yield* start()
      const first = yield* Effect.flip(sup.startChild(child("child1", { init: Effect.fail("reason") })))
      assert.deepStrictEqual([first.supervisor, first.child], ["sup", "child1"])
      assert.deepStrictEqual(first.reason, { _tag: "Failed", cause: Cause.fail("reason") })
      const second = yield* Effect.flip(sup.startChild(nonsensical("child2", "error_reason")))
      assert.deepStrictEqual([second.supervisor, second.child], ["sup", "child2"])
      assert.include(second.message, "a child's start must come to Started or Ignored, not to error_reason")
      assert.deepStrictEqual(yield* list(sup), [])
      assert.isTrue(isAlive(sup))
    })
  )

  testCase(
    "SUP-074 Name clash with an outside process is reported as already_started",
    Effect.gen(function*() {
      class Outside extends Supervisor.Service<Outside>()("outside") {}
      class Names extends Registry.Service<Names, { readonly ref: Plain["Service"] }>()("test/Names", {
        keys: "unique"
      }) {}
      const services = yield* Layer.build(Layer.merge(Outside.layer({ strategy: "one_for_one" }, []), Names.layer))
      const [outside, names] = [Context.get(services, Outside), Context.get(services, Names)]
      const sup = yield* start()

      // The name is the key of its class, and it is taken under another supervisor.
      const p = yield* outside.startChild(child("n"))
      const { reason } = yield* Effect.flip(sup.startChild(child("n")))
      assert(reason._tag === "Failed")
      const taken = Cause.squash(reason.cause)
      assert(taken instanceof GenServer.NameTaken)
      assert.strictEqual(taken.holder, p[Process.processOf])
      // The name is one in a registry.
      yield* names.register("name", p, undefined)
      const refused = yield* Effect.flip(names.start("name", sup.startChild(child("m"))))
      assert(refused._tag === "RegistryError" && refused.reason._tag === "AlreadyRegistered")
      assert.strictEqual(refused.reason.holder, p)

      assert.deepStrictEqual(yield* list(sup), [])
      assert.deepStrictEqual([isAlive(sup), isAlive(p)], [true, true])
      yield* sup.stop()
      assert.deepStrictEqual([isAlive(sup), isAlive(p)], [false, true])
    })
  )

  testCase(
    "SUP-082 A crash right after a successful init is a crash, not a start failure",
    Effect.gen(function*() {
      const harness = yield* Harness.Harness
      const failing = {
        defect: Effect.die("defect"),
        // Past the type checker: a continuation of init has no caller to fail.
        failure: Effect.fail("failure") as Effect.Effect<never>
      }
      for (const [kind, continued] of Object.entries(failing)) {
        yield* Effect.scoped(Effect.gen(function*() {
          const sup = yield* start({ restart: within(1, 3600) })
          const init = Effect.succeed(Next.start("idle", { continueWith: () => continued }))
          const child1 = yield* sup.startChildInfo(child("child1", { init }))
          assert.deepStrictEqual(child1.started, { _tag: "Started" })
          yield* harness.awaitTag("Exited", sup)
          assert.deepStrictEqual(yield* published, [
            "sup#1 started",
            "child1#1 started",
            `child1#1 exited: crashed: ${kind}`,
            "child1#2 started",
            `child1#2 exited: crashed: ${kind}`,
            `sup#1 exited: gave up on child1: ${kind}`
          ])
          assert.deepStrictEqual([isAlive(sup), isAlive(child1.ref)], [false, false])
        }))
      }
    })
  )
})
