/**
 * The pattern's own example: a server that counts, a container that keeps its count, and a supervisor that restarts
 * either. Crash it in whatever way you like: the count is still there.
 *
 *   npm start -- counter                                                      type commands, "help" shows them
 *   printf 'increment 41\ncrash\nincrement 1\n' | npm start -- counter        the last line says 42
 */
import { NodeRuntime, NodeServices, NodeStream } from "@effect/platform-node"
import { Cause, Console, Context, Effect, Layer, References, Result, Schema, Stdio, Stream, Terminal } from "effect"
import { Command, Flag } from "effect/cli"
import { ExitReason, GenServer, Process, Restart, StateContainer, Supervisor, SystemView, Telemetry } from "../index.ts"
import * as Commands from "./counter/Commands.ts"
import { atLeast } from "./text/Flags.ts"

// ---- The server.

class Server extends GenServer.Service<Server>()("Server", {
  state: Schema.Int,
  messages: {
    Increment: GenServer.call({ payload: { by: Schema.Int }, reply: Schema.Int }),
    Get: GenServer.call({ reply: Schema.Int }),
    Crash: GenServer.call()
  }
}) {}

const ServerLive = Server.layer({
  init: 0,
  handlers: {
    Increment: (count, { by }) => [count + by, count + by],
    Get: (count) => [count, count],
    Crash: () => Effect.die(new Error("crashed, as you wished"))
  }
})

// ---- Its supervisor. Started in this order: the container is there before the server asks it for what is conserved.

const ProcSupervisor = (restarts: number) =>
  Supervisor.layer(
    { id: "ProcSupervisor", strategy: "one_for_one", restart: Restart.intensity({ restarts, within: "1 minute" }) },
    [StateContainer.layerMemory(Server), ServerLive]
  )

// ---- What the tree looks like, as its events tell it.

class Tree extends Context.Service<Tree, Effect.Effect<string>>()("counter/Tree") {
  static readonly layer = Layer.effectContext(Effect.gen(function*() {
    const telemetry = yield* Telemetry.scoped
    let view = SystemView.empty
    telemetry.subscribe((event) => {
      view = SystemView.apply(view, event)
    })
    return Context.make(Tree, Effect.sync(() => SystemView.toText(view))).pipe(
      Context.add(Telemetry.CurrentTelemetry, telemetry)
    )
  }))
}

// ---- What the commands do.

const perform = Effect.fnUntraced(function*(command: Commands.Command) {
  const server = yield* Server
  switch (command._tag) {
    case "Increment":
      return yield* Effect.map(server.Increment({ by: command.by }), String)
    case "Get":
      return yield* Effect.map(server.Get(), String)
    case "Crash":
      return yield* Effect.as(server.Crash(), "")
    case "Interrupt":
      return yield* Effect.as(Process.exit(server, ExitReason.crashed(Cause.interrupt())), "interrupted the server")
    case "Kill":
      return yield* Effect.as(Process.kill(server), "killed the server")
    case "KillContainer":
      return yield* Effect.as(Process.kill(yield* Server.StateContainer), "killed the container")
    case "Tree":
      return yield* yield* Tree
    case "Help":
      return Commands.help
    case "Quit":
    case "Nothing":
      return ""
  }
})

/** Reads a line, does what it says, and says what came of it. A bad line changes nothing. */
const performLine = (line: Result.Result<Commands.Command, string>) =>
  Effect.fromResult(line).pipe(
    Effect.flatMap(perform),
    Effect.catch((problem: string | GenServer.CallError) =>
      Effect.succeed(typeof problem === "string" ? problem : problem.message)
    ),
    Effect.flatMap((answer) => answer === "" ? Effect.void : Console.log(answer))
  )

// ---- The conversation: line by line, until "quit" or the end of the input.

const isQuit = Result.match({ onSuccess: ({ _tag }: Commands.Command) => _tag === "Quit", onFailure: () => false })

const conversation = Effect.gen(function*() {
  const { stdinIsTerminal } = yield* Stdio.Stdio
  const { display } = yield* Terminal.Terminal
  const prompt = (yield* stdinIsTerminal) ? display("> ") : Effect.void
  yield* prompt
  // Closed when the conversation is over, so that a terminal that is still open does not keep the program running.
  yield* NodeStream.fromReadable({ evaluate: () => process.stdin, closeOnDone: true }).pipe(
    Stream.decodeText,
    Stream.splitLines,
    Stream.map(Commands.parse),
    Stream.takeWhile((line) => !isQuit(line)),
    Stream.runForEach((line) => Effect.andThen(performLine(line), prompt))
  )
})

// ---- The command.

const flags = {
  restarts: Flag.Int("restarts").pipe(
    atLeast(0),
    Flag.withDescription("Crashes in a minute that the supervisor repairs before it gives up (100)"),
    Flag.withDefault(100)
  )
}

export const command = Command.make("counter", flags, ({ restarts }) =>
  conversation.pipe(
    Effect.provide(Layer.provideMerge(ProcSupervisor(restarts), Tree.layer)),
    // Crash reports go beside the conversation, not into it.
    Effect.provideService(References.LogToStderr, true)
  )).pipe(Command.withDescription("A counter that keeps its count through every crash; reads commands, try: help"))

if (import.meta.main) {
  Command.run(command, { version: "0.1.0" }).pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)
}
