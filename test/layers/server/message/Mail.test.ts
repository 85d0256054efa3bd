/**
 * Casts and calls that wait, whatever happens to their server meanwhile: all are handled, once, in the order of
 * sending.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Schema } from "effect"
import { GenServer, Process, Restart, StateContainer, Supervisor, Sys } from "../../../../src/index.ts"
import type { MailboxOptions } from "../../../../src/layers/server/message/Mailbox.ts"
import { Harness } from "../../../../src/testing.ts"
import { now } from "../../../kit/Fibers.ts"
import { sinkOf } from "../../../kit/Sinks.ts"

const payload = { no: Schema.Int, failures: Schema.Int, style: Schema.Literals(["plain", "effect", "slow", "looks"]) }
const redeliver = { maxAttempts: 1000 }

class Log extends GenServer.Service<Log>()("test/Log", {
  state: Schema.Array(Schema.Int),
  messages: {
    Tell: GenServer.call({ payload, redeliver, timeout: "infinity" }),
    Note: GenServer.cast({ payload, redeliver }),
    Read: GenServer.call({ reply: Schema.Array(Schema.Int), timeout: "infinity", redeliver })
  }
}) {}

class Top extends Supervisor.Service<Top>()("test/Top") {}

type Payload = Schema.Struct<typeof payload>["Type"]
type View = { readonly attempt: number }
type Numbers = ReadonlyArray<number>

/** The next state, in one of the styles; a message fails as often as it says before. */
const next = (log: Numbers, { failures, no, style }: Payload, view: View): Numbers | Effect.Effect<Numbers> => {
  const then = () => {
    if (view.attempt <= failures) throw new Error("not yet")
    return [...log, no]
  }
  switch (style) {
    case "plain":
      return failures === 0 ? [...log, no] : then()
    case "looks":
      return then()
    case "effect":
      return Effect.sync(then)
    case "slow":
      return Effect.map(Effect.yieldNow, then)
  }
}

const behavior = Log.behavior({
  init: [],
  handlers: {
    Tell: (log, payload, view) => {
      const state = next(log, payload, view)
      return Effect.isEffect(state)
        ? Effect.map(state, (state) => [undefined, state] as const)
        : [undefined, state] as const
    },
    Note: next,
    Read: (log) => [log, log]
  }
})

const app = (mailbox: MailboxOptions | undefined) =>
  Layer.provideMerge(
    Top.layer({
      id: "root",
      strategy: "one_for_one",
      restart: Restart.intensity({ restarts: 2, within: "1 hour" }),
      onGiveUp: "park"
    }, [StateContainer.layerMemory(Log), Log.layer(behavior, { mailbox })]),
    Harness.Harness.layer
  )

const Step = Schema.Union([
  Schema.Struct({
    _tag: Schema.Literals(["Tell", "Note"]),
    failures: Schema.Literals([0, 0, 0, 1, 2]),
    style: payload.style
  }),
  Schema.Struct({ _tag: Schema.Literals(["suspend", "resume", "look", "replace", "kill", "settle"]) })
])

/** A message that fails may spend the budget: its operator lets the server go on. */
const goOn = Effect.flatMap(Top, (top) => Effect.ignore(top.resumeChild("test/Log")))

const finished = Effect.fnUntraced(function*(fiber: Fiber.Fiber<unknown, unknown>) {
  while (fiber.pollUnsafe() === undefined) {
    yield* goOn
    yield* Effect.yieldNow
  }
})

/** A request that a parked server does not take is made again. */
const insisting = <A>(request: Effect.Effect<A, GenServer.CallError>): Effect.Effect<A, GenServer.CallError, Top> =>
  Effect.catchIf(
    Effect.gen(function*() {
      yield* goOn
      const fiber = yield* now(request)
      yield* finished(fiber)
      return yield* Fiber.join(fiber)
    }),
    (error) => error.reason._tag === "Parked",
    () => insisting(request)
  )

for (const [name, mailbox] of [["an unbounded", undefined], ["a small", { capacity: 3 }]] as const) {
  describe(`${name} mailbox`, () => {
    it.effect.prop(
      "whatever happens, messages are handled in the order in which they were sent, and each once",
      [Schema.Array(Step)],
      ([steps]) =>
        Effect.gen(function*() {
          const { telemetry } = yield* Harness.Harness
          const log = yield* Log
          const sent: Array<number> = []
          const fibers: Array<Fiber.Fiber<unknown, unknown>> = []
          const beside = Effect.fnUntraced(function*(effect: Effect.Effect<unknown, unknown>) {
            fibers.push(yield* now(Effect.exit(effect)))
          })
          for (const step of steps) {
            switch (step._tag) {
              case "Tell":
              case "Note": {
                // To a parked server no call can be made.
                yield* goOn
                sent.push(sent.length)
                yield* beside(log[step._tag]({ no: sent.length - 1, failures: step.failures, style: step.style }))
                break
              }
              case "suspend":
                yield* beside(Sys.suspend(log))
                break
              case "resume":
                yield* beside(Sys.resume(log))
                break
              case "look":
                yield* beside(Sys.getState(log))
                break
              case "replace":
                yield* beside(GenServer.replace(log, behavior))
                break
              case "kill":
                yield* Process.kill(log)
                break
              case "settle":
                yield* Effect.yieldNow
                break
            }
          }
          yield* insisting(Sys.resume(log))
          const handled = yield* insisting(log.Read())
          assert.deepStrictEqual(handled, sent)
          for (const fiber of fibers) yield* finished(fiber)
          assert.strictEqual(sinkOf(telemetry).counters.queued, 0)
        }).pipe(Effect.provide(app(mailbox)))
    )
  })
}
