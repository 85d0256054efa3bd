// Builds the package: `node scripts/build.mjs [folder]`, `dist` by default. Begins with nothing there: whatever is in
// `dist` is published, so what an older build left must go. A folder of another name is not ours to empty: it is refused
// unless it is empty already.
//
// The sources import from "effect"; what is published imports module by module ("effect/Schema"). The one name costs a
// consumer all of effect, sql, persistence and http code included, at every start; the many cost what is used. The same with
// "@effect/platform-node", which the command loads.
import { spawnSync } from "node:child_process"
import { copyFileSync, existsSync, globSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const ours = resolve(root, "dist")
const dist = process.argv[2] === undefined ? ours : resolve(root, process.argv[2])

if (dist === ours) rmSync(dist, { recursive: true, force: true })
else if (existsSync(dist) && readdirSync(dist).length > 0) {
  console.error(`${dist} is not empty: name a folder that is, or none for dist`)
  process.exit(1)
}

const tsc = spawnSync(process.execPath, [
  "node_modules/typescript/bin/tsc",
  "-p",
  "tsconfig.build.json",
  // Several check much of effect anew, each of them.
  "--checkers",
  "1",
  "--outDir",
  dist
], {
  cwd: root,
  stdio: "inherit"
})
if (tsc.status !== 0) process.exit(tsc.status ?? 1)

const functions = new Set(["absurd", "cast", "dual", "flow", "hole", "identity", "pipe", "unsafeCoerce"])

// On one line, as they were: the source maps stay true.
const byModule = (name, names) =>
  names.split(",").map((one) => {
    const [imported, local = imported] = one.trim().split(/\s+as\s+/)
    return functions.has(imported)
      ? `import { ${one.trim()} } from "effect/Function";`
      : `import * as ${local} from "${name}/${imported}";`
  }).join(" ")

for (const file of globSync("**/*.js", { cwd: dist })) {
  const path = join(dist, file)
  const source = readFileSync(path, "utf8")
  const rewritten = source.replace(
    /^import \{([^}]+)\} from "(effect|@effect\/platform-node)";?/gm,
    (_, names, name) => byModule(name, names)
  )
  const whole = /^(import|export) .*from "(effect|@effect\/platform-node)"/m.exec(rewritten)
  if (whole !== null) throw new Error(`${file} imports all of ${whole[2]}`)
  if (rewritten !== source) writeFileSync(path, rewritten)
}

// The page of the observer, beside the module that sends it.
copyFileSync(join(root, "src/layers/observer/PageText.js"), join(dist, "layers/observer/PageText.js"))
