/** Servers that die of values which do harm when they are looked at: the engine goes its way all the same. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Schema } from "effect"
import { reportLength } from "../../../../src/domain/text/ForeignCause.ts"
import { GenServer, Process, StateContainer, Supervisor } from "../../../../src/index.ts"
import { Harness } from "../../../../src/testing.ts"
import { styles } from "../../../kit/Cell.ts"
import { errorOf } from "../../../kit/Failures.ts"
import { harmful } from "../../../kit/Hostile.ts"
import { often } from "../../../kit/Restarts.ts"
import { written } from "../../../kit/Written.ts"

class Frail extends GenServer.Service<Frail>()("test/Frail", {
  state: Schema.Int,
  messages: {
    Set: GenServer.call({ payload: { to: Schema.Int }, reply: Schema.Int }),
    Die: GenServer.call(),
    DieUnasked: GenServer.cast(),
    Get: GenServer.call({ reply: Schema.Int })
  }
}) {}

type Style = typeof styles[number]

/** Fails in the manner of a style. */
const dying = (style: Style, value: () => unknown) => (): Effect.Effect<never> => {
  if (style === "a plain handler") throw value()
  const die = Effect.suspend(() => Effect.die(value()))
  return style === "an effectful handler" ? die : Effect.andThen(Effect.yieldNow, die)
}

interface Faults {
  init?: (() => number | Effect.Effect<number>) | undefined
  restore?: ((state: number) => number | Effect.Effect<number>) | undefined
  terminate?: (() => Effect.Effect<void> | void) | undefined
}

const tree = (style: Style, value: () => unknown, faults: Faults = {}) => {
  const log = written()
  const server = Frail.layer({
    init: Effect.suspend(() => {
      const first = faults.init?.() ?? 0
      return Effect.isEffect(first) ? first : Effect.succeed(first)
    }),
    restore: (state) => faults.restore?.(state) ?? state,
    terminate: () => faults.terminate?.(),
    handlers: {
      Set: (_state, { to }) => [to, to],
      Die: dying(style, value),
      DieUnasked: dying(style, value),
      Get: (state) => [state, state]
    }
  })
  const app = Supervisor.layer({ id: "root", strategy: "one_for_one", restart: often }, [
    StateContainer.layerMemory(Frail),
    server
  ]).pipe(Layer.provideMerge(Harness.Harness.layer), Layer.provide(log.layer))
  return { app, log }
}

/** Each entry is there, names the server, and is within some times the length of a report. */
const reported = (lines: ReadonlyArray<string>, count: number): void => {
  assert.lengthOf(lines, 3 * count)
  for (const line of lines) {
    assert.include(line, "root > test/Frail #")
    assert.isAtMost(line.length, 4 * reportLength)
  }
}

describe.each(harmful)("a server that dies of %s", (_, value) => {
  it.effect.each(styles)(
    "in %s: its caller is answered, it is restarted with its state, and that is reported",
    (style) => {
      const { app, log } = tree(style, value)
      return Effect.gen(function*() {
        const frail = yield* Frail
        yield* frail.Set({ to: 7 })
        const error = errorOf(yield* Effect.exit(frail.Die()))
        assert.instanceOf(error, GenServer.CallError)
        assert.strictEqual(error.reason._tag, "Crashed")
        assert.isBelow(error.message.length, 3000)
        assert.include(error.message, "Die to root > test/Frail: the server crashed: ")
        assert.strictEqual(yield* frail.Get(), 7)
        yield* frail.DieUnasked()
        assert.strictEqual(yield* frail.Get(), 7)
        assert.strictEqual(yield* Process.incarnation(frail), 3)
        reported(log.lines, 2)
      }).pipe(Effect.provide(app))
    }
  )

  it.effect.each(styles)("when it is initialised, in %s: it is tried again, and callers wait", (style) => {
    let starts = 0
    const dies = dying(style, value)
    const { app, log } = tree(style, value, {
      init: () => ++starts === 1 || starts === 4 ? 0 : dies()
    })
    return Effect.gen(function*() {
      const frail = yield* Frail
      yield* Process.kill(frail)
      assert.strictEqual(yield* frail.Get(), 0)
      assert.strictEqual(yield* Process.incarnation(frail), 4)
      reported(log.lines, 3)
    }).pipe(Effect.provide(app))
  })

  it.effect.each(styles)("when it is restored, in %s: the state before is gone back to", (style) => {
    const dies = dying(style, value)
    const { app, log } = tree(style, value, { restore: (state) => state === 8 ? dies() : state })
    return Effect.gen(function*() {
      const frail = yield* Frail
      const harness = yield* Harness.Harness
      yield* frail.Set({ to: 7 })
      yield* frail.Set({ to: 8 })
      yield* Process.kill(frail)
      assert.strictEqual(yield* frail.Get(), 7)
      yield* harness.awaitTag("StateRolledBack", frail)
      reported(log.lines, 3)
    }).pipe(Effect.provide(app))
  })

  it.effect.each(styles)("when it cleans up, in %s: it ends, and that is reported", (style) => {
    const dies = dying(style, value)
    const { app, log } = tree(style, value, { terminate: dies })
    return Effect.gen(function*() {
      const frail = yield* Frail
      yield* frail.Set({ to: 7 })
      assert.include(String(yield* Effect.exit(GenServer.stop(frail))), "was to end normal, and ended crashed")
      assert.strictEqual(yield* frail.Get(), 7)
      reported(log.lines, 1)
    }).pipe(Effect.provide(app))
  })

  it.effect.each(styles)("when it first starts, in %s: the app does not start, and dies of that value", (style) => {
    const { app } = tree(style, value, { init: dying(style, value) })
    return Effect.gen(function*() {
      const exit = yield* Effect.exit(Effect.provide(Effect.asVoid(Frail), app))
      assert(Exit.isFailure(exit))
      assert.strictEqual(exit.cause.reasons[0]!._tag, "Die")
    })
  })
})
