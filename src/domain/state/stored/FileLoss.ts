/**
 * Whether a file that is in use is still the one that its path names, and what has become of it if it is not.
 *
 * A file that is open can be written after it was removed, moved or replaced. What is written then is lost for the
 * process that opens the path next, and nothing fails. So a store compares what is at the path with what it has open,
 * after it has written.
 *
 * @since 0.1.0
 */

/** What tells one file from another. */
export interface FileIdentity {
  readonly dev: bigint | number
  /** Absent where the file system has none. */
  readonly ino: bigint | number | undefined
}

/** What is at a path. */
export interface FileMark extends FileIdentity {
  readonly size: number
}

/** What a file that is in use must be. */
export interface Expected extends FileIdentity {
  readonly least: number
  /** The most bytes it can have, if that is known. */
  readonly most: number
}

/**
 * What has become of a file. `missing`: it is not there any more. `moved`: likewise, and it still has a name elsewhere.
 * `replaced`: another file is there. `cut`: it is shorter than what was written. `changed`: something else has written
 * to it.
 */
export type FileLoss = "missing" | "moved" | "replaced" | "cut" | "changed"

/**
 * What has become of a file that must be `expected`; `links` are the names that it still has, as far as they are known.
 */
export const lossOf = (
  expected: Expected,
  found: FileMark | undefined,
  links: bigint | undefined
): FileLoss | undefined => {
  if (found === undefined) return links !== undefined && links > 0n ? "moved" : "missing"
  if (found.dev !== expected.dev || found.ino !== expected.ino) return "replaced"
  return found.size < expected.least ? "cut" : found.size > expected.most ? "changed" : undefined
}

/** What is known of the main file of a SQLite database that is in use, and of the log beside it. */
export interface CheckpointMark {
  /** When the main file was last changed. Only a checkpoint does that, while there is a log. */
  readonly changedAt: number
  /** What the log is known by until it is begun anew, which follows on a checkpoint of all of it; none: it is empty. */
  readonly log: number | undefined
  /** How much of the log is in the main file. */
  readonly copied: number
}

/** Whether something that was no checkpoint has written to the main file. */
export const isOverwritten = (before: CheckpointMark, now: CheckpointMark): boolean =>
  now.changedAt !== before.changedAt && now.copied === before.copied &&
  (before.log === undefined || now.log === before.log)
