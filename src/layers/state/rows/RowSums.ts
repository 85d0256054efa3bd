/**
 * The checksums of the SQL store's rows, with the CRC of the platform.
 *
 * @since 0.1.0
 */
import { crc32 } from "node:zlib"
import { rowSum } from "../../../domain/state/stored/RowSum.ts"
import type { SnapshotRecord } from "../../../domain/state/stored/SnapshotRecord.ts"
import { fnv1a } from "../../../domain/text/TextHash.ts"

/** The sum of a text. */
export const ofText = (text: string): number => crc32(text)

/** What stands for a key where its text does not fit: 52 bits of it. */
export const idOf = (text: string): number => (fnv1a(text) >>> 12) * 2 ** 32 + ofText(text)

/** What a snapshot's row holds beside its key. */
export type Snapshot = Pick<SnapshotRecord, "seq" | "epoch" | "version" | "trusted" | "at" | "state">

/** That of a snapshot; `key` is the sum of its key's text. */
export const ofSnapshot = (key: number, { at, epoch, seq, state, trusted, version }: Snapshot): number =>
  rowSum([key, seq, epoch, version, trusted, at], ofText(state))

/** That of a recorded answer; key and id as texts of the database. */
export const ofAnswer = (key: string, id: string, seq: number, at: number, body: string): number =>
  rowSum([ofText(key), ofText(id), seq, at], ofText(body))

/** That of the timers of a key. */
export const ofTimers = (key: string, seq: number, timers: string): number => rowSum([ofText(key), seq], ofText(timers))

/** That of a snapshot that was set aside. */
export const ofAside = (
  key: string,
  record: Snapshot,
  asideAt: number,
  texts: readonly [answers: string, why: string, timers: string | null]
): number => {
  const { at, epoch, seq, trusted, version } = record
  const sums = texts.map((text) => text === null ? 0 : ofText(text))
  return rowSum([ofText(key), seq, epoch, version, trusted, at, asideAt, ...sums], ofText(record.state))
}
