/** States that take long to be read: many servers start at once, and the event loop has its turns all the same. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Exit, Fiber, Layer, Schema } from "effect"
import { DynamicSupervisor, GenServer, StateContainer, StateSchema, Supervisor } from "../../../../src/index.ts"
import { paceIn } from "../../../../src/layers/state/durable/Paced.ts"
import { now } from "../../../kit/Fibers.ts"
import { layer as storeLayer, Scripted, Store } from "../../../kit/Scripted.ts"

const servers = 20
const versions = 10

/** What a piece of work takes, by the clock that turns are measured with. */
const piece = 11_000_000n

let time = 0n
const log: Array<"piece" | "turn"> = []
const work = <A>(value: A): A => {
  time += piece
  log.push("piece")
  return value
}

const State = Schema.Struct({ n: Schema.Int, text: Schema.String })
let migrated = StateSchema.make(State)
for (let version = 2; version <= versions; version++) {
  migrated = migrated.next(State, ({ n, text }) => work({ n: n + 1, text }))
}

/** A state whose reading is one piece by itself. */
const slow = State.check(Schema.makeFilter(() => work(true)))

const reading = (state: StateSchema.StateSchema<typeof State> | typeof slow, text: string) => {
  class Page
    extends GenServer.Service<Page>()("test/Page", { state, messages: { Get: GenServer.call({ reply: Schema.Int }) } })
  {}
  class Pages extends DynamicSupervisor.Service<Pages>()("test/Pages") {}
  const script = new Scripted()
  const app = Supervisor.layer({ strategy: "one_for_one" }, [
    StateContainer.layerStore(Page, { store: Store }),
    Pages.layer(),
    Layer.provide(
      Page.layerKeyed({ init: { n: 0, text: "" }, handlers: { Get: (state) => [state.n, state] } }),
      Pages.asSupervisor
    )
  ]).pipe(Layer.provide(storeLayer(script)))
  const keys = Array.from({ length: servers }, (_, index) => String(index))
  const written = Effect.gen(function*() {
    const epoch = yield* script.memory.acquireEpoch("test")
    for (const key of keys) {
      const record = { key: `test/Page/${key}`, epoch, seq: 1, version: 1, trusted: 0, at: 0 }
      yield* script.memory.save([{ ...record, state: JSON.stringify({ n: 0, text }) }])
    }
  })
  const read = Effect.gen(function*() {
    time = 0n
    log.length = 0
    let isOver = false
    const turn = () => {
      log.push("turn")
      if (!isOver) setImmediate(turn)
    }
    setImmediate(turn)
    const reads = yield* Effect.forEach(keys, (key) => now(Effect.flatMap(Page.at(key), (page) => page.Get())))
    const numbers = yield* Fiber.joinAll(reads)
    isOver = true
    return numbers
  }).pipe(Effect.provide(app))
  return Effect.andThen(written, read).pipe(Effect.updateService(Clock.Clock, measured))
}

/** A clock whose instants are those of the work that was done. */
const measured = (clock: Clock.Clock): Clock.Clock =>
  Object.assign(Object.create(clock) as Clock.Clock, { monotonicTimeNanosUnsafe: () => time })

/** The most pieces that were taken in one turn of the event loop. */
const longest = () => Math.max(...log.join(" ").split("turn").map((turn) => turn.split("piece").length - 1))

describe("states that take long to be read give way to the event loop", () => {
  it.live("between the migrations of one, and between those of many", () =>
    Effect.gen(function*() {
      const numbers = yield* reading(migrated, "")
      assert.deepStrictEqual(numbers, Array.from({ length: servers }, () => versions - 1))
      assert.lengthOf(log.filter((one) => one === "piece"), servers * (versions - 1))
      assert.strictEqual(longest(), 1)
    }))

  it.live("also without a migration, when their text is long", () =>
    Effect.gen(function*() {
      yield* reading(slow, "x".repeat(20_000))
      assert.isAtLeast(log.filter((one) => one === "piece").length, servers)
      assert.strictEqual(longest(), 1)
    }))

  it.live("a short text that needs no migration is read at once", () =>
    Effect.gen(function*() {
      yield* reading(slow, "")
      assert.strictEqual(longest(), servers)
    }))

  it.live("one that was given up is not gone on with; one that dies is a defect of its reader", () =>
    Effect.gen(function*() {
      const steps = function*(dies = false) {
        for (let i = 0; i < 5; i++) {
          work(i)
          if (dies && i === 3) throw new Error("boom")
          yield
        }
        return "read"
      }
      const pace = Effect.map(Effect.context<never>(), paceIn)
      const turn = Effect.callback<void>((resume) => void setImmediate(() => resume(Effect.void)))
      log.length = 0
      assert.strictEqual(yield* Effect.flatMap(pace, (paced) => paced(steps())), "read")
      assert.lengthOf(log, 5)
      log.length = 0
      const fiber = yield* now(Effect.flatMap(pace, (paced) => paced(steps())))
      yield* Fiber.interrupt(fiber)
      const made = log.length
      assert.isBelow(made, 5)
      for (let i = 0; i < 10; i++) yield* turn
      assert.lengthOf(log, made)
      const died = yield* Effect.exit(Effect.flatMap(pace, (paced) => paced(steps(true))))
      assert.deepStrictEqual(died, Exit.die(new Error("boom")))
      const once = function*() {
        return "at once"
      }
      assert.strictEqual(yield* Effect.flatMap(pace, (paced) => paced(once())), "at once")
    }).pipe(Effect.updateService(Clock.Clock, measured)))
})
