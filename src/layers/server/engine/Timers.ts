/**
 * Durable timers of a server: those that are due become messages in its mailbox.
 *
 * *Tricky*: which are due is asked in the server's own turn, since the timers of a state that has left memory come back
 * with it. What is asked again afterwards waits behind those messages, over a restart too: then each was handled, or
 * its server has died of it.
 *
 * @since 0.1.0
 */
import { Cause, Effect, Exit } from "effect"
import { callError } from "../../../domain/process/CallError.ts"
import { fired } from "../../../domain/server/TimerKey.ts"
import { type Due, due, isSet } from "../../../domain/state/Timers.ts"
import { attempt } from "../../process/Execute.ts"
import { Envelope } from "../message/Envelope.ts"
import { type MessageType, ownCall } from "../message/MessageType.ts"
import { payloadOf } from "../message/Timed.ts"
import { failed } from "../parts/Events.ts"
import type { Server } from "../parts/Server.ts"
import { SystemAnswer } from "../parts/SystemAnswer.ts"
import { ask, enqueue, refusalOf, whenStored } from "./Intake.ts"

const dueTimers: MessageType = { ...ownCall, tag: "due timers" }

/**
 * Has the messages of timers handled that are due later than `after`; done when they are, and what they did is stored.
 * Whether they are over: one that cannot be delivered is kept.
 */
export const fire = (server: Server, after: number): Effect.Effect<boolean, unknown> =>
  Effect.flatMap(look(server), (all) => {
    const due = all.filter((one) => one.timer.due > after && !isWaiting(server, one))
    if (due.length === 0) return Exit.succeed(all.length === 0)
    return Effect.forEach(due, (one) => post(server, one), { discard: true }).pipe(
      Effect.andThen(look(server)),
      Effect.flatMap((left) => {
        const isOver = !due.some((one) => isSet(left.map(({ timer }) => timer), one))
        return Effect.callback<boolean>((resume) => Effect.sync(whenStored(server, () => resume(Exit.succeed(isOver)))))
      })
    )
  })

/** Whether its message waits already: a server that is suspended says what is due, and handles nothing. */
const isWaiting = (server: Server, { timer }: Due): boolean => {
  if (!server.suspended) return false
  for (const message of server.unhandled) {
    const other = message instanceof Envelope ? message.once?.timer?.due : undefined
    if (other !== undefined && isSet([timer], other)) return true
  }
  return false
}

// What the engine carries without its type is what is answered here.
const look = (server: Server) =>
  ask(
    server,
    () => new SystemAnswer(due(server.timers, server.spec.clock.currentTimeMillisUnsafe())),
    Infinity,
    dueTimers
  ) as Effect.Effect<ReadonlyArray<Due>, unknown>

const post = (server: Server, one: Due): Effect.Effect<void, unknown> => {
  const { message, name } = one.timer
  const type = server.types.get(message)
  const payload = type === undefined
    ? Exit.die(new Error("there is no such message any more"))
    : attempt(() => payloadOf(type, one.timer))
  if (type === undefined || payload._tag === "Failure") {
    const cause = payload._tag === "Failure" ? payload.cause : Cause.empty
    return Effect.sync(() => failed(server, `the timer "${name}" cannot be delivered as ${message}: it is kept`, cause))
  }
  const reason = refusalOf(server)
  if (reason !== undefined) return Exit.fail(callError(server.name, message, reason))
  const { counters } = server.spec.parent.telemetry
  if (type.isCall) counters.calls++
  else counters.casts++
  const envelope = new Envelope(server, type, payload.value, undefined)
  const shown = fired(server.spec.id === server.id ? server.id : `${server.spec.id}/${server.key}`, one)
  envelope.once = { key: shown.idempotencyKey, call: "", timer: { due: one, fired: shown } }
  return enqueue(server, envelope)
}
