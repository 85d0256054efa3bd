import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { chmodSync, mkdirSync } from "node:fs"
import { dirname, join } from "node:path"
import { isOpen } from "../../../src/programs/cluster/Postgres.ts"
import { folder } from "../../kit/Folder.ts"

describe("a PostgreSQL of its own", () => {
  it.effect("is run from a copy where a folder above it is closed to the user that it runs as", () =>
    Effect.gen(function*() {
      const closed = yield* folder
      const inside = join(closed, "node_modules", "bin")
      mkdirSync(inside, { recursive: true })
      const isOpenAt = (mode: number) => {
        chmodSync(closed, mode)
        return isOpen(inside)
      }
      // Windows has no such modes.
      assert.strictEqual(isOpenAt(0o711), isOpen(dirname(closed)))
      assert.strictEqual(isOpenAt(0o700), process.platform === "win32" && isOpen(dirname(closed)))
    }))
})
