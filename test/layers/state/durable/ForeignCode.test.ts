/**
 * Servers over foreign code that does wrong at any call: a store, a codec, Schedules, loggers, listeners, hooks.
 * Whatever it does, every caller is answered, and the app ends when it is asked to. `RUNS=2000` for a long run.
 */
import { assert, describe, it } from "@effect/vitest"
import { Console, Duration, Effect, Exit, Fiber, Layer, Logger, References, Schedule, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import {
  DynamicSupervisor,
  GenServer,
  Next,
  StateContainer,
  StateStore,
  StateTable,
  Supervisor,
  Sys,
  Telemetry,
  Timer
} from "../../../../src/index.ts"
import {
  besides,
  codecOf,
  Foreign,
  hostile,
  onlookers,
  Plan,
  storeOf,
  watchedBy
} from "../../../kit/stores/ForeignCode.ts"

/** What is tried in each place: once, and for ever from the second call on. */
const deeds = ["throws", "answers never", "answers no Effect"] as const

const runs = Number(process.env["RUNS"] ?? 40)

class Store extends StateStore.Service<Store>()("test/Store", "crash") {}

class Pool extends DynamicSupervisor.Service<Pool>()("test/Pool") {}

/** An app over foreign code. */
const appOver = (foreign: Foreign, timeout: "5 seconds" | "infinity") => {
  const State = codecOf(foreign, "encode", "decode")
  const Payload = codecOf(foreign, "encode a payload", "decode a payload")
  const messages = {
    Add: GenServer.call({
      payload: { by: Payload },
      reply: codecOf(foreign, "encode a reply", "decode a reply"),
      timeout
    }),
    Sure: GenServer.call({ reply: Schema.Int, timeout, confirm: true }),
    Put: GenServer.cast(),
    Die: GenServer.call({ timeout }),
    Late: GenServer.call({ timeout }),
    Next: GenServer.call({ timeout }),
    Rang: GenServer.cast({ payload: { by: Payload }, internal: true })
  }
  class One extends GenServer.Service<One>()("test/One", { state: State, messages }) {}
  class Each extends GenServer.Service<Each>()("test/Each", { state: State, messages }) {}
  class Row extends GenServer.Service<Row>()("test/Row", { state: State, messages }) {}
  const behavior = {
    init: Effect.sync(() => foreign.plain("init", () => 0)),
    restore: (n: number) => foreign.effect("restore", () => Effect.succeed(n)),
    terminate: () => foreign.effect<void, never>("terminate", () => Effect.void),
    idle: (n: number) => foreign.effect("idle", () => Effect.succeed(n)),
    formatStatus: () => foreign.plain("formatStatus", () => ({})),
    handlers: {
      Add: (n: number, { by }: { readonly by: number }) =>
        foreign.effect("handler", () => Effect.succeed([n + by, n + by] as const)),
      Sure: (n: number) => foreign.plain("handler", () => [n, n] as const),
      Put: (n: number) => foreign.plain("handler", () => n + 1),
      Die: () => Effect.die("boom"),
      Late: (n: number) =>
        Next.reply(undefined, n, { timers: [Timer.after("t", "1 second", One.message.Rang({ by: 1 }))] }),
      Next: (n: number) =>
        Next.reply(undefined, n, {
          continueWith: (n) => foreign.effect("continuation", () => Effect.succeed(Next.noReply(n, { idleAfter: 100 })))
        }),
      Rang: (n: number, { by }: { readonly by: number }) => n + by
    }
  }
  const slow: Schedule.Schedule<unknown> = Schedule.max([Schedule.spaced("1 second"), Schedule.recurs(3)])
  const stepped = (place: "retry" | "restart") =>
    Schedule.fromStep(
      Effect.map(
        Schedule.toStep(slow),
        (step) => (now, input: unknown) => foreign.effect(place, () => step(now, input))
      )
    )
  const container = { store: Store, retry: stepped("retry") }
  const telemetry = Telemetry.make()
  telemetry.subscribe(() => foreign.plain("listener", () => undefined))
  telemetry.subscribeReports(() => foreign.plain("listener for reports", () => undefined))
  const App = Supervisor.layer({ strategy: "one_for_one", restart: stepped("restart") }, [
    StateContainer.layerStore(One, container),
    StateContainer.layerStore(Each, container),
    StateContainer.layerTable(Row, { row: (key) => foreign.plain("row", () => key) }),
    One.layer(behavior),
    Pool.layer(),
    Layer.provide(
      Layer.mergeAll(
        Each.layerKeyed(() => foreign.plain("behavior", () => behavior), { passivate: { after: "10 seconds" } }),
        Row.layerKeyed(behavior)
      ),
      Pool.asSupervisor
    )
  ]).pipe(
    Layer.provide([
      Layer.succeed(Store, storeOf(foreign)),
      StateTable.StateTable.layer,
      Telemetry.byClass({ spans: true }),
      Layer.succeed(Telemetry.CurrentTelemetry, telemetry)
    ])
  )
  return { App, Each, One, Row, behavior }
}

const ops = [
  "Add",
  "Add",
  "AddOnce",
  "Sure",
  "Put",
  "Die",
  "Late",
  "Next",
  "Key",
  "KeyDie",
  "Row",
  "Status",
  "Replace",
  "Set",
  "Install",
  "Wait",
  "WaitLong"
] as const
const Op = Schema.Literals(ops)

/** What a caller was answered, as far as it is the same each time. */
const answerOf = (fiber: Fiber.Fiber<unknown, unknown>): unknown => {
  const exit = fiber.pollUnsafe()
  const answer = exit?._tag === "Success" ? exit.value : undefined
  if (!Exit.isExit(answer)) return answer
  return typeof answer === "object" && answer._tag === "Success" && typeof answer.value === "number"
    ? answer.value
    : answer._tag
}

/** Lets an app live, with foreign code that follows the plan, and ends it. */
const lived = ({ ops, plan }: { readonly ops: ReadonlyArray<typeof Op.Type>; readonly plan: typeof Plan.Type }) => {
  const foreign = new Foreign(plan)
  return Effect.gen(function*() {
    // Where nothing is waited for that never comes, no caller is answered by its own patience.
    const mayWait = plan.some(({ deed }) => deed === "answers never")
    const timeout = mayWait ? "5 seconds" : "infinity"
    const { App, Each, One, Row, behavior } = appOver(foreign, timeout)
    const scope = yield* Scope.make()
    const starting = yield* Effect.forkChild(Effect.exit(Layer.buildWithScope(App, scope)), {
      startImmediately: true
    })
    yield* TestClock.adjust("2 minutes")
    const started = starting.pollUnsafe()
    const app = started?._tag === "Success" && started.value._tag === "Success" ? started.value.value : undefined
    // What never answers when it is opened is waited for, until the one that waits gives up.
    if (started === undefined) {
      yield* Fiber.interrupt(starting)
      assert.isTrue(foreign.done.some((one) => one.startsWith("answers never")), "it hangs")
    }
    const callers: Array<readonly [string, Fiber.Fiber<unknown, unknown>]> = []
    if (app !== undefined) {
      const one = yield* Effect.provideContext(One, app)
      const call = (name: string, effect: Effect.Effect<unknown, unknown, never>) =>
        Effect.map(Effect.forkChild(Effect.exit(effect), { startImmediately: true }), (fiber) => {
          callers.push([name, fiber])
        })
      const keyed = (use: (own: typeof Each.Service) => Effect.Effect<unknown, unknown>) =>
        // Who starts a server waits for its start as long as it likes.
        call("key", Effect.provideContext(Effect.flatMap(Effect.timeout(Each.at("k"), "20 seconds"), use), app))
      const perform = (op: typeof Op.Type): Effect.Effect<void> => {
        switch (op) {
          case "Add":
            return call(op, one.Add({ by: 1 }))
          case "AddOnce":
            return call(op, one.Add({ by: 1 }, { idempotencyKey: "once" }))
          case "Sure":
            return call(op, one.Sure())
          case "Put":
            return call(op, one.Put())
          case "Die":
            return call(op, one.Die())
          case "Late":
            return call(op, one.Late())
          case "Next":
            return call(op, one.Next())
          case "Row":
            return call(op, Effect.provideContext(Effect.flatMap(Row.at("k"), (own) => own.Add({ by: 1 })), app))
          case "Status":
            return call(op, Sys.getStatus(one, { timeout }))
          case "Replace": {
            const migrate = (n: number) => foreign.effect("migrate", () => Effect.succeed(n))
            return call(op, GenServer.replace(one, One.behavior(behavior), { migrate, timeout }))
          }
          case "Set":
            return call(
              op,
              Sys.replaceState(one, (n) => foreign.effect("replaceState", () => Effect.succeed(n)), { timeout })
            )
          case "Install":
            return call(op, Sys.install(one, () => foreign.plain("debug function", () => 0), 0, { timeout }))
          case "Key":
            return keyed((own) => own.Add({ by: 1 }))
          case "KeyDie":
            return keyed((own) => own.Die())
          case "Wait":
            return TestClock.adjust("500 millis")
          case "WaitLong":
            return TestClock.adjust("20 seconds")
        }
      }
      for (const op of [...ops, "Add", "Key", "Die", "Wait", "Add", "Key", "WaitLong", "Add", "Key"] as const) {
        yield* perform(op)
      }
      yield* TestClock.adjust("1 minute")
      foreign.heal()
      yield* perform("Add")
      yield* perform("Key")
      yield* TestClock.adjust("1 minute")
    }
    for (const [name, fiber] of callers) {
      assert.isDefined(fiber.pollUnsafe(), `${name} was not answered: ${foreign.done.join(", ")}`)
    }
    const answers = callers.map(([name, fiber]) => [name, answerOf(fiber)])
    const ending = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
    yield* TestClock.adjust(Duration.minutes(10))
    assert.isDefined(ending.pollUnsafe(), `the app does not end: ${foreign.done.join(", ")}`)
    return { answers, done: foreign.done }
  }).pipe(
    Effect.provideService(
      References.CurrentLoggers,
      new Set([Logger.make(() => foreign.plain("logger", () => undefined))])
    ),
    Effect.provideService(Console.Console, { ...console, error: () => {} }),
    Effect.provideContext(watchedBy(foreign))
  )
}

describe("foreign code around servers that does wrong at any call", () => {
  it.effect.prop(
    "leaves no caller without an answer, and an app that ends when it is asked to",
    { plan: Plan, ops: Schema.Array(Op) },
    lived,
    { arbitrary: { runs }, timeout: 60_000 + runs * 200 }
  )

  it.effect.each(onlookers)("is not heard of by callers where it only looks on: %s", (place) =>
    Effect.gen(function*() {
      const alive = { ops: ["Install", ...ops, "WaitLong", ...ops] } as const
      const { answers: expected } = yield* lived({ ...alive, plan: [] })
      for (const deed of ["throws", "answers nonsense"] as const) {
        const plan = [{ place, nth: 0, deed, forEver: true, nonsense: hostile }] as const
        const { answers, done } = yield* lived({ ...alive, plan })
        assert.isNotEmpty(done)
        assert.deepStrictEqual(answers, expected, deed)
      }
    }))

  it.effect.each(besides)(
    "leaves no caller without an answer where it has a say: %s",
    (place) =>
      Effect.gen(function*() {
        for (const deed of deeds) {
          const plan = [{ place, nth: 0, deed, forEver: deed !== "throws", nonsense: hostile }] as const
          const { done } = yield* lived({ ops: [...ops, "WaitLong", ...ops], plan })
          assert.isNotEmpty(done)
        }
      })
  )

  it.effect.each(["save", "load", "restart", "retry"] as const)(
    "also when what it fails with throws when it is looked at (%s)",
    (place) =>
      lived({
        ops: ["Die", "Die", "Die"],
        plan: [2, 3].map((nth) => ({
          place,
          nth: nth as 2 | 3,
          deed: "fails untyped",
          forEver: true,
          nonsense: hostile
        }))
      })
  )
})
