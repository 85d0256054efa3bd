/**
 * Other systems' cases of looking into a server: its event log, trace and statistics, debug functions, state and
 * status, reports through its format hook.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Option, Schema } from "effect"
import { crashed, normal } from "../../../src/domain/process/ExitReason.ts"
import { formatFailed } from "../../../src/domain/server/SystemEvent.ts"
import { Agent, GenServer, Monitor, Process, Registry, StateContainer, Supervisor, Sys } from "../../../src/index.ts"
import { recordedLog } from "../../kit/Log.ts"

/** Answers `n` with `-n`; the server of OTP's own suite. */
class Negator extends GenServer.Service<Negator>()("test/Negator", {
  state: Schema.String,
  messages: {
    Negate: GenServer.call({ payload: { n: Schema.Int }, reply: Schema.Int }),
    Die: GenServer.call({ payload: { secret: Schema.String } })
  }
}) {}

const behavior = Negator.behavior({
  init: "X",
  handlers: {
    Negate: (state, { n }) => [-n, state],
    Die: (_, { secret }) => Effect.die(`died of ${secret}`)
  }
})

/** Channels that are taken, and those that are free. */
class Allocator extends Agent.Service<Allocator>()("test/Allocator", {
  state: Schema.Struct({ allocated: Schema.Array(Schema.Int), free: Schema.Array(Schema.Int) })
}) {}

class Root extends Supervisor.Service<Root>()("test/Root") {}
class Names extends Registry.Service<Names, { readonly ref: Negator["Service"] }>()("test/Names", { keys: "unique" }) {}
class Allocators extends Registry.Service<Allocators, {
  readonly ref: Allocator["Service"]
}>()("test/Allocators", { keys: "unique" }) {}

const Live = Layer.mergeAll(
  Root.layer({ strategy: "one_for_one" }, [
    StateContainer.layerForget(Negator),
    StateContainer.layerForget(Allocator)
  ]),
  Names.layer,
  Allocators.layer
)

const start = Effect.fnUntraced(function*(key: string, own: Partial<typeof behavior> = {}) {
  const [root, names] = [yield* Root, yield* Names]
  const recipe = Negator.recipe({ ...behavior, ...own }, { key, restart: "temporary" })
  return yield* names.start(key, root.startChild(recipe))
})

const gotAndSent = (n: number): ReadonlyArray<Sys.SystemEvent> => [
  { _tag: "In", kind: "call", request: "Negate", payload: { n }, from: undefined },
  { _tag: "Out", request: "Negate", reply: Exit.succeed(-n), to: undefined }
]

