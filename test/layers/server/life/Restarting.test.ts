/** Between two incarnations, and after the last: what senders and callers hear, and when. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { TestClock } from "effect/testing"
import { Process, Restart } from "../../../../src/index.ts"
import { Cell, gates, Top, tree } from "../../../kit/Cell.ts"
import { errorOf } from "../../../kit/Failures.ts"
import { now, turns } from "../../../kit/Fibers.ts"
import { never } from "../../../kit/Restarts.ts"

const slowly = Restart.backoff({ base: "1 minute", cap: "1 minute", jitter: 0 })

describe("a server that waits for its restart", () => {
  for (const span of ["without a span", "in a span"]) {
    it.effect(`keeps the casts that it is sent ${span}`, () =>
      Effect.gen(function*() {
        const cell = yield* Cell
        yield* Process.kill(cell)
        yield* turns
        assert.strictEqual(yield* Process.status(cell), "restarting")
        const put = cell.Put({ to: 7 })
        yield* span === "in a span" ? Effect.withSpan(put, "sender") : put
        const caller = yield* now(cell.Get({}, { timeout: "infinity" }))
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(yield* Process.incarnation(cell), 2)
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(caller.pollUnsafe(), Exit.succeed(7))
      }).pipe(Effect.provide(tree("a plain handler", gates(), {}, { restart: slowly }))))
  }
})

describe("a server that ends for good", () => {
  const ends = {
    "a kill": (cell: typeof Cell.Service) => Process.kill(cell),
    "an order": () => Effect.flatMap(Top, (top) => top.terminateChild("test/Cell"))
  } satisfies Record<string, (cell: typeof Cell.Service) => Effect.Effect<unknown, unknown, Top>>
  for (const [what, end] of Object.entries(ends)) {
    it.effect(`lets casters go on that waited for room: by ${what}`, () => {
      const own = gates()
      return Effect.gen(function*() {
        const cell = yield* Cell
        yield* own.hold.close
        yield* now(Effect.exit(cell.Hold()))
        yield* cell.Put({ to: 1 })
        const casters = [yield* now(cell.Put({ to: 2 })), yield* now(Effect.withSpan(cell.Put({ to: 3 }), "caller"))]
        yield* turns
        assert.deepStrictEqual(casters.map((caster) => caster.pollUnsafe()), [undefined, undefined])
        const ending: Effect.Effect<unknown, unknown, Top> = end(cell)
        yield* ending
        yield* turns
        assert.deepStrictEqual(casters.map((caster) => caster.pollUnsafe()), [Exit.void, Exit.void])
      }).pipe(Effect.provide(tree("a plain handler", own, { mailbox: { capacity: 1 }, restart: "temporary" })))
    })
  }

  it.effect("a parked one is not said to restart", () =>
    Effect.gen(function*() {
      const cell = yield* Cell
      const reason = errorOf(yield* Effect.exit(cell.Die()))?.reason
      assert.strictEqual(yield* Process.status(cell), "parked")
      assert.isTrue(reason?._tag === "Crashed" && !reason.willRestart)
    }).pipe(Effect.provide(tree("a plain handler", gates(), {}, { restart: never, onGiveUp: "park" }))))
})
