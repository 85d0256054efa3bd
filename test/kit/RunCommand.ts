/** Runs a command line of ours in this process: to start one for each takes longer than what most of them do. */
import { NodeServices } from "@effect/platform-node"
import { Console, Effect } from "effect"
import { Command } from "effect/cli"

/** The lines that a command prints, given its arguments. */
export const printed = <Name extends string, Input, Context, E, R>(
  command: Command.Command<Name, Input, Context, E, R>,
  args: ReadonlyArray<string>
) =>
  Effect.suspend(() => {
    const lines: Array<string> = []
    const log = (...parts: ReadonlyArray<unknown>) => void lines.push(...parts.join(" ").split("\n"))
    return Command.runWith(command, { version: "test" })(args).pipe(
      Effect.provideService(Console.Console, { ...console, log }),
      Effect.provide(NodeServices.layer),
      Effect.as<ReadonlyArray<string>>(lines)
    )
  })
