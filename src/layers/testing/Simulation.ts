/**
 * Runs an app for hours in virtual time, under faults, from one seed: the same seed gives the same history, byte for
 * byte.
 *
 * Which task goes next, how long clients pause, what they choose and which faults strike where is drawn from the seed;
 * no time is waited for. What fails is made short: of its faults and its clients' steps those are left out that it
 * fails without. Use it to find the order of events that breaks your own servers. What a promise, a file or a socket
 * has to do with has no place in it ({@link layerStore} stands in for a store); for that use `Chaos.run`.
 *
 * @since 0.1.0
 */
import { Cause, Context, Effect, Layer, Metric, References, Schema } from "effect"
import type { Grade } from "../../domain/state/Survival.ts"
import * as LifeLaws from "../../domain/testing/LifeLaws.ts"
import * as Shrink from "../../domain/testing/Shrink.ts"
import { makeMemory, type StateStore, type StateStoreKey } from "../state/store/StateStore.ts"
import { storeKeyOf } from "../state/store/StoreShape.ts"
import * as Roots from "../supervision/tree/Roots.ts"
import * as FaultyStore from "./FaultyStore.ts"
import { runOf } from "./Given.ts"
import { Recorder } from "./History.ts"
import * as Scenario from "./Scenario.ts"
import { Machine, World } from "./VirtualTime.ts"

/**
 * What is run, for how long, and how.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options<A> extends Scenario.Options<A> {
  /** Which of the tasks that are ready goes next: one that is drawn (default), or the one that came first. */
  readonly order?: "drawn" | "arrival" | undefined
  /** How likely a fiber loses its turn at any step; 0 by default. */
  readonly yields?: number | undefined
  /** How likely a timer that is due within 10 ms comes before tasks that are ready; 0 by default. */
  readonly lag?: number | undefined
  /** How many runs may be spent on making a failure short; 200 by default. */
  readonly attempts?: number | undefined
}

export type { Rates } from "../../domain/testing/TimedFaults.ts"
export { Violations } from "./Scenario.ts"

/**
 * What a run that failed nothing was like.
 *
 * @category models
 * @since 0.1.0
 */
export interface Report {
  readonly seed: number
  /** Virtual milliseconds. */
  readonly millis: number
  readonly steps: number
  /** Operations that were recorded, and how many of them were answered. */
  readonly operations: number
  readonly answered: number
  readonly faults: number
  /** Lifecycle events. */
  readonly events: number
  /** What still slept when the app had been stopped: nothing, unless it forks fibers that do not end with it. */
  readonly sleeping: number
  /** All that happened, a line each. */
  readonly history: string
}

/**
 * A run went wrong. Its message has the seed, what is wrong, and the shortest history that was found.
 *
 * @category errors
 * @since 0.1.0
 */
export class SimulationFailed extends Schema.TaggedError<SimulationFailed>()("SimulationFailed", {
  seed: Schema.Number,
  kind: Schema.String,
  what: Schema.String,
  /** Of how many faults and steps how many are needed. */
  faults: Schema.Tuple([Schema.Number, Schema.Number]),
  steps: Schema.Tuple([Schema.Number, Schema.Number]),
  history: Schema.String
}) {
  override get message(): string {
    const { faults: [faults, allFaults], history, kind, seed, steps: [steps, allSteps], what } = this
    return `seed ${seed} (${kind}): ${what}\n\n` +
      `The shortest history that was found, with ${faults} of ${allFaults} faults and ${steps} of ${allSteps} steps:\n\n${history}`
  }
}

/** Stores that outlive the processes of a simulation. */
const Disks = Context.Reference<Map<string, StateStore<Grade>> | undefined>("heirloom/testing/Disks", {
  defaultValue: () => undefined
})

