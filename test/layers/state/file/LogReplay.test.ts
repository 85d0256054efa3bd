/** What is read of a log of which a part is damaged or missing, by what lies beside it. */
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, type FileSystem, Path, PlatformError } from "effect"
import { lossOf } from "../../../../src/domain/state/Answers.ts"
import * as LogDirectory from "../../../../src/layers/state/file/LogDirectory.ts"
import { replay } from "../../../../src/layers/state/file/LogReplay.ts"
import { checksum } from "../../../../src/layers/state/file/NodeDisk.ts"
import {
  asItIs,
  bare,
  base,
  type Change,
  cutShort,
  encoded,
  files,
  first,
  flipped,
  gone,
  half,
  headless,
  joined,
  old,
  oldFrame,
  put,
  read,
  rotten,
  said,
  second,
  segment,
  sizeOf,
  young,
  zeros
} from "../../../kit/stores/LogFiles.ts"
import { type Files, MemoryDisk } from "../../../kit/stores/MemoryDisk.ts"
import { answer, record } from "../../../kit/stores/Records.ts"

/** All that is read of the two segments with such changes, in short. */
const readOf = (folder: Files, most?: number) =>
  Effect.map(read(folder, most), ({ bases, chain, cuts, damaged, damages, loaded, stray }) => ({
    loaded,
    damages: damages.map(said),
    bases: bases.map(({ file, frames, upTo }) => [file[9], upTo, frames]),
    cuts: cuts.map(({ file, session, upTo }) => [session, file[9], upTo]),
    damaged: [...damaged].map((file) => file[9]),
    stray: stray.map((file) => file[9]),
    follows: chain === undefined ? "nothing known" : chain === second.chain ? "the last" : "another"
  }))

const whole = "a 3 2 1, b 3 2 1, c 1"
const untorn = "a 3 2 1, b 2 1, c"
const inDoubt = "a 4? 3 2 1, b 3? 2 1, c 1?"
const allInDoubt = ["Lost a4<3", "AnswersLost a", "Lost b3<2", "AnswersLost b"]

/** What may lie beside a segment: the head of its last frame, none of it, none of the last two, or a part of it. */
const besides = { all: [], "all but one": [gone], "all but two": [gone, gone], "a part": [half], damaged: [rotten] }

type Beside = keyof typeof besides

/** What is found where the last frame is like that, by what lies beside it. */
type Row = readonly [
  beside: ReadonlyArray<Beside>,
  loaded: string,
  size: number,
  frames: number,
  ...damages: Array<string>
]

const ends: ReadonlyArray<readonly [what: string, change: Change, ReadonlyArray<Row>]> = [
  ["is there", asItIs, [[["all", "all but one", "all but two", "a part", "damaged"], whole, 386, 3]]],
  ["has a text that is not what was written", rotten, [
    [["all", "all but two"], "a 3 2 1, b 3 2 1, c 1?", 386, 3, "Hole 2 382+4", "Lost c1<undefined"],
    [["all but one"], untorn, 259, 2, "TornTail 2 259+127"],
    [["a part", "damaged"], inDoubt, 259, 2, "TornTail 2 259+127", "Unusable 2: its end is missing", ...allInDoubt]
  ]],
  ["ends too soon", cutShort, [
    [["all"], "a 3 2 1, b 3 2 1, c 1?", 385, 3, "Lost c1<undefined"],
    [["all but one", "all but two"], untorn, 259, 2, "TornTail 2 259+126"],
    [["a part", "damaged"], inDoubt, 259, 2, "TornTail 2 259+126", "Unusable 2: its end is missing", ...allInDoubt]
  ]],
  ["has a head that is damaged", headless, [
    [["all"], whole, 386, 3, "Hole 2 259+127"],
    [["all but one"], untorn, 259, 2, "TornTail 2 259+127"],
    [["all but two"], inDoubt, 386, 2, "Hole 2 259+127", "Unusable 2: its end is damaged", ...allInDoubt],
    [["a part", "damaged"], inDoubt, 259, 2, "TornTail 2 259+127", "Unusable 2: its end is missing", ...allInDoubt]
  ]],
  ["has a head that ends too soon", half, [
    [["all"], "a 3 2 1, b 3? 2 1, c 1?", 299, 3, "Hole 2 259+40", "Lost b3<2", "Lost c1<undefined"],
    [["all but one", "all but two"], untorn, 259, 2, "TornTail 2 259+40"],
    [["a part", "damaged"], inDoubt, 259, 2, "TornTail 2 259+40", "Unusable 2: its end is missing", ...allInDoubt]
  ]],
  ["is zeros", zeros, [
    [
      ["all"],
      "a 3 2 1, b 3? 2 1, c 1?",
      386,
      3,
      "Hole 2 259+127",
      "Hole 2 378+4",
      "Hole 2 382+4",
      "Lost b3<2",
      "Lost c1<undefined"
    ],
    [["all but one", "all but two"], untorn, 259, 2, "TornTail 2 259+127"],
    [["a part", "damaged"], inDoubt, 259, 2, "TornTail 2 259+127", "Unusable 2: its end is missing", ...allInDoubt]
  ]],
  ["is missing", gone, [
    [["all"], "a 3 2 1, b 3? 2 1, c 1?", 259, 3, "Lost b3<2", "Lost c1<undefined"],
    [["all but one", "all but two"], untorn, 259, 2],
    [["a part", "damaged"], inDoubt, 259, 2, "Unusable 2: its end is missing", ...allInDoubt]
  ]]
]

