/**
 * Everything at once: calls, casts, crashes, interruptions, kills, stops and restarts over 10,000 servers, in rounds; after
 * each round every promise is checked on every server that was touched.
 */
import { assert, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Fiber, Layer, Option, References, Schema, Scope } from "effect"
import { CallError } from "../../../src/domain/Errors.ts"
import { DynamicSupervisor, GenServer, Restart, StateContainer, Supervisor } from "../../../src/index.ts"
import { Harness } from "../../../src/layers/testing/Harness.ts"

const servers = 10_000
const rounds = 6
const sendersPerRound = 1500
const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 31))

/** Mulberry32. */
const draws = (seed: number) => {
  let a = seed
  return (below: number): number => {
    a = (a + 0x6d2b79f5) | 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

const From = { index: Schema.Int, sender: Schema.Int, no: Schema.Int, turns: Schema.Int }

class Cell extends GenServer.Service<Cell>()("stress/Cell", {
  state: Schema.Int,
  messages: {
    Add: GenServer.call({ payload: From, reply: Schema.Int }),
    Note: GenServer.cast({ payload: From }),
    Die: GenServer.call({ payload: From }),
    DieUnasked: GenServer.cast({ payload: From }),
    Get: GenServer.call({ reply: Schema.Int, timeout: "infinity" })
  }
}) {}

type Ref = typeof Cell.Service
type Payload = { readonly index: number; readonly sender: number; readonly no: number; readonly turns: number }

class Pool extends DynamicSupervisor.Service<Pool>()("stress/Pool") {}

/** What the handlers see, and complain about. */
class Watch {
  readonly complaints: Array<string> = []
  private readonly busy = new Uint8Array(servers)
  private readonly incarnations = new Int32Array(servers)
  private readonly order = new Map<string, number>()

  enter({ index, no, sender }: Payload, incarnation: number): void {
    if (this.busy[index] === 1) this.complaints.push(`server ${index} handles two messages at once`)
    if (incarnation < this.incarnations[index]!) this.complaints.push(`server ${index} went back to ${incarnation}`)
    this.incarnations[index] = incarnation
    this.busy[index] = 1
    const key = `${sender}:${index}`
    const last = this.order.get(key) ?? -1
    if (no <= last) this.complaints.push(`server ${index} handled ${no} of sender ${sender} after ${last}`)
    this.order.set(key, no)
  }

  leave(index: number): void {
    this.busy[index] = 0
  }

  /** A server that is started anew without ever having committed begins with incarnation 1. */
  renew(index: number): void {
    this.incarnations[index] = 0
  }
}

const behavior = (watch: Watch) => {
  /** A handler that takes no turn at all, or some. */
  const handle = <A>(payload: Payload, incarnation: number, end: () => A | Effect.Effect<A>): A | Effect.Effect<A> => {
    watch.enter(payload, incarnation)
    if (payload.turns === 0) {
      watch.leave(payload.index)
      return end()
    }
    const wait = Effect.forEach(Array.from({ length: payload.turns }), () => Effect.yieldNow, { discard: true })
    return Effect.ensuring(
      Effect.flatMap(wait, () => {
        const ended = end()
        return Effect.isEffect(ended) ? ended as Effect.Effect<A> : Effect.succeed(ended)
      }),
      Effect.sync(() => watch.leave(payload.index))
    )
  }
  const die = (): never => {
    throw new Error("boom")
  }
  return Cell.behavior({
    init: 0,
    handlers: {
      Add: (n, payload, { incarnation }) => handle(payload, incarnation, () => [n + 1, n + 1] as const),
      Note: (n, payload, { incarnation }) => handle(payload, incarnation, () => n + 1),
      Die: (_n, payload, { incarnation }) => handle(payload, incarnation, die),
      DieUnasked: (_n, payload, { incarnation }) => handle(payload, incarnation, die),
      Get: (n) => [n, n]
    }
  })
}

/** What the clients know of one server: at least so much it must hold, and at most so much more it may. */
interface Known {
  ref: Ref
  certain: number
  possible: number
}

const often = Restart.intensity({ restarts: 10_000_000, within: "1 second" })

const App = Layer.provideMerge(
  Supervisor.layer({ strategy: "one_for_one" }, [StateContainer.layerMemory(Cell), Pool.layer({ restart: often })]),
  Harness.layer
)

const reasonOf = (exit: Exit.Exit<unknown, unknown>): string => {
  if (exit._tag === "Success") return "answered"
  const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
  if (error instanceof CallError) return error.reason._tag
  return Cause.hasInterrupts(exit.cause) ? "interrupted" : String(exit.cause)
}

it.live(`10,000 servers under calls, casts, crashes, interruptions, kills and restarts (SEED=${seed})`, () => {
  const watch = new Watch()
  const draw = draws(seed)
  let calls = 0
  let answers = 0
  return Effect.gen(function*() {
    const scope = yield* Scope.make()
    const context = yield* Layer.buildWithScope(App, scope)
    const pool = Context.get(context, Pool)
    const { telemetry } = Context.get(context, Harness)
    const shared = behavior(watch)
    const start = (index: number) =>
      Effect.provideContext(pool.startChild(Cell.recipe(shared, { key: String(index) })), context)
    const known: Array<Known> = []
    for (let i = 0; i < servers; i++) known.push({ ref: yield* start(i), certain: 0, possible: 0 })

    const payload = (index: number, sender: number, no: number): Payload => ({
      index,
      sender,
      no,
      turns: Math.max(0, draw(6) - 2)
    })

    /** One call whose outcome is known, or known to be uncertain. */
    const call = Effect.fnUntraced(
      function*(cell: Known, what: "Add" | "Die", message: Payload, timeout: number | "infinity") {
        calls++
        const exit = yield* Effect.exit(cell.ref[what](message, { timeout }))
        answers++
        const reason = reasonOf(exit)
        if (what === "Die") return assert.include(["Crashed", "NotRunning", "Timeout"], reason)
        if (reason === "answered") cell.certain++
        else if (reason === "Timeout") cell.possible++
        else assert.include(["Crashed", "NotRunning"], reason)
      }
    )

    const act = Effect.fnUntraced(function*(index: number, sender: number, no: number) {
      const cell = known[index]!
      const message = payload(index, sender, no)
      switch (draw(16)) {
        case 0:
          return yield* call(cell, "Die", message, "infinity")
        case 1:
          return yield* cell.ref.DieUnasked(message)
        case 2:
          return yield* GenServer.kill(cell.ref)
        case 3:
          return yield* GenServer.exit(cell.ref, { _tag: "Crashed", cause: Cause.interrupt() })
        case 4:
          return yield* Effect.exit(GenServer.stop(cell.ref))
        case 5: {
          // A caller that is gone before it knows: what it asked for may have happened.
          const caller = yield* Effect.forkChild(Effect.exit(cell.ref.Add(message)), { startImmediately: true })
          for (let turn = draw(4); turn > 0; turn--) yield* Effect.yieldNow
          yield* Fiber.interrupt(caller)
          cell.possible++
          return
        }
        case 6:
          return yield* call(cell, "Add", message, draw(3))
        case 7:
        case 8:
        case 9:
          // Lost only when it is in hand, and waiting, while its server is ended.
          if (message.turns === 0) cell.certain++
          else cell.possible++
          return yield* cell.ref.Note(message)
        default:
          return yield* call(cell, "Add", message, "infinity")
      }
    })

    for (let round = 0; round < rounds; round++) {
      const touched = new Set<number>()
      // Many servers are met by one sender, a few by many.
      const target = () => draw(3) === 0 ? draw(20) : draw(servers)
      const senders: Array<Fiber.Fiber<void>> = []
      for (let i = 0; i < sendersPerRound; i++) {
        const sender = round * sendersPerRound + i
        const index = target()
        touched.add(index)
        const length = 1 + draw(4)
        senders.push(
          yield* Effect.forkChild(
            Effect.gen(function*() {
              for (let no = 0; no < length; no++) yield* act(index, sender, no)
            }),
            { startImmediately: draw(2) === 0 }
          )
        )
      }
      for (const sender of senders) yield* Fiber.join(sender)
      assert.strictEqual(answers, calls, "every caller gets an answer")

      // Some are taken down and started anew; what they held is theirs again.
      for (let i = 0; i < 50; i++) {
        const index = target()
        const cell = known[index]!
        yield* cell.ref.Get()
        yield* pool.terminateChild(cell.ref)
        assert.strictEqual(reasonOf(yield* Effect.exit(cell.ref.Get())), "NotRunning")
        watch.renew(index)
        cell.ref = yield* start(index)
        touched.add(index)
      }
      for (const index of touched) {
        const { certain, possible, ref } = known[index]!
        const held = yield* ref.Get()
        assert.isTrue(held >= certain && held <= certain + possible, `${index}: ${certain} <= ${held} <= +${possible}`)
      }
      assert.deepStrictEqual(watch.complaints, [])
      assert.strictEqual(telemetry.counters.queued, 0, "nothing waits")
    }
    assert.isAbove(telemetry.counters.crashes, rounds * 100)
    const supervised = yield* pool.countChildren
    assert.deepStrictEqual([supervised.specs, supervised.active], [servers, servers])

    // And the end of everything, in the middle of it.
    const last = yield* Effect.forEach(
      Array.from({ length: 2000 }, (_, n) => n),
      (n) =>
        Effect.forkChild(
          Effect.exit(known[n % 500]!.ref.Add({ index: n % 500, sender: -1 - n, no: 0, turns: n % 4 })),
          {
            startImmediately: true
          }
        )
    )
    yield* Scope.close(scope, Exit.void)
    const endings = new Set((yield* Effect.forEach(last, Fiber.join)).map(reasonOf))
    assert.includeMembers(["answered", "NotRunning"], Array.from(endings))
    assert.deepStrictEqual(watch.complaints, [])
    assert.strictEqual(telemetry.counters.queued, 0, "nothing waits at the end")
  }).pipe(silently)
}, 60_000)

/** Thousands of crash reports would say nothing new. */
const silently = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.provideService(effect, References.MinimumLogLevel, "None")
