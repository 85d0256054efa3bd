/** Servers that are left alone, and give way: `passivate`. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, References, Schema, type Scope } from "effect"
import { TestClock } from "effect/testing"
import {
  DynamicSupervisor,
  GenServer,
  Monitor,
  Next,
  Process,
  Registry,
  Requests,
  Restart,
  StateContainer,
  Supervisor,
  Sys,
  TaskSupervisor
} from "../../../../src/index.ts"
import { Harness } from "../../../../src/testing.ts"
import { now, turns } from "../../../kit/Fibers.ts"
import { layer as storeLayer, Scripted, Store } from "../../../kit/Scripted.ts"

class Refused extends Schema.TaggedError<Refused>()("Refused", {}) {}

class Desk extends GenServer.Service<Desk>()("test/Desk", {
  state: Schema.Struct({ n: Schema.Int }),
  messages: {
    Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int, error: Refused, timeout: "infinity" }),
    Refuse: GenServer.call({ error: Refused }),
    Die: GenServer.call(),
    Poison: GenServer.call({ redeliver: { maxAttempts: 1 } }),
    Note: GenServer.cast(),
    Promise: GenServer.call({ reply: Schema.Int, timeout: "infinity" }),
    Do: GenServer.call({ payload: { what: Schema.String } }),
    Wait: GenServer.call({ payload: { idleAfter: Schema.Int } })
  }
}) {}

class Desks extends DynamicSupervisor.Service<Desks>()("test/Desks") {}
class Names extends Registry.Service<Names, { readonly ref: Desk["Service"] }>()("test/Names", { keys: "unique" }) {}
class Tasks extends TaskSupervisor.Service<Tasks>()("test/Tasks") {}

type Act = Effect.Effect<unknown, never, GenServer.SelfOf<Desk> | Names | Tasks | Scope.Scope>

/** What a test sees of the inside, and has a hand in. */
class Inside {
  readonly script = new Scripted()
  readonly froms: Array<GenServer.From<number, never>> = []
  acts: Record<string, Act> = {}
  inits = 0
  idles = 0
  idle: () => Effect.Effect<{ readonly n: number }> = () => Effect.succeed({ n: -1 })
  terminate: Effect.Effect<void> = Effect.void
}

const behavior = (inside: Inside) =>
  Desk.behavior({
    init: Effect.sync(() => {
      inside.inits++
      return { n: 0 }
    }),
    handlers: {
      Add: (state, { by }) => [state.n + by, by === 0 ? state : { n: state.n + by }],
      Refuse: () => Effect.fail(new Refused()),
      Die: () => Effect.die("boom"),
      Poison: () => Effect.die("poison"),
      Note: (state) => ({ n: state.n + 1 }),
      Promise: (state, _, { from }) => {
        inside.froms.push(from)
        return Next.noReply(state)
      },
      Do: (state, { what }) => Effect.as(inside.acts[what] ?? Effect.void, [undefined, state] as const),
      Wait: (state, { idleAfter }) => Next.reply(undefined, { n: state.n + 1 }, { idleAfter })
    },
    idle: () => {
      inside.idles++
      return inside.idle()
    },
    terminate: () => inside.terminate
  })

interface Given {
  readonly by?: "hibernate" | "stop"
  readonly over?: "memory" | "store"
  readonly options?: GenServer.Options
}

const tree = (inside: Inside, { by, options, over = "memory" }: Given = {}) =>
  Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
    Names.layer,
    Tasks.layer(),
    over === "memory"
      ? StateContainer.layerMemory(Desk)
      : Layer.orDie(StateContainer.layerStore(Desk, { store: Store })),
    Desks.layer({ restart: Restart.intensity({ restarts: 3, within: "1 hour" }) }),
    Layer.provide(
      Desk.layerKeyed(behavior(inside), {
        passivate: { after: "10 seconds", ...(by === undefined ? {} : { by }) },
        ...options
      }),
      Desks.asSupervisor
    )
  ]).pipe(
    Layer.provide(storeLayer(inside.script)),
    Layer.provideMerge(Harness.Harness.layer)
  )

const quietly = Effect.provideService(References.MinimumLogLevel, "None")

/** What has happened to it: seen without a request to the server, which would count. */
const history = (desk: Process.HasProcess) => Effect.flatMap(Harness.Harness, (harness) => harness.historyOf(desk))

