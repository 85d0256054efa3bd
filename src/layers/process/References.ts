/**
 * The common part of functions that take a reference first.
 *
 * @since 0.1.0
 */
import { hasProcess } from "./Process.ts"

/** Whether a function that takes a reference first was given one; else it stands in a `pipe`. */
export const firstIsProcess = (args: ArrayLike<unknown>): boolean => hasProcess(args[0])
