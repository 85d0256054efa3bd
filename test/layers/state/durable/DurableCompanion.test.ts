/** A companion over a store, step by step: what it commits, what is written of it, and what it knows when that fails. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Latch, Option, Schedule, Schema } from "effect"
import { TestClock } from "effect/testing"
import type { ExitReason } from "../../../../src/domain/process/ExitReason.ts"
import type { SnapshotRecord } from "../../../../src/domain/state/stored/SnapshotRecord.ts"
import { StateSchema, StateStore } from "../../../../src/index.ts"
import type { Process } from "../../../../src/layers/process/Process.ts"
import { type Held, nothing } from "../../../../src/layers/state/companion/Companion.ts"
import { KeyClaim } from "../../../../src/layers/state/durable/Claim.ts"
import { Durable } from "../../../../src/layers/state/durable/Durable.ts"
import type { Session } from "../../../../src/layers/state/durable/StoreSession.ts"
import type { Alarms } from "../../../../src/layers/state/store/Alarms.ts"
import { StoreHealth } from "../../../../src/layers/state/store/StoreHealth.ts"
import type { Unsaved, WriteQueue } from "../../../../src/layers/state/store/WriteQueue.ts"
import { timer } from "../../../kit/stores/Records.ts"

const key = "Desk/a"
const State = Schema.Number.check(Schema.makeFilter((n) => n !== 99))

/** A companion, and its session, in which nothing is written by itself. */
const opened = (more: Partial<Session<number>> = {}) => {
  const store = StateStore.makeMemory()
  const queued: Array<Unsaved> = []
  const late = new Set<Unsaved>()
  const log: Array<string> = []
  const session: Session<number> = {
    store,
    health: new StoreHealth("memory"),
    alarms: undefined,
    queue: { add: (one: Unsaved) => void queued.push(one) } as unknown as WriteQueue,
    claimOf: (text, onLost) => new KeyClaim(text, session, onLost),
    isOver: () => false,
    schema: StateSchema.make(State),
    policy: undefined,
    when: "commit",
    late,
    maxAhead: 2,
    storeKey: (key) => `Desk/${key}`,
    retry: Schedule.recurs(0),
    orphaned: (key) => void log.push(`orphaned ${key}`),
    pace: (steps) =>
      Effect.sync(() => {
        for (;;) {
          const step = steps.next()
          if (step.done === true) return step.value
        }
      }),
    run: (effect) => void Effect.runFork(effect),
    onLost: () => {},
    ...more
  }
  const durable = new Durable("a", session)
  const held = (name: string): Held => ({
    isGone: false,
    stored: () => void log.push(`${name} stored`),
    lost: (reason: ExitReason) => void log.push(`${name} lost: ${reason._tag}`)
  })
  /** Writes what is queued, as its writer does. */
  const write = Effect.gen(function*() {
    const record = durable.record(7)
    if (record === undefined || Exit.isFailure(record)) return record
    yield* store.save([record.value])
    durable.saved(record.value)
    return record
  })
  const take = (incarnation: number) =>
    Effect.suspend(() => {
      const taken = durable.takeOver(incarnation)
      return Effect.isEffect(taken) ? taken : Effect.succeed(taken)
    })
  const other = (seq: number, state: string, epoch = 1, trusted = seq - 1) =>
    store.save([{ key, seq, epoch, version: 1, state, trusted, at: 1 }])
  return { durable, held, late, log, other, queued, session, store, take, write }
}

const saved = (
  exit: Exit.Exit<{ readonly seq: number; readonly state: string; readonly trusted: number }, unknown> | undefined
) => exit !== undefined && Exit.isSuccess(exit) ? [exit.value.seq, exit.value.state, exit.value.trusted] : exit?._tag
const away = Cause.fail("away")
const crash = (callback: boolean) =>
  ({
    restored: 1,
    handled: false,
    activity: callback
      ? { _tag: "InCallback", callback: "restore", why: "boom" }
      : { _tag: "InMessage", message: { tag: "Add", payload: undefined } }
  }) as never
