/** A server whose handlers do, or fail at, all that a thread can survive; and its entry. */
import { Context, Effect, Exit, Layer, Schema } from "effect"
import { readlinkSync } from "node:fs"
import { setPriority } from "node:os"
import process from "node:process"
import { parentPort, threadId } from "node:worker_threads"
import { GenServer, Next, Timer } from "../../../src/index.ts"
import { WorkerServer } from "../../../src/worker.ts"

export class Overdrawn extends Schema.TaggedError<Overdrawn>()("Overdrawn", { amount: Schema.Int }) {}

/** A service that only the thread has. */
export class Rate extends Context.Service<Rate, number>()("test/Rate") {}

export class Crunch extends GenServer.Service<Crunch>()("test/Crunch", {
  state: Schema.Struct({ n: Schema.Int, at: Schema.Date }),
  // On a busy machine a thread takes long to start.
  timeout: "30 seconds",
  messages: {
    Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }),
    Plus: GenServer.cast({ payload: { by: Schema.Int } }),
    Withdraw: GenServer.call({ payload: { amount: Schema.Int }, reply: Schema.Int, error: Overdrawn }),
    Where: GenServer.call({
      reply: Schema.Struct({
        thread: Schema.Int,
        process: Schema.Int,
        key: Schema.UndefinedOr(Schema.String),
        incarnation: Schema.Int,
        attempt: Schema.Int,
        seq: Schema.Int,
        rate: Schema.Number
      })
    }),
    Burn: GenServer.call({ payload: { millis: Schema.Int }, reply: Schema.Int }),
    Starve: GenServer.call({ payload: { millis: Schema.Int }, reply: Schema.Int }),
    Rest: GenServer.call({ payload: { millis: Schema.Int }, reply: Schema.Int }),
    Log: GenServer.call({ payload: { line: Schema.String } }),
    Later: GenServer.call({ payload: { millis: Schema.Int } }),
    Due: GenServer.cast({ payload: { by: Schema.Int }, internal: true }),
    End: GenServer.call({ payload: { n: Schema.Int }, reply: Schema.String }),
    Any: GenServer.call({ payload: { value: Schema.Unknown } }),
    WrongReply: GenServer.call({ reply: Schema.Int }),
    WrongState: GenServer.call(),
    WrongAnswer: GenServer.call(),
    EarlyReply: GenServer.call(),
    Throw: GenServer.call(),
    Exit: GenServer.call({ payload: { code: Schema.Int } }),
    Exits: GenServer.call({ payload: { after: Schema.Int } }),
    Loop: GenServer.call(),
    Oom: GenServer.call(),
    ThrowLater: GenServer.call({ payload: { after: Schema.Int } }),
    Native: GenServer.call(),
    Post: GenServer.call()
  }
}) {}

const wrong: unknown = "no number"

const burn = (millis: number) => {
  const until = performance.now() + millis
  let x = 0
  while (performance.now() < until) x += Math.sqrt(x + 1)
  return x
}

