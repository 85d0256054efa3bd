/** A segment in the making: its frames, and what lies beside it. */
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Path, Scope } from "effect"
import * as fs from "node:fs"
import type { LogEntry } from "../../../../src/domain/state/log/LogEntry.ts"
import * as LogFrame from "../../../../src/domain/state/log/LogFrame.ts"
import * as LogDirectory from "../../../../src/layers/state/file/LogDirectory.ts"
import { LogIndex } from "../../../../src/layers/state/file/LogIndex.ts"
import { replay } from "../../../../src/layers/state/file/LogReplay.ts"
import { create } from "../../../../src/layers/state/file/LogSegment.ts"
import { checksum } from "../../../../src/layers/state/file/NodeDisk.ts"
import * as StateStoreFile from "../../../../src/layers/state/StateStoreFile.ts"
import { folder } from "../../../kit/Folder.ts"
import { MemoryDisk } from "../../../kit/stores/MemoryDisk.ts"
import { record } from "../../../kit/stores/Records.ts"

const header: LogEntry = { _tag: "Segment", bases: [], cuts: [] }

const put = (i: number, length: number): LogEntry => ({
  _tag: "Put",
  record: { ...record(`k${i}`, 1, 1), state: `"${"x".repeat(length)}"` }
})

/** A segment of so many snapshots, and what is read of it. */
const made = Effect.fnUntraced(function*(count: number, length: number) {
  const disk = new MemoryDisk()
  const log = LogDirectory.make(
    disk.fileSystem,
    yield* Effect.provide(Path.Path, NodeServices.layer),
    "/store",
    checksum
  )
  yield* log.claim
  const index = new LogIndex(3)
  const scope = yield* Scope.make()
  const segment = yield* create(
    log,
    new LogFrame.FrameWriter(checksum),
    scope,
    1,
    0,
    header,
    undefined,
    (target) =>
      Effect.suspend(() => {
        const { add } = target(index)
        return Effect.forEach(
          Array.from({ length: count }, (_, i) => put(i, length)),
          (one) => add(one) ?? Effect.void,
          {
            discard: true
          }
        )
      })
  )
  return { disk, index, log, read: yield* replay(disk.fileSystem, log, 3, checksum), segment }
})

describe("a segment that is made", () => {
  it.effect("has its header in a frame, and what it is filled with in frames of some 64 kB, however much that is", () =>
    Effect.gen(function*() {
      const { disk, index, read, segment } = yield* made(1000, 1000)
      // A million characters and more.
      assert.isAtLeast(segment.frames, 16)
      assert.isAtMost(segment.frames, 20)
      assert.deepStrictEqual([segment.name, segment.broken], ["0000000001-0.log", false])
      assert.strictEqual(segment.size, disk.copy.get(segment.name)!.length)
      assert.deepStrictEqual(read.damages, [])
      assert.strictEqual(read.index.kept.size, 1000)
      assert.strictEqual(read.chain, segment.chain)
      assert.deepStrictEqual(
        index.kept.get("k999")!.snapshots[0]!.place,
        read.index.kept.get("k999")!.snapshots[0]!.place
      )
      assert.strictEqual((yield* made(5, 1000)).segment.frames, 2)
      assert.strictEqual((yield* made(0, 0)).segment.frames, 1)
    }))
})

describe("a folder that two sessions want", () => {
  const open = (directory: string) => Effect.provide(StateStoreFile.make({ directory }), NodeServices.layer)

  it.live("an owner that is asked again goes on in its session; one that has lost the folder takes it back", () =>
    Effect.gen(function*() {
      const directory = yield* folder
      const [one, other] = [yield* open(directory), yield* open(directory)]
      const claims = () => fs.readdirSync(directory).filter((name) => name.endsWith(".claim"))
      const first = yield* one.acquireEpoch("app")
      assert.deepStrictEqual(claims(), ["0000000001.claim"])
      const second = yield* one.acquireEpoch("app")
      assert.isAbove(second, first)
      assert.deepStrictEqual(claims(), ["0000000001.claim"])
      yield* one.save([record("a", 1, second)])
      const third = yield* other.acquireEpoch("app")
      assert.isAbove(third, second)
      const fourth = yield* one.acquireEpoch("app")
      assert.isAbove(fourth, third)
      assert.deepStrictEqual(claims(), ["0000000003.claim"])
      yield* one.save([record("a", 2, fourth)])
      assert.strictEqual((yield* Effect.exit(other.save([record("a", 3, third)])))._tag, "Failure")
      assert.deepStrictEqual((yield* one.load("a")).map(({ seq }) => seq), [2, 1])
    }).pipe(Effect.scoped))
})
