/**
 * Looks into a store of states, and goes back to one by hand.
 *
 *   npm start -- snapshots keys sqlite:app.db whose states are there npm start -- snapshots list sqlite:app.db
 *   app/Counter what is kept of one, and what was set aside npm start -- snapshots show sqlite:app.db app/Counter 41 a
 *   state npm start -- snapshots diff sqlite:app.db app/Counter 40 41 what changed npm start -- snapshots aside
 *   sqlite:app.db everything that was set aside npm start -- snapshots restore sqlite:app.db app/Counter 40 what the
 *   server starts from next; stop the app first npm start -- snapshots doubt file:states whether a part is missing that
 *   may have held any state npm start -- snapshots restore-aside sqlite:app.db app/Counter --dry-run what was set
 *   aside, of all its servers
 *
 * The package has it too: `npx heirloom snapshots ...`.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Clock, Console, DateTime, Duration, Effect, Option, Result, Stream } from "effect"
import { Argument, CliError, Command, Flag } from "effect/cli"
import type { AsideRecord } from "../domain/state/stored/SnapshotRecord.ts"
import { Snapshots, StateStore } from "../index.ts"
import * as SetAside from "./snapshots/SetAside.ts"
import * as Place from "./stores/Place.ts"
import { columns, onOneLine } from "./text/Columns.ts"

class Store extends StateStore.Service<Store>()("snapshots/Store", "process") {}

// ---- What is asked for.

const place = Place.argument("store", "The store")
const key = Argument.String("key").pipe(
  Argument.withDescription("The id of the server's class; with a slash and its key when it has one")
)
const seq = (name: string) => Argument.Int(name).pipe(Argument.withDescription("The number of a snapshot"))
const prefix = Flag.String("prefix").pipe(
  Flag.withDefault(""),
  Flag.withDescription("Only keys that begin with it: the id of a class, a slash, and the beginning of a server's key")
)
const aside = Flag.Boolean("aside").pipe(
  Flag.withDefault(false),
  Flag.withDescription("One that was set aside, not one that is kept")
)

const said = <A, E extends { readonly message: string }, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.mapError(effect, (error) => new CliError.UserError({ cause: error, userMessage: error.message }))

/** Runs with the store as it lies there: nothing is written. What goes wrong with it is said in a word. */
const looking = <A, E extends { readonly message: string }, R>(
  place: Place.Place,
  use: (store: StateStore.StoreView) => Effect.Effect<A, E, R>
) => said(Effect.scoped(Effect.flatMap(Place.look(place), use)))

/** Runs with the store, to write to it; where there is none, none is made. */
const writing = <A, E extends { readonly message: string }, R>(
  place: Place.Place,
  use: (store: typeof Store.Service) => Effect.Effect<A, E, R>
) =>
  Effect.andThen(
    looking(place, () => Effect.void),
    said(Effect.provide(Effect.flatMap(Store, use), Place.layer(Store, place)))
  )

// ---- How it is shown.

/** A time, as far as it is one. */
const time = (millis: number): string =>
  Option.match(DateTime.make(millis), { onNone: () => "?", onSome: DateTime.formatIso })

const row = (one: Snapshots.Listed): ReadonlyArray<string> => [
  one.key,
  String(one.seq),
  time(one.at),
  `v${one.version}`,
  `${one.length}`,
  `${one.answers}`,
  one.aside === undefined ? (one.trusted ? "trusted" : "on probation") : "set aside",
  [one.aside?.why, one.damaged && `damaged: ${one.damaged}`].filter((text) => text !== undefined).join("; ")
]

const table = (listed: ReadonlyArray<Snapshots.Listed>): string =>
  listed.length === 0
    ? "  none"
    : columns([["key", "number", "committed", "version", "length", "answers", "standing", "why"], ...listed.map(row)])

const json = (value: unknown) => Console.log(JSON.stringify(value, null, 2))

// ---- The commands.

const keys = Command.make(
  "keys",
  { place, prefix },
  (given) =>
    looking(
      given.place,
      (store) => Stream.runForEach(Snapshots.keys(store, given.prefix), (key) => Console.log(onOneLine(key)))
    )
).pipe(
  Command.withDescription("Lists the keys of all servers whose states are kept")
)

const lasting = (millis: number): string => Duration.format(Duration.millis(millis))

