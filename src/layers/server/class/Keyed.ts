/**
 * Servers by key: got when they are there, started when they are not, once, however many ask at the same time.
 *
 * *Tricky*
 * - Of two askers for one key only one may start it. The class's container knows which server has the key; the starts
 *   that are under way are known here, so that the second asker waits for the first one's start and shares its outcome,
 *   and a start that fails leaves the key free.
 * - A server that is about to end (it goes idle, it is being stopped) would be gone before its asker calls it. It may
 *   come back or not, so the asker waits for its end and looks again.
 * - The server's own code, its init and its clean-up above all, would wait for itself: it gets itself at once.
 * - A start belongs to the layer, and its askers wait for it. Those that are servers are noted with it, so that its
 *   init, which may ask for them in turn, hears that it would wait for itself.
 *
 * @since 0.1.0
 */
import { Context, Deferred, Effect, Exit, Fiber, Record, type Scope } from "effect"
import { pathText } from "../../../domain/observation/Path.ts"
import { refusal } from "../../../domain/options/GivenOption.ts"
import { CallError } from "../../../domain/process/CallError.ts"
import type { Messages } from "../../../domain/server/Message.ts"
import type { StartRecipe } from "../../process/Child.ts"
import { isExit } from "../../process/EffectInternals.ts"
import { waitFor } from "../../process/Own.ts"
import { awaitExit, processOf } from "../../process/Process.ts"
import * as Turn from "../../process/Turn.ts"
import type { CompanionTable } from "../../state/companion/CompanionTable.ts"
import { StartError } from "../../supervision/tree/SupervisorErrors.ts"
import type { Supervisor } from "../../supervision/tree/SupervisorHandle.ts"
import { ServerProcess } from "../engine/ServerProcess.ts"
import { HandlerOf, selfWait } from "../message/CallChain.ts"
import type { ServerClient } from "../parts/ServerSpec.ts"
import type { Needs } from "./Behavior.ts"
import { type Sendable, sendable, sendBy, Suspended } from "./Yielded.ts"

/**
 * The identity of the servers by key of class `Self`, as a service.
 *
 * @category models
 * @since 0.1.0
 */
export interface Keyed<in out Self> {
  readonly "~heirloom/Keyed": (_: Self) => Self
}

/**
 * The services that the code of a server by key needs of the context: its Scope, itself and its class by key are there
 * by themselves.
 *
 * @category models
 * @since 0.1.0
 */
export type KeyedNeeds<Self, R> = Exclude<Needs<Self, R>, Keyed<Self>>

type AnyFiber = Fiber.Fiber<unknown, unknown>

/** Gets or starts the server of a key for a fiber: what comes of it at once, or what that has to wait for. */
export type Find<out Ref> = (key: string, asker: AnyFiber) => Effect.Effect<Ref, StartError>

/** The same when it is run, for the fiber that runs it or for another one. */
export type At<out Ref> = (key: string, asker?: AnyFiber) => Effect.Effect<Ref, StartError>

/** An Effect for each key, of what finds servers. */
export const atOf = <Ref>(find: Find<Ref>): At<Ref> => (key, asker) =>
  Effect.withFiber((current) => find(key, asker ?? current))

const FindingBase: new() => Effect.Effect<ServerClient, StartError> = sendable("Finding")

/** The server of a key, found when it is run by what the context has under `keyed`. */
export class Finding<in out Self> extends FindingBase implements Sendable<ServerClient, StartError> {
  private readonly keyed: Context.Key<Keyed<Self>, Find<ServerClient>>
  private readonly key: string
  constructor(keyed: Context.Key<Keyed<Self>, Find<ServerClient>>, key: string) {
    super()
    this.keyed = keyed
    this.key = key
  }

  send(fiber: AnyFiber): Effect.Effect<ServerClient, StartError> {
    return Context.getUnsafe(fiber.context, this.keyed)(this.key, fiber)
  }
}

