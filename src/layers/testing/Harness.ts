/**
 * What a test needs to watch a supervision tree, and to break it: every lifecycle event, in order, a way to wait for
 * the next one, a way to crash a process, and a word when one crashes that should not.
 *
 * A test of crashes and restarts must not sleep and hope: it makes the server crash, waits for the event that says it
 * is back, and goes on. Events are recorded from the first one on, so that waiting for one that has come already ends
 * at once and no test races with the tree it watches. {@link run} is a whole test in virtual time; the layers work
 * under `TestClock` and on the live clock alike. In an app, use `Telemetry.stream` instead: the harness keeps every
 * event for ever.
 *
 * *Tricky*: the recorder runs inside the stack that caused the event, so it only appends and rings; a waiter wakes on a
 * turn of its own and looks through what was recorded since it last looked, so that one ring may stand for many events
 * and a predicate that throws fails the test, not the tree.
 *
 * @since 0.1.0
 */
import { Cause, Context, Effect, Exit, Layer, Schema } from "effect"
import { type Lifecycle, pathText } from "../../domain/observation/Lifecycle.ts"
import * as SystemView from "../../domain/observation/SystemView.ts"
import { crashed, type ExitReason, isOrderly, killed, toText } from "../../domain/process/ExitReason.ts"
import * as GivenReason from "../../domain/process/GivenReason.ts"
import * as ExpectedCrashes from "../../domain/testing/ExpectedCrashes.ts"
import { InjectedFault } from "../../domain/testing/Fault.ts"
import * as Telemetry from "../observation/Telemetry.ts"
import { from, type HasProcess, NoProcess } from "../process/Process.ts"
import { type Address, Events, isAbout, type Probe, type Tag, type Tagged, textOf } from "./Events.ts"
import { awaitIdle, type Quiet } from "./Idle.ts"
import * as VirtualTime from "./VirtualTime.ts"

export type { Address, Probe } from "./Events.ts"
export type { Quiet } from "./Idle.ts"

/**
 * How a process is crashed: by a defect (default), an interruption, a kill, or for any reason there is.
 *
 * @category models
 * @since 0.1.0
 */
export type How = "defect" | "interrupt" | "kill" | ExitReason

/**
 * A crash that no test has announced.
 *
 * @category errors
 * @since 0.1.0
 */
export class UnexpectedCrash extends Schema.TaggedError<UnexpectedCrash>()("UnexpectedCrash", {
  crashes: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `${this.crashes.join("\n")}\nIf the test means it to, it says so first: crash(ref), or expectCrash(ref).`
  }
}

/**
 * The events of the trees under test.
 *
 * @category models
 * @since 0.1.0
 */
