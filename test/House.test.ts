/**
 * The law of the house, held against every file; and each part of the law, broken once in a fixture.
 */
import { assert, describe, it } from "@effect/vitest"
import { globSync, readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import * as House from "./kit/House.ts"

const repository = resolve(import.meta.dirname, "..")

const read = (pattern: string): ReadonlyArray<House.Source> =>
  globSync(pattern, { cwd: repository }).sort().map((path) => ({
    path: path.replaceAll("\\", "/"),
    text: readFileSync(join(repository, path), "utf8")
  }))

const sources = read("src/**/*.ts")
const tests = read("test/**/*.ts").filter(({ path }) => !path.startsWith("test/.generated/"))

const file = (path: string, text = ""): House.Source => ({ path, text })
const importing = (from: string, to: string): ReadonlyArray<House.Source> => [file(from, `import { x } from "${to}"\n`)]

describe("the house", () => {
  const laws = [
    ["imports go down: floors, columns, rooms", House.badImports],
    ["no file imports itself by way of others, types counted", House.circles],
    ["a room has no more files than one looks through", House.crowdedRooms],
    ["no class stands more than one level above another", House.longChains],
    ["no source is longer than one reads in a sitting", House.longSources],
    ["comments are no wider than code", House.wideComments],
    ["comments and names speak of things, not of people", House.riddles]
  ] as const

  for (const [law, violations] of laws) it(law, () => assert.deepStrictEqual(violations(sources), []))

  it("documents speak of things, not of people", () =>
    assert.deepStrictEqual(House.riddles(read("{*,docs/**/*,bench/*}.md")), []))

  it("no test is longer than one reads in a sitting", () => assert.deepStrictEqual(House.longTests(tests), []))

  it("the page takes the observer's rules, and types alone of those with a Schema", () => {
    const page = read("page/*.{ts,tsx}")
    assert.isNotEmpty(page)
    const imports = page.flatMap(({ path, text }) =>
      Array.from(
        text.matchAll(/^import (type )?[^"]*"\.\.\/([^"]+)"/gm),
        ([, type, from]) => ({ path, type, from: from! })
      )
    )
    assert.isNotEmpty(imports)
    const withSchema = new Set(["src/domain/observer/Requests.ts"])
    const bad = imports.filter(({ from, type }) =>
      !from.startsWith("src/domain/observer/") || (withSchema.has(from) && type === undefined)
    )
    assert.deepStrictEqual(bad, [])
    assert.deepStrictEqual(House.longSources(page), [])
  })

  it("tests stand in the rooms of what they test", () =>
    assert.deepStrictEqual(House.homelessTests(sources, tests), []))
})

describe("the law, broken", () => {
  const bad: ReadonlyArray<readonly [law: string, from: string, to: string, says: string]> = [
    ["a rule imports no deed", "src/domain/server/A.ts", "../../layers/server/B.ts", "floors"],
    ["a layer imports no program", "src/layers/server/A.ts", "../../programs/B.ts", "floors"],
    ["a layer does not import the public surface", "src/layers/server/A.ts", "../../index.ts", "public surface"],
    ["a supervisor knows no server", "src/layers/supervision/A.ts", "../server/B.ts", "columns"],
    ["a process knows no name", "src/layers/process/A.ts", "../naming/B.ts", "columns"],
    ["rules have the order of the columns", "src/domain/state/A.ts", "../server/B.ts", "columns"],
    ["a room does not import its column's root", "src/layers/server/engine/A.ts", "../B.ts", "rooms of server"],
    ["a room does not import the one before it", "src/layers/server/message/A.ts", "../engine/B.ts", "rooms of server"],
    ["rooms side by side do not import each other", "src/layers/state/file/A.ts", "../sqlite/B.ts", "rooms of state"],
    ["a room that the table does not know imports nothing", "src/layers/naming/new/A.ts", "../B.ts", "rooms of naming"]
  ]
  for (const [law, from, to, says] of bad) {
    it(law, () => {
      const [violation, ...more] = House.badImports(importing(from, to))
      assert.include(violation, says)
      assert.deepStrictEqual(more, [])
    })
  }

  it("an import that the order allows is none", () => {
    for (
      const [from, to] of [
        ["src/programs/A.ts", "../index.ts"],
        ["src/layers/testing/A.ts", "../server/engine/B.ts"],
        ["src/layers/server/GenServer.ts", "./engine/B.ts"],
        ["src/layers/server/engine/A.ts", "../message/B.ts"],
        ["src/layers/server/engine/A.ts", "../../../domain/observation/B.ts"],
        ["src/layers/state/file/A.ts", "../store/B.ts"]
      ] as const
    ) assert.deepStrictEqual(House.badImports(importing(from, to)), [])
  })

  it("types count, however they are imported", () => {
    for (
      const text of [
        `import type { X } from "../server/B.ts"\n`,
        `import {\n  type X,\n  type Y\n} from "../server/B.ts"\n`,
        `export type { X } from "../server/B.ts"\n`,
        `export * as X from "../server/B.ts"\n`,
        `import "../server/B.ts"\n`,
        `export type Y = import("../server/B.ts").X\n`
      ]
    ) assert.lengthOf(House.badImports([file("src/layers/state/A.ts", text)]), 1, text)
  })

  it("a circle of types", () =>
    assert.deepStrictEqual(
      House.circles([
        file("src/layers/server/A.ts", `import { type B } from "./B.ts"\n`),
        file("src/layers/server/B.ts", `import type { C } from "./C.ts"\n`),
        file("src/layers/server/C.ts", `export type D = import("./A.ts").A\n`)
      ]),
      ["src/layers/server/A.ts -> src/layers/server/B.ts -> src/layers/server/C.ts -> src/layers/server/A.ts"]
    ))

  it("a room of thirteen files", () => {
    const room = Array.from({ length: 13 }, (_, i) => file(`src/layers/server/engine/File${i}.ts`))
    assert.lengthOf(House.crowdedRooms(room), 1)
    assert.deepStrictEqual(House.crowdedRooms(room.slice(1)), [])
  })

  it("a chain of three classes", () => {
    const chain = [
      file("src/layers/server/A.ts", "export abstract class A<S extends object> implements I {\n}\n"),
      file("src/layers/server/B.ts", "export class B<S extends object> extends A<S> {\n}\n"),
      file("src/layers/server/C.ts", "class C extends B<{}> implements I {\n}\n")
    ]
    assert.deepStrictEqual(House.longChains(chain), ["class C extends B extends A: 2 classes at most"])
    assert.deepStrictEqual(House.longChains(chain.slice(0, 2)), [])
  })

  it("a source of 401 lines, a test of 601", () => {
    const lines = (length: number) => Array.from({ length }, () => "x").join("\n") + "\n"
    assert.lengthOf(House.longSources([file("src/layers/server/A.ts", lines(401))]), 1)
    assert.deepStrictEqual(House.longSources([file("src/layers/server/A.ts", lines(400))]), [])
    assert.lengthOf(House.longTests([file("test/A.test.ts", lines(601))]), 1)
    assert.deepStrictEqual(House.longTests([file("test/A.test.ts", lines(600))]), [])
  })

  it("a comment of 121 columns", () => {
    const comment = (columns: number) => [file("src/layers/server/A.ts", `/** ${"x".repeat(columns - 7)} */\n`)]
    assert.lengthOf(House.wideComments(comment(121)), 1)
    assert.deepStrictEqual(House.wideComments(comment(120)), [])
  })

  it("a comment, or a name, that says nobody", () =>
    assert.deepStrictEqual(
      House.riddles([file("src/layers/server/A.ts", "/** Nobody waits. */\nconst isTold = 1\n// a torn tail\n")]),
      [`src/layers/server/A.ts:1 says "Nobody"`, `src/layers/server/A.ts:2 says "Told"`]
    ))

  it("a test in a room that is not there", () =>
    assert.lengthOf(
      House.homelessTests([file("src/layers/server/engine/A.ts")], [file("test/layers/server/cellar/A.test.ts")]),
      1
    ))
})
