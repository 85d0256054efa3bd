import { assert, describe, it } from "@effect/vitest"
import * as Answers from "../../../src/domain/state/Answers.ts"

const answer = (id: string, at: number, seq = 1): Answers.RecordedAnswer => ({ id, seq, at, body: "{}" })
const limits: Answers.Limits = { maxCount: 3, maxAge: 240 }

describe("recorded answers", () => {
  it("are 1,000, kept for a day, unless something else is said", () => {
    assert.deepStrictEqual(Answers.defaultLimits, { maxCount: 1000, maxAge: 24 * 60 * 60 * 1000 })
  })

  it("give way, the oldest first, when they are too many or older than they may become", () => {
    const gone = (now: number, ...ats: ReadonlyArray<number>) =>
      Answers.expired(ats.map((at) => answer("a", at)), ats.length, now, limits).map(({ at }) => at)
    assert.deepStrictEqual(gone(240, 0, 1, 2), [])
    assert.deepStrictEqual(gone(240, 0, 1, 2, 3, 4), [0, 1])
    assert.deepStrictEqual(gone(241, 0, 0, 1), [0, 0])
    assert.deepStrictEqual(gone(1000, 0, 1, 2), [0, 1, 2])
    // One that is young holds back those behind it: they were recorded after it.
    assert.deepStrictEqual(gone(241, 1, 0), [])
  })

  it("that are lost say so, with their reason, and one that stands for any counts until it is old", () => {
    const lost = Answers.lost(answer("a", 5, 7), "a \"sum\" differs")
    assert.deepStrictEqual([lost.id, lost.seq, lost.at], ["a", 7, 5])
    assert.strictEqual(Answers.lossOf(lost), "a \"sum\" differs")
    assert.isUndefined(Answers.lossOf(answer("a", 5)))
    assert.deepStrictEqual(Answers.bounded(lost, limits), lost)
    const any = answer(Answers.anyId, 5)
    assert.deepStrictEqual(Answers.bounded(any, limits), { ...any, until: 245 })
  })

  it("age by a 24th of their time at most between two processes, however far apart the dates are", () => {
    // So far the dates of the second are ahead of the time that counts.
    const lag = (newest: number, now: number) => Answers.lagOf(newest, now, limits)
    assert.deepStrictEqual([lag(100, 100), lag(100, 109), lag(100, 110), lag(100, 111), lag(100, 1000)], [
      0,
      0,
      0,
      1,
      890
    ])
    assert.strictEqual(lag(1000, 100), -900)
  })
})
