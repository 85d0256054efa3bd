/** The server that Heirloom is measured with. Its state is conserved in memory on every message. */
import { Deferred, Effect, Logger, Schema } from "effect"
import { GenServer, Restart, StateContainer } from "../src/index.ts"

export class Counter extends GenServer.Service<Counter>()("bench/Counter", {
  state: Schema.Int,
  messages: {
    Increment: GenServer.call({ reply: Schema.Int, timeout: "infinity" }),
    Add: GenServer.cast(),
    Hold: GenServer.cast(),
    Crash: GenServer.call(),
    Raise: GenServer.call()
  }
}) {}

export type Server = Counter["Service"]

/** What a held server waits for. */
export const gate = { open: Deferred.makeUnsafe<void>() }

const handlers = {
  Add: (n: number) => n + 1,
  Hold: (n: number) => Effect.as(Deferred.await(gate.open), n),
  Crash: () => Effect.die("boom"),
  Raise: () => {
    throw new Error("boom")
  }
}

/** Handlers that answer at once. */
export const plain = Counter.behavior({ init: 0, handlers: { ...handlers, Increment: (n) => [n + 1, n + 1] } })

/** Handlers that are Effects. */
export const effectful = Counter.behavior({
  init: 0,
  handlers: {
    ...handlers,
    Increment: Effect.fnUntraced(function*(n: number) {
      const by = yield* Effect.succeed(1)
      return [n + by, n + by] as const
    })
  }
})

/** A budget that no benchmark spends. */
export const restart = Restart.intensity({ restarts: 1_000_000, within: "1 second" })
export const options = { strategy: "one_for_one", restart } as const

export const memory = StateContainer.layerMemory(Counter)

/** Crash reports are not what is measured, on either side. */
export const quiet = Logger.layer([])
