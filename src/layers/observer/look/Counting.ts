/**
 * Counts of messages by their tags, of the servers that some page inspects, and only for as long.
 *
 * A server counts its messages, not their kinds: that would cost each message of a million servers, for the one that is
 * looked at. So it is watched as by `Sys.statistics`, and leaves the direct path meanwhile; all others pay nothing. It
 * gives way when it is left alone, as if nothing looked at it.
 *
 * *Tricky*: `Sys.noDebug` switches this off, too. It is on again at the next look.
 *
 * @since 0.1.0
 */
import type { ServerProcess } from "../../server/engine/ServerProcess.ts"

/** What was counted of a server, and since when. */
export interface Counts {
  readonly since: number
  readonly byTag: ReadonlyMap<string, number>
}

/** Counts for one observer; there may be several, and each may stop at another time. */
export class Counting {
  private readonly counted = new Map<ServerProcess, { readonly since: number; readonly byTag: Map<string, number> }>()

  /** Counts the messages of these servers, those that are new from now on, and of no others. */
  only(servers: Iterable<ServerProcess>, now: number): void {
    const wanted = new Set(servers)
    for (const server of this.counted.keys()) {
      if (wanted.has(server)) continue
      this.counted.delete(server)
      server.observe(({ tallies }) => tallies.delete(this))
    }
    for (const server of wanted) {
      const counts = this.counted.get(server) ?? { since: now, byTag: new Map<string, number>() }
      this.counted.set(server, counts)
      server.observe(({ tallies }) => tallies.set(this, counts.byTag))
    }
  }

  of(server: ServerProcess): Counts | undefined {
    return this.counted.get(server)
  }
}
