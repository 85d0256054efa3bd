/**
 * The behaviour of a server whose callbacks run elsewhere: it asks for them, and answers what they came to.
 *
 * Everything else of the server stays beside its parent: mailbox, companion, supervision. So what an answer says is
 * committed before its caller hears of it, whatever becomes of the thread.
 *
 * @since 0.1.0
 */
import { Cause, Effect, Exit, Record, type Scope } from "effect"
import * as GivenOption from "../../../domain/options/GivenOption.ts"
import type { WorkerFailed } from "../../../domain/placement/WorkerErrors.ts"
import { callError } from "../../../domain/process/CallError.ts"
import { crashed } from "../../../domain/process/ExitReason.ts"
import { defaultShutdown } from "../../../domain/process/Fate.ts"
import type { HandlerContext } from "../../../domain/server/Message.ts"
import type { ChildOptions } from "../../process/Child.ts"
import { isEffect } from "../../process/EffectInternals.ts"
import * as Turn from "../../process/Turn.ts"
import { type Handler, HandlerOf } from "../../server/message/CallChain.ts"
import { Server } from "../../server/parts/Server.ts"
import type { AnyBehavior } from "../../server/parts/ServerSpec.ts"
import { answerOf, type Asker, isDropped, refusedOf, requestOf, stateAfter } from "./Answers.ts"
import { codecOf, encodeReason, type ServerCodec, Uncrossable } from "./Codecs.ts"
import type { Definition } from "./Guest.ts"
import { type Host, unbegun } from "./Host.ts"
import type { Callback, MessageContext, Outcome } from "./Protocol.ts"
import type { Supply, Wanted } from "./Supply.ts"

/** What a behaviour elsewhere is made of. */
export interface RemoteOptions {
  readonly definition: Definition & Wanted
  readonly key: string | undefined
  readonly kind: Supply["kind"]
  /** The thread that is to run the next callback. */
  readonly host: Effect.Effect<Host, WorkerFailed>
  /** How long a handler that is interrupted may take to end, in milliseconds. */
  readonly shutdown: number
  /** The same for one that is killed. */
  readonly killed: number
}

/** What the thread does not know. */
const nothing = Symbol()

