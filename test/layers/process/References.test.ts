import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Option, Schema, Stream } from "effect"
import {
  DynamicSupervisor,
  GenServer,
  Groups,
  Monitor,
  Process,
  Registry,
  Requests,
  Restart,
  StateContainer,
  Supervisor,
  Sys
} from "../../../src/index.ts"

class Num extends GenServer.Service<Num>()("test/Num", {
  state: Schema.Int,
  messages: { Later: GenServer.call({ reply: Schema.Int }) }
}) {}
class Names extends Registry.Service<Names>()("test/Names", { keys: "unique" }) {}
class Workers extends DynamicSupervisor.Service<Workers>()("test/Workers") {}
class Team extends Groups.Service<Team>()("test/Team") {}

const app = Supervisor.layer({ strategy: "one_for_one" }, [
  Names.layer,
  Team.layer,
  StateContainer.layerMemory(Num),
  Num.layer({ init: 0, handlers: { Later: (n) => [n, n] } })
])

/** What takes a reference, and who says that it was given none. */
const takers: Record<string, (ref: never) => Effect.Effect<unknown, unknown, unknown>> = {
  "Process.status": (ref) => Process.status(ref),
  "Process.incarnation": (ref) => Process.incarnation(ref),
  "Process.lastExit": (ref) => Process.lastExit(ref),
  "Process.exit": (ref) => Process.exit(ref, { _tag: "Killed" }),
  "Process.kill": (ref) => Process.kill(ref),
  "Process.awaitExit": (ref) => Process.awaitExit(ref),
  "Process.fiber": (ref) => Process.fiber(ref),
  "GenServer.stop": (ref) => GenServer.stop()(ref),
  "GenServer.replace": (ref) => GenServer.replace(ref, { init: 0, handlers: {} } as never),
  "GenServer.changes": (ref) => Stream.runDrain(GenServer.changes(ref)),
  "GenServer.reply": (ref) => GenServer.reply(ref, Exit.succeed(1)),
  "Monitor.watch": (ref) => Effect.scoped(Monitor.watch(ref)),
  "Requests": (ref) => Effect.andThen(Requests.check(ref), Requests.wait(ref)),
  "Requests.send": (ref) => Requests.send(ref),
  "Sys.children": (ref) => Sys.children(ref),
  "Sys.committed": (ref) => Sys.committed(ref),
  "Sys.discard": (ref) => Sys.discard({ request: "Later" } as never)(ref),
  "Sys.getState": (ref) => Sys.getState(ref),
  "Sys.getStatus": (ref) => Sys.getStatus(ref),
  "Sys.log": (ref) => Sys.log(true)(ref),
  "Sys.noDebug": (ref) => Sys.noDebug(ref),
  "Sys.peek": (ref) => Sys.peek(ref),
  "Sys.quarantined": (ref) => Sys.quarantined(ref),
  "Sys.replaceState": (ref) => Sys.replaceState((n) => n)(ref),
  "Sys.resume": (ref) => Sys.resume(ref),
  "Sys.suspend": (ref) => Sys.suspend(ref),
  "Sys.timers": (ref) => Sys.timers(ref),
  "test/Names": (ref) => Effect.flatMap(Names, (names) => names.register("key", ref, undefined as never)),
  "test/Team": (ref) => Effect.flatMap(Team, (team) => team.join("group", ref))
}

const nothings: ReadonlyArray<unknown> = [undefined, null, 0, "ref", {}, Object.create(null)]

const refusal = (exit: Exit.Exit<unknown, unknown>) => {
  const error: unknown = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  return error instanceof Error && error.name === "InvalidOption" ? error : undefined
}

describe("what is given no reference", () => {
  it.effect("refuses it by name, whatever it is given", () =>
    Effect.gen(function*() {
      for (const [name, take] of Object.entries(takers)) {
        for (const nothing of nothings) {
          const exit = yield* Effect.exit(
            Effect.suspend(() => take(nothing as never) as Effect.Effect<unknown, unknown>)
          )
          assert.propertyVal(refusal(exit), "of", name)
        }
      }
      const names = yield* Names
      const num = yield* Num
      const others: ReadonlyArray<Effect.Effect<unknown, unknown, never>> = [
        names.unregister("key", undefined as never),
        names.keys(undefined as never),
        names.values("key", undefined as never),
        names.start("key", Effect.succeed(undefined as never), undefined as never),
        Effect.flatMap(Team, (team) => team.leave("group", [num, null] as never)) as Effect.Effect<unknown>,
        Sys.discard(num, undefined as never),
        Effect.scoped(Monitor.watch(num, { into: 0 as never })),
        Effect.scoped(GenServer.castAfter(Effect.void, Number.NaN))
      ]
      for (const one of others) assert.isDefined(refusal(yield* Effect.exit(one)))
      // A key whose start answered no reference is free.
      yield* names.start("key", Effect.succeed(num), undefined as never)
      assert.deepStrictEqual(yield* names.whereis("key"), Option.some(num))
    }).pipe(Effect.provide(app)))

  it.effect("refuses it where a companion, a behaviour or a budget is made of it", () =>
    Effect.gen(function*() {
      const one = (children: ReadonlyArray<unknown>) =>
        Effect.scoped(Layer.build(Supervisor.layer({ strategy: "one_for_one" }, children as never)))
      const memory = StateContainer.layerMemory(Num)
      const none = null as never
      const wrong: ReadonlyArray<() => Effect.Effect<unknown, unknown, unknown>> = [
        () => one([StateContainer.layerMemory(none)]),
        () => one([StateContainer.layerTable({} as never)]),
        () => one([StateContainer.layerForget("Num" as never)]),
        () => one([StateContainer.layerStore(none, { store: none })]),
        () => one([StateContainer.layerStore(Num, { store: "test/Store" as never })]),
        () => one([StateContainer.layerStore(Num, none)]),
        () => one([StateContainer.layerMemory(Num, none)]),
        () => one([StateContainer.layerTable(Num, none)]),
        () => one([memory, Num.layer(none)]),
        () => one([memory, Num.layer("init" as never)]),
        () => one([memory, Num.layer({ init: 0, handlers: { Later: (n) => [n, n] } }, { passivate: none })]),
        () => Effect.sync(() => Restart.max([] as never)),
        () => Effect.sync(() => Restart.max([Restart.standard, none])),
        () => Effect.sync(() => Restart.intensity(none)),
        () =>
          Effect.flatMap(Workers, (workers) => workers.terminateChild(none)).pipe(
            Effect.provide(Supervisor.layer({ strategy: "one_for_one" }, [Workers.layer()]))
          )
      ]
      for (const make of wrong) {
        const exit = yield* Effect.exit(Effect.suspend(() => make() as Effect.Effect<unknown, unknown>))
        assert.isDefined(refusal(exit), `${make}: ${exit}`)
      }
    }))
})
