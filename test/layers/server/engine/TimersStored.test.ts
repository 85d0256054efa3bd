/** Durable timers over a store: what outlives the process, what a failed write leaves, what the store is asked. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Layer, Schedule, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import {
  GenServer,
  InvalidOption,
  Next,
  Process,
  StateContainer,
  StateStore,
  Supervisor,
  Sys,
  Timer
} from "../../../../src/index.ts"
import { Harness } from "../../../../src/testing.ts"
import { app, behavior, Bell, keyed, kinds, Pool, Seen, type SetTimer, Store } from "../../../kit/Bell.ts"
import { turns } from "../../../kit/Fibers.ts"
import { recordedLog } from "../../../kit/Log.ts"
import { often } from "../../../kit/Restarts.ts"
import { Scripted } from "../../../kit/Scripted.ts"
import { withJumps } from "../../../kit/WallClock.ts"

/** A store that counts how often it is asked for timers, and can be away. */
const counting = () => {
  const memory = StateStore.makeMemory()
  const asked = { timers: 0, saves: 0, isAway: false }
  const away = Effect.fail(
    new StateStore.StoreError({ store: "counting", operation: "save", reason: { _tag: "Unavailable", cause: "away" } })
  )
  const store: StateStore.StateStore<"crash"> = {
    ...memory,
    save: (records) => {
      asked.saves++
      return asked.isAway ? away : memory.save(records)
    },
    timers: (...page) => {
      asked.timers++
      return asked.isAway ? away : memory.timers!(...page)
    }
  }
  return { asked, memory, layer: Layer.sync(Store, () => store) }
}

const hour = 3_600_000

const set = (...timers: ReadonlyArray<SetTimer>) => ({ timers })

const fired = Effect.flatMap(
  Harness.Harness,
  (harness) =>
    Effect.map(
      harness.events,
      (events) =>
        events.flatMap((event) =>
          event._tag === "TimerFired" ? [[event.timer, event.due, event.late, event.missed] as const] : []
        )
    )
)

/** Waits for the first timer, without that any time passes. */
const rings = Effect.flatMap(
  Harness.Harness,
  (harness) => Effect.andThen(harness.awaitEvent((event) => event._tag === "TimerFired"), turns)
)

/** The defect that a call's server died of. */
const defectOf = (exit: Exit.Exit<unknown, unknown>): unknown => {
  const error = exit._tag === "Failure" ? Cause.squash(exit.cause) : undefined
  return error instanceof GenServer.CallError && error.reason._tag === "Crashed"
    ? Cause.squash(error.reason.cause)
    : error
}

