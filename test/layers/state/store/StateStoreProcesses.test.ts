/**
 * Stores with real processes: killed at any moment, and two at once. `KILLS=100` kills more often.
 *
 * The moments are of real time, which a property could neither repeat nor shrink: they are drawn from the context's
 * seeded Random.
 */
import { assert, it } from "@effect/vitest"
import { Effect, Random, type Scope } from "effect"
import { join } from "node:path"
import { folder } from "../../../kit/Folder.ts"
import { failures, last, numbers, start, type Writer } from "../../../kit/stores/Processes.ts"
import { usePostgres } from "../../../kit/stores/UsePostgres.ts"

const kills = Number(process.env["KILLS"] ?? 1)
const takeovers = Math.ceil(kills / 3)
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
  // One life, since what it takes are processes: those that are killed, and those that are taken over from.
  it.live(
    `all that was acknowledged is found by the next process, after ${kills} kill -9 and ${takeovers} take-overs, and who was before is fenced off (${name}, seed ${seed})`,
    () =>
      Effect.gen(function*() {
        const args = yield* place
        let acknowledged = 0
        const begin = Effect.gen(function*() {
          const writer = yield* start(args)
          yield* writer.printed("acked", 1 + (yield* Random.nextIntBetween(0, 50)))
          return writer
        })
        for (let i = 0; i < kills; i++) {
          const writer = yield* begin
          yield* writer.kill
          check(writer)
          assert.isAtLeast(numbers(writer, "loaded")[0]!, acknowledged)
          acknowledged = last(writer)
        }
        assert.isAtLeast(acknowledged, kills)
        let before = yield* begin
        check(before)
        assert.isAtLeast(numbers(before, "loaded")[0]!, acknowledged)
        for (let i = 0; i < takeovers; i++) {
          const writer = yield* begin
          yield* before.ended
          check(before)
          assert.strictEqual(before.lines.at(-1), "fenced")
          // Nothing was acknowledged to the older one that the younger one did not find: its last write came before.
          assert.isAtLeast(numbers(writer, "loaded")[0]!, last(before))
          before = writer
        }
        yield* before.kill
        check(before)
      }).pipe(Random.withSeed(`${name} ${seed}`)),
    20_000 + (kills + takeovers) * 5_000
  )
}
