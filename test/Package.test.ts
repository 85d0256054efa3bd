/**
 * The package as a stranger meets it: packed as a release is, from a clean copy of the repository; installed elsewhere,
 * type-checked and run. What linters of packages say is in `npm run check:package`.
 *
 * Works without a network: the only thing that is installed is the tarball, and effect is linked from this repository.
 */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { buildSync } from "esbuild"
import { spawnSync } from "node:child_process"
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { dirname, join, relative, resolve } from "node:path"
import { generated } from "./kit/Bundle.ts"
import { root } from "./kit/Folder.ts"

const repository = resolve(import.meta.dirname, "..")
const manifest = JSON.parse(readFileSync(join(repository, "package.json"), "utf8"))
const paths = Object.keys(manifest.exports).filter((path) => path !== "./package.json")

/** A library of a stranger's own: what it exports must be nameable in declarations, through public modules alone. */
const counter = `
import { Effect, Schema } from "effect"
import { GenServer, Restart, StateContainer, Supervisor } from "heirloom"

export class Overdrawn extends Schema.TaggedError<Overdrawn>()("Overdrawn", { amount: Schema.Int }) {}

export class Counter extends GenServer.Service<Counter>()("stranger/Counter", {
  state: Schema.Int,
  messages: {
    Increment: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }),
    Withdraw: GenServer.call({ payload: { amount: Schema.Int }, reply: Schema.Int, error: Overdrawn }),
    Reset: GenServer.cast(),
    Crash: GenServer.call()
  }
}) {}

export const CounterLive = Counter.layer({
  init: 0,
  handlers: {
    Increment: (count, { by }) => [count + by, count + by],
    Withdraw: (count, { amount }) =>
      amount > count ? Effect.fail(new Overdrawn({ amount })) : Effect.succeed([count - amount, count - amount]),
    Reset: () => 0,
    Crash: () => Effect.die("boom")
  }
}, { survives: "crash" })

export const companion = StateContainer.layerMemory(Counter)
export const recipe = Counter.recipe(Counter.behavior({
  init: 0,
  handlers: { Increment: (n) => [n, n], Withdraw: (n) => [n, n], Reset: () => 0, Crash: () => Effect.die("boom") }
}), { key: "one" })
export const App = Supervisor.layer(
  { strategy: "one_for_one", restart: Restart.intensity({ restarts: 3, within: "5 seconds" }) },
  [companion, CounterLive]
)
export class Main extends Supervisor.Service<Main>()("stranger/Main") {}
export const MainLive = Main.layer({ strategy: "one_for_one" }, [App])

export const program = Effect.gen(function*() {
  const counter = yield* Counter
  yield* counter.Increment({ by: 41 })
  yield* Effect.exit(counter.Crash())
  return yield* counter.Increment({ by: 1 })
}).pipe(Effect.provide(App))

declare const console: { log(value: unknown): void }
console.log(await Effect.runPromise(program))
`

/** A server whose handlers run in a thread, or in a process, of what `tsc` makes of this. */
const primes = `
import { Effect, Schema } from "effect"
import { GenServer, StateContainer, Supervisor } from "heirloom"
import { WorkerServer } from "heirloom/worker"

export class Primes extends GenServer.Service<Primes>()("stranger/Primes", {
  state: Schema.Int,
  messages: { Next: GenServer.call({ reply: Schema.Int }) }
}) {}

const behavior = Primes.behavior({ init: 1, handlers: { Next: (last) => [last + 1, last + 1] } })

export const PrimesEntry = WorkerServer.entry(Primes, behavior, import.meta.url)

const next = (placement: "thread" | "process") =>
  Effect.flatMap(Primes, (primes) => primes.Next()).pipe(Effect.provide(
    Supervisor.layer({ strategy: "one_for_one" }, [
      StateContainer.layerMemory(Primes),
      WorkerServer.layer(Primes, PrimesEntry, { placement, spare: false })
    ])
  ))

declare const console: { log(...values: ReadonlyArray<unknown>): void }
if (!WorkerServer.isWorker) console.log(await Effect.runPromise(Effect.all([next("thread"), next("process")])))
`

