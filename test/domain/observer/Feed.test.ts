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

  it("says of each event what became of the process, its state or its messages", () => {
    const long = "x".repeat(1000)
    const rows: ReadonlyArray<readonly [event: Lifecycle, text: string | RegExp, group: object]> = [
      [{ _tag: "StartFailed", ...of(1, 7), reason: boom }, "did not start: crashed: Error: boom", {
        tone: "bad",
        ended: null
      }],
      [{ _tag: "Restarting", ...of(1, 7), reason: boom, delay: 0 }, "is restarted", { tone: "warn", ended: null }],
      [
        { _tag: "GaveUp", ...of(1, 7), child: "Clerk", reason: boom },
        "gave up on Clerk: crashed: Error: boom",
        { tone: "bad", ended: 7, cost: "the supervisor ended, or parked its child" }
      ],
      [{ _tag: "Parked", ...of(1, 7) }, /^is parked/, { tone: "bad", ended: null, cost: "down until it is resumed" }],
      [{ _tag: "Abandoned", ...of(3, 7) }, "#3 did not end in time: it is abandoned", { tone: "bad", ended: null }],
      [{ _tag: "CleanUpFailed", ...of(3, 7), cause: Cause.die("no") }, "cleaning up after #3 failed", {
        tone: "warn",
        ended: 7
      }],
      [
        { _tag: "StateRolledBack", ...of(3, 7), from: 2, why: "no" },
        "rolled back from snapshot 2 to the beginning: no",
        { tone: "bad", cost: "2 updates lost" }
      ],
      [{ _tag: "StateSetAside", ...of(3, 7), seq: 5, why: "no" }, "snapshot 5 is set aside: no", {
        tone: "bad",
        cost: ""
      }],
      [
        { _tag: "WriteFenced", ...of(3, 7), current: 9 },
        "a write of #3 is refused: #9 has taken over",
        { tone: "warn", ended: 7, cost: "" }
      ],
      [
        { _tag: "Quarantined", ...of(3, 7), message: "Add", attempts: 1 },
        "Add is in quarantine after 1 attempt",
        { tone: "bad", cost: "Add in quarantine" }
      ],
      [
        { _tag: "Dropped", ...of(3, 7), message: "Log", reason: "MailboxFull" },
        "Log is dropped (MailboxFull)",
        { tone: "bad", ended: 7, cost: "1 message dropped" }
      ],
      [
        { _tag: "Exited", ...of(3, 7), reason: crashed(Cause.die(new Error(long))) },
        `#3 ended: crashed: Error: ${long}`.slice(0, 300) + "…",
        { tone: "warn", title: `crashed: Error: ${long}`.slice(0, 300) + "…" }
      ]
    ]
    for (const [event, text, expected] of rows) {
      const [group, ...more] = fold([event])
      assert.deepStrictEqual(more, [])
      assert.deepInclude(group, { path, began: 7, ...expected }, event._tag)
      const [step] = group!.steps
      assert.deepInclude(step, { at: 7, tag: event._tag })
      if (typeof text === "string") assert.strictEqual(step!.text, text)
      else assert.match(step!.text, text)
    }
    // They tell nothing by themselves.
    const silent: ReadonlyArray<Lifecycle> = [
      { _tag: "Redelivered", ...of(2, 1), message: "Add", attempt: 2 },
      { _tag: "StatePassivated", ...of(2, 1) }
    ]
    assert.deepStrictEqual(fold(silent), [])
  })

  it("goes on with a group that is over where an event belongs to it, and begins another where not", () => {
    const over: ReadonlyArray<Lifecycle> = [
      { _tag: "Exited", ...of(1, 0), reason: boom },
      { _tag: "Started", ...of(2, 5) }
    ]
    const again: Lifecycle = { _tag: "Redelivered", ...of(2, 6), message: "Add", attempt: 2 }
    const [group, ...more] = fold([...over, again])
    assert.deepStrictEqual(more, [])
    assert.deepInclude(group, { ended: 5, tone: "good" })
    assert.strictEqual(group!.steps.at(-1)!.text, "Add is handled again, attempt 2")
    const dropped: Lifecycle = { _tag: "Dropped", ...of(2, 7), message: "Log", reason: "MailboxFull" }
    assert.deepStrictEqual(fold([...over, dropped]).map(({ id, steps }) => [id, steps.length]), [[2, 1], [1, 2]])
    assert.deepStrictEqual(fold([...over, ...over]).map(({ id }) => id), [2, 1])
    // What others did stays as it was, and is not good again by their start.
    const parked: Lifecycle = { _tag: "Parked", ...of(1, 1, ["app", "Other"]) }
    assert.deepStrictEqual(fold([parked, ...over]).map(({ ended, tone }) => [tone, ended]), [["good", 5], [
      "bad",
      null
    ]])
    const orderly = { _tag: "Exited", ...of(1, 1), reason: normal } as const
    assert.deepStrictEqual(fold([over[0]!, orderly]).map(({ steps }) => steps.length), [2])
  })

  it("keeps of a long group why it began, and how it goes on", () => {
    const failed = Array.from(
      { length: 30 },
      (_, at): Lifecycle => ({ _tag: "StartFailed", ...of(at, at), reason: boom })
    )
    const [group] = fold([{ _tag: "Exited", ...of(0, 0), reason: boom }, ...failed])
    assert.deepStrictEqual(group!.steps.map(({ at }) => at), [0, ...Array.from({ length: 11 }, (_, i) => 19 + i)])
    assert.strictEqual(group!.steps[0]!.tag, "Exited")
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
