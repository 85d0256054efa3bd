/** Node's own SQLite, looked for by what is asked of it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import process from "node:process"
import { DatabaseSync } from "node:sqlite"
import * as NodeSqlite from "../../../../src/layers/state/lock/NodeSqlite.ts"

const { getBuiltinModule } = process

/** In a Node whose builtin modules are found like this. */
const within = <A, E>(get: unknown, effect: Effect.Effect<A, E>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => Object.assign(process, { getBuiltinModule: get })),
    () => effect,
    () => Effect.sync(() => Object.assign(process, { getBuiltinModule }))
  )

const missing = (get: unknown) => Effect.map(Effect.flip(within(get, NodeSqlite.load)), (error) => error.missing)

const having = (...methods: ReadonlyArray<string>) => () => {
  const prototype = Object.fromEntries(methods.map((method) => [method, () => {}]))
  return { StatementSync: { prototype } }
}

describe("the SQLite of Node", () => {
  it.effect("is Node's own where it has all that is asked of it", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* NodeSqlite.load).DatabaseSync, DatabaseSync)
      const whole = having("columns", "setReturnArrays")
      assert.property(yield* within(whole, NodeSqlite.load), "StatementSync")
      const asked: Array<string> = []
      yield* within((name: string) => {
        asked.push(name)
        return whole()
      }, NodeSqlite.load)
      assert.deepStrictEqual(asked, ["node:sqlite"])
    }))

  it.effect("is refused by what it has not, and where there is none", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* missing(undefined), "node:sqlite")
      assert.strictEqual(yield* missing(() => undefined), "node:sqlite")
      assert.strictEqual(yield* missing(having()), "StatementSync.columns")
      assert.strictEqual(yield* missing(having("setReturnArrays")), "StatementSync.columns")
      assert.strictEqual(yield* missing(having("columns")), "StatementSync.setReturnArrays")
      const error = yield* Effect.flip(within(having("columns"), NodeSqlite.load))
      assert.strictEqual(error.found, process.versions.node)
      assert.include(
        error.message,
        `this is Node ${process.versions.node}, which has no StatementSync.setReturnArrays.`
      )
    }))
})
