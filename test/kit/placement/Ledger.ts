/**
 * The server of the placement suite: its behaviour is a constant of this module, and holds nothing of a test, so that
 * another thread or another machine can have it as well.
 */
import { Effect, Schema } from "effect"
import { GenServer, Next } from "../../../src/index.ts"

/** How a handler answers: with a value, with an Effect that is done at once, with one that waits. */
export const styles = ["plain", "effectful", "waiting"] as const
export type Style = typeof styles[number]

const Style = Schema.Literals(styles)

export class Short extends Schema.TaggedError<Short>()("Short", { by: Schema.Int, since: Schema.Date }) {}

export class Ledger extends GenServer.Service<Ledger>()("test/Ledger", {
  state: Schema.Struct({ total: Schema.Int, notes: Schema.Array(Schema.String) }),
  messages: {
    Add: GenServer.call({
      payload: {
        by: Schema.Int,
        style: Style.pipe(Schema.withConstructorDefault(Effect.succeed("plain" as const)))
      },
      reply: Schema.Int
    }),
    Total: GenServer.call({ reply: Schema.Int }),
    Withdraw: GenServer.call({ payload: { amount: Schema.Int, style: Style }, reply: Schema.Int, error: Short }),
    Die: GenServer.call({ payload: { style: Style } }),
    DieUnasked: GenServer.cast(),
    Slow: GenServer.call({ payload: { millis: Schema.Int }, reply: Schema.Int, timeout: "infinity" }),
    /** Crashes when it is handled first, and answers when it is handled again. */
    Again: GenServer.call({ reply: Schema.Int, redeliver: { maxAttempts: 2 } }),
    Poison: GenServer.call({ redeliver: { maxAttempts: 2 } }),
    Note: GenServer.cast({ payload: { text: Schema.String } }),
    Notes: GenServer.call({ reply: Schema.Array(Schema.String) }),
    Later: GenServer.call({ payload: { at: Schema.Date, by: Schema.optionalKey(Schema.BigInt) }, reply: Schema.Date }),
    Strict: GenServer.call({
      payload: { by: Schema.Int.check(Schema.isGreaterThan(0)) },
      reply: Schema.Int,
      validate: true
    }),
    Where: GenServer.call({
      reply: Schema.Struct({ key: Schema.UndefinedOr(Schema.String), incarnation: Schema.Int, seq: Schema.Int })
    }),
    Leave: GenServer.call({ reply: Schema.Int })
  }
}) {}

interface State {
  readonly total: number
  readonly notes: ReadonlyArray<string>
}

/** The same answer in any style. */
const styled = <A, E>(style: Style, answer: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  style === "waiting" ? Effect.andThen(Effect.sleep(2), answer) : answer

const added = ({ notes, total }: State, by: number) => [total + by, { notes, total: total + by }] as const

const boom = (): never => {
  throw new Error("boom")
}

export const behavior = Ledger.behavior({
  init: { total: 0, notes: [] },
  handlers: {
    Add: (state, { by, style }) =>
      style === "plain" ? added(state, by) : styled(style, Effect.sync(() => added(state, by))),
    Total: (state) => [state.total, state],
    Withdraw: (state, { amount, style }) =>
      amount <= state.total
        ? styled(style, Effect.sync(() => added(state, -amount)))
        : styled(style, Effect.fail(new Short({ by: amount - state.total, since: new Date(0) }))),
    Die: (_, { style }) => style === "plain" ? boom() : styled(style, Effect.sync(boom)),
    DieUnasked: boom,
    Slow: (state, { millis }) => Effect.as(Effect.sleep(millis), added(state, 1)),
    Again: (state, _, { attempt }) => attempt === 1 ? boom() : added(state, 1),
    Poison: boom,
    Note: ({ notes, total }, { text }) => ({ total, notes: [...notes, text] }),
    Notes: (state) => [state.notes, state],
    Later: (state, { at, by = 0n }) => [new Date(at.getTime() + Number(by)), state],
    Strict: (state, { by }) => added(state, by),
    Where: (state, _, { incarnation, key, seq }) => [{ key, incarnation, seq }, state],
    Leave: (state) => Next.stop({ _tag: "Normal" }, { reply: state.total })
  }
})
