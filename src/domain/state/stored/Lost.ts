/**
 * What is known of snapshots that were acknowledged and are lost.
 *
 * @since 0.1.0
 */
import { lost, type RecordedAnswer } from "../Answers.ts"

interface Numbered {
  readonly seq: number
}

/** The answers of a key when all that came after `seq` is lost: those that came with it are, too. */
export const answersUpTo = (
  answers: Iterable<RecordedAnswer>,
  seq: number,
  why: string
): ReadonlyArray<RecordedAnswer> =>
  Array.from(answers, (one) => one.seq > seq ? lost({ id: one.id, seq, at: one.at }, why) : one)

/**
 * Those that are still known as lost, newest first, when these snapshots are kept: they give way as they would if they
 * were whole, to as many that are younger.
 */
export const stillLost = <A extends Numbered>(
  lost: ReadonlyArray<A>,
  snapshots: ReadonlyArray<Numbered>,
  limit: number
): ReadonlyArray<A> => {
  const oldest = snapshots.at(-1)!.seq
  const after = lost.filter((one) => one.seq > oldest)
  return [...after, ...lost.slice(after.length, after.length + limit - snapshots.length)]
}
