/**
 * Kills processes for as long as its option says: `npm run soak -- --minutes 60`.
 *
 * By turns, a client remembers what journals over each store acknowledge, tally counts all the sources of effect, and a
 * thousand timers ring; all are killed at moments drawn at random. Between them copies of a SQLite database are damaged
 * at places drawn at random, requests drawn at random are sent to servers that are served, threads die in the middle of
 * messages, a storm does all that befalls a store at once, and the runners of a cluster are killed, frozen and stopped.
 * The same seed draws the same. It fails when anything acknowledged is missing, a count is not that of a single pass, a
 * timer has not counted once, a damaged copy misses something in silence, a request gets an answer that is not its own,
 * a call fails since a runner is stopped, a thread is left, or one that is starved is taken for hung.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Clock, Console, Context, Effect, Layer, Random } from "effect"
import { Command, Flag } from "effect/cli"
import { join } from "node:path"
import type { Result } from "../../src/programs/cluster/Result.ts"
import { effectSources } from "../../src/programs/tally/Input.ts"
import { bundle, setup } from "../kit/Bundle.ts"
import * as Runs from "../kit/cluster/Runs.ts"
import { inWords, killAlarms } from "../kit/durable/Alarms.ts"
import { killJournals } from "../kit/durable/Journals.ts"
import { damageRows, inFolder, rage, type Site } from "../kit/durable/Storms.ts"
import { killTally } from "../kit/durable/Tallies.ts"
import { folder } from "../kit/Folder.ts"
import { storm } from "../kit/serve/Storm.ts"
import { layer as web } from "../kit/serve/Web.ts"
import { damage, judged, original } from "../kit/stores/DamagedSqlite.ts"
import { Postgres } from "../kit/stores/Postgres.ts"
import { killThreads, starveThread } from "../kit/worker/Deaths.ts"

/** Kills in one turn. */
const turn = 25

interface Total {
  kills: number
  acknowledged: number
  wrong: number
}

/** What a turn kills. */
const parts = ["journals", "tally", "timers", "damage", "serve", "storms", "threads", "cluster"] as const

/** Deaths of threads in one turn. */
const deaths = 250

/** Damaged copies in one turn. */
const copies = 200

/** Random requests in one turn. */
const requests = 10_000

