/**
 * The books of one server's snapshots: the newest, how far it is trusted, and the one to go back to.
 *
 * A state that crashes every incarnation that starts from it must not be restored for ever, and a good one must not be
 * given up because of a bad message. So every snapshot is on probation until a message was handled from it. Then it is
 * trusted for good, and with it every older one, since it came out of them.
 *
 * This module keeps the books; `Recovery` decides which snapshot a new incarnation starts from. A server whose state
 * may be forgotten needs neither.
 *
 * *Tricky*: the books of a million servers are in memory, and every message writes one of them. So they are one flat
 * record, made anew with each commit: a list of snapshots would take twice the memory and twice the time.
 *
 * @since 0.1.0
 */
import { HashMap } from "effect"
import { shown } from "../text/ForeignText.ts"
import type { Snapshot } from "./Snapshot.ts"

/**
 * The reason for a commit. A `call` or a `cast` was handled, which proves the state before good (the sender of a cast
 * does not learn that it was undone). A `callback` proves nothing: what speaks against the state before it speaks
 * against the one that it made. A `person` has looked at it.
 */
export type Origin = "call" | "cast" | "callback" | "person"

/** Whether a commit came of a message that was handled. */
export const isHandled = (by: Origin): boolean => by === "call" || by === "cast"

/**
 * What a message is, for counting different ones: its tag and its payload, compared by the text that shows them. The
 * same call made again is the same message, whether the client retried it or the server redelivered it.
 */
export interface Message {
  readonly tag: string
  readonly payload: unknown
}

/** The callbacks that run on a state before any message does; `migrate` is the step of a `StateSchema`. */
export type Callback = "migrate" | "restore" | "init" | "continueWith"

/** The evidence against a snapshot. */
export interface Evidence {
  /** Callbacks that crashed on it, in order, each with its reason. */
  readonly callbacks: ReadonlyArray<{ readonly callback: Callback; readonly why: string }>
  /** The tags of different messages that crashed on it before any other was handled, by what the messages are. */
  readonly messages: HashMap.HashMap<string, string>
}

/**
 * How far a snapshot is trusted. `"trusted"`: a message was handled from it, or from one that came out of it.
 * `"probation"`: no message was, and nothing speaks against it. Otherwise: the evidence against it.
 */
export type Trust = "trusted" | "probation" | Evidence

/**
 * The books: the newest snapshot, and the newest trusted one before it, which takes its place when it is suspect.
 * `state` is the state itself, or its record where a store keeps it.
 */
export interface Books<out S> extends Snapshot<S> {
  readonly trust: Trust
  /** The number of the snapshot to go back to; 0 when there is none. */
  readonly goodSeq: number
  readonly goodState: S | undefined
  readonly goodIncarnation: number
}

/** The books of one server; `undefined` when nothing is conserved. */
export type Generations<S> = Books<S> | undefined

/** A snapshot that is not restored again: kept for inspection, never deleted. */
export interface Aside<out S> {
  readonly seq: number
  readonly state: S
  readonly why: string
}

/** The highest number that was ever given, 0 if none was: that of a snapshot that was set aside is not used again. */
export const lastSeq = (books: Generations<unknown>, aside: ReadonlyArray<{ readonly seq: number }>): number =>
  aside.reduce((last, { seq }) => Math.max(last, seq), books?.seq ?? 0)

const alone = <S>({ incarnation, seq, state }: Snapshot<S>, trust: Trust): Books<S> => ({
  state,
  seq,
  incarnation,
  trust,
  goodSeq: 0,
  goodState: undefined,
  goodIncarnation: 0
})

const over = <S>(newest: Snapshot<S>, trust: Trust, older: Snapshot<S>): Books<S> => ({
  state: newest.state,
  seq: newest.seq,
  incarnation: newest.incarnation,
  trust,
  goodSeq: older.seq,
  goodState: older.state,
  goodIncarnation: older.incarnation
})

/** The books of a snapshot, and of the one to go back to if there is one. */
export const make = <S>(newest: Snapshot<S>, trust: Trust, older: Snapshot<S> | undefined): Books<S> =>
  older === undefined ? alone(newest, trust) : over(newest, trust, older)

