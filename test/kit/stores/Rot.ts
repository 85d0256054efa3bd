/**
 * Damaged copies of a file store: a store with everything in it, a damage that is drawn at random, and what may be
 * found then.
 *
 * A key may start from its newest acknowledged state; from an older one, or from none, only if that is reported by
 * name. What it starts from was saved for it. An acknowledged answer is there, or known to be lost.
 */
import { NodePath } from "@effect/platform-node"
import { Effect, FileSystem, Layer, Random, type Scope } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import { crc32 } from "node:zlib"
import { anyId, lossOf } from "../../../src/domain/state/Answers.ts"
import { contentsOf, headAt } from "../../../src/domain/state/log/LogFrame.ts"
import type { Decoded } from "../../../src/domain/state/StateSchema.ts"
import type { RecordedAnswer, SnapshotRecord } from "../../../src/domain/state/stored/SnapshotRecord.ts"
import { judge } from "../../../src/domain/state/stored/StoredRecovery.ts"
import type { StateStore } from "../../../src/index.ts"
import { keptOf } from "../../../src/layers/state/durable/Beside.ts"
import * as StateStoreFile from "../../../src/layers/state/StateStoreFile.ts"
import { copy } from "./Copies.ts"
import { type Files, MemoryDisk } from "./MemoryDisk.ts"
import { answer, record, timer } from "./Records.ts"

type Store = StateStore.StateStore<"process">

/** What was acknowledged of a key. */
interface Known {
  readonly states: Set<string>
  newest: SnapshotRecord | undefined
  readonly answers: Map<string, RecordedAnswer>
  readonly aside: Set<number>
}

/** A store, as it lay on the disk at some moments of its life, and what was acknowledged at each. */
export interface Life {
  readonly name: string
  readonly files: Files
  /** The same folder earlier. */
  readonly earlier: Files
  readonly known: ReadonlyMap<string, Known>
  /** Of version 0.1, which wrote nothing beside its log: an end of it that is not there may never have been. */
  readonly isOld?: true
}

/** Opens the store on a disk, and keeps what it reports. */
export const openOn = Effect.fnUntraced(function*(
  disk: MemoryDisk,
  options: Partial<StateStoreFile.Options> = {}
): Effect.fn.Return<
  { readonly store: Store; readonly damages: ReadonlyArray<StateStoreFile.Damage> },
  StateStore.StoreError,
  Scope.Scope
> {
  const damages: Array<StateStoreFile.Damage> = []
  const store = yield* StateStoreFile.make({
    directory: "/store",
    onDamage: (damage) => Effect.sync(() => damages.push(damage)),
    ...options
  }).pipe(Effect.provide(Layer.merge(Layer.succeed(FileSystem.FileSystem, disk.fileSystem), NodePath.layer)))
  return { store, damages }
})

const copyOf = (known: ReadonlyMap<string, Known>): ReadonlyMap<string, Known> =>
  new Map(
    Array.from(
      known,
      (
        [key, one]
      ) => [key, { ...one, states: new Set(one.states), answers: new Map(one.answers), aside: new Set(one.aside) }]
    )
  )

