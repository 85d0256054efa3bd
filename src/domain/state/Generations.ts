/**
 * The last snapshots of one server: which are trusted, which are on probation, which were set aside, and what speaks
 * against the newest.
 *
 * A state that crashes whoever starts from it must not be restored for ever, and a good one must not be given up because
 * of a bad message. So every snapshot is on probation until a message was handled from it; then it is trusted for good,
 * and with it every older one, for it came out of them.
 *
 * This module keeps the books; what a new incarnation starts from is decided in `Recovery`. A server whose state may be
 * forgotten needs neither.
 *
 * @since 0.1.0
 */
import { Array, HashSet, Order } from "effect"

/** A snapshot in the books. `state` is whatever the keeper holds of it: the state, or its encoded form. */
export interface Generation<out S> {
  /** Its place in the order of commits, from 1. */
  readonly seq: number
  readonly state: S
  /** A message was handled from it, or from one that came out of it. */
  readonly trusted: boolean
}

/** A snapshot that is not restored again: kept for inspection, never deleted. */
export interface Aside<out S> {
  readonly seq: number
  readonly state: S
  readonly why: string
}

/**
 * What a message is, for counting different ones: its tag and its payload, compared by structure.
 *
 * The same call made again is the same message, whether the client retried it or the server was handed it again.
 */
export interface Message {
  readonly tag: string
  readonly payload: unknown
}

/** The callbacks that run on a state before any message does; `migrate` is the step of a `StateSchema`. */
export type Callback = "migrate" | "restore" | "init" | "continueWith"

/** What speaks against the newest snapshot. */
export interface Evidence {
  /** Callbacks that crashed on it, in order, with what they died of. */
  readonly callbacks: ReadonlyArray<{ readonly callback: Callback; readonly why: string }>
  /** Different messages that crashed on it before any other was handled. */
  readonly messages: HashSet.HashSet<Message>
}

/** The books of one server's snapshots. */
export interface Generations<out S> {
  /** How many snapshots are kept beside those set aside. */
  readonly limit: number
  /** Newest first; each came out of the next. */
  readonly kept: ReadonlyArray<Generation<S>>
  /** In the order in which they were set aside. */
  readonly aside: ReadonlyArray<Aside<S>>
  readonly evidence: Evidence | undefined
}

/** How many snapshots are kept unless told otherwise. */
export const defaultLimit = 3

/** Empty books. At least two snapshots are kept whatever `limit` says: the newest, and the newest trusted one. */
export const empty = (limit: number = defaultLimit): Generations<never> => ({
  limit: Math.max(2, limit),
  kept: [],
  aside: [],
  evidence: undefined
})

/** A snapshot as a store holds it: see {@link fromStored}. */
export interface Stored {
  readonly seq: number
  /** When it was written, every snapshot up to this number was trusted (0: none). */
  readonly trusted: number
}

const youngestFirst = Order.flip(Order.mapInput(Order.Number, (record: Stored) => record.seq))

/**
 * The books of what a store holds.
 *
 * A store writes each snapshot once, before anybody can know whether it is any good. What became known since is in the
 * younger ones, each of which says up to where snapshots were trusted when it was written.
 */
export const fromStored = <R extends Stored>(
  kept: ReadonlyArray<R>,
  aside: ReadonlyArray<Aside<R>> = [],
  limit: number = defaultLimit
): Generations<R> => {
  const upTo = kept.reduce((upTo, record) => Math.max(upTo, record.trusted), 0)
  return {
    ...empty(limit),
    kept: Array.sort(kept, youngestFirst).map((record) => ({
      seq: record.seq,
      state: record,
      trusted: record.seq <= upTo
    })),
    aside
  }
}

/** The newest snapshot, which the next incarnation starts from unless something speaks against it. */
export const newest = <S>(self: Generations<S>): Generation<S> | undefined => self.kept[0]

/** Sequence number up to which every kept snapshot is trusted, 0 if none is: what a store writes with the next one. */
export const trustedUpTo = <S>(self: Generations<S>): number => self.kept.find((one) => one.trusted)?.seq ?? 0

