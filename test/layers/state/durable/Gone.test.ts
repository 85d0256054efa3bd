/** What is left of those who waited for a store and have given up: nothing, while it is away. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Schedule, Schema } from "effect"
import { TestClock } from "effect/testing"
import { GenServer, Next, Process, StateContainer, Supervisor } from "../../../../src/index.ts"
import { ServerProcess } from "../../../../src/layers/server/engine/ServerProcess.ts"
import type { Companion } from "../../../../src/layers/state/container/Container.ts"
import { now, turns } from "../../../kit/Fibers.ts"
import { many, reachable } from "../../../kit/Garbage.ts"
import { quiet } from "../../../kit/Log.ts"
import { away, layer as storeLayer, onAll, Scripted, Store } from "../../../kit/Scripted.ts"

const some = many / 5
/** A few may stay until it is their turn. */
const few = 70

class Shelf extends GenServer.Service<Shelf>()("test/Shelf", {
  state: Schema.Int,
  messages: {
    Put: GenServer.call({ payload: { n: Schema.Int }, reply: Schema.Int }),
    /** Reads what is not stored yet. */
    Look: GenServer.call({ payload: { n: Schema.Int }, reply: Schema.Int }),
    /** Reads, and hibernates. */
    Doze: GenServer.call({ payload: { n: Schema.Int }, reply: Schema.Int }),
    /** Hibernates, and nothing waits for that. */
    Drowse: GenServer.cast(),
    /** Has so many wait until all is stored, and gives up. */
    Wait: GenServer.cast({ payload: { n: Schema.Int } })
  }
}) {}

/** A shelf over a store that is away from its first commit on, and the fibers that waited inside. */
const shelf = (
  test: (
    script: Scripted,
    waited: Array<WeakRef<object>>
  ) => Effect.Effect<void, unknown, Shelf | StateContainer.StateOf<Shelf>>
) => {
  const script = new Scripted()
  const waited: Array<WeakRef<object>> = []
  const App = Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
    StateContainer.layerStore(Shelf, { store: Store, retry: Schedule.spaced("1 minute") }),
    Shelf.layer({
      init: 0,
      handlers: {
        Put: (_, { n }) => [n, n],
        Look: (held) => [held, held],
        Doze: (held) => Next.reply(held, held, { hibernate: true }),
        Drowse: (held) => Next.noReply(held, { hibernate: true }),
        Wait: (held, { n }) =>
          Effect.gen(function*() {
            const barrier = Effect.withFiber((fiber) => {
              waited.push(new WeakRef(fiber))
              return GenServer.stored
            })
            const fibers = yield* Effect.forEach(Array.from({ length: n }), () =>
              Effect.forkScoped(barrier, { startImmediately: true }))
            yield* Fiber.interruptAll(fibers)
            return held
          })
      }
    })
  ]).pipe(Layer.provide(storeLayer(script)))
  return Effect.gen(function*() {
    yield* now(Effect.exit((yield* Shelf).Put({ n: 7 }, { timeout: "infinity" })))
    yield* Effect.ensuring(
      test(script, waited),
      Effect.suspend(() => {
        script.before = () => Effect.void
        return TestClock.adjust("1 minute")
      })
    )
  }).pipe(
    Effect.provide(App),
    quiet
  )
}

/** Fibers, and how many of them can still be reached. */
const fibers = () => {
  const made: Array<WeakRef<object>> = []
  const all = reachable(made)
  const marked = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.withFiber<A, E, R>((fiber) => {
      made.push(new WeakRef(fiber))
      return effect
    })
  const left = Effect.suspend(() => reachable(made, few))
  return { marked, all, left }
}

