/**
 * Idempotency keys: a call that is made again is answered again, and not handled again.
 *
 * A call may carry a key. Its answer is recorded under that key in one commit with the state it was computed from
 * (`state/Answers`), so that a caller who does not know whether its call was handled (a crash, a timeout, the death of
 * the process) simply makes it again. Typed failures are recorded too; defects are not, for they left no trace in the
 * state.
 *
 * A handler that commits a state and answers later leaves a *mark* in that commit: the call was begun. As long as the
 * answer is due, the same call made again waits for it. When the answer was lost, its caller hears that, and nothing is
 * done twice.
 *
 * Two calls are the same when they mean the same: {@link canonical} makes one text of all the ways to write a payload
 * down.
 *
 * @since 0.1.0
 */
import { isMade, isMark, markOf } from "../state/MadeKey.ts"
import { isLonger, maxAnswerIdBytes } from "../state/stored/SnapshotRecord.ts"
import { isDefined, isPlain, isSorted } from "../text/SortedJson.ts"

/** Longest key of a call, in bytes of UTF-8: what every store can hold. */
export const maxKeyBytes = maxAnswerIdBytes

/**
 * Whether a text can be the key of a call. The empty one is none: it is what a caller has whose request came without
 * one, and two such callers are not one.
 */
export const isKey = (text: unknown): text is string =>
  typeof text === "string" && text !== "" && !isLonger(text, maxKeyBytes)

/** A key within the limit: a longer one is cut, and a hash tells it from others that begin alike. */
export const shortened = (key: string): string => {
  if (!isLonger(key, maxKeyBytes)) return key
  let hash = 0x6c62272e07bb014262b821756295c58dn
  for (let i = 0; i < key.length; i++) hash = BigInt.asUintN(128, (hash ^ BigInt(key.charCodeAt(i))) * prime)
  // A character has three bytes at most.
  return `${key.slice(0, 72)}…${hash.toString(36)}`
}

/** That of the FNV hash of 128 bits. */
const prime = 0x1000000000000000000013bn

/** What ids begin with that are not the key itself. */
const special = "\u0001"

/** What the answer to a call is recorded under. */
export const answerId = (key: string): string =>
  key.startsWith(special) || (isMade(key) && isMark(key)) ? shortened(`${special}answer ${key}`) : key

/**
 * What is recorded under this: the call with this key was begun. A row of its own, since either may be rolled back
 * alone.
 */
export const markId = (key: string): string => shortened(isMade(key) ? markOf(key) : `${special}begun ${key}`)

/**
 * JSON as text, one text for all that means the same: fields in the order of their names, and none that is `undefined`.
 */
export const canonical = (json: unknown): string => isSorted(json) ? JSON.stringify(json) ?? "null" : sortedText(json)

/** The same of any JSON, sorted or not. */
export const sortedText = (json: unknown): string => JSON.stringify(json, sorted) ?? "null"

const sorted = (_: string, value: unknown): unknown =>
  typeof value !== "object" || value === null || Array.isArray(value)
    ? value
    : Object.fromEntries(Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1))

/**
 * A payload without its properties that are `undefined`, which mean the same as none. The same value when there are
 * none; an object of a class of its own is left alone.
 */
export const withoutUndefined = (value: unknown): unknown => isDefined(value) ? value : rewritten(value)

/** The same of any value, which may have nothing to leave out. */
export const rewritten = (value: unknown): unknown => {
  if (Array.isArray(value)) {
    const items = value.map(rewritten)
    return items.every((item, index) => Object.is(item, value[index])) ? value : items
  }
  if (!isPlain(value)) return value
  const before = Object.entries(value)
  const after = before.flatMap(([name, one]) => one === undefined ? [] : [[name, rewritten(one)] as const])
  const isSame = after.length === before.length && after.every(([, one], index) => Object.is(one, before[index]![1]))
  return isSame ? value : Object.fromEntries(after)
}
