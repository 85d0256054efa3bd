/** The files of a log of two segments: what was written, what becomes of it, and what is read of it then. */
import { NodeServices } from "@effect/platform-node"
import { Effect, type FileSystem, Path } from "effect"
import { type LogEntry, written } from "../../../src/domain/state/log/LogEntry.ts"
import * as LogFrame from "../../../src/domain/state/log/LogFrame.ts"
import * as LogDirectory from "../../../src/layers/state/file/LogDirectory.ts"
import { load, readText } from "../../../src/layers/state/file/LogRead.ts"
import { replay } from "../../../src/layers/state/file/LogReplay.ts"
import { checksum } from "../../../src/layers/state/file/NodeDisk.ts"
import { type Files, MemoryDisk } from "./MemoryDisk.ts"
import { record } from "./Records.ts"

/** A frame as it was written: in the log, and its head beside it. */
interface Frame {
  readonly bytes: Uint8Array
  readonly head: Uint8Array
}

export type Frames = ReadonlyArray<Frame>

const writer = new LogFrame.FrameWriter(checksum)

/** The frames of a segment, each of some entries, and the checksum that the next one follows on. */
export const segment = (
  session: number,
  number: number,
  before: number,
  batches: ReadonlyArray<ReadonlyArray<LogEntry>>
) => {
  let chain = before
  const frames = batches.map((entries, place): Frame => {
    const made = writer.make(entries.map(written), { session, segment: number, place, before: chain })
    chain = made.sum
    return { bytes: made.bytes.slice(), head: made.head.slice() }
  })
  return { frames, chain }
}

export const put = (key: string, seq: number, epoch: number): LogEntry => ({
  _tag: "Put",
  record: record(key, seq, epoch, { state: `"${key}${seq}"` })
})

export const joined = (parts: ReadonlyArray<Uint8Array>): Uint8Array => new Uint8Array(Buffer.concat(parts))
export const sizeOf = (frames: Frames) => joined(frames.map(({ bytes }) => bytes)).length

/** The two segments, the younger of which builds on the other. */
export const old = "0000000001-0.log"
export const young = "0000000002-0.log"

export const first = segment(1, 0, 0, [
  [{ _tag: "Segment", bases: [], cuts: [] }],
  [put("a", 1, 1), put("b", 1, 1)],
  [put("a", 2, 1)],
  [put("a", 3, 1)]
])
const cut = { session: 1, file: old, upTo: sizeOf(first.frames) }
export const second = segment(2, 0, first.chain, [
  [{ _tag: "Segment", bases: [{ file: old, upTo: cut.upTo, frames: 4 }], cuts: [cut] }],
  [put("b", 2, 2)],
  [put("b", 3, 2), put("c", 1, 2)]
])

/** What becomes of a frame, in the log or beside it. */
export type Change = (bytes: Uint8Array) => Uint8Array

export const flipped = (at: number): Change => (bytes) =>
  bytes.map((byte, i) => i === (at + bytes.length) % bytes.length ? byte ^ 1 : byte)
export const asItIs: Change = (bytes) => bytes
export const gone: Change = () => new Uint8Array(0)
/** The last byte of the last text; of a head alone, its last byte. */
export const rotten = flipped(-1)
export const cutShort: Change = (bytes) => bytes.slice(0, -1)
/** In the middle of the head. */
export const headless = flipped(40)
export const half: Change = (bytes) => bytes.slice(0, 40)
export const zeros: Change = (bytes) => new Uint8Array(bytes.length)

/** The frames of a file with changes to the last ones. */
const changed = (parts: ReadonlyArray<Uint8Array>, changes: ReadonlyArray<Change>) =>
  joined(parts.map((part, i) => (changes[i - parts.length + changes.length] ?? asItIs)(part)))

/** The files of both segments, with changes to the last frames of each, and to what lies beside them. */
export const files = (
  { oldBeside = [], oldLog = [], youngBeside = [], youngLog = [] }: {
    readonly [file in "oldLog" | "oldBeside" | "youngLog" | "youngBeside"]?: ReadonlyArray<Change>
  }
): Map<string, Uint8Array> =>
  new Map([
    [old, changed(first.frames.map(({ bytes }) => bytes), oldLog)],
    [LogDirectory.witnessOf(old), changed(first.frames.map(({ head }) => head), oldBeside)],
    [young, changed(second.frames.map(({ bytes }) => bytes), youngLog)],
    [LogDirectory.witnessOf(young), changed(second.frames.map(({ head }) => head), youngBeside)]
  ])

/** A disk that answers so many bytes at a time, and all of them by default. */
const diskOf = (folder: Files, most = Infinity): FileSystem.FileSystem => {
  const { fileSystem } = new MemoryDisk(folder)
  return {
    ...fileSystem,
    open: (path, options) =>
      Effect.map(fileSystem.open(path, options), (file) => ({
        ...file,
        read: (buffer, options) => file.read(buffer.subarray(0, Math.min(buffer.length, most)), options)
      }))
  }
}

export const read = Effect.fnUntraced(function*(folder: Files, most?: number) {
  const fs = diskOf(folder, most)
  const path = yield* Effect.provide(Path.Path, NodeServices.layer)
  const found = yield* replay(fs, LogDirectory.make(fs, path, "/store", checksum), 3, checksum)
  const loaded = yield* Effect.forEach(["a", "b", "c"], (key) =>
    Effect.map(
      load(
        found.index,
        key,
        (place) =>
          Effect.scoped(Effect.flatMap(fs.open(`/store/${place.file}`), (file) => readText(file, place, checksum))),
        () => Effect.void
      ),
      (records) => `${key}${records.map(({ damaged, seq }) => ` ${seq}${damaged === undefined ? "" : "?"}`).join("")}`
    ))
  return { ...found, loaded: loaded.join(", ") }
})

export const said = (damage: LogDirectory.Damage): string => {
  switch (damage._tag) {
    case "TornTail":
    case "Hole":
      return `${damage._tag} ${damage.file[9]} ${damage.at}+${damage.bytes}`
    case "Unusable":
      return `Unusable ${damage.file[9]}: ${damage.why.split(":")[0]}`
    case "Lost":
      return `Lost ${damage.key}${damage.seq}<${damage.from}`
    case "AnswersLost":
      return `AnswersLost ${damage.key}`
  }
}

export const base = { _tag: "Segment", cuts: [], bases: [] } as const
export const encoded = (frames: Frames) => joined(frames.map(({ bytes }) => bytes))
/** A folder of segments alone, with nothing beside them. */
export const bare = (segments: Record<string, Frames>) =>
  new Map(Object.entries(segments).map(([name, frames]) => [name, encoded(frames)]))

const u32 = (n: number) => new Uint8Array(new Uint32Array([n]).buffer)

/** A frame as version 0.1 wrote it. */
export const oldFrame = (
  session: number,
  entries: ReadonlyArray<readonly [json: unknown, text: string]>
): Uint8Array => {
  const payload = joined(entries.flatMap(([json, text]) => {
    const [head, body] = [new TextEncoder().encode(JSON.stringify(json)), new TextEncoder().encode(text)]
    return [u32(head.length), u32(body.length), head, body]
  }))
  const rest = joined([u32(session), payload])
  return joined([new TextEncoder().encode("HLM1"), u32(payload.length), u32(checksum(rest)), rest])
}