/** A start that is under way. */
class Starting {
  readonly outcome = Deferred.makeUnsafe<ServerClient, StartError>()
  exit: Exit.Exit<ServerClient, StartError> | undefined = undefined
  /** The server, once its supervisor has made it. */
  private server: ServerProcess | undefined = undefined
  /** The servers that wait for it, by their fibers; and what is to be done when one does not any more. */
  private askers: Map<AnyFiber, (() => void) | undefined> | undefined = undefined

  readonly made = (server: ServerProcess): void => {
    this.server = server
    for (const asker of this.askers?.keys() ?? []) this.askers?.set(asker, waitFor(server, asker))
  }

  /** The servers between this one and a fiber that would wait for itself. */
  wayTo(asker: AnyFiber): ReadonlyArray<string> | undefined {
    return this.server === undefined ? undefined : selfWait(this.server, asker)
  }

  add(asker: AnyFiber): void {
    this.askers ??= new Map()
    this.askers.set(asker, this.server === undefined ? undefined : waitFor(this.server, asker))
  }

  remove(asker: AnyFiber): void {
    this.askers?.get(asker)?.()
    this.askers?.delete(asker)
  }

  /** Waits for the outcome, in the name of a server if `asker` is its fiber. */
  wait(asker: AnyFiber | undefined): Effect.Effect<ServerClient, StartError> {
    const outcome = Deferred.await(this.outcome)
    return asker === undefined ? outcome : Effect.ensuring(outcome, Effect.sync(() => this.remove(asker)))
  }
}

/** Makes it, for one class under one supervisor. */
export const make = (options: {
  /** The class's id. */
  readonly id: string
  readonly supervisor: Pick<Supervisor, "path" | "startChild" | "restartChild">
  readonly companions: Pick<CompanionTable<unknown>, "owner">
  /** The context of the servers, in which they find each other by `at`. */
  readonly context: (find: Find<ServerClient>) => Context.Context<never>
  readonly scope: Scope.Scope
  /** How the server of a key is started; `made` is called with it before it is. */
  readonly recipe: (key: string, made: (server: ServerProcess) => void) => StartRecipe<ServerClient, unknown>
}): Find<ServerClient> => {
  const starting = new Map<string, Starting>()

  const startChild = (key: string, made: Starting["made"]): Effect.Effect<ServerClient, StartError> => {
    const recipe = options.recipe(key, made)
    return Effect.catch(options.supervisor.startChild(recipe), (error) => {
      const { reason } = error
      if (reason._tag !== "AlreadyPresent" || !(reason.process instanceof ServerProcess)) return Exit.fail(error)
      made(reason.process)
      return restart(recipe.id, reason.process.ref)
    })
  }

  /** A static supervisor keeps the spec of a child that has ended in order. */
  const restart = (id: string, ref: ServerClient): Effect.Effect<ServerClient, StartError> =>
    Effect.as(options.supervisor.restartChild(id), ref).pipe(
      // It is about to be up by other means, or its calls hear why it is not.
      Effect.catchTag("ChildError", () => Effect.succeed(ref))
    )

  const start = (key: string, asker: AnyFiber | undefined): Effect.Effect<ServerClient, StartError> => {
    const begun = new Starting()
    starting.set(key, begun)
    // Before its init runs, which may ask back.
    if (asker !== undefined) begun.add(asker)
    // The first asker may be interrupted while others still want the server: the start belongs to the layer.
    Turn.run(() => {
      const fiber = Effect.runForkWith(context)(startChild(key, begun.made)).pipe(
        Fiber.runIn(options.scope)
      )
      fiber.addObserver((exit) => {
        starting.delete(key)
        begun.exit = exit
        Deferred.doneUnsafe(begun.outcome, exit)
      })
    })
    if (begun.exit === undefined) return begun.wait(asker)
    if (asker !== undefined) begun.remove(asker)
    return begun.exit
  }

  const refused = (key: string, chain: ReadonlyArray<string>): Effect.Effect<never, StartError> =>
    Exit.fail(
      new StartError({
        supervisor: pathText(options.supervisor.path),
        child: options.recipe(key, noDeed).id,
        reason: { _tag: "CallingSelf", chain }
      })
    )

  /** A server that is about to end is waited for: it comes back, or another one is started in its place. */
  const afterEnd = (server: ServerProcess, key: string, fiber: AnyFiber, asker: AnyFiber | undefined) => {
    const ended = Effect.ignore(awaitExit(server.ref))
    const again = Effect.suspend(() => find(key, fiber))
    if (asker === undefined) return Effect.andThen(ended, again)
    const chain = selfWait(server, asker)
    if (chain !== undefined) return refused(key, chain)
    const noted = Effect.suspend(() => Effect.ensuring(ended, Effect.sync(waitFor(server, asker))))
    return Effect.andThen(noted, again)
  }

  const noKey = (key: unknown): Effect.Effect<never, StartError> => {
    const reason = refusal({ of: options.id, option: "key", given: key }, "a string")
    return Exit.fail(new StartError({ supervisor: pathText(options.supervisor.path), child: options.id, reason }))
  }

  const find: Find<ServerClient> = (key, fiber) => {
    if (typeof key !== "string") return noKey(key)
    const owner = options.companions.owner(key)
    const server = owner instanceof ServerProcess ? owner : undefined
    const pending = starting.get(key)
    if (server !== undefined && pending === undefined && !server.isLeaving) return Exit.succeed(server.ref)
    const worker = Context.get(fiber.context, HandlerOf)
    if (server !== undefined && worker === server) return Exit.succeed(server.ref)
    // Its very fiber: what that waits for, the server waits for.
    const asker = worker?.fiber === fiber ? fiber : undefined
    if (pending !== undefined) {
      const chain = asker === undefined ? undefined : pending.wayTo(asker)
      if (chain !== undefined) return refused(key, chain)
      if (asker !== undefined) pending.add(asker)
      return pending.wait(asker)
    }
    // Here and now: between two steps of this fiber another one may come by.
    return server === undefined ? start(key, asker) : afterEnd(server, key, fiber, asker)
  }
  const context = options.context(find)
  return find
}

