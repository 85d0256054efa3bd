/**
 * Other systems' cases of trees: shutdown times, nested supervisors, names in a subtree, very deep trees, foreign
 * resources.
 */
import { assert, describe } from "@effect/vitest"
import { Cause, Context, Deferred, Effect, Fiber, Layer, Option, Schema } from "effect"
import { TestClock } from "effect/testing"
import {
  type ExitReason,
  ExitReason as ExitReasons,
  killed,
  shutdown,
  toText
} from "../../../../src/domain/process/ExitReason.ts"
import { GenServer, Monitor, Next, Process, Registry, StateContainer, Supervisor } from "../../../../src/index.ts"
import { Harness } from "../../../../src/testing.ts"
import {
  child,
  count,
  died,
  flaky,
  isAlive,
  lastExit,
  list,
  published,
  start,
  testCase,
  within
} from "../../../kit/Family.ts"

class Names extends Registry.Service<Names, { readonly ref: Process.HasProcess }>()("test/Names", { keys: "unique" }) {}

/** The resource of a bridge: it works by itself, and only its end is seen. */
interface Foreign {
  readonly over: Deferred.Deferred<ExitReason>
  closed: boolean
}

class Bridge extends GenServer.Service<Bridge>()("test/Bridge", {
  state: Schema.String,
  messages: { Over: GenServer.cast({ payload: { reason: ExitReasons }, internal: true }) }
}) {}

