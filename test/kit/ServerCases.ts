/** The server of the server cases, after the one of OTP's own suite, and where it is started. */
import { Cause, Console, Effect, Exit, Layer, Schema } from "effect"
import { crashed, type ExitReason, ExitReason as ExitReasons } from "../../src/domain/process/ExitReason.ts"
import { DynamicSupervisor, GenServer, Next, Process, Registry, StateContainer, Supervisor } from "../../src/index.ts"
import { Harness } from "../../src/testing.ts"

const From = Schema.declare((u): u is GenServer.From<string, never> => typeof u === "object")

export class Server extends GenServer.Service<Server>()("test/Server", {
  state: Schema.Struct({ flag: Schema.Boolean, from: Schema.optionalKey(From) }),
  messages: {
    Started: GenServer.call({ reply: Schema.String }),
    Stop: GenServer.call({ reply: Schema.String }),
    DelayedAnswer: GenServer.call({ payload: { millis: Schema.Number }, reply: Schema.String }),
    CallWithin: GenServer.call({ payload: { millis: Schema.Number }, reply: Schema.String }),
    NextCall: GenServer.call({ reply: Schema.Boolean }),
    NoReply: GenServer.call(),
    Die: GenServer.call({ payload: { with: Schema.Unknown } }),
    Bad: GenServer.call(),
    End: GenServer.call({
      payload: { by: Schema.Literals(["exit", "stop"]), reason: ExitReasons },
      reply: Schema.String
    }),
    Ping: GenServer.cast()
  }
}) {}

/** The reason that `Stop` stops it with. */
export const stopped: ExitReason = crashed(Cause.fail("stopped"))

/** Its first state. */
export const idle = { flag: false }

export const behavior = Server.behavior({
  init: idle,
  handlers: {
    Started: (state) => ["ok", state],
    Stop: () => Next.stop(stopped, { reply: "ok" }),
    DelayedAnswer: (_, { millis }, { from }) => Next.noReply({ flag: false, from }, { idleAfter: millis }),
    CallWithin: (_, { millis }) => Next.reply("ok", { flag: true }, { idleAfter: millis }),
    NextCall: ({ flag }) => [flag, idle],
    NoReply: (state) => Next.noReply(state),
    Die: (_, { with: defect }) => Effect.die(defect),
    // Past the type checker, as code that was never checked would.
    Bad: () => "nonsense" as never,
    End: (_, { by, reason }) =>
      by === "stop" ? Next.stop(reason) : Effect.andThen(
        Effect.flatMap(Server.self, (self) => Process.exit(self, reason)),
        Effect.never
      ),
    Ping: (state) => state
  },
  idle: ({ from }) => from === undefined ? idle : Effect.as(GenServer.reply(from, Exit.succeed("delayed")), idle)
})

export class Root extends Supervisor.Service<Root>()("test/Root") {}
export class Other extends DynamicSupervisor.Service<Other>()("test/Other") {}
export class Names
  extends Registry.Service<Names, { readonly ref: Server["Service"] }>()("test/Names", { keys: "unique" })
{}
export class More
  extends Registry.Service<More, { readonly ref: Server["Service"] }>()("test/More", { keys: "unique" })
{}

/** A supervisor to start servers under, another one, and two registries. */
export const Live = Layer.mergeAll(
  Layer.provideMerge(
    Root.layer({ strategy: "one_for_one" }, [StateContainer.layerForget(Server), Other.layer()]),
    Harness.Harness.layer
  ),
  Names.layer,
  More.layer
)

/** Workers of the supervisor that are there before a case starts any. */
export const containers = 1

/** Starts a temporary server. */
export const start = Effect.fnUntraced(function*(key: string, options?: GenServer.Options) {
  const root = yield* Root
  return yield* root.startChild(Server.recipe(behavior, { key, restart: "temporary", ...options }))
})

/** The variants of one case, one after the other, each in a tree of its own. */
export const inTurn = <E>(variants: Record<string, Effect.Effect<void, E>>) =>
  Effect.forEach(
    Object.entries(variants),
    ([name, variant]) => Effect.onError(variant, () => Console.error(`variant: ${name}`)),
    { discard: true }
  )

/** Whether its process is alive. */
export const isUp = (ref: Process.HasProcess) => ref[Process.processOf].status === "running"
