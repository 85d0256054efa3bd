/**
 * A server class at run time: the key of its client, and how its servers are made.
 *
 * The types of all this are in `GenServer.Service` and `Agent.Service`, which put them on; here is what they share.
 *
 * @since 0.1.0
 */
import { Context, Effect, Fiber, Layer, Predicate, Record, Schema, Stream } from "effect"
import { options as givenOptions, refuse } from "../../../domain/options/GivenOption.ts"
import type { Messages } from "../../../domain/server/Message.ts"
import type { Pure, StateSchema, TypeOf } from "../../../domain/state/StateSchema.ts"
import { from as stateSchema, isStateSchema } from "../../../domain/state/StateSchema.ts"
import type { ChildOptions, StartRecipe } from "../../process/Child.ts"
import { processOf } from "../../process/Process.ts"
import type { ChangesOptions } from "../../state/container/Changes.ts"
import { tableOf } from "../../state/container/Container.ts"
import { keys as listKeys, type ListOptions } from "../../state/container/Listing.ts"
import type { StateContainer, StateOf } from "../../state/StateContainer.ts"
import { Supervisor } from "../../supervision/Supervisor.ts"
import { ServerProcess } from "../engine/ServerProcess.ts"
import { HandlerOf } from "../message/CallChain.ts"
import type { MessageType } from "../message/MessageType.ts"
import type { RunOptions } from "../parts/Limits.ts"
import { limitsOf } from "../parts/Limits.ts"
import {
  type AnyBehavior,
  type AnyBehaviorInput,
  type ClientClass,
  givenBehavior,
  type KeyedLayer,
  type Keying,
  makeSpec,
  type ServerClient
} from "../parts/ServerSpec.ts"
import { atOf, type Find, Finding, isOfShutdown, type Keyed, make as makeKeyed, via } from "./Keyed.ts"
import { type Counts, gauges, live } from "./Live.ts"
import { keepSpecimens } from "./Specimens.ts"

type AnyOptions = ChildOptions & RunOptions

/** The parts of a class. */
interface Parts<S extends Pure | StateSchema<Pure>> {
  readonly state: S
  readonly messages: Messages
  /** The class of its clients, with the methods that any code may call. */
  readonly Client: ClientClass
  /** The class of the client that its own handlers get. */
  readonly SelfClient: ClientClass
  /** Checks the replies of a behaviour; absent unless a message is validated. */
  readonly checked?: ((behavior: AnyBehavior) => AnyBehavior) | undefined
  /** Its messages, where timers may be set. */
  readonly types?: ReadonlyArray<MessageType>
}

const usual: ChildOptions = {}

// A supervisor recognises children that are alike by their options: a million servers should not have a million of
// them.
const childOptions = ({ needs, restart, shutdown, significant }: ChildOptions): ChildOptions =>
  needs === undefined && restart === undefined && shutdown === undefined && significant === undefined
    ? usual
    : { needs, restart, shutdown, significant }

type Recipe = StartRecipe<ServerClient, unknown>

const inside: unique symbol = Symbol.for("heirloom/ServerClass/inside")

/** What a class shows to other placements alone. */
export interface Inside {
  readonly types: ReadonlyArray<MessageType>
  /** The recipe of a server that `keying` finds by its key; `made` is called with it before it is started. */
  readonly recipe: (
    behavior: AnyBehaviorInput,
    key: string,
    options: AnyOptions,
    keying: KeyedLayer,
    made: (server: ServerProcess) => void
  ) => Recipe
}

/** The inside of a class that `of` was given. */
export const insideOf = (server: object, of: string): Inside => {
  const found: Inside | undefined = Predicate.isObjectKeyword(server) ? Reflect.get(server, inside) : undefined
  return found ?? refuse({ of, option: "server", given: server }, "a class of GenServer.Service")
}

