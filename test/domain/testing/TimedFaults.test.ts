import { assert, describe, it } from "@effect/vitest"
import { createHash } from "node:crypto"
import { lifePoints, messagePoints } from "../../../src/domain/testing/Fault.ts"
import * as TimedFaults from "../../../src/domain/testing/TimedFaults.ts"

const hour = 3_600_000
const all = { messages: 60, lives: 60, store: 60, clock: 60, machine: 60 }
const server = (at: number, skip = 0): TimedFaults.ServerFault => ({
  _tag: "Server",
  at,
  point: "afterCommit",
  fault: "Kill",
  millis: 0,
  skip
})

describe("a plan of faults by time", () => {
  it("is the same for the same seed, and another one for another", () => {
    assert.deepStrictEqual(TimedFaults.make(1, hour, all), TimedFaults.make(1, hour, all))
    assert.notDeepEqual(TimedFaults.make(1, hour, all), TimedFaults.make(2, hour, all))
  })

  it("is the same for a seed wherever, and in whatever release: a seed that was printed repeats what it showed", () => {
    const plan = TimedFaults.make("a seed", hour, { ...all, messages: 500, lives: 500, store: 500, clock: 100 })
    const digest = createHash("sha1").update(JSON.stringify(plan)).digest("hex")
    assert.strictEqual(
      digest,
      "60eca693318999634dc8bd3cd51aadfe6642d684",
      "change it on purpose alone, and say so in CHANGELOG.md"
    )
    // In a short run nothing goes on for more than a tenth of it.
    const short = TimedFaults.make("a seed", 60_000, { lives: 6000, store: 6000, machine: 600 })
    assert.strictEqual(Math.max(...short.map((fault) => fault._tag === "Clock" ? 0 : fault.millis)), 6000)
  })

  it("has as many of each kind as were asked for, within the time, in order", () => {
    const rates = { messages: 10, lives: 20, store: 30, clock: 40, machine: 2 }
    const plan = TimedFaults.make(1, hour / 2, rates)
    const points: ReadonlyArray<string> = lifePoints
    const count = (is: (fault: TimedFaults.TimedFault) => boolean) => plan.filter(is).length
    assert.deepStrictEqual(
      [
        count((fault) => fault._tag === "Server" && !points.includes(fault.point)),
        count((fault) => fault._tag === "Server" && points.includes(fault.point)),
        count(({ _tag }) => _tag === "Store"),
        count(({ _tag }) => _tag === "Clock"),
        count(({ _tag }) => _tag === "Machine")
      ],
      [5, 10, 15, 20, 1]
    )
    assert.deepStrictEqual(plan.map(({ at }) => at), plan.map(({ at }) => at).sort((a, b) => a - b))
    for (const { at } of plan) assert.isTrue(at >= 0 && at < hour / 2)
    assert.deepStrictEqual(TimedFaults.make(1, hour, {}), [])
  })

  it("draws each kind for itself: more of one moves no other", () => {
    const only = TimedFaults.make(1, hour, { store: 60 })
    assert.deepStrictEqual(TimedFaults.make(1, hour, all).filter(({ _tag }) => _tag === "Store"), only)
  })

  it("strikes every point in every way that may strike there, and no state is given up for a defect in restore", () => {
    const seen = new Map<string, Set<string>>()
    for (const fault of TimedFaults.make(1, hour, { messages: 2000, lives: 2000 })) {
      if (fault._tag !== "Server") continue
      seen.set(fault.point, (seen.get(fault.point) ?? new Set()).add(fault.fault))
      assert.strictEqual(fault.millis > 0, fault.fault === "Delay")
    }
    const ways = (point: string) => [...seen.get(point) ?? []].sort()
    for (const point of messagePoints) assert.deepStrictEqual(ways(point), ["Defect", "Interrupt", "Kill"])
    assert.deepStrictEqual(ways("init"), ["Delay", "Failure", "Interrupt", "Kill"])
    assert.deepStrictEqual(ways("terminate"), ["Defect", "Delay"])
    assert.deepStrictEqual(ways("finalizer"), ["Defect", "Delay"])
  })

  it("lets a store fail in every way, and the time of day jump both ways", () => {
    const plan = TimedFaults.make(1, hour, { store: 2000, clock: 200 })
    const hows = new Set(plan.flatMap((fault) => fault._tag === "Store" ? [fault.how] : []))
    assert.deepStrictEqual([...hows].sort(), ["Away", "Fails", "Hangs", "Late", "Tears"])
    const jumps = plan.flatMap((fault) => fault._tag === "Clock" ? [Math.sign(fault.millis)] : [])
    assert.deepStrictEqual([...new Set(jumps)].sort(), [-1, 1])
  })
})

describe("carrying a plan out", () => {
  const pass = (left: ReadonlyArray<TimedFaults.ServerFault>, now: number, point = "afterCommit") =>
    TimedFaults.pass(left, now, (fault) => fault.point === point)

  it("strikes nothing before its time", () => {
    const left = [server(10)]
    assert.deepStrictEqual(pass(left, 9), [undefined, left])
    assert.strictEqual(pass(left, 9)[1], left)
    assert.deepStrictEqual(pass(left, 10), [left[0], []])
  })

  it("strikes once, the oldest that fits, and leaves the others", () => {
    const left = [server(1), { ...server(2), point: "init" as const }, server(3)]
    assert.deepStrictEqual(pass(left, 5), [left[0], left.slice(1)])
    assert.deepStrictEqual(pass(left, 5, "init"), [left[1]!, [left[0]!, left[2]!]])
    assert.deepStrictEqual(pass(left, 5, "terminate"), [undefined, left])
  })

  it("lets so many pass first as it says", () => {
    let left: ReadonlyArray<TimedFaults.ServerFault> = [server(1, 2)]
    const struck: Array<boolean> = []
    for (let i = 0; i < 4; i++) {
      const [fault, next] = pass(left, 5)
      struck.push(fault !== undefined)
      left = next
    }
    assert.deepStrictEqual(struck, [false, false, true, false])
  })
})

describe("a fault in words", () => {
  const cases: ReadonlyArray<readonly [TimedFaults.TimedFault, string]> = [
    [server(1), "a kill after the commit, before the reply"],
    [{ ...server(1), fault: "Delay", point: "init", millis: 10 }, "a delay of 10 ms in init"],
    [{ _tag: "Store", at: 1, how: "Fails", millis: 0, skip: 0 }, "a request of the store fails"],
    [{ _tag: "Store", at: 1, how: "Tears", millis: 0, skip: 0 }, "a request of the store is done, and fails"],
    [
      { _tag: "Store", at: 1, how: "Late", millis: 20, skip: 0 },
      "a request of the store is done, and answered 20 ms late"
    ],
    [{ _tag: "Store", at: 1, how: "Hangs", millis: 20, skip: 0 }, "a request of the store hangs for 20 ms"],
    [{ _tag: "Store", at: 1, how: "Away", millis: 20, skip: 0 }, "the store is away for 20 ms"],
    [{ _tag: "Clock", at: 1, millis: -20 }, "the time of day jumps by -20 ms"],
    [{ _tag: "Machine", at: 1, millis: 20 }, "the process is killed, and started again after 20 ms"]
  ]
  for (const [fault, text] of cases) it(text, () => assert.strictEqual(TimedFaults.toText(fault), text))
})
