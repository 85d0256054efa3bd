/**
 * Strikes an app according to a seeded plan, and tells what it did.
 *
 * {@link layerFaults} strikes a whole app by time: its servers at the points of their work and their lives, its stores
 * (`FaultyStore`), its time of day; {@link run} does so under clients, in real time, and checks what they were
 * answered. {@link layer} crashes the servers of one class by their messages, and their container beside them or with
 * them. Nothing is simulated: at the named points (`FaultPoints`) an incarnation is really ended. Use it to find out
 * whether your own servers keep what they acknowledged. Where nothing real is waited for, `Simulation` does the same a
 * thousand times as fast, and makes failures short. For one fault at one known place, provide `FaultPoints` yourself.
 *
 * *Tricky*: the points are passed inside the stack of the server; crashing the container there makes its supervisor act
 * in the same stack, before the server goes on. That is the point of striking both together.
 *
 * @since 0.1.0
 */
import { Cause, Clock, Context, Duration, Effect, Fiber, Layer, Random, References, Schema } from "effect"
import * as GivenOption from "../../domain/options/GivenOption.ts"
import { crashed } from "../../domain/process/ExitReason.ts"
import { type Fault, type FaultPoints as Points, InjectedFault } from "../../domain/testing/Fault.ts"
import * as FaultPlan from "../../domain/testing/FaultPlan.ts"
import { toText } from "../../domain/testing/Operation.ts"
import type * as TimedFaults from "../../domain/testing/TimedFaults.ts"
import { processOf } from "../process/Process.ts"
import { FaultPoints } from "../server/parts/FaultPoints.ts"
import type { Stateful, StateOf } from "../state/StateContainer.ts"
import { planOf, runOf } from "./Given.ts"
import { Recorder } from "./History.ts"
import { JumpingClock } from "./JumpingClock.ts"
import * as Scenario from "./Scenario.ts"

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

/**
 * How many faults of each kind strike in an hour. A process is killed in a simulation alone.
 *
 * @category models
 * @since 0.1.0
 */
export type Rates = Omit<TimedFaults.Rates, "machine">

/**
 * What strikes an app, and for how long.
 *
 * @category options
 * @since 0.1.0
 */
export interface FaultsOptions extends Pick<Scenario.Options<never>, "seed" | "for"> {
  readonly faults: Rates
}

/**
 * The faults of a whole app.
 *
 * @category services
 * @since 0.1.0
 */
export class Faults extends Context.Service<Faults, {
  /** All that is to strike, in the order in which it is due. */
  readonly plan: ReadonlyArray<TimedFaults.TimedFault>
  /** What has struck so far, in order. */
  readonly struck: Effect.Effect<ReadonlyArray<TimedFaults.TimedFault>>
}>()("heirloom/testing/Chaos/Faults") {}

/**
 * The faults that strike what is built over it, from now on: provide it to an app's Layer.
 *
 * **Details**
 *
 * The same seed makes the same plan. A fault that is due strikes the first server, or the first request of a store,
 * that comes to its place; what never comes there is not struck. Stores are struck that are made by
 * `FaultyStore.layer`. An app without it pays nothing.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Layer, Schema } from "effect"
 * import { GenServer, Restart, StateContainer, Supervisor } from "heirloom"
 * import { Chaos } from "heirloom/testing"
 *
 * class Counter extends GenServer.Service<Counter>()("app/Counter", {
 *   state: Schema.Int,
 *   messages: { Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }) }
 * }) {}
 *
 * const App = Supervisor.layer(
 *   { strategy: "one_for_one", restart: Restart.intensity({ restarts: 100, within: "1 minute" }) },
 *   [
 *     StateContainer.layerMemory(Counter),
 *     Counter.layer({ init: 0, handlers: { Add: (n, { by }) => [n + by, n + by] } })
 *   ]
 * )
 *
 * // Ten faults in a second, for an hour.
 * const faults = Chaos.layerFaults({ seed: 1, for: "1 hour", faults: { messages: 36_000 } })
 *
 * const program = Effect.gen(function*() {
 *   const counter = yield* Counter
 *   const chaos = yield* Chaos.Faults
 *   while ((yield* chaos.struck).length < 5) {
 *     yield* Effect.exit(counter.Add({ by: 1 }))
 *     yield* Effect.sleep("5 millis")
 *   }
 *   console.log(chaos.plan.length) // => 36000
 * })
 *
 * await Effect.runPromise(Effect.provide(program, Layer.provideMerge(App, faults)))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerFaults = (options: FaultsOptions): Layer.Layer<Faults> =>
  Layer.effectContext(Effect.gen(function*() {
    const clock = yield* Clock.Clock
    const run = new Scenario.Run(
      new Recorder(() => Scenario.millisOf(clock)),
      Scenario.wholeOf(planOf("Chaos.layerFaults", options))
    )
    run.begin(Scenario.millisOf(clock))
    const struck = Effect.sync(() => [...run.struck])
    return Context.make(Faults, { plan: run.part.faults, struck }).pipe(
      Context.merge(Scenario.faultsOf(run, () => Scenario.millisOf(clock))),
      Context.add(Clock.Clock, yield* jumping(run, clock))
    )
  }))

/** A clock that jumps when that is due, as long as the scope is open. */
const jumping = Effect.fnUntraced(function*(run: Scenario.Run, clock: Clock.Clock) {
  const jumps = new JumpingClock(clock)
  const strikes = Effect.forEach(run.part.faults, (fault) =>
    fault._tag === "Clock"
      ? Effect.andThen(
        Effect.sleep(Math.max(0, run.start! + fault.at - Scenario.millisOf(clock))),
        Effect.sync(() => {
          run.strike(fault, "")
          jumps.ahead += fault.millis
        })
      )
      : Effect.void, { discard: true })
  if (run.part.faults.some(({ _tag }) => _tag === "Clock")) {
    yield* Effect.forkScoped(Effect.andThen(run.begun.await, strikes))
  }
  return jumps
})

