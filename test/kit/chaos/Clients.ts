/** What clients do to a random tree, and what must be true when they are done. */
import { Cause, Context, Effect, Fiber, Random } from "effect"
import { ExitReason, type GenServer, Process, Sys } from "../../../src/index.ts"
import { History } from "../../../src/testing.ts"
import type { CellClient } from "./Cell.ts"
import type { Services, Target, Tree } from "./Tree.ts"

/** What clients know of a run, whatever becomes of the app's process. */
interface Book {
  ids: number
  /** Timers that were set for sure, by server. */
  readonly timers: Map<string, Array<string>>
  /** How many messages each client has numbered, by server. */
  readonly numbered: Map<string, number>
  /** What clients saw that must not be. */
  readonly broken: Array<string>
}

const books = new WeakMap<object, Book>()

const bookOf = Effect.map(History.History, (history) => {
  const book: Book = books.get(history) ?? { ids: 0, timers: new Map(), numbered: new Map(), broken: [] }
  books.set(history, book)
  return book
})

const pick = <A>(items: ReadonlyArray<A>) => Effect.map(Random.nextIntBetween(0, items.length - 1), (i) => items[i]!)

const timeouts = ["infinity", "infinity", 20, 1000, 5000] as const
const durations = [0, 1, 5, 50, 500, 3000]
/** Some of them outlast the shutdown time of a server. */
const stuck = [1, 50, 2000, 7000]

/** By what all times are divided: in virtual time a minute is nothing, in real time it is a minute. */
const Haste: Context.Reference<number> = Context.Reference("chaos/Haste", { defaultValue: () => 1 })

const lasting = (millis: ReadonlyArray<number>) =>
  Effect.flatMap(Haste, (haste) => Effect.map(pick(millis), (drawn) => Math.ceil(drawn / haste)))

type Step = (target: Target, client: CellClient) => Effect.Effect<unknown, unknown, Services | History.History>

/** A call that adds. */
const adds = (
  of: (
    client: CellClient,
    by: number,
    millis: number,
    options: GenServer.CallOptions
  ) => Effect.Effect<number, unknown>,
  millis: ReadonlyArray<number> = [0]
): Step =>
(target, client) =>
  Effect.gen(function*() {
    const by = yield* pick([1, 2])
    const timeout = yield* pick(timeouts)
    return yield* History.add(target.name, by, of(client, by, yield* lasting(millis), { timeout }))
  })

const once: Step = (target, client) =>
  Effect.gen(function*() {
    const book = yield* bookOf
    const id = `c${++book.ids}`
    const call = client.Once({ id, by: 1 }, { idempotencyKey: id, timeout: 1000 })
    const answers: Array<number> = []
    // All of them are one operation: it is done once, whatever becomes of the first.
    const all = Effect.gen(function*() {
      for (let i = 0; i < 3; i++) {
        const exit = yield* Effect.exit(call)
        if (exit._tag === "Success") answers.push(exit.value)
        if (exit._tag === "Success" && i > 0) return exit.value
        if (exit._tag === "Failure" && i === 2) return yield* exit
        yield* Effect.sleep(yield* lasting([0, 100, 2000]))
      }
      return yield* Effect.die("not reached")
    })
    // What an attempt before the last one has done is not known from how that one failed.
    yield* History.add(target.name, 1, Effect.catchCause(all, () => Effect.interrupt))
    if (new Set(answers).size > 1) {
      book.broken.push(`the call ${id} of ${target.name} was answered with ${answers.join(" and ")}`)
    }
  })

const again: Step = (target, client) =>
  Effect.gen(function*() {
    const id = `a${++(yield* bookOf).ids}`
    yield* adds((_, by, millis, options) => client.Again({ id, by, millis }, options), durations)(target, client)
  })

const timer: Step = (target, client) =>
  Effect.gen(function*() {
    const book = yield* bookOf
    const id = `t${++book.ids}`
    yield* client.Set({ id, millis: yield* lasting([10, 1000, 30_000]) })
    book.timers.set(target.name, [...(book.timers.get(target.name) ?? []), id])
  })