export interface Recorder {
  /** What the trees report to: a root supervisor below the harness uses it by itself. */
  readonly telemetry: Telemetry.Telemetry
  /** Every event so far, in the order in which they happened. */
  readonly events: Effect.Effect<ReadonlyArray<Lifecycle>>
  /** Those of one process. */
  readonly eventsOf: (address: Address) => Effect.Effect<ReadonlyArray<Lifecycle>>
  /** The tags of the events of one process: the shortest way to say what must have happened to it. */
  readonly historyOf: (address: Address) => Effect.Effect<ReadonlyArray<Tag>>
  /** The trees as the events tell them; `SystemView.toText` draws them. */
  readonly view: Effect.Effect<SystemView.SystemView>
  /** Waits for the first event that matches: one that has been recorded, or else one to come. */
  readonly awaitEvent: (matches: (event: Lifecycle) => boolean) => Effect.Effect<Lifecycle>
  /** Waits until so many events match, recorded ones included, and answers with them. */
  readonly awaitEvents: (
    count: number,
    matches: (event: Lifecycle) => boolean
  ) => Effect.Effect<ReadonlyArray<Lifecycle>>
  /** Waits for an event of a kind about one process; `occurrence` counts from 1 (default). */
  readonly awaitTag: <T extends Tag>(tag: T, address: Address, occurrence?: number) => Effect.Effect<Tagged<T>>
  /** Waits until an incarnation of a process is up: this one or a later one. */
  readonly awaitIncarnation: (address: Address, incarnation: number) => Effect.Effect<Tagged<"Started">>
  /**
   * Ends the incarnation that is alive, from outside, as a test's own fault; answers when it has ended and its
   * supervisor has decided. Nothing of it is simulated: `exit` of `Process` does it. To crash it in the middle of a
   * message see `FaultPoints`.
   */
  readonly crash: (ref: HasProcess, how?: How) => Effect.Effect<ExitReason, NoProcess>
  /**
   * Waits until the incarnation is up that follows the last one that ended; at once, when that is up, or none has
   * ended.
   */
  readonly awaitRestart: (address: Address) => Effect.Effect<Tagged<"Started">>
  /**
   * Waits until servers have nothing to do: nothing is in hand or waits, and what they committed is stored. One that is
   * down, or suspended, does nothing; one that is restarted is waited for.
   */
  readonly awaitIdle: (...refs: ReadonlyArray<Quiet>) => Effect.Effect<void>
  /** Looks at the events one by one, of one process or of all, from this moment on. */
  readonly probe: (address?: Address) => Effect.Effect<Probe>
  /** Announces crashes of a process, one by default: they are no unexpected ones. */
  readonly expectCrash: (address: Address, times?: number) => Effect.Effect<void>
  /** The crashes so far that were not announced. */
  readonly unexpectedCrashes: Effect.Effect<ReadonlyArray<Tagged<"Exited">>>
  /** Never succeeds: fails at the first crash that was not announced. */
  readonly failOnCrash: Effect.Effect<never, UnexpectedCrash>
  /** Forgets what was recorded: later waits look only at what comes from now on. */
  readonly clear: Effect.Effect<void>
}

/**
 * The recorder of a test, as a service.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Layer, Schema } from "effect"
 * import { TestClock } from "effect/testing"
 * import { GenServer, StateContainer, Supervisor } from "heirloom"
 * import { Harness } from "heirloom/testing"
 *
 * class Counter extends GenServer.Service<Counter>()("app/Counter", {
 *   state: Schema.Int,
 *   messages: { Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }), Crash: GenServer.call() }
 * }) {}
 *
 * const App = Supervisor.layer({ strategy: "one_for_one" }, [
 *   StateContainer.layerMemory(Counter),
 *   Counter.layer({ init: 0, handlers: { Add: (n, { by }) => [n + by, n + by], Crash: () => Effect.die("boom") } })
 * ])
 *
 * // In a test file: `it.effect("comes back with its state", () => test)` of `@effect/vitest`, which brings the `TestClock`.
 * const test = Effect.gen(function*() {
 *   const harness = yield* Harness.Harness
 *   const counter = yield* Counter
 *   yield* counter.Add({ by: 41 })
 *   yield* Effect.exit(counter.Crash())
 *   yield* harness.awaitIncarnation(counter, 2)
 *   console.log((yield* harness.historyOf(counter)).join(", ")) // => Started, Exited, Restarting, StateRestored, Started
 * }).pipe(
 *   Effect.provide(Layer.provideMerge(App, Harness.Harness.layer)),
 *   Effect.provide(TestClock.layer())
 * )
 *
 * await Effect.runPromise(test)
 * ```
 *
 * @category services
 * @since 0.1.0
 */
export class Harness extends Context.Service<Harness, Recorder>()("heirloom/testing/Harness") {
  /** A recorder, and a `Telemetry` of its own that every root supervisor built above it reports to. */
  static readonly layer: Layer.Layer<Harness> = Layer.effectContext(
    Effect.gen(function*() {
      const telemetry = yield* Telemetry.scoped
      const recorder = yield* record(telemetry)
      return Context.make(Harness, recorder).pipe(Context.add(Telemetry.CurrentTelemetry, telemetry))
    })
  )

