/**
 * The stores that servers write to, as far as these servers know: whether each answers, and when it last did not.
 *
 * @since 0.1.0
 */
import type { Store } from "../../../domain/observer/Wire.ts"
import { cut } from "../../../domain/text/ForeignText.ts"
import { serverOf } from "../../server/class/ServerRef.ts"
import type { ServerProcess } from "../../server/engine/ServerProcess.ts"
import type { Watched } from "./Look.ts"

/** The stores that were seen, each by a server that writes to it. */
export class Stores {
  private readonly known = new Map<string, { server: ServerProcess; store: Store }>()

  /** Notes the store of a server, if it has one that is not known. */
  see(process: Watched): void {
    const server = serverOf(process)
    const name = server?.companion?.latest.store?.name
    if (server === undefined || name === undefined) return
    const known = this.known.get(name)
    if (known === undefined) {
      this.known.set(name, { server, store: { name, outage: null, since: null, until: null } })
    } else if (known.server.companion === undefined) known.server = server
  }

  /** Asks each how it is. */
  look(now: number): void {
    for (const known of this.known.values()) {
      const { server, store } = known
      const outage = server.outage === undefined ? null : cut(server.outage, 300)
      if (outage === null && store.outage !== null) known.store = { ...store, outage, until: now }
      else if (outage !== null && store.outage === null) known.store = { ...store, outage, since: now, until: null }
      else if (outage !== store.outage) known.store = { ...store, outage }
    }
  }

  get all(): ReadonlyArray<Store> {
    return Array.from(this.known.values(), ({ store }) => store)
  }
}
