/**
 * An app with several classes over one store, as a process: what the tests of ownership start, stop and kill.
 *
 *   node owner.ts PLACE OWNERSHIP PATIENCE
 *
 * It tells `waits TEXT` while another has it, and `open PID` when all its classes have their states. It only reads, or
 * it answers what its standard input asks: a line `add` is answered `added N`, `read` is answered `read N`, `sure` is
 * answered `sure N` by a read that is confirmed. What fails is answered `no TAG`.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Cause, Effect, Layer, Logger, Schema } from "effect"
import { createInterface } from "node:readline"
import { GenServer, StateContainer, StateStore, Supervisor } from "../../../src/index.ts"
import { layer as storeLayer, Place } from "../../../src/programs/stores/Place.ts"

class Store extends StateStore.Service<Store>()("owner/Store", "process") {}

const messages = {
  Add: GenServer.call({ reply: Schema.Int }),
  Read: GenServer.call({ reply: Schema.Int }),
  Sure: GenServer.call({ reply: Schema.Int, confirm: true })
}

class One extends GenServer.Service<One>()("owner/One", { state: Schema.Int, messages }) {}
class Two extends GenServer.Service<Two>()("owner/Two", { state: Schema.Int, messages }) {}
class Three extends GenServer.Service<Three>()("owner/Three", { state: Schema.Int, messages }) {}

const handlers = {
  Add: (n: number) => [n + 1, n + 1] as const,
  Read: (n: number) => [n, n] as const,
  Sure: (n: number) => [n, n] as const
}

const tell = (line: string) => Effect.sync(() => void process.stdout.write(`${line}\n`))

const [place, ownership = "exclusive", patience = "30000"] = process.argv.slice(2)

const app = Supervisor.layer({ strategy: "one_for_one" }, [
  StateContainer.layerStore(One, { store: Store }),
  One.layer({ init: 0, handlers }),
  StateContainer.layerStore(Two, { store: Store }),
  Two.layer({ init: 0, handlers }),
  StateContainer.layerStore(Three, { store: Store }),
  Three.layer({ init: 0, handlers })
]).pipe(Layer.provide(
  storeLayer(Store, Schema.decodeUnknownSync(Place)(place), {
    ownership: ownership === "youngest" ? "youngest" : "exclusive",
    patience: Number(patience)
  })
))

const answer = Effect.fnUntraced(function*(line: string) {
  const one = yield* One
  const ask = line === "add" ? one.Add() : line === "sure" ? one.Sure() : one.Read()
  yield* Effect.matchCauseEffect(ask, {
    onSuccess: (n) => tell(`${line === "add" ? "added" : line} ${n}`),
    onFailure: (cause) => {
      const error: { readonly reason?: { readonly _tag: string } } = Object(Cause.squash(cause))
      return tell(`no ${error.reason?._tag}`)
    }
  })
})

const program = Layer.effectDiscard(Effect.gen(function*() {
  // Each class has its state: a session that was superseded in between answers nothing.
  for (const server of [yield* One, yield* Two, yield* Three]) yield* server.Read()
  const run = Effect.runForkWith(yield* Effect.context<One>())
  createInterface({ input: process.stdin }).on("line", (line) => void run(answer(line)))
  yield* tell(`open ${process.pid}`)
})).pipe(Layer.provide(app))

if (import.meta.main) {
  const log = Logger.make(({ message }) => {
    if (String(message).includes("waits for it")) process.stdout.write(`waits ${String(message)}\n`)
  })
  NodeRuntime.runMain(
    Supervisor.launch(program).pipe(
      Effect.tapCause((cause) => tell(`ended ${Object(Cause.squash(cause)).message}`)),
      Effect.provide(Logger.layer([log]))
    ),
    { disableErrorReporting: true }
  )
}
