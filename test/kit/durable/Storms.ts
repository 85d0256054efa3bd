/**
 * All that can befall a store at once: its processes are killed, frozen and taken over, thaw and go on with what they
 * had begun, and what they wrote is damaged. A client remembers every acknowledgement.
 *
 * Nothing acknowledged may be missing in silence: where a journal stands before what was acknowledged, an Error line
 * has named its server; where a store cannot be opened any more, its process has ended and said so. Then the damage is
 * undone.
 */
import { Effect, Random } from "effect"
import { SqlClient } from "effect/sql"
import * as fs from "node:fs"
import { join } from "node:path"
import { folder } from "../Folder.ts"
import { damage } from "../stores/DamagedSqlite.ts"
import { digestOf } from "./Journal.ts"
import { keys } from "./Journals.ts"
import { type Running, start } from "./Processes.ts"

/** What came of a storm. */
export interface Storm {
  kills: number
  takeOvers: number
  /** Entries that a frozen process acknowledged when it ran again: they were written before. */
  late: number
  damages: number
  /** Damages after which something acknowledged was missing, and a line named it. */
  said: number
  /** Damages after which the store could not be opened, and said so. */
  refused: number
  acknowledged: number
  /** What is missing, or there twice, in silence. */
  readonly wrong: Array<string>
}

/** Where a storm rages, and how what is written there can be damaged: what was done, and how to undo it. */
export interface Site {
  readonly place: string
  readonly damage: (seed: number) => Effect.Effect<{ readonly what: string; readonly undo: Effect.Effect<void> }>
}

/** The digest of a whole journal up to an entry. */
const digestAt = (last: number): number => {
  let digest = 0
  for (let entry = 1; entry <= last; entry++) digest = digestOf(digest, entry)
  return digest
}

/** Damages a file of a folder, at a place that is drawn; the files of locks are no part of what is kept. */
const damageFiles = (directory: string) => (seed: number) =>
  Effect.sync(() => {
    const names = fs.readdirSync(directory).filter((name) => !/lock|owner|-shm$/.test(name))
    const files = new Map(names.map((name) => [name, Uint8Array.from(fs.readFileSync(join(directory, name)))]))
    const whole = new Map([...files].filter(([, bytes]) => bytes.length > 0))
    const damaged = damage(whole, "", seed)
    for (const [name, bytes] of damaged.files) {
      if (bytes !== whole.get(name)) fs.writeFileSync(join(directory, name), bytes)
    }
    const undo = Effect.sync(() => {
      for (const name of fs.readdirSync(directory)) if (!files.has(name)) fs.rmSync(join(directory, name))
      for (const [name, bytes] of files) fs.writeFileSync(join(directory, name), bytes)
    })
    return { what: damaged.what, undo }
  })

/** A store in a folder of its own. */
export const inFolder = (kind: "sqlite" | "file", name: string) =>
  Effect.map(folder, (directory): Site => {
    const inside = join(directory, "store")
    fs.mkdirSync(inside)
    return { place: `${kind}:${join(inside, name)}`, damage: damageFiles(inside) }
  })

/** Damages a row of PostgreSQL: a letter of a state, or one of its numbers. */
export const damageRows = (seed: number) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const columns = ["state = overlay(state placing '~' from 3 for 1)", "seq = seq + 1", "at = at + 1", "version = 7"]
    const change = columns[seed % columns.length]!
    yield* Effect.orDie(sql.unsafe(
      `UPDATE heirloom_state SET ${change} WHERE ctid = (SELECT ctid FROM heirloom_state WHERE key <> '%' ORDER BY key, slot OFFSET ${
        seed % 7
      } LIMIT 1)`
    ))
    return { what: `${change} of row ${seed % 7}`, undo: Effect.void }
  })

/** Whether an Error line of the process names the server of a journal. */
const hasNamed = (running: Running, key: string): boolean =>
  running.errors().split("\n").some((line) => line.includes("ERROR") && line.includes(`durable/Journal/${key}`))

/**
 * Lets so many acts of a storm happen at a site: kills, take-overs and damages by turns, at moments drawn from the
 * context's Random.
 */
