/** The behaviour of a server whose callbacks run elsewhere: what it asks for, and what becomes of the answer. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Schema, Scope } from "effect"
import { NotCrossing, WorkerDied, WorkerFailed } from "../../../../src/domain/placement/WorkerErrors.ts"
import { CallError } from "../../../../src/domain/process/CallError.ts"
import { killed, shutdown } from "../../../../src/domain/process/ExitReason.ts"
import { GenServer } from "../../../../src/index.ts"
import { codecOf, encodeReason, Uncrossable, type WireServer } from "../../../../src/layers/placement/worker/Codecs.ts"
import { type Host, unbegun } from "../../../../src/layers/placement/worker/Host.ts"
import type { Ask, Outcome } from "../../../../src/layers/placement/worker/Protocol.ts"
import * as Remote from "../../../../src/layers/placement/worker/Remote.ts"
import type { Supply } from "../../../../src/layers/placement/worker/Supply.ts"
import { type Handler, HandlerOf } from "../../../../src/layers/server/message/CallChain.ts"
import { Server } from "../../../../src/layers/server/parts/Server.ts"

class Broke extends Schema.TaggedError<Broke>()("Broke", { by: Schema.Int }) {}

class Till extends GenServer.Service<Till>()("test/remote/Till", {
  state: Schema.Struct({ n: Schema.Int }),
  messages: {
    Ask: GenServer.call({ payload: { by: Schema.Date }, reply: Schema.Date, error: Broke }),
    Tell: GenServer.cast({ payload: { by: Schema.Date } })
  }
}) {}

const server = Till as unknown as WireServer
const codec = codecOf(server)
const encoded = (n: number) => codec.encodeState({ n })
const date = new Date(5)
const written = { by: date.toJSON() }
const stateOf = (n: number): Outcome => ({ is: "state", state: encoded(n) })

interface Asked {
  readonly request: Omit<Ask, "to" | "id" | "slot">
  readonly what: string
  readonly patience: () => number
}

type Answer = Outcome | typeof unbegun | Uncrossable | WorkerDied

/** A place that answers what it was given to answer, and notes what it is asked. */
const placed = (...answers: ReadonlyArray<Answer>) => {
  const left = [...answers]
  const asked: Array<Asked> = []
  const forgotten: Array<number> = []
  let seats = 7
  const host = {
    dead: undefined as WorkerDied | undefined,
    seat: () => seats++,
    forget: (seat: number) => void forgotten.push(seat),
    ask: (request: Asked["request"], what: string, patience: () => number) =>
      Effect.suspend(() => {
        asked.push({ request, what, patience })
        const answer = left.shift() ?? { is: "state", state: "same" }
        return answer instanceof Uncrossable || answer instanceof WorkerDied
          ? Effect.die(answer)
          : Effect.succeed(answer)
      })
  }
  const states = () => asked.map(({ request }) => request.state)
  return { host: host as unknown as Host, fake: host, asked, forgotten, states }
}

const local: any = {
  init: Effect.succeed({ n: 0 }),
  handlers: {},
  restore: () => assert.fail("it runs elsewhere"),
  idle: () => assert.fail("it runs elsewhere"),
  terminate: () => assert.fail("it runs elsewhere"),
  formatStatus: (status: unknown) => status
}

type Callback = (...args: ReadonlyArray<any>) => Effect.Effect<unknown, unknown>

interface Made {
  readonly init: Effect.Effect<unknown, unknown>
  readonly handlers: { readonly Ask: Callback; readonly Tell: Callback }
  readonly restore: Callback
  readonly idle: Callback
  readonly terminate: Callback
  readonly formatStatus: unknown
}

/** The behaviour of one incarnation. */
const remote = (
  host: Effect.Effect<Host, WorkerFailed>,
  { behavior = local, key, owner }: { behavior?: unknown; key?: string; owner?: unknown } = {}
) =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    const behaved = yield* Remote.make({
      definition: { server, behavior: behavior as never, layer: undefined, url: "file:till" },
      key,
      kind: "thread",
      host,
      shutdown: 50,
      killed: 3
    }).pipe(Scope.provide(scope), Effect.provideService(HandlerOf, owner as Handler | undefined))
    const made = behaved as unknown as Made
    const ask = (state: unknown, by: unknown = date, context?: unknown): Effect.Effect<unknown, unknown> =>
      made.handlers.Ask(state, { by }, context)
    const tell = (state: unknown, by: unknown = date): Effect.Effect<unknown, unknown> =>
      made.handlers.Tell(state, { by }, undefined)
    return { made, ask, tell, close: Scope.close(scope, Exit.void) }
  })

