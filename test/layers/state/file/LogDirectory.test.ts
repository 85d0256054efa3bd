/** The log of a folder: who has claimed it, which segments there are, and what is made, noted and set aside. */
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Path, PlatformError } from "effect"
import * as LogDirectory from "../../../../src/layers/state/file/LogDirectory.ts"
import { checksum } from "../../../../src/layers/state/file/NodeDisk.ts"
import { MemoryDisk } from "../../../kit/stores/MemoryDisk.ts"

const bytes = (text: string) => new TextEncoder().encode(text)

const folderOf = (...names: ReadonlyArray<string>) => {
  const disk = new MemoryDisk(new Map(names.map((name) => [name, bytes(name)])))
  return Effect.map(
    Effect.provide(Path.Path, NodeServices.layer),
    (path) => ({
      disk,
      log: LogDirectory.make(disk.fileSystem, path, "/store", checksum),
      names: () => [...disk.copy.keys()].sort(),
      textOf: (name: string) => new TextDecoder().decode(disk.copy.get(name))
    })
  )
}

const segment = (session: number, number: number) => ({
  file: `${String(session).padStart(10, "0")}-${number}.log`,
  session,
  number
})

describe("the names in a folder", () => {
  it.effect("are claims, segments in their order, and what is left of segments in the making", () =>
    Effect.gen(function*() {
      const { log } = yield* folderOf(
        "0000000003.claim",
        "0000000010-0.log",
        "0000000002-11.log",
        "0000000002-2.log",
        "0000000002-2.keys",
        "0000000004-0.keys",
        "0000000005-0.log.tmp",
        "0000000005-0.log.damaged",
        "12-0.log",
        "0000000006.claim.bak",
        "x0000000007-0.log",
        "notes.txt"
      )
      assert.deepStrictEqual(yield* log.list, {
        claims: [3],
        // One that is gone, and has something beside it, is missing.
        segments: [segment(2, 2), segment(2, 11), segment(4, 0), segment(10, 0)],
        temporary: [{ file: "0000000005-0.log.tmp", session: 5, number: 0 }]
      })
      assert.strictEqual(log.nameOf(7, 12), "0000000007-12.log")
      assert.strictEqual(log.claimName(1234567890), "1234567890.claim")
      assert.strictEqual(log.at("a"), "/store/a")
      assert.deepStrictEqual(LogDirectory.identityOf("0000000007-12.log"), { session: 7, segment: 12 })
      assert.strictEqual(LogDirectory.sessionOf("0000000007-12.log"), 7)
      assert.strictEqual(LogDirectory.witnessOf("0000000007-12.log"), "0000000007-12.keys")
    }))
})

