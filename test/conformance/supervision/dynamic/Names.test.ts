/**
 * Other systems' cases of dynamic supervisors as children: their ids, names, defaults, and what they do not support.
 */
import { assert, describe } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Layer, Option, Queue } from "effect"
import { TestClock } from "effect/testing"
import { InvalidOption } from "../../../../src/domain/options/InvalidOption.ts"
import { DynamicSupervisor, GenServer, Process, Registry, Supervisor } from "../../../../src/index.ts"
import { start, Sup } from "../../../kit/DynamicFamily.ts"
import { refusal } from "../../../kit/Failures.ts"
import { child, count, died, isAlive, list, start as startStatic, testCase } from "../../../kit/Family.ts"

class Second extends DynamicSupervisor.Service<Second>()("test/Second") {}
class Names extends Registry.Service<Names, {
  readonly key: unknown
  readonly ref: DynamicSupervisor.DynamicSupervisor
}>()("test/Names", { keys: "unique" }) {}
class Others extends Registry.Service<Others, {
  readonly key: readonly [module: string, name: string]
  readonly ref: DynamicSupervisor.DynamicSupervisor
}>()("test/Others", { keys: "unique" }) {}

const registries = Effect.map(
  Layer.build(Layer.mergeAll(Names.layer, Others.layer)),
  (context) => ({ names: Context.get(context, Names), others: Context.get(context, Others) })
)

/** What is wrong with a dynamic supervisor's options. */
const refused = (options: DynamicSupervisor.Options) =>
  Effect.map(Effect.exit(Effect.scoped(start(options))), (exit) => {
    const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    return error instanceof InvalidOption ? error.option : error
  })

