/**
 * The engine against the table of a server's phases: what random programs do to a server, no step is seen that the
 * table of `domain/server/Phase` does not have.
 *
 * The phase is watched from outside, by an accessor in the place of the field: the engine has no hook for it.
 *
 * `MODEL_RUNS=1000` does more of them; a failing program is printed with the seed that repeats it.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule, Schema } from "effect"
import { TestClock } from "effect/testing"
import * as Phase from "../../src/domain/server/Phase.ts"
import { GenServer, Process, StateContainer, Supervisor } from "../../src/index.ts"
import { serverOf } from "../../src/layers/server/class/ServerRef.ts"
import { AnyProgram, program, run } from "../kit/AnyProgram.ts"
import { now } from "../kit/Fibers.ts"
import { quiet } from "../kit/Log.ts"

const names: Record<Phase.Phase, string> = {
  [Phase.Idle]: "idle",
  [Phase.Busy]: "busy",
  [Phase.Pending]: "pending",
  [Phase.Starting]: "starting",
  [Phase.Restoring]: "restoring",
  [Phase.Initialising]: "initialising",
  [Phase.Ending]: "ending",
  [Phase.Restarting]: "restarting",
  [Phase.Parked]: "parked",
  [Phase.Stopped]: "stopped"
}

/** The steps that a program takes, and those that the table does not have. */
class Walk {
  readonly steps: Array<string> = []
  readonly strange: Array<string> = []

  /** Puts an accessor in the place of the field. */
  readonly watch = (server: { phase: Phase.Phase }): void => {
    let phase = server.phase
    Object.defineProperty(server, "phase", {
      get: () => phase,
      set: (next: Phase.Phase) => {
        const step = `${names[phase]} -> ${names[next]}`
        if (next !== phase) this.steps.push(step)
        if (next !== phase && !Phase.mayFollow[phase].includes(next)) this.strange.push(step)
        phase = next
      }
    })
  }

  readonly check = (): void => assert.deepStrictEqual(this.strange, [], this.steps.join(", "))
}

const walked = (program: AnyProgram) => {
  const walk = new Walk()
  return Effect.as(Effect.scoped(run(program, walk.watch, walk.check)), walk)
}

const restart = { what: "supervise", supervise: "restart" } as const
const terminate = { what: "supervise", supervise: "terminate" } as const
const die = { what: "Call", how: "die" } as const

/** What random programs seldom do. */
const programs: ReadonlyArray<AnyProgram> = [
  program({}, { what: "Call" }, { what: "Call", how: "hibernate" }, { what: "Call", how: "await idleness" }, {
    what: "order"
  }),
  program({}, { what: "Call", how: "be idle at once" }, {}, die),
  program({}, { what: "Call", how: "later" }, { what: "Call", how: "hibernate" }, {}),
  program({ over: "store" }, { what: "Call", how: "later" }, { what: "Call", how: "hibernate" }, {}),
  // A handler that does not end is left behind.
  program({ isOpen: false }, { what: "Call", how: "be deaf" }, terminate, { millis: 1000 }, restart),
  program({ restarts: 1 }, die, die, { what: "supervise", supervise: "resume" }),
  program({ restarts: 1 }, die, die, terminate),
  program({ restores: true }, { what: "Call" }, die, { what: "boot", boot: "with a timeout" }, die),
  program({ restores: true }, { what: "Call" }, { what: "boot", boot: "die" }, die),
  program({}, { what: "boot", boot: "with a timeout" }, { what: "order" }),
  program({}, { what: "boot", boot: "die" }, { what: "order" }),
  // Ended while it makes a behaviour.
  program({ isMade: true, isOpen: false }, { what: "boot", boot: "wait" }, { what: "order" }, {}, { what: "order" }, {
    what: "open"
  }),
  // Starts from what is conserved, and has no callback for that.
  program({}, { what: "Call" }, die)
]

const parts = { state: Schema.Int, messages: { Crash: GenServer.call() } } as const
class Ground extends GenServer.Service<Ground>()("test/Ground", parts) {}
class House extends GenServer.Service<House>()("test/House", parts) {}
class Street extends Supervisor.Service<Street>()("test/Street") {}

const behavior = { init: 0, handlers: { Crash: () => Effect.die("boom") } }

const street = Street.layer({ strategy: "rest_for_one", restart: Schedule.spaced("1 hour") }, [
  StateContainer.layerMemory(Ground),
  StateContainer.layerMemory(House),
  Ground.layer(behavior),
  House.layer(behavior)
])

/**
 * A server is left down, since the one that it stands on was stopped while both waited for their restart; both come
 * back.
 */
const stranded = Effect.gen(function*() {
  const [ground, house, top, walk] = [yield* Ground, yield* House, yield* Street, new Walk()]
  walk.watch(serverOf(house)!)
  yield* now(Effect.exit(ground.Crash()))
  yield* top.terminateChild("test/Ground")
  assert.strictEqual(yield* Process.status(house), "stopped")
  yield* top.restartChild("test/Ground")
  yield* TestClock.adjust("1 hour")
  assert.strictEqual(yield* Process.status(house), "running")
  return walk
}).pipe(Effect.provide(street), quiet)

/** A server that is idle is watched from outside, and takes the long way from then on. */
const watched = Effect.gen(function*() {
  const [ground, walk] = [serverOf(yield* Ground)!, new Walk()]
  walk.watch(ground)
  ground.observe((debug) => debug.logLast(1))
  return walk
}).pipe(Effect.provide(street), quiet)

describe("the phases of a server", () => {
  it.effect.prop(
    "whatever a program does, each step is in the table",
    [AnyProgram],
    ([program]) => walked(program),
    { arbitrary: { runs: Number(globalThis.process.env["MODEL_RUNS"] ?? 100) } }
  )

  it.effect("each step of the table is one that a server takes", () =>
    Effect.gen(function*() {
      const walks = [...(yield* Effect.forEach(programs, walked)), yield* stranded, yield* watched]
      for (const walk of walks) walk.check()
      const taken = new Set(walks.flatMap(({ steps }) => steps))
      const table = Object.entries(Phase.mayFollow).flatMap(([from, next]) =>
        next.map((to) => `${names[Number(from) as Phase.Phase]} -> ${names[to]}`)
      )
      assert.deepStrictEqual(table.filter((step) => !taken.has(step)), [])
    }))
})
