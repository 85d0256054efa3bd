/**
 * The messages of a server class as an `HttpApi` of effect: one route for each.
 *
 * @since 0.1.0
 */
import { Schema } from "effect"
import { HttpApi, HttpApiEndpoint, HttpApiGroup, HttpApiMiddleware, HttpApiSchema } from "effect/http-api"
import * as GivenOption from "../../../domain/options/GivenOption.ts"
import { Refused, refusedStatuses } from "../../../domain/placement/Refused.ts"
import { statusOf, Unanswered, unansweredStatuses } from "../../../domain/placement/Unanswered.ts"
import {
  type ErrorOf,
  type OpenMessage,
  openMessages,
  type OpenTag,
  type PayloadOf,
  type ReplyOf
} from "../../../domain/placement/Wire.ts"
import type { Call, Messages } from "../../../domain/server/Message.ts"
import { keyedOf, messagesOf, pathOf } from "./Given.ts"
import { type HasMessages, type IsKeyed, type KeySchema, keySchema, payloadOf } from "./Group.ts"
import { strictly } from "./Issues.ts"

// ---- Errors, each under its status.

// A class is written by the first of its kind that it fits, so each is of one status.
const refusals: ReadonlyArray<typeof Refused> = refusedStatuses.map((status) =>
  Refused.check(Schema.makeFilter((refused: Refused) => refused.status === status)).pipe(
    HttpApiSchema.status(status),
    HttpApiSchema.asJson({ contentType: "application/problem+json" })
  ) as unknown as typeof Refused
)

const unanswered: ReadonlyArray<typeof Unanswered> = unansweredStatuses.map((status) =>
  Unanswered.check(Schema.makeFilter((one: Unanswered) => statusOf(one) === status)).pipe(
    HttpApiSchema.status(status)
  ) as unknown as typeof Unanswered
)

/**
 * What stands before every route that `Serve.api` makes: its limits, and the answer to a request that is wrong.
 *
 * @category middleware
 * @since 0.1.0
 */
export class Guard extends HttpApiMiddleware.Service<Guard>()("heirloom/serve/Guard", {
  error: [...refusals, ...unanswered]
}) {}

/** A schema of several errors as the schemas of each. */
const each = (schema: Schema.Top): ReadonlyArray<Schema.Top> =>
  schema.ast._tag === "Never"
    ? []
    : isUnion(schema)
    ? schema.members.flatMap(each)
    : [schema]

const isUnion = (schema: Schema.Top): schema is Schema.Union<ReadonlyArray<Schema.Top>> =>
  schema.ast._tag === "Union" && "members" in schema

/** An error with the status that it has, or with 422: the request was understood, and refused by the server itself. */
const withStatus = (schema: Schema.Top): Schema.Top =>
  HttpApiSchema.status(schema.ast.annotations?.["httpApiStatus"] as number | undefined ?? 422)(schema)

// ---- Routes.

/**
 * The headers of a call.
 *
 * @category models
 * @since 0.1.0
 */
export type CallHeaders = Schema.Struct<{ readonly "idempotency-key": Schema.optionalKey<Schema.String> }>

/** What is answered: the reply, or that a cast was taken. */
type SuccessOf<M> = M extends Call<any, any, any> ? Schema.toCodecJson<ReplyOf<M>>
  : Schema.toCodecJson<HttpApiSchema.Accepted>

type ErrorsOf<M> = [ErrorOf<M>] extends [Schema.Never] ? never : Schema.toCodecJson<ErrorOf<M>>

type HeadersOf<M> = M extends Call<any, any, any> ? Schema.toCodecStringTree<CallHeaders> : never

/**
 * One message as a route.
 *
 * @category models
 * @since 0.1.0
 */
export type EndpointOf<Tag extends string, M, K> = HttpApiEndpoint.HttpApiEndpoint<
  Tag,
  "POST",
  string,
  K extends true ? Schema.toCodecStringTree<Schema.Struct<{ readonly key: KeySchema }>> : never,
  never,
  Schema.toCodecJson<PayloadOf<M>>,
  HeadersOf<M>,
  SuccessOf<M>,
  ErrorsOf<M>,
  Guard
>

/**
 * The messages that any code may send, as a union of routes.
 *
 * @category models
 * @since 0.1.0
 */
export type EndpointsOf<Ms extends Messages, K extends boolean = false> = {
  [Tag in OpenTag<Ms>]: EndpointOf<Tag, Ms[Tag], K>
}[OpenTag<Ms>]

/**
 * The options of an api.
 *
 * @category options
 * @since 0.1.0
 */
