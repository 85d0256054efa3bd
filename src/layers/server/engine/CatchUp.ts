/**
 * The short way of a call that finds casts waiting: its caller, who waits behind them, gives the server its turn.
 *
 * What is handled is what the turn that `Turns.drain` works off begins with: the casts before the call, in their order,
 * and the call. The caller has its answer by then and is not suspended, which takes longer than all the rest.
 * `test/layers/server/engine/CatchUp.test.ts` holds the two equal. To understand servers, skip this file.
 *
 * *Tricky*
 * - No other messages: who waits for their answers would go on on this caller's stack.
 * - What is handled counts as in a turn. The server keeps the turn that it waits for, which finds what is left.
 *
 * @since 0.1.0
 */
import { Idle } from "../../../domain/server/Phase.ts"
import * as Turn from "../../process/Turn.ts"
import { internalError } from "../life/End.ts"
import type { Envelope } from "../message/Envelope.ts"
import type { Server } from "../parts/Server.ts"
import { castNow } from "./Direct.ts"
import { handle } from "./Handle.ts"

/** Handles the casts before a call that waits, and the call, as far as nothing takes time. */
export const catchUp = (server: Server, call: Envelope): void => {
  const { spec } = server
  if (server.phase !== Idle || !Turn.isShallow()) return
  Turn.enter()
  try {
    while (call.place === "inside" && server.phase === Idle && server.companion?.isFull !== true) {
      const { mailbox } = server
      if (mailbox?.isNext(call) !== true || spec.turns.spend(spec.clock)) break
      const message = mailbox.take()
      if (message === undefined) break
      spec.parent.telemetry.counters.queued--
      if (message.place === undefined) castNow(server, message)
      else handle(server, message)
      mailbox.resumeSenders()
    }
    if (server.mailbox?.size === 0) server.mailbox = undefined
  } catch (defect) {
    if (defect instanceof RangeError) throw defect
    internalError(server, defect)
  } finally {
    Turn.leave()
  }
}
