/**
 * A cluster of runners whose processes are killed, frozen and stopped while they count words, and what that costs: no
 * acknowledged update is lost, none is applied twice, and a key is away until another runner has it.
 *
 *   npm start -- cluster                      three runners, three kills, a freeze, one that is stopped and comes back
 *   npm start -- cluster --kills 20 --json    the figures alone
 *   npm start -- cluster --no-keys            calls without idempotency keys: the cluster sends some of them twice
 *   npm start -- cluster --help               all there is to choose
 *
 * It starts a PostgreSQL of its own and runners as processes of their own, and is a client of theirs. It reads top to bottom: the
 * traffic, what is done to the runners, the comparison, the command.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Config, Console, Effect, FileSystem, Layer, Option, Path, References, Schema } from "effect"
import { CliError, Command, Flag, GlobalFlag } from "effect/cli"
import { ClusterServer } from "../cluster.ts"
import * as StateStoreSql from "../layers/state/StateStoreSql.ts"
import * as Fleet from "./cluster/Fleet.ts"
import * as Member from "./cluster/Member.ts"
import * as Postgres from "./cluster/Postgres.ts"
import * as Result from "./cluster/Result.ts"
import * as Strikes from "./cluster/Strikes.ts"
import * as Traffic from "./cluster/Traffic.ts"
import * as Words from "./tally/Words.ts"

// ---- The traffic: the lines of the input, by turns to the keys, over and over until the runners have been through it all.

/** Lines in an update. */
const chunk = 20

const wordsOf = (lines: ReadonlyArray<string>): ReadonlyArray<number> => {
  const words: Array<number> = []
  for (let from = 0; from < lines.length; from += chunk) {
    words.push(Words.total(Words.count(lines.slice(from, from + chunk))))
  }
  return words
}

const traffic = Effect.fnUntraced(function*(
  url: string,
  input: ReadonlyArray<string>,
  { keyed, keys }: { readonly keys: number; readonly keyed: boolean }
) {
  const words = wordsOf(input)
  const counterOf = yield* Effect.provideContext(
    ClusterServer.client(Member.Counter, keyed ? {} : { keyless: "all" }),
    yield* Layer.build(Member.client(url))
  )
  const update: Traffic.Update = (key, words, again) =>
    counterOf(key).Add({ words }, {
      timeout: Traffic.timeoutOf(keyed),
      ...(again === undefined ? {} : { idempotencyKey: again })
    })
  return yield* Traffic.begin(keys, words, update)
})

// ---- The comparison: what callers know, against what is in the database.

const stored = Effect.fnUntraced(function*(url: string, lines: ReadonlyArray<Traffic.Line>) {
  const store = yield* Effect.provideContext(StateStoreSql.look(), yield* Layer.build(Member.database(url, 1)))
  const decode = Schema.decodeUnknownSync(
    Schema.fromJsonString(Schema.Struct({ updates: Schema.Int, words: Schema.Int }))
  )
  const found = new Map<string, Result.Stored>()
  for (const { key } of lines) {
    const [newest] = yield* store.load(`${Member.Counter.key}/${key}`)
    if (newest !== undefined) found.set(key, decode(newest.state))
  }
  return found
})

/** Words of updates that were answered, which are all there are where no outcome is unknown. */
const miscounted = (
  lines: ReadonlyArray<Traffic.Line>,
  found: ReadonlyMap<string, Result.Stored>
): ReadonlyArray<string> =>
  lines.filter(({ key, unknown, words }) => unknown === 0 && (found.get(key)?.words ?? 0) !== words)
    .map(({ key }) => key)

// ---- The command.

const atLeast = (least: number) => Flag.filter((n: number) => n >= least, () => `a whole number of ${least} or more`)

