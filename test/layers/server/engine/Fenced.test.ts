/**
 * A commit that the companion refuses, since another has taken over, on every way to a commit: it ends the incarnation,
 * once.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Option, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Ending } from "../../../../src/domain/server/Phase.ts"
import { GenServer, Next, Process, StateContainer, Supervisor, Sys } from "../../../../src/index.ts"
import { serverOf } from "../../../../src/layers/server/class/ServerRef.ts"
import { Harness } from "../../../../src/testing.ts"
import { now, poll, turns } from "../../../kit/Fibers.ts"
import { quiet } from "../../../kit/Log.ts"

class No extends Schema.TaggedError<No>()("No", {}) {}

class Num extends GenServer.Service<Num>()("test/Num", {
  state: Schema.Int,
  messages: {
    Add: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }),
    Put: GenServer.cast({ payload: { to: Schema.Int } }),
    Refuse: GenServer.call({ error: No }),
    Reply: GenServer.call({ reply: Schema.Int }),
    Stop: GenServer.call({ payload: { reply: Schema.Boolean, state: Schema.Boolean }, reply: Schema.Int }),
    Later: GenServer.call({ reply: Schema.Int }),
    Answer: GenServer.cast()
  }
}) {}

type Numbers = typeof Num.Service

const app = (terminate?: () => Effect.Effect<void>) => {
  let later: GenServer.From<number> | undefined
  return Layer.provideMerge(
    Supervisor.layer({ id: "root", strategy: "one_for_one" }, [
      StateContainer.layerMemory(Num),
      Num.layer({
        init: 0,
        ...(terminate === undefined ? {} : { terminate }),
        handlers: {
          Add: (n, { by }) => [n + by, n + by],
          Put: (_, { to }) => to,
          Refuse: () => Effect.fail(new No()),
          Reply: (n) => Next.reply(7, n + 1000),
          Stop: (n, { reply, state }) =>
            Next.stop("normal", { ...(reply ? { reply: 7 } : {}), ...(state ? { state: n + 1000 } : {}) }),
          Later: (n, _, { from }) => {
            later = from
            return Next.noReply(n)
          },
          // Its own state goes without a commit: what is refused is that of the reply.
          Answer: () => Effect.andThen(GenServer.reply(later!, Exit.succeed(7)), Effect.never)
        }
      })
    ]),
    Harness.Harness.layer
  )
}

const once = { idempotencyKey: "a" }

const ways = {
  "a call": (num) => num.Add({ by: 1000 }),
  "a call with a key": (num) => num.Add({ by: 1000 }, once),
  "a cast": (num) => num.Put({ to: 1041 }),
  "Next.reply": (num) => num.Reply(),
  "Next.stop, with a state": (num) => num.Stop({ reply: false, state: true }),
  "Next.stop, with a reply and a state": (num) => num.Stop({ reply: true, state: true }),
  "Next.stop, with a reply": (num) => num.Stop({ reply: true, state: false }),
  "Next.stop, with a reply that goes on record": (num) => num.Stop({ reply: true, state: false }, once),
  "a typed failure that goes on record": (num) => num.Refuse({}, once),
  "a change from outside": (num) => Sys.replaceState(num, (n) => n + 1000)
} satisfies Record<string, (num: Numbers) => Effect.Effect<unknown, unknown>>

const checked = Effect.fnUntraced(function*(num: Numbers) {
  const harness = yield* Harness.Harness
  const events = yield* harness.eventsOf(num)
  const reasons = events.flatMap((event) => event._tag === "Exited" ? [event.reason] : [])
  assert.deepStrictEqual(reasons.map((reason) => reason._tag === "Crashed" && Cause.squash(reason.cause)), [
    new GenServer.Fenced({ server: "root > test/Num", incarnation: 1 })
  ])
  assert.lengthOf(events.filter((event) => event._tag === "WriteFenced"), 1)
  assert.deepStrictEqual(yield* (yield* Num.StateContainer).for().get, Option.some(41))
  assert.deepStrictEqual([yield* num.Add({ by: 1 }), yield* Process.incarnation(num)], [42, 2])
})

describe("a commit that is refused answers nothing while its server cleans up", () => {
  /** The first clean-up takes its time. */
  const slow = () => {
    let first = true
    return () => {
      const isFirst = first
      first = false
      return isFirst ? Effect.sleep("1 second") : Effect.void
    }
  }
  for (const [what, way] of Object.entries({ ...ways, "a later reply that goes on record": undefined })) {
    if (what === "a cast") continue
    it.effect(what, () =>
      Effect.gen(function*() {
        const num = yield* Num
        yield* num.Add({ by: 41 })
        const promised = way === undefined ? yield* now(num.Later({}, once)) : undefined
        yield* turns
        serverOf(num)!.companion!.fenceOff(1)
        const asking: Effect.Effect<unknown, unknown> = way?.(num) ?? num.Answer()
        const sent = yield* now(asking)
        const asked = promised ?? sent
        yield* turns
        assert.isUndefined(poll<unknown, unknown>(asked))
        assert.strictEqual(serverOf(num)!.phase, Ending)
        yield* TestClock.adjust("1 second")
        const exit = poll<unknown, unknown>(asked)
        assert.isTrue(exit !== undefined && Exit.isFailure(exit))
        yield* checked(num)
      }).pipe(Effect.provide(app(slow())), quiet))
  }
})

describe("a commit that is refused ends the incarnation once, answers its caller, and changes nothing", () => {
  for (const [what, way] of Object.entries(ways)) {
    it.effect(what, () =>
      Effect.gen(function*() {
        const num = yield* Num
        yield* num.Add({ by: 41 })
        serverOf(num)!.companion!.fenceOff(1)
        const asking: Effect.Effect<unknown, unknown> = way(num)
        const asked = yield* now(asking)
        yield* turns
        const exit = poll(asked)
        const error = exit === undefined ? undefined : Option.getOrUndefined(Exit.findErrorOption(exit))
        if (what === "a cast") assert.deepStrictEqual(exit, Exit.void)
        else assert.isTrue(error instanceof GenServer.CallError && error.reason._tag === "Crashed")
        yield* checked(num)
      }).pipe(Effect.provide(app()), quiet))
  }

  it.effect("a later reply that goes on record", () =>
    Effect.gen(function*() {
      const num = yield* Num
      yield* num.Add({ by: 41 })
      const asked = yield* now(num.Later({}, once))
      yield* turns
      serverOf(num)!.companion!.fenceOff(1)
      yield* num.Answer()
      yield* turns
      const exit = poll(asked)
      const error = exit === undefined ? undefined : Option.getOrUndefined(Exit.findErrorOption(exit))
      assert.isTrue(error instanceof GenServer.CallError)
      yield* checked(num)
    }).pipe(Effect.provide(app()), quiet))
})
