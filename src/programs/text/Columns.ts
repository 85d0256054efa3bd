/**
 * Text in columns, for programs. Pure.
 */
import { replaced } from "../../domain/text/Controls.ts"
import { cut } from "../../domain/text/ForeignText.ts"

/**
 * A text on one line. Keys and reasons come from an app: a control character of theirs would be a command to the
 * terminal, or begin another line.
 */
export const onOneLine = (text: string): string =>
  replaced(text, (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`)

/** How much of a cell is shown: a reason may be long, and each line is as wide as the widest. */
const most = 300

/** Rows in columns: the first to the left, the others to the right. */
export const columns = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const cells = rows.map((row) => row.map((cell, i) => i === 0 ? onOneLine(cell) : cut(onOneLine(cell), most)))
  const widths: Array<number> = []
  for (const row of cells) row.forEach((cell, i) => widths[i] = Math.max(widths[i] ?? 0, cell.length))
  return cells
    .map((row) => row.map((cell, i) => i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)).join("  "))
    .map((line) => `  ${line.trimEnd()}`)
    .join("\n")
}
