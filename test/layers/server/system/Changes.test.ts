/** A state as a stream: the newest first, then what becomes of it. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Latch, Layer, References, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { normal } from "../../../../src/domain/process/ExitReason.ts"
import {
  Agent,
  DynamicSupervisor,
  GenServer,
  Next,
  Registry,
  Restart,
  StateContainer,
  Supervisor,
  Sys
} from "../../../../src/index.ts"
import { tableOf } from "../../../../src/layers/state/container/Container.ts"
import { turns } from "../../../kit/Fibers.ts"
import { full, layer as storeLayer, onSave, Scripted, Store } from "../../../kit/Scripted.ts"

class Desk extends GenServer.Service<Desk>()("test/Desk", {
  state: Schema.Int,
  messages: {
    Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int, timeout: "infinity" }),
    Note: GenServer.cast(),
    Leave: GenServer.cast(),
    Crash: GenServer.call(),
    Poison: GenServer.call({ payload: { n: Schema.Int } }),
    Done: GenServer.call()
  }
}) {}

class Desks extends DynamicSupervisor.Service<Desks>()("test/Desks") {}
class Names extends Registry.Service<Names, { readonly ref: typeof Desk.Service }>()("test/Names", {
  keys: "unique"
}) {}
class Root extends Supervisor.Service<Root>()("root") {}

const behavior = Desk.behavior({
  init: 0,
  handlers: {
    Add: (n, { by }) => [n + by, n + by],
    Note: (n) => n + 1,
    Leave: () => Next.stop(normal),
    Crash: () => Effect.die("boom"),
    Poison: () => Effect.die("poison"),
    Done: (n) => Next.stop(normal, { reply: undefined, state: n })
  }
})

const restart = Restart.intensity({ restarts: 99, within: "1 minute" })
const quietly = Effect.provideService(References.MinimumLogLevel, "None")

/** A change on one line. */
const text = (change: GenServer.Change<number>): string => {
  switch (change._tag) {
    case "Committed":
      return `${change.seq}: ${change.state}${change.isConserved ? "" : "?"}`
    case "Ended":
      return `end of #${change.incarnation} (${change.reason._tag})`
    case "Restored":
      return `#${change.incarnation} from ${change.seq}: ${change.state}${change.isConserved ? "" : "?"}`
    case "RolledBack":
      return `#${change.incarnation} back from ${change.from} to ${
        change.to === undefined ? "init" : `${change.to.seq}: ${change.to.state}`
      }`
  }
}

/** Reads a stream beside the test: what was seen so far, and whether it has ended. */
const reading = <E, R>(stream: Stream.Stream<GenServer.Change<number>, E, R>) =>
  Effect.gen(function*() {
    const seen: Array<string> = []
    const fiber = yield* Effect.forkChild(
      Stream.runForEach(stream, (change) => Effect.sync(() => seen.push(text(change)))),
      {
        startImmediately: true
      }
    )
    yield* turns
    return {
      seen: Effect.map(turns, () => seen.splice(0)),
      // A stream that fails has not come to its end.
      isOver: Effect.map(turns, () => fiber.pollUnsafe()?._tag === "Success"),
      stop: Fiber.interrupt(fiber)
    }
  })

const inMemory = (options: StateContainer.Options = {}) =>
  Root.layer({ strategy: "one_for_one", restart }, [StateContainer.layerMemory(Desk, options), Desk.layer(behavior)])

const inStore = (script: Scripted, options: StateContainer.Options = {}) =>
  Layer.provide(
    Root.layer({ strategy: "one_for_one", restart }, [
      StateContainer.layerStore(Desk, { store: Store, ...options }),
      Desk.layer(behavior)
    ]),
    storeLayer(script)
  )

const keyed = (script: Scripted) =>
  Layer.provide(
    Root.layer({ strategy: "one_for_one", restart }, [
      StateContainer.layerStore(Desk, { store: Store }),
      Desks.layer(),
      Layer.provide(Desk.layerKeyed(behavior, { passivate: { after: "10 seconds" } }), Desks.asSupervisor)
    ]),
    storeLayer(script)
  )

