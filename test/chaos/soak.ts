/**
 * Hunts for broken promises for as long as its option says: `npm run chaos -- --seed 1 --seconds 60`.
 *
 * Each round draws a tree from its seed, runs it under clients and faults, and checks every promise: mostly in virtual
 * time, every eighth in real time over SQLite. On failure it prints the seed and the shortest history that shows it.
 * With `--faults` it puts deliberate faults into the engine instead, and says by which seed each is found.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Clock, Console, Effect, Layer, Result } from "effect"
import { Command, Flag } from "effect/cli"
import { join } from "node:path"
import * as StateStoreSqlite from "../../src/layers/state/StateStoreSqlite.ts"
import { type Chaos, FaultyStore, type Simulation } from "../../src/testing.ts"
import { deliberateFaults, withinSeeds } from "../kit/chaos/Faults.ts"
import { find } from "../kit/chaos/Faulty.ts"
import { hunt, huntLive, optionsOf } from "../kit/chaos/Hunt.ts"
import { Store } from "../kit/chaos/Tree.ts"
import { folder } from "../kit/Folder.ts"

/** A round of so many in real time. */
const live = 8
const liveSeconds = 4

interface Total {
  rounds: number
  liveRounds: number
  millis: number
  operations: number
  answered: number
  faults: number
  events: number
  undecided: number
  broken: number
}

type Failed = Simulation.SimulationFailed | Chaos.ChaosFailed

/** One tree over a real database, in real time. */
const liveRound = (seed: number) =>
  Effect.scoped(Effect.flatMap(folder, (directory) => {
    const sqlite = StateStoreSqlite.layer(Store, { filename: join(directory, "states.db") })
    return huntLive({ seed, seconds: liveSeconds, store: Layer.orDie(FaultyStore.layer(Store, sqlite)) })
  }))

const soak = Effect.fnUntraced(function*(
  { minutes, seconds, seed, seeds }: { seed: number; seconds: number; minutes: number; seeds: number }
) {
  const total: Total = {
    rounds: 0,
    liveRounds: 0,
    millis: 0,
    operations: 0,
    answered: 0,
    faults: 0,
    events: 0,
    undecided: 0,
    broken: 0
  }
  const until = (yield* Clock.currentTimeMillis) + seconds * 1000
  const isOver = Effect.map(Clock.currentTimeMillis, (now) => seeds > 0 ? total.rounds >= seeds : now >= until)
  while (!(yield* isOver)) {
    // Seeds of one run are far from those of the next.
    const own = seeds > 0 ? seed + total.rounds : seed * 1_000_000 + total.rounds
    const isLive = seeds === 0 && total.rounds % live === live - 1
    const round: Effect.Effect<Omit<Total, "rounds" | "liveRounds" | "undecided" | "broken">, Failed> = isLive
      ? Effect.map(liveRound(own), (report) => ({ ...report, millis: liveSeconds * 1000 }))
      : hunt({ seed: own, minutes })
    const result = yield* Effect.result(round)
    total.rounds++
    if (isLive) total.liveRounds++
    if (Result.isSuccess(result)) {
      const { answered, events, faults, millis, operations } = result.success
      total.millis += millis
      total.operations += operations
      total.answered += answered
      total.faults += faults
      total.events += events
      continue
    }
    // No promise is broken by that: too many calls were made whose outcome is not known.
    if (result.failure.kind === "undecided") {
      total.undecided++
      continue
    }
    total.broken++
    yield* Console.error(`broken (${isLive ? "real" : "virtual"} time): ${result.failure.message}`)
    yield* Console.error(`\nThe tree:\n${optionsOf({ seed: own, minutes })[0].text}\n`)
    yield* Console.error(`Again: npm run chaos -- --seed ${own} --seeds 1 --minutes ${minutes}\n`)
  }
  const { answered, broken, events, faults, liveRounds, millis, operations, rounds, undecided } = total
  yield* Console.log(
    `seed ${seed}: ${rounds} trees (${liveRounds} in real time), ${(millis / 3_600_000).toFixed(1)} hours, ` +
      `${operations} operations, ${answered} answered, ${faults} faults, ${events} events, ${undecided} not decided, ${broken} broken`
  )
  if (broken > 0) return yield* Effect.die(new Error(`${broken} trees broke a promise`))
})

const faulty = Effect.gen(function*() {
  let missed = 0
  for (const fault of deliberateFaults) {
    const found = yield* find(fault)
    if (found === undefined) missed++
    const how = found === undefined ? `not found in ${withinSeeds} seeds` : `seed ${found.seed} (${found.kind})`
    yield* Console.log(`${fault.name}: ${how}`)
  }
  if (missed > 0) return yield* Effect.die(new Error(`${missed} deliberate faults were not found`))
})

Command.make("chaos", {
  seed: Flag.Int("seed").pipe(Flag.withDefault(1), Flag.withDescription("What everything is drawn from (1)")),
  seconds: Flag.Finite("seconds").pipe(Flag.withDefault(60), Flag.withDescription("How long, in real time (60)")),
  minutes: Flag.Finite("minutes").pipe(
    Flag.withDefault(10),
    Flag.withDescription("How long each tree runs, in virtual time (10)")
  ),
  seeds: Flag.Int("seeds").pipe(
    Flag.withDefault(0),
    Flag.withDescription("So many trees, one for each seed from --seed on, instead of a time")
  ),
  faults: Flag.Boolean("faults").pipe(
    Flag.withDefault(false),
    Flag.withDescription("Puts deliberate faults into the engine, and says by which seed each is found")
  )
}, ({ faults, ...options }) => faults ? faulty : soak(options)).pipe(
  Command.withDescription("Hunts for broken promises with random trees under random faults"),
  Command.run({ version: "0.1.0" }),
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain
)
