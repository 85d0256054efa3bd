/** Programs of the repository as one file each, which start in a fifth of the time. */
import { buildSync } from "esbuild"
import { existsSync, readFileSync, renameSync, rmSync } from "node:fs"
import { join, resolve } from "node:path"

const repository = resolve(import.meta.dirname, "../..")
const folder = join(repository, "test/.generated/programs")

/** Forgets all bundles: each run of the tests begins with this, and makes its own. */
export const setup = (): void => rmSync(folder, { recursive: true, force: true })

/** The path of the bundle of a source file, made by the first that asks. */
export const bundle = (source: string): string => {
  const outfile = join(folder, source.replace(/\.ts$/, ".mjs"))
  if (existsSync(outfile)) return outfile
  // Workers may make the same one at once: each writes its own, and puts it in place complete.
  const written = `${outfile}.${process.pid}`
  buildSync({
    entryPoints: [join(repository, source)],
    outfile: written,
    bundle: true,
    platform: "node",
    format: "esm",
    external: ["pg-native"],
    logLevel: "error",
    // In one file all modules are the main one. Where the entry does not ask, those that ask are not.
    define: readFileSync(join(repository, source), "utf8").includes("import.meta.main")
      ? {}
      : { "import.meta.main": "false" },
    // CommonJS modules in it may require Node's modules.
    banner: { js: "import { createRequire } from \"node:module\"; const require = createRequire(import.meta.url);" }
  })
  renameSync(written, outfile)
  return outfile
}
