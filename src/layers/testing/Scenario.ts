/**
 * An app, clients that use it, faults that strike it, and what must be true: one run of it, in whatever time there is.
 *
 * `Simulation` runs it in virtual time and `Chaos.run` in real time; both take the same options.
 *
 * @since 0.1.0
 */
import { Cause, Clock, Context, Duration, Effect, Fiber, Latch, Layer, Random, type Scope } from "effect"
import { type Lifecycle, pathText } from "../../domain/observation/Lifecycle.ts"
import { toText as reasonText } from "../../domain/process/ExitReason.ts"
import * as Draws from "../../domain/testing/Draws.ts"
import { type Fault, InjectedFault, type LifeFault } from "../../domain/testing/Fault.ts"
import * as LifeLaws from "../../domain/testing/LifeLaws.ts"
import * as TimedFaults from "../../domain/testing/TimedFaults.ts"
import * as Telemetry from "../observation/Telemetry.ts"
import { FaultPoints, LifePoints } from "../server/parts/FaultPoints.ts"
import { CurrentStoreFaults } from "./FaultyStore.ts"
import { Client, History, type Line, type Recorder } from "./History.ts"

/**
 * What is run, and for how long.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options<A> {
  /** What is drawn: faults, the clients' pauses and choices. The same seed draws the same. */
  readonly seed: number
  /** How long the clients go on, and faults strike. */
  readonly for: Duration.Input
  /**
   * One step of each client, by its name. A client takes one step after the other, with a pause before each; how a step
   * ends does not matter, but a client that dies in every one of them fails the run: it tests nothing. Its `Random`
   * draws for this step alone.
   */
  readonly clients: Readonly<Record<string, Effect.Effect<unknown, unknown, A | History | Scope.Scope>>>
  /**
   * How long it is from one step of a client to the next, on average; 1 second by default. One that is late by that
   * much, because the step before it takes so long, is left out.
   */
  readonly pause?: Duration.Input | undefined
  /** How many faults of each kind strike in an hour; none by default. */
  readonly faults?: TimedFaults.Rates | undefined
  /** How long the app has to recover when no fault strikes any more, before the invariant is asked. */
  readonly recovery?: Duration.Input | undefined
  /** Run when the clients are done and no fault strikes any more; broken when it fails or dies. */
  readonly invariant?: Effect.Effect<unknown, unknown, A | History | Scope.Scope> | undefined
}

/** What is left out of a run, to find out whether it fails without it. */
export interface Part {
  readonly millis: number
  readonly faults: ReadonlyArray<TimedFaults.TimedFault>
  readonly skips: (step: string) => boolean
}

/** What is wrong with a run. `kind` tells what was looked at. */
export interface Problem {
  readonly kind: "history" | "undecided" | "lives" | "promise" | "invariant" | "client" | "start" | "stuck"
  readonly what: string
  /** When it was there to be seen, if that is known. */
  readonly millis?: number | undefined
}

/**
 * Tells a run that a promise is broken: for what an app can see from inside, such as two handlers at work at once. A
 * run that was given goes on, and fails when it is over. Where nothing runs that could be given it, it throws.
 *
 * @category services
 * @since 0.1.0
 */
export const Violations: Context.Reference<(what: string) => void> = Context.Reference("heirloom/testing/Violations", {
  defaultValue: () => (what: string): void => {
    throw new Error(what)
  }
})

/** What outlives a process of the app: what was written down, and how far the clients are. */
export class Run {
  readonly recorder: Recorder
  readonly part: Part
  readonly steps: Array<string> = []
  readonly struck: Array<TimedFaults.TimedFault> = []
  readonly laws: LifeLaws.Watch = LifeLaws.make()
  /** The first promise that was said to be broken. */
  violation: Problem | undefined
  events = 0
  /** By client, what its steps have died of; none of one that has taken a step which did not. */
  readonly deaths = new Map<string, string | undefined>()
  /** When the app was up first; faults are counted from there. */
  start: number | undefined
  /** What it is at, as long as it goes on. */
  stage = "start of the app"
  /** Opened when it was up. */
  readonly begun = Latch.makeUnsafe()
  private readonly clients = new Map<string, { steps: number; due: number }>()
  private server: ReadonlyArray<TimedFaults.ServerFault>
  private store: ReadonlyArray<TimedFaults.StoreFault>
  private awayUntil = -Infinity

  constructor(recorder: Recorder, part: Part) {
    this.recorder = recorder
    this.part = part
    this.server = part.faults.filter((fault) => fault._tag === "Server")
    this.store = part.faults.filter((fault) => fault._tag === "Store")
  }

  /** The app is up: when it was so first. */
  begin(now: number): number {
    this.begun.openUnsafe()
    return this.start ??= now
  }

