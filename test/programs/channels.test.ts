import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { run } from "../kit/RunProgram.ts"

const rows = (stdout: string) =>
  stdout.split("\n").flatMap((line) => {
    const match = /^ {2}(\S.*?) +(\d+) +(\d+) +(\d+)$/.exec(line)
    return match === null ? [] : [[match[1], ...match.slice(2).map(Number)]]
  })

describe("channels", () => {
  it.live(
    "a row that two sessions get, change and put loses posts; a companion loses none",
    () =>
      Effect.gen(function*() {
        const { code, stderr, stdout } = yield* run("channels")
        assert.strictEqual(code, 0, stderr)
        const [raced, ...kept] = rows(stdout)
        assert.deepStrictEqual(raced?.slice(0, 2), ["table, the sessions get, yield and put", 20])
        assert.isAbove(Number(raced?.[3]), 0)
        assert.deepStrictEqual(kept, [
          ["table, the sessions update", 20, 20, 0],
          ["table, the server writes", 20, 20, 0],
          ["companion, the server writes", 20, 20, 0]
        ])
      })
  )

  it.live("one session alone races with no other", () =>
    Effect.gen(function*() {
      const { code, stdout } = yield* run("channels", ["--sessions", "1", "--posts", "7"])
      assert.strictEqual(code, 0)
      assert.deepStrictEqual(rows(stdout).map((row) => row.slice(1)), Array.from({ length: 4 }, () => [7, 7, 0]))
    }))
})
