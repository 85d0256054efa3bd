/**
 * One task per item, as a stream of what they came to.
 *
 * Use it through `TaskSupervisor.asyncStream`.
 *
 * *Tricky*: the stream may end at any time, by its reader, by a failure, or because its fiber is interrupted. Each task
 * is held by a fiber of the stream's own, in which its stop is the release: whatever ends the stream waits until all
 * its tasks have ended.
 *
 * @since 0.1.0
 */
import { type Duration, Effect, Exit, Predicate, Stream } from "effect"
import * as GivenOption from "../../../domain/options/GivenOption.ts"
import { type ChildTask, toMillis } from "./Task.ts"
import type { TaskError } from "./TaskError.ts"

interface Common {
  /** How many tasks at a time. Default {@link defaultConcurrency}. */
  readonly concurrency?: number | undefined
  /** Whether results come in the order of the items. Default `true`. */
  readonly ordered?: boolean | undefined
  /** How long one task may take. Default 5 seconds, as in Elixir. */
  readonly timeout?: Duration.Input | "infinity" | undefined
  /** How long a task may take to stop. Default 5 seconds. */
  readonly shutdown?: Duration.Input | "infinity" | "brutal_kill" | undefined
}

/**
 * How a stream of results is made.
 *
 * @category options
 * @since 0.1.0
 */
export interface StreamOptions<in A, out C> extends Common {
  /** What a task that takes too long means: the end of the stream (default), or a result made from its item. */
  readonly onTimeout?: "exit" | ((item: A) => C) | undefined
}

/**
 * How a stream of outcomes is made.
 *
 * @category options
 * @since 0.1.0
 */
export interface OutcomeOptions extends Common {
  /** What a task that takes too long means: the end of the stream (default), or an outcome like the others. */
  readonly onTimeout?: "exit" | "kill_task" | undefined
}

/**
 * What came of one item.
 *
 * @category models
 * @since 0.1.0
 */
export interface Outcome<out A, out B, out E> {
  readonly item: A
  readonly exit: Exit.Exit<B, E | TaskError>
}

/**
 * The default number of tasks that a stream runs at a time: 8.
 *
 * Elixir takes the number of its schedulers. A JavaScript thread has one, and its tasks wait more than they compute, so
 * the number of cores says nothing; it is a small number that is the same everywhere.
 *
 * @category options
 * @since 0.1.0
 */
export const defaultConcurrency = 8

type Begin<A, B, E, ES, R> = (item: A) => Effect.Effect<ChildTask<B, E>, ES, R>

/** A stream of results: fails as soon as one task does. */
export const values = <A, B, C, E, ES, R, E2, R2>(
  items: Iterable<A> | Stream.Stream<A, E2, R2>,
  begin: Begin<A, B, E, ES, R>,
  options: StreamOptions<A, C> | undefined
): Stream.Stream<B | C, E | E2 | ES | TaskError, R | R2> => {
  const onTimeout = options?.onTimeout
  return each(
    items,
    options,
    (item, millis) =>
      use(begin, item, millis, (exit, task): Effect.Effect<B | C, E | TaskError> => {
        if (exit !== undefined) return exit
        return typeof onTimeout === "function" ? Effect.sync(() => onTimeout(item)) : Exit.fail(task.timeout(millis))
      })
  )
}

/** A stream of outcomes: what happens to one item ends nothing. */
export const outcomes = <A, B, E, ES, R, E2, R2>(
  items: Iterable<A> | Stream.Stream<A, E2, R2>,
  begin: Begin<A, B, E, ES, R>,
  options: OutcomeOptions | undefined
): Stream.Stream<Outcome<A, B, E>, E2 | ES | TaskError, R | R2> =>
  each(
    items,
    options,
    (item, millis) =>
      use(begin, item, millis, (exit, task): Effect.Effect<Outcome<A, B, E>, TaskError> => {
        if (exit !== undefined) return Exit.succeed({ item, exit })
        const late = Exit.fail(task.timeout(millis))
        return options?.onTimeout === "kill_task" ? Exit.succeed({ item, exit: late }) : late
      })
  )

const use = <A, B, X, E, EX, ES, R>(
  begin: Begin<A, B, E, ES, R>,
  item: A,
  millis: number,
  answer: (exit: Exit.Exit<B, E | TaskError> | undefined, task: ChildTask<B, E>) => Effect.Effect<X, EX>
): Effect.Effect<X, EX | ES, R> =>
  Effect.acquireUseRelease(
    begin(item),
    (task) => Effect.flatMap(task.within(millis), (exit) => answer(exit, task)),
    (task) => task.stop
  )

const iterableOf = <I extends Iterable<unknown>>(of: string, items: I): I =>
  Predicate.isIterable(items)
    ? items
    : GivenOption.refuse({ of, option: "items", given: items }, "an iterable, or a Stream")

const each = <A, X, E, R, E2, R2>(
  items: Iterable<A> | Stream.Stream<A, E2, R2>,
  options: Common | undefined,
  run: (item: A, millis: number) => Effect.Effect<X, E, R>
): Stream.Stream<X, E | E2, R | R2> => {
  const { ordered = true } = options ?? {}
  return Stream.suspend(() => {
    const of = "asyncStream"
    // One item at a time: taking more than there are tasks for would run ahead of an endless or costly collection.
    const taken: Stream.Stream<A, E2, R2> = Stream.isStream(items)
      ? items
      : Stream.fromIterable(iterableOf(of, items), { chunkSize: 1 })
    const given = options?.concurrency ?? defaultConcurrency
    const concurrency = GivenOption.integer({ of, option: "concurrency", given }, 1)
    const millis = toMillis(of, options?.timeout)
    return Stream.mapEffect(taken, (item) => run(item, millis), { concurrency, unordered: !ordered })
  })
}
