/** What the results say in words: which goals are missed or nearly so, and where somebody else is better. */
import { amount, type Row, toText } from "./rows.ts"

const peerNames: Readonly<Record<string, string>> = {
  naive: "naive Effect",
  cluster: "an Entity of effect/cluster",
  xstate: "xstate"
}

/** The part of what is allowed that a row takes: 1 is the goal itself. */
const share = ({ limit, ours, ratio, target }: Row): number | undefined => {
  const shares = [
    ...(target === undefined || ratio === undefined ? [] : [ratio / target]),
    ...(limit === undefined || ours === undefined ? [] : [ours / limit])
  ]
  return shares.length === 0 ? undefined : Math.max(...shares)
}

const goal = ({ failed, limit, ours, ratio, target, title, unit }: Row): string => {
  const [value, most] = target === undefined
    ? [ours === undefined ? undefined : amount(ours, unit), limit === undefined ? "" : amount(limit, unit)]
    : [ratio === undefined ? undefined : toText(ratio), `${target}`]
  const failures = failed?.ours === undefined ? "" : `, failed in ${failed.ours} of the rounds`
  return `${title}: ${value ?? "no figure"} of at most ${most}${failures}`
}

const against = (row: Row, value: number, other: number): string =>
  `${row.title} (${amount(value, row.unit)}; ${amount(other, row.unit)})`

/** By the ratio of the rounds where there is one, as the table shows it. */
const isBeaten = (row: Row): boolean =>
  row.ratio === undefined ? row.ours !== undefined && row.otp !== undefined && row.ours > row.otp : row.ratio > 1

const takesMoreCpu = ({ cpuRatio, otpCpu, oursCpu }: Row): boolean =>
  cpuRatio === undefined ? oursCpu !== undefined && otpCpu !== undefined && oursCpu > otpCpu : cpuRatio > 1

const list = (items: ReadonlyArray<string>): string => items.length === 0 ? "nowhere" : items.join("; ")

/** As a list in Markdown; empty when no row has a goal or a rival. */
export const toVerdict = (rows: ReadonlyArray<Row>): string => {
  const missed = rows.filter(({ reached }) => reached === false)
  const unknown = rows.filter((row) => (row.target ?? row.limit) !== undefined && row.reached === undefined)
  const nearest = rows.filter(({ reached }) => reached === true)
    .sort((a, b) => (share(b) ?? 0) - (share(a) ?? 0)).slice(0, 3)
  const lines = [
    ...(missed.length > 0 ? [`Goals missed: ${missed.map(goal).join("; ")}.`] : []),
    ...(unknown.length > 0
      ? [`Goals not checked, for want of figures: ${unknown.map(({ title }) => title).join("; ")}.`]
      : []),
    ...(missed.length + unknown.length === 0 && nearest.length > 0 ? ["Every goal is reached."] : []),
    ...(nearest.length > 0 ? [`Nearest to their goals: ${nearest.map(goal).join("; ")}.`] : [])
  ]
  if (rows.some(({ otp }) => otp !== undefined)) {
    const beaten = rows.filter(isBeaten)
    lines.push(
      `Erlang/OTP is better (ours; OTP): ${list(beaten.map((row) => against(row, row.ours!, row.otp!)))}.`,
      `Erlang/OTP takes less CPU time (ours; OTP): ${
        list(rows.filter(takesMoreCpu).map((row) => against(row, row.oursCpu!, row.otpCpu!)))
      }.`
    )
  }
  for (const name of new Set(rows.flatMap(({ peers }) => Object.keys(peers)))) {
    const better = rows.flatMap((row) => {
      const peer = row.peers[name]
      return row.ours === undefined || peer === undefined || peer.wall >= row.ours
        ? []
        : [against(row, row.ours, peer.wall)]
    })
    if (better.length > 0) lines.push(`Better is ${peerNames[name] ?? name} (ours; theirs): ${list(better)}.`)
  }
  return lines.map((line) => `- ${line}`).join("\n")
}
