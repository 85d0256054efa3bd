/**
 * Acknowledged means stored: a process of servers is killed while a client remembers its acknowledgements.
 *
 * A process dies at a moment of real time, which a property could neither repeat nor shrink: the moments are drawn from
 * the context's seeded Random.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Random } from "effect"
import { join } from "node:path"
import { bundle } from "../kit/Bundle.ts"
import { killJournals } from "../kit/durable/Journals.ts"
import { folder } from "../kit/Folder.ts"
import { usePostgres } from "../kit/stores/UsePostgres.ts"

const kills = Number(process.env["KILLS"] ?? 2)
const seed = process.env["SEED"] ?? String(Math.floor(Math.random() * 1e9))

const program = () => bundle("test/kit/durable/Journal.ts")
const postgres = usePostgres()

const places = {
  "a SQLite database": Effect.map(folder, (directory) => `sqlite:${join(directory, "states.db")}`),
  "a folder": Effect.map(folder, (directory) => `file:${join(directory, "states")}`),
  "PostgreSQL": Effect.sync(() => `postgres:postgres://postgres:test@127.0.0.1:${postgres().port}/postgres`)
}

describe(`every acknowledged update is found in the store after kill -9 (seed ${seed})`, () => {
  for (const [name, place] of Object.entries(places)) {
    it.live(
      `with ${name}, ${kills} times`,
      () =>
        Effect.gen(function*() {
          const { acknowledged, wrong } = yield* killJournals(program(), yield* place, kills)
          assert.deepStrictEqual(wrong, [])
          assert.isAbove(acknowledged, kills)
        }).pipe(Random.withSeed(`${name} ${seed}`)),
      30_000 + kills * 5_000
    )
  }

  it.live(
    "and the client would find out: with states written late it does",
    () =>
      Effect.gen(function*() {
        // One that is killed just when all is written misses nothing.
        const once = Effect.flatMap(places["a SQLite database"], (place) => killJournals(program(), place, 1, "late"))
        const { wrong } = yield* Effect.repeat(once, { until: ({ wrong }) => wrong.length > 0, times: 9 })
        assert.isAbove(wrong.length, 0)
      }).pipe(Random.withSeed(`late ${seed}`))
  )
})
