/**
 * A log that is only looked at: how it was when it was first asked for anything. Nothing is written, and its owner not
 * disturbed.
 *
 * @since 0.1.0
 */
import { Effect, FileSystem, Path, type PlatformError } from "effect"
import type * as LogFrame from "../../../domain/state/log/LogFrame.ts"
import { defaultGenerations } from "../../../domain/state/stored/SnapshotRecord.ts"
import { StoreError, type StoreErrorReason } from "../../../domain/state/stored/StoreError.ts"
import type { StoreView } from "../store/StateStore.ts"
import * as LogDirectory from "./LogDirectory.ts"
import type { LogIndex, Place } from "./LogIndex.ts"
import { aside, load, readText } from "./LogRead.ts"
import { replay } from "./LogReplay.ts"

/** Times that a log is read anew, when its owner has compacted it while it was read. */
const attempts = 5

/** Looks at the log in a folder. One that has none is `Absent`. */
export const make = Effect.fnUntraced(function*(
  directory: string,
  checksum: LogFrame.Checksum,
  onDamage: (damage: LogDirectory.Damage) => Effect.Effect<void>
): Effect.fn.Return<StoreView, StoreError, FileSystem.FileSystem | Path.Path> {
  const name = `file ${directory}`
  const fs = yield* FileSystem.FileSystem
  const log = LogDirectory.make(fs, yield* Path.Path, directory, checksum)
  const fail = (operation: string, reason: StoreErrorReason) => new StoreError({ store: name, operation, reason })
  const asking = (operation: string) =>
    Effect.mapError((cause: PlatformError.PlatformError) => fail(operation, { _tag: "Unavailable", cause }))

  const strange = Effect.gen(function*() {
    if (!(yield* fs.exists(directory))) return `there is no folder ${directory}`
    if ((yield* fs.stat(directory)).type !== "Directory") return `${directory} is no folder`
    const { claims, segments } = yield* log.list
    return claims.length + segments.length === 0 ? `there are no states in the folder ${directory}` : undefined
  })
  const what = yield* asking("open")(strange)
  if (what !== undefined) return yield* fail("open", { _tag: "Absent", what })

  let seen: LogIndex | undefined
  const index = Effect.suspend(() =>
    seen !== undefined ? Effect.succeed(seen) : Effect.gen(function*() {
      const { damages, index } = yield* replay(fs, log, defaultGenerations, checksum)
      // A batch that the owner is just writing looks damaged.
      for (const one of damages) if (one._tag !== "TornTail") yield* onDamage(one)
      return seen = index
    })
  )
  const text = (place: Place) =>
    Effect.scoped(Effect.flatMap(fs.open(log.at(place.file), { flag: "r" }), (file) => readText(file, place, checksum)))
  const rotted = ({ at, file, length }: Place) => onDamage({ _tag: "Hole", file, at, bytes: length })
  const reading = <A>(operation: string, read: (index: LogIndex) => Effect.Effect<A, PlatformError.PlatformError>) =>
    asking(operation)(Effect.retry(Effect.flatMap(index, read), {
      times: attempts,
      while: (error) => {
        seen = undefined
        return error.reason._tag === "NotFound"
      }
    }))

  return {
    name,
    load: (key) => reading("load", (index) => load(index, key, text, rotted)),
    listAside: (key) =>
      reading(
        "listAside",
        (index) =>
          Effect.forEach(index.aside.filter((one) => key === undefined || one.key === key), (one) => aside(one, text))
      ),
    keys: (prefix = "", page) =>
      reading("keys", ({ kept, pages }) =>
        Effect.sync(() =>
          page === undefined
            ? Array.from(kept.keys()).filter((key) => key.startsWith(prefix)).sort()
            : pages.page(prefix, page)
        )),
    doubt: reading("doubt", ({ doubt }) => Effect.succeed(doubt)),
    timers: (limit, after, until) => reading("timers", ({ due }) => Effect.sync(() => due.page(limit, after, until)))
  }
})
