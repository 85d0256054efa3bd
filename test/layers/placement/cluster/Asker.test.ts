/** A client of servers by key: what it sends, and what it makes of what comes back, with no cluster in between. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Logger, References, Schema } from "effect"
import { ClusterError, EntityAddress, EntityId, EntityType, ShardId } from "effect/cluster"
import { TestClock } from "effect/testing"
import { InvalidOption } from "../../../../src/domain/options/InvalidOption.ts"
import { CallError, callError, type CallErrorReason } from "../../../../src/domain/process/CallError.ts"
import * as MadeKey from "../../../../src/domain/state/MadeKey.ts"
import { GenServer } from "../../../../src/index.ts"
import { type Asking, clients, keys, type Remote } from "../../../../src/layers/placement/cluster/Asker.ts"
import { insideOf } from "../../../../src/layers/server/class/ServerClass.ts"
import { type Deadline, Deadlines } from "../../../../src/layers/server/message/Deadlines.ts"

class Till extends GenServer.Service<Till>()("test/Till", {
  state: Schema.Int,
  timeout: "1 second",
  messages: {
    Ask: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }),
    Bare: GenServer.call(),
    Whole: GenServer.call({ payload: Schema.Unknown }),
    Checked: GenServer.call({ payload: { by: Schema.Int }, validate: true }),
    Made: GenServer.call({ payload: { by: Schema.Int.pipe(Schema.withConstructorDefault(Effect.succeed(7))) } }),
    Tell: GenServer.cast({ payload: { by: Schema.Int } }),
    Own: GenServer.cast({ internal: true })
  }
}) {}

type Method = (payload?: unknown, options?: unknown) => Effect.Effect<unknown, unknown>
type Client = Readonly<Record<string, Method>> & { readonly key: any; readonly name: any }

interface Sent {
  readonly key: string
  readonly tag: string
  readonly payload: unknown
  readonly options: unknown
}

/** The deadlines that are waited for. */
class Waited extends Deadlines {
  private readonly added: Array<Deadline> = []
  override add(one: Deadline, millis: number): void {
    this.added.push(one)
    super.add(one, millis)
  }
  get waiting(): number {
    return this.added.filter((one) => one.list !== undefined).length
  }
}

/** Clients whose sends end as the test says, one after the other, and then succeed with 5. */
const asking = Effect.fnUntraced(
  function*(ends: ReadonlyArray<Effect.Effect<unknown, unknown>> = [], given: Partial<Asking> = {}) {
    const left = [...ends]
    const sent: Array<Sent> = []
    const deadlines = new Waited(yield* Effect.context<never>())
    const remote = (key: string): Remote => {
      const of = (tag: string): Remote[string] => (payload, options) =>
        Effect.suspend(() => {
          sent.push({ key, tag, payload, options })
          return left.shift() ?? Effect.succeed(5)
        })
      return Object.fromEntries(["Ask", "Bare", "Whole", "Checked", "Made", "Tell", "Own"].map((tag) => [tag, of(tag)]))
    }
    const { types } = insideOf(Till, "test")
    const make = clients({ of: Till.key, types, deadlines, nextKey: () => undefined, remote, ...given })
    const of = (key: unknown) => make(key as string) as Client
    return { of, till: of("a"), sent, deadlines, payloads: () => sent.map(({ payload }) => payload) }
  }
)

const begin = <A, E>(effect: Effect.Effect<A, E>) => Effect.forkDetach(Effect.exit(effect), { startImmediately: true })
const wrong = (exit: Exit.Exit<unknown, unknown>): any => Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
const failing = (reason: CallErrorReason) => Effect.fail(callError("test/Till/a", "Ask", reason))
const moved: CallErrorReason = { _tag: "Unreachable", why: "moved", begun: false }
const address = EntityAddress.make({
  entityId: EntityId.make("a"),
  entityType: EntityType.make("test/Till"),
  shardId: ShardId.make("default", 1)
})