describe("a timer over a store", () => {
  it.effect("that was due while no process ran is delivered at once, and says how late it is", () => {
    const { layer } = counting()
    const seen = new Seen()
    return Effect.gen(function*() {
      yield* Effect.flatMap(Bell.at("a"), (bell) => bell.Set(set({ name: "one", at: 5000 }))).pipe(
        Effect.provide(keyed(seen, "a store", layer), { local: true })
      )
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(seen.keys, [])
      yield* Effect.gen(function*() {
        yield* rings
        assert.deepStrictEqual(yield* fired, [["one", 5000, 3_595_000, 0]])
        assert.deepStrictEqual(yield* (yield* Bell.via("a")).Rung(), [["one", 3_595_000, 0]])
      }).pipe(Effect.provide(keyed(seen, "a store", layer), { local: true }))
      assert.deepStrictEqual(seen.keys, ["5000/one/test/Bell/a"])
    })
  })

  it.effect("that repeats is delivered once after a long absence, and says how often it was missed", () => {
    const { layer } = counting()
    const seen = new Seen()
    return Effect.gen(function*() {
      yield* Effect.flatMap(Bell, (bell) => bell.Set(set({ name: "tick", every: 60_000 }))).pipe(
        Effect.provide(app(seen, "a store", layer), { local: true })
      )
      yield* TestClock.adjust(1000 * 60_000 + 30_000)
      yield* Effect.gen(function*() {
        yield* rings
        assert.deepStrictEqual(yield* fired, [["tick", 60_000, 999 * 60_000 + 30_000, 999]])
        assert.deepStrictEqual((yield* Sys.timers(yield* Bell)).map(({ due }) => due), [1001 * 60_000])
        yield* TestClock.adjust("30 seconds")
        assert.deepStrictEqual((yield* fired)[1], ["tick", 1001 * 60_000, 0, 0])
      }).pipe(Effect.provide(app(seen, "a store", layer), { local: true }))
    })
  })

  it.effect("wakes a server that hibernates, and one that has stopped", () => {
    const seen = new Seen()
    return Effect.gen(function*() {
      const [a, b] = [yield* Bell.at("a"), yield* Bell.at("b")]
      for (const bell of [a, b]) yield* bell.Set(set({ name: "one", at: 5000 }))
      yield* a.Sleep()
      yield* b.Stop()
      yield* TestClock.adjust("5 seconds")
      for (const key of ["a", "b"]) assert.deepStrictEqual(yield* (yield* Bell.via(key)).Rung(), [["one", 0, 0]])
      assert.strictEqual(yield* Process.incarnation(a), 1)
    }).pipe(Effect.provide(keyed(seen, "a store")))
  })

  it.effect("of servers that are at work without end, however many, keep no other waiting without end", () => {
    const seen = new Seen()
    return Effect.gen(function*() {
      for (let i = 0; i < 1000; i++) {
        yield* (yield* Bell.at(`slow${i}`)).Set(set({ name: "one", at: 5000, how: "hang" }))
      }
      yield* (yield* Bell.at("other")).Set(set({ name: "one", at: 5001 }))
      for (let i = 0; i < 3; i++) yield* Effect.andThen(TestClock.adjust("1 minute"), turns)
      assert.strictEqual((yield* (yield* Bell.at("other")).Rung()).length, 1)
    }).pipe(Effect.provide(keyed(seen, "a store")))
  })

  it.effect("is not set by a commit that was not conserved", () => {
    const { asked, layer } = counting()
    const seen = new Seen()
    const Tree = Layer.provideMerge(
      Supervisor.layer({ id: "root", strategy: "one_for_one", restart: often }, [
        StateContainer.layerStore(Bell, { store: Store, retry: Schedule.recurs(0) }),
        Bell.layer(behavior(seen))
      ]),
      layer
    )
    return Effect.gen(function*() {
      const bell = yield* Bell
      yield* bell.Set(set({ name: "kept", at: 9000 }))
      asked.isAway = true
      const exit = yield* Effect.exit(bell.Set(set({ name: "kept" }, { name: "lost", at: 5000 })))
      assert.strictEqual(exit._tag, "Failure")
      asked.isAway = false
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(seen.keys, ["9000/kept/test/Bell"])
    }).pipe(Effect.provide(Tree))
  })

  it.effect("is delivered when the store is back, if it was away then", () => {
    const { asked, layer } = counting()
    const seen = new Seen()
    return Effect.gen(function*() {
      const bell = yield* Bell
      yield* bell.Set(set({ name: "one", at: 5000 }))
      asked.isAway = true
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(seen.keys, [])
      asked.isAway = false
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(seen.keys, ["5000/one/test/Bell"])
    }).pipe(Effect.provide(app(seen, "a store", layer)))
  })

  it.effect("costs one question for all servers that have one at the time, and none in between", () => {
    const { asked, layer } = counting()
    const seen = new Seen()
    const keys = Array.from({ length: 500 }, (_, i) => `k${i}`)
    return Effect.gen(function*() {
      yield* Effect.forEach(
        keys,
        (key) => Effect.flatMap(Bell.at(key), (bell) => bell.Set(set({ name: "one", at: 50_000 })))
      )
      yield* turns
      const before = asked.timers
      yield* TestClock.adjust("49999 millis")
      assert.strictEqual(asked.timers, before)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(asked.timers, before + 1)
      assert.strictEqual(seen.keys.length, 500)
      // Once more, to see that each is gone.
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(asked.timers, before + 2)
      assert.strictEqual(new Set(seen.keys).size, 500)
    }).pipe(Effect.provide(keyed(seen, "a store", layer)))
  })

  it.effect("is delivered within a minute when the wall clock is set forward", () => {
    const seen = new Seen()
    return withJumps((jump) =>
      Effect.gen(function*() {
        yield* (yield* Bell).Set(set({ name: "one", at: 2 * hour }))
        yield* turns
        yield* jump(3 * hour)
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual((yield* fired).map(([name]) => name), ["one"])
      }).pipe(Effect.provide(app(seen, "a store")))
    )
  })

  it.effect("keeps a server awake that would be forgotten when it stops", () => {
    const seen = new Seen()
    const Tree = Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
      StateContainer.layerMemory(Bell),
      Pool.layer(),
      Layer.provide(
        Bell.layerKeyed(behavior(seen), { passivate: { after: "1 second", by: "stop" } }),
        Pool.asSupervisor
      )
    ])
    return Effect.gen(function*() {
      const bell = yield* Bell.at("a")
      yield* bell.Set(set({ name: "one", at: 60_000 }))
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual(yield* Process.status(bell), "running")
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(seen.keys, ["60000/one/test/Bell/a"])
      assert.strictEqual(yield* Process.status(bell), "stopped")
    }).pipe(Effect.provide(Tree))
  })

  it.effect("of a server that dies of it each time keeps no other waiting", () => {
    const seen = new Seen()
    return Effect.gen(function*() {
      yield* Effect.flatMap(Bell.at("a"), (bell) => bell.Set(set({ name: "die", at: 1000, how: "die" })))
      yield* Effect.flatMap(Bell.at("b"), (bell) => bell.Set(set({ name: "tick", every: 1000 })))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* (yield* Bell.via("b")).Rung()).length, 60)
      // After 1, 2, 4, 8, 16 seconds, and at first.
      assert.strictEqual(seen.keys.filter((key) => key.includes("die")).length, 6)
    }).pipe(Effect.provide(keyed(seen, "a store", undefined, "permanent")))
  })

  it.effect("that is overdue waits for a server that nothing starts but its own layer", () => {
    const { layer } = counting()
    const seen = new Seen()
    return Effect.gen(function*() {
      yield* Effect.flatMap(Bell, (bell) => bell.Set(set({ name: "one", at: 5000 }))).pipe(
        Effect.provide(app(seen, "a store", layer), { local: true })
      )
      yield* TestClock.adjust("1 hour")
      const Empty = Layer.provideMerge(
        Supervisor.layer({ id: "root", strategy: "one_for_one" }, [kinds["a store"]]),
        layer
      )
      yield* TestClock.adjust("1 hour").pipe(Effect.provide(Empty, { local: true }))
      assert.deepStrictEqual(seen.keys, [])
      yield* rings.pipe(Effect.provide(app(seen, "a store", layer), { local: true }))
      assert.deepStrictEqual(seen.keys, ["5000/one/test/Bell"])
    })
  })
})

