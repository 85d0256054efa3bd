/**
 * Counts the words of text files with a server that is being crashed all the time, and shows that nothing it
 * acknowledged is lost.
 *
 *   npm start                                 the sources of effect, 200 faults, every companion
 *   npm start -- tally --faults 50 a.txt      files of your own
 *   npm start -- tally --companion sqlite:tally.db
 *                                             kill it at any time and run it again: it goes on where it was
 *   npm start -- tally --help                 all there is to choose
 *
 * It reads top to bottom: the server, its supervisor, the feeder, a run, the command.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Clock, Console, Context, Duration, Effect, HashMap, Layer, Option, References, Schema } from "effect"
import { Argument, CliError, Command, Flag, GlobalFlag } from "effect/cli"
import { GenServer, Restart, StateContainer, StateStore, StateTable, Supervisor, Telemetry } from "../index.ts"
import { Chaos } from "../testing.ts"
import * as Place from "./stores/Place.ts"
import * as Input from "./tally/Input.ts"
import * as Ledger from "./tally/Ledger.ts"
import * as Outages from "./tally/Outages.ts"
import * as Progress from "./tally/Progress.ts"
import * as Result from "./tally/Result.ts"
import * as Words from "./tally/Words.ts"
import { atLeast } from "./text/Flags.ts"

// ---- The server: how often each word occurred, and how far in the input it is.

const Counted = Schema.Struct({ position: Schema.Int, counts: Schema.HashMap(Schema.String, Schema.Int) })

class Tally extends GenServer.Service<Tally>()("tally/Tally", {
  state: Counted,
  messages: {
    /** Counts the lines that begin at a position; answers with the position after them. */
    Add: GenServer.call({ payload: { from: Schema.Int, lines: Schema.Array(Schema.String) }, reply: Schema.Int }),
    Position: GenServer.call({ reply: Schema.Int }),
    Counts: GenServer.call({ reply: Counted })
  }
}) {}

// A handler computes the next state and the reply from the state; it changes nothing in place. Count and position move
// in one commit: the position and the count that goes with it are read together.
const TallyLive = Tally.layer({
  init: { position: 0, counts: HashMap.empty() },
  handlers: {
    Add: (tally, { from, lines }) => {
      const position = from + lines.length
      return [position, { position, counts: Words.add(tally.counts, lines) }]
    },
    Position: (tally) => [tally.position, tally],
    Counts: (tally) => [tally, tally]
  }
})

// ---- Its companion: what its state survives.

const companions: Record<
  Result.InProcess,
  Layer.Layer<StateContainer.StateOf<Tally>, never, Supervisor.Supervisor | StateTable.StateTable>
> = {
  /** OTP's default: a new incarnation starts from nothing. */
  forget: StateContainer.layerForget(Tally),
  /** The pattern as it is known: saved in `terminate`, which a kill skips. */
  terminate: StateContainer.layerMemory(Tally, { when: "terminate" }),
  /** A row of a shared table, the ETS way. */
  table: StateContainer.layerTable(Tally),
  /** A `Ref` of its own, written before every reply. */
  memory: StateContainer.layerMemory(Tally)
}

class Store extends StateStore.Service<Store>()("tally/Store", "process") {}

/** In a store: the next process goes on where this one was killed. */
const stored = (place: Place.Place) =>
  StateContainer.layerStore(Tally, { store: Store }).pipe(Layer.provide(Place.layer(Store, place)))

const isStored = (companion: Result.Companion): companion is Place.Place => !(companion in companions)

const conserves = (companion: Result.Companion): boolean => companion !== "forget" && companion !== "terminate"

// ---- Its supervisor, with the faults between the container and the server: what comes after them is struck.

interface Options {
  readonly chunk: number
  readonly faults: number
  readonly seed: number
}