describe("a client of a key", () => {
  it.effect("is one for each key, kept for as many as a runner has; its messages are those that any code may send", () =>
    Effect.gen(function*() {
      const { of, till } = yield* asking()
      assert.deepStrictEqual([till.key, till.name], ["a", "test/Till/a"])
      assert.strictEqual(of("a"), till)
      assert.isUndefined(till["Own"])
      const all = Array.from({ length: 9_999 }, (_, i) => of(`key ${i}`))
      assert.strictEqual(of("a"), till)
      assert.isTrue(all.every((client, i) => of(`key ${i}`) === client))
      const next = of("one more")
      assert.notStrictEqual(of("a"), till)
      assert.strictEqual(of("one more"), next)
      for (const key of [5, undefined, null, {}]) {
        assert.throws(() => of(key), InvalidOption)
      }
    }))

  it.effect("sends a call with what its caller says, and no more than that", () =>
    Effect.gen(function*() {
      const { payloads, sent, till } = yield* asking()
      assert.strictEqual(yield* till["Ask"]!({ by: 1 }), 5)
      assert.deepStrictEqual(sent, [
        { key: "a", tag: "Ask", payload: { payload: { by: 1 }, timeout: 1000 }, options: undefined }
      ])
      sent.length = 0
      yield* till["Ask"]!({ by: 1 }, { timeout: 9, idempotencyKey: "mine" })
      yield* till["Ask"]!({ by: 1 }, { timeout: "infinity" })
      yield* till["Ask"]!({ by: 1 }, { timeout: "infinity", idempotencyKey: "mine" })
      yield* till["Bare"]!()
      yield* till["Whole"]!()
      yield* till["Whole"]!("text")
      yield* till["Made"]!({})
      assert.deepStrictEqual(payloads(), [
        { payload: { by: 1 }, key: "mine", timeout: 9 },
        { payload: { by: 1 } },
        { payload: { by: 1 }, key: "mine" },
        { payload: {}, timeout: 1000 },
        { payload: undefined, timeout: 1000 },
        { payload: "text", timeout: 1000 },
        { payload: { by: 7 }, timeout: 1000 }
      ])
    }))

  it.effect("gives a call a key where its caller gives none, by its message and its time", () =>
    Effect.gen(function*() {
      const asked: Array<unknown> = []
      const nextKey = (tag: string, millis: number) => [asked.push([tag, millis]), "made"][1] as string
      const { payloads, till } = yield* asking([], { nextKey })
      yield* till["Ask"]!({ by: 1 }, { timeout: 9 })
      yield* till["Ask"]!({ by: 1 }, { idempotencyKey: "mine" })
      assert.deepStrictEqual(payloads().map((one) => Object(one).key), ["made", "mine"])
      assert.deepStrictEqual(asked, [["Ask", 9]])
    }))

  it.effect("makes keys that no two calls have: of the Random, a count, and for how long they are kept", () =>
    Effect.gen(function*() {
      const random = { nextDoubleUnsafe: () => 0.5, nextIntUnsafe: () => 0 }
      const next = keys(random as never)
      const made = Array.from({ length: 37 }, () => next(5000))
      const own = "i00000000i00000000"
      assert.deepStrictEqual([made[0], made[1], made[36]], [
        MadeKey.make(`${own}.0`, 5500),
        MadeKey.make(`${own}.1`, 5500),
        MadeKey.make(`${own}.10`, 5500)
      ])
      assert.isFalse(MadeKey.isMade(next(Infinity)))
    }))

  it.effect("refuses a time that is none, and a payload that is checked, by name, and sends nothing", () =>
    Effect.gen(function*() {
      const { sent, till } = yield* asking()
      const option = wrong(yield* Effect.exit(till["Ask"]!({ by: 1 }, { timeout: "never" })))
      assert.instanceOf(option, InvalidOption)
      assert.deepInclude(option, { of: "test/Till/a", request: "Ask", option: "timeout" })
      const refused = wrong(yield* Effect.exit(till["Checked"]!({ by: "x" })))
      assert.deepInclude(refused, { server: "test/Till/a", request: "Checked" })
      assert.strictEqual(refused.reason._tag, "InvalidPayload")
      assert.lengthOf(sent, 0)
      assert.strictEqual(yield* till["Checked"]!({ by: 1 }), 5)
    }))
})