const timers = Command.make(
  "timers",
  { place, prefix },
  (given) =>
    looking(given.place, (store) =>
      Effect.gen(function*() {
        const now = yield* Clock.currentTimeMillis
        const rows = yield* Stream.runCollect(Stream.map(Snapshots.timers(store, given.prefix), (one) => [
          one.key,
          one.name,
          time(one.due),
          one.due <= now ? `${lasting(now - one.due)} late` : "",
          one.every === undefined ? "once" : `every ${lasting(one.every)}`,
          `${one.message} ${JSON.stringify(one.payload)}`
        ]))
        yield* Console.log(
          rows.length === 0 ? "  none" : columns([["key", "timer", "due", "late", "repeats", "message"], ...rows])
        )
      }))
).pipe(
  Command.withDescription("Lists the durable timers that are set, those that are due first before the others")
)

const list = Command.make(
  "list",
  { place, key },
  (given) =>
    looking(
      given.place,
      (store) => Effect.flatMap(Snapshots.list(store, given.key), (listed) => Console.log(table(listed)))
    )
).pipe(
  Command.withDescription("Lists the snapshots of a server, newest first, then those that were set aside")
)

const show = Command.make(
  "show",
  {
    place,
    key,
    seq: Argument.optional(seq("number")).pipe(
      Argument.withDescription("The number of a snapshot; without one the newest, or with --aside the last set aside")
    ),
    aside
  },
  ({ aside, key, place, seq }) => {
    const given = { key, aside, seq: Option.getOrUndefined(seq) }
    return looking(place, (store) =>
      Snapshots.read(store, given).pipe(
        Effect.flatMap(json),
        // Damaged: its text is all there is.
        Effect.catchIf(
          (error) => error._tag === "SnapshotError" && error.reason._tag === "NotJson",
          () => Effect.flatMap(Snapshots.text(store, given), (text) => Console.log(text))
        )
      ))
  }
).pipe(Command.withDescription("Shows a state, as the JSON that is stored; without a number the newest"))

const diff = Command.make(
  "diff",
  { place, key, from: seq("from"), to: seq("to"), aside },
  ({ aside, from, key, place, to }) =>
    looking(
      place,
      (store) =>
        Effect.flatMap(Snapshots.diff(store, { key, seq: from }, { key, seq: to, aside }), (patch) =>
          Effect.forEach(patch, (operation) => Console.log(JSON.stringify(operation)), { discard: true }))
    )
).pipe(
  Command.withDescription(
    "What changed from one snapshot to another, as JSON Patch; with --aside the second was set aside"
  )
)

const listAside = Command.make(
  "aside",
  { place },
  (given) =>
    looking(given.place, (store) => Effect.flatMap(Snapshots.aside(store), (listed) => Console.log(table(listed))))
).pipe(
  Command.withDescription("Lists everything that was set aside, the last first")
)

const restore = Command.make(
  "restore",
  { place, key, seq: seq("number"), aside },
  ({ place, ...given }) =>
    writing(
      place,
      (store) =>
        Effect.flatMap(Snapshots.restore(store, given), (seq) =>
          Console.log(`${given.key} starts from snapshot ${seq} next.`))
    )
).pipe(
  Command.withDescription(
    "Makes a snapshot the one that its server starts from next. Nothing is deleted: younger ones are set aside. Stop the " +
      "app first; one that runs is fenced off"
  )
)

/** What becomes of a server, or became of it. */
const fates = {
  out: "to be restored",
  back: "is back",
  wentOn: "left: went on",
  chosen: "left: chosen by hand"
}

interface Choice extends SetAside.Which {
  readonly over: boolean
}

/** One server whose turn failed: its own fault, or the store's, which ends all. */
const orFailed = <A>(effect: Effect.Effect<A, StateStore.StoreError | Snapshots.SnapshotError>) =>
  Effect.catch(
    Effect.map(effect, Result.succeed),
    (error) =>
      error._tag === "StoreError" && error.isOutage ? Effect.fail(error) : Effect.succeed(Result.fail(error.message))
  )

