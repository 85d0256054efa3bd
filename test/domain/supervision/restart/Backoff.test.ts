import { assert, describe, it } from "@effect/vitest"
import * as Backoff from "../../../../src/domain/supervision/restart/Backoff.ts"

const rule: Backoff.Rule = { base: 100, factor: 2, cap: 1000, jitter: 0, resetAfter: 5000 }

const delays = (rule: Backoff.Rule, times: ReadonlyArray<number>, draw = 0) => {
  let progress = Backoff.initial
  return times.map((now) => {
    const [next, delay] = Backoff.step(rule, progress, now, draw)
    progress = next
    return delay
  })
}

describe("Backoff", () => {
  it("grows by the factor up to the cap", () => {
    assert.deepStrictEqual([1, 2, 3, 4, 5, 2000].map((n) => Backoff.delay(rule, n, 0)), [
      100,
      200,
      400,
      800,
      1000,
      1000
    ])
  })

  it("takes up to the jitter's share off, never adds", () => {
    assert.deepStrictEqual([0, 0.5, 1].map((draw) => Backoff.delay({ ...rule, jitter: 0.2 }, 1, draw)), [100, 90, 80])
    assert.strictEqual(Backoff.delay({ ...rule, jitter: 1 }, 3, 1), 0)
  })

  it("stays 0 with a base of 0, however many attempts", () => {
    assert.strictEqual(Backoff.delay({ ...rule, base: 0 }, 5000, 0), 0)
  })

  it("begins anew when the last restart was due long enough ago", () => {
    assert.deepStrictEqual(delays(rule, [0, 100, 300, 700, 700 + 800 + 4999]), [100, 200, 400, 800, 1000])
    assert.deepStrictEqual(delays(rule, [0, 100, 300, 700, 700 + 800 + 5000]), [100, 200, 400, 800, 100])
  })

  it("names what is wrong with a rule", () => {
    assert.deepStrictEqual(Backoff.ruleOf("test", rule), rule)
    const usual = { base: 100, factor: 2, cap: 30_000, jitter: 0.2, resetAfter: 60_000 }
    assert.deepStrictEqual(Backoff.ruleOf("test"), usual)
    const refused = (options: Backoff.Options, option: keyof Backoff.Options) =>
      assert.throws(() => Backoff.ruleOf("test", options), `test was given ${options[option]} as ${option}: it must be`)
    refused({ ...rule, base: -1 }, "base")
    refused({ ...rule, base: Number.NaN }, "base")
    refused({ ...rule, base: Infinity, cap: Infinity }, "base")
    refused({ ...rule, factor: 0.5 }, "factor")
    refused({ ...rule, factor: Number.NaN }, "factor")
    refused({ ...rule, cap: 10 }, "cap")
    refused({ ...rule, cap: Number.NaN }, "cap")
    refused({ ...rule, jitter: 2 }, "jitter")
    refused({ ...rule, jitter: -0.1 }, "jitter")
    refused({ ...rule, resetAfter: 0 }, "resetAfter")
  })
})