describe("the changes of a server", () => {
  it.effect("have the state that is set while no server has the key", () =>
    Effect.gen(function*() {
      const companion = (yield* Desk.StateContainer).for("x")
      yield* companion.set(1)
      const reader = yield* reading(companion.changes())
      yield* companion.set(7)
      assert.deepStrictEqual(yield* reader.seen, ["1: 1", "2: 7"])
    }).pipe(Effect.provide(inMemory({ afterStop: "keep" }))))

  it.effect("have no commit where it stops without a state", () => {
    const script = new Scripted()
    return Effect.gen(function*() {
      const desk = yield* Desk
      yield* desk.Note()
      yield* turns
      const reader = yield* reading(GenServer.changes(desk))
      yield* desk.Leave()
      assert.deepStrictEqual((yield* reader.seen).slice(0, 2), ["1: 1", "end of #1 (Normal)"])
      assert.deepStrictEqual(script.batches, [["Desk#1"]])
    }).pipe(Effect.provide(inStore(script)))
  })

  it.effect("that a name stands for are its own; of a name that stands for none there are none", () =>
    Effect.gen(function*() {
      const names = yield* Names
      yield* names.register("mine", yield* Desk)
      const [mine, none] = [
        yield* reading(GenServer.changes(names.via("mine"))),
        yield* reading(GenServer.changes(names.via("none")))
      ]
      assert.deepStrictEqual([yield* mine.seen, yield* mine.isOver], [["0: 0"], false])
      assert.deepStrictEqual([yield* none.seen, yield* none.isOver], [[], true])
    }).pipe(Effect.provide(Layer.mergeAll(inMemory(), Names.layer))))

  it.effect("are its newest state, every commit, and what becomes of it over a crash; no commit that changes nothing", () =>
    Effect.gen(function*() {
      const desk = yield* Desk
      yield* desk.Add({ by: 1 })
      const reader = yield* reading(GenServer.changes(desk))
      assert.deepStrictEqual(yield* reader.seen, ["1: 1"])
      yield* desk.Add({ by: 1 })
      yield* desk.Note()
      yield* desk.Add({ by: 0 })
      yield* Sys.replaceState(desk, (n) => n + 10)
      assert.deepStrictEqual(yield* reader.seen, ["2: 2", "3: 3", "4: 13"])
      yield* Effect.exit(desk.Crash())
      yield* desk.Add({ by: 1 })
      assert.deepStrictEqual(yield* reader.seen, ["end of #1 (Crashed)", "#2 from 4: 13", "5: 14"])
    }).pipe(quietly, Effect.provide(inMemory())))

  it.effect("begin with what init has made, and show it again when it is made again", () =>
    Effect.gen(function*() {
      const desk = yield* Desk
      const reader = yield* reading(GenServer.changes(desk))
      yield* Effect.exit(desk.Crash())
      assert.deepStrictEqual(yield* reader.seen, ["0: 0", "end of #1 (Crashed)", "0: 0"])
      yield* desk.Add({ by: 1 })
      assert.deepStrictEqual(yield* reader.seen, ["1: 1"])
    }).pipe(quietly, Effect.provide(inMemory())))

  it.effect("say what was rolled back, and why", () =>
    Effect.gen(function*() {
      const desk = yield* Desk
      yield* desk.Add({ by: 1 })
      yield* desk.Add({ by: 1 })
      const reader = yield* reading(GenServer.changes(desk))
      yield* reader.seen
      for (const n of [1, 2, 3, 4]) yield* Effect.exit(desk.Poison({ n }))
      const seen = yield* reader.seen
      assert.include(seen, "#5 back from 2 to 1: 1")
    }).pipe(quietly, Effect.provide(inMemory({ onSuspect: "rollback" }))))

  it.effect("end when it has ended for good, and those of its key go on", () =>
    Effect.gen(function*() {
      const desk = yield* Desk
      const reader = yield* reading(GenServer.changes(desk))
      yield* desk.Add({ by: 1 })
      yield* (yield* Root).terminateChild("test/Desk")
      assert.deepStrictEqual(yield* reader.seen, ["0: 0", "1: 1", "end of #1 (Shutdown)"])
      assert.isTrue(yield* reader.isOver)
      const late = yield* reading(GenServer.changes(desk))
      assert.deepStrictEqual([yield* late.seen, yield* late.isOver], [["1: 1"], true])
      const byKey = yield* reading(Desk.changes())
      yield* (yield* Root).restartChild("test/Desk")
      yield* desk.Add({ by: 1 })
      assert.deepStrictEqual(yield* byKey.seen, ["1: 1", "#2 from 1: 1", "2: 2"])
      assert.isFalse(yield* byKey.isOver)
    }).pipe(Effect.provide(inMemory())))

  it.effect("of a key end when its state is gone with its server, and when the container is", () =>
    Effect.gen(function*() {
      const [forgotten, closed] = yield* Effect.gen(function*() {
        const desk = yield* Desk
        const forgotten = yield* reading(Desk.changes())
        yield* desk.Add({ by: 1 })
        yield* desk.Done()
        assert.deepStrictEqual(yield* forgotten.seen, ["0: 0", "1: 1", "end of #1 (Normal)"])
        const closed = yield* reading(Desk.changes("other"))
        assert.isFalse(yield* closed.isOver)
        return [forgotten, closed] as const
      }).pipe(Effect.provide(
        Root.layer({ strategy: "one_for_one" }, [
          StateContainer.layerMemory(Desk),
          Desk.layer(behavior, { restart: "transient" })
        ])
      ))
      assert.deepStrictEqual([yield* forgotten.isOver, yield* closed.isOver], [true, true])
    }))

  it.effect("have no more room than the buffer: the newest stay, or the oldest, or all where that is asked for", () =>
    Effect.gen(function*() {
      const desk = yield* Desk
      const slow = (options: GenServer.ChangesOptions) =>
        Effect.gen(function*() {
          const gate = yield* Deferred.make<void>()
          const seen: Array<string> = []
          const fiber = yield* Effect.forkChild(
            Stream.runForEach(GenServer.changes(desk, options), (change) =>
              Effect.andThen(Effect.sync(() => seen.push(text(change))), Deferred.await(gate))),
            { startImmediately: true }
          )
          yield* turns
          return { seen, go: Deferred.succeed(gate, undefined), fiber }
        })
      const newest = yield* slow({ buffer: { capacity: 1 } })
      const oldest = yield* slow({ buffer: { capacity: 2, strategy: "dropping" } })
      const all = yield* slow({ buffer: { capacity: "unbounded" } })
      for (let n = 0; n < 100; n++) yield* desk.Add({ by: 1 })
      for (const reader of [newest, oldest, all]) yield* reader.go
      yield* turns
      assert.deepStrictEqual(newest.seen, ["0: 0", "100: 100"])
      assert.deepStrictEqual(oldest.seen, ["0: 0", "1: 1", "2: 2"])
      assert.lengthOf(all.seen, 101)
    }).pipe(Effect.provide(inMemory())))

  it.effect("are shared by those who read them, and leave nothing behind", () =>
    Effect.gen(function*() {
      const desk = yield* Desk
      yield* desk.Add({ by: 1 })
      const companions = tableOf(yield* Desk.StateContainer)
      const before = companions.companion("")
      const [one, two] = [yield* reading(GenServer.changes(desk)), yield* reading(Desk.changes())]
      const watched = companions.companion("")
      assert.notStrictEqual(watched, before)
      yield* desk.Add({ by: 1 })
      assert.deepStrictEqual([yield* one.seen, yield* two.seen], [["1: 1", "2: 2"], ["1: 1", "2: 2"]])
      yield* one.stop
      assert.strictEqual(companions.companion(""), watched)
      yield* desk.Add({ by: 1 })
      assert.deepStrictEqual(yield* two.seen, ["3: 3"])
      yield* two.stop
      assert.strictEqual(companions.companion(""), before)
      assert.strictEqual(yield* desk.Add({ by: 1 }), 4)
      assert.deepStrictEqual((yield* Effect.map(Sys.peek(desk), ({ server }) => server))?.seq, 4)
      const ofNone = yield* reading(Desk.changes("never"))
      assert.deepStrictEqual(yield* Stream.runCollect(Desk.keys()), [""])
      assert.deepStrictEqual(yield* Desk.count, { live: 1, stored: 1 })
      yield* ofNone.stop
      assert.deepStrictEqual(Array.from(companions.keys()), [""])
    }).pipe(Effect.provide(inMemory())))

  it.effect("refuse a buffer that is none", () =>
    Effect.gen(function*() {
      const desk = yield* Desk
      const exit = yield* Effect.exit(Stream.runDrain(GenServer.changes(desk, { buffer: { capacity: 0 } })))
      assert.include(String(exit), "buffer.capacity")
    }).pipe(Effect.provide(inMemory())))
})

