/**
 * Elapsed time is monotonic: the wall clock is set a day forward or back, and everything that lasts a second lasts a
 * second, wherever it is measured.
 */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, References, Schedule, Schema, type Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import type { ExitReason } from "../src/domain/process/ExitReason.ts"
import {
  DynamicSupervisor,
  GenServer,
  Next,
  Process,
  Requests,
  Restart,
  StateContainer,
  type StateStore,
  Supervisor,
  Sys,
  TaskSupervisor
} from "../src/index.ts"
import { now } from "./kit/Fibers.ts"
import { recipe, Script, top } from "./kit/Probe.ts"
import { away, layer as storeLayer, onSave, Scripted, Store } from "./kit/Scripted.ts"
import { day, withJumps } from "./kit/WallClock.ts"

const second = 1000

/** Lets some time pass, in the middle of which the wall clock is set. */
type Elapse = Effect.Effect<void>

/** Begins something that lasts a second, lets time pass, and says whether it is over. */
type Kind = (elapse: Elapse) => Effect.Effect<boolean, unknown, Scope.Scope>

class Timed extends GenServer.Service<Timed>()("test/Timed", {
  state: Schema.Int,
  messages: {
    Hang: GenServer.call({ timeout: second }),
    Wait: GenServer.call({ timeout: "infinity" }),
    Rest: GenServer.call(),
    Add: GenServer.call({ reply: Schema.Int, timeout: "infinity" }),
    Get: GenServer.call({ reply: Schema.Int })
  }
}) {}

const timed = Timed.behavior({
  init: 0,
  handlers: {
    Hang: () => Effect.never,
    Wait: () => Effect.never,
    Rest: (state) => Next.reply(undefined, state, { idleAfter: second }),
    Add: (state) => [state + 1, state + 1],
    Get: (state) => [state, state]
  },
  idle: (state) => state + 1
})

const server = Effect.flatMap(
  Layer.build(Supervisor.layer({ strategy: "one_for_one" }, [StateContainer.layerMemory(Timed), Timed.layer(timed)])),
  (context) => Effect.provideContext(Timed, context)
)

/** A server of its own, over a companion, with options. */
const built = Effect.fnUntraced(function*(
  companion: Layer.Layer<StateContainer.StateOf<Timed>, StateStore.StoreError, Supervisor.Supervisor>,
  options: GenServer.Options = {},
  more: Partial<typeof timed> = {}
) {
  const tree = Supervisor.layer({ strategy: "one_for_one" }, [companion, Timed.layer({ ...timed, ...more }, options)])
  return yield* Effect.provideContext(Timed, yield* Layer.build(tree))
})

/** Whether an effect that is run beside it ends while time passes. */
const ends = <A, E, R>(effect: Effect.Effect<A, E, R>, elapse: Elapse) =>
  Effect.gen(function*() {
    const fiber = yield* now(effect)
    yield* elapse
    const isOver = fiber.pollUnsafe() !== undefined
    yield* Fiber.interrupt(fiber)
    return isOver
  })

class Pool extends DynamicSupervisor.Service<Pool>()("test/Pool") {}
class Tasks extends TaskSupervisor.Service<Tasks>()("test/Tasks") {}

const tasks = Effect.flatMap(Layer.build(Tasks.layer()), (context) => Effect.provideContext(Tasks, context))

const window = Restart.intensity({ restarts: 1, within: second })

/** Whether a crash some time after another one is let pass. */
const forgiven = (restart: Schedule.Schedule<unknown, ExitReason>): Kind => (elapse) =>
  Effect.gen(function*() {
    const script = new Script()
    const { supervisor } = yield* top({ strategy: "one_for_one", restart })
    yield* supervisor.startChild(recipe("a", script))
    script.end()
    yield* elapse
    script.end()
    return supervisor[Process.processOf].status === "running"
  })

const one = { strategy: "one_for_one" } as const

const aging = { answers: { maxAge: second } }

/** Whether an answer on record is forgotten some time later. */
const forgotten = (tree: () => Layer.Layer<Timed, unknown>): Kind => (elapse) =>
  Effect.gen(function*() {
    const server = yield* Effect.provideContext(Timed, yield* Layer.build(tree()))
    yield* server.Add(undefined, { idempotencyKey: "first" })
    yield* elapse
    // What is too old is found when another one is recorded.
    yield* server.Add(undefined, { idempotencyKey: "second" })
    return (yield* server.Add(undefined, { idempotencyKey: "first" })) === 3
  })

