/**
 * Writes down what clients do to counters and registers, and checks that each can have been one value that changes in
 * single steps.
 *
 * Sums at the end of a test hide what got lost among calls of unknown outcome; a history does not. Each operation is
 * the Effect that asks for it: what its exit says of what was done is known for every error of a call. A key stands for
 * the state of one server, which handles one message at a time, and a client's in their order. `Simulation` and
 * `Chaos.run` have a history of their own and check it; in any other test provide {@link layer} and run {@link check}
 * at the end.
 *
 * @since 0.1.0
 */
import { Cause, Clock, Context, Effect, Layer, Schema } from "effect"
import { CallError } from "../../domain/process/CallError.ts"
import * as Linearizability from "../../domain/testing/Linearizability.ts"
import {
  doneAfter,
  type Input,
  inputText,
  type Moment,
  type Operation,
  type Outcome,
  toText,
  type Value
} from "../../domain/testing/Operation.ts"

export type { Operation, Value } from "../../domain/testing/Operation.ts"

/**
 * A line of the record: when, and what happened.
 *
 * @category models
 * @since 0.1.0
 */
export interface Line extends Moment {
  readonly text: string
}

/** How an operation ended; and what makes sure that it is over, where that comes later. */
interface Ended {
  readonly outcome: Outcome
  readonly until?: "an answer to any client" | "an answer to its client" | undefined
}

/** An operation that is under way. */
interface Begun {
  readonly end: (endedAs: (at: Moment) => Ended) => void
}

interface Unsettled {
  readonly key: string
  readonly client: string
  readonly place: number
  readonly until: NonNullable<Ended["until"]>
  readonly since: number
}

/**
 * What was done so far, and what else happened.
 *
 * @category models
 * @since 0.1.0
 */
export class Recorder {
  /** In the order of their calls. One that is under way may be done, or not. */
  readonly operations: Array<Operation> = []
  readonly lines: Array<Line> = []
  private readonly underWay = new Set<Begun>()
  private unsettled: Array<Unsettled> = []
  private readonly initial = new Map<string, Value>()
  private readonly millis: () => number
  private order = 0

  constructor(millis: () => number) {
    this.millis = millis
  }

  /** The next place in the order of events. */
  moment(): Moment {
    return { order: this.order++, millis: this.millis() }
  }

  /** Writes down that something happened. */
  note(text: string): void {
    this.lines.push({ ...this.moment(), text })
  }

  /** A value before the first operation on it. */
  begins(key: string, value: Value): void {
    this.initial.set(key, value)
  }

  begin(client: string, key: string, input: Input): Begun["end"] {
    const called = this.moment()
    const place = this.operations.length
    const operation: Operation = { key, client, input, called, outcome: { _tag: "Unknown", why: "no answer so far" } }
    this.operations.push(operation)
    this.lines.push({ ...called, text: `${client} calls: ${inputText(input)}, ${key}` })
    const begun: Begun = {
      end: (endedAs) => {
        if (!this.underWay.delete(begun)) return
        const at = this.moment()
        const { outcome, until } = endedAs(at)
        const ended = { ...operation, outcome }
        this.operations[place] = ended
        this.lines.push({ ...at, text: toText(ended) })
        if (outcome._tag === "Answered") this.answered(ended, at)
        if (until !== undefined) this.unsettled.push({ key, client, place, until, since: at.order })
      }
    }
    this.underWay.add(begun)
    return begun.end
  }

  /** An answer says that what went before it is over. */
  private answered({ called, client, key }: Operation, at: Moment): void {
    this.unsettled = this.unsettled.filter((one) => {
      if (one.key !== key || one.since > called.order) return true
      if (one.until === "an answer to its client" && one.client !== client) return true
      this.settle(one.place, at)
      return false
    })
  }

  private settle(place: number, until: Moment): void {
    const operation = this.operations[place]!
    const { outcome } = operation
    if (outcome._tag !== "Unknown" || outcome.until !== undefined) return
    this.operations[place] = { ...operation, outcome: { ...outcome, until } }
  }

  /** Everything that could do something was switched off. What was on its way to a store may still come there. */
  stopped(why: string): void {
    for (const { end } of this.underWay) end(() => ({ outcome: { _tag: "Unknown", why } }))
    this.unsettled = []
  }

  /** Another process has taken over: what was not done by now never will be. */
  takenOver(): void {
    const until = this.moment()
    this.operations.forEach((_, place) => this.settle(place, until))
  }

  /** What is wrong with it, by keys; and the keys of which that cannot be said. */
  check(): ReturnType<typeof Linearizability.checkAll> {
    return Linearizability.checkAll(this.operations, (key) => this.initial.get(key))
  }
}

/**
 * The history of a test.
 *
 * @category services
 * @since 0.1.0
 */
export class History extends Context.Service<History, Recorder>()("heirloom/testing/History") {}

/**
 * A history that begins empty.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<History> = Layer.effect(
  History,
  Effect.map(Effect.service(Clock.Clock), (clock) => {
    const start = clock.monotonicTimeNanosUnsafe()
    return new Recorder(() => Number(clock.monotonicTimeNanosUnsafe() - start) / 1e6)
  })
)

/**
 * Who does what is done in a fiber; `"client"` by default.
 *
 * @category services
 * @since 0.1.0
 */
