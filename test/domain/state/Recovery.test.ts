import { assert, describe, it } from "@effect/vitest"
import { Cause, Schema } from "effect"
import * as ExitReason from "../../../src/domain/process/ExitReason.ts"
import * as Generations from "../../../src/domain/state/Generations.ts"
import * as Recovery from "../../../src/domain/state/Recovery.ts"

type Books = Generations.Books<string>

const commit = (before: Generations.Generations<string>, seq: number, by: Generations.Origin) =>
  Generations.commit(before, { seq, state: `s${seq}`, incarnation: 1 }, by)

/** Snapshots 1 to n by messages: n is on probation. */
const committed = (n: number): Books => {
  let books: Generations.Generations<string>
  for (let seq = 1; seq <= n; seq++) books = commit(books, seq, "call")
  return books!
}

/** Snapshot `seq` as a new incarnation starts from it. */
const start = (seq: number, trusted: boolean): Recovery.Start<string> => ({
  seq,
  state: `s${seq}`,
  incarnation: 1,
  trusted
})

const kept = (books: Generations.Generations<string>): ReadonlyArray<number> =>
  books === undefined ? [] : [books.seq, ...books.goodSeq === 0 ? [] : [books.goodSeq]]

const inHandler = (tag: string, payload: unknown = {}): Recovery.Activity => ({
  _tag: "InHandler",
  message: { tag, payload }
})

const inCallback = (callback: Generations.Callback): Recovery.Activity => ({
  _tag: "InCallback",
  callback,
  why: "boom"
})

/** An incarnation started from the newest snapshot, handled nothing, and ended so. */
const ended = (books: Books, activity: Recovery.Activity): Books => {
  const { seq } = books
  return Recovery.observe(books, { restored: seq, on: seq, handled: false, activity })
}

const threeMessages = (books: Books): Books =>
  ["A", "B", "C"].reduce((books, tag) => ended(books, inHandler(tag)), books)

