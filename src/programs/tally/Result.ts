/**
 * The result of a run, as JSON and for people.
 */
import { Schema } from "effect"
import { Place } from "../stores/Place.ts"
import { columns } from "../text/Columns.ts"

/** The faults that the state of the server survives, short of the process: see `companions` in the program. */
export const InProcess = Schema.Literals(["forget", "terminate", "table", "memory"])

export type InProcess = typeof InProcess.Type

/** One of these, or a store, from which the next process goes on. */
export const Companion = Schema.Union([InProcess, Place])

export type Companion = typeof Companion.Type

/** The result of one run with one companion, as `--json` prints it. */
export const Result = Schema.Struct({
  companion: Companion,
  files: Schema.Int,
  lines: Schema.Int,
  /** The line it went on from, when an earlier run on the same store did not end. */
  from: Schema.optionalKey(Schema.Int),
  /** Words that the server counted. */
  words: Schema.Int,
  crashes: Schema.Int,
  restarts: Schema.Int,
  /** Chunks that the server acknowledged. */
  acknowledged: Schema.Int,
  /** Acknowledged chunks that it did not know any more after a crash. */
  lost: Schema.Int,
  /** Whether its count is the one of a plain pass without any server. */
  matches: Schema.Boolean,
  /** From an incarnation's end to the next one being up; `null` when nothing crashed. */
  recoverMicrosMedian: Schema.NullOr(Schema.Number),
  recoverMicrosMax: Schema.NullOr(Schema.Number),
  seconds: Schema.Number
})

export type Result = typeof Result.Type

const whole = (n: number): string => n.toLocaleString("en-US")

const counted = (n: number, one: string): string => `${whole(n)} ${one}${n === 1 ? "" : "s"}`

const micros = (n: number | null): string => n === null ? "-" : `${n.toFixed(0)} µs`

/** The plan of a run. */
export const heading = (
  input: { readonly files: number; readonly lines: ReadonlyArray<string> },
  options: { readonly chunk: number; readonly faults: number; readonly seed: number }
): string =>
  `Counting the words of ${counted(input.files, "file")} (${counted(input.lines.length, "line")}), ` +
  `${counted(options.chunk, "line")} at a time, with ${counted(options.faults, "fault")} from seed ${options.seed}.\n`

/** The report of the main run. */
export const summary = (
  result: Result,
  top: ReadonlyArray<readonly [word: string, times: number]>,
  faults: number
): string =>
  [
    "The most frequent words:",
    "",
    columns(top.map(([word, times]) => [word, whole(times)])),
    "",
    `The run with companion "${result.companion}":`,
    "",
    columns([
      ...(result.from === undefined ? [] : [["went on from line", whole(result.from)]]),
      ["words counted", whole(result.words)],
      ["faults injected", whole(faults)],
      ["crashes", whole(result.crashes)],
      ["restarts", whole(result.restarts)],
      ["time to recover, median", micros(result.recoverMicrosMedian)],
      ["time to recover, worst", micros(result.recoverMicrosMax)],
      ["updates acknowledged", whole(result.acknowledged)],
      ["acknowledged updates lost", whole(result.lost)],
      ["same as a single pass", result.matches ? "yes" : "NO"],
      ["seconds", result.seconds.toFixed(1)]
    ])
  ].join("\n")

/** The runs side by side, one line each. */
export const comparison = (results: ReadonlyArray<Result>): string =>
  columns([
    ["companion", "crashes", "restarts", "acknowledged", "lost", "words counted", "same as a single pass", "seconds"],
    ...results.map((result) => [
      result.companion,
      whole(result.crashes),
      whole(result.restarts),
      whole(result.acknowledged),
      whole(result.lost),
      whole(result.words),
      result.matches ? "yes" : "no",
      result.seconds.toFixed(1)
    ])
  ])

const barLength = 40

/** A bar, in eighths of a character: what is lost at all has one. */
const bar = (part: number): string => {
  const eighths = part === 0 ? 0 : Math.max(1, Math.round(part * barLength * 8))
  return "█".repeat(Math.floor(eighths / 8)) + " ▏▎▍▌▋▊▉".charAt(eighths % 8).trim()
}

/** What each companion lost of what it had acknowledged, as a picture. */
export const losses = (results: ReadonlyArray<Result>): string => {
  const width = Math.max(...results.map(({ companion }) => companion.length))
  return [
    "Acknowledged updates lost:",
    "",
    ...results.map(({ acknowledged, companion, lost }) => {
      const drawn = bar(acknowledged === 0 ? 0 : lost / acknowledged)
      return `  ${companion.padEnd(width)}  ${drawn}${drawn === "" ? "" : " "}${
        lost === 0 ? "none" : `${whole(lost)} of ${whole(acknowledged)}`
      }`
    })
  ].join("\n")
}