const soak = Effect.fnUntraced(function*(minutes: number, only: typeof parts[number] | "all") {
  const isWanted = (part: typeof parts[number]) => only === "all" || only === part
  setup()
  const sources = yield* effectSources
  const journal = bundle("test/kit/durable/Journal.ts")
  const tally = bundle("src/programs/tally.ts")
  const alarm = bundle("test/kit/durable/Alarm.ts")
  const { client, port } = Context.get(yield* Layer.build(Postgres.layer), Postgres)
  const until = (yield* Clock.currentTimeMillis) + minutes * 60_000
  const places = {
    SQLite: Effect.map(folder, (directory) => `sqlite:${join(directory, "states.db")}`),
    files: Effect.map(folder, (directory) => `file:${join(directory, "states")}`),
    PostgreSQL: Effect.sync(() => `postgres:postgres://postgres:test@127.0.0.1:${port}/postgres`)
  }
  const rows = yield* Layer.build(client)
  const sites = {
    SQLite: inFolder("sqlite", "states.db"),
    files: inFolder("file", ""),
    PostgreSQL: Effect.map(places.PostgreSQL, (place): Site => ({
      place,
      damage: (seed) => Effect.provideContext(damageRows(seed), rows)
    }))
  }
  const totals = new Map<string, Total>()
  const add = (name: string, kills: number, acknowledged: number, wrong: ReadonlyArray<string>) => {
    const total = totals.get(name) ?? { kills: 0, acknowledged: 0, wrong: 0 }
    total.kills += kills
    total.acknowledged += acknowledged
    total.wrong += wrong.length
    totals.set(name, total)
    const text = `${name}: killed ${total.kills} times, ${total.acknowledged} acknowledged, ${total.wrong} wrong`
    return Console.log([text, ...wrong.slice(0, 10).map((line) => `  ${line}`)].join("\n"))
  }
  let seed = yield* Random.nextIntBetween(0, 1_000_000)
  const isTime = Effect.map(Clock.currentTimeMillis, (now) => now < until)

  while (yield* isTime) {
    for (const [name, place] of Object.entries(places)) {
      if (!isWanted("journals") || !(yield* isTime)) continue
      const { acknowledged, kills, wrong } = yield* Effect.scoped(
        Effect.flatMap(place, (place) => killJournals(journal, place, turn))
      )
      yield* add(`journals in ${name}`, kills, acknowledged, wrong)
    }
    for (const name of ["SQLite", "files"] as const) {
      if (!isWanted("tally") || !(yield* isTime)) continue
      const { kills, result } = yield* killTally(tally, places[name], ["--chunk", "1000", ...sources], turn, 2000)
      const wrong = result.matches ? [] : [`${result.words} words counted, which are not those of a single pass`]
      yield* add(`tally in ${name}`, kills, result.acknowledged, wrong)
    }
    for (const name of ["SQLite", "files"] as const) {
      if (!isWanted("timers") || !(yield* isTime)) continue
      const outcome = yield* Effect.scoped(
        Effect.flatMap(places[name], (place) => killAlarms(alarm, place, { kills: 100, timers: 1000, window: 60_000 }))
      )
      yield* add(`timers in ${name}`, outcome.kills, outcome.lateness.length, outcome.wrong)
      yield* Console.log(`  ${outcome.handled} messages handled for ${outcome.timers} timers; ${inWords(outcome)}`)
    }
    for (const [name, site] of Object.entries(sites)) {
      if (!isWanted("storms") || !(yield* isTime)) continue
      const storm = yield* Effect.scoped(Effect.flatMap(site, (site) => rage(journal, site, turn)))
      const { acknowledged, damages, kills, late, refused, said, takeOvers, wrong } = storm
      yield* add(`storms over ${name}`, kills, acknowledged, wrong)
      yield* Console.log(
        `  ${takeOvers} take-overs (${late} late answers), ${damages} damages: ${said} losses said, ${refused} starts refused`
      )
    }
    if (isWanted("threads") && (yield* isTime)) {
      const { acknowledged, deaths: kills, wrong } = yield* killThreads(deaths, `${seed++}`)
      yield* add("threads", kills, acknowledged, wrong)
      const { took, wrong: starved } = yield* starveThread
      yield* add("a starved thread", 0, 0, starved)
      const resident = Math.round(process.memoryUsage.rss() / 1e6)
      yield* Console.log(`  600 ms of work took it ${took} ms; ${resident} MB are resident here`)
    }
    if (isWanted("cluster") && (yield* isTime)) {
      const url = `postgres://postgres:test@127.0.0.1:${port}/postgres`
      const ours = { kind: "ours", keys: 24 } as const
      const check = (name: string, result: Result, wrong: ReadonlyArray<string>) =>
        Effect.andThen(
          add(name, result.kills, result.acknowledged, wrong),
          Console.log(`  ${JSON.stringify(result)}`)
        )
      const one = yield* Runs.run(url, ours, { kills: 20, freezes: 3, stops: 2 }, (text) => Console.log(`  ${text}`))
      yield* check("runners", one, [
        ...(one.lost + one.twice === 0 ? [] : ["an update was lost, or applied twice"]),
        ...(one.failed + one.late === 0
          ? []
          : ["a runner was stopped in order, and a call failed, or it did not leave"])
      ])
      // Which calls are under way when a runner dies is chance.
      let keyless = yield* Runs.run(url, { ...ours, isKeyed: false }, { kills: 4, freezes: 0, stops: 0 })
      for (let n = 0; n < 4 && keyless.twice === 0; n++) {
        keyless = yield* Runs.run(url, { ...ours, isKeyed: false }, { kills: 4, freezes: 0, stops: 0 })
      }
      yield* check(
        "runners, without keys",
        keyless,
        keyless.twice > 0 ? [] : ["none applied twice: the check is blind"]
      )
      const byHand = yield* Runs.run(url, { kind: "by hand", keys: 24 }, { kills: 0, freezes: 4, stops: 0 })
      yield* check("entities that write by hand", byHand, byHand.lost > 0 ? [] : ["none lost: the check is blind"])
      const standing = yield* Runs.standStill(url, { keys: 24 })
      // A lock that held them would hold them for as long as it stands.
      const isBack = standing.longest <= 15_000 && standing.lost + standing.twice === 0
      yield* check("frozen inside a transaction", standing, isBack ? [] : [`a key was away for ${standing.longest} ms`])
      // The first has the statements prepared, and the code compiled.
      const [, told] = [yield* Runs.tellAll(url, 999), yield* Runs.tellAll(url, 1000)]
      const isTold = told.refused === 1000 && told.millis <= 1000
      yield* add("keys taken over", 0, 1000, isTold ? [] : [`${told.refused} were told after ${told.millis} ms`])
      yield* Console.log(`  ${JSON.stringify(told)}`)
    }
    for (const log of [false, true]) {
      if (!isWanted("damage") || !(yield* isTime)) continue
      const wrong: Array<string> = []
      const told = yield* Effect.scoped(Effect.gen(function*() {
        const one = yield* original(log)
        let told = 0
        for (let i = 0; i < copies; i++) {
          const { files, what } = damage(one.files, log && i % 4 > 0 ? "-wal" : ".db", seed++)
          const { outcome, silent } = yield* Effect.scoped(judged(one, files))
          if (outcome !== "whole") told++
          wrong.push(...silent.map((line) => `${what}: ${line}`))
        }
        return told
      }))
      yield* add(`damaged SQLite${log ? ", with its log" : ""}`, 0, 0, wrong)
      yield* Console.log(`  ${copies} copies, ${told} of them told or refused`)
    }
    if (isWanted("serve") && (yield* isTime)) {
      const { byStatus, wrong } = yield* storm(seed++, requests).pipe(Effect.provide(web()))
      yield* add("random requests", 0, requests, wrong)
      yield* Console.log(`  seed ${seed - 1}: ${Object.entries(byStatus).map((one) => one.join(" ")).join(", ")}`)
    }
  }
  const all = [...totals.values()]
  const wrong = all.reduce((sum, one) => sum + one.wrong, 0)
  yield* Console.log(`${all.reduce((sum, one) => sum + one.kills, 0)} kills, ${wrong} wrong`)
  if (wrong > 0) return yield* Effect.die(new Error("something acknowledged was lost"))
})

Command.make("soak", {
  minutes: Flag.Finite("minutes").pipe(Flag.withDefault(10), Flag.withDescription("How long (10)")),
  only: Flag.Literals("only", ["all", ...parts]).pipe(
    Flag.withDefault("all"),
    Flag.withDescription(`What to do: ${parts.join(", ")} (all)`)
  ),
  seed: Flag.String("seed").pipe(Flag.withDefault("1"), Flag.withDescription("What the moments are drawn from (1)"))
}, ({ minutes, only, seed }) => Effect.scoped(soak(minutes, only)).pipe(Random.withSeed(seed))).pipe(
  Command.withDescription("Kills processes of durable servers, again and again, and looks for what is missing"),
  Command.run({ version: "0.1.0" }),
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain
)
