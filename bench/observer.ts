/**
 * What the observer costs an app, in CPU time: three readers of 10,000 servers, and one of a million. An app that fills a core is
 * slowed by as much.
 *
 *   npm run bench:observer                      both, some minutes
 *   npm run bench:observer -- --servers 100000  fewer than a million
 *
 * The readers are a process of their own, as browsers are: what is measured is the app.
 */
import { Effect, Layer, References, Schema } from "effect"
import { spawn } from "node:child_process"
import { DynamicSupervisor, GenServer, StateContainer, Supervisor, Telemetry } from "../src/index.ts"
import * as Observer from "../src/layers/observer/Observer.ts"

class Leaf extends GenServer.Service<Leaf>()("bench/Leaf", {
  state: Schema.Int,
  messages: { Tick: GenServer.call({ reply: Schema.Int }) }
}) {}

class Crowd extends DynamicSupervisor.Service<Crowd>()("crowd") {}

const leaf = Leaf.behavior({ init: 0, handlers: { Tick: (n) => [n + 1, n + 1] } })

const App = Supervisor.layer({ id: "app", strategy: "one_for_one" }, [
  StateContainer.layerMemory(Leaf),
  Crowd.layer({})
])
  .pipe(Layer.provideMerge(Observer.layer({ port: 0 })), Layer.provide(Telemetry.layer))

/** Readers that open the large branch, and read until they are killed. */
const readers = (url: string, count: number) =>
  Effect.acquireRelease(
    Effect.callback<ReturnType<typeof spawn>>((resume) => {
      const child = spawn(process.execPath, ["--input-type=module", "-e", reader, url, `${count}`], {
        stdio: ["ignore", "pipe", "inherit"]
      })
      child.stdout.once("data", () => resume(Effect.succeed(child)))
    }),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )

const reader = `
const [, url, count] = process.argv
for (let i = 0; i < Number(count); i++) {
  const response = await fetch(url + "/events")
  const stream = response.body.pipeThrough(new TextDecoderStream()).getReader()
  const { value } = await stream.read()
  const { reader, screen } = JSON.parse(value.split("\\n\\n")[0].split("\\ndata: ")[1])
  const { n } = screen.rows.find(({ id }) => id === "crowd")
  const view = { reader, from: 1000, count: 80, opened: [n], closed: [], find: "", troubled: false, sort: null, chosen: n }
  await fetch(url + "/view", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(view) })
  ;(async () => { while (true) await stream.read() })()
}
console.log("reading")
`

/** The part of a core that this process uses, in percent, while it handles some messages. */
const share = (send: Effect.Effect<unknown, unknown>) =>
  Effect.gen(function*() {
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.ignore(send), Effect.sleep("20 millis"))))
    yield* Effect.sleep("2 seconds")
    const before = process.cpuUsage()
    const began = performance.now()
    yield* Effect.sleep("10 seconds")
    const { system, user } = process.cpuUsage(before)
    return (system + user) / 10 / (performance.now() - began)
  }).pipe(Effect.scoped)

const median = (all: ReadonlyArray<number>): number => [...all].sort((a, b) => a - b)[all.length >> 1]!

const measured = (servers: number, count: number) =>
  Effect.gen(function*() {
    const { url } = yield* Observer.Observer
    const crowd = yield* Crowd
    const leaves = yield* Effect.forEach(
      Array.from({ length: servers }, (_, i) => `${i}`),
      (key) => crowd.startChild(Leaf.recipe(leaf, { key }))
    )
    let at = 0
    const send = Effect.suspend(() => leaves[at = (at + 7919) % leaves.length]!.Tick())
    const without: Array<number> = []
    const watched: Array<number> = []
    for (let round = 0; round < 3; round++) {
      without.push(yield* share(send))
      watched.push(yield* Effect.scoped(Effect.andThen(readers(url, count), share(send))))
    }
    const [a, b] = [median(without), median(watched)]
    console.log(
      `${servers.toLocaleString("en-US")} servers: ${a.toFixed(2)} % of a core without readers, ` +
        `${b.toFixed(2)} % with ${count}: ${(b - a).toFixed(2)} % for them`
    )
  })

const run = (servers: number, count: number) =>
  Effect.runPromise(
    Effect.provide(measured(servers, count), App).pipe(Effect.provideService(References.MinimumLogLevel, "Fatal"))
  )

const asked = process.argv.indexOf("--servers")
await run(10_000, 3)
await run(asked === -1 ? 1_000_000 : Number(process.argv[asked + 1]), 1)