const gaveWay = (by: "hibernate" | "stop") => by === "hibernate" ? "StatePassivated" : "Exited"

const count = (events: ReadonlyArray<string>, event: string) => events.filter((one) => one === event).length

describe("the time that a server is left alone counts from its last message", () => {
  type Desk1 = Desk["Service"]
  const endings: Record<string, (desk: Desk1) => Effect.Effect<unknown, unknown, never>> = {
    "with a reply": (desk) => desk.Add({ by: 1 }),
    "with a typed failure": (desk) => desk.Refuse(),
    "with a crash and a restart": (desk) => desk.Die(),
    "without an answer": (desk) => desk.Note(),
    "with an answer on record": (desk) => desk.Add({ by: 1 }, { idempotencyKey: "once" }),
    "with a look of the system": (desk) => Sys.getState(desk)
  }
  for (const by of ["hibernate", "stop"] as const) {
    for (const [how, send] of Object.entries(endings)) {
      it.effect(`that ended ${how} (${by})`, () => {
        const inside = new Inside()
        return Effect.gen(function*() {
          const desk = yield* Desk.at("a")
          yield* desk.Add({ by: 1 }, { idempotencyKey: "once" })
          yield* TestClock.adjust("9 seconds")
          yield* Effect.exit(send(desk))
          const before = count(yield* history(desk), gaveWay(by))
          yield* TestClock.adjust("9999 millis")
          assert.strictEqual(count(yield* history(desk), gaveWay(by)), before)
          yield* TestClock.adjust("1 millis")
          assert.strictEqual(count(yield* history(desk), gaveWay(by)), before + 1)
          if (by === "stop") assert.strictEqual(yield* Process.status(desk), "stopped")
          else assert.strictEqual((yield* Sys.getStatus(desk)).status, "hibernating")
        }).pipe(quietly, Effect.provide(tree(inside, { by, over: "store" })))
      })
    }
  }

  it.effect("and from its start, when none comes", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const desk = yield* Desk.at("a")
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* Process.status(desk), "stopped")
    }).pipe(Effect.provide(tree(inside)))
  })

  it.effect("and again after it was woken", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const desk = yield* Desk.at("a")
      for (const n of [1, 2, 3]) {
        assert.strictEqual(yield* desk.Add({ by: 1 }), n)
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual(count(yield* history(desk), "StatePassivated"), n)
      }
      assert.deepStrictEqual([yield* Process.incarnation(desk), inside.inits], [1, 1])
    }).pipe(Effect.provide(tree(inside, { over: "store" })))
  })
})

