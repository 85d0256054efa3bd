/** Other systems' cases of specifications: defaults, each field that is refused, flags, names. */
import { assert, describe } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Layer, Option, Result } from "effect"
import { TestClock } from "effect/testing"
import { InvalidOption } from "../../../../src/domain/options/InvalidOption.ts"
import { shutdown } from "../../../../src/domain/process/ExitReason.ts"
import {
  DynamicSupervisor,
  Monitor,
  Process,
  Registry,
  Restart,
  type StateContainer,
  Supervisor
} from "../../../../src/index.ts"
import { child, died, isAlive, list, own, Plain, published, start, Sup, testCase, within } from "../../../kit/Family.ts"

const restarts = ["permanent", "transient", "temporary"] as const
const autoShutdowns = ["never", "any_significant", "all_significant"] as const

/** A recipe as untyped code might write it. */
const untyped = (changes: unknown): Supervisor.StartRecipe<Process.Process> =>
  typeof changes === "object" ? { ...Supervisor.workerRecipe("child", Effect.never), ...changes } : changes as never

/** What is wrong with a spec: the option, and what it must be. */
const wrong = ({ expected, option }: InvalidOption) => `${option}: ${expected}`

/** The reason that it is refused for. */
const refused = <R>(starting: Effect.Effect<unknown, Supervisor.StartError, R>) =>
  Effect.map(Effect.flip(starting), ({ reason }) => {
    assert(reason._tag === "InvalidOption")
    return wrong(reason)
  })

/** The reason that it is refused for, as the defect of a Layer. */
const refusedLayer = <A, E, R>(layer: Layer.Layer<A, E, R>) =>
  Effect.map(Effect.exit(Effect.scoped(Layer.build(layer))), (exit) => {
    if (Exit.isSuccess(exit)) return "not refused"
    const error = Cause.squash(exit.cause)
    if (error instanceof Supervisor.StartError && error.reason._tag === "InvalidOption") return wrong(error.reason)
    return error instanceof InvalidOption ? wrong(error) : String(error)
  })

