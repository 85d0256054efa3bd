/**
 * A client of servers by key, wherever in the cluster they are.
 *
 * *Tricky*
 * - effect sends a message again when the runner dies that it was sent to: it may be handled twice. So each call has an
 *   idempotency key, its caller's or one that is made here; the answer that is on record is then answered again.
 * - A call whose server is handed over ends as an interruption, though its caller was not interrupted. It is made
 *   again, under its key, until its time is over.
 * - The server knows how long its caller waits, and withdraws a message that it has not begun with. Its word of that is
 *   waited for a little longer than the time itself.
 *
 * @since 0.1.0
 */
import { Cause, Clock, Context, Effect, Exit, Fiber, type Random, Schema } from "effect"
import { ClusterError } from "effect/cluster"
import * as Millis from "../../../domain/options/Millis.ts"
import * as Unheard from "../../../domain/placement/Unheard.ts"
import { CallError, callError } from "../../../domain/process/CallError.ts"
import type { CallOptions } from "../../../domain/server/Message.ts"
import { checkOf, schemaOf } from "../../../domain/server/Validation.ts"
import * as MadeKey from "../../../domain/state/MadeKey.ts"
import { messageOf } from "../../../domain/text/ForeignText.ts"
import { instantOf } from "../../process/Timer.ts"
import { invalid } from "../../server/class/Checked.ts"
import { Deadline, type Deadlines } from "../../server/message/Deadlines.ts"
import type { MessageType } from "../../server/message/MessageType.ts"
import { noTimeout } from "../../server/parts/Limits.ts"

/** A client of one entity, as effect makes it. */
export interface Remote {
  readonly [tag: string]: (payload: unknown, options?: { readonly discard: boolean }) => Effect.Effect<unknown, unknown>
}

/** Milliseconds between two times that a call is made. */
const pause = 50

/** Milliseconds for which the server's own word is waited for when the time is over. */
const grace = 500

/**
 * What makes idempotency keys for calls that last so many milliseconds: no two are the same, of all clients everywhere.
 */
export const keys = (random: Random.Random): (millis: number) => string => {
  const digits = () => Math.floor(random.nextDoubleUnsafe() * 36 ** 9).toString(36)
  const own = digits() + digits()
  let made = 0
  return (millis) => MadeKey.make(`${own}.${(made++).toString(36)}`, millis + grace)
}

/** How clients of one class call. */
export interface Asking {
  readonly of: string
  readonly types: ReadonlyArray<MessageType>
  readonly deadlines: Deadlines
  /** The key of a call whose caller gives none; absent where calls have none by themselves. */
  readonly nextKey: (tag: string, millis: number) => string | undefined
  readonly remote: (key: string) => Remote
}

const remoteOf: unique symbol = Symbol()

/** A client of a key; its methods are on a prototype that all clients of the class share. */
interface KeyClient {
  readonly key: string
  readonly name: string
  readonly [remoteOf]: Remote
}

/** Makes the clients of a class, by key. */
export const clients = ({ deadlines, nextKey, of, remote, types }: Asking): (key: string) => unknown => {
  class Client implements KeyClient {
    readonly key: string
    readonly [remoteOf]: Remote
    constructor(key: string) {
      this.key = key
      this[remoteOf] = remote(key)
    }
    get name(): string {
      return `${of}/${this.key}`
    }
  }
  for (const type of types) {
    const { isCall, tag } = type
    if (type.message.internal === true) continue
    const empty = Schema.isSchema(type.message.payload) ? undefined : {}
    const method = function(this: KeyClient, payload: unknown = empty, options: CallOptions = {}) {
      const { name } = this
      const millis = options.timeout === undefined ? type.timeout : Millis.fromInput(options.timeout)
      if (millis === undefined) return Exit.die(noTimeout(name, tag, options.timeout))
      return Effect.withFiber<unknown, unknown>(({ context }) => {
        const issue = type.checks?.payload(payload)
        if (issue !== undefined) return invalid(name, type, payload, issue)
        const own = type.complete === undefined ? payload : type.complete(payload)
        const send = this[remoteOf][tag]!
        return isCall
          ? ask({
            deadlines,
            context,
            send,
            name,
            type,
            payload: own,
            millis,
            key: options.idempotencyKey ?? nextKey(tag, millis)
          })
          : tell(send, name, type, own, millis)
      })
    }
    Object.defineProperty(Client.prototype, tag, { value: method, enumerable: true })
  }
  return (key) => new Client(key)
}

/** A call that is made. */
interface Made {
  readonly deadlines: Deadlines
  readonly context: Context.Context<never>
  readonly send: Remote[string]
  readonly name: string
  readonly type: MessageType
  readonly payload: unknown
  readonly millis: number
  readonly key: string | undefined
}

