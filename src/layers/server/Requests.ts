/**
 * Calls that are sent now and answered later: one after the other, or whichever comes first (OTP:
 * `gen_server:send_request`).
 *
 * For a caller that has something else to do in the meantime, and for one that asks many servers at once and takes the
 * answers as they come. When all that is wanted is to ask several and wait for all of them, `Effect.all` with
 * `concurrency` is simpler.
 *
 * *Tricky*: an answer may come before it is waited for, and while it is not: it is kept by the request. A wait that
 * times out takes nothing away; `receive` says that an answer that comes too late is of no use, and
 * the request is withdrawn.
 *
 * @since 0.1.0
 */
import { type Cause, Duration, Effect, type Exit, Fiber, Option, Pipeable, Queue } from "effect"
import { patience, refuse, timeout as timeoutOf } from "../../domain/options/GivenOption.ts"
import { tied } from "../process/Own.ts"
import { instantOf } from "../process/Timer.ts"

/**
 * A call that was sent (OTP: `request_id()`).
 *
 * @category models
 * @since 0.1.0
 */
export interface Request<out A, out E> extends Pipeable.Pipeable {
  /** The fiber that waits for the answer; interrupting it withdraws the request. */
  readonly fiber: Fiber.Fiber<A, E>
}

/**
 * How long to wait: for ever by default, as in OTP.
 *
 * @category options
 * @since 0.1.0
 */
export interface WaitOptions {
  readonly timeout?: Duration.Input | "infinity" | undefined
  /** Or until when: one {@link deadline} for many waits. The earlier one counts. */
  readonly until?: Deadline | undefined
}

/**
 * An instant to wait until, as {@link deadline} makes it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Deadline {
  /** In milliseconds of monotonic time: no change of the wall clock moves it. */
  readonly instant: number
}

/**
 * The instant so long from now: one time limit for many waits (OTP: `{abs, Time}`).
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { GenServer, Requests, StateContainer, Supervisor } from "heirloom"
 *
 * class Counter extends GenServer.Service<Counter>()("app/Counter", {
 *   state: Schema.Int,
 *   messages: { Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }) }
 * }) {}
 *
 * const App = Supervisor.layer({ strategy: "one_for_one" }, [
 *   StateContainer.layerMemory(Counter),
 *   Counter.layer({ init: 0, handlers: { Add: (n, { by }) => [n + by, n + by] } })
 * ])
 *
 * const program = Effect.gen(function*() {
 *   const counter = yield* Counter
 *   const first = yield* Requests.send(counter.Add({ by: 1 }))
 *   const second = yield* Requests.send(counter.Add({ by: 2 }))
 *   const until = yield* Requests.deadline("5 seconds")
 *   console.log(yield* Requests.wait(first, { until }), yield* Requests.wait(second, { until })) // => 1 3
 * })
 *
 * await Effect.runPromise(Effect.provide(program, App))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const deadline = (within: Duration.Input): Effect.Effect<Deadline> =>
  Effect.clockWith((clock) =>
    Effect.succeed({
      instant: instantOf(clock) + patience({ of: "Requests.deadline", option: "within", given: within })
    })
  )

/**
 * Sends a call, and does not wait for its answer (OTP: `send_request/2`).
 *
 * **Details**
 *
 * It is on its way when this returns: requests to one server are handled in the order in which they were sent. It
 * outlives its sender. Any Effect is taken; the calls of a client are what it is for.
 *
 * **Gotchas**
 *
 * The call's own timeout, 5 seconds by default, counts from here on: say `{ timeout: "infinity" }` to collect it later.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { GenServer, Requests, StateContainer, Supervisor } from "heirloom"
 *
 * class Counter extends GenServer.Service<Counter>()("app/Counter", {
 *   state: Schema.Int,
 *   messages: { Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }) }
 * }) {}
 *
 * const App = Supervisor.layer({ strategy: "one_for_one" }, [
 *   StateContainer.layerMemory(Counter),
 *   Counter.layer({ init: 0, handlers: { Add: (n, { by }) => [n + by, n + by] } })
 * ])
 *
 * const program = Effect.gen(function*() {
 *   const counter = yield* Counter
 *   const first = yield* Requests.send(counter.Add({ by: 1 }))
 *   const second = yield* Requests.send(counter.Add({ by: 2 }))
 *   console.log(yield* Requests.wait(first), yield* Requests.wait(second)) // => 1 3
 * })
 *
 * await Effect.runPromise(Effect.provide(program, App))
 * ```
 *
 * @category requests
 * @since 0.1.0
 */
