/** What of servers in threads compiles, and what does not. */
import { Context, Effect, Layer, Schema, SchemaGetter } from "effect"
import { describe, expectTypeOf, it } from "vitest"
import { GenServer, Next, type StateContainer, type Supervisor, Timer } from "../../src/index.ts"
import { WorkerServer } from "../../src/worker.ts"

class Rate extends Context.Service<Rate, number>()("types/WorkerRate") {}

class Till extends GenServer.Service<Till>()("types/Till", {
  state: Schema.Int,
  messages: {
    Pay: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }),
    Tick: GenServer.cast({ internal: true })
  }
}) {}

class Other extends GenServer.Service<Other>()("types/OtherTill", { state: Schema.Int, messages: {} }) {}

class Threads extends WorkerServer.Pool<Threads>()("types/Threads") {}

const Tick = (state: number) => state
const tick = Till.message.Tick()

describe("an entry", () => {
  it("takes a behaviour that its class has elsewhere, too", () => {
    const behavior = Till.behavior({
      init: 0,
      handlers: {
        Pay: (state, { by }, { seq }) =>
          seq > 0
            ? Next.reply(by, state + by, { timers: [Timer.after("tick", "1 second", tick)], hibernate: true })
            : [by, state + by],
        Tick: (state) => Next.noReply(state + 1, { hibernate: true })
      }
    })
    const entry = WorkerServer.entry(Till, behavior, import.meta.url)
    expectTypeOf(entry).toEqualTypeOf<WorkerServer.Entry<Till, number>>()
    expectTypeOf(WorkerServer.layer(Till, entry)).toEqualTypeOf<
      Layer.Layer<Till, WorkerServer.WorkerFailed, Supervisor.Supervisor | StateContainer.StateOf<Till>>
    >()
    expectTypeOf(WorkerServer.layerKeyed(Till, entry, { pool: Threads })).toEqualTypeOf<
      Layer.Layer<GenServer.Keyed<Till>, never, Threads | Supervisor.Supervisor | StateContainer.StateOf<Till>>
    >()
    // @ts-expect-error an entry serves its own class
    WorkerServer.layer(Other, entry)
    // @ts-expect-error a pool is what servers by key need
    WorkerServer.layerKeyed(Till, entry)
  })

  it("has a layer with the services of its handlers, if they need any", () => {
    const behavior = Till.behavior({
      init: 0,
      handlers: { Pay: (state) => Effect.map(Rate, (rate) => [rate, state] as const), Tick }
    })
    WorkerServer.entry(Till, behavior, import.meta.url, { layer: Layer.succeed(Rate, 1) })
    // @ts-expect-error
    WorkerServer.entry(Till, behavior, import.meta.url)
    // @ts-expect-error
    WorkerServer.entry(Till, behavior, import.meta.url, { layer: Layer.empty })
  })

  it("takes no reply that follows later", () => {
    const behavior = Till.behavior({ init: 0, handlers: { Pay: (state) => Next.noReply(state), Tick } })
    // @ts-expect-error
    WorkerServer.entry(Till, behavior, import.meta.url)
  })

  it("takes no answer that code follows", () => {
    const pay = Till.behavior({
      init: 0,
      handlers: { Pay: (state) => Next.reply(1, state, { continueWith: (state) => state }), Tick }
    })
    // @ts-expect-error
    WorkerServer.entry(Till, pay, import.meta.url)
    const tick = Till.behavior({
      init: 0,
      handlers: { Pay: (state) => [1, state], Tick: (state) => Next.noReply(state, { continueWith: (state) => state }) }
    })
    // @ts-expect-error
    WorkerServer.entry(Till, tick, import.meta.url)
  })

  it("takes no handler that needs its server's self, or its scope", () => {
    const self = Till.behavior({
      init: 0,
      handlers: { Pay: (state) => Effect.as(Till.self, [1, state] as const), Tick }
    })
    // @ts-expect-error
    WorkerServer.entry(Till, self, import.meta.url)
    const linked = Till.behavior({
      init: 0,
      handlers: { Pay: (state) => Effect.as(GenServer.spawnLink(Effect.void), [1, state] as const), Tick }
    })
    // @ts-expect-error
    WorkerServer.entry(Till, linked, import.meta.url)
  })

  it("takes no class whose messages need services to be written down", () => {
    const Rated = Schema.Int.pipe(
      Schema.decodeTo(Schema.Number, {
        decode: SchemaGetter.transformEffect((n: number) => Effect.map(Rate, (rate) => n * rate)),
        encode: SchemaGetter.transform((n: number) => n)
      })
    )
    class Needy extends GenServer.Service<Needy>()("types/Needy", {
      state: Schema.Int,
      messages: { Pay: GenServer.call({ payload: { by: Rated } }) }
    }) {}
    const behavior = Needy.behavior({ init: 0, handlers: { Pay: (state) => [undefined, state] } })
    // @ts-expect-error
    WorkerServer.entry(Needy, behavior, import.meta.url)
  })
})
