/**
 * What users import is documented: every export of every public module has a sentence, a `@category` and a `@since`.
 *
 * Read from the sources, re-exports included: a name that is exported again is documented where it is declared.
 */
import { assert, describe, it } from "@effect/vitest"
import { existsSync, readFileSync } from "node:fs"
import { dirname, join, relative, resolve } from "node:path"

const repository = resolve(import.meta.dirname, "..")

/** Something that a module exports, and the comment above it. */
interface Exported {
  readonly name: string
  readonly file: string
  readonly comment: string | undefined
}

const declaration = /^export (?:declare )?(?:abstract )?(?:const|function|class|interface|type|enum) (\w+)/gm
const again = /^export (?:type )?\{([^}]*)\} from "([^"]+)"/gm
const all = /^export \* from "([^"]+)"/gm

/** The documentation comment that ends where a declaration begins. */
const commentAbove = (source: string, at: number): string | undefined => {
  const above = source.slice(0, at).trimEnd()
  return above.endsWith("*/") ? above.slice(above.lastIndexOf("/**")) : undefined
}

/** What a source file exports. A name may stand for a value and a type, each with a comment of its own. */
const exportsOf = (file: string): ReadonlyArray<Exported> => {
  const source = readFileSync(file, "utf8")
  const declared = Array.from(source.matchAll(declaration), (match): Exported => ({
    name: match[1]!,
    file: relative(repository, file),
    comment: commentAbove(source, match.index)
  }))
  const named = Array.from(source.matchAll(again)).flatMap(([, names, from]) => {
    const others = exportsOf(resolve(dirname(file), from!))
    return names!.split(",").map((name) => name.trim().replace(/^type /, "")).filter((name) => name !== "")
      .flatMap((name) => {
        const [own, other = own] = name.split(" as ")
        return others.filter((exported) => exported.name === own).map(({ comment, file }) => ({
          name: other!,
          file,
          comment
        }))
      })
  })
  const whole = Array.from(source.matchAll(all)).flatMap(([, from]) => exportsOf(resolve(dirname(file), from!)))
  return [...declared, ...named, ...whole]
}

const { exports } = JSON.parse(readFileSync(join(repository, "package.json"), "utf8"))
const modules = Object.values<string>(exports)
  .filter((target) => target.endsWith(".js"))
  .map((target) => join(repository, target.replace("./dist/", "src/").replace(/\.js$/, ".ts")))

/** The namespaces of `src/index.ts` and `src/testing.ts`: each is a module, too. */
const namespaces = modules.flatMap((file) =>
  Array.from(readFileSync(file, "utf8").matchAll(/^export \* as (\w+) from "([^"]+)"/gm), (match) => ({
    name: match[1]!,
    file: resolve(dirname(file), match[2]!),
    comment: commentAbove(readFileSync(file, "utf8"), match.index)
  }))
)

const files = Array.from(new Set([...modules, ...namespaces.map(({ file }) => file)]))

/** What is missing of a comment. */
const missing = (comment: string | undefined): ReadonlyArray<string> => {
  const lines = (comment ?? "").replace(/^\/\*\*|\*\/$/g, "").split("\n").map((line) =>
    line.replace(/^\s*\*?\s?/, "").trim()
  )
  const sentence = lines.find((line) => line !== "" && !line.startsWith("@"))
  return [
    ...sentence === undefined ? ["a sentence"] : [],
    .../^ *\*? *@category [a-z]/m.test(comment ?? "") ? [] : ["@category"],
    ...comment?.includes("@since ") ? [] : ["@since"]
  ]
}

describe("the documentation of what users import", () => {
  it("is there for every export of every public module", () => {
    const exported = files.flatMap(exportsOf)
    assert.isAbove(exported.length, 300)
    const lacking = exported.flatMap(({ comment, file, name }) => {
      const what = missing(comment)
      return what.length === 0 ? [] : [`${file}: ${name} has no ${what.join(", no ")}`]
    })
    assert.deepStrictEqual(Array.from(new Set(lacking)), [])
  })

  it("begins each module with what it is for", () => {
    const silent = files.filter((file) => !/^\/\*\*\n \* \S/.test(readFileSync(file, "utf8")))
    assert.deepStrictEqual(silent.map((file) => relative(repository, file)), [])
    assert.deepStrictEqual(
      namespaces.filter(({ comment }) => !comment?.includes("@since ")).map(({ name }) => name),
      []
    )
  })

  it("finds what it looks for: an export without a comment, or with half of one", () => {
    assert.deepStrictEqual(missing(undefined), ["a sentence", "@category", "@since"])
    assert.deepStrictEqual(missing("/** Half of it. */"), ["@category", "@since"])
    assert.deepStrictEqual(missing("/**\n * @category models\n * @since 0.1.0\n */"), ["a sentence"])
    assert.deepStrictEqual(missing("/**\n * All of it.\n *\n * @category models\n * @since 0.1.0\n */"), [])
    assert.isTrue(files.every(existsSync))
  })
})
