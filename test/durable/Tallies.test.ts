/**
 * A run of tally that is killed at any moment goes on where it was, and ends with the counts of a single pass. Two
 * kills find answers that do not wait for the store; `KILLS=20` kills more often.
 *
 * The moments are of real time, which a property could neither repeat nor shrink: they are drawn from the context's
 * seeded Random.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Random } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Words from "../../src/programs/tally/Words.ts"
import { bundle } from "../kit/Bundle.ts"
import { killTally } from "../kit/durable/Tallies.ts"
import { folder } from "../kit/Folder.ts"
import { usePostgres } from "../kit/stores/UsePostgres.ts"

const kills = Number(process.env["KILLS"] ?? 2)
const seed = process.env["SEED"] ?? String(Math.floor(Math.random() * 1e9))

const source = fileURLToPath(import.meta.resolve("effect/package.json")).replace("package.json", "src/Schema.ts")
const lines = fs.readFileSync(source, "utf8").split("\n").slice(0, 2000)

const postgres = usePostgres()

const places = [
  ["a SQLite database", 60, Effect.map(folder, (directory) => `sqlite:${join(directory, "tally.db")}`)],
  ["a folder", 60, Effect.map(folder, (directory) => `file:${join(directory, "tally")}`)],
  // To connect takes longer.
  ["PostgreSQL", 200, Effect.sync(() => `postgres://postgres:test@127.0.0.1:${postgres().port}/postgres`)]
] as const

describe.concurrent(`tally, killed at any moment (seed ${seed})`, () => {
  for (const [name, moment, place] of places) {
    it.live(
      `with ${name}, ${kills} times, and crashed besides, ends with the counts of a single pass`,
      () =>
        Effect.gen(function*() {
          const input = join(yield* folder, "input.txt")
          fs.writeFileSync(input, lines.join("\n"))
          const args = ["--chunk", "10", "--faults", "10", "--seed", "3", input]
          const { result } = yield* killTally(bundle("src/programs/tally.ts"), place, args, kills, moment)
          assert.strictEqual(result.lines, lines.length)
          assert.strictEqual(result.words, Words.total(Words.count(lines)))
          assert.isTrue(result.matches)
          assert.strictEqual(result.lost, 0)
          assert.isAbove(result.from ?? 0, 0)
        }).pipe(Random.withSeed(`${name} ${seed}`)),
      120_000
    )
  }
})
