/**
 * Everything at once: calls, casts, crashes, redelivery, interruptions, kills, stops and restarts over thousands of
 * servers, in rounds.
 *
 * While they run, every handler watches that its server handles one message at a time, in the order of each sender, in
 * incarnations that only grow, and a message that comes again before any other. After each round, of every server that
 * was touched: every caller has had an answer that its message can have (one without any keeps the round from ending),
 * the server holds what its callers know it must, and at most what they cannot know; its companion holds the same; a
 * message with `redeliver` was handled to its end once, or is in quarantine; nothing waits. And every abnormal end
 * since the beginning has made one crash report.
 *
 * The context's seeded Random draws as it goes, and not a property's generator: what can be done next depends on what
 * happened, and a run of this size is not made smaller.
 */
import { assert, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Fiber, Layer, Logger, Option, Random, References, Schema, Scope } from "effect"
import { isOrderly } from "../../../../src/domain/process/ExitReason.ts"
import {
  DynamicSupervisor,
  GenServer,
  Lifecycle,
  Process,
  Restart,
  StateContainer,
  Supervisor,
  Sys
} from "../../../../src/index.ts"
import { Harness } from "../../../../src/testing.ts"
import { sinkOf } from "../../../kit/Sinks.ts"

const servers = Number(process.env["SERVERS"] ?? 2_000)
const rounds = 6
const sendersPerRound = 0.15 * servers
const seed = process.env["SEED"] ?? String(Math.floor(Math.random() * 1e9))

const From = { index: Schema.Int, sender: Schema.Int, no: Schema.Int, turns: Schema.Int }
const Failing = { ...From, failures: Schema.Int }
const redeliver = { maxAttempts: 3 }

class Cell extends GenServer.Service<Cell>()("stress/Cell", {
  state: Schema.Int,
  messages: {
    Add: GenServer.call({ payload: From, reply: Schema.Int }),
    Note: GenServer.cast({ payload: From }),
    Die: GenServer.call({ payload: From }),
    DieUnasked: GenServer.cast({ payload: From }),
    Try: GenServer.call({ payload: Failing, reply: Schema.Int, redeliver, timeout: "infinity" }),
    TryUnasked: GenServer.cast({ payload: Failing, redeliver }),
    Get: GenServer.call({ reply: Schema.Int, timeout: "infinity" })
  }
}) {}

type Ref = typeof Cell.Service
type Payload = { readonly index: number; readonly sender: number; readonly no: number; readonly turns: number }

class Pool extends DynamicSupervisor.Service<Pool>()("stress/Pool") {}

type Handling = { readonly attempt: number; readonly incarnation: number }

/** What the handlers see, and complain about. */
class Watch {
  readonly complaints: Array<string> = []
  private readonly busy = new Uint8Array(servers)
  private readonly incarnations = new Int32Array(servers)
  private readonly order = new Map<string, number>()
  private readonly latest = new Map<number, string>()

  enter({ index, no, sender }: Payload, { attempt, incarnation }: Handling): void {
    if (this.busy[index] === 1) this.complaints.push(`server ${index} handles two messages at once`)
    if (incarnation < this.incarnations[index]!) this.complaints.push(`server ${index} went back to ${incarnation}`)
    this.incarnations[index] = incarnation
    this.busy[index] = 1
    const key = `${sender}:${index}`
    const message = `${no} of sender ${sender}`
    const latest = this.latest.get(index)
    this.latest.set(index, message)
    if (attempt > 1) {
      if (message !== latest) this.complaints.push(`server ${index} handled ${message} again only after ${latest}`)
      return
    }
    const last = this.order.get(key) ?? -1
    if (no <= last) this.complaints.push(`server ${index} handled ${message} after ${last}`)
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
  const handle = <A>(payload: Payload, handling: Handling, end: () => A | Effect.Effect<A>): A | Effect.Effect<A> => {
    watch.enter(payload, handling)
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
      Add: (n, payload, view) => handle(payload, view, () => [n + 1, n + 1] as const),
      Note: (n, payload, view) => handle(payload, view, () => n + 1),
      Die: (_n, payload, view) => handle(payload, view, die),
      DieUnasked: (_n, payload, view) => handle(payload, view, die),
      Try: (n, payload, view) =>
        handle(payload, view, () => view.attempt <= payload.failures ? die() : [n + 1, n + 1] as const),
      TryUnasked: (n, payload, view) => handle(payload, view, () => view.attempt <= payload.failures ? die() : n + 1),
      Get: (n) => [n, n]
    }
  })
}

/** What the clients know of one server: at least so much it must hold, and at most so much more it may. */
interface Known {
  ref: Ref
  certain: number
  possible: number
  /** Callers that failed with a quarantine. */
  quarantined: number
  /** Casts with `redeliver`, each of which counts unless it is in quarantine. */
  tried: number
}

const often = Restart.intensity({ restarts: 10_000_000, within: "1 second" })

const App = Layer.provideMerge(
  Supervisor.layer({ strategy: "one_for_one" }, [StateContainer.layerMemory(Cell), Pool.layer({ restart: often })]),
  Harness.Harness.layer
)

const reasonOf = (exit: Exit.Exit<unknown, unknown>): string => {
  if (exit._tag === "Success") return "answered"
  const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
  if (error instanceof GenServer.CallError) return error.reason._tag
  return Cause.hasInterrupts(exit.cause) ? "interrupted" : String(exit.cause)
}

/**
 * Abnormal ends, and the crash reports there are of them: a server that is started anew may have several of one number.
 */