describe("a call of a client", () => {
  it.effect("is waited for half a second longer than its server is given, and leaves no timer", () =>
    Effect.gen(function*() {
      let interrupted = 0
      const never = Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted++))
      const { deadlines, till } = yield* asking([Effect.sleep(100), never, never, never])
      const answered = yield* begin(till["Ask"]!({ by: 1 }))
      assert.strictEqual(deadlines.waiting, 1)
      yield* TestClock.adjust(100)
      assert.isTrue(Exit.isSuccess(yield* Fiber.join(answered)))
      assert.strictEqual(deadlines.waiting, 0)
      const silent = yield* begin(till["Ask"]!({ by: 1 }, { idempotencyKey: "mine" }))
      yield* TestClock.adjust(1499)
      assert.deepStrictEqual([silent.pollUnsafe(), interrupted], [undefined, 0])
      yield* TestClock.adjust(1)
      const error = wrong(yield* Fiber.join(silent))
      assert.deepInclude(error, { server: "test/Till/a", request: "Ask" })
      assert.deepStrictEqual(error.reason, { _tag: "Unreachable", why: "silent", begun: true, key: "mine" })
      assert.strictEqual(interrupted, 1)
      const given = yield* begin(till["Ask"]!({ by: 1 }))
      yield* Fiber.interrupt(given)
      assert.deepStrictEqual([deadlines.waiting, interrupted], [0, 2])
      const patient = yield* begin(till["Ask"]!({ by: 1 }, { timeout: "infinity" }))
      assert.strictEqual(deadlines.waiting, 0)
      yield* TestClock.adjust("1 day")
      assert.isUndefined(patient.pollUnsafe())
    }))

  it.effect("is made again where its server has moved, with what is left of its time, until that is over", () =>
    Effect.gen(function*() {
      const away = Array.from({ length: 9 }, () => failing(moved))
      const { payloads, till } = yield* asking(away)
      const call = yield* begin(till["Ask"]!({ by: 1 }, { timeout: 151, idempotencyKey: "mine" }))
      assert.lengthOf(payloads(), 1)
      yield* TestClock.adjust(49)
      assert.lengthOf(payloads(), 1)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(payloads().map((one) => Object(one).timeout), [151, 101, 51, 1])
      assert.isTrue(payloads().every((one) => Object(one).key === "mine"))
      assert.deepStrictEqual(wrong(yield* Fiber.join(call)).reason, moved)
      // Where there is no time for another one, there is none.
      const other = yield* asking([failing(moved), failing(moved)])
      yield* begin(other.till["Ask"]!({ by: 1 }, { timeout: 50 }))
      yield* TestClock.adjust("1 minute")
      assert.lengthOf(other.sent, 1)
    }))

  it.effect("is made again only where that does no harm: its key keeps it from being done twice, or nothing was done", () =>
    Effect.gen(function*() {
      const begun: CallErrorReason = { ...moved, begun: true }
      const own = Effect.fail("its own error")
      const table: ReadonlyArray<readonly [Effect.Effect<unknown, unknown>, string | undefined, number]> = [
        [failing(moved), undefined, 2],
        [failing(begun), undefined, 1],
        [failing(begun), "mine", 2],
        [failing({ _tag: "Unreachable", why: "storage", begun: true }), "mine", 2],
        [failing({ _tag: "Unreachable", why: "full", begun: false }), "mine", 1],
        [failing({ _tag: "NotRunning" }), "mine", 1],
        // It was handed over: its own caller was not interrupted.
        [Effect.interrupt, "mine", 2],
        [Effect.interrupt, undefined, 1],
        [own, "mine", 1],
        [Effect.die("a defect"), "mine", 1]
      ]
      for (const [end, idempotencyKey, times] of table) {
        const { sent, till } = yield* asking([end])
        const call = yield* begin(till["Ask"]!({ by: 1 }, { idempotencyKey }))
        yield* TestClock.adjust("1 second")
        assert.lengthOf(sent, times)
        const exit = yield* Fiber.join(call)
        assert.strictEqual(Exit.isSuccess(exit), times === 2)
        if (end === own) assert.strictEqual(wrong(exit), "its own error")
      }
    }))

  it.effect("fails with what its message says, and with what the cluster says in the words of one call", () =>
    Effect.gen(function*() {
      const broken = { cause: new Error("disk full") }
      const own = { _tag: "MailboxFull", message: "of the till" }
      const late: CallErrorReason = { _tag: "Timeout", millis: 5, begun: true, waitsFor: "handler" } as never
      const down: CallErrorReason = { _tag: "NotRunning", again: 5 }
      const given: CallErrorReason = { _tag: "Unreachable", why: "silent", begun: true, key: "theirs" }
      const unreachable = (why: string, begun: boolean, detail?: string) => ({
        _tag: "Unreachable",
        why,
        begun,
        key: "mine",
        ...(detail === undefined ? {} : { detail })
      })
      const table: ReadonlyArray<readonly [Effect.Effect<unknown, unknown>, unknown]> = [
        [Effect.fail(new ClusterError.MailboxFull({ address })), unreachable("full", false)],
        [Effect.fail(new ClusterError.EntityNotAssignedToRunner({ address })), unreachable("left", false)],
        [Effect.fail(new ClusterError.PersistenceError(broken)), unreachable("storage", true, "disk full")],
        [
          Effect.fail(new ClusterError.AlreadyProcessingMessage({ address, envelopeId: 1n as never })),
          unreachable("moved", true)
        ],
        [Effect.interrupt, unreachable("moved", true)],
        [Effect.die(new Error("not understood")), unreachable("malformed", true, "not understood")],
        [
          Effect.die(new Error("not understood", { cause: new Error("deeper") })),
          unreachable("malformed", true, "not understood")
        ],
        [failing({ ...moved, begun: true }), unreachable("moved", true)],
        [failing(late), late],
        // A key is for what may have been begun.
        [failing(moved), moved],
        [failing(down), down],
        [failing(given), unreachable("silent", true)]
      ]
      const call = (end: Effect.Effect<unknown, unknown>, payload: unknown = { by: 1 }) =>
        Effect.gen(function*() {
          const { till } = yield* asking([end])
          return wrong(yield* Effect.exit(till["Ask"]!(payload, { timeout: 50, idempotencyKey: "mine" })))
        })
      for (const [end, reason] of table) {
        const error = yield* call(end)
        assert.instanceOf(error, CallError)
        assert.deepInclude(error, { server: "test/Till/a", request: "Ask" })
        const { detail, ...rest } = Object(error.reason)
        const { detail: expected, ...others } = Object(reason)
        assert.deepStrictEqual(rest, others)
        if (expected !== undefined) assert.strictEqual(detail, expected)
      }
      assert.notProperty((yield* call(Effect.die(new Error("")))).reason, "detail")
      // One that is like the cluster's, and is the message's own.
      assert.strictEqual(yield* call(Effect.fail(own)), own)
      assert.deepInclude((yield* call(Effect.die("no"), { by: "x" })).reason, { _tag: "InvalidPayload" })
      // Without a key there is none to be told.
      const { till } = yield* asking([failing({ ...moved, begun: true })])
      assert.deepStrictEqual(wrong(yield* Effect.exit(till["Ask"]!({ by: 1 }))).reason, { ...moved, begun: true })
    }))
})