describe("sys", () => {
  it.effect("SYS-001 Event log and trace", () =>
    Effect.gen(function*() {
      const server = yield* start("server")
      yield* Sys.log(server, true)
      yield* server.Negate({ n: 44 })
      assert.deepStrictEqual(yield* Sys.log(server, "get"), gotAndSent(44))
      yield* Sys.log(server, false)
      yield* server.Negate({ n: 44 })
      assert.deepStrictEqual(yield* Sys.log(server, "get"), [])

      const sunk: Array<Sys.SystemEvent> = []
      yield* Sys.trace(server, (event) => void sunk.push(event))
      yield* server.Negate({ n: 44 })
      assert.deepStrictEqual(sunk, gotAndSent(44))
      assert.deepStrictEqual(sunk.map(Sys.toText), ["got call Negate {\"n\":44}", "sent -44, for Negate"])
    }).pipe(Effect.provide(Live)))

  it.effect("SYS-002 Statistics", () =>
    Effect.gen(function*() {
      const server = yield* start("server")
      yield* Sys.statistics(server, true)
      yield* server.Negate({ n: 1 })
      const counted = Option.getOrThrow(yield* Sys.statistics(server, "get"))
      assert.deepStrictEqual([counted.messagesIn, counted.messagesOut], [1, 1])
      yield* Sys.statistics(server, false)
      assert.strictEqual((yield* Sys.getStatus(server)).status, "running")
      assert.deepStrictEqual(yield* Sys.statistics(server, "get"), Option.none())
      assert.strictEqual(yield* server.Negate({ n: 2 }), -2)
    }).pipe(Effect.provide(Live)))

  it.effect("SYS-005 Installing and removing debug functions", () =>
    Effect.gen(function*() {
      const server = yield* start("server")
      const reports: Array<number> = []
      const spy = (state: void, event: Sys.SystemEvent): void => {
        if (event._tag === "In") reports.push((event.payload as { readonly n: number }).n)
        return state
      }
      const req = (n: number) => server.Negate({ n })
      yield* Sys.install(server, spy, undefined)
      yield* req(1)
      yield* Sys.noDebug(server)
      yield* req(2)
      yield* Sys.install(server, spy, undefined)
      yield* Sys.install(server, spy, undefined)
      yield* req(3)
      yield* req(4)
      yield* Sys.remove(server, spy)
      yield* req(5)
      assert.deepStrictEqual(reports.splice(0), [1, 3, 4])

      yield* Sys.install(server, spy, undefined, { id: "id1" })
      yield* Sys.install(server, spy, undefined, { id: "id1" })
      yield* Sys.install(server, spy, undefined, { id: "id2" })
      yield* req(1)
      assert.deepStrictEqual(reports.splice(0), [1, 1])
      yield* Sys.remove(server, "id1")
      yield* req(1)
      assert.deepStrictEqual(reports.splice(0), [1])
      yield* Sys.noDebug(server)
      yield* req(1)
      assert.deepStrictEqual(reports, [])
    }).pipe(Effect.provide(Live)))

  it.effect("SYS-006 get_state", () =>
    Effect.gen(function*() {
      const [root, names] = [yield* Root, yield* Names]
      const named = yield* start("named")
      const anonymous = yield* root.startChild(Negator.recipe(behavior, { key: "" }))
      for (const ref of [named, names.via("named"), anonymous]) {
        assert.strictEqual(yield* Sys.getState(ref), "X")
        assert.strictEqual(yield* Sys.getState(ref, { timeout: 5000 }), "X")
        yield* Sys.suspend(ref)
        assert.strictEqual((yield* Sys.getStatus(ref)).status, "suspended")
        assert.strictEqual(yield* Sys.getState(ref), "X")
        yield* Sys.resume(ref)
      }
    }).pipe(Effect.provide(Live)))

  it.effect("SYS-008 System requests on a process that is not a plain server; orderly sys terminate", () =>
    Effect.gen(function*() {
      const [root, allocators] = [yield* Root, yield* Allocators]
      const to = (last: number) => Array.from({ length: last - 1 }, (_, n) => n + 2)
      const init = { allocated: [], free: [1, ...to(100)] }
      const start = root.startChild(Allocator.recipe(init, { key: "allocator", restart: "transient" }))
      const allocator = yield* allocators.start("allocator", start)
      const traced: Array<Sys.SystemEvent> = []
      yield* Sys.statistics(allocator, true)
      yield* Sys.trace(allocator, (event) => void traced.push(event))

      const alloc = allocator.getAndUpdate(({ allocated, free: [first, ...free] }) => [
        first,
        { allocated: [...allocated, first!], free }
      ])
      assert.strictEqual(yield* alloc, 1)
      assert.deepStrictEqual(yield* Sys.getState(allocator), { allocated: [1], free: to(100) })
      const replaced = { allocated: [1], free: [2, 3, 4] }
      assert.deepStrictEqual(
        yield* Sys.replaceState(allocator, ({ allocated }) => ({ allocated, free: [2, 3, 4] })),
        replaced
      )
      yield* allocator.cast(({ allocated, free }) => ({
        allocated: allocated.filter((channel) => channel !== 1),
        free: [1, ...free]
      }))
      assert.deepStrictEqual(yield* Sys.getState(allocator), { allocated: [], free: [1, 2, 3, 4] })
      const { messagesIn, messagesOut } = Option.getOrThrow(yield* Sys.statistics(allocator, "get"))
      assert.deepStrictEqual([messagesIn, messagesOut], [2, 1])
      assert.deepStrictEqual(traced.map(({ _tag }) => _tag), ["In", "Out", "In", "NoReply"])

      const watch = yield* Monitor.watch(allocator)
      yield* GenServer.stop(allocator, normal)
      assert.deepStrictEqual((yield* watch.down).reason, normal)
      assert.deepStrictEqual(yield* allocators.whereis("allocator"), Option.none())
    }).pipe(Effect.scoped, Effect.provide(Live)))

  it.effect("SYS-009 get_status uses the format hook and survives its failure", () =>
    Effect.gen(function*() {
      const names = yield* Names
      const hooks = {
        formats: ({ state }: Sys.Shown<string>): Sys.Formatted => ({ state: `formatted ${state}` }),
        exits: (): Sys.Formatted => Effect.runSync(Effect.die("exits")),
        throws: (): Sys.Formatted => {
          throw new Error("throws")
        }
      }
      for (const [key, formatStatus] of Object.entries(hooks)) {
        const server = yield* start(key, { formatStatus })
        for (const ref of [server, names.via(key)]) {
          const status = yield* Sys.getStatus(ref)
          assert.strictEqual(status.process, server[Process.processOf])
          assert.deepStrictEqual([status.status, status.parent], ["running", ["test/Root"]])
          assert.strictEqual(status.state, key === "formats" ? "formatted X" : formatFailed)
        }
        assert.strictEqual(yield* server.Negate({ n: 7 }), -7)
        const stopped = crashed(Cause.fail(`${key} stopped`))
        assert.deepStrictEqual(yield* GenServer.stop(server, stopped), stopped)
      }
    }).pipe(Effect.provide(Live)))

  it.effect("SYS-010 Crash reports go through the format hook", () => {
    const { layer, lines: errors } = recordedLog(({ level }) => level === "Error")
    return Effect.gen(function*() {
      const formatStatus = ({ log, message, reason, state }: Sys.Shown<string>): Sys.Formatted => ({
        state: { formatted: state.length },
        ...(message === undefined ? {} : { message: { formatted: message.request } }),
        reason: `formatted ${reason?._tag}`,
        log: log.map(({ _tag }) => ({ formatted: _tag }))
      })
      const secretive = { init: "a secret state", formatStatus }

      const crashes = yield* start("crashes", secretive)
      yield* Sys.log(crashes, true)
      yield* crashes.Negate({ n: 1 })
      yield* Effect.exit(crashes.Die({ secret: "a secret payload" }))
      assert.deepStrictEqual(crashes[Process.processOf].lastExit, crashed(Cause.die("died of a secret payload")))

      const stops = yield* start("stops", secretive)
      const stopped = crashed(Cause.fail("a secret reason"))
      assert.deepStrictEqual(yield* GenServer.stop(stops, stopped), stopped)

      assert.strictEqual(errors.length, 2)
      const [first, second] = errors
      assert.deepStrictEqual(first!.annotations["state"], { formatted: "a secret state".length })
      assert.deepStrictEqual(first!.annotations["message"], { formatted: "Die" })
      assert.deepStrictEqual(first!.annotations["log"], [{ formatted: "In" }, { formatted: "Out" }, {
        formatted: "In"
      }])
      for (const error of errors) {
        assert.include(error.text, "formatted Crashed")
        assert.notInclude(JSON.stringify(error), "secret")
      }
      assert.deepStrictEqual(second!.annotations["state"], { formatted: "a secret state".length })
      assert.notProperty(second!.annotations, "message")
    }).pipe(Effect.provide(Layer.provideMerge(Live, layer)))
  })
})
