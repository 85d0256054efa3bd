/** What the states of servers that hibernate hold in memory: nothing. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { join } from "node:path"
import { GenServer, Next, StateContainer, StateStore, Supervisor } from "../../../../src/index.ts"
import * as StateStoreSqlite from "../../../../src/layers/state/StateStoreSqlite.ts"
import { Harness } from "../../../../src/testing.ts"
import { folder } from "../../../kit/Folder.ts"
import { collectGarbage } from "../../../kit/Garbage.ts"

/** `MANY=10000` for a long run. */
const n = Number(process.env["MANY"] ?? 1_000)

describe(`${n} servers that hibernate`, () => {
  class Store extends StateStore.Service<Store>()("test/Sqlite", "process") {}

  class Page extends GenServer.Service<Page>()("test/Page", {
    state: Schema.Struct({ text: Schema.String }),
    messages: {
      Write: GenServer.call({ payload: { text: Schema.String, hibernate: Schema.Boolean } }),
      Read: GenServer.call({ reply: Schema.String })
    }
  }) {}

  it.live(
    "over SQLite none of their states can be reached in memory, and each is there when it is wanted",
    () =>
      Effect.gen(function*() {
        const directory = yield* folder
        const states: Array<WeakRef<object>> = []
        const App = Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
          StateContainer.layerStore(Page, { store: Store }),
          Page.layerKeyed({
            init: { text: "" },
            handlers: {
              Write: (_state, { hibernate, text }) => {
                const next = { text }
                states.push(new WeakRef(next))
                return Next.reply(undefined, next, { hibernate })
              },
              Read: ({ text }) => [text, { text }]
            }
          })
        ]).pipe(
          Layer.provide(StateStoreSqlite.layer(Store, { filename: join(directory, "states.db") })),
          Layer.provideMerge(Harness.Harness.layer)
        )
        const reachable = () => states.filter((one) => one.deref() !== undefined).length
        yield* Effect.gen(function*() {
          const pages = yield* Effect.forEach(Array.from({ length: n }, (_, i) => i), (i) => Page.at(`page-${i}`))
          const write = (hibernate: boolean) =>
            Effect.forEach(pages, (page, i) => page.Write({ text: `text ${i}`, hibernate }), {
              concurrency: "unbounded",
              discard: true
            })
          yield* write(false)
          yield* collectGarbage
          assert.strictEqual(reachable(), n)
          states.splice(0)
          yield* write(true)
          for (let i = 0; i < 50; i++) {
            yield* collectGarbage
            if (reachable() === 0) break
          }
          assert.strictEqual(reachable(), 0)
          for (const i of [0, n >> 1, n - 1]) assert.strictEqual(yield* pages[i]!.Read(), `text ${i}`)
        }).pipe(Effect.provide(App))
      })
  )
})