/** The number for the next commit: never one that was used, be it by a snapshot that was set aside. */
export const nextSeq = <S>(self: Generations<S>): number =>
  self.aside.reduce((max, one) => Math.max(max, one.seq), self.kept[0]?.seq ?? 0) + 1

const trust = <S>(kept: ReadonlyArray<Generation<S>>): ReadonlyArray<Generation<S>> =>
  kept.map((one) => one.trusted ? one : { ...one, trusted: true })

/** The first `limit`, but never without the newest trusted one. */
const trim = <S>(kept: ReadonlyArray<Generation<S>>, limit: number): ReadonlyArray<Generation<S>> => {
  if (kept.length <= limit) return kept
  const first = kept.slice(0, limit)
  if (first.some((one) => one.trusted)) return first
  const trusted = kept.find((one) => one.trusted)
  return trusted === undefined ? first : [...first.slice(0, -1), trusted]
}

/**
 * A new snapshot was committed, on probation.
 *
 * `by` a message: one was handled from the snapshot before, which is trusted from now on. `by` a callback
 * (`continueWith`): that proves nothing. Either way, what spoke against the snapshot before is moot.
 */
export const commit = <S>(
  self: Generations<S>,
  seq: number,
  state: S,
  by: "message" | "callback"
): Generations<S> => ({
  limit: self.limit,
  kept: trim(
    [
      { seq, state, trusted: false },
      ...(by === "callback" || self.kept[0]?.trusted === true ? self.kept : trust(self.kept))
    ],
    self.limit
  ),
  aside: self.aside,
  evidence: undefined
})

/** A message was handled from the newest snapshot: it is trusted for good. Answers `self` when it already was. */
export const handled = <S>(self: Generations<S>): Generations<S> =>
  self.kept[0] === undefined || self.kept[0].trusted ? self : { ...self, kept: trust(self.kept), evidence: undefined }

const innocent: Evidence = { callbacks: [], messages: HashSet.empty() }

/** A callback crashed on the newest snapshot. Nothing speaks against a trusted one. */
export const accuseCallback = <S>(self: Generations<S>, callback: Callback, why: string): Generations<S> => {
  if (self.kept[0] === undefined || self.kept[0].trusted) return self
  const evidence = self.evidence ?? innocent
  return { ...self, evidence: { ...evidence, callbacks: [...evidence.callbacks, { callback, why }] } }
}

/** A message crashed on the newest snapshot before any was handled from it. The same message again changes nothing. */
export const accuseMessage = <S>(self: Generations<S>, message: Message): Generations<S> => {
  if (self.kept[0] === undefined || self.kept[0].trusted) return self
  const evidence = self.evidence ?? innocent
  if (HashSet.has(evidence.messages, message)) return self
  return { ...self, evidence: { ...evidence, messages: HashSet.add(evidence.messages, message) } }
}

/** Forgets what speaks against the newest snapshot: a person looked at it, or the code was mended. */
export const pardon = <S>(self: Generations<S>): Generations<S> =>
  self.evidence === undefined ? self : { ...self, evidence: undefined }

/**
 * Sets the newest snapshot aside, and with it the younger ones that came between it and the newest trusted one: on
 * probation, they would otherwise pass for ancestors of what is committed next.
 */
export const setAside = <S>(self: Generations<S>, why: string): Generations<S> => {
  const [suspect, ...older] = self.kept
  if (suspect === undefined) return self
  const found = older.findIndex((one) => one.trusted)
  const skipped = older.slice(0, found === -1 ? older.length : found)
  return {
    limit: self.limit,
    kept: older.slice(skipped.length),
    aside: [
      ...self.aside,
      { seq: suspect.seq, state: suspect.state, why },
      ...skipped.map((one) => ({
        seq: one.seq,
        state: one.state,
        why: `never trusted, and snapshot ${suspect.seq}, which came out of it, was set aside: ${why}`
      }))
    ],
    evidence: undefined
  }
}
