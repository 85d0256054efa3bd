/**
 * What the program `cluster` does, and what its runners do: they are processes of the same program. It reads top to
 * bottom: the traffic, the comparison, the run.
 */
import { Config, Console, Effect, Layer, Option, References, Schema } from "effect"
import { CliError, GlobalFlag } from "effect/cli"
import { ClusterServer } from "../../cluster.ts"
import * as StateStoreSql from "../../layers/state/StateStoreSql.ts"
import * as Input from "../tally/Input.ts"
import * as Words from "../tally/Words.ts"
import * as Fleet from "./Fleet.ts"
import * as Member from "./Member.ts"
import * as Postgres from "./Postgres.ts"
import * as Result from "./Result.ts"
import * as Strikes from "./Strikes.ts"
import * as Traffic from "./Traffic.ts"

/** What may be chosen. */
export interface Given {
  readonly runners: number
  readonly keys: number
  readonly kills: number
  readonly freezes: number
  readonly stops: number
  readonly keyed: boolean
  readonly json: boolean
}

// ---- The traffic: the lines of the input, by turns to the keys, over and over until the runners have been through it
// all.

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
  const update: Traffic.Update = (key, words, options) => counterOf(key).Add({ words }, options)
  return yield* Traffic.begin(keys, words, update, keyed)
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

// ---- The run, and the runners that it starts.

/** What makes a process of this program a runner. */
const runnerVariable = "HEIRLOOM_CLUSTER_RUNNER"

const refusal = (userMessage: string) => new CliError.UserError({ cause: undefined, userMessage })

const cluster = Effect.fnUntraced(function*(
  { freezes, json, keyed, keys, kills, runners: count, stops }: Given
) {
  const say: Strikes.Say = (text) => json ? Effect.void : Console.log(text)
  const input = yield* Input.linesOf(yield* Input.effectSources)
  yield* say("starting PostgreSQL")
  const { url } = yield* Effect.mapError(Postgres.start, ({ message }) => refusal(message))
  yield* say(`starting ${count} runners`)
  const environment = (port: number) => ({ [runnerVariable]: JSON.stringify({ port, url }) })
  const runners = yield* Fleet.make(count, { args: process.argv.slice(1), environment })
  yield* Effect.forEach(runners, Fleet.hasJoined, { discard: true })
  const { end, lines } = yield* traffic(url, input, { keys, keyed })
  yield* say(`${keys} counters are counting the words of ${input.length} lines, over and over\n`)

  const struck = yield* Strikes.strike(runners, lines, { kills, freezes, stops }, say)

  yield* end
  const found = yield* stored(url, lines)
  const result = Result.compare(lines, found, struck)
  yield* Console.log(json ? JSON.stringify(result) : Result.summary(result, lines))
  const wrong = keyed ? miscounted(lines, found) : []
  if (!keyed) yield* say("Without keys an update may be applied twice: leave out --no-keys.")
  if (result.lost > 0 || (keyed && result.twice > 0) || wrong.length > 0) {
    const where = wrong.length === 0 ? "" : `: ${wrong.join(", ")}`
    return yield* refusal(`An acknowledged update was lost, or counted twice${where}`)
  }
}, Effect.scoped)

export const program = (given: Given) =>
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
