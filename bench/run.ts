/**
 * Runs the benchmark: `npm run bench -- --help`.
 *
 * A round runs every section of every contender once, each in a process of its own, contenders next to one another; the
 * ratio of a figure is taken within a round, and what is shown is the median over the rounds. A machine that is slow
 * for a minute slows both sides of a ratio.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Effect, FileSystem, Runtime, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { availableParallelism, cpus } from "node:os"
import { join } from "node:path"
import { toCurve, toRatios } from "./chart.ts"
import { type Contender, type Figure, measure, type Options, otp, otpVersion, ours, peers } from "./contenders.ts"
import { minutes, quick } from "./measure.ts"
import { all, isOnce, sectionsOf } from "./metrics.ts"
import { type Round, toRows, toTables } from "./rows.ts"
import { toVerdict } from "./verdict.ts"

const here = import.meta.dirname

/** Ends the run with exit code 1, once its sentence is on standard error. */
class Refused extends Schema.TaggedError<Refused>()("Refused", { message: Schema.String }) {
  override readonly [Runtime.errorReported] = false
}

const refuse = (message: string) => Effect.andThen(Console.error(message), Effect.fail(new Refused({ message })))

const round = Effect.fnUntraced(
  function*(contenders: ReadonlyArray<Contender>, sections: ReadonlyArray<string>, options: Options) {
    const outcomes = new Map(
      contenders.map(({ name }) => [name, { figures: new Map<string, Figure>(), failed: new Set<string>() }])
    )
    for (const section of sections) {
      for (const contender of contenders) {
        const { failed, figures } = outcomes.get(contender.name)!
        const measured = measure(contender, section, options)
        const said = typeof measured === "string" ? new Map<string, Figure>() : measured
        for (const [metric, figure] of said) figures.set(metric, figure)
        // Not every contender has every figure of a section; we do.
        const missing = all.filter((row) => row.section === section && row.of === undefined && !said.has(row.metric))
        if (typeof measured === "string" || (contender === ours && missing.length > 0)) {
          for (const { metric } of missing) failed.add(metric)
          const why = typeof measured === "string" ? measured : "it printed no such figure"
          yield* Console.error(
            `${contender.name} failed at ${section} (${missing.map(({ metric }) => metric).join(", ")}): ${why}`
          )
        }
        // A turn for the signals: somebody may want to stop this.
        yield* Effect.yieldNow
      }
    }
    const { failed, figures } = outcomes.get(ours.name)!
    for (const { metric, of } of all) {
      if (of === undefined) continue
      const [one, other] = of.map((part) => figures.get(part))
      if (of.some((part) => failed.has(part))) failed.add(metric)
      if (one?.cpu === undefined || other?.cpu === undefined) continue
      figures.set(metric, { wall: one.wall / other.wall, cpu: one.cpu / other.cpu })
    }
    return outcomes as Round
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
    quick: flag("quick").pipe(
      Flag.withDescription("A twentieth of the work: shows that it runs, measures nothing (as BENCH_QUICK=1 does)")
    ),
    minutes: Flag.Finite("minutes").pipe(
      Flag.withDefault(minutes),
      Flag.withDescription("How long the long runs over stores are, in minutes' worth of commits")
    ),
    json: flag("json").pipe(Flag.withDescription("Print JSON, and nothing else, to standard output")),
    write: flag("write").pipe(
      Flag.withDescription(
        "Publish: results.json, the charts and the results of README.md; only of a full run with peers"
      )
    )
  },
  Effect.fnUntraced(function*(flags) {
    const isQuick = flags.quick || quick
    if (flags.rounds < 1) return yield* refuse(`--rounds ${flags.rounds}: there must be one at least`)
    const sections = sectionsOf(flags.only)
    if (sections.length === 0) {
      const known = [...new Set(all.map(({ section }) => section))]
      return yield* refuse(`--only ${flags.only}: no metric and no section begins so. Sections: ${known.join(", ")}`)
    }
    const partial = [
      ...(flags.only === "" ? [] : ["--only leaves rows out"]),
      ...(isQuick ? ["a quick run measures nothing"] : []),
      ...(flags.peers ? [] : ["without --peers there is nothing to compare with"]),
      ...(flags.rounds < 5 ? ["medians are published of five rounds at least"] : [])
    ]
    if (flags.write && partial.length > 0) {
      return yield* refuse(`--write would replace the published results: ${partial.join("; ")}`)
    }

    const files = yield* FileSystem.FileSystem
    const folder = yield* files.makeTempDirectoryScoped({ prefix: "heirloom-bench-" })
    // PostgreSQL runs as a user of its own where this is root: it reads here.
    yield* files.chmod(folder, 0o755)
    const erlang = flags.peers || flags.otp ? otp(folder) : undefined
    if (typeof erlang === "string") {
      yield* Console.error(`Erlang/OTP is left out: ${erlang}`)
      if (flags.otp || flags.write) return yield* refuse("Install it: Debian has it as the package elixir.")
    }
    const withOtp = typeof erlang === "object" ? [erlang] : []
    const contenders = [ours, ...withOtp, ...(flags.peers ? peers : [])]
    const rounds: Array<Round> = []
    for (let i = 1; i <= flags.rounds; i++) {
      yield* Console.error(`round ${i} of ${flags.rounds}: ${contenders.map(({ name }) => name).join(", ")}`)
      const some = i === 1 ? sections : sections.filter((section) => !isOnce(section))
      rounds.push(
        yield* round(contenders, some, {
          quick: isQuick,
          minutes: isQuick ? Math.min(flags.minutes, 0.1) : flags.minutes,
          folder
        })
      )
    }

    const machine = [
      `${cpus()[0]?.model.trim() ?? "unknown CPU"}, ${availableParallelism()} cores`,
      `Node ${process.versions.node}`,
      ...withOtp.map(otpVersion),
      `${rounds.length} ${rounds.length === 1 ? "round" : "rounds"}, long runs of ${flags.minutes} minutes' worth`,
      ...(isQuick ? ["quick: these figures mean nothing"] : [])
    ].join("; ")
    const rows = toRows(rounds)
    const json = JSON.stringify({ machine, rows }, null, 2)
    const results = `${machine}\n\n${toTables(rows)}\n\n${toVerdict(rows)}`
    yield* Console.log(flags.json ? json : results)

    const failed = contenders.filter(({ name }) => rounds.some((round) => round.get(name)!.failed.size > 0))
    if (failed.length > 0) {
      const names = failed.map(({ name }) => name).join(", ")
      return yield* refuse(
        `Failed: ${names}. What went wrong is said above.${flags.write ? " Nothing is published." : ""}`
      )
    }
    if (flags.write) {
      yield* files.writeFileString(join(here, "results.json"), `${json}\n`)
      yield* files.writeFileString(join(here, "ratios.svg"), toRatios(rows, machine))
      yield* files.writeFileString(join(here, "curve.svg"), toCurve(rows))
      const readme = yield* files.readFileString(join(here, "README.md"))
      const published = `<!-- results -->\n\n${results}\n\n<!-- /results -->`
      yield* files.writeFileString(
        join(here, "README.md"),
        readme.replace(/<!-- results -->[^]*<!-- \/results -->/, () => published)
      )
    }
  }, Effect.scoped)
).pipe(Command.withDescription("Measures Heirloom, and with --peers what it is compared with"))

bench.pipe(Command.run({ version: "0.1.0" }), Effect.provide(NodeServices.layer), NodeRuntime.runMain)
