/**
 * The plainest way for a history to be wrong, and the cheapest to find: an answer that is older than one that was there
 * before the call. Two operations show it.
 *
 * @since 0.1.0
 */
import { eventsOf, type Operation, toText, type Value, type Violation } from "./Operation.ts"

/**
 * An answer that is older than one that was there before the call: the plainest way to be wrong, and the cheapest to
 * find.
 *
 * **Details**
 *
 * Of a counter that only grows, each answer must be at least, and that to an addition more than, the highest one that
 * was given before the call. Of a register, a read must not answer what was surely overwritten before it was called.
 *
 * @since 0.1.0
 */
export const stale = (operations: ReadonlyArray<Operation>): Violation | undefined => {
  const only = operations.filter(({ outcome }) => outcome._tag !== "NotDone")
  const grows = only.every(({ input }) => input._tag === "Read" || (input._tag === "Add" && input.by >= 0))
  return grows ? staleCounter(only) : staleRegister(only)
}

const older = (before: Operation, after: Operation): Violation => ({
  key: after.key,
  what: `"${toText(after)}" is older than "${toText(before)}", which was there before the call`,
  operations: [before, after]
})

const staleCounter = (operations: ReadonlyArray<Operation>): Violation | undefined => {
  let highest: { readonly operation: Operation; readonly value: number } | undefined
  const floors = new Map<Operation, typeof highest>()
  for (const { isCall, operation } of eventsOf(operations)) {
    const { input, outcome } = operation
    if (isCall) floors.set(operation, highest)
    else if (outcome._tag === "Answered" && typeof outcome.value === "number") {
      const floor = floors.get(operation)
      const least = floor === undefined ? -Infinity : floor.value + (input._tag === "Add" ? input.by : 0)
      if (floor !== undefined && outcome.value < least) return older(floor.operation, operation)
      if (highest === undefined || outcome.value > highest.value) highest = { operation, value: outcome.value }
    }
  }
  return undefined
}

const staleRegister = (operations: ReadonlyArray<Operation>): Violation | undefined => {
  // When the last writer of a value was done at the latest; of a value that was there at first there is none.
  const lastWrite = new Map<Value, number>()
  for (const operation of operations) {
    if (operation.input._tag !== "Write") continue
    const { value } = operation.input
    lastWrite.set(value, Math.max(lastWrite.get(value) ?? 0, doneBy(operation)))
  }
  let latest: Operation | undefined
  const floors = new Map<Operation, Operation | undefined>()
  for (const { isCall, operation } of eventsOf(operations)) {
    const { called, input, outcome } = operation
    if (isCall) floors.set(operation, latest)
    else if (outcome._tag !== "Answered") continue
    else if (input._tag === "Write") {
      if (latest === undefined || called.order > latest.called.order) latest = operation
    } else if (outcome.value !== undefined) {
      const floor = floors.get(operation)
      const written = lastWrite.get(outcome.value)
      if (floor !== undefined && written !== undefined && written < floor.called.order) return older(floor, operation)
    }
  }
  return undefined
}

const doneBy = ({ outcome }: Operation): number => outcome._tag === "Answered" ? outcome.at.order : Infinity
