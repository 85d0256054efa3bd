import { assert, it } from "@effect/vitest"
import { Effect, Exit, Schema } from "effect"
import { GenServer, Next, StateContainer, Supervisor } from "../../../../src/index.ts"

class Looker extends GenServer.Service<Looker>()("test/Looker", {
  state: Schema.Int,
  messages: {
    Default: GenServer.call({ payload: { by: Schema.optional(Schema.Int) }, reply: Schema.String }),
    Rest: GenServer.call({ reply: Schema.String }),
    Arguments: GenServer.call({ reply: Schema.String }),
    Later: GenServer.call({ reply: Schema.String }),
    Wait: GenServer.cast()
  }
}) {}

const seen = ({ attempt, incarnation }: { readonly attempt: number; readonly incarnation: number }) =>
  `attempt ${attempt} of incarnation ${incarnation}`

const LookerLive = Looker.layer({
  init: 0,
  handlers: {
    // How many parameters a function declares says nothing about what it looks at.
    Default: (n, { by } = {}, context) => [seen(context), n + (by ?? 1)],
    Rest: (n, ...[, context]) => [seen(context), n],
    Arguments: function(n) {
      return [seen(arguments[2]), n]
    },
    Later: (n, ...[, { from }]) => Effect.as(GenServer.reply(from, Exit.succeed("later")), Next.noReply(n)),
    Wait: (n) => Effect.as(Effect.yieldNow, n)
  }
})

const App = Supervisor.layer({ strategy: "one_for_one" }, [StateContainer.layerMemory(Looker), LookerLive])

it.effect("every handler may look at the message, however it takes its arguments, at once and from the mailbox", () =>
  Effect.gen(function*() {
    const looker = yield* Looker
    for (const ahead of [Effect.void, looker.Wait()]) {
      for (const message of ["Default", "Rest", "Arguments"] as const) {
        yield* ahead
        assert.strictEqual(yield* looker[message](), "attempt 1 of incarnation 1")
      }
      yield* ahead
      assert.strictEqual(yield* looker.Later(), "later")
    }
  }).pipe(Effect.provide(App)))
