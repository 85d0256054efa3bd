/** Restore that learns, as servers over every kind of companion see it. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Latch, Layer, Option } from "effect"
import { TestClock } from "effect/testing"
import type { Lifecycle } from "../../../../src/domain/observation/Lifecycle.ts"
import { toCause } from "../../../../src/domain/process/ExitReason.ts"
import { GenServer, Process, StateContainer, StateTable, Supervisor, Sys } from "../../../../src/index.ts"
import { Harness } from "../../../../src/testing.ts"
import { now, turns } from "../../../kit/Fibers.ts"
import { Fragile, FragileLive, kinds, mood, poison, Refused, tree, turning } from "../../../kit/Fragile.ts"
import { often } from "../../../kit/Restarts.ts"
import { away, Scripted } from "../../../kit/Scripted.ts"

const server = Fragile
type Server = typeof Fragile.Service

/** What was given up, as the events tell it. */
const losses = Effect.flatMap(
  Harness.Harness,
  (harness) =>
    Effect.map(harness.events, (events) =>
      events.flatMap((event) =>
        event._tag === "StateSetAside"
          ? [["aside", event.seq]]
          : event._tag === "StateRolledBack"
          ? [["back", event.from, event.to]]
          : []
      ))
)

const refusal = (event: Extract<Lifecycle, { readonly _tag: "StartFailed" }>): GenServer.StateRefused => {
  const error = Cause.squash(toCause(event.reason))
  assert.instanceOf(error, GenServer.StateRefused)
  return error
}

const crashes = (call: Effect.Effect<unknown, unknown>) =>
  Effect.map(Effect.exit(call), (exit) => {
    const error = Option.getOrUndefined(Exit.findErrorOption(exit))
    assert.isTrue(error instanceof GenServer.CallError && error.reason._tag === "Crashed", String(error))
  })

/** Crashes it on `n` messages that are different, each the first of its incarnation. */
const crashOn = (fragile: Server, n: number) =>
  Effect.forEach(Array.from({ length: n }, (_, n) => n), (n) => crashes(fragile.Crash({ n })), { discard: true })

/** Crashes it on a call that reads and two that would write: three different messages. */
const crashThrice = (fragile: Server) =>
  Effect.gen(function*() {
    yield* crashes(fragile.Get())
    yield* crashes(fragile.Add({ by: 1 }))
    yield* crashes(fragile.Add({ by: 2 }))
  })

/** A good state, and after it one that is not good. */
const worsen = (fragile: Server, to: number) => Effect.andThen(fragile.Set({ to: 41 }), fragile.Set({ to }))

/** An incarnation that has started from a good state, and has handled nothing yet. */
const restored = (fragile: Server) => Effect.andThen(fragile.Set({ to: 41 }), Process.kill(fragile))

const companionOf = Effect.map(server.StateContainer, (container) => container.for())

