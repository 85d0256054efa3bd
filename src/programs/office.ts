/**
 * A ticket office as a service: customers book seats at shows over HTTP, and nothing that was answered is lost,
 * whatever crashes. docs/guide.md walks through it.
 *
 *   npm start -- office                                   on port 8080, states in office.db
 *   npm start -- office --port 0 --store file:tickets     on a port that is free, states in a folder
 *
 * In src/programs/office: Words are what is said; Show and Customer the servers; Tree their supervisors; Api, Routes
 * and Front the service. Here they are put together.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Duration, Effect, Layer, Schema } from "effect"
import { CliError, Command, Flag } from "effect/cli"
import { Supervisor } from "../index.ts"
import { Front, type Options } from "./office/Front.ts"
import { OfficeLive, type Servers, Store } from "./office/Tree.ts"
import * as Place from "./stores/Place.ts"

// ---- The service. What is provided last is built first and closed last: the port is bound before the store is opened,
// so that a second process that does not get it takes nothing from the first; the servers go on until the last request
// that was taken is answered.

const service = (place: Place.Place, ownership: "exclusive" | "youngest", options: Options) =>
  Layer.effectDiscard(Effect.gen(function*() {
    const front = yield* Front
    const servers = yield* Effect.context<Servers>()
    yield* Effect.acquireRelease(front.open(servers), () => front.drain)
    yield* Console.log(`office is open on ${front.url}, with its states in ${Place.shown(place)}`)
    yield* Console.log(`  routes ${front.url}/openapi.json`)
    yield* Console.log(`  health ${front.url}/health/live, ${front.url}/health/ready`)
    yield* Console.log(`  metrics ${front.url}/metrics`)
  })).pipe(
    Layer.provide(OfficeLive),
    Layer.provide(Place.layer(Store, place, { ownership })),
    Layer.provide(Front.layer(options))
  )

// ---- The command.

const flags = {
  port: Flag.Int("port").pipe(
    Flag.filter((port) => port >= 0 && port <= 65_535, () => "a port: 0 (any that is free) to 65535"),
    Flag.withDescription("The port to listen on; 0 takes one that is free (8080)"),
    Flag.withDefault(8080)
  ),
  host: Flag.String("host").pipe(
    Flag.withDescription("The address to listen on; 0.0.0.0 in a container (127.0.0.1)"),
    Flag.withDefault("127.0.0.1")
  ),
  store: Flag.String("store").pipe(
    Flag.filterMap(Schema.decodeUnknownOption(Place.Place), () => Place.forms.join(" | ")),
    Flag.withDescription(`Where states are kept: ${Place.forms.join(", ")} (sqlite:office.db)`),
    Flag.withDefault<Place.Place>("sqlite:office.db")
  ),
  takeOver: Flag.Boolean("take-over").pipe(
    Flag.withDescription("Takes the store over from an office that runs, which then ends; otherwise it is waited for"),
    Flag.withDefault(false)
  ),
  linger: Flag.Finite("linger").pipe(
    Flag.filter((seconds) => seconds >= 0, () => "a number of seconds, 0 or more"),
    Flag.withDescription("Seconds that it goes on taking requests after SIGTERM, when it is not ready any more (1)"),
    Flag.withDefault(1)
  )
}

const refusal = (userMessage: string) => new CliError.UserError({ cause: undefined, userMessage })

export const command = Command.make(
  "office",
  flags,
  ({ host, linger, port, store, takeOver }) =>
    Supervisor.launch(
      service(store, takeOver ? "youngest" : "exclusive", { host, port, linger: Duration.seconds(linger) }),
      {
        drain: Duration.seconds(linger + 60)
      }
    ).pipe(
      Effect.catchTags({
        ServeError: ({ cause }) =>
          refusal(`Port ${port} of ${host} cannot be listened on (${cause}). Choose another with --port, or --host`),
        StoreError: (error) => refusal(`${error.message} Choose another store with --store`),
        MissingPackage: ({ message }) => refusal(message),
        RootEnded: ({ message }) => refusal(message)
      })
    )
).pipe(
  Command.withShortDescription("A ticket office over HTTP whose bookings survive every crash"),
  Command.withDescription(
    "A ticket office over HTTP: a server for each customer and each show, states in a store. What was answered is there " +
      "after a kill -9; SIGTERM answers what was taken, stores everything, and ends"
  )
)

if (import.meta.main) {
  Command.run(command, { version: "0.1.0" }).pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)
}
