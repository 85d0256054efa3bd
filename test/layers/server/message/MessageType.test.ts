import { assert, it } from "@effect/vitest"
import { handlerOf, ownCall } from "../../../../src/layers/server/message/MessageType.ts"

it("finds the handler of a message among the handlers of any behaviour, in any order", () => {
  const greet = { ...ownCall, tag: "Greet" }
  const leave = { ...ownCall, tag: "Leave" }
  const polite = { Greet: () => "good day", Leave: () => "good night" }
  const short = { Greet: () => "hi" }
  for (const handlers of [polite, short, short, polite, polite]) {
    assert.strictEqual(handlerOf(greet, handlers), handlers.Greet)
    assert.strictEqual(handlerOf(leave, handlers), "Leave" in handlers ? handlers.Leave : undefined)
  }
})
