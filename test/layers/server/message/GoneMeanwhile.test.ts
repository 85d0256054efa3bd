/** What is left of callers who gave up while their server could not hear them: nothing, in any phase of its life. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schedule, Schema } from "effect"
import { TestClock } from "effect/testing"
import { GenServer, Next, StateContainer, Supervisor, Sys } from "../../../../src/index.ts"
import { now } from "../../../kit/Fibers.ts"
import { many, reachable } from "../../../kit/Garbage.ts"
import { quiet } from "../../../kit/Log.ts"
import { layer as storeLayer, Scripted, Store } from "../../../kit/Scripted.ts"

/** A few may stay until it is their turn. */
const few = 70

class Desk extends GenServer.Service<Desk>()("test/Desk", {
  state: Schema.Int,
  messages: {
    Ask: GenServer.call({ payload: { n: Schema.Int }, reply: Schema.Int, timeout: "1 second" }),
    Crash: GenServer.call({ timeout: "infinity" }),
    Hibernate: GenServer.call()
  }
}) {}

/** What holds a desk up, until it is let go. */
class Held {
  readonly script = new Scripted()
  isHeld = false
  /** Looks once a virtual minute, so that it holds nothing of what waits beside it. */
  readonly wait = Effect.repeat(Effect.suspend(() => Effect.succeed(this.isHeld)), {
    while: (isHeld) => isHeld,
    schedule: Schedule.spaced("1 minute")
  }).pipe(Effect.asVoid)
}

const desk = (held: Held) =>
  Desk.layer({
    init: 0,
    restore: (n) => Effect.as(held.wait, n),
    handlers: {
      Ask: (_, { n }) => [n, n],
      Crash: () => Effect.die("boom"),
      Hibernate: (n) => Next.reply(undefined, n, { hibernate: true })
    },
    terminate: () => held.wait
  }, { shutdown: "infinity" })

const tree = (held: Held, restart: Schedule.Schedule<unknown>) => {
  held.script.before = (operation) => operation === "load" ? held.wait : Effect.void
  return Supervisor.layer({ id: "root", strategy: "one_for_one", restart }, [
    StateContainer.layerStore(Desk, { store: Store }),
    desk(held)
  ]).pipe(Layer.provide(storeLayer(held.script)))
}

type Own = typeof Desk.Service

const crash = (own: Own) => now(Effect.exit(own.Crash()))

/** How a server comes to where it hears no call; `resume` has it hear them again, where an end of the hold does not. */
const phases: Record<string, {
  readonly enter: (own: Own) => Effect.Effect<unknown, unknown>
  readonly resume?: (own: Own) => Effect.Effect<unknown, unknown>
  readonly holds?: boolean
  readonly restart?: Schedule.Schedule<unknown>
}> = {
  "is suspended": { enter: Sys.suspend, resume: Sys.resume },
  "waits for its restart": { enter: crash, restart: Schedule.spaced("1 hour") },
  "is restored": { enter: crash, holds: true },
  "loads its state after a rest": { enter: (own) => Effect.andThen(own.Hibernate(), crash(own)), holds: true },
  "cleans up": { enter: (own) => now(GenServer.stop(own)), holds: true }
}

describe(`${many} callers that have timed out`, () => {
  for (const [phase, { enter, holds = false, restart = Schedule.spaced(0), resume }] of Object.entries(phases)) {
    it.effect(`leave nothing on a server that ${phase}`, () => {
      const held = new Held()
      return Effect.gen(function*() {
        const own = yield* Desk
        yield* own.Ask({ n: 1 })
        held.isHeld = holds
        yield* enter(own)
        yield* TestClock.adjust(0)
        const payloads: Array<WeakRef<object>> = []
        const ask = Effect.suspend(() => {
          const payload = { n: 2 }
          payloads.push(new WeakRef(payload))
          return Effect.exit(own.Ask(payload))
        })
        yield* Effect.forEach(Array.from({ length: many }), () => now(ask))
        assert.strictEqual(yield* reachable(payloads), many)
        yield* TestClock.adjust("1 second")
        assert.isAtMost(yield* reachable(payloads, few), few)
        // The server itself goes on as it was: none of what was given up is handled.
        held.isHeld = false
        if (resume !== undefined) yield* resume(own)
        yield* TestClock.adjust("2 hours")
        if (phase !== "cleans up") assert.strictEqual(yield* Sys.getState(own), 1)
      }).pipe(Effect.provide(tree(held, restart)), quiet)
    })
  }
})
