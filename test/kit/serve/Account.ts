/**
 * The account that is served, in one tree: the only one, and one for each key; what its handlers were given is noted.
 */
import { Effect, Schema } from "effect"
import { GenServer, StateContainer, Supervisor } from "../../../src/index.ts"
import { Closed, messages, Overdrawn } from "./messages.ts"

export class Account extends GenServer.Service<Account>()("test/serve/Account", { state: Schema.Int, messages }) {}
export class Keyed extends GenServer.Service<Keyed>()("test/serve/Keyed", { state: Schema.Int, messages }) {}

/** What reached a handler. */
export class Handled {
  readonly all: Array<readonly [tag: string, payload: unknown]> = []
  /** What is left, which is then forgotten. */
  take(): ReadonlyArray<readonly [tag: string, payload: unknown]> {
    return this.all.splice(0)
  }
}

const behaviorOf = (handled: Handled) =>
  Account.behavior({
    init: 0,
    handlers: {
      Deposit: (balance, payload) => {
        handled.all.push(["Deposit", payload])
        return [balance + payload.amount, balance + payload.amount]
      },
      Withdraw: (balance, payload) => {
        handled.all.push(["Withdraw", payload])
        if (balance < 0) return Effect.fail(new Closed())
        return balance < payload.amount
          ? Effect.fail(new Overdrawn({ balance }))
          : [balance - payload.amount, balance - payload.amount]
      },
      Balance: (balance) => {
        handled.all.push(["Balance", {}])
        return [balance, balance]
      },
      Note: (balance, payload) => {
        handled.all.push(["Note", payload])
        return balance
      },
      Label: (balance, payload) => {
        handled.all.push(["Label", payload])
        return [Object.keys(payload.labels).length, balance]
      },
      Grow: (balance, payload) => {
        handled.all.push(["Grow", payload])
        return [undefined, balance]
      },
      Close: (_balance, payload) => {
        handled.all.push(["Close", payload])
        return [undefined, -1]
      },
      Crash: (_balance, payload) => {
        handled.all.push(["Crash", payload])
        return Effect.die(new Error("the secret of /etc/passwd"))
      },
      Hang: (_balance, payload) => {
        handled.all.push(["Hang", payload])
        return Effect.never
      },
      // It lies to the compiler, too.
      Odd: (balance) => ["sesame" as unknown as number, balance],
      Tick: () => -1_000_000
    }
  })

/** Both, under one supervisor that forgives. */
export const accounts = (handled: Handled) => {
  const behavior = behaviorOf(handled)
  return Supervisor.layer({ id: "accounts", strategy: "one_for_one" }, [
    StateContainer.layerMemory(Account),
    Account.layer(behavior),
    StateContainer.layerMemory(Keyed),
    Keyed.layerKeyed(behavior)
  ])
}