describe.each(kinds)("over a companion in %s", (kind) => {
  it.effect("a state that kills each incarnation that restores it gives way to the last good one, within the budget", () =>
    Effect.gen(function*() {
      const fragile = yield* Fragile
      const harness = yield* Harness.Harness
      yield* worsen(fragile, poison.restore)
      yield* crashes(fragile.Crash({}))
      assert.strictEqual(yield* fragile.Add({ by: 1 }), 42)
      assert.deepStrictEqual(yield* losses, [["aside", 2], ["back", 2, 1]])
      const { why } = yield* harness.awaitTag("StateRolledBack", fragile)
      assert.include(why, "restore crashed on snapshot 2: crashed: bad state")
      assert.strictEqual(yield* Process.incarnation(fragile), 3)
    }).pipe(Effect.provide(tree(kind))))

  it.effect("so does one that kills what it continues with", () =>
    Effect.gen(function*() {
      const fragile = yield* Fragile
      yield* worsen(fragile, poison.continueWith)
      yield* crashes(fragile.Crash({}))
      assert.strictEqual(yield* fragile.Add({ by: 1 }), 42)
      assert.deepStrictEqual(yield* losses, [["aside", 2], ["back", 2, 1]])
    }).pipe(Effect.provide(tree(kind))))

  it.effect("nothing is deleted: a snapshot that was set aside can be looked at, and its number is not used again", () =>
    Effect.gen(function*() {
      const fragile = yield* Fragile
      const companion = yield* companionOf
      yield* worsen(fragile, poison.restore)
      yield* crashes(fragile.Crash({}))
      yield* fragile.Add({ by: 1 })
      const aside = yield* companion.aside
      assert.deepStrictEqual(aside.map(({ seq, state }) => [seq, String(state)]), [[2, "-1"]])
      assert.include(aside[0]!.why, "restore crashed on snapshot 2")
      assert.deepStrictEqual((yield* companion.snapshots)[0]?.seq, 3)
      yield* fragile.Set({ to: poison.restore })
      yield* crashes(fragile.Crash({}))
      assert.strictEqual(yield* fragile.Get(), 42)
      assert.deepStrictEqual((yield* companion.aside).map(({ seq }) => seq), [2, 4])
    }).pipe(Effect.provide(tree(kind, {}, 10))))

  it.effect("with none left to go back to, it starts from init", () =>
    Effect.gen(function*() {
      const fragile = yield* Fragile
      yield* fragile.Set({ to: poison.restore })
      yield* crashes(fragile.Crash({}))
      assert.strictEqual(yield* fragile.Get(), 0)
      assert.deepStrictEqual(yield* losses, [["aside", 1], ["back", 1, undefined]])
      assert.strictEqual(yield* fragile.Add({ by: 7 }), 7)
      yield* Process.kill(fragile)
      assert.strictEqual(yield* fragile.Get(), 7)
    }).pipe(Effect.provide(tree(kind))))

  it.effect("a state that a person replaced is no better than it was: nothing was handled from it", () =>
    Effect.gen(function*() {
      const fragile = yield* Fragile
      const companion = yield* companionOf
      yield* fragile.Set({ to: 41 })
      yield* companion.set(poison.restore)
      yield* crashes(fragile.Crash({}))
      assert.strictEqual(yield* fragile.Get(), 0)
      assert.deepStrictEqual((yield* losses).at(-1), ["back", 2, undefined])
    }).pipe(Effect.provide(tree(kind))))

  it.effect("a state that a callback made of a good one gives way to that one", () =>
    Effect.gen(function*() {
      const fragile = yield* Fragile
      yield* fragile.Set({ to: turning })
      // handled from what it was restored from: that one is trusted
      yield* Process.kill(fragile)
      assert.deepStrictEqual(yield* Effect.exit(fragile.Refuse()), Exit.fail(new Refused()))
      mood.isBad = true
      yield* crashes(fragile.Crash({}))
      yield* turns
      mood.isBad = false
      assert.deepStrictEqual(yield* Effect.flatMap(companionOf, (one) => one.get), Option.some(poison.restore))
      yield* Process.kill(fragile)
      assert.strictEqual(yield* fragile.Get(), turning)
    }).pipe(Effect.provide(tree(kind, {}, 10))))

  describe("when only messages crash on it", () => {
    it.effect("onSuspect \"rollback\": the third different one leads to the last good state, within the budget", () =>
      Effect.gen(function*() {
        const fragile = yield* Fragile
        const harness = yield* Harness.Harness
        yield* worsen(fragile, poison.handlers)
        yield* Process.kill(fragile)
        yield* crashes(fragile.Get())
        yield* crashes(fragile.Add({ by: 1 }))
        assert.deepStrictEqual(yield* losses, [])
        yield* crashes(fragile.Add({ by: 2 }))
        assert.strictEqual(yield* fragile.Add({ by: 1 }), 42)
        assert.deepStrictEqual(yield* losses, [["aside", 2], ["back", 2, 1]])
        const { why } = yield* harness.awaitTag("StateRolledBack", fragile)
        assert.strictEqual(why, "3 different messages (Add, Get) crashed on snapshot 2 before any was handled")
      }).pipe(Effect.provide(tree(kind, { onSuspect: "rollback" }, 4))))

    it.effect("also when it was read from outside, and set again, meanwhile: that handles nothing", () =>
      Effect.gen(function*() {
        const fragile = yield* Fragile
        yield* worsen(fragile, poison.handlers)
        yield* Process.kill(fragile)
        assert.strictEqual(yield* Sys.getState(fragile), poison.handlers)
        assert.strictEqual(yield* Sys.replaceState(fragile, (state) => state), poison.handlers)
        yield* crashThrice(fragile)
        assert.strictEqual(yield* fragile.Add({ by: 1 }), 42)
      }).pipe(Effect.provide(tree(kind, { onSuspect: "rollback" }, 4))))

    it.effect("also when every start makes another state of it", () =>
      Effect.gen(function*() {
        const fragile = yield* Fragile
        yield* worsen(fragile, poison.changing)
        yield* Process.kill(fragile)
        for (const by of [1, 2, 3]) yield* crashes(fragile.Add({ by }))
        assert.strictEqual(yield* fragile.Add({ by: 1 }), 42)
        const [first, ...others] = yield* losses
        assert.deepStrictEqual(first?.[0], "aside")
        assert.deepStrictEqual(others.at(-1)?.[0], "back")
        assert.deepStrictEqual(others.at(-1)?.[2], 1)
      }).pipe(Effect.provide(tree(kind, { onSuspect: "rollback" }, 4))))

    it.effect("by default it decides nothing itself: it gives up with a report, and the state is still there", () =>
      Effect.gen(function*() {
        const fragile = yield* Fragile
        const harness = yield* Harness.Harness
        yield* worsen(fragile, poison.handlers)
        yield* Process.kill(fragile)
        yield* crashThrice(fragile)
        const error = refusal(yield* harness.awaitTag("StartFailed", fragile))
        assert.include(error.message, "does not start on its conserved state (snapshot 2)")
        assert.include(error.message, "3 different messages (Add, Get) crashed on snapshot 2 before any was handled")
        yield* harness.awaitTag("GaveUp", "root")
        assert.deepStrictEqual(yield* losses, [])
        assert.deepStrictEqual(yield* Effect.map(companionOf, (one) => one.get).pipe(Effect.flatten), Option.some(-3))
      }).pipe(Effect.provide(tree(kind, {}, 4))))

    it.effect("the start after that tries anew: the handlers may have been mended", () =>
      Effect.gen(function*() {
        const fragile = yield* Fragile
        const harness = yield* Harness.Harness
        yield* fragile.Set({ to: poison.handlers })
        yield* Process.kill(fragile)
        yield* crashThrice(fragile)
        yield* harness.awaitTag("StartFailed", fragile)
        assert.strictEqual(yield* Sys.getState(fragile), poison.handlers)
        assert.strictEqual(yield* fragile.Set({ to: 5 }), 5)
        assert.deepStrictEqual(yield* losses, [])
      }).pipe(Effect.provide(tree(kind, {}, 10))))
  })

  describe("onSuspect \"refuse\"", () => {
    it.effect("never rolls back and never starts on a suspect; the error says what to do", () =>
      Effect.gen(function*() {
        const fragile = yield* Fragile
        const harness = yield* Harness.Harness
        yield* worsen(fragile, poison.restore)
        yield* crashes(fragile.Crash({}))
        const error = refusal(yield* harness.awaitTag("StartFailed", fragile, 2))
        assert.include(
          error.message,
          "does not start on its conserved state (snapshot 2): restore crashed on snapshot 2"
        )
        assert.include(error.message, "Nothing was deleted")
        yield* harness.awaitTag("GaveUp", "root")
        assert.deepStrictEqual(yield* losses, [])
        assert.deepStrictEqual(yield* Effect.map(companionOf, (one) => one.get).pipe(Effect.flatten), Option.some(-1))
      }).pipe(Effect.provide(tree(kind, { onSuspect: "refuse" }))))

    it.effect("until a person has replaced the state", () =>
      Effect.gen(function*() {
        const fragile = yield* Fragile
        const companion = yield* companionOf
        yield* fragile.Set({ to: poison.restore })
        // the server is alive: what it goes on with is its own, what it starts from next is this
        yield* companion.set(41)
        yield* crashes(fragile.Crash({}))
        assert.strictEqual(yield* fragile.Add({ by: 1 }), 42)
        assert.deepStrictEqual(yield* losses, [])
      }).pipe(Effect.provide(tree(kind, { onSuspect: "refuse" }))))
  })

  describe("nothing is rolled back", () => {
    it.effect("for fifty times the same crashing call, with retries and redeliveries", () =>
      Effect.gen(function*() {
        const fragile = yield* Fragile
        yield* restored(fragile)
        yield* Effect.exit(Effect.retry(fragile.Crash({ n: 1 }), { times: 49 }))
        const exit = yield* Effect.exit(Effect.retry(fragile.CrashAgain({ n: 1 }), { times: 9 }))
        const error = Option.getOrUndefined(Exit.findErrorOption(exit))
        assert.deepStrictEqual(error?.reason, { _tag: "Quarantined", attempts: 5 })
        assert.deepStrictEqual(yield* losses, [])
        assert.strictEqual(yield* fragile.Add({ by: 1 }), 42)
      }).pipe(Effect.provide(tree(kind, { onSuspect: "rollback" }, 1000))))

    it.effect("for kills and interruptions, whatever was in hand", () =>
      Effect.gen(function*() {
        const fragile = yield* Fragile
        yield* restored(fragile)
        for (let n = 0; n < 10; n++) {
          yield* now(Effect.exit(fragile.Hang({ n })))
          yield* turns
          yield* Process.kill(fragile)
          yield* turns
        }
        assert.deepStrictEqual(yield* losses, [])
        assert.strictEqual(yield* fragile.Add({ by: 1 }), 42)
      }).pipe(Effect.provide(tree(kind, { onSuspect: "rollback" }, 1000))))

    it.effect("once any message was handled from it, were it a typed failure: it is trusted for good", () =>
      Effect.gen(function*() {
        const fragile = yield* Fragile
        yield* restored(fragile)
        assert.deepStrictEqual(yield* Effect.exit(fragile.Refuse()), Exit.fail(new Refused()))
        yield* crashOn(fragile, 10)
        assert.deepStrictEqual(yield* losses, [])
        assert.strictEqual(yield* fragile.Add({ by: 1 }), 42)
      }).pipe(Effect.provide(tree(kind, { onSuspect: "rollback" }, 1000))))

    it.effect("when one of the crashes was of an incarnation that had handled something", () =>
      Effect.gen(function*() {
        const fragile = yield* Fragile
        yield* restored(fragile)
        assert.strictEqual(yield* fragile.Get(), 41)
        yield* crashOn(fragile, 3)
        assert.deepStrictEqual(yield* losses, [])
        assert.strictEqual(yield* fragile.Add({ by: 1 }), 42)
      }).pipe(Effect.provide(tree(kind, { onSuspect: "rollback" }, 1000))))

    it.effect("once a message was handled that changed nothing, by the incarnation that made it", () =>
      Effect.gen(function*() {
        const fragile = yield* Fragile
        yield* fragile.Set({ to: 41 })
        assert.strictEqual(yield* fragile.Get(), 41)
        yield* crashOn(fragile, 10)
        assert.deepStrictEqual(yield* losses, [])
        assert.strictEqual(yield* fragile.Add({ by: 1 }), 42)
      }).pipe(Effect.provide(tree(kind, { onSuspect: "rollback" }, 1000))))

    for (const message of ["Set", "Put"] as const) {
      it.effect(`when the first of the crashes was of the incarnation that made it (${message})`, () =>
        Effect.gen(function*() {
          const fragile = yield* Fragile
          yield* fragile[message]({ to: 41 })
          yield* crashOn(fragile, 3)
          assert.deepStrictEqual(yield* losses, [])
          assert.strictEqual(yield* fragile.Add({ by: 1 }), 42)
        }).pipe(Effect.provide(tree(kind, { onSuspect: "rollback" }, 1000))))
    }

    it.effect("for crashes of incarnations that had handled something", () =>
      Effect.gen(function*() {
        const fragile = yield* Fragile
        for (let n = 0; n < 10; n++) {
          yield* fragile.Add({ by: 1 })
          yield* crashes(fragile.Crash({ n }))
        }
        assert.deepStrictEqual(yield* losses, [])
        assert.strictEqual(yield* fragile.Get(), 10)
      }).pipe(Effect.provide(tree(kind, { onSuspect: "rollback" }, 1000))))
  })
})