const crashed: ExitReason = { _tag: "Crashed", cause: Cause.die("boom") } as never

describe("a companion over a store", () => {
  it.effect("numbers what is committed, and writes the newest, with the last that a message was handled from as trusted", () =>
    Effect.gen(function*() {
      const { durable, queued, take, write } = opened()
      assert.deepStrictEqual(yield* take(3), nothing)
      assert.strictEqual(durable.youngest, 3)
      assert.isFalse(durable.commit(2, 1, "call"))
      assert.isUndefined(durable.record(7))
      assert.isTrue(durable.commit(3, 10, "callback"))
      assert.deepStrictEqual(saved(yield* write), [1, "10", 0])
      assert.isTrue(durable.commit(3, 11, "call"))
      assert.deepStrictEqual(saved(yield* write), [2, "11", 1])
      assert.isTrue(durable.commit(3, 12, "person"))
      assert.deepStrictEqual(saved(yield* write), [3, "12", 1])
      assert.lengthOf(queued, 3)
      // Nothing new is not written; the snapshot is trusted from then on.
      assert.isTrue(durable.commit(3, 12, "call"))
      assert.lengthOf(queued, 3)
      assert.deepStrictEqual(queued, [durable, durable, durable])
      assert.isTrue(durable.commit(3, 13, "callback"))
      assert.deepStrictEqual(saved(yield* write), [4, "13", 3])
      assert.deepStrictEqual([durable.seq, durable.latest.isPending, durable.latest.stored], [4, false, 4])
      durable.fenceOff(3)
      assert.deepStrictEqual([durable.youngest, durable.commit(3, 14, "call"), durable.commit(4, 99, "call")], [
        4,
        false,
        true
      ])
      // A state that does not fit its schema is refused.
      assert.strictEqual(saved(durable.record(7)), "Failure")
      durable.fenceOff(1)
      assert.strictEqual(durable.youngest, 4)
    }))

  it.effect("has answers wait for what is ahead of the store, and its server when that is too much", () =>
    Effect.gen(function*() {
      const { durable, held, log, queued, take, write } = opened()
      yield* take(1)
      durable.hold(held("none"))
      const state = () => [durable.isBehind, durable.isFull, durable.isSpare]
      assert.deepStrictEqual([log, state()], [["none stored"], [false, false, true]])
      durable.commit(1, 1, "call")
      durable.hold(held("first"))
      assert.deepStrictEqual(state(), [true, false, false])
      durable.commit(1, 2, "cast")
      assert.deepStrictEqual(state(), [true, true, false])
      // They are on their way, whether an answer waits or not.
      assert.lengthOf(queued, 2)
      yield* write
      assert.deepStrictEqual([log, state()], [["none stored", "first stored"], [false, false, true]])
    }))

  it.effect("that is written late is written once an interval, or when an answer waits for it", () =>
    Effect.gen(function*() {
      const { durable, held, late, log, queued, take, write } = opened({ when: "late" })
      yield* take(1)
      const state = () => [late.size, queued.length, durable.isBehind, durable.isFull]
      for (const n of [1, 2, 3]) durable.commit(1, n, "call")
      assert.deepStrictEqual(state(), [1, 0, false, false])
      late.clear()
      durable.commit(1, 4, "call")
      // It is on its way.
      assert.deepStrictEqual(state(), [0, 0, false, false])
      yield* write
      durable.commit(1, 5, "call")
      assert.deepStrictEqual(state(), [1, 0, false, false])
      durable.hold(held("one"))
      assert.deepStrictEqual(state(), [0, 1, false, false])
      assert.deepStrictEqual(queued, [durable])
      yield* write
      assert.deepStrictEqual(log, ["one stored"])
    }))

  it.effect("that could not be written fails what waits for it, and forgets: the store is right", () =>
    Effect.gen(function*() {
      const { durable, held, late, log, take, write } = opened()
      yield* take(1)
      durable.commit(1, 1, "cast")
      yield* write
      durable.commit(1, 2, "cast")
      durable.commit(1, 3, "cast")
      durable.hold(held("one"))
      durable.owner = {
        incarnation: 1,
        exit: (reason: ExitReason) => void log.push(`exit ${reason._tag}`)
      } as unknown as Process
      late.add(durable)
      durable.failed(away)
      assert.deepStrictEqual(log, ["exit NotConserved", "one lost: NotConserved"])
      assert.deepStrictEqual([durable.undone, durable.seq, durable.youngest, late.size, durable.commit(1, 4, "call")], [
        2,
        0,
        2,
        0,
        false
      ])
      assert.deepStrictEqual(yield* take(2), {
        decision: { _tag: "Restore", snapshot: { seq: 1, state: 1, incarnation: 1, trusted: false } },
        aside: []
      })
      durable.owner = undefined
      durable.failed(away)
      assert.deepStrictEqual([log.slice(2), durable.undone], [["orphaned Desk/a"], 0])
      const lost = opened()
      yield* lost.take(1)
      lost.durable.commit(1, 1, "call")
      yield* lost.store.acquireEpoch(key, "key")
      const fenced = yield* Effect.exit(lost.write)
      assert(Exit.isFailure(fenced))
      lost.durable.failed(fenced.cause)
      lost.durable.commit(1, 1, "call")
      const causeOf = <A>(exit: Exit.Exit<A, unknown> | undefined) =>
        exit && Exit.isFailure(exit) ? exit.cause : undefined
      assert.deepStrictEqual(causeOf(yield* Effect.exit(lost.take(2))), fenced.cause)
      assert.deepStrictEqual(causeOf(lost.durable.record(7)), fenced.cause)
      assert.strictEqual(lost.durable.residency(1), "kept")
      lost.durable.passivate()
      assert.deepStrictEqual(causeOf(yield* Effect.exit(lost.durable.activate)), fenced.cause)
    }))

  it.effect("goes on from what is in memory, unless something speaks against it", () =>
    Effect.gen(function*() {
      const { durable, store, take, write } = opened()
      yield* take(1)
      durable.begun(5)
      assert.deepStrictEqual(yield* take(2), nothing)
      durable.commit(2, 5, "call")
      assert.deepStrictEqual((yield* take(3)).decision, {
        _tag: "Restore",
        snapshot: { seq: 0, state: 5, incarnation: 3, trusted: false }
      })
      durable.observe(crashed, crash(true))
      assert.deepStrictEqual(yield* take(4), nothing)
      durable.commit(4, 1, "call")
      yield* write
      durable.commit(4, 2, "call")
      yield* write
      const here = (yield* take(5)).decision
      assert(here._tag === "Restore")
      assert.deepInclude(here.snapshot, { seq: 2, state: 2, incarnation: 4, trusted: false })
      // A message was answered from it.
      durable.observe({ _tag: "Normal" } as never, { ...crash(true) as object, restored: 2, handled: true } as never)
      durable.commit(5, 3, "callback")
      assert.deepStrictEqual(saved(yield* write), [3, "3", 2])
      durable.observe(crashed, crash(true))
      assert.strictEqual(durable.residency(3), "kept")
      const { aside, decision } = yield* take(6)
      assert(decision._tag === "RollBack")
      assert.deepStrictEqual([decision.from, decision.to.seq, decision.to.state], [3, 2, 2])
      assert.deepStrictEqual(aside.map(({ seq }) => seq), [3])
      // What was set aside keeps its number.
      durable.commit(6, 4, "call")
      assert.deepStrictEqual(saved(yield* write), [4, "4", 2])
      assert.deepStrictEqual((yield* store.listAside(key)).map(({ seq }) => seq), [3])
    }))

  it.effect("says where its state is, which may leave memory when it is stored as it is, and come back", () =>
    Effect.gen(function*() {
      const { durable, other, take, write } = opened()
      yield* take(1)
      assert.strictEqual(durable.residency(1), "kept")
      durable.begun(5)
      assert.strictEqual(durable.residency(5), "unwritten")
      durable.commit(1, 1, "call")
      assert.deepStrictEqual([durable.residency(1), durable.residency(2)], ["pending", "kept"])
      yield* write
      durable.commit(1, 2, "call")
      yield* write
      assert.deepStrictEqual([durable.residency(2), durable.residency(1)], ["stored", "kept"])
      assert.strictEqual(yield* durable.activate, 2)
      durable.passivate()
      assert.deepStrictEqual([durable.seq, durable.latest.books, durable.residency(2)], [2, undefined, "kept"])
      assert.deepStrictEqual([yield* durable.activate, durable.seq], [2, 2])
      // What is known of it came back with it: it is on probation, and the one before it is trusted.
      assert.deepStrictEqual([durable.latest.books?.trust, durable.latest.books?.incarnation], ["probation", 1])
      durable.passivate()
      durable.undone = 3
      yield* other(3, "7")
      const failed = yield* Effect.exit(durable.activate)
      assert(Exit.isFailure(failed))
      assert.include(Cause.pretty(failed.cause), "of Desk/a it has snapshot 3, not the snapshot that left memory")
      // No cast was undone by that.
      assert.strictEqual(durable.undone, 0)
      durable.commit(1, 8, "person")
      assert.strictEqual(yield* durable.activate, 8)
      const none = opened()
      none.durable.passivate()
      assert.strictEqual((yield* Effect.exit(none.durable.activate))._tag, "Failure")
    }))

  it.effect("is set, read and cleared by any code: a state that is not known is numbered after what the store has", () =>
    Effect.gen(function*() {
      const { durable, other, store, write } = opened()
      yield* store.acquireEpoch("x")
      yield* other(4, "40")
      const shown = Effect.map(
        durable.snapshots,
        (all) => all.map(({ incarnation, seq, state }) => [seq, state, incarnation])
      )
      assert.deepStrictEqual([yield* durable.get, yield* shown], [Option.some(40), [[4, 40, 1]]])
      const setting = durable.set(41)
      const fiber = yield* Effect.forkChild(setting, { startImmediately: true })
      for (let i = 0; i < 20; i++) yield* Effect.yieldNow
      assert.deepStrictEqual([yield* durable.get, yield* shown], [Option.some(41), [[5, 41, 0], [4, 40, 1]]])
      assert.deepStrictEqual(saved(yield* write), [5, "41", 0])
      yield* Fiber.join(fiber)
      assert.deepStrictEqual([yield* durable.get, yield* shown], [Option.some(41), [[5, 41, 2], [4, 40, 1]]])
    }))

  const timers = [timer("t", 50)]
  const besides = { answers: [{ id: "x", at: 1, body: "{}" }], timers }
  const noting = () => {
    const noted: Array<unknown> = []
    return { noted, alarms: { note: (some: unknown) => void noted.push(some) } as unknown as Alarms }
  }

  it.effect("has answers and timers beside its state, which are written with it, and come back with it", () =>
    Effect.gen(function*() {
      const { alarms, noted } = noting()
      const { durable, session, take, write } = opened({ alarms })
      assert.isUndefined(durable.noTimers)
      yield* take(1)
      durable.commit(1, 1, "call", besides)
      assert.deepStrictEqual([durable.recorded("x")?.seq, durable.recorded("y"), durable.timers], [
        1,
        undefined,
        timers
      ])
      const record = yield* write
      assert(record !== undefined && Exit.isSuccess(record))
      assert.deepStrictEqual([record.value.answers, record.value.timers], [
        [{ ...besides.answers[0]!, seq: 1 }],
        timers
      ])
      // None are set at the start; then those that are stored.
      assert.deepStrictEqual(noted, [[], timers])
      // What is beside a state is written, also where the state is as it was.
      durable.commit(1, 1, "call", { answers: [{ id: "y", at: 2, body: "{}" }] })
      assert.deepStrictEqual(saved(yield* write), [2, "1", 1])
      assert.lengthOf(noted, 2)
      durable.passivate()
      assert.deepStrictEqual([durable.recorded("x"), durable.timers], [undefined, []])
      yield* durable.activate
      assert.deepStrictEqual([durable.recorded("x")?.seq, durable.recorded("y")?.seq, durable.timers], [1, 2, timers])
      durable.failed(away)
      assert.deepStrictEqual([durable.recorded("x"), durable.timers], [undefined, []])
      const next = new Durable("a", session)
      const taken = next.takeOver(2)
      assert(Effect.isEffect(taken))
      yield* taken
      assert.deepStrictEqual([next.recorded("x")?.seq, next.timers, noted.at(-1)], [1, timers, timers])
      assert.include(opened().durable.noTimers, "\"memory\" keeps none")
    }))

  it.effect("starts from what an earlier process stored, and believes what that says of what can be trusted", () =>
    Effect.gen(function*() {
      const next = Effect.fnUntraced(function*(...records: ReadonlyArray<readonly [seq: number, trusted: number]>) {
        const { durable, other, store, take, write } = opened()
        yield* store.acquireEpoch("x")
        for (const [seq, trusted] of records) yield* other(seq, String(seq), 1, trusted)
        yield* take(3)
        durable.passivate()
        yield* durable.activate
        const { books } = durable.latest
        durable.commit(4, 9, "callback")
        return [books?.trust, books?.incarnation, saved(yield* write)]
      })
      assert.deepStrictEqual(yield* next([1, 0], [2, 2]), ["trusted", 3, [3, "9", 2]])
      assert.deepStrictEqual(yield* next([1, 0], [2, 1]), ["probation", 3, [3, "9", 1]])
      assert.deepStrictEqual(yield* next([5, 0]), ["probation", 3, [6, "9", 0]])
      // The number of one that was set aside is not used again.
      const { durable, other, store, take, write } = opened()
      const epoch = yield* store.acquireEpoch("x")
      yield* other(1, "1")
      yield* other(7, "7")
      yield* store.setAside({ key, seq: 7, epoch, why: "poisoned" })
      yield* take(1)
      durable.commit(1, 2, "call")
      assert.deepStrictEqual(saved(yield* write), [2, "2", 1])
      assert.deepStrictEqual((yield* durable.aside).map(({ seq }) => seq), [7])
    }))

  it.effect("that is suspect is refused where that is asked for, as often as it is asked; what is known against it stays", () =>
    Effect.gen(function*() {
      const { durable, take, write } = opened({ policy: { onSuspect: "refuse" } as never })
      yield* take(1)
      durable.commit(1, 1, "call")
      yield* write
      durable.observe(crashed, crash(true))
      for (const incarnation of [2, 3]) {
        const { decision } = yield* take(incarnation)
        assert(decision._tag === "Refuse")
        assert.include(decision.why, "restore crashed on snapshot 1: boom")
        assert.deepStrictEqual([durable.seq, durable.residency(1)], [1, "kept"])
      }
      // A callback's commit says nothing for what it crashed on.
      const suspect = opened()
      yield* suspect.take(1)
      suspect.durable.commit(1, 1, "callback")
      suspect.durable.observe(crashed, crash(true))
      suspect.durable.commit(1, 2, "callback")
      assert.deepStrictEqual(saved(yield* suspect.write), [2, "2", 0])
      // A person has looked at it.
      durable.commit(4, 1, "person")
      assert.strictEqual((yield* take(5)).decision._tag, "Restore")
    }))

  it.effect("that is set while it is read is what its server gets, whatever was read", () =>
    Effect.gen(function*() {
      const memory = StateStore.makeMemory()
      const gate = Latch.makeUnsafe(true)
      const { durable, take } = opened({
        store: { ...memory, load: (key) => Effect.andThen(gate.await, memory.load(key)) }
      })
      yield* take(1)
      durable.commit(1, 1, "call")
      const record = durable.record(7)
      assert(record !== undefined && Exit.isSuccess(record))
      yield* memory.save([record.value])
      durable.saved(record.value)
      durable.passivate()
      yield* gate.close
      const reading = yield* Effect.forkChild(durable.activate, { startImmediately: true })
      durable.commit(1, 9, "person")
      yield* gate.open
      assert.strictEqual(yield* Fiber.join(reading), 9)
      assert.strictEqual(yield* durable.activate, 9)
    }))

  it.effect("says when there is room, when all is stored, and when nothing would be lost with it", () =>
    Effect.gen(function*() {
      const { durable, late, log, take, write } = opened()
      yield* take(1)
      assert.strictEqual(durable.key, "a")
      const say = (what: string) => () => void log.push(what)
      durable.follow(say("stored at once"), say("lost"))
      durable.commit(1, 1, "call")
      durable.commit(1, 2, "call")
      durable.follow(say("stored"), say("lost"))
      durable.whenRoom(say("room"))
      durable.whenSpare(say("spare"))
      yield* write
      assert.deepStrictEqual(log.splice(0), ["stored at once", "stored", "room", "spare"])
      durable.commit(1, 3, "call")
      durable.follow(say("stored"), say("lost"))
      durable.whenRoom(say("room"))
      durable.failed(away)
      assert.deepStrictEqual(log, ["orphaned Desk/a", "lost", "room"])
      assert.deepStrictEqual(durable.latest.store, { name: "memory", key })
      assert.isUndefined(durable.outage)
      // A failure begins its interval anew.
      const slow = opened({ when: "late" })
      yield* slow.take(1)
      slow.durable.commit(1, 1, "call")
      slow.durable.failed(away)
      assert.strictEqual(slow.late.size, 0)
      yield* slow.take(2)
      slow.durable.commit(2, 1, "call")
      assert.strictEqual(slow.late.size, 1)
      assert.strictEqual(late.size, 0)
    }))
})