/** Makes a server class. */
export const make = <Self>() =>
<const Id extends string, S extends Pure | StateSchema<Pure>>(
  id: Id,
  { Client, SelfClient, checked, messages, state, types = [] }: Parts<S>
) => {
  const container = Context.Service<StateOf<Self>, StateContainer<TypeOf<S>>>(`${id}/StateContainer`)
  if (!Schema.isSchema(state) && !isStateSchema(state)) {
    refuse({ of: id, option: "state", given: state }, "a schema")
  }
  const schema = stateSchema(state)
  const keyed = Context.Service<Keyed<Self>, Find<ServerClient>>(`${id}/Keyed`)
  const specs = makeSpec({
    id,
    state: schema.schema,
    Client,
    types: new Map(types.map((type) => [type.tag, type])),
    container,
    checked,
    gauges
  })

  const recipeOf = (
    behavior: AnyBehaviorInput,
    key: unknown,
    options: AnyOptions,
    child: ChildOptions,
    keying: Keying,
    made?: (server: ServerProcess) => void
  ): Recipe => {
    const own = key === "" ? id : `${id}/${key}`
    return {
      id: own,
      kind: "worker",
      options: child,
      make: (parent, context, id) => {
        if (typeof key !== "string") return refuse({ of: own, option: "key", given: key }, "a string")
        const spec = specs(parent, context, behavior, options, keying, id === own ? undefined : id)
        const server = new ServerProcess(spec, key)
        made?.(server)
        return { child: server, ref: server.ref }
      }
    }
  }
  // One that was asked for by the key `undefined` is not the one without a key.
  const recipe = (behavior: AnyBehaviorInput, options: AnyOptions & { readonly key?: string } = {}): Recipe =>
    "key" in givenOptions(id, options)
      ? recipeOf(behavior, options.key, options, childOptions(options), "given")
      : recipeOf(behavior, "", options, childOptions(options), "none")
  const layer = (behavior: AnyBehaviorInput, options?: AnyOptions) =>
    Layer.effect(Self, Effect.flatMap(Supervisor, (supervisor) => supervisor.register(recipe(behavior, options))))
  const Self = Object.assign(Context.Service<Self, ServerClient>()(id), {
    stateSchema: schema,
    messages,
    message: Record.map(messages, (message, tag) => {
      const empty = Schema.isSchema(message.payload) ? undefined : {}
      return (payload: unknown = empty) => ({ tag, payload })
    }),
    StateContainer: container,
    self: Effect.suspend(() => {
      const fiber = Fiber.getCurrent()
      const server = fiber === undefined ? undefined : Context.get(fiber.context, HandlerOf)
      if (server === undefined || !(server.ref instanceof Client)) {
        return Effect.die(new Error(`${id}.self was asked for outside a server of this class`))
      }
      return Effect.succeed(Client === SelfClient ? server.ref : new SelfClient(server.ref[processOf]))
    }),
    behavior: (behavior: unknown) => behavior,
    layer,
    recipe,
    start: (behavior: AnyBehaviorInput, options: AnyOptions & { readonly key: string }) =>
      Effect.flatMap(Supervisor, (supervisor) => supervisor.startChild(recipe(behavior, options))),
    layerKeyed: (behavior: AnyBehaviorInput, given: AnyOptions = {}) =>
      Layer.effect(
        keyed,
        Effect.gen(function*() {
          // One that is done comes back when it is asked for, and not by itself.
          const options = { ...givenOptions(id, given), restart: given.restart ?? "transient" } as const
          // Here, and not when a server is first asked for.
          givenBehavior(id, behavior)
          limitsOf(id, options)
          const child = childOptions(options)
          const companions = tableOf(yield* container)
          const context = yield* Effect.context<never>()
          const find = makeKeyed({
            id,
            supervisor: yield* Supervisor,
            companions,
            context: (find) => Context.add(context, keyed, find),
            scope: yield* Effect.scope,
            recipe: (key, made) => recipeOf(behavior, key, options, child, keying, made)
          })
          const at = atOf(find)
          const keying: KeyedLayer = { at, isUsual: given.restart === undefined }
          // Under a supervisor that is on its way down a timer waits, for the next one: that is no failure.
          companions.serve((key) => Effect.catchIf(at(key), isOfShutdown, () => Effect.void))
          yield* Effect.addFinalizer(() => Effect.sync(() => companions.startNone()))
          return find
        })
      ),
    keys: (options?: ListOptions) =>
      Stream.unwrap(Effect.map(container, (container) => listKeys(id, tableOf(container), options))),
    changes: (key?: string, options?: ChangesOptions) =>
      Stream.unwrap(Effect.map(container, (container) => container.for(key).changes(options))),
    live: Effect.map(container, (container) => live(tableOf(container))),
    count: Effect.flatMap(container, (container) => {
      const companions = tableOf(container)
      return Effect.map(companions.conserved, (stored): Counts => ({ live: live(companions).length, stored }))
    }),
    at: (key: string) => new Finding(keyed, key),
    via: (key: string) => Effect.map(keyed, (find) => via(find, key, messages)),
    [inside]: {
      types,
      recipe: (behavior, key, options, keying, made) =>
        recipeOf(behavior, key, options, childOptions(options), keying, made)
    } satisfies Inside
  })
  keepSpecimens(Self, Client)
  return Self
}
