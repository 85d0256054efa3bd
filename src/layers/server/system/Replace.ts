/**
 * Replacing the behaviour of a server that runs, without stopping it (OTP: `code_change/3`).
 *
 * @since 0.1.0
 */
import { Context, type Duration, Effect, Exit, Scope, Tracer } from "effect"
import { pathText } from "../../../domain/observation/Lifecycle.ts"
import { type CallError, callError } from "../../../domain/process/CallError.ts"
import type { Handlers, HandlersServices, MessageOf, Messages, NoExtra } from "../../../domain/server/Message.ts"
import { ReplaceFailed } from "../../../domain/server/ServerErrors.ts"
import { bounded } from "../../../domain/text/ForeignCause.ts"
import { type HasProcess, processOf } from "../../process/Process.ts"
import type { BehaviorInput, Needs } from "../class/Behavior.ts"
import { type ServerOf, serverOf } from "../class/ServerRef.ts"
import { HandlerOf } from "../message/CallChain.ts"
import { ownCall } from "../message/MessageType.ts"
import { toMillis } from "../parts/Limits.ts"
import type { AnyBehavior } from "../parts/ServerSpec.ts"
import { SystemAnswer } from "../parts/SystemAnswer.ts"

const request = { ...ownCall, tag: "replace" }

/**
 * How a behaviour is replaced.
 *
 * @category options
 * @since 0.1.0
 */
export interface ReplaceOptions<S, E = never, R = never> {
  /** Makes the new behaviour's state of the old one's; without it the state stays. */
  readonly migrate?: ((state: S) => S | Effect.Effect<S, E, R>) | undefined
  /** How long to wait for the server's turn: 5 seconds by default. */
  readonly timeout?: Duration.Input | "infinity" | undefined
}

/**
 * Gives a running server another behaviour: it finishes the message in hand, its state is migrated, and it goes on with
 * the same mailbox (OTP: `sys:change_code/4`).
 *
 * **When to use**
 *
 * To mend a handler, or to change its policy, while callers wait: none is refused, no state is lost. A restart is
 * simpler when that does not matter.
 *
 * **Details**
 *
 * The replacement takes its turn in the mailbox, and is done also while the server is suspended. `migrate` makes the
 * new behaviour's state of the old one's; without it the state stays. The migrated state is committed before anything
 * is handled with it. Incarnations that follow run the new behaviour too. A behaviour given as an Effect is made at
 * once for this incarnation, in its Scope, and by every later one for itself. The services that this Effect needs are
 * taken from the caller, unless the server has a service of that key already.
 *
 * When making it or migrating fails, the old behaviour and the old state stay, its resources are released, and the
 * caller gets `ReplaceFailed`.
 *
 * **Gotchas**
 *
 * The resources of the old behaviour are released when the incarnation ends, not when it is replaced. Only this server
 * is changed: others of its class, and one that is started anew under its key, have the behaviour of their layer.
 *
 * @category upgrades
 * @since 0.1.0
 */
export const replace = <
  Self,
  S,
  Ms extends Messages,
  const H extends Handlers<S, Ms>,
  BE = never,
  BR = never,
  E = never,
  R = never,
  ME = never,
  MR = never
>(
  ref: HasProcess & ServerOf<Self, S, Ms>,
  behavior: BehaviorInput<S, H & NoExtra<H, Ms>, BE, BR, E, R, MessageOf<Ms>>,
  options?: ReplaceOptions<S, ME, MR>
): Effect.Effect<void, CallError | ReplaceFailed, Needs<Self, R | BR | MR | HandlersServices<H>>> =>
  // The types above say what the engine cannot see: that state, behaviour and migration belong together, and that the
  // caller's context has what they need.
  replaceAny(
    ref,
    behavior as AnyBehavior | Effect.Effect<AnyBehavior, unknown>,
    options?.migrate as ((state: unknown) => unknown) | undefined,
    options?.timeout ?? request.timeout
  ) as Effect.Effect<void, CallError | ReplaceFailed>

const replaceAny = (
  ref: HasProcess,
  given: AnyBehavior | Effect.Effect<AnyBehavior, unknown>,
  migrate: ((state: unknown) => unknown) | undefined,
  timeout: Duration.Input | "infinity"
): Effect.Effect<unknown, unknown> =>
  Effect.contextWith((caller: Context.Context<never>) => {
    const server = serverOf(ref, "GenServer.replace")
    if (server === undefined) {
      return Exit.fail(callError(pathText(ref[processOf].path), request.tag, { _tag: "NotRunning" }))
    }
    const millis = toMillis(timeout, { server: server.name, request: request.tag })
    const lent = Context.omit(HandlerOf, Scope.Scope, Tracer.ParentSpan)(caller)
    const { checked } = server.spec
    const input = checked === undefined ? given : Effect.isEffect(given) ? Effect.map(given, checked) : checked(given)
    const make = Effect.isEffect(input) ? () => input : undefined
    const change = (state: unknown) =>
      Effect.gen(function*() {
        const behavior = make === undefined ? input as AnyBehavior : yield* make()
        const migrated = migrate === undefined ? state : migrate(state)
        const spec = {
          ...server.spec,
          context: Context.merge(lent, server.spec.context),
          shared: make === undefined ? behavior : undefined,
          make
        }
        return new SystemAnswer(undefined, {
          state: Effect.isEffect(migrated) ? yield* (migrated as Effect.Effect<unknown, unknown>) : migrated,
          spec,
          behavior
        })
      })
    // Its resources belong to the incarnation, unless it fails: then they are released before the failure is known.
    const attempt = (state: unknown) =>
      Effect.contextWith((own: Context.Context<never>) => {
        const place = Scope.forkUnsafe(Context.getUnsafe(own, Scope.Scope))
        return change(state).pipe(
          Effect.provideContext(Context.add(Context.merge(lent, own), Scope.Scope, place)),
          Effect.onExit((exit) => exit._tag === "Success" ? Exit.void : Scope.close(place, exit)),
          Effect.catchCause((cause) =>
            new ReplaceFailed({ server: server.name, what: "behavior", cause: bounded(cause) })
          )
        )
      })
    return server.ask(attempt, millis, request)
  })