describe("what a store holds of a key", () => {
  const one = (seq: number, state: string, more: Partial<SnapshotRecord> = {}): SnapshotRecord => ({
    key,
    seq,
    epoch: 1,
    version: 1,
    state,
    trusted: seq - 1,
    at: 0,
    answers: [],
    ...more
  })
  /** A companion over a store that holds just this. */
  const holding = (records: ReadonlyArray<SnapshotRecord>, policy?: unknown) => {
    const memory = StateStore.makeMemory()
    const found = { records }
    const store = { ...memory, load: () => Effect.sync(() => found.records) }
    return { ...opened({ store, policy: policy as never }), found }
  }
  const failureOf = <A>(effect: Effect.Effect<A, unknown>) =>
    Effect.map(Effect.exit(effect), (exit) => Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : "succeeded")
  const text = "\"text\""

  it.effect("is shown without what is damaged, or cannot be read; the newest that cannot be gives way where that is asked for", () =>
    Effect.gen(function*() {
      const all = [one(4, "4", { damaged: "it rotted" }), one(3, text), one(2, "2", { epoch: 5 }), one(1, "1")]
      const { durable } = holding(all)
      assert.deepStrictEqual(yield* durable.snapshots, [
        { seq: 2, state: 2, incarnation: 5 },
        { seq: 1, state: 1, incarnation: 1 }
      ])
      const failure = yield* failureOf(durable.get)
      assert.match(failure, /snapshot 3 of .*Desk\/a|Desk\/a.*snapshot 3/s)
      const init = { onUnreadable: "init" }
      assert.deepStrictEqual(yield* holding(all, init).durable.get, Option.some(2))
      assert.deepStrictEqual(yield* holding([one(1, text)], init).durable.get, Option.none())
      assert.deepStrictEqual(yield* holding([all[0]!], init).durable.get, Option.none())
      assert.deepStrictEqual(yield* holding([all[0]!, all[2]!]).durable.get, Option.some(2))
    }))

  it.effect("is not started from where it cannot be read, is another session's, or has a key that no store takes", () =>
    Effect.gen(function*() {
      const unreadable = yield* failureOf(holding([one(2, "2", { damaged: "it rotted" }), one(1, text)]).take(1))
      assert.include(unreadable, "Desk/a")
      assert.include(unreadable, "it rotted")
      const younger = holding([one(1, "1", { epoch: 9 })])
      const fenced = yield* Effect.exit(younger.take(1))
      assert(Exit.isFailure(fenced))
      assert.deepInclude(Cause.squash(fenced.cause), {
        operation: "load",
        reason: { _tag: "Fenced", epoch: 1, current: 9, key }
      })
      // A damaged one that is refused leaves nothing in memory: the store is asked each time.
      const damaged = holding([one(2, "2", { damaged: "it rotted" }), one(1, "1")], { onSuspect: "refuse" })
      for (const incarnation of [1, 2]) {
        assert.strictEqual((yield* damaged.take(incarnation)).decision._tag, "Refuse")
        assert.deepStrictEqual([damaged.durable.seq, damaged.durable.latest.books], [0, undefined])
      }
      const long = holding([]).session
      const companion = new Durable("a".repeat(600), long)
      const taken = companion.takeOver(1)
      assert(Effect.isEffect(taken))
      const refused = yield* Effect.exit(taken)
      assert(Exit.isFailure(refused))
      const error = Cause.squash(refused.cause)
      assert.instanceOf(error, StateStore.StoreError)
      assert.deepStrictEqual([error.operation, error.reason._tag], ["start", "Invalid"])
      assert.include(error.message, "choose a shorter one, such as a hash of it")
    }))

  it.effect("must be what left memory when that comes back: nothing else takes its place", () =>
    Effect.gen(function*() {
      const back = Effect.fnUntraced(function*(records: ReadonlyArray<SnapshotRecord>, policy?: unknown) {
        const { durable, found, take } = holding([one(1, "1")], policy)
        yield* take(1)
        durable.passivate()
        found.records = records
        const failure = yield* failureOf(durable.activate)
        // Whether it can still commit and write.
        durable.commit(2, 3, "person")
        const record = durable.record(7)
        return [failure, record !== undefined && Exit.isFailure(record) ? "over" : "held"]
      })
      assert.deepStrictEqual(yield* back([one(1, "1")]), ["succeeded", "held"])
      const [nothing] = yield* back([])
      assert.include(nothing, "of Desk/a it has nothing, not the snapshot that left memory")
      const [other] = yield* back([one(2, "2")])
      assert.include(other, "of Desk/a it has snapshot 2, not the snapshot that left memory")
      const [damaged] = yield* back([one(1, "1", { damaged: "it rotted" })])
      assert.include(damaged, "it rotted")
      const [unreadable] = yield* back([one(1, text)])
      assert.match(unreadable!, /^StateUnreadable/)
      const [giving] = yield* back([one(1, text)], { onUnreadable: "init" })
      assert.match(giving!, /^StoreError: load.*snapshot|^StoreError: load/s)
      const [fenced, claim] = yield* back([one(1, "1", { epoch: 9 })])
      assert.match(fenced!, /younger session has taken over/)
      assert.strictEqual(claim, "over")
    }))

  it.effect("may be a doubt, which is over when answers would not be kept any more", () =>
    Effect.gen(function*() {
      const doubt = one(1, "", { epoch: 0, damaged: "a part is missing", isDoubt: true })
      const decided = (policy?: unknown) =>
        Effect.map(
          holding([doubt], policy).take(1),
          ({ decision }) => decision._tag === "Init" ? decision.from : "other"
        )
      const brief = { answers: { maxAge: 1000, maxCount: 10 } }
      assert.deepStrictEqual([yield* decided(), yield* decided(brief)], [1, 1])
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual([yield* decided(), yield* decided(brief)], [1, 1])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual([yield* decided(), yield* decided(brief)], [1, undefined])
      yield* TestClock.adjust("1 day")
      assert.isUndefined(yield* decided())
      // What is no doubt stays, however old it is.
      assert.strictEqual((yield* holding([one(1, "1")], brief).take(1)).decision._tag, "Restore")
    }))
})
