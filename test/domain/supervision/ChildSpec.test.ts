import { assert, describe, it } from "@effect/vitest"
import { Cause, Result } from "effect"
import { InvalidOption } from "../../../src/domain/options/InvalidOption.ts"
import { crashed, type ExitReason, killed, normal, shutdown } from "../../../src/domain/process/ExitReason.ts"
import { stateUnreadable } from "../../../src/domain/state/stored/StateUnreadable.ts"
import { isTakenOver, StoreError } from "../../../src/domain/state/stored/StoreError.ts"
import * as ChildSpec from "../../../src/domain/supervision/ChildSpec.ts"

const problemOf = (draft: ChildSpec.Draft, autoShutdown: ChildSpec.AutoShutdown = "never") => {
  const made = ChildSpec.make(draft, autoShutdown)
  return Result.isFailure(made) ? [made.failure.option, made.failure.expected] as const : undefined
}

describe("ChildSpec.make", () => {
  it("completes a worker: permanent, 5 seconds, not significant, needs no other child", () => {
    assert.deepStrictEqual(
      ChildSpec.make({ id: "a" }, "never"),
      Result.succeed<ChildSpec.ChildSpec>({
        id: "a",
        kind: "worker",
        restart: "permanent",
        shutdown: 5000,
        significant: false,
        needs: []
      })
    )
  })

  it("gives a supervisor all the time its children need", () => {
    const made = ChildSpec.make({ id: "a", kind: "supervisor" }, "never")
    assert.strictEqual(Result.getOrThrow(made).shutdown, "infinity")
  })

  it("accepts every combination of restart, shutdown and kind", () => {
    for (const kind of ["worker", "supervisor"] as const) {
      for (const restart of ["permanent", "transient", "temporary"] as const) {
        for (const shutdown of [0, 1, 1000, "1 second", "infinity", "brutal_kill"] as const) {
          assert.isUndefined(problemOf({ id: "a", kind, restart, shutdown }))
        }
      }
    }
  })

  it("takes durations in any form, and Infinity for infinity", () => {
    const shutdownOf = (shutdown: ChildSpec.Draft["shutdown"]) =>
      Result.getOrThrow(ChildSpec.make({ id: "a", shutdown }, "never")).shutdown
    assert.deepStrictEqual([shutdownOf("2 seconds"), shutdownOf(7), shutdownOf(0.2), shutdownOf(Infinity)], [
      2000,
      7,
      1,
      "infinity"
    ])
  })

  it("refuses each invalid field by its name", () => {
    // What only untyped code can write is refused all the same.
    const draft = (fields: object): ChildSpec.Draft => ({ id: "a", ...fields })
    assert.strictEqual(problemOf(draft({ id: "" }))?.[0], "id")
    assert.strictEqual(problemOf(draft({ id: undefined }))?.[0], "id")
    assert.deepStrictEqual(problemOf(draft({ kind: "wrker" })), [
      "kind",
      "\"worker\" or \"supervisor\""
    ])
    assert.strictEqual(problemOf(draft({ restart: "prmanent" }))?.[0], "restart")
    assert.deepStrictEqual(problemOf(draft({ shutdown: -10 })), [
      "shutdown",
      "a duration of 0 or more, \"infinity\" or \"brutal_kill\""
    ])
    assert.strictEqual(problemOf(draft({ shutdown: Number.NaN }))?.[0], "shutdown")
    assert.strictEqual(problemOf(draft({ shutdown: "soon" }))?.[0], "shutdown")
    assert.strictEqual(problemOf(draft({ significant: "maybe" }))?.[0], "significant")
    assert.strictEqual(problemOf(draft({ needs: ["a"] }))?.[0], "needs")
    assert.strictEqual(problemOf(draft({ needs: "b" }))?.[0], "needs")
  })

  it("refuses what is no specification, or no list of them, and says what it was given", () => {
    for (const given of [undefined, null, "a", 7]) {
      const one = ChildSpec.make(given as never, "never")
      assert.match(Result.isFailure(one) ? one.failure.message : "", /must be a child specification/)
      const all = ChildSpec.makeAll([{ id: "a" }, given as never], "never")
      assert.match(Result.isFailure(all) ? all.failure.message : "", /must be a child specification/)
    }
    for (const given of [undefined, {}, "a"]) {
      const all = ChildSpec.makeAll(given as never, "never")
      assert.match(Result.isFailure(all) ? all.failure.message : "", /must be a list of child specifications/)
    }
  })

  it("ignores keys it does not know", () => {
    const draft: ChildSpec.Draft = Object.assign({ id: "a" }, { modules: [] })
    assert.isUndefined(problemOf(draft))
  })

  it("refuses significant without autoShutdown, and significant with permanent, whatever autoShutdown is", () => {
    for (const autoShutdown of ["never", "any_significant", "all_significant"] as const) {
      for (const restart of [undefined, "permanent", "transient", "temporary"] as const) {
        assert.isUndefined(problemOf({ id: "a", restart, significant: false }, autoShutdown))
        const problem = problemOf({ id: "a", restart, significant: true }, autoShutdown)
        if (restart === undefined || restart === "permanent") {
          assert.include(problem?.[1], "false for a permanent child")
        } else if (autoShutdown === "never") {
          assert.include(problem?.[1], "false under a supervisor without autoShutdown")
        } else {
          assert.isUndefined(problem)
        }
      }
    }
  })
})

