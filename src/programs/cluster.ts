/**
 * A cluster of runners whose processes are killed, frozen and stopped while they count words, and what that costs: no
 * acknowledged update is lost, none is applied twice, and a key is away until another runner has it.
 *
 *   npm start -- cluster                      three runners, three kills, a freeze, one that is stopped and comes back
 *   npm start -- cluster --kills 20 --json    the figures alone
 *   npm start -- cluster --no-keys            calls without idempotency keys: the cluster sends some of them twice
 *   npm start -- cluster --help               all there is to choose
 *
 * It starts a PostgreSQL of its own and runners as processes of their own, and is a client of theirs: `cluster/Run.ts`.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { atLeast } from "./text/Flags.ts"

export const flags = {
  runners: Flag.Int("runners").pipe(
    atLeast(2),
    Flag.withDescription("How many runners there are (3)"),
    Flag.withDefault(3)
  ),
  keys: Flag.Int("counters").pipe(
    atLeast(1),
    Flag.withDescription("How many counters the words are spread over (24)"),
    Flag.withDefault(24)
  ),
  kills: Flag.Int("kills").pipe(
    atLeast(0),
    Flag.withDescription("How many runners are killed, one after the other (3)"),
    Flag.withDefault(3)
  ),
  freezes: Flag.Int("freezes").pipe(
    atLeast(0),
    Flag.withDescription("How many are frozen until others have their keys, and go on (1)"),
    Flag.withDefault(1)
  ),
  stops: Flag.Int("stops").pipe(
    atLeast(0),
    Flag.withDescription("How many are stopped in order, and join again (1)"),
    Flag.withDefault(1)
  ),
  keyed: Flag.Boolean("keys").pipe(
    Flag.withDescription("Whether each call has an idempotency key; without them the cluster may send a call twice"),
    Flag.withDefault(true)
  ),
  json: Flag.Boolean("json").pipe(Flag.withDescription("Print the figures as JSON"), Flag.withDefault(false))
}

// Loaded only when it is run: a cluster and a client of PostgreSQL are much to load for a menu.
export const program = (given: Command.Command.Config.Infer<typeof flags>) =>
  Effect.flatMap(Effect.promise(() => import("./cluster/Run.ts")), ({ program }) => program(given))

export const command = Command.make("cluster", flags, program).pipe(
  Command.withShortDescription("Counts words on runners that are killed, frozen and stopped all the time"),
  Command.withDescription(
    "Starts a PostgreSQL and runners as processes of their own, counts words with servers that are spread over them, kills, freezes " +
      "and stops runners meanwhile, and compares what was acknowledged with what is in the database. Exit code 1 when an " +
      "acknowledged update was lost, or one was applied twice although its call had a key"
  )
)

if (import.meta.main) {
  Command.run(command, { version: "0.1.0" }).pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)
}
