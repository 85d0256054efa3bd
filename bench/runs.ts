/**
 * Long runs: whether a store keeps its rate, and its size, over ten minutes' worth of commits.
 *
 * Two hundred servers in turns, one client, each call with a key: each commit records an answer, and soon forgets one.
 * The first and the last tenth of the run are shown. `BENCH_MINUTES` says for how many minutes' worth, at the rate of
 * the beginning; `node --expose-gc bench/runs.ts runs-files` prints every tenth to standard error.
 */
import { Effect, Layer, Schema, type Scope } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import type { Grade } from "../src/domain/state/Survival.ts"
import { GenServer, StateContainer, StateStore, Supervisor } from "../src/index.ts"
import { quiet, restart } from "./counter.ts"
import { type Cost, cost, main, minutes, report, show } from "./measure.ts"
import { directory, file, type Medium, postgres, sqlite } from "./media.ts"

const servers = 200
const tenths = 10

class Store extends StateStore.Service<Store>()("bench/RunStore", "process") {}
class Counter extends GenServer.Service<Counter>()("bench/Run", {
  state: Schema.Struct({ name: Schema.String, count: Schema.Int }),
  messages: { Increment: GenServer.call({ reply: Schema.Int, timeout: "infinity" }) }
}) {}

const tree = (store: StateStore.StateStore<Grade>) =>
  Supervisor.layer({ strategy: "one_for_one", restart }, [
    StateContainer.layerStore(Counter, { store: Store }),
    Counter.layerKeyed({
      init: { name: "n".repeat(170), count: 0 },
      handlers: { Increment: (state) => [state.count + 1, { ...state, count: state.count + 1 }] }
    })
  ]).pipe(Layer.provide(Layer.succeed(Store, { ...store, grade: "process" })), Layer.provide(quiet))

const bytesIn = (folder: string): number =>
  fs.readdirSync(folder).reduce((sum, name) => sum + fs.statSync(join(folder, name)).size, 0)

/** Runs a store, and reports what a call took in the beginning and in the end, and how many bytes there are by then. */
const run = <E>(
  name: string,
  medium: Effect.Effect<Medium, E, Scope.Scope>,
  bytes: (medium: Medium) => Effect.Effect<number, E>
) =>
  Effect.gen(function*() {
    const opened = yield* medium
    const context = yield* Layer.build(tree(opened.store))
    const all = yield* Effect.provideContext(
      Effect.forEach(Array.from({ length: servers }, (_, i) => i), (i) => Counter.at(`${i}`)),
      context
    )
    let i = 0
    const calls = (n: number) =>
      Effect.suspend(() => {
        const until = i + n
        return Effect.whileLoop({
          while: () => i < until,
          body: () => all[i % servers]!.Increment(undefined, { idempotencyKey: `b1946ac9-2492-d234-7c62-${i++}` }),
          step: () => {}
        })
      })
    // A pass that does not count, and one that says how many there are to be.
    yield* calls(servers * 5)
    const { wall } = yield* cost(servers * 10, calls(servers * 10))
    const each = Math.max(servers, Math.ceil(minutes * 60e9 / wall / tenths))
    const costs: Array<Cost> = []
    for (let tenth = 0; tenth < tenths; tenth++) {
      costs.push(yield* cost(each, calls(each)))
      const rate = Math.round(1e9 / costs.at(-1)!.wall)
      const cpu = (costs.at(-1)!.cpu / 1000).toFixed(0)
      console.error(
        `${opened.name}: ${i} calls, ${rate} a second, ${cpu} µs of CPU each, ${(yield* bytes(opened)) / 1e6} MB`
      )
    }
    show(`runs.${name}.first`, costs[0]!)
    show(`runs.${name}.last`, costs.at(-1)!)
    report(`runs.${name}.disk`, yield* bytes(opened))
  }).pipe(Effect.scoped)

main({
  "runs-sqlite": run(
    "sqlite",
    sqlite("NORMAL"),
    () =>
      Effect.sync(() =>
        ["", "-wal"].reduce((sum, end) => sum + fs.statSync(join(directory, `store-NORMAL.db${end}`)).size, 0)
      )
  ),
  "runs-files": run("files", file, () => Effect.sync(() => bytesIn(join(directory, "files")))),
  "runs-postgres": run("postgres", postgres, ({ bytes }) => bytes ?? Effect.succeed(0))
})