describe("ChildSpec.makeAll", () => {
  it("completes each, and refuses two with one id", () => {
    assert.deepStrictEqual(
      Result.map(ChildSpec.makeAll([{ id: "a" }, { id: "b" }], "never"), (specs) => specs.map(({ id }) => id)),
      Result.succeed(["a", "b"])
    )
    const twice = ChildSpec.makeAll([{ id: "a" }, { id: "a", restart: "transient" }], "never")
    assert.deepStrictEqual(
      twice,
      Result.fail(
        new InvalidOption({ of: "a", option: "id", given: "a", expected: "another one: two children have it" })
      )
    )
  })
})

describe("ChildSpec.isRestarted", () => {
  const orderly: ReadonlyArray<ExitReason> = [normal, shutdown, { _tag: "Shutdown", detail: "some info" }]
  const disorderly: ReadonlyArray<ExitReason> = [
    killed,
    crashed(Cause.die("boom")),
    crashed(Cause.interrupt(1)),
    { _tag: "GaveUp", child: "x", cause: Cause.die("boom") },
    { _tag: "NotConserved", cause: Cause.die("disk") }
  ]

  it("is the truth table of the restart types", () => {
    for (const reason of orderly) {
      assert.deepStrictEqual(
        [
          ChildSpec.isRestarted("permanent", reason),
          ChildSpec.isRestarted("transient", reason),
          ChildSpec.isRestarted("temporary", reason)
        ],
        [true, false, false]
      )
    }
    for (const reason of disorderly) {
      assert.deepStrictEqual(
        [
          ChildSpec.isRestarted("permanent", reason),
          ChildSpec.isRestarted("transient", reason),
          ChildSpec.isRestarted("temporary", reason)
        ],
        [true, true, false]
      )
    }
  })
})

const refusal = (reason: StoreError["reason"]) => new StoreError({ store: "test", operation: "save", reason })
const lost = (reason: StoreError["reason"]): ExitReason => ({
  _tag: "NotConserved",
  cause: Cause.fail(refusal(reason))
})

