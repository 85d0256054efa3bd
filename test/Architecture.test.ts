/**
 * The laws that the linter holds: a fixture breaks each one, and the linter must say so. The order of columns and
 * rooms, and the measures, are in `House.test.ts`.
 */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"

const repository = resolve(import.meta.dirname, "..")
const columns = [
  "testing",
  "observer",
  "placement",
  "server",
  "state",
  "supervision",
  "naming",
  "process",
  "observation"
]

interface Fixture {
  readonly law: string
  readonly file: string
  readonly source: string
  /** What the linter must say; `undefined` when it must say nothing. */
  readonly says: string | undefined
}

const value = (source: string): string => `${source}\nexport const used = [x]\n`
const imports = (from: string): string => value(`import { x } from "${from}"`)

const pure = "domain is pure: data in, data out"
const clock = "the time comes from the Clock of the context"
const turns = "turns and timers go through the Scheduler and Clock of the context"

const domain: ReadonlyArray<Fixture> = [
  ...["Effect", "Layer", "Ref", "Clock", "Scope", "Context", "Fiber", "Schedule", "Stream"].map((name) => ({
    law: `domain does not import ${name}`,
    file: `src/domain/server/No${name}.ts`,
    source: value(`import { ${name} as x } from "effect"`),
    says: pure
  })),
  ...["Schema", "Option", "Result", "Duration", "Array", "HashMap", "HashSet", "Order", "Match", "Brand", "Predicate"]
    .concat("Cause", "Exit", "Function", "SchemaTransformation")
    .map((name) => ({
      law: `domain may import ${name}`,
      file: `src/domain/server/Yes${name}.ts`,
      source: value(`import { ${name} as x } from "effect"`),
      says: undefined
    })),
  {
    law: "domain may name any type",
    file: "src/domain/server/YesTypes.ts",
    source: "import type { Effect } from \"effect\"\nexport type T = Effect.Effect<number>\n",
    says: undefined
  },
  { law: "domain opens no side door", file: "src/domain/server/Deep.ts", source: imports("effect/Effect"), says: pure },
  { law: "domain knows no Node", file: "src/domain/server/Node.ts", source: imports("node:fs"), says: pure },
  {
    law: "domain imports no layer",
    file: "src/domain/server/Up.ts",
    source: imports("../../layers/observation/Leaf.ts"),
    says: "domain imports nothing above it"
  },
  {
    law: "domain reads no clock",
    file: "src/domain/server/Now.ts",
    source: "export const now = () => Date.now()\n",
    says: clock
  },
  {
    law: "domain draws no random number",
    file: "src/domain/server/Chance.ts",
    source: "export const draw = () => Math.random()\n",
    says: "Math.random"
  }
]

const layers: ReadonlyArray<Fixture> = [
  ...columns.flatMap((column): ReadonlyArray<Fixture> => [
    {
      law: `${column} may import the rules of every column`,
      file: `src/layers/${column}/Rules.ts`,
      source: imports("../../domain/server/Leaf.ts"),
      says: undefined
    },
    {
      law: `${column} imports no program`,
      file: `src/layers/${column}/Program.ts`,
      source: imports("../../programs/Leaf.ts"),
      says: "layers never import programs"
    },
    {
      law: `${column} knows no Node`,
      file: `src/layers/${column}/Node.ts`,
      source: imports("node:fs"),
      says: "layers are platform-agnostic"
    },
    {
      law: `${column} knows no platform package`,
      file: `src/layers/${column}/Platform.ts`,
      source: imports("@effect/platform-node"),
      says: "layers are platform-agnostic"
    },
    {
      law: `${column} keeps off effect's unstable modules`,
      file: `src/layers/${column}/Unstable.ts`,
      source: imports("effect/cluster"),
      says: "the core rests on effect's stable modules"
    }
  ]),
  {
    law: "testing may import effect's own test clock",
    file: "src/layers/testing/TestClock.ts",
    source: imports("effect/testing"),
    says: undefined
  },
  {
    law: "the observer's routes may import effect's http",
    file: "src/layers/observer/Routes.ts",
    source: imports("effect/http"),
    says: undefined
  },
  {
    law: "what is served may import effect's rpc",
    file: "src/layers/placement/serve/Rpcs.ts",
    source: imports("effect/rpc"),
    says: undefined
  },
  {
    law: "what is served does not import effect's cluster",
    file: "src/layers/placement/serve/Cluster.ts",
    source: imports("effect/cluster"),
    says: "the core rests on effect's stable modules"
  },
  ...["cluster", "rpc"].map((name) => ({
    law: `servers on a cluster may import effect's ${name}`,
    file: `src/layers/placement/cluster/Yes_${name}.ts`,
    source: imports(`effect/${name}`),
    says: undefined
  })),
  ...["http", "sql", "rfc", "cli"].map((name) => ({
    law: `servers on a cluster do not import effect's ${name}`,
    file: `src/layers/placement/cluster/No_${name}.ts`,
    source: imports(`effect/${name}`),
    says: "the core rests on effect's stable modules"
  })),
  {
    law: "what listens for the observer may import Node",
    file: "src/layers/observer/Observer.ts",
    source: imports("node:http"),
    says: undefined
  },
  {
    law: "a platform-bound store may import Node",
    file: "src/layers/state/StateStoreFile.ts",
    source: imports("node:fs"),
    says: undefined
  },
  {
    law: "the store over SQL may import effect's sql",
    file: "src/layers/state/StateStoreSql.ts",
    source: imports("effect/sql"),
    says: undefined
  },
  {
    law: "the store over SQL knows no Node",
    file: "src/layers/state/rows/SqlStatements.ts",
    source: imports("node:sqlite"),
    says: "layers are platform-agnostic"
  },
  ...["setTimeout", "setInterval", "setImmediate", "queueMicrotask"].map((name) => ({
    law: `layers arm no bare ${name}`,
    file: `src/layers/server/${name}.ts`,
    source: `export const later = () => ${name}(() => {})\n`,
    says: turns
  })),
  {
    law: "layers read no clock of their own",
    file: "src/layers/server/Now.ts",
    source: "export const now = () => Date.now()\n",
    says: clock
  },
  {
    law: "layers draw no random number of their own",
    file: "src/layers/server/Chance.ts",
    source: "export const draw = () => Math.random()\n",
    says: "Math.random"
  }
]

