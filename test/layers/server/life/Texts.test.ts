/** What the errors of callers say: what happened, and what to do about it. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, type Exit, Fiber, Latch, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { GenServer, Next, Process, Restart, StateContainer, Supervisor, Sys } from "../../../../src/index.ts"
import { Harness } from "../../../../src/testing.ts"
import { along, branch, Cell, everyWay, type Gates, gates, type Style, tree } from "../../../kit/Cell.ts"
import { now, turns } from "../../../kit/Fibers.ts"
import { onSave } from "../../../kit/Scripted.ts"
import { Inside, setUp, Sleeper } from "../../../kit/Sleeper.ts"

const lateOf = (exit: Exit.Exit<unknown, unknown>) => {
  assert(exit._tag === "Failure")
  const error = Cause.squash(exit.cause)
  assert(error instanceof GenServer.CallError && error.reason._tag === "Timeout")
  return { ...error.reason, message: error.message }
}

/** Sends a call that is not answered in time. */
const late = <A, E>(call: Effect.Effect<A, E>) =>
  Effect.gen(function*() {
    const caller = yield* now(call)
    yield* TestClock.adjust("1 second")
    return lateOf(yield* Fiber.await(caller))
  })

const withdrawn = "It had not begun, and was withdrawn: nothing was done."
const options = { timeout: "1 second" } as const

describe("a timeout says whether the message had begun, and what it waited for", () => {
  const within = (body: (cell: Cell["Service"], own: Gates) => Effect.Effect<void, unknown, Cell>, server = {}) => {
    const own = gates()
    return Effect.gen(function*() {
      yield* own.hold.close
      yield* body(yield* Cell, own)
      yield* own.boot.open
      yield* own.hold.open
    }).pipe(Effect.provide(branch("an effectful handler", own, server)))
  }

  it.effect("its handler", () =>
    within((cell) =>
      Effect.gen(function*() {
        const { begun, message, waitsFor } = yield* late(cell.Hold({}, options))
        assert.deepStrictEqual([begun, waitsFor], [true, "handler"])
        assert.include(message, "Its handler has begun, and goes on: what it does may still be done.")
      })
    ))

  it.effect("its turn", () =>
    within((cell) =>
      Effect.gen(function*() {
        yield* now(cell.Hold())
        const { begun, message, waitsFor } = yield* late(cell.Add({ by: 1 }, options))
        assert.deepStrictEqual([begun, waitsFor], [false, "turn"])
        assert.include(message, `${withdrawn} The server is busy`)
      })
    ))

  it.effect("room in the mailbox", () =>
    within((cell) =>
      Effect.gen(function*() {
        yield* now(cell.Hold())
        yield* now(cell.Get())
        const { begun, message, waitsFor } = yield* late(cell.Add({ by: 1 }, options))
        assert.deepStrictEqual([begun, waitsFor], [false, "room"])
        assert.include(message, `${withdrawn} The mailbox is full`)
      }), { mailbox: { capacity: 1 } }))

  it.effect("a server that is suspended", () =>
    within((cell) =>
      Effect.gen(function*() {
        yield* Sys.suspend(cell)
        const { begun, message, waitsFor } = yield* late(cell.Add({ by: 1 }, options))
        assert.deepStrictEqual([begun, waitsFor], [false, "resume"])
        assert.include(message, `${withdrawn} The server is suspended: Sys.resume`)
      })
    ))

  it.effect("a server that is coming up", () =>
    within((cell, own) =>
      Effect.gen(function*() {
        yield* own.boot.close
        yield* Process.kill(cell)
        const { begun, message, waitsFor } = yield* late(cell.Add({ by: 1 }, options))
        assert.deepStrictEqual([begun, waitsFor], [false, "start"])
        assert.include(message, `${withdrawn} The server is not up`)
      })
    ))

  it.effect("its store, where its answer is held until that has what it was computed from", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const [sleeper, gate] = [yield* Sleeper, Latch.makeUnsafe()]
      inside.script.before = onSave(() => gate.await)
      const { begun, waitsFor } = yield* late(sleeper.Add({ by: 1 }, options))
      assert.deepStrictEqual([begun, waitsFor], [true, "store"])
      yield* gate.open
      assert.strictEqual(yield* sleeper.Read(), 1)
    }).pipe(Effect.provide(setUp(inside)))
  })

  it.effect("its store, where its state has left memory and is loaded again", () => {
    const inside = new Inside()
    return Effect.gen(function*() {
      const [sleeper, gate] = [yield* Sleeper, Latch.makeUnsafe()]
      yield* sleeper.Sleep({ by: 1 })
      yield* turns
      inside.script.before = (operation) => operation === "load" ? gate.await : Effect.void
      const { begun, message, waitsFor } = yield* late(sleeper.Add({ by: 1 }, options))
      assert.deepStrictEqual([begun, waitsFor], [false, "store"])
      assert.include(message, withdrawn)
      yield* gate.open
      assert.strictEqual(yield* sleeper.Read(), 1)
    }).pipe(Effect.provide(setUp(inside)))
  })
})

