/** Runs random trees under random faults, one for each seed: in virtual time, and in real time. */
import { Effect, type Layer } from "effect"
import { Chaos, Draws, Simulation } from "../../../src/testing.ts"
import { client, invariant } from "./Clients.ts"
import { make, type Services, type Store, type Tree, type TreeOptions } from "./Tree.ts"

/** What is run. What is not given is drawn from the seed. */
export interface Options extends Pick<TreeOptions, "isDurable" | "slow"> {
  readonly seed: number
  /** Virtual minutes. */
  readonly minutes: number
  /** How many runs may be spent on making a failure short. */
  readonly attempts?: number
  /** How many faults of each kind strike in an hour. */
  readonly faults?: Simulation.Rates
  /** How likely a fiber loses its turn at any step. */
  readonly yields?: number
}

const drawsOf = (seed: number) => Draws.make(Draws.seedOf("hunt", seed))

/** The tree of a seed, and how it is run. */
export const optionsOf = (given: Options): readonly [Tree, Simulation.Options<Services>] => {
  const { attempts, isDurable, minutes, seed, slow } = given
  const tree = make(seed, { isDurable, slow })
  const draws = drawsOf(seed)
  const step = client(tree)
  const clock = draws.chance(0.3) ? 20 : 0
  const faults = {
    messages: draws.pick([60, 240, 600]),
    lives: draws.pick([20, 60, 180]),
    store: tree.isDurable ? draws.pick([0, 60, 240]) : 0,
    // What is in memory is lost with the process.
    machine: tree.isDurable ? draws.pick([0, 20, 90]) : 0,
    clock,
    ...given.faults
  }
  return [tree, {
    seed,
    for: `${minutes} minutes`,
    clients: { alice: step, bob: step, carol: step, dave: step },
    pause: draws.pick(["500 millis", "1 second", "2 seconds"]),
    faults,
    invariant: invariant(tree, (faults.clock ?? 0) > 0),
    order: draws.pick(["drawn", "arrival"]),
    yields: draws.pick([0, 0, 0.05]),
    lag: draws.pick([0, 0.05]),
    ...(given.yields === undefined ? {} : { yields: given.yields }),
    ...(attempts === undefined ? {} : { attempts })
  }]
}

/** One random tree in virtual time. */
export const hunt = (options: Options): Effect.Effect<Simulation.Report, Simulation.SimulationFailed> =>
  Effect.suspend(() => {
    const [{ app }, how] = optionsOf(options)
    return Simulation.run(app, how)
  })

/** One random tree for so many seconds of real time; `store` keeps what is durable. */
export const huntLive = (
  { seconds, seed, store }: { readonly seed: number; readonly seconds: number; readonly store: Layer.Layer<Store> }
): Effect.Effect<Chaos.Report, Chaos.ChaosFailed> =>
  Effect.suspend(() => {
    const tree = make(seed, { store })
    const draws = drawsOf(seed)
    const step = client(tree, 20)
    return Chaos.run(tree.app, {
      seed,
      for: `${seconds} seconds`,
      clients: { alice: step, bob: step, carol: step, dave: step },
      pause: draws.pick(["5 millis", "20 millis", "50 millis"]),
      faults: {
        messages: draws.pick([3600, 7200]),
        lives: draws.pick([1200, 3600]),
        store: tree.isDurable ? draws.pick([0, 1200]) : 0
      },
      invariant: invariant(tree, false)
    })
  })