describe("supervisor: trees", () => {
  testCase(
    "SUP-012 Infinite shutdown is allowed for workers too",
    Effect.gen(function*() {
      const sup = yield* start()
      const child1 = yield* sup.startChild(
        Supervisor.recipe({ id: "child1", strategy: "one_for_one", shutdown: "infinity" }, [])
      )
      const child2 = yield* sup.startChild(child("child2", { shutdown: "infinity" }))
      const family: ReadonlyArray<Process.HasProcess> = [child1, child2, sup]
      const watches = yield* Effect.forEach(family, (ref) => Monitor.watch(ref))
      yield* sup.stop()
      const reasons = yield* Effect.forEach(watches, ({ down }) => Effect.map(down, ({ reason }) => reason))
      assert.deepStrictEqual(reasons, [shutdown, shutdown, shutdown])
    })
  )

  testCase(
    "SUP-013 Child that outlives its shutdown timeout is killed",
    Effect.gen(function*() {
      const sup = yield* start()
      const child1 = yield* sup.startChild(child("child1", { shutdown: 1000 }))
      const child2 = yield* sup.startChild(child("child2", { shutdown: 1000 }))
      yield* child2.Busy({ millis: 200_000 })
      yield* Effect.yieldNow
      yield* published
      const stopping = yield* Effect.forkChild(sup.stop(), { startImmediately: true })
      yield* TestClock.adjust(999)
      assert.deepStrictEqual(yield* published, [])
      assert.isTrue(isAlive(child1))
      yield* TestClock.adjust(1)
      yield* Fiber.join(stopping)
      assert.deepStrictEqual(yield* published, [
        "child2 abandoned",
        "child2#1 exited: killed",
        "child1#1 exited: shutdown",
        "sup#1 exited: shutdown"
      ])
    })
  )

  testCase(
    "SUP-046 Nested supervisors: counts and local repair",
    Effect.gen(function*() {
      const repair = within(4, 3600)
      const sub = (id: string, ...children: ReadonlyArray<ReturnType<typeof child>>) =>
        Supervisor.recipe({ id, strategy: "one_for_one", restart: repair, shutdown: "infinity" }, children)
      const top = yield* start({ strategy: "one_for_all", restart: repair })
      const sup1 = yield* top.startChild(sub("sup1", child("child1"), child("child2")))
      const sup2 = yield* top.startChild(sub("sup2"))
      yield* top.startChild(sub("sup3"), { restart: "transient" })
      yield* top.terminateChild("sup3")
      yield* sup2.startChild(flaky("child3").recipe)
      const child4 = yield* sup2.startChild(child("child4"))
      assert.deepStrictEqual(yield* Effect.forEach([top, sup1, sup2], count), [[3, 2, 3, 0], [2, 2, 0, 2], [
        2,
        2,
        0,
        2
      ]])
      yield* published
      yield* GenServer.stop(child4, died)
      assert.deepStrictEqual(yield* published, ["sup2 > child4#1 exited: crashed: died", "sup2 > child4#2 started"])
      assert.deepStrictEqual(yield* list(top), ["sup3 -> undefined", "sup2 -> 1", "sup1 -> 1"])
      assert.deepStrictEqual(yield* list(sup1), ["child2 -> 1", "child1 -> 1"])
      assert.deepStrictEqual(yield* list(sup2), ["child4 -> 2", "child3 -> 1"])
    })
  )

  testCase(
    "SUP-060 Killing a supervisor takes its named children with it so the tree can be rebuilt",
    Effect.gen(function*() {
      const names = Context.get(yield* Layer.build(Names.layer), Names)
      const repair = { strategy: "one_for_all", restart: within(3, 60) } as const
      const server = child("server", { shutdown: 2000 })
      const top = yield* start(repair)
      // Both are part of a specification, so that they come back; the server under the name of its class and key as
      // well.
      const middle = yield* top.startChild(Supervisor.recipe({ ...repair, id: "sup2", shutdown: 2000 }, [server]))
      const worker = Process.reference((yield* middle.whichChild("server")).process)
      yield* names.register("sup2", middle, undefined)
      yield* names.register("server", worker, undefined)
      yield* published

      yield* Process.exit(middle, killed)
      yield* TestClock.adjust("200 millis")
      assert.deepStrictEqual(yield* published, [
        "sup2 > server#1 exited: killed",
        "sup2#1 exited: killed",
        "sup2 > server#2 started",
        "sup2#2 started"
      ])
      for (const [name, ref] of [["sup2", middle], ["server", worker]] as const) {
        assert.deepStrictEqual(yield* names.whereis(name), Option.some(ref))
        assert.isTrue(isAlive(ref))
      }
      yield* Process.exit(top, killed)
      yield* TestClock.adjust("200 millis")
      assert.deepStrictEqual(yield* published, [
        "sup2 > server#2 exited: killed",
        "sup2#2 exited: killed",
        "sup#1 exited: killed"
      ])
      for (const name of ["sup2", "server"]) assert.deepStrictEqual(yield* names.whereis(name), Option.none())
    })
  )

  testCase(
    "SUP-085 A supervisor that fails itself is handled by its own supervisor",
    Effect.gen(function*() {
      for (const restart of ["permanent", "temporary"] as const) {
        yield* Effect.scoped(Effect.gen(function*() {
          const grandparent = yield* start()
          const midpoint = yield* grandparent.startChild(
            Supervisor.recipe({ id: "midpoint", strategy: "one_for_one", restart: within(0, 60) }, []),
            { restart }
          )
          const failing = yield* midpoint.startChild(child("child"))
          const sibling = yield* midpoint.startChild(child("sibling"))
          yield* published
          yield* GenServer.stop(failing, died)
          assert.deepStrictEqual(yield* published, [
            "midpoint > child#1 exited: crashed: died",
            "midpoint > sibling#1 exited: shutdown",
            "midpoint#1 exited: gave up on child: died",
            ...(restart === "permanent" ? ["midpoint#2 started"] : [])
          ])
          assert.deepStrictEqual(yield* list(grandparent), restart === "permanent" ? ["midpoint -> 2"] : [])
          assert.strictEqual((yield* midpoint.countChildren).active, 0)
          assert.deepStrictEqual([failing, sibling].map(isAlive), [false, false])
        }))
      }
    })
  )

  testCase(
    "SUP-088 Very deep trees stop without blowing the stack",
    Effect.gen(function*() {
      const levels = 2048
      const chain: Array<Supervisor.Supervisor> = [yield* start()]
      while (chain.length < levels) {
        const below = Supervisor.recipe({ id: "down", strategy: "one_for_one" }, [])
        chain.push(yield* chain.at(-1)!.startChild(below))
      }
      assert.strictEqual(chain.filter(isAlive).length, levels)
      yield* chain[0]!.stop()
      assert.strictEqual(chain.filter(isAlive).length, 0)
      assert.deepStrictEqual(chain.map(lastExit), Array.from(chain, () => shutdown))
    })
  )

  testCase(
    "SUP-089 Bridge: a foreign resource wrapped as a supervised process",
    Effect.gen(function*() {
      const services = yield* Layer.build(Layer.merge(
        Names.layer,
        Supervisor.layer({ strategy: "one_for_one", id: "keepers" }, [StateContainer.layerForget(Bridge)])
      ))
      const names = Context.get(services, Names)
      const opened: Array<Foreign> = []
      const terminated: Array<string> = []
      const bridge = (open: Effect.Effect<Foreign | "ignore", string>) => ({
        ...Bridge.recipe({
          init: Effect.gen(function*() {
            const foreign = yield* open
            if (foreign === "ignore") return Next.ignore
            yield* Effect.addFinalizer(() => Effect.sync(() => foreign.closed = true))
            const self = yield* Bridge.self
            yield* Effect.forkScoped(Effect.flatMap(Deferred.await(foreign.over), (reason) => self.Over({ reason })))
            return "up"
          }),
          handlers: { Over: (_, { reason }) => Next.stop(reason) },
          terminate: (reason) => {
            terminated.push(toText(reason))
          }
        }, { key: "wrapper", shutdown: 2000 }),
        id: "wrapper"
      })
      const working = bridge(Effect.sync(() => {
        const foreign = { over: Deferred.makeUnsafe<ExitReason>(), closed: false }
        opened.push(foreign)
        return foreign
      }))
      yield* Effect.gen(function*() {
        const [harness, sup] = [
          yield* Harness.Harness,
          yield* start({ strategy: "one_for_all", restart: within(3, 60) })
        ]
        const ignored = yield* sup.startChildInfo(bridge(Effect.succeed("ignore")))
        assert.deepStrictEqual(ignored.started, { _tag: "Ignored" })
        yield* sup.deleteChild("wrapper")
        const failed = yield* Effect.flip(sup.startChild(bridge(Effect.fail("testing"))))
        assert.deepStrictEqual(failed.reason, { _tag: "Failed", cause: Cause.fail("testing") })

        const wrapper = yield* names.start("name", sup.startChild(working), undefined)
        const named = yield* Effect.flip(names.start("name", sup.startChild(working), undefined))
        assert(named._tag === "RegistryError" && named.reason._tag === "AlreadyRegistered")
        assert.strictEqual(named.reason.holder, wrapper)
        const again = yield* Effect.flip(sup.startChild(working))
        assert.deepStrictEqual(again.reason, { _tag: "AlreadyStarted", process: wrapper[Process.processOf] })
        yield* published

        for (const [incarnation, reason] of [[1, killed], [2, died]] as const) {
          yield* Deferred.succeed(opened.at(-1)!.over, reason)
          yield* harness.awaitIncarnation(wrapper, incarnation + 1)
          assert.deepStrictEqual(yield* published, [
            `wrapper#${incarnation} exited: ${toText(reason)}`,
            `wrapper#${incarnation + 1} started`
          ])
        }
        assert.deepStrictEqual(terminated, ["crashed: died"])
        yield* Process.exit(wrapper, killed)
        yield* TestClock.adjust("200 millis")
        assert.deepStrictEqual(yield* published, ["wrapper#3 exited: killed", "wrapper#4 started"])
        assert.deepStrictEqual(yield* names.whereis("name"), Option.some(wrapper))
        assert.isTrue(isAlive(wrapper))
        assert.deepStrictEqual(opened.map(({ closed }) => closed), [true, true, true, false])
      }).pipe(Effect.provideContext(services))
    })
  )
})
