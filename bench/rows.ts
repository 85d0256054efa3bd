/** From figures to rows: medians over the rounds, ratios within a round. */
import type { Figure } from "./contenders.ts"
import { median } from "./measure.ts"
import { curve, type Metric, metrics } from "./metrics.ts"

/** One round: by contender, by metric. */
export type Round = ReadonlyMap<string, ReadonlyMap<string, Figure>>

export interface Compared {
  readonly wall: number
  readonly cpu: number
  /** To Erlang/OTP: the median of the ratios of each round; smaller is faster. Absent without Erlang/OTP. */
  readonly ratio?: number
}

/** A row as `--json` prints it. Nanoseconds per operation, bytes or percent; ratios are ours to Erlang/OTP's. */
export interface Row {
  readonly metric: string
  readonly title: string
  readonly unit: Metric["unit"]
  readonly ours: number
  readonly oursCpu: number
  readonly otp?: number
  readonly otpCpu?: number
  readonly ratio?: number
  readonly ratioMin?: number
  readonly ratioMax?: number
  readonly cpuRatio?: number
  readonly target?: number
  readonly limit?: number
  /** Whether target and limit are kept; absent when the row has neither, or the target's contender is missing. */
  readonly reached?: boolean
  readonly peers: Readonly<Record<string, Compared>>
}

export const toRow = (rounds: ReadonlyArray<Round>, row: Metric): Row | undefined => {
  const figures = (contender: string, of: (figure: Figure) => number): ReadonlyArray<number> =>
    rounds.flatMap((round) => {
      const figure = round.get(contender)?.get(row.metric)
      return figure === undefined ? [] : [of(figure)]
    })
  const wall = (figure: Figure) => figure.wall
  const cpu = (figure: Figure) => figure.cpu
  const ratios = (contender: string, of: (figure: Figure) => number): ReadonlyArray<number> =>
    row.unit === "%" ? [] : rounds.flatMap((round) => {
      const [one, other] = [round.get(contender)?.get(row.metric), round.get("otp")?.get(row.metric)]
      return one === undefined || other === undefined || of(other) === 0 ? [] : [of(one) / of(other)]
    })

  const ours = figures("ours", wall)
  if (ours.length === 0) return undefined
  const otp = figures("otp", wall)
  const ratio = ratios("ours", wall)
  const cpuRatio = ratios("ours", cpu)
  const kept = [
    ...(row.target === undefined || ratio.length === 0 ? [] : [median(ratio) <= row.target]),
    ...(row.limit === undefined ? [] : [median(ours) <= row.limit])
  ]
  const others = [...new Set(rounds.flatMap((round) => [...round.keys()]))].filter((name) =>
    name !== "ours" && name !== "otp" && figures(name, wall).length > 0
  )
  return {
    metric: row.metric,
    title: row.title,
    unit: row.unit,
    ours: median(ours),
    oursCpu: median(figures("ours", cpu)),
    ...(otp.length > 0 && { otp: median(otp), otpCpu: median(figures("otp", cpu)) }),
    ...(ratio.length > 0 && { ratio: median(ratio), ratioMin: Math.min(...ratio), ratioMax: Math.max(...ratio) }),
    ...(cpuRatio.length > 0 && { cpuRatio: median(cpuRatio) }),
    ...(row.target !== undefined && { target: row.target }),
    ...(row.limit !== undefined && { limit: row.limit }),
    ...(kept.length > 0 && { reached: kept.every(Boolean) }),
    peers: Object.fromEntries(others.map((name) => {
      const ratio = ratios(name, wall)
      const compared: Compared = {
        wall: median(figures(name, wall)),
        cpu: median(figures(name, cpu)),
        ...(ratio.length > 0 && { ratio: median(ratio) })
      }
      return [name, compared]
    }))
  }
}

export const toRows = (rounds: ReadonlyArray<Round>): ReadonlyArray<Row> => {
  const curves = curve.what.flatMap((what) =>
    curve.sizes.map((size): Metric => ({
      metric: `curve.${what}.${size}`,
      section: curve.section,
      title: `${what}, per server, ${size.toLocaleString("en")} servers`,
      unit: "ns"
    }))
  )
  return [...metrics, ...curves].flatMap((row) => toRow(rounds, row) ?? [])
}

const larger: Partial<Record<Row["unit"], string>> = { ns: "µs", bytes: "kB" }

const amount = (value: number, unit: Row["unit"]): string =>
  Math.abs(value) >= 10_000
    ? `${(value / 1000).toFixed(1)} ${larger[unit] ?? unit}`
    : `${value.toFixed(Math.abs(value) < 10 ? 1 : 0)} ${unit}`

const markdown = (header: ReadonlyArray<string>, lines: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = header.map((title, i) => Math.max(title.length, 3, ...lines.map((line) => line[i]!.length)))
  const format = (cells: ReadonlyArray<string>) => `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ")} |`
  return [format(header), `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`, ...lines.map(format)].join(
    "\n"
  )
}

/** The curve as a table: a line per kind of work, a column per size. */
const toCurveTable = (rows: ReadonlyArray<Row>): string => {
  const cell = (metric: string): string => {
    const row = rows.find((row) => row.metric === metric)
    return row === undefined ? "–" : amount(row.ours, row.unit)
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

const toTable = (rows: ReadonlyArray<Row>): string => {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row.peers)))]
  const header = ["", "ours", "OTP", "ratio (min–max)", "CPU ratio", "must be", "", ...names]
  const lines = rows.map((row) => [
    row.title,
    amount(row.ours, row.unit),
    row.otp === undefined ? "–" : amount(row.otp, row.unit),
    row.ratio === undefined
      ? "–"
      : `**${row.ratio.toFixed(2)}** (${row.ratioMin!.toFixed(2)}–${row.ratioMax!.toFixed(2)})`,
    row.cpuRatio === undefined ? "–" : row.cpuRatio.toFixed(2),
    row.target !== undefined ? `≤ ${row.target}` : row.limit === undefined ? "" : `≤ ${amount(row.limit, row.unit)}`,
    row.reached === undefined ? "" : row.reached ? "yes" : "**no**",
    ...names.map((name) => {
      const peer = row.peers[name]
      return peer === undefined ? "–" : amount(peer.wall, row.unit)
    })
  ])
  return markdown(header, lines)
}
