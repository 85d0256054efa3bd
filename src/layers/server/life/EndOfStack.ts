/**
 * A call that was broken off in the middle, because the stack of its caller is at its end.
 *
 * A server that answers at once does so on the stack of its caller, and a caller may have used it up. Then the engine
 * itself is what throws, anywhere. Its caller dies of that. The incarnation ends, too, since it is not known how far
 * the call has come; but not here, where nothing can be called any more. What is to be done is written down, and a turn
 * of the server's own does it, on a stack that is empty; or the next message does.
 *
 * @since 0.1.0
 */
import { Cause } from "effect"
import { crashed, killed } from "../../../domain/process/ExitReason.ts"
import { Busy, Pending, Restarting } from "../../../domain/server/Phase.ts"
import * as Turn from "../../process/Turn.ts"
import type { StopRequest } from "../parts/Incarnation.ts"
import type { Server } from "../parts/Server.ts"

/** The order to end, of a call that was broken off. */
export const tooDeep: StopRequest = {
  reason: crashed(Cause.die(new RangeError("the stack of a caller was at its end"))),
  ended: undefined
}

/** Tells its supervisor again how it ended, in a turn: that was broken off. What it hears twice counts once. */
export const tellAgain = (server: Server): void => {
  const { incarnation, lastExit, spec } = server
  server.stopping = undefined
  spec.turns.push({ queued: false, drain: () => spec.parent.exited(server, incarnation, lastExit ?? killed) })
}

/** Has a turn see to what a call has left behind that threw `defect`, once that is written down. Answers the defect. */
export const brokenOff = (server: Server, defect: unknown): unknown => {
  if (defect instanceof RangeError) {
    if (server.phase === Restarting) tellAgain(server)
    else server.spec.turns.push(server)
  }
  return defect
}

/** Does a part of a call on the stack of its caller, which may end in the middle of it. */
export const onStack = <A>(server: Server, part: () => A): A => {
  const { depth } = Turn.stack
  const { phase } = server
  try {
    return part()
  } catch (defect) {
    // First what calls nothing: the stack may be at its very end, and then it is the next message that goes on from
    // here.
    Turn.stack.depth = depth
    // One that was busy before is with another message, and has begun nothing here.
    if (phase === Busy) throw defect
    if (defect instanceof RangeError) {
      if (server.phase === Busy || server.phase === Restarting) server.stopping ??= tooDeep
      if (server.phase === Busy) server.phase = Pending
    }
    throw brokenOff(server, defect)
  }
}