describe("a claim", () => {
  it.effect("is younger than all claims and segments, and takes the place of those before", () =>
    Effect.gen(function*() {
      const { log, names } = yield* folderOf()
      assert.strictEqual(yield* log.claim, 1)
      assert.isTrue(yield* log.isOwner(1))
      assert.strictEqual(yield* log.claim, 2)
      assert.deepStrictEqual(names(), ["0000000002.claim"])
      assert.isFalse(yield* log.isOwner(1))
      const other = yield* folderOf("0000000003.claim", "0000000004.claim", "0000000009-0.log")
      assert.strictEqual(yield* other.log.claim, 10)
      assert.deepStrictEqual(other.names(), ["0000000009-0.log", "0000000010.claim"])
    }))

  it.effect("that another was quicker to make is made again, younger", () =>
    Effect.gen(function*() {
      const { disk, names } = yield* folderOf()
      const { fileSystem } = disk
      let isFirst = true
      const log = LogDirectory.make(
        {
          ...fileSystem,
          readDirectory: (path) =>
            Effect.tap(fileSystem.readDirectory(path), () => {
              if (!isFirst) return Effect.void
              isFirst = false
              return Effect.scoped(fileSystem.open("/store/0000000001.claim", { flag: "wx" }))
            })
        },
        yield* Effect.provide(Path.Path, NodeServices.layer),
        "/store",
        checksum
      )
      assert.strictEqual(yield* log.claim, 2)
      assert.deepStrictEqual(names(), ["0000000002.claim"])
      // An older one that comes late finds a younger one there.
      assert.isTrue(yield* log.hasYounger(1))
      assert.isFalse(yield* log.hasYounger(2))
    }))

  it.effect("has a note of the newest segment, which goes over to the next claim; a damaged one is none", () =>
    Effect.gen(function*() {
      const { disk, log, names, textOf } = yield* folderOf()
      yield* log.claim
      assert.isUndefined(yield* log.noted)
      yield* log.note(1, "0000000001-0.log")
      assert.strictEqual(yield* log.noted, "0000000001-0.log")
      const text = textOf("0000000001.claim")
      assert.strictEqual(text, `0000000001-0.log ${checksum(bytes("0000000001-0.log"))}`.padEnd(40))
      yield* log.note(1, "0000000001-1.log")
      assert.lengthOf(textOf("0000000001.claim"), 40)
      yield* log.claim
      assert.deepStrictEqual(names(), ["0000000002.claim"])
      assert.strictEqual(yield* log.noted, "0000000001-1.log")
      // Where the claim is gone there is no note, and nothing is made.
      yield* log.note(1, "0000000009-0.log")
      assert.deepStrictEqual(names(), ["0000000002.claim"])
      disk.change("0000000002.claim", (note) => {
        note[9]! ^= 1
        return note
      })
      assert.isUndefined(yield* log.noted)
      yield* log.claim
      assert.strictEqual(textOf("0000000003.claim"), "")
    }))

  it.effect("of several the newest note counts, whatever order they are listed in", () =>
    Effect.gen(function*() {
      const { disk, log } = yield* folderOf("0000000012.claim", "0000000011.claim", "0000000002.claim")
      const noteOf = (file: string) => bytes(`${file} ${checksum(bytes(file))}`)
      disk.change("0000000002.claim", () => noteOf("old"))
      disk.change("0000000012.claim", () => noteOf("new"))
      disk.change("0000000011.claim", () => noteOf("middle"))
      assert.strictEqual(yield* log.noted, "new")
      // One without a note says nothing of what is newest.
      disk.change("0000000012.claim", () => bytes(""))
      assert.strictEqual(yield* log.noted, "middle")
      yield* log.claim
      assert.strictEqual(yield* log.noted, "middle")
    }))

  it.effect("of a younger session is seen by its claim, or by its segments", () =>
    Effect.gen(function*() {
      const { log } = yield* folderOf("0000000003.claim", "0000000005-0.log")
      assert.deepStrictEqual(yield* Effect.forEach([2, 4, 5, 6], log.hasYounger), [true, true, false, false])
      const gone = yield* folderOf("0000000003.claim")
      assert.deepStrictEqual(yield* Effect.forEach([2, 3], gone.log.hasYounger), [true, false])
    }))
})

