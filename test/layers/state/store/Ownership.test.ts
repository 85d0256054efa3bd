/** One process owns a store: with real processes, that start at once, are killed, stopped, or come second. */
import { assert, describe, it } from "@effect/vitest"
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
const several = rounds === 1 ? 3 : 5

const owner = (place: string, ownership: "exclusive" | "youngest", patience = 30_000) =>
  start(bundle("test/kit/stores/Owner.ts"), [place, ownership, String(patience)])

const owners = (count: number, place: string, ownership: "exclusive" | "youngest") =>
  Effect.forEach(Array.from({ length: count }), () => owner(place, ownership, 300), { concurrency: "unbounded" })

/** The one of them that is open when all are, or have ended. */
const oneOf = Effect.fnUntraced(function*(all: ReadonlyArray<Running>) {
  yield* Effect.forEach(all, (one) => Effect.raceFirst(one.printed("open "), one.ended), { concurrency: "unbounded" })
  const open = all.filter(({ lines }) => lines.some((line) => line.startsWith("open ")))
  assert.lengthOf(open, 1)
  const [one] = open
  const pid = one!.lines.find((line) => line.startsWith("open "))!.slice("open ".length)
  return { one: one!, pid, others: all.filter((other) => other !== one) }
})

for (const [name, place] of subjects) {
  describe(`${name}: one process owns a store`, () => {
    it.live("of several that start at once one is left, and the others say who has it", () =>
      Effect.gen(function*() {
        for (let round = 0; round < rounds; round++) {
          const at = yield* place
          const left = yield* oneOf(yield* owners(several, at, "exclusive"))
          for (const one of left.others) {
            assert.strictEqual(yield* one.ended, 1)
            const text =
              `open of the state store .* process ${left.pid} on .* \\(since 20.*\\) has it, and has not left it within`
            assert.match(one.lines.at(-1)!, new RegExp(text))
          }
          yield* left.one.say("add")
          yield* left.one.printed("added 1")
        }
      }), 60_000)

    it.live(
      "of those that start at once and take over one is left, too, and the others end by themselves",
      () =>
        Effect.gen(function*() {
          for (let round = 0; round < rounds; round++) {
            const at = yield* place
            const all = yield* owners(several, at, "youngest")
            // Nothing is asked of them: they learn it by themselves.
            const ends = yield* Effect.forEach(all, (one) => Effect.forkChild(one.ended))
            yield* Effect.forEach(all, (one) => Effect.raceFirst(one.printed("open "), one.ended), {
              concurrency: "unbounded"
            })
            yield* Effect.repeat(Effect.sleep(50), {
              until: () => ends.filter((end) => end.pollUnsafe() === undefined).length === 1
            })
            const last = all.find((_, i) => ends[i]!.pollUnsafe() === undefined)!
            for (const one of all) {
              if (one !== last) assert.match(one.lines.at(-1)!, /a younger session has taken over/)
            }
            yield* last.say("add")
            yield* last.printed("added 1")
            yield* Effect.forEach(ends, (end) => Fiber.interrupt(end))
          }
        }),
      60_000
    )

    it.live(
      "who waits has it as soon as the one before is killed, stopped or not; a younger one that takes over ends it",
      () =>
        Effect.gen(function*() {
          const at = yield* place
          const first = yield* owner(at, "exclusive")
          yield* first.printed("open ")
          yield* first.say("add")
          yield* first.printed("added 1")
          // It does not run, and has the store all the same.
          yield* first.signal("SIGSTOP")
          const second = yield* owner(at, "exclusive")
          yield* second.printed("waits ")
          yield* first.kill
          yield* second.printed("open ")
          yield* second.say("add")
          yield* second.printed("added 2")
          const third = yield* owner(at, "youngest")
          yield* third.printed("open ")
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
        }),
      60_000
    )
  })
}
