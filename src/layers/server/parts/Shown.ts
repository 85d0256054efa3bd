/**
 * What may be shown of a server: its behaviour's format hook decides; what that leaves as it is goes through the marks of the
 * state's schema.
 *
 * @since 0.1.0
 */
import { Cause } from "effect"
import { format, formatFailed, type Formatted, type Shown } from "../../../domain/server/SystemEvent.ts"
import { failed } from "./Events.ts"
import type { Server } from "./Server.ts"
import type { AnyBehavior } from "./ServerSpec.ts"

/** Formats what is to be shown of a server. A hook that fails is reported. */
export const formatted = (
  server: Server,
  shown: Shown<unknown>,
  hook: AnyBehavior["formatStatus"] = server.formatStatus
): Formatted => {
  const { redact } = server.spec
  const parts = format(shown, hook, (defect) => failed(server, formatFailed, Cause.die(defect)))
  if (redact === undefined) return parts
  return {
    ...parts,
    ...(parts.state === shown.state ? { state: redact(shown.state) } : {}),
    ...(parts.log === shown.log
      ? { log: shown.log.map((event) => event._tag === "NoReply" ? { ...event, state: redact(event.state) } : event) }
      : {})
  }
}
