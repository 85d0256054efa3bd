import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Fiber, Layer, Ref, Scope } from "effect"
import { TestClock } from "effect/testing"
import { killed, normal, shutdown } from "../../../../src/domain/process/ExitReason.ts"
import { Process, Restart, Supervisor, Telemetry } from "../../../../src/index.ts"
import { listing, probe, recipe, record, Script, Top, top } from "../../../kit/Probe.ts"

const one = { strategy: "one_for_one" } as const

/** Makes a layer that says when it is built and released. */
const resource = (log: Array<string>, name: string) =>
  Layer.effectDiscard(
    Effect.acquireRelease(
      Effect.sync(() => log.push(`open ${name}`)),
      () => Effect.sync(() => log.push(`close ${name}`))
    )
  )

/** A child that writes to a log when an incarnation of it begins and ends. */
const logging = (log: Array<string>, name: string) =>
  Supervisor.worker(
    name,
    Effect.acquireRelease(
      Effect.sync(() => log.push(`start ${name}`)),
      () => Effect.sync(() => log.push(`stop ${name}`))
    ).pipe(Effect.andThen(Effect.never))
  )

class Db extends Context.Service<Db, { readonly n: number }>()("test/Db") {}

describe("layers and recipes", () => {
  it.effect("restarting runs the recipe and rebuilds no layer: a resource is built once, released after the children", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const script = new Script()
      const scope = yield* Scope.make()
      const { supervisor } = yield* top(
        { strategy: "one_for_all" },
        logging(log, "a"),
        resource(log, "r"),
        probe("b", script)
      ).pipe(Scope.provide(scope))
      assert.deepStrictEqual(log.splice(0), ["start a", "open r"])
      script.end()
      assert.deepStrictEqual(log.splice(0), ["stop a", "start a"])
      assert.deepStrictEqual(yield* listing(supervisor), ["a#2", "b#2"])
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(log, ["stop a", "close r"])
    }))

  it.effect("resources are released in reverse order, when every child has stopped", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      yield* Effect.scoped(
        top(one, resource(log, "r1"), logging(log, "a"), resource(log, "r2"), logging(log, "b"))
      )
      assert.deepStrictEqual(log, [
        "open r1",
        "start a",
        "open r2",
        "start b",
        "stop b",
        "stop a",
        "close r2",
        "close r1"
      ])
    }))

  it.effect("a resource that fails fails the build, and the children before it are stopped", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const error = yield* Effect.flip(Effect.scoped(Layer.build(Supervisor.layer(one, [
        logging(log, "a"),
        resource(log, "r"),
        Layer.effectDiscard(Effect.fail("no disk")),
        logging(log, "b")
      ]))))
      assert.strictEqual(error, "no disk")
      assert.deepStrictEqual(log, ["start a", "open r", "stop a", "close r"])
    }))

  it.effect("each child sees the services of those before it", () =>
    Effect.gen(function*() {
      const seen = yield* Ref.make(0)
      const DbLive = Layer.succeed(Db, { n: 7 })
      const App = Supervisor.layer(one, [
        DbLive,
        Supervisor.worker("a", Effect.flatMap(Db, ({ n }) => Effect.andThen(Ref.set(seen, n), Effect.never)))
      ])
      const provided: Layer.Layer<Db> = App
      yield* Layer.build(provided)
      assert.strictEqual(yield* Ref.get(seen), 7)
      const wrongOrder = Supervisor.layer(one, [Supervisor.worker("a", Db), DbLive])
      // @ts-expect-error the child that provides it must come before the one that needs it
      const incomplete: Layer.Layer<Db> = wrongOrder
      assert.isDefined(incomplete)
    }))

  it.effect("one layer value under two supervisors is two children, twice under one it is one", () =>
    Effect.gen(function*() {
      const shared = probe("a")
      const { supervisor } = yield* top(
        one,
        Supervisor.layer({ ...one, id: "left" }, [shared, shared]),
        Supervisor.layer({ ...one, id: "right" }, [shared])
      )
      assert.deepStrictEqual(yield* listing(supervisor), ["left#1", "right#1"])
      const { take, telemetry } = record()
      yield* Effect.scoped(
        Layer.build(Supervisor.layer(one, [
          Supervisor.layer({ ...one, id: "left" }, [shared, shared]),
          Supervisor.layer({ ...one, id: "right" }, [shared])
        ])).pipe(Effect.provideService(Telemetry.CurrentTelemetry, telemetry))
      )
      assert.deepStrictEqual(take().filter((line) => line.startsWith("Started")), [
        "Started left#1",
        "Started left/a#1",
        "Started right#1",
        "Started right/a#1"
      ])
    }))

  it.effect("nested supervisors without an id are numbered", () =>
    Effect.gen(function*() {
      const { supervisor } = yield* top(one, Supervisor.layer(one, []), Supervisor.layer(one, []))
      assert.deepStrictEqual(yield* listing(supervisor), ["Supervisor#1", "Supervisor2#1"])
    }))

  it.effect("two children with one id are a defect that names the one there is", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(top(one, probe("a"), probe("a")))
      assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
      assert.include(String(Exit.isFailure(exit) && Cause.squash(exit.cause)), "a child of that id is running")
    }))

  it.effect("a layer built at run time under a supervisor takes its child along when its scope closes", () =>
    Effect.gen(function*() {
      const { supervisor } = yield* top(one, probe("a"))
      const scope = yield* Scope.make()
      const services = Layer.mergeAll(probe("b"), Supervisor.layer({ ...one, id: "sub" }, [probe("c")]))
      yield* Layer.buildWithScope(services, scope).pipe(Effect.provideService(Supervisor.Supervisor, supervisor))
      assert.sameMembers(yield* listing(supervisor), ["a#1", "b#1", "sub#1"])
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(yield* listing(supervisor), ["a#1"])
    }))

  it.effect("Supervisor.child overrides what it is given, and only that", () =>
    Effect.gen(function*() {
      const { supervisor } = yield* top(
        one,
        Supervisor.child(probe("a", undefined, { restart: "transient" }), { id: "b", shutdown: "1 second" }),
        Supervisor.child(Supervisor.layer(one, [probe("inner")]), { id: "sub", restart: "temporary" })
      )
      const spec = (id: string) => Effect.map(supervisor.whichChild(id), ({ spec }) => spec)
      assert.deepStrictEqual(yield* spec("b"), {
        id: "b",
        kind: "worker",
        restart: "transient",
        shutdown: 1000,
        significant: false,
        needs: []
      })
      assert.deepInclude(yield* spec("sub"), {
        id: "sub",
        kind: "supervisor",
        restart: "temporary",
        shutdown: "infinity"
      })
    }))

  it.effect("Supervisor.child can be written in a pipe; the outer one counts", () =>
    Effect.gen(function*() {
      const renamed = probe("a").pipe(
        Supervisor.child({ id: "b", restart: "transient" }),
        Supervisor.child({ id: "c" })
      )
      const { supervisor } = yield* top(one, renamed)
      const { spec } = yield* supervisor.whichChild("c")
      assert.deepStrictEqual([spec.id, spec.restart], ["c", "transient"])
    }))

  it.effect("Supervisor.child over a layer that registers no child, or two, is a defect", () =>
    Effect.gen(function*() {
      const problem = (layer: Layer.Layer<never, string, Supervisor.Supervisor>) =>
        Effect.map(Effect.exit(Effect.scoped(top(one, layer))), (exit) =>
          Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : "")
      assert.include(yield* problem(Supervisor.child(resource([], "r"), { id: "x" })), "this layer is a resource")
      assert.include(
        yield* problem(Supervisor.child(Layer.mergeAll(probe("a"), probe("b")), { restart: "temporary" })),
        "was given 2 as the number of children that its layer registers"
      )
    }))

  it.effect("options that make no sense are a defect that names the field", () =>
    Effect.gen(function*() {
      const problem = (options: object) =>
        Effect.map(
          Effect.exit(Effect.scoped(top(Object.assign({ strategy: "one_for_one" as const }, options)))),
          (exit) => Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : "none"
        )
      assert.include(yield* problem({ strategy: "none_for_one" }), "was given \"none_for_one\" as strategy")
      assert.include(yield* problem({ autoShutdown: "sometimes" }), "was given \"sometimes\" as autoShutdown")
      assert.include(yield* problem({ onGiveUp: "cry" }), "was given \"cry\" as onGiveUp")
      assert.strictEqual(yield* problem({ flavour: "vanilla" }), "none")
    }))
})

