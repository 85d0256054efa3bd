/**
 * A folder with a log in it: claims that say whose it is, and segments that hold what was written.
 *
 * `0000000007.claim`: session 7 owns the folder as long as it is there; in it is the name of the newest segment, so
 * that one that is missing with all that belongs to it is noticed. `0000000007-0.log` is the first segment that session
 * 7 wrote; its first entry names the segments it builds on, and how much of each. `0000000007-0.keys` has the heads of
 * its frames once more, each written when the frame was flushed: what is damaged or missing in one of the two files is
 * in the other, or known by name. What is damaged is not deleted: it is set aside as `….damaged`.
 *
 * *Tricky*: no lock, because a lock outlives `kill -9`. A session that takes over first makes its claim, then removes
 * the older one, and only then reads what was written; a session that writes first writes, and only then looks whether
 * its claim is still there. So when an old session and a new one race, either the new one has read the batch, or the
 * old one finds its claim gone; how far the new one has read is written in its first segment, and what comes after that
 * is never read again. The same order protects files: an owner deletes what it has replaced only if its claim is there
 * after the replacement is. This needs a file system where a process sees at once what another has done: any local one,
 * not every network one.
 *
 * @since 0.1.0
 */
import { ByteSize, Effect, type FileSystem, type Path, type PlatformError, type Scope } from "effect"
import type { LogEntry, SegmentEntry } from "../../../domain/state/log/LogEntry.ts"
import * as LogFrame from "../../../domain/state/log/LogFrame.ts"
import * as OldFrame from "../../../domain/state/log/OldFrame.ts"
import { type Identity, ReadAhead, witnessed } from "./LogScan.ts"
import * as NodeDisk from "./NodeDisk.ts"

/**
 * Something in the folder that is not as it was written.
 *
 * @category models
 * @since 0.1.0
 */
export type Damage =
  /** The end of a segment was not written whole: it is cut off. It was never acknowledged. */
  | { readonly _tag: "TornTail"; readonly file: string; readonly at: number; readonly bytes: number }
  /** Bytes are not those that were written. What is lost by it, if anything, is named on its own. */
  | { readonly _tag: "Hole"; readonly file: string; readonly at: number; readonly bytes: number }
  /** A segment is missing, does not say what it builds on, or does not follow on what is before it. */
  | { readonly _tag: "Unusable"; readonly file: string; readonly why: string }
  /** Snapshots of a key up to `seq` were acknowledged, or may have been, and it starts from `from`; or from `init`. */
  | {
    readonly _tag: "Lost"
    readonly key: string
    readonly seq: number
    readonly from: number | undefined
    readonly why: string
  }
  /** So many recorded answers of a key are lost; without a number any may be. Their calls are not handled again. */
  | { readonly _tag: "AnswersLost"; readonly key: string; readonly count: number | undefined; readonly why: string }

/** Whether something acknowledged is lost by it, or may be. */
export const isLoss = ({ _tag }: Damage): boolean => _tag !== "TornTail" && _tag !== "Hole"

/** A damage, for people. */
export const explain = (damage: Damage): string => {
  switch (damage._tag) {
    case "TornTail":
      return `${damage.file}: the last ${damage.bytes} bytes (from ${damage.at}) were not written whole and are cut off; ` +
        "they were never acknowledged"
    case "Hole":
      return `${damage.file}: ${damage.bytes} bytes from ${damage.at} on are damaged; what is lost by it is named on its own, ` +
        "and the file is set aside when it is no longer needed"
    case "Unusable":
      return `${damage.file}: ${damage.why}`
    case "Lost":
      return `"${damage.key}" was acknowledged up to snapshot ${damage.seq}, which is lost (${damage.why}): it starts from ${
        damage.from === undefined ? "init" : `snapshot ${damage.from}`
      }`
    case "AnswersLost":
      return `"${damage.key}": ${
        damage.count === undefined ? "recorded answers may be" : `${damage.count} recorded answers are`
      } lost (${damage.why}): their calls are answered AnswerLost when they are made again, and not handled`
  }
}

/** A segment's name, and what it says. */
export interface SegmentName {
  readonly file: string
  readonly session: number
  readonly number: number
}

const digits = (session: number): string => String(session).padStart(10, "0")

