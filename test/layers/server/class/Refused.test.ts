/**
 * Options that the types refuse, and that code which the compiler has not seen, or a value that was computed, gives all
 * the same.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Layer, Schema, Stream } from "effect"
import {
  Agent,
  DynamicSupervisor,
  GenServer,
  InvalidOption,
  Monitor,
  Next,
  PartitionSupervisor,
  Registry,
  Requests,
  Restart,
  StateContainer,
  StateStore,
  StateTable,
  Supervisor,
  Sys,
  TaskSupervisor
} from "../../../../src/index.ts"
import * as StateStoreSqlite from "../../../../src/layers/state/StateStoreSqlite.ts"

class One extends GenServer.Service<One>()("test/One", {
  state: Schema.Int,
  messages: { Get: GenServer.call({ reply: Schema.Int }) }
}) {}

class Store extends StateStore.Service<Store>()("test/Store", "crash") {}
class Db extends StateStore.Service<Db>()("test/Db", "process") {}
class Pool extends DynamicSupervisor.Service<Pool>()("test/Pool") {}

const behavior = { init: 1, handlers: { Get: (n: number) => [n, n] as const } }

type Given = never

class Parts extends PartitionSupervisor.Service<Parts, typeof One.Service>()("test/Parts") {}
class Tasks extends TaskSupervisor.Service<Tasks>()("test/Tasks") {}

const tree = (...children: ReadonlyArray<Layer.Any>) =>
  Layer.build(Supervisor.layer({ strategy: "one_for_one" }, children as Given) as Layer.Layer<never, unknown>).pipe(
    Effect.provide(Layer.mergeAll(StateStore.layerMemory(Store), StateTable.StateTable.layer)),
    Effect.scoped
  )

const server = (options: object) => tree(StateContainer.layerMemory(One), One.layer(behavior, options))

const stored = (options: object) => tree(StateContainer.layerStore(One, { store: Store, ...options }))

const asked = (ask: (one: typeof One.Service) => Effect.Effect<unknown, unknown>) =>
  Effect.flatMap(One, ask).pipe(
    Effect.provide(
      Supervisor.layer({ strategy: "one_for_one" }, [StateContainer.layerMemory(One), One.layer(behavior)])
    )
  )

const keyed = (key: unknown) =>
  One.at(key as Given).pipe(
    Effect.provide(Layer.provide(One.layerKeyed(behavior), Pool.asSupervisor)),
    Effect.provide(Supervisor.layer({ strategy: "one_for_one" }, [StateContainer.layerMemory(One), Pool.layer()]))
  )

/** Starts a server of a behaviour that is made, or looked up by the key. */
const started = (given: unknown) =>
  Effect.flatMap(Pool, (pool) => pool.startChild(One.recipe(given as typeof behavior, { key: "a" }))).pipe(
    Effect.provide(Supervisor.layer({ strategy: "one_for_one" }, [StateContainer.layerMemory(One), Pool.layer()]))
  )

const declared = (of: { readonly id?: unknown; readonly [option: string]: unknown }) =>
  Effect.sync(() => {
    const { id = "test/Two", messages = {}, state = Schema.Int, ...others } = of
    const description = { state: state as typeof Schema.Int, messages: messages as {}, ...others }
    return GenServer.Service()(id as "test/Two", description)
  })

/** Answers a caller later, with what it is given. */
const later = (reply: Given) => {
  let from: GenServer.From<number> | undefined
  const promising = {
    init: 1,
    handlers: {
      Get: (n: number, _: unknown, context: { readonly from: GenServer.From<number> }) => {
        from = context.from
        return Next.noReply(n)
      }
    }
  }
  return Effect.flatMap(One, (one) => Effect.forkChild(one.Get(), { startImmediately: true })).pipe(
    Effect.andThen(Effect.suspend(() => GenServer.reply(from!, reply))),
    Effect.provide(
      Supervisor.layer({ strategy: "one_for_one" }, [StateContainer.layerMemory(One), One.layer(promising)])
    )
  )
}

const parts = (options: object) => tree(Parts.layer({ child: One.recipe(behavior, { key: "a" }), ...options } as Given))

const streamed = (options: object) =>
  Effect.flatMap(Tasks, (tasks) => Stream.runDrain(tasks.asyncStream([1], Effect.succeed, options))).pipe(
    Effect.provide(Tasks.layer())
  )

/** Whose option it is, which, what was given for it, and what is made with it. */
const refused: ReadonlyArray<
  readonly [of: string, option: string, given: unknown, make: (given: Given) => Effect.Effect<unknown, unknown>]
