/**
 * What a callback answered, as data and back.
 *
 * An answer that is code does not travel: a continuation, a reply that follows later. The types of `WorkerServer.entry`
 * refuse them; what comes past the type checker is refused here.
 *
 * @since 0.1.0
 */
import { Cause, DateTime, type Duration, Effect, type Exit, Option } from "effect"
import * as Millis from "../../../domain/options/Millis.ts"
import { NotCrossing, type Place, WorkerFailed } from "../../../domain/placement/WorkerErrors.ts"
import {
  Ignore,
  isNext,
  isStart,
  type NextOptions,
  NoReply,
  Reply,
  Start,
  type StartOptions,
  Stop
} from "../../../domain/server/Next.ts"
import { InvalidReply } from "../../../domain/server/ServerErrors.ts"
import type { Change } from "../../../domain/server/Timer.ts"
import { errorFields, plainError } from "../../../domain/text/ForeignCause.ts"
import { decodeReason, encodeReason, type ServerCodec, Uncrossable } from "./Codecs.ts"
import type { AnswerOptions, Callback, Outcome, StateAnswer, TimerChange } from "./Protocol.ts"

type Options = NextOptions<never, unknown, unknown, unknown> | StartOptions<never, unknown, unknown, unknown>

const uncrossable = (issue: string): never => {
  throw new Uncrossable("answer", issue)
}

/** Answers as data, in the thread. */
export const outcomeOf = (
  codec: ServerCodec,
  callback: Callback,
  exit: Exit.Exit<unknown, unknown>,
  given: unknown
): Outcome => {
  try {
    return exit._tag === "Success"
      ? written(codec, callback, exit.value, given)
      : failed(codec, callback, exit.cause)
  } catch (error) {
    if (error instanceof Uncrossable) return { is: "refused", what: error.what, issue: error.issue }
    return { is: "defect", error: errorFields(error) }
  }
}

/** The state that a callback's answer is about; the one that it was given, when it says nothing of it. */
export const stateAfter = (callback: Callback, exit: Exit.Exit<unknown, unknown>, given: unknown): unknown => {
  if (exit._tag === "Failure" || callback.of === "terminate") return given
  const { value } = exit
  if (isStart(value) || value instanceof Reply || value instanceof NoReply) return value.state
  if (value instanceof Stop) return "state" in value.answer ? value.answer.state : given
  return Array.isArray(value) && callback.of === "handler" ? value[1] : value
}

/** Whether neither side keeps the state in mind after this: a server that hibernates is to have it out of memory. */
export const isDropped = (outcome: Outcome): boolean =>
  (outcome.is === "state" || outcome.is === "reply") && outcome.options?.hibernate === true

const failed = (codec: ServerCodec, callback: Callback, cause: Cause.Cause<unknown>): Outcome => {
  if (Cause.hasInterruptsOnly(cause)) return { is: "interrupted" }
  const error = Cause.squash(cause)
  if (!Cause.hasFails(cause) || Cause.hasDies(cause)) return { is: "defect", error: errorFields(error) }
  if (callback.of !== "handler") return { is: "failed", error: errorFields(error) }
  const message = codec.message(callback.tag)
  return message?.isCall === true
    ? { is: "failed", error: message.error.encode(error) }
    : { is: "defect", error: errorFields(error) }
}

const written = (codec: ServerCodec, callback: Callback, value: unknown, given: unknown): Outcome => {
  const state = (next: unknown): StateAnswer =>
    next instanceof Promise
      ? uncrossable("a Promise is no state: wrap it with Effect.promise or Effect.tryPromise")
      : Object.is(next, given) && callback.of !== "init"
      ? "same"
      : codec.encodeState(next)
  const options = (options: Options) => optionsOf(codec, options)
  const stop = ({ answer, reason }: Stop<unknown, unknown>, reply?: (value: unknown) => unknown): Outcome => ({
    is: "stop",
    reason: encodeReason(reason),
    ...("reply" in answer && reply !== undefined ? { reply: [reply(answer.reply)] as const } : {}),
    ...("state" in answer ? { state: state(answer.state) } : {})
  })
  if (callback.of === "terminate") return value instanceof Stop ? stop(value) : { is: "nothing" }
  if (callback.of === "init" || callback.of === "restore") {
    if (value instanceof Ignore) return { is: "ignore" }
    return isStart(value)
      ? { is: "state", state: state(value.state), options: options(value.options) }
      : { is: "state", state: state(value) }
  }
  const message = callback.of === "handler" ? codec.message(callback.tag) : undefined
  if (message?.isCall === true) {
    const { reply } = message
    if (Array.isArray(value) && value.length === 2) {
      return { is: "reply", reply: reply.encode(value[0]), state: state(value[1]) }
    }
    if (value instanceof Stop) return stop(value, reply.encode)
    if (!(value instanceof Reply)) {
      return uncrossable("a call's handler replies, there and then: [reply, state] or Next.reply")
    }
    return { is: "reply", reply: reply.encode(value.reply), state: state(value.state), options: options(value.options) }
  }
  if (value instanceof Stop) return stop(value)
  if (value instanceof NoReply) return { is: "state", state: state(value.state), options: options(value.options) }
  return isNext(value) ? uncrossable("a cast has no reply") : { is: "state", state: state(value) }
}