/** The log in a folder. */
export const make = (
  fs: FileSystem.FileSystem,
  path: Path.Path,
  directory: string,
  checksum: LogFrame.Checksum
) => {
  const at = (name: string): string => path.join(directory, name)
  const noteOf = (file: string) => encoder.encode(`${file} ${checksum(encoder.encode(file))}`.padEnd(claimBytes))
  const claimName = (session: number): string => `${digits(session)}.claim`
  const ignoreMissing = (effect: Effect.Effect<void, PlatformError.PlatformError>) =>
    Effect.catchIf(effect, (error) => error.reason._tag === "NotFound", () => Effect.void)

  const list = Effect.map(fs.readDirectory(directory), (names) => {
    const claims: Array<number> = []
    const segments: Array<SegmentName> = []
    const all = new Set(names)
    // A log may be missing, and what was written beside it is there.
    for (const name of names) {
      const log = name.replace(/^(\d{10}-\d+)\.keys$/, "$1.log")
      if (log !== name) all.add(log)
    }
    const temporary: Array<SegmentName> = []
    for (const file of all) {
      const claim = /^(\d{10})\.claim$/.exec(file)
      const segment = /^(\d{10})-(\d+)\.log$/.exec(file)
      if (claim !== null) claims.push(Number(claim[1]))
      else if (segment !== null) segments.push({ file, session: Number(segment[1]), number: Number(segment[2]) })
      else if (file.endsWith(".log.tmp")) temporary.push({ file, session: sessionOf(file), number: 0 })
    }
    segments.sort((a, b) => a.session - b.session || a.number - b.number)
    return { claims, segments, temporary }
  })

  /** Makes a rename or a new file last. Some systems cannot flush a folder, and need not. */
  const syncDirectory = Effect.ignore(
    Effect.scoped(Effect.flatMap(fs.open(directory, { flag: "r" }), (handle) => handle.sync))
  )

  const noteIn = (session: number) =>
    Effect.map(
      Effect.catchIf(
        fs.readFileString(at(claimName(session))),
        (error) => error.reason._tag === "NotFound",
        () => Effect.succeed("")
      ),
      (text) => {
        const [file = "", sum] = text.trim().split(" ")
        return sum === String(checksum(encoder.encode(file))) ? file : undefined
      }
    )

  /** Claims the folder for a new session, which is younger than all that were. */
  const claim: Effect.Effect<number, PlatformError.PlatformError> = Effect.gen(function*() {
    while (true) {
      const before = yield* list
      const session = 1 + Math.max(0, ...before.claims, ...before.segments.map((one) => one.session))
      let note: string | undefined
      for (const older of before.claims.sort((a, b) => a - b)) note = (yield* noteIn(older)) ?? note
      const claimed = yield* Effect.scoped(
        Effect.flatMap(
          fs.open(at(claimName(session)), { flag: "wx" }),
          (handle) => note === undefined ? Effect.void : handle.writeAll(noteOf(note))
        )
      ).pipe(
        Effect.as(true),
        Effect.catchIf((error) => error.reason._tag === "AlreadyExists", () => Effect.succeed(false))
      )
      if (!claimed) continue
      const after = yield* list
      for (const older of after.claims) if (older < session) yield* ignoreMissing(fs.remove(at(claimName(older))))
      return session
    }
  })

  const nameOf = (session: number, number: number): string => `${digits(session)}-${number}.log`

  /** Creates a segment that begins with `frames`, and is there whole or not at all. */
  const create = Effect.fnUntraced(function*<E>(
    file: string,
    write: (handle: FileSystem.File) => Effect.Effect<void, E>
  ): Effect.fn.Return<FileSystem.File, E | PlatformError.PlatformError, Scope.Scope> {
    const temporary = at(`${file}.tmp`)
    // A left-over of the same name is this session's own: an attempt that failed.
    yield* fs.remove(temporary, { force: true })
    const handle = yield* fs.open(temporary, { flag: "wx+" })
    yield* write(handle)
    yield* handle.sync
    yield* fs.rename(temporary, at(file))
    yield* syncDirectory
    return handle
  })

  /** The heads that were written beside a segment, and their bytes. */
  const witness = Effect.fnUntraced(function*(file: string) {
    const bytes = yield* Effect.catchIf(
      fs.readFile(at(witnessOf(file))),
      (error) => error.reason._tag === "NotFound",
      () => Effect.undefined
    )
    return bytes && { bytes, heads: witnessed(bytes, identityOf(file), checksum) }
  })

  /** The first entry of a segment, from the segment or from what was written beside it. */
  const header = Effect.fnUntraced(function*({ file }: SegmentName) {
    const found = yield* Effect.catchIf(
      Effect.scoped(Effect.flatMap(fs.open(at(file), { flag: "r" }), (handle) => firstOf(handle, file))),
      (error) => error.reason._tag === "NotFound",
      () => Effect.undefined
    )
    if (found !== undefined) return found
    const beside = yield* witness(file)
    const first = beside?.heads.get(0)
    return beside && first && segmentOf(LogFrame.contentsOf(beside.bytes, first.at, first.head).entries[0])
  })

  const firstOf = Effect.fnUntraced(function*(handle: FileSystem.File, file: string) {
    const size = ByteSize.toNumberUnsafe((yield* handle.stat).size)
    const ahead = new ReadAhead(handle, size)
    yield* ahead.have(0, LogFrame.headerBytes)
    const length = LogFrame.claimedAt(ahead.bytes, 0)?.headBytes ?? OldFrame.lengthAt(ahead.bytes, 0)
    if (length === 0 || length > size) return undefined
    yield* ahead.have(0, length)
    const head = LogFrame.headAt(ahead.bytes, 0, checksum)
    const { segment, session } = identityOf(file)
    if (head !== undefined) {
      const isOwn = head.session === session && head.segment === segment && head.place === 0
      return isOwn ? segmentOf(LogFrame.contentsOf(ahead.bytes, 0, head).entries[0]) : undefined
    }
    const old = OldFrame.read(ahead.bytes, 0, checksum)
    return old?.session === session ? segmentOf(old.entries[0]?.json) : undefined
  })

  /** Sets a file aside under a name that says so, for a person to look at. */
  const setAside = (file: string) =>
    Effect.gen(function*() {
      for (const name of [witnessOf(file), file]) {
        yield* ignoreMissing(fs.rename(at(name), at(`${name}.damaged`)))
      }
    })

  return {
    at,
    list,
    claim,
    /** Whether the folder is still the session's. */
    isOwner: (session: number): Effect.Effect<boolean, PlatformError.PlatformError> =>
      fs.exists(at(claimName(session))),
    /** What is at a path, where that is seen at once. */
    seen: NodeDisk.seenBy(fs),
    /** What is at a file's place; nothing if it is not there. */
    stat: (file: string): Effect.Effect<FileSystem.File.Info | undefined, PlatformError.PlatformError> =>
      Effect.catchIf(fs.stat(at(file)), (error) => error.reason._tag === "NotFound", () => Effect.undefined),
    /** Whether a session younger than this one has claimed the folder. */
    hasYounger: (session: number): Effect.Effect<boolean, PlatformError.PlatformError> =>
      list.pipe(
        Effect.map(({ claims, segments }) =>
          [...claims, ...segments.map((one) => one.session)].some((n) => n > session)
        ),
        Effect.catchIf((error) => error.reason._tag === "NotFound", () => Effect.succeed(false))
      ),
    claimName,
    nameOf,
    create,
    open: (file: string, flag: FileSystem.OpenFlag) => fs.open(at(file), { flag }),
    witness,
    header,
    setAside,
    /** Notes in the session's claim which segment is the newest; not where the claim is gone. */
    note: (session: number, file: string): Effect.Effect<void, PlatformError.PlatformError> =>
      ignoreMissing(Effect.scoped(Effect.flatMap(
        fs.open(at(claimName(session)), { flag: "r+" }),
        (handle) => handle.writeAll(noteOf(file))
      ))),
    /** Which segment the newest claim with a note says is the newest. */
    noted: Effect.gen(function*() {
      const { claims } = yield* list
      let newest: string | undefined
      for (const session of claims.sort((a, b) => a - b)) newest = (yield* noteIn(session)) ?? newest
      return newest
    }),
    /** Removes a segment; what was written beside it goes first, for without it a segment would seem to be missing. */
    remove: (file: string) =>
      Effect.andThen(ignoreMissing(fs.remove(at(witnessOf(file)))), ignoreMissing(fs.remove(at(file))))
  }
}

/** The log in a folder. */
export type LogDirectory = ReturnType<typeof make>

/** The session that a file's name says it is of. */
export const sessionOf = (file: string): number => Number.parseInt(file, 10)

/** Which segment a file's name says it is. */
export const identityOf = (file: string): Identity => ({
  session: sessionOf(file),
  segment: Number.parseInt(file.slice(file.indexOf("-") + 1), 10)
})

/** Whether a segment is younger than another one. Their numbers say so: as texts `…-10` comes before `…-9`. */
export const isYounger = (file: string, { number, session }: SegmentName): boolean => {
  const one = identityOf(file)
  return one.session > session || (one.session === session && one.segment > number)
}

/** What the heads of a segment's frames are written to once more. */
export const witnessOf = (file: string): string => file.replace(/\.log$/, ".keys")

const segmentOf = (json: unknown): SegmentEntry | undefined => {
  const entry = json as LogEntry | undefined
  return entry?._tag === "Segment" ? entry : undefined
}

const encoder = new TextEncoder()

/** Bytes of a claim with a note: always as many, so that it is written over. */
const claimBytes = 40
