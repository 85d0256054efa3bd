/**
 * A call whose handler has committed, and has not answered yet: its process is killed in between, and it is made again.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { join } from "node:path"
import { bundle } from "../kit/Bundle.ts"
import { start } from "../kit/durable/Processes.ts"
import { folder } from "../kit/Folder.ts"
import { usePostgres } from "../kit/stores/UsePostgres.ts"

const postgres = usePostgres()

const places = {
  "a SQLite database": Effect.map(folder, (directory) => `sqlite:${join(directory, "states.db")}`),
  "a folder": Effect.map(folder, (directory) => `file:${join(directory, "states")}`),
  "PostgreSQL": Effect.sync(() => `postgres:postgres://postgres:test@127.0.0.1:${postgres().port}/postgres`)
}

describe("a call that was begun, and whose process was killed before its answer", () => {
  for (const [name, place] of Object.entries(places)) {
    // What was asked for again is on record as before: in all stores by the same rule.
    const again = name === "a folder" ? 2 : 1
    it.live(`is not handled again: who makes it again hears that it was begun (${name})`, () =>
      Effect.gen(function*() {
        const program = bundle("test/kit/durable/Promised.ts")
        const at = yield* place
        const first = yield* start(program, [at])
        yield* first.printed("asked")
        assert.strictEqual(yield* first.kill, "SIGKILL")
        assert.deepStrictEqual(first.lines, ["asked 1"], first.errors())
        for (let times = 0; times < again; times++) {
          const next = yield* start(program, [at])
          assert.strictEqual(yield* next.ended, 0, next.errors())
          const [answered, asked] = [...next.lines].sort()
          assert.strictEqual(asked, "asked 1")
          const reason: unknown = JSON.parse(answered!.replace("answered ", ""))
          assert.deepStrictEqual(reason, { _tag: "AnswerLost", key: "order-7", handled: "begun" })
        }
      }), 60_000)
  }
})
