/** What is left of callers and senders that have gone: nothing, wherever their message was. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { GenServer, Next, StateContainer, Supervisor, Sys } from "../../../../src/index.ts"
import { serverOf } from "../../../../src/layers/server/class/ServerRef.ts"
import { Harness } from "../../../../src/testing.ts"
import { tagOf } from "../../../kit/Failures.ts"
import { now } from "../../../kit/Fibers.ts"
import { many, reachable } from "../../../kit/Garbage.ts"
import { sinkOf } from "../../../kit/Sinks.ts"

const some = many / 2
/** A few may stay until it is their turn. */
const few = 65

class Desk extends GenServer.Service<Desk>()("test/Desk", {
  state: Schema.Array(Schema.Int),
  messages: {
    Ask: GenServer.call({ payload: { n: Schema.Int }, reply: Schema.Int }),
    Tell: GenServer.cast({ payload: { n: Schema.Int } }),
    /** Is answered later, if ever. */
    Later: GenServer.call({ payload: { n: Schema.Int }, reply: Schema.Int }),
    Answer: GenServer.cast({ payload: { with: Schema.Int } }),
    Told: GenServer.call({ reply: Schema.Array(Schema.Int), timeout: "infinity" })
  }
}) {}

/** A desk; `work` is what `Ask` waits for. */
const desk = (work: Effect.Effect<void>, options: GenServer.Options = {}) => {
  let first: GenServer.From<number> | undefined
  const app = Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
    StateContainer.layerMemory(Desk),
    Desk.layer({
      init: [],
      handlers: {
        Ask: (told, { n }) => Effect.as(work, [n, told] as const),
        Tell: (told, { n }) => [...told, n],
        Later: (told, _, { from }) => {
          first = from
          return Next.noReply(told)
        },
        Answer: (told, { with: n }) => Effect.as(GenServer.reply(first!, Exit.succeed(n)), told),
        Told: (told) => [told, told]
      }
    }, options)
  ])
  return Layer.provideMerge(app, Harness.Harness.layer)
}

/** Payloads of messages, and how many of them are still somewhere. */
const payloads = () => {
  const made: Array<WeakRef<object>> = []
  return {
    make: (n = made.length) => {
      const payload = { n }
      made.push(new WeakRef(payload))
      return payload
    },
    left: Effect.suspend(() => reachable(made)),
    few: Effect.suspend(() => reachable(made, few))
  }
}

/** Sends a message over and over again, and lets go of the fibers that wait. */
const send = <A, E, R>(n: number, message: () => Effect.Effect<A, E, R>) =>
  Effect.forEach(Array.from({ length: n }), () => now(Effect.exit(message())))

describe("before a full mailbox", () => {
  const stuck = desk(Effect.never, { mailbox: { capacity: 1 } })

  it.effect(`${many} callers that have timed out leave nothing, and those that wait keep their places`, () =>
    Effect.gen(function*() {
      const [own, one] = [yield* Desk, payloads()]
      yield* now(own.Ask({ n: 0 }, { timeout: "2 seconds" }))
      yield* own.Tell({ n: 1 })
      const before = yield* now(own.Tell({ n: 2 }))
      yield* send(many, () => own.Ask(one.make(), { timeout: "1 second" }))
      const after = yield* now(own.Tell({ n: 3 }))
      assert.strictEqual(yield* one.left, many)
      yield* TestClock.adjust("1 second")
      assert.isAtMost(yield* one.few, few)
      const { telemetry } = yield* Harness.Harness
      assert.strictEqual(sinkOf(telemetry).counters.queued, 3)
      assert.deepStrictEqual([before.pollUnsafe(), after.pollUnsafe()], [undefined, undefined])
    }).pipe(Effect.provide(stuck)))

  it.effect(`${some} casters that were interrupted leave nothing`, () =>
    Effect.gen(function*() {
      const [own, one] = [yield* Desk, payloads()]
      yield* now(own.Ask({ n: 0 }))
      yield* own.Tell({ n: 1 })
      const casters = yield* send(some, () => own.Tell(one.make()))
      assert.strictEqual(yield* one.left, some)
      yield* Fiber.interruptAll(casters.splice(0))
      assert.isAtMost(yield* one.few, few)
    }).pipe(Effect.provide(stuck)))

  it.effect("those who have given up do not keep the others out, nor move them", () => {
    const waits = Effect.sleep("1 minute")
    return Effect.gen(function*() {
      const own = yield* Desk
      yield* now(own.Ask({ n: 0 }, { timeout: "infinity" }))
      yield* own.Tell({ n: 0 })
      const expected = [0]
      // Those that go are first few, then the greater part.
      for (let n = 1; n <= 200; n++) {
        const stays = n <= 40 ? n % 3 === 0 : n % 50 === 0
        const sender = yield* now(own.Tell({ n }))
        if (stays) expected.push(n)
        else yield* Fiber.interrupt(sender)
      }
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* own.Told(), expected)
      const { telemetry } = yield* Harness.Harness
      assert.strictEqual(sinkOf(telemetry).counters.queued, 0)
    }).pipe(Effect.provide(desk(waits, { mailbox: { capacity: 1 } })))
  })
})

