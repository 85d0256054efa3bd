/**
 * A lively tree to look at: channels that people post to, a tally, hundreds of walkers of which one stumbles now and
 * then, a clerk who is slow, and a ledger in a database.
 */
import { Clock, Duration, Effect, HashMap, Layer, Option, Random, Schedule, Schema } from "effect"
import {
  DynamicSupervisor,
  GenServer,
  Restart,
  StateContainer,
  StateSchema,
  StateStore,
  Supervisor
} from "../../index.ts"
import * as Place from "../stores/Place.ts"

// ---- Channels, by key: each keeps its last posts.

export class Channel extends GenServer.Service<Channel>()("town/Channel", {
  state: Schema.Array(Schema.Struct({ by: Schema.String, text: Schema.String })),
  messages: {
    Post: GenServer.call({ payload: { by: Schema.String, text: Schema.String } })
  }
}) {}

const names = ["general", "random", "support", "jobs", "music"] as const
const people = ["ann", "bob", "cleo", "dan", "eve"] as const

const Channels = Supervisor.layer({ id: "channels", strategy: "one_for_one" }, [
  StateContainer.layerMemory(Channel),
  Channel.layerKeyed({
    init: [],
    handlers: {
      Post: (posts, post) => [undefined, [...posts.slice(-19), post]]
    }
  }),
  Supervisor.worker(
    "visitors",
    Effect.forever(Effect.gen(function*() {
      const channel = yield* Channel.at(yield* pick(names))
      yield* Effect.ignore(channel.Post({ by: yield* pick(people), text: `it is ${yield* Clock.currentTimeMillis}` }))
      yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(5, 60)))
    }))
  )
])

function pick<A>(from: ReadonlyArray<A>): Effect.Effect<A> {
  return Effect.map(Random.nextIntBetween(0, from.length - 1), (i) => from[i]!)
}

// ---- A tally that crashes on one message of some hundred, and goes on with what it had.

export class Tally extends GenServer.Service<Tally>()("town/Tally", {
  state: Schema.HashMap(Schema.String, Schema.Int),
  messages: {
    Count: GenServer.call({ payload: { word: Schema.String } }),
    Trip: GenServer.call()
  }
}) {}

const Tallies = Supervisor.layer(
  { id: "tally", strategy: "one_for_one", restart: Restart.intensity({ restarts: 20, within: "1 minute" }) },
  [
    StateContainer.layerMemory(Tally),
    Tally.layer({
      init: HashMap.empty(),
      handlers: {
        Count: (counts, { word }) => [
          undefined,
          HashMap.modifyAt(counts, word, (n) => Option.some(Option.getOrElse(n, () => 0) + 1))
        ],
        Trip: () => Effect.die(new Error("tripped over a word"))
      }
    }),
    Supervisor.worker(
      "reader",
      Effect.gen(function*() {
        const tally = yield* Tally
        const count = Effect.ignore(Effect.flatMap(pick(people), (word) => tally.Count({ word })))
        const trip = Effect.ignore(tally.Trip())
        yield* Effect.all([
          Effect.repeat(count, Schedule.spaced("4 millis")),
          Effect.repeat(Effect.andThen(Effect.sleep("9 seconds"), trip), Schedule.forever)
        ], { concurrency: "unbounded" })
      })
    )
  ]
)

// ---- Walkers: many servers of one kind under a dynamic supervisor. One of them stumbles every few seconds.

export class Walker extends GenServer.Service<Walker>()("town/Walker", {
  state: Schema.Struct({ steps: Schema.Int, home: Schema.String, pin: StateSchema.redacted(Schema.String) }),
  messages: {
    Step: GenServer.cast(),
    Stumble: GenServer.cast()
  }
}) {}

export class Walkers extends DynamicSupervisor.Service<Walkers>()("walkers") {}

const walker = Walker.behavior({
  init: { steps: 0, home: "Mill Lane", pin: "4711" },
  handlers: {
    Step: (walker) => ({ ...walker, steps: walker.steps + 1 }),
    Stumble: () => Effect.die(new Error("stumbled"))
  }
})

const Streets = (many: number) =>
  Supervisor.layer({ id: "streets", strategy: "one_for_one" }, [
    StateContainer.layerMemory(Walker),
    Walkers.layer({ restart: Restart.intensity({ restarts: 100, within: "1 minute" }) }),
    Supervisor.worker(
      "weather",
      Effect.gen(function*() {
        const supervisor = yield* Walkers
        const walkers = yield* Effect.forEach(
          Array.from({ length: many }, (_, i) => `${i + 1}`.padStart(4, "0")),
          (key) => supervisor.startChild(Walker.recipe(walker, { key }))
        )
        const step = Effect.flatMap(pick(walkers), (one) => one.Step())
        const stumble = Effect.flatMap(pick(walkers), (one) => one.Stumble())
        yield* Effect.all([
          Effect.repeat(Effect.andThen(step, step), Schedule.spaced("2 millis")),
          Effect.repeat(Effect.andThen(Effect.sleep("3500 millis"), stumble), Schedule.forever)
        ], { concurrency: "unbounded" })
      })
    )
  ])

// ---- A clerk whose messages take their time, with a small mailbox.

export class Clerk extends GenServer.Service<Clerk>()("town/Clerk", {
  state: Schema.Int,
  messages: { File: GenServer.cast({ payload: { pages: Schema.Int } }) }
}) {}

const Hall = Supervisor.layer({ id: "town hall", strategy: "rest_for_one" }, [
  StateContainer.layerMemory(Clerk),
  Clerk.layer({
    init: 0,
    handlers: {
      File: (filed, { pages }) => Effect.as(Effect.sleep(Duration.millis(pages * 400)), filed + pages)
    }
  }, { mailbox: { capacity: 12, overflow: "drop_oldest" } }),
  Supervisor.worker(
    "post",
    Effect.gen(function*() {
      const clerk = yield* Clerk
      yield* Effect.forever(Effect.gen(function*() {
        yield* clerk.File({ pages: yield* Random.nextIntBetween(1, 16) })
        yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(1500, 4500)))
      }))
    })
  )
])

// ---- A ledger that outlives the process.

export class Ledger extends GenServer.Service<Ledger>()("town/Ledger", {
  state: Schema.Struct({ entries: Schema.Int, balance: Schema.Int }),
  messages: { Book: GenServer.call({ payload: { amount: Schema.Int }, reply: Schema.Int }) }
}) {}

class Store extends StateStore.Service<Store>()("town/Store", "process") {}

const Bank = (place: Place.Place) =>
  Supervisor.layer({ id: "bank", strategy: "one_for_one" }, [
    StateContainer.layerStore(Ledger, { store: Store }),
    Ledger.layer({
      init: { entries: 0, balance: 0 },
      handlers: {
        Book: ({ balance, entries }, { amount }) => [entries + 1, { entries: entries + 1, balance: balance + amount }]
      }
    }),
    Supervisor.worker(
      "customers",
      Effect.gen(function*() {
        const ledger = yield* Ledger
        yield* Effect.forever(Effect.gen(function*() {
          yield* Effect.ignore(ledger.Book({ amount: yield* Random.nextIntBetween(-50, 100) }))
          yield* Effect.sleep("120 millis")
        }))
      })
    )
  ]).pipe(Layer.provide(Place.layer(Store, place)))

/** All of it. */
export const Town = (options: { readonly walkers: number; readonly store: Place.Place }) =>
  Supervisor.layer({ id: "town", strategy: "one_for_one" }, [
    Channels,
    Tallies,
    Streets(options.walkers),
    Hall,
    Bank(options.store)
  ])