export const behavior = Crunch.behavior({
  init: Effect.succeed({ n: 0, at: new Date(0) }),
  handlers: {
    Add: (state, { by }) => [state.n + by, { ...state, n: state.n + by }],
    Plus: (state, { by }) => ({ ...state, n: state.n + by }),
    Withdraw: (state, { amount }) =>
      amount > state.n
        ? Effect.fail(new Overdrawn({ amount }))
        : Effect.succeed([state.n - amount, { ...state, n: state.n - amount }]),
    Post: (state) => {
      // As a library does that has a parent of its own in mind.
      for (const message of [null, 5, "text", {}, [], { is: "else" }, { type: "ready" }]) {
        parentPort?.postMessage(message, [])
      }
      for (const message of [null, 5, "text", {}, [], { is: "else" }, { type: "ready" }]) process.send?.(message)
      return [undefined, state]
    },
    Where: (state, _, { attempt, incarnation, key, seq }) =>
      Effect.map(Rate, (rate) => [
        { thread: threadId, process: process.pid, key, incarnation, attempt, seq, rate },
        state
      ]),
    Burn: (state, { millis }) => {
      burn(millis)
      return [state.n, state]
    },
    Starve: (state, { millis }) => {
      // Linux gives each thread a priority of its own.
      const [tid] = readlinkSync("/proc/thread-self").split("/").slice(-1)
      setPriority(Number(tid), 5)
      const computed = () => {
        const { system, user } = process.threadCpuUsage()
        return (system + user) / 1000
      }
      const until = computed() + millis
      while (computed() < until) burn(1)
      return [state.n, state]
    },
    Rest: (state, { millis }) =>
      Effect.log("resting").pipe(
        Effect.andThen(Effect.sleep(millis)),
        Effect.onInterrupt(() => Effect.log("interrupted")),
        Effect.as([state.n, state] as const)
      ),
    Log: (state, { line }) =>
      Effect.as(Effect.annotateLogs(Effect.logWarning(line), { of: "a thread", at: state.at }), [undefined, state]),
    Later: (state, { millis }) =>
      Next.reply(undefined, state, { timers: [Timer.after("due", millis, Crunch.message.Due({ by: 100 }))] }),
    Due: (state, { by }) => ({ ...state, n: state.n + by }),
    End: (state, { n }) => Next.stop("normal", { reply: "bye", state: { ...state, n } }),
    // past the type checker
    Any: (state) => [undefined, state],
    WrongReply: (state) => [wrong as number, state],
    WrongState: (state) => [undefined, { ...state, n: 0.5 }],
    WrongAnswer: (state) => Next.noReply(state) as never,
    EarlyReply: (state, _, { from }) => Effect.as(GenServer.reply(from, Exit.void), [undefined, state]),
    Throw: () => {
      throw new RangeError("thrown in the handler")
    },
    Exit: (_, { code }) => process.exit(code),
    Exits: (state, { after }) => {
      setTimeout(() => process.exit(3), after)
      return [undefined, state]
    },
    Loop: () => {
      for (;;);
    },
    Oom: (state) => {
      const all: Array<unknown> = []
      for (;;) all.push(Array(1_000_000).fill(state))
    },
    ThrowLater: (_, { after }) => {
      setTimeout(() => {
        throw new Error("thrown in a timer")
      }, after)
      return Effect.never
    },
    Native: () => {
      process.kill(process.pid, "SIGSEGV")
      for (;;);
    }
  }
})

export const layer = Layer.succeed(Rate, 7)

export const CrunchEntry = WorkerServer.entry(Crunch, behavior, import.meta.url, { layer })

/** A server whose thread does not come to serve it: its layer does not build. */
export class Unlit extends GenServer.Service<Unlit>()("test/Unlit", { state: Schema.Int, messages: {} }) {}

export const unlit = (url: string) =>
  WorkerServer.entry(Unlit, Unlit.behavior({ init: 0, handlers: {} }), url, {
    layer: Layer.effectDiscard(Effect.fail(new Error("no rate today")))
  })

/** One whose `init` fails. */
export class Unborn extends GenServer.Service<Unborn>()("test/Unborn", { state: Schema.Int, messages: {} }) {}

export const unborn = (url: string) =>
  WorkerServer.entry(Unborn, Unborn.behavior({ init: Effect.fail(new Error("not yet")), handlers: {} }), url)

/** One whose layer acquires what is not let go of: that dies, or never ends. */
export class Clinging extends GenServer.Service<Clinging>()("test/Clinging", { state: Schema.Int, messages: {} }) {}

/** One whose thread is gone in the middle of that. */
export class Falling extends GenServer.Service<Falling>()("test/Falling", { state: Schema.Int, messages: {} }) {}

/** One that waits for what never comes. */
export class Waiting extends GenServer.Service<Waiting>()("test/Waiting", { state: Schema.Int, messages: {} }) {}

const ending = (finalizer: Effect.Effect<void>) => ({
  layer: Layer.effectDiscard(Effect.addFinalizer(() => finalizer))
})

export const clinging = (url: string) =>
  WorkerServer.entry(
    Clinging,
    Clinging.behavior({ init: 0, handlers: {} }),
    url,
    ending(Effect.die(new Error("the socket stays open")))
  )

export const falling = (url: string) =>
  WorkerServer.entry(
    Falling,
    Falling.behavior({ init: 0, handlers: {} }),
    url,
    ending(Effect.sync(() => process.exit(4)))
  )

export const waiting = (url: string) =>
  WorkerServer.entry(Waiting, Waiting.behavior({ init: 0, handlers: {} }), url, ending(Effect.never))

clinging(import.meta.url)
falling(import.meta.url)
waiting(import.meta.url)
unlit(import.meta.url)
unborn(import.meta.url)