describe("over a store", () => {
  it.effect("a state is shown when it is stored; where it is asked for, at once", () => {
    const script = new Scripted()
    return Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      script.before = onSave(() => Deferred.await(gate))
      const desk = yield* Desk
      const stored = yield* reading(GenServer.changes(desk))
      const committed = yield* reading(GenServer.changes(desk, { show: "committed" }))
      yield* Effect.forkChild(desk.Add({ by: 1 }), { startImmediately: true })
      yield* desk.Note()
      assert.deepStrictEqual(yield* stored.seen, [])
      assert.deepStrictEqual(yield* committed.seen, ["0: 0?", "1: 1?", "2: 2?"])
      const late = yield* reading(GenServer.changes(desk))
      assert.deepStrictEqual(yield* late.seen, [])
      yield* Deferred.succeed(gate, undefined)
      yield* turns
      assert.deepStrictEqual(yield* stored.seen, ["1: 1", "2: 2"])
      assert.deepStrictEqual(yield* late.seen, ["2: 2"])
      yield* desk.Add({ by: 1 })
      assert.deepStrictEqual(yield* committed.seen, ["3: 3?"])
      assert.deepStrictEqual(yield* stored.seen, ["3: 3"])
    }).pipe(Effect.provide(inStore(script)))
  })

  it.effect("a state that could not be stored is never shown; the end that it was lost with is, and what was restored", () => {
    const script = new Scripted()
    return Effect.gen(function*() {
      const desk = yield* Desk
      yield* desk.Add({ by: 1 })
      const stored = yield* reading(GenServer.changes(desk))
      const committed = yield* reading(GenServer.changes(desk, { show: "committed" }))
      script.before = onSave(full)
      yield* Effect.forkChild(Effect.exit(desk.Add({ by: 40 })), { startImmediately: true })
      yield* TestClock.adjust("1 minute")
      script.before = () => Effect.void
      assert.strictEqual(yield* desk.Add({ by: 1 }), 2)
      assert.deepStrictEqual(yield* stored.seen, ["1: 1", "end of #1 (NotConserved)", "#2 from 1: 1", "3: 2"])
      assert.deepStrictEqual((yield* committed.seen).slice(0, 3), ["1: 1", "2: 41?", "end of #1 (NotConserved)"])
    }).pipe(quietly, Effect.provide(inStore(script)))
  })

  it.effect("one that is watched hibernates as another does: when its state is stored, and not before", () => {
    const [script, gate] = [new Scripted(), Latch.makeUnsafe()]
    script.before = onSave(() => gate.await)
    return Effect.gen(function*() {
      const desk = yield* Desk.at("a")
      const reader = yield* reading(GenServer.changes(desk))
      yield* desk.Note()
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* Sys.peek(desk)).status, "running")
      yield* gate.open
      yield* turns
      assert.strictEqual((yield* Sys.peek(desk)).status, "hibernating")
      assert.deepStrictEqual(yield* reader.seen, ["1: 1"])
    }).pipe(Effect.provide(keyed(script)))
  })

  it.effect("one that hibernates is not woken: its state is read from the store, and it goes on when it is back", () => {
    const script = new Scripted()
    return Effect.gen(function*() {
      const desk = yield* Desk.at("a")
      yield* desk.Add({ by: 1 })
      const before = yield* reading(Desk.changes("a"))
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* Sys.peek(desk)).status, "hibernating")
      const reader = yield* reading(GenServer.changes(desk))
      const other = yield* reading(Desk.changes("b"))
      assert.deepStrictEqual([yield* before.seen, yield* reader.seen, yield* other.seen], [["1: 1"], ["1: 1"], []])
      assert.strictEqual((yield* Sys.peek(desk)).status, "hibernating")
      yield* desk.Add({ by: 1 })
      yield* (yield* Desk.at("b")).Add({ by: 5 })
      assert.deepStrictEqual([yield* before.seen, yield* reader.seen, yield* other.seen], [["2: 2"], ["2: 2"], [
        "1: 5"
      ]])
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* Sys.peek(desk)).status, "hibernating")
    }).pipe(Effect.provide(keyed(script)))
  })

  it.effect("a state that is written late is shown when it is, and watching it has nothing written", () => {
    const script = new Scripted()
    return Effect.gen(function*() {
      const desk = yield* Desk
      const stored = yield* reading(GenServer.changes(desk))
      for (let n = 0; n < 100; n++) yield* desk.Add({ by: 1 })
      assert.deepStrictEqual([yield* stored.seen, script.count("save")], [[], 0])
      yield* TestClock.adjust("1 second")
      assert.strictEqual(script.count("save"), 1)
      const seen = yield* stored.seen
      assert.deepStrictEqual([seen.length, seen.at(-1)], [16, "100: 100"])
    }).pipe(Effect.provide(inStore(script, { when: { every: "1 second" } })))
  })

  it.effect("the last states of a tree that is closed are shown when they are stored", () => {
    const script = new Scripted()
    return Effect.gen(function*() {
      const reader = yield* Effect.gen(function*() {
        const desk = yield* Desk
        const reader = yield* reading(GenServer.changes(desk))
        yield* desk.Add({ by: 1 })
        return reader
      }).pipe(Effect.provide(inStore(script, { when: { every: "1 hour" } })))
      assert.deepStrictEqual([yield* reader.seen, yield* reader.isOver], [["1: 1", "end of #1 (Shutdown)"], true])
    })
  })
})