/** Whether a server is not started since its supervisor is on its way down, or already there. */
export const isOfShutdown = ({ reason }: StartError): boolean =>
  reason._tag === "NotRunning" || reason._tag === "Stopped"

const noDeed = () => {}

/**
 * How many servers may go one after the other, each with the message still in its mailbox, before the sender hears of
 * it.
 */
const maxServers = 10

/** A client whose messages go to the server that has the key when they are sent. */
export const via = (
  find: Find<ServerClient>,
  key: string,
  messages: Messages
): Readonly<Record<string, unknown>> =>
  Record.map(messages, (_, tag) => (...args: ReadonlyArray<unknown>) => {
    const sendTo = (ref: ServerClient, fiber: AnyFiber, others: number): Effect.Effect<unknown, unknown> => {
      // The methods of a client are known to its type alone.
      const message = Reflect.apply(Reflect.get(ref, tag), ref, args) as Effect.Effect<unknown, unknown>
      // One that did not come up at all would not the next time either.
      if (others === 0 || ref[processOf].status === "stopped") return message
      const sent = sendBy(fiber, message)
      if (isSuccess(sent)) return sent
      return Effect.catchIf(
        sent,
        (error) => isUnbegun(error, ref[processOf].name),
        () => Effect.withFiber((fiber) => send(fiber, others - 1))
      )
    }
    const send = (fiber: AnyFiber, others: number): Effect.Effect<unknown, unknown> => {
      const found = find(key, fiber)
      return isSuccess(found)
        ? sendTo(found.value, fiber, others)
        : Effect.flatMap(found, (ref) => Effect.withFiber((fiber) => sendTo(ref, fiber, others)))
    }
    return new Suspended((fiber) => send(fiber, maxServers))
  })

const isSuccess = <A, E>(effect: Effect.Effect<A, E>): effect is Exit.Success<A> =>
  isExit(effect) && effect._tag === "Success"

/** Whether this very server, and not one that its handler has called, was gone before it began with a message. */
export const isUnbegun = (error: unknown, server: string): boolean =>
  error instanceof CallError && error.server === server && error.reason._tag === "NotRunning" &&
  error.reason.reason === undefined
