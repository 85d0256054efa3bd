/**
 * A process whose servers set timers and count how they rang: what the tests of this folder kill.
 *
 *   node alarm.ts PLACE MODE BEGIN WINDOW TIMERS SERVERS
 *
 * It sets so many timers, each once however often the process is started, due at times within WINDOW milliseconds after
 * BEGIN. It prints `ready` when all are set, and `ring NAME` for each that is handled. In the mode `count` it waits
 * until none is set any more, prints `rang NAME COUNT LATE` for each, and ends.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Effect, Layer, References, Schema, Stream } from "effect"
import {
  DynamicSupervisor,
  GenServer,
  Next,
  Snapshots,
  StateContainer,
  StateStore,
  Supervisor,
  Timer
} from "../../../src/index.ts"
import { layer as storeLayer, Place } from "../../../src/programs/stores/Place.ts"

class Store extends StateStore.Service<Store>()("durable/AlarmStore", "process") {}

/** By the name of each timer that was ever set: how often it rang, and how late it was the last time. */
class Alarm extends GenServer.Service<Alarm>()("durable/Alarm", {
  state: Schema.Record(Schema.String, Schema.Struct({ count: Schema.Int, late: Schema.Number })),
  messages: {
    Set: GenServer.call({ payload: { name: Schema.String, at: Schema.Number }, timeout: "infinity" }),
    Read: GenServer.call({
      reply: Schema.Record(Schema.String, Schema.Struct({ count: Schema.Int, late: Schema.Number })),
      timeout: "infinity"
    }),
    Ring: GenServer.cast({ payload: { name: Schema.String }, internal: true })
  }
}) {}

class Pool extends DynamicSupervisor.Service<Pool>()("durable/Alarms") {}

const tell = (line: string) => Effect.sync(() => void process.stdout.write(`${line}\n`))

const AlarmsLive = Alarm.layerKeyed({
  init: {},
  handlers: {
    Set: (state, { at, name }) =>
      name in state ? [undefined, state] : Next.reply(undefined, { ...state, [name]: { count: 0, late: 0 } }, {
        timers: [Timer.at(name, at, Alarm.message.Ring({ name }))],
        hibernate: true
      }),
    Read: (state) => [state, state],
    Ring: (state, { name }, { timer }) => {
      process.stdout.write(`ring ${name}\n`)
      const { count } = state[name]!
      return Next.noReply({ ...state, [name]: { count: count + 1, late: timer!.late } }, { hibernate: true })
    }
  }
}, { survives: "process" })

const setAll = (begin: number, window: number, timers: number, servers: number) =>
  Effect.forEach(Array.from({ length: timers }, (_, i) => i), (i) =>
    Effect.flatMap(
      Alarm.at(`a${i % servers}`),
      // Spread in an order that is not that of their names.
      (alarm) => alarm.Set({ name: `t${i}`, at: begin + ((i * 7919) % timers) * (window / timers) })
    ), { concurrency: 100, discard: true })

const count = Effect.gen(function*() {
  const store = yield* Store
  const isSet = Effect.map(Stream.runHead(Snapshots.timers(store)), (first) => first._tag === "Some")
  yield* isSet.pipe(Effect.delay("50 millis"), Effect.repeat({ while: (isSet) => isSet }))
  yield* Stream.runForEach(Alarm.keys(), (key) =>
    Effect.gen(function*() {
      const rang = yield* (yield* Alarm.at(key)).Read()
      for (const [name, { count, late }] of Object.entries(rang)) yield* tell(`rang ${name} ${count} ${late}`)
    }))
})

if (import.meta.main) {
  const [place, mode, ...numbers] = process.argv.slice(2)
  const [begin = 0, window = 0, timers = 0, servers = 1] = numbers.map(Number)
  const App = Supervisor.layer({ strategy: "one_for_one" }, [
    StateContainer.layerStore(Alarm, { store: Store }),
    Pool.layer(),
    Layer.provide(AlarmsLive, Pool.asSupervisor)
  ]).pipe(Layer.provideMerge(storeLayer(Store, Schema.decodeUnknownSync(Place)(place))))
  setAll(begin, window, timers, servers).pipe(
    Effect.andThen(tell("ready")),
    Effect.andThen(mode === "count" ? count : Effect.never),
    Effect.provide(App),
    Effect.provideService(References.LogToStderr, true),
    NodeRuntime.runMain
  )
}
