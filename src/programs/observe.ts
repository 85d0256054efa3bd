/**
 * A lively tree, and the page of the observer to watch it, and to try to kill it.
 *
 *   npm start -- observe                     the page on http://127.0.0.1:4980
 *   npm start -- observe --walkers 10000     a larger tree
 *   npm start -- observe --terminal          the same in this terminal
 *
 * The ledger is in a database: kill the process and start it again, and it goes on. The tree is in `observe/Town.ts`.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Effect, Layer, Option, Redacted, References, Schema } from "effect"
import { CliError, Command, Flag, GlobalFlag } from "effect/cli"
import { Supervisor, Telemetry } from "../index.ts"
import * as Observer from "../layers/observer/Observer.ts"
import { Town } from "./observe/Town.ts"
import * as Place from "./stores/Place.ts"

// ---- The page, beside the tree.

interface Options {
  readonly port: number
  readonly walkers: number
  readonly store: Place.Place
  readonly token: Option.Option<string>
}

const page = ({ port, token }: Options) =>
  Observer.layer({
    port,
    actions: true,
    about: `To try the ledger: kill -9 ${process.pid}, then start it again`,
    token: Option.getOrUndefined(Option.map(token, Redacted.make))
  })

const welcome = Layer.effectDiscard(Effect.gen(function*() {
  const { url } = yield* Observer.Observer
  yield* Console.log(
    `The observer is on ${url}\n\n` +
      "  Choose a process, and crash it, suspend it or stop it: this page may act.\n" +
      `  Or end all of it with "kill -9 ${process.pid}", and start it again: the ledger goes on where it was,\n` +
      "  and the page finds the new process by itself. Ctrl-C ends it in order."
  )
}))

const drawn = (options: Options) =>
  Observer.terminal().pipe(Effect.provide(Town(options)), Effect.provide(Telemetry.layer))

const watched = (options: Options) =>
  Layer.merge(Town(options), welcome).pipe(Layer.provide(page(options)), Layer.provide(Telemetry.layer))

const shown = Effect.fnUntraced(function*(options: Options & { readonly terminal: boolean }) {
  if (options.terminal) yield* drawn(options)
  else yield* Supervisor.launch(watched(options))
})

// ---- The command.

const flags = {
  port: Flag.Int("port").pipe(
    Flag.filter((port) => port >= 0 && port <= 65_535, () => "a port: 0 (any that is free) to 65535"),
    Flag.withDescription("The port of the page; 0 takes one that is free (4980)"),
    Flag.withDefault(4980)
  ),
  walkers: Flag.Int("walkers").pipe(
    Flag.filter((n) => n >= 1 && n <= 1_000_000, () => "a whole number from 1 to 1000000"),
    Flag.withDescription("How many servers walk the streets (400)"),
    Flag.withDefault(400)
  ),
  store: Flag.String("store").pipe(
    Flag.filterMap(Schema.decodeUnknownOption(Place.Place), () => Place.forms.join(" | ")),
    Flag.withDescription(`Where the ledger is: ${Place.forms.join(", ")} (sqlite:observe.db)`),
    Flag.withDefault<Place.Place>("sqlite:observe.db")
  ),
  terminal: Flag.Boolean("terminal").pipe(
    Flag.withDescription("Show it in this terminal, and no page"),
    Flag.withDefault(false)
  ),
  token: Flag.String("token").pipe(
    Flag.withDescription("What the page asks for before it shows anything"),
    Flag.optional
  )
}

const refusal = (userMessage: string) => new CliError.UserError({ cause: undefined, userMessage })

export const command = Command.make(
  "observe",
  flags,
  (options) =>
    Effect.flatMap(
      GlobalFlag.LogLevel,
      (level) =>
        shown(options).pipe(
          Effect.catchTags({
            ServeError: ({ cause }) =>
              refusal(`Port ${options.port} cannot be listened on (${cause}). Choose another with --port`),
            StoreError: (error) => refusal(`${error.message} Choose another store with --store`),
            MissingPackage: ({ message }) => refusal(message),
            RootEnded: ({ message }) => refusal(message)
          }),
          // The page shows the crashes.
          Effect.provideService(References.MinimumLogLevel, Option.getOrElse(level, () => "Fatal" as const)),
          Effect.provideService(References.LogToStderr, true)
        )
    )
).pipe(
  Command.withShortDescription("A lively tree, and the page of the observer to watch it and to break it"),
  Command.withDescription(
    "A lively tree, and the page of the observer: channels, a tally that trips, hundreds of walkers of which one stumbles " +
      "now and then, a slow clerk, and a ledger in a database that a kill -9 does not hurt"
  )
)

if (import.meta.main) {
  Command.run(command, { version: "0.1.0" }).pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)
}
