import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Context, Duration, Effect, Exit, Fiber, Random, Schedule } from "effect"
import { TestClock } from "effect/testing"
import { Machine, Stuck, World } from "../../../src/layers/testing/VirtualTime.ts"
import { VirtualTime } from "../../../src/testing.ts"

const millis = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6)

/** Ten fibers that take five turns each, and who took each turn. */
const race = Effect.gen(function*() {
  const turns: Array<number> = []
  yield* Effect.forEach(
    Array.from({ length: 10 }, (_, i) => i),
    (i) => Effect.repeat(Effect.andThen(Effect.sync(() => turns.push(i)), Effect.yieldNow), { times: 4 }),
    { concurrency: "unbounded", discard: true }
  )
  return turns.join("")
})

const stuckOf = <A, E>(exit: Exit.Exit<A, E>): Stuck => {
  const stuck = exit._tag === "Failure" ? Cause.squash(exit.cause) : undefined
  return stuck instanceof Stuck ? stuck : assert.fail("it is not stuck")
}

describe("virtual time", () => {
  it.effect("passes when nothing is left to do, and takes none", () =>
    Effect.gen(function*() {
      const slept = Effect.gen(function*() {
        yield* Effect.sleep("1 day")
        yield* Effect.repeat(Effect.void, Schedule.max([Schedule.spaced("1 hour"), Schedule.recurs(3)]))
        return yield* millis
      })
      assert.strictEqual(yield* VirtualTime.run(slept), 27 * 3_600_000)
    }))

  it.effect("wakes sleepers in the order of their times, and moves no further than the next", () =>
    Effect.gen(function*() {
      const woken: Array<string> = []
      const sleeper = (n: number) =>
        Effect.andThen(Effect.sleep(n), Effect.map(millis, (now) => void woken.push(`${n} at ${now}`)))
      yield* VirtualTime.run(Effect.forEach([30, 10, 20, 10.5, 20], sleeper, { concurrency: "unbounded" }))
      assert.deepStrictEqual(woken, ["10 at 10", "10.5 at 10.5", "20 at 20", "20 at 20", "30 at 30"])
    }))

  it.effect("begins on the first of January 2026, or where it is told to", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* VirtualTime.run(Clock.currentTimeMillis), Number(new Date("2026-01-01T00:00:00Z")))
      const later = Effect.andThen(Effect.sleep("1 second"), Clock.currentTimeNanos)
      assert.strictEqual(yield* VirtualTime.run(later, { start: 500.25 }), 1_500_250_000n)
    }))

  it.effect("is not the time of the test around it", () =>
    Effect.gen(function*() {
      yield* VirtualTime.run(Effect.sleep("1 hour"))
      assert.strictEqual(yield* Clock.currentTimeMillis, 0)
    }))

  it.effect("lets a sleep of no time pass, and one without end wait", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* VirtualTime.run(Effect.andThen(Effect.sleep(-5), millis)), 0)
      assert.strictEqual(stuckOf(yield* Effect.exit(VirtualTime.run(Effect.sleep(Infinity)))).millis, 0)
    }))

  it.effect("a sleep that is interrupted wakes nothing, and the time does not stop there", () =>
    Effect.gen(function*() {
      const interrupted = Effect.gen(function*() {
        const sleeping = yield* Effect.forkChild(Effect.sleep("1 minute"), { startImmediately: true })
        yield* Fiber.interrupt(sleeping)
        yield* Effect.sleep("1 hour")
        return yield* millis
      })
      assert.strictEqual(yield* VirtualTime.run(interrupted), 3_600_000)
    }))
})

