import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Latch, Layer, References, Schedule } from "effect"
import { TestClock } from "effect/testing"
import type { SnapshotRecord } from "../../../../src/domain/state/stored/SnapshotRecord.ts"
import { StateStore } from "../../../../src/index.ts"
import * as StoreHost from "../../../../src/layers/state/store/StoreHost.ts"
import type { Unsaved } from "../../../../src/layers/state/store/WriteQueue.ts"
import { turns } from "../../../kit/Fibers.ts"
import { away, fail, onSave, Scripted, Store } from "../../../kit/Scripted.ts"

const retry = Schedule.recurs(0)

const silent = Layer.succeed(References.CurrentLoggers, new Set<never>())

/** Something to be written, and the reports about it. */
class Thing implements Unsaved {
  readonly seen: Array<string> = []
  readonly key: string
  readonly epoch: number
  ticket = 0
  seq = 0
  length = 1
  state: "fits" | "does not fit" | "gone" = "fits"
  onSaved: () => void = () => {}

  constructor(key: string, epoch: number) {
    this.key = key
    this.epoch = epoch
  }

  record(): Exit.Exit<SnapshotRecord, unknown> | undefined {
    if (this.state === "gone") return undefined
    if (this.state === "does not fit") return Exit.fail("does not fit")
    const { epoch, key } = this
    return Exit.succeed({ key, epoch, seq: ++this.seq, version: 1, state: "x".repeat(this.length), trusted: 0, at: 0 })
  }

  saved({ seq }: SnapshotRecord): void {
    this.seen.push(`saved ${seq}`)
    this.onSaved()
  }

  failed(cause: Cause.Cause<unknown>): void {
    const error = Cause.squash(cause)
    this.seen.push(`failed ${error instanceof StateStore.StoreError ? error.reason._tag : String(error)}`)
  }
}

/** A scripted store, and the queue of a session whose patience ends with the first failure. */
const setUp = Effect.gen(function*() {
  const script = new Scripted()
  const epoch = yield* script.memory.acquireEpoch("test")
  const host = yield* StoreHost.of(script.store)
  const writer = host.writer.open(retry)
  const things = (count: number) => Array.from({ length: count }, (_, i) => new Thing(`k${i}`, epoch))
  const job = (name: string, log: Array<string>, effect: Effect.Effect<void, StateStore.StoreError> = Effect.void) =>
    writer.run(effect, (exit) => Effect.sync(() => log.push(`${name} ${exit._tag}`)))
  return { script, epoch, host, writer, things, job }
})

describe("batches", () => {
  it.effect("hold everything that was added before the turn, once", () =>
    Effect.gen(function*() {
      const { script, things, writer } = yield* setUp
      const [a, b] = things(2)
      for (const one of [a!, b!, a!]) writer.add(one)
      assert.deepStrictEqual(script.batches, [])
      yield* turns
      assert.deepStrictEqual(script.batches, [["k0#1", "k1#1"]])
      assert.deepStrictEqual([a!.seen, b!.seen], [["saved 1"], ["saved 1"]])
    }))

  it.effect("take the record when they are made, and a commit meanwhile is in the next one", () =>
    Effect.gen(function*() {
      const { script, things, writer } = yield* setUp
      const [a, b] = things(2)
      const gate = Latch.makeUnsafe(false)
      script.before = onSave(() => gate.await)
      writer.add(a!)
      yield* turns
      for (const one of [a!, b!]) writer.add(one)
      yield* turns
      yield* gate.open
      yield* writer.settled
      assert.deepStrictEqual(script.batches, [["k0#1"], ["k0#2", "k1#1"]])
    }))

  it.effect("are never larger than a thousand records", () =>
    Effect.gen(function*() {
      const { script, things, writer } = yield* setUp
      for (const one of things(2500)) writer.add(one)
      yield* writer.settled
      assert.deepStrictEqual(script.batches.map((batch) => batch.length), [1000, 1000, 500])
    }))

  it.effect("nor than 16 million characters, unless one alone is", () =>
    Effect.gen(function*() {
      const { script, things, writer } = yield* setUp
      for (const [i, one] of things(5).entries()) {
        one.length = i === 4 ? 20_000_000 : 8_000_000
        writer.add(one)
      }
      yield* writer.settled
      assert.deepStrictEqual(script.batches.map((batch) => batch.length), [3, 2])
    }))

  it.effect("leave out a server that is gone, and a state that cannot be encoded, which is reported", () =>
    Effect.gen(function*() {
      const { script, things, writer } = yield* setUp
      const all = things(3)
      all[0]!.state = "gone"
      all[1]!.state = "does not fit"
      for (const one of all) writer.add(one)
      yield* writer.settled
      assert.deepStrictEqual(script.batches, [["k2#1"]])
      assert.deepStrictEqual(all.map((one) => one.seen), [[], ["failed does not fit"], ["saved 1"]])
    }))

  it.effect("nothing is saved when there is nothing to save", () =>
    Effect.gen(function*() {
      const { script, things, writer } = yield* setUp
      const [a] = things(1)
      a!.state = "gone"
      writer.add(a!)
      yield* writer.settled
      assert.deepStrictEqual(script.batches, [])
    }))
})

