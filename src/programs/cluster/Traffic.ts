/**
 * Traffic on keys: one caller for each, which calls, waits for the answer, and calls again; and what it remembers of
 * that.
 */
import { Clock, type Duration, Effect, Fiber } from "effect"
import { GenServer } from "../../index.ts"

/** What one caller knows of its key. */
export interface Line {
  readonly key: string
  /** How long a call may take. */
  patience: Duration.Input
  /** Updates that were answered, and those of which it is not known whether they were made. */
  acknowledged: number
  unknown: number
  /** Words in the updates that were answered. */
  words: number
  /** When the last answer came, in milliseconds, and the longest time without one since it was asked last. */
  last: number
  longest: number
  /** How long it was away, each time that it was for longer than {@link noticed}. */
  readonly away: Array<number>
  /** How its calls failed, and how often each. */
  readonly failures: Map<string, number>
}

/** Milliseconds without an answer from which on a key counts as away. */
export const noticed = 700

/**
 * How long a call may take. With a key one that was in vain is made again by its caller; without one that is left to
 * the cluster, which needs to find out first that a runner is gone.
 */
export const patienceOf = (isKeyed: boolean) => isKeyed ? "2 seconds" : patient

/** Longer than it takes until another runner has a key. */
const patient = "15 seconds"

/** What a call may take by default: long enough for a key to be handed over in order. */
export const usual = "5 seconds"

/** From now on each call may take so long: one that fails has not been handed over in time. */
export const bePatient = (lines: ReadonlyArray<Line>, patience: Duration.Input): void => {
  for (const line of lines) line.patience = patience
}

/** An update of a key. */
export type Update = (
  key: string,
  words: number,
  options: { readonly timeout: Duration.Input; readonly idempotencyKey?: string }
) => Effect.Effect<unknown, unknown>

const line = (key: string, patience: Duration.Input, now: number): Line => ({
  key,
  patience,
  acknowledged: 0,
  unknown: 0,
  words: 0,
  last: now,
  longest: 0,
  away: [],
  failures: new Map()
})

/** The key of a call of which it is not known whether it was made: it may be made again with it. */
const againOf = (error: unknown): string | undefined =>
  error instanceof GenServer.CallError && error.reason._tag === "Unreachable" ? error.reason.key : undefined

const nameOf = (error: unknown): string =>
  error instanceof GenServer.CallError
    ? "why" in error.reason ? `${error.reason._tag} (${error.reason.why})` : error.reason._tag
    : String(error)

const optionsOf = ({ patience: timeout }: Line, idempotencyKey: string | undefined) =>
  idempotencyKey === undefined ? { timeout } : { timeout, idempotencyKey }

/** Updates a key again and again, with as many words as `next` says and a pause in between, until that has no more. */
const drive = Effect.fnUntraced(function*(line: Line, next: () => number | undefined, update: Update, pause: number) {
  const answered = (words: number) =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      const gap = now - line.last
      if (gap > noticed) line.away.push(gap)
      line.longest = Math.max(line.longest, gap)
      line.last = now
      line.acknowledged++
      line.words += words
    })
  const failed = (error: unknown) =>
    Effect.suspend(() => {
      const name = nameOf(error)
      line.failures.set(name, (line.failures.get(name) ?? 0) + 1)
      return Effect.sleep("20 millis")
    })
  const send = (words: number, again: string | undefined): Effect.Effect<void> =>
    Effect.matchEffect(update(line.key, words, optionsOf(line, again)), {
      onSuccess: () => answered(words),
      onFailure: (error) => {
        const key = againOf(error)
        if (key === undefined) line.unknown++
        return key === undefined ? failed(error) : Effect.andThen(failed(error), send(words, key))
      }
    })
  for (let words = next(); words !== undefined; words = next()) {
    yield* send(words, undefined)
    yield* Effect.sleep(pause)
  }
})

/**
 * Waits until every key has been answered after `since`; how many were away, and the longest that one was, of those
 * that were.
 */
export const allBack = Effect.fnUntraced(function*(lines: ReadonlyArray<Line>, since: number) {
  // What was on its way then may have been answered still.
  yield* Effect.repeat(
    Effect.andThen(Effect.sleep("20 millis"), Effect.sync(() => lines.every(({ last }) => last > since + 50))),
    { until: (isBack) => isBack }
  )
  const away = lines.filter(({ longest }) => longest > noticed)
  return { away: away.length, longest: Math.max(0, ...away.map(({ longest }) => longest)) }
})

/** How calls failed, and how often each, over all keys. */
export const failuresOf = (lines: ReadonlyArray<Pick<Line, "failures">>): ReadonlyMap<string, number> => {
  const all = new Map<string, number>()
  for (const { failures } of lines) for (const [name, n] of failures) all.set(name, (all.get(name) ?? 0) + n)
  return all
}

/** Begins to look for the longest time without an answer. */
export const look = (lines: ReadonlyArray<Line>): void => {
  for (const line of lines) line.longest = 0
}

/**
 * Begins to update so many keys, each by turns with the next number of words, and waits until all of them are answered.
 * `end` ends it when the calls on their way are answered.
 */
export const begin = Effect.fnUntraced(function*(
  keys: number,
  words: ReadonlyArray<number>,
  update: Update,
  isKeyed: boolean,
  pause = 5
) {
  const now = yield* Clock.currentTimeMillis
  const lines = Array.from({ length: keys }, (_, i) => line(`k${i}`, patienceOf(isKeyed), now))
  let at = 0
  let isOver = false
  const next = () => isOver ? undefined : words[at++ % words.length]
  const driving = yield* Effect.forkScoped(
    Effect.forEach(lines, (line) => drive(line, next, update, pause), { concurrency: "unbounded", discard: true })
  )
  yield* allBack(lines, now)
  yield* Effect.sleep("3 seconds")
  // What came before is the start.
  for (const line of lines) line.away.length = 0
  const over = Effect.sync(() => {
    isOver = true
  })
  return { lines, end: Effect.andThen(over, Fiber.join(driving)) }
})
