/**
 * What the functions of a service are given: each refuses what it cannot use by name, before anything is made of it.
 *
 * Not in `Group`, which a page has, too: its bundle holds no more than the messages and their schemas.
 *
 * @since 0.1.0
 */
import { Predicate, Schema } from "effect"
import { HttpApi } from "effect/http-api"
import type { Rpc, RpcGroup } from "effect/rpc"
import * as GivenOption from "../../../domain/options/GivenOption.ts"
import type { Messages } from "../../../domain/server/Message.ts"
import type { HasMessages, KeySchema } from "./Group.ts"

/** The messages of a class. */
export const messagesOf = <Ms extends Messages>(of: string, server: HasMessages<Ms>): Ms => {
  const messages = Predicate.isObjectKeyword(server) ? server.messages : undefined
  const isMade = Predicate.isObject(messages) &&
    Object.values(messages).every((one) => Predicate.isTagged(one, "Call") || Predicate.isTagged(one, "Cast"))
  return isMade
    ? messages
    : GivenOption.refuse({ of, option: "server", given: server }, "a class of GenServer.Service, or its { messages }")
}

/** Whether there are keys, and their schema. */
export const keyedOf = (
  of: string,
  keyed: boolean | KeySchema | undefined
): boolean | KeySchema | undefined =>
  keyed === undefined || typeof keyed === "boolean" || Schema.isSchema(keyed)
    ? keyed
    : GivenOption.refuse({ of, option: "keyed", given: keyed }, "true, or a schema of keys")

/** A path of a router. */
export const pathOf = <Path extends string>(of: string, path: Path): Path =>
  typeof path === "string" && (path === "*" || path.startsWith("/"))
    ? path
    : GivenOption.refuse({ of, option: "path", given: path }, "a path: a slash first")

/** A group. */
export const groupOf = <Rpcs extends Rpc.Any>(
  of: string,
  group: RpcGroup.RpcGroup<Rpcs>
): RpcGroup.RpcGroup<Rpcs> =>
  Predicate.hasProperty(group, "requests") && group.requests instanceof Map
    ? group
    : GivenOption.refuse({ of, option: "group", given: group }, "an RpcGroup, as Serve.group makes one")

/** An api. */
export const apiOf = <Api extends object>(of: string, api: Api): Api =>
  HttpApi.isHttpApi(api)
    ? api
    : GivenOption.refuse({ of, option: "api", given: api }, "an HttpApi, as Serve.api makes one")
