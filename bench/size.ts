/** What importing Heirloom costs: time and modules in Node, bytes in a browser; effect's own share shown apart. */
import { Effect } from "effect"
import { build } from "esbuild"
import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { gzipSync } from "node:zlib"
import { main, median, report, scaled } from "./measure.ts"

const repository = resolve(import.meta.dirname, "..")

/** The package as it is published, in a project of its own. */
const project = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "heirloom-size-"))
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }))
  const installed = join(folder, "node_modules/heirloom")
  mkdirSync(installed, { recursive: true })
  execFileSync(process.execPath, ["scripts/build.mjs", join(installed, "dist")], { cwd: repository })
  symlinkSync(join(repository, "node_modules/effect"), join(folder, "node_modules/effect"), "junction")
  symlinkSync(join(repository, "package.json"), join(installed, "package.json"))
  return folder
}

/** Milliseconds until the module is there, in fresh processes; those of Node itself do not count. */
const importTime = (folder: string, name: string): number => {
  const source = `const t = performance.now(); await import("${name}"); console.log(performance.now() - t)`
  const once = () => Number(execFileSync(process.execPath, ["--input-type=module", "-e", source], { cwd: folder }))
  return median(Array.from({ length: Math.ceil(scaled(200) / 20) }, once))
}

/** Bytes of a browser bundle, minified and compressed. */
const bundle = async (folder: string, source: string): Promise<number> => {
  const entry = join(folder, "entry.mjs")
  writeFileSync(entry, source)
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    write: false
  })
  return gzipSync(outputFiles[0]!.contents).length
}

const inEffect = ["Effect", "Layer", "Schema", "Schedule", "Context", "Exit", "Cause"]

main({
  "import": Effect.promise(async () => {
    const folder = project()
    report("import.time", importTime(folder, "heirloom"))
    report("import.effect", importTime(folder, "effect"))
    const names = "GenServer, StateContainer, Supervisor, Restart"
    const used = inEffect.map((name) => `import * as ${name} from "effect/${name}"; globalThis.${name} = ${name}`).join(
      "\n"
    )
    const alone = await bundle(folder, used)
    report(
      "import.bundle",
      await bundle(folder, `${used}\nimport { ${names} } from "heirloom"\nglobalThis.h = { ${names} }`) - alone
    )
    report("import.bundleEffect", alone)
  })
})