class Odd extends GenServer.Service<Odd>()("test/OddOne", {
  state: Schema.Int,
  messages: {
    Later: GenServer.call({ reply: Schema.Int }),
    Again: GenServer.call({ redeliver: { maxAttempts: 2 } }),
    Async: GenServer.call({ reply: Schema.Int }),
    Note: GenServer.cast(),
    Get: GenServer.call({ reply: Schema.Int }),
    Hold: GenServer.call({ timeout: "infinity" })
  }
}) {}

const odd = (style: Style, { boot, hold }: Gates, first: unknown = 0) => {
  const answer = <A>(value: A): A | Effect.Effect<A> => {
    if (style === "a plain handler") return value
    return style === "an effectful handler" ? Effect.succeed(value) : Effect.as(Effect.yieldNow, value)
  }
  // An async function is no handler: the type checker knows it, plain JavaScript does not.
  const promised = <A>(value: A) => Promise.resolve(value) as unknown as A
  return Layer.provideMerge(
    Supervisor.layer({ id: "root", strategy: "one_for_one", restart: Restart.intensity({ restarts: 99, within: 1 }) }, [
      StateContainer.layerMemory(Odd),
      Odd.layer({
        init: Effect.as(boot.await, first as number),
        restore: (n) => Effect.as(boot.await, n),
        handlers: {
          Later: (n) => answer(Next.noReply(n)),
          Again: () => Effect.andThen(boot.close, Effect.die("boom")),
          Async: (n) => answer(promised([n, n] as const)),
          Note: (n) => answer(promised(n)),
          Get: (n) => [n, n],
          Hold: (n) => Effect.as(hold.await, [undefined, n])
        }
      })
    ]),
    Harness.Harness.layer
  )
}

describe("a timeout tells of what is to come", () => {
  for (const style of ["a plain handler", "an effectful handler", "a handler that waits"] as const) {
    it.effect(`a promised reply: ${style}`, () =>
      Effect.gen(function*() {
        const { begun, message, waitsFor } = yield* late((yield* Odd).Later({}, options))
        assert.deepStrictEqual([begun, waitsFor], [true, "reply"])
        assert.include(message, "the reply that its handler promised (Next.noReply) has not come")
      }).pipe(Effect.provide(odd(style, gates()))))
  }

  it.effect("a message that is to be handled again has begun", () => {
    const own = gates()
    return Effect.gen(function*() {
      const { begun, message, waitsFor } = yield* late((yield* Odd).Again({}, options))
      assert.deepStrictEqual([begun, waitsFor], [true, "start"])
      assert.include(message, "It was begun by an incarnation that crashed")
      yield* own.boot.open
    }).pipe(Effect.provide(odd("a plain handler", own)))
  })
})

