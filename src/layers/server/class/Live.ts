/**
 * The servers of a class that are in memory.
 *
 * @since 0.1.0
 */
import type { Gauges } from "../../observation/Meter.ts"
import type { Status } from "../../process/Process.ts"
import type { CompanionTable } from "../../state/companion/CompanionTable.ts"
import { ServerProcess } from "../engine/ServerProcess.ts"

/**
 * A server in memory.
 *
 * @category models
 * @since 0.1.0
 */
export interface Live {
  /** Its key; empty for the one server of a `layer`. */
  readonly key: string
  readonly status: Status
  readonly incarnation: number
  /** Whether its state has left memory until the next message. */
  readonly isHibernating: boolean
}

/**
 * How many servers a class has.
 *
 * @category models
 * @since 0.1.0
 */
export interface Counts {
  /** In memory. */
  readonly live: number
  /** With something conserved, in memory or not. */
  readonly stored: number
}

/** What there is of a class now. */
export const gauges = (companions: Pick<CompanionTable<unknown>, "keys" | "owner">): Gauges => {
  let [live, hibernating, queued, quarantined] = [0, 0, 0, 0]
  for (const key of companions.keys()) {
    const server = companions.owner(key)
    if (!(server instanceof ServerProcess)) continue
    live++
    if (server.isHibernating) hibernating++
    queued += server.mailboxSize
    quarantined += server.quarantined.size
  }
  return { live, hibernating, queued, quarantined }
}

/** The servers of a class that are in memory, in no order. */
export const live = (companions: Pick<CompanionTable<unknown>, "keys" | "owner">): ReadonlyArray<Live> => {
  const found: Array<Live> = []
  for (const key of companions.keys()) {
    const server = companions.owner(key)
    if (!(server instanceof ServerProcess)) continue
    const { incarnation, isHibernating, status } = server
    found.push({ key, status, incarnation, isHibernating })
  }
  return found
}