describe("a timer whose message there is no more, or not as it was set", () => {
  const text = { payload: { note: Schema.String }, internal: true } as const
  const state = Schema.Array(Schema.String)
  /** A class as it was, and as it is now. */
  class Old extends GenServer.Service<Old>()("test/Gong", {
    state,
    messages: {
      Set: GenServer.call(),
      Gone: GenServer.cast(text),
      Changed: GenServer.cast(text),
      Ring: GenServer.cast(text)
    }
  }) {}
  class New extends GenServer.Service<New>()("test/Gong", {
    state,
    messages: {
      Rung: GenServer.call({ reply: state }),
      Changed: GenServer.cast({ payload: { note: Schema.Int }, internal: true }),
      Ring: GenServer.cast(text)
    }
  }) {}

  it.effect("is kept, which is logged ever more seldom; others of its server are delivered at their time", () => {
    const { layer } = counting()
    const { layer: logged, lines } = recordedLog()
    return Effect.gen(function*() {
      const before = Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
        StateContainer.layerStore(Old, { store: Store }),
        Old.layer({
          init: [],
          handlers: {
            Set: (state) =>
              Next.reply(undefined, state, {
                timers: [
                  Timer.at("gone", 1000, Old.message.Gone({ note: "a" })),
                  Timer.at("changed", 2000, Old.message.Changed({ note: "b" })),
                  Timer.at("one", 10_000, Old.message.Ring({ note: "one" })),
                  Timer.at("other", 10_300, Old.message.Ring({ note: "other" }))
                ]
              }),
            Gone: (state) => state,
            Changed: (state) => state,
            Ring: (state) => state
          }
        })
      ])
      yield* Effect.flatMap(Old, (gong) => gong.Set()).pipe(
        Effect.provide(Layer.provide(before, layer), { local: true })
      )
      const after = Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
        StateContainer.layerStore(New, { store: Store }),
        New.layer({
          init: [],
          handlers: {
            Rung: (state) => [state, state],
            Changed: (state) => [...state, "changed"],
            Ring: (state, { note }) => [...state, note]
          }
        })
      ])
      yield* Effect.gen(function*() {
        const gong = yield* New
        yield* TestClock.adjust("5 seconds")
        const kept = ["gone", "changed"].map((name) =>
          `root > test/Gong #1: the timer "${name}" cannot be delivered as ${
            name === "gone" ? "Gone" : "Changed"
          }: it is kept`
        )
        const said = lines.map(({ text }) => text)
        assert.deepStrictEqual(Array.from(new Set(said)), kept)
        assert.include(Cause.pretty(lines.find(({ text }) => text === kept[1])!.cause), "Expected")
        yield* TestClock.adjust("5 seconds")
        const tried = lines.length
        assert.deepStrictEqual(yield* gong.Rung(), ["one"])
        yield* TestClock.adjust("300 millis")
        assert.deepStrictEqual(yield* gong.Rung(), ["one", "other"])
        // They were not tried again for those.
        assert.strictEqual(lines.length, tried)
        yield* TestClock.adjust("10 minutes")
        assert.isAtMost(lines.length, 2 * (6 + 11))
        assert.isAbove(lines.length, 2 * 9)
        assert.deepStrictEqual((yield* Sys.timers(gong)).map(({ name }) => name), ["gone", "changed"])
      }).pipe(Effect.provide(Layer.provide(after, Layer.merge(layer, logged)), { local: true }))
    })
  })
})