const ProcSupervisor = (companion: Result.Companion, lines: number, { chunk, faults, seed }: Options) =>
  Supervisor.layer(
    {
      id: "ProcSupervisor",
      strategy: "one_for_one",
      // A fault crashes two processes at most. Crashes beyond that were not injected, and the supervisor gives up.
      restart: Restart.intensity({ restarts: 2 * faults, within: "1 day" })
    },
    [
      isStored(companion) ? stored(companion) : companions[companion],
      Chaos.layer(Tally, { seed, faults, messages: Math.ceil(lines / chunk) + faults }),
      TallyLive
    ]
  ).pipe(Layer.provide(StateTable.StateTable.layer), Layer.provideMerge(Watch.layer))

/** Every lifecycle event of the tree, with the moment it came: crashes and restarts are counted from these. */
class Watch extends Context.Service<Watch, ReadonlyArray<Outages.Timed>>()("tally/Watch") {
  static readonly layer = Layer.effectContext(Effect.gen(function*() {
    const telemetry = yield* Telemetry.scoped
    const clock = yield* Clock.Clock
    const events: Array<Outages.Timed> = []
    telemetry.subscribe((event) => events.push([event, clock.monotonicTimeNanosUnsafe()]))
    return Context.make(Watch, events).pipe(Context.add(Telemetry.CurrentTelemetry, telemetry))
  }))
}

// ---- The feeder: sends chunk after chunk, remembers what was acknowledged, and asks after every crash.

/** The request may or may not have been carried out: only the server knows. */
const isInDoubt = ({ reason }: GenServer.CallError): boolean =>
  reason._tag === "Crashed" || reason._tag === "NotConserved"

const feed = Effect.fnUntraced(function*(lines: ReadonlyArray<string>, chunk: number, tick: Progress.Tick) {
  const tally = yield* Tally
  const whereItStands = Effect.retry(tally.Position(), { while: isInDoubt })
  const begun = yield* whereItStands
  if (begun > lines.length) return yield* otherInput(begun)
  let ledger = Ledger.begin(chunk, begun)
  while (ledger.position < lines.length) {
    const sent = ledger
    const from = sent.position
    ledger = yield* tally.Add({ from, lines: lines.slice(from, from + chunk) }).pipe(
      Effect.map((position) => Ledger.acknowledge(sent, position)),
      Effect.catchIf(isInDoubt, () => Effect.map(whereItStands, (position) => Ledger.settle(sent, position)))
    )
    yield* tick(ledger.position)
  }
  // It may have crashed since the last chunk, or while it was asked: what it has counted is up to where it stands by
  // now.
  const { counts, position } = yield* Effect.retry(tally.Counts(), { while: isInDoubt })
  return { begun, ledger: Ledger.settle(ledger, position), counts }
})

const otherInput = (position: number) =>
  new CliError.UserError({
    cause: undefined,
    userMessage: `The store stands at line ${position}, which this input does not have: it was begun with another. ` +
      "Give the files it was begun with, or another store"
  })

// ---- A run: one companion, the whole input, the whole plan of faults.

interface Input {
  readonly files: number
  readonly lines: ReadonlyArray<string>
  readonly plain: ReadonlyMap<string, number>
}

const run = Effect.fnUntraced(function*(companion: Result.Companion, input: Input, options: Options) {
  const tick = yield* Progress.show(companion, input.lines.length)
  const tree = yield* Layer.build(ProcSupervisor(companion, input.lines.length, options))
  const [duration, { begun, counts, ledger }] = yield* feed(input.lines, options.chunk, tick).pipe(
    Effect.provideContext(tree),
    Effect.timed
  )
  const { crashes, recoverMicros, restarts } = Outages.fromEvents(Context.get(tree, Watch))
  const result: Result.Result = {
    companion: isStored(companion) ? Place.shown(companion) : companion,
    files: input.files,
    lines: input.lines.length,
    ...(begun === 0 ? {} : { from: begun }),
    words: Words.total(counts),
    crashes,
    restarts,
    acknowledged: ledger.acknowledged,
    lost: ledger.lost,
    matches: Words.isSame(counts, input.plain),
    recoverMicrosMedian: Outages.median(recoverMicros),
    recoverMicrosMax: Outages.longest(recoverMicros),
    seconds: Duration.toSeconds(duration)
  }
  const injected = yield* Context.get(tree, Chaos.Chaos).injected
  return { result, faults: injected.length, top: Words.top(counts, 10) }
}, Effect.scoped)

