/**
 * Which crashes of a tree a test has announced, and which it has not.
 *
 * A crash is an end that is not in order. One that was announced is used up by the next crash of its process.
 *
 * @since 0.1.0
 */
import { type Exited, pathText } from "../observation/Lifecycle.ts"
import { isOrderly } from "../process/ExitReason.ts"

/** The event of a crash. */
export type Crash = typeof Exited.Type

/** How many crashes of a process, by its path, are still to come. It changes in place. */
export type Expected = Map<string, number>

/** Announces so many crashes of a process. */
export const expect = (expected: Expected, path: string, times: number): void =>
  void expected.set(path, (expected.get(path) ?? 0) + times)

/** Whether this end is a crash that was not announced. */
export const isUnexpected = (expected: Expected, { path, reason }: Crash): boolean => {
  if (isOrderly(reason)) return false
  const text = pathText(path)
  const left = expected.get(text) ?? 0
  if (left === 0) return true
  expected.set(text, left - 1)
  return false
}