it.effect("a store that is away when a snapshot is set aside is asked again, and nothing is charged", () => {
  const script = new Scripted()
  return Effect.gen(function*() {
    const fragile = yield* Fragile
    const harness = yield* Harness.Harness
    yield* worsen(fragile, poison.restore)
    script.before = (operation) => operation === "setAside" ? away(operation) : Effect.void
    const crashed = yield* now(Effect.exit(fragile.Crash({})))
    yield* TestClock.adjust("1 second")
    script.before = () => Effect.void
    yield* TestClock.adjust("3 seconds")
    yield* Fiber.join(crashed)
    assert.strictEqual(yield* fragile.Add({ by: 1 }), 42)
    assert.deepStrictEqual(yield* losses, [["aside", 2], ["back", 2, 1]])
    const history = yield* harness.historyOf(fragile)
    assert.lengthOf(history.filter((tag) => tag === "StartFailed"), 1)
  }).pipe(Effect.provide(tree("store", {}, 3, script)))
})

for (const [what, to] of [["", 50], [", or of what a callback made of that", poison.changing]] as const) {
  it.effect(`evidence against a row does not count against one that was put in its place${what}`, () =>
    Effect.gen(function*() {
      const fragile = yield* Fragile
      const table = yield* StateTable.StateTable
      yield* restored(fragile)
      yield* crashOn(fragile, 2)
      yield* table.put("row", to)
      yield* Process.kill(fragile)
      yield* crashes(fragile.Crash({ n: 2 }))
      yield* turns
      assert.deepStrictEqual(yield* losses, [])
    }).pipe(Effect.provide(
      Supervisor.layer({ id: "root", strategy: "one_for_one", restart: often }, [
        StateContainer.layerTable(Fragile, { onSuspect: "rollback", row: () => "row" }),
        FragileLive
      ]).pipe(Layer.provideMerge(Layer.merge(Harness.Harness.layer, StateTable.StateTable.layer)))
    )))
}