const kinds: Record<string, Kind> = {
  "the timeout of a call": (elapse) => Effect.flatMap(server, (timed) => ends(timed.Hang(), elapse)),
  "the timeout of GenServer.stop": (elapse) =>
    Effect.flatMap(server, (timed) =>
      Effect.andThen(
        now(timed.Wait()),
        ends(GenServer.stop(timed, undefined, { timeout: second }), elapse)
      )),
  "the deadline of requests": (elapse) =>
    Effect.flatMap(server, (timed) =>
      Effect.gen(function*() {
        const until = yield* Requests.deadline(second)
        const request = yield* Requests.send(timed.Wait())
        // What is waited for begins later: the deadline was there before.
        return yield* Effect.andThen(elapse, ends(Requests.wait(request, { until }), TestClock.adjust(0)))
      })),
  "idleAfter": (elapse) =>
    Effect.flatMap(server, (timed) =>
      Effect.gen(function*() {
        yield* timed.Rest()
        yield* elapse
        return (yield* timed.Get()) === 1
      })),
  "castAfter": (elapse) =>
    Effect.gen(function*() {
      const heard = yield* Deferred.make<void>()
      yield* GenServer.castAfter(Effect.asVoid(Deferred.succeed(heard, undefined)), second)
      yield* elapse
      return yield* Deferred.isDone(heard)
    }),
  "the time after which a server that is left alone gives way": (elapse) =>
    Effect.gen(function*() {
      const server = yield* built(StateContainer.layerMemory(Timed), {
        passivate: { after: second, by: "stop" },
        restart: "transient"
      })
      yield* elapse
      return (yield* Process.status(server)) === "stopped"
    }),
  "the interval at which states are conserved": (elapse) =>
    Effect.gen(function*() {
      const script = new Scripted()
      const server = yield* built(
        Layer.provide(
          StateContainer.layerStore(Timed, { store: Store, when: { every: second } }),
          storeLayer(script)
        )
      )
      yield* server.Add()
      yield* elapse
      return script.count("save") > 0
    }),
  "the timeout of GenServer.replace": (elapse) =>
    Effect.flatMap(server, (timed_) =>
      Effect.andThen(
        now(timed_.Wait()),
        ends(GenServer.replace(timed_, timed, { timeout: second }), elapse)
      )),
  "the timeout of a request of the system": (elapse) =>
    Effect.flatMap(
      server,
      (timed) => Effect.andThen(now(timed.Wait()), ends(Sys.getState(timed, { timeout: second }), elapse))
    ),
  "the shutdown time of a server": (elapse) =>
    Effect.gen(function*() {
      const server = yield* built(StateContainer.layerMemory(Timed), { shutdown: second }, {
        terminate: () => Effect.never
      })
      return yield* ends(GenServer.stop(server, undefined, { timeout: "infinity" }), elapse)
    }),
  "the shutdown time of a task": (elapse) =>
    Effect.gen(function*() {
      const task = yield* (yield* tasks).asyncNolink(Effect.uninterruptible(Effect.never), { shutdown: second })
      return yield* ends(task.shutdown, elapse)
    }),
  "the drain of an app": (elapse) =>
    Effect.gen(function*() {
      const stubborn = Layer.effectDiscard(Effect.addFinalizer(() => Effect.never))
      const fiber = yield* now(
        Supervisor.launch(Supervisor.layer(one, [stubborn]), { drain: second })
      )
      return yield* ends(Fiber.interrupt(fiber), elapse)
    }),
  "the age of a recorded answer": forgotten(() =>
    Supervisor.layer(one, [StateContainer.layerMemory(Timed, aging), Timed.layer(timed)])
  ),
  "the age of a recorded answer in a store": forgotten(() =>
    Supervisor.layer(one, [
      Layer.provide(StateContainer.layerStore(Timed, { store: Store, ...aging }), storeLayer(new Scripted())),
      Timed.layer(timed)
    ])
  ),
  "the window of a plain intensity": forgiven(window),
  "the window of an intensity beside a backoff": forgiven(
    Restart.max([Restart.backoff({ base: 0, jitter: 0 }), window])
  ),
  "the window of an intensity beside a Schedule of effect": forgiven(
    Restart.max([Schedule.spaced(0), window])
  ),
  "resetAfter of a backoff": (elapse) =>
    Effect.gen(function*() {
      const script = new Script()
      const restart = Restart.backoff({ base: 10, factor: 3, jitter: 0, resetAfter: second })
      const { supervisor, take } = yield* top({ strategy: "one_for_one", restart })
      yield* supervisor.startChild(recipe("a", script))
      script.end()
      yield* TestClock.adjust(10)
      yield* elapse
      take()
      script.end()
      return take().includes("Restarting a in 10")
    }),
  "the delay before a restart": (elapse) =>
    Effect.gen(function*() {
      const script = new Script()
      const { supervisor } = yield* top({ strategy: "one_for_one", restart: Schedule.spaced(second) })
      yield* supervisor.startChild(recipe("a", script))
      script.end()
      yield* elapse
      return script.started === 2
    }),
  "a Schedule that lasts": (elapse) =>
    Effect.gen(function*() {
      const script = new Script()
      const restart = Restart.max([Schedule.spaced(0), Schedule.during(second)])
      const { supervisor } = yield* top({ strategy: "one_for_one", restart })
      yield* supervisor.startChild(recipe("a", script))
      script.end()
      yield* elapse
      script.end()
      return supervisor[Process.processOf].status !== "running"
    }),
  "the shutdown time of a child": (elapse) =>
    Effect.gen(function*() {
      const { supervisor } = yield* top({ strategy: "one_for_one" })
      const stubborn = Supervisor.workerRecipe("a", Effect.uninterruptible(Effect.never), { shutdown: second })
      yield* supervisor.startChild(stubborn)
      return yield* ends(supervisor.terminateChild("a"), elapse)
    }),
  "the shutdown time of a dynamic child": (elapse) =>
    Effect.gen(function*() {
      const pool = yield* Effect.flatMap(Layer.build(Pool.layer()), (context) => Effect.provideContext(Pool, context))
      yield* pool.startChild(
        Supervisor.workerRecipe("a", Effect.uninterruptible(Effect.never), { shutdown: second })
      )
      return yield* ends(pool.stop(), elapse)
    }),
  "initTimeout": (elapse) =>
    Effect.gen(function*() {
      const { supervisor } = yield* top({ strategy: "one_for_one" })
      const slow = Timed.recipe({ ...timed, init: Effect.never }, { key: "slow", initTimeout: second })
      const start = supervisor.startChild(slow).pipe(
        Effect.provide(StateContainer.layerForget(Timed)),
        Effect.provideService(Supervisor.Supervisor, supervisor)
      )
      return yield* ends(start, elapse)
    }),
  "the timeout of a task": (elapse) =>
    Effect.gen(function*() {
      const task = yield* (yield* tasks).asyncNolink(Effect.never)
      return yield* ends(task.await({ timeout: second }), elapse)
    }),
  "the timeout of a task of a stream": (elapse) =>
    Effect.flatMap(
      tasks,
      (tasks) => ends(Stream.runDrain(tasks.asyncStream([1], () => Effect.never, { timeout: second })), elapse)
    ),
  "the patience with a store": (elapse) =>
    Effect.gen(function*() {
      const script = new Scripted()
      script.before = onSave(away)
      const companion = StateContainer.layerStore(Timed, {
        store: Store,
        retry: Schedule.max([Schedule.spaced(50), Schedule.during(second)])
      }).pipe(Layer.provide(storeLayer(script)))
      const context = yield* Layer.build(
        Supervisor.layer({ strategy: "one_for_one" }, [companion, Timed.layer(timed)])
      )
      const server = yield* Effect.provideContext(Timed, context)
      return yield* ends(server.Add(), elapse)
    })
}

/** What a kind says; what it leaves may take its time to end. */
const outcome = Effect.fnUntraced(function*(kind: Kind, elapse: Elapse) {
  const said = yield* Deferred.make<boolean, unknown>()
  const running = yield* now(Effect.scoped(Deferred.complete(said, kind(elapse))))
  const isOver = yield* Deferred.await(said)
  yield* TestClock.adjust("1 minute")
  yield* Fiber.join(running)
  return isOver
})

for (const [name, kind] of Object.entries(kinds)) {
  describe(name, () => {
    for (const [how, by] of [["forward", day], ["back", -day]] as const) {
      it.effect(`lasts as long as it says when the wall clock is set a day ${how}`, () =>
        withJumps((jump) => {
          const elapse = (millis: number): Elapse =>
            Effect.andThen(
              Effect.andThen(TestClock.adjust(millis / 2), jump(by)),
              TestClock.adjust(millis / 2)
            )
          return Effect.gen(function*() {
            assert.isFalse(yield* outcome(kind, elapse(900)), "not before its time")
            yield* jump(-by)
            assert.isTrue(yield* outcome(kind, elapse(1200)), "when its time has come")
          }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
        }))
    }
  })
}