describe("the last frame of the newest segment", () => {
  for (const [what, change, rows] of ends) {
    it.effect(`${what}: lost by name where its head lies beside it, never acknowledged where only those before do, and in doubt otherwise`, () =>
      Effect.gen(function*() {
        for (const [wheres, loaded, size, frames, ...damages] of rows) {
          for (const where of wheres) {
            const found = yield* readOf(files({ youngLog: [change], youngBeside: besides[where] }))
            const isDamaged = damages.some((one) => one.startsWith("Hole") || one.startsWith("Unusable"))
            assert.deepStrictEqual(found, {
              loaded,
              damages,
              bases: [["1", 369, 4], ["2", size, frames]],
              cuts: [[1, "1", 369], [2, "2", size]],
              damaged: isDamaged ? ["2"] : [],
              stray: [],
              follows: frames === 3 ? "the last" : "another"
            }, where)
          }
        }
      }))
  }
})

/** Whose answers are in doubt where it is not known what a frame held, and is younger than all that is there. */
const answersInDoubt = ["AnswersLost a", "AnswersLost b", "AnswersLost c"]
const unread = "Unusable 1: 1 of its batches cannot be read"

describe("a segment that others build on", () => {
  const cases: ReadonlyArray<readonly [what: string, change: Change, size: number, kept: boolean, ...Array<string>]> = [
    ["a text is not what was written", rotten, 369, false, "Hole 1 365+4"],
    ["its end is missing", cutShort, 368, false, "Hole 1 368+1"],
    ["its last head is damaged", headless, 369, true, "Hole 1 287+82"],
    ["its last head ends too soon", half, 327, false, "Hole 1 287+40", "Hole 1 327+42"],
    ["its last frame is missing", gone, 287, false, "Hole 1 287+82"]
  ]
  for (const [what, change, size, kept, ...holes] of cases) {
    it.effect(`was acknowledged whole: where ${what}, that is lost by name, or in doubt where no head of it is left`, () =>
      Effect.gen(function*() {
        for (const where of ["all", "all but one", "a part"] as const) {
          const found = yield* readOf(files({ oldLog: [change], oldBeside: besides[where] }))
          const isRead = where === "all" || change === rotten || change === cutShort
          const lost = kept && isRead ? [] : ["Lost a3<2"]
          assert.deepStrictEqual(found, {
            loaded: kept && isRead ? whole : "a 3? 2 1, b 3 2 1, c 1",
            damages: isRead ? [...holes, ...lost] : [...holes, unread, ...lost, ...answersInDoubt],
            bases: [["1", size, 4], ["2", 386, 3]],
            cuts: [[1, "1", 369], [2, "2", 386]],
            damaged: ["1"],
            stray: [],
            follows: "the last"
          }, where)
        }
      }))
  }

  const without = (changes: Parameters<typeof files>[0], ...names: ReadonlyArray<string>) => {
    const folder = files(changes)
    for (const name of names) folder.delete(name)
    return folder
  }

  it.effect("is read by what lies beside it where it is gone: each of its keys by name", () =>
    Effect.gen(function*() {
      const found = yield* readOf(without({}, old))
      assert.deepInclude(found, {
        loaded: "a 3? 2? 1?, b 3 2, c 1",
        damages: ["Unusable 1: it is missing", "Lost a3<undefined"],
        bases: [["1", 0, 4], ["2", 386, 3]],
        damaged: ["1"],
        follows: "the last"
      })
    }))

  it.effect("has every key be in doubt where it is gone with what lies beside it", () =>
    Effect.gen(function*() {
      const found = yield* readOf(without({}, old, LogDirectory.witnessOf(old)))
      assert.deepInclude(found, {
        loaded: "a 1?, b 3 2, c 1",
        damages: [
          "Unusable 1: it is missing, and other segments build on it",
          "AnswersLost b",
          "AnswersLost c"
        ],
        bases: [["2", 386, 3]],
        damaged: [],
        follows: "the last"
      })
    }))

  it.effect("may be followed by one that is not missed when one between them is gone", () =>
    Effect.gen(function*() {
      const between = segment(2, 0, first.chain, [[base], [put("b", 2, 2)]])
      const bases = [{ file: old, upTo: 369, frames: 4 }, { file: young, upTo: 150, frames: 2 }]
      const newest = segment(3, 0, between.chain, [[{ ...base, bases }], [put("c", 1, 3)]])
      const { damages, index } = yield* read(bare({ [old]: first.frames, "0000000003-0.log": newest.frames }))
      assert.deepStrictEqual(damages.map(said).slice(0, 2), [
        "Unusable 2: it is missing, and other segments build on it",
        "Lost a4<3"
      ])
      assert.deepStrictEqual(index.doubt, { at: 0, why: `${young} is missing, and may have held it` })
    }))

  it.effect("is read no further than others build on it, and its frames are not missed that come after that", () =>
    Effect.gen(function*() {
      const folder = files({})
      const more = segment(1, 0, 0, [
        [{ _tag: "Segment", bases: [], cuts: [] }],
        [put("a", 1, 1), put("b", 1, 1)],
        [
          put("a", 2, 1)
        ],
        [put("a", 3, 1)],
        [put("a", 4, 1)]
      ])
      folder.set(old, joined(more.frames.map(({ bytes }) => bytes)))
      folder.set(LogDirectory.witnessOf(old), joined(more.frames.map(({ head }) => head)))
      assert.deepInclude(yield* readOf(folder), { loaded: whole, damages: [], bases: [["1", 369, 4], ["2", 386, 3]] })
    }))
})

