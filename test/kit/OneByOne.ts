/**
 * Runs programs one after the other in one process: to load what they import takes longer than what most of them do.
 *
 *   node OneByOne.ts RESULTS FILE...
 *
 * It appends a line to RESULTS for each, in their order: how it ended, and what it printed. A program has ended when
 * there is nothing left to do, which is when its own process would end. One that ends the process ends this one: the
 * others are not run.
 */
import { appendFileSync, readFileSync } from "node:fs"
import { registerHooks } from "node:module"
import { join, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { inspect } from "node:util"

/** How a program ended, and what it printed. */
export interface Ended {
  readonly code: number
  readonly out: string
  readonly err: string
}

const repository = resolve(import.meta.dirname, "../..")

/** What the package exports, by the names that users import. */
const sources = (): ReadonlyMap<string, string> => {
  const manifest = JSON.parse(readFileSync(join(repository, "package.json"), "utf8"))
  return new Map(
    Object.entries<string>(manifest.exports).map(([name, target]) => [
      name.replace(".", "heirloom"),
      pathToFileURL(join(repository, target.replace("./dist/", "src/").replace(/\.js$/, ".ts"))).href
    ])
  )
}

const runAll = (results: string, files: ReadonlyArray<string>): void => {
  const names = sources()
  registerHooks({
    resolve: (name, context, next) => {
      const url = names.get(name)
      return url === undefined ? next(name, context) : { url, shortCircuit: true }
    }
  })

  let at = -1
  let hasLoaded = true
  let code = 0
  let out = ""
  let err = ""
  const ended = () => {
    const ended: Ended = { code: Number(process.exitCode ?? code), out, err }
    appendFileSync(results, `${JSON.stringify(ended)}\n`)
  }
  const failed = (error: unknown) => {
    code = 1
    err += `${inspect(error)}\n`
  }
  process.stdout.write = (chunk: string | Uint8Array) => {
    out += String(chunk)
    return true
  }
  process.stderr.write = (chunk: string | Uint8Array) => {
    err += String(chunk)
    return true
  }
  process.on("uncaughtException", failed)
  process.on("exit", () => at < files.length && ended())
  process.on("beforeExit", () => {
    if (at >= 0) {
      // As Node says of a program that waits for what does not come.
      if (!hasLoaded) code = 13
      ended()
    }
    at++
    code = 0
    out = ""
    err = ""
    process.exitCode = undefined
    if (at === files.length) return
    hasLoaded = false
    // In a turn of its own: what only waits for promises does not keep the process.
    setImmediate(() => import(pathToFileURL(files[at]!).href).catch(failed).finally(() => hasLoaded = true))
  })
}

if (import.meta.main) {
  const [results = "", ...files] = process.argv.slice(2)
  runAll(results, files)
}
