/**
 * Other systems' cases of what runs after a message: a continuation before anything queued, an idle timeout when
 * nothing comes.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { normal } from "../../../src/domain/process/ExitReason.ts"
import { GenServer, Monitor, Next, StateContainer, Supervisor, Sys } from "../../../src/index.ts"
import { inTurn, Live as ServersLive, Root } from "../../kit/ServerCases.ts"

/** Continues after every kind of message, and has a message waiting by then. */
class Continues extends GenServer.Service<Continues>()("test/Continues", {
  state: Schema.Int,
  messages: {
    Call: GenServer.call({ reply: Schema.String }),
    CallLater: GenServer.call({ reply: Schema.String }),
    Cast: GenServer.cast(),
    Chain: GenServer.cast(),
    Send: GenServer.cast(),
    Stop: GenServer.cast(),
    Message: GenServer.cast({ internal: true }),
    AfterContinue: GenServer.cast({ internal: true })
  }
}) {}

/** Arms an idle timeout of 500 ms in every way there is. */
class Idler extends GenServer.Service<Idler>()("test/Idler", {
  state: Schema.Int,
  messages: {
    ArmByCall: GenServer.call(),
    ArmByCast: GenServer.cast(),
    ArmByMessage: GenServer.cast(),
    ArmByContinue: GenServer.cast(),
    Message: GenServer.cast({ internal: true }),
    Ping: GenServer.call({ reply: Schema.String })
  }
}) {}

const Live = Layer.provideMerge(
  Supervisor.layer({ id: "keepers", strategy: "one_for_one" }, [
    StateContainer.layerForget(Continues),
    StateContainer.layerForget(Idler)
  ]),
  ServersLive
)

describe("server: what follows a message", () => {
  it.effect("SRV-019 handle_continue runs before anything already queued, and may stop the server", () => {
    const variants: Record<string, Effect.Effect<void, unknown>> = {}
    const report: Array<string> = []
    const seen = (line: string) => Effect.sync(() => void report.push(line))
    const afterIt = Effect.flatMap(Continues.self, (self) => self.AfterContinue())
    const next = (n: number) => Effect.as(seen("continue"), n)
    const continuing = <A>(answer: A) => Effect.as(afterIt, answer)
    const behavior = Continues.behavior({
      init: 0,
      handlers: {
        Call: (n) => continuing(Next.reply("ok", n, { continueWith: next })),
        CallLater: (n, _, { from }) =>
          continuing(Next.noReply(n, {
            continueWith: (n) => Effect.andThen(GenServer.reply(from, Exit.succeed("later")), next(n))
          })),
        Cast: (n) => continuing(Next.noReply(n, { continueWith: next })),
        Chain: (n) =>
          continuing(Next.noReply(n, {
            continueWith: (n) => Effect.as(seen("before_continue"), Next.noReply(n, { continueWith: next }))
          })),
        Stop: (n) => Next.noReply(n, { continueWith: () => Next.stop("normal") }),
        Send: (n) => Effect.as(Effect.flatMap(Continues.self, (self) => self.Message()), n),
        Message: (n) => continuing(Next.noReply(n, { continueWith: next })),
        AfterContinue: (n) => Effect.as(seen("after_continue"), n)
      }
    })
    const inOrder = ["continue", "after_continue"]
    const ways: Record<
      string,
      readonly [(server: Continues["Service"]) => Effect.Effect<unknown, GenServer.CallError>, ReadonlyArray<string>]
    > = {
      "call with reply": [(server) => server.Call(), inOrder],
      "call without reply": [(server) => server.CallLater(), inOrder],
      cast: [(server) => server.Cast(), inOrder],
      "plain message": [(server) => server.Send(), inOrder],
      "chained continue": [(server) => server.Chain(), ["before_continue", ...inOrder]]
    }
    for (const [way, [trigger, expected]] of Object.entries(ways)) {
      variants[`${way}`] = Effect.gen(function*() {
        const root = yield* Root
        const server = yield* root.startChild(Continues.recipe(behavior, { key: way }))
        report.length = 0
        yield* trigger(server)
        // Each round trip lets it come to what it sent itself in the one before.
        for (let hop = 0; hop < 3; hop++) yield* Sys.getState(server)
        assert.deepStrictEqual(report, expected)
      }).pipe(Effect.provide(Live))
    }

    variants["init"] = Effect.gen(function*() {
      const root = yield* Root
      report.length = 0
      const init = Effect.suspend(() => continuing(Next.start(0, { continueWith: next })))
      const server = yield* root.startChild(Continues.recipe({ ...behavior, init }, { key: "init" }))
      yield* Sys.getState(server)
      assert.deepStrictEqual(report, inOrder)
    }).pipe(Effect.provide(Live))

    variants["stop"] = Effect.gen(function*() {
      const root = yield* Root
      const server = yield* root.startChild(Continues.recipe(behavior, { key: "stop", restart: "transient" }))
      const watch = yield* Monitor.watch(server)
      yield* server.Stop()
      assert.deepStrictEqual((yield* watch.down).reason, normal)
    }).pipe(Effect.scoped, Effect.provide(Live))
    return inTurn(variants)
  })

  it.effect("SRV-023 An idle timeout fires once, and any message cancels it", () => {
    const variants: Record<string, Effect.Effect<void, unknown>> = {}
    const events: Array<string> = []
    const idleAfter = 500
    const behavior = Idler.behavior({
      init: 0,
      handlers: {
        ArmByCall: (n) => Next.reply(undefined, n, { idleAfter }),
        ArmByCast: (n) => Next.noReply(n, { idleAfter }),
        ArmByMessage: (n) => Effect.as(Effect.flatMap(Idler.self, (self) => self.Message()), n),
        ArmByContinue: (n) => Next.noReply(n, { continueWith: (n) => Next.noReply(n, { idleAfter }) }),
        Message: (n) => Next.noReply(n, { idleAfter }),
        Ping: (n) => ["pong", n]
      },
      idle: (n) => {
        events.push("timeout")
        return n
      }
    })
    const arming: Record<string, (idler: Idler["Service"]) => Effect.Effect<unknown, GenServer.CallError>> = {
      init: () => Effect.void,
      call: (idler) => idler.ArmByCall(),
      cast: (idler) => idler.ArmByCast(),
      "plain message": (idler) => idler.ArmByMessage(),
      continue: (idler) => idler.ArmByContinue()
    }
    for (const [way, arm] of Object.entries(arming)) {
      variants[`${way}`] = Effect.gen(function*() {
        const root = yield* Root
        const armed = (key: string) =>
          Effect.tap(
            root.startChild(
              Idler.recipe(way === "init" ? { ...behavior, init: Next.start(0, { idleAfter }) } : behavior, { key })
            ),
            arm
          )
        events.length = 0
        yield* armed("idle")
        yield* TestClock.adjust(499)
        assert.deepStrictEqual(events, [])
        yield* TestClock.adjust(501)
        assert.deepStrictEqual(events, ["timeout"])
        yield* TestClock.adjust(2000)
        assert.deepStrictEqual(events, ["timeout"])

        events.length = 0
        const idler = yield* armed("pinged")
        yield* TestClock.adjust(499)
        assert.strictEqual(yield* idler.Ping(), "pong")
        yield* TestClock.adjust(1000)
        assert.deepStrictEqual(events, [])
      }).pipe(Effect.provide(Live))
    }
    return inTurn(variants)
  })
})