describe("ChildSpec.isFinal", () => {
  it("is every end, also of a start and of a supervisor, that a younger owner of the store is the cause of", () => {
    const fenced = Cause.fail(refusal({ _tag: "Fenced", epoch: 1, current: 2 }))
    const final: ReadonlyArray<ExitReason> = [
      { _tag: "NotConserved", cause: fenced },
      crashed(fenced),
      { _tag: "GaveUp", child: "a", cause: fenced }
    ]
    const others: ReadonlyArray<ExitReason> = [
      normal,
      killed,
      crashed(Cause.die("boom")),
      crashed(Cause.die(refusal({ _tag: "Fenced", epoch: 1, current: 2 }))),
      lost({ _tag: "Unavailable", cause: "away" }),
      lost({ _tag: "Invalid", what: "it" })
    ]
    assert.deepStrictEqual(final.map(ChildSpec.isFinal), final.map(() => true))
    assert.deepStrictEqual(others.map(ChildSpec.isFinal), others.map(() => false))
    assert.deepStrictEqual(final.map(ChildSpec.isRefused), final.map(() => false))
  })

  it("is one that is refused, which concerns the one child alone", () => {
    const unreadable = stateUnreadable({ store: "test", key: "a", seq: 1 }, {
      _tag: "FromTheFuture",
      version: 2,
      newest: 1
    })
    const cause = Cause.fail(unreadable)
    const refused: ReadonlyArray<ExitReason> = [
      crashed(cause),
      { _tag: "NotConserved", cause },
      { _tag: "GaveUp", child: "a", cause }
    ]
    for (const reason of refused) assert.isTrue(ChildSpec.isFinal(reason) && ChildSpec.isRefused(reason))
    assert.isFalse(ChildSpec.isRefused(crashed(Cause.die(unreadable))), "an app's code died of it")
  })
})

describe("ChildSpec.isLetGo", () => {
  const ends = (cause: Cause.Cause<unknown>): ReadonlyArray<ExitReason> => [
    { _tag: "NotConserved", cause },
    crashed(cause),
    { _tag: "GaveUp", child: "a", cause }
  ]
  const store = Cause.fail(refusal({ _tag: "Fenced", epoch: 1, current: 2 }))
  const key = Cause.fail(refusal({ _tag: "Fenced", epoch: 1, current: 2, key: "a" }))

  it("a key that was taken over ends its server and the supervisor that is made of it, and goes no further", () => {
    for (const reason of ends(key)) {
      assert.isTrue(ChildSpec.isFinal(reason), "it is not started again")
      assert.isTrue(isTakenOver(reason))
      assert.isTrue(ChildSpec.isLetGo(reason, false), "one that was added at run time is let go")
      assert.isFalse(ChildSpec.isLetGo(reason, true), "a supervisor cannot do without what it is made of")
    }
  })

  it("a store that was taken over ends every supervisor above", () => {
    for (const reason of ends(store)) {
      assert.isTrue(ChildSpec.isFinal(reason))
      assert.isFalse(isTakenOver(reason) || ChildSpec.isLetGo(reason, false) || ChildSpec.isLetGo(reason, true))
    }
    for (const reason of ends(Cause.die("boom"))) {
      assert.isFalse(isTakenOver(reason) || ChildSpec.isLetGo(reason, false))
    }
  })
})

describe("ChildSpec.isCharged", () => {
  it("charges every end but one that a store caused by being away or full", () => {
    const charged: ReadonlyArray<ExitReason> = [
      normal,
      killed,
      crashed(Cause.die("boom")),
      lost({ _tag: "Corrupt", what: "it" }),
      lost({ _tag: "Invalid", what: "it" }),
      lost({ _tag: "Unusable", cause: "no such table" }),
      lost({ _tag: "Fenced", epoch: 1, current: 2 }),
      { _tag: "NotConserved", cause: Cause.die("no error of a store") }
    ]
    const free = [lost({ _tag: "Unavailable", cause: "away" }), lost({ _tag: "Full", cause: "full" })]
    assert.deepStrictEqual(charged.map(ChildSpec.isCharged), charged.map(() => true))
    assert.deepStrictEqual(free.map(ChildSpec.isCharged), [false, false])
  })
})
