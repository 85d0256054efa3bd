/**
 * What a test needs to watch a supervision tree: every lifecycle event, in order, and a way to wait for the next one.
 *
 * A test of crashes and restarts must not sleep and hope: it makes the server crash, waits for the event that says it is
 * back, and goes on. Events are recorded from the first one on, so that waiting for one that has come already ends at once
 * and no test races with the tree it watches. Works under `TestClock` and on the live clock alike. In an app, use
 * `Telemetry.stream` instead: the harness keeps every event for ever.
 *
 * *Tricky*: the recorder runs inside the stack that caused the event, so it only appends and rings; a waiter
 * wakes on a turn of its own and looks through what was recorded since it last looked, so that one ring may stand for many
 * events and a predicate that throws fails the test, not the tree.
 *
 * @since 0.1.0
 */
import { Context, Effect, Layer, Queue } from "effect"
import { type Lifecycle, pathText } from "../../domain/observation/Lifecycle.ts"
import * as SystemView from "../../domain/observation/SystemView.ts"
import * as Telemetry from "../observation/Telemetry.ts"
import { type HasProcess, processOf } from "../process/Process.ts"

/**
 * A process, by the reference to it, its path, or its path as text (`"root > app/Counter"`).
 *
 * @category models
 * @since 0.1.0
 */
export type Address = HasProcess | ReadonlyArray<string> | string

type Tag = Lifecycle["_tag"]
type Tagged<T extends Tag> = Extract<Lifecycle, { readonly _tag: T }>

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
}

/**
 * Records a `Telemetry` that exists already, until the scope closes.
 *
 * @category constructors
 * @since 0.1.0
 */
export const record = Effect.fnUntraced(function*(telemetry: Telemetry.Telemetry) {
  const bells = new Set<Queue.Enqueue<void>>()
  let events: Array<Lifecycle> = []
  yield* Effect.acquireRelease(
    Effect.sync(() =>
      telemetry.subscribe((event) => {
        events.push(event)
        for (const bell of bells) Queue.offerUnsafe(bell, undefined)
      })
    ),
    (unsubscribe) => Effect.sync(unsubscribe)
  )

  const collect = <E extends Lifecycle>(count: number, is: (event: Lifecycle) => event is E) =>
    Effect.acquireUseRelease(
      Effect.tap(Queue.sliding<void>(1), (bell) => Effect.sync(() => bells.add(bell))),
      Effect.fnUntraced(function*(bell) {
        const found: Array<E> = []
        let looked = events
        let at = 0
        while (true) {
          if (looked !== events) {
            looked = events
            at = 0
          }
          while (at < looked.length && found.length < count) {
            const event = looked[at++]!
            if (is(event)) found.push(event)
          }
          if (found.length >= count) return found
          yield* Queue.take(bell)
        }
      }),
      (bell) => Effect.sync(() => bells.delete(bell))
    )

  const recorder: Recorder = {
    telemetry,
    events: Effect.sync(() => [...events]),
    eventsOf: (address) => Effect.sync(() => events.filter(isAbout(address))),
    historyOf: (address) => Effect.sync(() => events.filter(isAbout(address)).map((event) => event._tag)),
    view: Effect.sync(() => SystemView.fromEvents(events)),
    awaitEvent: (matches) => Effect.map(collect(1, asRefinement(matches)), ([event]) => event!),
    awaitEvents: (count, matches) => collect(count, asRefinement(matches)),
    awaitTag: <T extends Tag>(tag: T, address: Address, occurrence = 1) => {
      const about = isAbout(address)
      const is = (event: Lifecycle): event is Tagged<T> => event._tag === tag && about(event)
      return Effect.map(collect(occurrence, is), (found) => found[occurrence - 1]!)
    },
    awaitIncarnation: (address, incarnation) => {
      const about = isAbout(address)
      const is = (event: Lifecycle): event is Tagged<"Started"> =>
        event._tag === "Started" && event.incarnation >= incarnation && about(event)
      return Effect.map(collect(1, is), ([event]) => event!)
    },
    clear: Effect.sync(() => {
      events = []
    })
  }
  return recorder
})

const asRefinement = (matches: (event: Lifecycle) => boolean) => (event: Lifecycle): event is Lifecycle =>
  matches(event)

const isAbout = (address: Address): (event: Lifecycle) => boolean => {
  const path = typeof address === "string" ? address : pathText(isPath(address) ? address : address[processOf].path)
  return (event) => pathText(event.path) === path
}

const isPath = (address: HasProcess | ReadonlyArray<string>): address is ReadonlyArray<string> =>
  !(processOf in address)
