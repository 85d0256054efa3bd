/**
 * What a store's failure means to an operator, to a supervisor and to the caller whose update it kept from being
 * stored.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause } from "effect"
import { crashed, normal } from "../../../../src/domain/process/ExitReason.ts"
import { restartAdvice } from "../../../../src/domain/process/RestartAdvice.ts"
import { updateAdvice } from "../../../../src/domain/process/UpdateAdvice.ts"
import {
  isStoreError,
  isTakenOver,
  StoreError,
  type StoreErrorReason
} from "../../../../src/domain/state/stored/StoreError.ts"

const error = (reason: StoreErrorReason, operation = "save") => new StoreError({ store: "files", operation, reason })
const cause = new Error("ENOENT.")
const gone = (how: Extract<StoreErrorReason, { readonly _tag: "Gone" }>["how"]): StoreErrorReason => ({
  _tag: "Gone",
  path: "a.db",
  how
})

/** A reason; what is said of it in a write; whether it is an outage, and may pass; what its supervisor is advised. */
type Row = readonly [
  reason: StoreErrorReason,
  says: ReadonlyArray<RegExp>,
  isOutage: boolean,
  isRetryable: boolean,
  advice: "charged" | "uncharged" | "futile" | "refused"
]

const rows: ReadonlyArray<Row> = [
  [
    { _tag: "Unavailable", cause },
    [/not available \(.*ENOENT\)/, /may or may not have been stored/],
    true,
    true,
    "uncharged"
  ],
  [{ _tag: "Full", cause }, [/no room \(.*ENOENT\)/, /Free some/], true, true, "uncharged"],
  [{ _tag: "Unusable", cause }, [/cannot be used as it is/, /\. To try again does not help/], true, false, "charged"],
  [gone("missing"), [/a.db was removed, or moved away, while/, /Nothing more is acknowledged/], true, false, "futile"],
  [gone("moved"), [/a.db was moved away while/, /Put it back where it was/], true, true, "uncharged"],
  [gone("replaced"), [/replaced by another file while/, /Nothing more is/], true, false, "futile"],
  [gone("cut"), [/cut short while/, /Nothing more is/], true, false, "futile"],
  [gone("changed"), [/overwritten while/, /Nothing more is/], true, false, "futile"],
  [gone("older"), [/put back to what it had been before, while/, /Nothing more is/], true, false, "futile"],
  [
    { _tag: "Fenced", epoch: 1, current: 2 },
    [
      /has taken over \(epoch 1, in force is 2\).*opened the store since\./,
      /servers of this session do not start again/
    ],
    false,
    false,
    "futile"
  ],
  [
    { _tag: "Fenced", epoch: 1, current: 2, owner: "Clerk" },
    [/taken over from "Clerk" \(epoch/],
    false,
    false,
    "futile"
  ],
  [
    { _tag: "Fenced", epoch: 1, current: 2, key: "k" },
    [/taken over "k" \(epoch.*runtime of this one, has it since\./, /every later one of this server/],
    false,
    false,
    "refused"
  ],
  [
    { _tag: "Owned", pid: 7, waited: 1500 },
    [/process 7 has it, and has not left it within 1s 500ms\. Stop that/],
    false,
    false,
    "charged"
  ],
  [
    { _tag: "Absent", what: "nothing is there" },
    [/: nothing is there\. Nothing was written\. See whether/],
    false,
    false,
    "charged"
  ],
  [{ _tag: "Corrupt", what: "a row" }, [/damaged: a row\. Older snapshots/], false, false, "charged"],
  [{ _tag: "Invalid", what: "no key" }, [/: no key\. Nothing was stored\.$/], false, false, "charged"]
]

describe("a store's failure", () => {
  it("says what happened and what to do, to people and to supervisors", () => {
    for (const [reason, says, isOutage, isRetryable, advice] of rows) {
      const one = error(reason)
      assert.isTrue(one.message.startsWith("save in the state store \"files\": "))
      for (const part of says) assert.match(one.message, part)
      assert.deepStrictEqual(
        [one.isOutage, one.isRetryable, one[restartAdvice]],
        [isOutage, isRetryable, advice],
        one.message
      )
      assert.isTrue(one.message.startsWith(`${one.what}. `))
    }
    assert.strictEqual(new Set(rows.map(([reason]) => error(reason).message)).size, rows.length)
  })

  it("says of what changes nothing that nothing was written", () => {
    for (const operation of ["save", "setAside", "remove", "encode"]) {
      assert.notInclude(error({ _tag: "Unavailable", cause }, operation).message, "Nothing was written")
    }
    for (const operation of ["open", "load", "acquireEpoch"]) {
      assert.match(error({ _tag: "Unavailable", cause }, operation).message, /Nothing was written. See to it/)
      assert.match(error({ _tag: "Unusable", cause }, operation).message, /Nothing was written. To try again/)
      assert.match(error({ _tag: "Invalid", what: "no" }, operation).message, /Nothing was written\.$/)
    }
    assert.isTrue(error({ _tag: "Full", cause }, "open").message.startsWith("open of the state store"))
  })

  it("says to a caller whether its update is kept, as far as that is known", () => {
    const said = (reason: StoreErrorReason, operation?: string) => error(reason, operation)[updateAdvice]
    assert.match(
      said({ _tag: "Invalid", what: "no key" }),
      /could not be stored \(save in.*no key\)\. The update is not kept/
    )
    assert.match(said({ _tag: "Fenced", epoch: 1, current: 2 }), /the server that has taken over can tell/)
    assert.match(said({ _tag: "Full", cause }, "load"), /could not be loaded \(load in/)
    assert.notMatch(said({ _tag: "Full", cause }), /is not kept|taken over/)
  })

  it("is known of any copy of the library, and a server that lost its key of others", () => {
    const fenced = error({ _tag: "Fenced", epoch: 1, current: 2, key: "k" })
    assert.isTrue(isStoreError(fenced) && isStoreError({ _tag: "StoreError" }))
    for (const other of [null, undefined, "StoreError", {}, new Error("no")]) assert.isFalse(isStoreError(other))
    assert.isTrue(isTakenOver(crashed(Cause.fail(fenced))))
    assert.isTrue(isTakenOver({ _tag: "NotConserved", cause: Cause.combine(Cause.die("no"), Cause.fail(fenced)) }))
    for (
      const cause of [
        Cause.die(fenced),
        Cause.fail(error({ _tag: "Fenced", epoch: 1, current: 2, owner: "Clerk" })),
        Cause.fail(error({ _tag: "Full", cause: "no" })),
        Cause.fail("no")
      ]
    ) assert.isFalse(isTakenOver(crashed(cause)))
    assert.isFalse(isTakenOver(normal))
  })
})
