/**
 * The menu: `npm start -- NAME` runs a program, `npm start` alone the main one, `npm start -- --help` shows them all.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Effect } from "effect"
import { Command } from "effect/cli"
import { command as backup } from "./backup.ts"
import { command as channels } from "./channels.ts"
import { command as cluster } from "./cluster.ts"
import { command as counter } from "./counter.ts"
import { command as observe } from "./observe.ts"
import { command as office } from "./office.ts"
import { command as snapshots } from "./snapshots.ts"
import { command as stash } from "./stash.ts"
import { command as tally, flags, program } from "./tally.ts"

Command.make("heirloom", flags, program).pipe(
  Command.withDescription(
    "Servers that keep their state through crashes. Without a name it runs tally, with its flags"
  ),
  Command.withSubcommands([tally, counter, stash, channels, office, cluster, observe, snapshots, backup]),
  Command.run({ version: "0.1.0" }),
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain
)