describe("while the store is away", () => {
  it.effect(`${many} reads that have timed out leave nothing; the answers that are waited for come when it is back`, () =>
    shelf(Effect.fnUntraced(function*(script) {
      const own = yield* Shelf
      script.before = onAll(away)
      yield* turns
      const made: Array<WeakRef<object>> = []
      const look = (timeout: "1 second" | "infinity") => {
        const payload = { n: made.length }
        made.push(new WeakRef(payload))
        return now(Effect.exit(own.Look(payload, { timeout })))
      }
      const before = yield* look("infinity")
      yield* Effect.forEach(Array.from({ length: many }), () => look("1 second"), { discard: true })
      const after = yield* look("infinity")
      assert.isAtLeast(yield* reachable(made), many)
      yield* TestClock.adjust("1 second")
      assert.isAtMost(yield* reachable(made, few), few)
      assert.deepStrictEqual([before.pollUnsafe(), after.pollUnsafe()], [undefined, undefined])
      script.before = () => Effect.void
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual([yield* Fiber.join(before), yield* Fiber.join(after)], [Exit.succeed(7), Exit.succeed(7)])
    })))

  it.effect(`${some} reads that were interrupted leave nothing`, () =>
    shelf(Effect.fnUntraced(function*(script) {
      const [own, made] = [yield* Shelf, new Array<WeakRef<object>>()]
      script.before = onAll(away)
      yield* turns
      const callers = yield* Effect.forEach(Array.from({ length: some }), (_, n) => {
        const payload = { n }
        made.push(new WeakRef(payload))
        return now(own.Look(payload))
      })
      assert.strictEqual(yield* reachable(made), some)
      yield* Fiber.interruptAll(callers.splice(0))
      assert.isAtMost(yield* reachable(made, few), few)
    })))

  it.effect(`${some} that hibernated, and have timed out, leave nothing`, () =>
    shelf(Effect.fnUntraced(function*(script) {
      const [own, { left, marked }] = [yield* Shelf, fibers()]
      script.before = onAll(away)
      yield* turns
      yield* Effect.forEach(
        Array.from({ length: some }),
        (_, n) => now(Effect.exit(marked(own.Doze({ n }, { timeout: "1 second" })))),
        { discard: true }
      )
      yield* TestClock.adjust("1 second")
      assert.isAtMost(yield* left, few)
    })))

  it.effect(`one that hibernated ${some} times, and was woken each time, waits for the store once`, () =>
    shelf(Effect.fnUntraced(function*(script) {
      const [own, rests] = [yield* Shelf, new Array<WeakRef<object>>()]
      const server = own[Process.processOf]
      assert(server instanceof ServerProcess)
      script.before = onAll(away)
      yield* turns
      for (let n = 0; n < some; n++) {
        yield* own.Drowse()
        yield* turns
        rests.push(new WeakRef(server.occasional!.rest!))
      }
      assert.isAtMost(yield* reachable(rests, few), few)
    })))

  it.effect(`${many} that waited for GenServer.stored and were interrupted leave nothing`, () =>
    shelf(Effect.fnUntraced(function*(script, waited) {
      const own = yield* Shelf
      script.before = onAll(away)
      yield* turns
      for (let n = 0; n < many; n += some) {
        yield* own.Wait({ n: some })
        while (waited.length < n + some) yield* turns
      }
      yield* turns
      assert.isAtMost(yield* reachable(waited, few), few)
    })))

  for (
    const [what, act] of [
      ["get", (own: Companion<number>) => own.get],
      ["set", (own: Companion<number>) => own.set(1)],
      ["clear", (own: Companion<number>) => own.clear],
      ["look at snapshots", (own: Companion<number>) => own.snapshots]
    ] as const
  ) {
    it.effect(`${some} who wanted to ${what}, and were interrupted, leave nothing`, () =>
      shelf(Effect.fnUntraced(function*(script) {
        const { all, left, marked } = fibers()
        const companion = (yield* Shelf.StateContainer).for()
        script.before = onAll(away)
        yield* turns
        const waiting = yield* Effect.forEach(Array.from({ length: some }), () => now(marked(act(companion))))
        assert.strictEqual(yield* all, some)
        yield* Fiber.interruptAll(waiting.splice(0))
        // The clock of tests keeps those that slept until then.
        yield* TestClock.adjust("1 minute")
        assert.isAtMost(yield* left, few)
        script.before = () => Effect.void
        yield* TestClock.adjust("1 minute")
        yield* act(companion)
      })))
  }

  it.effect(`${some} states that were set and cleared again are removed once`, () =>
    shelf(Effect.fnUntraced(function*(script) {
      const { left, marked } = fibers()
      const companion = (yield* Shelf.StateContainer).for()
      script.before = onAll(away)
      yield* turns
      const setAndCleared = marked(Effect.andThen(now(companion.set(1)), companion.clear))
      const waiting = yield* Effect.forEach(Array.from({ length: some }), () => now(setAndCleared))
      yield* Fiber.interruptAll(waiting.splice(0))
      assert.isAtMost(yield* left, few)
      script.before = () => Effect.void
      const before = script.count("remove")
      yield* TestClock.adjust("1 minute")
      assert.isAtMost(script.count("remove") - before, 1)
      assert.deepStrictEqual(yield* script.states("test/Shelf"), [])
    })))
})
