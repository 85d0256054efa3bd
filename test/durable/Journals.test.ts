/** Acknowledged means stored: a process of servers is killed while a client remembers what it was told. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Random, Scope } from "effect"
import { join } from "node:path"
import { killJournals } from "../kit/durable/Journals.ts"
import { build, folder } from "../kit/durable/Processes.ts"
import { Postgres } from "../kit/stores/Postgres.ts"

const kills = Number(process.env["KILLS"] ?? 6)
const seed = process.env["SEED"] ?? String(Math.floor(Math.random() * 1e9))

const scope = Scope.makeUnsafe()
let program: string
let url: string
beforeAll(async () => {
  const prepared = Effect.all([build("test/kit/durable/Journal.ts"), Layer.build(Postgres.layer)], { concurrency: 2 })
  const [built, context] = await Effect.runPromise(Effect.provideService(prepared, Scope.Scope, scope))
  program = built
  url = `postgres://postgres:test@127.0.0.1:${Context.get(context, Postgres).port}/postgres`
}, 60_000)
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)), 60_000)

const places = {
  "a SQLite database": Effect.map(folder, (directory) => `sqlite:${join(directory, "states.db")}`),
  "a folder": Effect.map(folder, (directory) => `file:${join(directory, "states")}`),
  "PostgreSQL": Effect.sync(() => `postgres:${url}`)
}

describe(`every acknowledged update is found in the store after kill -9 (seed ${seed})`, () => {
  for (const [name, place] of Object.entries(places)) {
    it.live(
      `with ${name}, ${kills} times`,
      () =>
        Effect.gen(function*() {
          const { acknowledged, wrong } = yield* killJournals(program, yield* place, kills)
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
        const { wrong } = yield* killJournals(program, yield* places["a SQLite database"], 5, "late")
        assert.isAbove(wrong.length, 0)
      }).pipe(Random.withSeed(`late ${seed}`)),
    60_000
  )
})