  /** The same, and the test fails when it is over if anything has crashed that it did not announce. */
  static readonly layerStrict: Layer.Layer<Harness> = Layer.tap(Harness.layer, (built) => {
    const { unexpectedCrashes } = Context.get(built, Harness)
    return Effect.addFinalizer(() => Effect.flatMap(unexpectedCrashes, refuse))
  })
}

/** Dies of crashes, if there are any: what is in a finalizer cannot fail. */
const refuse = (crashes: ReadonlyArray<ExpectedCrashes.Crash>): Effect.Effect<void> =>
  crashes.length === 0 ? Effect.void : Effect.die(unexpected(crashes))

const unexpected = (crashes: ReadonlyArray<ExpectedCrashes.Crash>): UnexpectedCrash =>
  new UnexpectedCrash({
    crashes: crashes.map(({ incarnation, path, reason }) =>
      `${pathText(path)} #${incarnation} has ended, which was not expected: ${toText(reason)}`
    )
  })

/**
 * Runs a test of an app in virtual time, and fails it at once when anything crashes that it did not announce.
 *
 * **When to use**
 *
 * As the body of a test, wherever nothing real is waited for: no file, no socket, no promise. Else provide
 * `Harness.layerStrict`.
 *
 * **Details**
 *
 * The app is built for this test and closed after it; a crash while it closes counts. Time passes by itself, as soon as
 * nothing is left to do: restarts with a backoff, timeouts and schedules need no care. Options are those of
 * `VirtualTime.run`; another seed is another order of what goes on at the same time. A test that cannot go on dies of
 * `Stuck`.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { GenServer, Restart, StateContainer, Supervisor } from "heirloom"
 * import { Harness } from "heirloom/testing"
 *
 * class Counter extends GenServer.Service<Counter>()("app/Counter", {
 *   state: Schema.Int,
 *   messages: { Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }) }
 * }) {}
 *
 * const App = Supervisor.layer({ strategy: "one_for_one", restart: Restart.backoff({ base: "1 minute", cap: "2 minutes" }) }, [
 *   StateContainer.layerMemory(Counter),
 *   Counter.layer({ init: 0, handlers: { Add: (n, { by }) => [n + by, n + by] } })
 * ])
 *
 * const test = Harness.run(App, Effect.gen(function*() {
 *   const harness = yield* Harness.Harness
 *   const counter = yield* Counter
 *   yield* counter.Add({ by: 41 })
 *   yield* harness.crash(counter)
 *   const { incarnation } = yield* harness.awaitRestart(counter) // A minute later, and at once.
 *   console.log(incarnation, yield* counter.Add({ by: 1 })) // => 2 42
 * }))
 *
 * await Effect.runPromise(test)
 * ```
 *
 * @category running
 * @since 0.1.0
 */
export const run = <A, E, RApp, B, E2, R>(
  app: Layer.Layer<A, E, RApp>,
  test: Effect.Effect<B, E2, R>,
  options?: VirtualTime.Options
) => {
  const whole = Effect.gen(function*() {
    const harness = yield* Harness
    const tested = Effect.scoped(Effect.provide(test, app))
    const exit = yield* Effect.exit(Effect.raceFirst(tested, harness.failOnCrash))
    const crashes = yield* harness.unexpectedCrashes
    if (crashes.length === 0) return yield* exit
    // What the test itself failed with may well be a consequence.
    return yield* Exit.isFailure(exit) && !isUnexpectedCrash(exit.cause)
      ? Effect.failCause(Cause.combine(Cause.fail(unexpected(crashes)), exit.cause))
      : unexpected(crashes)
  })
  return VirtualTime.run(Effect.provide(whole, Harness.layer), options)
}

const isUnexpectedCrash = (cause: Cause.Cause<unknown>): boolean =>
  cause.reasons.some((reason) => Cause.isFailReason(reason) && reason.error instanceof UnexpectedCrash)