/** Makes the behaviour of one incarnation, which lets go of what the thread keeps of it when its scope is closed. */
export const make = Effect.fnUntraced(function*(
  { definition, host, key, kind, killed, shutdown }: RemoteOptions
): Effect.fn.Return<AnyBehavior, WorkerFailed, Scope.Scope> {
  const { behavior, server } = definition
  const local = typeof behavior === "function" ? behavior(key ?? "") : behavior
  const codec = codecOf(server)
  const owner = yield* HandlerOf
  const name = owner?.name ?? server.key
  const asker: Asker = { server: name, place: kind, codec }
  let seat: { readonly host: Host; readonly number: number } | undefined
  let known: unknown = nothing

  const patience = (): number => owner instanceof Server && owner.stopping?.reason._tag === "Killed" ? killed : shutdown

  const send = (callback: Callback, state: unknown): Effect.Effect<unknown, unknown> =>
    Effect.flatMap(Effect.orDie(host), (host) => {
      if (seat?.host !== host) {
        seat = { host, number: host.seat() }
        known = nothing
      }
      const request = {
        seat: seat.number,
        server: server.key,
        key,
        callback,
        state: state === nothing || Object.is(known, state) ? undefined : codec.encodeState(state)
      }
      return Effect.flatMap(
        host.ask(request, `${requestOf(callback)} of ${name}`, patience),
        (outcome) => outcome === unbegun ? send(callback, state) : heard(callback, outcome, state)
      )
    })

  const heard = (callback: Callback, outcome: Outcome, state: unknown): Effect.Effect<unknown, unknown> => {
    const answer = answerOf(asker, callback, outcome, state)
    known = isDropped(outcome) || outcome.is === "refused" || outcome.is === "defect" ? nothing : state
    if (known === nothing) return answer
    return Effect.map(answer, (value) => {
      known = stateAfter(callback, Exit.succeed(value), state)
      return value
    })
  }

  const ask = (callback: Callback, state: unknown): Effect.Effect<unknown, unknown> =>
    Effect.catchDefect(
      Effect.suspend(() => send(writtenOf(codec, callback), state)),
      (defect) => refused(callback, defect)
    )

  /** What does not cross: of a call's payload its caller hears, and the server goes on. */
  const refused = (callback: Callback, defect: unknown): Effect.Effect<never, unknown> => {
    if (!(defect instanceof Uncrossable)) return Effect.die(defect)
    const { issue, what } = defect
    return what === "payload" && callback.of === "handler" && codec.message(callback.tag)?.isCall === true
      ? Effect.fail(callError(name, callback.tag, { _tag: "InvalidPayload", issue }))
      : Effect.die(refusedOf(asker, callback, what, issue))
  }

  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      seat?.host.forget(seat.number)
    })
  )
  // A start that cannot have its thread fails with the reason.
  yield* host

  const { idle, init, restore, terminate } = local
  return {
    init: isEffect(init) ? ask({ of: "init" }, nothing) : init,
    handlers: Record.map(
      server.messages,
      (_, tag) => (state: unknown, payload: unknown, context: HandlerContext<never, never> | undefined) =>
        ask({ of: "handler", tag, payload, context: contextOf(context) }, state)
    ),
    ...(restore === undefined ? {} : { restore: (state) => ask({ of: "restore" }, state) }),
    ...(idle === undefined ? {} : { idle: (state) => ask({ of: "idle" }, state) }),
    ...(terminate === undefined ? {} : {
      // With its thread it has lost what there would be to clean up.
      terminate: (reason, state) =>
        seat?.host.dead === undefined ? ask({ of: "terminate", reason }, state) : Effect.void
    }),
    ...(local.formatStatus === undefined ? {} : { formatStatus: local.formatStatus })
  }
})

/** The same with what it is called with as data. */
const writtenOf = (codec: ServerCodec, callback: Callback): Callback => {
  if (callback.of === "handler") {
    return { ...callback, payload: codec.message(callback.tag)?.payload.encode(callback.payload) }
  }
  return callback.of === "terminate" ? { of: "terminate", reason: encodeReason(callback.reason) } : callback
}

const noContext: MessageContext = { incarnation: 0, attempt: 1, seq: 0, timer: undefined }

const contextOf = (context: HandlerContext<never, never> | undefined): MessageContext =>
  context === undefined ? noContext : {
    incarnation: context.incarnation,
    attempt: context.attempt,
    seq: context.seq,
    timer: context.timer
  }

/** How long a handler that is interrupted may take, in milliseconds. */
export const shutdownOf = (of: string, shutdown: ChildOptions["shutdown"] = defaultShutdown): number =>
  shutdown === "brutal_kill"
    ? 0
    : shutdown === "infinity"
    ? Infinity
    : GivenOption.patience({ of, option: "shutdown", given: shutdown })

/** A thread of an incarnation's own: it ends with the incarnation, and the incarnation with it. */
export const ownHost = (
  supply: Supply,
  wanted: Wanted,
  shutdown: number
): Effect.Effect<Host, WorkerFailed, Scope.Scope> =>
  Effect.flatMap(
    Effect.acquireRelease(
      Effect.map(HandlerOf, (server) => {
        const host = supply.take()
        host.onDeath = deathOf(server)
        return host
      }),
      (host) => {
        host.onDeath = noDeed
        return host.end(Math.min(shutdown, defaultShutdown))
      }
    ),
    (host) => Effect.as(supply.prepare(host, wanted), host)
  )

/** A thread that dies with nothing in hand has no message to crash: its server crashes by itself. */
const deathOf = (server: Handler | undefined): Host["onDeath"] => {
  if (server === undefined) return noDeed
  const { incarnation } = server
  return (error, begun) => {
    if (begun > 0) return
    Turn.run(() => {
      if (server.incarnation === incarnation) server.exit(crashed(Cause.die(error)))
    })
  }
}

const noDeed = () => {}
