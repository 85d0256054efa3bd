/**
 * Acknowledged updates against what the store's medium does by itself:
 * `node bench/acknowledged.ts [normal] [full] [files] [postgres]`.
 *
 * A client waits for each of its answers, which comes when the state is stored. Raw is the least that makes the same
 * states last, one by one or a hundred in a transaction, with the same Schema encoding; in turns, so that what slows
 * one slows the other. Ratios are taken within a round; the median over the rounds is shown, with the least and the
 * greatest, of the time that passed and of the work of the process. On a machine that others use too, the latter is
 * what can be relied on; where a disk is waited for (FULL, files), the former is what matters.
 */
import { Effect, Layer, Result, Schema } from "effect"
import * as StateSchema from "../src/domain/state/StateSchema.ts"
import { GenServer, StateContainer, StateStore, Supervisor } from "../src/index.ts"
import { quiet, restart } from "./counter.ts"
import { type Cost, cost, median, quick } from "./measure.ts"
import { file, type Medium, postgres, sqlite } from "./media.ts"

const rounds = quick ? 2 : 9
const clients = 100
/** Microseconds that each pass takes, roughly. */
const pass = quick ? 20_000 : 400_000

/** About 200 bytes as JSON. */
const State = Schema.Struct({ name: Schema.String, count: Schema.Int, tags: Schema.Array(Schema.String) })
const stateOf = (count: number) => ({ name: "n".repeat(120), count, tags: ["red", "green", "blue", "white"] })
const codec = StateSchema.make(State)
const encoded = (count: number) => Result.getOrThrow(codec.encode(stateOf(count))).state

class Store extends StateStore.Service<Store>()("bench/Store", "process") {}
class Counter extends GenServer.Service<Counter>()("bench/Counter", {
  state: State,
  messages: { Increment: GenServer.call({ reply: Schema.Int, timeout: "infinity" }) }
}) {}

const tree = (store: StateStore.StateStore<"process">) =>
  Supervisor.layer({ strategy: "one_for_one", restart }, [
    StateContainer.layerStore(Counter, { store: Store }),
    Counter.layerKeyed({
      init: stateOf(0),
      handlers: { Increment: (state) => [state.count + 1, { ...state, count: state.count + 1 }] }
    })
  ]).pipe(Layer.provide(Layer.succeed(Store, store)), Layer.provide(quiet))

/** Microseconds for each of `n`: what passes, and what the process works. */
const timed = <E, R>(n: number, work: Effect.Effect<unknown, E, R>) =>
  Effect.map(cost(n, work), ({ cpu, wall }): Cost => ({ wall: wall / 1000, cpu: cpu / 1000 }))

const times = <E, R>(n: number, one: (i: number) => Effect.Effect<unknown, E, R>) =>
  Effect.suspend(() => {
    let i = 0
    return Effect.whileLoop({ while: () => i < n, body: () => one(i++), step: () => {} })
  })

