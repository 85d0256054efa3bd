/**
 * Crashes the servers of a class according to a seeded plan, and tells what it did.
 *
 * Nothing is simulated: at the named points of a server's work (`FaultPoints`) its incarnation is ended by a defect, an
 * interruption or a kill, and the fiber of its container is crashed beside it or with it. Use it to find out whether your
 * own servers keep what they acknowledged, in a test or in a chaos run. For one fault at one known place, provide
 * `FaultPoints` yourself.
 *
 * *Tricky*: the points are passed inside the stack of the server; crashing the container there makes its supervisor act in
 * the same stack, before the server goes on. That is the point of striking both together.
 *
 * @since 0.1.0
 */
import { Cause, Context, Effect, Layer, Random } from "effect"
import { crashed } from "../../domain/process/ExitReason.ts"
import { type Fault, type FaultPoints as Points, InjectedFault } from "../../domain/testing/Fault.ts"
import * as FaultPlan from "../../domain/testing/FaultPlan.ts"
import { processOf } from "../process/Process.ts"
import { FaultPoints } from "../server/parts/FaultPoints.ts"
import type { Stateful, StateOf } from "../state/StateContainer.ts"

/**
 * What is to be injected.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options {
  /** The same seed makes the same plan. */
  readonly seed: number | string
  /** How many faults, in all. */
  readonly faults: number
  /** Over how many messages they are spread, as far as that can be known. */
  readonly messages: number
}

/**
 * The faults of a run.
 *
 * @category services
 * @since 0.1.0
 */
export class Chaos extends Context.Service<Chaos, {
  /** All that is to strike, in order. */
  readonly plan: ReadonlyArray<FaultPlan.Strike>
  /** What has struck so far, in order. */
  readonly injected: Effect.Effect<ReadonlyArray<FaultPlan.Strike>>
}>()("heirloom/testing/Chaos") {}

/**
 * The faults for the servers of one class.
 *
 * **When to use**
 *
 * Among a supervisor's children, after the class's `StateContainer` and before the class itself: servers that are
 * registered after it are struck, and nothing else.
 *
 * **Details**
 *
 * Messages of all servers of the class are counted together, repeated ones too. When they run out before the plan does,
 * what is left of it does not strike: count with `injected`, not with what you asked for.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { GenServer, Restart, StateContainer, Supervisor } from "heirloom"
 * import { Chaos } from "heirloom/testing"
 *
 * class Counter extends GenServer.Service<Counter>()("app/Counter", {
 *   state: Schema.Int,
 *   messages: { Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }) }
 * }) {}
 *
 * const App = Supervisor.layer(
 *   { strategy: "one_for_one", restart: Restart.intensity({ restarts: 20, within: "1 minute" }) },
 *   [
 *     StateContainer.layerMemory(Counter),
 *     Chaos.layer(Counter, { seed: 1, faults: 10, messages: 100 }),
 *     Counter.layer({ init: 0, handlers: { Add: (n, { by }) => [n + by, n + by] } })
 *   ]
 * )
 *
 * const program = Effect.gen(function*() {
 *   const counter = yield* Counter
 *   let acknowledged = 0
 *   for (let i = 0; i < 100; i++) {
 *     const answer = yield* Effect.exit(counter.Add({ by: 1 }))
 *     if (answer._tag === "Success") acknowledged++
 *   }
 *   console.log((yield* counter.Add({ by: 0 })) >= acknowledged) // => true
 * })
 *
 * await Effect.runPromise(Effect.provide(program, App))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <Self, Id extends string, S>(
  server: Stateful<Self, Id, S>,
  options: Options
): Layer.Layer<Chaos, never, StateOf<Self>> =>
  Layer.effectContext(Effect.gen(function*() {
    const container = (yield* server.StateContainer)[processOf]
    const draw = Effect.all([Random.next, Random.next])
    const draws = yield* Effect.replicateEffect(draw, options.faults).pipe(Random.withSeed(options.seed))
    const plan = FaultPlan.make(options.messages, draws)
    const injected: Array<FaultPlan.Strike> = []
    let progress = FaultPlan.begin(plan)

    const points: Points = (point) => {
      const [strike, next] = FaultPlan.pass(progress, point)
      progress = next
      if (strike === undefined) return undefined
      injected.push(strike)
      if (strike.container) container.exit(crashed(Cause.die(defect(strike))))
      return faultOf(strike)
    }

    return Context.make(Chaos, { plan, injected: Effect.sync(() => [...injected]) }).pipe(
      Context.add(FaultPoints, points)
    )
  }))

const defect = (strike: FaultPlan.Strike): InjectedFault => new InjectedFault({ what: FaultPlan.toText(strike) })

const faultOf = (strike: FaultPlan.Strike): Fault | undefined => {
  switch (strike.server) {
    case undefined:
      return undefined
    case "Defect":
      return { _tag: "Defect", defect: defect(strike) }
    case "Interrupt":
    case "Kill":
      return { _tag: strike.server }
  }
}