describe("a server that stops because it is left alone", () => {
  it.effect("comes back with its state when it is asked for; that is no failure, and spends no budget", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const keys = ["a", "b", "c", "d", "e", "f", "g", "h"]
      const desks = yield* Effect.forEach(keys, (key) => Desk.at(key))
      yield* Effect.forEach(desks, (desk) => desk.Add({ by: 7 }))
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* (yield* Desks).countChildren).specs, 0)
      assert.deepStrictEqual(yield* history(desks[0]!), ["Started", "Exited"])
      for (const key of keys) assert.strictEqual(yield* (yield* Desk.at(key)).Add({ by: 1 }), 8)
      assert.strictEqual(inside.inits, 8)
    }).pipe(Effect.provide(tree(inside)))
  })

  it.effect("comes back as well where its supervisor keeps what it was started from", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const desk = yield* Desk.at("a")
      yield* desk.Add({ by: 7 })
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* Process.status(desk), "stopped")
      assert.strictEqual(yield* desk.Add({ by: 1 }), 8)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* (yield* Desk.at("a")).Add({ by: 1 }), 9)
    }).pipe(Effect.provide(
      Supervisor.layer({ strategy: "one_for_one" }, [
        Names.layer,
        Tasks.layer(),
        StateContainer.layerMemory(Desk),
        Desk.layerKeyed(behavior(inside), { passivate: { after: "10 seconds" } })
      ])
    ))
  })

  it.effect("so does one by key that ends in order by itself, unless its restart is said otherwise", () => {
    const inside = new Inside()
    const Leaving = Desk.behavior({ ...behavior(inside), idle: () => Next.stop("normal") })
    return Effect.gen(function*() {
      const keys = ["a", "b", "c", "d", "e", "f", "g", "h"]
      const desks = yield* Effect.forEach(keys, (key) => Desk.at(key))
      yield* Effect.forEach(desks, (desk) => desk.Wait({ idleAfter: 1000 }))
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* (yield* Desks).countChildren).specs, 0)
      for (const key of keys) assert.strictEqual(yield* (yield* Desk.at(key)).Add({ by: 1 }), 2)
    }).pipe(Effect.provide(
      Supervisor.layer({ strategy: "one_for_one" }, [
        Names.layer,
        Tasks.layer(),
        StateContainer.layerMemory(Desk),
        Desks.layer({ restart: Restart.intensity({ restarts: 3, within: "1 hour" }) }),
        Layer.provide(Desk.layerKeyed(Leaving), Desks.asSupervisor)
      ])
    ))
  })

  for (const afterStop of ["keep", "forget"] as const) {
    it.effect(`keeps its state whatever afterStop is: it is not done for good (${afterStop})`, () => {
      const inside = new Inside()
      return Effect.gen(function*() {
        yield* (yield* Desk.at("a")).Add({ by: 7 })
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual(yield* (yield* Desk.at("a")).Add({ by: 1 }), 8)
      }).pipe(Effect.provide(
        Supervisor.layer({ strategy: "one_for_one" }, [
          Names.layer,
          Tasks.layer(),
          Layer.provide(StateContainer.layerStore(Desk, { store: Store, afterStop }), storeLayer(inside.script)),
          Desks.layer(),
          Layer.provide(
            Desk.layerKeyed(behavior(inside), { passivate: { after: "10 seconds", by: "stop" } }),
            Desks.asSupervisor
          )
        ])
      ))
    })
  }

  it.effect("answers what comes while it stops, and all that comes later, by the next one, in order", () => {
    const inside = new Inside()
    const gate = Deferred.makeUnsafe<void>()
    inside.terminate = Deferred.await(gate)
    return Effect.gen(function*() {
      const desk = yield* Desk.at("a")
      yield* desk.Add({ by: 1 })
      yield* TestClock.adjust("10 seconds")
      // Its clean-up takes its time.
      const first = yield* now(desk.Add({ by: 10 }))
      yield* desk.Note()
      const second = yield* now(desk.Add({ by: 0 }))
      const other = yield* now(Effect.flatMap(Desk.at("a"), (desk) => desk.Add({ by: 0 })))
      yield* turns
      assert.isUndefined(first.pollUnsafe())
      yield* Deferred.succeed(gate, undefined)
      yield* turns
      assert.deepStrictEqual(
        [yield* Fiber.join(first), yield* Fiber.join(second), yield* Fiber.join(other)],
        [11, 12, 12]
      )
      // The client stands for the key, whoever has it by now.
      yield* TestClock.adjust("10 seconds")
      yield* desk.Note()
      assert.strictEqual(yield* desk.Add({ by: 0 }), 13)
      assert.strictEqual(yield* Process.status(desk), "stopped")
    }).pipe(Effect.provide(tree(inside)))
  })

  it.effect("tells those that watch it, as of any end in good order", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const desk = yield* Desk.at("a")
      const { down } = yield* Monitor.watch(desk)
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual((yield* down).reason, { _tag: "Shutdown", detail: "idle" })
    }).pipe(Effect.scoped, Effect.provide(tree(inside)))
  })

  it.effect("is not one that a supervisor restarts whenever it ends: that is refused, by name", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const exit = yield* Effect.exit(Layer.build(tree(inside, { by: "stop", options: { restart: "permanent" } })))
      assert.include(String(Exit.isFailure(exit) && exit.cause), "passivate.by")
    }).pipe(quietly, Effect.scoped)
  })

  for (const after of [0, NaN, Infinity]) {
    it.effect(`has a time for that which makes sense: not ${after}`, () =>
      Effect.gen(function*() {
        const exit = yield* Effect.exit(Layer.build(tree(new Inside(), { options: { passivate: { after } } })))
        assert.include(String(Exit.isFailure(exit) && exit.cause), "passivate.after")
      }).pipe(quietly, Effect.scoped))
  }

  it.effect("is also one that would hibernate and whose state no store has", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const asked = yield* Desk.at("asked")
      yield* Effect.exit(asked.Refuse())
      const changed = yield* Desk.at("changed")
      yield* changed.Add({ by: 1 })
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(
        [yield* Process.status(asked), yield* Process.status(changed)],
        ["stopped", "running"]
      )
      assert.strictEqual(yield* asked.Add({ by: 5 }), 5)
      assert.strictEqual(yield* changed.Add({ by: 5 }), 6)
    }).pipe(Effect.provide(tree(inside, { over: "store" })))
  })
})

