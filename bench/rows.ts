/** From figures to rows: medians over the rounds, ratios within a round. */
import type { Figure } from "./contenders.ts"
import { median } from "./measure.ts"
import { all, curve, type Metric } from "./metrics.ts"

/** What one contender did in a round, by metric. */
export interface Outcome {
  readonly figures: ReadonlyMap<string, Figure>
  /** What it should have measured, and did not. */
  readonly failed: ReadonlySet<string>
}

/** One round: by contender. */
export type Round = ReadonlyMap<string, Outcome>

export interface Compared {
  readonly wall: number
  readonly cpu?: number
  /** To Erlang/OTP: the median of the ratios of each round; smaller is faster. Absent without Erlang/OTP. */
  readonly ratio?: number
}

/** A row as `--json` prints it. Nanoseconds per operation, bytes or percent; ratios are ours to Erlang/OTP's. */
export interface Row {
  readonly metric: string
  readonly title: string
  readonly unit: Metric["unit"]
  /** Absent when it failed in every round. */
  readonly ours?: number
  /** CPU time in the same unit; bytes have none. */
  readonly oursCpu?: number
  readonly otp?: number
  readonly otpCpu?: number
  readonly ratio?: number
  readonly ratioMin?: number
  readonly ratioMax?: number
  readonly cpuRatio?: number
  readonly target?: number
  readonly limit?: number
  /**
   * Whether target and limit are kept; not when we failed in any round. Absent when the row has neither, or the
   * target's contender is missing.
   */
  readonly reached?: boolean
  /** In how many rounds a contender failed; absent when none did. */
  readonly failed?: Readonly<Record<string, number>>
  readonly peers: Readonly<Record<string, Compared>>
}

export const toRow = (rounds: ReadonlyArray<Round>, row: Metric): Row | undefined => {
  const figures = (contender: string, of: keyof Figure): ReadonlyArray<number> =>
    rounds.flatMap((round) => round.get(contender)?.figures.get(row.metric)?.[of] ?? [])
  const ratios = (contender: string, of: keyof Figure): ReadonlyArray<number> =>
    row.unit === "%" ? [] : rounds.flatMap((round) => {
      const [one, other] = [contender, "otp"].map((name) => round.get(name)?.figures.get(row.metric)?.[of])
      return one === undefined || other === undefined || other === 0 ? [] : [one / other]
    })

  const names = [...new Set(rounds.flatMap((round) => [...round.keys()]))]
  const failed = Object.fromEntries(names.flatMap((name) => {
    const count = rounds.filter((round) => round.get(name)?.failed.has(row.metric)).length
    return count === 0 ? [] : [[name, count]]
  }))
  const ours = figures("ours", "wall")
  if (ours.length === 0 && failed.ours === undefined) return undefined
  const oursCpu = figures("ours", "cpu")
  const otp = figures("otp", "wall")
  const otpCpu = figures("otp", "cpu")
  const ratio = ratios("ours", "wall")
  const cpuRatio = ratios("ours", "cpu")
  const kept = [
    ...(row.target === undefined || ratio.length === 0 ? [] : [median(ratio) <= row.target]),
    ...(row.limit === undefined || ours.length === 0 ? [] : [median(ours) <= row.limit]),
    ...((row.target ?? row.limit) === undefined || failed.ours === undefined ? [] : [false])
  ]
  const others = names.filter((name) => name !== "ours" && name !== "otp" && figures(name, "wall").length > 0)
  return {
    metric: row.metric,
    title: row.title,
    unit: row.unit,
    ...(ours.length > 0 && { ours: median(ours) }),
    ...(oursCpu.length > 0 && { oursCpu: median(oursCpu) }),
    ...(otp.length > 0 && { otp: median(otp) }),
    ...(otpCpu.length > 0 && { otpCpu: median(otpCpu) }),
    ...(ratio.length > 0 && { ratio: median(ratio), ratioMin: Math.min(...ratio), ratioMax: Math.max(...ratio) }),
    ...(cpuRatio.length > 0 && { cpuRatio: median(cpuRatio) }),
    ...(row.target !== undefined && { target: row.target }),
    ...(row.limit !== undefined && { limit: row.limit }),
    ...(kept.length > 0 && { reached: kept.every(Boolean) }),
    ...(Object.keys(failed).length > 0 && { failed }),
    peers: Object.fromEntries(others.map((name) => {
      const ratio = ratios(name, "wall")
      const cpu = figures(name, "cpu")
      const compared: Compared = {
        wall: median(figures(name, "wall")),
        ...(cpu.length > 0 && { cpu: median(cpu) }),
        ...(ratio.length > 0 && { ratio: median(ratio) })
      }
      return [name, compared]
    }))
  }
}

