/** Small parts that others are made of. */
import type { ComponentChildren } from "preact"
import type { Status } from "../src/domain/observer/Wire.ts"

/** What a status means, in color; it is always said in a word, too. */
export const toneOf = (status: Status): string => {
  switch (status) {
    case "running":
      return "good"
    case "starting":
    case "restarting":
      return "busy"
    case "suspended":
      return "warn"
    case "hibernating":
      return "quiet"
    case "parked":
      return "bad"
    case "stopped":
      return "off"
  }
}

/** A line of the last half minute, drawn to the largest of its values. */
export const Spark = ({ height = 18, values, width = 64 }: {
  readonly values: ReadonlyArray<number>
  readonly width?: number
  readonly height?: number
}) => {
  const shown = values.slice(-40)
  const most = Math.max(...shown, 1)
  const x = (i: number) => width - (shown.length - 1 - i) * (width / 39)
  const y = (value: number) => height - 1.5 - (value / most) * (height - 3)
  const points = shown.map((value, i) => `${x(i).toFixed(1)},${y(value).toFixed(1)}`)
  return (
    <svg class="spark" width={width} height={height} viewBox={`0 0 ${width} ${height}`} aria-hidden="true">
      {points.length > 1 && (
        <>
          <polygon points={`${x(0).toFixed(1)},${height} ${points.join(" ")} ${width},${height}`} />
          <polyline points={points.join(" ")} />
        </>
      )}
    </svg>
  )
}

export const Tag = ({ children, tone }: { readonly tone: string; readonly children: ComponentChildren }) => (
  <span class={`tag ${tone}`}>{children}</span>
)

/** A path: the last part is what it is about. */
export const Path = ({ path }: { readonly path: ReadonlyArray<string> }) => (
  <span class="path">
    {path.slice(0, -1).map((id) => (
      <span class="above">
        {id} <span aria-hidden="true">›</span>
      </span>
    ))}
    <strong>{path[path.length - 1]}</strong>
  </span>
)