/** A call, made again where its server moves, until it is answered or its time is over. */
const ask = ({ context, deadlines, key, millis, name, payload, send, type }: Made): Effect.Effect<unknown, unknown> => {
  const clock = Context.get(context, Clock.Clock)
  const until = instantOf(clock) + millis
  const failed = (unheard: Unheard.Unheard, detail?: string) =>
    Exit.fail(callError(name, type.tag, Unheard.toReason(unheard, key, detail)))
  const settle = (cause: Cause.Cause<unknown>): Exit.Exit<unknown, unknown> => {
    // Its own caller was not interrupted, or this would not run.
    if (Cause.hasInterruptsOnly(cause)) return failed(Unheard.handedOver)
    const error = Cause.squash(cause)
    if (error instanceof CallError) return Exit.fail(withKey(error, key))
    if (Cause.hasDies(cause)) {
      const issue = issueOf(type, payload)
      // A server's defect is a CallError: this one is of what is in between.
      return issue === undefined ? failed(Unheard.malformed, detailOf(error)) : invalid(name, type, payload, issue)
    }
    const unheard = unheardOf(error)
    return unheard === undefined ? Exit.failCause(cause) : failed(unheard, detailOf(error))
  }
  const again = (left: number): Effect.Effect<unknown, unknown> => {
    const timeout = left === Infinity ? undefined : left
    const sent = timeout === undefined
      ? key === undefined ? { payload } : { payload, key }
      : key === undefined
      ? { payload, timeout }
      : { payload, key, timeout }
    return Effect.catchCause(send(sent), (cause): Effect.Effect<unknown, unknown> => {
      const exit = settle(cause)
      const error = exit._tag === "Failure" && Cause.hasFails(exit.cause) ? Cause.squash(exit.cause) : undefined
      const rest = until - instantOf(clock) - pause
      const isOver = rest <= 0 || !(error instanceof CallError) ||
        !Unheard.isAskedAgain(error.reason, key !== undefined)
      return isOver ? exit : Effect.delay(Effect.suspend(() => again(rest)), pause)
    })
  }
  if (millis === Infinity) return again(millis)
  return within(deadlines, context, again(millis), millis, () => failed(Unheard.silent))
}

/** A call that is given up after a while. */
class Waiting extends Deadline {
  readonly expire: () => void
  constructor(expire: () => void) {
    super()
    this.expire = expire
  }
}

/**
 * A call, or something else when its time is over: as `Effect.timeoutOrElse`, without a timer and two fibers for each.
 */
const within = (
  deadlines: Deadlines,
  context: Context.Context<never>,
  call: Effect.Effect<unknown, unknown>,
  millis: number,
  orElse: () => Exit.Exit<unknown, unknown>
): Effect.Effect<unknown, unknown> =>
  Effect.callback<unknown, unknown>((resume) => {
    const fiber = Effect.runForkWith(context)(call)
    const waiting = new Waiting(() => {
      resume(orElse())
      fiber.interruptUnsafe()
    })
    deadlines.add(waiting, millis + grace)
    fiber.addObserver((exit) => {
      waiting.list?.remove(waiting)
      resume(exit)
    })
    return Effect.suspend(() => {
      waiting.list?.remove(waiting)
      return Fiber.interrupt(fiber)
    })
  })

/** A cast: it is on its way when this ends, and its sender hears of nothing. */
const tell = (
  send: Remote[string],
  name: string,
  type: MessageType,
  payload: unknown,
  millis: number
): Effect.Effect<void, unknown> =>
  Effect.asVoid(Effect.timeoutOption(send({ payload }, { discard: true }), millis)).pipe(
    Effect.catchCause((cause): Effect.Effect<void, unknown> => {
      const issue = Cause.hasDies(cause) ? issueOf(type, payload) : undefined
      if (issue !== undefined) return invalid(name, type, payload, issue)
      return Effect.logDebug(`${type.tag} to ${name} was not delivered`, cause)
    })
  )

/** What is wrong with a payload: effect lets none leave that its schema does not take. */
const issueOf = ({ message }: MessageType, payload: unknown) => checkOf(schemaOf(message.payload))(payload)

/** The key that the call carried, for the caller to make it again with. */
const withKey = (error: CallError, key: string | undefined): CallError => {
  const { reason, request, server } = error
  if (reason._tag !== "Unreachable" || key === undefined || !reason.begun) return error
  return callError(server, request, { ...reason, key })
}

const errors = [
  ClusterError.EntityNotAssignedToRunner,
  ClusterError.MailboxFull,
  ClusterError.AlreadyProcessingMessage,
  ClusterError.PersistenceError
]

/** What an error says, or what has caused it where that says nothing. */
const detailOf = (error: unknown): string => {
  const said = messageOf(error)
  return said === "" && error instanceof Error && error.cause !== undefined ? messageOf(error.cause) : said
}

const isOfCluster = (error: unknown): error is InstanceType<(typeof errors)[number]> =>
  errors.some((one) => error instanceof one)

/** What an error of the cluster means; nothing for one of the message's own, which may have the same tag. */
const unheardOf = (error: unknown): Unheard.Unheard | undefined =>
  isOfCluster(error) ? Unheard.fromTag(error._tag) : undefined
