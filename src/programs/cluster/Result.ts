/**
 * What a run came to: what was acknowledged, against what is in the database.
 */
import { type Line, noticed } from "./Traffic.ts"

/** What is in the database of a key. */
export interface Stored {
  readonly updates: number
  readonly words: number
}

/** The figures of a run, as `--json` prints them. */
export interface Result {
  readonly kills: number
  readonly freezes: number
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
  events: Pick<Result, "kills" | "freezes">
): Result => {
  const away = lines.flatMap((line) => line.away)
  const over = lines.map(({ acknowledged, key, unknown }) => {
    const { updates } = stored.get(key) ?? { updates: 0 }
    return { lost: Math.max(0, acknowledged - updates), twice: Math.max(0, updates - acknowledged - unknown) }
  })
  return {
    ...events,
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
  { acknowledged, awayMillisMax, awayMillisMedian, freezes, kills, lost, twice }: Result,
  lines: ReadonlyArray<Line>
): string => {
  const unknown = sum(lines.map(({ unknown }) => unknown))
  const failures = new Map<string, number>()
  for (const line of lines) for (const [name, n] of line.failures) failures.set(name, (failures.get(name) ?? 0) + n)
  const failed = [...failures].map(([name, n]) => `${n} ${name}`).join(", ")
  return [
    "",
    `${times(kills, "kill")}, ${times(freezes, "freeze")}`,
    `acknowledged    ${acknowledged}`,
    `lost            ${lost}`,
    `applied twice   ${twice}`,
    `unknown         ${unknown}, calls of which the caller does not know whether they were made`,
    `made again      ${failed === "" ? "none that the caller heard of" : `after ${failed}`}`,
    `a key was away  ${seconds(awayMillisMedian)} (median), ${
      seconds(awayMillisMax)
    } (worst), of the times that it was for more than ${noticed} ms`
  ].join("\n")
}
