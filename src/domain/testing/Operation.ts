/**
 * What clients did to a value, and what they know of it: the lines of a history.
 *
 * A value is a counter, to which is added and whose answers are the new sum, or a register, which is written and read.
 * The answer to a write says nothing. What a value is kept in, and how, is not known here.
 *
 * @since 0.1.0
 */
import type { CallErrorReason } from "../process/CallError.ts"

/**
 * What a register may hold; turn anything else into a text.
 *
 * @category models
 * @since 0.1.0
 */
export type Value = string | number | boolean | null

/** What was asked of a value. */
export type Input =
  | { readonly _tag: "Add"; readonly by: number }
  | { readonly _tag: "Read" }
  | { readonly _tag: "Write"; readonly value: Value }

/** When something happened: its place among all events of a history, and the time. */
export interface Moment {
  readonly order: number
  readonly millis: number
}

/**
 * What became of it. `Answered`: it was done, between the call and the answer. `NotDone`: it was not, and will not be.
 * `Unknown`: it may have been done, or may still be; not after `until`, where that is known.
 */
export type Outcome =
  | { readonly _tag: "Answered"; readonly value: Value | undefined; readonly at: Moment }
  | { readonly _tag: "NotDone" }
  | { readonly _tag: "Unknown"; readonly why: string; readonly until?: Moment | undefined }

/**
 * One operation of one client.
 *
 * @category models
 * @since 0.1.0
 */
export interface Operation {
  readonly key: string
  readonly client: string
  readonly input: Input
  readonly called: Moment
  readonly outcome: Outcome
}

/**
 * What a call's error says of what was done.
 *
 * **Details**
 *
 * `"over"`: it was done by now, or never will be. `"busy"`: a handler, or the store, may still be at it; it is over as
 * soon as the server has answered a later call, since it handles one at a time. `"open"`: it was promised an answer
 * that has not come, and what is done for it may be done at any time.
 *
 * @since 0.1.0
 */
export const doneAfter = (reason: CallErrorReason): "no" | "over" | "busy" | "open" => {
  switch (reason._tag) {
    case "MailboxFull":
    case "Parked":
    case "CallingSelf":
    case "KeyReused":
    case "InvalidIdempotencyKey":
    case "InvalidPayload":
      return "no"
    case "NotRunning":
      return reason.reason === undefined ? "no" : "over"
    case "Timeout":
      if (!reason.begun) return "no"
      return reason.waitsFor === "handler" ? "busy" : reason.waitsFor === "reply" ? "open" : "over"
    case "Crashed":
    case "Quarantined":
    case "AnswerLost":
      return "over"
    case "NotConserved":
      return "busy"
    case "Unreachable":
      return reason.begun ? "open" : "no"
  }
}

/** A key whose history cannot be explained. */
export interface Violation {
  readonly key: string
  /** What is wrong with it, in one sentence. */
  readonly what: string
  /** The operations that show it, in the order of their calls. */
  readonly operations: ReadonlyArray<Operation>
}

/** A call, or the end of an operation. */
interface Event {
  readonly order: number
  readonly isCall: boolean
  readonly operation: Operation
}

/** The last moment at which an operation may take effect; `undefined` when there is none. */
export const endOf = ({ outcome }: Operation): Moment | undefined =>
  outcome._tag === "Answered" ? outcome.at : outcome._tag === "Unknown" ? outcome.until : undefined

/** Calls and ends in their order; without what was not done. */
export const eventsOf = (operations: ReadonlyArray<Operation>): ReadonlyArray<Event> =>
  operations.filter(({ outcome }) => outcome._tag !== "NotDone").flatMap((operation): ReadonlyArray<Event> => {
    const last = endOf(operation)
    const call = { order: operation.called.order, isCall: true, operation }
    return last === undefined ? [call] : [call, { order: last.order, isCall: false, operation }]
  }).sort((a, b) => a.order - b.order)

/** `add 2`, `read`, `write "x"`. */
export const inputText = (input: Input): string => {
  switch (input._tag) {
    case "Add":
      return `add ${input.by}`
    case "Read":
      return "read"
    case "Write":
      return `write ${JSON.stringify(input.value)}`
  }
}

/** `alice: add 2 to counter = 7`. */
export const toText = ({ client, input, key, outcome }: Operation): string =>
  `${client}: ${inputText(input)} ${prepositions[input._tag]} ${key}${outcomeText(outcome)}`

const prepositions: Record<Input["_tag"], string> = { Add: "to", Read: "of", Write: "to" }

const outcomeText = (outcome: Outcome): string => {
  switch (outcome._tag) {
    case "Answered":
      return outcome.value === undefined ? " is done" : ` = ${JSON.stringify(outcome.value)}`
    case "NotDone":
      return " was not done"
    case "Unknown":
      return ` may be done: ${outcome.why}`
  }
}
