/** A log as effect's own loggers write it: in text, as logfmt and as JSON. */
import { Layer, Logger, References } from "effect"

const formats = [Logger.formatSimple, Logger.formatLogFmt, Logger.formatJson]

/** Keeps what is written: a line of each format for each entry. */
export const written = () => {
  const lines: Array<string> = []
  const logger = Logger.make<unknown, void>((options) => {
    for (const format of formats) lines.push(format.log(options))
  })
  return { lines, layer: Layer.succeed(References.CurrentLoggers, new Set([logger])) }
}