describe("a job of a session", () => {
  it.effect("is done after the records of another that are in the same turn", () =>
    Effect.gen(function*() {
      const { host, job, script, things, writer } = yield* setUp
      const [a] = things(1)
      const other = host.writer.open(retry)
      const log: Array<string> = []
      a!.onSaved = () => log.push("saved")
      other.add(a!)
      job("job", log, Effect.sync(() => void log.push("asked")))
      yield* turns
      assert.deepStrictEqual(log, ["saved", "asked", "job Success"])
      assert.lengthOf(script.batches, 1)
      assert.strictEqual(writer.size, 0)
    }))
})

describe("a batch that fails", () => {
  it.effect("because the store is away fails every server of the batch", () =>
    Effect.gen(function*() {
      const { script, things, writer } = yield* setUp
      const all = things(3)
      script.before = onSave(away)
      for (const one of all) writer.add(one)
      yield* writer.settled
      assert.lengthOf(script.batches, 1)
      assert.deepStrictEqual(all.map((one) => one.seen), all.map(() => ["failed Unavailable"]))
    }))

  it.effect("because one record is refused is that one's alone", () =>
    Effect.gen(function*() {
      const { script, things, writer } = yield* setUp
      const all = things(100)
      const bad = all[63]!
      script.before = (operation, records) =>
        operation === "save" && records.some((one) => one.key === bad.key)
          ? fail({ _tag: "Invalid", what: "no" })(operation)
          : Effect.void
      for (const one of all) writer.add(one)
      yield* writer.settled
      for (const one of all) assert.deepStrictEqual(one.seen, one === bad ? ["failed Invalid"] : ["saved 1"])
      assert.isBelow(script.batches.length, 20)
    }))

  it.effect("so is one that the store dies of", () =>
    Effect.gen(function*() {
      const { script, things, writer } = yield* setUp
      const all = things(8)
      script.before = (_operation, records) =>
        records.some((one) => one.key === "k5") ? Effect.die(new Error("bug")) : Effect.void
      for (const one of all) writer.add(one)
      yield* writer.settled
      for (const one of all) assert.deepStrictEqual(one.seen, one.key === "k5" ? ["failed Error: bug"] : ["saved 1"])
    }))

  it.effect("for a stale epoch is that session's; the others are written", () =>
    Effect.gen(function*() {
      const { epoch, script, things, writer } = yield* setUp
      const other = yield* script.memory.acquireEpoch("other")
      const ours = things(3)
      const theirs = [new Thing("x", other), new Thing("y", other)]
      yield* script.memory.acquireEpoch("other")
      for (const one of [ours[0]!, theirs[0]!, ours[1]!, theirs[1]!, ours[2]!]) writer.add(one)
      yield* writer.settled
      assert.deepStrictEqual(ours.map((one) => one.seen), ours.map(() => ["saved 1"]))
      assert.deepStrictEqual(theirs.map((one) => one.seen), theirs.map(() => ["failed Fenced"]))
      assert.lengthOf(script.batches, 2)
      assert.notStrictEqual(epoch, other)
    }))

  it.effect("for an epoch of no server ends all the same", () =>
    Effect.gen(function*() {
      const { script, things, writer } = yield* setUp
      const all = things(3)
      script.before = onSave(fail({ _tag: "Fenced", epoch: 999, current: 1000 }))
      for (const one of all) writer.add(one)
      yield* writer.settled
      assert.deepStrictEqual(all.map((one) => one.seen), all.map(() => ["failed Fenced"]))
    }))

  it.effect("is tried again by the Schedule, as it is, before any caller fails", () =>
    Effect.gen(function*() {
      const script = new Scripted()
      const epoch = yield* script.memory.acquireEpoch("test")
      const one = new Thing("k", epoch)
      const schedule = Schedule.spaced("1 second")
      const { writer: host } = yield* StoreHost.of(script.store)
      const writer = host.open(schedule)
      script.before = onSave(away)
      writer.add(one)
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(script.batches, [["k#1"], ["k#1"], ["k#1"]])
      script.before = () => Effect.void
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(one.seen, ["saved 1"])
    }))
})

