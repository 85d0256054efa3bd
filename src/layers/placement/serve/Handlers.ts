/**
 * The handlers of a group: each sends its message to a server.
 *
 * @since 0.1.0
 */
import { Cause, Context, Effect, Layer } from "effect"
import type { Headers } from "effect/http"
import type { Rpc, RpcGroup } from "effect/rpc"
import { refused } from "../../../domain/placement/Refused.ts"
import { groupOf } from "./Given.ts"
import { isKeyed, type KeyedPayload } from "./Group.ts"
import { boundsOf, type Limits } from "./Limits.ts"
import { type Demand, type KeyedSource, type Method, type OneSource, sender, within } from "./Source.ts"

/** The payload of the message itself. */
type Own<P> = P extends KeyedPayload<infer Own> ? Own["Type"] : P extends { readonly Type: infer T } ? T : never

/** What a client has to have for the messages of a group. */
export type ClientOf<Rpcs extends Rpc.Any> = {
  readonly [R in Rpcs as R["_tag"]]: R extends
    Rpc.Rpc<infer _Tag, infer P, infer A, infer E, infer _Middleware, infer _Requires>
    ? Method<Own<P>, A["Type"], E["Type"]>
    : never
}

type IsKeyedRpc<Rpcs> = Rpcs extends Rpc.Rpc<infer _Tag, infer P, infer _A, infer _E, infer _M, infer _R>
  ? P extends KeyedPayload<infer _Own> ? true : false
  : never

/** Where the messages of a group go. */
export type Source<Rpcs extends Rpc.Any> = true extends IsKeyedRpc<Rpcs> ? KeyedSource<ClientOf<Rpcs>>
  : OneSource<ClientOf<Rpcs>>

/**
 * Makes the handlers of a group that `group` made: each sends its message to a server.
 *
 * **When to use**
 *
 * Beside `layerHttp`, which serves the group.
 *
 * **Details**
 *
 * `source` is the server's class, or an Effect of a client with its methods. Of servers by key it is a function:
 * `(key) => Counter.at(key)`; or an Effect of one, as `ClusterServer.client(Counter)` is. What it needs is taken from
 * the context of this Layer.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <Rpcs extends Rpc.Any, S extends Source<Rpcs>>(
  group: RpcGroup.RpcGroup<Rpcs>,
  source: S,
  limits: Pick<Limits, "time"> = {}
): Layer.Layer<Rpc.ToHandler<Rpcs>, never, Demand<S>> => {
  const handlers = Effect.gen(function*() {
    const { millis } = boundsOf(limits)
    const send = yield* sender("Serve.layer", source)
    return Object.fromEntries(
      Array.from(group.requests, ([tag, rpc]) => {
        const keyed = Context.get(rpc.annotations, isKeyed)
        return [tag, (given: unknown, { headers }: { readonly headers: Headers.Headers }) => {
          const { key, payload } = keyed
            ? given as { key: string; payload: unknown }
            : { key: undefined, payload: given }
          return within(send(tag, key, payload, headers["idempotency-key"]), tag, millis).pipe(
            Effect.catchCauseIf(
              Cause.hasDies,
              (cause) => Effect.andThen(Effect.logError("A request died", cause), Effect.fail(refused(500)))
            )
          )
        }]
      })
    )
  })
  // The tags of the group are the methods of its source; a loop does not show that to the compiler.
  return Layer.suspend(() => (groupOf("Serve.layer", group).toLayer as any)(handlers))
}