/** Lives of a store, one for each state that its segments can be in. */
export const lives: Effect.Effect<ReadonlyArray<Life>, StateStore.StoreError> = Effect.scoped(Effect.gen(function*() {
  const found: Array<Life> = []
  const known = new Map<string, Known>()
  const disk = new MemoryDisk()
  let earlier: Files = disk.copy
  let seq = 0
  const keys = ["app/A", "app/B/1", "app/B/2", "app/C", "app/D", "ü\u0000"]
  const of = (key: string): Known => {
    const one = known.get(key) ?? { states: new Set(), newest: undefined, answers: new Map(), aside: new Set() }
    known.set(key, one)
    return one
  }
  const keep = (name: string) => {
    found.push({ name, files: disk.copy, earlier, known: copyOf(known) })
    earlier = disk.copy
  }
  const work = Effect.fnUntraced(function*(store: Store, epoch: number, batches: number) {
    for (let batch = 0; batch < batches; batch++) {
      const records = keys.flatMap((key, k) => {
        if ((batch + k) % 3 === 0) return []
        seq++
        const state = JSON.stringify({ key, seq, pad: "p".repeat((seq * 37) % 300) })
        const answers = k % 2 === 0 ? [answer(`${key}-${seq}`, seq)] : undefined
        return [record(key, seq, epoch, { state, answers, ...(k === 1 ? { timers: [timer("x", seq)] } : {}) })]
      })
      yield* store.save(records)
      for (const one of records) {
        const { answers, newest: _, states } = of(one.key)
        states.add(one.state)
        for (const given of one.answers ?? []) answers.set(given.id, given)
        known.set(one.key, { ...of(one.key), newest: one })
      }
    }
    // A compaction has its turn.
    yield* store.keys()
  })
  const session = (body: (store: Store, epoch: number) => Effect.Effect<void, StateStore.StoreError>, options = {}) =>
    Effect.scoped(Effect.gen(function*() {
      const { store } = yield* openOn(disk, options)
      yield* body(store, yield* store.acquireEpoch("app"))
    }))
  yield* session((store, epoch) =>
    Effect.gen(function*() {
      yield* work(store, epoch, 4)
      keep("one session")
      yield* work(store, epoch, 5)
      keep("one session, later")
    })
  )
  yield* session((store, epoch) =>
    Effect.gen(function*() {
      yield* work(store, epoch, 3)
      const { newest } = of("app/C")
      yield* store.setAside({ key: "app/C", seq: newest!.seq, epoch, why: "poisoned" })
      const [before] = yield* store.load("app/C")
      of("app/C").aside.add(newest!.seq)
      known.set("app/C", { ...of("app/C"), newest: before })
      for (const [id, one] of of("app/C").answers) if (one.seq > before!.seq) of("app/C").answers.delete(id)
      yield* store.remove(["app/D"], epoch)
      known.set("app/D", { ...of("app/D"), newest: undefined, answers: new Map() })
      keep("two sessions, what was set aside and removed")
      yield* work(store, epoch, 2)
      yield* store.remove(["app/D"], epoch)
      known.set("app/D", { ...of("app/D"), newest: undefined, answers: new Map() })
      keep("two sessions")
    })
  )
  yield* session((store, epoch) =>
    Effect.gen(function*() {
      yield* work(store, epoch, 12)
      keep("compacted")
      yield* work(store, epoch, 2)
      keep("compacted, and written on")
    }), { compactAbove: 1500 })
  yield* session((store, epoch) =>
    Effect.gen(function*() {
      yield* work(store, epoch, 1)
      keep("compacted, and another session")
    })
  )
  return found
}))

/** The store that version 0.1 wrote, whose log has other frames. */
export const written01: Effect.Effect<Life, StateStore.StoreError> = Effect.scoped(Effect.gen(function*() {
  const folder = join(yield* copy, "files")
  const files: Files = new Map(
    fs.readdirSync(folder).map((name) => [name, Uint8Array.from(fs.readFileSync(join(folder, name)))])
  )
  const { store } = yield* openOn(new MemoryDisk(files))
  const known = new Map<string, Known>()
  // Also those that have given way since.
  const states = new Set(
    [1, 2, 3, 4, 5].map((n) => JSON.stringify({ count: n * 10, names: n === 1 ? ["ann"] : ["ann", "bob"] }))
  )
  for (const key of yield* store.keys()) {
    const records = yield* store.load(key)
    known.set(key, {
      states,
      newest: records[0],
      answers: new Map((records[0]?.answers ?? []).map((one) => [one.id, one])),
      aside: new Set((yield* store.listAside(key)).map(({ seq }) => seq))
    })
  }
  return { name: "version 0.1", files, earlier: files, known, isOld: true }
}))

/** A damage, in words. */
export interface Damaged {
  readonly what: string
  /** Of which file. */
  readonly name: string
  readonly disk: MemoryDisk
  /** The most keys that may start from older states by it. */
  readonly atMost: number
  /** Nothing is left to see it by in a log of version 0.1. */
  readonly isCut: boolean
}

