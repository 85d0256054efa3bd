/**
 * The messages of a server class as an `RpcGroup` of effect.
 *
 * It is made of the messages alone, so that a page can have the same group as the service, without the engine.
 *
 * @since 0.1.0
 */
import { Context, Schema } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"
import { Refused } from "../../../domain/placement/Refused.ts"
import { Unanswered } from "../../../domain/placement/Unanswered.ts"
import {
  type ErrorOf,
  type OpenMessage,
  openMessages,
  type OpenTag,
  type PayloadOf,
  type ReplyOf
} from "../../../domain/placement/Wire.ts"
import type { Messages } from "../../../domain/server/Message.ts"

/**
 * A schema of the keys of a class's servers.
 *
 * @category models
 * @since 0.1.0
 */
export interface KeySchema extends Schema.Codec<string, string> {}

/**
 * The keys that a service takes unless it is given a schema of its own: 1 to 100 characters, none of them a control
 * character.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Key: KeySchema = Schema.String.check(
  Schema.isPattern(/^[^\p{Cc}\p{Surrogate}]{1,100}$/u, { expected: "1 to 100 characters that can be shown" })
)

/** The schema of the keys that an option asks for; `undefined` for a server without keys. */
export const keySchema = (keyed: boolean | KeySchema | undefined): KeySchema | undefined =>
  keyed === undefined || keyed === false ? undefined : keyed === true ? Key : keyed

// To effect a struct without fields is any value at all.
const noPayload = Schema.Record(Schema.String, Schema.Never.annotate({ expected: "no excess property" }))

/** The schema of a payload from outside: of one without fields, an object without any. */
export const payloadOf = ({ message: { payload }, payload: schema }: OpenMessage): Schema.Top =>
  Schema.isSchema(payload) || Reflect.ownKeys(payload).length > 0 ? schema : noPayload

/** Whether an option asks for keys. */
export type IsKeyed<K> = [K] extends [never] ? false : K extends false | undefined ? false : true

/**
 * The payload of a message to the server of a key.
 *
 * @category models
 * @since 0.1.0
 */
export interface KeyedPayload<P extends Schema.Top>
  extends Schema.Struct<{ readonly key: KeySchema; readonly payload: P }>
{}

/**
 * One message as an Rpc.
 *
 * @category models
 * @since 0.1.0
 */
export type RpcOf<Tag extends string, M, K> = Rpc.Rpc<
  Tag,
  K extends true ? KeyedPayload<PayloadOf<M>> : PayloadOf<M>,
  ReplyOf<M>,
  Schema.Union<readonly [ErrorOf<M>, typeof Unanswered, typeof Refused]>
>

/**
 * The messages that any code may send, as a union of Rpcs; `K` is whether each names the key of its server.
 *
 * @category models
 * @since 0.1.0
 */
export type RpcsOf<Ms extends Messages, K extends boolean = false> = {
  [Tag in OpenTag<Ms>]: RpcOf<Tag, Ms[Tag], K>
}[OpenTag<Ms>]

/** Whether the messages of an Rpc name the key of their server: it stays with it, whatever is done to its group. */
export const isKeyed = Context.Reference<boolean>("heirloom/serve/isKeyed", { defaultValue: () => false })

/**
 * The options of a group.
 *
 * @category options
 * @since 0.1.0
 */
export interface GroupOptions<K extends boolean | KeySchema = boolean | KeySchema> {
  /**
   * `true`, or a schema of keys, for servers by key: each message names the key of its server, as `{ key, payload }`.
   * By default there is one server, without a key.
   */
  readonly keyed?: K | undefined
}

/**
 * The messages of a class, or of nothing else: what a group is made of.
 *
 * @category models
 * @since 0.1.0
 */
export interface HasMessages<Ms extends Messages> {
  readonly messages: Ms
}

/**
 * Makes an `RpcGroup` of the messages of a server class: each call and cast that any code may send.
 *
 * **When to use**
 *
 * In a page, of the messages alone, `group({ messages })`: the engine is not loaded. `Serve.group` makes the same for a
 * service.
 *
 * **Details**
 *
 * A call fails with its own errors, with `Unanswered`, or with `Refused`; a cast with the last two. Internal messages
 * are not in it. A call takes its idempotency key from the header `idempotency-key`, as an option of the client's
 * method: `client.Add({ by: 1 }, { headers: { "idempotency-key": key } })`.
 *
 * **Gotchas**
 *
 * What this is given is checked by its types alone: a page has it, without what would say what is wrong.
 *
 * Effect tells Rpcs from each other by their tags: two classes with a message of the same name need a path each.
 *
 * @category constructors
 * @since 0.1.0
 */
export const group = <Ms extends Messages, const K extends boolean | KeySchema = false>(
  server: HasMessages<Ms>,
  { keyed }: GroupOptions<K> = {}
): RpcGroup.RpcGroup<RpcsOf<Ms, IsKeyed<K>>> => {
  if (!server?.messages) throw new TypeError("Message.group takes a class of GenServer.Service, or its { messages }.")
  const { messages } = server
  const key = keySchema(keyed)
  const rpcs = openMessages(messages).map((one) => {
    const payload = payloadOf(one)
    return Rpc.make(one.tag, {
      payload: key === undefined ? payload : Schema.Struct({ key, payload }),
      success: one.reply,
      error: Schema.Union([one.error, Unanswered, Refused])
    }).annotate(isKeyed, key !== undefined)
  })
  // The types above say of each message what this loop does with it.
  return RpcGroup.make(...rpcs) as unknown as RpcGroup.RpcGroup<RpcsOf<Ms, IsKeyed<K>>>
}