const wrong = (exit: Exit.Exit<unknown, unknown>): unknown =>
  Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
const isDefect = (exit: Exit.Exit<unknown, unknown>): boolean => Exit.isFailure(exit) && Cause.hasDies(exit.cause)

describe("what is asked elsewhere", () => {
  it.effect("is the callback of the class, of its incarnation and key, in the name of its server", () =>
    Effect.gen(function*() {
      const { asked, host } = placed()
      const { made, tell } = yield* remote(Effect.succeed(host), { key: "a", owner: { name: "Tree > Till" } })
      const state = { n: 1 }
      assert.strictEqual(yield* tell(state), state)
      const context = { incarnation: 0, attempt: 1, seq: 0, timer: undefined }
      const callback = { of: "handler", tag: "Tell", payload: written, context }
      const request = { seat: 7, server: Till.key, key: "a", callback, state: encoded(1) }
      assert.deepStrictEqual<unknown>(asked[0]?.request, request)
      assert.strictEqual(asked[0]?.what, "Tell of Tree > Till")
      const own = { incarnation: 2, attempt: 3, seq: 4, timer: { name: "t" } }
      yield* Effect.exit(made.handlers.Ask(state, { by: date }, { ...own, from: {}, key: "b" }))
      assert.deepStrictEqual<unknown>(asked[1]?.request.callback, {
        of: "handler",
        tag: "Ask",
        payload: written,
        context: own
      })
      yield* made.init
      yield* made.restore(state)
      yield* made.idle(state)
      yield* made.terminate(shutdown, state)
      assert.deepStrictEqual(asked.slice(2).map(({ request, what }) => [request.callback, what]), [
        [{ of: "init" }, "init of Tree > Till"],
        [{ of: "restore" }, "restore of Tree > Till"],
        [{ of: "idle" }, "idle of Tree > Till"],
        [{ of: "terminate", reason: encodeReason(shutdown) }, "terminate of Tree > Till"]
      ])
      assert.isUndefined(asked[2]!.request.state)
    }))

  it.effect("is what the behaviour has, of one of a key too; what is plain, or shown, stays here", () =>
    Effect.gen(function*() {
      const { asked, host } = placed()
      const keys: Array<string> = []
      const behavior = (key: string) => {
        keys.push(key)
        return { init: { n: 4 }, handlers: {} }
      }
      const { made, tell } = yield* remote(Effect.succeed(host), { behavior, key: "a" })
      assert.deepStrictEqual<unknown>(made.init, { n: 4 })
      assert.deepStrictEqual(Object.keys(made), ["init", "handlers"])
      assert.deepStrictEqual(Object.keys(made.handlers), ["Ask", "Tell"])
      yield* tell({ n: 1 })
      assert.strictEqual(asked[0]!.what, "Tell of test/remote/Till")
      yield* remote(Effect.succeed(host), { behavior })
      assert.deepStrictEqual(keys, ["a", ""])
      const whole = yield* remote(Effect.succeed(host))
      assert.strictEqual(whole.made.formatStatus, local.formatStatus)
    }))

  it.effect("waits for its end, when it is interrupted, as long as the server is given, and shorter when that is killed", () =>
    Effect.gen(function*() {
      const stoppedBy = (reason: unknown) =>
        Object.create(Server.prototype, {
          stopping: { value: reason === undefined ? undefined : { reason } },
          name: { value: "it" }
        })
      for (
        const [owner, millis] of [
          [undefined, 50],
          [stoppedBy(undefined), 50],
          [stoppedBy(shutdown), 50],
          [stoppedBy(killed), 3],
          [{ name: "it", stopping: { reason: killed } }, 50]
        ]
      ) {
        const { asked, host } = placed()
        const { tell } = yield* remote(Effect.succeed(host), { owner })
        yield* tell({ n: 1 })
        assert.strictEqual(asked[0]!.patience(), millis)
      }
    }))

  it.effect("goes to the next place where the one before had not begun it, with all that this does not know", () =>
    Effect.gen(function*() {
      const first = placed(stateOf(2), unbegun)
      const second = placed(stateOf(3))
      const hosts = [first.host, first.host, first.host, second.host]
      const { close, tell } = yield* remote(Effect.sync(() => hosts.shift()!))
      const state = yield* tell({ n: 1 })
      assert.deepStrictEqual(yield* tell(state), { n: 3 })
      assert.deepStrictEqual(first.states(), [encoded(1), undefined])
      assert.deepStrictEqual(second.states(), [encoded(2)])
      yield* close
      assert.deepStrictEqual([first.forgotten, second.forgotten], [[], [7]])
    }))

  it.effect("fails the start where there is no place, and crashes the server where there is none later", () =>
    Effect.gen(function*() {
      const failed = new WorkerFailed({ server: Till.key, place: "thread", at: "module", cause: "no" })
      assert.strictEqual(yield* Effect.flip(remote(Effect.fail(failed))), failed)
      const { host } = placed()
      const hosts = [Effect.succeed(host), Effect.fail(failed)]
      const { close, tell } = yield* remote(Effect.suspend(() => hosts.shift()!))
      const exit = yield* Effect.exit(tell({ n: 1 }))
      assert.deepStrictEqual([wrong(exit), isDefect(exit)], [failed, true])
      // It has been nowhere: there is nothing to be forgotten.
      yield* close
    }))

  it.effect("is no clean-up where the place is dead", () =>
    Effect.gen(function*() {
      const { asked, fake, host } = placed()
      const { made } = yield* remote(Effect.succeed(host))
      const died = new WorkerDied({ place: "thread", how: "fell" })
      fake.dead = died
      yield* made.terminate(shutdown, { n: 1 })
      assert.lengthOf(asked, 1)
      yield* made.terminate(shutdown, { n: 1 })
      assert.lengthOf(asked, 1)
    }))
})

