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
import { refuse } from "../../../domain/options/GivenOption.ts"
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
import { type MessageType, ownCall } from "../../server/message/MessageType.ts"
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

/**
 * How many clients are kept to be handed out again: to find a key's shard and address is dear, and a client has some
 * 850 bytes. A runner of effect's has as many entities unless it is given another number.
 */
const maxKnown = 10_000

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
    readonly name: string
    readonly [remoteOf]: Remote
    constructor(key: string) {
      this.key = key
      this.name = `${of}/${key}`
      this[remoteOf] = remote(key)
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
        if (!isCall) return tell(send, name, type, own, millis)
        return new Asked(send, name, type, own, millis, options.idempotencyKey ?? nextKey(tag, millis), context)
          .answered(deadlines)
      })
    }
    Object.defineProperty(Client.prototype, tag, { value: method })
  }
  const known = new Map<string, Client>()
  return (key) => {
    const client = known.get(key)
    if (client !== undefined) return client
    if (typeof key !== "string") return refuse({ of, option: "key", given: key }, "a string")
    if (known.size >= maxKnown) known.clear()
    const made = new Client(key)
    known.set(key, made)
    return made
  }
}

/** What the entity is sent. */
const sentOf = (payload: unknown, key: string | undefined, millis: number): unknown => {
  if (millis === Infinity) return key === undefined ? { payload } : { payload, key }
  return key === undefined ? { payload, timeout: millis } : { payload, key, timeout: millis }
}

/** A call, made again where its server moves, until it is answered or its time is over. */
class Asked extends Deadline {
  /** Kept, as those of `server/class/Specimens`: what is compiled for calls is not forgotten while there is none. */
  static readonly specimen: object = new Asked(() => Exit.void, "", ownCall, undefined, 0, undefined, Context.empty())

  private readonly send: Remote[string]
  private readonly name: string
  private readonly type: MessageType
  private readonly payload: unknown
  private readonly millis: number
  private readonly key: string | undefined
  private readonly context: Context.Context<never>
  private readonly clock: Clock.Clock
  private readonly until: number
  private fiber: Fiber.Fiber<unknown, unknown> | undefined = undefined
  private resume: ((answer: Effect.Effect<unknown, unknown>) => void) | undefined = undefined

  constructor(
    send: Remote[string],
    name: string,
    type: MessageType,
    payload: unknown,
    millis: number,
    key: string | undefined,
    context: Context.Context<never>
  ) {
    super()
    this.send = send
    this.name = name
    this.type = type
    this.payload = payload
    this.millis = millis
    this.key = key
    this.context = context
    this.clock = Context.get(context, Clock.Clock)
    this.until = instantOf(this.clock) + millis
  }

  /**
   * Its answer, or that there was none when its time is over: as `Effect.timeoutOrElse`, without a timer and two fibers
   * for each.
   */
  answered(deadlines: Deadlines): Effect.Effect<unknown, unknown> {
    if (this.millis === Infinity) return this.made(this.millis)
    return Effect.callback<unknown, unknown>((resume) => {
      const fiber = Effect.runForkWith(this.context)(this.made(this.millis))
      this.resume = resume
      this.fiber = fiber
      deadlines.add(this, this.millis + grace)
      fiber.addObserver((exit) => {
        this.list?.remove(this)
        resume(exit)
      })
      return Fiber.interrupt(fiber)
    })
  }

  expire(): void {
    this.resume?.(this.failed(Unheard.silent))
    this.fiber?.interruptUnsafe()
  }

  /** Makes it, for a caller that still waits so long. */
  private made(left: number): Effect.Effect<unknown, unknown> {
    return Effect.catchCause(this.send(sentOf(this.payload, this.key, left)), (cause) => this.settled(cause))
  }

  /** It has failed: it is made again where that is known to do no harm. */
  private settled(cause: Cause.Cause<unknown>): Effect.Effect<unknown, unknown> {
    const exit = this.exitOf(cause)
    const error = exit._tag === "Failure" ? Cause.squash(exit.cause) : undefined
    const rest = this.until - instantOf(this.clock) - pause
    const isOver = rest <= 0 || !(error instanceof CallError) ||
      !Unheard.isAskedAgain(error.reason, this.key !== undefined)
    return isOver ? exit : Effect.delay(Effect.suspend(() => this.made(rest)), pause)
  }

  private failed(unheard: Unheard.Unheard, detail?: string): Exit.Exit<unknown, unknown> {
    return Exit.fail(callError(this.name, this.type.tag, Unheard.toReason(unheard, this.key, detail)))
  }

  /** What a failure means to its caller. */
  private exitOf(cause: Cause.Cause<unknown>): Exit.Exit<unknown, unknown> {
    const { key, name, payload, type } = this
    // Its own caller was not interrupted, or this would not run.
    if (Cause.hasInterruptsOnly(cause)) return this.failed(Unheard.handedOver)
    const error = Cause.squash(cause)
    if (error instanceof CallError) return Exit.fail(withKey(error, key))
    if (Cause.hasDies(cause)) {
      const issue = issueOf(type, payload)
      // A server's defect is a CallError: this one is of what is in between.
      return issue === undefined ? this.failed(Unheard.malformed, detailOf(error)) : invalid(name, type, payload, issue)
    }
    const unheard = unheardOf(error)
    return unheard === undefined ? Exit.failCause(cause) : this.failed(unheard, detailOf(error))
  }
}

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
