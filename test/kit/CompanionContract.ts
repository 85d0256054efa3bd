/**
 * The promises of companions, as tests that every kind runs through: in memory, in a table, write-behind, forgetful,
 * durable.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Option, Schema, type Scope } from "effect"
import { crashed, killed } from "../../src/domain/process/ExitReason.ts"
import type { Decision, Policy } from "../../src/domain/state/Recovery.ts"
import * as StateSchema from "../../src/domain/state/StateSchema.ts"
import type { CompanionPort, Taken } from "../../src/layers/state/companion/Companion.ts"
import { Forgetful } from "../../src/layers/state/companion/Forgetful.ts"
import { type Cell, RefCompanion, restOf } from "../../src/layers/state/companion/RefCompanion.ts"
import { TableRows } from "../../src/layers/state/companion/TableRows.ts"
import { WriteBehindCompanion } from "../../src/layers/state/companion/WriteBehindCompanion.ts"
import { Durable } from "../../src/layers/state/durable/Durable.ts"
import { openSession } from "../../src/layers/state/durable/StoreSession.ts"
import { defaultRetry } from "../../src/layers/state/store/Patience.ts"
import { makeMemory } from "../../src/layers/state/store/StateStore.ts"

/** A kind of companion, and how it differs from the others. */
export interface Kind {
  readonly name: string
  readonly make: (policy?: Policy) => Effect.Effect<CompanionPort<number>, never, Scope.Scope>
  /** What a new incarnation gets: every commit, those of an incarnation that ran `terminate`, or nothing. */
  readonly conserves: "commits" | "ends" | "nothing"
  /** Commits are visible, and judged, as soon as they are made, or stored. */
  readonly isPrompt: boolean
  /** Answers wait until their state is stored. */
  readonly holds: boolean
}

const memory = (policy: Policy | undefined) => new RefCompanion<number>("a", restOf(withAnswers(policy)))

const withAnswers = (policy: Policy | undefined) => ({ ...policy, answers: { maxCount: 3, maxAge: 1000 } })

export const kinds: ReadonlyArray<Kind> = [
  {
    name: "in memory",
    make: (policy) => Effect.sync(() => memory(policy)),
    conserves: "commits",
    isPrompt: true,
    holds: false
  },
  {
    name: "in a table",
    make: (policy) =>
      Effect.sync(() =>
        new RefCompanion<number>("a", restOf(withAnswers(policy)), new TableRows().attach("row") as Cell<number>)
      ),
    conserves: "commits",
    isPrompt: true,
    holds: false
  },
  {
    name: "that forgets",
    make: () => Effect.sync(() => new Forgetful<number>("a")),
    conserves: "nothing",
    isPrompt: false,
    holds: false
  },
  {
    name: "conserving at intervals",
    make: (policy) => Effect.sync(() => new WriteBehindCompanion(memory(policy), false, new Set())),
    conserves: "commits",
    isPrompt: false,
    holds: false
  },
  {
    name: "conserving on terminate",
    make: (policy) => Effect.sync(() => new WriteBehindCompanion(memory(policy), true, new Set())),
    conserves: "ends",
    isPrompt: false,
    holds: false
  },
  ...(["class", "key"] as const).map((fence): Kind => ({
    name: fence === "class" ? "in a store" : "in a store, claimed by key",
    make: (policy) =>
      Effect.orDie(Effect.map(
        openSession({ key: "test/Contract", stateSchema: StateSchema.make(Schema.Int) }, makeMemory(), {
          policy: withAnswers(policy),
          when: "commit",
          late: new Set(),
          maxAhead: 10_000,
          storeKey: (key) => `test/Contract/${key}`,
          retry: defaultRetry
        }, fence),
        (session) => new Durable<number>("a", session)
      )),
    conserves: "commits",
    isPrompt: true,
    holds: true
  }))
]

/** What a new incarnation starts from. */
export const takeOver = (companion: CompanionPort<number>, incarnation: number) =>
  Effect.suspend(() => {
    const taken = companion.takeOver(incarnation)
    return Effect.isEffect(taken) ? taken as Effect.Effect<Taken<number>> : Effect.succeed(taken)
  })

const decided = (companion: CompanionPort<number>, incarnation: number) =>
  Effect.map(takeOver(companion, incarnation), ({ decision }) => decision)