describe("a cast of a client", () => {
  it.effect("is handed over, without a key and a time, and is over then", () =>
    Effect.gen(function*() {
      const { sent, till } = yield* asking([Effect.succeed(5), Effect.never], { nextKey: () => "made" })
      assert.isUndefined(yield* till["Tell"]!({ by: 1 }))
      assert.deepStrictEqual(sent, [
        { key: "a", tag: "Tell", payload: { payload: { by: 1 } }, options: { discard: true } }
      ])
      const stuck = yield* begin(till["Tell"]!({ by: 1 }))
      yield* TestClock.adjust(999)
      assert.isUndefined(stuck.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* Fiber.join(stuck), Exit.succeed(undefined))
    }))

  it.effect("that is not delivered is a line for who looks for it, and nothing to its sender but a payload that is none", () =>
    Effect.gen(function*() {
      const lines: Array<unknown> = []
      const heard = Logger.layer([
        Logger.make(({ cause, logLevel, message }) => void lines.push([logLevel, message, Cause.squash(cause)]))
      ])
      const { till } = yield* asking([Effect.fail("full"), Effect.die("down"), Effect.die("down")])
      const tell = (payload: unknown) =>
        Effect.exit(till["Tell"]!(payload)).pipe(
          Effect.provide(heard),
          Effect.provideService(References.MinimumLogLevel, "Debug")
        )
      assert.deepStrictEqual(yield* tell({ by: "x" }), Exit.succeed(undefined))
      assert.deepStrictEqual(yield* tell({ by: 1 }), Exit.succeed(undefined))
      const text = ["Tell to test/Till/a was not delivered"]
      assert.deepStrictEqual(lines, [["Debug", text, "full"], ["Debug", text, "down"]])
      assert.match(String(wrong(yield* tell({ by: "x" }))), /by/)
      assert.lengthOf(lines, 2)
    }))
})