describe("nested supervisors", () => {
  const none = { strategy: "one_for_one", restart: Restart.never } as const

  it.effect("repair their own children, and count at every level", () =>
    Effect.gen(function*() {
      const a = new Script()
      const { supervisor } = yield* top(
        { strategy: "one_for_all" },
        Supervisor.layer({ ...one, id: "sub1" }, [probe("a", a), probe("b")]),
        Supervisor.child(Supervisor.layer({ ...one, id: "sub2" }, []), { restart: "transient" })
      )
      yield* supervisor.terminateChild("sub2")
      assert.deepStrictEqual(yield* supervisor.countChildren, { specs: 2, active: 1, supervisors: 2, workers: 0 })
      a.end()
      assert.deepStrictEqual(yield* listing(supervisor), ["sub1#1", "sub2 stopped"])
      assert.strictEqual(a.process?.incarnation, 2)
    }))

  it.effect("escalate: the parent restarts it, its children keep their identity, and its budget begins anew", () =>
    Effect.gen(function*() {
      const a = new Script()
      const b = new Script()
      const { reports, supervisor, take } = yield* top(
        one,
        Supervisor.layer({ ...one, id: "sub", restart: Restart.intensity({ restarts: 1, within: "1 minute" }) }, [
          probe("a", a),
          probe("b", b)
        ])
      )
      const identity = a.process
      take()
      a.end()
      a.end()
      assert.deepStrictEqual(take(), [
        "Exited sub/a#1 crashed: boom",
        "Restarting sub/a in 0",
        "Started sub/a#2",
        "Exited sub/a#2 crashed: boom",
        "GaveUp sub on a",
        "Exited sub/b#1 shutdown",
        "Exited sub#1 gave up on a: boom",
        "Restarting sub in 0",
        "Started sub/a#3",
        "Started sub/b#2",
        "Started sub#2"
      ])
      assert.strictEqual(a.process, identity)
      assert.deepStrictEqual(a.fates, ["restarting", "restarting"])
      assert.deepStrictEqual(b.fates, ["restarting"])
      assert.deepStrictEqual(
        reports(),
        [
          "a#1: it is restarted",
          "a#2: it is restarted",
          "sub#1: it is restarted"
        ].map((line) => line.replace(/^a/, "sub/a"))
      )
      a.end()
      assert.deepStrictEqual(yield* listing(supervisor), ["sub#2"])
    }))

  it.effect("escalate to the root: every process is stopped, and that is published", () =>
    Effect.gen(function*() {
      const a = new Script()
      const b = new Script()
      const { reports, supervisor } = yield* top(
        none,
        probe("b", b),
        Supervisor.layer({ ...none, id: "sub" }, [probe("a", a)])
      )
      a.end()
      assert.strictEqual(supervisor[Process.processOf].status, "stopped")
      assert.deepStrictEqual([a.fates, b.fates], [["stopped"], ["stopped"]])
      assert.deepStrictEqual(reports(), ["sub/a#1: it stays down", "sub#1: it stays down", "top#1: it stays down"])
    }))

  it.effect("give-up is never mistaken for a normal end: a transient supervisor is restarted", () =>
    Effect.gen(function*() {
      const a = new Script()
      const { supervisor } = yield* top(
        one,
        Supervisor.child(Supervisor.layer({ ...none, id: "sub" }, [probe("a", a)]), { restart: "transient" })
      )
      a.end()
      assert.deepStrictEqual(yield* listing(supervisor), ["sub#2"])
    }))

  it.effect("a child that fails in its supervisor's restart is a failed restart of the supervisor", () =>
    Effect.gen(function*() {
      const a = new Script()
      const b = new Script()
      const { supervisor, take } = yield* top(
        one,
        Supervisor.layer({ ...none, id: "sub" }, [probe("a", a), probe("b", b)])
      )
      take()
      b.starts.push("fail")
      a.end()
      assert.deepStrictEqual(take().slice(5), [
        "Started sub/a#2",
        "StartFailed sub/b#2 crashed: no",
        "Exited sub/a#2 shutdown",
        "StartFailed sub#2 crashed: no",
        "Restarting sub in 0",
        "Started sub/a#3",
        "Started sub/b#3",
        "Started sub#3"
      ])
      assert.deepStrictEqual(yield* listing(supervisor), ["sub#3"])
    }))

  it.effect("children added at run time do not come back with their supervisor, those of its own do", () =>
    Effect.gen(function*() {
      const a = new Script()
      const added = new Script()
      class Sub extends Supervisor.Service<Sub>()("sub") {}
      const { telemetry } = record()
      const context = yield* Layer.build(
        Supervisor.layer(one, [Sub.layer(none, [probe("a", a), probe("stopped")])])
      ).pipe(Effect.provideService(Telemetry.CurrentTelemetry, telemetry))
      const sub = Context.get(context, Sub)
      yield* sub.startChild(recipe("added", added))
      yield* sub.terminateChild("stopped")
      a.end()
      assert.deepStrictEqual(yield* listing(sub), ["a#2", "stopped#2"])
      assert.deepStrictEqual(added.fates, ["stopped"])
      assert.strictEqual(added.process?.status, "stopped")
    }))

  it.effect("auto-shutdown climbs through significant supervisors only", () =>
    Effect.gen(function*() {
      const climb = Effect.fnUntraced(function*(significant: boolean) {
        const c = new Script()
        const { supervisor } = yield* top(
          { ...one, autoShutdown: "any_significant" },
          Supervisor.child(
            Supervisor.layer({ ...one, id: "B", autoShutdown: "any_significant" }, [
              probe("C", c, { restart: "transient", significant: true })
            ]),
            { restart: "transient", significant }
          )
        )
        c.finish()
        return supervisor[Process.processOf].status
      })
      assert.strictEqual(yield* climb(true), "stopped")
      assert.strictEqual(yield* climb(false), "running")
    }))

  it.effect("a parked supervisor parks its children, and comes back with them", () =>
    Effect.gen(function*() {
      const a = new Script()
      const { supervisor } = yield* top(
        { ...none, onGiveUp: "park" },
        Supervisor.layer({ ...none, id: "sub" }, [probe("a", a)])
      )
      a.end()
      assert.deepStrictEqual(yield* listing(supervisor), ["sub parked"])
      assert.strictEqual(a.process?.status, "parked")
      yield* supervisor.resumeChild("sub")
      assert.deepStrictEqual(yield* listing(supervisor), ["sub#2"])
      assert.strictEqual(a.process?.status, "running")
    }))

  it.effect("deleting a supervisor deletes its children", () =>
    Effect.gen(function*() {
      const a = new Script()
      const { supervisor } = yield* top(one, Supervisor.layer({ ...one, id: "sub" }, [probe("a", a)]))
      yield* supervisor.terminateChild("sub")
      yield* supervisor.deleteChild("sub")
      assert.deepStrictEqual(a.fates, ["stopped", "deleted"])
    }))

  it.effect("killing a supervisor from outside takes its children with it, and the parent makes it anew", () =>
    Effect.gen(function*() {
      const a = new Script()
      const { supervisor, take } = yield* top(
        { strategy: "one_for_all" },
        Supervisor.layer({ ...one, id: "sub" }, [probe("a", a)])
      )
      take()
      const [sub] = yield* supervisor.whichChildren
      sub?.process.exit(killed)
      assert.deepStrictEqual(take(), [
        "Exited sub/a#1 killed",
        "Exited sub#1 killed",
        "Restarting sub in 0",
        "Started sub/a#2",
        "Started sub#2"
      ])
    }))
})