const bookkeeping = () => {
  const open = new Map<string, number>()
  const count = (path: string, incarnation: unknown, by: number) => {
    const key = `${path}#${incarnation}`
    const left = (open.get(key) ?? 0) + by
    if (left === 0) open.delete(key)
    else open.set(key, left)
  }
  return {
    ended: (path: ReadonlyArray<string>, incarnation: number) => count(Lifecycle.pathText(path), incarnation, 1),
    logger: Logger.make(({ fiber }) => {
      const { incarnation, path } = fiber.getRef(References.CurrentLogAnnotations)
      count(String(path), incarnation, -1)
    }),
    balance: () => assert.deepStrictEqual(Array.from(open), [], "one crash report for every abnormal end")
  }
}

it.live(`${servers} servers under calls, casts, crashes, interruptions, kills and restarts (SEED=${seed})`, () => {
  const watch = new Watch()
  const books = bookkeeping()
  return Effect.gen(function*() {
    const random = yield* Random.Random
    const draw = (below: number) => Math.floor(random.nextDoubleUnsafe() * below)
    const scope = yield* Scope.make()
    const context = yield* Layer.buildWithScope(App, scope)
    const pool = Context.get(context, Pool)
    const { telemetry } = Context.get(context, Harness.Harness)
    const conserved = Context.get(context, Cell.StateContainer)
    telemetry.subscribe((event) => {
      // A start that fails is an end, too: too many different messages in a row have crashed on one snapshot.
      if ((event._tag === "Exited" || event._tag === "StartFailed") && !isOrderly(event.reason)) {
        books.ended(event.path, event.incarnation)
      }
    })
    const shared = behavior(watch)
    const start = (index: number) =>
      Effect.provideContext(pool.startChild(Cell.recipe(shared, { key: String(index) })), context)
    const known: Array<Known> = []
    let quarantined = 0
    for (let i = 0; i < servers; i++) {
      known.push({ ref: yield* start(i), certain: 0, possible: 0, quarantined: 0, tried: 0 })
    }

    const payload = (index: number, sender: number, no: number): Payload => ({
      index,
      sender,
      no,
      turns: Math.max(0, draw(6) - 2)
    })

    /** One call whose outcome is known, or known to be uncertain. */
    const call = Effect.fnUntraced(
      function*(cell: Known, what: "Add" | "Die", message: Payload, timeout: number | "infinity") {
        const exit = yield* Effect.exit(cell.ref[what](message, { timeout }))
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
      switch (draw(19)) {
        case 0:
          return yield* call(cell, "Die", message, "infinity")
        case 1:
          return yield* cell.ref.DieUnasked(message)
        case 2:
          return yield* Process.kill(cell.ref)
        case 3:
          return yield* Process.exit(cell.ref, { _tag: "Crashed", cause: Cause.interrupt() })
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
        case 10:
        case 11: {
          const reason = reasonOf(yield* Effect.exit(cell.ref.Try({ ...message, failures: draw(4) })))
          assert.include(["answered", "Quarantined"], reason)
          if (reason === "answered") cell.certain++
          else cell.quarantined++
          return
        }
        case 12:
          cell.tried++
          return yield* cell.ref.TryUnasked({ ...message, failures: draw(4) })
        default:
          return yield* call(cell, "Add", message, "infinity")
      }
    })

    /** What of the messages with `redeliver` is in quarantine; the others have been handled to their end. */
    const settleQuarantine = Effect.fnUntraced(function*(cell: Known) {
      const items = yield* Sys.quarantined(cell.ref)
      const unasked = items.filter(({ request }) => request === "TryUnasked").length
      assert.strictEqual(
        items.length - unasked,
        cell.quarantined,
        "each that is in quarantine was told so to its caller"
      )
      for (const item of items) {
        assert.strictEqual(item.attempts, redeliver.maxAttempts)
        yield* Sys.discard(cell.ref, item)
      }
      quarantined += items.length
      cell.certain += cell.tried - unasked
      cell.tried = 0
      cell.quarantined = 0
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

      // Some are taken down and started anew; what they held is theirs again.
      for (let i = 0; i < 50; i++) {
        const index = target()
        const cell = known[index]!
        yield* cell.ref.Get()
        yield* settleQuarantine(cell)
        yield* pool.terminateChild(cell.ref)
        assert.strictEqual(reasonOf(yield* Effect.exit(cell.ref.Get())), "NotRunning")
        watch.renew(index)
        cell.ref = yield* start(index)
        touched.add(index)
      }
      for (const index of touched) {
        const cell = known[index]!
        // A look, in its turn: unlike a message of the server's own it commits nothing.
        const held = yield* Sys.getState(cell.ref, { timeout: "infinity" })
        yield* settleQuarantine(cell)
        const { certain, possible } = cell
        assert.isTrue(held >= certain && held <= certain + possible, `${index}: ${certain} <= ${held} <= +${possible}`)
        const kept = Option.getOrElse(yield* conserved.for(String(index)).get, () => 0)
        assert.strictEqual(kept, held, `what the companion of ${index} has`)
      }
      books.balance()
      assert.deepStrictEqual(watch.complaints, [])
      assert.strictEqual(sinkOf(telemetry).counters.queued, 0, "nothing waits")
    }
    assert.isAbove(sinkOf(telemetry).counters.crashes, rounds * 100)
    assert.isAbove(quarantined, rounds * 10)
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
    assert.strictEqual(sinkOf(telemetry).counters.queued, 0, "nothing waits at the end")
    books.balance()
  }).pipe(Effect.provideService(References.CurrentLoggers, new Set([books.logger])), Random.withSeed(seed))
})
