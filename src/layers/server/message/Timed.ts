/**
 * Timers between an answer and the state that they are kept with: how those that it sets are written, and read again.
 *
 * @since 0.1.0
 */
import { DateTime, type Duration, Option, Schema } from "effect"
import * as GivenOption from "../../../domain/options/GivenOption.ts"
import type { MessageOf } from "../../../domain/server/Message.ts"
import { NoTimers } from "../../../domain/server/ServerErrors.ts"
import type { Change, Set } from "../../../domain/server/Timer.ts"
import { schemaOf } from "../../../domain/server/Validation.ts"
import { isLonger } from "../../../domain/state/stored/SnapshotRecord.ts"
import { type Change as Changed, changed, handled, type Timer, type Timers } from "../../../domain/state/Timers.ts"
import { messageOf } from "../../../domain/text/ForeignText.ts"
import { attempt } from "../../process/Execute.ts"
import type { MessageType, TimerMessage } from "./MessageType.ts"
import { shownPayload } from "./ShownMessage.ts"

/** How the payload of one message becomes JSON and comes back. */
const codecOf = (type: MessageType): Schema.Codec<unknown, Schema.Json> => {
  let codec = codecs.get(type)
  if (codec === undefined) {
    // A message whose schema needs services cannot be written, and says so when it is.
    const made: unknown = Schema.toCodecJson(schemaOf(type.message.payload))
    codecs.set(type, codec = made as Schema.Codec<unknown, Schema.Json>)
  }
  return codec
}

const codecs = new WeakMap<MessageType, Schema.Codec<unknown, Schema.Json>>()

/** The payload of a timer's message; throws when it does not fit its schema any more. */
export const payloadOf = (type: MessageType, { payload }: Timer): unknown =>
  Schema.decodeUnknownSync(codecOf(type))(payload)

/** What an answer's timers are of, and what they are kept with. */
export interface Keeper {
  readonly types: ReadonlyMap<string, MessageType>
  readonly timers: Timers
  readonly noTimers: string | undefined
}

/**
 * The timers after an answer, whose message may have been one's; nothing when they are as before. Throws what it
 * refuses.
 */
export const after = (
  owner: Owner,
  { noTimers, timers, types }: Keeper,
  now: number,
  message: TimerMessage | undefined,
  changes: ReadonlyArray<Change<unknown>> | undefined
): Timers | undefined => {
  if (message === undefined && changes === undefined) return undefined
  const left = message === undefined ? timers : handled(timers, message.due)
  if (changes === undefined) return left
  if (!Array.isArray(changes)) {
    return GivenOption.refuse({ ...owner, option: "timers", given: changes }, "a list of changes to timers")
  }
  return changed(
    left,
    changes.map((given: Change<unknown>): Changed => {
      const change = changeOf(given, owner)
      const name = nameOf(change, owner)
      if (change._tag === "Cancel") return { _tag: "Cancel", name }
      if (noTimers !== undefined) {
        throw new NoTimers({ server: owner.of, request: owner.request, timer: name, why: noTimers })
      }
      return {
        _tag: "Set",
        timer: { name, ...dueOf(change, now, owner), ...written(owner, types, name, change.message) }
      }
    })
  )
}

const written = (
  owner: Owner,
  types: Keeper["types"],
  name: string,
  message: unknown
): Pick<Timer, "message" | "payload"> => {
  const { payload, tag } = Object(message) as MessageOf<unknown>
  const type = types.get(tag)
  const option = `the message of the timer "${name}"`
  if (type === undefined) {
    return GivenOption.refuse({ ...owner, option, given: message }, "a message of the server's own class")
  }
  const json = attempt(() => Schema.encodeUnknownSync(codecOf(type))(type.complete?.(payload) ?? payload))
  if (json._tag === "Success") return { message: tag, payload: json.value }
  return GivenOption.refuse(
    { ...owner, option, given: shownPayload(type, payload) },
    `what its schema writes down (${messageOf(json.cause)})`
  )
}

/** Longest name of a timer, in bytes of UTF-8. */
const maxNameBytes = 64

/** Whose option it is that a change is given as. */
export interface Owner {
  readonly of: string
  readonly request: string
}

/** A change; refused when it is none. */
const changeOf = (change: Change<unknown>, owner: Owner): Change<unknown> =>
  kinds.has(change?._tag)
    ? change
    : GivenOption.refuse({ ...owner, option: "timers", given: change }, "changes to timers")

const kinds: ReadonlySet<unknown> = new Set<Change<unknown>["_tag"]>(["At", "After", "Every", "Cancel"])

/** The name of a timer; refused when it is none. */
const nameOf = ({ name }: Change<unknown>, owner: Owner): string =>
  typeof name === "string" && name !== "" && !isLonger(name, maxNameBytes)
    ? name
    : GivenOption.refuse(
      { ...owner, option: "the name of a timer", given: name },
      `a text of 1 to ${maxNameBytes} bytes`
    )

/** When a timer is due that is set now; refused when that is no time. */
const dueOf = (
  { _tag, name, when }: Set<unknown>,
  now: number,
  owner: Owner
): Pick<Timer, "due" | "every"> => {
  const option = `the time of the timer "${name}"`
  if (_tag === "At") {
    const date = Option.map(DateTime.make(when as DateTime.DateTime.Input), DateTime.toEpochMillis)
    return Option.isSome(date) && Number.isFinite(date.value)
      ? { due: date.value }
      : GivenOption.refuse({ ...owner, option, given: when }, "a date")
  }
  const given = { ...owner, option, given: when as Duration.Input }
  if (_tag === "After") return { due: dateOf(now + GivenOption.patience(given), given) }
  const every = GivenOption.period(given)
  return every >= 1 ? { due: dateOf(now + every, given), every } : GivenOption.refuse(given, "a millisecond or more")
}

/** A time that a date can say. */
const dateOf = (due: number, given: GivenOption.Given<unknown>): number =>
  due <= lastDate
    ? due
    : GivenOption.refuse(given, "a duration that ends before the last of all dates, in the year 275760")

const lastDate = 8.64e15
