/**
 * Every ```ts block of README.md, of docs/ and of the modules' documentation is a program: it type-checks, runs, and
 * prints what its comments say.
 *
 * The conventions. A block stands alone, with its imports;
 * "```ts continued" goes on with the block before it, in one file. "```ts of FILE" quotes a file of the repository,
 * which is run elsewhere (test/Quotes.test.ts). The `// =>` comments of a program are, in order, the lines it prints
 * (log records apart); a program without any only has to end well. One that launches an app goes on until it is
 * stopped: it is type-checked and not run. Code that is not meant to run is not marked as ts.
 */
import { assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFile } from "node:child_process"
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { build, environment, generated as made } from "./kit/Bundle.ts"
import type { Ended } from "./kit/OneByOne.ts"
import { isQuote } from "./kit/Quotes.ts"

const repository = resolve(import.meta.dirname, "..")
const generated = join(made, "documents")

interface Program {
  readonly name: string
  readonly file: string
  readonly source: string
  readonly prints: ReadonlyArray<string>
}

/** The programs of one document. Each line keeps its number, so that errors point into the document. */
const programsOf = (document: string): ReadonlyArray<Program> => {
  const text = readFileSync(join(repository, document), "utf8")
  const lines = document.endsWith(".md") ? text.split("\n") : text.split("\n").map(uncommented)
  const programs: Array<{ readonly line: number; readonly kept: Array<string> }> = []
  let inside = false
  lines.forEach((text, index) => {
    const fence = /^\s*```(\S*)\s*(.*)$/.exec(text)
    if (fence !== null) {
      inside = !inside && fence[1] === "ts" && !isQuote(fence[2]!)
      if (inside && fence[2] !== "continued") programs.push({ line: index + 1, kept: [] })
    } else if (inside) programs.at(-1)!.kept[index] = text
  })
  return programs.map(({ kept, line }) => ({
    name: `${document}:${line}`,
    file: join(generated, `${document.replaceAll(/[/\\]/g, "-")}-${line}.ts`),
    source: Array.from(kept, (text) => text ?? "").join("\n"),
    prints: kept.flatMap((text) => [...text.matchAll(/\/\/ => (.*)$/g)].map((match) => match[1]!.trim()))
  }))
}

/** A line of a documentation comment as it would stand in a document; nothing for a line of code. */
const uncommented = (line: string): string => /^\s*\*(?: (.*))?$/.exec(line)?.[1] ?? ""

const documents = [
  ...globSync("README.md", { cwd: repository }),
  ...globSync("docs/**/*.md", { cwd: repository }).sort(),
  ...globSync("src/{domain,layers}/**/*.ts", { cwd: repository }).sort()
]
const programs = documents.flatMap(programsOf)
const runnable = programs.filter(({ source }) => !source.includes(".launch("))

const node = (args: ReadonlyArray<string>): Effect.Effect<Ended> =>
  Effect.callback((resume) => {
    const child = execFile(
      process.execPath,
      args,
      { cwd: repository, env: environment, timeout: 120_000 },
      (error, out, err) => resume(Effect.succeed({ code: error === null ? 0 : Number(error.code ?? 1), out, err }))
    )
    return Effect.sync(() => void child.kill())
  })

/** Runs programs in one process, and what comes after one that ends its process in the next. */
const runAll = Effect.fnUntraced(function*(files: ReadonlyArray<string>) {
  const results = join(generated, "results")
  const all: Array<Ended> = []
  while (all.length < files.length) {
    writeFileSync(results, "")
    const ended = yield* node(["test/kit/OneByOne.ts", results, ...files.slice(all.length)])
    const lines = readFileSync(results, "utf8").split("\n").slice(0, -1)
    all.push(
      ...lines.length === 0 ? [{ ...ended, code: ended.code || 1 }] : lines.map((line): Ended => JSON.parse(line))
    )
  }
  return new Map(files.map((file, i) => [file, all[i]!]))
})

/** What a program printed, without the records of the default logger: a stamped line and what is indented below it. */
const printed = (out: string): ReadonlyArray<string> => {
  let inRecord = false
  return out.split("\n").filter((line) => {
    inRecord = /^\[\d\d:\d\d:\d\d\.\d\d\d\] /.test(line) || (inRecord && /^[\s}]/.test(line))
    return !inRecord && line.trim() !== ""
  }).map((line) => line.trim())
}

describe("the programs in the documents", () => {
  beforeAll(() => {
    rmSync(generated, { recursive: true, force: true })
    mkdirSync(generated, { recursive: true })
    for (const { file, source } of programs) writeFileSync(file, source)
    const { exports } = JSON.parse(readFileSync(join(repository, "package.json"), "utf8"))
    const paths = Object.entries<string>(exports).filter(([, target]) => target.endsWith(".js")).map((
      [name, target]
    ) => [name.replace(".", "heirloom"), [target.replace("./dist/", `${repository}/src/`).replace(/\.js$/, ".ts")]])
    writeFileSync(
      join(generated, "tsconfig.json"),
      JSON.stringify({
        extends: join(repository, "tsconfig.json"),
        compilerOptions: {
          noUnusedLocals: false,
          noUnusedParameters: false,
          incremental: false,
          tsBuildInfoFile: null,
          paths: Object.fromEntries(paths)
        },
        include: ["*.ts"],
        exclude: []
      })
    )
  })

  it("there are some", () => {
    assert.isNotEmpty(programs)
  })

  it.live("type-check", () =>
    Effect.gen(function*() {
      const tsc = ["node_modules/typescript/bin/tsc", "--checkers", "1", "-p", join(generated, "tsconfig.json")]
      const { out } = yield* node(tsc)
      assert.deepStrictEqual(out.split("\n").filter((line) => line.includes("/documents/")), [])
    }), 120_000)

  describe("run, and print what they say", () => {
    let ended: ReadonlyMap<string, Ended>
    beforeAll(async () => {
      // One whose module is loaded again, in a thread of its own, finds the package there only when it is bundled.
      const isBundled = ({ source }: Program) => source.includes("import.meta.url")
      const tsconfig = join(generated, "tsconfig.json")
      build(runnable.filter(isBundled).map(({ file }) => file), generated, { tsconfig })
      const started = runnable.map((program) =>
        isBundled(program) ? program.file.replace(/\.ts$/, ".mjs") : program.file
      )
      ended = await Effect.runPromise(runAll(started))
    }, 240_000)

    for (const { file, name, prints } of runnable) {
      it(name, () => {
        const { code, err, out } = ended.get(file) ?? ended.get(file.replace(/\.ts$/, ".mjs"))!
        assert.strictEqual(code, 0, `${out}\n${err}`)
        if (prints.length > 0) assert.deepStrictEqual(printed(out), prints, err)
      })
    }
  })
})
