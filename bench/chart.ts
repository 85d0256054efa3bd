/** The chart: for each figure, everybody's ratio to Erlang/OTP on a logarithmic scale; to the left is faster. */
import type { Row } from "./rows.ts"

const colors: Readonly<Record<string, string>> = {
  ours: "#0969da",
  naive: "#bc4c00",
  cluster: "#8250df",
  xstate: "#57606a"
}
const [left, width, rowHeight, top] = [330, 560, 30, 64]
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

export const toSvg = (rows: ReadonlyArray<Row>, machine: string): string => {
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
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${left + width + 30} ${height}" ` +
    `font-family="system-ui, sans-serif" font-size="12" fill="#24292f">
<rect width="100%" height="100%" fill="#fff"/>
${[...legend, ...ticks, ...lines].join("\n")}
<path d="M${left + 4 * 130 + 10} 9 v18" stroke="#1a7f37" stroke-width="2"/>${text(left + 4 * 130 + 16, 22, "goal")}
${
      text(
        16,
        height - 16,
        `Wall time or memory against Erlang/OTP; left is better. ${machine}`,
        `font-size="11" fill="#57606a"`
      )
    }
</svg>
`
}
