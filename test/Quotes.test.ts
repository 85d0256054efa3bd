/** What the documents quote stands so in the files that they name; the guide leaves none of its program's files out. */
import { assert, describe, it } from "@effect/vitest"
import { globSync, readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { asUser, quotesOf, stands } from "./kit/Quotes.ts"

const repository = resolve(import.meta.dirname, "..")
const read = (path: string): string => readFileSync(join(repository, path), "utf8")

/** The names under which the package exports its sources. */
const { exports } = JSON.parse(read("package.json")) as { readonly exports: Record<string, string> }
const names = new Map(
  Object.entries(exports).map(([name, target]) => [
    target.replace("./dist/", "src/").replace(/\.js$/, ".ts"),
    name.replace(".", "heirloom")
  ])
)

const documents = ["README.md", ...globSync("docs/**/*.md", { cwd: repository })]

describe("the documents", () => {
  it("quote what stands in the files that they name", () => {
    const quotes = documents.flatMap((document) =>
      quotesOf(read(document)).map(({ file, line, lines }) => ({ where: `${document}:${line}`, file, lines }))
    )
    assert.isNotEmpty(quotes)
    const wrong = quotes.filter(({ file, lines }) => !stands(lines, asUser(file, read(file), names)))
    assert.deepStrictEqual(wrong.map(({ file, where }) => `${where} is not what ${file} says`), [])
  })

  it("quote every file of the program that the guide walks through", () => {
    const quoted = new Set(quotesOf(read("docs/guide.md")).map(({ file }) => file))
    const program = globSync(["src/programs/office.ts", "src/programs/office/*.ts"], { cwd: repository })
    assert.deepStrictEqual(program.filter((file) => !quoted.has(file.replaceAll("\\", "/"))), [])
  })
})

describe("a quote", () => {
  const source = ["const a = () => {", "  if (b) {", "    c()", "", "    d()", "  }", "}"].join("\n")

  it("may leave out what is before it, behind it, and around it", () => {
    for (const lines of [["if (b) {"], ["c()", "", "d()"], source.split("\n")]) assert.isTrue(stands(lines, source))
  })

  it("says nothing else, leaves nothing out in between, and is indented as it was", () => {
    for (const lines of [["e()"], ["c()", "d()"], ["if (b) {", "c()"], ["  c()", "", "d()"], []]) {
      assert.isFalse(stands(lines, source), JSON.stringify(lines))
    }
  })

  it("names what it imports of the library as users do", () => {
    const text = "import { GenServer } from \"../../index.ts\"\nimport { Show } from \"./Show.ts\"\n"
    assert.strictEqual(
      asUser("src/programs/office/Customer.ts", text, names),
      "import { GenServer } from \"heirloom\"\nimport { Show } from \"./Show.ts\"\n"
    )
  })
})
