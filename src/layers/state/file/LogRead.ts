/**
 * What a log has of a key: its snapshots with their states, and what is lost of it.
 *
 * A text is compared with its checksum each time it is read: what was whole when the session began may have rotted
 * since.
 *
 * @since 0.1.0
 */
import { Effect, type FileSystem, type PlatformError } from "effect"
import { anyId, lossOf, type RecordedAnswer } from "../../../domain/state/Answers.ts"
import * as LogFrame from "../../../domain/state/log/LogFrame.ts"
import { type AsideRecord, loaded, type SnapshotRecord } from "../../../domain/state/stored/SnapshotRecord.ts"
import { safely } from "../../observation/SafeLog.ts"
import { guarded } from "../../process/Execute.ts"
import { type Damage, explain, isLoss } from "./LogDirectory.ts"
import { asideWithState, type IndexedAside, type LogIndex, type Place, withState } from "./LogIndex.ts"
import { bytesAt } from "./LogScan.ts"

/** The text at a place of a file, and whether it is what was written. */
export const readText = Effect.fnUntraced(function*(
  file: FileSystem.File,
  { at, length, sum }: Place,
  checksum: LogFrame.Checksum
) {
  const bytes = yield* bytesAt(file, at, length)
  const isWhole = bytes.length === length && (sum === undefined || checksum(bytes) === sum)
  return { text: LogFrame.textOf(bytes), isWhole }
})

/** A text that was read, and whether it is what was written. */
export type ReadText = Effect.Success<ReturnType<typeof readText>>

/** How the texts of a log are read. */
export type Reader = (place: Place) => Effect.Effect<ReadText, PlatformError.PlatformError>

/** Why a text is not what was written. */
export const whyRotten = ({ file }: Place): string => `its bytes in ${file} are not those that were written`

const lying = (text: Reader, place: Place): Effect.Effect<ReadText, PlatformError.PlatformError> =>
  place.length === 0
    ? Effect.succeed({ text: "", isWhole: true })
    // Where its file is gone, nothing is left of it.
    : Effect.catchIf(
      text(place),
      (error) => error.reason._tag === "NotFound",
      () => Effect.succeed({ text: "", isWhole: false })
    )

/**
 * The snapshots of a key, newest first. One that has rotted since the log was read is lost from now on; `onRot` hears
 * where it lies.
 */
export const load = Effect.fnUntraced(function*(
  index: LogIndex,
  key: string,
  text: Reader,
  onRot: (place: Place) => Effect.Effect<void>
): Effect.fn.Return<ReadonlyArray<SnapshotRecord>, PlatformError.PlatformError> {
  const states = new Map<number, string>()
  for (const one of index.kept.get(key)?.snapshots.slice() ?? []) {
    const read = yield* text(one.place)
    if (read.isWhole) states.set(one.seq, read.text)
    else {
      index.rotten(one, whyRotten(one.place))
      yield* onRot(one.place)
    }
  }
  const kept = index.kept.get(key)
  const records = kept?.snapshots.map((one) =>
    loaded(withState(one, states.get(one.seq)!), kept.answers, kept.timers)
  ) ?? []
  const lost = index.lostOf(key)
  if (lost === undefined) return records
  const answers = Array.from(lost.answers)
  const gone = yield* Effect.forEach(lost.records, (one) =>
    Effect.map(lying(text, one.place), (read) => ({
      ...loaded(withState(one, read.text), answers, kept?.timers),
      damaged: one.damaged,
      // Nothing was written under this epoch.
      ...(one.epoch === 0 ? { isDoubt: true as const } : {})
    })))
  return [...gone, ...records]
})

/** A snapshot that was set aside, with its text as it lies there. */
export const aside = (one: IndexedAside, text: Reader): Effect.Effect<AsideRecord, PlatformError.PlatformError> =>
  Effect.map(lying(text, one.place), (read) => {
    const record = asideWithState(one, read.text)
    return read.isWhole ? record : { damaged: whyRotten(one.place), ...record }
  })

/** Every key that starts from an older snapshot than it was acknowledged, and every one that answers are lost of. */
export const losses = (index: LogIndex): ReadonlyArray<Damage> => {
  const found: Array<Damage> = []
  for (const [key, { snapshots: [newest] }] of index.kept) {
    const lost = index.lostOf(key)
    if (lost !== undefined) {
      const { damaged: why = "", seq } = lost.records[0]
      found.push({ _tag: "Lost", key, seq, from: newest?.seq, why })
    }
    const answers = answersLost(key, lost?.answers ?? index.kept.get(key)!.answers)
    if (answers !== undefined) found.push(answers)
  }
  return found
}

const answersLost = (key: string, answers: Iterable<RecordedAnswer>): Damage | undefined => {
  let count: number | undefined = 0
  let why: string | undefined
  for (const answer of answers) {
    const issue = lossOf(answer)
    if (issue === undefined) continue
    why = issue
    count = answer.id === anyId || count === undefined ? undefined : count + 1
  }
  return why === undefined ? undefined : { _tag: "AnswersLost", key, count, why }
}

/**
 * Keys that a log line each is written for, when many have lost something; each has one more when its server starts.
 */
const maxLines = 100

/**
 * How damage is reported: to `given`, or to the log. What was reported is not again, however often the log is read;
 * what reports must not stop the store from going on with what is whole.
 */
export const reporting = (store: string, given: ((damage: Damage) => Effect.Effect<void>) | undefined) => {
  const known = new Set<string>()
  let lines = 0
  const write = (damage: Damage) => {
    if (damage._tag === "Lost" && ++lines > maxLines) return Effect.void
    const more = lines === maxLines ? ". There are more: each is named when its server starts" : ""
    const line = `state store "${store}": ${explain(damage)}${more}`
    return safely(isLoss(damage) ? Effect.logError(line) : Effect.logWarning(line))
  }
  return (damage: Damage): Effect.Effect<void> => {
    const text = explain(damage)
    if (known.has(text)) return Effect.void
    known.add(text)
    return Effect.catchCause(
      guarded("onDamage", () => (given ?? write)(damage)),
      (cause) =>
        Effect.andThen(write(damage), safely(Effect.logError(`state store "${store}": onDamage failed`, cause)))
    )
  }
}
