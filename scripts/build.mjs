// Builds the package: `node scripts/build.mjs [folder]`, `dist` by default.
//
// The sources import from "effect"; what is published imports module by module ("effect/Schema"). The one name costs a
// consumer all of effect, sql, persistence and http code included, at every start; the many cost what is used.
import { spawnSync } from "node:child_process"
import { globSync, readFileSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const dist = resolve(root, process.argv[2] ?? "dist")

const tsc = spawnSync(process.execPath, [
  "node_modules/typescript/bin/tsc",
  "-p",
  "tsconfig.build.json",
  "--outDir",
  dist
], {
  cwd: root,
  stdio: "inherit"
})
if (tsc.status !== 0) process.exit(tsc.status ?? 1)

const functions = new Set(["absurd", "cast", "dual", "flow", "hole", "identity", "pipe", "unsafeCoerce"])

// On one line, as they were: the source maps stay true.
const byModule = (names) =>
  names.split(",").map((name) => {
    const [imported, local = imported] = name.trim().split(/\s+as\s+/)
    return functions.has(imported)
      ? `import { ${name.trim()} } from "effect/Function";`
      : `import * as ${local} from "effect/${imported}";`
  }).join(" ")

for (const file of globSync("**/*.js", { cwd: dist })) {
  const path = join(dist, file)
  const source = readFileSync(path, "utf8")
  const rewritten = source.replace(/^import \{([^}]+)\} from "effect";?/gm, (_, names) => byModule(names))
  if (/^(import|export) .*from "effect"/m.test(rewritten)) throw new Error(`${file} imports all of effect`)
  if (rewritten !== source) writeFileSync(path, rewritten)
}
