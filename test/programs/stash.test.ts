import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { run } from "../kit/RunProgram.ts"

const rounds = (stdout: string) =>
  stdout.split("\n").flatMap((line) => {
    const [, shown] = line.split(/: +/)
    return shown === undefined ? [] : [shown.split("  ")]
  })

describe("stash", () => {
  it.live(
    "crashing one tree's server, stash or budget leaves the others alone, and no number is lost",
    () =>
      Effect.gen(function*() {
        const { code, stderr, stdout } = yield* run("stash")
        assert.strictEqual(code, 0, stderr)
        assert.deepStrictEqual(rounds(stdout), [
          ["0 (#1)", "100 (#1)", "200 (#1)"],
          ["1 (#1)", "101 (#2)", "201 (#1)"],
          ["2 (#1)", "102 (#2)", "202 (#2)"],
          ["3 (#5)", "103 (#2)", "203 (#2)"]
        ])
        assert.match(stdout, /^3 of 3 trees are up\.$/m)
        assert.match(stdout, /No number was handed out twice, and none was left out\./)
      })
  )

  it.live("builds as many trees as wanted", () =>
    Effect.gen(function*() {
      const { code, stderr, stdout } = yield* run("stash", ["--sequences", "200"])
      assert.strictEqual(code, 0, stderr)
      assert.match(stdout, /^200 of 200 trees are up\.$/m)
    }))
})