describe("what keeps a server awake", () => {
  type Awake = (inside: Inside, desk: Desk["Service"]) => Effect.Effect<Effect.Effect<unknown>, never, Names | Tasks>

  /** Makes it so, and answers how to end that. */
  const holding = (inside: Inside, desk: Desk["Service"], what: (over: Deferred.Deferred<void>) => Act) =>
    Effect.gen(function*() {
      const over = Deferred.makeUnsafe<void>()
      inside.acts["hold"] = what(over)
      yield* Effect.orDie(desk.Do({ what: "hold" }))
      return Effect.andThen(Deferred.succeed(over, undefined), turns)
    })

  const holders: Record<string, readonly [keeps: ReadonlyArray<"hibernate" | "stop">, Awake]> = {
    "a promised reply": [["hibernate", "stop"], (inside, desk) =>
      Effect.gen(function*() {
        const asking = yield* now(desk.Promise())
        return Effect.andThen(
          Effect.suspend(() => GenServer.reply(inside.froms[0]!, Exit.succeed(1))),
          Effect.orDie(Fiber.join(asking))
        )
      })],
    "a suspension": [
      ["hibernate", "stop"],
      (_, desk) => Effect.as(Effect.orDie(Sys.suspend(desk)), Effect.orDie(Sys.resume(desk)))
    ],
    "a request without an answer": [
      ["hibernate", "stop"],
      (inside, desk) => holding(inside, desk, (over) => Requests.send(Deferred.await(over)))
    ],
    "linked work": [
      ["stop"],
      (inside, desk) => holding(inside, desk, (over) => GenServer.spawnLink(Deferred.await(over)))
    ],
    "a timer": [["stop"], (inside, desk) =>
      Effect.gen(function*() {
        inside.acts["hold"] = Effect.map(GenServer.castAfter(Effect.void, "1 hour"), (cancel) => {
          inside.acts["cancel"] = cancel
        })
        yield* Effect.orDie(desk.Do({ what: "hold" }))
        return Effect.orDie(desk.Do({ what: "cancel" }))
      })],
    "a task": [
      ["stop"],
      (inside, desk) =>
        holding(
          inside,
          desk,
          (over) => Effect.flatMap(Tasks, (tasks) => Effect.orDie(tasks.async(Deferred.await(over))))
        )
    ],
    "a watch of its own": [["stop"], (inside, desk) =>
      Effect.gen(function*() {
        inside.acts["hold"] = Effect.flatMap(Tasks, (tasks) =>
          Effect.map(Monitor.watch(tasks), (watch) => {
            inside.acts["cancel"] = watch.demonitor()
          }))
        yield* Effect.orDie(desk.Do({ what: "hold" }))
        return Effect.orDie(desk.Do({ what: "cancel" }))
      })],
    "a name": [["stop"], (_, desk) =>
      Effect.gen(function*() {
        const names = yield* Names
        yield* Effect.orDie(names.register("front", desk))
        return Effect.orDie(names.unregister("front", desk))
      })],
    "being watched": [
      ["stop"],
      (_, desk) => Effect.as(Effect.orDie(Sys.log(desk, 10)), Effect.orDie(Sys.noDebug(desk)))
    ],
    "a message in quarantine": [["stop"], (_, desk) =>
      Effect.gen(function*() {
        yield* quietly(Effect.exit(desk.Poison()))
        const [message] = yield* Sys.quarantined(desk)
        return Effect.orDie(Sys.discard(desk, message!))
      })],
    "an idle callback that is due": [
      ["stop"],
      (_, desk) => Effect.as(Effect.orDie(desk.Wait({ idleAfter: 3_600_000 })), Effect.orDie(desk.Note()))
    ]
  }

  for (const [what, [keeps, hold]] of Object.entries(holders)) {
    for (const by of ["hibernate", "stop"] as const) {
      const isHeld = keeps.includes(by)
      it.effect(`${what}: one that would ${by} ${isHeld ? "stays until it is over" : "does so all the same"}`, () => {
        const inside = new Inside()
        return Effect.gen(function*() {
          const desk = yield* Desk.at("a")
          yield* desk.Add({ by: 1 })
          const release = yield* hold(inside, desk)
          yield* (yield* Harness.Harness).clear
          yield* TestClock.adjust("25 seconds")
          assert.strictEqual(count(yield* history(desk), gaveWay(by)), isHeld ? 0 : 1)
          if (!isHeld) return
          yield* release
          yield* TestClock.adjust("9999 millis")
          assert.strictEqual(count(yield* history(desk), gaveWay(by)), 0)
          yield* TestClock.adjust("1 millis")
          assert.strictEqual(count(yield* history(desk), gaveWay(by)), 1)
        }).pipe(Effect.provide(tree(inside, { by, over: "store" })))
      })
    }
  }

  for (const by of ["hibernate", "stop"] as const) {
    it.effect(`an answer that waits for the store: it gives way when that is there (${by})`, () => {
      const inside = new Inside()
      const gate = Deferred.makeUnsafe<void>()
      return Effect.gen(function*() {
        const desk = yield* Desk.at("a")
        inside.script.before = (operation) => operation === "save" ? Deferred.await(gate) : Effect.void
        const adding = yield* now(desk.Add({ by: 1 }))
        yield* TestClock.adjust("1 hour")
        assert.strictEqual(count(yield* history(desk), gaveWay(by)), 0)
        yield* Deferred.succeed(gate, undefined)
        assert.strictEqual(yield* Fiber.join(adding), 1)
        yield* turns
        assert.strictEqual(count(yield* history(desk), gaveWay(by)), 1)
        assert.strictEqual(yield* desk.Add({ by: 1 }), 2)
      }).pipe(Effect.provide(tree(inside, { by, over: "store" })))
    })
  }

  it.effect("nothing else does: one server of a class, without a key, hibernates and never stops", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const desk = yield* Desk
      yield* desk.Add({ by: 1 })
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(yield* history(desk), ["Started"])
      assert.strictEqual(yield* desk.Add({ by: 1 }), 2)
    }).pipe(Effect.provide(
      Supervisor.layer({ strategy: "one_for_one" }, [
        Names.layer,
        Tasks.layer(),
        StateContainer.layerMemory(Desk),
        Desk.layer(behavior(inside), { passivate: { after: "10 seconds" } })
      ]).pipe(Layer.provideMerge(Harness.Harness.layer))
    ))
  })
})