describe("an operation that is not a snapshot", () => {
  it.effect("has its place: after the records added before it, before those added later", () =>
    Effect.gen(function*() {
      const { job, script, things, writer } = yield* setUp
      const [a, b] = things(2)
      const log: Array<string> = []
      script.before = (operation, records) =>
        Effect.sync(() => log.push(`${operation} ${records.map((one) => one.key)}`))
      writer.add(a!)
      job("job", log)
      writer.add(b!)
      yield* turns
      assert.deepStrictEqual(log, ["save k0", "job Success", "save k1"])
    }))

  it.effect("replaces the records of a server that wait to be written, which may be added again", () =>
    Effect.gen(function*() {
      const { script, things, writer } = yield* setUp
      const [a] = things(1)
      writer.add(a!)
      writer.cancel(a!)
      writer.run(script.store.remove(["k0"], a!.epoch), () => Effect.void)
      assert.deepStrictEqual(script.operations, [])
      yield* turns
      assert.deepStrictEqual(script.operations, ["remove"])
      writer.cancel(a!)
      writer.run(script.store.remove(["k0"], a!.epoch), () => Effect.void)
      writer.add(a!)
      yield* turns
      assert.deepStrictEqual(script.operations, ["remove", "remove", "save"])
      assert.deepStrictEqual(yield* script.memory.keys(), ["k0"])
    }))

  it.effect("fails alone", () =>
    Effect.gen(function*() {
      const { job, things, writer } = yield* setUp
      const [a] = things(1)
      const log: Array<string> = []
      job("bad", log, away("remove"))
      writer.add(a!)
      job("good", log)
      yield* turns
      assert.deepStrictEqual(log, ["bad Failure", "good Success"])
      assert.deepStrictEqual(a!.seen, ["saved 1"])
    }))

  it.effect("has its turn however busy the writer is", () =>
    Effect.gen(function*() {
      const { script, things, writer } = yield* setUp
      const [a] = things(1)
      let left = 1000
      a!.onSaved = () => {
        if (left-- > 0) writer.add(a!)
      }
      writer.add(a!)
      yield* writer.settled
      assert.deepStrictEqual(script.batches, [["k0#1"]])
      a!.onSaved = () => {}
    }))
})