export const flags = {
  runners: Flag.Int("runners").pipe(
    atLeast(2),
    Flag.withDescription("How many runners there are (3)"),
    Flag.withDefault(3)
  ),
  keys: Flag.Int("counters").pipe(
    atLeast(1),
    Flag.withDescription("How many counters the words are spread over (24)"),
    Flag.withDefault(24)
  ),
  kills: Flag.Int("kills").pipe(
    atLeast(0),
    Flag.withDescription("How many runners are killed, one after the other (3)"),
    Flag.withDefault(3)
  ),
  freezes: Flag.Int("freezes").pipe(
    atLeast(0),
    Flag.withDescription("How many are frozen until others have their keys, and go on (1)"),
    Flag.withDefault(1)
  ),
  stops: Flag.Int("stops").pipe(
    atLeast(0),
    Flag.withDescription("How many are stopped in order, and join again (1)"),
    Flag.withDefault(1)
  ),
  keyed: Flag.Boolean("keys").pipe(
    Flag.withDescription("Whether each call has an idempotency key; without them the cluster may send a call twice"),
    Flag.withDefault(true)
  ),
  json: Flag.Boolean("json").pipe(Flag.withDescription("Print the figures as JSON"), Flag.withDefault(false))
}

const effectSources = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const manifest = yield* path.fromFileUrl(new URL(import.meta.resolve("effect/package.json")))
  const folder = path.join(path.dirname(manifest), "src")
  const names = (yield* fs.readDirectory(folder)).filter((name) => name.endsWith(".ts")).sort()
  const texts = yield* Effect.forEach(names, (name) => fs.readFileString(path.join(folder, name)), { concurrency: 8 })
  return texts.flatMap((text) => text.split("\n"))
})

/** What makes a process of this program a runner. */
const runnerVariable = "HEIRLOOM_CLUSTER_RUNNER"

const cluster = Effect.fnUntraced(function*(
  { freezes, json, keyed, keys, kills, runners: count, stops }: Command.Command.Config.Infer<typeof flags>
) {
  const say: Strikes.Say = (text) => json ? Effect.void : Console.log(text)
  const input = yield* effectSources
  yield* say("starting PostgreSQL")
  const { url } = yield* Postgres.start
  yield* say(`starting ${count} runners`)
  const environment = (port: number) => ({ [runnerVariable]: JSON.stringify({ port, url }) })
  const runners = yield* Fleet.make(count, { args: process.argv.slice(1), environment }, Member.joined)
  yield* Effect.forEach(runners, Fleet.hasJoined, { discard: true })
  const { end, lines } = yield* traffic(url, input, { keys, keyed })
  yield* say(`${keys} counters are counting the words of ${input.length} lines, over and over\n`)

  yield* Strikes.strike(runners, lines, { kills, freezes, stops }, say)

  yield* end
  const found = yield* stored(url, lines)
  const result = Result.compare(lines, found, { kills, freezes })
  yield* Console.log(json ? JSON.stringify(result) : Result.summary(result, lines))
  const wrong = keyed ? miscounted(lines, found) : []
  if (!keyed) yield* say("Without keys an update may be applied twice: leave out --no-keys.")
  if (result.lost > 0 || (keyed && result.twice > 0) || wrong.length > 0) {
    return yield* new CliError.UserError({
      cause: undefined,
      userMessage: `An acknowledged update was lost, or counted twice${
        wrong.length === 0 ? "" : `: ${wrong.join(", ")}`
      }`
    })
  }
}, Effect.scoped)

export const program = (given: Command.Command.Config.Infer<typeof flags>) =>
  Effect.gen(function*() {
    const level = Option.getOrElse(yield* GlobalFlag.LogLevel, () => "Fatal" as const)
    // What becomes of runners is shown above: their logs are shown only when asked for.
    const quietly = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
      effect.pipe(
        Effect.provideService(References.MinimumLogLevel, level),
        Effect.provideService(References.LogToStderr, true)
      )
    const place = yield* Config.option(Config.String(runnerVariable))
    if (Option.isNone(place)) return yield* quietly(cluster(given))
    const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(Member.Place))
    return yield* quietly(Member.run(Member.runner(yield* decode(place.value))))
  })

export const command = Command.make("cluster", flags, program).pipe(
  Command.withShortDescription("Counts words on runners that are killed, frozen and stopped all the time"),
  Command.withDescription(
    "Starts a PostgreSQL and runners as processes of their own, counts words with servers that are spread over them, kills, freezes " +
      "and stops runners meanwhile, and compares what was acknowledged with what is in the database. Exit code 1 when an " +
      "acknowledged update was lost, or one was applied twice although its call had a key"
  )
)

if (import.meta.main) {
  Command.run(command, { version: "0.1.0" }).pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)
}
