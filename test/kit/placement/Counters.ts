/** Counters on a cluster of one runner in this process, with what a test wants to see of their life. */
import { Effect, Latch, Layer, Schema, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { ClusterServer } from "../../../src/cluster.ts"
import {
  DynamicSupervisor,
  GenServer,
  Next,
  StateContainer,
  StateStore,
  Supervisor,
  Timer
} from "../../../src/index.ts"
import { often } from "../Restarts.ts"

export class Counter extends GenServer.Service<Counter>()("test/Counter", {
  state: Schema.Int,
  messages: {
    Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }),
    Get: GenServer.call({ reply: Schema.Int }),
    Crash: GenServer.call(),
    Hold: GenServer.call({ reply: Schema.Int, timeout: "infinity" }),
    Reset: GenServer.cast(),
    Leave: GenServer.cast(),
    /** Adds 100 in so many milliseconds, by a timer of its own that is conserved. */
    Remind: GenServer.call({ payload: { millis: Schema.Int } }),
    Ring: GenServer.cast({ internal: true })
  }
}) {}

/** What happens to the counters of a test. */
export interface Life {
  /** `+` and `-` with the key, where an incarnation has begun and has ended. */
  readonly log: Array<string>
  readonly alive: Map<string, number>
  /** The most that were alive of one key at once. */
  most: number
  /** How long clean-up takes. */
  cleanUp: number
  /** What `init` waits for. */
  readonly boot: Latch.Latch
  /** What `Hold` waits for. */
  readonly hold: Latch.Latch
  /** The keys whose `init` fails. */
  readonly broken: Set<string>
}

export const life = (): Life => ({
  log: [],
  alive: new Map(),
  most: 0,
  cleanUp: 0,
  boot: Latch.makeUnsafe(true),
  hold: Latch.makeUnsafe(true),
  broken: new Set()
})

class Broken extends Schema.TaggedError<Broken>()("Broken", {}) {}

const born = (life: Life, key: string): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const alive = (life.alive.get(key) ?? 0) + 1
      life.alive.set(key, alive)
      life.most = Math.max(life.most, alive)
      life.log.push(`+${key}`)
    }),
    () =>
      Effect.andThen(
        life.cleanUp === 0 ? Effect.void : Effect.sleep(life.cleanUp),
        Effect.sync(() => {
          life.alive.set(key, life.alive.get(key)! - 1)
          life.log.push(`-${key}`)
        })
      )
  )

const behavior = (life: Life) => (key: string) =>
  Effect.gen(function*() {
    yield* born(life, key)
    return Counter.behavior({
      init: Effect.andThen(life.boot.await, life.broken.has(key) ? Effect.fail(new Broken()) : Effect.succeed(0)),
      handlers: {
        Add: (n, { by }) => [n + by, n + by],
        Get: (n) => [n, n],
        Crash: () => Effect.die(new Error("boom")),
        Hold: (n) => Effect.as(life.hold.await, [n, n] as const),
        Reset: () => 0,
        Leave: () => Next.stop("normal"),
        Remind: (n, { millis }) =>
          Next.reply(undefined, n, { timers: [Timer.after("ring", millis, Counter.message.Ring())] }),
        Ring: (n) => n + 100
      }
    })
  })

export class Store extends StateStore.Service<Store>()("test/Counters/Store", "crash") {}
export class Counters extends DynamicSupervisor.Service<Counters>()("test/Counters") {}

/** One runner with counters. */
export const runner = (life: Life, options?: ClusterServer.Options<typeof Counter["messages"]>) =>
  ClusterServer.layer(Counter, behavior(life), options).pipe(
    Layer.provide(Counters.asSupervisor),
    Layer.provideMerge(
      Supervisor.layer({ strategy: "one_for_one", restart: often }, [
        StateContainer.layerStore(Counter, { store: Store, fence: "key" }),
        Counters.layer()
      ])
    )
  )

/** Runs something over virtual time until it is done. */
export const passing = <A, E, R>(effect: Effect.Effect<A, E, R>, step = 1) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(effect, { startImmediately: true })
    for (let i = 0; fiber.pollUnsafe() === undefined; i++) {
      if (i > 2000) return yield* Effect.die(new Error("it is not done after 2,000 steps of the clock"))
      yield* TestClock.adjust(step)
    }
    return yield* fiber.pollUnsafe()!
  })