export const Client: Context.Reference<string> = Context.Reference("heirloom/testing/Client", {
  defaultValue: () => "client"
})

/** What a call that failed says of what was done. */
const failedAs = (cause: Cause.Cause<unknown>, at: Moment): Ended => {
  const error = cause.reasons.find(Cause.isFailReason)?.error
  // A failure of its own is an answer: the state is as it was.
  if (error !== undefined && !(error instanceof CallError)) return { outcome: { _tag: "NotDone" } }
  // The handler of a caller that was interrupted goes on.
  const done = error === undefined ? "busy" : doneAfter(error.reason)
  if (done === "no") return { outcome: { _tag: "NotDone" } }
  return {
    outcome: {
      _tag: "Unknown",
      why: error?.reason._tag ?? "its caller was interrupted",
      until: done === "over" ? at : undefined
    },
    until: done === "busy" ? "an answer to any client" : undefined
  }
}

const record = <A, E, R>(
  key: string,
  input: Input,
  call: Effect.Effect<A, E, R>,
  succeededAs: (answer: A, at: Moment) => Ended
): Effect.Effect<A, E, R | History> =>
  Effect.gen(function*() {
    const history = yield* History
    const client = yield* Client
    const end = history.begin(client, key, input)
    return yield* Effect.onExit(call, (exit) =>
      Effect.sync(() =>
        end((at) => exit._tag === "Success" ? succeededAs(exit.value, at) : failedAs(exit.cause, at))
      ))
  })

const withAnswer = (value: Value, at: Moment): Ended => ({ outcome: { _tag: "Answered", value, at } })

/**
 * Records a call that adds to a counter and answers with the new sum.
 *
 * **Details**
 *
 * A failure of the call's own says that nothing was added. What a `CallError` says of it depends on its reason.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { GenServer } from "heirloom"
 * import { History } from "heirloom/testing"
 *
 * class Counter extends GenServer.Service<Counter>()("app/Counter", {
 *   state: Schema.Int,
 *   messages: { Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }) }
 * }) {}
 *
 * const client = Effect.flatMap(Counter, (counter) => History.add("counter", 1, counter.Add({ by: 1 })))
 * ```
 *
 * @category recording
 * @since 0.1.0
 */
export const add = <E, R>(
  key: string,
  by: number,
  call: Effect.Effect<number, E, R>
): Effect.Effect<number, E, R | History> => record(key, { _tag: "Add", by }, call, withAnswer)

/**
 * Records a call that reads a counter or a register.
 *
 * @category recording
 * @since 0.1.0
 */
export const read = <A extends Value, E, R>(
  key: string,
  call: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R | History> => record(key, { _tag: "Read" }, call, withAnswer)

/**
 * Records a call that writes a register. What it answers with is not looked at.
 *
 * @category recording
 * @since 0.1.0
 */
export const write = <A, E, R>(
  key: string,
  value: Value,
  call: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R | History> =>
  record(key, { _tag: "Write", value }, call, (_, at) => ({ outcome: { _tag: "Answered", value: undefined, at } }))

/**
 * Records a cast that adds to a counter, or writes a register: it may be done, before the next answer to this client.
 *
 * @category recording
 * @since 0.1.0
 */
export const cast = <A, E, R>(
  key: string,
  does: { readonly add: number } | { readonly write: Value },
  sent: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R | History> => {
  const input: Input = "add" in does ? { _tag: "Add", by: does.add } : { _tag: "Write", value: does.write }
  return record(key, input, sent, () => ({
    outcome: { _tag: "Unknown", why: "it was sent" },
    until: "an answer to its client"
  }))
}

/**
 * Says what a key holds before the first operation. Without it the first answer says so.
 *
 * @category recording
 * @since 0.1.0
 */
export const begins = (key: string, value: Value): Effect.Effect<void, never, History> =>
  Effect.map(History, (history) => history.begins(key, value))

/**
 * A history that no value that changes in single steps can have.
 *
 * @category errors
 * @since 0.1.0
 */
export class Broken extends Schema.TaggedError<Broken>()("Broken", {
  violations: Schema.Array(Schema.Struct({ key: Schema.String, what: Schema.String, operations: Schema.Unknown })),
  undecided: Schema.Array(Schema.String)
}) {
  override get message(): string {
    const broken = this.violations.map(({ what }) => what)
    const undecided = this.undecided.map((key) => `the history of ${key} has too much of unknown outcome to be decided`)
    return [...broken, ...undecided].join("\n")
  }
}

/**
 * Fails when what was recorded so far cannot have been: key by key, with the operations that show it.
 *
 * @category checking
 * @since 0.1.0
 */
export const check: Effect.Effect<void, Broken, History> = Effect.flatMap(History, (history) => {
  const { broken, undecided } = history.check()
  return broken.length + undecided.length === 0
    ? Effect.void
    : Effect.fail(new Broken({ violations: broken, undecided }))
})
