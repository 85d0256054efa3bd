/**
 * The observer's screen as lines of a terminal: what is drawn for what is seen, and what a key does. Pure.
 *
 * *Tricky*: names, reasons and messages come from the app. A control character among them would be a command to the
 * terminal; each is shown as `·`.
 *
 * @since 0.1.0
 */
import { replaced } from "../text/Controls.ts"
import { type Column, columns as sortable, next as sortedNext, type Sort } from "./Ranking.ts"
import type { Rates } from "./Rates.ts"
import type { Group, Row, Screen } from "./Wire.ts"
import * as Words from "./Words.ts"

/** What a person looks at. */
export interface Looking {
  /** The place of the row that keys go to, among all. */
  readonly at: number
  /** The place of the first row in sight. */
  readonly from: number
  readonly opened: ReadonlyArray<number>
  readonly closed: ReadonlyArray<number>
  readonly troubled: boolean
  /** A list in the order of a column, in place of the tree. */
  readonly sort: Sort | null
}

/** At the beginning. */
export const looking: Looking = { at: 0, from: 0, opened: [], closed: [], troubled: false, sort: null }

/** The size of the terminal, and what there is to draw. */
export interface Canvas {
  readonly width: number
  readonly height: number
  /** Whether colors may be used. */
  readonly isColored: boolean
  readonly now: number
  readonly looking: Looking
}

/** Lines beside the rows: two above with a header, the feed with a title, the keys. */
const feedLines = 4
const otherLines = 4 + feedLines

/** How many rows are in sight. */
export const rowsIn = (height: number): number => Math.max(1, height - otherLines)

const bars = "▁▂▃▄▅▆▇█"

/** A line of the last readings, in so many characters. */
export const spark = (values: ReadonlyArray<number>, width: number): string => {
  const shown = values.slice(-width)
  const most = Math.max(...shown, 1)
  return shown.map((value) => bars[Math.min(7, Math.floor((value / most) * 7.999))]).join("").padStart(width)
}

const clean = (text: string): string => replaced(text, () => "·")

const fit = (text: string, width: number): string => {
  const shown = clean(text)
  return shown.length > width ? `${shown.slice(0, Math.max(0, width - 1))}…` : shown.padEnd(width)
}

const codes = { dim: 2, inverse: 7, red: 31, green: 32, yellow: 33, bold: 1 }

type Style = keyof typeof codes

const styled = (isColored: boolean, text: string, ...styles: ReadonlyArray<Style>): string =>
  isColored && styles.length > 0 ? `\u001b[${styles.map((style) => codes[style]).join(";")}m${text}\u001b[0m` : text

const statusStyle = ({ status }: Row): ReadonlyArray<Style> => {
  switch (status) {
    case "running":
      return ["green"]
    case "parked":
    case "stopped":
      return ["red"]
    case "hibernating":
      return ["dim"]
    default:
      return ["yellow"]
  }
}

const head = ({ alarms, totals }: Screen, rates: Rates): ReadonlyArray<string> => [
  [
    "Heirloom",
    Words.counted(totals.processes, "process", "processes"),
    `${Words.short(rates.rate(0))} messages/s ${spark(rates.history(0), 16)}`,
    `${Words.short(totals.queued)} waiting`,
    Words.counted(totals.crashes, "crash", "crashes"),
    Words.counted(totals.restarts, "restart"),
    ...(totals.recoveries === 0 ? [] : [`${Words.duration(totals.recoveryMillis / totals.recoveries)} to recover`])
  ].join("   "),
  alarms.length === 0 ? "All is well." : alarms.map(({ text }) => text).join("  ")
]

/** Columns to the right of the name, with their widths; those to the right go first where there is no room. */
const columns = (width: number) => {
  const all = [
    { name: "Status", by: "status", width: 12 },
    { name: "#", by: "incarnation", width: 5 },
    { name: "Mailbox", by: "mailbox", width: 12 },
    { name: "Messages/s", by: "rate", width: 22 },
    { name: "In hand", by: "in hand", width: 24 },
    { name: "Restarts", by: "restarts", width: 18 },
    { name: "Last end", by: "last end", width: 32 }
  ] as const
  let left = width - 30
  return all.filter((column) => (left -= column.width) >= 0)
}

const cells = (row: Row, rates: Rates, now: number): ReadonlyArray<string> => [
  row.status,
  `${row.incarnation}`,
  row.kind === "server" ? Words.mailbox(row.queued, row.capacity) : "",
  row.kind === "server" ? `${spark(rates.history(row.n), 12)} ${Words.short(rates.rate(row.n))}` : "",
  row.inHand === null ? "" : `${row.inHand.message} for ${Words.duration(now - row.inHand.since)}`,
  Words.budget(row.budget),
  row.lastExit ?? ""
]

