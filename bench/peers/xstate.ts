/**
 * xstate: an actor is a synchronous function behind a queue. No fibers, no isolation, no supervisor: the restart here
 * is written by hand, from the last state seen.
 */
import { Effect } from "effect"
import { type Actor, createActor, fromTransition, type TransitionActorLogic } from "xstate"
import { cost, heap, main, report, scaled, show, timed, warmUp } from "../measure.ts"

interface Message {
  readonly type: "increment" | "crash" | "raise"
  readonly reply?: (n: number) => void
}

const counter = (initial: number) =>
  fromTransition((n: number, message: Message) => {
    if (message.type === "crash") throw "boom"
    if (message.type === "raise") throw new Error("boom")
    message.reply?.(n + 1)
    return n + 1
  }, initial)

type Counter = Actor<TransitionActorLogic<number, Message, unknown>>
const logic = counter(0)
const start = (): Counter => createActor(logic).start() as Counter
const call = (server: Counter) => new Promise<number>((reply) => server.send({ type: "increment", reply }))

const promised = (metric: string, count: number, work: (n: number) => Promise<unknown>) =>
  timed(metric, count, (n) => Effect.promise(() => work(n)))

const clients = (n: number, body: (client: number) => Promise<unknown>) =>
  Promise.all(Array.from({ length: 100 }, async (_, client) => {
    for (let i = 0; i < n / 100; i++) await body(client)
  }))

const crashes = (metric: string, type: "crash" | "raise") =>
  promised(metric, 100_000, async (n) => {
    let server = start()
    for (let i = 0; i < n; i++) {
      const crashed = server
      const conserved = crashed.getSnapshot().context
      crashed.subscribe({
        error: () => {
          server = createActor(counter(conserved)).start() as Counter
        }
      })
      crashed.send({ type })
      await call(server)
    }
  })

main({
  "call-plain": promised("call.plain", 1_000_000, async (n) => {
    const server = start()
    for (let i = 0; i < n; i++) await call(server)
  }),
  "fan-one": Effect.suspend(() => {
    const server = start()
    return promised("fan.one", 1_000_000, (n) => clients(n, () => call(server)))
  }),
  "fan-many": Effect.suspend(() => {
    const servers = Array.from({ length: 100 }, start)
    return promised("fan.many", 1_000_000, (n) => clients(n, (client) => call(servers[client]!)))
  }),
  "cast": promised("cast", 1_000_000, async (n) => {
    const server = start()
    for (let i = 0; i < n; i++) server.send({ type: "increment" })
    await call(server)
  }),
  "start": Effect.gen(function*() {
    const n = scaled(100_000)
    const keep: Array<Counter> = []
    const fill = (count: number) =>
      Effect.sync(() => {
        for (let i = 0; i < count; i++) keep[i] = start()
      })
    yield* warmUp(n, fill)
    keep.length = 0
    const before = yield* heap
    show("start", yield* cost(n, fill(n)))
    report("memory.new", ((yield* heap) - before) / n)
    for (let i = 0; i < 2 * n; i++) yield* Effect.promise(() => call(keep[i % n]!))
    report("memory.used", ((yield* heap) - before) / n)
  }),
  "crash-die": crashes("crash.die", "crash"),
  "crash-error": crashes("crash.error", "raise")
})
