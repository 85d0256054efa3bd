import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Fiber, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { GenServer, Restart, StateContainer, Supervisor } from "../../../../src/index.ts"
import { type Fault, FaultPoints, Harness } from "../../../../src/testing.ts"

class Num extends GenServer.Service<Num>()("test/Num", {
  state: Schema.Int,
  messages: {
    Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }),
    Die: GenServer.call()
  }
}) {}

const plain = Num.behavior({
  init: 40,
  handlers: { Add: (n, { by }) => [n + by, n + by], Die: () => Effect.die("boom") }
})

const app = (points: Fault.LifePoints, server = Num.layer(plain)) =>
  Supervisor.layer(
    { id: "root", strategy: "one_for_one", restart: Restart.intensity({ restarts: 10, within: "1 minute" }) },
    [StateContainer.layerMemory(Num), server]
  ).pipe(Layer.provideMerge(Harness.Harness.layer), Layer.provide(Layer.succeed(FaultPoints.LifePoints, points)))

/** Strikes at the n-th time that a point is passed. */
const nth = (n: number, at: Fault.LifePoint, fault: Fault.LifeFault): Fault.LifePoints => {
  let seen = 0
  return (point) => point === at && ++seen === n ? fault : undefined
}

const crash = Effect.gen(function*() {
  const num = yield* Num
  assert.strictEqual(yield* num.Add({ by: 2 }), 42)
  assert.include(String(yield* Effect.exit(num.Die())), "the server crashed: boom")
})

describe("a fault that strikes the life of an incarnation", () => {
  it.effect("passes the points in their order, in every incarnation, whatever its behaviour has", () => {
    const passed: Array<string> = []
    const points: Fault.LifePoints = (point, { incarnation, server }) =>
      void passed.push(`${point} ${server} #${incarnation}`)
    return Effect.gen(function*() {
      yield* Effect.provide(crash, app(points))
      assert.deepStrictEqual(
        passed,
        [1, 2].flatMap((i) => ["init", "terminate", "finalizer"].map((point) => `${point} root > test/Num #${i}`))
      )
    })
  })

  it.effect("calls what the behaviour has, with what it would be called with, and releases last", () => {
    const called: Array<string> = []
    const note = (what: string) => Effect.sync(() => void called.push(what))
    const points: Fault.LifePoints = (point) => void called.push(point)
    return Effect.gen(function*() {
      yield* Effect.provide(
        crash,
        app(
          points,
          Num.layer({
            ...plain,
            init: Effect.as(Effect.acquireRelease(note("acquired"), () => note("released")), 40),
            restore: (conserved) => {
              called.push(`restored ${conserved}`)
              return conserved
            },
            terminate: ({ _tag }, state) => note(`${_tag} ${state}`)
          })
        )
      )
      assert.deepStrictEqual(
        called,
        [
          ["init", "acquired", "terminate", "Crashed 42", "released", "finalizer"],
          ["init", "restored 42", "terminate", "Shutdown 42", "finalizer"]
        ].flat()
      )
    })
  })

  for (
    const fault of [{ _tag: "Failure", error: "no" }, { _tag: "Interrupt" }, { _tag: "Kill" }] satisfies ReadonlyArray<
      Fault.LifeFault
    >
  ) {
    it.effect(`in init, ${fault._tag}: is one more failed attempt, and the state is kept`, () =>
      Effect.gen(function*() {
        yield* crash
        const harness = yield* Harness.Harness
        const num = yield* Num
        assert.strictEqual(yield* num.Add({ by: 0 }), 42)
        yield* harness.awaitIncarnation(num, 3)
        assert.include(yield* harness.historyOf(num), "StartFailed")
      }).pipe(Effect.provide(app(nth(2, "init", fault)))))
  }

  it.effect("in init: a delay keeps callers waiting, and nothing else", () =>
    Effect.gen(function*() {
      yield* crash
      const waiting = yield* Effect.forkChild((yield* Num).Add({ by: 0 }), { startImmediately: true })
      yield* TestClock.adjust("2 seconds")
      assert.isUndefined(waiting.pollUnsafe())
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(waiting), 42)
    }).pipe(Effect.provide(app(nth(2, "init", { _tag: "Delay", millis: 3000 })))))

  it.effect("in terminate or a finalizer: a defect ends neither the restart nor the state", () =>
    Effect.gen(function*() {
      for (const point of ["terminate", "finalizer"] as const) {
        const num = Effect.flatMap(Num, (num) => num.Add({ by: 0 }))
        const struck = app(nth(1, point, { _tag: "Defect", defect: "injected" }))
        assert.strictEqual(yield* Effect.provide(Effect.andThen(crash, num), struck), 42)
      }
    }))

  it.effect("in terminate: a defect makes an orderly end a crash", () =>
    Effect.gen(function*() {
      const harness = yield* Harness.Harness
      const num = yield* Num
      yield* Effect.exit(GenServer.stop(num))
      const { reason } = yield* harness.awaitTag("Exited", num)
      assert.isTrue(reason._tag === "Crashed" && Cause.squash(reason.cause) === "injected")
    }).pipe(Effect.provide(app(nth(1, "terminate", { _tag: "Defect", defect: "injected" })))))

  it.effect("in a finalizer: a delay is waited for before the next incarnation begins", () =>
    Effect.gen(function*() {
      const harness = yield* Harness.Harness
      const num = yield* Num
      yield* Effect.forkChild(crash, { startImmediately: true })
      const back = yield* Effect.forkChild(harness.awaitIncarnation(num, 2), { startImmediately: true })
      yield* TestClock.adjust("2 seconds")
      assert.isUndefined(back.pollUnsafe())
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(back)).incarnation, 2)
    }).pipe(Effect.provide(app(nth(1, "finalizer", { _tag: "Delay", millis: 3000 })))))

  it.effect("strikes a behaviour that each incarnation makes, too", () => {
    const passed: Array<string> = []
    return Effect.gen(function*() {
      yield* Effect.provide(crash, app((point) => void passed.push(point), Num.layer(Effect.succeed(plain))))
      assert.strictEqual(passed.length, 6)
    })
  })
})
