import { assert, describe, it } from "@effect/vitest"
import { Cause } from "effect"
import { type CrashReport, headline, isCauseNew, title, toText } from "../../../src/domain/observation/CrashReport.ts"
import { crashed, killed } from "../../../src/domain/process/ExitReason.ts"

const report: CrashReport = {
  path: ["app", "Counter"],
  incarnation: 2,
  reason: crashed(Cause.die(new Error("boom"))),
  next: "starts again at once"
}

describe("a crash report", () => {
  it("says on one line which process ended how", () => {
    assert.strictEqual(headline(report), "app > Counter #2 crashed: Error: boom")
  })

  it("leaves out the cause for a reader that shows it beside, unless its format hook changed the reason", () => {
    assert.strictEqual(title(report), "app > Counter #2 crashed")
    assert.strictEqual(title({ ...report, shown: { state: 1, reason: "hidden" } }), "app > Counter #2 hidden")
  })

  it("tells a start that failed from a crash, and which process below did not start", () => {
    assert.strictEqual(headline({ ...report, start: {} }), "app > Counter #2 did not start, crashed: Error: boom")
    assert.strictEqual(title({ ...report, start: {} }), "app > Counter #2 did not start")
    const since = { ...report, start: { since: ["app", "Counter", "db"] } }
    const text = "app > Counter #2 did not start, since app > Counter > db did not"
    assert.deepStrictEqual([headline(since), title(since)], [text, text])
  })

  it("shows no cause that another report has shown before", () => {
    const gaveUp = { _tag: "GaveUp", child: "db", cause: Cause.die("boom") } as const
    assert.isTrue(isCauseNew(report))
    assert.isTrue(isCauseNew({ ...report, start: {} }))
    assert.isFalse(isCauseNew({ ...report, reason: gaveUp }))
    assert.isFalse(isCauseNew({ ...report, start: { since: ["app", "db"] } }))
    assert.isFalse(isCauseNew({ ...report, shown: { state: 1, reason: "hidden" } }))
  })

  it("says what happens next, and nothing about what is not known", () => {
    assert.strictEqual(toText(report), "app > Counter #2 crashed: Error: boom\n  next: starts again at once")
  })

  it("says everything that is known", () => {
    assert.strictEqual(
      toText({ ...report, reason: killed, message: "Withdraw", restoredFrom: 41, undone: 1 }),
      [
        "app > Counter #2 killed",
        "  in hand: Withdraw",
        "  restored from: snapshot 41",
        "  undone: 1 cast",
        "  next: starts again at once"
      ].join("\n")
    )
    for (const undone of [0, 2]) assert.include(toText({ ...report, undone }), `  undone: ${undone} casts\n`)
  })
})