const contest = Effect.fnUntraced(function*({ name, raw, single, store }: Medium) {
  const graded = Object.assign({ ...store }, { grade: "process" as const })
  // Every record in a transaction of its own.
  const apart = {
    ...graded,
    save: (records: Parameters<typeof store.save>[0]) =>
      Effect.forEach(records, (one) => store.save([one]), { discard: true })
  }
  const servers = Effect.fnUntraced(function*(store: StateStore.StateStore<"process">, prefix: string) {
    const context = yield* Layer.build(tree(store))
    return yield* Effect.provideContext(
      Effect.forEach(Array.from({ length: clients }, (_, i) => i), (i) => Counter.at(`${prefix}${i}`)),
      context
    )
  })
  // One session after the other: the younger one would fence the older one off.
  const measured = <A>(
    store: StateStore.StateStore<"process">,
    use: (all: Effect.Success<ReturnType<typeof servers>>) => Effect.Effect<A, unknown>
  ) => Effect.scoped(Effect.flatMap(servers(store, ""), use))

  const n = Math.ceil(pass / single)
  const batches = Math.ceil(n / 10)
  const costs: Record<string, Array<Cost>> = {}
  const ratios: Record<string, Array<Cost>> = {}
  const note = (rows: typeof costs, what: string, cost: Cost) => (rows[what] ??= []).push(cost)
  const over = (a: Cost, b: Cost): Cost => ({ wall: a.wall / b.wall, cpu: a.cpu / b.cpu })
  for (let round = -1; round < rounds; round++) {
    let count = 0
    const rawSingle = yield* timed(n, times(n, (i) => raw([[`k${i % clients}`, encoded(++count)]])))
    const rawMany = yield* timed(
      batches * clients,
      times(batches, () => raw(Array.from({ length: clients }, (_, i) => [`k${i}`, encoded(++count)] as const)))
    )
    const [one, many, same] = yield* measured(graded, (all) =>
      Effect.gen(function*() {
        const each = (pick: (client: number) => (typeof all)[number]) =>
          timed(
            batches * clients,
            Effect.forEach(all, (_, client) => times(batches, () => pick(client).Increment()), {
              concurrency: "unbounded",
              discard: true
            })
          )
        return [
          yield* timed(n, times(n, () => all[0]!.Increment())),
          yield* each((client) => all[client]!),
          yield* each(() => all[0]!)
        ] as const
      }))
    const ungrouped = yield* measured(apart, (all) =>
      timed(
        n,
        Effect.forEach(all, (server) => times(Math.ceil(n / clients), () => server.Increment()), {
          concurrency: "unbounded",
          discard: true
        })
      ))
    if (round < 0) continue
    note(costs, "raw, one by one", rawSingle)
    note(costs, `raw, batches of ${clients}`, rawMany)
    note(costs, "1 client", one)
    note(costs, `${clients} clients, ${clients} servers`, many)
    note(costs, `${clients} clients, 1 server`, same)
    note(costs, `${clients} clients, ${clients} servers, without group commit`, ungrouped)
    note(ratios, "1 client: times the raw cost", over(one, rawSingle))
    note(ratios, `${clients} clients, ${clients} servers: of the raw rate`, over(rawMany, many))
    note(ratios, `${clients} clients, 1 server: of the raw rate`, over(rawMany, same))
  }
  console.log(name)
  const shown = (values: ReadonlyArray<number>) => {
    const sorted = [...values].sort((a, b) => a - b)
    return `${median(values).toFixed(2).padStart(8)} (${sorted[0]!.toFixed(2)} to ${sorted.at(-1)!.toFixed(2)})`.padEnd(
      30
    )
  }
  for (const [what, values] of Object.entries(costs)) {
    const wall = values.map((one) => one.wall)
    const rate = Math.round(1e6 / median(wall)).toLocaleString("en-US")
    console.log(`  ${what.padEnd(48)} µs ${shown(wall)} cpu ${shown(values.map((one) => one.cpu))} ${rate} /s`)
  }
  for (const [what, values] of Object.entries(ratios)) {
    console.log(
      `  ${what.padEnd(48)}    ${shown(values.map((one) => one.wall))} cpu ${shown(values.map((one) => one.cpu))}`
    )
  }
})

class Blob extends GenServer.Service<Blob>()("bench/Blob", {
  state: Schema.Struct({ rows: Schema.Array(Schema.Struct({ id: Schema.Int, text: Schema.String })) }),
  messages: { Touch: GenServer.call({ reply: Schema.Int, timeout: "infinity" }) }
}) {}

/** What a commit of a large state costs: how long its answer waits, and how much of that is work. */
const large = Effect.fnUntraced(function*({ store }: Medium) {
  const graded = Object.assign({ ...store }, { grade: "process" as const })
  for (const [bytes, text, n] of [[1e3, "1 kB", 200], [1e5, "100 kB", 30], [1e7, "10 MB", 5]] as const) {
    const rows = Array.from({ length: bytes / 100 }, (_, id) => ({ id, text: "x".repeat(78) }))
    const costs: Array<Cost> = []
    yield* Effect.gen(function*() {
      const blob = yield* Blob
      for (let i = 0; i < (quick ? 2 : n); i++) costs.push(yield* timed(1, blob.Touch()))
    }).pipe(Effect.provide(
      Supervisor.layer({ strategy: "one_for_one", restart }, [
        StateContainer.layerStore(Blob, { store: Store }),
        Blob.layer({
          init: { rows },
          handlers: {
            Touch: (
              state
            ) => [0, { rows: [{ id: (state.rows[0]?.id ?? 0) + 1, text: "touched" }, ...state.rows.slice(1)] }]
          }
        })
      ]).pipe(Layer.provide(Layer.succeed(Store, graded)), Layer.provide(quiet))
    ))
    yield* Effect.flatMap(store.acquireEpoch("bench/Blob"), (epoch) => store.remove(["bench/Blob"], epoch))
    const ms = (which: keyof Cost) => (median(costs.map((one) => one[which])) / 1000).toFixed(2).padStart(8)
    console.log(`  state of ${text.padEnd(12)} ${ms("wall")} ms, of which the process works ${ms("cpu")} ms`)
  }
})

const media = { normal: sqlite("NORMAL"), full: sqlite("FULL"), files: file, postgres }
const wanted = process.argv.slice(2).filter((name): name is keyof typeof media => name in media)

const program = Effect.gen(function*() {
  for (const name of wanted.length > 0 ? wanted : (["normal", "full", "files"] as const)) {
    const medium = yield* media[name]
    yield* contest(medium)
    yield* large(medium)
  }
}).pipe(Effect.scoped)

await Effect.runPromise(program)
