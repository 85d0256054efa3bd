/** What a server promises wherever it is: one suite for all placements. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, References, Scope } from "effect"
import type { GenServer } from "../../../src/index.ts"
import { CallError } from "../../../src/layers/server/GenServer.ts"
import { now } from "../Fibers.ts"
import { type Ledger, Short, styles } from "./Ledger.ts"

/** A ledger of one key; a placement may have errors of its own. */
export type Ledgers = (key: string) => GenServer.Methods<typeof Ledger["messages"], unknown>

/** Where servers are. */
export interface Placement {
  readonly name: "fiber" | "thread" | "cluster"
  /**
   * Ledgers by key, each with the behaviour of `Ledger.ts` and as many restarts as it needs, started when it is first
   * called, with its state kept from one to the next.
   */
  readonly open: Effect.Effect<Ledgers, unknown, Scope.Scope>
}

/** What it came to: the value, the tag of the error or of its reason, or that it died. */
const toWord = (exit: Exit.Exit<unknown, unknown>): unknown => {
  if (exit._tag === "Success") return exit.value
  const error = Cause.squash(exit.cause)
  return error instanceof CallError ? error.reason._tag : error instanceof Error ? error.name : error
}

const word = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.map(Effect.exit(effect), toWord)

/** The error that an effect fails with. */
const refused = <A, R>(effect: Effect.Effect<A, unknown, R>) =>
  Effect.map(Effect.flip(effect), (error) => {
    if (!(error instanceof CallError)) throw new Error(`no CallError: ${String(error)}`)
    return error
  })

/** How a message gets to its server: at once, behind another one, or while it restarts. */
const paths = ["idle", "busy", "restarting"] as const

/** Every path with every style of a handler. */
const everyWay = paths.flatMap((path) => styles.map((style) => [path, style] as const))

const along = (path: typeof paths[number], ledger: ReturnType<Ledgers>) =>
  path === "idle"
    ? Effect.void
    : path === "busy"
    ? now(ledger.Slow({ millis: 20 }))
    : ledger.DieUnasked()

