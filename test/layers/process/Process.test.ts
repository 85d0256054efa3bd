import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Option, Schema } from "effect"
import { crashed, killed, normal, shutdown } from "../../../src/domain/process/ExitReason.ts"
import { GenServer, Process, StateContainer, Supervisor, TaskSupervisor } from "../../../src/index.ts"
import { FakeProcess } from "../../kit/FakeProcess.ts"
import { often } from "../../kit/Restarts.ts"

class Num extends GenServer.Service<Num>()("test/Num", {
  state: Schema.Int,
  messages: { Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }), Hold: GenServer.call() }
}) {}

class Top extends Supervisor.Service<Top>()("test/Top") {}
class Tasks extends TaskSupervisor.Service<Tasks>()("test/Tasks") {}

let released = 0

const NumLive = Num.layer({
  init: Effect.as(Effect.addFinalizer(() => Effect.sync(() => released++)), 0),
  handlers: { Add: (n, { by }) => [n + by, n + by], Hold: () => Effect.never }
})

const app = Top.layer(
  { id: "top", strategy: "one_for_one", restart: often },
  [StateContainer.layerMemory(Num), NumLive, Tasks.layer()]
)

const kinds: ReadonlyArray<
  readonly [kind: string, start: Effect.Effect<Process.HasProcess, unknown, Top | Num | Tasks>]
> = [
  ["a server", Num],
  ["a worker", Effect.flatMap(Top, (top) => top.startChild(Supervisor.workerRecipe("worker", Effect.never)))],
  [
    "a supervisor",
    Effect.flatMap(Top, (top) =>
      top.startChild(
        Supervisor.recipe({ id: "tree", strategy: "one_for_one" }, [Supervisor.workerRecipe("leaf", Effect.never)])
      ))
  ],
  ["a task", Effect.flatMap(Tasks, (tasks) => tasks.asyncNolink(Effect.never))]
]

const boom = Cause.die("boom")

const endings = [
  [shutdown, Exit.succeed(shutdown)],
  [crashed(boom), Exit.failCause(boom)],
  [killed, Exit.interrupt()]
] as const

describe.each(kinds)("the fiber of %s", (kind, start) => {
  const isRestarted = kind !== "a task"

  for (const [reason, exit] of endings) {
    it.effect(`says how the incarnation ended: ${reason._tag}`, () =>
      Effect.gen(function*() {
        const ref = yield* start
        const fiber = yield* Process.fiber(ref)
        assert.isUndefined(fiber.pollUnsafe())
        yield* Process.exit(ref, reason)
        assert.deepStrictEqual(yield* Fiber.await(fiber), exit)
        assert.deepStrictEqual(yield* Process.lastExit(ref), Option.some(reason))
      }).pipe(Effect.provide(app)))
  }

  it.effect("joined, fails with what it crashed of", () =>
    Effect.gen(function*() {
      const ref = yield* start
      const fiber = yield* Process.fiber(ref)
      yield* Process.exit(ref, crashed(Cause.fail("boom")))
      assert.strictEqual(yield* Effect.flip(Fiber.join(fiber)), "boom")
    }).pipe(Effect.provide(app)))

  it.effect("interrupted, interrupts the process; its supervisor decides", () =>
    Effect.gen(function*() {
      const ref = yield* start
      yield* Fiber.interruptAs(yield* Process.fiber(ref), 4711)
      const last = Option.getOrThrow(yield* Process.lastExit(ref))
      assert(last._tag === "Crashed" && Cause.hasInterruptsOnly(last.cause))
      assert.deepStrictEqual(Array.from(Cause.interruptors(last.cause)), [4711])
      assert.strictEqual(yield* Process.status(ref), isRestarted ? "running" : "stopped")
      assert.strictEqual(yield* Process.incarnation(ref), isRestarted ? 2 : 1)
    }).pipe(Effect.provide(app)))

  it.effect("is that of one incarnation: a restart is another, and nothing ends it but its own end", () =>
    Effect.gen(function*() {
      const ref = yield* start
      const first = yield* Process.fiber(ref)
      yield* Process.kill(ref)
      assert.deepStrictEqual(yield* Fiber.await(first), Exit.interrupt())
      if (!isRestarted) return
      const second = yield* Process.fiber(ref)
      yield* Fiber.interrupt(first)
      assert.isUndefined(second.pollUnsafe())
      assert.strictEqual(yield* Process.incarnation(ref), 2)
      yield* Process.kill(ref)
      assert.deepStrictEqual(yield* Fiber.await(second), Exit.interrupt())
    }).pipe(Effect.provide(app)))

  it.effect("of one that is down is the fiber of its last incarnation, and has ended", () =>
    Effect.gen(function*() {
      const ref = yield* start
      yield* Process.exit(ref, crashed(boom))
      const top = yield* Top
      yield* Effect.ignore(top.terminateChild(ref[Process.processOf].id))
      assert.strictEqual(yield* Process.status(ref), "stopped")
      const fiber = yield* Process.fiber(ref)
      const reason = Option.getOrThrow(yield* Process.lastExit(ref))
      const exit = yield* Fiber.await(fiber)
      assert.deepStrictEqual(exit, reason._tag === "Crashed" ? Exit.failCause(reason.cause) : Exit.succeed(reason))
    }).pipe(Effect.provide(app)))
})

