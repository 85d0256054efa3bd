import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { run } from "../kit/RunProgram.ts"

const counter = (lines: ReadonlyArray<string>, ...args: ReadonlyArray<string>) =>
  Effect.map(run("counter", args, lines.map((line) => `${line}\n`).join("")), ({ code, stderr, stdout }) => ({
    code,
    stderr,
    answers: stdout.split("\n").slice(0, -1)
  }))

const tree = (answers: ReadonlyArray<string>) => answers.slice(-3).map((line) => line.replace(/ +/g, " "))

describe("counter", () => {
  it.live("keeps its count through every crash, and shows the incarnations", () =>
    Effect.gen(function*() {
      const { answers, code, stderr } = yield* counter(
        "increment 41,crash,increment 1,interrupt,get,kill,get,kill container,get,tree,quit".split(",")
      )
      assert.strictEqual(code, 0)
      assert.strictEqual(answers[0], "41")
      assert.match(
        answers[1] ?? "",
        /^Crash to ProcSupervisor > Server: the server crashed: Error: crashed, as you wished .* It is being restarted/
      )
      assert.deepStrictEqual(answers.slice(2, 9), [
        "42",
        "interrupted the server",
        "42",
        "killed the server",
        "42",
        "killed the container",
        "42"
      ])
      assert.match(tree(answers)[0] ?? "", /^ProcSupervisor/)
      assert.deepStrictEqual(tree(answers).slice(1), [
        "├─ Server:StateContainer #2 running 1 restart, last exit killed",
        "└─ Server #4 running 3 restarts, last exit killed"
      ])
      // Nothing dies silently: four crashes, four reports.
      assert.strictEqual([...stderr.matchAll(/ERROR \(/g)].length, 4)
    }))

  it.live("answers bad commands, and they change nothing", () =>
    Effect.gen(function*() {
      const { answers, code } = yield* counter(["increment", "increment x", "reset", "", "get now", "get"])
      assert.strictEqual(code, 0)
      assert.deepStrictEqual(answers, [
        "1",
        "\"increment\" takes one whole number, as in \"increment 3\", not \"x\".",
        "\"reset\" is no command. Try \"help\".",
        "\"get\" does not go with \"now\". Try \"help\".",
        "1"
      ])
    }))

  it.live(
    "ends at the end of its input: with a line that is not finished, and with none at all",
    () =>
      Effect.gen(function*() {
        const [unfinished, none] = yield* Effect.all([run("counter", [], "increment 2\nget"), run("counter")], {
          concurrency: 2
        })
        assert.deepStrictEqual(unfinished, { code: 0, stdout: "2\n2\n", stderr: "" })
        assert.deepStrictEqual(none, { code: 0, stdout: "", stderr: "" })
      })
  )

  it.live("input after quit is not read", () =>
    Effect.gen(function*() {
      const { answers } = yield* counter(["increment", "quit", "increment"])
      assert.deepStrictEqual(answers, ["1"])
    }))

  it.live("goes on answering when its supervisor has given up", () =>
    Effect.gen(function*() {
      const { answers, code } = yield* counter(["crash", "crash", "get", "tree"], "--restarts", "1")
      assert.strictEqual(code, 0)
      assert.match(answers[0] ?? "", /It is being restarted/)
      assert.match(answers[1] ?? "", /It will not be restarted/)
      assert.match(answers[2] ?? "", /^Get to ProcSupervisor > Server: the server is not running/)
      assert.deepStrictEqual(tree(answers).slice(1), [
        "├─ Server:StateContainer #1 stopped last exit shutdown",
        "└─ Server #2 stopped 1 restart, last exit crashed: Error: crashed, as you wished"
      ])
    }))
})
