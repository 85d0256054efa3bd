import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Option } from "effect"
import { TestClock } from "effect/testing"
import { Requests } from "../../../src/index.ts"

const answering = <A>(answer: A, millis: number) => Effect.delay(Effect.succeed(answer), millis)

describe("a request", () => {
  it.effect("is on its way when send returns, and outlives its sender", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const call = Effect.andThen(Effect.sync(() => log.push("sent")), answering("late", 10))
      const sender = yield* Effect.forkChild(Requests.send(call), { startImmediately: true })
      assert.deepStrictEqual(log, ["sent"])
      const request = yield* Fiber.join(sender)
      yield* TestClock.adjust(10)
      assert.strictEqual(yield* Requests.wait(request), "late")
    }))

  it.effect("can be waited for by many, before and after its answer has come", () =>
    Effect.gen(function*() {
      const request = yield* Requests.send(answering("answer", 10))
      const waiting = yield* Effect.forEach([1, 2], () => Effect.forkChild(Requests.wait(request)))
      yield* TestClock.adjust(10)
      assert.deepStrictEqual(yield* Fiber.joinAll(waiting), ["answer", "answer"])
      assert.strictEqual(yield* Requests.wait(request, { timeout: 0 }), "answer")
    }))

  it.effect("is looked at without waiting", () =>
    Effect.gen(function*() {
      const request = yield* Requests.send(Effect.delay(Effect.fail("refused"), 10))
      assert.deepStrictEqual(yield* Requests.check(request), Option.none())
      yield* TestClock.adjust(10)
      assert.deepStrictEqual(yield* Requests.check(request), Option.some(Exit.fail("refused")))
      assert.strictEqual(yield* Effect.flip(Requests.wait(request)), "refused")
    }))

  it.effect("that is received too late is abandoned; one that is waited for is not", () =>
    Effect.gen(function*() {
      for (const [collect, abandoned] of [[Requests.wait, false], [Requests.receive, true]] as const) {
        const over = yield* Deferred.make<boolean>()
        const call = Effect.onExit(answering("answer", 100), (exit) => Deferred.succeed(over, Exit.hasInterrupts(exit)))
        const request = yield* Requests.send(call)
        const late = yield* Effect.forkChild(Effect.flip(collect(request, { timeout: 10 })))
        yield* TestClock.adjust(10)
        assert.isTrue(Cause.isTimeoutError(yield* Fiber.join(late)))
        yield* TestClock.adjust(90)
        assert.strictEqual(yield* Deferred.await(over), abandoned)
      }
    }))

  it.effect("interrupting a wait leaves the request as it is", () =>
    Effect.gen(function*() {
      const request = yield* Requests.send(answering("answer", 10))
      const waiting = yield* Effect.forkChild(Requests.receive(request), { startImmediately: true })
      yield* Fiber.interrupt(waiting)
      yield* TestClock.adjust(10)
      assert.strictEqual(yield* Requests.wait(request), "answer")
    }))
})

describe("a collection", () => {
  it.effect("takes answers that came before they were asked for, in the order in which they came", () =>
    Effect.gen(function*() {
      const asked = yield* Requests.collection<number, string, string>()
      yield* asked.add(1, yield* Requests.send(answering("slow", 20)))
      yield* asked.add(2, yield* Requests.send(Effect.delay(Effect.fail("refused"), 10)))
      yield* asked.add(3, yield* Requests.send(Effect.succeed("at once")))
      yield* TestClock.adjust(20)
      const taken = [yield* asked.wait(), yield* asked.receive(), yield* asked.wait()].map(Option.getOrThrow)
      assert.deepStrictEqual(taken, [
        { label: 3, exit: Exit.succeed("at once") },
        { label: 2, exit: Exit.fail("refused") },
        { label: 1, exit: Exit.succeed("slow") }
      ])
      assert.deepStrictEqual([yield* asked.wait(), yield* asked.size], [Option.none(), 0])
    }))

  it.effect("one deadline serves many waits, and the earlier of timeout and deadline counts", () =>
    Effect.gen(function*() {
      const asked = yield* Requests.collection<string, string, never>()
      const until = yield* Requests.deadline(100)
      for (const millis of [30, 60, 200]) yield* asked.add(`${millis}`, yield* Requests.send(answering("", millis)))
      const take = Effect.fnUntraced(function*(options: Requests.WaitOptions, millis: number) {
        const taking = yield* Effect.forkChild(Effect.exit(asked.wait(options)), { startImmediately: true })
        yield* TestClock.adjust(millis)
        const exit = taking.pollUnsafe()
        return exit === undefined ? "waiting" : exit
      })
      const label = (taken: unknown) => JSON.stringify(taken).match(/"label":"(\d+)"/)?.[1]
      assert.strictEqual(label(yield* take({ until }, 30)), "30")
      assert.isUndefined(label(yield* take({ until, timeout: 10 }, 10)))
      assert.strictEqual(label(yield* take({ until, timeout: "1 minute" }, 20)), "60")
      const last = yield* Effect.forkChild(Effect.flip(asked.wait({ until })), { startImmediately: true })
      yield* TestClock.adjust(39)
      assert.isUndefined(last.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.isTrue(Cause.isTimeoutError(yield* Fiber.join(last)))
      // A deadline that is over leaves time for what has come.
      yield* TestClock.adjust(100)
      assert.strictEqual(label(yield* take({}, 0)), "200")
    }))

  it.effect("an interrupted wait loses no answer", () =>
    Effect.gen(function*() {
      const asked = yield* Requests.collection<string, string, never>()
      yield* asked.add("only", yield* Requests.send(answering("answer", 10)))
      const waiting = yield* Effect.forkChild(asked.wait(), { startImmediately: true })
      yield* Fiber.interrupt(waiting)
      yield* TestClock.adjust(10)
      assert.deepStrictEqual(yield* asked.wait(), Option.some({ label: "only", exit: Exit.succeed("answer") }))
    }))
})