const late = [{ every: "1 minute" }, "terminate"] as const

describe.each(kinds.flatMap((kind) => late.map((when) => [kind, when] as const)))(
  "over a companion in %s that conserves late (%j)",
  (kind, when) => {
    /** A good state that is conserved, and then one that is not good; each with the last word of an incarnation. */
    const spoil = (fragile: Server, to: number) =>
      Effect.gen(function*() {
        yield* fragile.Set({ to: 41 })
        yield* crashes(fragile.Crash({}))
        yield* TestClock.adjust("1 minute")
        yield* fragile.Set({ to })
        yield* crashes(fragile.Crash({}))
      })

    for (const callback of ["restore", "continueWith"] as const) {
      it.effect(`a state that kills ${callback} gives way to the last good one`, () =>
        Effect.gen(function*() {
          const fragile = yield* Fragile
          yield* spoil(fragile, poison[callback])
          assert.strictEqual(yield* fragile.Add({ by: 1 }), 42)
          assert.deepStrictEqual(yield* losses, [["aside", 2], ["back", 2, 1]])
        }).pipe(Effect.provide(tree(kind, { when }))))
    }

    it.effect("so does one that kills whatever is asked of it, where that is wanted", () =>
      Effect.gen(function*() {
        const fragile = yield* Fragile
        yield* spoil(fragile, poison.handlers)
        for (const by of [1, 2, 3]) yield* crashes(fragile.Add({ by }))
        assert.strictEqual(yield* fragile.Add({ by: 1 }), 42)
        assert.deepStrictEqual(yield* losses, [["aside", 2], ["back", 2, 1]])
      }).pipe(Effect.provide(tree(kind, { when, onSuspect: "rollback" }, 10))))

    it.effect("also when every start makes another state of it", () =>
      Effect.gen(function*() {
        const fragile = yield* Fragile
        yield* spoil(fragile, poison.changing)
        for (const by of [1, 2, 3]) yield* crashes(fragile.Add({ by }))
        assert.strictEqual(yield* fragile.Add({ by: 1 }), 42)
        assert.deepStrictEqual((yield* losses).at(-1)?.[2], 1)
      }).pipe(Effect.provide(tree(kind, { when, onSuspect: "rollback" }, 10))))
  }
)

it.effect("evidence against a snapshot does not count against one that was set in its place from outside", () => {
  const script = new Scripted()
  return Effect.gen(function*() {
    const fragile = yield* Fragile
    const harness = yield* Harness.Harness
    yield* worsen(fragile, poison.restore)
    const [newest] = yield* script.memory.load("test/Fragile")
    const gate = Latch.makeUnsafe(false)
    script.before = (operation) => operation === "load" ? gate.await : Effect.void
    yield* crashes(fragile.Crash({}))
    yield* harness.awaitTag("StartFailed", fragile)
    yield* script.memory.setAside({ key: "test/Fragile", seq: 2, epoch: newest!.epoch, why: "looked at" })
    yield* gate.open
    assert.strictEqual(yield* fragile.Add({ by: 1 }), 42)
  }).pipe(Effect.provide(tree("store", { onSuspect: "refuse" }, 3, script)))
})
