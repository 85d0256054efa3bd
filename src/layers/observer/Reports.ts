/**
 * The last crash of each process, as it was reported: the newest of some hundred processes.
 *
 * @since 0.1.0
 */
import { Cause } from "effect"
import { type CrashReport, isCauseNew, toText } from "../../domain/observation/CrashReport.ts"
import { pathText } from "../../domain/observation/Path.ts"
import { toCause } from "../../domain/process/ExitReason.ts"
import { bounded } from "../../domain/text/ForeignCause.ts"

/** How many processes' crashes are kept. */
const most = 500

/** The last crash of each process. */
export class Reports {
  private readonly last = new Map<string, CrashReport>()

  add(report: CrashReport): void {
    const path = pathText(report.path)
    this.last.delete(path)
    this.last.set(path, report)
    const [oldest] = this.last.keys()
    if (this.last.size > most && oldest !== undefined) this.last.delete(oldest)
  }

  /** For people: the report, and what it died of with its stack. */
  text(path: ReadonlyArray<string>): string | null {
    const report = this.last.get(pathText(path))
    if (report === undefined) return null
    const cause = isCauseNew(report) ? bounded(toCause(report.reason)) : Cause.empty
    return cause.reasons.length === 0 ? toText(report) : `${toText(report)}\n\n${Cause.pretty(cause)}`
  }
}