describe("an error about a Promise says what to do with it", () => {
  const advice = "returned a Promise, which is no answer: wrap it with Effect.promise or Effect.tryPromise."

  for (const [path, style] of everyWay) {
    it.effect(`from the handler of a call: ${path}, ${style}`, () => {
      const own = gates()
      return Effect.gen(function*() {
        const server = yield* Odd
        const exit = yield* along(path, server, own, Effect.flip(server.Async()))
        assert(exit._tag === "Success" && exit.value.reason._tag === "Crashed")
        const error = Cause.squash(exit.value.reason.cause)
        assert.instanceOf(error, GenServer.InvalidResult)
        assert.include(String(error), `the handler of Async in root > test/OddOne ${advice}`)
      }).pipe(Effect.provide(odd(style, own)))
    })
  }

  for (const style of ["a plain handler", "an effectful handler", "a handler that waits"] as const) {
    it.effect(`from the handler of a cast, which does not become the state: ${style}`, () =>
      Effect.gen(function*() {
        const server = yield* Odd
        yield* server.Note()
        const { reason } = yield* (yield* Harness.Harness).awaitTag("Exited", server)
        assert(reason._tag === "Crashed")
        assert.include(String(Cause.squash(reason.cause)), `the handler of Note in root > test/OddOne ${advice}`)
        assert.strictEqual(yield* server.Get(), 0)
      }).pipe(Effect.provide(odd(style, gates()))))
  }

  it.effect("from init", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Effect.provide(Odd, odd("a plain handler", gates(), Promise.resolve(0))))
      assert.include(String(exit), `the handler of init in root > test/OddOne ${advice}`)
    }))
})

const idle = Cell.behavior({
  init: 0,
  handlers: {
    Add: (n, { by }) => [n + by, n + by],
    Get: (n) => [n, n],
    Refuse: (n) => [n, n],
    Die: (n) => [undefined, n],
    Interrupt: (n) => [undefined, n],
    Invalid: (n) => [undefined, n],
    Put: (_n, { to }) => to,
    DieUnasked: (n) => n,
    Hold: (n) => [undefined, n],
    Later: (n) => Next.noReply(n)
  }
})

class Top extends Supervisor.Service<Top>()("test/Top") {}

describe("a server that is down", () => {
  it.effect("and was started by hand: start it again, whether it has a key or not", () =>
    Effect.gen(function*() {
      const top = yield* Top
      const cell = yield* top.startChild(Cell.recipe(idle, { key: "ada", restart: "temporary" }))
      yield* GenServer.stop(cell)
      const error = yield* Effect.flip(cell.Get())
      assert.deepStrictEqual(error.reason, { _tag: "NotRunning" })
      assert.notInclude(error.message, "at(")
      assert.include(error.message, "Start it")
    }).pipe(Effect.provide(Top.layer({ strategy: "one_for_one" }, [StateContainer.layerForget(Cell)]))))

  it.effect("and has a key: ask for it again", () =>
    Effect.gen(function*() {
      const cell = yield* Cell.at("ada")
      yield* GenServer.stop(cell)
      const error = yield* Effect.flip(cell.Get())
      assert.deepStrictEqual(error.reason, { _tag: "NotRunning", key: "ada" })
      assert.include(error.message, `at("ada") answers with the server that has this key by then`)
      assert.deepInclude(yield* Effect.flip(GenServer.stop(cell)), { reason: error.reason })
    }).pipe(Effect.provide(Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
      StateContainer.layerMemory(Cell),
      Cell.layerKeyed(idle, { restart: "temporary" })
    ]))))

  it.effect("and has none: start it", () =>
    Effect.gen(function*() {
      const cell = yield* Cell
      yield* GenServer.stop(cell)
      const error = yield* Effect.flip(cell.Get())
      assert.deepStrictEqual(error.reason, { _tag: "NotRunning" })
      assert.include(error.message, "Start it (restartChild, or its layer)")
    }).pipe(Effect.provide(tree("a plain handler", gates(), { restart: "temporary" }))))
})
