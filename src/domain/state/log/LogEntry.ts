/**
 * The entries of a log of snapshots, and how they are written.
 *
 * @since 0.1.0
 */
import { lost } from "../Answers.ts"
import type { AsideRecord, RecordedAnswer, Saved, SnapshotRecord } from "../stored/SnapshotRecord.ts"
import type { Timers } from "../Timers.ts"
import type { TextAt, Written } from "./LogFrame.ts"

/** A part of a log file that another segment builds on. */
export interface Base {
  readonly file: string
  readonly upTo: number
  /** How many frames it has; absent in a log of version 0.1. */
  readonly frames?: number | undefined
}

/** A snapshot without its state and what is beside it. */
export type Meta = Omit<SnapshotRecord, "state" | keyof Saved | "damaged">

/** An entry of the log. Read back, a record's `state` is empty: its text lies beside the entry. */
export type LogEntry =
  /**
   * The first entry of a file: what came before it, where the sessions before were cut off, and the files it took the
   * place of.
   */
  | {
    readonly _tag: "Segment"
    readonly bases: ReadonlyArray<Base>
    readonly cuts: ReadonlyArray<{ readonly session: number; readonly file: string; readonly upTo: number }>
    readonly replaces?: ReadonlyArray<string> | undefined
  }
  | { readonly _tag: "Epoch"; readonly owner: string; readonly epoch: number }
  | { readonly _tag: "Put"; readonly record: SnapshotRecord }
  | {
    readonly _tag: "Aside"
    readonly key: string
    readonly seq: number
    readonly why: string
    readonly asideAt: number
  }
  /** As compaction writes what was set aside. */
  | { readonly _tag: "KeptAside"; readonly record: AsideRecord }
  | { readonly _tag: "Remove"; readonly keys: ReadonlyArray<string> }
  /** As compaction writes a snapshot that was acknowledged and is damaged, with what is left of its text. */
  | { readonly _tag: "Lost"; readonly record: SnapshotRecord; readonly why: string }
  /** Answers of a key that are lost, where no snapshot of it is left. */
  | { readonly _tag: "AnswersLost"; readonly key: string; readonly answers: ReadonlyArray<RecordedAnswer> }
  /**
   * A part was lost of which it is not known what it held: who has no snapshot may have had one. Without a reason that
   * is over.
   */
  | { readonly _tag: "Doubt"; readonly at: number; readonly why: string }

/**
 * An entry as it is written. A snapshot is a bare list: there are many of them, and every byte is flushed. The bodies
 * of its answers are texts, so that who was answered is known where the body is damaged.
 */
export const written = (entry: LogEntry): Written => {
  if (entry._tag === "Put") {
    const { answers = [], at, epoch, key, seq, state, timers, trusted, version } = entry.record
    const { forgetAnswersBefore: given = 0, forgetMadeBefore: made = 0 } = entry.record
    const isPlain = answers.length === 0 && given === 0 && made === 0 && timers === undefined
    const set = timers === undefined ? "" : `,${JSON.stringify(timers)}`
    const ids = answers.map((one) => [one.id, one.seq, one.at])
    const forget = made === 0 ? given : `[${given},${made}]`
    const more = isPlain ? "" : `,${JSON.stringify(ids)},${forget}${set}`
    return {
      json: `[${JSON.stringify(key)},${epoch},${seq},${version},${trusted},${at}${more}]`,
      texts: isPlain ? [state] : [state, ...answers.map((one) => one.body)]
    }
  }
  if (entry._tag === "KeptAside" || entry._tag === "Lost") {
    return { json: JSON.stringify({ ...entry, record: { ...entry.record, state: "" } }), texts: [entry.record.state] }
  }
  return { json: JSON.stringify(entry), texts: [] }
}

type PutList = [
  key: string,
  epoch: number,
  seq: number,
  version: number,
  trusted: number,
  at: number,
  answers?: ReadonlyArray<[id: string, seq: number, at: number]>,
  /** Of answers under given keys, or of both kinds. */
  forget?: number | [given: number, made: number],
  timers?: Timers
]

/** How the texts beside the entries of a frame are read: those of one entry after those of the one before. */
export interface Texts {
  /** The next one. */
  next(): TextAt | undefined
  /** Its text; why it is not to be had, where it is damaged. */
  read(text: TextAt | undefined): { readonly text: string } | { readonly why: string }
}

/** An entry out of a head that is whole, and where its state lies: what {@link written} wrote. */
export const decode = (
  json: unknown,
  texts: Texts
): { readonly entry: LogEntry; readonly text: TextAt | undefined } => {
  if (!Array.isArray(json)) {
    const entry = json as LogEntry
    return { entry, text: entry._tag === "KeptAside" || entry._tag === "Lost" ? texts.next() : undefined }
  }
  const [key, epoch, seq, version, trusted, at, ids, forget, timers] = json as PutList
  const [forgetAnswersBefore, forgetMadeBefore] = Array.isArray(forget) ? forget : [forget]
  const text = texts.next()
  const answers = ids?.map(([id, seq, at]): RecordedAnswer => {
    const body = texts.read(texts.next())
    return "text" in body ? { id, seq, at, body: body.text } : lost({ id, seq, at }, body.why)
  })
  const meta = { key, epoch, seq, version, trusted, at, state: "" }
  const record = { ...meta, answers, forgetAnswersBefore, forgetMadeBefore, timers }
  return { entry: { _tag: "Put", record }, text }
}

/** An entry of version 0.1, whose answers are in it. */
export const decodeOld = (json: unknown): LogEntry => {
  if (!Array.isArray(json)) return json as LogEntry
  const [key, epoch, seq, version, trusted, at, answers, forgetAnswersBefore, timers] = json
  const record = { key, epoch, seq, version, trusted, at, state: "", answers, forgetAnswersBefore, timers }
  return { _tag: "Put", record: record as SnapshotRecord }
}

/** The first entry of a segment. */
export type SegmentEntry = LogEntry & { readonly _tag: "Segment" }

/** What a file without a header that can be read builds on: all that are older, as far as they go. */
export const derived = (older: ReadonlyArray<string>): SegmentEntry => ({
  _tag: "Segment",
  bases: older.map((file) => ({ file, upTo: Infinity })),
  cuts: []
})
