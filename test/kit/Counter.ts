/** The server of tests that need a state and no more: a number that grows, crashes and finishes when it is asked to. */
import { Effect, Schema } from "effect"
import { GenServer, Next } from "../../src/index.ts"

export class Counter extends GenServer.Service<Counter>()("test/Counter", {
  state: Schema.Int,
  messages: {
    Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }),
    Get: GenServer.call({ reply: Schema.Int }),
    Put: GenServer.cast({ payload: { to: Schema.Int } }),
    Crash: GenServer.call(),
    CrashLater: GenServer.cast(),
    Hang: GenServer.call({ timeout: "infinity" }),
    Finish: GenServer.call()
  }
}) {}

/** The defect that it crashes with. */
export const boom = new Error("boom")

/** Handlers that do just that. */
export const { handlers } = Counter.behavior({
  init: 0,
  handlers: {
    Add: (count, { by }) => [count + by, count + by],
    Get: (count) => [count, count],
    Put: (_count, { to }) => to,
    Crash: () => Effect.die(boom),
    CrashLater: () => Effect.die(boom),
    Hang: () => Effect.never,
    Finish: () => Next.stop("normal", { reply: undefined })
  }
})

export const behavior = { init: 0, handlers }
