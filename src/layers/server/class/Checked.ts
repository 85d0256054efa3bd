/**
 * Messages that are validated: clients that check payloads, and behaviours whose replies are checked.
 *
 * Which messages are is known when the class is made. These are wrapped, the others are left as they are: a message
 * that is not validated passes no line of this file.
 *
 * @since 0.1.0
 */
import { Effect, Exit, type Schema } from "effect"
import { refusal } from "../../../domain/options/GivenOption.ts"
import { callError } from "../../../domain/process/CallError.ts"
import type { Call, Cast, PayloadSchema } from "../../../domain/server/Message.ts"
import { isNext } from "../../../domain/server/Next.ts"
import { InvalidReply } from "../../../domain/server/ServerErrors.ts"
import { type Check, checkAfter, checkOf, type Checks, schemaOf } from "../../../domain/server/Validation.ts"
import { isEffect, isExit } from "../../process/EffectInternals.ts"
import { processOf } from "../../process/Process.ts"
import type { MessageType } from "../message/MessageType.ts"
import { shownPayload } from "../message/ShownMessage.ts"
import type { AnyBehavior, AnyHandler, ServerClient } from "../parts/ServerSpec.ts"
import { Suspended } from "./Yielded.ts"

/** What a message's payloads, once completed, and its replies are checked against. */
export const checksOf = (
  message: Call<PayloadSchema, Schema.Top, Schema.Top> | Cast<PayloadSchema>,
  complete: MessageType["complete"]
): Checks => {
  const payload = checkOf(schemaOf(message.payload))
  return {
    payload: complete === undefined ? payload : checkAfter(complete, payload),
    reply: message._tag === "Call" ? checkOf(message.reply) : () => undefined
  }
}

/** A method of a client. */
type Method<Client> = (this: Client, payload?: unknown, options?: {}) => Effect.Effect<unknown, unknown>

/**
 * The same method, which sends nothing that its message's schema does not say; `empty` is what it sends when it is
 * given nothing.
 */
export const checkedMethod = <Client extends ServerClient>(
  type: MessageType,
  { payload: check }: Checks,
  empty: unknown,
  method: Method<Client>
): Method<Client> =>
  function(payload = empty, options) {
    return new Suspended(() => {
      const issue = check(payload)
      if (issue === undefined) return Reflect.apply(method, this, [payload, options])
      return invalid(this[processOf].name, type, payload, issue)
    })
  }

/** The answer to a payload that is not what its message's schema says. */
export const invalid = (name: string, type: MessageType, given: unknown, issue: string): Exit.Exit<never, unknown> =>
  type.isCall
    ? Exit.fail(callError(name, type.tag, { _tag: "InvalidPayload", issue }))
    // A cast has no answer: what its sender cannot hear of in its type is a defect of it.
    : Exit.die(
      refusal(
        { of: name, request: type.tag, option: "payload", given: shownPayload(type, given) },
        `what its schema says (${issue})`
      )
    )

/**
 * Checks the replies of a behaviour before they are committed; `undefined` where no message of the class is validated.
 */
export const checkedBehavior = (
  server: string,
  types: ReadonlyArray<MessageType>
): ((behavior: AnyBehavior) => AnyBehavior) | undefined => {
  const checked = types.filter(({ checks, isCall }) => isCall && checks !== undefined)
  if (checked.length === 0) return undefined
  return (behavior) => {
    // What is not checked is left to the behaviour that was given, which may be of a class and have a prototype.
    const handlers: Record<string, AnyHandler> = Object.create(behavior.handlers)
    for (const { checks, tag } of checked) {
      const handler = behavior.handlers[tag]
      if (handler !== undefined) handlers[tag] = checkedHandler(server, tag, checks!.reply, handler)
    }
    return Object.create(behavior, { handlers: { value: handlers, enumerable: true } })
  }
}

const checkedHandler = (server: string, request: string, check: Check, handler: AnyHandler): AnyHandler => {
  const checkReply = (reply: unknown): void => {
    const issue = check(reply)
    if (issue !== undefined) throw new InvalidReply({ server, request, issue })
  }
  const checked = (answer: unknown): unknown => {
    if (Array.isArray(answer) && answer.length === 2) checkReply(answer[0])
    else if (isNext(answer)) {
      if (answer._tag === "Reply") checkReply(answer.reply)
      else if (answer._tag === "Stop" && "reply" in answer.answer) checkReply(answer.answer.reply)
    }
    return answer
  }
  return (state, payload, context) => {
    const answer = handler(state, payload, context)
    if (!isEffect(answer)) return checked(answer)
    if (!isExit(answer)) return Effect.map(answer, checked)
    return answer._tag === "Success" ? checked(answer.value) : answer
  }
}
