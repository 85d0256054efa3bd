/**
 * Messages without servers: what a page and a service share.
 *
 * The descriptors that a server class is made of, and what `heirloom/serve` makes of them, for a module that a browser
 * loads: nothing of the engine comes with it. A class takes them as its `messages`.
 *
 * ```ts
 * import { Schema } from "effect"
 * import * as Message from "heirloom/Message"
 *
 * export const messages = {
 *   Add: Message.call({ payload: { by: Schema.Int }, reply: Schema.Int }),
 *   Reset: Message.cast()
 * }
 *
 * // For `RpcClient.make` in the page, and for `Serve.layer` in the service.
 * export const CounterRpcs = Message.group({ messages })
 *
 * console.log([...CounterRpcs.requests.keys()].join(" ")) // => Add Reset
 * ```
 *
 * @since 0.1.0
 */
export { Refused, RefusedIssue } from "../../domain/placement/Refused.ts"
export { Unanswered, UnansweredReason } from "../../domain/placement/Unanswered.ts"
export {
  type Call,
  call,
  type CallDescription,
  type Cast,
  cast,
  type CastDescription,
  type Messages
} from "../../domain/server/Message.ts"
export { api, apiGroup, type ApiOptions, type CallHeaders, type EndpointOf, type EndpointsOf } from "./serve/Api.ts"
export {
  group,
  type GroupOptions,
  type HasMessages,
  Key,
  type KeyedPayload,
  type KeySchema,
  type RpcOf,
  type RpcsOf
} from "./serve/Group.ts"