/**
 * A store that a simulation keeps, whatever becomes of the app's process, and that its faults strike. In any other test
 * a store in memory.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerStore = <Self, G extends Grade>(store: StateStoreKey<Self, G>): Layer.Layer<Self> =>
  FaultyStore.layer(
    storeKeyOf("Simulation.layerStore", store),
    Layer.effect(
      store,
      Effect.map(Disks, (disks) => {
        const kept = disks?.get(store.key) ?? makeMemory()
        disks?.set(store.key, kept)
        return { ...kept, grade: store.grade }
      })
    )
  )

interface Ran {
  readonly run: Scenario.Run
  readonly sleeping: number
  readonly problem: Scenario.Problem | undefined
  readonly millis: number
}

/**
 * Runs a request elsewhere, to its end; whether the one that asked hears of it depends on whether it is still there.
 */
const onItsWay = <A, E>(request: Effect.Effect<A, E>, from: Machine, elsewhere: Machine): Effect.Effect<A, E> =>
  Effect.callback((resume) => {
    Effect.runForkWith(elsewhere.context)(request).addObserver((exit) => {
      if (!from.isOff) resume(exit)
    })
  })

/** One run, or a part of one. */
const once = <A, E>(
  app: Layer.Layer<A, E>,
  options: Options<A>,
  part: Scenario.Part,
  outer: Context.Context<never>
): Ran => {
  const { lag, order, seed, yields } = options
  const world = new World({ seed, order, yields, lag })
  const recorder = new Recorder(() => world.now)
  const run = new Scenario.Run(recorder, part)
  const common = outer.pipe(
    Context.add(References.MinimumLogLevel, "None"),
    Context.add(Disks, new Map())
  )
  const elsewhere = new Machine(world)
  const timed = part.faults.filter((fault) => fault._tag === "Clock" || fault._tag === "Machine")
  const leave = Roots.since()
  const ran = (problem: Scenario.Problem | undefined): Ran => {
    if (problem?.kind !== "stuck") world.settle()
    else leave()
    return { run, problem: problem ?? Scenario.judge(run), millis: world.now, sleeping: world.sleeping }
  }
  while (true) {
    const machine = new Machine(world)
    const begunAt = world.now
    // What a process that is killed has counted dies with it.
    const own = machine.context.pipe(
      Context.add(Metric.MetricRegistry, new Map()),
      Context.add(FaultyStore.OnItsWay, (request) => onItsWay(request, machine, elsewhere))
    )
    const fiber = Effect.runForkWith(Context.merge(common, own))(Scenario.life(app, options, run))
    let restartsAfter: number | undefined
    while (restartsAfter === undefined) {
      const exit = fiber.pollUnsafe()
      if (exit !== undefined) {
        const problem: Scenario.Problem | undefined = exit._tag === "Success"
          ? exit.value
          : { kind: "stuck", what: `the run died: ${Cause.pretty(exit.cause)}` }
        // One that a fault kept from coming up again is started once more, as whatever looks after processes does. Such
        // a fault may have struck late, and have lasted longer than faults do.
        if (problem?.kind !== "start" || !run.isStruck(begunAt)) return ran(problem)
        restartsAfter = 1000
        continue
      }
      const [fault] = timed
      const due = fault === undefined || run.start === undefined ? Infinity : run.start + fault.at
      if (fault !== undefined && world.now >= due) {
        timed.shift()
        run.strike(fault, "")
        if (fault._tag === "Clock") world.offset += fault.millis
        else restartsAfter = fault.millis
        continue
      }
      const stuck = world.stepBefore(due)
      if (stuck !== undefined) return ran({ kind: "stuck", what: stuck.message })
    }
    machine.isOff = true
    leave()
    recorder.stopped("the process was killed")
    LifeLaws.gone(run.laws)
    world.moveTo(world.now + restartsAfter)
  }
}

const afterwards = 60_000