describe("Recovery", () => {
  it("nothing conserved: init", () => {
    assert.deepStrictEqual(Recovery.decide(undefined).decision, {
      _tag: "Init",
      why: "nothing is conserved",
      from: undefined
    })
  })

  it("without evidence the newest snapshot is restored", () => {
    const books = committed(3)
    assert.deepStrictEqual(Recovery.decide(books), {
      decision: { _tag: "Restore", snapshot: start(3, false) },
      books,
      aside: []
    })
  })

  for (const callback of ["migrate", "restore", "init", "continueWith"] as const) {
    it(`one crash in ${callback} is enough: the newest trusted snapshot comes back, the suspect is set aside`, () => {
      const outcome = Recovery.decide(ended(committed(3), inCallback(callback)))
      const why = `${callback} crashed on snapshot 3: boom`
      assert.deepStrictEqual(outcome.decision, {
        _tag: "RollBack",
        from: 3,
        to: start(2, true),
        why
      })
      assert.deepStrictEqual(outcome.aside, [{ seq: 3, state: "s3", why }])
      assert.deepStrictEqual(kept(outcome.books), [2])
      assert.deepStrictEqual(Recovery.decide(outcome.books).decision, {
        _tag: "Restore",
        snapshot: start(2, true)
      })
    })
  }

  it("a suspect with no trusted one older: init, and the suspect is kept aside", () => {
    const outcome = Recovery.decide(ended(committed(1), inCallback("restore")))
    assert.deepStrictEqual(outcome.decision, {
      _tag: "Init",
      why: "restore crashed on snapshot 1: boom; there is no older snapshot that is trusted",
      from: 1
    })
    assert.deepStrictEqual(outcome.aside.map((one) => one.seq), [1])
  })

  it("two different messages are not enough, the third gives up with a report that names them", () => {
    const two = ended(ended(committed(3), inHandler("B")), inHandler("A"))
    assert.strictEqual(Recovery.decide(two).decision._tag, "Restore")
    const outcome = Recovery.decide(ended(two, inHandler("C")))
    assert.deepStrictEqual(outcome.decision, {
      _tag: "GiveUp",
      from: 3,
      why: "3 different messages (A, B, C) crashed on snapshot 3 before any was handled"
    })
    assert.deepStrictEqual(outcome.aside, [])
  })

  it("after giving up a later start gets the state once more", () => {
    const { books } = Recovery.decide(threeMessages(committed(3)))
    assert.strictEqual(Recovery.decide(books).decision._tag, "Restore")
  })

  it("onSuspect rollback: messages alone roll back as well", () => {
    const outcome = Recovery.decide(threeMessages(committed(3)), { onSuspect: "rollback" })
    assert.strictEqual(outcome.decision._tag, "RollBack")
    assert.deepStrictEqual(outcome.aside.map((one) => one.seq), [3])
  })

  it("onSuspect refuse: never rolls back, sets nothing aside, and stays refused until the evidence is cleared", () => {
    for (const books of [threeMessages(committed(3)), ended(committed(3), inCallback("restore"))]) {
      const outcome = Recovery.decide(books, { onSuspect: "refuse" })
      assert.strictEqual(outcome.decision._tag, "Refuse")
      assert.deepStrictEqual(outcome.aside, [])
      assert.strictEqual(Recovery.decide(outcome.books, { onSuspect: "refuse" }).decision._tag, "Refuse")
      assert.strictEqual(
        Recovery.decide(Generations.clearEvidence(outcome.books!), { onSuspect: "refuse" }).decision._tag,
        "Restore"
      )
    }
  })

  it("how many different messages it takes is an option", () => {
    const two = ended(ended(committed(3), inHandler("A")), inHandler("B"))
    assert.strictEqual(Recovery.decide(two, { onSuspect: "rollback", messages: 2 }).decision._tag, "RollBack")
  })

  it("the same call made fifty times rolls nothing back, whatever the policy", () => {
    for (const onSuspect of [undefined, "rollback", "refuse"] as const) {
      let books = committed(3)
      for (let i = 0; i < 50; i++) {
        books = ended(books, inHandler("Crash", { id: 7 }))
        const outcome = Recovery.decide(books, { onSuspect })
        assert.strictEqual(outcome.decision._tag, "Restore")
        assert.deepStrictEqual(outcome.aside, [])
        books = outcome.books!
      }
      assert.deepStrictEqual(kept(books), [3, 2])
    }
  })

  it("ends from outside never count, however many", () => {
    const before = committed(3)
    let books = before
    for (let i = 0; i < 50; i++) books = ended(books, { _tag: "Outside" })
    assert.strictEqual(books, before)
    assert.strictEqual(Recovery.decide(books, { onSuspect: "rollback", messages: 1 }).decision._tag, "Restore")
  })

  it("a kill, an interruption, a failed write and an orderly end come from outside of the handler", () => {
    const interrupted = ExitReason.crashed(Cause.interrupt(1))
    const failedWrite: ExitReason.ExitReason = { _tag: "NotConserved", cause: Cause.die("disk") }
    for (const reason of [ExitReason.killed, ExitReason.normal, ExitReason.shutdown, interrupted, failedWrite]) {
      assert.deepStrictEqual(Recovery.activityOf(reason, inCallback("restore")), { _tag: "Outside" })
    }
    const died = ExitReason.crashed(Cause.combine(Cause.die("boom"), Cause.interrupt(1)))
    assert.deepStrictEqual(Recovery.activityOf(died, inCallback("restore")), inCallback("restore"))
  })

  it("a snapshot from which a message was handled is trusted for good, also when that committed nothing", () => {
    const crash = { restored: 3, on: 3, handled: true, activity: inHandler("A") }
    let books = Recovery.observe(committed(3), crash)
    assert.deepStrictEqual([books.seq, books.state, books.trust], [3, "s3", "trusted"])
    books = threeMessages(ended(books, inCallback("restore")))
    assert.strictEqual(Recovery.decide(books, { onSuspect: "rollback" }).decision._tag, "Restore")
  })

  it("a message handled from an older state says nothing about what was committed after it", () => {
    // restored 1, committed 2 and 3 by messages, then crashed on 3
    const books = Recovery.observe(committed(3), { restored: 1, on: 3, handled: true, activity: inHandler("A") })
    assert.strictEqual(books.trust, "probation")
  })

  it("a crash on a state that was replaced meanwhile says nothing about the new one", () => {
    const books = committed(3)
    const crash = { restored: 2, on: 2, handled: false, activity: inCallback("restore") }
    assert.strictEqual(Recovery.observe(books, crash), books)
  })

  it("a snapshot that cannot be read is set aside even when it is trusted, and so is the next", () => {
    const first = Recovery.unreadable(Generations.handled(committed(3)), "torn")
    assert.strictEqual(first.decision._tag, "RollBack")
    assert.deepStrictEqual(first.aside, [{ seq: 3, state: "s3", why: "snapshot 3 cannot be read: torn" }])
    const second = Recovery.unreadable(first.books, "torn")
    assert.deepStrictEqual(second.aside.map((one) => one.seq), [2])
    assert.strictEqual(second.decision._tag, "Init")
    assert.strictEqual(Recovery.unreadable(second.books, "torn").decision._tag, "Init")
  })
})

