/**
 * A caller whose stack is at its end, wherever in a call that is: the call is broken off, and what was begun is ended in
 * a turn of the server's own.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, type Exit, Layer, ManagedRuntime, References, Schema } from "effect"
import { GenServer, Restart, StateContainer, Supervisor } from "../../../../src/index.ts"

class Num extends GenServer.Service<Num>()("test/Num", {
  state: Schema.Int,
  messages: {
    Add: GenServer.call({ reply: Schema.Int }),
    AddNow: GenServer.call({ reply: Schema.Int }),
    AddLater: GenServer.call({ reply: Schema.Int }),
    Note: GenServer.cast(),
    Throw: GenServer.call(),
    Die: GenServer.call(),
    Get: GenServer.call({ reply: Schema.Int })
  }
}) {}

const app = Supervisor.layer(
  { strategy: "one_for_one", restart: Restart.intensity({ restarts: 10_000, within: "1 hour" }) },
  [
    StateContainer.layerMemory(Num),
    Num.layer({
      init: 0,
      handlers: {
        Add: (n) => [n + 1, n + 1],
        AddNow: (n) => Effect.sync(() => [n + 1, n + 1] as const),
        AddLater: (n) => Effect.as(Effect.yieldNow, [n + 1, n + 1] as const),
        Note: (n) => n + 1,
        Throw: () => {
          throw new Error("thrown")
        },
        Die: () => Effect.die("died"),
        Get: (n) => [n, n]
      }
    })
  ]
)

/** What comes of a job so many frames before the end of the stack; nothing, when not even the job could be called. */
const before = <A>(frames: number, job: () => A): A | undefined => {
  let done: A | undefined
  const down = (): number => {
    let left: number
    try {
      left = down()
    } catch {
      left = 0
    }
    try {
      if (left === frames) done = job()
    } catch {
      // That is what is looked for: the job has thrown in the middle.
    }
    return left + 1
  }
  down()
  return done
}

const isOverflow = (exit: Exit.Exit<unknown, unknown> | undefined): boolean =>
  exit?._tag === "Failure" && Cause.squash(exit.cause) instanceof RangeError

const send = {
  "a plain handler": (num) => num.Add(),
  "a handler that is an Effect": (num) => num.AddNow(),
  "a handler that takes time": (num) => num.AddLater(),
  "a call with a key": (num) => num.Add({}, { idempotencyKey: "one" }),
  "a cast": (num) => num.Note(),
  "a call behind a cast": (num) => Effect.andThen(num.Note(), num.Add()),
  "a handler that throws": (num) => num.Throw(),
  "a handler that dies": (num) => num.Die()
} satisfies Record<string, (num: typeof Num.Service) => Effect.Effect<unknown, unknown>>

describe("a caller whose stack is at its end", () => {
  for (const [what, message] of Object.entries(send)) {
    it(`leaves no server stuck, and none that does not shut down: ${what}`, async () => {
      const runtime = ManagedRuntime.make(Layer.provide(app, Layer.succeed(References.MinimumLogLevel, "None")))
      const num = await runtime.runPromise(Num)
      let [broken, whole] = [0, 0]
      for (let frames = 0; whole < 20;) {
        const fiber = before(frames, () => runtime.runFork(message(num)))
        if (fiber === undefined || isOverflow(fiber.pollUnsafe())) broken++
        else whole++
        // What does not even come to the server is no more than passed by.
        frames += fiber === undefined ? 4 : 1
        // The server is up, or its supervisor restarts it: it answers within a few turns.
        const answer = await runtime.runPromise(Effect.exit(num.Get({}, { timeout: "2 seconds" })))
        assert.strictEqual(answer._tag, "Success", `${frames} frames before the end`)
      }
      assert.isAbove(broken, 0)
      await runtime.dispose()
    })
  }
})