describe("idleAfter is over with an answer that says something else, and with nothing else", () => {
  const endings: Record<string, (desk: Desk["Service"]) => Effect.Effect<unknown, unknown>> = {
    "a typed failure": (desk) => desk.Refuse(),
    "a crash and a restart": (desk) => desk.Die(),
    "an answer on record": (desk) => desk.Add({ by: 1 }, { idempotencyKey: "once" })
  }
  for (const [what, send] of Object.entries(endings)) {
    it.effect(`${what} keeps it: it counts anew`, () => {
      const inside = new Inside()
      return Effect.gen(function*() {
        const desk = yield* Desk.at("a")
        yield* desk.Add({ by: 1 }, { idempotencyKey: "once" })
        yield* desk.Wait({ idleAfter: 1000 })
        yield* TestClock.adjust("900 millis")
        yield* Effect.exit(send(desk))
        yield* TestClock.adjust("999 millis")
        assert.strictEqual(inside.idles, 0)
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(inside.idles, 1)
        yield* TestClock.adjust("1 hour")
        assert.strictEqual(inside.idles, 1)
      }).pipe(quietly, Effect.provide(tree(inside, { options: { passivate: undefined } })))
    })
  }

  it.effect("also a crash of idle itself: it is called again, as long as the budget lasts", () => {
    const inside = new Inside()
    inside.idle = () => inside.idles === 1 ? Effect.die("boom") : Effect.succeed({ n: 100 })
    return Effect.gen(function*() {
      const desk = yield* Desk.at("a")
      yield* desk.Wait({ idleAfter: 1000 })
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(inside.idles, 2)
      assert.strictEqual(yield* desk.Add({ by: 0 }), 100)
    }).pipe(quietly, Effect.provide(tree(inside, { options: { passivate: undefined } })))
  })

  it.effect("an ordinary answer ends it, and so does a stop", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const desk = yield* Desk.at("a")
      yield* desk.Wait({ idleAfter: 1000 })
      yield* desk.Add({ by: 1 })
      yield* Effect.exit(desk.Refuse())
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(inside.idles, 0)
    }).pipe(Effect.provide(tree(inside, { options: { passivate: undefined } })))
  })
})
