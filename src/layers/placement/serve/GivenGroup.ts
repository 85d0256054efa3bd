/**
 * `Group.group` for a service: what it is given is looked at, and refused by name.
 *
 * A page has the plain one (`Message.group`), and not what this needs to say what is wrong.
 *
 * @since 0.1.0
 */
import type { RpcGroup } from "effect/rpc"
import * as GivenOption from "../../../domain/options/GivenOption.ts"
import type { Messages } from "../../../domain/server/Message.ts"
import { keyedOf, messagesOf } from "./Given.ts"
import * as Group from "./Group.ts"

/**
 * Makes an `RpcGroup` of the messages of a server class: each call and cast that any code may send.
 *
 * **When to use**
 *
 * For clients that have effect: `RpcClient.make(group)` has a method for each message, with its types, over HTTP and
 * over a WebSocket. For others make an `api`. A page makes it of the messages alone, by `Message.group({ messages })`,
 * so that it does not load the engine.
 *
 * **Details**
 *
 * A call fails with its own errors, with `Unanswered`, or with `Refused`; a cast with the last two. Internal messages
 * are not in it. A call takes its idempotency key from the header `idempotency-key`, as an option of the client's
 * method: `client.Add({ by: 1 }, { headers: { "idempotency-key": key } })`.
 *
 * **Gotchas**
 *
 * Effect tells Rpcs from each other by their tags: two classes with a message of the same name need a path each.
 *
 * @category constructors
 * @since 0.1.0
 */
export const group = <Ms extends Messages, const K extends boolean | Group.KeySchema = false>(
  server: Group.HasMessages<Ms>,
  options: Group.GroupOptions<K> = {}
): RpcGroup.RpcGroup<Group.RpcsOf<Ms, Group.IsKeyed<K>>> => {
  const of = "Serve.group"
  const { keyed } = GivenOption.options<Group.GroupOptions>(of, options)
  keyedOf(of, keyed)
  return Group.group({ messages: messagesOf(of, server) }, options)
}
