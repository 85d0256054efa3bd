/**
 * What the engine stands on throws where nothing may: the message that was in hand is settled as at any other crash.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Latch, Layer, Option, Schema } from "effect"
import { GenServer, Process, StateContainer, Supervisor } from "../../../../src/index.ts"
import { serverOf } from "../../../../src/layers/server/class/ServerRef.ts"
import { Harness } from "../../../../src/testing.ts"
import { now, turns } from "../../../kit/Fibers.ts"
import { quiet } from "../../../kit/Log.ts"

const redeliver = { maxAttempts: 2 }

class Num extends GenServer.Service<Num>()("test/Num", {
  state: Schema.Int,
  messages: {
    Add: GenServer.call({ reply: Schema.Int }),
    AddAgain: GenServer.call({ reply: Schema.Int, redeliver }),
    Note: GenServer.cast(),
    NoteAgain: GenServer.cast({ redeliver }),
    Get: GenServer.call({ reply: Schema.Int }),
    Hold: GenServer.call({ timeout: "infinity" })
  }
}) {}

const app = (gate: Latch.Latch) =>
  Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
    StateContainer.layerMemory(Num),
    Num.layer({
      init: 0,
      handlers: {
        Add: (n) => [n + 1, n + 1],
        AddAgain: (n) => [n + 1, n + 1],
        Note: (n) => n + 1,
        NoteAgain: (n) => n + 1,
        Get: (n) => [n, n],
        Hold: (n) => Effect.as(gate.await, [undefined, n] as const)
      }
    })
  ]).pipe(Layer.provideMerge(Harness.Harness.layer))

/** The commit after that many others throws. */
const breakAfter = (num: typeof Num.Service, others: number) => {
  const companion = serverOf(num)!.ownCompanion
  const commit = companion.commit.bind(companion)
  companion.commit = (...args) => {
    if (others-- > 0) return commit(...args)
    companion.commit = commit
    throw new Error("out of order")
  }
}

const said = (exit: Exit.Exit<unknown, GenServer.CallError>): unknown => {
  if (exit._tag === "Success") return exit.value
  const error = Option.getOrUndefined(Exit.findErrorOption(exit))
  return error?.reason._tag === "Crashed" ? String(Cause.squash(error.reason.cause)) : error
}

/** Messages, with what is heard of each, and the state afterwards. */
const messages = {
  "a call": [(num) => num.Add(), "Error: out of order", 0],
  "a call that is handled again": [(num) => num.AddAgain(), 1, 1],
  "a cast": [(num) => num.Note(), undefined, 0],
  "a cast that is handled again": [(num) => num.NoteAgain(), undefined, 1]
} satisfies Record<
  string,
  readonly [(num: typeof Num.Service) => Effect.Effect<unknown, GenServer.CallError>, unknown, number]
>

describe("a commit that throws ends the incarnation, and its message is settled as one that was in hand", () => {
  for (const path of ["idle", "busy", "behind a cast"] as const) {
    for (const [what, [message, heard, state]] of Object.entries(messages)) {
      it.effect(`${what}, ${path}`, () => {
        const gate = Latch.makeUnsafe(true)
        return Effect.gen(function*() {
          const [num, harness] = [yield* Num, yield* Harness.Harness]
          yield* num.Get()
          if (path === "busy") yield* gate.close
          breakAfter(num, path === "idle" ? 0 : 1)
          if (path === "busy") yield* now(num.Hold())
          if (path === "behind a cast") yield* num.Note()
          const more = path === "behind a cast" ? 1 : 0
          const sent: Effect.Effect<unknown, GenServer.CallError> = message(num)
          const asked = yield* now(Effect.exit(sent))
          const next = yield* now(num.Get())
          yield* gate.open
          yield* turns
          // What waited behind it is not left waiting.
          assert.deepStrictEqual(next.pollUnsafe(), Exit.succeed(state + more))
          assert.deepStrictEqual(said(yield* Fiber.join(asked)), typeof heard === "number" ? heard + more : heard)
          assert.deepStrictEqual([yield* num.Get(), yield* Process.incarnation(num)], [state + more, 2])
          const again = (yield* harness.eventsOf(num)).flatMap((event) =>
            event._tag === "Redelivered" ? [event.attempt] : []
          )
          assert.deepStrictEqual(again, what.endsWith("again") ? [2] : [])
        }).pipe(Effect.provide(app(gate)), quiet)
      })
    }
  }
})
