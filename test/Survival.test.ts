/**
 * The survival table: what each fault leaves of the acknowledged state, of the queued messages, and of the one in
 * flight.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, type Exit, Fiber, Latch, Layer, Option, Schema } from "effect"
import { GenServer, Process, StateContainer, StateTable, Supervisor } from "../src/index.ts"
import { tableOf } from "../src/layers/state/container/Container.ts"
import { Harness } from "../src/testing.ts"
import { now } from "./kit/Fibers.ts"
import { never, often } from "./kit/Restarts.ts"

class Overdrawn extends Schema.TaggedError<Overdrawn>()("Overdrawn", { by: Schema.Int }) {}

class Account extends GenServer.Service<Account>()("test/Account", {
  state: Schema.Int,
  messages: {
    Deposit: GenServer.call({ payload: { amount: Schema.Int }, reply: Schema.Int }),
    /** Waits at the gate, and then does what was asked. */
    Slow: GenServer.call({
      payload: { what: Schema.Literals(["answer", "fail", "die"]) },
      reply: Schema.Int,
      error: Overdrawn
    }),
    /** The same, and is handled again by the next incarnation. */
    SlowAgain: GenServer.call({
      payload: { what: Schema.Literals(["answer", "fail", "die"]) },
      reply: Schema.Int,
      error: Overdrawn,
      redeliver: { maxAttempts: 2 }
    }),
    Note: GenServer.cast({ payload: { amount: Schema.Int } })
  }
}) {}

interface Asked {
  readonly what: "answer" | "fail" | "die"
}

const account = (gate: Latch.Latch) => {
  const slow = (attempts: number) => (balance: number, { what }: Asked, context: { readonly attempt: number }) =>
    Effect.flatMap(gate.await, () => {
      if (what === "fail") return Effect.fail(new Overdrawn({ by: 1 }))
      if (what === "die" && context.attempt < attempts) return Effect.die(new Error("boom"))
      return Effect.succeed([balance + 1000, balance + 1000] as const)
    })
  return Account.layer({
    init: 0,
    handlers: {
      Deposit: (balance, { amount }) => [balance + amount, balance + amount],
      Slow: slow(Infinity),
      SlowAgain: slow(2),
      Note: (balance, { amount }) => balance + amount
    }
  })
}

class Bank extends Supervisor.Service<Bank>()("test/Bank") {}

const companions = {
  memory: StateContainer.layerMemory(Account),
  table: StateContainer.layerTable(Account)
}

/** The bank under a root: an inner supervisor that may give up, over the companions and the account. */
const world = (companion: keyof typeof companions, gate: Latch.Latch, restart = often) =>
  Layer.provideMerge(
    Supervisor.layer({ id: "root", strategy: "one_for_one", restart: often }, [
      Bank.layer({ id: "bank", strategy: "one_for_all", restart }, [companions[companion], account(gate)])
    ]),
    Layer.merge(Harness.Harness.layer, StateTable.StateTable.layer)
  )

const container: Effect.Effect<Process.HasProcess, never, StateContainer.StateOf<Account>> = Account.StateContainer

const reasonOf = (exit: Exit.Exit<unknown, unknown>): string => {
  if (exit._tag === "Success") return `answered ${String(exit.value)}`
  const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
  return error instanceof GenServer.CallError ? error.reason._tag : error instanceof Overdrawn ? "Overdrawn" : "died"
}

/**
 * One row: a fault that strikes while a message is in flight, one call and one cast wait, and 41 is acknowledged.
 */