describe("a seed", () => {
  it.effect("gives the same run, and another seed another one", () =>
    Effect.gen(function*() {
      const drawn = yield* VirtualTime.run(race, { seed: 1 })
      assert.strictEqual(yield* VirtualTime.run(race, { seed: 1 }), drawn)
      assert.strictEqual(yield* VirtualTime.run(race), yield* VirtualTime.run(race, { seed: 0 }))
      const others = yield* Effect.forEach([2, 3, "four"], (seed) => VirtualTime.run(race, { seed }))
      assert.strictEqual(new Set([drawn, ...others]).size, 4)
      assert.strictEqual([...drawn].sort().join(""), "0123456789".split("").map((n) => n.repeat(5)).join(""))
    }))

  it.effect("draws what Random draws, apart from the turns", () =>
    Effect.gen(function*() {
      const draws = Effect.replicateEffect(Effect.all([Random.next, Random.nextInt]), 50)
      const drawn = yield* VirtualTime.run(draws, { seed: 1 })
      const after = Effect.andThen(race, draws)
      assert.deepStrictEqual(yield* VirtualTime.run(after, { seed: 1, yields: 0.5 }), drawn)
      assert.notDeepEqual(yield* VirtualTime.run(draws, { seed: 2 }), drawn)
      for (const [next, integer] of drawn) {
        assert.isTrue(next >= 0 && next < 1)
        assert.isTrue(Number.isSafeInteger(integer))
      }
      const half = Number.MAX_SAFE_INTEGER / 2
      assert.isTrue(drawn.some(([, integer]) => integer < -half) && drawn.some(([, integer]) => integer > half))
    }))

  it.effect("runs each of thousands of tasks once, in the order of their arrival", () =>
    Effect.gen(function*() {
      const seen: Array<number> = []
      const many = Effect.forEach(
        Array.from({ length: 5000 }, (_, n) => n),
        (n) => Effect.forkChild(Effect.andThen(Effect.yieldNow, Effect.sync(() => seen.push(n))))
      )
      yield* VirtualTime.run(Effect.flatMap(many, Fiber.joinAll), { order: "arrival" })
      assert.deepStrictEqual(seen, Array.from({ length: 5000 }, (_, n) => n))
    }))

  it.effect("draws nothing where tasks run in the order of their arrival", () =>
    Effect.gen(function*() {
      const inOrder = yield* VirtualTime.run(race, { order: "arrival", seed: 1 })
      assert.strictEqual(inOrder, "0123456789".repeat(5))
      assert.strictEqual(yield* VirtualTime.run(race, { order: "arrival", seed: 2 }), inOrder)
    }))

  it.effect("takes turns away from fibers, if told to", () =>
    Effect.gen(function*() {
      const busy = Effect.gen(function*() {
        const turns: Array<number> = []
        const work = Effect.fnUntraced(function*(i: number) {
          for (let n = 0; n < 10; n++) yield* Effect.sync(() => turns.push(i))
        })
        yield* Effect.forEach([0, 1], work, { concurrency: "unbounded" })
        return turns.join("")
      })
      assert.strictEqual(yield* VirtualTime.run(busy, { order: "arrival" }), "0".repeat(10) + "1".repeat(10))
      assert.match(yield* VirtualTime.run(busy, { order: "arrival", yields: 0.2 }), /1.*0/)
    }))

  it.effect("lets timers come before tasks that are ready, if told to, when they are due soon", () =>
    Effect.gen(function*() {
      const awaiting = (sleep: number) =>
        Effect.gen(function*() {
          const sleeping = yield* Effect.forkChild(Effect.sleep(sleep), { startImmediately: true })
          let turns = 0
          while (sleeping.pollUnsafe() === undefined && turns++ < 1000) yield* Effect.yieldNow
          return turns
        })
      assert.isBelow(yield* VirtualTime.run(awaiting(10), { lag: 0.1 }), 500)
      assert.isAbove(yield* VirtualTime.run(awaiting(10)), 1000)
      assert.isAbove(yield* VirtualTime.run(awaiting(11), { lag: 0.1 }), 1000)
    }))
})

