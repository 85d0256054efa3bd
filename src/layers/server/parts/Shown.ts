/**
 * What may be shown of a server: its behaviour's format hook decides; what that leaves as it is goes through the marks
 * of schemas, that of the state and those of messages.
 *
 * @since 0.1.0
 */
import { Cause } from "effect"
import {
  format,
  formatFailed,
  type Formatted,
  type Shown,
  type SystemEvent
} from "../../../domain/server/SystemEvent.ts"
import { shownAnswer, shownPayload } from "../message/ShownMessage.ts"
import { failed } from "./Events.ts"
import type { Server } from "./Server.ts"
import type { AnyBehavior } from "./ServerSpec.ts"

/** An event of a server's messages, as it may be shown. */
export const shownEvent = (server: Server, event: SystemEvent): SystemEvent => {
  const { redact, types } = server.spec
  const type = types.get(event.request)
  switch (event._tag) {
    case "In":
      return type === undefined ? event : { ...event, payload: shownPayload(type, event.payload) }
    case "Out":
      return type === undefined ? event : { ...event, reply: shownAnswer(type, event.reply) }
    case "NoReply":
      return redact === undefined ? event : { ...event, state: redact(event.state) }
  }
}

const shownMessage = (server: Server, message: NonNullable<Shown<unknown>["message"]>): Shown<unknown>["message"] => {
  const type = server.spec.types.get(message.request)
  return type === undefined ? message : { ...message, payload: shownPayload(type, message.payload) }
}

/** The events that a hook has left as they are go through the marks, whatever it has made of the others. */
const shownLog = (server: Server, { log }: Shown<unknown>, left: ReadonlyArray<unknown>): ReadonlyArray<unknown> => {
  const own = new Set<unknown>(log)
  return left.map((event) => own.has(event) ? shownEvent(server, event as SystemEvent) : event)
}

/** Formats what is to be shown of a server. A hook that fails is reported. */
export const formatted = (
  server: Server,
  shown: Shown<unknown>,
  hook: AnyBehavior["formatStatus"] = server.formatStatus
): Formatted => {
  const { redact } = server.spec
  const parts = format(shown, hook, (defect) => failed(server, formatFailed, Cause.die(defect)))
  return {
    ...parts,
    ...(redact !== undefined && parts.state === shown.state ? { state: redact(shown.state) } : {}),
    ...(shown.message !== undefined && parts.message === shown.message
      ? { message: shownMessage(server, shown.message) }
      : {}),
    ...(parts.log === undefined || parts.log.length === 0 ? {} : { log: shownLog(server, shown, parts.log) })
  }
}
