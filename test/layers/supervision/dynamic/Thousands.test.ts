/** The end of a dynamic supervisor with thousands of children: the event loop gets its turn before all were asked. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Effect, Fiber, Layer } from "effect"
import { DynamicSupervisor, ExitReason, Process, Restart, Supervisor } from "../../../../src/index.ts"
import { quiet } from "../../../kit/Log.ts"

class Workers extends DynamicSupervisor.Service<Workers>()("test/Workers") {}

const many = 2000

/** A clock that is a millisecond later each time that it is looked at. */
const ticking = Clock.clockWith((clock) => {
  let now = clock.monotonicTimeNanosUnsafe()
  const own: Clock.Clock = Object.create(clock)
  return Effect.succeed(Object.assign(own, { monotonicTimeNanosUnsafe: () => (now += 1_000_000n) }))
})

const app = Supervisor.layer({ id: "app", strategy: "one_for_one" }, [
  Workers.layer({ restart: Restart.intensity({ restarts: 1000, within: "1 hour" }) })
]).pipe(Layer.provide(Layer.effect(Clock.Clock, ticking)))

const ends = {
  "in order": (workers: typeof Workers.Service) => workers.stop(),
  "by a kill": (workers: typeof Workers.Service) => Process.kill(workers),
  "in order, and then by a kill": (workers: typeof Workers.Service) =>
    Effect.andThen(Effect.forkDetach(workers.stop(), { startImmediately: true }), Process.kill(workers))
}

describe("thousands of children that stop with their supervisor", () => {
  for (const [how, end] of Object.entries(ends)) {
    it.live(`leave the event loop its turn, ${how}; none comes back, and each ends once`, () =>
      Effect.gen(function*() {
        const workers = yield* Workers
        const [ended, released] = [new Map<unknown, number>(), new Set<number>()]
        const all = yield* Effect.forEach(Array.from({ length: many }, (_, i) => i), (i) =>
          workers.startChild(Supervisor.workerRecipe(
            "one",
            Effect.andThen(
              Effect.addFinalizer(() =>
                Effect.sync(() => released.add(i))
              ),
              Effect.never
            )
          )))
        for (const one of all) {
          yield* Effect.forkDetach(
            Effect.andThen(Process.awaitExit(one), Effect.sync(() => ended.set(one, (ended.get(one) ?? 0) + 1))),
            { startImmediately: true }
          )
        }
        const over = yield* Effect.forkDetach(Process.awaitExit(workers), { startImmediately: true })
        yield* Effect.forkDetach(end(workers), { startImmediately: true })
        const left = (yield* workers.countChildren).active
        assert.isTrue(left > 2 && left < many, `${left} are left`)
        // What comes to an end before it is asked: by itself, and by another's order.
        yield* Process.exit(all.at(-1)!, ExitReason.crashed(Cause.die("x")))
        yield* Effect.exit(workers.terminateChild(all.at(-2)!))
        yield* Fiber.join(over)
        assert.strictEqual((yield* workers.countChildren).active, 0)
        assert.deepStrictEqual([released.size, ended.size, Math.max(...ended.values())], [many, many, 1])
      }).pipe(Effect.provide(app), quiet))
  }
})
