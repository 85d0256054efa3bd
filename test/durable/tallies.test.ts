/** A run of tally that is killed at any moment goes on where it was, and ends with the counts of a single pass. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, Exit, Random, Scope } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Words from "../../src/programs/tally/Words.ts"
import { build, folder } from "./processes.ts"
import { killTally } from "./tallies.ts"

const kills = 25
const seed = process.env["SEED"] ?? String(Math.floor(Math.random() * 1e9))

const scope = Scope.makeUnsafe()
let program: string
beforeAll(async () => {
  program = await Effect.runPromise(Effect.provideService(build("src/programs/tally.ts"), Scope.Scope, scope))
}, 60_000)
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)), 60_000)

const input = fileURLToPath(import.meta.resolve("effect/package.json")).replace("package.json", "src/Schema.ts")

const places = {
  "a SQLite database": Effect.map(folder, (directory) => `sqlite:${join(directory, "tally.db")}`),
  "a folder": Effect.map(folder, (directory) => `file:${join(directory, "tally")}`)
}

describe(`tally, killed ${kills} times (seed ${seed})`, () => {
  for (const [name, place] of Object.entries(places)) {
    it.live(
      `with ${name}, and crashed besides, ends with the counts of a single pass`,
      () =>
        Effect.gen(function*() {
          const args = ["--chunk", "20", "--faults", "10", "--seed", "3", input]
          const { result } = yield* killTally(program, place, args, kills, 80)
          const lines = fs.readFileSync(input, "utf8").replace(/\n$/, "").split("\n")
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