describe("a timer that is due while its supervisor shuts down", () => {
  it.effect("waits for the next one, without a word", () => {
    const { layer } = counting()
    const seen = new Seen()
    const log = recordedLog(({ level }) => level === "Warn" || level === "Error")
    const slow = { ...behavior(seen), terminate: () => Effect.sleep("4 seconds") }
    const Slow = Layer.provide(
      Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
        kinds["a store"],
        Pool.layer(),
        Layer.provide(Bell.layerKeyed(slow), Pool.asSupervisor)
      ]),
      layer
    )
    return Effect.gen(function*() {
      const life = yield* Scope.make()
      const context = yield* Layer.buildWithScope(Slow, life)
      yield* Effect.gen(function*() {
        yield* (yield* Bell.at("there")).Rung()
        const gone = yield* Bell.at("gone")
        yield* gone.Set(set({ name: "one", at: 6000 }))
        const stopping = yield* Effect.forkChild(gone.Stop())
        yield* TestClock.adjust("4 seconds")
        yield* Fiber.join(stopping)
      }).pipe(Effect.provideContext(context))
      const closing = yield* Effect.forkChild(Scope.close(life, Exit.void), { startImmediately: true })
      yield* TestClock.adjust("3 seconds")
      yield* turns
      assert.isUndefined(closing.pollUnsafe())
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(closing)
      assert.deepStrictEqual(log.lines.map(({ text }) => text), [])
      assert.deepStrictEqual(seen.keys, [])

      yield* rings.pipe(Effect.provide(keyed(seen, "a store", layer), { local: true }))
      assert.deepStrictEqual(seen.keys, ["6000/one/test/Bell/gone"])
    }).pipe(Effect.provide(log.layer))
  })
})

