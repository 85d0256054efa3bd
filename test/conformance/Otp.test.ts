/** The table of OTP's functions names only what there is. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import * as Heirloom from "../../src/index.ts"
import { Agent, DynamicSupervisor, Groups, Monitor, PartitionSupervisor, Registry } from "../../src/index.ts"
import { StateContainer, Supervisor, TaskSupervisor } from "../../src/index.ts"
import { Counter } from "../kit/Counter.ts"

const text = readFileSync(join(resolve(import.meta.dirname, "../.."), "docs/otp.md"), "utf8")

/** Names in code, as `of.name`; OTP's and Elixir's own carry their arity. */
const named = (of: string): ReadonlyArray<string> =>
  [...text.matchAll(new RegExp(`(?<![\\w.:])${of}\\.([a-zA-Z_]+)(?![\\w/])`, "g"))].map((match) => match[1]!)

class Visits extends Agent.Service<Visits>()("test/Visits", { state: Schema.Int }) {}
class Jobs extends DynamicSupervisor.Service<Jobs>()("test/Jobs") {}
class Sessions extends PartitionSupervisor.Service<Sessions, DynamicSupervisor.DynamicSupervisor>()("test/Sessions") {}
class Tasks extends TaskSupervisor.Service<Tasks>()("test/Tasks") {}
class Names extends Registry.Service<Names>()("test/Names", { keys: "unique" }) {}
class Topics extends Groups.Service<Topics>()("test/Topics") {}
class Top extends Supervisor.Service<Top>()("test/Top") {}

const Live = Layer.mergeAll(
  Top.layer({ strategy: "one_for_one" }, [
    StateContainer.layerMemory(Visits),
    Visits.layer(0),
    Jobs.layer(),
    Sessions.layer({ child: DynamicSupervisor.recipe({ id: "sessions" }) }),
    Tasks.layer()
  ]),
  Names.layer,
  Topics.layer
)

describe("the table of OTP's functions", () => {
  it.each(Object.entries(Heirloom))("names of %s only what it has", (module, exports) => {
    assert.deepStrictEqual(named(module).filter((name) => !(name in exports)), [])
  })

  it("names dozens of what the modules have", () => {
    assert.isAbove(Object.keys(Heirloom).flatMap(named).length, 60)
  })

  it.effect("names of handles only what they have", () =>
    Effect.gen(function*() {
      const tasks = yield* Tasks
      const task = yield* tasks.asyncNolink(Effect.never)
      const handles: Record<string, object> = {
        Counter,
        Visits,
        Jobs,
        Sessions,
        Tasks,
        tasks,
        task,
        visits: yield* Visits,
        dynamic: yield* Jobs,
        sessions: yield* Sessions,
        registry: yield* Names,
        groups: yield* Topics,
        supervisor: yield* Top,
        watch: yield* Monitor.watch(task)
      }
      let seen = 0
      for (const [handle, value] of Object.entries(handles)) {
        for (const name of named(handle)) {
          seen++
          assert.isTrue(Reflect.has(value, name), `${handle}.${name}`)
        }
      }
      assert.isAbove(seen, 60)
    }).pipe(Effect.provide(Live)))
})
