/**
 * A process that writes to a store until it is killed or fenced off, telling each step on its standard output:
 * `loaded N` (what it found when its session began), `acked N` (a save that succeeded), `fenced` or `failed REASON`.
 *
 * `node writer.ts file DIRECTORY`, `node writer.ts sqlite FILENAME NORMAL|FULL`, `node writer.ts postgres PORT TABLE`.
 */
import { NodeServices } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import { Effect, Redacted, Schedule } from "effect"
import { writeSync } from "node:fs"
import { type StateContainer, type StateStore } from "../../../src/index.ts"
import * as StateStoreFile from "../../../src/layers/state/StateStoreFile.ts"
import * as StateStoreSql from "../../../src/layers/state/StateStoreSql.ts"
import * as StateStoreSqlite from "../../../src/layers/state/StateStoreSqlite.ts"

const [kind, place = "", more = ""] = process.argv.slice(2)

// A pipe is written at once: a line that was printed is out, whatever happens next. One that is full is asked again.
const tell = (line: string) =>
  Effect.try({
    try: () => writeSync(1, `${line}\n`),
    catch: (error) => error as NodeJS.ErrnoException
  }).pipe(
    Effect.retry({ while: (error) => error.code === "EAGAIN", schedule: Schedule.spaced(1) }),
    Effect.orDie
  )

export const stateOf = (key: string, n: number) => JSON.stringify({ key, n, text: `${key}/${n} `.repeat(1 + n % 40) })

const write = Effect.fnUntraced(function*(store: StateStore.StateStore<StateContainer.Grade>) {
  const keys = ["a", "b\u0000\ud800", "c"]
  const epoch = yield* store.acquireEpoch("writer")
  const found = yield* Effect.forEach(keys, store.load)
  const newest = found.map((records) => records[0]?.seq ?? 0)
  for (const [i, records] of found.entries()) {
    for (const { seq, state } of records) {
      if (state !== stateOf(keys[i]!, seq)) return yield* tell(`failed: snapshot ${seq} of ${keys[i]} is ${state}`)
    }
  }
  // a batch is atomic: all keys are at the same number
  if (new Set(newest).size !== 1) return yield* tell(`failed: found half a batch, ${newest.join(" ")}`)
  let n = newest[0]!
  yield* tell(`loaded ${n}`)
  while (true) {
    n++
    const saved = yield* Effect.result(store.save(keys.map((key) => ({
      key,
      epoch,
      seq: n,
      version: 1,
      state: stateOf(key, n),
      trusted: n - 1,
      at: n,
      answers: [{ id: `call ${n}`, seq: n, at: n, body: `"${n}"` }],
      forgetAnswersBefore: n - 3
    }))))
    if (saved._tag === "Failure") {
      return yield* tell(saved.failure.reason._tag === "Fenced" ? "fenced" : `failed: ${saved.failure.message}`)
    }
    yield* tell(`acked ${n}`)
    if (n % 16 === 0) yield* Effect.sleep(1)
  }
})

const client = () =>
  PgClient.layer({
    host: "127.0.0.1",
    port: Number(place),
    username: "postgres",
    password: Redacted.make("test"),
    database: "postgres",
    ssl: false,
    maxConnections: 2
  })

const program = kind === "file"
  ? Effect.scoped(Effect.flatMap(StateStoreFile.makeDirect({ directory: place, compactAbove: 50_000 }), write)).pipe(
    Effect.provide(NodeServices.layer)
  )
  : kind === "sqlite"
  ? Effect.scoped(Effect.flatMap(
    StateStoreSqlite.make({
      filename: place,
      synchronous: more === "FULL" ? "FULL" : "NORMAL",
      busyTimeout: "5 seconds"
    }),
    write
  ))
  : Effect.scoped(Effect.flatMap(StateStoreSql.make({ table: more }), write)).pipe(Effect.provide(client()))

if (import.meta.main) {
  await Effect.runPromise(Effect.catch(program, (error) => tell(`failed: ${error.message}`)))
}
