import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { help, parse } from "../../../src/programs/counter/Commands.ts"

const problem = (line: string) => Result.getOrThrow(Result.flip(parse(line)))

describe("commands", () => {
  it("are read whatever their case and the space around them", () => {
    assert.deepStrictEqual(Result.getOrThrow(parse("  Increment   3 ")), { _tag: "Increment", by: 3 })
    assert.deepStrictEqual(Result.getOrThrow(parse("increment")), { _tag: "Increment", by: 1 })
    assert.deepStrictEqual(Result.getOrThrow(parse("increment -2")), { _tag: "Increment", by: -2 })
    assert.deepStrictEqual(Result.getOrThrow(parse("kill")), { _tag: "Kill" })
    assert.deepStrictEqual(Result.getOrThrow(parse("kill container")), { _tag: "KillContainer" })
    assert.deepStrictEqual(Result.getOrThrow(parse("   ")), { _tag: "Nothing" })
  })

  it("the help names every one, and every one it names is read", () => {
    const named = help.split("\n").map((line) => line.split(/ {2,}/)[0]!.replace("[N]", "7"))
    const tags = named.map((line) => Result.getOrThrow(parse(line))._tag)
    assert.deepStrictEqual(tags, [
      "Increment",
      "Get",
      "Crash",
      "Interrupt",
      "Kill",
      "KillContainer",
      "Tree",
      "Help",
      "Quit"
    ])
  })

  it("a bad one is answered with what is wrong with it", () => {
    assert.strictEqual(problem("jump"), `"jump" is no command. Try "help".`)
    assert.strictEqual(problem("get it"), `"get" does not go with "it". Try "help".`)
    assert.strictEqual(problem("kill me"), `"kill" does not go with "me". Try "help".`)
    for (const bad of ["x", "1.5", "1e3", "1 2", "9007199254740993"]) {
      assert.strictEqual(
        problem(`increment ${bad}`),
        `"increment" takes one whole number, as in "increment 3", not "${bad}".`
      )
    }
  })

  it.prop("whatever the line, there is an answer", [Schema.String], ([line]) => {
    const read = parse(line)
    if (Result.isFailure(read)) assert.match(read.failure, /Try "help"\.$|takes one whole number/)
  })
})
