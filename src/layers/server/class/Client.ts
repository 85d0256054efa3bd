/**
 * A server's client: one method per message, on a prototype that all clients of the class share.
 *
 * A client follows its server over all incarnations; it never points at a dead one. Building an Effect here sends
 * nothing: the message is sent each time the Effect is run.
 *
 * @since 0.1.0
 */
import { type Duration, type Effect, Exit, type Fiber, Schema } from "effect"
import { limit, refuse, schema } from "../../../domain/options/GivenOption.ts"
import * as Millis from "../../../domain/options/Millis.ts"
import { type Messages, type PayloadSchema, reservedNames } from "../../../domain/server/Message.ts"
import { isPayloadSchema } from "../../../domain/server/Validation.ts"
import { countStep, hasConstructorDefault, isExit, spanOf } from "../../process/EffectInternals.ts"
import { InspectedReference } from "../../process/Inspection.ts"
import { processOf } from "../../process/Process.ts"
import type { MessageType, QueuedCast } from "../message/MessageType.ts"
import { noTimeout, toMillis } from "../parts/Limits.ts"
import type { ClientClass, Served, ServerClient } from "../parts/ServerSpec.ts"
import { checkedMethod, checksOf } from "./Checked.ts"
import { type Sendable, sendable } from "./Yielded.ts"

/** OTP's default. */
const defaultTimeout = 5000

const CallingBase: new() => Effect.Effect<unknown, unknown> = sendable("Calling")
const CastingBase: new() => Effect.Effect<void> = sendable("Casting")

/** A message sent when it is run, and its answer. */
export class Calling extends CallingBase implements Sendable<unknown, unknown> {
  readonly server: Served
  readonly type: MessageType
  readonly payload: unknown
  readonly millis: number
  readonly idempotencyKey: string | undefined
  constructor(server: Served, type: MessageType, payload: unknown, millis: number, key: string | undefined) {
    super()
    this.idempotencyKey = key
    this.server = server
    this.type = type
    this.payload = payload
    this.millis = millis
  }

  send(): Effect.Effect<unknown, unknown> {
    const { idempotencyKey, millis, server, type } = this
    const { complete } = type
    const payload = complete === undefined ? this.payload : complete(this.payload)
    return idempotencyKey === undefined
      ? server.call(type, payload, millis)
      : server.callOnce(type, payload, millis, idempotencyKey)
  }
}

/** A message sent when it is run. */
export class Casting extends CastingBase implements QueuedCast, Sendable<void, never> {
  readonly server: Served
  readonly type: MessageType
  readonly payload: unknown
  constructor(server: Served, type: MessageType, payload: unknown) {
    super()
    this.server = server
    this.type = type
    this.payload = payload
  }

  send(fiber: Fiber.Fiber<unknown, unknown>): Effect.Effect<void> {
    const { complete } = this.type
    // Sent more than once, it is the same message each time.
    const message = complete === undefined ? this : { type: this.type, payload: complete(this.payload) }
    const sent = this.server.cast(message, spanOf(fiber))
    // It counts as a step of its own. So a sender that sends without end gives way after as many casts as a turn
    // handles; in half the steps it would send twice as many, and the mailbox would grow.
    if (isExit(sent)) countStep(fiber)
    return sent
  }
}

/** The base of every client. */
export class AnyClient extends InspectedReference implements ServerClient {
  readonly [processOf]: Served
  constructor(server: Served) {
    super()
    this[processOf] = server
  }
  get key(): string | undefined {
    return this[processOf].givenKey
  }
}

interface Options {
  readonly timeout?: Duration.Input | "infinity" | undefined
  readonly idempotencyKey?: string | undefined
}

const noOptions: Options = {}
const nothing: unknown = Object.freeze({})

/** A payload with its constructor defaults, for a message that has any. */
const completing = (fields: PayloadSchema): MessageType["complete"] => {
  if (Schema.isSchema(fields)) return undefined
  const hasDefaults = Reflect.ownKeys(fields).some((name) => hasConstructorDefault(fields[name as string]!))
  if (!hasDefaults) return undefined
  const payload = Schema.Struct(fields)
  return (input) => payload.make(input as {})
}

/** The options of a class that its messages have, too. */
interface ClassOptions {
  readonly timeout?: Duration.Input | "infinity" | undefined
  readonly validate?: boolean | undefined
}

/** Refuses a message that is none, past the type checker. */
const wellFormed = (server: string, request: string, message: Messages[string]): void => {
  const one = (option: string, given: unknown) => ({ of: server, request, option, given })
  const { _tag } = message ?? {}
  if (_tag !== "Call" && _tag !== "Cast") refuse(one("a message", message), "made by GenServer.call or GenServer.cast")
  if (!isPayloadSchema(message.payload)) {
    refuse(one("payload", message.payload), "fields, as in { by: Schema.Int }, or a schema")
  }
  const { maxAttempts } = message.redeliver ?? {}
  if (message.redeliver !== undefined) {
    limit({ ...one("redeliver.maxAttempts", maxAttempts), given: maxAttempts as number }, 1)
  }
  if (message._tag === "Cast") return
  for (const option of ["reply", "error"] as const) {
    schema(one(option, message[option]))
  }
}

/** All that is computed of a class's messages, once. */
export const messageTypes = (
  server: string,
  messages: Messages,
  { timeout = defaultTimeout, validate = false }: ClassOptions
): ReadonlyArray<MessageType> => {
  if (typeof server !== "string") refuse({ of: "a server class", option: "id", given: server }, "a string")
  if (typeof messages !== "object" || messages === null) {
    refuse({ of: server, option: "messages", given: messages }, "messages by name")
  }
  const usual = toMillis(timeout, { server })
  const reserved = reservedNames.find((name) => Object.hasOwn(messages, name))
  if (reserved !== undefined) {
    refuse(
      { of: server, option: "the name of a message", given: reserved },
      `one that its clients can have as a method, which ${reservedNames.join(", ")} are not`
    )
  }
  return Object.entries(messages).map(([tag, message]) => {
    wellFormed(server, tag, message)
    const own = message._tag === "Call" ? message.timeout : undefined
    const complete = completing(message.payload)
    return {
      tag,
      message,
      isCall: message._tag === "Call",
      confirms: message._tag === "Call" && message.confirm === true,
      timeout: own === undefined ? usual : toMillis(own, { server, request: tag }),
      complete,
      checks: message.validate ?? validate ? checksOf(message, complete) : undefined,
      handler: undefined,
      among: undefined
    }
  })
}

/** Makes the class of a server class's clients, from its messages; of a `base` to be distinguished from others. */
export const clientClass = (types: ReadonlyArray<MessageType>, base: ClientClass = AnyClient): ClientClass => {
  class Client extends base {}
  for (const type of types) {
    const empty = Schema.isSchema(type.message.payload) ? undefined : nothing
    const method = type.isCall
      ? function(this: AnyClient, payload: unknown = empty, options?: Options): Effect.Effect<unknown, unknown> {
        const server = this[processOf]
        const { idempotencyKey, timeout } = options ?? noOptions
        const millis = timeout === undefined ? type.timeout : Millis.fromInput(timeout)
        if (millis === undefined) return Exit.die(noTimeout(server.name, type.tag, timeout))
        return new Calling(server, type, payload, millis, idempotencyKey)
      }
      : function(this: AnyClient, payload: unknown = empty): Effect.Effect<void> {
        return new Casting(this[processOf], type, payload)
      }
    const value = type.checks === undefined ? method : checkedMethod(type, type.checks, empty, method)
    Object.defineProperty(Client.prototype, type.tag, { value })
  }
  return Client
}
