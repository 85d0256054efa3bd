/**
 * Whether the files of a log are still where its session has them open.
 *
 * What is written to a file that was removed, moved or replaced does not fail, and is lost. So a session looks at the
 * names of its files before it writes, and again when it has flushed: for the price of a `stat` each.
 *
 * @since 0.1.0
 */
import { ByteSize, Effect, type FileSystem, Option, type PlatformError } from "effect"
import { type FileIdentity, type FileLoss, lossOf } from "../../../domain/state/stored/FileLoss.ts"
import type { LogDirectory } from "./LogDirectory.ts"

/** What has become of a file, or of the folder. */
export interface Lost {
  readonly path: string
  readonly how: FileLoss
}

/** A file of the log, and how many bytes it must have. */
export interface Piece {
  readonly file: string
  readonly least: number
  readonly most: number
}

type Info = FileSystem.File.Info

const identityOf = ({ dev, ino }: Info): FileIdentity => ({ dev, ino: Option.getOrUndefined(ino) })

/** The files of a log that are in use. */
export class LogPresence {
  private readonly log: LogDirectory
  private folder: FileIdentity | undefined = undefined
  private readonly files = new Map<string, FileIdentity & { readonly path: string }>()

  constructor(log: LogDirectory) {
    this.log = log
  }

  /** Remembers the folder: which one it is. */
  readonly begin: Effect.Effect<void, PlatformError.PlatformError> = Effect.suspend(() =>
    Effect.map(this.log.stat(""), (folder) => {
      this.folder = folder && identityOf(folder)
    })
  )

  /** Remembers which file a name is of. */
  meet(file: string, found: Info | undefined): void {
    if (found !== undefined) this.files.set(file, { ...identityOf(found), path: this.log.at(file) })
  }

  /** These names are no longer used. */
  forget(): void {
    this.files.clear()
  }

  /** The first piece that is not as it was. */
  lost(
    pieces: ReadonlyArray<Piece>,
    handle: (file: string) => FileSystem.File | undefined
  ): Effect.Effect<Lost | undefined, PlatformError.PlatformError> {
    return this.areSeen(pieces) ? Effect.undefined : this.found(pieces, handle)
  }

  /** Whether all of them are seen at once to be as they were. This is looked at twice for every batch. */
  private areSeen(pieces: ReadonlyArray<Piece>): boolean {
    for (const { file, least, most } of pieces) {
      const known = this.files.get(file)
      if (known === undefined) return false
      const { dev, ino, path } = known
      if (lossOf({ dev, ino, least, most }, this.log.seen(path), undefined) !== undefined) return false
    }
    return true
  }

  private found(
    pieces: ReadonlyArray<Piece>,
    handle: (file: string) => FileSystem.File | undefined
  ): Effect.Effect<Lost | undefined, PlatformError.PlatformError> {
    return Effect.gen({ self: this }, function*() {
      for (const { file, least, most } of pieces) {
        const identity = this.files.get(file)
        const found = yield* this.log.stat(file)
        const mark = found && { ...identityOf(found), size: ByteSize.toNumberUnsafe(found.size) }
        const how = identity && lossOf({ ...identity, least, most }, mark, undefined)
        if (how !== undefined) return how === "missing" ? yield* this.missing(file, handle(file)) : this.at(file, how)
      }
      return undefined
    })
  }

  private missing(
    file: string,
    handle: FileSystem.File | undefined
  ): Effect.Effect<Lost, PlatformError.PlatformError> {
    return Effect.gen({ self: this }, function*() {
      const folder = yield* this.log.stat("")
      const links = Option.getOrUndefined(
        (handle === undefined ? undefined : yield* handle.stat)?.nlink ?? Option.none()
      )
      const isOther = folder !== undefined && this.folder !== undefined &&
        lossOf({ ...this.folder, least: 0, most: Infinity }, { ...identityOf(folder), size: 0 }, undefined) !==
          undefined
      if (isOther) return this.at("", "replaced")
      return this.at(folder === undefined ? "" : file, links !== undefined && links > 0n ? "moved" : "missing")
    })
  }

  private at(file: string, how: FileLoss): Lost {
    return { path: this.log.at(file), how }
  }
}
