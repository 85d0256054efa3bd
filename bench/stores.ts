/**
 * The stores against what they are made of: `node bench/stores.ts [--postgres]`.
 *
 * Every row compares a store's `save` with the least that stores the same states in the same medium, both with the same
 * Schema encoding, in turns, so that what slows one slows the other. Ratios are taken within a round; the median over
 * the rounds is shown. Then what large states cost, and how long the event loop stands still for them.
 */
import { NodeServices } from "@effect/platform-node"
import { Effect, Result, Schema } from "effect"
import { join } from "node:path"
import * as StateSchema from "../src/domain/state/StateSchema.ts"
import type { SnapshotRecord } from "../src/domain/state/stored/SnapshotRecord.ts"
import type { Grade } from "../src/domain/state/Survival.ts"
import * as StateStoreFile from "../src/layers/state/StateStoreFile.ts"
import * as StateStoreSqlite from "../src/layers/state/StateStoreSqlite.ts"
import type { StateStore } from "../src/layers/state/store/StateStore.ts"
import { directory, file, type Medium, postgres, sqlite } from "./media.ts"

const quick = process.env["BENCH_QUICK"] === "1"
const rounds = quick ? 2 : 9
const keys = 100

const State = StateSchema.make(
  Schema.Struct({ name: Schema.String, count: Schema.Int, tags: Schema.Array(Schema.String) })
)
/** About 200 bytes as JSON. */
const stateOf = (count: number) => ({ name: "n".repeat(120), count, tags: ["red", "green", "blue", "white"] })
const encoded = (count: number) => Result.getOrThrow(State.encode(stateOf(count)))

const median = (values: ReadonlyArray<number>): number => [...values].sort((a, b) => a - b)[values.length >> 1]!

/** Microseconds for each of `n`. */
const timed = <E, R>(n: number, work: Effect.Effect<unknown, E, R>) =>
  Effect.gen(function*() {
    const from = process.hrtime.bigint()
    yield* work
    return Number(process.hrtime.bigint() - from) / 1000 / n
  })

const times = <E, R>(n: number, one: (i: number) => Effect.Effect<unknown, E, R>) =>
  Effect.suspend(() => {
    let i = 0
    return Effect.whileLoop({ while: () => i < n, body: () => one(i++), step: () => {} })
  })

const contest = Effect.fnUntraced(function*({ name, raw, single: cost, store }: Medium) {
  const single = Math.ceil(90_000 / cost)
  const batches = Math.ceil(single / 8)
  const epoch = yield* store.acquireEpoch("bench")
  let seq = 0
  const keyOf = (i: number) => `bench/Counter/${i % keys}`
  const record = (i: number): SnapshotRecord => {
    const { state, version } = encoded(++seq)
    return { key: keyOf(i), epoch, seq, version, state, trusted: seq - 1, at: 1.7e12 }
  }
  const batch = Array.from({ length: keys }, (_, i) => i)
  const singles: Array<readonly [number, number]> = []
  const batched: Array<readonly [number, number]> = []
  for (let round = -1; round < rounds; round++) {
    const one = yield* timed(single, times(single, (i) => raw([[keyOf(i), encoded(i).state]])))
    const ours = yield* timed(single, times(single, (i) => store.save([record(i)])))
    const many = yield* timed(
      batches * keys,
      times(batches, (n) => raw(batch.map((i) => [keyOf(i), encoded(n).state])))
    )
    const oursMany = yield* timed(batches * keys, times(batches, () => store.save(batch.map(record))))
    if (round < 0) continue
    singles.push([one, ours])
    batched.push([many, oursMany])
  }
  const show = (what: string, rows: ReadonlyArray<readonly [number, number]>) => {
    const [raw, ours] = [median(rows.map((row) => row[0])), median(rows.map((row) => row[1]))]
    const ratio = median(rows.map((row) => row[1] / row[0]))
    console.log(
      `${name.padEnd(28)} ${what.padEnd(16)} raw ${raw.toFixed(1).padStart(8)} µs   store ${
        ours.toFixed(1).padStart(8)
      } µs   ${ratio.toFixed(2)} times the cost, ${(100 / ratio).toFixed(0)} % of the rate`
    )
  }
  show("one by one", singles)
  show(`batches of ${keys}`, batched)
})

/** The longest time in which the event loop did nothing else. */
const stall = <E, R>(work: Effect.Effect<unknown, E, R>) =>
  Effect.gen(function*() {
    let longest = 0
    let last = process.hrtime.bigint()
    let going = true
    const look = () => {
      const now = process.hrtime.bigint()
      longest = Math.max(longest, Number(now - last) / 1000)
      last = now
      if (going) setImmediate(look)
    }
    setImmediate(look)
    yield* work
    yield* Effect.sleep(1)
    going = false
    return longest
  })

const large = Effect.fnUntraced(function*(name: string, store: StateStore<Grade>) {
  const epoch = yield* store.acquireEpoch("large")
  for (const [size, text, n] of [[1e3, "1 kB", 200], [1e5, "100 kB", 50], [1e7, "10 MB", 5]] as const) {
    const state = JSON.stringify("x".repeat(size))
    const costs: Array<number> = []
    const stalls: Array<number> = []
    for (let seq = 1; seq <= (quick ? 2 : n); seq++) {
      const save = store.save([{ key: `large/${text}`, epoch, seq, version: 1, state, trusted: 0, at: 0 }])
      stalls.push(yield* stall(Effect.flatMap(timed(1, save), (cost) => Effect.sync(() => costs.push(cost)))))
    }
    console.log(
      `${name.padEnd(28)} ${text.padEnd(16)} save ${median(costs).toFixed(0).padStart(8)} µs   event loop still ${
        median(stalls).toFixed(0).padStart(8)
      } µs`
    )
  }
})

const program = Effect.gen(function*() {
  yield* contest(yield* sqlite("NORMAL"))
  yield* contest(yield* sqlite("FULL"))
  yield* contest(yield* file)
  if (process.argv.includes("--postgres")) yield* contest(yield* postgres)
  yield* large("SQLite, NORMAL", yield* StateStoreSqlite.make({ filename: join(directory, "large.db") }))
  yield* large("files", yield* StateStoreFile.makeDirect({ directory: join(directory, "large") }))
}).pipe(Effect.scoped, Effect.provide(NodeServices.layer))

await Effect.runPromise(program)
