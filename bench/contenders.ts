/** Who is measured, and how one section of it is run: a process of its own that prints its figures. */
import { spawnSync } from "node:child_process"
import { join } from "node:path"

export interface Contender {
  readonly name: string
  /** The sections it has; every one when absent. */
  readonly sections?: ReadonlyArray<string>
  readonly command: (section: string) => readonly [program: string, ...args: ReadonlyArray<string>]
}

/** A figure of one process; bytes have no CPU. */
export interface Figure {
  readonly wall: number
  readonly cpu?: number
}

const here = import.meta.dirname
const calls = ["call-plain", "fan-one", "fan-many"]

const node = (file: string) => (section: string) =>
  [process.execPath, "--expose-gc", join(here, file), section] as const

/** Ours: the files that have the sections which `ours.ts` has not. */
const elsewhere: Readonly<Record<string, string>> = {
  "fan-many": "many.ts",
  "start": "many.ts",
  "million": "many.ts",
  "curve": "many.ts",
  "durable": "durable.ts",
  "keyed": "keyed.ts",
  "keyed-first": "keyed.ts",
  "keyed-million": "keyed.ts",
  "timers": "timers.ts",
  "runs-sqlite": "runs.ts",
  "runs-files": "runs.ts",
  "runs-postgres": "runs.ts",
  "import": "size.ts"
}

export const ours: Contender = {
  name: "ours",
  command: (section) => node(elsewhere[section] ?? "ours.ts")(section)
}

/**
 * Erlang/OTP where it is installed, compiled into `folder`: one scheduler that does not spin, so that both sides do
 * their work on one thread. A sentence that says why, where it cannot take part.
 */
export const otp = (folder: string): Contender | string => {
  const compiled = spawnSync("elixirc", ["-o", folder, join(here, "otp/bench.ex")], { encoding: "utf8" })
  if (compiled.error !== undefined) return `elixirc cannot be run: ${compiled.error.message}`
  if (compiled.status !== 0) throw new Error(`elixirc ${compiled.status}: ${compiled.stderr}`)
  const erl = "+S 1 +sbwt none +sbwtdcpu none +sbwtdio none"
  return {
    name: "otp",
    sections: [
      ...calls,
      "call-fn",
      "busy",
      "cast",
      "start",
      "crash-die",
      "crash-error",
      "conserve",
      "mailbox",
      "mailbox-call",
      "keyed",
      "keyed-million"
    ],
    command: (section) => ["elixir", "--erl", erl, "-pa", folder, "-e", "Bench.main()", section]
  }
}

export const peers: ReadonlyArray<Contender> = [
  {
    name: "naive",
    sections: [...calls, "call-fn", "busy", "cast", "start", "crash-die", "crash-error"],
    command: node("peers/naive.ts")
  },
  { name: "cluster", sections: [...calls, "start", "keyed"], command: node("peers/cluster.ts") },
  {
    name: "xstate",
    sections: [...calls, "cast", "start", "crash-die", "crash-error"],
    command: node("peers/xstate.ts")
  }
]

/** What Erlang/OTP says of itself, in short. */
export const otpVersion = (): string => {
  const said = spawnSync("elixir", ["--version"], { encoding: "utf8" }).stdout
  const [erlang, elixir] = [/Erlang\/OTP \d+/.exec(said), /^Elixir \S+/m.exec(said)]
  return `${erlang} (+S 1${said.includes("[jit") ? ", JIT" : ""}), ${elixir}`
}

export interface Options {
  readonly quick: boolean
  /** How long a long run is, in minutes' worth of commits. */
  readonly minutes: number
  /** Where it may leave what it does not remove. */
  readonly folder: string
}

/**
 * The figures of one section, by metric, or a sentence that says how it failed; nothing when it has no such section.
 */
export const measure = (
  contender: Contender,
  section: string,
  { folder, minutes, quick }: Options
): ReadonlyMap<string, Figure> | string => {
  if (contender.sections?.includes(section) === false) return new Map()
  const [program, ...args] = contender.command(section)
  const ran = spawnSync(program, args, {
    encoding: "utf8",
    env: {
      ...process.env,
      TMPDIR: folder,
      TMP: folder,
      TEMP: folder,
      BENCH_QUICK: quick ? "1" : "0",
      BENCH_MINUTES: `${minutes}`,
      NODE_ENV: "production"
    }
  })
  if (ran.status !== 0) {
    return ran.error?.message ?? (ran.signal === null ? ran.stderr.trim() : `ended by ${ran.signal}`)
  }
  const figures = new Map<string, Figure>()
  for (const line of ran.stdout.split("\n").filter((line) => line.includes("\t"))) {
    const [metric = "", ...numbers] = line.split("\t")
    const [wall, cpu] = numbers.map(Number)
    if (wall === undefined || !numbers.every((text) => Number.isFinite(Number(text)))) return `no figure: ${line}`
    figures.set(metric, { wall, ...(cpu !== undefined && { cpu }) })
  }
  return figures.size === 0 ? "it printed no figure" : figures
}