/** Where the parts of a log's frames begin and end, by what they are. */
const partsOf = (bytes: Uint8Array): ReadonlyArray<readonly [name: string, from: number, to: number]> => {
  const parts: Array<readonly [string, number, number]> = []
  for (let at = 0; at < bytes.length;) {
    const head = headAt(bytes, at, crc32)
    if (head === undefined) break
    for (
      const [i, name] of ["mark", "checksum", "length", "head length", "session", "segment", "place", "chain"].entries()
    ) {
      parts.push([name, at + i * 4, at + i * 4 + 4])
    }
    parts.push(["entries", at + 32, at + head.headBytes])
    const isWhole = at + head.length <= bytes.length && head.length > head.headBytes
    if (isWhole) {
      for (const { length, offset } of contentsOf(bytes, at, head).texts) {
        if (length > 0) parts.push(["text", at + offset, at + offset + length])
      }
      parts.push(["end of a frame", at + head.length - 4, at + head.length])
    }
    // In what lies beside a log, heads follow on one another.
    at += headAt(bytes, at + head.length, crc32) !== undefined || at + head.length === bytes.length
      ? head.length
      : head.headBytes
  }
  return parts
}

/**
 * A copy of a life with a damage drawn at random, in one of its files; if it was damaged `before`, in another one, and
 * not in the second copy of what was damaged then.
 */
export const damage = Effect.fnUntraced(function*(life: Life, before?: Damaged): Effect.fn.Return<Damaged> {
  const below = (n: number) => Random.nextIntBetween(0, Math.max(1, n), { halfOpen: true })
  const pick = <A>(all: ReadonlyArray<A>) => Effect.map(below(all.length), (i) => all[i]!)
  const disk = before?.disk ?? new MemoryDisk(life.files)
  const names = Array.from(life.files.keys()).filter((name) =>
    before === undefined || stemOf(name) !== stemOf(before.name)
  )
  const logs = names.filter((name) => name.endsWith(".log"))
  const name = yield* pick((yield* below(4)) > 0 && logs.length > 0 ? logs : names)
  const bytes = life.files.get(name)!
  const parts = partsOf(bytes)
  const kinds = [
    "flip",
    "flip",
    "flip",
    "zeros",
    "noise",
    "removed bytes",
    "added bytes",
    "cut",
    "cut to nothing",
    "missing",
    "put back"
  ]
  const kind = yield* pick(kinds)
  const [part, from, to] = parts.length === 0
    ? (["all", 0, bytes.length] as const)
    : yield* pick(yield* classOf(parts))
  const at = from + (yield* below(to - from))
  const some = 1 + (yield* below((yield* below(2)) === 0 ? 8 : 4096))
  const rest = yield* Effect.forEach(Array.from({ length: Math.min(some, 64) }), () => below(256))
  const bit = yield* below(8)
  switch (kind) {
    case "flip":
      disk.change(name, (bytes) => bytes.map((byte, i) => i === at ? byte ^ (1 << bit) : byte))
      break
    case "zeros":
      disk.change(name, (bytes) => bytes.fill(0, at, at + some))
      break
    case "noise":
      disk.change(name, (bytes) => bytes.map((byte, i) => i >= at && i < at + some ? rest[i % rest.length]! : byte))
      break
    case "removed bytes":
      disk.change(name, (bytes) => new Uint8Array([...bytes.subarray(0, at), ...bytes.subarray(at + some)]))
      break
    case "added bytes":
      disk.change(name, (bytes) => new Uint8Array([...bytes.subarray(0, at), ...rest, ...bytes.subarray(at)]))
      break
    case "cut":
      disk.change(name, (bytes) => bytes.slice(0, (bit & 1) === 0 ? at : from))
      break
    case "cut to nothing":
      disk.change(name, () => new Uint8Array(0))
      break
    case "missing":
      yield* Effect.orDie(disk.fileSystem.remove(`/store/${name}`))
      break
    case "put back": {
      const earlier = life.earlier.get(name)
      if (earlier !== undefined) disk.change(name, () => earlier)
      break
    }
  }
  // A bit costs the text that it is in; what it is in may be known from elsewhere.
  const costs = kind !== "flip" || !name.endsWith(".log")
    ? Infinity
    : part === "text" || part.startsWith("end")
    ? 1
    : 0
  const what = `${before?.what ?? life.name}: ${kind} of ${name} at ${at} (${part}), ${some} bytes, bit ${bit}`
  const isCut = kind.startsWith("cut") || kind === "missing" || (before?.isCut ?? false)
  return { atMost: costs + (before?.atMost ?? 0), what, name, disk, isCut }
})

const stemOf = (name: string): string => name.slice(0, name.indexOf("."))

/** Each class of bytes as often as any other. */
const classOf = Effect.fnUntraced(function*(parts: ReturnType<typeof partsOf>) {
  const names = Array.from(new Set(parts.map(([name]) => name)))
  const name = names[yield* Random.nextIntBetween(0, names.length, { halfOpen: true })]!
  return parts.filter(([part]) => part === name)
})

