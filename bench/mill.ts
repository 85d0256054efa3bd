/** A server for `worker.ts`, with a state of any size, and work of any length. */
import { Schema } from "effect"
import { GenServer } from "../src/index.ts"
import { WorkerServer } from "../src/worker.ts"

export class Mill extends GenServer.Service<Mill>()("bench/Mill", {
  state: Schema.Struct({ n: Schema.Int, pad: Schema.String }),
  messages: {
    Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }),
    Pad: GenServer.call({ payload: { size: Schema.Int } }),
    Work: GenServer.call({ payload: { rounds: Schema.Int }, reply: Schema.Int, timeout: "infinity" }),
    Exit: GenServer.call()
  }
}) {}

export const behavior = Mill.behavior({
  init: { n: 0, pad: "" },
  handlers: {
    Add: ({ n, pad }, { by }) => [n + by, { n: n + by, pad }],
    Pad: ({ n }, { size }) => [undefined, { n, pad: "x".repeat(size) }],
    Work: (state, { rounds }) => {
      let x = 1
      for (let i = 0; i < rounds * 1000; i++) x = (x * 1_103_515_245 + 12_345) % 2_147_483_648
      return [x % 2, state]
    },
    Exit: () => process.exit(3)
  }
})

export const entryAt = (url: string) => WorkerServer.entry(Mill, behavior, url)

entryAt(import.meta.url)