const Step = Schema.Union([
  Schema.TaggedStruct("Handle", { commits: Schema.Boolean }),
  Schema.TaggedStruct("ContinueWith", {}),
  Schema.TaggedStruct("CrashInHandler", { message: Schema.Literals(["A", "B", "C", "D"]) }),
  Schema.TaggedStruct("CrashInCallback", { callback: Schema.Literals(["restore", "init", "continueWith"]) }),
  Schema.TaggedStruct("Kill", {})
])

describe("restore that learns, over any life of a server", () => {
  it.prop("nothing is lost, nothing trusted is set aside, and the state that was decided on is restored", {
    steps: Schema.Array(Step),
    onSuspect: Schema.Literals(["default", "rollback", "refuse"])
  }, ({ onSuspect, steps }) => {
    const policy: Recovery.Policy = onSuspect === "default" ? {} : { onSuspect }
    let books: Generations.Generations<string>
    let allAside: ReadonlyArray<{ readonly seq: number }> = []
    const committedSeqs = new Set<number>()
    const everTrusted = new Set<number>()
    let restored = 0
    let handled = false

    const end = (activity: Recovery.Activity) => {
      if (books !== undefined) books = Recovery.observe(books, { restored, on: books.seq, handled, activity })
      const before = books
      const { aside, books: after, decision } = Recovery.decide(before, policy)
      books = after
      allAside = [...allAside, ...aside]
      assert.deepStrictEqual([...kept(after), ...aside.map((one) => one.seq)].sort(), [...kept(before)].sort())
      for (const one of aside) assert.isFalse(everTrusted.has(one.seq), `${one.seq} was trusted`)
      if (policy.onSuspect === "refuse") assert.deepStrictEqual(aside, [])
      switch (decision._tag) {
        case "Restore":
        case "RollBack": {
          const chosen = decision._tag === "Restore" ? decision.snapshot : decision.to
          assert.deepStrictEqual([chosen.seq, chosen.state], [after?.seq, after?.state])
          if (decision._tag === "RollBack") assert.isTrue(decision.to.trusted)
          break
        }
        case "Init":
          assert.isUndefined(after)
          break
        case "Refuse":
          assert.strictEqual(policy.onSuspect, "refuse")
          books = after && Generations.clearEvidence(after)
          break
        case "GiveUp":
          assert.isUndefined(policy.onSuspect)
          break
      }
      restored = books?.seq ?? 0
      handled = false
    }

    for (const step of steps) {
      switch (step._tag) {
        case "Handle": {
          if (books !== undefined) everTrusted.add(books.seq)
          handled = true
          if (step.commits) {
            const seq = Generations.lastSeq(books, allAside) + 1
            assert.isFalse(committedSeqs.has(seq))
            committedSeqs.add(seq)
            books = commit(books, seq, "call")
          } else if (books !== undefined) books = Generations.handled(books)
          break
        }
        case "ContinueWith": {
          const seq = Generations.lastSeq(books, allAside) + 1
          committedSeqs.add(seq)
          books = commit(books, seq, "callback")
          break
        }
        case "CrashInHandler":
          end(inHandler(step.message))
          break
        case "CrashInCallback":
          end(inCallback(step.callback))
          break
        case "Kill":
          end({ _tag: "Outside" })
          break
      }
      const seqs = kept(books)
      assert.deepStrictEqual(seqs, [...new Set(seqs)].sort((a, b) => b - a), "newest first, each once")
      assert.isAtMost(seqs.length, 2)
      const lastTrusted = Math.max(0, ...everTrusted)
      if (lastTrusted > 0) assert.include(seqs, lastTrusted, "the newest trusted one is kept")
    }
  }, { arbitrary: { runs: 500 } })
})