describe("the state of a server whose callbacks run elsewhere", () => {
  const next = (outcome: Answer, call: "ask" | "tell" = "tell") =>
    Effect.gen(function*() {
      const { host, states } = placed(outcome)
      const behavior = yield* remote(Effect.succeed(host))
      const state = { n: 1 }
      const exit = yield* Effect.exit(behavior[call](state))
      const after = Exit.isSuccess(exit)
        ? call === "ask" ? (exit.value as any)[1] : Object(exit.value).state
        : undefined
      yield* Effect.exit(behavior.tell(after ?? (Exit.isSuccess(exit) ? exit.value : state)))
      return states()[1] !== undefined
    })

  it.effect("is sent when it is another than the one that was answered last, and not otherwise", () =>
    Effect.gen(function*() {
      const { asked, host, states } = placed(stateOf(2))
      const { tell } = yield* remote(Effect.succeed(host))
      const first = { n: 1 }
      const second = yield* tell(first)
      yield* tell(second)
      yield* tell(first)
      yield* tell(first)
      // An equal one is another.
      yield* tell({ n: 1 })
      assert.deepStrictEqual(states(), [encoded(1), undefined, encoded(1), undefined, encoded(1)])
      assert.deepStrictEqual(new Set(asked.map(({ request }) => request.seat)), new Set([7]))
    }))

  it.effect("is sent again where neither side keeps it: after what did not travel, a defect, or a hibernation", () =>
    Effect.gen(function*() {
      const error = { name: "Error", message: "no" }
      const reply: Outcome = { is: "reply", reply: date.toJSON(), state: encoded(2) }
      const failed: Outcome = { is: "failed", error: { _tag: "Broke", by: 1 } }
      assert.isFalse(yield* next(stateOf(2)))
      assert.isFalse(yield* next(reply, "ask"))
      assert.isFalse(yield* next(failed, "ask"))
      assert.isFalse(yield* next({ is: "interrupted" }))
      assert.isTrue(yield* next({ is: "refused", what: "state", issue: "no" }))
      assert.isTrue(yield* next({ is: "defect", error }))
      assert.isTrue(yield* next({ is: "state", state: encoded(2), options: { hibernate: true } }))
      // One that has not answered has what it was sent before.
      assert.isTrue(yield* next(new WorkerDied({ place: "thread", how: "fell" })))
    }))
})

