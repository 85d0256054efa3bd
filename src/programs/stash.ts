/**
 * The second form of the pattern, the sequence server of *Programming Elixir*: trees that are built at run time, as
 * many as wanted, none of them with a name. Each is a main supervisor over a stash and a sub-supervisor, and the
 * sub-supervisor is over the server:
 *
 *   Sequences
 *   └─ Supervisor, Supervisor2, …     one for each sequence; rest_for_one: who loses the stash starts again
 *      ├─ Sequence:StateContainer     the stash
 *      └─ SubSupervisor               its own budget: the stash is out of reach of what the server does
 *         └─ Sequence
 *
 *   npm start -- stash                  three sequences; crashing one leaves the others alone
 *   npm start -- stash --sequences 100
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Context, Effect, Layer, Option, References, Schema } from "effect"
import { CliError, Command, Flag, GlobalFlag } from "effect/cli"
import { DynamicSupervisor, GenServer, Process, Restart, StateContainer, Supervisor } from "../index.ts"

// ---- The server: hands out numbers, one after the other.

class Sequence extends GenServer.Service<Sequence>()("Sequence", {
  state: Schema.Int,
  messages: {
    Next: GenServer.call({ reply: Schema.Int }),
    Skip: GenServer.cast({ payload: { by: Schema.Int } }),
    Crash: GenServer.call()
  }
}) {}

const behavior = Sequence.behavior({
  init: 0,
  handlers: {
    Next: (number) => [number, number + 1],
    Skip: (number, { by }) => number + by,
    Crash: () => Effect.die(new Error("crashed, as you wished"))
  }
})

// ---- One tree. Each supervisor sees to its own children; `restart` of the lower one is what a server may crash in a
// row.

const SubSupervisor = Supervisor.layer(
  { id: "SubSupervisor", strategy: "one_for_one", restart: Restart.intensity({ restarts: 3, within: "5 seconds" }) },
  [Sequence.layer(behavior)]
)

const MainSupervisor = Supervisor.layer({ strategy: "rest_for_one" }, [
  StateContainer.layerMemory(Sequence),
  SubSupervisor
])

// ---- As many trees as wanted, under a supervisor whose children come and go.

class Sequences extends DynamicSupervisor.Service<Sequences>()("Sequences") {}

/** Builds one more tree. Its server and its stash are known by what is returned, and by nothing else. */
const start = Layer.build(Layer.fresh(MainSupervisor)).pipe(
  Effect.map((tree) => ({
    sequence: Context.get(tree, Sequence),
    stash: Context.get(tree, Sequence.StateContainer)
  }))
)

// ---- What happens to them.

type Tree = Effect.Success<typeof start>

/** Takes the next number of each sequence, and shows it with the incarnation that handed it out. */
const show = Effect.fnUntraced(function*(what: string, trees: ReadonlyArray<Tree>) {
  const numbers: Array<number> = []
  const shown: Array<string> = []
  for (const { sequence } of trees) {
    const number = yield* sequence.Next()
    numbers.push(number)
    shown.push(`${number} (#${yield* Process.incarnation(sequence)})`)
  }
  yield* Console.log(`${what.padEnd(60)}${shown.slice(0, 5).join("  ")}${shown.length > 5 ? "  …" : ""}`)
  return numbers
})

const story = Effect.fnUntraced(function*(count: number) {
  const trees = yield* Effect.replicateEffect(start, count)
  yield* Effect.forEach(trees, ({ sequence }, i) => sequence.Skip({ by: 100 * i }))
  const first = trees[0]!
  const middle = trees[Math.floor(count / 2)]!
  const last = trees[count - 1]!

  const seen = [yield* show("Each hands out a number, and says which incarnation did:", trees)]

  yield* Effect.exit(middle.sequence.Crash())
  seen.push(yield* show("The server in the middle crashes, and no other:", trees))

  yield* Process.kill(last.stash)
  seen.push(yield* show("The last one's stash is killed; its server goes with it:", trees))

  yield* Effect.replicateEffect(Effect.exit(first.sequence.Crash()), 4)
  seen.push(yield* show("The first one crashes its sub-supervisor's budget away:", trees))

  const kept = seen.every((numbers, round) => numbers.every((number, i) => number === 100 * i + round))
  const { active, supervisors } = yield* (yield* Sequences).countChildren
  yield* Console.log(`\n${active} of ${supervisors} trees are up.`)
  if (!kept) return yield* new CliError.UserError({ cause: undefined, userMessage: "A number was lost or repeated." })
  yield* Console.log("No number was handed out twice, and none was left out.")
}, Effect.scoped)

// ---- The command.

const flags = {
  sequences: Flag.Int("sequences").pipe(
    Flag.filter((n) => n >= 1, () => "a whole number of 1 or more"),
    Flag.withDescription("How many trees to build (3)"),
    Flag.withDefault(3)
  )
}

export const command = Command.make(
  "stash",
  flags,
  ({ sequences }) =>
    Effect.flatMap(GlobalFlag.LogLevel, (level) =>
      story(sequences).pipe(
        Effect.provide(Sequences.asSupervisor),
        Effect.provide(Sequences.layer()),
        Effect.provideService(References.MinimumLogLevel, Option.getOrElse(level, () => "Fatal" as const)),
        Effect.provideService(References.LogToStderr, true)
      ))
).pipe(
  Command.withShortDescription("Trees built at run time, as many as wanted, unnamed"),
  Command.withDescription(
    "Sequence servers, each in a tree of its own that is built at run time: crashing one leaves the others alone. " +
      "--log-level error shows the crash reports"
  )
)

if (import.meta.main) {
  Command.run(command, { version: "0.1.0" }).pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)
}
