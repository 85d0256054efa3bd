/** The messages of the account that is served: what a page and the service share. */
import { Schema } from "effect"
import * as Message from "../../../src/layers/placement/Message.ts"

export class Overdrawn extends Schema.TaggedError<Overdrawn>()("Overdrawn", { balance: Schema.Int }, {
  httpApiStatus: 402
}) {}

/** It has no status of its own. */
export class Closed extends Schema.TaggedError<Closed>()("Closed", {}) {}

const Amount = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000_000 }))

export interface Tree {
  readonly below: ReadonlyArray<Tree>
}
const Tree: Schema.Codec<Tree> = Schema.Struct({ below: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => Tree)) })

export const messages = {
  Deposit: Message.call({ payload: { amount: Amount }, reply: Schema.Int }),
  Withdraw: Message.call({
    payload: Schema.Struct({ amount: Amount }),
    reply: Schema.Int,
    error: Schema.Union([Overdrawn, Closed])
  }),
  Balance: Message.call({ reply: Schema.Int }),
  Note: Message.cast({ payload: { text: Schema.String } }),
  Label: Message.call({ payload: { labels: Schema.Record(Schema.String, Schema.String) }, reply: Schema.Int }),
  Grow: Message.call({ payload: { tree: Tree } }),
  Close: Message.call(),
  Crash: Message.call(),
  Hang: Message.call({ timeout: 20 }),
  Odd: Message.call({ reply: Schema.Int }),
  Tick: Message.cast({ internal: true })
}
