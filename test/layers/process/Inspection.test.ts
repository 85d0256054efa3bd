import { assert, describe, it } from "@effect/vitest"
import { Effect, Formatter, Schema } from "effect"
import { inspect } from "node:util"
import {
  DynamicSupervisor,
  GenServer,
  PartitionSupervisor,
  StateContainer,
  Supervisor,
  TaskSupervisor
} from "../../../src/index.ts"

class Vault extends GenServer.Service<Vault>()("test/Vault", {
  state: Schema.String,
  messages: { Get: GenServer.call({ reply: Schema.String }) }
}) {}

class Top extends Supervisor.Service<Top>()("test/Top") {}
class Many extends DynamicSupervisor.Service<Many>()("test/Many") {}
class Tasks extends TaskSupervisor.Service<Tasks>()("test/Tasks") {}

class Shards extends PartitionSupervisor.Service<Shards, DynamicSupervisor.DynamicSupervisor>()("test/Shards") {}

const secret = "open sesame"

const App = Top.layer({ strategy: "one_for_one" }, [
  StateContainer.layerMemory(Vault),
  Vault.layer({ init: secret, handlers: { Get: (state) => [state, state] } }),
  Many.layer(),
  Tasks.layer(),
  Shards.layer({ child: DynamicSupervisor.recipe({ id: "shard" }), partitions: 2 })
])

describe("the inspection of a process", () => {
  it.effect("a reference is shown by its address and how it is, in a console, in a log and as JSON; no state", () =>
    Effect.gen(function*() {
      const vault = yield* Vault
      assert.strictEqual(yield* vault.Get(), secret)
      const seen = {
        _id: "heirloom/Process",
        path: "test/Top > test/Vault",
        kind: "worker",
        status: "running",
        incarnation: 1
      }
      assert.deepStrictEqual(JSON.parse(JSON.stringify(vault)), seen)
      assert.strictEqual(inspect(vault), inspect(seen))
      assert.include(Formatter.format(vault), "test/Top > test/Vault")
      assert.notInclude(inspect(vault, { depth: 20, showHidden: true }) + Formatter.format(vault), secret)
    }).pipe(Effect.provide(App)))

  it.effect("so are handles, tasks, containers, and the processes in a listing", () =>
    Effect.gen(function*() {
      const top = yield* Top
      const many = yield* Many
      const tasks = yield* Tasks
      const task = yield* tasks.asyncNolink(Effect.never)
      const partitions = yield* Shards
      const shown = {
        top,
        many,
        tasks,
        task,
        partitions,
        container: yield* Vault.StateContainer,
        under: many.asSupervisor
      }
      for (const [what, ref] of Object.entries(shown)) {
        assert.match(inspect(ref), /_id: 'heirloom\/Process'/, what)
        assert.match(JSON.stringify(ref), /"path":"test\/Top/, what)
      }
      const listing = yield* top.whichChildren
      assert.include(JSON.stringify(listing), `"path":"test/Top > test/Many"`)
      assert.notInclude(inspect(listing, { depth: 20, showHidden: true }), secret)
    }).pipe(Effect.scoped, Effect.provide(App)))

  it.effect("an error that names a process shows no more of it", () =>
    Effect.gen(function*() {
      const recipe = Vault.recipe({ init: secret, handlers: { Get: (state) => [state, state] } }, { key: "a" })
      const many = yield* Many
      yield* many.startChild(recipe)
      const error = yield* Effect.flip(many.startChild(recipe))
      assert.match(String(error), /NameTaken: test\/Top > test\/Many > test\/Vault\/a is already running/)
      assert.notInclude(inspect(error, { depth: 20 }), secret)
    }).pipe(Effect.provide(App)))
})
