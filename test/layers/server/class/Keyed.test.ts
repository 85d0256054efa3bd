import { assert, describe, it } from "@effect/vitest"
import { Cause, type Context, Deferred, Effect, Exit, Fiber, Latch, Layer, References, Schema } from "effect"
import { TestClock } from "effect/testing"
import {
  DynamicSupervisor,
  GenServer,
  Next,
  Process,
  Restart,
  StateContainer,
  Supervisor
} from "../../../../src/index.ts"
import { Harness } from "../../../../src/testing.ts"
import { now } from "../../../kit/Fibers.ts"

class Session extends GenServer.Service<Session>()("test/Session", {
  state: Schema.Int,
  messages: {
    Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int, timeout: "infinity" }),
    Hold: GenServer.call({ timeout: "infinity" }),
    Leave: GenServer.cast()
  }
}) {}

class Root extends Supervisor.Service<Root>()("root") {}
class Sessions extends DynamicSupervisor.Service<Sessions>()("test/Sessions") {}

/** What a test has a hand in. */
interface Hooks {
  readonly init?: (starts: number) => Effect.Effect<number | Next.Initial<number>, string, never>
  readonly hold?: Effect.Effect<void>
  readonly terminate?: Effect.Effect<void>
  readonly server?: GenServer.Options
  readonly supervisor?: DynamicSupervisor.Options
}

/** How often each key was started, and the tree that starts them. */
const tree = ({ hold = Effect.never, init = () => Effect.succeed(0), server, supervisor, terminate }: Hooks = {}) => {
  let starts = 0
  const behavior = Session.behavior({
    init: Effect.suspend(() => init(++starts)),
    handlers: {
      Add: (n, { by }) => [n + by, n + by],
      Hold: (n) => Effect.as(Effect.uninterruptible(hold), [undefined, n] as const),
      Leave: () => Next.stop("normal")
    },
    terminate: () => terminate
  })
  const layer = Layer.provideMerge(
    Root.layer({ strategy: "one_for_one" }, [
      StateContainer.layerMemory(Session),
      Sessions.layer(supervisor),
      Layer.provide(Session.layerKeyed(behavior, { restart: "transient", ...server }), Sessions.asSupervisor)
    ]),
    Harness.Harness.layer
  )
  return { starts: () => starts, layer }
}

/** Runs a test in its tree. */
const within = <A, E>(
  { layer }: ReturnType<typeof tree>,
  body: Effect.Effect<A, E, Layer.Success<ReturnType<typeof tree>["layer"]>>
) => body.pipe(Effect.provide(layer), Effect.provideService(References.MinimumLogLevel, "None"))

const many = <A>(count: number, make: (i: number) => A) => Array.from({ length: count }, (_, i) => make(i))

const same = <A>(values: ReadonlyArray<A>) => assert.strictEqual(new Set(values).size, 1)

