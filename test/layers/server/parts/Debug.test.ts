/** What watches the messages of a server: a log, counts, and functions. */
import { assert, describe, it } from "@effect/vitest"
import { Exit } from "effect"
import type { SystemEvent } from "../../../../src/domain/server/SystemEvent.ts"
import { Envelope, type Receiver } from "../../../../src/layers/server/message/Envelope.ts"
import { type MessageType, ownCall } from "../../../../src/layers/server/message/MessageType.ts"
import { Debug, done } from "../../../../src/layers/server/parts/Debug.ts"

const message = (tag: string, payload?: unknown, isCall = true): Envelope =>
  new Envelope({} as Receiver, { ...ownCall, tag, isCall } satisfies MessageType, payload, undefined)

const make = () => {
  const failures: Array<unknown> = []
  return { debug: new Debug((defect) => failures.push(defect)), failures }
}

const tags = (debug: Debug) => debug.log?.map(({ request }) => request)

describe("the log of a server's messages", () => {
  it("has what came, what was answered, and what was not", () => {
    const { debug } = make()
    debug.logLast(10)
    debug.received(message("Add", 1), "before")
    debug.sent(message("Add", 1), Exit.succeed(2), "after")
    debug.received(message("Note", undefined, false), "after")
    debug.silent(message("Note", undefined, false), "last")
    assert.deepStrictEqual<ReadonlyArray<SystemEvent> | undefined>(debug.log, [
      { _tag: "In", kind: "call", request: "Add", payload: 1, from: undefined },
      { _tag: "Out", request: "Add", reply: Exit.succeed(2), to: undefined },
      { _tag: "In", kind: "cast", request: "Note", payload: undefined, from: undefined },
      { _tag: "NoReply", request: "Note", state: "last" }
    ])
  })

  it("keeps the newest, as many as it is told to; fewer from then on, or more", () => {
    const { debug } = make()
    assert.isUndefined(debug.log)
    debug.logLast(3)
    for (const tag of ["a", "b", "c", "d"]) debug.received(message(tag), 0)
    assert.deepStrictEqual(tags(debug), ["b", "c", "d"])
    debug.logLast(2)
    assert.deepStrictEqual(tags(debug), ["c", "d"])
    debug.logLast(4)
    for (const tag of ["e", "f", "g"]) debug.received(message(tag), 0)
    assert.deepStrictEqual(tags(debug), ["d", "e", "f", "g"])
    debug.logLast(0)
    assert.isUndefined(debug.log)
    debug.logLast(2)
    assert.deepStrictEqual(debug.log, [])
  })

  it("that was read does not change", () => {
    const { debug } = make()
    debug.logLast(3)
    debug.received(message("a"), 0)
    const before = debug.log
    debug.received(message("b"), 0)
    assert.lengthOf(before!, 1)
  })
})

describe("counts", () => {
  it("are of messages that came and answers that went, since they were switched on; tallies by tag", () => {
    const { debug } = make()
    debug.received(message("a"), 0)
    debug.counts = { startTime: 0, messagesIn: 0, messagesOut: 0 }
    const tally = new Map<string, number>()
    debug.tallies.set("mine", tally)
    for (const tag of ["a", "b", "a"]) debug.received(message(tag), 0)
    debug.sent(message("a"), Exit.void, 0)
    debug.silent(message("b"), 0)
    assert.deepStrictEqual(debug.counts, { startTime: 0, messagesIn: 3, messagesOut: 1 })
    assert.deepStrictEqual([...tally], [["a", 2], ["b", 1]])
  })
})

describe("a debug function", () => {
  it("is called with each event, the server's state, and what it answered last", () => {
    const { debug } = make()
    const seen: Array<unknown> = []
    debug.install("f", (n: number, event, state) => {
      seen.push([n, event._tag, state])
      return n + 1
    }, 1)
    debug.received(message("a"), "x")
    debug.sent(message("a"), Exit.void, "y")
    debug.silent(message("a"), "z")
    assert.deepStrictEqual(seen, [[1, "In", "x"], [2, "Out", "y"], [3, "NoReply", "z"]])
  })

  it("is there once under its name; it goes when it is removed, when it is done, or when it throws, and no other with it", () => {
    const { debug, failures } = make()
    const seen: Array<string> = []
    const say = (what: string) => () => void seen.push(what)
    debug.install("a", say("a"), undefined)
    debug.install("a", say("second a"), undefined)
    debug.install<unknown>("once", () => {
      seen.push("once")
      return done
    }, undefined)
    debug.install("boom", () => {
      throw new Error("boom")
    }, undefined)
    debug.install("z", say("z"), undefined)
    debug.received(message("m"), 0)
    debug.received(message("m"), 0)
    assert.deepStrictEqual(seen.splice(0), ["a", "once", "z", "a", "z"])
    assert.deepStrictEqual(failures.map(String), ["Error: boom"])
    debug.remove("a")
    debug.remove("none")
    debug.received(message("m"), 0)
    assert.deepStrictEqual(seen, ["z"])
  })

  it("that is async fails later, and does not end the program", async () => {
    const { debug, failures } = make()
    debug.install("f", () => Promise.reject(new Error("boom")), undefined)
    debug.received(message("m"), 0)
    await Promise.resolve()
    assert.deepStrictEqual(failures.map(String), ["Error: boom"])
  })
})

describe("what watches a server", () => {
  it("is off when there is none of it, and holds the server for what would be lost", () => {
    const state = (debug: Debug) => [debug.isOff, debug.isHeld]
    const { debug } = make()
    assert.deepStrictEqual(state(debug), [true, false])
    debug.tallies.set("mine", new Map())
    assert.deepStrictEqual(state(debug), [false, false])
    debug.tallies.clear()
    debug.logLast(1)
    assert.deepStrictEqual(state(debug), [false, true])
    debug.logLast(0)
    debug.counts = { startTime: 0, messagesIn: 0, messagesOut: 0 }
    assert.deepStrictEqual(state(debug), [false, true])
    debug.counts = undefined
    debug.install("f", () => {}, undefined)
    assert.deepStrictEqual(state(debug), [false, true])
    debug.remove("f")
    assert.deepStrictEqual(state(debug), [true, false])
  })
})
