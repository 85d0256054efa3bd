/**
 * The hunt over an engine with a deliberate fault: its sources are bundled as they are, but for the one that is broken.
 */
import { Effect } from "effect"
import { build } from "esbuild"
import { mkdirSync, readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { generated } from "../Bundle.ts"
import type { DeliberateFault } from "./Faults.ts"
import type * as Hunt from "./Hunt.ts"

const repository = resolve(import.meta.dirname, "../../..")
const folder = join(generated, "faults")

/** The source with the fault; refused when that is not where it is said to be. */
export const broken = ({ file, from, to }: DeliberateFault): string => {
  const source = readFileSync(join(repository, file), "utf8")
  const parts = source.split(from)
  if (parts.length !== 2) {
    throw new Error(`${file} has "${from}" ${parts.length - 1} times: the fault has to be put anew`)
  }
  return parts.join(to)
}

/** The hunt, over all sources with this fault in them. */
export const huntWith = (fault: DeliberateFault): Effect.Effect<typeof Hunt> =>
  Effect.promise(() => {
    mkdirSync(folder, { recursive: true })
    const outfile = join(folder, `${fault.name.replaceAll(/\W+/g, "-")}.mjs`)
    return build({
      absWorkingDir: repository,
      entryPoints: ["test/kit/chaos/Hunt.ts"],
      outfile,
      bundle: true,
      format: "esm",
      platform: "node",
      packages: "external",
      logLevel: "error",
      plugins: [{
        name: "a deliberate fault",
        setup: (building) =>
          building.onLoad({ filter: /\.ts$/ }, ({ path }) =>
            path === join(repository, fault.file) ? { contents: broken(fault), loader: "ts" } : undefined)
      }]
    }).then(() =>
      import(`${pathToFileURL(outfile).href}`)
    )
  })
