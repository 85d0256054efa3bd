/** Every test that the semantics page names exists, under that very name. */
import { assert, describe, it } from "@effect/vitest"
import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { titles } from "./kit/Titles.ts"

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

  it("names no test that is not there, or that does not run", () => {
    const known = new Map<string, ReadonlySet<string>>()
    const titlesOf = (file: string): ReadonlySet<string> => {
      const path = fileURLToPath(new URL(`../${file}`, `file://${page}`))
      const found = known.get(file) ?? titles(existsSync(path) ? readFileSync(path, "utf8") : "")
      known.set(file, found)
      return found
    }
    assert.deepStrictEqual(promised(text).filter(({ file, name }) => !titlesOf(file).has(name)), [])
  })

  it("takes a title for a test only where the test runs", () => {
    const source = `
      // it("in a comment", () => {})
      const text = "in a text"
      assert.strictEqual("of an assertion", 1)
      it.effect("of a test", () => Effect.void)
      it.live.skip("of a skipped test", () => Effect.void)
      it.live.skipIf(windows)("of one that is skipped somewhere", () => Effect.void)
      it.todo("of one to come")
      it("of one that skips itself", (context) => context.skip())
      describe.skip("of a skipped group", () => { it("in a skipped group", () => {}) })
      describe("of a group that skips one", () => { it.skip("skipped", () => {}); it("beside it", () => {}) })
      describe("of a group", () => { it.each([1])(\`of \${a} test\`, () => {}) })
    `
    assert.deepStrictEqual([...titles(source)], ["of a test", "beside it", "of ${a} test", "of a group"])
  })

  it("links to no page that is not there", () => {
    const links = Array.from(text.matchAll(/\]\(([^)#]+)[^)]*\)/g), ([, link]) => link!)
    const broken = links.filter((link) =>
      !/^https?:/.test(link) && !existsSync(fileURLToPath(new URL(link, `file://${page}`)))
    )
    assert.deepStrictEqual(broken, [])
  })
})