describe("what does not leave a server", () => {
  it.effect("of a call's payload is its caller's to hear of; of a cast's, and of all else, the server crashes", () =>
    Effect.gen(function*() {
      const { asked, host } = placed()
      const { ask, made, tell } = yield* remote(Effect.succeed(host), { owner: { name: "it" } })
      const call = wrong(yield* Effect.exit(ask({ n: 1 }, "no date")))
      assert.instanceOf(call, CallError)
      assert.deepInclude(call, { server: "it", request: "Ask" })
      assert.strictEqual(call.reason._tag, "InvalidPayload")
      assert.include(call.message, "does not fit its schema")
      const issues = [
        [yield* Effect.exit(tell({ n: 1 }, "no date")), "Tell", "payload"],
        [yield* Effect.exit(ask({ n: "no number" })), "Ask", "state"],
        [yield* Effect.exit(tell({ n: "no number" })), "Tell", "state"],
        [yield* Effect.exit(made.idle({ n: "no number" })), "idle", "state"],
        [yield* Effect.exit(made.terminate({ _tag: "None" }, { n: 1 })), "terminate", "answer"]
      ] as const
      for (const [exit, request, what] of issues) {
        const error = wrong(exit)
        assert.instanceOf(error, NotCrossing)
        assert.deepInclude(error, { server: "it", request, what })
        assert.isTrue(isDefect(exit))
      }
      assert.lengthOf(asked, 0)
    }))

  it.effect("is the same where it is found out on its way; what else is wrong there is a crash as it is", () =>
    Effect.gen(function*() {
      const died = new WorkerDied({ place: "thread", how: "fell" })
      const payload = new Uncrossable("payload", "it is code")
      const { host } = placed(payload, payload, new Uncrossable("state", "it is code"), died, payload)
      const { ask, made, tell } = yield* remote(Effect.succeed(host))
      const call = wrong(yield* Effect.exit(ask({ n: 1 })))
      assert.deepInclude(Object(call).reason, { _tag: "InvalidPayload", issue: "it is code" })
      assert.deepInclude(Object(wrong(yield* Effect.exit(tell({ n: 1 })))), { _tag: "NotCrossing", what: "payload" })
      assert.deepInclude(Object(wrong(yield* Effect.exit(ask({ n: 1 })))), { _tag: "NotCrossing", what: "state" })
      const exit = yield* Effect.exit(ask({ n: 1 }))
      assert.deepStrictEqual([wrong(exit), isDefect(exit)], [died, true])
      assert.deepInclude(Object(wrong(yield* Effect.exit(made.idle({ n: 1 })))), { _tag: "NotCrossing" })
    }))
})

describe("the time of a server to end", () => {
  it("is what its supervisor gives it: five seconds by default, none for a kill, all there is where that is said", () => {
    const times = [undefined, "brutal_kill", "infinity", 70, "2 seconds"] as const
    assert.deepStrictEqual(times.map((time) => Remote.shutdownOf("it", time)), [5000, 0, Infinity, 70, 2000])
    assert.throws(() => Remote.shutdownOf("it", "never" as never), /it was given .*never.* as shutdown/)
  })
})

describe("a place of an incarnation's own", () => {
  const own = (shutdown: number, owner: unknown) =>
    Effect.gen(function*() {
      const ended: Array<number> = []
      const prepared: Array<unknown> = []
      const host = {
        onDeath: undefined as Host["onDeath"] | undefined,
        end: (millis: number) => Effect.sync(() => void ended.push(millis))
      }
      const supply = {
        kind: "thread",
        take: () => host,
        prepare: (...args: ReadonlyArray<unknown>) => Effect.sync(() => void prepared.push(args))
      } as unknown as Supply
      const wanted = { url: "file:till", server: Till }
      const scope = yield* Scope.make()
      const given = yield* Remote.ownHost(supply, wanted, shutdown).pipe(
        Scope.provide(scope),
        Effect.provideService(HandlerOf, owner as Handler | undefined)
      )
      assert.strictEqual(given, host as unknown as Host)
      assert.deepStrictEqual(prepared, [[host, wanted]])
      return { host, ended, close: Scope.close(scope, Exit.void) }
    })

  it.effect("ends with it, in the time of the server, five seconds at most", () =>
    Effect.gen(function*() {
      for (const [given, millis] of [[50, 50], [Infinity, 5000], [0, 0]] as const) {
        const { close, ended } = yield* own(given, undefined)
        assert.deepStrictEqual(ended, [])
        yield* close
        assert.deepStrictEqual(ended, [millis])
      }
    }))

  it.effect("takes it along when it dies at nothing, and no later one; of its own end it says nothing", () =>
    Effect.gen(function*() {
      const died = new WorkerDied({ place: "thread", how: "fell" })
      const exits: Array<any> = []
      const owner = { name: "it", incarnation: 3, exit: (reason: unknown) => void exits.push(reason) }
      const { close, host } = yield* own(50, owner)
      host.onDeath?.(died, 1)
      assert.lengthOf(exits, 0)
      host.onDeath?.(died, 0)
      assert.strictEqual(exits[0]._tag, "Crashed")
      assert.deepStrictEqual([Cause.squash(exits[0].cause), Cause.hasDies(exits[0].cause)], [died, true])
      owner.incarnation++
      host.onDeath?.(died, 0)
      assert.lengthOf(exits, 1)
      owner.incarnation--
      yield* close
      host.onDeath?.(died, 0)
      assert.lengthOf(exits, 1)
      const alone = yield* own(50, undefined)
      alone.host.onDeath?.(died, 0)
    }))
})