const row = (fault: string, options: {
  readonly asked: "Slow" | "SlowAgain"
  readonly what: Asked["what"]
  readonly strike: Effect.Effect<unknown, unknown, Account | StateContainer.StateOf<Account> | Bank | Harness.Harness>
  /** What the message in flight comes to. */
  readonly inFlight: string
  /** The balance after it, when it took effect. */
  readonly after?: number
  readonly incarnation: number
  readonly restart?: typeof often
}) =>
  describe(fault, () => {
    for (const companion of ["memory", "table"] as const) {
      it.effect(companion, () => {
        const gate = Latch.makeUnsafe()
        const { after = 41, asked, inFlight, incarnation, restart, strike, what } = options
        return Effect.gen(function*() {
          const bank = yield* Account
          assert.strictEqual(yield* bank.Deposit({ amount: 41 }), 41)
          const flying = yield* now(bank[asked]({ what }))
          const queued = yield* now(bank.Deposit({ amount: 1 }))
          yield* bank.Note({ amount: 10 })
          yield* strike
          yield* gate.open
          assert.strictEqual(reasonOf(yield* Fiber.await(flying)), inFlight)
          assert.strictEqual(reasonOf(yield* Fiber.await(queued)), `answered ${after + 1}`)
          assert.strictEqual(yield* bank.Deposit({ amount: 0 }), after + 11)
          const companions = yield* Account.StateContainer
          assert.deepStrictEqual(yield* companions.for().get, Option.some(after + 11))
          assert.strictEqual(yield* Process.incarnation(bank), incarnation)
        }).pipe(Effect.provide(world(companion, gate, restart)))
      })
    }
  })

const killServer = Effect.flatMap(Account, (bank) => Process.kill(bank))
const interruptServer = Effect.flatMap(
  Account,
  (bank) => Process.exit(bank, { _tag: "Crashed", cause: Cause.interrupt() })
)
const killContainer = Effect.flatMap(container, (companions) => Process.kill(companions))
const both = Effect.andThen(killContainer, killServer)

row("a typed failure in a handler: state kept, queued kept, in flight answered with it", {
  asked: "Slow",
  what: "fail",
  strike: Effect.void,
  inFlight: "Overdrawn",
  incarnation: 1
})

row("a defect in a handler: state kept, queued kept, in flight Crashed", {
  asked: "Slow",
  what: "die",
  strike: Effect.void,
  inFlight: "Crashed",
  incarnation: 2
})

row("a defect in a handler: or redelivered", {
  asked: "SlowAgain",
  what: "die",
  strike: Effect.void,
  inFlight: "answered 1041",
  after: 1041,
  incarnation: 2
})

for (const [how, strike] of [["killed", killServer], ["interrupted", interruptServer]] as const) {
  row(`the server is ${how}: state kept, queued kept, in flight Crashed`, {
    asked: "Slow",
    what: "answer",
    strike,
    inFlight: "Crashed",
    incarnation: 2
  })

  row(`the server is ${how}: or redelivered`, {
    asked: "SlowAgain",
    what: "answer",
    strike,
    inFlight: "answered 1041",
    after: 1041,
    incarnation: 2
  })
}

describe("the container's fiber crashes: state kept, queued kept, in flight unaffected", () => {
  for (const companion of ["memory", "table"] as const) {
    it.effect(companion, () => {
      const gate = Latch.makeUnsafe()
      const app = Layer.provideMerge(
        Supervisor.layer({ id: "root", strategy: "one_for_one" }, [companions[companion], account(gate)]),
        Layer.merge(Harness.Harness.layer, StateTable.StateTable.layer)
      )
      return Effect.gen(function*() {
        const harness = yield* Harness.Harness
        const bank = yield* Account
        const companions = yield* Account.StateContainer
        yield* bank.Deposit({ amount: 41 })
        const flying = yield* now(bank.Slow({ what: "answer" }))
        const queued = yield* now(bank.Deposit({ amount: 1 }))
        yield* Process.kill(companions)
        yield* harness.awaitIncarnation(companions, 2)
        yield* gate.open
        assert.strictEqual(yield* Fiber.join(flying), 1041)
        assert.strictEqual(yield* Fiber.join(queued), 1042)
        assert.deepStrictEqual(yield* companions.for().get, Option.some(1042))
        assert.strictEqual(yield* Process.incarnation(bank), 1)
      }).pipe(Effect.provide(app))
    })
  }
})

