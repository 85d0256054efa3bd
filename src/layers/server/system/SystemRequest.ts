/**
 * A request of the system to a server: a message in the order of the mailbox that takes no room and is not counted.
 *
 * @since 0.1.0
 */
import { Effect, Exit } from "effect"
import { pathText } from "../../../domain/observation/Lifecycle.ts"
import { type CallError, callError } from "../../../domain/process/CallError.ts"
import type { CallOptions } from "../../../domain/server/Message.ts"
import { type HasProcess, processOf } from "../../process/Process.ts"
import { serverOf } from "../class/ServerRef.ts"
import type { ServerProcess } from "../engine/ServerProcess.ts"
import { ownCall } from "../message/MessageType.ts"
import { toMillis } from "../parts/Limits.ts"
import { SystemAnswer } from "../parts/SystemAnswer.ts"

/** Asks the server behind a reference, when its turn comes. */
export const ask = (
  ref: HasProcess,
  what: string,
  options: CallOptions | undefined,
  work: (server: ServerProcess, state: unknown) => unknown
): Effect.Effect<unknown, unknown> =>
  Effect.suspend(() => {
    const server = serverOf(ref, what)
    if (server === undefined) {
      return Exit.fail(callError(pathText(ref[processOf].path), what, { _tag: "NotRunning" }))
    }
    const millis = toMillis(options?.timeout ?? ownCall.timeout, { server: server.name, request: what })
    return server.ask((state) => work(server, state), millis, { ...ownCall, tag: what })
  })

/** A look at a server: nothing of it is changed, and only a call can fail. */
export const look = <A>(
  ref: HasProcess,
  what: string,
  options: CallOptions | undefined,
  f: (server: ServerProcess, state: unknown) => A
): Effect.Effect<A, CallError> =>
  // The engine carries answers without their types; this one is an `A` because `f` makes it, and `f` cannot fail.
  ask(ref, what, options, (server, state) => new SystemAnswer(f(server, state))) as Effect.Effect<A, CallError>
