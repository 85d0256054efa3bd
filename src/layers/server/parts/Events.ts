/**
 * What servers report to telemetry.
 *
 * @since 0.1.0
 */
import type { Cause } from "effect"
import type { Lifecycle } from "../../../domain/observation/Lifecycle.ts"
import type { Server } from "./Server.ts"

type OwnEvent = Extract<
  Lifecycle,
  {
    readonly _tag:
      | "Redelivered"
      | "Quarantined"
      | "Dropped"
      | "WriteFenced"
      | "Abandoned"
      | "StateRestored"
      | "StateRolledBack"
      | "StateSetAside"
      | "StatePassivated"
      | "StateActivated"
  }
>

/** Publishes an event of a server, if telemetry has listeners. */
export const publish = <Tag extends OwnEvent["_tag"]>(
  server: Server,
  _tag: Tag,
  extra: Omit<Extract<OwnEvent, { readonly _tag: Tag }>, "_tag" | "path" | "at" | "kind" | "incarnation"> & {
    readonly incarnation?: number
  }
): void => {
  const { clock, parent: { telemetry } } = server.spec
  if (!telemetry.listening) return
  telemetry.publish({
    _tag,
    path: server.path,
    at: clock.currentTimeMillisUnsafe(),
    kind: "worker",
    incarnation: server.incarnation,
    ...extra
  } as OwnEvent)
}

/** Reports that something failed without which the server goes on its way: `what` says what, of the server. */
export const failed = (server: Server, what: string, cause: Cause.Cause<unknown>): void => {
  const { context, parent } = server.spec
  parent.telemetry.failed(`${server.name} #${server.incarnation}: ${what}`, cause, context)
}
