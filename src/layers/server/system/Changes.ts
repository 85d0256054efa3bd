/**
 * The state of a server as a `Stream`. Users know it as `GenServer.changes`.
 *
 * @since 0.1.0
 */
import { Stream } from "effect"
import { options as optionsOf } from "../../../domain/options/GivenOption.ts"
import { Stopped } from "../../../domain/server/Phase.ts"
import type { Change } from "../../../domain/state/shown/Change.ts"
import { changes as changesOf, type ChangesOptions } from "../../state/container/Changes.ts"
import { serverOf, type WithState } from "../class/ServerRef.ts"
import { hasSuccessor } from "../life/Settle.ts"

/**
 * The state of a server, and what becomes of it: the newest one first, then every commit.
 *
 * **When to use**
 *
 * To show a state as it changes, or to act on each of its changes, without asking for it again and again. To hear of
 * what happens to processes use `Telemetry.stream`; to change something with the state, a message.
 *
 * **Details**
 *
 * - Each committed state has its number and its incarnation (`Committed`). The end of an incarnation, a state that is
 *   restored and one that is rolled back to are elements of their own (`Ended`, `Restored`, `RolledBack`): the stream
 *   goes on over crashes, and over a server that stops or hibernates because it is left alone, which it does not wake.
 *   It ends when the server is gone for good.
 * - Over a store a state is shown when it is stored; `show: "committed"` shows it at once. What an `init` has made is
 *   stored with its first change, and shown then.
 * - The server never waits for a reader. One that falls behind by more than its `buffer` (16 by default) loses the
 *   oldest changes, and sees that by the numbers. `buffer: { capacity: 1 }` is the newest alone.
 * - Readers of one server share what watches it. A server without a reader has nothing of this.
 *
 * A server by its key, also one that is not in memory, is watched by its class (`Counter.changes(key)`), and any state
 * by its companion (`StateContainer.for(key).changes()`): those go on when another server takes the key.
 *
 * **Gotchas**
 *
 * It begins when it is run. A state is the very value that the server has: it is not to be changed.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Fiber, Schema, Stream } from "effect"
 * import { GenServer, StateContainer, Supervisor } from "heirloom"
 *
 * class Counter extends GenServer.Service<Counter>()("app/Counter", {
 *   state: Schema.Int,
 *   messages: { Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }), Crash: GenServer.call() }
 * }) {}
 *
 * const App = Supervisor.layer({ strategy: "one_for_one" }, [
 *   StateContainer.layerMemory(Counter),
 *   Counter.layer({ init: 0, handlers: { Add: (n, { by }) => [n + by, n + by], Crash: () => Effect.die("boom") } })
 * ])
 *
 * const program = Effect.gen(function*() {
 *   const counter = yield* Counter
 *   const seen = yield* GenServer.changes(counter).pipe(
 *     Stream.map((change) => change._tag === "Committed" ? `${change.seq}: ${change.state}` : change._tag),
 *     Stream.take(5),
 *     Stream.runCollect,
 *     Effect.forkChild({ startImmediately: true })
 *   )
 *   yield* Effect.yieldNow
 *   yield* counter.Add({ by: 20 })
 *   yield* Effect.exit(counter.Crash())
 *   yield* counter.Add({ by: 22 })
 *   console.log((yield* Fiber.join(seen)).join(", ")) // => 0: 0, 1: 20, Ended, Restored, 2: 42
 * })
 *
 * await Effect.runPromise(Effect.provide(program, App))
 * ```
 *
 * @category observing
 * @since 0.1.0
 */
export const changes = <S>(ref: WithState<S>, options?: ChangesOptions): Stream.Stream<Change<S>> =>
  Stream.suspend(() => {
    const server = serverOf(ref, "GenServer.changes")
    if (server === undefined) return Stream.empty
    // Stopped before it was ever up: it is about to be.
    const isGone = () => server.phase === Stopped && server.incarnation > 0 && !hasSuccessor(server)
    if (options !== undefined) optionsOf("GenServer.changes", options)
    const watched = changesOf(server.spec.companions, server.name, server.key, options, { process: server, isGone })
    // The reference says what its server's state is.
    return watched as Stream.Stream<Change<S>>
  })
