/**
 * The rival of a companion: chat channels whose posts live in one shared table, the way of ETS, next to the same
 * channels with companions. A table is simple, and any server may write every row: two writers that each get a row, do
 * something that yields, and put what they made of it, lose one of the two posts. Only its server writes a companion.
 *
 *   npm start -- channels
 *   npm start -- channels --sessions 5 --posts 100
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Array as Arr, Console, Effect, Layer, Option, References, Schema } from "effect"
import { CliError, Command, Flag, GlobalFlag } from "effect/cli"
import { GenServer, StateContainer, StateTable, Supervisor } from "../index.ts"
import { columns } from "./text/Columns.ts"
import { atLeast } from "./text/Flags.ts"

// ---- A channel: its posts, oldest first.

const Posts = Schema.Array(Schema.String)

class Channel extends GenServer.Service<Channel>()("Channel", {
  state: Posts,
  messages: {
    Post: GenServer.call({ payload: { text: Schema.String } }),
    Read: GenServer.call({ reply: Posts }),
    Crash: GenServer.call()
  }
}) {}

const ChannelsLive = Channel.layerKeyed({
  init: [],
  handlers: {
    // It yields between reading the posts and answering with the new ones, and nothing comes between: one message at a
    // time.
    Post: (posts, { text }) => Effect.as(Effect.yieldNow, [undefined, [...posts, text]]),
    Read: (posts) => [posts, posts],
    Crash: () => Effect.die(new Error("crashed, as you wished"))
  }
})

// ---- Two trees that differ in where the posts are conserved. The table is built above its supervisor, and outlives
// it.

const row = (channel: string): string => `#${channel}`

const WithTable = Supervisor.layer({ strategy: "one_for_one" }, [
  StateContainer.layerTable(Channel, { row }),
  ChannelsLive
]).pipe(Layer.provideMerge(StateTable.StateTable.layer))

const WithCompanions = Supervisor.layer({ strategy: "one_for_one" }, [
  StateContainer.layerMemory(Channel),
  ChannelsLive
])

// ---- Three ways to post to a channel.

type Post<R> = (channel: string, text: string) => Effect.Effect<void, GenServer.CallError | Supervisor.StartError, R>

/** Gets the row, yields (to look something up, say), and puts what it made of it. */
const getAndPut: Post<StateTable.StateTable> = Effect.fnUntraced(function*(channel, text) {
  const table = yield* StateTable.StateTable
  const posts = postsOf(yield* table.get(row(channel)))
  yield* Effect.yieldNow
  yield* table.put(row(channel), [...posts, text])
})

/** Changes the row in one step; nothing in it may take time. */
const update: Post<StateTable.StateTable> = Effect.fnUntraced(function*(channel, text) {
  const table = yield* StateTable.StateTable
  yield* table.update(row(channel), (posts) => [...postsOf(posts), text])
})

/** Asks the server of the channel. */
const askServer: Post<GenServer.Keyed<Channel>> = Effect.fnUntraced(function*(channel, text) {
  const server = yield* Channel.at(channel)
  yield* server.Post({ text })
})

// A table is untyped, as ETS is: who reads a row has to know what is in it.
const postsOf = (value: Option.Option<unknown>): typeof Posts.Type =>
  Option.getOrElse(Option.filter(value, Schema.is(Posts)), () => [])

// ---- What becomes of the posts: sessions post at the same time, the channel's server crashes, and who asks then?

interface Options {
  readonly sessions: number
  readonly posts: number
}

const outcome = Effect.fnUntraced(function*<R>(post: Post<R>, { posts, sessions }: Options) {
  const channel = yield* Channel.at("general")
  const session = (n: number) =>
    Effect.forEach(Arr.range(1, posts), (i) => post("general", `session ${n}, post ${i}`), { discard: true })
  yield* Effect.forEach(Arr.range(1, sessions), session, { concurrency: "unbounded", discard: true })
  yield* Effect.exit(channel.Crash())
  return (yield* channel.Read()).length
})

const program = Effect.fnUntraced(function*(options: Options) {
  const sent = options.sessions * options.posts
  // Fresh, so that each has a table of its own.
  const kept = {
    "table, the sessions get, yield and put": yield* Effect.provide(
      outcome(getAndPut, options),
      Layer.fresh(WithTable)
    ),
    "table, the sessions update": yield* Effect.provide(outcome(update, options), Layer.fresh(WithTable)),
    "table, the server writes": yield* Effect.provide(outcome(askServer, options), Layer.fresh(WithTable)),
    "companion, the server writes": yield* Effect.provide(outcome(askServer, options), WithCompanions)
  }
  yield* Console.log(
    `${options.sessions} sessions post ${options.posts} times each to one channel; its server crashes.\n`
  )
  yield* Console.log(columns([
    ["", "posted", "kept", "lost"],
    ...Object.entries(kept).map(([how, n]) => [how, `${sent}`, `${n}`, `${sent - n}`])
  ]))
  yield* Console.log(
    "\nA row that all may write loses what was written between a get and its put.\n" +
      "A state that only its server writes, one message at a time, does not: whatever its handlers wait for."
  )
  if (kept["companion, the server writes"] !== sent) {
    return yield* new CliError.UserError({ cause: undefined, userMessage: "A post to a server was lost." })
  }
})

// ---- The command.

const count = (name: string, otherwise: number, description: string) =>
  Flag.Int(name).pipe(
    atLeast(1),
    Flag.withDescription(`${description} (${otherwise})`),
    Flag.withDefault(otherwise)
  )

const flags = {
  sessions: count("sessions", 2, "How many sessions post at the same time"),
  posts: count("posts", 10, "How often each of them posts")
}

export const command = Command.make(
  "channels",
  flags,
  (options) =>
    Effect.flatMap(GlobalFlag.LogLevel, (level) =>
      program(options).pipe(
        Effect.provideService(References.MinimumLogLevel, Option.getOrElse(level, () => "Fatal" as const)),
        Effect.provideService(References.LogToStderr, true)
      ))
).pipe(
  Command.withShortDescription("Chat channels in a shared table, and with companions: the lost update"),
  Command.withDescription(
    "Chat channels whose posts live in one shared table, next to the same with companions: shows the update that a " +
      "shared table can lose. --log-level error shows the crash reports"
  )
)

if (import.meta.main) {
  Command.run(command, { version: "0.1.0" }).pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)
}