/** The snapshot to go back to from the newest one. */
export const good = <S>({ goodIncarnation, goodSeq, goodState }: Books<S>): Snapshot<S> | undefined =>
  // With a number there is a state, which may be `undefined` itself.
  goodSeq === 0 ? undefined : { state: goodState as S, seq: goodSeq, incarnation: goodIncarnation }

/**
 * A new snapshot was committed, on probation.
 *
 * By a message: it was handled from the snapshot before, which is trusted from now on. By a callback: the evidence
 * against the snapshot before goes over to the new one. Otherwise that evidence is moot.
 */
export const commit = <S>(before: Generations<S>, snapshot: Snapshot<S>, by: Origin): Books<S> =>
  before !== undefined && isHandled(by) ? over(snapshot, "probation", before) : commitUnproven(before, snapshot, by)

const commitUnproven = <S>(before: Generations<S>, snapshot: Snapshot<S>, by: Origin): Books<S> => {
  if (before === undefined) return alone(snapshot, "probation")
  const older = before.trust === "trusted" ? before : good(before)
  return make(snapshot, trustAfter(before, by), older)
}

const trustAfter = (before: Generations<unknown>, by: Origin): Trust =>
  by === "callback" && before !== undefined && before.trust !== "trusted" ? before.trust : "probation"

/** The same where the older snapshots are in a store alone. */
export const commitAlone = <S>(before: Generations<S>, snapshot: Snapshot<S>, by: Origin): Books<S> =>
  alone(snapshot, trustAfter(before, by))

/**
 * A message was handled from the newest snapshot: it is trusted for good. Answers the same books when it already was.
 */
export const handled = <S>(books: Books<S>): Books<S> =>
  books.trust === "trusted" ? books : { ...books, trust: "trusted" }

/**
 * A handler or a person left the newest snapshot as it is. A message was handled from it: it is trusted for good. A
 * person has looked at it: the evidence against it is cleared. Answers the same books when that is nothing new.
 */
export const unchanged = <S>(books: Books<S>, by: Origin): Books<S> =>
  isHandled(by) ? handled(books) : by === "person" ? clearEvidence(books) : books

const innocent: Evidence = { callbacks: [], messages: HashMap.empty() }

/** The evidence against the newest snapshot, if there is any. */
export const evidenceAgainst = (books: Generations<unknown>): Evidence | undefined =>
  books === undefined || typeof books.trust === "string" ? undefined : books.trust

/** A callback crashed on the newest snapshot. Nothing speaks against a trusted one. */
export const recordCallbackCrash = <S>(books: Books<S>, callback: Callback, why: string): Books<S> => {
  if (books.trust === "trusted") return books
  const evidence = evidenceAgainst(books) ?? innocent
  return { ...books, trust: { ...evidence, callbacks: [...evidence.callbacks, { callback, why }] } }
}

/** A message crashed on the newest snapshot before any was handled from it. The same message again changes nothing. */
export const recordMessageCrash = <S>(books: Books<S>, message: Message): Books<S> => {
  if (books.trust === "trusted") return books
  const evidence = evidenceAgainst(books) ?? innocent
  const identity = identityOf(message)
  if (HashMap.has(evidence.messages, identity)) return books
  return { ...books, trust: { ...evidence, messages: HashMap.set(evidence.messages, identity, message.tag) } }
}

// A payload may be anything: its text is bounded, and asking for equality runs code of the payload's own.
const identityOf = ({ payload, tag }: Message): string => `${tag} ${shown(payload)}`

/** Forgets the evidence against the newest snapshot: a person looked at it, or the code was mended. */
export const clearEvidence = <S>(books: Books<S>): Books<S> =>
  evidenceAgainst(books) === undefined ? books : { ...books, trust: "probation" }

/** The books after the newest snapshot was set aside: the good one before it takes its place. */
export const setAside = <S>(books: Books<S>): Generations<S> => {
  const older = good(books)
  return older && alone(older, "trusted")
}
