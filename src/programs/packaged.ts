/**
 * The package's command. Loading it runs it: `bin.ts` does.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Effect } from "effect"
import { Command } from "effect/cli"
import { command as backup } from "./backup.ts"
import { command as snapshots } from "./snapshots.ts"

Command.make("heirloom").pipe(
  Command.withDescription("Tools for those who run servers that keep their states"),
  Command.withSubcommands([snapshots, backup]),
  Command.run({ version: "0.1.0" }),
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain
)
