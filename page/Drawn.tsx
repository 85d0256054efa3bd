/** The same rows as a drawn tree: what is open of it, as far as it is in the window. */
import { stratify, tree } from "d3-hierarchy"
import type { Row } from "../src/domain/observer/Wire.ts"
import * as Words from "../src/domain/observer/Words.ts"
import { toneOf } from "./Parts.tsx"
import { choose, chosen, screen, toggle } from "./store.ts"

interface Node {
  readonly key: number
  readonly above: number | undefined
  readonly row: Row | undefined
}

const gap = { x: 26, y: 230 }

/** The parent of each row is the last one before it that is less deep. Above the roots is a node that is not drawn. */
const nodesOf = (rows: ReadonlyArray<Row>): ReadonlyArray<Node> => {
  const way: Array<Row> = []
  const nodes: Array<Node> = [{ key: 0, above: undefined, row: undefined }]
  for (const row of rows) {
    while (way.length > 0 && way[way.length - 1]!.depth >= row.depth) way.pop()
    nodes.push({ key: row.n, above: way[way.length - 1]?.n ?? 0, row })
    way.push(row)
  }
  return nodes
}

const short = (id: string): string => id.length > 28 ? `${id.slice(0, 27)}…` : id

export const Drawn = () => {
  const { rows, total } = screen.value
  if (rows.length === 0) return <p class="empty">There is nothing to draw.</p>
  const root = tree<Node>().nodeSize([gap.x, gap.y])(
    stratify<Node>().id(({ key }) => `${key}`).parentId(({ above }) => above === undefined ? null : `${above}`)([
      ...nodesOf(rows)
    ])
  )
  const nodes = root.descendants().filter(({ data }) => data.row !== undefined)
  const xs = nodes.map(({ x }) => x)
  const top = Math.min(...xs) - 24
  const depth = Math.max(...nodes.map((node) => node.depth))
  const [width, height] = [depth * gap.y + 60, Math.max(...xs) - top + 24]
  return (
    <div class="drawn" tabIndex={0} role="region" aria-label="The tree, drawn">
      <svg width={width} height={height} viewBox={`${gap.y - 30} ${top} ${width} ${height}`}>
        {nodes.filter(({ depth }) => depth > 1).map(({ data, parent, x, y }) => (
          <path
            key={`to-${data.key}`}
            class="edge"
            d={`M${parent!.y},${parent!.x}C${(parent!.y + y) / 2},${parent!.x} ${(parent!.y + y) / 2},${x} ${y},${x}`}
          />
        ))}
        {nodes.map(({ data: { key, row }, x, y }) => {
          const { below, id, isOpen, status } = row!
          const text = `${short(id)}${below !== null && below > 0 && !isOpen ? ` + ${Words.short(below)}` : ""}`
          return (
            <g
              key={key}
              class={`node ${toneOf(status)} ${chosen.value === key ? "chosen" : ""}`}
              transform={`translate(${y},${x})`}
              role="button"
              tabIndex={0}
              aria-label={`${text}, ${status}`}
              onClick={() => choose(key)}
              onDblClick={() => toggle(row!)}
              onKeyDown={(event) => {
                if (event.key === "Enter" || event.key === " ") choose(key)
                else if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
                  toggle(row!, event.key === "ArrowRight")
                } else return
                event.preventDefault()
              }}
            >
              <title>{id}</title>
              <circle r={below === null ? 5 : 7} />
              <text x={12} dy="0.32em">{text}</text>
            </g>
          )
        })}
      </svg>
      {total > rows.length && (
        <p class="dim">{Words.whole(total - rows.length)} more are not drawn: use the table, or close a branch.</p>
      )}
    </div>
  )
}
