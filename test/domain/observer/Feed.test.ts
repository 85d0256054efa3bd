/** One crash, and what came of it, is one group. */
import { assert, describe, it } from "@effect/vitest"
import { Cause } from "effect"
import type { Lifecycle } from "../../../src/domain/observation/Lifecycle.ts"
import { feedLength } from "../../../src/domain/observer/Difference.ts"
import { empty, heard } from "../../../src/domain/observer/Feed.ts"
import { crashed, killed, normal } from "../../../src/domain/process/ExitReason.ts"

const path = ["app", "Counter"]
const of = (incarnation: number, at: number, at_ = path) => ({ path: at_, at, kind: "worker", incarnation }) as const
const boom = crashed(Cause.die(new Error("boom")))
const fold = (events: ReadonlyArray<Lifecycle>) => events.reduce(heard, empty).groups

describe("what has happened", () => {
  it("is one group from a crash to the restart, with the time that it was down", () => {
    const [group, ...more] = fold([
      { _tag: "Started", ...of(1, 0) },
      { _tag: "Exited", ...of(1, 1000), reason: boom },
      { _tag: "Restarting", ...of(1, 1000), reason: boom, delay: 50 },
      { _tag: "StateRestored", ...of(2, 1050), seq: 41 },
      { _tag: "Started", ...of(2, 1051) }
    ])
    assert.deepStrictEqual(more, [])
    assert.deepInclude(group, {
      path,
      title: "crashed: Error: boom",
      tone: "good",
      began: 1000,
      ended: 1051,
      cost: "51 ms down"
    })
    assert.deepStrictEqual(group!.steps.map(({ text }) => text), [
      "#1 ended: crashed: Error: boom",
      "is to be restarted in 50 ms",
      "restored from snapshot 41",
      "up again as #2"
    ])
  })

  it("says what was lost beside the time: updates, and a message in quarantine", () => {
    const [group] = fold([
      { _tag: "Exited", ...of(1, 0), reason: boom },
      { _tag: "Quarantined", ...of(1, 0), message: "Add", attempts: 3 },
      { _tag: "StateRolledBack", ...of(2, 10), from: 41, to: 38, why: "restore crashed on it" },
      { _tag: "Started", ...of(2, 20) }
    ])
    assert.deepInclude(group, { tone: "bad", cost: "20 ms down, Add in quarantine, 3 updates lost" })
  })

  it("leaves what goes on open, and a child that is parked until it is resumed", () => {
    const parked: ReadonlyArray<Lifecycle> = [
      { _tag: "Exited", ...of(4, 0), reason: boom },
      { _tag: "Parked", ...of(4, 1) }
    ]
    assert.deepInclude(fold(parked)[0], { ended: null, tone: "bad", cost: "down until it is resumed" })
    const [group, ...more] = fold([...parked, { _tag: "Resumed", ...of(4, 5000) }, { _tag: "Started", ...of(5, 5000) }])
    assert.deepStrictEqual(more, [])
    assert.deepInclude(group, { ended: 5000, cost: "5 s down" })
  })

  it("is nothing while processes start and end in order", () => {
    assert.deepStrictEqual(
      fold([
        { _tag: "Started", ...of(1, 0) },
        { _tag: "StateRestored", ...of(1, 0), seq: 1 },
        { _tag: "Exited", ...of(1, 5), reason: normal },
        { _tag: "Deleted", ...of(1, 5) }
      ]),
      []
    )
  })

  it("has two processes apart, though they crash at once", () => {
    const groups = fold([
      { _tag: "Exited", ...of(1, 0), reason: killed },
      { _tag: "Exited", ...of(1, 1, ["app", "Other"]), reason: boom },
      { _tag: "Started", ...of(2, 7) }
    ])
    assert.deepStrictEqual(groups.map((group) => [group.path.at(-1), group.ended]), [["Other", null], ["Counter", 7]])
  })

  it("gathers messages that are dropped one after the other", () => {
    const dropped = Array.from({ length: 5 }, (_, at): Lifecycle => ({
      _tag: "Dropped",
      ...of(1, at),
      message: "Log",
      reason: "MailboxFull"
    }))
    const groups = fold(dropped)
    assert.strictEqual(groups.length, 1)
    assert.strictEqual(groups[0]!.cost, "5 messages dropped")
  })

  it("keeps the newest groups, and of each a few steps, however much happens", () => {
    let feed = empty
    for (let at = 0; at < 10_000; at++) {
      feed = heard(feed, { _tag: "Exited", ...of(at, at), reason: boom })
      feed = heard(feed, { _tag: "StartFailed", ...of(at, at), reason: boom })
      if (at % 20 === 0) feed = heard(feed, { _tag: "Started", ...of(at, at) })
    }
    assert.strictEqual(feed.groups.length, feedLength)
    assert.isAtMost(Math.max(...feed.groups.map(({ steps }) => steps.length)), 12)
  })
})