  /** The next step of a client, and when it is due: whatever the steps before it did, or were left out. */
  stepOf(client: string, pauseBefore: (id: string) => number): { readonly id: string; readonly due: number } {
    const own = this.clients.get(client) ?? { steps: 0, due: this.start ?? 0 }
    this.clients.set(client, own)
    const id = `${client} ${++own.steps}`
    own.due += pauseBefore(id)
    return { id, due: own.due }
  }

  /** How long the run has gone on; `undefined` when it has not begun, or faults are over. */
  private elapsed(now: number): number | undefined {
    const elapsed = this.start === undefined ? undefined : now - this.start
    return elapsed === undefined || elapsed > this.part.millis ? undefined : elapsed
  }

  /** Whether faults may strike at that time. */
  isStruck(now: number): boolean {
    return this.elapsed(now) !== undefined
  }

  /** A fault strikes. */
  strike(fault: TimedFaults.TimedFault, where: string): InjectedFault {
    this.struck.push(fault)
    const what = TimedFaults.toText(fault)
    this.recorder.note(`fault: ${what}${where === "" ? "" : `, ${where}`}`)
    return new InjectedFault({ what })
  }

  at(now: number, point: string, where: string): readonly [TimedFaults.ServerFault, InjectedFault] | undefined {
    const elapsed = this.elapsed(now)
    if (elapsed === undefined) return undefined
    const [fault, left] = TimedFaults.pass(this.server, elapsed, (fault) => fault.point === point)
    this.server = left
    return fault === undefined ? undefined : [fault, this.strike(fault, where)]
  }

  atStore(now: number, operation: string): TimedFaults.StoreFault | undefined {
    const elapsed = this.elapsed(now)
    if (elapsed === undefined) return undefined
    if (elapsed < this.awayUntil) return { _tag: "Store", at: elapsed, how: "Away", millis: 0, skip: 0 }
    const [fault, left] = TimedFaults.pass(this.store, elapsed, () => true)
    this.store = left
    if (fault === undefined) return undefined
    this.strike(fault, operation)
    if (fault.how === "Away") this.awayUntil = elapsed + fault.millis
    return fault
  }
}

const faultOf = (tag: LifeFault["_tag"], millis: number, why: InjectedFault): LifeFault => {
  switch (tag) {
    case "Defect":
      return { _tag: tag, defect: why }
    case "Failure":
      return { _tag: tag, error: why }
    case "Delay":
      return { _tag: tag, millis }
    default:
      return { _tag: tag }
  }
}

/** The steady time of a clock, in milliseconds. */
export const millisOf = (clock: Clock.Clock): number => Number(clock.monotonicTimeNanosUnsafe()) / 1e6

/** What strikes a run. */
export const faultsOf = (run: Run, now: () => number) =>
  Context.make(FaultPoints, (point, { message, server }) => {
    const struck = run.at(now(), point, `${message} in ${server}`)
    return struck === undefined ? undefined : faultOf(struck[0].fault, 0, struck[1]) as Fault
  }).pipe(
    Context.add(LifePoints, (point, { incarnation, server }) => {
      const struck = run.at(now(), point, `${server} #${incarnation}`)
      return struck === undefined ? undefined : faultOf(struck[0].fault, struck[0].millis, struck[1])
    }),
    Context.add(CurrentStoreFaults, (operation) => run.atStore(now(), operation))
  )

/** What the app must have in its context to be struck, and seen. */
const around = (run: Run, clock: Clock.Clock) => {
  const now = () => millisOf(clock)
  const telemetry = Telemetry.make()
  telemetry.subscribe((event) => {
    run.events++
    run.recorder.note(eventText(event))
    LifeLaws.see(run.laws, event)
  })
  return faultsOf(run, now).pipe(
    Context.add(Telemetry.CurrentTelemetry, telemetry),
    Context.add(Violations, (what) => {
      run.recorder.note(`broken: ${what}`)
      run.violation ??= { kind: "promise", what, millis: now() }
    })
  )
}

const eventText = (event: Lifecycle): string => {
  const { _tag, path } = event
  const more = _tag === "Exited"
    ? reasonText(event.reason)
    : _tag === "StateRestored"
    ? `snapshot ${event.seq}`
    : "message" in event
    ? event.message
    : ""
  const who = "incarnation" in event ? `${pathText(path)} #${event.incarnation}` : pathText(path)
  return more === "" ? `${who}: ${_tag}` : `${who}: ${_tag}, ${more}`
}

const drawsAsRandom = (draws: Draws.Draws): Random.Random => ({
  nextDoubleUnsafe: draws.next,
  nextIntUnsafe: () => Math.floor((draws.next() - 0.5) * 2 * Number.MAX_SAFE_INTEGER)
})

/** Time for what is restarted with a backoff, and for stores that were away, when no fault strikes any more. */
const defaultRecovery = Duration.minutes(2)
/** How long a step may go on after that. */
const patience = Duration.minutes(10)

