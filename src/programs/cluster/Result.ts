/**
 * What a run came to: what was acknowledged, against what is in the database.
 */
import type { Struck } from "./Strikes.ts"
import { failuresOf, type Line, noticed } from "./Traffic.ts"

/** What is in the database of a key. */
export interface Stored {
  readonly updates: number
  readonly words: number
}

/** The figures of a run, as `--json` prints them. */
export interface Result extends Struck {
  readonly acknowledged: number
  readonly lost: number
  readonly twice: number
  readonly awayMillisMedian: number
  readonly awayMillisMax: number
}

const sum = (numbers: Iterable<number>): number => {
  let sum = 0
  for (const number of numbers) sum += number
  return sum
}

const median = (numbers: ReadonlyArray<number>): number => [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? 0

/** Compares callers with the database. An update of an unknown outcome may be there or not. */
export const compare = (
  lines: ReadonlyArray<Line>,
  stored: ReadonlyMap<string, Stored>,
  struck: Struck
): Result => {
  const away = lines.flatMap((line) => line.away)
  const over = lines.map(({ acknowledged, key, unknown }) => {
    const { updates } = stored.get(key) ?? { updates: 0 }
    return { lost: Math.max(0, acknowledged - updates), twice: Math.max(0, updates - acknowledged - unknown) }
  })
  return {
    ...struck,
    acknowledged: sum(lines.map(({ acknowledged }) => acknowledged)),
    lost: sum(over.map(({ lost }) => lost)),
    twice: sum(over.map(({ twice }) => twice)),
    awayMillisMedian: median(away),
    awayMillisMax: Math.max(0, ...away)
  }
}

const seconds = (millis: number): string => `${(millis / 1000).toFixed(1)} s`

const times = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`

/** The figures for people. */
export const summary = (
  { acknowledged, awayMillisMax, awayMillisMedian, failed, freezes, kills, late, lost, refused, stops, twice }: Result,
  lines: ReadonlyArray<Line>
): string => {
  const unknown = sum(lines.map(({ unknown }) => unknown))
  const failures = [...failuresOf(lines)].map(([name, n]) => `${n} ${name}`).join(", ")
  return [
    "",
    `${times(kills, "kill")}, ${times(freezes, "freeze")}, ${times(stops, "stop")}`,
    `acknowledged    ${acknowledged}`,
    `lost            ${lost}`,
    `applied twice   ${twice}`,
    `refused         ${refused}, of the writes that runners had in hand when they went on and their keys were others'`,
    `failed          ${failed}, of the calls while a runner was stopped in order and came back${
      late === 0 ? "" : `; ${times(late, "runner")} had to be killed`
    }`,
    `unknown         ${unknown}, calls of which the caller does not know whether they were made`,
    `made again      ${failures === "" ? "none that the caller heard of" : `after ${failures}`}`,
    `a key was away  ${seconds(awayMillisMedian)} (median), ${
      seconds(awayMillisMax)
    } (worst), of the times that it was for more than ${noticed} ms`
  ].join("\n")
}