describe("shutting down", () => {
  it.effect("is bounded by each child's own time, one after the other, newest first", () =>
    Effect.gen(function*() {
      const slow = new Script()
      slow.stops.push("hang")
      const { supervisor, take } = yield* top(one, probe("a"), probe("b", slow, { shutdown: "1 second" }))
      take()
      const stopping = yield* Effect.forkChild(supervisor.stop(), { startImmediately: true })
      yield* TestClock.adjust("999 millis")
      assert.deepStrictEqual(take(), [])
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(stopping)
      assert.deepStrictEqual(take(), ["Exited b#1 killed", "Exited a#1 shutdown"])
    }))

  it.effect("brutal_kill asks no child; children may choose their own reason", () =>
    Effect.gen(function*() {
      const own = new Script()
      own.stops.push(normal)
      const { supervisor, take } = yield* top(
        one,
        probe("a", undefined, { shutdown: "brutal_kill" }),
        probe("b", own, { shutdown: "infinity" })
      )
      take()
      yield* supervisor.stop()
      assert.deepStrictEqual(take(), ["Exited b#1 normal", "Exited a#1 killed"])
    }))

  it.effect("a supervisor that is out of time kills the children that are left", () =>
    Effect.gen(function*() {
      const slow = new Script()
      slow.stops.push("hang")
      const { supervisor, take } = yield* top(
        one,
        Supervisor.child(
          Supervisor.layer({ ...one, id: "sub" }, [probe("a"), probe("b", slow, { shutdown: "infinity" })]),
          { shutdown: "2 seconds" }
        )
      )
      take()
      const stopping = yield* Effect.forkChild(supervisor.terminateChild("sub"), { startImmediately: true })
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(stopping)
      assert.deepStrictEqual(take(), ["Exited sub/b#1 killed", "Exited sub/a#1 killed", "Exited sub#1 killed"])
      assert.deepStrictEqual(yield* listing(supervisor), ["sub stopped"])
    }))

  it.effect("is heard while a group is being restarted", () =>
    Effect.gen(function*() {
      const a = new Script()
      const b = new Script()
      const { supervisor, take } = yield* top({ strategy: "one_for_all" }, probe("a", a), probe("b", b))
      b.starts.push("hang")
      a.end()
      take()
      yield* supervisor.stop()
      assert.deepStrictEqual(take(), ["Exited a#2 shutdown"])
      assert.strictEqual(b.process?.status, "stopped")
      b.release()
      assert.deepStrictEqual(take(), [])
    }))

  it.effect("every child is settled when stop returns, and nothing is reported of an orderly end", () =>
    Effect.gen(function*() {
      const a = new Script()
      const { reports, supervisor } = yield* top(one, Supervisor.layer({ ...one, id: "sub" }, [probe("a", a)]))
      yield* supervisor.stop()
      assert.deepStrictEqual(a.fates, ["stopped"])
      assert.deepStrictEqual(reports(), [])
      assert.deepStrictEqual(supervisor[Process.processOf].lastExit, shutdown)
    }))
})