const line = (row: Row, rates: Rates, canvas: Canvas, isAt: boolean): string => {
  const { isColored, now, width } = canvas
  const shown = columns(width)
  const nameWidth = width - shown.reduce((sum, column) => sum + column.width, 0)
  const mark = row.below === null ? "  " : row.isOpen ? "▾ " : "▸ "
  const count = row.below === null ? "" : ` ${Words.whole(row.below)}`
  const name = fit(`${"  ".repeat(row.depth)}${mark}${row.id}${count}`, nameWidth)
  const all = cells(row, rates, now)
  const [status = "", ...others] = shown.map((column, i) => ` ${fit(all[i] ?? "", column.width - 1)}`)
  const rest = others.join("")
  if (isAt) return styled(isColored, name + status + rest, "inverse")
  return styled(isColored, name, ...(row.below === null ? [] : ["bold" as const])) +
    styled(isColored, status, ...statusStyle(row)) + rest
}

const groupLine = ({ began, cost, path, title }: Group, width: number): string =>
  fit(`${Words.timeOfDay(began)}  ${path.at(-1) ?? ""}  ${title}${cost === "" ? "" : `  (${cost})`}`, width)

/** All lines, as many as the terminal has. */
export const frame = (screen: Screen, rates: Rates, canvas: Canvas): ReadonlyArray<string> => {
  const { height, isColored, looking, width } = canvas
  const [totals = "", alarms = ""] = head(screen, rates).map((text) => fit(text, width))
  const tone: Style = screen.alarms.some((alarm) => alarm.tone === "bad")
    ? "red"
    : screen.alarms.length > 0
    ? "yellow"
    : "green"
  const shown = columns(width)
  const mark = ({ order }: Sort): string => order === "ascending" ? " ▴" : " ▾"
  const title = (by: Column, name: string): string => `${name}${looking.sort?.by === by ? mark(looking.sort) : ""}`
  const titles = shown.map(({ by, name, width }) => ` ${fit(title(by, name), width - 1)}`).join("")
  const rows = screen.rows.slice(0, rowsIn(height)).map((row, i) =>
    line(row, rates, canvas, screen.from + i === looking.at)
  )
  const blank = Array.from({ length: rowsIn(height) - rows.length }, () => "")
  const feed = Array.from({ length: feedLines - 1 }, (_, i) => {
    const group = screen.feed[i]
    if (group === undefined) return ""
    return styled(isColored, groupLine(group, width), group.tone === "bad" ? "red" : "dim")
  })
  return [
    styled(isColored, totals, "bold"),
    styled(isColored, alarms, tone),
    styled(
      isColored,
      `${fit(title("name", looking.troubled ? "In trouble" : "Processes"), width - titles.length)}${titles}`,
      "dim"
    ),
    ...rows,
    ...blank,
    styled(isColored, fit("What has happened", width), "bold"),
    ...feed,
    styled(isColored, fit("↑ ↓ move   → ← open, close   ! in trouble, or all   s sort   q quit", width), "dim")
  ].slice(0, height)
}

/** What is looked at after a key; `"quit"` ends it. */
export const pressed = (key: string, looking: Looking, screen: Screen, height: number): Looking | "quit" => {
  const { at, closed, opened } = looking
  const row = screen.rows[at - screen.from]
  const inSight = rowsIn(height)
  const to = (place: number): Looking => {
    const next = Math.max(0, Math.min(screen.total - 1, place))
    const from = Math.max(Math.min(looking.from, next), next - inSight + 1)
    return { ...looking, at: next, from }
  }
  const others = (numbers: ReadonlyArray<number>) => numbers.filter((n) => n !== row?.n)
  switch (key) {
    case "q":
      return "quit"
    case "up":
      return to(at - 1)
    case "down":
      return to(at + 1)
    case "pageup":
      return to(at - inSight)
    case "pagedown":
      return to(at + inSight)
    case "home":
      return to(0)
    case "end":
      return to(screen.total - 1)
    case "right":
      if (row === undefined || row.below === null || row.isOpen) return to(at + 1)
      return { ...looking, opened: [...others(opened), row.n], closed: others(closed) }
    case "left":
      if (row?.isOpen === true) return { ...looking, opened: others(opened), closed: [...others(closed), row.n] }
      return to(parentOf(at, screen))
    case "!":
      return { ...looking, at: 0, from: 0, troubled: !looking.troubled }
    case "s":
      return { ...looking, at: 0, from: 0, sort: sortAfter(looking.sort) }
    default:
      return looking
  }
}

/** One column after the other, each as it is sorted at first; then the tree. */
const sortAfter = (sort: Sort | null): Sort | null => {
  const by = sortable[sort === null ? 0 : sortable.indexOf(sort.by) + 1]
  return by === undefined ? null : sortedNext(null, by)
}

const parentOf = (at: number, { from, rows }: Screen): number => {
  const depth = rows[at - from]?.depth ?? 0
  let above = at - 1
  while (above >= from && (rows[above - from]?.depth ?? 0) >= depth) above--
  return above
}
