/** An order or a signal that comes while a server ends already, and one that comes when it is down. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Latch, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import type { ExitReason } from "../../../../src/domain/process/ExitReason.ts"
import { GenServer, Process, Restart, StateContainer, Supervisor } from "../../../../src/index.ts"
import { Harness } from "../../../../src/testing.ts"
import { now, poll, turns } from "../../../kit/Fibers.ts"
import { never, often } from "../../../kit/Restarts.ts"

class Num extends GenServer.Service<Num>()("test/Num", {
  state: Schema.Int,
  messages: {
    Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int, timeout: "infinity" }),
    /** Works at what the test says, and cannot be interrupted. */
    Work: GenServer.call({ timeout: "infinity" })
  }
}) {}

class Top extends Supervisor.Service<Top>()("test/Top") {}

const slowly = Restart.backoff({ base: "1 minute", cap: "1 minute", jitter: 0 })

interface Given {
  readonly supervisor?: Partial<Supervisor.Options>
  readonly server?: GenServer.Options
  readonly terminate?: Effect.Effect<void>
  readonly work?: Effect.Effect<void>
}

const app = ({ server, supervisor, terminate, work = Effect.void }: Given) =>
  Layer.provideMerge(
    Top.layer({ id: "root", strategy: "one_for_one", restart: often, ...supervisor }, [
      StateContainer.layerMemory(Num),
      Num.layer(
        {
          init: 0,
          handlers: {
            Add: (n, { by }) => [n + by, n + by],
            Work: (n) => Effect.as(Effect.uninterruptible(work), [undefined, n] as const)
          },
          terminate: () => terminate
        },
        { shutdown: "infinity", ...server }
      )
    ]),
    Harness.Harness.layer
  )

const mine: ExitReason = { _tag: "Shutdown", detail: "mine" }
const other: ExitReason = { _tag: "Shutdown", detail: "another's" }

/** How a stop that was waited for went. */
const stopped = (num: typeof Num.Service, reason: ExitReason): Effect.Effect<string> =>
  Effect.match(GenServer.stop(num, reason), {
    onSuccess: ({ _tag }) => _tag,
    onFailure: (error) => error._tag === "StopFailed" ? `StopFailed, ${error.reason._tag}` : error._tag
  })

/** What ends a server in order, or at once, and what is heard of that. */
const signals = {
  "a stop": (num) => stopped(num, mine),
  "a stop for another reason": (num) => stopped(num, { _tag: "Normal" }),
  "a signal": (num) => Effect.as(Process.exit(num, other), "done"),
  "an order of its supervisor": () => Effect.flatMap(Top, (top) => Effect.as(top.terminateChild("test/Num"), "done")),
  "a kill": (num) => Effect.as(Process.kill(num), "done")
} satisfies Record<string, (num: typeof Num.Service) => Effect.Effect<string, unknown, Top>>

type Signal = keyof typeof signals
const raise = (signal: Signal, num: typeof Num.Service): Effect.Effect<string, unknown, Top> => signals[signal](num)

/** How one ends that the first of these has begun to end. */
const first = {
  "a stop": mine,
  "a signal": other,
  "an order of its supervisor": { _tag: "Shutdown" }
} satisfies Partial<Record<Signal, ExitReason>>

/** What is to be heard by then. */
const heard = (signal: Signal, { _tag }: ExitReason): string => {
  const asked = { "a stop": "Shutdown", "a stop for another reason": "Normal" }[signal as string]
  if (asked === undefined) return "done"
  return asked === _tag ? _tag : `StopFailed, ${_tag}`
}

for (const before of Object.keys(first) as Array<keyof typeof first>) {
  describe(`a server that cleans up after ${before}`, () => {
    for (const signal of Object.keys(signals) as Array<Signal>) {
      const isKill = signal === "a kill"
      const isOrder = [before, signal].includes("an order of its supervisor")
      it.effect(`and gets ${signal} ends ${isKill ? "at once" : "as it had begun to"}, once, and all who wait hear of it`, () => {
        const gate = Latch.makeUnsafe()
        let cleaned = 0
        const terminate = Effect.andThen(gate.await, Effect.sync(() => void cleaned++))
        return Effect.gen(function*() {
          const [num, harness] = [yield* Num, yield* Harness.Harness]
          yield* num.Add({ by: 41 })
          const earlier = yield* now(raise(before, num))
          yield* turns
          const later = yield* now(raise(signal, num))
          yield* TestClock.adjust("1 hour")
          const exits = Effect.map(
            harness.eventsOf(num),
            (events) => events.flatMap((event) => event._tag === "Exited" ? [event.reason] : [])
          )
          if (!isKill) {
            assert.deepStrictEqual(yield* exits, [])
            yield* gate.open
            yield* turns
          }
          const reason: ExitReason = isKill ? { _tag: "Killed" } : first[before]
          assert.deepStrictEqual([yield* exits, cleaned], [[reason], isKill ? 0 : 1])
          assert.deepStrictEqual(
            [poll(earlier), poll(later)],
            [before, signal].map((one) => Exit.succeed(heard(one, reason)))
          )
          assert.strictEqual(yield* Process.status(num), isOrder ? "stopped" : "running")
          assert.strictEqual(yield* Process.incarnation(num), isOrder ? 1 : 2)
          if (!isOrder) assert.strictEqual(yield* num.Add({ by: 1 }), 42)
        }).pipe(Effect.ensuring(gate.open), Effect.provide(app({ terminate })))
      })
    }
  })
}

