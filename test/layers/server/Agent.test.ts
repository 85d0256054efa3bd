import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Latch, Layer, Schema } from "effect"
import { Agent, DynamicSupervisor, GenServer, Process, StateContainer, Supervisor, Sys } from "../../../src/index.ts"
import { serverOf } from "../../../src/layers/server/class/ServerRef.ts"
import { Harness } from "../../../src/testing.ts"
import { now } from "../../kit/Fibers.ts"

class Visits extends Agent.Service<Visits>()("test/Visits", { state: Schema.Int }) {}
class Pages extends DynamicSupervisor.Service<Pages>()("test/Pages") {}

const App = Layer.provideMerge(
  Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
    StateContainer.layerMemory(Visits),
    Visits.layer(0, { survives: "crash" }),
    Pages.layer(),
    Visits.layerKeyed(100)
  ]),
  Harness.Harness.layer
)

describe("an agent by key", () => {
  it.effect("is started by the first function that is sent to the key, and again when it has gone since", () =>
    Effect.gen(function*() {
      const page = yield* Visits.via("page")
      yield* page.update((n) => n + 1)
      assert.strictEqual(yield* page.get(), 101)
      assert.strictEqual(yield* page.get(String), "101")
      yield* GenServer.stop(yield* Visits.at("page"))
      yield* page.cast((n) => n + 1)
      assert.strictEqual(yield* page.getAndUpdate((n) => [n, n]), 102)
    }).pipe(Effect.provide(App)))
})

describe("agents that are started alike", () => {
  it.effect("share one behaviour, and with it all that is computed of it", () =>
    Effect.gen(function*() {
      const pages = yield* Pages
      const start = (init: number, key: string) =>
        Effect.map(pages.startChild(Visits.recipe(init, { key })), (ref) => serverOf(ref)!.spec.shared)
      const [a, b, c] = [yield* start(1, "a"), yield* start(1, "b"), yield* start(2, "c")]
      assert.isDefined(a)
      assert.strictEqual(a, b)
      assert.notStrictEqual(a, c)
      assert.deepStrictEqual([a?.init, c?.init], [1, 2])
    }).pipe(Effect.provide(App)))
})

describe("an agent", () => {
  it.effect("answers with what a function makes of its state, values and Effects alike", () =>
    Effect.gen(function*() {
      const visits = yield* Visits
      yield* visits.update((n) => n + 1)
      yield* visits.update((n) => Effect.succeed(n + 1))
      assert.strictEqual(yield* visits.get(), 2)
      assert.strictEqual(yield* visits.get((n) => n * 10), 20)
      assert.strictEqual(yield* visits.get((n) => Effect.succeed(n * 100)), 200)
      assert.strictEqual(yield* visits.getAndUpdate((n) => [`was ${n}`, n + 1]), "was 2")
      assert.strictEqual(yield* visits.getAndUpdate((n) => Effect.succeed([`was ${n}`, n + 1] as const)), "was 3")
      yield* visits.cast((n) => n + 1)
      assert.strictEqual(yield* visits.get(), 5)
    }).pipe(Effect.provide(App)))

  it.effect("runs functions one at a time, in the order in which they were sent", () =>
    Effect.gen(function*() {
      const visits = yield* Visits
      const gate = Latch.makeUnsafe()
      const slow = yield* now(visits.update((n) => Effect.as(gate.await, n + 1)))
      yield* visits.cast((n) => n * 10)
      const state = yield* now(visits.get())
      assert.isUndefined(state.pollUnsafe())
      yield* gate.open
      yield* Fiber.join(slow)
      assert.strictEqual(yield* Fiber.join(state), 10)
    }).pipe(Effect.provide(App)))

  it.effect("gives a typed failure back to the sender of the function, and changes nothing", () =>
    Effect.gen(function*() {
      const visits = yield* Visits
      assert.strictEqual(yield* Effect.flip(visits.update(() => Effect.fail("refused" as const))), "refused")
      assert.strictEqual(yield* Effect.flip(visits.getAndUpdate(() => Effect.fail("refused" as const))), "refused")
      assert.strictEqual(yield* Process.incarnation(visits), 1)
    }).pipe(Effect.provide(App)))

  it.effect("crashes with a function that dies, and comes back with its state", () =>
    Effect.gen(function*() {
      const visits = yield* Visits
      yield* visits.update(() => 7)
      const error = yield* Effect.flip(visits.get((): number => {
        throw new Error("boom")
      }))
      assert.strictEqual(error.reason._tag, "Crashed")
      assert.strictEqual(error.request, "get")
      assert.strictEqual(yield* visits.get(), 7)
      assert.strictEqual(yield* Process.incarnation(visits), 2)
      // What getAndUpdate answers must be a pair, also past the type checker.
      const invalid = yield* Effect.exit(visits.getAndUpdate(() => "no pair" as never))
      assert(invalid._tag === "Failure" && !Cause.hasDies(invalid.cause))
      assert.strictEqual(yield* visits.get(), 7)
    }).pipe(Effect.provide(App)))

  it.effect("is a server in all else: by key, under any supervisor, stopped, looked into", () =>
    Effect.gen(function*() {
      const [pages, root] = [yield* Pages, yield* Visits]
      const [a, again] = [yield* Visits.at("a"), yield* Visits.at("a")]
      assert.strictEqual(a, again)
      yield* a.update((n) => n + 1)
      const b = yield* pages.startChild(Visits.recipe(Effect.succeed(5), { key: "b", restart: "temporary" }))
      assert.deepStrictEqual(yield* Effect.forEach([root, a, b], (visits) => Sys.getState(visits)), [0, 101, 5])
      yield* GenServer.stop(b)
      // It was started by hand: `at("b")` would not start it again.
      assert.deepStrictEqual((yield* Effect.flip(b.get())).reason, { _tag: "NotRunning" })
      assert.deepStrictEqual(yield* Effect.exit(b.cast((n) => n + 1)), Exit.void)
    }).pipe(Effect.provide(App)))
})