/** Takes back what was set aside, each server for itself; without `restore` it only tells what it would do. */
const takeBack = Effect.fnUntraced(function*(
  store: StateStore.StoreView,
  { over, ...which }: Choice,
  restore: ((aside: AsideRecord) => Effect.Effect<number, StateStore.StoreError | Snapshots.SnapshotError>) | undefined
) {
  const all = yield* store.listAside()
  const damaged = SetAside.damaged(all, which)
  const count = { restored: 0, back: 0, chosen: 0, wentOn: 0, failed: 0 }
  const rows = yield* Effect.forEach(SetAside.newest(all, which), (aside) =>
    Effect.gen(function*() {
      const { key } = aside
      const when = [time(aside.asideAt), aside.why]
      const failed = (newest: string, why: string) => {
        count.failed++
        return [key, newest, `${aside.seq}`, "failed", ...when.slice(0, 1), why]
      }
      const loaded = yield* orFailed(Effect.map(store.load(key), (kept) => SetAside.step(aside, kept)))
      if (Result.isFailure(loaded)) return failed("?", loaded.failure)
      const { kept, standing } = loaded.success
      const row = [key, kept === undefined ? "nothing" : `${kept}`, `${aside.seq}`]
      const isWanted = standing === "out" || (standing === "wentOn" && over)
      if (isWanted && restore !== undefined) {
        const done = yield* orFailed(restore(aside))
        if (Result.isFailure(done)) return failed(row[1]!, done.failure)
        count.restored++
        return [...row, `restored as ${done.success}`, ...when]
      }
      count[isWanted ? "restored" : standing]++
      return [...row, fates[isWanted ? "out" : standing], ...when]
    }))
  const bad = damaged.map((
    one
  ) => [one.key, "", `${one.seq}`, "left: damaged", time(one.asideAt), SetAside.damageOf(one) ?? ""])
  yield* Console.log(
    rows.length + bad.length === 0
      ? "  none"
      : columns([["key", "newest", "set aside", "becomes of it", "when", "why"], ...rows, ...bad])
  )
  yield* Console.log(
    `${count.restored} ${restore === undefined ? "to be restored" : "restored"}, ${count.back} back already, ` +
      `${count.chosen} chosen by hand, ${count.wentOn} that went on` +
      (count.failed === 0 ? "" : `, ${count.failed} failed`) + (bad.length === 0 ? "" : `, ${bad.length} damaged`) +
      (count.wentOn === 0
        ? "."
        : " left as they are. With --over they are restored as well, without what they did since.")
  )
  if (count.failed > 0) {
    return yield* new CliError.UserError({ cause: undefined, userMessage: `${count.failed} servers were not restored` })
  }
})

const restoreAside = Command.make(
  "restore-aside",
  {
    place,
    id: Argument.String("class").pipe(
      Argument.withDefault(""),
      Argument.withDescription("The id of a server class: its servers only")
    ),
    since: Flag.String("since").pipe(
      Flag.filterMap((text) => Option.map(DateTime.make(text), DateTime.toEpochMillis), (text) => `${text} is no time`),
      Flag.withDefault(0),
      Flag.withDescription("Only what was set aside then or later: a time as 2026-11-23T08:30:00Z")
    ),
    over: Flag.Boolean("over").pipe(
      Flag.withDefault(false),
      Flag.withDescription("Also where the server has committed something since, which is then not in its state")
    ),
    dryRun: Flag.Boolean("dry-run").pipe(Flag.withDefault(false), Flag.withDescription("Only tells what it would do"))
  },
  ({ dryRun, place, ...given }) =>
    dryRun
      ? looking(place, (store) => takeBack(store, given, undefined))
      : writing(
        place,
        (store) => takeBack(store, given, ({ key, seq }) => Snapshots.restore(store, { key, seq, aside: true }))
      )
).pipe(
  Command.withShortDescription("Takes back what was set aside, of all servers or of a class"),
  Command.withDescription(
    "Takes back what was set aside, of all servers or of a class: after a deploy that could not read their states. Each " +
      "starts next from the newest of its snapshots that was set aside. Stop the app first; one that runs is fenced off. " +
      "Broken off, it goes on when it is run again"
  )
)

const doubt = Command.make(
  "doubt",
  {
    place,
    end: Flag.Boolean("end").pipe(
      Flag.withDefault(false),
      Flag.withDescription("Ends it: what the store has nothing of had nothing")
    )
  },
  ({ end, place }) =>
    end
      ? Effect.andThen(
        writing(place, Snapshots.settle),
        Console.log("Ended: what the store has nothing of had nothing.")
      )
      : looking(place, (store) =>
        Effect.flatMap(Snapshots.doubt(store), (found) =>
          Console.log(Option.match(found, {
            onNone: () => "none",
            onSome: ({ at, why }) => `since ${time(at)}: ${why}`
          }))))
).pipe(
  Command.withShortDescription("Whether a part of the store is missing that may have held any server's state"),
  Command.withDescription(
    "Whether a part of the store is missing of which it is not known what it held, and since when. A server that the store has " +
      "nothing of may have had a state in it, and says so when it starts, until its answers would have been too old. To end " +
      "that by hand, stop the app first; one that runs is fenced off"
  )
)

export const command = Command.make("snapshots").pipe(
  Command.withShortDescription("Looks into a store of states, and goes back to one by hand"),
  Command.withDescription("Looks into a store of states, and goes back to one by hand"),
  Command.withSubcommands([keys, timers, list, show, diff, listAside, restore, restoreAside, doubt])
)

if (import.meta.main) {
  Command.run(command, { version: "0.1.0" }).pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)
}