for (const before of ["a signal", "an order of its supervisor"] as const) {
  describe(`a server at work that cannot be interrupted, after ${before}`, () => {
    for (const signal of Object.keys(signals) as Array<Signal>) {
      const isKill = signal === "a kill"
      const isOrder = [before, signal].includes("an order of its supervisor")
      it.effect(`and gets ${signal} ends ${isKill ? "within five seconds" : "when it is done"}, and all who wait hear of it`, () => {
        const gate = Latch.makeUnsafe()
        return Effect.gen(function*() {
          const num = yield* Num
          yield* num.Add({ by: 41 })
          yield* now(Effect.exit(num.Work()))
          const earlier = yield* now(raise(before, num))
          const later = yield* now(raise(signal, num))
          yield* TestClock.adjust(isKill ? "4999 millis" : "1 hour")
          assert.deepStrictEqual([yield* Process.incarnation(num), yield* Process.status(num)], [1, "running"])
          if (isKill) yield* TestClock.adjust("1 millis")
          else yield* gate.open
          yield* turns
          // An order of the supervisor is the last word on the reason, but for a kill.
          const reason: ExitReason = isKill ? { _tag: "Killed" } : isOrder ? { _tag: "Shutdown" } : other
          assert.deepStrictEqual(num[Process.processOf].lastExit, reason)
          assert.deepStrictEqual(
            [poll(earlier), poll(later)],
            [before, signal].map((one) => Exit.succeed(heard(one, reason)))
          )
          assert.strictEqual(yield* Process.status(num), isOrder ? "stopped" : "running")
        }).pipe(Effect.ensuring(gate.open), Effect.provide(app({ work: gate.await })))
      })
    }
  })
}

describe("a server that releases what it holds, after a stop, and is killed", () => {
  /** A finalizer that says itself that it may be interrupted. */
  const releasing = (gate: Latch.Latch, log: Array<string>) =>
    Effect.acquireRelease(
      Effect.void,
      () => Effect.andThen(Effect.interruptible(gate.await), Effect.sync(() => log.push("released")))
    )
  const layer = (gate: Latch.Latch, log: Array<string>) =>
    Supervisor.layer({ strategy: "one_for_one" }, [
      StateContainer.layerMemory(Num),
      Num.layer(
        Effect.as(
          releasing(gate, log),
          Num.behavior({ init: 0, handlers: { Add: (n, { by }) => [n + by, n + by], Work: (n) => [undefined, n] } })
        ),
        { shutdown: "infinity" }
      )
    ])
  const killed = Effect.gen(function*() {
    const num = yield* Num
    const stop = yield* now(stopped(num, mine))
    yield* turns
    yield* Process.kill(num)
    yield* TestClock.adjust("4999 millis")
    assert.isUndefined(poll(stop))
    return { num, stop }
  })

  it.effect("has five seconds for that, undisturbed", () => {
    const [gate, log] = [Latch.makeUnsafe(), new Array<string>()]
    return Effect.gen(function*() {
      const { num, stop } = yield* killed
      yield* gate.open
      yield* turns
      assert.deepStrictEqual([poll(stop), log], [Exit.succeed("StopFailed, Killed"), ["released"]])
      assert.strictEqual(yield* Process.incarnation(num), 2)
    }).pipe(Effect.provide(layer(gate, log)))
  })

  it.effect("and is left behind then", () => {
    const gate = Latch.makeUnsafe()
    return Effect.gen(function*() {
      const { num, stop } = yield* killed
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(poll(stop), Exit.succeed("StopFailed, Killed"))
      assert.strictEqual(yield* Process.incarnation(num), 2)
      yield* gate.open
    }).pipe(Effect.provide(layer(gate, [])))
  })
})

describe("a signal to a server that is down concerns no later incarnation", () => {
  const downs = {
    "waits for its restart": { restart: slowly },
    "is parked": { restart: never, onGiveUp: "park" },
    "was terminated": {}
  } satisfies Record<string, Partial<Supervisor.Options>>
  for (const [down, supervisor] of Object.entries(downs)) {
    for (const signal of ["a kill", "a signal"] as const) {
      it.effect(`${signal} to one that ${down}`, () =>
        Effect.gen(function*() {
          const [num, top, harness] = [yield* Num, yield* Top, yield* Harness.Harness]
          yield* num.Add({ by: 41 })
          if (down === "was terminated") yield* top.terminateChild("test/Num")
          else yield* Process.kill(num)
          yield* turns
          yield* harness.clear
          yield* raise(signal, num)
          if (down === "was terminated") yield* top.restartChild("test/Num")
          else if (down === "is parked") yield* top.resumeChild("test/Num")
          yield* TestClock.adjust("1 minute")
          assert.strictEqual(yield* num.Add({ by: 1 }), 42)
          assert.strictEqual(yield* Process.incarnation(num), 2)
          assert.notInclude(yield* harness.historyOf(num), "Exited")
        }).pipe(Effect.provide(app({ supervisor }))))
    }
  }
})
