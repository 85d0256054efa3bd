/**
 * How much of its time a thread was given, as Linux counts it: seen from outside, however stuck it is.
 *
 * *Tricky*: a wait for a processor is counted when it is over. So of a thread that can run what counts is how much it
 * has run, and of one that sleeps all but what it has waited.
 *
 * @since 0.1.0
 */
import { readFileSync } from "node:fs"

/** What is counted of a thread so far, in milliseconds. */
export interface Counted {
  readonly canRun: boolean
  readonly ran: number
  readonly waited: number
}

/** What is counted of a thread (`task`) of a process; `undefined` where nothing is: not on Linux, or gone. */
export const countedOf = (pid: number | "self", task: number): Counted | undefined => {
  try {
    const of = `/proc/${pid}/task/${task}`
    const [ran, waited] = readFileSync(`${of}/schedstat`, "utf8").split(" ")
    const stat = readFileSync(`${of}/stat`, "utf8")
    const state = stat[stat.lastIndexOf(")") + 2]
    return { canRun: state === "R", ran: Number(ran) / 1e6, waited: Number(waited) / 1e6 }
  } catch {
    return undefined
  }
}

/** How many milliseconds of a stretch of time a thread was given; `undefined` when that is not known. */
export const givenIn = (millis: number, before: Counted | undefined, now: Counted | undefined): number | undefined => {
  if (before === undefined || now === undefined) return undefined
  return now.canRun ? now.ran - before.ran : Math.max(0, millis - (now.waited - before.waited))
}
