/**
 * Packages that only some programs need, or only with some flags: loaded when they are wanted, and asked for by name
 * when they are not there.
 */
import { Effect, Schema } from "effect"

/** A package is not installed that what was asked for needs. */
export class MissingPackage extends Schema.TaggedError<MissingPackage>()("MissingPackage", { name: Schema.String }) {
  override get message(): string {
    return `This needs the package ${this.name}, which is not installed here: npm install ${this.name}`
  }
}

/** Node says which package it did not find in the text of the error alone. */
const isMissing = (error: unknown, name: string): boolean =>
  error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND" &&
  error.message.includes(`'${name}'`)

/** Loads a module that needs the package; any other failure to load it is a defect. */
export const load = <A>(name: string, module: () => Promise<A>): Effect.Effect<A, MissingPackage> =>
  Effect.tryPromise({ try: module, catch: (error) => error }).pipe(
    Effect.catch((error) => isMissing(error, name) ? Effect.fail(new MissingPackage({ name })) : Effect.die(error))
  )