/** Leaves out what a failure does not need, and tells it. */
const shortest = (
  first: Ran,
  whole: Scenario.Part,
  attempts: number,
  again: (part: Scenario.Part) => Ran
): { readonly ran: Ran; readonly part: Scenario.Part } => {
  let best = first
  let part = whole
  let left = attempts
  /** The same kind of failure, with this part. */
  const fails = (next: Scenario.Part): boolean => {
    const ran = again(next)
    if (ran.problem?.kind !== first.problem!.kind) return false
    best = ran
    part = next
    return true
  }
  const shorten = <I>(items: ReadonlyArray<I>, share: number, with_: (items: ReadonlyArray<I>) => Scenario.Part) => {
    left -= Shrink.list(items, Math.ceil(left * share), (items) => fails(with_(items))).asked
  }
  // Where it is known when it went wrong, little after that is needed: what shows it may come a bit later when other
  // things are left out. Where it is not known, half the time may do.
  const end = Math.ceil((first.problem!.millis ?? Infinity) - (first.run.start ?? 0)) + afterwards
  if (end < part.millis && left-- > 0) fails({ ...part, millis: end })
  while (left-- > attempts * 0.95 && fails({ ...part, millis: Math.ceil(part.millis / 2) }));
  shorten(part.faults, 0.4, (faults) => ({ ...part, faults }))
  shorten(best.run.steps, 0.7, (steps) => {
    const kept = new Set(steps)
    return { ...part, skips: (step) => !kept.has(step) }
  })
  shorten(part.faults, 1, (faults) => ({ ...part, faults }))
  return { ran: best, part }
}

/**
 * Runs an app under clients and faults, and checks it.
 *
 * **When to use**
 *
 * In a test, over some dozens of seeds; and over many more, for hours, when something about the app has changed that a
 * test may not see.
 *
 * **Details**
 *
 * Wrong is a history that no counter or register can have (`History.add`, `read`, `write`), two incarnations of a
 * process at the same time, a client's step that never ends, an `invariant` that fails, and an app that does not start.
 * When the time is over no fault strikes any more, and the app has two minutes before the invariant is asked. Logs are
 * not shown. Nothing of it waits: the Effect is over before another fiber goes on.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { GenServer, Restart, StateContainer, Supervisor } from "heirloom"
 * import { History, Simulation } from "heirloom/testing"
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
 * const client = Effect.flatMap(Counter, (counter) => History.add("counter", 1, counter.Add({ by: 1 })))
 *
 * const report = Simulation.run(App, {
 *   seed: 1,
 *   for: "1 hour",
 *   clients: { alice: client, bob: client },
 *   faults: { messages: 60 }
 * })
 *
 * const { faults, operations } = await Effect.runPromise(report)
 * console.log(faults > 50 && operations > 5000) // => true
 * ```
 *
 * @category running
 * @since 0.1.0
 */
export const run = <A, E>(app: Layer.Layer<A, E>, options: Options<A>): Effect.Effect<Report, SimulationFailed> =>
  Effect.contextWith((outer: Context.Context<never>) => {
    const { attempts = 200, seed } = runOf("Simulation.run", options)
    const whole = Scenario.wholeOf(options)
    const again = (part: Scenario.Part): Ran => once(app, options, part, outer)
    const first = again(whole)
    if (first.problem !== undefined) {
      // Whether a part of what cannot be decided is decided shows nothing.
      const isFound = first.problem.kind !== "undecided"
      const { part, ran } = isFound ? shortest(first, whole, attempts, again) : { part: whole, ran: first }
      return Effect.fail(
        new SimulationFailed({
          seed,
          kind: ran.problem!.kind,
          what: ran.problem!.what,
          faults: [part.faults.length, whole.faults.length],
          steps: [ran.run.steps.length, first.run.steps.length],
          history: Scenario.historyText(ran.run.recorder.lines)
        })
      )
    }
    const { millis, run: { events, recorder, steps, struck }, sleeping } = first
    return Effect.succeed({
      seed,
      millis,
      steps: steps.length,
      operations: recorder.operations.length,
      answered: recorder.operations.filter(({ outcome }) => outcome._tag === "Answered").length,
      faults: struck.length,
      events,
      sleeping,
      history: Scenario.historyText(recorder.lines)
    })
  })
