/**
 * The package as a stranger meets it: packed, installed elsewhere, type-checked and run.
 *
 * Works without a network: the only thing npm installs is the tarball, and effect is linked from this repository.
 */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"

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

const run = (command: string, args: ReadonlyArray<string>, cwd: string) => {
  const ran = spawnSync(command, args, {
    cwd,
    encoding: "utf8",
    // npm hands its own settings down to whatever it runs; a stranger's project has none of ours.
    env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("npm_"))),
    shell: process.platform === "win32"
  })
  return { code: ran.status, output: `${ran.stdout}${ran.stderr}`.trim(), stdout: ran.stdout }
}
const bin = (name: string): string => join(repository, "node_modules/.bin", name)

describe("the public surface", () => {
  it("package.json exports what src/index.ts does", () => {
    const checked = run(process.execPath, ["scripts/exports.mjs", "--check"], repository)
    assert.deepStrictEqual(checked, { code: 0, output: "", stdout: "" })
  })
})

describe("a stranger's project", () => {
  const folder = mkdtempSync(join(tmpdir(), "heirloom-package-"))
  const stage = join(folder, "stage")
  const stranger = join(folder, "stranger")
  const tarball = join(folder, "heirloom.tgz")

  beforeAll(() => {
    mkdirSync(stage)
    for (const file of ["package.json", "README.md", "LICENSE", ...manifest.files]) {
      if (file !== "dist" && existsSync(join(repository, file))) {
        cpSync(join(repository, file), join(stage, file), { recursive: true })
      }
    }
    const built = run(process.execPath, ["scripts/build.mjs", join(stage, "dist")], repository)
    assert.strictEqual(built.output, "", "the build says nothing")
    const packed = run("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", folder], stage)
    assert.strictEqual(packed.code, 0, packed.output)
    cpSync(join(folder, `heirloom-${manifest.version}.tgz`), tarball)

    mkdirSync(stranger)
    writeFileSync(join(stranger, "package.json"), JSON.stringify({ name: "stranger", private: true, type: "module" }))
    const installed = run(
      "npm",
      ["install", "--offline", "--legacy-peer-deps", "--no-audit", "--no-fund", "--ignore-scripts", tarball],
      stranger
    )
    assert.strictEqual(installed.code, 0, installed.output)
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
  }, 120_000)
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it("type-checks with library checks on, declares what it exports, and runs", { timeout: 60_000 }, () => {
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
    const checked = run(bin("tsc"), ["-p", "."], stranger)
    assert.deepStrictEqual({ code: checked.code, output: checked.output }, { code: 0, output: "" })
    const surface = run(process.execPath, ["out/surface.js"], stranger)
    assert.deepStrictEqual(surface, { code: 0, output: "", stdout: "" })
    const ran = run(process.execPath, ["out/counter.js"], stranger)
    assert.strictEqual(ran.code, 0, ran.output)
    assert.strictEqual(ran.stdout.trim().split("\n").at(-1), "42", ran.output)
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
        `const loaded = []`,
        `registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) })`,
        `await import(process.argv[2])`,
        `console.log(JSON.stringify(loaded.filter((url) => /^node:|platform-|effect.dist.[a-z-]+./.test(url))))`
      ].join("\n")
    )
    const rim = (entry: string): ReadonlyArray<string> =>
      JSON.parse(run(process.execPath, ["loaded.mjs", entry], stranger).stdout)
        .filter((url: string) => !url.includes("/effect/dist/internal/"))
    const schema = rim("effect/Schema")
    assert.deepStrictEqual(rim("heirloom").filter((url) => !schema.includes(url)), [])
    assert.isNotEmpty(rim("effect/cluster"), "the probe sees the rim when it is loaded")
  })

  it("publint has nothing to say", () => {
    const linted = run(bin("publint"), ["--strict", tarball], repository)
    assert.include(linted.output, "All good!")
    assert.strictEqual(linted.code, 0)
  })

  it("its types resolve for everybody who imports ES modules", { timeout: 60_000 }, () => {
    const checked = run(bin("attw"), [tarball, "--profile", "esm-only", "--format", "json"], repository)
    assert.strictEqual(checked.code, 0, checked.output)
  })
})
