/**
 * What schemas mark as secret leaves the process by none of the ways on which people see a server: pages, terminals,
 * reports, logs, texts of errors.
 *
 * Every secret here is a text with one word in it. All that is shown is searched for that word; that the rest is shown
 * says that there was something to search.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Layer, Queue, Schema } from "effect"
import { inspect } from "node:util"
import {
  type CrashReport,
  GenServer,
  Next,
  StateContainer,
  StateSchema,
  Supervisor,
  Sys,
  Telemetry,
  Timer
} from "../../../src/index.ts"
import { Hearing } from "../../../src/layers/observer/Hearing.ts"
import { differenceOf, snapshotsOf } from "../../../src/layers/observer/look/Look.ts"
import { Sampler } from "../../../src/layers/observer/Sampler.ts"
import { serverOf } from "../../../src/layers/server/class/ServerRef.ts"
import { recordedLog } from "../../kit/Log.ts"
import { often } from "../../kit/Restarts.ts"

const word = "s3cr3t"
/** A secret that the schema of a message does not mark, though the state's does. */
const forgotten = "f0rg0tten"
const Secret = StateSchema.redacted(Schema.String)
/** Not what its schema says, and a secret all the same. */
const unfit = { [word]: word } as never

class Wrong extends Schema.TaggedError<Wrong>()("Wrong", { pin: Secret }) {
  override get message(): string {
    return `the pin is not ${this.pin}`
  }
}

class Safe extends GenServer.Service<Safe>()("test/Safe", {
  state: Schema.Struct({ owner: Schema.String, pin: Secret, before: Schema.Array(Secret) }),
  messages: {
    Put: GenServer.call({ payload: { owner: Schema.String, pin: Secret }, reply: Schema.Struct({ pin: Secret }) }),
    Try: GenServer.call({ payload: { pin: Secret }, error: Wrong }),
    Crash: GenServer.call({ payload: { note: Schema.String, pin: Secret } }),
    Poison: GenServer.cast({ payload: { note: Schema.String, pin: Secret }, redeliver: { maxAttempts: 1 } }),
    Forgotten: GenServer.cast({ payload: { pin: Schema.String }, redeliver: { maxAttempts: 1 } }),
    Strict: GenServer.cast({ payload: { pin: Secret }, validate: true }),
    Remind: GenServer.call(),
    Remember: GenServer.cast({ payload: { pin: Secret } })
  }
}) {}

/** One that gives what is not fit to the other one, and dies of what that says. */
class Clumsy extends GenServer.Service<Clumsy>()("test/Clumsy", {
  state: Schema.Int,
  messages: { Cast: GenServer.call(), Call: GenServer.call() }
}) {}

const app = (hasHook: boolean) => {
  const safe = Safe.behavior({
    init: { owner: "ann", pin: `${word} 1`, before: [] },
    // It changes nothing: then the marks count.
    ...(hasHook ? { formatStatus: (shown) => shown } : {}),
    handlers: {
      Put: (state, { owner, pin }) => [{ pin }, { owner, pin, before: [...state.before, state.pin] }],
      Try: (_, { pin }) => Effect.fail(new Wrong({ pin })),
      Crash: () => Effect.die(new Error("boom")),
      Poison: () => Effect.die(new Error("poisoned")),
      Forgotten: () => Effect.die(new Error("poisoned")),
      Strict: (state) => state,
      Remember: (state) => state,
      Remind: (state) =>
        Next.reply(undefined, state, {
          timers: [Timer.after("bell", "1 minute", Safe.message.Remember({ pin: unfit }))]
        })
    }
  })
  return Supervisor.layer({ id: "app", strategy: "one_for_one", restart: often }, [
    StateContainer.layerMemory(Safe),
    Safe.layer(safe),
    StateContainer.layerMemory(Clumsy),
    Clumsy.layer({
      init: 0,
      handlers: {
        Cast: (n) => Effect.as(Effect.flatMap(Safe, (safe) => safe.Strict({ pin: unfit })), [undefined, n] as const),
        Call: (n) =>
          Safe.pipe(
            Effect.flatMap((safe) => safe.Put({ owner: "bob", pin: unfit }, { idempotencyKey: "once" })),
            Effect.orDie,
            Effect.as([undefined, n] as const)
          )
      }
    })
  ])
}

