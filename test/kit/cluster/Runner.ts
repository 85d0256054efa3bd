/**
 * A runner of a cluster as a process, of one of three kinds, as its environment says:
 *
 * - `ours`: the program's own;
 * - `by hand`: an entity of effect's that writes its state to the database itself, and remembers it;
 * - `standing`: one whose state is written in transactions, since each sets a timer. After SIGUSR2 the process is
 *   frozen in the middle of the next one, before it is committed.
 */
import { NodeClusterSocket, NodeRuntime } from "@effect/platform-node"
import { Config, Effect, Layer, Option, References, Schema } from "effect"
import { RunnerAddress } from "effect/cluster"
import { SqlClient } from "effect/sql"
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
import * as Member from "../../../src/programs/cluster/Member.ts"
import { ByHandLive } from "./ByHand.ts"

export const Kind = Schema.Literals(["ours", "by hand", "standing"])

export type Kind = typeof Kind.Type

export const variable = "HEIRLOOM_TEST_RUNNER"

export const Place = Schema.Struct({ ...Member.Place.fields, kind: Kind })

const sockets = (port: number) =>
  NodeClusterSocket.layer({
    storage: "sql",
    shardingConfig: { ...Member.soon, runnerAddress: Option.some(RunnerAddress.make("127.0.0.1", port)) }
  })

export class Timed extends GenServer.Service<Timed>()("test/Timed", {
  state: Schema.Struct({ updates: Schema.Int, words: Schema.Int }),
  messages: {
    Add: GenServer.call({ payload: { words: Schema.Int }, reply: Schema.Int }),
    Ring: GenServer.cast()
  }
}) {}

class Store extends StateStore.Service<Store>()("test/TimedStore", "machine") {}
class Servers extends DynamicSupervisor.Service<Servers>()("test/TimedServers") {}

let isToStand = false

/** The same client; a transaction stands still before its commit, once. */
const standing = Layer.effect(
  SqlClient.SqlClient,
  Effect.map(SqlClient.SqlClient, (client) => {
    const wrapped = <C extends SqlClient.SqlClient>(inner: C): C =>
      new Proxy(inner, {
        get: (target, name) => {
          if (name === "withoutTransforms") return () => wrapped(target.withoutTransforms())
          if (name !== "withTransaction") return Reflect.get(target, name)
          return (effect: Effect.Effect<unknown>) =>
            target.withTransaction(Effect.tap(effect, () =>
              Effect.sync(() => {
                if (!isToStand) return
                isToStand = false
                process.kill(process.pid, "SIGSTOP")
              })))
        }
      })
    return wrapped(client)
  })
)

const timed = (port: number, url: string) =>
  ClusterServer.layer(
    Timed,
    Timed.behavior({
      init: { updates: 0, words: 0 },
      handlers: {
        Add: ({ updates, words }, { words: more }) =>
          Next.reply(updates + 1, { updates: updates + 1, words: words + more }, {
            timers: [Timer.after("ring", "1 day", Timed.message.Ring())]
          }),
        Ring: (counted) => counted
      }
    })
  ).pipe(
    Layer.provide(Servers.asSupervisor),
    Layer.provide(
      Supervisor.layer({ strategy: "one_for_one" }, [
        StateContainer.layerStore(Timed, { store: Store, fence: "key" }),
        Servers.layer()
      ]).pipe(
        Layer.provide(StateStore.layer(Store, Member.logged)),
        Layer.provide(standing),
        Layer.provide(Member.database(url, 6))
      )
    ),
    Layer.provide(sockets(port)),
    Layer.provide(Member.database(url, 4))
  )

if (import.meta.main) {
  process.on("SIGUSR2", () => {
    isToStand = true
  })
  const started = Effect.gen(function*() {
    const { kind, port, url } = yield* Schema.decodeUnknownEffect(Schema.fromJsonString(Place))(
      yield* Config.String(variable)
    )
    switch (kind) {
      case "ours":
        return yield* Member.run(Member.runner({ port, url }))
      case "by hand":
        return yield* Member.run(ByHandLive.pipe(Layer.provide(sockets(port)), Layer.provide(Member.database(url, 8))))
      case "standing":
        return yield* Member.run(timed(port, url))
    }
  })
  NodeRuntime.runMain(
    Effect.provideService(started, References.MinimumLogLevel, "Fatal")
  )
}
