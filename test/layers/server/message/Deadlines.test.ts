import { assert, describe, it } from "@effect/vitest"
import { Clock, Context, Duration, Effect } from "effect"
import { TestClock } from "effect/testing"
import { Deadline, Deadlines } from "../../../../src/layers/server/message/Deadlines.ts"

class Waiting extends Deadline {
  readonly name: string
  readonly expired: Array<string>
  constructor(name: string, expired: Array<string>) {
    super()
    this.name = name
    this.expired = expired
  }
  expire(millis: number): void {
    this.expired.push(`${this.name} after ${millis}`)
  }
}

const deadlines = Effect.map(Effect.context<never>(), (context) => new Deadlines(context))

it.effect("waiters expire when their time is over, each at its own, and leave nothing behind", () =>
  Effect.gen(function*() {
    const all = yield* deadlines
    const expired: Array<string> = []
    all.add(new Waiting("a", expired), 100)
    all.add(new Waiting("b", expired), 50)
    yield* TestClock.adjust("40 millis")
    all.add(new Waiting("c", expired), 50)
    yield* TestClock.adjust("10 millis")
    assert.deepStrictEqual(expired, ["b after 50"])
    yield* TestClock.adjust("40 millis")
    assert.deepStrictEqual(expired, ["b after 50", "c after 50"])
    yield* TestClock.adjust("10 millis")
    assert.deepStrictEqual(expired, ["b after 50", "c after 50", "a after 100"])
    assert.strictEqual(all.size, 0)
  }))

it.effect("one that is answered leaves from wherever it stands", () =>
  Effect.gen(function*() {
    const all = yield* deadlines
    for (const leaving of [[0], [1], [2], [0, 1], [2, 1], [0, 2], [1, 0, 2]]) {
      const expired: Array<string> = []
      const waiting = [0, 1, 2].map((n) => new Waiting(String(n), expired))
      for (const one of waiting) all.add(one, 10)
      for (const n of leaving) waiting[n]!.list?.remove(waiting[n]!)
      yield* TestClock.adjust("10 millis")
      assert.deepStrictEqual(expired, [0, 1, 2].filter((n) => !leaving.includes(n)).map((n) => `${n} after 10`))
      assert.strictEqual(all.size, 0, `after ${leaving.join()} left`)
    }
  }))

it.effect("a time without a waiter is forgotten, however many different ones there were", () =>
  Effect.gen(function*() {
    const all = yield* deadlines
    const waiting = Array.from({ length: 1000 }, (_, n) => new Waiting(String(n), []))
    for (const [n, one] of waiting.entries()) all.add(one, 4000 + n)
    assert.strictEqual(all.size, 1000)
    for (const one of waiting) one.list?.remove(one)
    yield* Effect.yieldNow
    assert.strictEqual(all.size, 0)
  }))

it.effect("a time is known as long as one waits for it, also when the ones before have just expired", () =>
  Effect.gen(function*() {
    const all = yield* deadlines
    const expired: Array<string> = []
    class First extends Waiting {
      override expire(millis: number): void {
        super.expire(millis)
        // Its list is empty by now, and gone when this turn is over.
        queueMicrotask(() => all.add(new Waiting("next", expired), 10))
      }
    }
    all.add(new First("first", expired), 10)
    yield* TestClock.adjust("10 millis")
    yield* Effect.promise(() => Promise.resolve())
    yield* Effect.yieldNow
    assert.deepStrictEqual([expired, all.size], [["first after 10"], 1])
    yield* TestClock.adjust("10 millis")
    assert.deepStrictEqual([expired, all.size], [["first after 10", "next after 10"], 0])
  }))

it.effect("a waiter that comes when the last has just left expires, too", () =>
  Effect.gen(function*() {
    const all = yield* deadlines
    const expired: Array<string> = []
    const first = new Waiting("first", expired)
    all.add(first, 10)
    first.list?.remove(first)
    all.add(new Waiting("second", expired), 10)
    yield* Effect.yieldNow
    yield* TestClock.adjust("10 millis")
    assert.deepStrictEqual(expired, ["second after 10"])
  }))

it.effect("a waiter that expires may add and remove others", () =>
  Effect.gen(function*() {
    const all = yield* deadlines
    const expired: Array<string> = []
    const third = new Waiting("third", expired)
    class First extends Waiting {
      override expire(millis: number): void {
        super.expire(millis)
        third.list?.remove(third)
        all.add(new Waiting("fourth", expired), 10)
      }
    }
    all.add(new First("first", expired), 10)
    all.add(new Waiting("second", expired), 10)
    all.add(third, 10)
    yield* TestClock.adjust("10 millis")
    assert.deepStrictEqual(expired, ["first after 10", "second after 10"])
    yield* TestClock.adjust("10 millis")
    assert.deepStrictEqual(expired, ["first after 10", "second after 10", "fourth after 10"])
    assert.strictEqual(all.size, 0)
  }))

describe("clocks with fractions", () => {
  it.effect("callers that came at fractions of a millisecond expire each at its time, on a clock that adds inexactly", () =>
    Effect.gen(function*() {
      const all = yield* deadlines
      const expired: Array<string> = []
      // 0.1 + 0.2 is more than 0.3: the rest of a time that is over is not zero.
      for (let n = 0; n < 1000; n++) {
        all.add(new Waiting(String(n), expired), 50)
        yield* TestClock.adjust(Duration.micros(100n))
      }
      yield* TestClock.adjust("50 millis")
      assert.strictEqual(expired.length, 1000)
      assert.strictEqual(all.size, 0)
    }))

  it.effect("a clock whose sleeps end a fraction early does not set the timer of one caller again and again", () =>
    Effect.gen(function*() {
      const real = yield* Clock.Clock
      let sleeps = 0
      // Never quite there: what is left of a time is always more than nothing.
      const early: Clock.Clock = {
        ...real,
        currentTimeMillisUnsafe: () => 0.1,
        monotonicTimeNanosUnsafe: () => 100_000n,
        sleep: () => {
          sleeps++
          return Effect.void
        }
      }
      const all = new Deadlines(Context.add(yield* Effect.context<never>(), Clock.Clock, early))
      const expired: Array<string> = []
      all.add(new Waiting("one", expired), 0.2)
      all.add(new Waiting("another", expired), 50)
      assert.deepStrictEqual(expired, ["one after 0.2", "another after 50"])
      assert.strictEqual(sleeps, 2)
      assert.strictEqual(all.size, 0)
    }))
})

it.effect("the wall clock may go back or forward by an hour: callers expire after the time that has passed", () =>
  Effect.gen(function*() {
    const real = yield* Clock.Clock
    let wall = 3_600_000
    const shifted: Clock.Clock = {
      ...real,
      currentTimeMillisUnsafe: () => wall,
      sleep: (duration) => real.sleep(duration)
    }
    const all = new Deadlines(Context.add(yield* Effect.context<never>(), Clock.Clock, shifted))
    const expired: Array<string> = []
    all.add(new Waiting("before", expired), 300)
    wall = 0
    all.add(new Waiting("back", expired), 300)
    yield* TestClock.adjust("100 millis")
    wall = 7_200_000
    all.add(new Waiting("forward", expired), 300)
    yield* TestClock.adjust("199 millis")
    assert.deepStrictEqual(expired, [])
    yield* TestClock.adjust("1 millis")
    assert.deepStrictEqual(expired, ["before after 300", "back after 300"])
    yield* TestClock.adjust("100 millis")
    assert.deepStrictEqual(expired, ["before after 300", "back after 300", "forward after 300"])
  }))