describe("a server by key", () => {
  it.effect("is started when it is first asked for, and is the same one ever after", () => {
    const sessions = tree()
    return within(
      sessions,
      Effect.gen(function*() {
        assert.strictEqual((yield* (yield* Sessions).countChildren).active, 0)
        const [ada, bob] = [yield* Session.at("ada"), yield* Session.at("bob")]
        yield* ada.Add({ by: 1 })
        assert.strictEqual(yield* Session.at("ada"), ada)
        assert.deepStrictEqual([yield* ada.Add({ by: 0 }), yield* bob.Add({ by: 0 })], [1, 0])
        assert.strictEqual(sessions.starts(), 2)
        assert.deepStrictEqual(ada[Process.processOf].path, ["root", "test/Sessions", "test/Session/ada"])
      })
    )
  })

  it.effect("is one with a server that was started under its key by other means", () => {
    const sessions = tree()
    return within(
      sessions,
      Effect.gen(function*() {
        const other = yield* (yield* Sessions).startChild(
          Session.recipe({
            init: 7,
            handlers: { Add: (n, { by }) => [n + by, n + by], Hold: (n) => [undefined, n], Leave: (n) => n }
          }, { key: "ada" })
        )
        assert.strictEqual(yield* Session.at("ada"), other)
        assert.strictEqual(sessions.starts(), 0)
      })
    )
  })

  it.effect("is started once, however many ask at the same time", () => {
    const gate = Latch.makeUnsafe()
    const sessions = tree({ init: () => Effect.as(gate.await, 0) })
    return within(
      sessions,
      Effect.gen(function*() {
        const askers = yield* Effect.forEach(many(1000, () => Session.at("ada")), now)
        yield* TestClock.adjust("1 second")
        assert.isTrue(askers.every((asker) => asker.pollUnsafe() === undefined))
        yield* gate.open
        same([...(yield* Effect.forEach(askers, Fiber.join)), yield* Session.at("ada")])
        assert.strictEqual(sessions.starts(), 1)
      })
    )
  })

  it.effect("an asker that is interrupted takes nothing from the others, were it the first or the only one", () => {
    const gate = Latch.makeUnsafe()
    const sessions = tree({ init: () => Effect.as(gate.await, 0) })
    return within(
      sessions,
      Effect.gen(function*() {
        const [first, second] = [yield* now(Session.at("ada")), yield* now(Session.at("ada"))]
        const only = yield* now(Session.at("bob"))
        yield* Fiber.interrupt(first)
        yield* Fiber.interrupt(only)
        yield* gate.open
        const ada = yield* Fiber.join(second)
        assert.strictEqual(yield* ada.Add({ by: 1 }), 1)
        assert.strictEqual(yield* (yield* Session.at("bob")).Add({ by: 2 }), 2)
        assert.strictEqual(sessions.starts(), 2)
      })
    )
  })

  for (const style of ["at once", "later"] as const) {
    it.effect(`a start that fails ${style} fails for every caller, and leaves the key free`, () => {
      const failing = Effect.fail("no database")
      const sessions = tree({
        init: (starts) =>
          starts > 1 ? Effect.succeed(5) : style === "later" ? Effect.delay(failing, "1 second") : failing
      })
      return within(
        sessions,
        Effect.gen(function*() {
          const askers = yield* Effect.forEach(many(style === "later" ? 10 : 1, () => Session.at("ada")), now)
          yield* TestClock.adjust("1 second")
          const exits = yield* Effect.forEach(askers, Fiber.await)
          same(exits.map((exit) => Exit.isFailure(exit) ? Cause.squash(exit.cause) : exit))
          const error = yield* Effect.flip(exits[0]!)
          assert.instanceOf(error, Supervisor.StartError)
          assert.deepStrictEqual(error.reason, { _tag: "Failed", cause: Cause.fail("no database") })
          assert.strictEqual((yield* (yield* Sessions).countChildren).specs, 0)
          assert.strictEqual(yield* (yield* Session.at("ada")).Add({ by: 0 }), 5)
          assert.strictEqual(sessions.starts(), 2)
        })
      )
    })
  }

  it.effect("its supervisor refuses it: the caller gets the reason, and may ask again", () => {
    const gate = Latch.makeUnsafe()
    const sessions = tree({ init: () => Effect.as(gate.await, 0), supervisor: { maxChildren: 1 } })
    return within(
      sessions,
      Effect.gen(function*() {
        const supervisor = yield* Sessions
        const ada = yield* now(Session.at("ada"))
        const full = yield* Effect.flip(Session.at("bob"))
        assert.deepStrictEqual(full.reason, { _tag: "MaxChildren", max: 1 })
        // It is stopped before it is up.
        yield* supervisor.terminateChild((yield* supervisor.whichChildren)[0]!.process)
        assert.deepStrictEqual((yield* Effect.flip(Fiber.join(ada))).reason, { _tag: "Stopped" })
        yield* gate.open
        assert.strictEqual(yield* (yield* Session.at("bob")).Add({ by: 1 }), 1)
      })
    )
  })

  it.effect("while it restarts it is the same one, and calls wait", () => {
    const sessions = tree({ supervisor: { restart: Restart.backoff({ base: "1 second", jitter: 0 }) } })
    return within(
      sessions,
      Effect.gen(function*() {
        const ada = yield* Session.at("ada")
        yield* ada.Add({ by: 1 })
        yield* Process.kill(ada)
        assert.strictEqual(yield* Process.status(ada), "restarting")
        assert.strictEqual(yield* Session.at("ada"), ada)
        const call = yield* now(ada.Add({ by: 1 }))
        yield* TestClock.adjust("999 millis")
        assert.isUndefined(call.pollUnsafe())
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(yield* Fiber.join(call), 2)
        assert.strictEqual(sessions.starts(), 1)
      })
    )
  })

  it.effect("one that was terminated is started anew, with the state it had", () => {
    const sessions = tree()
    return within(
      sessions,
      Effect.gen(function*() {
        const ada = yield* Session.at("ada")
        yield* ada.Add({ by: 1 })
        yield* (yield* Sessions).terminateChild(ada)
        const next = yield* Session.at("ada")
        assert.notStrictEqual(next, ada)
        assert.strictEqual(yield* next.Add({ by: 0 }), 1)
        assert.strictEqual((yield* Effect.flip(ada.Add({ by: 0 }))).reason._tag, "NotRunning")
      })
    )
  })

  it.effect("one that has finished is started anew, from init", () => {
    const sessions = tree()
    return within(
      sessions,
      Effect.gen(function*() {
        const harness = yield* Harness.Harness
        const ada = yield* Session.at("ada")
        yield* ada.Add({ by: 1 })
        yield* ada.Leave()
        yield* harness.awaitTag("Exited", ada)
        const next = yield* Session.at("ada")
        assert.notStrictEqual(next, ada)
        assert.strictEqual(yield* next.Add({ by: 0 }), 0)
        assert.strictEqual(sessions.starts(), 2)
      })
    )
  })

  for (const end of ["leaves by itself", "is terminated", "is terminated with a message in hand"] as const) {
    it.effect(`one that ${end} is not given to callers any more: one that asks meanwhile gets the next server`, () => {
      const gate = Latch.makeUnsafe()
      const isBusy = end === "is terminated with a message in hand"
      const sessions = tree({
        ...(isBusy ? { hold: gate.await } : { terminate: gate.await }),
        server: { shutdown: "infinity" }
      })
      return within(
        sessions,
        Effect.gen(function*() {
          const supervisor = yield* Sessions
          const ada = yield* Session.at("ada")
          if (isBusy) yield* now(Effect.exit(ada.Hold()))
          if (end === "leaves by itself") yield* ada.Leave()
          else yield* now(supervisor.terminateChild(ada))
          yield* TestClock.adjust("1 second")
          const askers = yield* Effect.forEach(many(10, () => Session.at("ada")), now)
          const impatient = yield* now(Session.at("ada"))
          yield* Fiber.interrupt(impatient)
          yield* TestClock.adjust("1 second")
          assert.isTrue(askers.every((asker) => asker.pollUnsafe() === undefined))
          yield* gate.open
          const found = yield* Effect.forEach(askers, Fiber.join)
          same(found)
          assert.notStrictEqual(found[0], ada)
          assert.strictEqual(yield* Process.status(found[0]!), "running")
          assert.strictEqual((yield* supervisor.countChildren).active, 1)
        })
      )
    })
  }

  it.effect("one that crashes and is to come back is waited for, and is the same one", () => {
    const gate = Latch.makeUnsafe()
    const sessions = tree({ terminate: gate.await, server: { restart: "permanent", shutdown: "infinity" } })
    return within(
      sessions,
      Effect.gen(function*() {
        const ada = yield* Session.at("ada")
        yield* ada.Leave()
        yield* TestClock.adjust("1 second")
        const asker = yield* now(Session.at("ada"))
        assert.isUndefined(asker.pollUnsafe())
        yield* gate.open
        assert.strictEqual(yield* Fiber.join(asker), ada)
        assert.strictEqual(yield* Process.incarnation(ada), 2)
      })
    )
  })

  it.effect("its init and its clean-up may ask for their own key: they do not wait for themselves", () => {
    const asked: Array<string> = []
    const services = Deferred.makeUnsafe<Context.Context<GenServer.Keyed<Session>>>()
    const ask = (where: string) =>
      Effect.gen(function*() {
        const ada = yield* Effect.provideContext(Session.at("ada"), yield* Deferred.await(services))
        asked.push(`${where}: ${ada[Process.processOf].id}`)
      }).pipe(Effect.orDie)
    const sessions = tree({ init: () => Effect.as(ask("init"), 0), terminate: ask("clean-up") })
    return within(
      sessions,
      Effect.gen(function*() {
        yield* Deferred.succeed(services, yield* Effect.context<GenServer.Keyed<Session>>())
        const ada = yield* Session.at("ada")
        yield* ada.Leave()
        yield* (yield* Harness.Harness).awaitTag("Exited", ada)
        assert.deepStrictEqual(asked, ["init: test/Session/ada", "clean-up: test/Session/ada"])
      })
    )
  })

  it.effect("a supervisor that gave up and came back starts it again, with the state it had", () => {
    const sessions = tree({ supervisor: { restart: Restart.never } })
    return within(
      sessions,
      Effect.gen(function*() {
        const [ada, bob] = [yield* Session.at("ada"), yield* Session.at("bob")]
        yield* ada.Add({ by: 1 })
        yield* bob.Add({ by: 2 })
        yield* Process.kill(ada)
        assert.strictEqual((yield* Sessions)[Process.processOf].incarnation, 2)
        assert.strictEqual(yield* (yield* Session.at("ada")).Add({ by: 0 }), 1)
        assert.strictEqual(yield* (yield* Session.at("bob")).Add({ by: 0 }), 2)
      })
    )
  })

  it.effect("under a supervisor that is gone it is not started", () => {
    const sessions = tree()
    return within(
      sessions,
      Effect.gen(function*() {
        const supervisor = yield* Sessions
        yield* (yield* Root).stop()
        assert.strictEqual(supervisor[Process.processOf].status, "stopped")
        assert.deepStrictEqual((yield* Effect.flip(Session.at("ada"))).reason, { _tag: "NotRunning" })
      })
    )
  })

  it.effect("thousands of keys, each asked for by several at once", () => {
    const sessions = tree()
    return within(
      sessions,
      Effect.gen(function*() {
        const keys = many(4_000, (i) => `user-${i}`)
        const ask = (key: string) => Effect.flatMap(Session.at(key), (session) => session.Add({ by: 1 }))
        const askers = yield* Effect.forEach([1, 2, 3], () => now(Effect.forEach(keys, ask)))
        const replies = yield* Effect.forEach(askers, Fiber.join)
        assert.deepStrictEqual(keys.map((_, i) => replies.map((of) => of[i]!).sort()).filter(isNot([1, 2, 3])), [])
        assert.strictEqual(sessions.starts(), keys.length)
        const counts = yield* (yield* Sessions).countChildren
        assert.deepStrictEqual(counts, {
          specs: keys.length,
          active: keys.length,
          supervisors: 0,
          workers: keys.length
        })
        const container = yield* Session.StateContainer
        assert.lengthOf(yield* container.keys, keys.length)
        for (const key of keys) yield* (yield* Session.at(key)).Leave()
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* (yield* Sessions).countChildren).specs, 0)
        assert.deepStrictEqual(yield* container.keys, [])
      })
    )
  })
})

