import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Latch, Schedule } from "effect"
import { TestClock } from "effect/testing"
import type { SnapshotRecord } from "../../../../src/domain/state/stored/SnapshotRecord.ts"
import { StateStore } from "../../../../src/index.ts"
import { StoreWriter, type Unsaved, writerOf } from "../../../../src/layers/state/store/StoreWriter.ts"
import { turns } from "../../../kit/Fibers.ts"
import { away, fail, onSave, Scripted } from "../../../kit/Scripted.ts"

const retry = Schedule.recurs(0)

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

const setUp = Effect.gen(function*() {
  const script = new Scripted()
  const epoch = yield* script.memory.acquireEpoch("test")
  const writer = new StoreWriter(script.store, yield* Effect.context<never>(), retry)
  const things = (count: number) => Array.from({ length: count }, (_, i) => new Thing(`k${i}`, epoch))
  const job = (name: string, log: Array<string>, effect: Effect.Effect<void, StateStore.StoreError> = Effect.void) =>
    writer.run(effect, (exit) => log.push(`${name} ${exit._tag}`))
  return { script, epoch, writer, things, job }
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
      const writer = new StoreWriter(script.store, yield* Effect.context<never>(), schedule)
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
      writer.run(script.store.remove(["k0"], a!.epoch), () => {}, a!)
      assert.deepStrictEqual(script.operations, [])
      yield* turns
      assert.deepStrictEqual(script.operations, ["remove"])
      writer.run(script.store.remove(["k0"], a!.epoch), () => {}, a!)
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

describe("the writer of a store", () => {
  it.effect("is one for all servers with the same patience", () =>
    Effect.gen(function*() {
      const script = new Scripted()
      const context = Context.empty()
      const one = writerOf(script.store, context, retry)
      assert.strictEqual(writerOf(script.store, context, retry), one)
      assert.notStrictEqual(writerOf(script.store, context, Schedule.recurs(1)), one)
      assert.notStrictEqual(writerOf(new Scripted().store, context, retry), one)
    }))

  it.effect("runs no fiber while nothing waits", () =>
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