export interface ApiOptions<Name extends string, K extends boolean | KeySchema = boolean | KeySchema> {
  /** The name of the group, by which clients find its methods. */
  readonly name: Name
  /** The path before that of each message: `/counters`. By default a slash and the name. */
  readonly path?: `/${string}` | undefined
  /**
   * `true`, or a schema of keys, for servers by key: `POST /counters/:key/Add`. By default there is one server, without
   * a key: `POST /counter/Add`.
   */
  readonly keyed?: K | undefined
}

const idempotencyKey = { "idempotency-key": Schema.optionalKey(Schema.String) }

/** What is answered when all went well. */
const successOf = ({ message, reply }: OpenMessage): Schema.Top =>
  message._tag === "Cast" ? HttpApiSchema.Accepted : reply.ast._tag === "Void" ? HttpApiSchema.NoContent : reply

/** Options that make sense, with the path that there is by default. */
const optionsOf = <Name extends string, K>(options: ApiOptions<Name, K & (boolean | KeySchema)>) => {
  const of = "Serve.api"
  const { keyed, name, path = `/${String(name)}` as const } = GivenOption.options(of, options)
  GivenOption.text({ of, option: "name", given: name })
  return { keyed, name, path: pathOf(of, path) }
}

const plainTag = /^[\w.~-]+$/

/**
 * Makes a group of routes of the messages of a server class, for an `HttpApi` that has others.
 *
 * @category constructors
 * @since 0.1.0
 */
export const apiGroup = <Ms extends Messages, const Name extends string, const K extends boolean | KeySchema = false>(
  server: HasMessages<Ms>,
  options: ApiOptions<Name, K>
): HttpApiGroup.HttpApiGroup<Name, EndpointsOf<Ms, IsKeyed<K>>> => {
  const { keyed, name, path } = optionsOf(options)
  const of = `Serve.api(${name})`
  const key = keySchema(keyedOf(of, keyed))
  const paths = new Set<string>()
  const endpoints = openMessages(messagesOf(of, server)).map((one) => {
    const { error, message, tag } = one
    const given = { of, option: "the name of a message", given: tag }
    if (!plainTag.test(tag)) GivenOption.refuse(given, "a part of a path")
    // To a router a path is the same in upper and lower case.
    if (paths.has(tag.toLowerCase())) {
      GivenOption.refuse(given, "different from that of every other, in lower case, too")
    }
    paths.add(tag.toLowerCase())
    return HttpApiEndpoint.post(tag, key === undefined ? `${path}/${tag}` : `${path}/:key/${tag}`, {
      ...(key === undefined ? {} : { params: Schema.Struct({ key }) }),
      ...(message._tag === "Call" ? { headers: Schema.Struct(idempotencyKey) } : {}),
      payload: payloadOf(one),
      success: successOf(one),
      error: each(error).map(withStatus)
    })
  })
  // A group is as precise as its routes, which are of any tag here.
  const empty: { readonly add: (...routes: typeof endpoints) => HttpApiGroup.Top } = HttpApiGroup.make(name) as any
  const group = empty.add(...endpoints).annotateEndpoints(HttpApi.PayloadParseOptions, strictly).middleware(Guard)
  // The types above say of each message what this loop does with it.
  return group as unknown as HttpApiGroup.HttpApiGroup<Name, EndpointsOf<Ms, IsKeyed<K>>>
}

/**
 * Makes an `HttpApi` of the messages of a server class: a `POST` for each call and cast that any code may send.
 *
 * **When to use**
 *
 * For callers of any kind: curl, a page with `fetch`, a program in another language with the OpenAPI document.
 * `HttpApiClient.make` makes a typed client of it.
 *
 * **Details**
 *
 * The body is the payload as JSON, `{}` for a message without one. A call is answered 200 with its reply, or 204 where
 * that is nothing; a cast 202. An error of a message has the status of its schema (`httpApiStatus`), 422 where that has
 * none. A call that got no answer is `Unanswered`, with a status, and `Retry-After` where it may be sent again. A
 * request that is wrong is `Refused`, a problem document: 400, 404, 405, 408, 413, 415 or 429. The header
 * `Idempotency-Key` makes a call safe to send again.
 *
 * Middleware of your own is added to it as to any other (`api.middleware(Authentication)`): it stands before these
 * checks.
 *
 * @category constructors
 * @since 0.1.0
 */
export const api = <Ms extends Messages, const Name extends string, const K extends boolean | KeySchema = false>(
  of: HasMessages<Ms>,
  options: ApiOptions<Name, K>
): HttpApi.HttpApi<Name, HttpApiGroup.HttpApiGroup<Name, EndpointsOf<Ms, IsKeyed<K>>>> => {
  const group = apiGroup(of, options)
  return HttpApi.make(options.name).add(group)
}
