import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Scope } from "effect"
import { TestClock } from "effect/testing"
import * as KeyLock from "../../../src/layers/naming/KeyLock.ts"

describe("locks by key", () => {
  it.effect("one at a time per key, in the order of asking", () =>
    Effect.gen(function*() {
      const locks = KeyLock.make<readonly [string, number]>()
      const log: Array<string> = []
      const gates = yield* Effect.all([Deferred.make<void>(), Deferred.make<void>()])
      const run = (name: string, gate: Deferred.Deferred<void>) =>
        Effect.forkChild(
          locks.withLock(
            ["k", 1],
            Effect.gen(function*() {
              log.push(`${name} in`)
              yield* Deferred.await(gate)
              log.push(`${name} out`)
            })
          ),
          { startImmediately: true }
        )
      const first = yield* run("first", gates[0])
      const second = yield* run("second", gates[1])
      yield* locks.withLock(["k", 2], Effect.sync(() => log.push("other key")))
      assert.deepStrictEqual(log, ["first in", "other key"])
      yield* Deferred.succeed(gates[0], undefined)
      yield* Fiber.await(first)
      yield* Deferred.succeed(gates[1], undefined)
      yield* Fiber.await(second)
      assert.deepStrictEqual(log, ["first in", "other key", "first out", "second in", "second out"])
      assert.strictEqual(locks.size(), 0)
    }))

  it.effect("one that is held is free when its Scope is closed, and is forgotten then", () =>
    Effect.gen(function*() {
      const locks = KeyLock.make<string>()
      const log: Array<string> = []
      const take = (name: string) =>
        Effect.gen(function*() {
          const scope = yield* Scope.make()
          const taking = Scope.provide(Effect.andThen(locks.hold("k"), Effect.sync(() => log.push(name))), scope)
          const fiber = yield* Effect.forkChild(taking, { startImmediately: true })
          return { fiber, leave: Scope.close(scope, Exit.void) }
        })
      const [first, second, third] = [yield* take("first"), yield* take("second"), yield* take("third")]
      assert.deepStrictEqual(log, ["first"])
      yield* Fiber.interrupt(second.fiber)
      yield* first.leave
      yield* Fiber.join(third.fiber)
      assert.deepStrictEqual(log, ["first", "third"])
      assert.strictEqual(locks.size(), 1)
      yield* third.leave
      assert.strictEqual(locks.size(), 0)
    }))

  it.effect("a caller that comes while another has it next waits for that one, too", () =>
    Effect.gen(function*() {
      const locks = KeyLock.make<string>()
      let inside = 0
      const held = (gate: Deferred.Deferred<void>) =>
        locks.withLock(
          "k",
          Effect.acquireUseRelease(
            Effect.sync(() => assert.strictEqual(++inside, 1)),
            () => Deferred.await(gate),
            () => Effect.sync(() => inside--)
          )
        )
      const gates = yield* Effect.replicateEffect(Deferred.make<void>(), 3)
      const fibers: Array<Fiber.Fiber<void>> = []
      for (const gate of gates) {
        fibers.push(yield* Effect.forkChild(held(gate), { startImmediately: true }))
        // the first leaves while the second waits, and the third comes after that
        if (fibers.length === 2) {
          yield* Deferred.succeed(gates[0]!, undefined)
          yield* Fiber.join(fibers[0]!)
          yield* TestClock.adjust(0)
          assert.strictEqual(inside, 1)
        }
      }
      assert.strictEqual(inside, 1)
      yield* Effect.forEach(gates, (gate) => Deferred.succeed(gate, undefined))
      yield* Fiber.joinAll(fibers)
      assert.strictEqual(locks.size(), 0)
    }))

  it.effect("a lock is free again and forgotten after a failure, a defect and an interruption", () =>
    Effect.gen(function*() {
      const locks = KeyLock.make<string>()
      assert.include(String(yield* Effect.exit(locks.withLock("k", Effect.fail("no")))), "Fail(\"no\")")
      assert.isTrue(Exit.hasDies(yield* Effect.exit(locks.withLock("k", Effect.die("boom")))))
      const holder = yield* Effect.forkChild(locks.withLock("k", Effect.never), { startImmediately: true })
      const waiting = yield* Effect.forkChild(locks.withLock("k", Effect.void), { startImmediately: true })
      assert.strictEqual(locks.size(), 1)
      yield* Fiber.interrupt(waiting)
      yield* Fiber.interrupt(holder)
      assert.strictEqual(locks.size(), 0)
      assert.strictEqual(yield* locks.withLock("k", Effect.succeed(1)), 1)
    }))
})
