/** What one session has to be written, in order: held against a list. */
import { assert, describe, it } from "@effect/vitest"
import { type Cause, Effect, Exit, Schedule, Schema } from "effect"
import type { SnapshotRecord } from "../../../../src/domain/state/stored/SnapshotRecord.ts"
import { Batch, Job, type Unsaved, WriteQueue } from "../../../../src/layers/state/store/WriteQueue.ts"

/** Something to be written; its record says how often it was asked for. */
class Thing implements Unsaved {
  /** How often its place was looked at. */
  looks = 0
  private place = 0
  asked = 0
  length = 1
  becomes: "record" | "nothing" | "failure" | "throws" = "record"
  readonly failures: Array<string> = []
  readonly key: string

  constructor(key: string) {
    this.key = key
  }

  get ticket(): number {
    this.looks++
    return this.place
  }

  set ticket(ticket: number) {
    this.place = ticket
  }

  record(at: number): Exit.Exit<SnapshotRecord, unknown> | undefined {
    if (this.becomes === "nothing") return undefined
    if (this.becomes === "failure") return Exit.fail("no text")
    if (this.becomes === "throws") throw new Error("no codec")
    const record = { key: this.key, epoch: 1, seq: ++this.asked, version: 1, trusted: 0, at }
    return Exit.succeed({ ...record, state: "x".repeat(this.length) })
  }

  saved(): void {}

  failed(cause: Cause.Cause<unknown>): void {
    this.failures.push(String(cause))
  }
}

const namesOf = ({ entries }: Batch): ReadonlyArray<string> =>
  entries.map(({ record }) => `${record.key}#${record.seq}`)

const setUp = () => {
  let woken = 0
  const queue = new WriteQueue(Schedule.recurs(0), () => woken++)
  const things = Array.from({ length: 6 }, (_, i) => new Thing(`k${i}`))
  const taken = (at = 0) => {
    const batch = new Batch()
    queue.take(batch, at)
    return batch
  }
  return { queue, things, taken, woken: () => woken }
}

const Step = Schema.Struct({
  does: Schema.Literals(["add", "add", "add", "cancel", "job", "take", "take and fail", "take job", "fail job"]),
  which: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5 }))
})

