import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Schema } from "effect"
import { GenServer, Next, StateContainer, StateSchema, Supervisor, Sys } from "../../../../src/index.ts"
import { now, turns } from "../../../kit/Fibers.ts"
import { recordedLog } from "../../../kit/Log.ts"

describe("an event of a server's messages", () => {
  it("is one line", () => {
    const event = { request: "Add" } as const
    const rows: ReadonlyArray<readonly [Sys.SystemEvent, string]> = [
      [{ ...event, _tag: "In", kind: "call", payload: { by: 1 }, from: undefined }, "got call Add {\"by\":1}"],
      [{ ...event, _tag: "In", kind: "cast", payload: "a", from: "app > b" }, "got cast Add \"a\" from app > b"],
      [{ ...event, _tag: "Out", reply: Exit.succeed(2), to: undefined }, "sent 2, for Add"],
      [{ ...event, _tag: "Out", reply: Exit.succeed("x"), to: "app > b" }, "sent \"x\" to app > b, for Add"],
      [
        { ...event, _tag: "Out", reply: Exit.failCause(Cause.fail("no")), to: undefined },
        "failed with \"no\", for Add"
      ],
      [{ ...event, _tag: "Out", reply: Exit.fail("no"), to: "app > b" }, "failed with \"no\" to app > b, for Add"],
      [{ ...event, _tag: "NoReply", state: [1] }, "new state [1], after Add"]
    ]
    for (const [event, text] of rows) assert.strictEqual(Sys.toText(event), text)
  })
})

class Safe extends GenServer.Service<Safe>()("test/Safe", {
  state: Schema.Struct({ n: Schema.Int, pin: StateSchema.redacted(Schema.String) }),
  messages: {
    Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }),
    Note: GenServer.cast(),
    Later: GenServer.call()
  }
}) {}

const app = Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
  StateContainer.layerMemory(Safe),
  Safe.layer({
    init: { n: 0, pin: "1234" },
    handlers: {
      Add: (state, { by }) => [state.n + by, { ...state, n: state.n + by }],
      Note: (state) => ({ ...state, n: 7 }),
      Later: (state) => Next.noReply(state)
    }
  })
])

it.effect("a trace to the log has each message on its line, without what is marked as secret, until it is ended", () => {
  const log = recordedLog(({ level }) => level === "Info")
  return Effect.gen(function*() {
    const safe = yield* Safe
    yield* Sys.trace(safe, true)
    yield* safe.Add({ by: 1 })
    yield* safe.Note()
    yield* now(Effect.exit(safe.Later()))
    yield* turns
    yield* Sys.trace(safe, false)
    yield* safe.Add({ by: 1 })
    assert.deepStrictEqual(log.lines.map(({ text }) => text.replace(/^.*Safe /, "")), [
      "got call Add {\"by\":1}",
      "sent 1, for Add",
      "got cast Note {}",
      "new state {\"n\":7,\"pin\":\"<redacted>\"}, after Note",
      "got call Later {}",
      "new state {\"n\":7,\"pin\":\"<redacted>\"}, after Later"
    ])
  }).pipe(Effect.provide(app), Effect.provide(log.layer))
})
