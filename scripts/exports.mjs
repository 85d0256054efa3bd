// Keeps the `exports` of package.json in step with the sources: one flat subpath per public module.
//
//   node scripts/exports.mjs           writes package.json
//   node scripts/exports.mjs --check   fails when it would change anything
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const file = root + "package.json"
const manifest = JSON.parse(readFileSync(file, "utf8"))

// What src/index.ts exports, and what stays apart from it: for tests only, or because it loads Node's, effect's sql or its http.
const together = Object.fromEntries(
  [...readFileSync(root + "src/index.ts", "utf8").matchAll(/^export \* as (\w+) from "\.\/(.+)"$/gm)]
    .map(([, name, source]) => [`./${name}`, source])
)
const apart = {
  "./testing": "testing.ts",
  "./cluster": "cluster.ts",
  "./worker": "worker.ts",
  "./serve": "serve.ts",
  "./Message": "layers/placement/Message.ts",
  "./Observer": "layers/observer/Observer.ts",
  "./SqliteClient": "layers/state/SqliteClient.ts",
  "./StateStoreFile": "layers/state/StateStoreFile.ts",
  "./StateStoreSql": "layers/state/StateStoreSql.ts",
  "./StateStoreSqlite": "layers/state/StateStoreSqlite.ts"
}

const wanted = { "./package.json": "./package.json" }
for (const [path, source] of Object.entries({ ".": "index.ts", ...together, ...apart })) {
  if (existsSync(`${root}src/${source}`)) wanted[path] = `./dist/${source.replace(/\.ts$/, ".js")}`
}

if (JSON.stringify(manifest.exports) !== JSON.stringify(wanted)) {
  if (process.argv.includes("--check")) {
    console.error("package.json's exports are not those of the sources: run \"node scripts/exports.mjs\"")
    process.exit(1)
  }
  writeFileSync(file, JSON.stringify({ ...manifest, exports: wanted }, null, 2) + "\n")
}