/** Runs the suite for one placement; the tests have it in a `describe` of its name. */
export const placementSuite = ({ name, open }: Placement): void => {
  describe(name, () => {
    const scope = Scope.makeUnsafe()
    let ledgers: Ledgers
    let next = 0
    beforeAll(() =>
      Effect.runPromise(Scope.provide(open, scope).pipe(Effect.provideService(References.MinimumLogLevel, "None")))
        .then((opened) => {
          ledgers = opened
        })
    )
    afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

    /** A promise of one server of a key of its own. */
    const promise = (
      title: string,
      test: (ledger: ReturnType<Ledgers>, key: string) => Effect.Effect<unknown, unknown, Scope.Scope>
    ) =>
      it.live(title, () => {
        const key = `key ${++next}`
        return Effect.asVoid(Effect.scoped(test(ledgers(key), key)))
          .pipe(Effect.provideService(References.MinimumLogLevel, "None"))
      })

    describe("every way", () => {
      for (const [path, style] of everyWay) {
        const base = path === "busy" ? 1 : 0
        const way = `${style} handler, ${path} server`

        promise(
          `an answer is that of the handler, and its state is committed: ${way}`,
          (ledger) =>
            Effect.gen(function*() {
              yield* along(path, ledger)
              assert.strictEqual(yield* ledger.Add({ by: 41, style }), base + 41)
              assert.strictEqual(yield* ledger.Total(), base + 41)
            })
        )

        promise(
          `a typed failure is an instance of its class, and changes nothing: ${way}`,
          (ledger) =>
            Effect.gen(function*() {
              yield* along(path, ledger)
              const error = yield* Effect.flip(ledger.Withdraw({ amount: 10, style }))
              assert.instanceOf(error, Short)
              assert.deepStrictEqual([error.by, error.since], [10 - base, new Date(0)])
              assert.strictEqual(yield* ledger.Total(), base)
            })
        )

        promise(`a defect is Crashed, and the state is as it was before: ${way}`, (ledger) =>
          Effect.gen(function*() {
            yield* ledger.Add({ by: 41 })
            yield* along(path, ledger)
            const { message, reason, request } = yield* refused(ledger.Die({ style }))
            assert.strictEqual(reason._tag === "Crashed" && reason.willRestart, true)
            assert.strictEqual(request, "Die")
            assert.include(message, "boom")
            assert.strictEqual(yield* ledger.Total(), base + 41)
          }))
      }
    })

    describe("messages", () => {
      promise("of one sender are handled in their order", (ledger) =>
        Effect.gen(function*() {
          const sums = yield* Effect.forEach([1, 2, 3, 4, 5], (by) => ledger.Add({ by }), { concurrency: "unbounded" })
          assert.deepStrictEqual(sums, [1, 3, 6, 10, 15])
          for (let i = 0; i < 20; i++) yield* ledger.Note({ text: `${i}` })
          assert.deepStrictEqual(yield* ledger.Notes(), Array.from({ length: 20 }, (_, i) => `${i}`))
        }))

      promise("to different keys go to different servers, to one key to one", (ledger, key) =>
        Effect.gen(function*() {
          yield* ledger.Add({ by: 1 })
          yield* ledgers(`${key}/other`).Add({ by: 10 })
          assert.strictEqual(yield* ledgers(key).Total(), 1)
          assert.strictEqual(yield* ledgers(`${key}/other`).Total(), 10)
          assert.strictEqual((yield* ledger.Where()).key, key)
        }))

      promise("that come at once start one server", (ledger) =>
        Effect.gen(function*() {
          yield* Effect.forEach(Array.from({ length: 20 }), () => ledger.Add({ by: 1 }), { concurrency: "unbounded" })
          assert.deepStrictEqual([yield* ledger.Total(), (yield* ledger.Where()).incarnation], [20, 1])
        }))

      promise("carry what their schemas say", (ledger) =>
        Effect.gen(function*() {
          const at = new Date(1234)
          assert.deepStrictEqual(yield* ledger.Later({ at, by: 10n }), new Date(1244))
          assert.deepStrictEqual(yield* ledger.Later({ at }), at)
          const text = "é😀".repeat(20_000)
          yield* ledger.Note({ text })
          assert.deepStrictEqual(yield* ledger.Notes(), [text])
        }))

      promise("that are validated are not sent with a wrong payload", (ledger) =>
        Effect.gen(function*() {
          assert.strictEqual(yield* word(ledger.Strict({ by: 0 })), "InvalidPayload")
          assert.strictEqual(yield* ledger.Strict({ by: 1 }), 1)
        }))

      promise("with a timeout that is none are a defect of their sender", (ledger) =>
        Effect.gen(function*() {
          assert.strictEqual(yield* word(ledger.Add({ by: 1 }, { timeout: Number.NaN })), "InvalidOption")
          assert.strictEqual(yield* ledger.Total(), 0)
        }))
    })

    describe("crashes", () => {
      promise("the next incarnation goes on from the state of the last one", (ledger) =>
        Effect.gen(function*() {
          yield* ledger.Add({ by: 41 })
          const before = yield* ledger.Where()
          yield* Effect.flip(ledger.Die({ style: "plain" }))
          const after = yield* ledger.Where()
          assert.deepStrictEqual([before.incarnation, after.incarnation], [1, 2])
          assert.strictEqual(yield* ledger.Add({ by: 1 }), 42)
          assert.isAtLeast(after.seq, before.seq)
        }))

      promise("what is queued is handled by the next incarnation", (ledger) =>
        Effect.gen(function*() {
          const dying = yield* now(ledger.Die({ style: "waiting" }))
          const waiting = yield* now(ledger.Add({ by: 1 }))
          yield* ledger.Note({ text: "queued" })
          assert.strictEqual(toWord(yield* Fiber.await(dying)), "Crashed")
          assert.strictEqual(yield* Fiber.join(waiting), 1)
          assert.deepStrictEqual(yield* ledger.Notes(), ["queued"])
        }))

      promise("a message is handled again where it says so", (ledger) =>
        Effect.gen(function*() {
          assert.strictEqual(yield* ledger.Again(), 1)
          assert.strictEqual((yield* ledger.Where()).incarnation, 2)
        }))

      promise("one that crashes its server each time is quarantined", (ledger) =>
        Effect.gen(function*() {
          assert.strictEqual(yield* word(ledger.Poison()), "Quarantined")
          assert.strictEqual(yield* ledger.Add({ by: 1 }), 1)
        }))

      promise(
        "a cast that crashes its server is over, and the next message is answered",
        (ledger) =>
          Effect.gen(function*() {
            yield* ledger.Add({ by: 1 })
            yield* ledger.DieUnasked()
            assert.strictEqual(yield* ledger.Add({ by: 1 }), 2)
          })
      )

      promise("a server that ends in order is there again for the next message", (ledger) =>
        Effect.gen(function*() {
          yield* ledger.Add({ by: 41 })
          assert.strictEqual(yield* ledger.Leave(), 41)
          assert.strictEqual(yield* ledger.Add({ by: 1 }), 42)
        }))
    })

    describe("timeouts", () => {
      promise("a message that was not begun is withdrawn", (ledger) =>
        Effect.gen(function*() {
          const slow = yield* now(ledger.Slow({ millis: 150 }))
          const { reason } = yield* refused(ledger.Add({ by: 10 }, { timeout: 30 }))
          assert.deepStrictEqual(reason._tag === "Timeout" && [reason.begun, reason.waitsFor], [false, "turn"])
          yield* Fiber.join(slow)
          assert.strictEqual(yield* ledger.Total(), 1)
        }))

      promise("one that was begun is handled to its end", (ledger) =>
        Effect.gen(function*() {
          yield* ledger.Total()
          const { reason } = yield* refused(ledger.Slow({ millis: 100 }, { timeout: 30 }))
          assert.deepStrictEqual(reason._tag === "Timeout" && [reason.begun, reason.waitsFor], [true, "handler"])
          assert.strictEqual(yield* ledger.Total(), 1)
        }))

      promise("a caller that is interrupted takes back what was not begun", (ledger) =>
        Effect.gen(function*() {
          yield* ledger.Total()
          const slow = yield* now(ledger.Slow({ millis: 100 }))
          const waiting = yield* now(ledger.Add({ by: 10 }))
          yield* Effect.sleep(20)
          yield* Fiber.interrupt(waiting)
          yield* Fiber.join(slow)
          assert.strictEqual(yield* ledger.Total(), 1)
        }))
    })

    describe("idempotency keys", () => {
      promise("a call that is made again is answered again, and not handled again", (ledger) =>
        Effect.gen(function*() {
          const add = ledger.Add({ by: 5 }, { idempotencyKey: "one" })
          assert.deepStrictEqual([yield* add, yield* add, yield* ledger.Total()], [5, 5, 5])
          assert.deepStrictEqual(yield* Effect.all([add, add, add], { concurrency: "unbounded" }), [5, 5, 5])
          assert.strictEqual(yield* word(ledger.Add({ by: 6 }, { idempotencyKey: "one" })), "KeyReused")
        }))

      promise("a typed failure is answered again, a crash is not", (ledger) =>
        Effect.gen(function*() {
          const withdraw = ledger.Withdraw({ amount: 1, style: "plain" }, { idempotencyKey: "short" })
          assert.instanceOf(yield* Effect.flip(withdraw), Short)
          yield* ledger.Add({ by: 10 })
          assert.instanceOf(yield* Effect.flip(withdraw), Short)
          const die = ledger.Die({ style: "plain" }, { idempotencyKey: "die" })
          assert.deepStrictEqual([yield* word(die), yield* word(die)], ["Crashed", "Crashed"])
          assert.strictEqual((yield* ledger.Where()).incarnation, 3)
        }))

      promise("an answer outlives a crash", (ledger) =>
        Effect.gen(function*() {
          const add = ledger.Add({ by: 5 }, { idempotencyKey: "kept" })
          yield* add
          yield* Effect.flip(ledger.Die({ style: "effectful" }))
          assert.deepStrictEqual([yield* add, yield* ledger.Total()], [5, 5])
        }))

      promise("one that is none is refused", (ledger) =>
        Effect.gen(function*() {
          assert.strictEqual(yield* word(ledger.Add({ by: 1 }, { idempotencyKey: "" })), "InvalidIdempotencyKey")
          assert.strictEqual(yield* ledger.Total(), 0)
        }))
    })
  })
}