/**
 * What is run in real time, for how long, and how.
 *
 * @category options
 * @since 0.1.0
 */
export interface RunOptions<A> extends Scenario.Options<A> {
  readonly faults?: Rates | undefined
  /**
   * How much longer than `for` and `recovery` all of it may take: the start, the last steps, the invariant and the
   * shutdown; 1 minute by default. What has not ended by then is left behind, and fails the run.
   */
  readonly patience?: Duration.Input | undefined
}

/**
 * What a run that failed nothing was like.
 *
 * @category models
 * @since 0.1.0
 */
export interface Report {
  readonly seed: number
  readonly steps: number
  /** Operations that were recorded, and how many of them were answered. */
  readonly operations: number
  readonly answered: number
  readonly faults: number
  /** Lifecycle events. */
  readonly events: number
}

/**
 * A run in real time went wrong. Its message has the seed, what is wrong, and what shows it.
 *
 * @category errors
 * @since 0.1.0
 */
export class ChaosFailed extends Schema.TaggedError<ChaosFailed>()("ChaosFailed", {
  seed: Schema.Number,
  kind: Schema.String,
  what: Schema.String,
  /** The operations that show it, or what happened last. */
  history: Schema.String
}) {
  override get message(): string {
    return `seed ${this.seed} (${this.kind}): ${this.what}\n\nWhat shows it:\n\n${this.history}`
  }
}

/** How much is shown of a run where it is not known what shows that it is wrong. */
const shownLines = 100

/**
 * Runs an app under clients and faults in real time, and checks it as `Simulation.run` does.
 *
 * **When to use**
 *
 * For what has no place in a simulation: files, databases, sockets, threads.
 *
 * **Details**
 *
 * The same seed draws the same faults and the same choices of clients; what comes of them depends on the machine, so
 * that a failure cannot be made short by leaving things out. No fault strikes before the app is up. Of a history that
 * cannot be, those operations are shown that say so. `recovery` is 5 seconds by default. Logs are not shown. It ends,
 * whatever of it does not: what waits without end, and cannot be interrupted, is left behind.
 *
 * @category running
 * @since 0.1.0
 */
export const run = <A, E>(app: Layer.Layer<A, E>, options: RunOptions<A>): Effect.Effect<Report, ChaosFailed> =>
  Effect.scoped(Effect.gen(function*() {
    const { patience = "1 minute", recovery = "5 seconds", seed } = runOf("Chaos.run", options)
    GivenOption.patience({ of: "Chaos.run", option: "patience", given: patience })
    const clock = yield* Clock.Clock
    const start = Scenario.millisOf(clock)
    const recorder = new Recorder(() => Scenario.millisOf(clock) - start)
    const run = new Scenario.Run(recorder, Scenario.wholeOf(options))
    const life = yield* Scenario.life(app, { ...options, recovery }, run).pipe(
      Effect.provideService(Clock.Clock, yield* jumping(run, clock)),
      Effect.provideService(References.MinimumLogLevel, "None"),
      Effect.forkDetach
    )
    yield* Effect.addFinalizer(() => Effect.sync(() => life.interruptUnsafe()))
    const limit = Duration.sum(
      Duration.sum(Duration.fromInputUnsafe(options.for), Duration.fromInputUnsafe(recovery)),
      Duration.fromInputUnsafe(patience)
    )
    const lived = yield* Effect.timeoutOrElse(Fiber.join(life), {
      duration: limit,
      orElse: () =>
        Effect.succeed(Scenario.problem(
          "stuck",
          `its ${run.stage}: not over within ${Duration.format(limit)}, and left behind. Bound what it waits for.`
        ))
    })
    const problem = lived ?? Scenario.judge(run)
    if (problem === undefined) {
      const { events, steps, struck } = run
      const { operations } = recorder
      const answered = operations.filter(({ outcome }) => outcome._tag === "Answered").length
      return { seed, steps: steps.length, operations: operations.length, answered, faults: struck.length, events }
    }
    const { broken: [broken] } = recorder.check()
    return yield* new ChaosFailed({
      seed,
      kind: problem.kind,
      what: problem.what,
      history: problem.kind === "history" && broken !== undefined
        ? broken.operations.map(toText).join("\n")
        : Scenario.historyText(recorder.lines.slice(-shownLines))
    })
  }))
