/**
 * The Rpcs of a server class: what its entity understands, made from its messages.
 *
 * @since 0.1.0
 */
import { Schema } from "effect"
import { ClusterSchema, Entity } from "effect/cluster"
import { Rpc, RpcGroup } from "effect/rpc"
import { refuse } from "../../../domain/options/GivenOption.ts"
import {
  type ErrorOf,
  type OpenMessage,
  openMessages,
  type OpenTag,
  type PayloadOf,
  refusalOf,
  type ReplyOf,
  type SentFields,
  sentFields
} from "../../../domain/placement/Wire.ts"
import type { CallError } from "../../../domain/process/CallError.ts"
import type { Call, Messages } from "../../../domain/server/Message.ts"

/**
 * The Rpcs of a server class: one for each message that any code may send.
 *
 * The payload of each has the message's as `payload`, and beside it what the caller of a call says: its idempotency
 * `key`, and for how many milliseconds it still waits (`timeout`).
 *
 * @category models
 * @since 0.1.0
 */
export type RpcsOf<Ms extends Messages> = {
  [K in OpenTag<Ms>]: Rpc.Rpc<
    K,
    Schema.Struct<SentFields<PayloadOf<Ms[K]>>>,
    ReplyOf<Ms[K]>,
    Schema.Union<readonly [ErrorOf<Ms[K]>, typeof CallError]>
  >
}[OpenTag<Ms>]

/**
 * The tags of the calls that any code may make.
 *
 * @category models
 * @since 0.1.0
 */
export type CallTag<Ms extends Messages> = {
  [K in OpenTag<Ms>]: Ms[K] extends Call<any, any, any> ? K : never
}[OpenTag<Ms>]

/**
 * What the entity and its clients have to agree on.
 *
 * @category options
 * @since 0.1.0
 */
export interface Wiring<Ms extends Messages> {
  /**
   * The calls that are stored before they are sent, so that they outlive their runner: none by default, since each
   * costs 8 to 17 times as much. Say the same of a class wherever its layer, its clients and its entity are made.
   */
  readonly persisted?: ReadonlyArray<CallTag<Ms>> | undefined
}

/** The same, of any class. */
export interface AnyWiring {
  readonly persisted?: ReadonlyArray<string> | undefined
}

/** A server class, as far as its messages are concerned. */
export interface Messaged {
  readonly key: string
  readonly messages: Messages
}

/** Has an entity start its server, so that it handles what is due; no client has it. */
export const Wake = Rpc.make("heirloom/Wake")

const rpcOf = ({ error, payload, reply, tag }: OpenMessage, isPersisted: boolean): Rpc.Any => {
  const answer = { success: reply, error: refusalOf(error) }
  if (!isPersisted) return Rpc.make(tag, { payload: Schema.Struct(sentFields(payload)), ...answer })
  // Its key is the name under which it is stored: one without could not be known from others.
  const fields = { ...sentFields(payload), key: Schema.String }
  return Rpc.make(tag, { payload: fields, primaryKey: ({ key }) => key, ...answer })
    .annotate(ClusterSchema.Persisted, true)
}

/** Refuses what does not name calls of a class. */
export const callsAmong = ({ key: of, messages }: Messaged, option: string, tags: ReadonlyArray<string>): void => {
  if (!Array.isArray(tags)) return refuse({ of, option, given: tags }, "a list of the tags of calls")
  const open = openMessages(messages)
  for (const tag of tags) {
    const isCall = open.some((one) => one.tag === tag && one.message._tag === "Call")
    if (!isCall) refuse({ of, option, given: tag }, "the tag of a call of this class that is not internal")
  }
}

const make = ({ key: of, messages }: Messaged, persisted: ReadonlyArray<string>, isOwn: boolean) => {
  const open = openMessages(messages)
  const rpcs = open.map((one) => rpcOf(one, persisted.includes(one.tag)))
  return Entity.fromRpcGroup(of, RpcGroup.make(...rpcs, ...(isOwn ? [Wake] : [])))
}

type AnyEntity = Entity.Entity<string, Rpc.Any>

const entities = new WeakMap<Messages, Map<string, AnyEntity>>()

/**
 * The entity of a server class: what its clients may send, and where it is the runner's `own`, what that may send
 * beside.
 *
 * The same one each time: effect keeps a client for each entity.
 */
export const entityOf = (server: Messaged, { persisted = [] }: AnyWiring, isOwn: boolean): AnyEntity => {
  callsAmong(server, "persisted", persisted)
  const known = entities.get(server.messages) ?? new Map<string, AnyEntity>()
  entities.set(server.messages, known)
  const name = JSON.stringify([server.key, isOwn, ...[...persisted].sort()])
  const entity = known.get(name) ?? make(server, persisted, isOwn)
  known.set(name, entity)
  return entity
}
