/**
 * Text in columns, for programs. Pure.
 */

/** Rows in columns: the first to the left, the others to the right. */
export const columns = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths: Array<number> = []
  for (const row of rows) row.forEach((cell, i) => widths[i] = Math.max(widths[i] ?? 0, cell.length))
  return rows
    .map((row) => row.map((cell, i) => i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)).join("  "))
    .map((line) => `  ${line.trimEnd()}`)
    .join("\n")
}
