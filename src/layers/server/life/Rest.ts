/**
 * What a server does between messages: it is idle, waits for a timeout, begins to hibernate.
 *
 * *Tricky*
 * - Whatever is to be done before the next message makes it `Pending`, so that the direct path of calls asks for one
 *   phase only.
 * - An `idleAfter` is over when an answer says something else, and not before: a typed failure and a crash are no such
 *   answers, so it is waited for anew.
 *
 * @since 0.1.0
 */
import type { Duration } from "effect"
import { refusal } from "../../../domain/options/GivenOption.ts"
import * as Millis from "../../../domain/options/Millis.ts"
import type { NextOptions } from "../../../domain/server/Next.ts"
import { Idle, Pending } from "../../../domain/server/Phase.ts"
import { MissingCallback } from "../../../domain/server/ServerErrors.ts"
import * as Timer from "../../process/Timer.ts"
import type { Work } from "../message/MessageType.ts"
import type { Occasional } from "../parts/Occasional.ts"
import type { Server } from "../parts/Server.ts"

/** What accompanies an answer. */
export type Options = NextOptions<never, unknown, never, unknown>

/** Nothing accompanies it. */
export const noOptions: Options & { readonly info?: unknown } = {}

/** The server is up, or done with a message: what comes next is what waits. */
export const idle = (server: Server, options: Options = noOptions): void => {
  server.inHand = undefined
  if (server.running !== undefined) server.running.fiber = undefined
  if (options !== noOptions) attend(server, options)
  if (server.occasional !== undefined) beginAnew(server, server.occasional)
  const isCalm = server.stopping === undefined && (server.occasional === undefined || server.occasional.isCalm)
  server.phase = isCalm ? Idle : Pending
  if (!isCalm || server.mailbox !== undefined) wantTurn(server)
}

/** Asks for a turn, unless it has one. */
export const wantTurn = (server: Server): void => {
  if (!server.draining) server.spec.turns.push(server)
}

/** Something was done, whatever came of it: the time that it may be left alone begins anew. */
const beginAnew = (server: Server, occasional: Occasional): void => {
  const { continuation, drowse, idleAfter, idleDue, idleTimer } = occasional
  const isAwaited = idleTimer !== undefined || idleDue || continuation !== undefined
  if (idleAfter !== undefined && !isAwaited) awaitIdle(server, idleAfter)
  if (drowse === undefined) return
  occasional.isDrowsy = false
  if (occasional.rest?.isDrowsy === true) occasional.rest = undefined
  if (drowse.list === undefined) server.spec.deadlines.add(drowse, server.spec.passivation!.after)
  else drowse.list.renew(drowse)
}

const attend = (server: Server, { continueWith, hibernate: isHibernating, idleAfter }: Options): void => {
  // It is for the state that was committed a moment ago, and gets that one.
  if (continueWith !== undefined) server.ownOccasional.continuation = continueWith as Work
  else if (idleAfter !== undefined) awaitIdle(server, idleAfter)
  if (isHibernating === true) hibernate(server)
}

/** What is wrong with what accompanies an answer, if anything is: found before any of it is done. */
export const problemOf = (server: Server, options: Options, request: string): Error | undefined => {
  const refused = (option: string, given: unknown, expected: string): Error =>
    refusal({ of: server.name, request, option, given }, expected)
  if (typeof options !== "object" || options === null) return refused("options", options, "an object")
  const { continueWith, hibernate, idleAfter } = options
  if (continueWith !== undefined && typeof continueWith !== "function") {
    return refused("continueWith", continueWith, "a function of the state")
  }
  if (hibernate !== undefined && typeof hibernate !== "boolean") return refused("hibernate", hibernate, "true or false")
  if (idleAfter === undefined) return undefined
  if (Millis.fromInput(idleAfter) === undefined) return refused("idleAfter", idleAfter, Millis.expected)
  return server.behavior.idle === undefined
    ? new MissingCallback({ server: server.name, callback: "idle" })
    : undefined
}

/**
 * Notes when no message has come for that long; no time at all is over at once. No other is waited for: the message in
 * hand has cancelled it.
 */
const awaitIdle = (server: Server, duration: Duration.Input): void => {
  const occasional = server.ownOccasional
  const millis = Millis.fromInput(duration)!
  occasional.idleAfter = millis
  if (millis <= 0) {
    occasional.idleDue = true
    return
  }
  occasional.idleTimer = Timer.after(server.spec.context, millis, () => {
    occasional.idleTimer = undefined
    occasional.idleDue = true
    if (server.phase === Pending) wantTurn(server)
  })
  // A time too short for the clock may be over before this is reached.
  if (occasional.idleDue) occasional.idleTimer = undefined
}

/** No message has come for as long as was asked, unless one waits by now: it beats the timeout. */
export const handleIdle = (server: Server): void => {
  const occasional = server.ownOccasional
  occasional.idleDue = false
  const { idle } = server.behavior
  if (idle === undefined) occasional.idleAfter = undefined
  if (idle !== undefined && server.mailbox?.hasUsers !== true) occasional.continuation = idle
  else server.phase = occasional.isCalm ? Idle : Pending
}

/** Drops what is made again when it is needed; a state that a store holds, too, as soon as it does. */
const hibernate = (server: Server): void => {
  dropSpare(server)
  const residency = server.companion?.residency(server.state)
  if (residency === "pending" || residency === "stored") awaitStored(server, false)
}

/** Drops what nothing would be lost with. */
export const dropSpare = (server: Server): void => {
  // An incarnation that has acquired nothing needs no Scope to wait in.
  if (server.spec.shared !== undefined && server.running?.scope.state._tag === "Empty") server.running = undefined
  if (server.occasional?.isSpare === true) server.occasional = undefined
}

/** Waits until the state is stored: held as an answer is, and after those that are held already. */
export const awaitStored = (server: Server, isDrowsy: boolean): void => {
  const occasional = server.ownOccasional
  const companion = server.companion!
  const rest = {
    isStored: false,
    isDrowsy,
    get isGone() {
      return occasional.rest !== rest
    },
    stored: () => {
      rest.isStored = true
      if (!rest.isGone && server.phase === Pending) wantTurn(server)
    },
    lost: () => {}
  }
  occasional.rest = rest
  // It may have waited before, and done something since.
  companion.letGo()
  companion.hold(rest)
}
