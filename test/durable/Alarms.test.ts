/**
 * Timers over a store whose process is killed at any moment: each rings, and none counts twice.
 *
 * The moments are of real time, which a property could neither repeat nor shrink: they are drawn from the context's
 * seeded Random.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Random } from "effect"
import { join } from "node:path"
import { bundle } from "../kit/Bundle.ts"
import { killAlarms } from "../kit/durable/Alarms.ts"
import { folder } from "../kit/Folder.ts"

const kills = Number(process.env["KILLS"] ?? 2)
const seed = process.env["SEED"] ?? String(Math.floor(Math.random() * 1e9))

const places = {
  "a SQLite database": Effect.map(folder, (directory) => `sqlite:${join(directory, "alarms.db")}`),
  "a folder": Effect.map(folder, (directory) => `file:${join(directory, "alarms")}`)
}

describe.concurrent(`timers whose process is killed at any moment (seed ${seed})`, () => {
  for (const [name, place] of Object.entries(places)) {
    it.live(
      `with ${name}, each rings, and none counts twice`,
      () =>
        Effect.gen(function*() {
          const options = { kills, timers: 40 + 10 * kills, window: 1000 + 100 * kills }
          const { handled, lateness, wrong } = yield* killAlarms(
            bundle("test/kit/durable/Alarm.ts"),
            yield* place,
            options
          )
          assert.deepStrictEqual(wrong, [])
          assert.strictEqual(lateness.length, options.timers)
          assert.isAtLeast(handled, options.timers)
        }).pipe(Random.withSeed(`${name} ${seed}`)),
      120_000
    )
  }
})
