/** The parts of a durable companion, each alone: its memory, what is beside the state, its claim, its removal. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Latch, Schedule } from "effect"
import * as Generations from "../../../../src/domain/state/Generations.ts"
import type { SnapshotRecord } from "../../../../src/domain/state/stored/SnapshotRecord.ts"
import { StoreError, type StoreErrorReason } from "../../../../src/domain/state/stored/StoreError.ts"
import type { Timers } from "../../../../src/domain/state/Timers.ts"
import { Beside, keptOf } from "../../../../src/layers/state/durable/Beside.ts"
import { KeyClaim } from "../../../../src/layers/state/durable/Claim.ts"
import { Confirmed } from "../../../../src/layers/state/durable/Confirmed.ts"
import * as Memory from "../../../../src/layers/state/durable/Memory.ts"
import { Outbox } from "../../../../src/layers/state/durable/Outbox.ts"
import { Removals, reported } from "../../../../src/layers/state/durable/Removals.ts"
import type { Session } from "../../../../src/layers/state/durable/StoreSession.ts"
import { makeMemory } from "../../../../src/layers/state/store/StateStore.ts"
import { StoreHealth } from "../../../../src/layers/state/store/StoreHealth.ts"
import { Rounds } from "../../../../src/layers/state/store/Tenure.ts"
import { WriteQueue } from "../../../../src/layers/state/store/WriteQueue.ts"
import { now } from "../../../kit/Fibers.ts"
import { recordedLog } from "../../../kit/Log.ts"

describe("what memory knows of a state that a store keeps", () => {
  const state = { n: 1 }
  const books = Generations.make({ state, seq: 4, incarnation: 2 }, "probation", undefined)
  const here = Memory.here(books)
  const none = Memory.here<typeof state>(undefined)
  const fresh: Memory.Fresh<typeof state> = { _tag: "Fresh", state, isKept: false }
  const away: Memory.Memory<typeof state> = { _tag: "Away", seq: 7 }

  it("is the newest snapshot and its number, or that there is none, or nothing", () => {
    assert.deepStrictEqual([here, none, fresh, away, Memory.unread].map(Memory.isKnown), [
      true,
      true,
      true,
      false,
      false
    ])
    assert.deepStrictEqual([here, none, fresh, away, Memory.unread].map(Memory.seqOf), [4, 0, 0, 7, 0])
    assert.strictEqual(Memory.newestOf(here), books)
    assert.deepStrictEqual([none, fresh, away, Memory.unread].map(Memory.newestOf), Array(4).fill(undefined))
  })

  it("is what init has made, where there was none", () => {
    const other = { n: 2 }
    const made: Memory.Fresh<typeof state> = { _tag: "Fresh", state: other, isKept: false }
    assert.deepStrictEqual(Memory.begun(none, other), made)
    assert.deepStrictEqual(Memory.begun<typeof state>({ ...fresh, isKept: true }, other), made)
    for (const one of [here, away, Memory.unread]) assert.strictEqual(Memory.begun<typeof state>(one, other), one)
  })

  it("a commit of the very state that is there is nothing to store, and proves what it was made by", () => {
    assert.deepStrictEqual(Memory.unchanged(here, state, "call"), Memory.here({ ...books, trust: "trusted" }))
    assert.deepStrictEqual(Memory.unchanged(here, state, "callback"), here)
    assert.deepStrictEqual(Memory.unchanged(fresh, state, "call"), { ...fresh, isKept: true })
    const kept: Memory.Fresh<typeof state> = { ...fresh, isKept: true }
    assert.strictEqual(Memory.unchanged(kept, state, "call"), kept)
    for (const one of [here, fresh]) assert.isUndefined(Memory.unchanged(one, { n: 1 }, "call"))
    // What a person sets is stored.
    assert.isUndefined(Memory.unchanged(fresh, state, "person"))
    for (const one of [none, away, Memory.unread]) {
      assert.isUndefined(Memory.unchanged<typeof state>(one, state, "call"))
    }
  })

  it("a state of init's is started from when a message was answered from it, and made anew when a callback crashed on it", () => {
    const restored = { seq: 0, state, incarnation: 3, trusted: false }
    assert.deepStrictEqual(Memory.takenOver<typeof state>({ _tag: "Fresh", state, isKept: true }, 3), {
      decision: { _tag: "Restore", snapshot: restored },
      aside: []
    })
    assert.strictEqual(Memory.takenOver<typeof state>({ _tag: "Fresh", state, isKept: false }, 3).decision._tag, "Init")
    const one = { _tag: "Fresh", state, isKept: true } as const
    assert.deepStrictEqual(Memory.afterEnd(one, { _tag: "InCallback", callback: "restore", why: "boom" }), none)
    assert.strictEqual(Memory.afterEnd(one, { _tag: "InMessage", message: { tag: "a", payload: 1 } } as never), one)
  })
})

const ring: Timers = [{ name: "t", due: 5, message: "Ring", payload: {} }]
const answer = (id: string, seq = 1) => ({ id, seq, at: 1, body: id })
const record = (seq: number, more: Partial<SnapshotRecord> = {}): SnapshotRecord => ({
  key: "a",
  epoch: 1,
  seq,
  version: 1,
  state: "1",
  trusted: 0,
  at: 1,
  ...more
})

describe("what is beside a state", () => {
  it("is nothing where a store holds nothing, and otherwise what it holds, which is not to be saved", () => {
    assert.isUndefined(Beside.of(undefined, undefined))
    assert.isUndefined(Beside.of({ answers: [] }, undefined))
    const answered = Beside.of({ answers: [answer("a")] }, undefined)!
    assert.deepStrictEqual([answered.find("a")?.body, answered.find("b"), answered.timers], ["a", undefined, []])
    assert.deepStrictEqual(answered.take(), { answers: [], forgetAnswersBefore: 0 })
    const timed = Beside.of({ timers: ring }, undefined)!
    assert.deepStrictEqual([timed.timers, timed.find("a"), timed.take()], [ring, undefined, {}])
  })

  it("goes with the next record, once: answers with the number of their state, timers where they were set", () => {
    const beside = new Beside({ maxCount: 2, maxAge: 1000 })
    assert.deepStrictEqual(beside.take(), {})
    beside.commit({ timers: ring }, 3)
    beside.commit({ answers: [answer("a"), answer("b")] }, 4)
    assert.deepStrictEqual(beside.timers, ring)
    assert.deepStrictEqual(beside.take(), {
      answers: [answer("a", 4), answer("b", 4)],
      forgetAnswersBefore: 0,
      timers: ring
    })
    assert.deepStrictEqual(beside.take(), { answers: [], forgetAnswersBefore: 0 })
    beside.commit({ timers: [] }, 5)
    assert.deepStrictEqual([beside.timers, beside.take().timers], [[], []])
    beside.commit({ answers: [answer("c")] }, 6)
    assert.isUndefined(beside.find("a"))
    assert.strictEqual(beside.find("c")?.seq, 6)
  })

  it("is that of what is started from; the answers of a newer one that was damaged are known", () => {
    const start = record(3, { answers: [answer("a")], timers: ring })
    const lost = { seq: 4, why: "", state: record(4, { answers: [answer("b")], damaged: "it rotted" }) }
    assert.strictEqual(keptOf(start, []), start)
    assert.isUndefined(keptOf(undefined, []))
    assert.deepStrictEqual(keptOf(start, [lost]), { answers: [answer("b")], timers: ring })
    assert.deepStrictEqual(keptOf(undefined, [lost]), { answers: [answer("b")], timers: undefined })
    // One that is older, or whole, is of no account.
    assert.strictEqual(keptOf(start, [{ ...lost, seq: 2 }]), start)
    assert.strictEqual(keptOf(start, [{ ...lost, seq: 3 }]), start)
    assert.strictEqual(keptOf(start, [{ ...lost, state: record(4, { answers: [answer("b")] }) }]), start)
  })
})

const error = (reason: StoreErrorReason) => new StoreError({ store: "memory", operation: "save", reason })
const fenced = (key: string | undefined) =>
  Cause.fail(error({ _tag: "Fenced", epoch: 1, current: 2, ...(key === undefined ? {} : { key }) }))

const claiming = (confirm?: (epoch: number, key?: string) => Effect.Effect<void, StoreError>) => {
  const store = { ...makeMemory() }
  const lost: Array<Cause.Cause<unknown>> = []
  const session = {
    store: confirm === undefined ? { ...store, confirm: undefined } : { ...store, confirm },
    health: new StoreHealth("memory"),
    retry: Schedule.recurs(0),
    run: (effect: Effect.Effect<void>) => void Effect.runFork(effect)
  }
  return { lost, claim: new KeyClaim("a", session as never, (cause) => lost.push(cause)) }
}

describe("the claim of a key", () => {
  it("is over when the store has another's, and keeps the first reason, as it concerns this key", () => {
    const { claim, lost } = claiming()
    const away = Cause.fail(error({ _tag: "Unavailable", cause: "away" }))
    assert.strictEqual(claim.notice(away), away)
    const defect = Cause.die("boom")
    assert.strictEqual(claim.notice(defect), defect)
    assert.isUndefined(claim.lost)
    const own = fenced("a")
    assert.strictEqual(claim.notice(own), own)
    assert.strictEqual(claim.lost, own)
    assert.strictEqual(claim.notice(fenced("a")), own)
    for (const key of [undefined, "b"]) {
      const other = claiming().claim
      const squashed = Cause.squash(other.notice(fenced(key)))
      assert.deepStrictEqual(squashed, error({ _tag: "Fenced", key: "a", epoch: 1, current: 2 }))
      assert.strictEqual(Cause.squash(other.lost!), squashed)
    }
    // Who writes hears of it there.
    assert.deepStrictEqual(lost, [])
  })

  it.effect("is confirmed by the store, under its epoch and key; it is said once where a question finds that it is over", () =>
    Effect.gen(function*() {
      const asked: Array<unknown> = []
      let answers: Exit.Exit<void, StoreError> = Exit.void
      const { claim, lost } = claiming((epoch, key) =>
        Effect.suspend(() => {
          asked.push([epoch, key])
          return answers
        })
      )
      yield* claim.held
      const confirm = Effect.callback<Exit.Exit<void, unknown>>((resume) =>
        claim.confirm((exit) => resume(Effect.succeed(exit)))
      )
      assert.strictEqual((yield* confirm)._tag, "Success")
      assert.deepStrictEqual(asked, [[1, "a"]])
      answers = Exit.fail(error({ _tag: "Unavailable", cause: "away" }))
      assert.strictEqual((yield* confirm)._tag, "Failure")
      assert.deepStrictEqual(lost, [])
      answers = Exit.failCause(fenced("a"))
      assert.strictEqual((yield* confirm)._tag, "Failure")
      yield* confirm
      assert.lengthOf(lost, 1)
      assert.strictEqual(lost[0], claim.lost)
    }))

  it.effect("is in force where a store cannot be asked", () =>
    Effect.gen(function*() {
      const { claim } = claiming()
      const log: Array<string> = []
      const answer = { isGone: false, stored: () => log.push("stored"), lost: () => log.push("lost") }
      const confirmed = new Confirmed(answer, claim)
      assert.isFalse(confirmed.isGone)
      answer.isGone = true
      assert.isTrue(confirmed.isGone)
      confirmed.stored()
      yield* Effect.yieldNow
      confirmed.lost({ _tag: "Killed" })
      assert.deepStrictEqual(log, ["stored", "lost"])
    }))

  it.effect("those that ask while a question is on its way get the answer of the next one, together", () =>
    Effect.gen(function*() {
      const gates: Array<Latch.Latch> = []
      const rounds = new Rounds(() =>
        Effect.suspend(() => {
          const gate = Latch.makeUnsafe()
          gates.push(gate)
          return gates.length === 2
            ? Effect.andThen(gate.await, Effect.fail(error({ _tag: "Full", cause: 1 })))
            : gate.await
        })
      )
      const log: Array<string> = []
      const join = (name: string) => now(rounds.join(Schedule.recurs(0), (exit) => log.push(`${name} ${exit._tag}`)))
      for (const name of ["a", "b", "c"]) yield* join(name)
      assert.lengthOf(gates, 1)
      yield* gates[0]!.open
      yield* Effect.yieldNow
      assert.deepStrictEqual(log, ["a Success"])
      assert.lengthOf(gates, 2)
      yield* join("d")
      yield* gates[1]!.open
      yield* Effect.yieldNow
      assert.deepStrictEqual(log.slice(1), ["b Failure", "c Failure"])
      yield* gates[2]!.open
      yield* Effect.yieldNow
      assert.deepStrictEqual(log.slice(3), ["d Success"])
      // Then it begins anew.
      yield* join("e")
      assert.lengthOf(gates, 4)
    }))
})

describe("a removal", () => {
  const setUp = () => {
    const queue = new WriteQueue(Schedule.recurs(0), () => {})
    const outbox = new Outbox()
    const removed: Array<unknown> = []
    const store = {
      remove: (keys: ReadonlyArray<string>, epoch: number) => Effect.sync(() => void removed.push([keys, epoch]))
    }
    const claim = { epoch: 0, held: Effect.sync(() => void (claim.epoch = 5)) }
    const session = { queue, store } as unknown as Session<number>
    const removals = new Removals(session, outbox, "key", claim as never)
    const log: Array<string> = []
    const done = (name: string) => (exit: Exit.Exit<void, StoreError>) =>
      Effect.sync(() => void log.push(`${name} ${exit._tag}`))
    const one = {
      ticket: 0,
      record: () => Exit.succeed(record(1)),
      saved: () => {},
      failed: () => {}
    }
    const hold = (name: string) =>
      outbox.hold({
        isGone: false,
        stored: () => log.push(`${name} stored`),
        lost: (reason) => log.push(`${name} ${reason._tag}`)
      })
    return { done, hold, log, one, outbox, queue, removals, removed }
  }

  it.effect("takes the place of what waits to be written, and of another one that has not come to its end", () =>
    Effect.gen(function*() {
      const { done, hold, log, one, outbox, queue, removals, removed } = setUp()
      outbox.committed(1, false)
      hold("first")
      queue.add(one)
      removals.begin(one, done("a"))
      assert.strictEqual(queue.size, 1)
      assert.isFalse(outbox.isEmpty)
      outbox.committed(2, false)
      hold("second")
      const letGo = removals.begin(one, done("b"))
      removals.begin(one, done("c"))
      assert.strictEqual(queue.size, 1)
      letGo()
      // What is committed after it is written after it.
      outbox.committed(3, false)
      hold("third")
      outbox.whenEmpty(() => log.push("empty"))
      const job = queue.takeJob()!
      yield* job.effect!
      assert.deepStrictEqual(removed, [[["key"], 5]])
      yield* job.done(Exit.void)
      assert.deepStrictEqual(log, ["first stored", "second stored", "a Success", "c Success"])
      outbox.giveUp()
      outbox.settle()
      assert.strictEqual(log.at(-1), "empty")
      removals.begin(one, done("d"))
      assert.strictEqual(queue.size, 1)
    }))

  it.effect("that fails fails the answers that waited for what it undoes, and says so where none waits for it", () =>
    Effect.gen(function*() {
      const { done, hold, log, one, outbox, queue, removals } = setUp()
      outbox.committed(1, false)
      hold("first")
      removals.begin(one, done("a"))
      outbox.giveUp()
      outbox.whenEmpty(() => log.push("empty"))
      const failed = Exit.fail(error({ _tag: "Unavailable", cause: "away" }))
      yield* queue.takeJob()!.done(failed)
      assert.deepStrictEqual(log, ["first NotConserved", "empty", "a Failure"])
      const { layer, lines } = recordedLog()
      yield* Effect.provide(Effect.andThen(reported("key")(Exit.void), reported("key")(failed)), layer)
      assert.deepStrictEqual(lines.map(({ level, text }) => [level, text]), [
        ["Error", "the stored snapshots of \"key\" were not removed"]
      ])
    }))
})