/** The state that a decision starts from. */
export const startOf = (decision: Decision<number>): number | undefined =>
  decision._tag === "Restore" ? decision.snapshot.state : decision._tag === "RollBack" ? decision.to.state : undefined

const seqOf = (decision: Decision<number>): number =>
  decision._tag === "Restore" ? decision.snapshot.seq : decision._tag === "RollBack" ? decision.to.seq : 0

/** Waits until all that was committed is stored, where it is. */
export const settled = (companion: CompanionPort<number>): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const done = () => resume(Effect.void)
    companion.hold({ isGone: false, stored: done, lost: done })
  })

/** The end of an incarnation that had handled nothing since it started from snapshot `restored`. */
const crashInCallback = (companion: CompanionPort<number>, restored: number, why = "boom") =>
  companion.observe(crashed(Cause.die(why)), {
    restored,
    handled: false,
    activity: { _tag: "InCallback", callback: "restore", why }
  })

/** The promises that every kind keeps, each as far as it conserves. */
export const contract = (kind: Kind): void => {
  const { conserves, holds, isPrompt, make, name } = kind
  const judges = isPrompt && conserves === "commits"

  describe(`a companion ${name}`, () => {
    it.effect("gives no number twice, that of a snapshot that is gone neither", () =>
      Effect.gen(function*() {
        const companion = yield* make({ onSuspect: "rollback" })
        if (conserves === "nothing") return assert.deepStrictEqual(yield* companion.snapshots, [])
        const numbers: Array<number | undefined> = []
        const commit = Effect.fnUntraced(function*(incarnation: number) {
          yield* takeOver(companion, incarnation)
          companion.commit(incarnation, incarnation, "call")
          companion.conclude(incarnation, incarnation)
          if (!isPrompt) yield* takeOver(companion, incarnation)
          yield* settled(companion)
          numbers.push((yield* companion.snapshots)[0]?.seq)
        })
        yield* commit(1)
        yield* companion.clear
        yield* commit(2)
        yield* commit(3)
        crashInCallback(companion, 3)
        yield* takeOver(companion, 4)
        yield* companion.clear
        yield* companion.clear
        yield* commit(5)
        assert.deepStrictEqual(numbers, [1, 2, 3, 4])
      }))

    it.effect("fences off older incarnations as soon as a younger one takes over", () =>
      Effect.gen(function*() {
        const companion = yield* make()
        assert.strictEqual(companion.youngest, 0)
        yield* takeOver(companion, 1)
        assert.isTrue(companion.commit(1, 10, "call"))
        yield* takeOver(companion, 2)
        assert.isFalse(companion.commit(1, 11, "call"))
        assert.isTrue(companion.commit(2, 12, "call"))
        assert.strictEqual(companion.youngest, 2)
      }))

    it.effect("fences off an incarnation that was abandoned, before another takes over", () =>
      Effect.gen(function*() {
        const companion = yield* make()
        yield* takeOver(companion, 1)
        companion.fenceOff(1)
        assert.isFalse(companion.commit(1, 11, "call"))
        assert.isAbove(companion.youngest, 1)
        yield* takeOver(companion, 2)
        assert.isTrue(companion.commit(2, 12, "call"))
        // Not by one that ended before.
        companion.fenceOff(1)
        assert.isTrue(companion.commit(2, 13, "call"))
        companion.fenceOff(2)
        assert.isFalse(companion.commit(2, 14, "call"))
      }))

    it.effect(
      holds ? "holds answers until their state is stored" : "holds no answer back",
      () =>
        Effect.gen(function*() {
          const companion = yield* make()
          yield* takeOver(companion, 1)
          companion.commit(1, 10, "call")
          const heard: Array<string> = []
          companion.hold({
            isGone: false,
            stored: () => heard.push("stored"),
            lost: () => heard.push("lost")
          })
          assert.deepStrictEqual([heard, companion.isBehind, companion.isFull], [holds ? [] : ["stored"], holds, false])
          yield* settled(companion)
          assert.deepStrictEqual([heard, companion.isBehind], [["stored"], false])
        })
    )

    const handsDown = (end: "a crash" | "a kill", isThere: boolean) =>
      Effect.gen(function*() {
        const companion = yield* make()
        yield* takeOver(companion, 1)
        companion.commit(1, 10, "call")
        companion.commit(1, 11, "call")
        if (end === "a crash") companion.conclude(1, 11)
        const decision = yield* decided(companion, 2)
        assert.strictEqual(startOf(decision), isThere ? 11 : undefined)
        assert.strictEqual(decision._tag, isThere ? "Restore" : "Init")
      })

    it.effect(
      "after a crash: the state conserved on commit, at intervals and on terminate; none when it is forgotten",
      () => handsDown("a crash", conserves !== "nothing")
    )

    it.effect(
      "after a kill: the state conserved on commit and at intervals, but none that is conserved on terminate",
      () => handsDown("a kill", conserves === "commits")
    )

    it.effect("counts the commits of one server over all its incarnations, from 1", () =>
      Effect.gen(function*() {
        const companion = yield* make()
        for (const incarnation of [1, 2, 3]) {
          yield* takeOver(companion, incarnation)
          companion.commit(incarnation, incarnation, "call")
          companion.conclude(incarnation, incarnation)
          yield* settled(companion)
          const seqs = (yield* companion.snapshots).map(({ seq }) => seq)
          assert.strictEqual(seqs[0], conserves === "nothing" ? undefined : incarnation)
        }
      }))

    it.effect("is set on behalf of the youngest incarnation, is cleared, and starts anew", () =>
      Effect.gen(function*() {
        const companion = yield* make()
        yield* takeOver(companion, 3)
        yield* companion.set(41)
        const isKept = conserves !== "nothing"
        assert.deepStrictEqual(yield* companion.get, isKept ? Option.some(41) : Option.none())
        assert.deepStrictEqual(
          (yield* companion.snapshots).map(({ seq, state }) => [seq, state]),
          isKept ? [[1, 41]] : []
        )
        yield* companion.clear
        assert.deepStrictEqual([yield* companion.get, yield* companion.snapshots], [Option.none(), []])
        assert.strictEqual((yield* decided(companion, 4))._tag, "Init")
      }))

    it.effect("is spare when nothing would be lost with it", () =>
      Effect.gen(function*() {
        const companion = yield* make()
        yield* takeOver(companion, 1)
        assert.isTrue(companion.isSpare)
        companion.commit(1, 10, "call")
        assert.strictEqual(companion.isSpare, conserves === "nothing")
        companion.conclude(1, 10)
        yield* settled(companion)
        assert.strictEqual(companion.isSpare, conserves === "nothing" || holds)
      }))

    it.effect("answers on record come with the states, and the oldest give way", () =>
      Effect.gen(function*() {
        const companion = yield* make()
        yield* takeOver(companion, 1)
        for (const id of ["a", "b", "c", "d"]) companion.commit(1, 1, "call", { answers: [{ id, at: 0, body: id }] })
        assert.strictEqual(companion.recorded("d")?.body, conserves === "nothing" ? undefined : "d")
        if (isPrompt) assert.deepStrictEqual(companion.recorded("a"), undefined)
        yield* companion.clear
        assert.isUndefined(companion.recorded("d"))
      }))

    if (!judges) return

    it.effect("rolls back from a state that a callback crashed on to the last good one, and keeps the suspect aside", () =>
      Effect.gen(function*() {
        const companion = yield* make()
        yield* takeOver(companion, 1)
        for (const state of [10, 11, 12]) {
          companion.commit(1, state, "call")
          yield* settled(companion)
        }
        yield* takeOver(companion, 2)
        crashInCallback(companion, 3)
        const { aside, decision } = yield* takeOver(companion, 3)
        assert.deepStrictEqual([decision._tag, startOf(decision)], ["RollBack", 11])
        assert.deepStrictEqual(aside.map(({ seq }) => seq), [3])
        assert.deepStrictEqual((yield* companion.aside).map(({ seq }) => seq), [3])
        companion.commit(3, 13, "call")
        yield* settled(companion)
        assert.strictEqual((yield* companion.snapshots)[0]?.seq, 4, "no number is used again")
      }))

    it.effect("a kill is no evidence, and a state that a message was handled from is trusted for good", () =>
      Effect.gen(function*() {
        const companion = yield* make()
        yield* takeOver(companion, 1)
        companion.commit(1, 10, "callback")
        companion.observe(killed, { restored: 0, handled: false, activity: { _tag: "Outside" } })
        assert.strictEqual(startOf(yield* decided(companion, 2)), 10)
        companion.commit(2, 10, "call")
        crashInCallback(companion, 1)
        assert.deepStrictEqual((yield* decided(companion, 3))._tag, "Restore")
      }))

    it.effect("evidence goes over to the state that a callback made of a suspect; a person's state is innocent", () =>
      Effect.gen(function*() {
        const companion = yield* make()
        yield* takeOver(companion, 1)
        companion.commit(1, 10, "callback")
        crashInCallback(companion, 0)
        companion.commit(1, 11, "callback")
        assert.strictEqual((yield* decided(companion, 2))._tag, "Init")
        companion.commit(2, 12, "callback")
        crashInCallback(companion, 0)
        yield* companion.set(13)
        assert.strictEqual(startOf(yield* decided(companion, 3)), 13)
      }))
  })
}

