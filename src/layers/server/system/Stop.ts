/**
 * Stopping a server in order, and hearing how it really ended.
 *
 * @since 0.1.0
 */
import { Duration, Effect, Exit, Fiber, Function } from "effect"
import { pathText } from "../../../domain/observation/Lifecycle.ts"
import { type CallError, callError } from "../../../domain/process/CallError.ts"
import { type ExitReason, isOrderly, normal } from "../../../domain/process/ExitReason.ts"
import * as GivenReason from "../../../domain/process/GivenReason.ts"
import { notRunning } from "../../../domain/server/Delivery.ts"
import { stop as stopNext } from "../../../domain/server/Next.ts"
import { StopFailed } from "../../../domain/server/ServerErrors.ts"
import { from, type HasProcess } from "../../process/Process.ts"
import { firstIsProcess } from "../../process/References.ts"
import { serverOf } from "../class/ServerRef.ts"
import { Envelope } from "../message/Envelope.ts"
import { ownTell } from "../message/MessageType.ts"
import { toMillis } from "../parts/Limits.ts"
import { SystemAnswer } from "../parts/SystemAnswer.ts"

/**
 * How long to wait for a server to stop.
 *
 * @category options
 * @since 0.1.0
 */
export interface StopOptions {
  /** `"infinity"` by default, as in OTP. A server that is stopping goes on doing so when the time is over. */
  readonly timeout?: Duration.Input | "infinity" | undefined
}

/**
 * Ends a server in order, after the messages that wait already, and waits for its end (OTP: `gen_server:stop/3`).
 *
 * **Details**
 *
 * `terminate` runs, the incarnation's scope is closed. Answers the reason it ended with. Its supervisor decides whether
 * it is started again: a `permanent` child is. Any other process is sent the reason as an exit signal.
 *
 * Fails with `StopFailed` when it ended for another reason than was asked for: its `terminate` failed, or it crashed
 * before. Fails with a `CallError`: `NotRunning` when no incarnation lives, `Timeout` when it has not ended in time,
 * `CallingSelf` when the end would wait for its own caller (OTP: `calling_self`).
 *
 * **Gotchas**
 *
 * A handler ends its own server by its answer, `Next.stop`: it cannot wait for an end that waits for it, directly or by
 * way of others.
 *
 * @category stopping
 * @since 0.1.0
 */
export const stop: {
  (reason?: ExitReason, options?: StopOptions): (ref: HasProcess) => Effect.Effect<ExitReason, CallError | StopFailed>
  (ref: HasProcess, reason?: ExitReason, options?: StopOptions): Effect.Effect<ExitReason, CallError | StopFailed>
} = Function.dual(firstIsProcess, (
  ref: HasProcess,
  reason: ExitReason = normal,
  options?: StopOptions
): Effect.Effect<ExitReason, CallError | StopFailed> =>
  Effect.suspend(() => {
    // Here and not below: with a timeout it is another fiber that waits, in the name of this one.
    const sender = Fiber.getCurrent()
    const process = from(ref, "GenServer.stop")
    const name = pathText(process.path)
    GivenReason.given(name, reason)
    const millis = toMillis(options?.timeout ?? "infinity", { server: name, request: "stop" })
    const ended = Effect.callback<ExitReason, CallError | StopFailed>((resume) => {
      const observer = (_incarnation: number, ended: ExitReason) => resume(outcome(name, reason, ended))
      if (!process.addExitObserver(observer)) {
        return resume(Exit.fail(callError(name, "stop", notRunning(serverOf(ref)?.askedBy ?? ""))))
      }
      const server = serverOf(ref)
      if (server === undefined) {
        process.exit(reason)
        return Effect.sync(() => process.removeExitObserver(observer))
      }
      const { incarnation } = process
      const request = new Envelope(
        server,
        ownTell,
        undefined,
        sender,
        // The incarnation that was meant may be gone when its turn comes: the next one is not to suffer for it.
        () => server.incarnation === incarnation ? stopNext(reason) : new SystemAnswer(undefined)
      )
      const chain = server.tell(request)
      if (chain !== undefined) {
        process.removeExitObserver(observer)
        return resume(Exit.fail(callError(name, "stop", { _tag: "CallingSelf", chain })))
      }
      return Effect.sync(() => {
        // It goes on stopping, but that is not waited for any more.
        request.gone = true
        process.removeExitObserver(observer)
      })
    })
    const waited = millis === Infinity ? ended : Effect.timeoutOrElse(ended, {
      duration: Duration.millis(millis),
      orElse: () => Exit.fail(callError(name, "stop", { _tag: "Timeout", millis, begun: true, waitsFor: "end" }))
    })
    // The caller goes on in a turn of its own: here its supervisor has not yet heard of the end.
    return Effect.onExit(waited, () => Effect.yieldNow)
  }))

const outcome = (server: string, asked: ExitReason, reason: ExitReason): Exit.Exit<ExitReason, StopFailed> =>
  reason === asked || (isOrderly(asked) && reason._tag === asked._tag)
    ? Exit.succeed(reason)
    : Exit.fail(new StopFailed({ server, asked, reason }))
