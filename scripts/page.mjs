// Builds the page of the observer into one HTML text, in a module beside the one that serves it, so that a bundler takes it along:
// `src/layers/observer/PageText.js`, which is not kept in the repository. Says nothing, and does nothing, when it is what its
// sources make of it.
//
//   node scripts/page.mjs           builds it if need be
//   node scripts/page.mjs --force   builds it
import { createHash } from "node:crypto"
import { existsSync, globSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const file = join(root, "src/layers/observer/PageText.js")

// What it is made of: its own sources, the rules that it shares, and what bundles it.
const sources = ["page/*", "src/domain/observer/*.ts", "scripts/page.mjs", "package-lock.json"]
  .flatMap((pattern) => globSync(pattern, { cwd: root }))
  .sort()
const hash = createHash("sha256")
for (const source of sources) hash.update(source).update(readFileSync(join(root, source)))
const mark = `// made of ${hash.digest("hex").slice(0, 16)}`

if (process.argv.includes("--force") || !existsSync(file) || !readFileSync(file, "utf8").endsWith(mark)) {
  const { build } = await import("vite")
  const { viteSingleFile } = await import("vite-plugin-singlefile")
  const built = await build({
    root: join(root, "page"),
    configFile: false,
    logLevel: "error",
    plugins: [viteSingleFile({ removeViteModuleLoader: true })],
    oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
    build: { write: false, target: "es2022", modulePreload: false }
  })
  const html = built.output.find(({ fileName }) => fileName === "index.html").source
  writeFileSync(file, `export const html = ${JSON.stringify(html.trim())}\n${mark}`)
}