const optionsOf = (codec: ServerCodec, options: Options): AnswerOptions | undefined => {
  const { continueWith, hibernate, idleAfter, timers } = options
  if (continueWith !== undefined) return uncrossable("continueWith is code, which does not travel")
  if ("info" in options && options.info !== undefined) return uncrossable("the info of a start does not travel")
  const conserve = "conserve" in options ? options.conserve : undefined
  if (idleAfter === undefined && hibernate === undefined && timers === undefined && conserve === undefined) {
    return undefined
  }
  return {
    timers: timers?.map((change) => changeOf(codec, change)),
    // What is no time travels as one that is none, and is refused where the others are.
    idleAfter: idleAfter === undefined ? undefined : Millis.fromDuration(idleAfter) ?? Number.NaN,
    hibernate,
    conserve
  }
}

const changeOf = (codec: ServerCodec, change: Change<unknown>): TimerChange => {
  if (change._tag === "Cancel") return { _tag: "Cancel", name: change.name }
  const { _tag, name, when } = change
  const { payload, tag } = Object(change.message) as { readonly tag: string; readonly payload: unknown }
  const message = codec.message(tag) ?? uncrossable(`the timer "${name}" has no message of this class`)
  return { _tag, name, when: momentOf(_tag, when), message: { tag, payload: message.payload.encode(payload) } }
}

const momentOf = (tag: "At" | "After" | "Every", when: DateTime.DateTime.Input | Duration.Input): number => {
  if (tag !== "At") return Millis.fromDuration(when as Duration.Input) ?? Number.NaN
  return Option.match(DateTime.make(when as DateTime.DateTime.Input), {
    onNone: () => Number.NaN,
    onSome: DateTime.toEpochMillis
  })
}

/** Whose answer it is, for what is wrong with it. */
export interface Asker {
  readonly server: string
  readonly place: Place
  readonly codec: ServerCodec
}

/** What a callback answers with, in the parent; `given` is the state that it was called with. */
export const answerOf = (
  asker: Asker,
  callback: Callback,
  outcome: Outcome,
  given: unknown
): Effect.Effect<unknown, unknown> => {
  try {
    return read(asker, callback, outcome, given)
  } catch (error) {
    if (error instanceof Uncrossable) return Effect.die(refusedOf(asker, callback, error.what, error.issue))
    return Effect.die(error)
  }
}

/** The name of what was asked for, for errors. */
export const requestOf = (callback: Callback): string => callback.of === "handler" ? callback.tag : callback.of

/** What the server crashes with when something does not travel. */
export const refusedOf = (
  { server }: Asker,
  callback: Callback,
  what: Uncrossable["what"],
  issue: string
): InvalidReply | NotCrossing => {
  const request = requestOf(callback)
  return what === "reply"
    ? new InvalidReply({ server, request, issue })
    : new NotCrossing({ server, request, what, issue })
}

const read = (
  asker: Asker,
  callback: Callback,
  outcome: Outcome,
  given: unknown
): Effect.Effect<unknown, unknown> => {
  const { codec } = asker
  const state = (answer: StateAnswer): unknown => answer === "same" ? given : codec.decodeState(answer)
  const message = callback.of === "handler" ? codec.message(callback.tag) : undefined
  switch (outcome.is) {
    case "state": {
      const next = state(outcome.state)
      const options = outcome.options && readOptions(codec, outcome.options)
      if (options === undefined) return Effect.succeed(next)
      const isFirst = callback.of === "init" || callback.of === "restore"
      return Effect.succeed(isFirst ? new Start(next, options) : new NoReply(next, options))
    }
    case "reply": {
      const next = state(outcome.state)
      const reply = message?.reply.decode(outcome.reply)
      const options = outcome.options && readOptions(codec, outcome.options)
      return Effect.succeed(options === undefined ? [reply, next] : new Reply(reply, next, options))
    }
    case "stop":
      return Effect.succeed(
        new Stop(decodeReason(outcome.reason), {
          ...(outcome.reply === undefined ? {} : { reply: message?.reply.decode(outcome.reply[0]) }),
          ...(outcome.state === undefined ? {} : { state: state(outcome.state) })
        })
      )
    case "ignore":
      return Effect.succeed(new Ignore())
    case "nothing":
      return Effect.void
    case "interrupted":
      return Effect.interrupt
    case "failed":
      if (message !== undefined) return Effect.fail(message.error.decode(outcome.error))
      return Effect.fail(
        new WorkerFailed({
          server: asker.server,
          place: asker.place,
          at: "init",
          cause: plainError(outcome.error as Parameters<typeof plainError>[0])
        })
      )
    case "defect":
      return Effect.die(plainError(outcome.error))
    case "refused":
      return Effect.die(refusedOf(asker, callback, outcome.what, outcome.issue))
  }
}

const readOptions = (
  codec: ServerCodec,
  { conserve, hibernate, idleAfter, timers }: AnswerOptions
): StartOptions<never, unknown, never, unknown> => ({
  ...(conserve === undefined ? {} : { conserve }),
  ...(hibernate === undefined ? {} : { hibernate }),
  ...(idleAfter === undefined ? {} : { idleAfter }),
  ...(timers === undefined ? {} : { timers: timers.map((change) => readChange(codec, change)) })
})

const readChange = (codec: ServerCodec, change: TimerChange): Change<unknown> => {
  if (change._tag === "Cancel") return change
  const { tag } = change.message
  return {
    ...change,
    when: change.when as number,
    message: { tag, payload: codec.message(tag)?.payload.decode(change.message.payload) }
  }
}
