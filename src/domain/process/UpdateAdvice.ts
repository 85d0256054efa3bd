/**
 * The advice of an error on an update that it kept from being stored.
 *
 * An error carries its advice under {@link updateAdvice}, so that a reader of a failed call need not know the class
 * of the error: the errors of stores do. Without advice it is not known whether the update is kept.
 *
 * @since 0.1.0
 */
import { Cause, Predicate } from "effect"
import { text } from "../text/ForeignText.ts"

/**
 * The property that an error keeps its advice under: what happened to the state, and what to do, in whole sentences.
 */
export const updateAdvice = "~heirloom/updateAdvice"

/** The advice that a cause carries, if it carries any; an error that throws when it is read carries none. */
export const adviceOf = (cause: Cause.Cause<unknown>): string | undefined => {
  const error = Cause.squash(cause)
  try {
    return Predicate.hasProperty(error, updateAdvice) ? text(error[updateAdvice]) : undefined
  } catch {
    return undefined
  }
}

/** The advice when nothing better is known. */
export const inDoubt = "The update may or may not be kept: ask the server where it stands before you send it again."
