/**
 * Real outages between a server and its store: a database that is restarted, a disk that is full, two owners at once.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Layer, References, Schedule, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { join } from "node:path"
import { type ExitReason, GenServer, Process, StateContainer, StateStore, Supervisor } from "../../src/index.ts"
import * as SqliteClient from "../../src/layers/state/SqliteClient.ts"
import * as StateStoreSql from "../../src/layers/state/StateStoreSql.ts"
import { bundle } from "../kit/Bundle.ts"
import { type Running, start as startProcess } from "../kit/durable/Processes.ts"
import { folder } from "../kit/Folder.ts"
import { usePostgres } from "../kit/stores/UsePostgres.ts"

class Store extends StateStore.Service<Store>()("test/Store", "process") {}

class Book extends GenServer.Service<Book>()("test/Book", {
  state: Schema.Struct({ pages: Schema.Int, text: Schema.String }),
  messages: {
    Write: GenServer.call({ payload: { text: Schema.String }, reply: Schema.Int, timeout: "infinity" }),
    Pages: GenServer.call({ reply: Schema.Int })
  }
}) {}

const tree = (
  retry?: Schedule.Schedule<unknown, StateStore.StoreError>,
  restart?: Schedule.Schedule<unknown, ExitReason.ExitReason>
) =>
  Supervisor.layer({ strategy: "one_for_one", restart }, [
    StateContainer.layerStore(Book, { store: Store, retry }),
    Book.layer({
      init: { pages: 0, text: "" },
      handlers: {
        Write: ({ pages }, { text }) => [pages + 1, { pages: pages + 1, text }],
        Pages: (state) => [state.pages, state]
      }
    })
  ])

/** Crash reports are expected here. */
const quietly = Effect.provideService(References.MinimumLogLevel, "None")

const storeReason = (exit: Exit.Exit<unknown, unknown>) => {
  const error = Exit.findErrorOption(exit)
  if (error._tag === "None" || !(error.value instanceof GenServer.CallError)) return undefined
  const { reason } = error.value
  const cause = reason._tag === "NotConserved" ? Cause.squash(reason.cause) : undefined
  return cause instanceof StateStore.StoreError ? cause.reason._tag : reason._tag
}

describe("PostgreSQL, restarted in the middle", () => {
  const postgres = usePostgres()

  it.live(
    "answers wait for it and then are given; when patience is over they fail, typed, and all goes on from what is stored",
    () =>
      Effect.gen(function*() {
        const { client, start, stop } = postgres()
        const store = StateStoreSql.layer(Store).pipe(Layer.provide(client))
        yield* Effect.gen(function*() {
          const book = yield* Book
          assert.strictEqual(yield* book.Write({ text: "one" }), 1)
          yield* stop
          const waiting = yield* Effect.forkChild(
            Effect.all([book.Write({ text: "two" }), book.Write({ text: "three" })], { concurrency: 2 }),
            { startImmediately: true }
          )
          yield* start
          assert.deepStrictEqual(yield* Fiber.join(waiting), [2, 3])
          assert.strictEqual(yield* Process.incarnation(book), 1)
        }).pipe(Effect.provide(tree().pipe(Layer.provide(store))))

        const impatient = Schedule.max([Schedule.spaced("20 millis"), Schedule.recurs(3)])
        yield* Effect.gen(function*() {
          const book = yield* Book
          yield* stop
          assert.strictEqual(storeReason(yield* Effect.exit(book.Write({ text: "four" }))), "Unavailable")
          yield* start
          const again = yield* Effect.retry(book.Write({ text: "four" }), {
            schedule: Schedule.spaced("50 millis"),
            times: 100
          })
          assert.strictEqual(again, 4)
        }).pipe(
          Effect.provide(tree(impatient, Schedule.spaced("100 millis")).pipe(Layer.provide(store)))
        )
      }).pipe(quietly)
  )
})

describe("a database that is full", () => {
  it.live("answers fail, typed, when patience is over; the server goes on when there is room again", () =>
    Effect.gen(function*() {
      const filename = join(yield* folder, "full.db")
      const client = SqliteClient.layer({ filename })
      const store = StateStoreSql.layer(Store).pipe(Layer.provideMerge(client))
      const patience = Schedule.max([Schedule.spaced("5 millis"), Schedule.recurs(2)])
      yield* Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const book = yield* Book
        assert.strictEqual(yield* book.Write({ text: "small" }), 1)
        yield* sql.unsafe("PRAGMA max_page_count = 40")
        assert.strictEqual(storeReason(yield* Effect.exit(book.Write({ text: "x".repeat(1_000_000) }))), "Full")
        assert.strictEqual(yield* book.Pages(), 1)
        // a state that fits is stored all the same
        assert.strictEqual(yield* book.Write({ text: "small again" }), 2)
        yield* sql.unsafe("PRAGMA max_page_count = 4000000")
        assert.strictEqual(yield* book.Write({ text: "x".repeat(1_000_000) }), 3)
      }).pipe(Effect.provide(tree(patience).pipe(Layer.provideMerge(store))))
    }).pipe(quietly))
})

describe("two processes on one store", () => {
  const numbers = (running: Running, word: string) =>
    new Map(
      running.lines.filter((line) => line.startsWith(word)).map((line) => {
        const [, key = "", number] = line.split(" ")
        return [key, Number(number)] as const
      })
    )

  for (const kind of ["sqlite", "file"] as const) {
    it.live(
      `the younger one goes on from all that the older one acknowledged, which ends with an error (${kind})`,
      () =>
        Effect.gen(function*() {
          const program = bundle("test/kit/durable/Journal.ts")
          const place = `${kind}:${join(yield* folder, "states")}`
          const older = yield* startProcess(program, [place, "commit", "3", "a", "b"])
          yield* older.printed("ack ", 50)
          const younger = yield* startProcess(program, [place, "commit", "3", "a", "b"])
          yield* younger.printed("ready")
          assert.strictEqual(yield* older.ended, 1)
          assert.match(older.errors(), /a younger session has taken over/)
          yield* younger.printed("ack ", 50)
          yield* younger.kill
          const [acknowledged, found] = [numbers(older, "ack "), numbers(younger, "at ")]
          for (const key of ["a", "b"]) assert.isAtLeast(found.get(key)!, acknowledged.get(key)!)
        })
    )
  }
})
