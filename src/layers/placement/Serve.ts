/**
 * Calls from outside: a server's messages over HTTP and WebSocket, from the same descriptors that its clients are made
 * of.
 *
 * `group` makes an `RpcGroup` of effect, for clients that have effect; `api` an `HttpApi`, for all others, with an
 * OpenAPI document. Both are values without the engine, which a page can have, too. `layer` and `apiLayer` are their
 * handlers, over the server of this app, its servers by key, or those of another placement.
 *
 * What crosses is what the schemas say. A `CallError` becomes `Unanswered`, without causes and paths; a request that is
 * wrong is `Refused`, reaches no handler and starts no server. Authentication is yours: add effect's
 * `HttpApiMiddleware` to an api, its `RpcMiddleware` to a group, and `HttpRouter.cors` to the routes.
 *
 * @since 0.1.0
 */
export { Refused, RefusedIssue } from "../../domain/placement/Refused.ts"
export { Unanswered, UnansweredReason } from "../../domain/placement/Unanswered.ts"
export {
  api,
  apiGroup,
  type ApiOptions,
  type CallHeaders,
  type EndpointOf,
  type EndpointsOf,
  Guard
} from "./serve/Api.ts"
export { apiLayer, guard, unknown } from "./serve/ApiHandlers.ts"
export { group } from "./serve/GivenGroup.ts"
export {
  type GroupOptions,
  type HasMessages,
  Key,
  type KeyedPayload,
  type KeySchema,
  type RpcOf,
  type RpcsOf
} from "./serve/Group.ts"
export { layer } from "./serve/Handlers.ts"
export type { Limits, Rate } from "./serve/Limits.ts"
export { type HttpOptions, layerHttp } from "./serve/Protocol.ts"
export { answered, type KeyedSource, type OneSource } from "./serve/Source.ts"