describe("supervisor: specifications", () => {
  testCase(
    "SUP-010 Child-spec defaults",
    Effect.gen(function*() {
      const sup = yield* start({ restart: undefined }, [
        child("child1"),
        child("child2", { shutdown: "brutal_kill" }),
        Supervisor.recipe({ strategy: "one_for_one", id: "child3" }, [])
      ])
      const spec = (id: string) => Effect.map(sup.whichChild(id), ({ spec }) => spec)
      const usual = { kind: "worker", restart: "permanent", shutdown: 5000, significant: false, needs: [] }
      assert.deepStrictEqual<unknown>(yield* spec("child1"), { ...usual, id: "child1" })
      assert.deepStrictEqual<unknown>(yield* spec("child2"), { ...usual, id: "child2", shutdown: "brutal_kill" })
      assert.deepStrictEqual<unknown>(yield* spec("child3"), {
        ...usual,
        id: "child3",
        kind: "supervisor",
        shutdown: "infinity"
      })
      assert.deepStrictEqual((yield* Effect.flip(spec("child4"))).reason, { _tag: "NotFound" })
    })
  )

  testCase(
    "SUP-011 Faulty initial specs refuse to start the supervisor",
    Effect.gen(function*() {
      const starting = (changes: unknown) =>
        refusedLayer(Sup.layer({ strategy: "one_for_one" }, [own(untyped(changes))]))
      assert.include(yield* starting({ id: undefined }), "id: a string that is not empty")
      assert.include(yield* starting({ make: undefined }), "make: the function that makes the child")
      assert.strictEqual(yield* starting({ unknown: "key" }), "not refused")
      assert.strictEqual(yield* starting("no spec"), "child: a start recipe")
      // Of all of them, only one was ever up.
      assert.deepStrictEqual((yield* published).filter((event) => event.startsWith("child")), [
        "child#1 started",
        "child#1 exited: shutdown"
      ])
    })
  )

  testCase(
    "SUP-021 Invalid child-spec fields are rejected one by one",
    Effect.gen(function*() {
      const sup = yield* start()
      const starting = (changes: unknown) => refused(sup.startChild(untyped(changes)))
      assert.include(yield* starting({ id: undefined }), "id: a string that is not empty")
      assert.include(yield* starting({ make: undefined }), "make: the function that makes the child")
      assert.include(yield* starting({ make: "not callable" }), "make: the function that makes the child")
      assert.include(
        yield* starting({ options: { restart: "prmanent" } }),
        "restart: \"permanent\", \"transient\" or \"temporary\""
      )
      assert.include(yield* starting({ options: { shutdown: -10 } }), "shutdown: a duration of 0 or more")
      assert.include(yield* starting({ options: { shutdown: -1 } }), "shutdown: a duration of 0 or more")
      assert.include(yield* starting({ kind: "wrker" }), "kind: \"worker\" or \"supervisor\"")
      assert.strictEqual(yield* starting(42), "child: a start recipe")
      assert.deepStrictEqual(yield* list(sup), [])
      assert.isTrue(isAlive(sup))
      assert.deepStrictEqual(yield* published, ["sup#1 started"])
    })
  )

  testCase(
    "SUP-022 checkChildSpecs accepts every legal combination",
    Effect.sync(() => {
      let checked = 0
      for (const restart of [undefined, ...restarts]) {
        for (const shutdown of [undefined, 0, 1000, "infinity", "brutal_kill"] as const) {
          for (const kind of [undefined, "supervisor", "worker"] as const) {
            const draft = Object.assign({ id: "child", restart, shutdown, kind }, { unknown: "key" })
            assert.deepStrictEqual(
              Supervisor.checkChildSpecs([draft]),
              Result.succeed([{
                id: "child",
                kind: kind ?? "worker",
                restart: restart ?? "permanent",
                shutdown: shutdown ?? (kind === "supervisor" ? "infinity" : 5000),
                significant: false,
                needs: []
              }])
            )
            checked++
          }
        }
      }
      assert.strictEqual(checked, 4 * 5 * 3)
      const twice = Supervisor.checkChildSpecs([{ id: "child" }, { id: "other" }, { id: "child" }])
      assert.deepStrictEqual(
        Result.flip(twice).pipe(Result.map(wrong)),
        Result.succeed("id: another one: two children have it")
      )
      // @ts-expect-error: a specification is no list of them
      const bare = Supervisor.checkChildSpecs({ id: "child" })
      assert.deepStrictEqual(
        Result.flip(bare).pipe(Result.map(wrong)),
        Result.succeed("child: a list of child specifications")
      )
    })
  )

  testCase(
    "SUP-024 Legal and illegal combinations of significant, restart and auto_shutdown",
    Effect.gen(function*() {
      for (const autoShutdown of autoShutdowns) {
        for (const restart of [undefined, ...restarts]) {
          for (const significant of [false, true]) {
            const permanent = restart === undefined || restart === "permanent"
            const expected = !significant
              ? "ok"
              : permanent
              ? "significant: false for a permanent child"
              : autoShutdown === "never"
              ? "significant: false under a supervisor without autoShutdown"
              : "ok"
            const checked = Supervisor.checkChildSpecs([{ id: "child", restart, significant }], autoShutdown)
            assert.include(Result.isFailure(checked) ? wrong(checked.failure) : "ok", expected)
            const spec = child("child", { restart, significant })
            const started = yield* refusedLayer(Sup.layer({ strategy: "one_for_one", autoShutdown }, [own(spec)]))
            assert.include(started, expected === "ok" ? "not refused" : expected)
          }
        }
      }
      const sup = yield* start({ autoShutdown: "never" })
      assert.include(
        yield* refused(sup.startChild(child("child", { restart: "transient", significant: true }))),
        "significant: false under a supervisor without autoShutdown"
      )
      assert.deepStrictEqual(yield* list(sup), [])
      // @ts-expect-error: it is a boolean
      const maybe = Supervisor.checkChildSpecs([{ id: "child", significant: "maybe" }])
      assert(Result.isFailure(maybe))
      assert.strictEqual(wrong(maybe.failure), "significant: true or false")
    })
  )

  testCase(
    "SUP-025 Supervisor flags are validated",
    Effect.gen(function*() {
      // A budget is part of the description, so that one that makes no sense is refused before there is a supervisor.
      const starting = (flags: () => unknown) => refusedLayer(Layer.suspend(() => Sup.layer(flags() as never, [])))
      const one = { strategy: "one_for_one" }
      assert.include(yield* starting(() => ({ strategy: "none_for_one" })), "strategy: \"one_for_one\", ")
      const budget = (limit: Parameters<typeof Restart.intensity>[0]) =>
        starting(() => ({ ...one, restart: Restart.intensity(limit) }))
      assert.include(yield* budget({ restarts: Infinity }), "restarts: a whole number, 0 at least")
      assert.include(yield* budget({ within: 0 }), "within: a duration of more than nothing that ends")
      assert.include(yield* budget({ within: Infinity }), "within: a duration of more than nothing that ends")
      assert.include(
        yield* starting(() => ({ ...one, autoShutdown: "sometimes" })),
        "autoShutdown: \"never\", "
      )
      assert.include(yield* starting(() => "flags"), "options: an object")
      assert.deepStrictEqual(yield* published, [])
      assert.strictEqual(yield* starting(() => ({ ...one, unknown: "key" })), "not refused")
    })
  )

  testCase(
    "SUP-067 Elixir flag defaults and required strategy",
    Effect.gen(function*() {
      /** Which of its child's crashes, each so many milliseconds after the one before, ends the supervisor. */
      const fatal = (options: Partial<Supervisor.Options>, ...pauses: ReadonlyArray<number>) =>
        Effect.scoped(Effect.gen(function*() {
          const sup = yield* start(options, [child("child1")])
          const { process } = yield* sup.whichChild("child1")
          for (const [crash, pause] of pauses.entries()) {
            yield* TestClock.adjust(pause)
            process.exit(died)
            if (!isAlive(sup)) return crash + 1
          }
          return "none"
        }))
      const defaults = { strategy: "one_for_one", restart: undefined } as const
      assert.strictEqual(yield* fatal(defaults, 0, 0, 0, 0), 4)
      assert.strictEqual(yield* fatal(defaults, 0, 0, 0, 5000), 4)
      assert.strictEqual(yield* fatal(defaults, 0, 0, 0, 5001), "none")
      const sup = yield* start(defaults)
      assert.include(
        yield* refused(sup.startChild(child("child", { restart: "transient", significant: true }))),
        "false under a supervisor without autoShutdown"
      )
      const given = { strategy: "one_for_all", restart: within(1, 2) } as const
      assert.strictEqual(yield* fatal(given, 0, 2000), 2)
      assert.strictEqual(yield* fatal(given, 0, 2001, 2001), "none")
      // @ts-expect-error: a supervisor has a strategy
      const missing = Sup.layer({}, [])
      assert.include(yield* refusedLayer(missing), "strategy: \"one_for_one\", ")
    })
  )

  testCase(
    "SUP-068 Child-spec helper: defaults and overrides",
    Effect.gen(function*() {
      class S extends Supervisor.Service<S>()("test/S") {}
      const supervisor = S.layer({ strategy: "one_for_one" }, [own(child("inner"))])
      const worker = Plain.layer({
        init: "idle",
        handlers: { Get: (s) => [s, s], Set: (_, { to }) => to, Busy: (s) => s }
      })
      /** The spec that a Layer's child has in the end, and whether its subtree came along. */
      const specOf = <A, E>(layer: Layer.Layer<A, E, Supervisor.Supervisor | StateContainer.StateOf<Plain>>) =>
        Effect.scoped(Effect.gen(function*() {
          const sup = Context.get(yield* Layer.build(Sup.layer({ strategy: "one_for_one" }, [layer])), Sup)
          const children = yield* sup.whichChildren
          return children.map(({ spec }) => spec)
        }))
      const ofS = { id: "test/S", kind: "supervisor", restart: "permanent", shutdown: "infinity" }
      const rest = { significant: false, needs: [] }
      assert.deepStrictEqual<unknown>(yield* specOf(supervisor), [{ ...ofS, ...rest }])
      assert.isTrue((yield* published).includes("test/S > inner#1 started"))
      const ofWorker = { id: "test/Plain", kind: "worker", restart: "permanent", shutdown: 5000 }
      assert.deepStrictEqual<unknown>(yield* specOf(worker), [{ ...ofWorker, ...rest }])

      const otherStart = S.layer({ strategy: "one_for_one" }, [own(child("another"))])
      const overridden = Supervisor.child(otherStart, { id: "another", restart: "temporary" })
      assert.deepStrictEqual<unknown>(yield* specOf(overridden), [
        { ...ofS, id: "another", restart: "temporary", ...rest }
      ])
      assert.isTrue((yield* published).includes("another > another#1 started"))
      const existing = Supervisor.child(worker, { id: "existing", restart: "transient", shutdown: 1000 })
      const spec = { ...ofWorker, id: "existing", restart: "transient", shutdown: 1000, ...rest }
      assert.deepStrictEqual<unknown>(yield* specOf(existing), [spec])
      assert.deepStrictEqual<unknown>(yield* specOf(Supervisor.child(existing, {})), [spec])
      assert.deepStrictEqual<unknown>(
        yield* specOf(Supervisor.child(existing, { id: "foo", restart: "permanent", shutdown: "infinity" })),
        [{ ...spec, id: "foo", restart: "permanent", shutdown: "infinity" }]
      )
      const nobody = Sup.layer({ strategy: "one_for_one" }, [Supervisor.child(Layer.empty, { id: "foo" })])
      assert.include(
        yield* refusedLayer(nobody),
        "the number of children that its layer registers: 1: this layer is a resource"
      )
    })
  )

  testCase(
    "SUP-070 Supervisors can be named and addressed by name",
    Effect.gen(function*() {
      class Local extends Registry.Service<Local, { readonly ref: Supervisor.Supervisor }>()("test/Local", {
        keys: "unique"
      }) {}
      class Global extends Registry.Service<Global, {
        readonly key: readonly [string, number]
        readonly ref: Supervisor.Supervisor
      }>()("test/Global", { keys: "unique" }) {}
      const services = yield* Layer.build(Layer.mergeAll(
        Sup.layer({ strategy: "one_for_one" }, []),
        Local.layer,
        Global.layer
      ))
      const sup = Context.get(services, Sup)
      const [local, global] = [Context.get(services, Local), Context.get(services, Global)]
      yield* local.register("my_sup", sup, undefined)
      yield* global.register(["my_sup", 1], sup, undefined)
      for (const found of [yield* local.whereis("my_sup"), yield* global.whereis(["my_sup", 1])]) {
        assert.strictEqual(Option.getOrThrow(found), sup)
        assert.deepStrictEqual(yield* Option.getOrThrow(found).whichChildren, [])
      }
      yield* published
      for (const id of ["", 42, {}]) {
        const invalid = { strategy: "one_for_one" as const, id: id as never }
        const children = [own(child("child1"))] as const
        assert.include(yield* refusedLayer(Sup.layer(invalid, children)), "id: a string that is not empty")
        const nested = Sup.layer({ strategy: "one_for_one" }, [Supervisor.layer(invalid, children)])
        assert.include(yield* refusedLayer(nested), "id: a string that is not empty")
        assert.notInclude((yield* published).join(), "child1")
      }
    })
  )

  testCase(
    "SUP-071 Tiny shutdown values 0 and 1 are legal",
    Effect.gen(function*() {
      class Many extends DynamicSupervisor.Service<Many>()("many") {}
      const many = Context.get(yield* Layer.build(Many.layer()), Many)
      for (const [sup, id] of [[yield* start(), "child1"], [many, "child2"]] as const) {
        for (const millis of [0, 1]) {
          const sleeper = Supervisor.workerRecipe("sleeper", Effect.never, { restart: "temporary", shutdown: millis })
          const process = yield* sup.startChild(sleeper)
          const watch = yield* Monitor.watch(Process.reference(process))
          process.exit(shutdown)
          assert.deepStrictEqual((yield* watch.down).reason, shutdown)
        }
        assert.deepStrictEqual(yield* list(sup), [])
        yield* sup.startChild(child(id))
        assert.deepStrictEqual(yield* list(sup), [`${id} -> 1`])
      }
    })
  )
})
