import { assert, describe, it } from "@effect/vitest"
import * as Answers from "../../../src/domain/state/Answers.ts"
import * as MadeKey from "../../../src/domain/state/MadeKey.ts"

const answer = (id: string, at: number, seq = 1): Answers.RecordedAnswer => ({ id, seq, at, body: "{}" })
const limits: Answers.Limits = { maxCount: 3, maxAge: 240 }

describe("recorded answers", () => {
  it("are 1,000, kept for a day, unless something else is said", () => {
    assert.deepStrictEqual(Answers.defaultLimits, { maxCount: 1000, maxAge: 24 * 60 * 60 * 1000 })
  })

  it("give way, the oldest first, when they are too many or older than they may become", () => {
    const gone = (now: number, ...ats: ReadonlyArray<number>) => {
      const kept = ats.findIndex((at, i) => !Answers.givesWay(answer("a", at), ats.length - i, now, limits))
      return kept === -1 ? ats : ats.slice(0, kept)
    }
    assert.deepStrictEqual(gone(240, 0, 1, 2), [])
    assert.deepStrictEqual(gone(240, 0, 1, 2, 3, 4), [0, 1])
    assert.deepStrictEqual(gone(241, 0, 0, 1), [0, 0])
    assert.deepStrictEqual(gone(1000, 0, 1, 2), [0, 1, 2])
    // One that is young holds back those behind it: they were recorded after it.
    assert.deepStrictEqual(gone(241, 1, 0), [])
  })

  it("under made keys stay as long as their calls live, however many there are; then a hundred, for ten minutes", () => {
    const id = MadeKey.make("a", 5500)
    assert.strictEqual(MadeKey.lifeOf(id), 6000)
    const gone = (age: number, count: number, limits = Answers.defaultLimits) =>
      Answers.givesWay(answer(id, 0), count, age, limits)
    assert.deepStrictEqual([gone(6000, 1_000_000), gone(6001, 101), gone(6001, 100)], [false, true, false])
    assert.deepStrictEqual([gone(606_000, 1), gone(606_001, 1)], [false, true])
    // Where less is kept of all, less is kept of these.
    assert.deepStrictEqual([gone(6240, 3, limits), gone(6241, 1, limits), gone(6001, 4, limits)], [false, true, true])
  })

  it("are under made keys for as long as their calls live, and no longer than ten minutes", () => {
    const life = (millis: number) => MadeKey.lifeOf(MadeKey.make("a:b", millis))
    assert.deepStrictEqual([life(0), life(999), life(1000), life(9_999), life(35_500)], [
      1000,
      1000,
      2000,
      10_000,
      36_000
    ])
    assert.strictEqual(life(599_999), 600_000)
    // No longer call has one; and no more than a second is added.
    assert.strictEqual(life(600_000), 600_000)
    assert.isTrue(MadeKey.isMade(MadeKey.make("a", 600_000)))
    assert.strictEqual(MadeKey.make("a", 600_001), "a")
    assert.strictEqual(MadeKey.lifeOf(`${MadeKey.make("", 0).split("1")[0]}zzzz:a`), 600_000)
    assert.strictEqual(MadeKey.lifeOf(`${MadeKey.make("", 0).split("1")[0]}!:a`), 600_000)
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
    const made = (newest: number, now: number) => Answers.lagOf(newest, now, Answers.defaultLimits, true)
    assert.deepStrictEqual([made(100, 1100), made(100, 9100), made(9100, 100)], [0, 8000, -9000])
  })
})