/** The same of what is served, and of what a page has of it. */
const served = `
import { Layer, Schema } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { RpcSerialization } from "effect/rpc"
import { GenServer } from "heirloom"
import * as Message from "heirloom/Message"
import { Serve } from "heirloom/serve"

export const messages = { Add: Message.call({ payload: { by: Schema.Int }, reply: Schema.Int }) }
export class Counter extends GenServer.Service<Counter>()("stranger/Served", { state: Schema.Int, messages }) {}
export const Rpcs = Message.group({ messages })
export const Keyed = Serve.group(Counter, { keyed: true })
export const Api = Serve.api(Counter, { name: "counter" })
export const Routes = Layer.mergeAll(
  HttpApiBuilder.layer(Api).pipe(Layer.provide(Serve.apiLayer(Api, "counter", Counter))),
  Serve.layerHttp({ group: Rpcs, path: "/rpc" }).pipe(
    Layer.provide([Serve.layer(Rpcs, Counter), RpcSerialization.layerNdjson])
  )
)
export const call = (counter: Counter["Service"]) => Serve.answered(counter.Add({ by: 1 }), "Add")
`

/** A state is saved in files, and then in SQLite. */
const saved = (name: string) => `
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect } from "effect"
import * as StateStoreFile from "heirloom/StateStoreFile"
import * as StateStoreSqlite from "heirloom/StateStoreSqlite"

const save = Effect.fnUntraced(function*(store) {
  const epoch = yield* store.acquireEpoch("stranger")
  yield* store.save([{ key: "app/Counter", epoch, seq: 1, version: 1, state: "41", trusted: 0, at: 0 }])
})
const program = Effect.gen(function*() {
  const files = yield* StateStoreFile.make({ directory: "files on ${name}" })
  yield* save(files)
  console.log("in files:", (yield* files.load("app/Counter")).map(({ state }) => state))
  yield* save(yield* StateStoreSqlite.make({ filename: "on ${name}.db" }))
  console.log("saved in SQLite")
})
await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(NodeServices.layer)))
`

/** Runs modules one after the other, in one process: to load effect takes longer than most of them run. */
const oneByOne = (modules: ReadonlyArray<string>) => `
for (const module of ${JSON.stringify(modules)}) {
  console.log("== " + module)
  await import(module).catch((error) => console.log(String(error)))
}
`

const run = (command: string, args: ReadonlyArray<string>, cwd: string) => {
  const ran = spawnSync(command, args, {
    cwd,
    encoding: "utf8",
    // npm hands its own settings down to whatever it runs; a stranger's project has none of ours.
    env: {
      ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("npm_"))),
      NODE_COMPILE_CACHE: join(generated, "package")
    },
    shell: process.platform === "win32"
  })
  return { code: ran.status, output: `${ran.stdout}${ran.stderr}`.trim(), stdout: ran.stdout }
}
/**
 * Another Node, installed as the project's own is (`tools`): its executable, or none where its platform has no package.
 */
const node = (name: string): ReadonlyArray<string> => {
  const platform = `${process.platform === "win32" ? "win" : process.platform}-${process.arch}`
  const { optionalDependencies } = JSON.parse(readFileSync(join(repository, "tools", name, "package.json"), "utf8"))
  const file = process.platform === "win32" ? "bin/node.exe" : "bin/node"
  return [`node-${platform}`, `node-bin-${platform}`].filter((found) => found in optionalDependencies)
    .map((found) => join(repository, "node_modules/@heirloom", name, "node_modules", found, file))
}
const isWide = process.env["NODES"] === "all"
const nodes: ReadonlyArray<{ name: string; path: string; hasSqlite: boolean }> = [
  ...node("node-20").map((path) => ({ name: "Node 20", path, hasSqlite: false })),
  // As good as the newest in all that other tests have shown: `NODES=all` runs it besides.
  ...(isWide ? node("node-22.16") : []).map((path) => ({
    name: "Node 22.16",
    path,
    hasSqlite: true
  })),
  { name: "the newest Node", path: process.execPath, hasSqlite: true }
]

const bin = (name: string): string => join(repository, "node_modules/.bin", name)

