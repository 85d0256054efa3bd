import { assert, describe, it } from "@effect/vitest"
import { Cause } from "effect"
import { killed, normal } from "../../../src/domain/process/ExitReason.ts"
import * as Errors from "../../../src/domain/server/ServerErrors.ts"
import { hostiles } from "../../kit/Hostile.ts"

const server = "app > Clerk"
const request = "File"

describe("what is said of a server's defects", () => {
  it("names what a handler returned in place of an answer, and looks no deeper", () => {
    const said = (result: unknown) => new Errors.InvalidResult({ server, request, result }).message
    const rows: ReadonlyArray<readonly [unknown, string]> = [
      [null, "null"],
      [undefined, "undefined"],
      [7, "number"],
      [{}, "object"],
      [[1, 2, 3], "an array of 3"]
    ]
    for (const [result, what] of rows) {
      assert.strictEqual(
        said(result),
        `the handler of File in app > Clerk returned ${what}, which is no answer: a call's handler returns [reply, state] or a ` +
          "Next, a cast's handler returns the next state or a Next."
      )
    }
    assert.match(said(Promise.resolve(1)), /returned a Promise, which is no answer: wrap it with Effect.promise/)
    for (const [name, make] of hostiles) assert.match(said(make()), /returned .{1,40}, which is no answer/, name)
  })

  it("says of each what happened, to whom, and what to do", () => {
    const rows: ReadonlyArray<readonly [Error, RegExp]> = [
      [
        new Errors.InvalidReply({ server, request, issue: "at n" }),
        /^the reply of app > Clerk to File is not .* \(at n\): mend/
      ],
      [new Errors.InitTimeout({ server, millis: 50 }), /^init of app > Clerk did not finish within 50 ms\. Raise/],
      [
        new Errors.NoTimers({ server, request, timer: "tick", why: "no store" }),
        /^File of app > Clerk set the timer "tick", which nothing would keep: no store\. Conserve/
      ],
      [new Errors.Fenced({ server, incarnation: 3 }), /^incarnation 3 of app > Clerk has been replaced/],
      [new Errors.NameTaken({ server, holder: 1 }), /^app > Clerk is already running: .* stop it first/],
      [
        new Errors.StateRefused({ server, seq: 5, why: "no" }),
        /conserved state \(snapshot 5\): no\. Nothing was deleted\. Mend/
      ],
      [
        new Errors.MissingCallback({ server, callback: "idle" }),
        /of app > Clerk has no idle: add it, or leave idleAfter out/
      ],
      [new Errors.MissingCallback({ server, callback: "init" }), /of app > Clerk has no init\. Add it/],
      [
        new Errors.ReplaceFailed({ server, what: "state", cause: Cause.die("no") }),
        /^the state of app > Clerk was not replaced \(crashed: no\)\. It goes on/
      ],
      [
        new Errors.ReplaceFailed({ server, what: "behavior", cause: Cause.die("no") }),
        /^the behaviour of app > Clerk was not/
      ],
      [
        new Errors.StopFailed({ server, asked: normal, reason: killed }),
        /^app > Clerk was to end normal, and ended killed\. It is down all the same/
      ],
      [
        new Errors.NotQuarantined({ server, request }),
        /^File is not in the quarantine of app > Clerk: .* Sys\.quarantined/
      ]
    ]
    for (const [error, says] of rows) assert.match(error.message, says)
  })
})