/** Ends the incarnation that is alive, which is announced, and answers when its supervisor has decided. */
const crash = (ref: HasProcess, how: How, announce: () => void): Effect.Effect<ExitReason, NoProcess> =>
  Effect.callback<ExitReason, NoProcess>((resume) => {
    const process = from(ref, "Harness.crash")
    const reason = reasonOf(how)
    if (!process.addExitObserver((_, reason) => resume(Exit.succeed(reason)))) {
      return resume(Exit.fail(new NoProcess({ path: process.path })))
    }
    if (!isOrderly(reason)) announce()
    process.exit(reason)
    // Its observers are called before its supervisor.
  }).pipe(Effect.onExit(() => Effect.yieldNow))

const reasonOf = (how: How): ExitReason => {
  switch (how) {
    case "defect":
      return crashed(Cause.die(new InjectedFault({ what: "a crash, by the test" })))
    case "interrupt":
      return crashed(Cause.interrupt())
    case "kill":
      return killed
    default:
      return GivenReason.given("Harness.crash", how)
  }
}

/**
 * Records a `Telemetry` that exists already, until the scope closes.
 *
 * @category constructors
 * @since 0.1.0
 */
export const record = Effect.fnUntraced(function*(telemetry: Telemetry.Telemetry) {
  const events = new Events()
  const expected: ExpectedCrashes.Expected = new Map()
  const crashes: Array<ExpectedCrashes.Crash> = []
  yield* Effect.acquireRelease(
    Effect.sync(() =>
      telemetry.subscribe((event) => {
        if (event._tag === "Exited" && ExpectedCrashes.isUnexpected(expected, event)) crashes.push(event)
        events.add(event)
      })
    ),
    (unsubscribe) => Effect.sync(unsubscribe)
  )
  const first = <E extends Lifecycle>(is: (event: Lifecycle) => event is E) =>
    Effect.map(events.collect(1, is), ([event]) => event!)
  const awaitIncarnation = (address: Address, incarnation: number) => {
    const about = isAbout(address)
    return first((event): event is Tagged<"Started"> =>
      event._tag === "Started" && event.incarnation >= incarnation && about(event)
    )
  }
  const recorder: Recorder = {
    telemetry,
    events: Effect.sync(() => [...events.all]),
    eventsOf: (address) => Effect.sync(() => events.all.filter(isAbout(address))),
    historyOf: (address) => Effect.sync(() => events.all.filter(isAbout(address)).map((event) => event._tag)),
    view: Effect.sync(() => SystemView.fromEvents(events.all)),
    awaitEvent: (matches) => first(asRefinement(matches)),
    awaitEvents: (count, matches) => events.collect(count, asRefinement(matches)),
    awaitTag: <T extends Tag>(tag: T, address: Address, occurrence = 1) => {
      const about = isAbout(address)
      const is = (event: Lifecycle): event is Tagged<T> => event._tag === tag && about(event)
      return Effect.map(events.collect(occurrence, is), (found) => found[occurrence - 1]!)
    },
    awaitIncarnation,
    crash: (ref, how = "defect") => crash(ref, how, () => ExpectedCrashes.expect(expected, textOf(ref), 1)),
    awaitRestart: (address) =>
      Effect.suspend(() => {
        const about = isAbout(address)
        const ended = events.all.flatMap((event) => event._tag === "Exited" && about(event) ? [event.incarnation] : [])
        return awaitIncarnation(address, Math.max(0, ...ended) + 1)
      }),
    awaitIdle: (...refs) => awaitIdle(refs),
    probe: (address) => Effect.sync(() => events.probe(address === undefined ? () => true : isAbout(address))),
    expectCrash: (address, times = 1) => Effect.sync(() => ExpectedCrashes.expect(expected, textOf(address), times)),
    unexpectedCrashes: Effect.sync(() => [...crashes]),
    failOnCrash: Effect.suspend(() =>
      Effect.flatMap(
        crashes.length > 0 ? Effect.void : first((event): event is Lifecycle => crashes.at(-1) === event),
        () => unexpected(crashes)
      )
    ),
    clear: Effect.sync(() => events.clear())
  }
  return recorder
})

const asRefinement = (matches: (event: Lifecycle) => boolean) => (event: Lifecycle): event is Lifecycle =>
  matches(event)