/** Whether a link of a page leads somewhere: to a file, and to a heading of it if it names one. */
const leads = (page: string, link: string): boolean => {
  const [path = "", heading] = link.split("#")
  const target = path === "" ? page : join(dirname(page), path)
  if (!existsSync(target)) return false
  const slugs = () =>
    Array.from(
      readFileSync(target, "utf8").matchAll(/^#+ (.+)$/gm),
      ([, title]) => title!.toLowerCase().replaceAll(/[^\w\- ]/g, "").replaceAll(" ", "-")
    )
  return heading === undefined || slugs().includes(heading)
}

describe("the public surface", () => {
  it("package.json exports what src/index.ts does", () => {
    const checked = run(process.execPath, ["scripts/exports.mjs", "--check"], repository)
    assert.deepStrictEqual(checked, { code: 0, output: "", stdout: "" })
  })
})

/** What no clone has: installed, built, generated by other tests while this one runs. */
const unclean = /(^|[/\\])(node_modules|\.git|dist|coverage|\.generated|[^/\\]*\.tgz)$/

// Each starts several processes, which a busy machine takes its time for.
describe("a stranger's project", { timeout: 200_000 }, () => {
  const folder = mkdtempSync(join(root, "heirloom-package-"))
  const clone = join(folder, "clone")
  const stranger = join(folder, "stranger")
  const tarball = join(folder, `heirloom-${manifest.version}.tgz`)
  const installed = join(stranger, "node_modules/heirloom")

  /** As npm does it, which takes as long as all the rest of this file: `NODES=all` has it do so. */
  const install = (): void => {
    const [command, ...args] = isWide
      ? ["npm", "install", "--offline", "--legacy-peer-deps", "--no-audit", "--no-fund", "--ignore-scripts", tarball]
      : ["tar", "-xzf", tarball, "-C", installed, "--strip-components", "1"]
    if (!isWide) mkdirSync(installed, { recursive: true })
    const ran = run(command!, args, stranger)
    assert.strictEqual(ran.code, 0, ran.output)
    if (isWide) return
    const { bin } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"))
    mkdirSync(join(stranger, "node_modules/.bin"))
    for (const [name, file] of Object.entries<string>(bin)) {
      chmodSync(join(installed, file), 0o755)
      symlinkSync(join(installed, file), join(stranger, "node_modules/.bin", name))
    }
  }

  beforeAll(() => {
    cpSync(repository, clone, { recursive: true, filter: (path) => !unclean.test(relative(repository, path)) })
    symlinkSync(join(repository, "node_modules"), join(clone, "node_modules"), "junction")
    // What an older build has left.
    mkdirSync(join(clone, "dist"))
    writeFileSync(join(clone, "dist/stale.js"), "")
    const packed = run("npm", ["pack", "--pack-destination", folder], clone)
    assert.strictEqual(packed.code, 0, packed.output)
    // For those who look at it afterwards, as `.ci/run` does.
    if (process.env["PACKED"] !== undefined) copyFileSync(tarball, process.env["PACKED"])

    mkdirSync(stranger)
    writeFileSync(join(stranger, "package.json"), JSON.stringify({ name: "stranger", private: true, type: "module" }))
    install()
    symlinkSync(join(repository, "node_modules/effect"), join(stranger, "node_modules/effect"), "junction")
    writeFileSync(
      join(stranger, "tsconfig.json"),
      JSON.stringify({
        compilerOptions: {
          target: "ES2022",
          module: "NodeNext",
          strict: true,
          exactOptionalPropertyTypes: true,
          types: [],
          declaration: true,
          outDir: "out"
        },
        include: ["*.ts"]
      })
    )
  }, 400_000)
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it("is built by packing it, from nothing: it has no file of an older build", () => {
    assert.isTrue(existsSync(join(installed, "dist/index.js")))
    assert.isFalse(existsSync(join(installed, "dist/stale.js")))
  })

  it("type-checks with library checks on, and declares what it exports", () => {
    writeFileSync(
      join(stranger, "surface.ts"),
      [
        ...paths.map((path, i) => `import * as module${i} from "heirloom${path.slice(1)}"`),
        `const modules: Record<string, unknown> = { ${paths.map((path, i) => `"${path}": module${i}`).join(", ")} }`,
        `for (const [name, module] of Object.entries(modules["."] as object)) {`,
        `  if (modules["./" + name] !== module) throw new Error(name)`,
        `}`
      ].join("\n")
    )
    writeFileSync(join(stranger, "counter.ts"), counter)
    writeFileSync(join(stranger, "served.ts"), served)
    writeFileSync(join(stranger, "primes.ts"), primes)
    const checked = run(bin("tsc"), ["--checkers", "1", "-p", "."], stranger)
    assert.deepStrictEqual({ code: checked.code, output: checked.output }, { code: 0, output: "" })
  })

  it("hides what is not exported", () => {
    const ran = run(process.execPath, ["-e", "import('heirloom/dist/layers/supervision/Turn.js')"], stranger)
    assert.include(ran.output, "ERR_PACKAGE_PATH_NOT_EXPORTED")
  })

  it("loads nothing of effect's rim but what effect's Schema loads", () => {
    writeFileSync(
      join(stranger, "loaded.mjs"),
      [
        `import { registerHooks } from "node:module"`,
        `let loaded = []`,
        `registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) })`,
        `const isRim = (url) => /^node:|platform-|effect.dist.[a-z-]+./.test(url) && !url.includes("/effect/dist/internal/")`,
        `for (const entry of process.argv.slice(2)) {`,
        `  loaded = []`,
        `  await import(entry)`,
        `  console.log(JSON.stringify(loaded.filter(isRim)))`,
        `}`
      ].join("\n")
    )
    // Each says what it loads besides what those before it have.
    const ran = run(process.execPath, ["loaded.mjs", "effect/Schema", "heirloom", "effect/cluster"], stranger)
    const [, ours, cluster] = ran.stdout.trim().split("\n").map((line): ReadonlyArray<string> => JSON.parse(line))
    assert.deepStrictEqual(ours, [], ran.output)
    assert.isNotEmpty(cluster, "the probe sees the rim when it is loaded")
  })

  /** From here on the package that is optional is there. */
  const withPlatform = (): void => {
    const platform = "node_modules/@effect/platform-node"
    if (existsSync(join(stranger, platform))) return
    mkdirSync(join(stranger, "node_modules/@effect"), { recursive: true })
    symlinkSync(join(repository, platform), join(stranger, platform), "junction")
  }

  it("brings a command that looks into a store, and says which package it needs", () => {
    writeFileSync(
      join(stranger, "write.mjs"),
      [
        `import { Effect } from "effect"`,
        `import * as StateStoreSqlite from "heirloom/StateStoreSqlite"`,
        `const program = Effect.gen(function*() {`,
        `  const store = yield* StateStoreSqlite.make({ filename: "app.db" })`,
        `  const epoch = yield* store.acquireEpoch("stranger")`,
        `  yield* store.save([{ key: "app/Counter", epoch, seq: 1, version: 1, state: "41", trusted: 0, at: 0 }])`,
        `})`,
        `await Effect.runPromise(Effect.scoped(program))`
      ].join("\n")
    )
    const wrote = run(process.execPath, ["write.mjs"], stranger)
    assert.strictEqual(wrote.code, 0, wrote.output)
    // What `npm exec` runs, which takes as long again to start.
    const heirloom = (...args: ReadonlyArray<string>) =>
      run(join(stranger, "node_modules/.bin/heirloom"), args, stranger)

    const without = isWide
      ? run("npm", ["exec", "--offline", "--no", "--", "heirloom", "snapshots", "keys", "sqlite:app.db"], stranger)
      : heirloom("snapshots", "keys", "sqlite:app.db")
    assert.strictEqual(without.code, 1, without.output)
    assert.include(without.output, "This needs the package @effect/platform-node, which is not installed here")

    withPlatform()
    const keys = heirloom("snapshots", "keys", "sqlite:app.db")
    assert.deepStrictEqual([keys.code, keys.stdout], [0, "app/Counter\n"], keys.output)
    const state = heirloom("snapshots", "show", "sqlite:app.db", "app/Counter", "1")
    assert.deepStrictEqual([state.code, state.stdout], [0, "41\n"], state.output)
    const postgres = heirloom("snapshots", "keys", "postgres:nowhere")
    assert.strictEqual(postgres.code, 1, postgres.output)
    assert.include(postgres.output, "This needs the package @effect/sql-pg, which is not installed here")
  })

  it("is bundled into one file with an app, and the observer's page is in it", () => {
    writeFileSync(
      join(stranger, "watched.mjs"),
      [
        `import { Context, Effect, Layer } from "effect"`,
        `import * as Observer from "heirloom/Observer"`,
        `const program = Effect.gen(function*() {`,
        `  const observer = Context.get(yield* Layer.build(Observer.layer({ port: 0 })), Observer.Observer)`,
        `  const page = yield* Effect.promise(() => fetch(observer.url).then((response) => response.text()))`,
        `  console.log(/<title>[^<]*<\\/title>/.exec(page)[0], page.length > 20_000)`,
        `})`,
        `void Effect.runPromise(Effect.scoped(program))`
      ].join("\n")
    )
    withPlatform()
    // Where there is nothing but that file.
    const outfile = join(folder, "alone/watched.cjs")
    buildSync({
      absWorkingDir: stranger,
      entryPoints: ["watched.mjs"],
      outfile,
      bundle: true,
      platform: "node",
      logLevel: "error"
    })
    const ran = run(process.execPath, [outfile], dirname(outfile))
    assert.strictEqual(ran.output, "<title>Heirloom observer</title> true")
  })

  describe.each(nodes)("on $name", ({ hasSqlite, name, path }) => {
    const needsNode = "SQLite needs Node 22.16 or later of Node 22, or Node 24 or later; this is Node 20"
    let output: string | undefined
    /** What a module of the stranger's has printed. */
    const printed = (module: string): string => {
      if (output === undefined) {
        const save = `./save on ${name}.mjs`
        writeFileSync(join(stranger, save), saved(name))
        writeFileSync(
          join(stranger, `all on ${name}.mjs`),
          oneByOne(["./out/surface.js", "./out/counter.js", "./out/primes.js", save])
        )
        output = run(path, [`all on ${name}.mjs`], stranger).output
      }
      return output.split("== ./").find((part) => part.startsWith(module))?.slice(module.length).trim() ?? output
    }
    const show = (place: string) =>
      run(path, [join(installed, manifest.bin.heirloom), "snapshots", "show", place, "app/Counter", "1"], stranger)

    beforeAll(() => {
      assert.isTrue(existsSync(path), `${path} is not there: npm ci installs it`)
      withPlatform()
    })

    it("every module is there, with nothing to say of itself, and servers run", () => {
      assert.strictEqual(printed("out/surface.js"), "")
      assert.match(printed("out/counter.js"), /^\[\d[^]*\n42$/, "the report of a crash, and the answer")
    })

    it("handlers run in a thread, and in a process", () => {
      assert.strictEqual(printed("out/primes.js"), "[ 2, 2 ]")
    })

    it("a store of files is written and read", () => {
      assert.include(printed("save"), "\nin files: [ '41' ]")
    })

    if (hasSqlite) {
      it("a store in SQLite is written, and the command reads it", () => {
        assert.match(printed("save"), /\nsaved in SQLite(\n|$)/)
        const shown = show(`sqlite:on ${name}.db`)
        assert.strictEqual(shown.stdout, "41\n", shown.output)
      })
    } else {
      it("the command reads a store of files", () => {
        printed("save")
        const shown = show(`file:files on ${name}`)
        assert.strictEqual(shown.stdout, "41\n", shown.output)
      })

      it("a store in SQLite is refused, in a typed error that names a Node that has it", () => {
        assert.include(printed("save"), `StoreError: open of the state store "sqlite on ${name}.db": ${needsNode}`)
        writeFileSync(join(stranger, "app.db"), "SQLite format 3\0".padEnd(4096, "\0"))
        const shown = show("sqlite:app.db")
        assert.strictEqual(shown.code, 1)
        assert.include(shown.output, needsNode)
        assert.notInclude(shown.output, "    at ", "the command shows no stack")
      })
    }
  })

  it("links to nothing that is not in it", () => {
    const pages = globSync("**/*.md", { cwd: installed })
    const broken = pages.flatMap((page) => {
      const text = readFileSync(join(installed, page), "utf8").replaceAll(/^```[^]*?^```/gm, "")
      return Array.from(text.matchAll(/\]\(([^)\s]+)\)/g), ([, link]) => link!)
        .filter((link) => !/^[a-z]+:/.test(link) && !leads(join(installed, page), link))
        .map((link) => `${page}: ${link}`)
    })
    assert.isAbove(pages.length, 10)
    assert.deepStrictEqual(broken, [])
  })
})
