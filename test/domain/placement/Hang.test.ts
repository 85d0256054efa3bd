/** The rule that tells a thread that hangs from one that is starved. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Hang from "../../../src/domain/placement/Hang.ts"

const patience = 1000
const every = 100

const looping: Hang.Sample = { millis: every, lag: 0, inHand: 1, utilisation: 1, given: every }
const unknown: Hang.Sample = { ...looping, given: undefined }
const times = (count: number, sample: Hang.Sample) => Array.from({ length: count }, () => sample)
const isHungAfter = (samples: ReadonlyArray<Hang.Sample>) =>
  Hang.isHung(samples.reduce(Hang.after, Hang.calm), patience)

describe("a thread with a message in hand", () => {
  const table: ReadonlyArray<readonly [what: string, hangs: boolean, samples: ReadonlyArray<Hang.Sample>]> = [
    ["was given as much time as the patience is: it hangs", true, times(11, looping)],
    ["was not yet", false, times(10, looping)],
    ["was given a tenth of that, being starved", false, times(11, { ...looping, given: 10 })],
    ["was given all of it, being starved, in ten times the time", true, times(101, { ...looping, given: 10 })],
    ["rests now and then", false, [...times(9, looping), { ...looping, utilisation: 0.5 }, ...times(10, looping)]],
    ["answers, and begins another", false, [...times(9, looping), ...times(10, { ...looping, inHand: 2 })]],
    ["has none", false, times(100, { ...looping, inHand: undefined })],
    ["is busy, and nothing says whether it is starved", true, times(11, unknown)],
    [
      "is busy, nothing says whether it is starved, and the parent is starved as well",
      false,
      times(100, { ...unknown, lag: 60 })
    ],
    ["does not answer for a while, and then says that it has been starved", false, [
      ...times(9, unknown),
      { ...looping, given: 20 },
      ...times(5, looping)
    ]],
    ["does not answer for a while, and then says that it was given the time", true, [
      ...times(9, unknown),
      { ...looping, given: 850 },
      ...times(2, looping)
    ]],
    ["says that it was given more than there was", false, [...times(2, looping), {
      ...looping,
      given: 5000
    }]],
    ["was seen once, after the parent had slept through all of it", false, [
      looping,
      { ...looping, millis: 5000, lag: 4900, given: 5000 }
    ]]
  ]
  it.each(table)("%s", (_, hangs, samples) => assert.strictEqual(isHungAfter(samples), hangs))

  const between = (least: number, most: number) => Schema.Int.check(Schema.isBetween({ minimum: least, maximum: most }))
  const Drawn = Schema.Array(Schema.Struct({
    millis: between(50, 400),
    share: between(0, 100),
    isBusy: Schema.Boolean,
    begins: Schema.Boolean
  }))

  it.prop("hangs if, and only if, it was given that much time without a rest, however starved", [Drawn], ([drawn]) => {
    let [spent, inARow, inHand] = [0, 0, 0]
    let suspicion = Hang.calm
    for (const { begins, isBusy, millis, share } of [{ begins: true, isBusy: true, millis: 1, share: 0 }, ...drawn]) {
      if (begins) inHand++
      const given = millis * share / 100
      suspicion = Hang.after(suspicion, { millis, lag: 0, inHand, utilisation: isBusy ? 1 : 0.9, given })
      const isNew = begins || !isBusy || suspicion.samples === 0
      spent = isNew ? 0 : spent + given
      inARow = isNew ? 0 : inARow + 1
      assert.strictEqual(Hang.isHung(suspicion, patience), inARow >= 3 && spent >= patience)
    }
  })

  it("is looked at ten times within the patience, but not all the time, and once a second at least", () =>
    assert.deepStrictEqual([50, 1000, 60_000].map(Hang.everyFor), [20, 100, 1000]))
})
