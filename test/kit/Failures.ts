/** Why something failed: read from an exit, or from the effect itself. */
import { Effect, Exit, Option } from "effect"
import { GenServer } from "../../src/index.ts"

/** The error that an exit failed with. */
export const errorOf = <A, E>(exit: Exit.Exit<A, E>): E => Option.getOrThrow(Exit.findErrorOption(exit))

/** Why a call failed; `undefined` if it did not. */
export const reasonOf = (exit: Exit.Exit<unknown, unknown>): GenServer.CallErrorReason | undefined => {
  const error = Option.getOrUndefined(Exit.findErrorOption(exit))
  return error instanceof GenServer.CallError ? error.reason : undefined
}

/** The tag of that reason. */
export const tagOf = (exit: Exit.Exit<unknown, unknown>): GenServer.CallErrorReason["_tag"] | undefined =>
  reasonOf(exit)?._tag

/** The reason that an effect fails with. */
export const refusalReason = <E extends { readonly reason: unknown }, R>(
  effect: Effect.Effect<unknown, E, R>
): Effect.Effect<E["reason"], unknown, R> => Effect.map(Effect.flip(effect), ({ reason }) => reason)

/** The tag of that reason. */
export const refusal = <E extends { readonly reason: { readonly _tag: string } }, R>(
  effect: Effect.Effect<unknown, E, R>
): Effect.Effect<E["reason"]["_tag"], unknown, R> => Effect.map(Effect.flip(effect), ({ reason }) => reason._tag)