/** What is read of such files, in one list. */
const brief = (folder: Files, most?: number) =>
  Effect.map(readOf(folder, most), ({ bases, damaged, damages, follows, loaded, stray }) => [
    loaded,
    ...damages,
    [bases.map(([file, upTo, frames]) => `${file}:${upTo}/${frames}`), damaged, stray].map((list) => list.join()).join(
      "; "
    ),
    follows
  ])

describe("a segment", () => {
  it.effect("that is damaged in its middle is read beyond that, with what lies beside it in its place", () =>
    Effect.gen(function*() {
      const middle = (log: Change, beside: Change = asItIs) =>
        brief(files({ youngLog: [log, asItIs], youngBeside: [beside, asItIs] }))
      // One of those that are kept, and not the newest: it is lost only when those after it are.
      const withoutText = "a 3 2 1, b 3 1, c 1"
      const text = [withoutText, "Hole 2 255+4", "1:369/4,2:386/3; 2; ", "the last"]
      assert.deepStrictEqual(yield* middle(rotten), text)
      assert.deepStrictEqual(yield* middle(rotten, gone), text)
      const head = [whole, "Hole 2 177+82", "1:369/4,2:386/3; 2; ", "the last"]
      assert.deepStrictEqual(yield* middle(headless), head)
      const away = [withoutText, "Hole 2 255+4", "1:369/4,2:304/3; 2; ", "the last"]
      assert.deepStrictEqual(yield* middle(gone), away)
      const unread = "Unusable 2: 1 of its batches cannot be read"
      const unknown = ["a 4? 3 2 1, b 3 1, c 1", unread, "Lost a4<3", ...answersInDoubt]
      assert.deepStrictEqual(yield* middle(gone, gone), [...unknown, "1:369/4,2:304/3; 2; ", "the last"])
      assert.deepStrictEqual(yield* middle(headless, gone), [
        unknown[0]!,
        "Hole 2 177+82",
        ...unknown.slice(1),
        "1:369/4,2:386/3; 2; ",
        "the last"
      ])
      // The end was not written whole, and what is before it was acknowledged.
      const torn = yield* brief(files({ youngLog: [rotten, half], youngBeside: besides["all but two"] }))
      assert.deepStrictEqual(torn, [
        "a 3 2 1, b 2? 1, c",
        "Hole 2 255+4",
        "TornTail 2 259+40",
        "Lost b2<1",
        "1:369/4,2:259/2; 2; ",
        "another"
      ])
      const cut = yield* middle(half)
      assert.deepStrictEqual(cut, [
        withoutText,
        "Hole 2 177+40",
        "Hole 2 255+4",
        "1:369/4,2:344/3; 2; ",
        "the last"
      ])
    }))

  it.effect("without a header builds on all that is older, and says so; a header lies beside it, too", () =>
    Effect.gen(function*() {
      const headers = (log: Change, beside: ReadonlyArray<Change>) =>
        brief(files({ youngLog: [log, asItIs, asItIs], youngBeside: beside }))
      assert.deepStrictEqual(yield* headers(headless, []), [
        whole,
        "Hole 2 0+177",
        "1:369/4,2:386/3; 2; ",
        "the last"
      ])
      assert.deepStrictEqual(yield* headers(headless, [gone, asItIs, asItIs]), [
        "a 4? 3 2 1, b 3 2 1, c 1",
        "Unusable 2: it does not say what it builds on",
        "Hole 2 0+177",
        "Unusable 2: 1 of its batches cannot be read",
        "Lost a4<3",
        ...answersInDoubt,
        "1:369/4,2:386/3; 2; ",
        "the last"
      ])
      const nothing = (log: Change, beside: Change = gone) =>
        brief(files({ youngLog: [log, log, log], youngBeside: [gone, gone, beside] }))
      const inDoubt = ["a 4? 3 2 1, b 2? 1, c 1?", "Unusable 2: it does not say what it builds on"]
      const doubts = ["Lost a4<3", "AnswersLost a", "Lost b2<1", "AnswersLost b"]
      assert.deepStrictEqual(yield* nothing(zeros), [
        ...inDoubt,
        "TornTail 2 0+386",
        "Unusable 2: no frame of it can be read",
        ...doubts,
        "1:369/4,2:0/0; 2; ",
        "another"
      ])
      const unread = ["Unusable 2: no frame of it can be read", ...doubts]
      assert.deepStrictEqual(yield* nothing(gone), [...inDoubt, ...unread, "1:369/4,2:0/0; 2; ", "another"])
      const torn = [...inDoubt, "TornTail 2 0+386", ...unread, "1:369/4,2:0/0; 2; ", "another"]
      assert.deepStrictEqual(yield* nothing(headless), torn)
      assert.deepStrictEqual(yield* nothing(headless, (bytes) => bytes.slice(0, 1)), torn)
      // Where it has nothing beside it, it is not known that this was never acknowledged.
      const damaged = joined(second.frames.map(({ bytes }) => headless(bytes)))
      assert.deepStrictEqual(yield* brief(new Map([...bare({ [old]: first.frames }), [young, damaged]])), [
        ...inDoubt,
        "Hole 2 0+386",
        ...unread,
        "1:369/4,2:386/0; 2; ",
        "another"
      ])
      const begun = joined([second.frames[0]!.bytes, headless(second.frames[1]!.bytes)])
      assert.deepStrictEqual((yield* brief(new Map([...bare({ [old]: first.frames }), [young, begun]]))).slice(0, 3), [
        "a 4? 3 2 1, b 2? 1, c 1?",
        "Hole 2 177+82",
        "Unusable 2: its end is damaged"
      ])
    }))

  it.effect("that does not follow on what is before it puts all in doubt that was before, and is not in it", () =>
    Effect.gen(function*() {
      const other = segment(2, 0, 77, [[{ ...base, bases: [{ file: old, upTo: 369, frames: 4 }] }], [put("c", 1, 2)]])
      assert.deepStrictEqual(yield* brief(bare({ [old]: first.frames, [young]: other.frames })), [
        "a 4? 3 2 1, b 2? 1, c 1",
        "Unusable 2: it does not follow on what is before it, as if a part of the log had been put back",
        "Lost a4<3",
        "AnswersLost a",
        "Lost b2<1",
        "AnswersLost b",
        "AnswersLost c",
        "1:369/4,2:209/2; 2; ",
        "another"
      ])
    }))

  it.effect("that is not built on is stray, if nothing has taken its place", () =>
    Effect.gen(function*() {
      const third = (replaces?: ReadonlyArray<string>) =>
        segment(3, 0, 0, [[{ ...base, replaces }], [put("a", 7, 3)]]).frames
      const folder = (replaces?: ReadonlyArray<string>) =>
        bare({ [old]: first.frames, [young]: second.frames, "0000000003-0.log": third(replaces) })
      assert.deepStrictEqual((yield* readOf(folder())).stray, ["1", "2"])
      assert.deepStrictEqual((yield* readOf(folder([old]))).stray, ["2"])
      assert.deepInclude(yield* readOf(folder([old, young])), { loaded: "a 7, b, c", damages: [], stray: [] })
    }))

  it.effect("remembers where the last 32 sessions before it were cut off", () =>
    Effect.gen(function*() {
      const cuts = Array.from({ length: 40 }, (_, i) => ({ session: i, file: `${i}`.padStart(10, "0"), upTo: i }))
      const { frames } = segment(50, 0, 0, [[{ ...base, cuts }]])
      const found = yield* read(bare({ "0000000050-0.log": frames }))
      assert.deepStrictEqual(found.damages, [])
      assert.strictEqual(found.cuts.at(-1)!.upTo, sizeOf(frames))
      assert.deepStrictEqual(found.cuts.map(({ session }) => session), [...cuts.slice(9).map((one) => one.session), 50])
      assert.deepStrictEqual((yield* read(new Map())).cuts, [])
    }))

  it.effect("that was the newest, and is gone without a trace, is missed by the note of its claim", () =>
    Effect.gen(function*() {
      const noting = (file: string, folder: Files = bare({ [old]: first.frames })) => {
        const note = new TextEncoder().encode(file)
        return brief(new Map([...folder, ["0000000009.claim", new TextEncoder().encode(`${file} ${checksum(note)}`)]]))
      }
      assert.deepStrictEqual(yield* noting(old), ["a 3 2 1, b 1, c", "1:369/4; ; ", "another"])
      const inDoubt = (session: number) => [
        "a 4? 3 2 1, b 2? 1, c 1?",
        `Unusable ${session}: it is missing, and was the newest`,
        "Lost a4<3",
        "AnswersLost a",
        "Lost b2<1",
        "AnswersLost b",
        "1:369/4; ; ",
        "another"
      ]
      assert.deepStrictEqual(yield* noting(young), inDoubt(2))
      assert.deepStrictEqual(yield* noting("0000000001-1.log"), inDoubt(1))
      assert.deepStrictEqual(yield* noting(old, new Map()), [
        "a 1?, b 1?, c 1?",
        "Unusable 1: it is missing, and was the newest",
        "; ; ",
        "nothing known"
      ])
    }))

  it.effect("that is gone when it comes to be read is read again with what took its place; other failures are failures", () =>
    Effect.gen(function*() {
      const newest = "0000000002-1.log"
      const compacted = segment(2, 1, 0, [[{ ...base, replaces: [old, young] }], [put("a", 9, 2)]]).frames
      const reading = Effect.fnUntraced(
        function*(opening: (disk: MemoryDisk) => Effect.Effect<void, PlatformError.PlatformError>) {
          const disk = new MemoryDisk(files({}))
          const { fileSystem } = disk
          const path = yield* Effect.provide(Path.Path, NodeServices.layer)
          const compacting: FileSystem.FileSystem = {
            ...fileSystem,
            open: (name, options) =>
              Effect.andThen(name.endsWith(old) ? opening(disk) : Effect.void, fileSystem.open(name, options))
          }
          return yield* replay(compacting, LogDirectory.make(compacting, path, "/store", checksum), 3, checksum)
        }
      )
      const found = yield* reading(({ fileSystem }) =>
        Effect.gen(function*() {
          for (const name of yield* fileSystem.readDirectory("/store")) yield* fileSystem.remove(name)
          const file = yield* Effect.scoped(fileSystem.open(newest, { flag: "w" }))
          yield* file.writeAll(encoded(compacted))
        })
      )
      assert.deepStrictEqual([found.bases.map(({ file }) => file), found.damages], [[newest], []])
      // Nothing is amiss with what is there: it is read once.
      const written = yield* reading(({ fileSystem }) =>
        Effect.scoped(Effect.asVoid(fileSystem.open(newest, { flag: "w" })))
      )
      assert.deepStrictEqual([written.bases.map(({ file }) => file), written.damages], [[old, young], []])
      const broken = PlatformError.systemError({ _tag: "PermissionDenied", module: "FileSystem", method: "test" })
      assert.strictEqual(yield* Effect.flip(reading(() => Effect.fail(broken))), broken)
    }))

  it.effect("of version 0.1 is read as the others are: what is damaged of it puts all before in doubt, but for an end that is torn", () =>
    Effect.gen(function*() {
      const header = oldFrame(1, [[base, ""]])
      const one = oldFrame(1, [[["a", 1, 1, 1, 0, 1], "\"a1\""], [["b", 1, 1, 1, 0, 1], "\"b1\""]])
      const two = oldFrame(1, [[["a", 1, 2, 1, 0, 1], "\"a2\""]])
      const alone = (...parts: ReadonlyArray<Uint8Array>) => brief(new Map([[old, joined([header, ...parts])]]))
      const at = header.length
      const end = at + one.length
      const upTo = end + two.length
      const tail = ["nothing known"]
      const hole = (
        bytes: number,
        offset: number
      ) => [`Hole 1 ${offset}+${bytes}`, `Unusable 1: ${bytes} bytes of it are damaged`]
      assert.deepStrictEqual(yield* alone(one, two), ["a 2 1, b 1, c", `1:${upTo}/undefined; ; `, ...tail])
      for (const torn of [cutShort(two), rotten(two)]) {
        const cut = [`TornTail 1 ${end}+${torn.length}`, `1:${end}/undefined; ; `, ...tail]
        assert.deepStrictEqual(yield* alone(one, torn), ["a 1, b 1, c", ...cut])
      }
      const doubted = ["AnswersLost a", `1:${upTo}/undefined; 1; `, ...tail]
      assert.deepStrictEqual(yield* alone(rotten(one), two), ["a 2, b 1?, c 1?", ...hole(one.length, at), ...doubted])
      assert.deepStrictEqual(yield* brief(new Map([[old, joined([rotten(header), rotten(one), two])]])), [
        "a 2, b 1?, c 1?",
        "Unusable 1: it does not say what it builds on",
        `Hole 1 0+${end}`,
        "Unusable 1: its beginning is damaged",
        ...doubted
      ])
      const next = segment(2, 0, 0, [[{ ...base, bases: [{ file: old, upTo }] }], [put("c", 1, 2)]]).frames
      const beneath = (...parts: ReadonlyArray<Uint8Array>) =>
        brief(new Map([[old, joined([header, ...parts])], [young, encoded(next)]]))
      const built = (size: number) => [`1:${size}/undefined,2:198/2; ${size === upTo ? "" : "1"}; `, "another"]
      const holed = [`1:${upTo}/undefined,2:198/2; 1; `, "another"]
      const lost = ["Lost a2<1", "AnswersLost a", "Lost b2<1", "AnswersLost b", "AnswersLost c"]
      const inDoubt = "a 2? 1, b 2? 1, c 1"
      const missing = "Unusable 1: a part of it is missing"
      assert.deepStrictEqual(yield* beneath(one, two), ["a 2 1, b 1, c 1", ...built(upTo)])
      const isOld = (folder: Files) => Effect.map(read(folder), (found) => found.isOld)
      assert.isTrue(yield* isOld(new Map([[old, joined([header, one, two])], [young, encoded(next)]])))
      assert.isFalse(yield* isOld(files({})))
      // Without a header, which it has always had.
      assert.deepStrictEqual(yield* brief(new Map([[old, joined([one, two])]])), [
        "a 2 1, b 1, c",
        "Unusable 1: it does not say what it builds on",
        `1:${upTo - at}/undefined; 1; `,
        ...tail
      ])
      assert.deepStrictEqual(yield* beneath(one, cutShort(two)), [
        inDoubt,
        ...hole(two.length - 1, end),
        `Hole 1 ${upTo - 1}+1`,
        missing,
        ...lost,
        ...built(upTo - 1)
      ])
      assert.deepStrictEqual(yield* beneath(one), [
        inDoubt,
        `Hole 1 ${end}+${two.length}`,
        missing,
        ...lost,
        ...built(end)
      ])
      assert.deepStrictEqual(yield* beneath(one, rotten(two)), [inDoubt, ...hole(two.length, end), ...lost, ...holed])
      assert.deepStrictEqual(yield* beneath(rotten(one), two), [
        "a 2, b 1?, c 1",
        ...hole(one.length, at),
        "AnswersLost a",
        "AnswersLost c",
        ...holed
      ])
    }))

  it.effect("is read the same from a disk that answers a few bytes at a time", () =>
    Effect.gen(function*() {
      for (const change of [asItIs, rotten, cutShort, headless, half, gone]) {
        const folder = files({ oldLog: [change, asItIs], youngLog: [change] })
        assert.deepStrictEqual(yield* brief(folder, 7), yield* brief(folder))
      }
    }))

  it.effect("has the answers of a batch beside its state, each damaged or whole by itself", () =>
    Effect.gen(function*() {
      const answers = [{ ...answer("x", 1), body: "\"first\"" }, { ...answer("y", 1), body: "\"second\"" }]
      const { frames } = segment(1, 0, 0, [[base], [
        put("b", 1, 1),
        { _tag: "Put", record: record("a", 1, 1, { state: "\"a1\"", answers }) },
        put("c", 1, 1)
      ]])
      const answersIn = Effect.fnUntraced(function*(change: Change) {
        const bytes = encoded(frames)
        const text = new TextDecoder().decode(bytes)
        const damaged = text.includes("first") ? change(bytes) : bytes
        const { damages, index, loaded } = yield* read(
          new Map([[old, damaged], [
            LogDirectory.witnessOf(old),
            joined(
              frames.map(({ head }) => head)
            )
          ]])
        )
        const shelf = Array.from(index.kept.get("a")!.answers, (one) => lossOf(one) ?? one.body)
        return [loaded, ...shelf, ...damages.map(said)]
      })
      const all = ["a 1, b 1, c 1", "\"first\"", "\"second\""]
      assert.deepStrictEqual(yield* answersIn(asItIs), all)
      const rot = (text: string): Change => (bytes) => flipped(Buffer.from(bytes).indexOf(text))(bytes)
      const why = `its bytes in ${old} are not those that were written`
      const [first, second] = all.slice(1)
      assert.deepStrictEqual(yield* answersIn(rot("first")), [all[0], why, second, "Hole 1 296+7", "AnswersLost a"])
      assert.deepStrictEqual(yield* answersIn(rot("second")), [all[0], first, why, "Hole 1 303+8", "AnswersLost a"])
      assert.deepStrictEqual(yield* answersIn((bytes) => bytes.slice(0, -8)), [
        "a 1, b 1, c 1?",
        first,
        `its bytes in ${old} are missing`,
        "AnswersLost a",
        "Lost c1<undefined"
      ])
    }))
})