> = [
  ["test/One", "when", "comit", (when) => tree(StateContainer.layerMemory(One, { when }))],
  ["test/One", "when", null, (when) => stored({ when })],
  ["test/One", "afterStop", "forgot", (afterStop) => tree(StateContainer.layerMemory(One, { afterStop }))],
  ["test/One", "afterStop", true, (afterStop) => stored({ afterStop })],
  ["test/One", "onSuspect", "rolback", (onSuspect) => stored({ onSuspect })],
  ["test/One", "onSuspect", "", (onSuspect) => tree(StateContainer.layerMemory(One, { onSuspect }))],
  ["test/One", "retry", "5 seconds", (retry) => stored({ retry })],
  ["test/One", "row", "row", (row) => tree(StateContainer.layerTable(One, { row }))],
  ["test/One", "isolation", "deep", (isolation) => server({ isolation })],
  ["test/One", "mailbox.overflow", "drop", (overflow) => server({ mailbox: { capacity: 1, overflow } })],
  ["test/One", "mailbox.capacity", Symbol("many"), (capacity) => server({ mailbox: { capacity } })],
  ["test/One", "mailbox.capacity", "10", (capacity) => server({ mailbox: { capacity } })],
  ["test/One", "quarantine.capacity", -1, (capacity) => server({ quarantine: { capacity } })],
  ["test/One", "quarantine.overflow", "suspend", (overflow) => server({ quarantine: { overflow } })],
  ["test/One", "initTimeout", -1, (initTimeout) => server({ initTimeout })],
  ["test/One", "shutdown", "soon", (shutdown) => server({ shutdown })],
  ["test/One", "passivate", true, (passivate) => server({ passivate })],
  ["test/One", "passivate.after", 0, (after) => server({ passivate: { after } })],
  ["test/One", "passivate.by", "sleeping", (by) => server({ passivate: { after: "1 second", by } })],
  ["test/One", "behavior", 7, (made) => started(Effect.succeed(made))],
  ["test/One", "behavior", undefined, (made) => started(() => made)],
  ["test/One", "behavior", "init", (init) => tree(StateContainer.layerMemory(One), One.layer(init))],
  [
    "A of test/Two",
    "redeliver.maxAttempts",
    Number.NaN,
    (maxAttempts) => declared({ messages: { A: GenServer.call({ redeliver: { maxAttempts } }) } })
  ],
  [
    "A of test/Two",
    "redeliver.maxAttempts",
    undefined,
    () => declared({ messages: { A: GenServer.cast({ redeliver: true as Given }) } })
  ],
  ["A of test/Two", "a message", "call", (message) => declared({ messages: { A: message } })],
  ["A of test/Two", "a message", undefined, (message) => declared({ messages: { A: message } })],
  ["A of test/Two", "payload", "text", (payload) => declared({ messages: { A: GenServer.call({ payload }) } })],
  ["A of test/Two", "reply", "text", (reply) => declared({ messages: { A: GenServer.call({ reply }) } })],
  ["A of test/Two", "error", "text", (error) => declared({ messages: { A: GenServer.call({ error }) } })],
  ["A of test/Two", "timeout", -1, (timeout) => declared({ messages: { A: GenServer.call({ timeout }) } })],
  ["test/Two", "the name of a message", "pipe", () => declared({ messages: { pipe: GenServer.call() } })],
  ["test/Two", "timeout", "soon", (timeout) => declared({ timeout })],
  [
    "test/Two",
    "timeout",
    "soon",
    (timeout) => Effect.sync(() => Agent.Service()("test/Two", { state: Schema.Int, timeout }))
  ],
  ["test/Two", "state", { n: 1 }, (state) => declared({ state })],
  ["test/Two", "messages", null, (messages) => declared({ messages })],
  ["test/Two", "messages", "A", (messages) => declared({ messages })],
  ["a server class", "id", Symbol("id"), (id) => declared({ id })],
  ["test/One", "key", Symbol("key"), keyed],
  ["test/One", "key", undefined, keyed],
  [
    "test/One/1",
    "key",
    1,
    (key) =>
      Effect.flatMap(Pool, (pool) => pool.startChild(One.recipe(behavior, { key }))).pipe(
        Effect.provide(Supervisor.layer({ strategy: "one_for_one" }, [StateContainer.layerMemory(One), Pool.layer()]))
      )
  ],
  [
    "Supervisor",
    "restart",
    { restarts: 3 },
    (restart) => Effect.scoped(Layer.build(Supervisor.layer({ strategy: "one_for_one", restart }, [])))
  ],
  [
    "Supervisor",
    "strategy",
    "one_for_some",
    (strategy) => Effect.scoped(Layer.build(Supervisor.layer({ strategy }, [])))
  ],
  ["Supervisor", "options", "all", (options) => Effect.scoped(Layer.build(Supervisor.layer(options, [])))],
  [
    "a root supervisor",
    "id",
    1,
    (id) => Effect.scoped(Layer.build(Supervisor.layer({ id, strategy: "one_for_one" }, [])))
  ],
  [
    "Supervisor",
    "children",
    "all",
    (children) => Effect.scoped(Layer.build(Supervisor.layer({ strategy: "one_for_one" }, children)))
  ],
  ["Supervisor > test/Pool", "restart", "never", (restart) => tree(Pool.layer({ restart }))],
  ["Supervisor > test/Pool", "maxChildren", "10", (maxChildren) => tree(Pool.layer({ maxChildren }))],
  ["Supervisor > test/Pool", "onGiveUp", "stay", (onGiveUp) => tree(Pool.layer({ onGiveUp }))],
  [
    "Supervisor > test/Pool",
    "autoShutdown",
    "all_significant",
    (autoShutdown) => tree(Pool.layer({ autoShutdown } as Given))
  ],
  ["Supervisor > test/Pool", "strategy", "one_for_all", (strategy) => tree(Pool.layer({ strategy } as Given))],
  [
    "Supervisor.child",
    "the number of children that its layer registers",
    0,
    () => tree(Supervisor.child(Layer.empty, { restart: "temporary" }))
  ],
  ["work", "effect", 1, (effect) => tree(Supervisor.worker("work", effect))],
  ["test/Parts", "partitions", 0, (partitions) => parts({ partitions })],
  ["test/Parts", "autoShutdown", "any_significant", (autoShutdown) => parts({ autoShutdown })],
  ["test/Parts", "child", "worker", (child) => parts({ child })],
  [
    "test/Parts",
    "child.options.restart",
    "temporary",
    (restart) => parts({ child: Supervisor.workerRecipe("w", Effect.never, { restart }) })
  ],
  ["Restart.backoff", "factor", Symbol("two"), (factor) => Effect.sync(() => Restart.backoff({ factor }))],
  ["Restart.intensity", "restarts", -1, (restarts) => Effect.sync(() => Restart.intensity({ restarts }))],
  ["Restart.max", "budgets", Restart.standard, (budgets) => Effect.sync(() => Restart.max(budgets))],
  [
    "Supervisor.launch",
    "drain",
    "soon",
    (drain) => Supervisor.launch(Supervisor.layer({ strategy: "one_for_one" }, []), { drain })
  ],
  ["sqlite", "filename", undefined, (filename) => Effect.scoped(Layer.build(StateStoreSqlite.layer(Db, { filename })))],
  [
    "sqlite :memory:",
    "synchronous",
    "OFF; DROP TABLE heirloom_state",
    (synchronous) => Effect.scoped(Layer.build(StateStoreSqlite.layer(Db, { filename: ":memory:", synchronous })))
  ],
  ["test/Names", "keys", "many", (keys) => Effect.sync(() => Registry.Service()("test/Names", { keys }))],
  ["Monitor.watch", "into", 0, (into) => asked((one) => Effect.scoped(Monitor.watch(one, { into })))],
  ["GenServer.castAfter", "delay", -1, (delay) => Effect.scoped(GenServer.castAfter(Effect.void, delay))],
  ["GenServer.reply", "a caller", "caller", (from) => GenServer.reply(from, Effect.void as Given)],
  ["Get of Supervisor > test/One", "a later reply", 7, later],
  ["Get of Supervisor > test/One", "a later reply", { _tag: "Success", value: 7 }, later],
  ["Requests.deadline", "within", "infinity", (within) => Requests.deadline(within)],
  ["Requests.send", "a call", "Get", (call) => Effect.scoped(Requests.send(call))],
  ["Requests", "a request", "Get", (request) => Requests.wait(request)],
  [
    "Requests",
    "timeout",
    -1,
    (timeout) =>
      asked((one) =>
        Effect.scoped(Effect.flatMap(Requests.send(one.Get()), (request) => Requests.wait(request, { timeout })))
      )
  ],
  ["Sys.log", "flag", Symbol("ten"), (flag) => asked((one) => Sys.log(one, flag))],
  ["Sys.log", "flag", -1, (flag) => asked((one) => Sys.log(one, flag))],
  ["Sys.discard", "a message", "Get", (message) => asked((one) => Sys.discard(one, message))],
  ["asyncStream", "concurrency", 0, (concurrency) => streamed({ concurrency })],
  ["asyncStream", "timeout", -1, (timeout) => streamed({ timeout })]
]

const refusalOf = (error: unknown): unknown =>
  error instanceof Supervisor.StartError
    ? error.reason._tag === "Failed" ? refusalOf(Cause.squash(error.reason.cause)) : error.reason
    : error

describe("an option that makes no sense", () => {
  it.effect.each(
    refused.map(([of, option, given, make]) => ({ of, option, given, make, name: `${option}: ${String(given)}` }))
  )(
    "is refused, by its name and with what was given: $name",
    ({ given, make, of, option }) =>
      Effect.gen(function*() {
        const exit = yield* Effect.exit(Effect.timeout(make(given as Given), "1 second"))
        const error = exit._tag === "Failure" ? refusalOf(Cause.squash(exit.cause)) : undefined
        assert.instanceOf(error, InvalidOption.InvalidOption)
        assert.deepStrictEqual([error.option, error.given], [option, given])
        assert.isTrue(error.message.startsWith(`${of} was given `), error.message)
      })
  )
})