describe("the fiber of a server", () => {
  it.effect("interrupted in the middle of a message: the call fails, the state is kept, finalizers have run", () =>
    Effect.gen(function*() {
      const num = yield* Num
      yield* num.Add({ by: 41 })
      const held = yield* Effect.forkChild(Effect.exit(num.Hold()), { startImmediately: true })
      const before = released
      yield* Fiber.interrupt(yield* Process.fiber(num))
      assert.strictEqual(released, before + 1)
      const answer = yield* Fiber.join(held)
      assert.include(String(answer), "the server was ended while it handled this message")
      assert.strictEqual(yield* num.Add({ by: 1 }), 42)
      assert.strictEqual(yield* Process.incarnation(num), 2)
    }).pipe(Effect.provide(app)))

  it.effect("belongs to no scope: the process does not end with the one that it was asked for in", () =>
    Effect.gen(function*() {
      const num = yield* Num
      const fiber = yield* Effect.scoped(Process.fiber(num))
      assert.isUndefined(fiber.pollUnsafe())
      assert.strictEqual(yield* Process.incarnation(num), 1)
    }).pipe(Effect.provide(app)))
})

describe("a process", () => {
  it.effect("is not observed until its fiber is asked for, nor after", () =>
    Effect.gen(function*() {
      const process = new FakeProcess("fake")
      yield* Process.status(process)
      assert.deepStrictEqual(process.exitObservers, [])
      const fiber = yield* Process.fiber(process)
      const waiting = yield* Effect.forkChild(Process.awaitExit(process), { startImmediately: true })
      assert.strictEqual(process.exitObservers.length, 2)
      yield* Fiber.interrupt(waiting)
      assert.strictEqual(process.exitObservers.length, 1)
      process.crash(normal)
      assert.deepStrictEqual(process.exitObservers, [])
      assert.deepStrictEqual(yield* Fiber.join(fiber), normal)
    }))

  it.effect("has one fiber for each incarnation, however often it is asked for", () =>
    Effect.gen(function*() {
      const process = new FakeProcess("fake")
      const first = yield* Process.fiber(process)
      for (let i = 0; i < 100; i++) assert.strictEqual(yield* Process.fiber(process), first)
      assert.strictEqual(process.exitObservers.length, 1)
    }))

  it.effect("that never ran has a fiber that has failed, and no end to wait for", () =>
    Effect.gen(function*() {
      const process = new FakeProcess("fake")
      process.stopSilently()
      const failure = new Process.NoProcess({ path: ["app", "fake"] })
      assert.deepStrictEqual(yield* Fiber.await(yield* Process.fiber(process)), Exit.fail(failure))
      assert.deepStrictEqual(yield* Effect.flip(Process.awaitExit(process)), failure)
      assert.deepStrictEqual(yield* Process.lastExit(process), Option.none())
      assert.include(failure.message, "app > fake")
    }))

  it.effect("a server whose incarnation was replaced while its fiber was interrupted is left alone", () =>
    Effect.gen(function*() {
      const process = new FakeProcess("fake")
      const fiber = yield* Process.fiber(process)
      process.removeExitObserver(process.exitObservers[0]!)
      process.crash(normal)
      process.restart()
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(process.status, "running")
    }))

  it.effect("is waited for: how the incarnation that is alive ends, when its supervisor has decided", () =>
    Effect.gen(function*() {
      const num = yield* Num
      const seen = Effect.zip(Process.awaitExit(num), Process.status(num))
      const waiting = yield* Effect.forkChild(seen, { startImmediately: true })
      yield* Process.kill(num)
      assert.deepStrictEqual(yield* Fiber.join(waiting), [killed, "running"])
    }).pipe(Effect.provide(app)))

  it.effect("is not waited for when it is down: the answer is how it ended last", () =>
    Effect.gen(function*() {
      const top = yield* Top
      const num = yield* Num
      yield* top.terminateChild("test/Num")
      assert.deepStrictEqual(yield* Process.awaitExit(num), shutdown)
    }).pipe(Effect.provide(app)))

  it.effect("takes no notice of an exit signal that is normal", () =>
    Effect.gen(function*() {
      const num = yield* Num
      yield* Process.exit(normal)(num)
      assert.strictEqual(yield* Process.incarnation(num), 1)
      assert.strictEqual(yield* Process.status(num), "running")
    }).pipe(Effect.provide(app)))
})
