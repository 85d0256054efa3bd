/**
 * Servers by key: got when they are there, started when they are not, once, however many ask at the same time.
 *
 * *Tricky*
 * - Of two askers for one key only one may start it. The class's container knows which server has the key; the starts that
 *   are under way are known here, so that the second asker waits for the first one's start and shares its outcome, and a
 *   start that fails leaves the key free.
 * - A server that is about to end (it goes idle, it is being stopped) would be gone before its asker calls it. It may come
 *   back or not, so the asker waits for its end and looks again.
 * - The server's own code, its init and its clean-up above all, would wait for itself: it gets itself at once.
 *
 * @since 0.1.0
 */
import { Context, Deferred, Effect, Exit, Fiber, Record, type Scope } from "effect"
import { CallError } from "../../../domain/process/CallError.ts"
import type { Messages } from "../../../domain/server/Message.ts"
import type { StartRecipe } from "../../process/Child.ts"
import { awaitExit, processOf } from "../../process/Process.ts"
import type { CompanionTable } from "../../state/companion/CompanionTable.ts"
import type { StartError } from "../../supervision/tree/SupervisorErrors.ts"
import type { Supervisor } from "../../supervision/tree/SupervisorHandle.ts"
import { ServerProcess } from "../engine/ServerProcess.ts"
import { HandlerOf } from "../message/CallChain.ts"
import type { ServerClient } from "../parts/ServerSpec.ts"

/**
 * The identity of the servers by key of class `Self`, as a service.
 *
 * @category models
 * @since 0.1.0
 */
export interface Keyed<in out Self> {
  readonly "~heirloom/Keyed": (_: Self) => Self
}

/** Gets or starts the server of a key. */
export type At<out Ref> = (key: string) => Effect.Effect<Ref, StartError>

/** Makes it, for one class under one supervisor. */
export const make = (options: {
  readonly supervisor: Supervisor
  readonly companions: Pick<CompanionTable<unknown>, "owner">
  readonly context: Context.Context<never>
  readonly scope: Scope.Scope
  readonly recipe: (key: string) => StartRecipe<ServerClient, unknown>
}): At<ServerClient> => {
  const starting = new Map<string, Deferred.Deferred<ServerClient, StartError>>()

  const startChild = (key: string): Effect.Effect<ServerClient, StartError> => {
    const recipe = options.recipe(key)
    return Effect.catch(options.supervisor.startChild(recipe), (error) => {
      const { reason } = error
      return reason._tag === "AlreadyPresent" && reason.process instanceof ServerProcess
        ? restart(recipe.id, reason.process.ref)
        : Exit.fail(error)
    })
  }

  /** A static supervisor keeps the spec of a child that has ended in order. */
  const restart = (id: string, ref: ServerClient): Effect.Effect<ServerClient, StartError> =>
    Effect.as(options.supervisor.restartChild(id), ref).pipe(
      // It is about to be up by other means, or its calls hear why it is not.
      Effect.catchTag("ChildError", () => Effect.succeed(ref))
    )

  const start = (key: string): Effect.Effect<ServerClient, StartError> => {
    const outcome = Deferred.makeUnsafe<ServerClient, StartError>()
    starting.set(key, outcome)
    // The first asker may be interrupted while others still want the server: the start belongs to the layer.
    const fiber = Effect.runForkWith(options.context)(startChild(key)).pipe(
      Fiber.runIn(options.scope)
    )
    fiber.addObserver((exit) => {
      starting.delete(key)
      Deferred.doneUnsafe(outcome, exit)
    })
    return fiber.pollUnsafe() ?? Deferred.await(outcome)
  }

  const at: At<ServerClient> = (key) =>
    Effect.withFiber((asker) => {
      const owner = options.companions.owner(key)
      const server = owner instanceof ServerProcess ? owner : undefined
      if (server !== undefined && Context.get(asker.context, HandlerOf) === server) return Exit.succeed(server.ref)
      const pending = starting.get(key)
      if (pending !== undefined) return Deferred.await(pending)
      // Here and now: between two steps of this fiber another one may come by.
      if (server === undefined) return start(key)
      return server.isLeaving ? Effect.andThen(Effect.ignore(awaitExit(server.ref)), at(key)) : Exit.succeed(server.ref)
    })
  return at
}

/** How many servers may go one after the other, each with the message still in its mailbox, before the sender hears of it. */
const maxServers = 10

/** A client whose messages go to the server that has the key when they are sent. */
export const via = (at: At<ServerClient>, key: string, messages: Messages): Readonly<Record<string, unknown>> =>
  Record.map(messages, (_, tag) => (...args: ReadonlyArray<unknown>) => {
    const send = (others: number): Effect.Effect<unknown, unknown> =>
      Effect.flatMap(at(key), (ref) => {
        // The methods of a client are known to its type alone.
        const sent = Reflect.apply(Reflect.get(ref, tag), ref, args) as Effect.Effect<unknown, unknown>
        // One that did not come up at all would not the next time either.
        if (others === 0 || ref[processOf].status === "stopped") return sent
        return Effect.catchIf(sent, (error) => isUnbegun(error, ref[processOf].name), () => send(others - 1))
      })
    return send(maxServers)
  })

/** Whether this very server, and not one that its handler has called, was gone before it began with a message. */
const isUnbegun = (error: unknown, server: string): boolean =>
  error instanceof CallError && error.server === server && error.reason._tag === "NotRunning" &&
  error.reason.reason === undefined