describe("two sessions of one store", () => {
  const two = (one: Schedule.Schedule<unknown, StateStore.StoreError>, other: typeof one) =>
    Effect.gen(function*() {
      const { host, script } = yield* setUp
      const [first, second] = [yield* script.memory.acquireEpoch("one"), yield* script.memory.acquireEpoch("two")]
      return {
        script,
        queues: [host.writer.open(one), host.writer.open(other)] as const,
        things: [new Thing("a", first), new Thing("b", second)] as const
      }
    })

  it.effect("share a batch, whatever retry each has", () =>
    Effect.gen(function*() {
      const { queues, script, things } = yield* two(Schedule.recurs(5), Schedule.recurs(5))
      queues[0].add(things[0])
      queues[1].add(things[1])
      yield* turns
      assert.deepStrictEqual(script.batches, [["a#1", "b#1"]])
      assert.deepStrictEqual(things.map((one) => one.seen), [["saved 1"], ["saved 1"]])
    }))

  it.effect("give up each by its own retry", () =>
    Effect.gen(function*() {
      const { queues, script, things } = yield* two(
        Schedule.max([Schedule.spaced("1 second"), Schedule.recurs(2)]),
        Schedule.spaced("10 seconds")
      )
      script.before = onSave(away)
      queues[0].add(things[0])
      queues[1].add(things[1])
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(things.map((one) => one.seen), [["failed Unavailable"], []])
      assert.deepStrictEqual(script.batches, [["a#1", "b#1"], ["a#1", "b#1"], ["a#1", "b#1"]])
      yield* TestClock.adjust("5 seconds")
      assert.lengthOf(script.batches, 4)
      script.before = () => Effect.void
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(things.map((one) => one.seen), [["failed Unavailable"], ["saved 1"]])
    }))

  it.effect("one that waits for ever does not hold up another that gives up at once", () =>
    Effect.gen(function*() {
      const { queues, script, things } = yield* two(Schedule.spaced("1 hour"), Schedule.recurs(0))
      const log: Array<string> = []
      script.before = onSave(away)
      queues[0].add(things[0])
      queues[0].run(Effect.void, () => Effect.sync(() => log.push("job of the first")))
      yield* turns
      queues[1].add(things[1])
      queues[1].run(Effect.void, () => Effect.sync(() => log.push("job of the second")))
      yield* turns
      assert.deepStrictEqual(things.map((one) => one.seen), [[], ["failed Unavailable"]])
      assert.deepStrictEqual(log, ["job of the second"])
      script.before = () => Effect.void
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(things[0].seen, ["saved 1"])
      assert.deepStrictEqual(log, ["job of the second", "job of the first"])
    }))

  it.effect("a job is attempted again by its session's retry, and what was added after it waits", () =>
    Effect.gen(function*() {
      const { queues, script, things } = yield* two(Schedule.spaced("1 second"), Schedule.recurs(0))
      const log: Array<string> = []
      let isAway = true
      queues[0].run(
        Effect.suspend(() => isAway ? away("remove") : Effect.void),
        (exit) => Effect.sync(() => log.push(exit._tag))
      )
      queues[0].add(things[0])
      yield* TestClock.adjust("3 seconds")
      assert.deepStrictEqual([log, script.batches], [[], []])
      isAway = false
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual([log, script.batches], [["Success"], [["a#1"]]])
    }))

  it.effect("a server that commits while its record is attempted again has its next record in a later batch", () =>
    Effect.gen(function*() {
      const { queues, script, things } = yield* two(Schedule.spaced("1 second"), Schedule.recurs(0))
      script.before = onSave(away)
      queues[0].add(things[0])
      yield* turns
      queues[0].add(things[0])
      yield* TestClock.adjust("1 second")
      script.before = () => Effect.void
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(script.batches, [["a#1"], ["a#1"], ["a#1"], ["a#2"]])
      assert.deepStrictEqual(things[0].seen, ["saved 1", "saved 2"])
    }))

  it.effect("a retry Schedule that dies is over, and the other session goes on", () =>
    Effect.gen(function*() {
      const broken: Schedule.Schedule<unknown, StateStore.StoreError> = Schedule.fromStep(Effect.succeed(() => {
        throw new Error("broken schedule")
      }))
      const { queues, script, things } = yield* two(broken, Schedule.spaced("1 second"))
      script.before = onSave(away)
      queues[0].add(things[0])
      queues[1].add(things[1])
      yield* turns
      assert.deepStrictEqual(things.map((one) => one.seen), [["failed Unavailable"], []])
      script.before = () => Effect.void
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(things[1].seen, ["saved 1"])
    }).pipe(Effect.provide(silent)))
})

