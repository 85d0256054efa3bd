/** What every store refuses, and what every store keeps, whatever it keeps in. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import type { RecordedAnswer } from "../../../../src/domain/state/Answers.ts"
import * as MadeKey from "../../../../src/domain/state/MadeKey.ts"
import {
  evict,
  generationsOf,
  invalid,
  invalidKey,
  isLonger,
  keep,
  type Kept,
  loaded,
  maxKeyBytes,
  type SnapshotRecord,
  timersOf,
  undoubted,
  withoutSnapshot
} from "../../../../src/domain/state/stored/SnapshotRecord.ts"
import type { Timers } from "../../../../src/domain/state/Timers.ts"

const record: SnapshotRecord = { key: "k", epoch: 1, seq: 1, version: 1, state: "1", trusted: 0, at: 0 }
const answer = (id: string, seq = 1): RecordedAnswer => ({ id, seq, at: 0, body: "" })
const timer = (name: string, due = 1) => ({ name, due, message: "Ring", payload: {} })

const Text = Schema.Array(Schema.Literals(["a", "é", "日", "😀"])).check(Schema.isMaxLength(40))

describe("a length in bytes", () => {
  it.prop(
    "is longer than a bound as UTF-8 has it",
    { text: Text, bytes: Schema.Literals([0, 1, 2, 3, 8, 9, 20]) },
    ({ bytes, text }) => {
      const whole = text.join("")
      assert.strictEqual(isLonger(whole, bytes), Buffer.byteLength(whole) > bytes)
    }
  )

  it("is counted at the bound", () => {
    for (const [char, size] of [["a", 1], ["é", 2], ["日", 3], ["😀", 4]] as const) {
      const fits = char.repeat(Math.floor(maxKeyBytes / size))
      assert.isUndefined(invalidKey(fits))
      assert.include(
        invalidKey(fits + char)!,
        `has ${Buffer.byteLength(fits + char)} bytes, and a store holds keys of up to 512`
      )
    }
  })
})

describe("what a store refuses", () => {
  const refused: ReadonlyArray<readonly [change: Partial<SnapshotRecord>, says: RegExp]> = [
    [{ key: "é".repeat(257) }, /the key "é{40}…" has 514 bytes/],
    ...[0, -1, 1.5, Number.NaN, 2 ** 53].map((seq) =>
      [{ seq }, /sequence number .* is not a positive integer/] as const
    ),
    ...[0, -1, 1.5, Number.NaN].map((epoch) => [{ epoch }, /epoch .* was never acquired/] as const),
    ...[0.5, Number.NaN].map((trusted) => [{ trusted }, /no proper version \(1\), trust/] as const),
    ...[0.5, Number.NaN].map((version) => [{ version }, /no proper version/] as const),
    ...[Infinity, Number.NaN].map((at) => [{ at }, /or time/] as const),
    [
      { answers: [answer("a".repeat(256)), answer("é".repeat(129))] },
      /the answer id "é{40}…" of "k" is longer than 256 bytes/
    ],
    [{ timers: [timer("a"), timer("b", Infinity)] }, /the timer "b" of "k" is due at no proper time/]
  ]

  it("says what is wrong with a batch, wherever in it", () => {
    assert.isUndefined(invalid([]))
    assert.isUndefined(
      invalid([record, {
        ...record,
        trusted: -1,
        version: 0,
        at: -1.5,
        answers: [answer("a".repeat(256)), answer("")],
        timers: [timer("a", -1)],
        key: "a".repeat(512)
      }])
    )
    for (const [change, says] of refused) {
      assert.match(invalid([{ ...record, ...change }])!, says)
      assert.match(invalid([record, { ...record, ...change }, record])!, says)
    }
  })

  it("keeps two snapshots of a key at least, and three by default", () => {
    assert.deepStrictEqual([undefined, 2, 7].map((given) => generationsOf("s", given)), [3, 2, 7])
    for (const given of [1, 0, 2.5, Number.NaN]) assert.throws(() => generationsOf("s", given), /generations/)
  })
})

const Save = Schema.Struct({
  /** Mostly the next number; also the same again, and one from before. */
  step: Schema.Literals([1, 1, 1, 0, -2]),
  trusts: Schema.Literals([0, 1, 2, 5]),
  answers: Schema.Array(Schema.Literals(["a", "b", "c", MadeKey.make("d", 5000)])).check(Schema.isMaxLength(2)),
  forgets: Schema.Literals([0, 0, 2, 4]),
  forgetsMade: Schema.Literals([0, 0, 3]),
  sets: Schema.Literals(["as before", "as before", "one", "none"])
})

type Plain = SnapshotRecord & { readonly timersThen: Timers }

