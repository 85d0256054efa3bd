/**
 * What a server survives whose handlers run in a thread, or in a process: the supervisor restarts it with its state.
 */
import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Fiber, Layer, References } from "effect"
import { ExitReason, Process } from "../../../../src/index.ts"
import { Crunch } from "../../../kit/worker/Crunch.ts"
import { crashOf, one, placesLeft, placesThatLive } from "../../../kit/worker/Places.ts"

const quiet = Layer.succeed(References.MinimumLogLevel, "None")

type Client = Crunch["Service"]

interface Fault {
  readonly fault: string
  readonly provoke: (crunch: Client) => Effect.Effect<unknown, unknown>
  /** What the caller hears that its server crashed with. */
  readonly says: string
  readonly places: ReadonlyArray<"thread" | "process">
}

const forever = { timeout: "infinity" } as const

const faults: ReadonlyArray<Fault> = [
  {
    fault: "an error that a handler throws",
    provoke: (crunch) => crunch.Throw(),
    says: "RangeError: thrown in the handler",
    places: ["thread"]
  },
  {
    fault: "an error that is thrown outside a handler",
    provoke: (crunch) => crunch.ThrowLater({ after: 1 }, forever),
    says: "died of an error outside a handler: thrown in a timer",
    places: ["thread"]
  },
  {
    fault: "process.exit",
    provoke: (crunch) => crunch.Exit({ code: 7 }),
    says: "exited with code 7",
    places: ["thread"]
  },
  {
    fault: "an endless loop, where hang says to kill",
    provoke: (crunch) => crunch.Loop({}, forever),
    says: "it was taken for hung",
    places: ["thread", "process"]
  },
  {
    fault: "a native crash",
    provoke: (crunch) => crunch.Native({}, forever),
    says: "was ended by SIGSEGV",
    places: ["process"]
  }
]

const app = (placement: "thread" | "process") => one({ placement, hang: { patience: "200 millis", action: "kill" } })

for (const place of ["thread", "process"] as const) {
  describe(`a server whose handlers run in a ${place}`, () => {
    layer(Layer.provide(app(place), quiet), { excludeTestServices: true })((it) => {
      for (const { fault, places, provoke, says } of faults) {
        if (!places.includes(place)) continue
        it.effect(`survives ${fault}, with its state`, () =>
          Effect.gen(function*() {
            const crunch = yield* Crunch
            const before = yield* crunch.Add({ by: 1 })
            assert.include(crashOf(yield* Effect.exit(provoke(crunch))), says)
            assert.strictEqual(yield* crunch.Add({ by: 1 }), before + 1)
          }))
      }

      it.effect("is really gone when it is killed in an endless loop", () =>
        Effect.gen(function*() {
          const crunch = yield* Crunch
          const before = yield* crunch.Add({ by: 1 })
          const { thread } = yield* crunch.Where()
          const looping = yield* Effect.forkChild(Effect.exit(crunch.Loop({}, forever)), { startImmediately: true })
          yield* Process.exit(crunch, ExitReason.killed)
          assert.include(String(yield* Fiber.join(looping)), "was ended (killed)")
          assert.strictEqual(yield* crunch.Add({ by: 1 }), before + 1)
          if (place === "thread") assert.notStrictEqual((yield* crunch.Where()).thread, thread)
        }))

      it.effect("crashes when its place dies while it is at nothing, and comes back with its state", () =>
        Effect.gen(function*() {
          const crunch = yield* Crunch
          const before = yield* crunch.Add({ by: 1 })
          const { incarnation } = yield* crunch.Where()
          const ended = yield* Effect.forkChild(Process.awaitExit(crunch), { startImmediately: true })
          yield* crunch.Exits({ after: 1 })
          const reason = yield* Fiber.join(ended)
          assert.include(ExitReason.toText(reason), "exited with code 3")
          assert.strictEqual(yield* crunch.Add({ by: 1 }), before + 1)
          assert.strictEqual((yield* crunch.Where()).incarnation, incarnation + 1)
        }))
    })
  })
}

describe("a server whose handlers run in a thread with a limit for its heap", () => {
  const limited = one({ resourceLimits: { maxOldGenerationSizeMb: 32 } })

  it.live("survives a heap that is full, with its state", () =>
    Effect.gen(function*() {
      const crunch = yield* Crunch
      yield* crunch.Add({ by: 1 })
      assert.include(
        crashOf(yield* Effect.exit(crunch.Oom({}, forever))),
        "ran out of memory (ERR_WORKER_OUT_OF_MEMORY"
      )
      assert.strictEqual(yield* crunch.Add({ by: 1 }), 2)
    }).pipe(Effect.provide(limited), Effect.provide(quiet)))

  it.live("is ended with its supervisor in an endless loop, and no thread is left", () =>
    Effect.gen(function*() {
      const first = yield* placesThatLive
      yield* Effect.gen(function*() {
        const crunch = yield* Crunch
        yield* crunch.Add({ by: 1 })
        yield* Effect.forkChild(Effect.exit(crunch.Loop({}, forever)), { startImmediately: true })
        assert.strictEqual((yield* placesThatLive).length, first.length + 1)
      }).pipe(Effect.provide(one({ shutdown: "brutal_kill" })))
      assert.deepStrictEqual(yield* placesLeft(first), first)
    }).pipe(Effect.provide(quiet)))
})
