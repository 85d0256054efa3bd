/**
 * Checks of what is given to the flags of programs.
 */
import { Flag } from "effect/cli"

/** Refuses a number that is less. */
export const atLeast = (least: number) =>
  Flag.filter((n: number) => n >= least, () => `a whole number of ${least} or more`)
