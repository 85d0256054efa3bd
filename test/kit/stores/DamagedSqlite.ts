/** Copies of a SQLite database with one thing in them damaged, and what a store makes of them. */
import { Cause, Effect, Exit, Logger } from "effect"
import * as fs from "node:fs"
import { basename, join } from "node:path"
import * as Answers from "../../../src/domain/state/Answers.ts"
import type { SnapshotRecord } from "../../../src/domain/state/stored/SnapshotRecord.ts"
import * as StateStoreSqlite from "../../../src/layers/state/StateStoreSqlite.ts"
import { folder } from "../Folder.ts"
import { answer, record, timer } from "./Records.ts"

/** What is damaged: a bit, a byte or a run of bytes of a file, or its end. */
export const damages = ["bit", "byte", "run", "cut"] as const

/** The files of a database as they lie on the disk while its process runs, and what was acknowledged by then. */
export interface Original {
  readonly files: ReadonlyMap<string, Uint8Array>
  readonly acknowledged: ReadonlyMap<string, SnapshotRecord>
}

const keys = Array.from({ length: 24 }, (_, i) => `app/Server/${i}`)

/** A database with many keys; `log` says whether the newest commits are in the write-ahead log alone. */
export const original = Effect.fnUntraced(function*(log: boolean) {
  const filename = join(yield* folder, "test.db")
  const acknowledged = new Map<string, SnapshotRecord>()
  return yield* Effect.scoped(Effect.gen(function*() {
    const write = Effect.fnUntraced(function*(from: number, to: number) {
      const store = yield* StateStoreSqlite.make({ filename })
      const epoch = yield* store.acquireEpoch("app")
      for (let seq = from; seq <= to; seq++) {
        for (const [i, key] of keys.entries()) {
          // not all of them are busy
          if (i % 3 > 0 && seq > 2 + i) continue
          const one = record(key, seq, epoch, {
            state: JSON.stringify({ count: seq, text: `${key} `.repeat(8) }),
            ...(i % 4 === 0 ? { answers: [answer(`call-${seq}`, seq)] } : {}),
            ...(i % 5 === 0 ? { timers: [timer("t", seq)] } : {})
          })
          yield* store.save([one])
        }
      }
      for (const key of keys) acknowledged.set(key, (yield* store.load(key))[0]!)
    })
    yield* Effect.scoped(write(1, 12))
    const files = new Map<string, Uint8Array>()
    const take = Effect.sync(() => {
      const directory = join(filename, "..")
      for (const name of fs.readdirSync(directory)) {
        if (!name.endsWith("-shm")) files.set(name, fs.readFileSync(join(directory, name)))
      }
    })
    // a process that is killed leaves its log behind
    yield* log ? Effect.scoped(Effect.andThen(write(13, 16), take)) : take
    return { acknowledged, files }
  }))
})

/** One number after the other, drawn from a seed. */
const drawing = (seed: number) => (below: number): number => {
  seed = (Math.imul(seed ^ (seed >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0
  return ((seed ^ (seed >>> 13)) >>> 0) % below
}

/** Damages one of the files that have this ending; what was done, in words. */
export const damage = (files: ReadonlyMap<string, Uint8Array>, ending: string, seed: number) => {
  const draw = drawing(seed + 1)
  const names = [...files.keys()].filter((name) => name.endsWith(ending))
  const name = names[draw(names.length)]!
  const bytes = Uint8Array.from(files.get(name)!)
  const how = damages[draw(8) % damages.length]!
  const at = draw(bytes.length)
  const changed = new Map(files)
  if (how === "cut") changed.set(name, bytes.subarray(0, draw(4) === 0 ? 0 : at))
  else {
    const length = how === "run" ? 1 + draw(64) : 1
    for (let i = at; i < Math.min(bytes.length, at + length); i++) {
      bytes[i]! ^= how === "bit" ? 1 << draw(8) : 1 + draw(255)
    }
    changed.set(name, bytes)
  }
  return { files: changed, what: `seed ${seed}: ${how} of ${name} at ${at} of ${bytes.length}` }
}

/** What became of a damaged copy: what is wrong without being told, if anything is, and how the rest was. */
export interface Verdict {
  readonly silent: ReadonlyArray<string>
  readonly outcome: "whole" | "told" | "refused"
}

/** Opens a copy, and asks for all that was acknowledged. */
export const judged = Effect.fnUntraced(function*(original: Original, files: ReadonlyMap<string, Uint8Array>) {
  const directory = yield* folder
  for (const [name, bytes] of files) fs.writeFileSync(join(directory, basename(name)), bytes)
  const told: Array<string> = []
  const logger = Logger.make<unknown, void>(({ logLevel, message }) => {
    if (logLevel === "Error") told.push(String(message))
  })
  const silent: Array<string> = []
  let outcome: Verdict["outcome"] = "whole"
  const typed = (what: string, exit: Exit.Exit<unknown, unknown>) => {
    if (Exit.isSuccess(exit)) return
    outcome = "refused"
    if (!exit.cause.reasons.every(Cause.isFailReason)) silent.push(`${what} ends untyped: ${Cause.pretty(exit.cause)}`)
  }
  const opened = yield* Effect.exit(Effect.scoped(Effect.gen(function*() {
    const store = yield* StateStoreSqlite.make({ filename: join(directory, "test.db") })
    for (const key of keys) {
      const exit = yield* Effect.exit(store.load(key))
      typed(`load of ${key}`, exit)
      if (Exit.isFailure(exit)) continue
      const expected = original.acknowledged.get(key)!
      const [newest] = exit.value
      const isTold = newest?.damaged !== undefined || told.some((line) => line.includes(`"${key}"`))
      if (newest?.seq === expected.seq && newest.state === expected.state && !isTold) {
        const answers = newest.answers ?? []
        const isLost = (id: string) =>
          answers.some((one) => (one.id === id || one.id === "") && Answers.lossOf(one) !== undefined)
        for (const one of expected.answers ?? []) {
          const found = answers.find(({ id }) => id === one.id)
          if (found?.body !== one.body && !isLost(one.id)) silent.push(`${key}: the answer ${one.id} is ${found?.body}`)
        }
        if (JSON.stringify(newest.timers) !== JSON.stringify(expected.timers)) {
          silent.push(`${key}: its timers are ${JSON.stringify(newest.timers)}`)
        }
      } else if (isTold) outcome = outcome === "refused" ? outcome : "told"
      else {silent.push(
          `${key}: ${newest === undefined ? "nothing" : `snapshot ${newest.seq}`} instead of ${expected.seq}`
        )}
    }
    typed("keys", yield* Effect.exit(store.keys()))
    typed("timers", yield* Effect.exit(store.timers!(100)))
    typed("listAside", yield* Effect.exit(store.listAside()))
    const epoch = yield* Effect.exit(store.acquireEpoch("app"))
    typed("acquireEpoch", epoch)
    if (Exit.isSuccess(epoch)) {
      typed("save", yield* Effect.exit(store.save([record("app/Server/0", 1000, epoch.value)])))
    }
  }))).pipe(Effect.provide(Logger.layer([logger])))
  typed("opening", opened)
  fs.rmSync(directory, { recursive: true, force: true })
  return { silent, outcome } satisfies Verdict
})