/** All that is shown while this and that happens to the servers. */
const seen = (hasHook: boolean) => {
  const { layer: log, lines } = recordedLog()
  const telemetry = Telemetry.make()
  const shown: Array<unknown> = []
  const reports: Array<CrashReport.CrashReport> = []
  const program = Effect.gen(function*() {
    const [safe, clumsy] = [yield* Safe, yield* Clumsy]
    const server = serverOf(safe)!
    telemetry.subscribeReports((report) => reports.push(report))
    const hearing = new Hearing(Context.make(Telemetry.CurrentTelemetry, telemetry) as Context.Context<never>)
    const source = { source: "here", startedAt: 0, actions: false, about: "" }
    const sampler = new Sampler(hearing, source, () => 1000)
    const sent = yield* Queue.unbounded<string>()
    const reader = sampler.open("a", sent as never)!
    const page: Array<unknown> = []
    yield* Sys.trace(safe, true)
    yield* Sys.log(safe, 50)

    yield* safe.Put({ owner: "bob", pin: `${word} 2` })
    yield* safe.Put({ owner: "eve", pin: `${word} 3` })
    yield* Effect.exit(safe.Try({ pin: word }))
    yield* Effect.exit(safe.Crash({ note: "a note", pin: word }))
    yield* safe.Poison({ note: "a poisoned note", pin: word })
    yield* safe.Forgotten({ pin: forgotten })
    yield* safe.Remember({ pin: word })
    yield* Effect.exit(safe.Remind())
    yield* Effect.exit(clumsy.Cast())
    shown.push(yield* Sys.getStatus(safe), yield* Sys.committed(safe))
    for (const name of [safe, clumsy]) {
      const path = serverOf(name)!.path
      const chosen = sampler.find(path).at(-1)!
      sampler.looksAt({ ...reader.view, chosen })
      page.push(sampler.seen({ ...reader.view, chosen }))
      yield* Effect.exit(clumsy.Call())
    }
    const kept = yield* snapshotsOf(server)
    shown.push(kept, yield* differenceOf(server, kept[0]!.seq, kept[kept.length - 1]!.seq), yield* Queue.clear(sent))
    hearing.leave()
    return page
  }).pipe(Effect.provide(Layer.provide(app(hasHook), [log, Layer.succeed(Telemetry.CurrentTelemetry, telemetry)])))
  const logged = () => lines.map(({ annotations, cause, text }) => [text, Cause.pretty(cause), annotations])
  const text = (all: unknown) => inspect(all, { depth: 20, maxStringLength: null })
  return Effect.map(program, (page) => ({ page: text(page), all: text([shown, page, reports, logged()]) }))
}

describe("what schemas mark as secret", () => {
  for (const hasHook of [false, true]) {
    const which = hasHook ? "with a format hook that leaves all as it is" : "without a format hook"
    it.effect(`is shown nowhere, ${which}`, () =>
      Effect.gen(function*() {
        const { all: shown, page } = yield* seen(hasHook)
        for (const visible of ["eve", "bob", "<redacted>", "a poisoned note", "was given", "new state"]) {
          assert.isTrue(shown.includes(visible), `${visible} is shown`)
        }
        assert.strictEqual(/message: \{\s+request: 'Crash'/.test(shown), hasHook, "a report has the message in hand")
        assert.isTrue(page.includes("marks none") && !page.includes(forgotten), "it may have been forgotten")
        const at = shown.indexOf(word)
        assert.strictEqual(at === -1 ? "" : shown.slice(Math.max(0, at - 300), at + 100), "")
      }))
  }
})