describe("a segment", () => {
  it.effect("is there whole or not at all: what is left of an attempt is its own", () =>
    Effect.gen(function*() {
      const { log, names, textOf } = yield* folderOf("0000000001-0.log.tmp")
      const failed = log.create("0000000001-0.log", (handle) =>
        Effect.andThen(handle.writeAll(bytes("ab")), Effect.fail("no")))
      assert.strictEqual(yield* Effect.flip(failed), "no")
      assert.deepStrictEqual(names(), ["0000000001-0.log.tmp"])
      const handle = yield* log.create("0000000001-0.log", (handle) =>
        handle.writeAll(bytes("abc")))
      assert.deepStrictEqual(names(), ["0000000001-0.log"])
      assert.strictEqual(textOf("0000000001-0.log"), "abc")
      yield* handle.writeAll(bytes("d"))
      assert.strictEqual(textOf("0000000001-0.log"), "abcd")
      assert.isDefined(yield* log.stat("0000000001-0.log"))
      assert.isUndefined(yield* log.stat("0000000001-1.log"))
      assert.isUndefined(yield* log.witness("0000000001-0.log"))
    }))

  it.effect("is flushed before it has its name, and its name after that, as far as a folder can be flushed", () =>
    Effect.gen(function*() {
      const { disk } = yield* folderOf()
      const { fileSystem } = disk
      const done: Array<string> = []
      const log = LogDirectory.make(
        {
          ...fileSystem,
          open: (path, options) =>
            Effect.map(fileSystem.open(path, options), (handle) => ({
              ...handle,
              sync: path === "/store"
                ? Effect.andThen(
                  Effect.sync(() => void done.push("flush folder")),
                  Effect.fail(PlatformError.systemError({ _tag: "Unknown", module: "FileSystem", method: "test" }))
                )
                : Effect.sync(() => void done.push("flush"))
            })),
          rename: (from, to) => Effect.tap(fileSystem.rename(from, to), () => Effect.sync(() => done.push("rename"))),
          remove: (path, options) =>
            Effect.tap(fileSystem.remove(path, options), () => Effect.sync(() => done.push(`remove ${path}`)))
        },
        yield* Effect.provide(Path.Path, NodeServices.layer),
        "/store",
        checksum
      )
      yield* log.create(
        "0000000001-0.log",
        (handle) => Effect.andThen(handle.writeAll(bytes("abc")), Effect.sync(() => done.push("write")))
      )
      assert.deepStrictEqual(done.slice(1), ["write", "flush", "rename", "flush folder"])
      done.length = 0
      yield* Effect.scoped(fileSystem.open("/store/0000000001-0.keys", { flag: "w" }))
      yield* log.remove("0000000001-0.log")
      // Without what lies beside it, it would seem to be missing.
      assert.deepStrictEqual(done, ["remove /store/0000000001-0.keys", "remove /store/0000000001-0.log"])
    }))

  it.effect("is removed, or set aside, with what lies beside it, also where one of the two is gone", () =>
    Effect.gen(function*() {
      const { log, names } = yield* folderOf(
        "1-0.log",
        "1-0.keys",
        "1-1.log",
        "1-2.keys",
        "2-0.log",
        "2-0.keys",
        "2-1.log",
        "2-2.keys"
      )
      for (const file of ["1-0.log", "1-1.log", "1-2.log", "1-3.log"]) yield* log.remove(file)
      for (const file of ["2-0.log", "2-1.log", "2-2.log", "2-3.log"]) yield* log.setAside(file)
      assert.deepStrictEqual(names(), ["2-0.keys.damaged", "2-0.log.damaged", "2-1.log.damaged", "2-2.keys.damaged"])
    }))

  it.effect("a failure of the disk is no missing file", () =>
    Effect.gen(function*() {
      const { disk } = yield* folderOf("0000000001.claim")
      const denied = PlatformError.systemError({ _tag: "PermissionDenied", module: "FileSystem", method: "test" })
      const no = () => Effect.fail(denied)
      const log = LogDirectory.make(
        { ...disk.fileSystem, readFile: no, readFileString: no, remove: no, rename: no, stat: no, open: no },
        yield* Effect.provide(Path.Path, NodeServices.layer),
        "/store",
        checksum
      )
      const one = segment(1, 0)
      for (
        const effect of [
          log.claim,
          log.noted,
          log.note(1, one.file),
          log.remove(one.file),
          log.setAside(one.file),
          log.stat(one.file),
          log.witness(one.file),
          log.header(one)
        ]
      ) assert.strictEqual(yield* Effect.flip(effect as Effect.Effect<unknown, PlatformError.PlatformError>), denied)
      const broken = { ...disk.fileSystem, readDirectory: no }
      const path = yield* Effect.provide(Path.Path, NodeServices.layer)
      const other = LogDirectory.make(broken, path, "/store", checksum)
      assert.strictEqual(yield* Effect.flip(other.hasYounger(1)), denied)
      const missing = PlatformError.systemError({ _tag: "NotFound", module: "FileSystem", method: "test" })
      const gone = { ...disk.fileSystem, readDirectory: () => Effect.fail(missing) }
      assert.isFalse(yield* LogDirectory.make(gone, path, "/store", checksum).hasYounger(1))
    }))
})

describe("a damage", () => {
  it("says what it is, where, and what is lost by it", () => {
    const at = { file: "f", at: 10, bytes: 3 }
    const said: ReadonlyArray<readonly [LogDirectory.Damage, string, boolean]> = [
      [
        { _tag: "TornTail", ...at },
        "f: the last 3 bytes (from 10) were not written whole and are cut off; they were " +
        "never acknowledged",
        false
      ],
      [
        { _tag: "Hole", ...at },
        "f: 3 bytes from 10 on are damaged; what is lost by it is named on its own, and the file " +
        "is set aside when it is no longer needed",
        false
      ],
      [{ _tag: "Unusable", file: "f", why: "it is missing" }, "f: it is missing", true],
      [
        { _tag: "Lost", key: "k", seq: 5, from: 4, why: "w" },
        "\"k\" was acknowledged up to snapshot 5, which is lost (w): it starts from snapshot 4",
        true
      ],
      [
        { _tag: "Lost", key: "k", seq: 5, from: undefined, why: "w" },
        "\"k\" was acknowledged up to snapshot 5, which is lost (w): it starts from init",
        true
      ],
      [
        { _tag: "AnswersLost", key: "k", count: 2, why: "w" },
        "\"k\": 2 recorded answers are lost (w): their calls are answered AnswerLost when they are made again, and not " +
        "handled",
        true
      ],
      [
        { _tag: "AnswersLost", key: "k", count: undefined, why: "w" },
        "\"k\": recorded answers may be lost (w): their calls are answered AnswerLost when they are made again, and not " +
        "handled",
        true
      ]
    ]
    for (const [damage, text, isLoss] of said) {
      assert.strictEqual(LogDirectory.explain(damage), text)
      assert.strictEqual(LogDirectory.isLoss(damage), isLoss)
    }
  })
})