describe("what a session has to be written", () => {
  it.prop("goes in its order, each once, jobs among the records, and what failed before all else", {
    steps: Schema.Array(Step)
  }, ({ steps }) => {
    const { queue, taken, things } = setUp()
    let waiting: Array<string> = []
    let failing: Array<string> = []
    let failedJob: string | undefined
    const jobs = new Map<Job, string>()
    const keyOf = (name: string) => name.split("#")[0]!
    const asked = new Map<string, number>()
    let instant = 0
    let isLooking = false
    /** What a batch is to hold, and the rest. */
    const take = (): ReadonlyArray<string> => {
      if (failedJob !== undefined) return []
      const again = failing
      failing = []
      let count = 0
      while (
        count < waiting.length && !waiting[count]!.startsWith("job") &&
        !again.some((one) => keyOf(one) === waiting[count])
      ) count++
      const fresh = waiting.slice(0, count).map((key) => {
        asked.set(key, (asked.get(key) ?? 0) + 1)
        return `${key}#${asked.get(key)}`
      })
      waiting = waiting.slice(count)
      return [...again, ...fresh]
    }
    for (const [i, { does, which }] of steps.entries()) {
      const thing = things[which]!
      switch (does) {
        case "add":
          queue.add(thing)
          if (!waiting.includes(thing.key)) waiting.push(thing.key)
          break
        case "cancel":
          queue.cancel(thing)
          waiting = waiting.filter((key) => key !== thing.key)
          break
        case "job":
          queue.run(Effect.void, () => Effect.void)
          waiting.push(`job${i}`)
          break
        case "take":
        case "take and fail": {
          const expected = take()
          const batch = taken(i)
          assert.deepStrictEqual(namesOf(batch), expected)
          assert.isTrue(batch.entries.every((entry) => entry.queue === queue))
          if (does === "take" || expected.length === 0) break
          queue.retryAt(++instant, batch.entries)
          failing = [...expected]
          break
        }
        case "take job":
        case "fail job": {
          const job = queue.takeJob()
          const name = failing.length > 0 ? undefined : failedJob ?? waiting[0]
          const expected = name?.startsWith("job") === true ? name : undefined
          assert.strictEqual(job !== undefined, expected !== undefined)
          if (job === undefined || expected === undefined) break
          assert.strictEqual(jobs.get(job) ?? expected, expected)
          jobs.set(job, expected)
          if (failedJob === undefined) waiting.shift()
          failedJob = undefined
          if (does === "take job") break
          queue.retryAt(++instant, job)
          failedJob = expected
          break
        }
      }
      assert.strictEqual(queue.size, waiting.length + failing.length + (failedJob === undefined ? 0 : 1), does)
      const isFailing = failing.length > 0 || failedJob !== undefined
      if ((does === "take" || does === "take and fail") && !isFailing && waiting.length === 0) isLooking = false
      // Those that were cancelled are found when it is looked.
      if (does === "cancel") isLooking = true
      if (isFailing) assert.strictEqual(queue.due, instant, does)
      else if (waiting.length > 0) assert.strictEqual(queue.due, -Infinity, does)
      else if (!isLooking) assert.strictEqual(queue.due, Infinity, does)
    }
  }, { arbitrary: { runs: 300 } })

  it("wakes the writer with each that comes, but not while something waits for its next attempt", () => {
    const { queue, taken, things: [a, b], woken } = setUp()
    queue.add(a!)
    queue.add(a!)
    assert.strictEqual(woken(), 1)
    queue.add(b!)
    assert.strictEqual(woken(), 2)
    queue.retryAt(1, taken().entries)
    queue.add(a!)
    queue.run(Effect.void, () => Effect.void)
    assert.strictEqual(woken(), 2)
    taken()
    queue.add(b!)
    assert.strictEqual(woken(), 3)
    taken()
    const job = queue.takeJob()!
    queue.retryAt(1, job)
    queue.add(a!)
    assert.strictEqual(woken(), 3)
  })

  it("a server is asked for its record when the batch is made, with that date; one that has none is left out", () => {
    const { queue, taken, things: [a, b, c, d] } = setUp()
    for (const one of [a!, b!, c!, d!]) queue.add(one)
    a!.becomes = "nothing"
    b!.becomes = "failure"
    c!.becomes = "throws"
    const batch = taken(77)
    assert.deepStrictEqual(namesOf(batch), ["k3#1"])
    assert.strictEqual(batch.entries[0]!.record.at, 77)
    assert.strictEqual(batch.entries[0]!.one, d)
    assert.deepStrictEqual([a!, b!, c!, d!].map(({ failures }) => failures.length), [0, 1, 1, 0])
    assert.include(b!.failures[0]!, "no text")
    assert.include(c!.failures[0]!, "no codec")
  })

  it("a batch is full with a thousand records, or with 16 MiB of state; what failed fills it as well", () => {
    const { queue, taken } = setUp()
    const many = Array.from({ length: 1500 }, (_, i) => new Thing(`m${i}`))
    for (const one of many) queue.add(one)
    const first = taken()
    assert.lengthOf(first.entries, 1000)
    assert.isTrue(first.isFull)
    queue.retryAt(1, first.entries)
    queue.retryAt(1, [])
    const again = taken()
    assert.deepStrictEqual(namesOf(again), namesOf(first))
    assert.strictEqual(queue.size, 500)
    queue.retryAt(1, again.entries)
    queue.retryAt(1, again.entries.slice(0, 10))
    assert.strictEqual(queue.size, 1510)
    assert.lengthOf(taken().entries, 1000)
    assert.strictEqual(queue.size, 510)
    const batch = new Batch()
    const large = new Thing("large")
    large.length = 16 * 1024 * 1024 - 1
    const [small, next] = [new Thing("small"), new Thing("next")]
    const other = setUp().queue
    for (const one of [large, small, next]) other.add(one)
    other.take(batch, 0)
    assert.deepStrictEqual(namesOf(batch), ["large#1", "small#1"])
    assert.isTrue(batch.isFull)
  })

  it("keeps nothing of those that are cancelled as often as they are added", () => {
    const { queue, taken, things: [a, b, c] } = setUp()
    queue.add(b!)
    for (let i = 0; i < 10_000; i++) {
      queue.add(a!)
      queue.cancel(a!)
      queue.cancel(a!)
    }
    queue.add(c!)
    assert.strictEqual(queue.size, 2)
    // It has room for what may be cancelled once more, and no more than that.
    const { waiting }: { readonly waiting?: ReadonlyArray<unknown> } = Object(queue)
    assert.isAtMost(waiting!.length, 2100)
    assert.deepStrictEqual(namesOf(taken()), ["k1#1", "k2#1"])
    assert.strictEqual(queue.due, Infinity)
  })

  it("does not look at all that wait for each that is cancelled, but when half of them may be", () => {
    const { queue, taken } = setUp()
    const many = Array.from({ length: 5000 }, (_, i) => new Thing(`m${i}`))
    const looks = () => many.reduce((sum, one) => sum + one.looks, 0)
    for (const one of many) queue.add(one)
    taken()
    const before = looks()
    const comes = new Thing("comes")
    for (let i = 0; i < 3999; i++) {
      queue.add(comes)
      queue.cancel(comes)
    }
    assert.strictEqual(looks(), before)
    queue.add(comes)
    queue.cancel(comes)
    // What was taken before is not kept, either.
    assert.isAtLeast(looks(), before + 4000)
    assert.isAtMost(looks(), before + 5000)
    assert.strictEqual(queue.size, 4000)
    for (let at = 1000; at < 5000; at += 1000) assert.strictEqual(taken().entries[0]!.one, many[at])
    assert.strictEqual(queue.due, Infinity)
  })

  it("a job brings what the store is to be asked, and each queue has a patience of its own", () => {
    const { queue } = setUp()
    const effect = Effect.sync(() => {})
    queue.run(effect, () => Effect.void)
    assert.strictEqual(queue.takeJob()!.effect, effect)
    assert.strictEqual(queue.due, Infinity)
    assert.notStrictEqual(queue.patience, setUp().queue.patience)
  })

  it("keeps nothing of those that were taken while others wait", () => {
    const { queue, taken } = setUp()
    const many = Array.from({ length: 20_000 }, (_, i) => new Thing(`m${i}`))
    for (const one of many) queue.add(one)
    const copies = new Set<unknown>()
    for (let left = 19; left > 0; left--) {
      assert.lengthOf(taken().entries, 1000)
      assert.strictEqual(queue.size, left * 1000)
      const { waiting }: { readonly waiting?: ReadonlyArray<unknown> } = Object(queue)
      assert.isBelow(waiting!.length, left * 1000 + 4000)
      copies.add(waiting)
    }
    // Nor are those that wait moved each time.
    assert.isAtMost(copies.size, 5)
    assert.strictEqual(taken().entries.at(-1)!.one, many.at(-1))
  })

  it.effect("is settled when all that was added before is taken, and its turn has come", () =>
    Effect.gen(function*() {
      const { queue, taken, things: [a] } = setUp()
      queue.add(a!)
      let isSettled = false
      const waiting = yield* Effect.forkChild(
        Effect.map(queue.settled, () => {
          isSettled = true
        }),
        { startImmediately: true }
      )
      assert.isUndefined(queue.takeJob())
      taken()
      const job = queue.takeJob()
      assert.instanceOf(job, Job)
      assert.isUndefined(job!.effect)
      assert.isFalse(isSettled)
      yield* job!.done(Exit.void)
      yield* Effect.yieldNow
      assert.isTrue(isSettled)
      assert.isDefined(waiting.pollUnsafe())
    }))
})
