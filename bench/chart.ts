/** The charts, as SVG. */
import { curve } from "./metrics.ts"
import type { Row } from "./rows.ts"

const colors: Readonly<Record<string, string>> = {
  ours: "#0969da",
  naive: "#bc4c00",
  cluster: "#8250df",
  xstate: "#57606a"
}
const [left, width, rowHeight, top] = [350, 560, 30, 64]
const [low, high] = [0.03, 100]

const x = (ratio: number): number => {
  const inside = Math.min(high, Math.max(low, ratio))
  return left + width * (Math.log(inside / low) / Math.log(high / low))
}

const text = (x: number, y: number, content: string, more = ""): string =>
  `<text x="${x.toFixed(1)}" y="${y}" ${more}>${content.replaceAll("&", "&amp;").replaceAll("<", "&lt;")}</text>`

const dot = (name: string, ratio: number, y: number): string =>
  `<circle cx="${x(ratio).toFixed(1)}" cy="${y}" r="${name === "ours" ? 7 : 5}" fill="${colors[name] ?? "#999"}">` +
  `<title>${name}: ${ratio.toFixed(2)}</title></circle>`

const page = (width: number, height: number, content: ReadonlyArray<string>): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" ` +
  `font-family="system-ui, sans-serif" font-size="12" fill="#24292f">
<rect width="100%" height="100%" fill="#fff"/>
${content.join("\n")}
</svg>
`

/** For each figure, everybody's ratio to Erlang/OTP on a logarithmic scale; to the left is faster. */
export const toRatios = (rows: ReadonlyArray<Row>, machine: string): string => {
  const shown = rows.filter((row) => row.ratio !== undefined)
  const height = top + shown.length * rowHeight + 50
  const bottom = top + shown.length * rowHeight
  const ticks = [0.1, 1, 10, 100].map((tick) =>
    `<line x1="${x(tick)}" x2="${x(tick)}" y1="${top - 8}" y2="${bottom}" stroke="${
      tick === 1 ? "#24292f" : "#d0d7de"
    }"/>` +
    text(x(tick), top - 14, tick === 1 ? "OTP" : `× ${tick}`, `text-anchor="middle"`)
  )
  const lines = shown.map((row, i) => {
    const y = top + i * rowHeight + rowHeight / 2
    const target = row.target === undefined
      ? ""
      : `<path d="M${x(row.target).toFixed(1)} ${
        y - 9
      } v18" stroke="#1a7f37" stroke-width="2"><title>goal: ${row.target}</title></path>`
    const peers = Object.entries(row.peers).flatMap(([name, { ratio }]) =>
      ratio === undefined ? [] : [dot(name, ratio, y)]
    )
    return text(left - 14, y + 4, row.title.replaceAll("`", ""), `text-anchor="end"`) +
      `<line x1="${left}" x2="${left + width}" y1="${y}" y2="${y}" stroke="#eaeef2"/>` + target + peers.join("") +
      dot("ours", row.ratio!, y) +
      text(x(row.ratio!), y - 9, row.ratio!.toFixed(2), `text-anchor="middle" font-size="10"`)
  })
  const legend = ["ours", "naive", "xstate", "cluster"].map((name, i) =>
    `<circle cx="${left + i * 130}" cy="18" r="5" fill="${colors[name]}"/>` +
    text(left + i * 130 + 10, 22, name === "ours" ? "Heirloom" : name === "cluster" ? "cluster Entity" : name)
  )
  const goal = `<path d="M${left + 4 * 130 + 10} 9 v18" stroke="#1a7f37" stroke-width="2"/>` +
    text(left + 4 * 130 + 16, 22, "goal")
  const note = `Wall time or memory against Erlang/OTP; left is better. ${machine}`
  return page(left + width + 30, height, [
    ...legend,
    goal,
    ...ticks,
    ...lines,
    text(16, height - 16, note, `font-size="11" fill="#57606a"`)
  ])
}

/** How the cost per server grows with the number of servers, both scales logarithmic: flat is good. */
export const toCurve = (rows: ReadonlyArray<Row>): string => {
  const tints = ["#0969da", "#1a7f37", "#bc4c00", "#8250df", "#57606a"]
  const [from, to] = [100, 100_000]
  const x = (size: number) => 70 + 150 * Math.log10(size / 1_000)
  const y = (ns: number) => 290 - 250 * (Math.log(Math.min(to, Math.max(from, ns)) / from) / Math.log(to / from))
  const grid = [100, 1_000, 10_000, 100_000].map((ns) =>
    `<line x1="70" x2="520" y1="${y(ns)}" y2="${y(ns)}" stroke="#d0d7de"/>` +
    text(62, y(ns) + 4, ns < 1_000 ? `${ns} ns` : `${ns / 1_000} µs`, `text-anchor="end"`)
  )
  const sizes = curve.sizes.map((size) => text(x(size), 310, size.toLocaleString("en"), `text-anchor="middle"`))
  let lowest = -Infinity
  const lines = curve.what.map((what, i) => ({
    what,
    tint: tints[i],
    points: curve.sizes.flatMap((size) => {
      const row = rows.find(({ metric }) => metric === `curve.${what}.${size}`)
      return row?.ours === undefined ? [] : [[x(size), y(row.ours)] as const]
    })
  })).filter(({ points }) => points.length > 0)
    .sort((a, b) => a.points.at(-1)![1] - b.points.at(-1)![1])
    .map(({ points, tint, what }) => {
      const [endX, endY] = points.at(-1)!
      // A name gives way to the one above it.
      lowest = Math.max(endY, lowest + 13)
      return `<polyline fill="none" stroke="${tint}" stroke-width="2" points="${
        points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ")
      }"/>` + text(endX + 8, lowest + 4, what, `fill="${tint}"`)
    })
  return page(620, 345, [
    ...grid,
    ...sizes,
    ...lines,
    text(16, 334, "Cost per server, by the number of servers under one supervisor", `font-size="11" fill="#57606a"`)
  ])
}