describe("dynamic supervisor: definitions and names", () => {
  testCase(
    "DYN-017 Dynamic supervisors do not support auto_shutdown",
    Effect.gen(function*() {
      // As options that were computed.
      const options = (autoShutdown: string) => ({ id: "sup", autoShutdown })
      assert.strictEqual(yield* refused(options("any_significant")), "autoShutdown")
      assert.strictEqual(yield* refused(options("all_significant")), "autoShutdown")
      const never = yield* start(options("never"))
      assert.isTrue(isAlive(never))
      yield* never.stop()
      assert.isFalse(isAlive(never))
      // @ts-expect-error: written in place, the compiler refuses it
      assert.strictEqual(yield* refused({ autoShutdown: "any_significant" }), "autoShutdown")
    })
  )

  testCase(
    "DYN-024 Dynamic supervisors as children; default ids come from names",
    Effect.gen(function*() {
      const { names, others } = yield* registries
      const app = yield* startStatic()
      const services = yield* Layer.build(Second.layer()).pipe(
        Effect.provideService(Supervisor.Supervisor, app)
      )
      const recipe = (id: string) => DynamicSupervisor.recipe({ id })
      yield* names.start("second", app.startChild(recipe("in a registry")), undefined)
      yield* others.start(["via", "third"], app.startChild(recipe("by a tuple")), undefined)
      const unnamed = yield* app.startChild(recipe("unnamed"))
      assert.deepStrictEqual(yield* list(app), [
        "unnamed -> 1",
        "by a tuple -> 1",
        "in a registry -> 1",
        "test/Second -> 1"
      ])
      const byName = [
        Context.get(services, Second),
        Option.getOrThrow(yield* names.whereis("second")),
        Option.getOrThrow(yield* others.whereis(["via", "third"])),
        unnamed
      ]
      assert.deepStrictEqual(yield* Effect.forEach(byName, list), [[], [], [], []])
      const clash = yield* Effect.flip(app.startChild(recipe("unnamed")))
      assert.deepStrictEqual(clash.reason, { _tag: "AlreadyStarted", process: unnamed[Process.processOf] })
      // Without a name of its own it goes by its class's.
      const again = yield* Effect.exit(Layer.build(Second.layer())).pipe(
        Effect.provideService(Supervisor.Supervisor, app)
      )
      const error = Exit.isFailure(again) ? Cause.squash(again.cause) : undefined
      assert(error instanceof Supervisor.StartError)
      assert.deepStrictEqual(error.reason, { _tag: "AlreadyStarted", process: byName[0]![Process.processOf] })
    })
  )

  testCase(
    "DYN-025 Dynamic supervisor defaults",
    Effect.gen(function*() {
      const app = yield* startStatic()
      const under = Effect.provideService(Supervisor.Supervisor, app)
      yield* under(Layer.build(Sup.layer()))
      const own = { id: "own", restart: "transient", shutdown: 1000 } as const
      yield* under(Layer.build(Supervisor.child(Second.layer(), own)))
      const defaults = { kind: "supervisor", significant: false, needs: [] } as const
      assert.deepStrictEqual((yield* app.whichChildren).map(({ spec }) => spec), [
        { ...defaults, ...own },
        { ...defaults, id: "sup", restart: "permanent", shutdown: "infinity" }
      ])

      // What it does with its children by default, seen in what it does.
      const sup = yield* start({ restart: undefined })
      const crashing = yield* sup.startChild(child("crashing"))
      yield* Effect.forEach(Array.from({ length: 1000 }, (_, i) => `child${i}`), (id) => sup.startChild(child(id)))
      for (let crashes = 0; crashes < 3; crashes++) yield* Process.exit(crashing, died)
      const [first, ...rest] = yield* list(sup)
      assert.deepStrictEqual([first, new Set(rest.map((line) => line.split(" ").at(-1)))], [
        "crashing -> 4",
        new Set(["1"])
      ])
      yield* TestClock.adjust(5001)
      for (let crashes = 0; crashes < 3; crashes++) yield* Process.exit(crashing, died)
      assert.deepStrictEqual(yield* count(sup), [1001, 1001, 0, 1001])
      yield* TestClock.adjust(5000)
      yield* Process.exit(crashing, died)
      assert.isFalse(isAlive(sup))
    })
  )

  testCase(
    "DYN-027 Named dynamic supervisor",
    Effect.gen(function*() {
      const { names } = yield* registries
      const app = yield* startStatic()
      const begin = app.startChild(DynamicSupervisor.recipe({ id: "named" }), { restart: "temporary" })
      const started = yield* names.start("my_sup", begin, undefined)
      const named = Option.getOrThrow(yield* names.whereis("my_sup"))
      assert.strictEqual(named, started)
      yield* named.stop()
      assert.isTrue(Option.isNone(yield* names.whereis("my_sup")))
      assert.isFalse(isAlive(named))
      const next = yield* names.start("my_sup", begin, undefined)
      yield* GenServer.stop(names.via("my_sup"))
      assert.isFalse(isAlive(next))
      assert.isTrue(Option.isNone(yield* names.whereis("my_sup")))
    })
  )

  testCase(
    "DYN-044 Equal arguments are fine; equal supervisor names are not",
    Effect.gen(function*() {
      const { names } = yield* registries
      const app = yield* startStatic()
      const announcements = yield* Queue.unbounded<string>()
      const begin = (id: string) => app.startChild(DynamicSupervisor.recipe({ id }))
      const started = yield* names.start("factory", begin("first"), undefined)

      const announcing = (argument: string) =>
        Supervisor.workerRecipe("child", Effect.andThen(Queue.offer(announcements, argument), Effect.never))
      const alike = yield* Effect.forEach([1, 2, 3], () => started.startChild(announcing("same")))
      assert.strictEqual(new Set(alike).size, 3)
      assert.deepStrictEqual(yield* list(started), ["child -> 1", "child -> 1", "child -> 1"])
      assert.deepStrictEqual(yield* Queue.takeAll(announcements), ["same", "same", "same"])

      const taken = yield* Effect.flip(names.start("factory", begin("second"), undefined))
      assert(taken._tag === "RegistryError" && taken.reason._tag === "AlreadyRegistered")
      const holder: Process.HasProcess = taken.reason.holder
      assert.strictEqual(holder, started)
      assert.strictEqual(yield* refusal(begin("first")), "AlreadyStarted")
      assert.deepStrictEqual(yield* list(app), ["first -> 1"])

      const named = Option.getOrThrow(yield* names.whereis("factory"))
      for (const argument of ["a", "b", "c"]) yield* named.startChild(announcing(argument))
      assert.deepStrictEqual(yield* Queue.takeAll(announcements), ["a", "b", "c"])
    })
  )
})
