/**
 * What an error says about starting its process again.
 *
 * An error carries its advice under {@link restartAdvice}, so that a supervisor need not know the class of the error:
 * the errors of stores do. An error without advice is a crash like any other.
 *
 * @since 0.1.0
 */
import { Predicate } from "effect"

/**
 * `uncharged`: its own retries have bounded the attempts already, so a restart costs the budget nothing. `charged`: the
 * budget has to bound them. `futile`: no start can succeed any more, and none beside it. `refused`: no start of this
 * process can succeed here as things are, and others are not concerned: a person has to do something, or it is
 * elsewhere now.
 */
export type RestartAdvice = "uncharged" | "charged" | "futile" | "refused"

/** The property that an error keeps its advice under. */
export const restartAdvice = "~heirloom/restartAdvice"

/** The advice that an error carries, if it carries any; an error that throws when it is read carries none. */
export const adviceOf = (error: unknown): RestartAdvice | undefined => {
  try {
    return Predicate.hasProperty(error, restartAdvice) ? error[restartAdvice] as RestartAdvice : undefined
  } catch {
    return undefined
  }
}