const everywhere: ReadonlyArray<Fixture> = [
  {
    law: "modules do not import one another in a circle",
    file: "src/layers/server/Circle.ts",
    source: `import { x } from "./CircleBack.ts"\nexport const y = [x]\n`,
    says: "cycle"
  },
  {
    law: "not even by their types",
    file: "src/layers/server/TypeCircle.ts",
    source: `import type { B } from "./TypeCircleBack.ts"\nexport interface A {\n  readonly b: B\n}\n`,
    says: "cycle"
  },
  {
    law: "nothing is printed past Effect's Console",
    file: "src/programs/Prints.ts",
    source: "console.log(1)\n",
    says: "console"
  },
  {
    law: "no async function",
    file: "src/programs/Async.ts",
    source: "export const f = async () => 1\n",
    says: "async"
  },
  {
    law: "a program may import Node and layers",
    file: "src/programs/Free.ts",
    source: imports("../layers/server/Leaf.ts") +
      "import { existsSync } from \"node:fs\"\nexport const e = [existsSync]\n",
    says: undefined
  }
]

const support: Record<string, string> = {
  "src/layers/server/CircleBack.ts": `import { y } from "./Circle.ts"\nexport const x = () => y\n`,
  "src/layers/server/TypeCircleBack.ts":
    `import type { A } from "./TypeCircle.ts"\nexport interface B {\n  readonly a: A\n}\n`,
  "src/domain/server/Leaf.ts": "export const x = 1\n",
  "src/programs/Leaf.ts": "export const x = 1\n",
  ...Object.fromEntries(columns.map((column) => [`src/layers/${column}/Leaf.ts`, "export const x = 1\n"]))
}

describe("the laws of the house, held by the linter", () => {
  const folder = mkdtempSync(join(tmpdir(), "heirloom-laws-"))
  const said = new Map<string, Array<string>>()

  beforeAll(() => {
    const files = { ...support }
    for (const fixture of [...domain, ...layers, ...everywhere]) files[fixture.file] = fixture.source
    for (const [file, source] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, file)), { recursive: true })
      writeFileSync(join(folder, file), source)
    }
    cpSync(join(repository, ".oxlintrc.json"), join(folder, ".oxlintrc.json"))
    const oxlint = spawnSync(process.execPath, [join(repository, "node_modules/oxlint/bin/oxlint"), "-f", "json"], {
      cwd: folder,
      encoding: "utf8",
      maxBuffer: 64 * 1024 * 1024
    })
    for (const found of JSON.parse(oxlint.stdout).diagnostics) {
      const file = found.filename.replaceAll("\\", "/")
      said.set(file, [...(said.get(file) ?? []), `${found.message} ${found.help ?? ""} ${found.code}`])
    }
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it.each([...domain, ...layers, ...everywhere])("$law", ({ file, says }) => {
    const messages = said.get(file) ?? []
    if (says === undefined) assert.deepStrictEqual(messages, [])
    else assert.isTrue(messages.some((message) => message.includes(says)), `${file}: ${JSON.stringify(messages)}`)
  })
})