/** What is kept after some saves, and each snapshot's timers as they were when it was saved. */
const saved = (steps: ReadonlyArray<typeof Save.Type>, limit: number) => {
  let kept: Kept<Plain> | undefined
  let seq = 0
  for (const [i, step] of steps.entries()) {
    const before = kept?.snapshots ?? []
    seq = Math.max(1, seq + step.step)
    const timers = step.sets === "as before" ? undefined : step.sets === "one" ? [timer(`t${i}`)] : []
    const one: Plain = {
      ...record,
      seq,
      trusted: Math.max(0, seq - step.trusts),
      state: `${i}`,
      timersThen: timers ?? (kept === undefined ? [] : timersOf(kept))
    }
    const added = step.answers.map((id) => answer(id, seq))
    const forgets = { forgetAnswersBefore: step.forgets, forgetMadeBefore: step.forgetsMade }
    kept = keep(kept, one, { answers: added, ...forgets, timers }, limit)
    const seqs = kept.snapshots.map((kept) => kept.seq)
    assert.deepStrictEqual(seqs, [...seqs].sort((a, b) => b - a))
    assert.isAtMost(seqs.length, limit)
    assert.include(kept.snapshots, one)
    // Who gave way: the oldest, and never the newest that is trusted.
    const others = before.filter((other) => other.seq !== seq).map((other) => other.seq)
    const lost = others.filter((other) => !seqs.includes(other))
    const newestTrusted = Math.max(-1, ...others.filter((other) => other <= one.trusted))
    const first = others.filter((other) => other !== newestTrusted).sort((a, b) => a - b)[0]
    assert.deepStrictEqual(lost, others.length < limit ? [] : [first])
    for (const { id, seq } of kept.answers) {
      assert.isAtLeast(seq, MadeKey.isMade(id) ? step.forgetsMade : step.forgets)
    }
  }
  return kept
}

describe("what a store keeps of a key", () => {
  const steps = Schema.NonEmptyArray(Save)
  const limit = Schema.Literals([2, 3, 4])

  it.prop("are the newest snapshots and the newest that is trusted", { steps, limit }, ({ limit, steps }) => {
    saved(steps, limit)
  })

  it.prop(
    "goes back with a snapshot that is set aside, answers and timers with it",
    { steps, limit },
    ({ limit, steps }) => {
      // Timers change with the newest snapshot.
      const kept = saved(steps.filter(({ step }) => step >= 0), limit)
      if (kept === undefined) return
      const [newest, second] = kept.snapshots
      const before = second?.seq ?? 0
      const all = [...kept.answers]
      const aside = withoutSnapshot(kept, newest!.seq)
      assert.deepStrictEqual(aside.kept.snapshots, kept.snapshots.slice(1))
      const gone = all.filter(({ seq }) => seq > before).sort((a, b) => a.seq - b.seq)
      assert.deepStrictEqual(aside.answers, gone)
      assert.deepStrictEqual([...aside.kept.answers], all.filter(({ seq }) => seq <= before))
      assert.deepStrictEqual(aside.timers, newest!.timersThen)
      assert.isTrue(aside.kept.timers?.every(({ seq }) => seq <= before) ?? true)
      if (second === undefined) return assert.deepStrictEqual(timersOf(aside.kept), [])
      // An older one takes no answers with it, and the newest keeps its timers.
      const older = withoutSnapshot(kept, second.seq)
      assert.deepStrictEqual(older.kept.snapshots, kept.snapshots.filter((one) => one !== second))
      assert.deepStrictEqual([older.answers, [...older.kept.answers]], [[], all])
      assert.deepStrictEqual(timersOf(older.kept), timersOf(kept))
    }
  )

  it("finds a free place before anything gives way, and the first one when nothing is trusted", () => {
    assert.strictEqual(evict([], 2, 0), 0)
    assert.strictEqual(evict([5], 2, 5), 1)
    assert.strictEqual(evict([5, 4], 2, 0), 1)
    assert.strictEqual(evict([4, 5], 2, 0), 0)
    assert.strictEqual(evict([4, 5], 2, 4), 1)
    assert.strictEqual(evict([4, 5, 3], 3, 4), 2)
  })

  it("is loaded with the answers up to its snapshot, oldest first, and with its timers if there are any", () => {
    const answers = [answer("c", 3), answer("b", 2), answer("a", 1)]
    const one = { ...record, seq: 2 }
    assert.deepStrictEqual(loaded(one, answers, undefined), { ...one, answers: [answers[2]!, answers[1]!] })
    const rows = [{ seq: 3, timers: [timer("late")] }, { seq: 1, timers: [timer("early")] }]
    assert.deepStrictEqual(loaded(one, [], rows), { ...one, answers: [], timers: [timer("early")] })
  })
})

it("a doubt is over when the answers that it may concern would be; records are never", () => {
  const limits = { maxCount: 1, maxAge: 100 }
  const doubt: SnapshotRecord = { ...record, at: 1000, isDoubt: true }
  const old: SnapshotRecord = { ...record, at: 0 }
  assert.deepStrictEqual(undoubted([doubt, old], 1100, limits), [doubt, old])
  assert.deepStrictEqual(undoubted([doubt, old], 1101, limits), [old])
})