row("the container's fiber crashes under one_for_all: state kept, queued kept, in flight Crashed", {
  asked: "Slow",
  what: "answer",
  strike: killContainer,
  inFlight: "Crashed",
  incarnation: 2
})

row("both crash together: state kept, queued kept, in flight Crashed", {
  asked: "Slow",
  what: "answer",
  strike: both,
  inFlight: "Crashed",
  incarnation: 3
})

row("both crash together: or redelivered", {
  asked: "SlowAgain",
  what: "answer",
  strike: killContainer,
  inFlight: "answered 1041",
  after: 1041,
  incarnation: 2
})

row("the supervisor gives up and its parent restarts it: state kept, queued kept, in flight Crashed", {
  asked: "Slow",
  what: "answer",
  strike: Effect.gen(function*() {
    const harness = yield* Harness.Harness
    yield* killServer
    yield* harness.awaitTag("GaveUp", "root > bank")
    yield* harness.awaitIncarnation(yield* Bank, 2)
  }),
  inFlight: "Crashed",
  incarnation: 2,
  restart: never
})

row("the supervisor gives up and its parent restarts it: or redelivered", {
  asked: "SlowAgain",
  what: "answer",
  strike: killServer,
  inFlight: "answered 1041",
  after: 1041,
  incarnation: 2,
  restart: never
})

describe("an old incarnation still writes: fenced off", () => {
  for (const companion of ["memory", "table"] as const) {
    it.effect(companion, () => {
      const gate = Latch.makeUnsafe(true)
      return Effect.gen(function*() {
        const bank = yield* Account
        const companions = yield* Account.StateContainer
        yield* bank.Deposit({ amount: 41 })
        yield* Process.kill(bank)
        yield* Process.kill(bank)
        yield* bank.Deposit({ amount: 1 })
        // As the engine holds it: this is what an incarnation that was left behind would write with.
        const process: Process.Process = bank[Process.processOf]
        const companion = tableOf(companions).claim("", process)
        assert.strictEqual(companion.owner, process)
        for (const old of [1, 2]) assert.isFalse(companion.commit(old, 7, "call"))
        assert.deepStrictEqual(yield* companions.for().get, Option.some(42))
        assert.isTrue(companion.commit(3, 43, "call"))
        assert.strictEqual((yield* companions.for().snapshots)[0]?.incarnation, 3)
        yield* Process.kill(bank)
        assert.strictEqual(yield* bank.Deposit({ amount: 0 }), 43)
      }).pipe(Effect.provide(world(companion, gate)))
    })
  }
})

describe("for comparison", () => {
  it.effect("with layerForget nothing survives a crash, and the type does not say otherwise", () => {
    const gate = Latch.makeUnsafe(true)
    const app = Layer.provideMerge(
      Supervisor.layer({ id: "root", strategy: "one_for_one" }, [StateContainer.layerForget(Account), account(gate)]),
      Harness.Harness.layer
    )
    return Effect.gen(function*() {
      const bank = yield* Account
      yield* bank.Deposit({ amount: 41 })
      yield* killServer
      assert.strictEqual(yield* bank.Deposit({ amount: 1 }), 1)
    }).pipe(Effect.provide(app))
  })

  for (const [how, strike, kept] of [["an interruption", interruptServer, 42], ["a kill", killServer, 1]] as const) {
    it.effect(`conserved on terminate only, the state ${kept === 42 ? "survives" : "does not survive"} ${how}`, () => {
      const gate = Latch.makeUnsafe(true)
      const app = Layer.provideMerge(
        Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
          StateContainer.layerMemory(Account, { when: "terminate" }),
          account(gate)
        ]),
        Harness.Harness.layer
      )
      return Effect.gen(function*() {
        const bank = yield* Account
        yield* bank.Deposit({ amount: 41 })
        yield* strike
        assert.strictEqual(yield* bank.Deposit({ amount: 1 }), kept)
      }).pipe(Effect.provide(app))
    })
  }
})
