/**
 * Stores with real processes: killed at any moment, and two at once. `KILLS=100` kills more often.
 *
 * The moments are of real time, which a property could neither repeat nor shrink: they are drawn from the context's seeded
 * Random.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Random, type Scope } from "effect"
import { join } from "node:path"
import { folder } from "../../../kit/Folder.ts"
import { failures, last, numbers, start, type Writer } from "../../../kit/stores/Processes.ts"
import { usePostgres } from "../../../kit/stores/UsePostgres.ts"

const kills = Number(process.env["KILLS"] ?? 2)
const takeovers = Math.max(3, kills / 3)
const seed = process.env["SEED"] ?? String(Math.floor(Math.random() * 1e9))

const postgres = usePostgres()

let tables = 0
const subjects: ReadonlyArray<readonly [name: string, args: Effect.Effect<ReadonlyArray<string>, never, Scope.Scope>]> =
  [
    ["files", Effect.map(folder, (directory) => ["file", join(directory, "store")])],
    ["SQLite", Effect.map(folder, (directory) => ["sqlite", join(directory, "test.db"), "NORMAL"])],
    ["PostgreSQL", Effect.sync(() => ["postgres", String(postgres().port), `writers_${++tables}`])]
  ]

/** What every writer promises: it acknowledges in order, from what it found on. */
const check = (writer: Writer) => {
  assert.deepStrictEqual(failures(writer), [])
  const [loaded = 0] = numbers(writer, "loaded")
  const acked = numbers(writer, "acked")
  assert.deepStrictEqual(acked, acked.map((_, i) => loaded + 1 + i))
}

for (const [name, place] of subjects) {
  describe(`${name}, with real processes (seed ${seed})`, () => {
    it.live(
      `every update acknowledged before kill -9 is found by the next process, ${kills} times`,
      () =>
        Effect.gen(function*() {
          const args = yield* place
          let acknowledged = 0
          for (let i = 0; i < kills; i++) {
            const writer = yield* start(args)
            yield* writer.printed("acked", 1 + (yield* Random.nextIntBetween(0, 200)))
            yield* writer.kill
            check(writer)
            assert.isAtLeast(numbers(writer, "loaded")[0]!, acknowledged)
            acknowledged = last(writer)
          }
          assert.isAbove(acknowledged, kills)
        }).pipe(Random.withSeed(`kill ${seed}`)),
      20_000 + kills * 5_000
    )

    it.live(
      "a process that takes over finds all that was acknowledged, and the one before is fenced off",
      () =>
        Effect.gen(function*() {
          const args = yield* place
          const writers: Array<Writer> = []
          for (let i = 0; i < takeovers; i++) {
            const writer = yield* start(args)
            writers.push(writer)
            yield* writer.printed("acked", 1 + (yield* Random.nextIntBetween(0, 50)))
          }
          yield* writers.at(-1)!.kill
          for (const [i, writer] of writers.entries()) {
            yield* writer.ended
            check(writer)
            if (i === 0) continue
            const before = writers[i - 1]!
            assert.strictEqual(before.lines.at(-1), "fenced")
            // Nothing was acknowledged to the older one that the younger one did not find: its last write came before.
            assert.isAtLeast(numbers(writer, "loaded")[0]!, last(before))
          }
        }).pipe(Random.withSeed(`takeover ${seed}`)),
      120_000
    )
  })
}
