/**
 * The servers of random trees: a counter with every kind of message that a server may have, which watches its own laws.
 */
import { Context, Effect, Exit, Layer, Schema } from "effect"
import { GenServer, Next, Process, type StateContainer, Timer } from "../../../src/index.ts"
import { Simulation } from "../../../src/testing.ts"

const Counts = Schema.Record(Schema.String, Schema.Int)

/** What servers remember. */
export const CellState = Schema.Struct({
  n: Schema.Int,
  /** How often each call with a key was handled. */
  booked: Counts,
  /** How often each timer was delivered. */
  rung: Counts,
  /** The newest message of each sender. */
  newest: Counts
})

const by = { by: Schema.Int }
const slow = { by: Schema.Int, millis: Schema.Int }
const id = { id: Schema.String }

class Refused extends Schema.TaggedError<Refused>()("Refused", {}) {}

/** A class of such servers. */
export const cellOf = (name: string) => {
  class Cell extends GenServer.Service<Cell>()(name, {
    state: CellState,
    messages: {
      Add: GenServer.call({ payload: by, reply: Schema.Int }),
      Put: GenServer.cast({ payload: by }),
      Slow: GenServer.call({ payload: slow, reply: Schema.Int }),
      Stuck: GenServer.call({ payload: slow, reply: Schema.Int }),
      Later: GenServer.call({ payload: slow, reply: Schema.Int }),
      Once: GenServer.call({ payload: { ...id, by: Schema.Int }, reply: Schema.Int }),
      Again: GenServer.call({ payload: { ...slow, ...id }, reply: Schema.Int, redeliver: { maxAttempts: 3 } }),
      Set: GenServer.call({ payload: { ...id, millis: Schema.Int } }),
      Rung: GenServer.cast({ payload: id, internal: true }),
      Next: GenServer.cast({ payload: { of: Schema.String, nth: Schema.Int }, redeliver: { maxAttempts: 5 } }),
      Refuse: GenServer.call({ error: Refused }),
      Die: GenServer.call({ payload: by, reply: Schema.Int }),
      Look: GenServer.call({ reply: CellState })
    }
  }) {}
  return Cell
}

/** Such a class, its servers, and what their clients are. */
export type CellClass = ReturnType<typeof cellOf>
export type Cell = Context.Service.Identifier<CellClass>
export type CellClient = Context.Service.Shape<CellClass>
export type CellCompanion = StateContainer.StateOf<Cell>

/** What a process of the app sees of its own laws: broken ones are told to the run. */
export class Watch extends Context.Service<Watch, {
  readonly broken: (what: string) => void
  /** The servers that have started before. */
  readonly known: Set<string>
}>()("chaos/Watch") {
  static readonly layer = Layer.effect(
    Watch,
    Effect.map(Simulation.Violations, (broken) => ({ broken, known: new Set<string>() }))
  )
}

const bump = (counts: typeof Counts.Type, key: string): typeof Counts.Type => ({
  ...counts,
  [key]: (counts[key] ?? 0) + 1
})

/** An incarnation of a server that another one stands on. */
interface Incarnation {
  readonly server: CellClient
  readonly number: number
}

const incarnationOf = (server: CellClient): Effect.Effect<Incarnation> =>
  Effect.map(Process.incarnation(server), (number) => ({ server, number }))

/** An incarnation: what of it is at work. */
class Life {
  private busy = false
  isOver = false
  /** What was wrong with its start. One that is given up, and runs on until it hears of that, handles nothing. */
  early: string | undefined = undefined
  private readonly name: string
  private readonly broken: (what: string) => void
  private readonly standsOn: ReadonlyArray<Incarnation>

  constructor(name: string, broken: (what: string) => void, standsOn: ReadonlyArray<Incarnation>) {
    this.name = name
    this.broken = broken
    this.standsOn = standsOn
  }

  enter(what: string): void {
    if (this.busy) this.broken(`${this.name} handles ${what} while it handles another message`)
    if (this.isOver) this.broken(`${this.name} handles ${what} after its end`)
    if (this.early !== undefined) this.broken(this.early)
    for (const { number, server } of this.standsOn) {
      const now = Effect.runSync(Process.incarnation(server))
      if (now !== number) this.broken(`${this.name} handles ${what}, and what it needs was restarted under it`)
    }
  }