export const toRows = (rounds: ReadonlyArray<Round>): ReadonlyArray<Row> =>
  all.flatMap((row) => toRow(rounds, row) ?? [])

const larger: Partial<Record<Row["unit"], string>> = { ns: "µs", bytes: "kB" }

/** A figure with its unit. */
export const amount = (value: number, unit: Row["unit"]): string =>
  unit === "×" ?
    `${value.toFixed(2)} ×` :
    Math.abs(value) >= 10_000
    ? `${(value / 1000).toFixed(1)} ${larger[unit] ?? unit}`
    : `${value.toFixed(Math.abs(value) < 10 ? 1 : 0)} ${unit}`

/** A ratio in two digits after the point, or as many as it takes to see one. */
export const toText = (ratio: number): string =>
  ratio === 0 || ratio >= 0.01 ? ratio.toFixed(2) : `${Number(ratio.toPrecision(1))}`

const markdown = (header: ReadonlyArray<string>, lines: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = header.map((title, i) => Math.max(title.length, 3, ...lines.map((line) => line[i]!.length)))
  const format = (cells: ReadonlyArray<string>) => `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ")} |`
  return [format(header), `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`, ...lines.map(format)].join(
    "\n"
  )
}

/** What a cell says of a contender: its figure, and whether it failed to give one. */
const said = ({ failed, unit }: Row, contender: string, value: number | undefined): string => {
  const times = failed?.[contender]
  if (value === undefined) return times === undefined ? "–" : "**failed**"
  return `${amount(value, unit)}${times === undefined ? "" : `, **failed ${times} ×**`}`
}

/** The curve as a table: a line per kind of work, a column per size. */
const toCurveTable = (rows: ReadonlyArray<Row>): string => {
  const cell = (metric: string): string => {
    const row = rows.find((row) => row.metric === metric)
    return row === undefined ? "–" : said(row, "ours", row.ours)
  }
  return markdown(
    ["per server, of", ...curve.sizes.map((size) => size.toLocaleString("en"))],
    curve.what.map((what) => [what, ...curve.sizes.map((size) => cell(`curve.${what}.${size}`))])
  )
}

/** Markdown tables, readable as they are: figure by figure, and the curve where it was measured. */
export const toTables = (rows: ReadonlyArray<Row>): string => {
  const [curves, figures] = [rows.filter(inCurve), rows.filter((row) => !inCurve(row))]
  return [...figures.length > 0 ? [toTable(figures)] : [], ...curves.length > 0 ? [toCurveTable(curves)] : []].join(
    "\n\n"
  )
}

const inCurve = ({ metric }: Row): boolean => metric.startsWith(`${curve.section}.`)

const cpu = ({ cpuRatio, otpCpu, oursCpu, unit }: Row): string => {
  if (oursCpu === undefined) return "–"
  const against = cpuRatio !== undefined
    ? toText(cpuRatio)
    : otpCpu === undefined
    ? undefined
    : `OTP ${amount(otpCpu, unit)}`
  return `${amount(oursCpu, unit)}${against === undefined ? "" : ` (${against})`}`
}

const toTable = (rows: ReadonlyArray<Row>): string => {
  const names = [
    ...new Set(rows.flatMap((row) => [...Object.keys(row.peers), ...Object.keys(row.failed ?? {})]))
  ].filter((name) => name !== "ours" && name !== "otp")
  const header = ["", "ours", "OTP", "ratio (min–max)", "CPU (ratio)", "must be", "", ...names]
  const lines = rows.map((row) => [
    row.title,
    said(row, "ours", row.ours),
    said(row, "otp", row.otp),
    row.ratio === undefined
      ? "–"
      : `**${toText(row.ratio)}** (${toText(row.ratioMin!)}–${toText(row.ratioMax!)})`,
    cpu(row),
    row.target !== undefined ? `≤ ${row.target}` : row.limit === undefined ? "" : `≤ ${amount(row.limit, row.unit)}`,
    row.reached === undefined ? "" : row.reached ? "yes" : "**no**",
    ...names.map((name) => said(row, name, row.peers[name]?.wall))
  ])
  return markdown(header, lines)
}
