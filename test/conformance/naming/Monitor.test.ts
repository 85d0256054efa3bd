/**
 * Other systems' cases of monitors, with real processes: watching a name, a start, and one process twice; defects,
 * failures and exits distinguished; a crash that reaches a monitor two levels up.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Fiber, Layer, Queue, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { crashed, type ExitReason, normal } from "../../../src/domain/process/ExitReason.ts"
import { GenServer, Monitor, Process, Registry, Restart, Supervisor } from "../../../src/index.ts"
import { Harness } from "../../../src/testing.ts"
import { behavior, Peer, peer, Peers, PeersLive, worker } from "../../kit/Peer.ts"

class Names extends Registry.Service<Names, { readonly ref: Peer["Service"] }>()("test/Names", { keys: "unique" }) {}

const Live = Layer.mergeAll(Names.layer, PeersLive)

const test = <A, E>(
  name: string,
  body: Effect.Effect<A, E, Names | Peers | Layer.Success<typeof PeersLive> | Scope.Scope>
) => it.effect(name, () => Effect.provide(body, Live))

const frop = crashed(Cause.fail("frop"))
const stopped: ExitReason = { _tag: "Shutdown", detail: "stopped" }
const noProcess = { _tag: "NoProcess" }

describe("monitor", () => {
  test(
    "MON-001 One DOWN per monitor, with the real reason",
    Effect.gen(function*() {
      const names = yield* Names
      const downs = yield* Queue.unbounded<Monitor.Down<Process.HasProcess>>()
      const brief = (id: string) => Effect.map(worker(id, Effect.sleep("1 millis")), Process.reference)
      const ending = yield* brief("ending")
      const [started] = yield* Monitor.startMonitor(brief("started"), { into: downs })
      const seen = yield* peer("seen")
      const dead = yield* peer("dead")
      yield* Process.kill(dead)
      yield* names.start("stops", peer("stops"))
      yield* names.start("exits", peer("exits"))
      const stops = names.via("stops")
      const exits = names.via("exits")
      const nobody = names.via("nobody")

      for (const ref of [ending, seen, dead, stops, exits, nobody]) yield* Monitor.watch(ref, { into: downs })
      const atOnce = (yield* Queue.takeAll(downs)).map(({ ref, reason }): ReadonlyArray<unknown> => [ref, reason])
      assert.deepStrictEqual(atOnce, [[dead, noProcess], [nobody, noProcess]])

      yield* TestClock.adjust("1 millis")
      yield* Process.exit(seen, frop)
      yield* GenServer.stop(stops)
      yield* Process.exit(exits, frop)
      yield* Effect.yieldNow
      const later = (yield* Queue.takeAll(downs)).map(({ ref, reason }): ReadonlyArray<unknown> => [ref, reason])
      assert.sameDeepMembers(later, [
        [ending, normal],
        [started, normal],
        [seen, frop],
        [stops, normal],
        [exits, frop]
      ])
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(yield* Queue.clear(downs), [])
    })
  )

  test(
    "MON-004 start_monitor",
    Effect.gen(function*() {
      const [names, peers, harness] = [yield* Names, yield* Peers, yield* Harness.Harness]
      const gate = yield* Deferred.make<void>()
      const recipe = Peer.recipe({ ...behavior, init: Effect.as(Deferred.await(gate), []) }, {
        key: "anonymous",
        restart: "temporary"
      })
      const starting = yield* Effect.forkChild(Monitor.startMonitor(peers.startChild(recipe)), {
        startImmediately: true
      })
      assert.isUndefined(starting.pollUnsafe())
      yield* Deferred.succeed(gate, undefined)
      const [anonymous, anonymousWatch] = yield* Fiber.join(starting)
      const [named, namedWatch] = yield* Monitor.startMonitor(names.start("name", peer("named")))

      const clash = yield* Effect.flip(Monitor.startMonitor(names.start("name", peer("second"))))
      assert.deepStrictEqual<unknown>(clash._tag === "RegistryError" && clash.reason, {
        _tag: "AlreadyRegistered",
        key: "name",
        holder: named
      })

      for (const [ref, watch] of [[anonymous, anonymousWatch], [named, namedWatch]] as const) {
        assert.deepStrictEqual(yield* GenServer.stop(ref, stopped), stopped)
        assert.deepStrictEqual((yield* watch.down).reason, stopped)
      }

      // A start that fails gives no Process.reference, so there is nothing to watch: that it was ended is in the
      // events.
      const hanging = Peer.recipe({ ...behavior, init: Effect.never }, {
        key: "hanging",
        restart: "temporary",
        initTimeout: "500 millis"
      })
      const failing = yield* Effect.forkChild(Effect.flip(Monitor.startMonitor(peers.startChild(hanging))))
      yield* TestClock.adjust("500 millis")
      const failure = yield* Fiber.join(failing)
      assert.include(failure.message, "did not finish within 500 ms")
      yield* harness.awaitTag("StartFailed", "test/Peers > test/Peer/hanging")
      assert.notInclude((yield* peers.whichChildren).map(({ id }) => id), "test/Peer/hanging")
    })
  )

  test(
    "MON-006 Exit reasons distinguish defect, exit and thrown value",
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const when = <E>(id: string, effect: Effect.Effect<never, E>) =>
        Effect.map(worker(id, Effect.andThen(Deferred.await(gate), effect)), Process.reference)
      const defect = new TypeError("run-time error")
      const reasonOf = Effect.fnUntraced(function*(ref: Process.HasProcess) {
        return yield* Monitor.watch(ref)
      })
      const failing = yield* reasonOf(yield* when("error", Effect.die(defect)))
      const throwing = yield* reasonOf(yield* when("throw", Effect.fail("ball")))
      const leaving = yield* when("exit", Effect.never)
      const left = yield* reasonOf(leaving)

      yield* Deferred.succeed(gate, undefined)
      const bye: ExitReason = { _tag: "Shutdown", detail: "bye" }
      yield* Process.exit(leaving, bye)

      const { reason: error } = yield* failing.down
      assert(error._tag === "Crashed")
      assert.isTrue(Cause.hasDies(error.cause))
      assert.strictEqual(Cause.squash(error.cause), defect)
      assert.include(defect.stack, "Monitor.test.ts")
      assert.deepStrictEqual((yield* left.down).reason, bye)
      const { reason: thrown } = yield* throwing.down
      assert(thrown._tag === "Crashed")
      assert.isTrue(Cause.hasFails(thrown.cause))
      assert.strictEqual(Cause.squash(thrown.cause), "ball")
    })
  )

  test(
    "MON-008 Watching: normal end, failure with cause, watching twice",
    Effect.gen(function*() {
      const downs = yield* Queue.unbounded<Monitor.Down<Process.HasProcess>>()
      const ex = new Error("ex")
      const [ends, fails, twice] = [yield* peer("ends"), yield* peer("fails"), yield* peer("twice")]
      for (const ref of [ends, fails, twice, twice]) yield* Monitor.watch(ref, { into: downs })
      yield* GenServer.stop(ends)
      yield* Effect.exit(fails.Fail({ with: ex }))
      yield* GenServer.stop(twice)
      const [end, failure, first, second, ...more] = yield* Queue.takeAll(downs)
      assert.deepStrictEqual([end.ref, end.reason], [ends, normal])
      assert.strictEqual(failure?.ref, fails)
      assert(failure?.reason._tag === "Crashed")
      assert.strictEqual(Cause.squash(failure.reason.cause), ex)
      // As in OTP, one notice per watch (Pekko: one per watched process).
      assert.deepStrictEqual([first?.ref, second?.ref, more], [twice, twice, []])
    })
  )

  test(
    "MON-009 Sending exit reason normal to another process does nothing",
    Effect.gen(function*() {
      const target = yield* peer("P")
      const watch = yield* Monitor.watch(target)
      yield* Process.exit(target, normal)
      yield* TestClock.adjust("100 millis")
      assert.strictEqual(yield* Process.status(target), "running")
      yield* Process.exit(target, frop)
      assert.deepStrictEqual((yield* watch.down).reason, frop)

      const [, itself] = yield* Monitor.startMonitor(Effect.map(worker("itself", Effect.void), Process.reference))
      assert.deepStrictEqual((yield* itself.down).reason, normal)
    })
  )

  test(
    "MON-010 Linked without handling: death propagates upward",
    Effect.gen(function*() {
      const [peers, harness] = [yield* Peers, yield* Harness.Harness]
      // Links are supervision here: middle does not handle its child's end, since it never restarts.
      const gate = yield* Deferred.make<void>()
      const middle = yield* peers.startChild(
        Supervisor.recipe({ id: "middle", strategy: "one_for_one", restart: Restart.never }, [
          Supervisor.workerRecipe("worker", Effect.andThen(Deferred.await(gate), Effect.die("worker failed")))
        ]),
        { restart: "temporary" }
      )
      const boss = yield* peer("boss")
      const watch = yield* Monitor.watch(middle)
      yield* Effect.forkScoped(
        Effect.flatMap(watch.down, ({ path, reason }) => boss.Deliver({ text: `${path.join("/")} ${reason._tag}` }))
      )
      yield* Deferred.succeed(gate, undefined)
      yield* harness.awaitTag("Exited", middle)
      yield* Effect.yieldNow
      assert.deepStrictEqual(yield* boss.Heard(), ["test/Peers/middle GaveUp"])
      assert.deepStrictEqual(yield* harness.historyOf("test/Peers > middle > worker"), ["Started", "Exited"])
      assert.strictEqual(yield* Process.status(boss), "running")
    })
  )
})