describe("after Next.noReply", () => {
  it.effect(`${some} callers that have timed out are forgotten`, () =>
    Effect.gen(function*() {
      const [own, one] = [yield* Desk, payloads()]
      yield* send(some, () => own.Later(one.make(), { timeout: "1 second" }))
      assert.strictEqual(yield* one.left, some)
      yield* TestClock.adjust("1 second")
      assert.isAtMost(yield* one.few, few)
    }).pipe(Effect.provide(desk(Effect.void))))

  it.effect(`a call with a key that was made again ${many} times is kept once, and answered to who waits`, () =>
    Effect.gen(function*() {
      const [own, one] = [yield* Desk, payloads()]
      const [timeout, idempotencyKey] = ["1 second", "one"] as const
      const first = yield* now(Effect.exit(own.Later({ n: 1 }, { timeout, idempotencyKey })))
      yield* send(many, () => own.Later(one.make(1), { timeout, idempotencyKey }))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(tagOf(yield* Fiber.join(first)), "Timeout")
      const last = yield* now(own.Later({ n: 1 }, { idempotencyKey }))
      assert.isAtMost(yield* one.few, few)
      yield* own.Answer({ with: 7 })
      assert.strictEqual(yield* Fiber.join(last), 7)
      assert.strictEqual(yield* own.Later({ n: 1 }, { idempotencyKey }), 7)
    }).pipe(Effect.provide(desk(Effect.void))))
})

it.effect(`${some} requests of the system that have timed out leave nothing`, () =>
  Effect.gen(function*() {
    const own = yield* Desk
    yield* now(own.Ask({ n: 0 }))
    const waits = yield* now(Sys.getState(own, { timeout: "infinity" }))
    const made: Array<WeakRef<object>> = []
    yield* send(some, () => {
      const change = (told: ReadonlyArray<number>) => told
      made.push(new WeakRef(change))
      return Sys.replaceState(own, change, { timeout: "1 second" })
    })
    assert.strictEqual(yield* reachable(made), some)
    yield* TestClock.adjust("1 second")
    assert.isAtMost(yield* reachable(made, few), few)
    assert.isUndefined(waits.pollUnsafe())
  }).pipe(Effect.provide(desk(Effect.never))))

it.effect("a stop that was given up is not observed any more, were it sent a thousand times", () =>
  Effect.gen(function*() {
    const own = yield* Desk
    yield* now(own.Ask({ n: 0 }))
    const stops = yield* Effect.forEach(
      Array.from({ length: 1000 }),
      (_, i) => now(Effect.exit(GenServer.stop(own, undefined, i % 2 === 0 ? {} : { timeout: "1 second" })))
    )
    const { observers } = serverOf(own)!.occasional!
    assert.isFalse(observers!.isEmpty)
    yield* TestClock.adjust("1 second")
    yield* Fiber.interruptAll(stops)
    assert.isTrue(observers!.isEmpty)
  }).pipe(Effect.provide(desk(Effect.never))))