export const rage = Effect.fnUntraced(function*(
  program: string,
  { damage, place }: Site,
  acts: number,
  when: "commit" | "late" = "commit"
) {
  const storm: Storm = {
    kills: 0,
    takeOvers: 0,
    late: 0,
    damages: 0,
    said: 0,
    refused: 0,
    acknowledged: 0,
    wrong: []
  }
  const acknowledged = new Map(keys.map((key) => [key, new Set<number>()]))
  const highest = (key: string): number => Math.max(0, ...acknowledged.get(key)!)

  /**
   * Reads where the journals stand, and what is acknowledged, of a process; `before` is what had been done to its
   * store.
   */
  const read = (running: Running, before: string | undefined) => {
    for (const line of running.lines) {
      const [word, key = "", number, digest] = line.split(" ")
      if (word === "at") found(running, key, Number(number), Number(digest), before)
      if (word === "ack") acknowledge(key, Number(number))
    }
  }
  const found = (running: Running, key: string, last: number, digest: number, before: string | undefined) => {
    if (digestAt(last) !== digest) storm.wrong.push(`${before}: ${key} up to ${last} is not whole`)
    const due = highest(key)
    if (last >= due) return
    if (before === undefined || !hasNamed(running, key)) {
      storm.wrong.push(`${before ?? "after a kill"}: ${due} of ${key} was acknowledged, and it stands at ${last}`)
    } else storm.said++
    // What is known to be lost may be acknowledged again.
    for (const entry of acknowledged.get(key)!) if (entry > last) acknowledged.get(key)!.delete(entry)
  }
  const acknowledge = (key: string, entry: number) => {
    storm.acknowledged++
    if (acknowledged.get(key)!.has(entry)) storm.wrong.push(`${entry} of ${key} was acknowledged twice`)
    acknowledged.get(key)!.add(entry)
  }
  const begin = start(program, [place, when, "3", ...keys])
  const work = Effect.fnUntraced(function*(running: Running) {
    yield* running.printed("ack ", 1 + (yield* Random.nextIntBetween(0, 100)))
    yield* Effect.sleep(yield* Random.nextIntBetween(0, 10))
  })
  /** Starts one on what is there; `undefined` when it could not open it and said so. */
  const open = Effect.fnUntraced(function*(before: string | undefined, frozen?: Running) {
    const running = yield* begin
    yield* running.printed("ready")
    if (running.lines.includes("ready")) return running
    yield* running.ended
    const said = running.errors()
    // Frozen in a transaction of SQLite it keeps the others out, which is said: that lock is its process's.
    if (frozen !== undefined && place.startsWith("sqlite") && said.includes("is waited for")) storm.refused++
    else if (before === undefined || said === "") {
      storm.wrong.push(
        `${before ?? (frozen === undefined ? "after a kill" : "beside a frozen one")}: it ended by itself: ${
          said.slice(0, 500)
        }`
      )
    }
    return undefined
  })

  // Where it is to be found that something is wrong, that is enough.
  const isOver = (): boolean => when === "late" && storm.wrong.length > 0
  for (let act = 0; act < acts && !isOver(); act++) {
    const what = act % 3
    yield* Effect.scoped(Effect.gen(function*() {
      const damaged = what === 2 ? yield* damage(yield* Random.nextIntBetween(0, 1_000_000)) : undefined
      if (damaged !== undefined) storm.damages++
      const first = yield* open(damaged?.what)
      if (first === undefined) {
        storm.refused++
        return yield* damaged?.undo ?? Effect.void
      }
      yield* work(first)
      if (what !== 1) {
        yield* first.kill
        storm.kills++
        return read(first, damaged?.what)
      }
      // Frozen wherever it is, with its statements on their way; thawed when the next one has written.
      yield* first.signal("SIGSTOP")
      const frozen = first.lines.length
      const second = yield* open(undefined, first)
      if (second !== undefined) yield* work(second)
      yield* first.signal("SIGCONT")
      if (second !== undefined) yield* work(second)
      yield* first.kill
      yield* second?.kill ?? Effect.void
      storm.takeOvers++
      storm.late += first.lines.slice(frozen).filter((line) => line.startsWith("ack")).length
      read(first, undefined)
      if (second !== undefined) read(second, undefined)
    }))
  }
  if (isOver()) return storm
  yield* Effect.scoped(Effect.gen(function*() {
    const last = yield* open(undefined)
    yield* last?.kill ?? Effect.void
    if (last !== undefined) read(last, undefined)
  }))
  return storm
})
