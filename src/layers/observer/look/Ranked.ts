/**
 * All processes in the order of a column: looked at in parts, as `Round` does it, and the first of them are kept.
 *
 * The order is that of the last time around. *Tricky*: a rate takes two readings. Those of one part are kept until the
 * next look, and no longer: so what is kept is as much with a million processes as with ten thousand.
 *
 * @since 0.1.0
 */
import { type Column, type Rank, type Sort, Top } from "../../../domain/observer/Ranking.ts"
import type { Status } from "../../../domain/observer/Wire.ts"
import { serverOf } from "../../server/class/ServerRef.ts"
import { statusOf } from "../../server/system/Peek.ts"
import type { Watched } from "./Look.ts"
import { part } from "./Round.ts"

/**
 * The time between two readings of a rate, at least, in milliseconds: a reader that moves its window asks more often.
 */
const apart = 200

/** What a person looks for has the largest number. */
const statusRank = {
  parked: 6,
  stopped: 5,
  restarting: 4,
  starting: 3,
  suspended: 2,
  running: 1,
  hibernating: 0
} satisfies Record<Status, number>

/** What a process is ranked by. Of a rate: what is counted of it. */
const rankOf = (process: Watched, by: Column, now: number): Rank => {
  const server = serverOf(process)
  switch (by) {
    case "name":
      return process.id
    case "status":
      return statusRank[server === undefined ? process.status : statusOf(server)]
    case "incarnation":
      return process.incarnation
    case "mailbox":
      return server?.mailboxSize ?? -1
    case "rate":
      return server?.handled ?? -1
    case "in hand":
      return server?.running?.fiber === undefined || server.running.since === 0 ? -1 : now - server.running.since
    case "restarts":
      return process.usage?._tag === "Intensity" ? process.usage.used : -1
    case "last end":
      return process.lastExit?._tag ?? ""
  }
}

/** What was counted of a process at the look before. */
type Reading = readonly [process: Watched, counted: number]

/** Processes in the order of a column. */
export class Ranked {
  /** The first of them, as of the last time around. */
  found: ReadonlyArray<Watched> = []
  private readonly sort: Sort
  private readonly begin: () => Iterator<Watched, void>
  private readonly most: number
  private at: Iterator<Watched, void> | undefined = undefined
  private top: Top<Watched>
  private readings: ReadonlyArray<Reading> = []
  private readAt = -Infinity
  private isFirst = true
  /** All have been looked at; of a rate, the last part is still to be read again. */
  private isOver = false

  /** Keeps no more than `most`. */
  constructor(sort: Sort, begin: () => Iterator<Watched, void>, most: number) {
    this.sort = sort
    this.begin = begin
    this.most = most
    this.top = new Top(most, sort.order)
  }

  /** Looks at the next part. */
  advance(now: number, count: number = part): void {
    if (now - this.readAt < apart) return
    const { by } = this.sort
    for (const [process, counted] of this.readings) {
      // An incarnation counts anew.
      const handled = Number(rankOf(process, by, now))
      this.top.offer(handled < counted ? handled : handled - counted, process)
    }
    if (this.isOver) this.around()
    this.readAt = now
    this.at ??= this.begin()
    const read: Array<Reading> = []
    for (let i = 0; i < count; i++) {
      const next = this.at.next()
      if (next.done === true) {
        this.at = undefined
        this.isOver = true
        break
      }
      const rank = rankOf(next.value, by, now)
      if (by !== "rate") this.top.offer(rank, next.value)
      else read.push([next.value, Number(rank)])
    }
    this.readings = read
    if (by !== "rate" && this.isOver) this.around()
    else if (this.isFirst) this.found = by === "rate" ? this.untilThen(read) : this.top.all
  }

  private around(): void {
    this.found = this.top.all
    this.top = new Top(this.most, this.sort.order)
    this.isFirst = false
    this.isOver = false
  }

  /** Before there are two readings: those found so far, or in the order of what was counted. */
  private untilThen(read: ReadonlyArray<Reading>): ReadonlyArray<Watched> {
    const found = this.top.all
    if (found.length > 0) return found
    const top = new Top<Watched>(this.most, this.sort.order)
    for (const [process, counted] of read) top.offer(counted, process)
    return top.all
  }
}
