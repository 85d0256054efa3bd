/** One process owns a store: with real processes, that start at once, are killed, stopped, or come second. */
import { assert, it } from "@effect/vitest"
import { Effect, Fiber, type Scope } from "effect"
import { SqlClient } from "effect/sql"
import { join } from "node:path"
import { bundle } from "../../../kit/Bundle.ts"
import { type Running, start } from "../../../kit/durable/Processes.ts"
import { folder } from "../../../kit/Folder.ts"
import { usePostgres } from "../../../kit/stores/UsePostgres.ts"

const postgres = usePostgres()

let schemas = 0

/** The stores that other processes can reach: where each is, in a place of its own. */
const subjects: ReadonlyArray<readonly [name: string, place: Effect.Effect<string, never, Scope.Scope>]> = [
  ["SQLite", Effect.map(folder, (at) => `sqlite:${join(at, "app.db")}`)],
  ["files", Effect.map(folder, (at) => `file:${join(at, "states")}`)],
  [
    "PostgreSQL",
    Effect.suspend(() => {
      const schema = `s${++schemas}`
      const create = Effect.flatMap(SqlClient.SqlClient, (sql) => sql.unsafe(`CREATE SCHEMA ${schema}`))
      const url = `postgres://postgres:test@127.0.0.1:${postgres().port}/postgres?options=-csearch_path%3D${schema}`
      return Effect.as(Effect.orDie(Effect.provide(create, postgres().client)), `postgres:${url}`)
    })
  ]
]

/** `ROUNDS=20` for a long run, in which more of them start at once. */
const rounds = Number(process.env["ROUNDS"] ?? 1)
const several = rounds === 1 ? 2 : 5

const owner = (place: string, ownership: "exclusive" | "youngest", patience = 30_000) =>
  start(bundle("test/kit/stores/Owner.ts"), [place, ownership, String(patience)])

const owners = (count: number, place: string, ownership: "exclusive" | "youngest") =>
  Effect.forEach(Array.from({ length: count }), () => owner(place, ownership, 300), { concurrency: "unbounded" })

/** All of them are open, or have ended. */
const begun = (all: ReadonlyArray<Running>) =>
  Effect.forEach(all, (one) => Effect.raceFirst(one.printed("open "), one.ended), { concurrency: "unbounded" })

/** The one of those that start exclusively that is open; the others have ended, and have said who has it. */
const first = Effect.fnUntraced(function*(at: string) {
  const all = yield* owners(several, at, "exclusive")
  yield* begun(all)
  const open = all.filter(({ lines }) => lines.some((line) => line.startsWith("open ")))
  assert.lengthOf(open, 1)
  const [one] = open
  const pid = one!.lines.find((line) => line.startsWith("open "))!.slice("open ".length)
  for (const other of all) {
    if (other === one) continue
    assert.strictEqual(yield* other.ended, 1)
    const text = `open of the state store .* process ${pid} on .* \\(since 20.*\\) has it, and has not left it within`
    assert.match(other.lines.at(-1)!, new RegExp(text))
  }
  return one!
})

/** The one that is left of those that start at once and take over. */
const left = Effect.fnUntraced(function*(at: string) {
  const all = yield* owners(several, at, "youngest")
  // Nothing is asked of them: they learn it by themselves.
  const ends = yield* Effect.forEach(all, (one) => Effect.forkChild(one.ended))
  yield* begun(all)
  yield* Effect.repeat(Effect.sleep(50), {
    until: () => ends.filter((end) => end.pollUnsafe() === undefined).length === 1
  })
  const last = all.find((_, i) => ends[i]!.pollUnsafe() === undefined)!
  // Also one that learns it while its servers are still starting.
  const over = /a younger session has taken over/
  for (const one of all) if (one !== last) assert.match(one.lines.at(-1)!, over)
  yield* Fiber.interruptAll(ends)
  return last
})

for (const [name, place] of subjects) {
  // One life, since what it takes are processes: some start at once, one waits for the one that is killed, some take
  // over.
  it.live(
    `of several that start at once one owns the store, and who waits has it when that one is killed, stopped or not (${name})`,
    () =>
      Effect.gen(function*() {
        for (let round = 0; round < rounds; round++) {
          yield* Effect.scoped(Effect.gen(function*() {
            const at = yield* place
            const one = yield* first(at)
            yield* one.say("add")
            yield* one.printed("added 1")
            // It does not run, and has the store all the same.
            yield* one.signal("SIGSTOP")
            const second = yield* owner(at, "exclusive")
            yield* second.printed("waits ")
            yield* one.kill
            yield* second.printed("open ")
            yield* second.say("add")
            yield* second.printed("added 2")
            const third = yield* left(at)
            // It was asked for nothing, and read nothing.
            assert.strictEqual(yield* second.ended, 1)
            assert.match(second.lines.at(-1)!, /a younger session has taken over/)
            yield* third.say("sure")
            yield* third.printed("sure 2")
            // That one has it for itself by now.
            yield* third.terminate
            yield* third.ended
            const fourth = yield* owner(at, "exclusive", 0)
            yield* fourth.printed("open ")
            yield* fourth.say("read")
            yield* fourth.printed("read 2")
          }))
        }
      }),
    60_000 * rounds
  )
}