describe("a run", () => {
  it.effect("ends as its Effect does", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* Effect.exit(VirtualTime.run(Effect.fail("no"))), Exit.fail("no"))
      assert.deepStrictEqual(yield* Effect.exit(VirtualTime.run(Effect.die("boom"))), Exit.die("boom"))
      const interrupted = yield* Effect.exit(VirtualTime.run(Effect.andThen(Effect.sleep(1), Effect.interrupt)))
      assert.isTrue(Exit.isFailure(interrupted) && Cause.hasInterruptsOnly(interrupted.cause))
    }))

  it.effect("has what the caller has in its context", () =>
    Effect.gen(function*() {
      const Name = Context.Service<"Name", string>("Name")
      const name = VirtualTime.run(Effect.andThen(Effect.sleep("1 hour"), Effect.service(Name)))
      assert.strictEqual(yield* Effect.provideService(name, Name, "here"), "here")
    }))

  it.effect("that waits for something real is stuck, and says so", () =>
    Effect.gen(function*() {
      const real = Effect.andThen(Effect.sleep("1 second"), Effect.promise(() => Promise.resolve(1)))
      const stuck = stuckOf(yield* Effect.exit(VirtualTime.run(real)))
      assert.deepStrictEqual([stuck.why, stuck.millis], ["nothing is left to run", 1000])
      assert.match(stuck.message, /after 1000 ms .* a promise, a file or a socket/)
    }))

  it.effect("in which no time passes any more is stuck, and says so", () =>
    Effect.gen(function*() {
      const busy = Effect.andThen(Effect.sleep("1 second"), Effect.forever(Effect.yieldNow))
      const stuck = stuckOf(yield* Effect.exit(VirtualTime.run(busy)))
      assert.deepStrictEqual([stuck.why, stuck.millis], ["no time passes", 1000])
      assert.match(stuck.message, /without ever sleeping/)
    }))

  it.effect("runs the finalizers of an interrupted fiber to their end, as TestClock does not with its first sleep", () => {
    const released = Effect.gen(function*() {
      const log: Array<string> = []
      const note = (what: string) => Effect.sync(() => log.push(what))
      const release = Effect.andThen(note("releasing"), Effect.andThen(Effect.sleep("10 seconds"), note("released")))
      const fiber = yield* Effect.forkChild(Effect.ensuring(Effect.never, release), { startImmediately: true })
      fiber.interruptUnsafe()
      return { fiber, log }
    })
    return Effect.gen(function*() {
      const virtual = Effect.tap(released, ({ fiber }) => Fiber.await(fiber))
      assert.deepStrictEqual((yield* VirtualTime.run(virtual)).log, ["releasing", "released"])
      const { fiber, log } = yield* released
      yield* TestClock.adjust("1 minute")
      assert.isDefined(fiber.pollUnsafe())
      assert.deepStrictEqual(log, ["releasing"], "TestClock is mended: docs/testing.md need not warn of it any more")
    })
  })
})

describe("a machine", () => {
  it("that is switched off runs nothing any more, not even finalizers; what others do goes on", () => {
    const world = new World()
    const machines = [new Machine(world), new Machine(world)] as const
    const log: Array<string> = []
    const work = (name: string) =>
      Effect.ensuring(
        Effect.forever(Effect.andThen(Effect.sleep(Duration.seconds(1)), Effect.sync(() => log.push(name)))),
        Effect.sync(() => log.push(`${name} released`))
      )
    for (const [i, { context }] of machines.entries()) Effect.runForkWith(context)(work(`m${i}`))
    world.runUntil(() => world.now >= 2000 && log.length === 4)
    assert.deepStrictEqual(log.sort(), ["m0", "m0", "m1", "m1"])
    world.settle()
    assert.strictEqual(world.sleeping, 2)
    machines[0].isOff = true
    assert.strictEqual(world.sleeping, 1)
    world.runUntil(() => world.now >= 4000 && log.length === 6)
    assert.deepStrictEqual(log.slice(4), ["m1", "m1"])
    machines[1].isOff = true
    assert.strictEqual(world.sleeping, 0)
  })
})
