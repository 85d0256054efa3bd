/** What is left of servers by key that have stopped: nothing, under their keys, in their supervisor or in the table. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { DynamicSupervisor, GenServer, Next, StateContainer, StateTable, Supervisor } from "../../../../src/index.ts"
import { serverOf } from "../../../../src/layers/server/class/ServerRef.ts"
import { reachable } from "../../../kit/Garbage.ts"
import { quiet } from "../../../kit/Log.ts"

/** `MANY=2000` for a long run. */
const many = Number(process.env["MANY"] ?? 300)
/** What the turns before have looked at may still be held. */
const few = 70

class Visit extends GenServer.Service<Visit>()("test/Visit", {
  state: Schema.Int,
  messages: { Add: GenServer.call({ reply: Schema.Int }), Leave: GenServer.call(), Die: GenServer.call() }
}) {}

class Visits extends DynamicSupervisor.Service<Visits>()("test/Visits") {}

const companions = {
  "in memory": StateContainer.layerMemory(Visit),
  "in a table": Layer.provide(StateContainer.layerTable(Visit), StateTable.StateTable.layer),
  "that keeps nothing": StateContainer.layerForget(Visit)
}

const tree = (
  companion: Layer.Layer<StateContainer.StateOf<Visit>, never, Supervisor.Supervisor>,
  options: GenServer.Options
) =>
  Supervisor.layer({ strategy: "one_for_one" }, [
    companion,
    Visits.layer(),
    Layer.provide(
      Visit.layerKeyed({
        init: 0,
        handlers: {
          Add: (n) => [n + 1, n + 1],
          Leave: () => Next.stop("normal", { reply: undefined }),
          Die: () => Effect.die("boom")
        }
      }, options),
      Visits.asSupervisor
    )
  ])

type Own = typeof Visit.Service

/** How a server ends for good. */
const ends: Record<string, {
  readonly options?: GenServer.Options
  readonly end: (own: Own) => Effect.Effect<unknown, unknown>
}> = {
  "stopped by themselves": { end: (own) => own.Leave() },
  "were stopped": { end: (own) => GenServer.stop(own) },
  "crashed, and are not restarted": { end: (own) => Effect.exit(own.Die()), options: { restart: "temporary" } },
  "were left alone": {
    end: () => Effect.void,
    options: { passivate: { after: "1 minute", by: "stop" } }
  }
}

for (const [kind, companion] of Object.entries(companions)) {
  describe(`over a companion ${kind}`, () => {
    for (const [how, { end, options = {} }] of Object.entries(ends)) {
      it.effect(`nothing is left of ${many} servers by key that ${how}`, () =>
        Effect.gen(function*() {
          const servers: Array<WeakRef<object>> = []
          for (let i = 0; i < many; i++) {
            const own = yield* Visit.at(`visit-${i}`)
            servers.push(new WeakRef(serverOf(own)!))
            assert.strictEqual(yield* own.Add(), 1)
            yield* end(own)
          }
          yield* TestClock.adjust("2 minutes")
          assert.isAtMost(yield* reachable(servers, few), few)
          assert.strictEqual((yield* (yield* Visits).countChildren).specs, 0)
        }).pipe(Effect.provide(tree(companion, options)), quiet))
    }
  })
}
