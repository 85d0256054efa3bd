// Keeps the `exports` of package.json in step with src/index.ts: one flat subpath per public module.
//
//   node scripts/exports.mjs           writes package.json
//   node scripts/exports.mjs --check   fails when it would change anything
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const file = root + "package.json"
const manifest = JSON.parse(readFileSync(file, "utf8"))
const built = (source) => source.replace(/^\.\//, "./dist/").replace(/\.ts$/, ".js")

const modules = readFileSync(root + "src/index.ts", "utf8").matchAll(/^export \* as (\w+) from "(.+)"$/gm)
const wanted = {
  "./package.json": "./package.json",
  ".": "./dist/index.js",
  ...Object.fromEntries([...modules].map(([, name, source]) => [`./${name}`, built(source)])),
  ...(existsSync(root + "src/testing.ts") ? { "./testing": "./dist/testing.js" } : {})
}

if (JSON.stringify(manifest.exports) !== JSON.stringify(wanted)) {
  if (process.argv.includes("--check")) {
    console.error("package.json's exports are not those of src/index.ts: run \"node scripts/exports.mjs\"")
    process.exit(1)
  }
  writeFileSync(file, JSON.stringify({ ...manifest, exports: wanted }, null, 2) + "\n")
}