const State = Schema.Literals([0, 1, 2])
const Op = Schema.Union([
  Schema.TaggedStruct("Commit", {
    state: State,
    by: Schema.Literals(["call", "call", "cast", "callback", "person"]),
    isStale: Schema.Literals([false, false, false, true]),
    answer: Schema.Literals(["none", "none", "none", "a"])
  }),
  Schema.TaggedStruct("Crash", {
    times: Schema.Literals([1, 2, 3]),
    handled: Schema.Literals([false, false, true]),
    activity: Schema.Literals(["Outside", "InHandler", "InCallback", "InCallback"]),
    message: Schema.Literals(["x", "y"])
  }),
  Schema.TaggedStruct("Forget", { really: Schema.Literals([false, false, false, true]) })
])

const activityOf = ({ activity, message: tag }: Extract<typeof Op.Type, { readonly _tag: "Crash" }>) => {
  switch (activity) {
    case "Outside":
      return { _tag: activity } as const
    case "InHandler":
      return { _tag: activity, message: { tag, payload: {} } } as const
    case "InCallback":
      return { _tag: activity, callback: "restore", why: tag } as const
  }
}

/** What can be seen of one companion over a life. */
const lived = (companion: CompanionPort<number>, ops: ReadonlyArray<typeof Op.Type>) =>
  Effect.gen(function*() {
    const seen: Array<unknown> = []
    let incarnation = 1
    let restored = 0
    yield* takeOver(companion, 1)
    for (const op of ops) {
      switch (op._tag) {
        case "Commit": {
          const besides = op.answer === "none" ? undefined : { answers: [{ id: op.answer, at: 0, body: op.answer }] }
          seen.push(companion.commit(op.isStale ? incarnation - 1 : incarnation, op.state, op.by, besides))
          yield* settled(companion)
          break
        }
        case "Crash":
          for (let i = 0; i < op.times; i++) {
            const end = { restored, handled: op.handled, activity: activityOf(op) }
            companion.observe(crashed(Cause.die("boom")), end)
            incarnation++
            const { aside, decision } = yield* takeOver(companion, incarnation)
            restored = seqOf(decision)
            seen.push([decision._tag, startOf(decision), aside.length > 0])
          }
          break
        case "Forget":
          if (!op.really) break
          yield* companion.clear
          break
      }
      seen.push(Option.getOrUndefined(yield* companion.get), companion.recorded("a")?.body)
    }
    return seen
  })

/** Lives of a state; `RUNS=400` for a long run. */
const runs = Number(process.env["RUNS"] ?? 120)

/** Kinds that conserve every commit lead the same lives, whatever they keep their snapshots in. */
export const sameLives = (of: ReadonlyArray<Kind>): void => {
  for (const onSuspect of ["rollback", "refuse", undefined] as const) {
    it.effect.prop(
      `any life of a state is the same ${of.map(({ name }) => name).join(", ")} (onSuspect: ${onSuspect})`,
      { ops: Schema.Array(Op) },
      ({ ops }) =>
        Effect.gen(function*() {
          const lives = yield* Effect.forEach(of, ({ make }) =>
            Effect.flatMap(make({ onSuspect }), (companion) => lived(companion, ops)))
          for (const life of lives.slice(1)) {
            assert.deepStrictEqual(life, lives[0])
          }
        }).pipe(Effect.scoped),
      { arbitrary: { runs } }
    )
  }
}
