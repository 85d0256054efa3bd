/**
 * Runs the benchmark: `npm run bench -- --help`.
 *
 * A round runs every section of every contender once, each in a process of its own, contenders next to one another; the
 * ratio of a figure is taken within a round, and what is shown is the median over the rounds. A machine that is slow for
 * a minute slows both sides of a ratio.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Effect, FileSystem } from "effect"
import { Command, Flag } from "effect/cli"
import { availableParallelism, cpus } from "node:os"
import { join } from "node:path"
import { toCurve, toRatios } from "./chart.ts"
import { type Contender, type Figure, measure, otp, otpVersion, ours, peers } from "./contenders.ts"
import { curve, metrics } from "./metrics.ts"
import { type Round, toRows, toTables } from "./rows.ts"

const here = import.meta.dirname

const sectionsOf = (only: string): ReadonlyArray<string> => {
  const all = [...metrics, ...curve.what.map((what) => ({ metric: `curve.${what}`, section: curve.section }))]
  return [
    ...new Set(
      all.filter(({ metric, section }) => metric.startsWith(only) || section.startsWith(only)).map((row) => row.section)
    )
  ]
}

const round = Effect.fnUntraced(
  function*(contenders: ReadonlyArray<Contender>, sections: ReadonlyArray<string>, quick: boolean) {
    const figures = new Map<string, Map<string, Figure>>(contenders.map(({ name }) => [name, new Map()]))
    for (const section of sections) {
      for (const contender of contenders) {
        for (const [metric, figure] of measure(contender, section, quick)) {
          figures.get(contender.name)!.set(metric, figure)
        }
        // A turn for the signals: somebody may want to stop this.
        yield* Effect.yieldNow
      }
    }
    return figures as Round
  }
)

const flag = (name: string) => Flag.Boolean(name).pipe(Flag.withDefault(false))

const bench = Command.make(
  "bench",
  {
    peers: flag("peers").pipe(Flag.withDescription("Also run Erlang/OTP, naive Effect, effect/cluster and xstate")),
    otp: flag("otp").pipe(Flag.withDescription("Also run Erlang/OTP, but no other peer")),
    rounds: Flag.Int("rounds").pipe(Flag.withDefault(5), Flag.withDescription("Rounds; medians are taken over them")),
    only: Flag.String("only").pipe(
      Flag.withDefault(""),
      Flag.withDescription("Only metrics or sections that begin so")
    ),
    quick: flag("quick").pipe(Flag.withDescription("A twentieth of the work: shows that it runs, measures nothing")),
    json: flag("json").pipe(Flag.withDescription("Print JSON")),
    write: flag("write").pipe(Flag.withDescription("Write results.json, the charts and the table of README.md"))
  },
  Effect.fnUntraced(function*(options) {
    const withOtp = options.peers || options.otp ? otp() : undefined
    const contenders = [ours, ...(withOtp === undefined ? [] : [withOtp]), ...(options.peers ? peers : [])]
    const sections = sectionsOf(options.only)
    const rounds: Array<Round> = []
    for (let i = 1; i <= options.rounds; i++) {
      yield* Console.error(`round ${i} of ${options.rounds}: ${contenders.map(({ name }) => name).join(", ")}`)
      rounds.push(yield* round(contenders, sections, options.quick))
    }

    const machine = [
      `${cpus()[0]?.model.trim() ?? "unknown CPU"}, ${availableParallelism()} cores`,
      `Node ${process.versions.node}`,
      ...(withOtp === undefined ? [] : [otpVersion()]),
      `${rounds.length} ${rounds.length === 1 ? "round" : "rounds"}`
    ].join("; ")
    const rows = toRows(rounds)
    const json = JSON.stringify({ machine, rows }, null, 2)
    yield* Console.log(options.json ? json : `${machine}\n\n${toTables(rows)}`)

    if (options.write) {
      const files = yield* FileSystem.FileSystem
      yield* files.writeFileString(join(here, "results.json"), `${json}\n`)
      yield* files.writeFileString(join(here, "ratios.svg"), toRatios(rows, machine))
      yield* files.writeFileString(join(here, "curve.svg"), toCurve(rows))
      const readme = yield* files.readFileString(join(here, "README.md"))
      const table = `<!-- results -->\n\n${machine}\n\n${toTables(rows)}\n\n<!-- /results -->`
      yield* files.writeFileString(
        join(here, "README.md"),
        readme.replace(/<!-- results -->[^]*<!-- \/results -->/, () => table)
      )
    }
  })
).pipe(Command.withDescription("Measures Heirloom, and with --peers what it is compared with"))

bench.pipe(Command.run({ version: "0.1.0" }), Effect.provide(NodeServices.layer), NodeRuntime.runMain)
