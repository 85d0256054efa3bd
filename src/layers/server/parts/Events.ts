/**
 * What servers report to telemetry.
 *
 * @since 0.1.0
 */
import { Cause } from "effect"
import type { Lifecycle } from "../../../domain/observation/Lifecycle.ts"
import { InvalidResult } from "../../../domain/server/ServerErrors.ts"
import { isInstance } from "../../../domain/text/ForeignText.ts"
import { whenRejected } from "../../observation/SafeLog.ts"
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
      | "CleanUpFailed"
      | "StateRestored"
      | "StateRolledBack"
      | "StateSetAside"
      | "StatePassivated"
      | "StateActivated"
      | "TimerFired"
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

/**
 * What is wrong with an answer that is none. Where it holds a promise nothing waits for that: left alone, its rejection
 * would end the program, so it is reported.
 */
export const invalidResult = (server: Server, request: string, result: unknown): InvalidResult => {
  whenRejected(
    result,
    (defect) => failed(server, `the promise that ${request} answered with was rejected`, Cause.die(defect))
  )
  return new InvalidResult({ server: server.name, request, result })
}

/** Whether a state is a promise, which is none: nothing waits for it. */
export const isPromise = (state: unknown): boolean => typeof state === "object" && isInstance(state, Promise)

/** Reports that something failed without which the server goes on its way: `what` says what, of the server. */
export const failed = (server: Server, what: string, cause: Cause.Cause<unknown>): void => {
  const { context, parent } = server.spec
  parent.telemetry.failed(`${server.name} #${server.incarnation}: ${what}`, cause, context)
}