  /** Handles it alone. */
  alone<A, E, R>(what: string, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.suspend(() => {
      this.enter(what)
      this.busy = true
      return Effect.ensuring(effect, Effect.sync(() => (this.busy = false)))
    })
  }
}

/**
 * The behaviour of a server, made anew by each incarnation. `needs` are servers that must run whenever it is restarted.
 */
export const behaviorOf = (cell: CellClass, name: string, needs: ReadonlyArray<CellClient> = []) =>
  Effect.gen(function*() {
    const { broken, known } = yield* Watch
    // What is started by hand, as by its Layer for the first time, is started whatever becomes of the others.
    const standsOn = known.has(name) ? needs : []
    known.add(name)
    // They may crash at any moment of this start. It is taken down then, before they are restarted.
    const life = new Life(name, broken, yield* Effect.forEach(standsOn, incarnationOf))
    yield* Effect.addFinalizer(() => Effect.sync(() => (life.isOver = true)))
    for (const needed of standsOn) {
      const status = yield* Process.status(needed)
      if (status === "starting") life.early = `${name} was started while what it needs was ${status}`
    }
    const once = (counts: typeof Counts.Type, key: string, what: string): void => {
      if ((counts[key] ?? 0) > 0) broken(`${what} ${key} is handled by ${name}, and was before`)
    }
    return cell.behavior({
      init: { n: 0, booked: {}, rung: {}, newest: {} },
      handlers: {
        Add: (state, { by }) => {
          life.enter("Add")
          return [state.n + by, by === 0 ? state : { ...state, n: state.n + by }]
        },
        Put: (state, { by }) => {
          life.enter("Put")
          return { ...state, n: state.n + by }
        },
        Slow: (state, { by, millis }) =>
          life.alone("Slow", Effect.as(Effect.sleep(millis), [state.n + by, { ...state, n: state.n + by }])),
        // It cannot be interrupted: what orders its end has to wait, or to leave it behind.
        Stuck: (state, { by, millis }) =>
          Effect.uninterruptible(
            life.alone("Stuck", Effect.as(Effect.sleep(millis), [state.n + by, { ...state, n: state.n + by }]))
          ),
        Later: (state, { by, millis }, { from }) => {
          life.enter("Later")
          const n = state.n + by
          // After the commit: an answer that is given earlier is ahead of its state.
          const reply = Effect.andThen(Effect.sleep(millis), GenServer.reply(from, Exit.succeed(n)))
          return Next.noReply({ ...state, n }, { continueWith: (state) => Effect.as(Effect.forkScoped(reply), state) })
        },
        Once: (state, { by, id }) => {
          life.enter("Once")
          once(state.booked, id, "the call")
          return [state.n + by, { ...state, n: state.n + by, booked: bump(state.booked, id) }]
        },
        // It may be handled again after its commit: then it knows.
        Again: (state, { by, id, millis }) => {
          const isDone = state.booked[id] !== undefined
          const next = isDone ? state : { ...state, n: state.n + by, booked: bump(state.booked, id) }
          return life.alone("Again", Effect.as(Effect.sleep(millis), [next.n, next]))
        },
        Set: (state, { id, millis }) =>
          Next.reply(undefined, state, { timers: [Timer.after(id, millis, cell.message.Rung({ id }))] }),
        Rung: (state, { id }) => {
          life.enter("Rung")
          once(state.rung, id, "the timer")
          return { ...state, rung: bump(state.rung, id) }
        },
        Next: (state, { nth, of }) => {
          life.enter("Next")
          const newest = state.newest[of] ?? 0
          if (nth < newest) broken(`${name} handles message ${nth} of ${of} after ${newest}`)
          return { ...state, newest: { ...state.newest, [of]: nth } }
        },
        Refuse: () => Effect.fail(new Refused()),
        Die: (state, { by }) => life.alone("Die", Effect.die(new Error(`${by + state.n - state.n} of no use`))),
        Look: (state) => [state, state]
      }
    })
  })
