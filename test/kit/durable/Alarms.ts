/** Timers whose process is killed again and again: which rang, how often, and how late. */
import { Clock, Effect, Random } from "effect"
import { start } from "./Processes.ts"

/** What came of a run. */
export interface Outcome {
  readonly kills: number
  readonly timers: number
  /** Those that never rang, and those that counted more than once. */
  readonly wrong: ReadonlyArray<string>
  /** How often a message was handled, counted or not. */
  readonly handled: number
  /** Milliseconds after they were due, the shortest first. */
  readonly lateness: ReadonlyArray<number>
}

/** What the median and the longest of some times are, in words. */
export const inWords = ({ lateness }: Outcome): string => {
  const at = (part: number) => Math.round(lateness[Math.floor((lateness.length - 1) * part)] ?? 0)
  return `late by ${at(0.5)} ms in the median, ${at(0.99)} at 99 %, ${at(1)} at most`
}

/**
 * Sets `timers` timers, due within `window` milliseconds, kills the process so often at moments drawn at random, and
 * counts.
 *
 * One process in six is killed while it is starting.
 */
export const killAlarms = Effect.fnUntraced(function*(
  program: string,
  place: string,
  { kills, timers, window }: { readonly kills: number; readonly timers: number; readonly window: number }
) {
  const begin = (yield* Clock.currentTimeMillis) + 1000
  const numbers = [begin, window, timers, Math.ceil(timers / 5)].map(String)
  const each = Math.ceil(timers / kills)
  let handled = 0
  const look = (lines: ReadonlyArray<string>) => {
    handled += lines.filter((line) => line.startsWith("ring ")).length
  }
  for (let i = 0; i < kills; i++) {
    const running = yield* start(program, [place, "run", ...numbers])
    if ((yield* Random.nextIntBetween(0, 6)) === 0) yield* Effect.sleep(yield* Random.nextIntBetween(0, 200))
    else {
      yield* running.printed("ready")
      yield* Effect.raceFirst(
        running.printed("ring ", 1 + (yield* Random.nextIntBetween(0, 2 * each))),
        Effect.sleep(yield* Random.nextIntBetween(0, 2 * window / kills))
      )
      // Before what was handled is stored, or after.
      yield* Effect.sleep(yield* Random.nextIntBetween(0, 50))
    }
    const end = yield* running.kill
    look(running.lines)
    if (end !== "SIGKILL") return yield* Effect.die(new Error(`it ended by itself (${end}): ${running.errors()}`))
  }
  const last = yield* start(program, [place, "count", ...numbers])
  const end = yield* last.ended
  if (end !== 0) return yield* Effect.die(new Error(`it failed (${end}): ${last.errors()}`))
  look(last.lines)
  const rang = last.lines.flatMap((line) => {
    const [word, name = "", count, late] = line.split(" ")
    return word === "rang" ? [{ name, count: Number(count), late: Number(late) }] : []
  })
  const wrong = rang.flatMap(({ count, name }) => count === 1 ? [] : [`${name} counted ${count} times`])
  if (rang.length !== timers) wrong.push(`${rang.length} timers were set, of ${timers}`)
  const lateness = rang.map(({ late }) => late).sort((a, b) => a - b)
  return { kills, timers, wrong, handled, lateness } satisfies Outcome
}, Effect.scoped)
