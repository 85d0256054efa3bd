/** Servers that share threads, or processes: what the death of one costs, and what it does not. */
import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, References } from "effect"
import { Process } from "../../../../src/index.ts"
import { Crunch } from "../../../kit/worker/Crunch.ts"
import { crashOf, many, placesLeft, placesThatLive } from "../../../kit/worker/Places.ts"

const quiet = Layer.succeed(References.MinimumLogLevel, "None")
const forever = { timeout: "infinity" } as const

const keys = Array.from({ length: 24 }, (_, i) => `key ${i}`)

type Client = Crunch["Service"]

/** Eight servers of one thread, each with 1; and one of another thread. */
const eightOfOne = Effect.gen(function*() {
  const all = yield* Effect.forEach(keys, (key) =>
    Effect.gen(function*() {
      const crunch = yield* Crunch.at(key)
      yield* crunch.Add({ by: 1 }, forever)
      const where = yield* crunch.Where()
      return { crunch, place: `${where.process} ${where.thread}`, where }
    }))
  const [{ place }] = all as [typeof all[0], ...typeof all]
  const here = all.filter((one) => one.place === place)
  assert.isAtLeast(here.length, 8)
  return {
    eight: here.slice(0, 8),
    elsewhere: all.find((one) => one.place !== place)!,
    places: new Set(all.map((one) => one.place)).size
  }
})

const begin = <A, E>(effect: Effect.Effect<A, E>) => Effect.forkChild(Effect.exit(effect), { startImmediately: true })

/** The first does something that its thread dies of, and seven others send beside it. */
const beside = Effect.fnUntraced(
  function*(eight: ReadonlyArray<{ readonly crunch: Client }>, culprit: Effect.Effect<unknown, unknown>) {
    const fallen = yield* begin(culprit)
    const innocent = yield* Effect.forEach(eight.slice(1), ({ crunch }) => begin(crunch.Add({ by: 1 }, forever)))
    return {
      culprit: yield* Fiber.join(fallen),
      innocent: yield* Effect.forEach(innocent, (fiber) => Fiber.join(fiber))
    }
  }
)

const answered = Array.from({ length: 7 }, () => Exit.succeed(2))

for (const place of ["thread", "process"] as const) {
  describe(`eight servers in one ${place} of a pool`, () => {
    it.live("share it, seven of them are answered when it dies of the eighth's message, and nothing is left of it", () =>
      Effect.gen(function*() {
        const first = yield* placesThatLive
        yield* Effect.gen(function*() {
          const { eight, elsewhere, places } = yield* eightOfOne
          assert.strictEqual(places, 2)
          const { culprit, innocent } = yield* beside(eight, eight[0]!.crunch.Exit({ code: 5 }))
          assert.include(crashOf(culprit), "exited with code 5")
          assert.deepStrictEqual(innocent, answered)
          assert.strictEqual(yield* eight[0]!.crunch.Add({ by: 1 }), 2)
          // Those that had nothing in hand, and those elsewhere, are the incarnations that they were.
          const { incarnation } = yield* eight[1]!.crunch.Where()
          assert.strictEqual(incarnation, 1)
          assert.deepStrictEqual(yield* elsewhere.crunch.Where(), elsewhere.where)
        }).pipe(Effect.provide(many({ placement: place, size: 2, spare: place === "thread" })))
        assert.deepStrictEqual(yield* placesLeft(first), first)
      }).pipe(Effect.provide(quiet)))
  })
}

describe("a server in a thread of a pool", () => {
  const pool = many({ size: 2, spare: false, keyed: { shutdown: "50 millis" } })

  layer(Layer.provide(pool, quiet), { excludeTestServices: true })((it) => {
    it.effect("is interrupted before its message was begun, and costs the others nothing", () =>
      Effect.gen(function*() {
        const { eight } = yield* eightOfOne
        const burning = yield* begin(eight[0]!.crunch.Burn({ millis: 100 }))
        yield* begin(eight[1]!.crunch.Add({ by: 1 }, forever))
        yield* Process.kill(eight[1]!.crunch)
        assert.deepStrictEqual(yield* Fiber.join(burning), Exit.succeed(1))
        assert.strictEqual(yield* eight[1]!.crunch.Add({ by: 0 }), 1)
      }))

    it.effect("takes it along when it is killed in an endless loop, once its time is over; the others are answered", () =>
      Effect.gen(function*() {
        const { eight } = yield* eightOfOne
        const looping = yield* begin(eight[0]!.crunch.Loop({}, forever))
        const waiting = yield* Effect.forEach(eight.slice(1), ({ crunch }) => begin(crunch.Add({ by: 0 }, forever)))
        yield* Process.kill(eight[0]!.crunch)
        assert.include(String(yield* Fiber.join(looping)), "was ended (killed)")
        assert.deepStrictEqual(
          yield* Effect.forEach(waiting, (fiber) => Fiber.join(fiber)),
          Array.from({ length: 7 }, () => Exit.succeed(2))
        )
      }))
  })
})
