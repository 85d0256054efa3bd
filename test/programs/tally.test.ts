import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Path, Schema } from "effect"
import { Result } from "../../src/programs/tally/Result.ts"
import { inRepository, run } from "../kit/RunProgram.ts"

const One = Schema.decodeUnknownSync(Schema.fromJsonString(Result))
const Many = Schema.decodeUnknownSync(Schema.fromJsonString(Schema.Array(Result)))

const lines = 1001
const chunk = 10

/** A file in which every line is one word of its own: words that are missing tell how many lines are. */
const distinct = Effect.fnUntraced(function*(lines: number) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const file = path.join(yield* fs.makeTempDirectoryScoped(), "distinct.txt")
  yield* fs.writeFileString(file, Array.from({ length: lines }, (_, i) => `word${i}\n`).join(""))
  return file
})

const tally = (...args: ReadonlyArray<string>) =>
  Effect.flatMap(distinct(lines), (file) => run("tally", [...args, "--chunk", `${chunk}`, file])).pipe(
    Effect.scoped,
    Effect.provide(NodeServices.layer)
  )

/** One finds a loss: each has all the faults of the four companions. */
const seeds = Array.from({ length: Number(process.env["RUNS"] ?? 1) }, (_, i) => i + 1)

describe("tally", () => {
  for (const seed of seeds) {
    it.live(
      `loses nothing with memory and table, and as much as it must without them (seed ${seed})`,
      () =>
        Effect.gen(function*() {
          const { code, stderr, stdout } = yield* tally("--json", "--faults", "90", "--seed", `${seed}`)
          assert.strictEqual(code, 0, stderr)
          const results = Many(stdout)
          assert.deepStrictEqual(results.map(({ companion }) => companion), ["forget", "terminate", "table", "memory"])
          const chunks = Math.ceil(lines / chunk)
          for (const result of results) {
            assert.strictEqual(result.files, 1)
            assert.strictEqual(result.lines, lines)
            // 90 faults are each of 15 ways 6 times: 3 in 5 crash the server alone, 1 the container, and 1 both.
            assert.strictEqual(result.crashes, 90 + 18)
            assert.strictEqual(result.restarts, result.crashes)
            assert.strictEqual(result.acknowledged, chunks)
            assert.isAbove(result.recoverMicrosMedian ?? 0, 0)
            assert.isAtLeast(result.recoverMicrosMax ?? 0, result.recoverMicrosMedian ?? 0)
            // What is missing is exactly what was reported lost: the last chunk is the only one that is shorter.
            const missing = lines - result.words
            assert.strictEqual(Math.ceil(missing / chunk), result.lost)
            assert.strictEqual(result.matches, missing === 0)
          }
          const lost = Object.fromEntries(results.map(({ companion, lost }) => [companion, lost]))
          assert.strictEqual(lost["memory"], 0)
          assert.strictEqual(lost["table"], 0)
          // A kill skips `terminate`; and without a companion every crash costs all there is.
          assert.isAbove(lost["terminate"] ?? 0, 0)
          assert.isAbove(lost["forget"] ?? 0, lost["terminate"] ?? 0)
        })
    )
  }

  it.live("the loss of a crash after the last chunk is counted as well", () =>
    Effect.gen(function*() {
      // Two chunks and a question: most of the faults strike the question.
      const file = yield* distinct(15)
      const { code, stderr, stdout } = yield* run("tally", ["--json", "--faults", "30", "--chunk", "10", file])
      assert.strictEqual(code, 0, stderr)
      const results = Many(stdout)
      for (const { lost, words } of results) assert.strictEqual(Math.ceil((15 - words) / 10), lost)
      assert.isAbove(results[0]?.lost ?? 0, 0)
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)))

  it.live(
    "runs one companion alone, with as many faults as asked for, the same for the same seed",
    () =>
      Effect.gen(function*() {
        const args = ["--json", "--companion", "terminate", "--faults", "45", "--seed", "9"]
        const [first, second] = yield* Effect.all([tally(...args), tally(...args)], { concurrency: 2 })
        assert.strictEqual(first.code, 0, first.stderr)
        const once = One(first.stdout)
        const { acknowledged, companion, crashes, lost, words } = One(second.stdout)
        assert.deepStrictEqual(
          { acknowledged, companion, crashes, lost, words },
          {
            acknowledged: once.acknowledged,
            companion: "terminate",
            crashes: 45 + 9,
            lost: once.lost,
            words: once.words
          }
        )
      })
  )

  it.live("without faults nothing crashes, and nothing is lost whatever the companion", () =>
    Effect.gen(function*() {
      const { code, stdout } = yield* tally("--json", "--faults", "0")
      assert.strictEqual(code, 0)
      for (const { crashes, lost, matches, recoverMicrosMax, recoverMicrosMedian, restarts } of Many(stdout)) {
        assert.deepStrictEqual(
          { crashes, lost, matches, recoverMicrosMax, recoverMicrosMedian, restarts },
          { crashes: 0, lost: 0, matches: true, recoverMicrosMax: null, recoverMicrosMedian: null, restarts: 0 }
        )
      }
    }))

  it.live(
    "shows the words, the run and the comparison; progress goes to standard error, as plain lines",
    () =>
      Effect.gen(function*() {
        const file = inRepository("package.json")
        const { code, stderr, stdout } = yield* run("tally", ["--chunk", "5", "--faults", "15", file])
        assert.strictEqual(code, 0, stderr)
        assert.match(
          stdout,
          /^Counting the words of 1 file \(\d+ lines\), 5 lines at a time, with 15 faults from seed 1\.$/m
        )
        assert.match(stdout, /^ {2}faults injected +15$/m)
        assert.match(stdout, /^ {2}acknowledged updates lost +0$/m)
        assert.match(stdout, /^ {2}same as a single pass +yes$/m)
        assert.match(stdout, /^ {2}companion +crashes +restarts +acknowledged +lost +words counted/m)
        for (const companion of ["forget", "terminate", "table", "memory"]) {
          assert.match(stdout, new RegExp(`^  ${companion} +18 +18 `, "m"))
          assert.match(stderr, new RegExp(`^${companion}: 100%, (\\d+) of \\1 lines$`, "m"))
        }
        assert.notMatch(stderr, /crashed/)
      })
  )

  it.live("shows the crash reports when asked to, beside the output", () =>
    Effect.gen(function*() {
      const args = ["--json", "--companion", "memory", "--faults", "15", "--log-level", "error"]
      const { code, stderr, stdout } = yield* tally(...args)
      assert.strictEqual(code, 0)
      assert.strictEqual(One(stdout).crashes, 18)
      assert.strictEqual([...stderr.matchAll(/ERROR \(/g)].length, 18)
      assert.match(stderr, /injected on purpose: a defect after the handler, before the commit/)
    }))

  it.live("counts empty input, and refuses an option that makes no sense, with the reason", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const empty = yield* fs.makeTempFileScoped()
      const [nothing, chunk, companion, missing] = yield* Effect.all([
        run("tally", ["--json", "--companion", "memory", empty]),
        run("tally", ["--chunk", "0"]),
        run("tally", ["--companion", "hope"]),
        run("tally", ["no/such/file"])
      ], { concurrency: 2 })
      assert.strictEqual(nothing.code, 0, nothing.stderr)
      const { acknowledged, lines, matches, words } = One(nothing.stdout)
      assert.deepStrictEqual({ acknowledged, lines, matches, words }, {
        acknowledged: 0,
        lines: 0,
        matches: true,
        words: 0
      })
      assert.deepStrictEqual([chunk.code, companion.code, missing.code], [1, 1, 1])
      assert.match(chunk.stderr, /--chunk: "0"\. Expected: a whole number of 1 or more/)
      assert.match(companion.stderr, /"forget" \| "terminate" \| "table" \| "memory"/)
      assert.match(missing.stderr, /does not exist/)
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)))
})