export const send = <A, E, R>(call: Effect.Effect<A, E, R>): Effect.Effect<Request<A, E>, never, R> =>
  Effect.isEffect(call)
    ? Effect.map(Effect.forkDetach(call, { startImmediately: true }), sent)
    : Effect.sync(() => refuse({ of: "Requests.send", option: "a call", given: call }, "an Effect"))

const sent = <A, E>(fiber: Fiber.Fiber<A, E>): Request<A, E> => new Sent(tied("request", fiber))

/** The fiber of a request; what is none is refused. */
const fiberOf = <A, E>(request: Request<A, E>): Fiber.Fiber<A, E> => {
  const fiber = request?.fiber
  return Fiber.isFiber(fiber)
    ? fiber
    : refuse({ of: "Requests", option: "a request", given: request }, "one that was sent")
}

class Sent<A, E> extends Pipeable.Class implements Request<A, E> {
  readonly fiber: Fiber.Fiber<A, E>
  constructor(fiber: Fiber.Fiber<A, E>) {
    super()
    this.fiber = fiber
  }
}

/**
 * Waits for the answer; after a timeout it can be waited for again (OTP: `wait_response/2`).
 *
 * @category waiting
 * @since 0.1.0
 */
export const wait = <A, E>(
  request: Request<A, E>,
  options?: WaitOptions
): Effect.Effect<A, E | Cause.TimeoutError> => within(Effect.suspend(() => Fiber.join(fiberOf(request))), options)

/**
 * Waits for the answer, and abandons the request when it does not come in time (OTP: `receive_response/2`).
 *
 * @category waiting
 * @since 0.1.0
 */
export const receive = <A, E>(
  request: Request<A, E>,
  options?: WaitOptions
): Effect.Effect<A, E | Cause.TimeoutError> =>
  Effect.tapErrorTag(
    within(Effect.suspend(() => Effect.exit(Fiber.join(fiberOf(request)))), options),
    "TimeoutError",
    () => abandon(request)
  )
    .pipe(
      Effect.flatten
    )

/**
 * The answer, if it has come (OTP: `check_response/2`).
 *
 * @category waiting
 * @since 0.1.0
 */
export const check = <A, E>(request: Request<A, E>): Effect.Effect<Option.Option<Exit.Exit<A, E>>> =>
  Effect.sync(() => Option.fromUndefinedOr(fiberOf(request).pollUnsafe()))

/**
 * Gives up a request: it is withdrawn if it has not begun, and its answer dropped otherwise.
 *
 * @category requests
 * @since 0.1.0
 */
export const abandon = (request: Request<unknown, unknown>): Effect.Effect<void> =>
  Effect.sync(() => fiberOf(request).interruptUnsafe())

const within = <A, E>(
  effect: Effect.Effect<A, E>,
  options: WaitOptions | undefined
): Effect.Effect<A, E | Cause.TimeoutError> => {
  const { timeout = "infinity", until } = options ?? {}
  return Effect.suspend(() => {
    const millis = timeoutOf({ of: "Requests", option: "timeout", given: timeout })
    const relative = millis === Infinity ? effect : Effect.timeout(effect, millis)
    if (until === undefined) return relative
    return Effect.clockWith((clock) =>
      Effect.timeout(relative, Duration.millis(Math.max(until.instant - instantOf(clock), 0)))
    )
  })
}

