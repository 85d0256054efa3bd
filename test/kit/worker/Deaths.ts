/** Kills threads in the middle of messages, in each way that one can die, and looks for what is left or lost. */
import { Clock, Effect, Exit, Layer, Random, References } from "effect"
import { spawn } from "node:child_process"
import { availableParallelism } from "node:os"
import process from "node:process"
import { Crunch } from "./Crunch.ts"
import { many, one, placesLeft, placesThatLive } from "./Places.ts"

const quiet = Layer.succeed(References.MinimumLogLevel, "None")
const forever = { timeout: "infinity" } as const
const keys = Array.from({ length: 8 }, (_, i) => `key ${i}`)

/** What a run came to. */
export interface Deaths {
  readonly deaths: number
  readonly acknowledged: number
  readonly wrong: ReadonlyArray<string>
}

/** Counts in eight servers of two threads, of which so many die. */
export const killThreads = (count: number, seed: string): Effect.Effect<Deaths> =>
  Effect.gen(function*() {
    const first = yield* placesThatLive
    const wrong: Array<string> = []
    let [deaths, acknowledged] = [0, 0]
    yield* Effect.gen(function*() {
      const counted = new Map(keys.map((key) => [key, 0]))
      while (deaths < count) {
        const victim = keys[yield* Random.nextIntBetween(0, keys.length - 1)]!
        const by = yield* Random.nextIntBetween(0, 2)
        const dies = Effect.flatMap(
          Crunch.at(victim),
          (crunch) =>
            by === 0
              ? crunch.Exit({ code: 3 })
              : by === 1
              ? crunch.ThrowLater({ after: 0 }, forever)
              : crunch.Exits({ after: 0 })
        )
        const adding = Effect.forEach(keys, (key) =>
          Effect.gen(function*() {
            const crunch = yield* Crunch.at(key)
            const exit = yield* Effect.exit(crunch.Add({ by: 1 }, forever))
            if (Exit.isFailure(exit)) return
            acknowledged++
            const before = counted.get(key)!
            counted.set(key, exit.value)
            // One whose thread died with it may have been committed, and the next answer counts it.
            if (exit.value <= before) wrong.push(`${key}: ${exit.value} after ${before}`)
          }), { concurrency: "unbounded", discard: true })
        yield* Effect.all([adding, Effect.exit(dies)], { concurrency: "unbounded", discard: true })
        deaths++
      }
      for (const key of keys) {
        const crunch = yield* Crunch.at(key)
        const last = yield* crunch.Add({ by: 0 }, forever)
        if (last < counted.get(key)!) wrong.push(`${key}: ${last} is left of ${counted.get(key)}`)
      }
    }).pipe(Effect.provide(many({ size: 2 })), Effect.orDie)
    const left = yield* Effect.timeoutOption(placesLeft(first), "10 seconds")
    if (left._tag === "None") wrong.push(`of ${first.length} threads there are ${(yield* placesThatLive).length} left`)
    return { deaths, acknowledged, wrong }
  }).pipe(Random.withSeed(seed), Effect.provide(quiet))

/** How a thread fared that was at honest work while others had the machine. */
export interface Starved {
  /** Milliseconds that its work took. */
  readonly took: number
  readonly wrong: ReadonlyArray<string>
}

/**
 * A thread of low priority computes for 600 ms, on a machine that is busy with more than it has cores. It takes longer
 * than the patience, which is 900 ms, and must not be taken for hung.
 */
export const starveThread: Effect.Effect<Starved> = Effect.gen(function*() {
  const busy = Effect.acquireRelease(
    Effect.sync(() => spawn(process.execPath, ["-e", "const end = Date.now() + 20_000; while (Date.now() < end);"])),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )
  const crunch = yield* Crunch
  yield* crunch.Add({ by: 7 })
  yield* Effect.replicateEffect(busy, 2 * availableParallelism())
  const before = yield* Clock.currentTimeMillis
  const exit = yield* Effect.exit(crunch.Starve({ millis: 600 }, forever))
  const took = (yield* Clock.currentTimeMillis) - before
  const wrong = [
    ...(Exit.isSuccess(exit) && exit.value === 7 ? [] : [`a starved thread was ended: ${String(exit)}`]),
    ...(took > 900 ? [] : [`a thread was not starved: it took ${took} ms`])
  ]
  return { took, wrong }
}).pipe(
  Effect.scoped,
  Effect.provide(one({ hang: { patience: "900 millis", action: "kill" } })),
  Effect.provide(quiet),
  Effect.orDie
)