const isNot = (expected: ReadonlyArray<number>) => (found: ReadonlyArray<number>) => found.join() !== expected.join()

describe("a client of a key", () => {
  it.effect("starts the server with the first message, and again when it has gone since", () => {
    const sessions = tree()
    return within(
      sessions,
      Effect.gen(function*() {
        const ada = yield* Session.via("ada")
        assert.strictEqual(sessions.starts(), 0)
        assert.strictEqual(yield* ada.Add({ by: 1 }), 1)
        assert.strictEqual(yield* ada.Add({ by: 1 }), 2)
        assert.strictEqual(sessions.starts(), 1)
        yield* ada.Leave()
        // it ends in order, and companions in memory forget those
        assert.strictEqual(yield* ada.Add({ by: 5 }), 5)
        assert.strictEqual(sessions.starts(), 2)
      })
    )
  })

  it.effect("a message that waits behind the one that ends its server goes to the next one", () => {
    const gate = Latch.makeUnsafe()
    const sessions = tree({ hold: gate.await })
    return within(
      sessions,
      Effect.gen(function*() {
        const [ada, ref] = [yield* Session.via("ada"), yield* Session.at("ada")]
        const held = yield* now(ada.Hold())
        yield* ada.Leave()
        const added = yield* now(ada.Add({ by: 7 }))
        const refused = yield* now(Effect.flip(ref.Add({ by: 1 })))
        yield* gate.open
        yield* Fiber.join(held)
        assert.strictEqual(yield* Fiber.join(added), 7)
        assert.strictEqual(sessions.starts(), 2)
        // a call by reference to the first one fails: it is gone
        assert.strictEqual((yield* Fiber.join(refused)).reason._tag, "NotRunning")
      })
    )
  })

  it.effect("a message that was begun is never sent again", () => {
    const sessions = tree({ hold: Effect.never })
    return within(
      sessions,
      Effect.gen(function*() {
        const ada = yield* Session.via("ada")
        const held = yield* now(Effect.flip(ada.Hold()))
        yield* now(Effect.flatMap(Session.at("ada"), Process.kill))
        // its handler cannot be interrupted, and is left behind
        yield* TestClock.adjust("10 seconds")
        const error = yield* Fiber.join(held)
        assert.strictEqual(error._tag === "CallError" ? error.reason._tag : error._tag, "Crashed")
      })
    )
  })

  it.effect("servers that go as soon as they are up are not started for ever: the call fails", () => {
    const sessions = tree({
      init: () => Effect.succeed(Next.start(0, { continueWith: () => Next.stop("normal") }))
    })
    return within(
      sessions,
      Effect.gen(function*() {
        const ada = yield* Session.via("ada")
        const error = yield* Effect.flip(ada.Add({ by: 1 }))
        assert.strictEqual(error._tag === "CallError" ? error.reason._tag : error._tag, "NotRunning")
        assert.isBelow(sessions.starts(), 20)
      })
    )
  })

  it.effect("a server that cannot be started fails with a StartError, one that does not want to be with NotRunning", () =>
    Effect.gen(function*() {
      const sent = Effect.flip(Effect.flatMap(Session.via("ada"), (ada) => ada.Add({ by: 1 })))
      const failing = tree({ init: () => Effect.fail("no") })
      yield* within(failing, Effect.map(sent, (error) => assert.strictEqual(error._tag, "StartError")))
      const unwilling = tree({ init: () => Effect.succeed(Next.ignore as never) })
      yield* within(
        unwilling,
        Effect.map(sent, (error) => {
          assert.strictEqual(error._tag === "CallError" ? error.reason._tag : error._tag, "NotRunning")
          assert.strictEqual(unwilling.starts(), 1)
        })
      )
    }))
})