/** One client's steps, until the time is over. */
const client = Effect.fnUntraced(function*(
  run: Run,
  name: string,
  step: Effect.Effect<unknown, unknown, Scope.Scope>,
  options: { readonly seed: number; readonly pause: number; readonly now: Effect.Effect<number> }
) {
  const { now, pause, seed } = options
  const end = run.start! + run.part.millis
  while (true) {
    let draws = Draws.make(0)
    const { due, id } = run.stepOf(name, (id) => {
      draws = Draws.make(Draws.seedOf("step", id, seed))
      return draws.next() * 2 * pause
    })
    if (due >= end) return
    yield* Effect.sleep(due - (yield* now))
    const late = (yield* now) - due
    if (due + late >= end) return
    // So each step has its time, and keeps it when others are left out.
    if (late > pause) continue
    if (run.part.skips(id)) continue
    run.steps.push(id)
    const own = Context.make(Random.Random, drawsAsRandom(draws)).pipe(Context.add(Client, name))
    const exit = yield* Effect.exit(Effect.scoped(Effect.provideContext(step, own)))
    const death = exit._tag === "Failure" && Cause.hasDies(exit.cause) ? Cause.pretty(exit.cause) : undefined
    if (death === undefined || !run.deaths.has(name)) run.deaths.set(name, death)
  }
})

/**
 * The app's process, from its start to its end: what is wrong with it, if anything is.
 *
 * @since 0.1.0
 */
export const life = <A, E>(
  app: Layer.Layer<A, E>,
  options: Options<A>,
  run: Run
): Effect.Effect<Problem | undefined> =>
  Effect.scoped(
    Effect.gen(function*() {
      const clock = yield* Clock.Clock
      const now = Effect.sync(() => millisOf(clock))
      run.stage = "start of the app"
      const built = yield* Effect.exit(Layer.build(Layer.provide(app, Layer.succeedContext(around(run, clock)))))
      if (built._tag === "Failure") return problem("start", `the app did not start: ${Cause.pretty(built.cause)}`)
      // Its stores are its own by now.
      run.recorder.takenOver()
      const start = run.begin(yield* now)
      const context = Context.add(built.value, History, run.recorder)
      run.stage = "clients"
      const pause = Duration.toMillis(Duration.fromInputUnsafe(options.pause ?? "1 second"))

      const fibers = yield* Effect.forEach(
        Object.entries(options.clients),
        ([name, step]) =>
          Effect.forkScoped(
            client(run, name, Effect.provideContext(step, context), { seed: options.seed, pause, now })
          )
      )
      yield* Effect.sleep(Math.max(run.part.millis - ((yield* now) - start), 0))
      run.recorder.note("no more faults")
      yield* Effect.sleep(options.recovery ?? defaultRecovery)
      const ended = yield* Effect.timeoutOption(Effect.forEach(fibers, Fiber.await, { discard: true }), patience)
      if (ended._tag === "None") {
        return problem("client", "a client's step has not ended: it waits for an answer that does not come")
      }
      for (const [name, death] of run.deaths) {
        if (death !== undefined) return problem("client", `every step of the client "${name}" dies: ${death}`)
      }
      if (options.invariant === undefined) return undefined
      run.stage = "invariant"
      const exit = yield* Effect.exit(Effect.provideContext(options.invariant, context))
      return exit._tag === "Success" ? undefined : problem("invariant", Cause.pretty(exit.cause))
    }).pipe(Effect.ensuring(Effect.sync(() => run.stage = "shutdown of the app")))
  )

/** The whole of a run. */
export const wholeOf = <A>({ faults = {}, for: duration, seed }: Pick<Options<A>, "faults" | "for" | "seed">): Part => {
  const millis = Duration.toMillis(Duration.fromInputUnsafe(duration))
  return { millis, faults: TimedFaults.make(seed, millis, faults), skips: () => false }
}

const pad = (n: number, digits = 2): string => String(Math.floor(n)).padStart(digits, "0")
const timeText = (millis: number): string =>
  `${pad(millis / 3_600_000)}:${pad((millis / 60_000) % 60)}:${pad((millis / 1000) % 60)}.${pad(millis % 1000, 3)}`

/** A record as text. */
export const historyText = (lines: ReadonlyArray<Line>): string =>
  lines.map(({ millis, text }) => `${timeText(millis)}  ${text}`).join("\n")

/** What is wrong with a run. */
export const problem = (kind: Problem["kind"], what: string): Problem => ({ kind, what })

/** What the record of a run shows to be wrong. */
export const judge = ({ laws, recorder, violation }: Run): Problem | undefined => {
  if (violation !== undefined) return violation
  const { broken: [broken], undecided: [undecided] } = recorder.check()
  if (broken !== undefined) {
    const last = broken.operations.at(-1)?.outcome
    return { kind: "history", what: broken.what, millis: last?._tag === "Answered" ? last.at.millis : undefined }
  }
  const [law] = laws.broken
  if (law !== undefined) return problem("lives", law)
  if (undecided === undefined) return undefined
  return problem(
    "undecided",
    `too much of ${undecided} has an unknown outcome: fewer faults, or a shorter run, can be decided`
  )
}