// ---- The input: the files given, or the sources of the installed effect.

const read = Effect.fnUntraced(function*(files: ReadonlyArray<string>) {
  const lines = yield* Input.linesOf(files)
  return { files: files.length, lines, plain: Words.count(lines) }
})

// ---- The command.

const companionForms = [...Result.InProcess.literals, ...Place.forms].map((form) => `"${form}"`)

export const flags = {
  files: Argument.File("file", { mustExist: true }).pipe(
    Argument.withDescription("Text files to count; by default the sources of the installed effect"),
    Argument.variadic()
  ),
  companion: Flag.String("companion").pipe(
    Flag.filterMap(
      Schema.decodeUnknownOption(Result.Companion),
      () => companionForms.join(" | ")
    ),
    Flag.withDescription(
      `Run with this companion alone (${companionForms.join(", ")}); ` +
        "by default with memory, and then with the others to compare"
    ),
    Flag.optional
  ),
  faults: Flag.Int("faults").pipe(
    atLeast(0),
    Flag.withDescription("How many faults to inject (200)"),
    Flag.withDefault(200)
  ),
  seed: Flag.Int("seed").pipe(
    Flag.withDescription("The same seed makes the same plan of faults (1)"),
    Flag.withDefault(1)
  ),
  chunk: Flag.Int("chunk").pipe(
    atLeast(1),
    Flag.withDescription("Lines in an update (200)"),
    Flag.withDefault(200)
  ),
  json: Flag.Boolean("json").pipe(
    Flag.withDescription("Print the results as JSON: an object, or a list of them"),
    Flag.withDefault(false)
  )
}

const tally = Effect.fnUntraced(function*(
  { companion, files, json, ...options }: Command.Command.Config.Infer<typeof flags>
) {
  const say = (text: string) => json ? Effect.void : Console.log(text)
  const input = yield* read(files.length > 0 ? files : yield* Input.effectSources)
  yield* say(Result.heading(input, options))

  const first = yield* run(Option.getOrElse(companion, (): Result.Companion => "memory"), input, options)
  yield* say(Result.summary(first.result, first.top, first.faults))
  if (Option.isSome(companion)) {
    if (json) yield* Console.log(JSON.stringify(first.result))
    return yield* check([first.result])
  }

  yield* say("\nThe same input and the same faults, by companion:\n")
  const others = yield* Effect.forEach(
    Result.InProcess.literals.filter((name) => name !== "memory"),
    (name) => run(name, input, options)
  )
  const results = [...others, first].map(({ result }) => result)
  yield* json
    ? Console.log(JSON.stringify(results))
    : Console.log(`${Result.comparison(results)}\n\n${Result.losses(results)}`)
  yield* check(results)
})

/** Fails, and with it the program, when a companion that is to conserve the state did not. */
const check = (results: ReadonlyArray<Result.Result>): Effect.Effect<void, CliError.UserError> => {
  const failed = results.filter(({ companion, lost, matches }) => conserves(companion) && (lost > 0 || !matches))
  return failed.length === 0 ? Effect.void : new CliError.UserError({
    cause: undefined,
    userMessage: `An acknowledged update was lost, or counted twice, with: ${
      failed.map(({ companion }) => companion).join(", ")
    }`
  })
}

export const program = (given: Command.Command.Config.Infer<typeof flags>) =>
  Effect.flatMap(GlobalFlag.LogLevel, (level) =>
    tally(given).pipe(
      // Every crash makes a report, and here they come by the hundred: they are shown only when asked for.
      Effect.provideService(References.MinimumLogLevel, Option.getOrElse(level, () => "Fatal" as const)),
      Effect.provideService(References.LogToStderr, true)
    ))

export const command = Command.make("tally", flags, program).pipe(
  Command.withShortDescription("Counts words with a server that is being crashed all the time"),
  Command.withDescription(
    "Counts the words of text files with a server that is being crashed all the time, and compares with a plain count. " +
      "--log-level error shows the crash reports. Exit code 1 when a companion that conserves loses an acknowledged update"
  )
)

if (import.meta.main) {
  Command.run(command, { version: "0.1.0" }).pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)
}