const atOnce = <A>(steps: Generator<void, A>): A => {
  let step = steps.next()
  while (step.done !== true) step = steps.next()
  return step.value
}

/** Each state is its text. */
// oxlint-disable-next-line require-yield
const whole = function*({ state }: SnapshotRecord): Generator<void, Decoded<string>> {
  return { _tag: "Decoded", state, migratedFrom: undefined }
}

/**
 * What is wrong with what a damaged copy is found to hold; `newest` is what it was found to hold before, if it was
 * opened before.
 */
const wrongIn = Effect.fnUntraced(function*(
  { isOld, known }: Life,
  { damages, store }: { readonly store: Store; readonly damages: ReadonlyArray<StateStoreFile.Damage> },
  epoch: number,
  excused: Set<string>
) {
  const wrong: Array<string> = []
  if (isOld === true && damages.length > 0) { for (const key of known.keys()) excused.add(key) }
  const isDoubtful = damages.some((one) => one._tag === "Unusable")
  for (const [key, { answers, aside, newest, states }] of known) {
    const records = yield* store.load(key)
    const judged = atOnce(judge(records, undefined, whole, undefined))
    if ("_tag" in judged) return yield* Effect.die(new Error(`${key} was not read`))
    const { decision, from } = judged
    const isTold = decision._tag === "RollBack" || (decision._tag === "Init" && decision.from !== undefined)
    if (from !== undefined && !states.has(from.state)) {
      wrong.push(`${key} starts from what was never saved: ${from.state}`)
    }
    if (from?.state !== newest?.state && !isTold && !excused.has(key)) {
      wrong.push(`${key} starts from ${from?.seq} without an event, and ${newest?.seq} was acknowledged`)
    }
    if (isOld === true && excused.has(key)) continue
    const isNamed = damages.some((one) => one._tag === "Lost" && one.key === key)
    if (isTold && !isNamed && records.length > 0 && !isDoubtful) wrong.push(`${key} is not named in what was reported`)
    const kept = keptOf(judged.books?.state, judged.aside)?.answers ?? []
    for (const [id, given] of answers) {
      const one = kept.find((one) => one.id === id) ?? kept.find((one) => one.id === anyId)
      if (one === undefined) {
        if (!excused.has(key) || from !== undefined) {
          wrong.push(`the answer ${id} of ${key} is gone (${excused.has(key)})`)
        }
      } else if (one.body !== given.body && lossOf(one) === undefined) {
        wrong.push(`the answer ${id} of ${key} is another`)
      }
    }
    const listed = yield* store.listAside(key)
    for (const seq of aside) {
      if (!listed.some((one) => one.seq === seq) && !isDoubtful && !isTold) {
        wrong.push(`${seq} of ${key} is not set aside`)
      }
    }
    for (const { seq, why } of judged.aside) yield* store.setAside({ key, seq, epoch, why })
    if (isTold) excused.add(key)
  }
  return wrong
})

/** Opens a damaged copy, twice, with a commit of each key in between; answers what is wrong with it. */
export const tried = Effect.fnUntraced(function*(life: Life, { atMost, disk, isCut, what }: Damaged) {
  const excused = new Set(life.isOld === true && isCut ? life.known.keys() : [])
  const wrong: Array<string> = []
  for (const n of [1, 2]) {
    yield* Effect.scoped(Effect.gen(function*() {
      const opened = yield* openOn(disk)
      const epoch = yield* opened.store.acquireEpoch("app")
      for (const one of yield* wrongIn(life, opened, epoch, excused)) wrong.push(`${what}, opened ${n}: ${one}`)
      if (life.isOld !== true && excused.size > atMost) {
        wrong.push(`${what}: it costs ${Array.from(excused).join(", ")}`)
      }
    }))
  }
  yield* Effect.scoped(Effect.gen(function*() {
    const { store } = yield* openOn(disk)
    const epoch = yield* store.acquireEpoch("app")
    for (const key of life.known.keys()) {
      const seq = 1000 + epoch
      yield* store.save([record(key, seq, epoch)])
      const [newest] = yield* store.load(key)
      if (newest?.seq !== seq || newest.damaged !== undefined) {
        wrong.push(`${what}: what was saved to ${key} after it is not there`)
      }
    }
  }))
  return wrong
})
