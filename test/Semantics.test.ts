/** Every test that the semantics page names exists, under that very name. */
import { assert, describe, it } from "@effect/vitest"
import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const page = fileURLToPath(new URL("../docs/semantics.md", import.meta.url))

interface Promised {
  readonly line: string
  readonly file: string
  readonly name: string
}

/** `- promise`, and on the next line `` `test/file`: *name of the test* ``. No link: tests are not in the package. */
const promised = (text: string): ReadonlyArray<Promised> =>
  Array.from(
    text.matchAll(/^- (.+)\n {2}`(test\/[^`]+)`: \*(.+)\*$/gm),
    ([, line, file, name]) => ({ line: line!, file: file!, name: name! })
  )

const text = readFileSync(page, "utf8")
const [promises, differences] = text.split("## Deliberate differences")

describe("the semantics page", () => {
  it("has a test for every promise", () => {
    const bullets = promises!.match(/^- /gm) ?? []
    assert.isAbove(bullets.length, 80)
    assert.strictEqual(promised(promises!).length, bullets.length, "a promise without a test, or in another form")
    assert.isDefined(differences)
  })

  it("names no test that is not there", () => {
    const missing: Array<string> = []
    for (const { file, line, name } of promised(text)) {
      const path = fileURLToPath(new URL(`../${file}`, `file://${page}`))
      const source = existsSync(path) ? readFileSync(path, "utf8") : ""
      // Titles stand in the source as they are, in one kind of quotes or the other.
      if (![`"${name}"`, `\`${name}\``].some((title) => source.includes(title))) {
        missing.push(`${line} (${file}: ${name})`)
      }
    }
    assert.deepStrictEqual(missing, [])
  })

  it("links to no page that is not there", () => {
    const links = Array.from(text.matchAll(/\]\(([^)#]+)[^)]*\)/g), ([, link]) => link!)
    const broken = links.filter((link) =>
      !/^https?:/.test(link) && !existsSync(fileURLToPath(new URL(link, `file://${page}`)))
    )
    assert.deepStrictEqual(broken, [])
  })
})