describe("of others", () => {
  it.effect("a state in memory that is conserved late is shown when it is", () =>
    Effect.gen(function*() {
      const desk = yield* Desk
      const stored = yield* reading(GenServer.changes(desk))
      const committed = yield* reading(GenServer.changes(desk, { show: "committed" }))
      yield* desk.Add({ by: 1 })
      yield* desk.Add({ by: 1 })
      assert.deepStrictEqual(yield* stored.seen, ["0: 0"])
      assert.deepStrictEqual(yield* committed.seen, ["0: 0", "1: 1?", "1: 2?"])
      const late = yield* reading(GenServer.changes(desk))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual([yield* stored.seen, yield* late.seen], [["1: 2"], ["1: 2"]])
      yield* Effect.exit(desk.Crash())
      assert.deepStrictEqual(yield* stored.seen, ["end of #1 (Crashed)", "#2 from 1: 2"])
    }).pipe(quietly, Effect.provide(inMemory({ when: { every: "1 second" } }))))

  it.effect("a state that nothing conserves is shown without a number", () =>
    Effect.gen(function*() {
      const desk = yield* Desk
      const reader = yield* reading(GenServer.changes(desk))
      yield* desk.Add({ by: 1 })
      yield* Effect.exit(desk.Crash())
      yield* desk.Add({ by: 5 })
      assert.deepStrictEqual(yield* reader.seen, ["0: 0", "0: 1", "end of #1 (Crashed)", "0: 0", "0: 5"])
    }).pipe(
      quietly,
      Effect.provide(Root.layer({ strategy: "one_for_one" }, [StateContainer.layerForget(Desk), Desk.layer(behavior)]))
    ))

  it.effect("a companion shows what its server commits, and what is set from outside", () =>
    Effect.gen(function*() {
      const companion = (yield* Desk.StateContainer).for()
      const reader = yield* reading(companion.changes())
      yield* (yield* Desk).Add({ by: 1 })
      yield* companion.set(7)
      assert.deepStrictEqual(yield* reader.seen, ["0: 0", "1: 1", "2: 7"])
    }).pipe(Effect.provide(inMemory())))

  it.effect("an agent is watched as any server", () => {
    class Box extends Agent.Service<Box>()("test/Box", { state: Schema.Int }) {}
    return Effect.gen(function*() {
      const box = yield* Box
      const reader = yield* reading(GenServer.changes(box))
      yield* box.update((n) => n + 1)
      assert.deepStrictEqual(yield* reader.seen, ["0: 1", "1: 2"])
    }).pipe(Effect.provide(
      Root.layer({ strategy: "one_for_one" }, [StateContainer.layerMemory(Box), Box.layer(1)])
    ))
  })

  it.effect("a server by key in memory goes on when it stops because it is left alone, and comes back", () =>
    Effect.gen(function*() {
      const desk = yield* Desk.at("a")
      const reader = yield* reading(GenServer.changes(desk))
      yield* desk.Add({ by: 1 })
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* desk.Add({ by: 1 }), 2)
      assert.deepStrictEqual(yield* reader.seen, ["0: 0", "1: 1", "end of #1 (Shutdown)", "#2 from 1: 1", "2: 2"])
      assert.isFalse(yield* reader.isOver)
    }).pipe(Effect.provide(
      Root.layer({ strategy: "one_for_one", restart }, [
        StateContainer.layerMemory(Desk),
        Desks.layer(),
        Layer.provide(Desk.layerKeyed(behavior, { passivate: { after: "10 seconds" } }), Desks.asSupervisor)
      ])
    )))
})
