/** What becomes of what was done in a database, by what its files are found to be after it. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit } from "effect"
import { SqlError } from "effect/sql"
import { filesOf, lookAfter, type Lost, type Watch, withFiles } from "../../../../src/layers/state/sql/DatabaseFiles.ts"

const lost: Lost = { path: "/app.db", how: "moved" }
const failure = (one: Lost) => `lost ${one.path}`
const sqlError = new SqlError.SqlError({
  reason: new SqlError.UnknownError({ cause: "no", message: "no", operation: "stat" })
})

const after = (watch: Watch | undefined, effect: Effect.Effect<string, string>) =>
  Effect.exit(lookAfter(watch, failure)(effect))

const done = Effect.succeed("done")
const failed = Effect.fail("failed")

describe("what was done in a database", () => {
  it.effect("is what it is where nothing is watched, or nothing is lost", () =>
    Effect.gen(function*() {
      for (const watch of [undefined, () => undefined, () => Effect.undefined]) {
        assert.deepStrictEqual(yield* after(watch, done), Exit.succeed("done"))
        assert.deepStrictEqual(yield* after(watch, failed), Exit.fail("failed"))
      }
    }))

  it.effect("failed of what became of its files, whether it went well or not", () =>
    Effect.gen(function*() {
      for (const watch of [() => lost, () => Effect.succeed(lost)]) {
        for (const effect of [done, failed]) {
          assert.deepStrictEqual(yield* after(watch, effect), Exit.fail("lost /app.db"))
        }
      }
    }))

  it.effect("is looked at after it, with what it failed of", () =>
    Effect.gen(function*() {
      const seen: Array<unknown> = []
      const watch: Watch = (cause) => void seen.push(cause === undefined ? "well" : Cause.squash(cause))
      const log = (text: string) => Effect.sync(() => void seen.push(text))
      yield* after(watch, Effect.andThen(log("one"), done))
      yield* after(watch, Effect.andThen(log("other"), failed))
      assert.deepStrictEqual(seen, ["one", "well", "other", "failed"])
    }))

  it.effect("fails where its files cannot be looked at after it went well, and of its own reason where it did not", () =>
    Effect.gen(function*() {
      const throws = () => {
        throw new Error("no stat")
      }
      const thrown = yield* after(throws, done)
      const error = Exit.isFailure(thrown) && Cause.squash(thrown.cause)
      assert.isTrue(SqlError.isSqlError(error))
      assert.include(
        String(SqlError.isSqlError(error) && error.reason.message),
        "the files of the database cannot be looked at"
      )
      assert.deepStrictEqual(yield* after(throws, failed), Exit.fail("failed"))
      const asks = () => Effect.fail(sqlError)
      const asked = yield* after(asks, done)
      assert.strictEqual(Exit.isFailure(asked) && Cause.squash(asked.cause), sqlError)
      assert.deepStrictEqual(yield* after(asks, failed), Exit.fail("failed"))
    }))

  it("a client says what is known of its files, and any other says nothing", () => {
    const files = { watching: () => Effect.undefined, heads: () => Effect.undefined, check: () => Effect.undefined }
    const client = { a: 1 }
    assert.isUndefined(filesOf(client))
    assert.strictEqual(withFiles(client, files), client)
    assert.strictEqual(filesOf(client), files)
  })
})