/**
 * An answer out of a collection, with the label of its request.
 *
 * @category models
 * @since 0.1.0
 */
export interface Response<out Label, out A, out E> {
  readonly label: Label
  readonly exit: Exit.Exit<A, E>
}

/**
 * Requests whose answers are taken as they come (OTP: `request_id_collection()`).
 *
 * @category models
 * @since 0.1.0
 */
export interface Collection<in out Label, in out A, in out E> {
  /** Adds a request; adding one that is in it is a defect. */
  readonly add: (label: Label, request: Request<A, E>) => Effect.Effect<void>
  /** Requests whose answers were not taken yet. */
  readonly size: Effect.Effect<number>
  /**
   * Takes the next answer, in the order in which they come; none when no request is left. After a timeout the rest can
   * be waited for again.
   */
  readonly wait: (options?: WaitOptions) => Effect.Effect<Option.Option<Response<Label, A, E>>, Cause.TimeoutError>
  /** As `wait`; when no answer comes in time, all requests that are left are abandoned. */
  readonly receive: (options?: WaitOptions) => Effect.Effect<Option.Option<Response<Label, A, E>>, Cause.TimeoutError>
}

/**
 * Makes an empty collection of requests (OTP: `reqids_new/0`).
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { GenServer, Requests, StateContainer, Supervisor } from "heirloom"
 *
 * class Counter extends GenServer.Service<Counter>()("app/Counter", {
 *   state: Schema.Int,
 *   messages: { Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }) }
 * }) {}
 *
 * const App = Supervisor.layer({ strategy: "one_for_one" }, [
 *   StateContainer.layerMemory(Counter),
 *   Counter.layer({ init: 0, handlers: { Add: (n, { by }) => [n + by, n + by] } })
 * ])
 *
 * const program = Effect.gen(function*() {
 *   const counter = yield* Counter
 *   const asked = yield* Requests.collection<string, number, GenServer.CallError>()
 *   yield* asked.add("one", yield* Requests.send(counter.Add({ by: 1 })))
 *   yield* asked.add("two", yield* Requests.send(counter.Add({ by: 2 })))
 *   while (true) {
 *     const response = yield* asked.wait({ timeout: "1 second" })
 *     if (response._tag === "None") break
 *     const { exit, label } = response.value
 *     console.log(label, exit._tag)
 *     // => one Success
 *     // => two Success
 *   }
 * })
 *
 * await Effect.runPromise(Effect.provide(program, App))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const collection = <Label, A, E>(): Effect.Effect<Collection<Label, A, E>> =>
  Effect.map(Queue.unbounded<readonly [Request<A, E>, Exit.Exit<A, E>]>(), (arrived) => {
    const labels = new Map<Request<A, E>, Label>()
    const next: Collection<Label, A, E>["wait"] = (options) =>
      Effect.suspend(() => {
        if (labels.size === 0) return Effect.succeedNone
        return Effect.map(within(Queue.take(arrived), options), ([request, exit]) => {
          const label = labels.get(request)!
          labels.delete(request)
          return Option.some({ label, exit })
        })
      })
    return {
      size: Effect.sync(() => labels.size),
      add: (label, request) =>
        Effect.sync(() => {
          const fiber = fiberOf(request)
          if (labels.has(request)) throw new Error("the request is in the collection already: add each request once")
          labels.set(request, label)
          // An abandoned request is not in the collection any more when its fiber ends.
          fiber.addObserver((exit) => {
            if (labels.has(request)) Queue.offerUnsafe(arrived, [request, exit])
          })
        }),
      wait: next,
      receive: (options) =>
        Effect.tapError(next(options), () =>
          Effect.suspend(() => {
            const left = Array.from(labels.keys())
            labels.clear()
            return Effect.forEach(left, abandon, { discard: true })
          }))
    }
  })