describe("a timer that cannot be set", () => {
  const trees = {
    "a companion that forgets": StateContainer.layerForget(Bell),
    "a companion that conserves at the end alone": StateContainer.layerMemory(Bell, { when: "terminate" }),
    "a store that keeps none": StateContainer.layerStore(Bell, { store: Store })
  }
  for (const [name, container] of Object.entries(trees)) {
    it.effect(`over ${name} is refused, typed, and its answer is not committed`, () => {
      const seen = new Seen()
      const scripted = new Scripted()
      const Tree = Layer.provideMerge(
        Supervisor.layer({ id: "root", strategy: "one_for_one" }, [container, Bell.layer(behavior(seen))]),
        Layer.succeed(Store, scripted.store)
      )
      return Effect.gen(function*() {
        const bell = yield* Bell
        const error = defectOf(yield* Effect.exit(bell.Set(set({ name: "one", at: 5000 }))))
        assert.instanceOf(error, GenServer.NoTimers)
        assert.include(error.message, "Set of root > test/Bell set the timer \"one\", which nothing would keep: ")
        // To cancel what cannot be set is nothing.
        yield* bell.Set(set({ name: "one" }))
      }).pipe(Effect.provide(Tree))
    })
  }

  class Odd extends GenServer.Service<Odd>()("test/Odd", {
    state: Schema.Int,
    messages: {
      Set: GenServer.call({ payload: { which: Schema.Int } }),
      Get: GenServer.call({ reply: Schema.Int }),
      Ring: GenServer.cast({ payload: { n: Schema.Int } })
    }
  }) {}

  const ring = Odd.message.Ring({ n: 1 })
  const wrong = [
    ["a date that is none", Timer.at("one", NaN, ring), "the time of the timer \"one\": it must be a date"],
    ["a text that is no date", Timer.at("one", "yesterday evening", ring), "it must be a date"],
    ["a negative delay", Timer.after("one", -1, ring), "it must be a duration of 0 or more that ends"],
    ["a delay without end", Timer.after("one", Infinity, ring), "it must be a duration of 0 or more that ends"],
    ["a delay beyond all dates", Timer.after("one", 8.64e15 + 1, ring), "before the last of all dates"],
    ["a period beyond all dates", Timer.every("one", 8.64e15 + 1, ring), "before the last of all dates"],
    ["no period", Timer.every("one", 0, ring), "it must be a duration of more than nothing"],
    ["a period of nanoseconds", Timer.every("one", "5 nanos", ring), "it must be a millisecond or more"],
    ["an empty name", Timer.cancel(""), "the name of a timer: it must be a text of 1 to 64 bytes"],
    [
      "what is no change",
      { ...Timer.cancel("one"), _tag: "Stop" as "Cancel" },
      "as timers: it must be changes to timers"
    ],
    ["a name that is too long", Timer.cancel("é".repeat(33)), "the name of a timer"],
    ["a payload that does not fit", Timer.after("one", 1, Odd.message.Ring({ n: 1.5 })), "what its schema writes down"]
  ] as const
  for (const [which, [name, change, text]] of wrong.entries()) {
    it.effect(`with ${name} is refused: its handler crashes, and the answer is not committed`, () =>
      Effect.gen(function*() {
        const odd = yield* Odd
        const error = defectOf(yield* Effect.exit(odd.Set({ which })))
        assert.instanceOf(error, InvalidOption.InvalidOption)
        assert.include(error.message, text)
        assert.strictEqual(yield* odd.Get(), 0)
        assert.deepStrictEqual(yield* Sys.timers(odd), [])
      }).pipe(Effect.provide(
        Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
          StateContainer.layerMemory(Odd),
          Odd.layer({
            init: 0,
            handlers: {
              Set: (n) => Next.reply(undefined, n + 1, { timers: [change] }),
              Get: (n) => [n, n],
              Ring: (n, payload) => n + payload.n
            }
          })
        ])
      )))
  }
})