describe("trees made at run time", () => {
  it.effect("a recipe over recipes starts in order, and fails as a whole", () =>
    Effect.gen(function*() {
      const { supervisor, take } = yield* top(one)
      const bad = new Script()
      bad.starts.push("fail")
      const sub = Supervisor.recipe({ ...one, id: "sub" }, [recipe("a"), recipe("b", bad)])
      const failed = yield* Effect.flip(supervisor.startChild(sub))
      assert.deepStrictEqual(failed.reason, { _tag: "Failed", below: ["top", "sub", "b"], cause: Cause.fail("no") })
      assert.deepStrictEqual(take(), [
        "Started sub/a#1",
        "StartFailed sub/b#1 crashed: no",
        "Exited sub/a#1 shutdown",
        "StartFailed sub#1 crashed: no"
      ])
      const handle = yield* supervisor.startChild(sub)
      assert.deepStrictEqual(yield* listing(handle), ["a#1", "b#1"])
    }))

  it.effect("2,000 nested supervisors start, crash through and stop without overflowing the stack", () =>
    Effect.gen(function*() {
      const leaf = new Script()
      const depth = 2_000
      let tree: Supervisor.StartRecipe<unknown, string> = recipe("leaf", leaf)
      for (let level = 0; level < depth; level++) {
        tree = Supervisor.recipe({ strategy: "one_for_one", restart: Restart.never, id: `s${level}` }, [tree])
      }
      const context = yield* Layer.build(Top.layer({ strategy: "one_for_one" }, []))
      const supervisor = Context.get(context, Top)
      yield* supervisor.startChild(tree)
      assert.strictEqual(leaf.process?.status, "running")
      assert.strictEqual(leaf.process?.path.length, depth + 2)
      // Every level gives up, up to the root, which restarts the whole.
      leaf.end()
      for (let turn = 0; leaf.process?.incarnation !== 2 && turn < 10_000; turn++) yield* Effect.yieldNow
      assert.deepStrictEqual([leaf.process?.incarnation, leaf.process?.status], [2, "running"])
      yield* supervisor.stop()
      assert.strictEqual(leaf.process?.status, "stopped")
    }))
})