const numbered: Step = (target, client) =>
  Effect.gen(function*() {
    const book = yield* bookOf
    const of = yield* History.Client
    const key = `${target.name} ${of}`
    const first = (book.numbered.get(key) ?? 0) + 1
    book.numbered.set(key, first + 2)
    for (const nth of [first, first + 1, first + 2]) yield* client.Next({ of, nth })
  })

const crash: Step = (target, client) =>
  Effect.gen(function*() {
    const ref = yield* pick([client, yield* target.container])
    yield* Process.exit(ref, yield* pick([ExitReason.killed, ExitReason.crashed(Cause.die(new Error("by a client")))]))
  })

/** A server is killed whose handler cannot be interrupted, and takes longer than a kill waits. */
const abandon: Step = (target, client) =>
  Effect.gen(function*() {
    const call = History.add(target.name, 3, client.Stuck({ by: 3, millis: 7000 }))
    const waiting = yield* Effect.forkChild(call, { startImmediately: true })
    yield* Effect.sleep(yield* pick([1, 100]))
    yield* Process.kill(client)
    yield* Fiber.await(waiting)
  })

const suspend: Step = (_, client) =>
  Effect.acquireUseRelease(
    Sys.suspend(client, { timeout: 1000 }),
    () => Effect.flatMap(lasting([10, 2000]), (millis) => Effect.sleep(millis)),
    () => Effect.ignore(Sys.resume(client, { timeout: "infinity" }))
  )

const steps: ReadonlyArray<readonly [weight: number, step: Step]> = [
  [24, adds((client, by, _, options) => client.Add({ by }, options))],
  [14, (target, client) => History.read(target.name, client.Add({ by: 0 }))],
  [9, (target, client) => History.cast(target.name, { add: 2 }, client.Put({ by: 2 }))],
  [8, adds((client, by, millis, options) => client.Slow({ by, millis }, options), durations)],
  [3, adds((client, by, millis, options) => client.Stuck({ by, millis }, options), stuck)],
  [8, adds((client, by, millis, options) => client.Later({ by, millis }, options), durations)],
  [4, again],
  [5, once],
  [4, timer],
  [6, numbered],
  [2, adds((client, by, _, options) => client.Die({ by }, options))],
  [2, (target, client) => Effect.exit(History.add(target.name, 5, Effect.as(client.Refuse(), 0)))],
  [2, crash],
  [1, abandon],
  [1, suspend]
]
const bag = steps.flatMap(([weight, step]) => Array.from({ length: weight }, () => step))

/** One step of a client: it draws a server, and what it does to it; `haste` is by what its times are divided. */
export const client = ({ targets }: Tree, haste = 1): Effect.Effect<unknown, unknown, Services | History.History> =>
  Effect.gen(function*() {
    const target = yield* pick(targets)
    const step = yield* pick(bag)
    yield* step(target, yield* target.client)
  }).pipe(Effect.provideService(Haste, haste))

/** What must be true in the end: all run, all answer, each timer that was set has been delivered once. */
export const invariant = ({ targets }: Tree, hasClockFaults: boolean) =>
  Effect.gen(function*() {
    const { broken, timers } = yield* bookOf
    // A server that ended with its supervisor is started by who asks for it, and what was due meanwhile is delivered.
    for (const target of targets) {
      const client = yield* target.client
      yield* History.read(target.name, client.Add({ by: 0 }, { timeout: "infinity" }))
    }
    yield* Effect.sleep("1 second")
    for (const target of targets) {
      const client = yield* target.client
      const { booked, rung } = yield* client.Look(undefined, { timeout: "infinity" })
      for (const [id, times] of [...Object.entries(booked), ...Object.entries(rung)]) {
        if (times !== 1) broken.push(`${id} was handled ${times} times by ${target.name}`)
      }
      // When the time of day was set back, timers are late.
      if (hasClockFaults) continue
      for (const id of timers.get(target.name) ?? []) {
        if (rung[id] !== 1) broken.push(`the timer ${id} of ${target.name} was delivered ${rung[id] ?? 0} times`)
      }
    }
    const [first] = broken
    if (first !== undefined) return yield* Effect.fail(new Error(first))
  })
