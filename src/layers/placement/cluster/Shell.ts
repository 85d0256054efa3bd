/**
 * The entities of a server class on one runner: shells that never die, around servers that may.
 *
 * @since 0.1.0
 */
import { type Clock, type Context, Effect, Exit, type Schedule, type Scope } from "effect"
import { Entity, EntityId, type Sharding } from "effect/cluster"
import type { Rpc } from "effect/rpc"
import type { ExitReason } from "../../../domain/process/ExitReason.ts"
import * as KeyLock from "../../naming/KeyLock.ts"
import { processOf } from "../../process/Process.ts"
import { atOf, isUnbegun, make as makeKeyed } from "../../server/class/Keyed.ts"
import type { Inside } from "../../server/class/ServerClass.ts"
import type { RunOptions } from "../../server/parts/Limits.ts"
import type { AnyBehaviorInput, KeyedLayer, ServerClient } from "../../server/parts/ServerSpec.ts"
import type { CompanionTable } from "../../state/companion/CompanionTable.ts"
import type { Supervisor } from "../../supervision/tree/SupervisorHandle.ts"
import { apart } from "./Apart.ts"
import { type AnyWiring, entityOf, type Messaged, Wake } from "./Rpcs.ts"
import { type Estate, Tenant } from "./Tenant.ts"

/** What the entities of a class are made of. */
export interface Options {
  readonly server: Messaged
  readonly inside: Inside
  readonly behavior: AnyBehaviorInput
  readonly wiring: AnyWiring
  /** How each server is run. */
  readonly run: RunOptions
  /** The budget of one key. */
  readonly restart: Schedule.Schedule<unknown, ExitReason> | undefined
  readonly downFor: number
  readonly maxIdleTime: number | undefined
  readonly supervisor: Supervisor
  readonly sharding: Sharding.Sharding["Service"]
  readonly companions: Pick<CompanionTable<unknown>, "owner" | "serve" | "startNone" | "lookForTimers">
  readonly clock: Clock.Clock
  /** The services of the servers. */
  readonly context: Context.Context<never>
  readonly scope: Scope.Scope
}

/**
 * How many servers may go one after the other, each with the message still in its mailbox, before the sender hears of
 * it.
 */
const maxServers = 10

/**
 * Milliseconds between two looks for timers that are due. Those of a key may have been set where it was before, and
 * nothing says that it is this runner's by now.
 */
const timersEvery = 2000

/** Makes the entities of a class known to the cluster, for as long as the Scope lives. */
export const register = (options: Options): Effect.Effect<void, never, Scope.Scope> => {
  const { companions, inside, server: { key: of, messages }, sharding } = options
  const entity = entityOf(options.server, options.wiring, true)
  const tenants = new Map<string, Tenant>()
  const locks = KeyLock.make<string>()
  const keyOf = (id: string): string => id.slice(of.length + 1)
  const at = atOf(makeKeyed({
    id: of,
    supervisor: apart({
      above: options.supervisor,
      restart: options.restart,
      made: (id, supervisor) => tenants.get(keyOf(id))?.made(supervisor)
    }),
    companions,
    context: () => options.context,
    scope: options.scope,
    recipe: (key, made) => inside.recipe(options.behavior, key, options.run, keying, made)
  }))
  const estate: Estate = { of, clock: options.clock, downFor: options.downFor, at }
  const keying: KeyedLayer = {
    at: (key, asker) => tenants.get(key)?.next(asker) ?? at(key, asker),
    isUsual: true
  }

  const tenantOf = Effect.fnUntraced(function*({ entityId: key, shardId }: Entity.CurrentAddress["Service"]) {
    yield* locks.hold(key)
    return yield* Effect.acquireRelease(
      Effect.sync(() => {
        const tenant = new Tenant(estate, key, () => sharding.hasShardId(shardId))
        tenants.set(key, tenant)
        return tenant
      }),
      (tenant) => Effect.ensuring(tenant.close, Effect.sync(() => tenants.delete(key)))
    )
  })

  const build = Effect.gen(function*() {
    const tenant = yield* tenantOf(yield* Entity.CurrentAddress)
    const handlers: Record<string, (request: Request) => Effect.Effect<unknown, unknown>> = {
      [Wake._tag]: () => Effect.ignore(tenant.server(Wake._tag, Infinity))
    }
    for (const [tag, { _tag, internal }] of Object.entries(messages)) {
      if (internal !== true) handlers[tag] = ({ payload }) => answer(tenant, tag, _tag === "Call", payload)
    }
    return handlers
  })

  const wake = (key: string, client: (key: string) => unknown): Effect.Effect<unknown, unknown> =>
    Effect.suspend(() => {
      const id = EntityId.make(key)
      const isOurs = sharding.hasShardId(sharding.getShardId(id, entity.getShardGroup(id)))
      // Where it is another runner's, that one starts it.
      return isOurs ? invoke(client(key), Wake._tag, []) : Effect.void
    })

  return Effect.gen(function*() {
    // The Rpcs are made of the same messages as the handlers, which no type can say of a loop.
    const handlers = build as unknown as Effect.Effect<
      Entity.HandlersFrom<Rpc.Any>,
      never,
      Scope.Scope | Entity.CurrentAddress
    >
    yield* sharding.registerEntity(entity, handlers, {
      maxIdleTime: options.maxIdleTime,
      // The mailbox is the server's own, and so is the order of its messages.
      concurrency: "unbounded",
      mailboxCapacity: "unbounded",
      // A defect of one message is its caller's to hear of: the entity goes on.
      disableFatalDefects: true
    })
    const client: (key: string) => unknown = yield* sharding.makeClient(entity)
    companions.serve((key) => wake(key, client))
    yield* Effect.addFinalizer(() => Effect.sync(() => companions.startNone()))
    yield* Effect.forkScoped(Effect.forever(Effect.delay(Effect.sync(() => companions.lookForTimers()), timersEvery)))
  })
}

/** A message as effect's cluster hands it over. */
interface Request {
  readonly payload: unknown
}

/** The payload of one: what the Rpcs of the class say. */
interface Sent {
  readonly payload: unknown
  readonly key?: string
  readonly timeout?: number
}

/** Has the server of a key answer a message. */
const answer = (tenant: Tenant, tag: string, isCall: boolean, payload: unknown): Effect.Effect<unknown, unknown> => {
  // The cluster has decoded it by the schema of the message's Rpc.
  const { key, payload: own, timeout = Infinity } = payload as Sent
  const until = tenant.now + timeout
  const sendTo = (ref: ServerClient, left: number, others: number): Effect.Effect<unknown, unknown> => {
    const args = isCall ? [own, { timeout: left, idempotencyKey: key }] : [own]
    const isLast = others === 0 || tenant.isClosed || ref[processOf].status === "stopped"
    return Effect.catch(invoke(ref, tag, args), (error): Effect.Effect<unknown, unknown> => {
      const { name } = ref[processOf]
      const known = tenant.elsewhere(error, name)
      return !isLast && isUnbegun(known, name) ? send(others - 1) : Exit.fail(known)
    })
  }
  const send = (others: number): Effect.Effect<unknown, unknown> =>
    Effect.flatMap(tenant.server(tag, timeout), (ref) => sendTo(ref, Math.max(0, until - tenant.now), others))
  const { here } = tenant
  return here === undefined ? send(maxServers) : sendTo(here, Math.max(0, timeout), maxServers)
}

/** Calls a method that is known to a client's type alone. */
const invoke = (client: unknown, method: string, args: ReadonlyArray<unknown>) =>
  Reflect.apply(Reflect.get(client as object, method), client, args) as Effect.Effect<unknown, unknown>