describe("a store that is a program of anybody's", () => {
  const broken: Record<
    string,
    (real: StateStore.StateStore<"crash">["save"]) => StateStore.StateStore<"crash">["save"]
  > = {
    "that throws": () => () => {
      throw new Error("no promise")
    },
    "that answers no Effect": () => () => 41 as never,
    "that answers nothing": () => () => undefined as never
  }
  for (const [name, save] of Object.entries(broken)) {
    it.effect(`${name} fails the write with a defect, and the next one is written`, () =>
      Effect.gen(function*() {
        const memory = StateStore.makeMemory()
        let isBroken = true
        const store: StateStore.StateStore<"crash"> = {
          ...memory,
          save: (records) => isBroken ? save(memory.save)(records) : memory.save(records)
        }
        const epoch = yield* store.acquireEpoch("test")
        const queue = (yield* StoreHost.of(store)).writer.open(retry)
        const all = [new Thing("a", epoch), new Thing("b", epoch)]
        for (const one of all) queue.add(one)
        yield* queue.settled
        for (const one of all) {
          assert.match(
            one.seen.join(),
            /^failed (Error: no promise|TypeError: save of the state store "memory" answers with an Effect, and not)/
          )
        }
        isBroken = false
        for (const one of all) queue.add(one)
        yield* queue.settled
        for (const one of all) assert.strictEqual(one.seen[1], "saved 2")
      }))
  }

  it.effect("a server whose record throws, or that throws when it hears of its write, fails alone", () =>
    Effect.gen(function*() {
      const { things, writer } = yield* setUp
      const [a, b, c] = things(3)
      a!.record = () => {
        throw new Error("no record")
      }
      b!.onSaved = () => {
        throw new Error("not now")
      }
      for (const one of [a!, b!, c!]) writer.add(one)
      yield* writer.settled
      assert.deepStrictEqual([a!.seen, c!.seen], [["failed Error: no record"], ["saved 1"]])
      writer.add(c!)
      yield* writer.settled
      assert.deepStrictEqual(c!.seen, ["saved 1", "saved 2"])
    }).pipe(Effect.provide(silent)))
})

describe("the writer of a store", () => {
  it.effect("is one for all sessions of a plain value, as long as there is one, and another afterwards", () =>
    Effect.gen(function*() {
      const script = new Scripted()
      const hosts = yield* Effect.scoped(Effect.gen(function*() {
        const first = yield* StoreHost.of(script.store)
        const second = yield* Effect.scoped(StoreHost.of(script.store))
        return [first, second, yield* StoreHost.of(script.store), yield* StoreHost.of(new Scripted().store)] as const
      }))
      assert.strictEqual(hosts[1], hosts[0])
      assert.strictEqual(hosts[2], hosts[0])
      assert.notStrictEqual(hosts[3], hosts[0])
      assert.notStrictEqual(yield* StoreHost.of(script.store), hosts[0])
    }))

  it.effect("is a fiber of the store's Layer: it ends with it", () =>
    Effect.gen(function*() {
      const script = new Scripted()
      const layer = StateStore.layer(Store, Effect.succeed(script.store))
      const queue = yield* Effect.gen(function*() {
        const store = yield* Store
        const host = yield* StoreHost.of(store)
        assert.strictEqual(yield* StoreHost.of(store), host)
        assert.notStrictEqual(yield* StoreHost.of({ ...store }), host, "a copy may have other methods")
        const queue = host.writer.open(retry)
        queue.add(new Thing("a", yield* store.acquireEpoch("test")))
        yield* queue.settled
        return queue
      }).pipe(Effect.scoped, Effect.provide(layer))
      const { length } = script.batches
      queue.add(new Thing("b", 1))
      yield* turns
      assert.lengthOf(script.batches, length)
    }))

  it.effect("sleeps while nothing waits", () =>
    Effect.gen(function*() {
      const { script, things, writer } = yield* setUp
      const [a] = things(1)
      writer.add(a!)
      yield* writer.settled
      yield* turns
      const { length } = script.batches
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(script.batches.length, length)
      writer.add(a!)
      yield* turns
      assert.strictEqual(script.batches.length, length + 1)
    }))
})
