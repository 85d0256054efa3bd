/**
 * Which of the snapshots that were set aside are to come back, for many servers at once. Pure.
 *
 * After a wrong deploy (a migration that dies of every state) each server has lost its newest snapshot, and each has to
 * get it back. Those that have committed something since, were it only what they began with anew, are another matter:
 * what they did is in no other snapshot, so a person has to say that it may go. What is damaged comes back for none,
 * and keeps no other from coming back.
 */
import type { AsideRecord, SnapshotRecord } from "../../domain/state/stored/SnapshotRecord.ts"

/**
 * How a server has fared since.
 *
 * - `"out"`: the snapshot set aside is the last that it committed;
 * - `"back"`: it starts from that already;
 * - `"wentOn"`: it has committed something else since;
 * - `"chosen"`: a person went back to an older one since.
 */
export type Standing = "out" | "back" | "wentOn" | "chosen"

/** One server, and what to think of it. */
export interface Step {
  readonly key: string
  /** The newest snapshot that was set aside. */
  readonly aside: AsideRecord
  /** The number of the newest that is kept, if any is. */
  readonly kept: number | undefined
  readonly standing: Standing
}

/** Is this the key of the class's server, or of one of its servers by key? No class: every key is. */
export const isOf = (key: string, id: string): boolean => id === "" || key === id || key.startsWith(`${id}/`)

/** Which of those that were set aside are meant: of a class, at a time or later. */
export interface Which {
  readonly id: string
  readonly since: number
}

/** What of a snapshot is not as it was written, if something is. */
export const damageOf = ({ damaged, state }: AsideRecord): string | undefined => {
  if (damaged !== undefined) return damaged
  try {
    JSON.parse(state)
    return undefined
  } catch {
    return "its state is no JSON"
  }
}

/** Those of a class that are damaged, whenever they were set aside: they may say any time. */
export const damaged = (aside: ReadonlyArray<AsideRecord>, { id }: Which): ReadonlyArray<AsideRecord> =>
  aside.filter((one) => isOf(one.key, id) && damageOf(one) !== undefined)

/** Of each server of a class the newest snapshot that was set aside at a time or later and is whole, by key. */
export const newest = (aside: ReadonlyArray<AsideRecord>, which: Which): ReadonlyArray<AsideRecord> => {
  const byKey = new Map<string, AsideRecord>()
  for (const one of aside) {
    if (!isOf(one.key, which.id) || one.asideAt < which.since || damageOf(one) !== undefined) continue
    const other = byKey.get(one.key)
    if (other === undefined || one.seq >= other.seq) byKey.set(one.key, one)
  }
  return [...byKey.values()].sort((a, b) => a.key < b.key ? -1 : 1)
}

/**
 * How the server of a snapshot that was set aside has fared, by the snapshots that are kept.
 *
 * An older number of a younger session is one that a person went back to: it is written again so.
 */
export const step = (aside: AsideRecord, kept: ReadonlyArray<SnapshotRecord>): Step => {
  const [first, ...others] = kept
  const newest = first && others.reduce((newest, one) => one.seq > newest.seq ? one : newest, first)
  return { key: aside.key, aside, kept: newest?.seq, standing: standing(aside, newest) }
}

const standing = (aside: AsideRecord, newest: SnapshotRecord | undefined): Standing => {
  if (newest === undefined) return "out"
  if (newest.seq < aside.seq) return newest.epoch > aside.epoch ? "chosen" : "out"
  return newest.state === aside.state && newest.version === aside.version ? "back" : "wentOn"
}
