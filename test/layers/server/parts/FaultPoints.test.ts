import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Layer, Option, Schema } from "effect"
import { GenServer, Process, StateContainer, Supervisor } from "../../../../src/index.ts"
import { Fault, FaultPoints, Harness } from "../../../../src/testing.ts"
import { type Style, styles } from "../../../kit/Cell.ts"

class Num extends GenServer.Service<Num>()("test/Num", {
  state: Schema.Int,
  messages: {
    Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }),
    Bump: GenServer.cast(),
    Get: GenServer.call({ reply: Schema.Int })
  }
}) {}

/** Handlers that write down that they were called. */
const numOf = (style: Style, called: Array<string>) =>
  Num.layer({
    init: 0,
    handlers: {
      Add: (n, { by }) => {
        called.push("Add")
        const next = [n + by, n + by] as const
        return style === "a plain handler"
          ? next
          : style === "an effectful handler"
          ? Effect.sync(() => next)
          : Effect.as(Effect.yieldNow, next)
      },
      Bump: (n) => {
        called.push("Bump")
        return n + 1
      },
      Get: (n) => [n, n]
    }
  })

const app = (style: Style, called: Array<string>, faults: Fault.FaultPoints) =>
  Supervisor.layer({ id: "root", strategy: "one_for_one" }, [StateContainer.layerMemory(Num), numOf(style, called)])
    .pipe(
      Layer.provideMerge(Harness.Harness.layer),
      Layer.provide(Layer.succeed(FaultPoints.FaultPoints, faults))
    )

/** Strikes once, at the second message of that kind. */
const once = (at: Fault.Point, fault: Fault.Fault, message = "Add"): Fault.FaultPoints => {
  let seen = 0
  return (point, target) => point === at && target.message === message && ++seen === 2 ? fault : undefined
}

const faults: ReadonlyArray<Fault.Fault> = [{ _tag: "Defect", defect: new Error("injected") }, { _tag: "Interrupt" }, {
  _tag: "Kill"
}]

describe("a fault that is injected", () => {
  for (const point of Fault.points) {
    for (const fault of faults) {
      for (const style of styles) {
        it.effect(`${point}, ${fault._tag}, ${style}: strikes there, and nothing acknowledged is lost`, () => {
          const called: Array<string> = []
          return Effect.gen(function*() {
            const harness = yield* Harness.Harness
            const num = yield* Num
            assert.strictEqual(yield* num.Add({ by: 40 }), 40)
            const exit = yield* Effect.exit(num.Add({ by: 2 }))
            const error = exit._tag === "Failure" ? Option.getOrUndefined(Cause.findErrorOption(exit.cause)) : undefined
            assert.isTrue(error instanceof GenServer.CallError && error.reason._tag === "Crashed")
            assert.deepStrictEqual(called, point === "beforeHandler" ? ["Add"] : ["Add", "Add"])
            // Committed and not answered: the caller cannot know, and has to ask.
            assert.strictEqual(yield* num.Get(), point === "afterCommit" ? 42 : 40)
            assert.strictEqual(yield* Process.incarnation(num), 2)
            const { reason } = yield* harness.awaitTag("Exited", num)
            assert.strictEqual(reason._tag, fault._tag === "Kill" ? "Killed" : "Crashed")
          }).pipe(Effect.provide(app(style, called, once(point, fault))))
        })
      }
    }
  }

  for (const fault of faults) {
    for (const style of styles) {
      it.effect(`afterReply, ${fault._tag}, ${style}: the answer stands, and the next incarnation goes on from it`, () => {
        const called: Array<string> = []
        return Effect.gen(function*() {
          const harness = yield* Harness.Harness
          const num = yield* Num
          assert.strictEqual(yield* num.Add({ by: 40 }), 40)
          assert.strictEqual(yield* num.Add({ by: 2 }), 42)
          yield* harness.awaitIncarnation(num, 2)
          assert.strictEqual(yield* num.Get(), 42)
          const { reason } = yield* harness.awaitTag("Exited", num)
          assert.strictEqual(reason._tag, fault._tag === "Kill" ? "Killed" : "Crashed")
          assert.deepStrictEqual(called, ["Add", "Add"])
        }).pipe(Effect.provide(app(style, called, once("afterReply", fault))))
      })
    }
  }

  it.effect("after a reply it ends the incarnation that gave it, and no later one", () => {
    const called: Array<string> = []
    return Effect.gen(function*() {
      const num = yield* Num
      yield* num.Add({ by: 1 })
      // Its caller kills it at once, on the stack of the reply: what strikes then finds another incarnation.
      yield* Effect.andThen(num.Add({ by: 1 }), Process.kill(num))
      assert.strictEqual(yield* num.Get(), 2)
      assert.strictEqual(yield* Process.incarnation(num), 2)
    }).pipe(Effect.provide(app("a handler that waits", called, once("afterReply", faults[0]!))))
  })

  it.effect("may strike a cast, which leaves what is queued behind it alone", () => {
    const called: Array<string> = []
    return Effect.gen(function*() {
      const num = yield* Num
      yield* num.Bump()
      yield* num.Bump()
      yield* num.Bump()
      assert.strictEqual(yield* num.Get(), 2)
    }).pipe(Effect.provide(app("a plain handler", called, once("afterHandler", faults[0]!, "Bump"))))
  })

  it.effect("gets the target that it strikes", () => {
    const targets: Array<string> = []
    const faults: Fault.FaultPoints = (point, { incarnation, message, server }) => {
      targets.push(`${point} ${server} #${incarnation} ${message}`)
      return undefined
    }
    return Effect.gen(function*() {
      const num = yield* Num
      yield* num.Add({ by: 1 })
      assert.deepStrictEqual(targets, Fault.messagePoints.map((point) => `${point} root > test/Num #1 Add`))
    }).pipe(Effect.provide(app("a plain handler", [], faults)))
  })
})
