/**
 * Whether a history of a counter or a register can have been that of one value that changes in single steps.
 *
 * Each operation must have taken effect at one moment between its call and its answer, one after the other, with the answers
 * that were given (Herlihy and Wing). Of an operation whose outcome is unknown, both is tried: that it was done, at any
 * moment after its call, and that it was not. Keys are independent of each other: a history is checked key by key.
 *
 * The check goes through the events in their order and keeps every value that the key may have by now. An operation takes
 * effect as late as it can: when it is answered, or when another's answer needs it. So only operations that are under way at
 * the same time are tried in every order; those of unknown outcome are told apart by their inputs alone.
 *
 * @since 0.2.0
 */
import { Array as Arr } from "effect"
import { type Input, inputText, type Moment, type Operation, toText, type Value } from "./Operation.ts"

/** A key whose history cannot be explained. */
export interface Violation {
  readonly key: string
  /** What is wrong with it, in one sentence. */
  readonly what: string
  /** The operations that show it, in the order of their calls. */
  readonly operations: ReadonlyArray<Operation>
}

/** What was found about one key. `undecided`: there were too many possibilities to try. */
export type Verdict = { readonly _tag: "Holds" } | { readonly _tag: "Undecided" } | {
  readonly _tag: "Broken"
  readonly violation: Violation
}

/** A value before the first operation; `undefined` when it is not known. */
export type Initial = Value | undefined

/** Which possibilities are given up at. */
const limit = 20_000

/** One way in which it can have been so far. */
interface Possibility {
  readonly value: Initial
  /** Operations under way that have taken effect already. */
  readonly done: ReadonlySet<Operation>
  /** How many of those of unknown outcome have taken effect, by input. */
  readonly used: ReadonlyMap<string, number>
}

/** An operation of unknown outcome that may take effect at any time after its call, and how many alike there are. */
interface Lost {
  readonly input: Input
  count: number
}

type Event = { readonly order: number; readonly isCall: boolean; readonly operation: Operation }

/** The last moment at which an operation may take effect; `undefined` when there is none. */
const end = ({ outcome }: Operation): Moment | undefined =>
  outcome._tag === "Answered" ? outcome.at : outcome._tag === "Unknown" ? outcome.until : undefined

const eventsOf = (operations: ReadonlyArray<Operation>): ReadonlyArray<Event> =>
  operations.filter(({ outcome }) => outcome._tag !== "NotDone").flatMap((operation): ReadonlyArray<Event> => {
    const last = end(operation)
    const call = { order: operation.called.order, isCall: true, operation }
    return last === undefined ? [call] : [call, { order: last.order, isCall: false, operation }]
  }).sort((a, b) => a.order - b.order)

const keyOf = ({ done, used, value }: Possibility): string =>
  JSON.stringify([
    value ?? null,
    value === undefined,
    Array.from(done, ({ called }) => called.order).sort((a, b) => a - b),
    Array.from(used).filter(([, n]) => n > 0).sort(([a], [b]) => (a < b ? -1 : 1))
  ])

/** What an operation makes of a value, if its answer fits. */
const step = (value: Initial, { input, outcome }: Operation): Initial | "misfit" => {
  const next = apply(value, input)
  if (outcome._tag !== "Answered" || outcome.value === undefined || input._tag === "Write") return next
  // Of a value that is not known the first answer says what it is.
  return next === undefined || next === outcome.value ? outcome.value : misfit
}
const misfit = "misfit"

const apply = (value: Initial, input: Input): Initial => {
  switch (input._tag) {
    case "Add":
      return value === undefined ? undefined : Number(value) + input.by
    case "Read":
      return value
    case "Write":
      return input.value
  }
}

/** The ways in which operations of unknown outcome can lead to a value that the answer fits. */
const bridges = (
  { used, value }: Possibility,
  operation: Operation,
  lost: ReadonlyMap<string, Lost>
): ReadonlyArray<{ readonly value: Initial; readonly used: ReadonlyMap<string, number> }> => {
  const { input, outcome } = operation
  const straight = step(value, operation)
  if (straight !== misfit) return [{ value: straight, used }]
  if (outcome._tag !== "Answered" || outcome.value === undefined) return []
  const answered = outcome.value
  const free = (key: string, { count }: Lost): number => count - (used.get(key) ?? 0)
  // An answer is what was written last: only a write of just that is of use.
  const written = JSON.stringify(answered)
  const writes = `write ${written}`
  const write = lost.get(writes)
  if (input._tag === "Read" && write !== undefined && free(writes, write) > 0) {
    return [{ value: answered, used: new Map(used).set(writes, (used.get(writes) ?? 0) + 1) }]
  }
  if (typeof answered !== "number" || typeof value !== "number") return []
  const adds = Array.from(lost).flatMap(([key, one]) =>
    one.input._tag === "Add" && free(key, one) > 0 ? [{ key, by: one.input.by, free: free(key, one) }] : []
  )
  const gap = answered - value - (input._tag === "Add" ? input.by : 0)
  return sums(gap, adds, used).map((used) => ({ value: answered, used }))
}

interface Addend {
  readonly key: string
  readonly by: number
  readonly free: number
}

/** Every choice of addends that comes to a sum. */
const sums = (
  sum: number,
  addends: ReadonlyArray<Addend>,
  used: ReadonlyMap<string, number>
): ReadonlyArray<ReadonlyMap<string, number>> => {
  const [first, ...rest] = addends
  if (first === undefined) return sum === 0 ? [used] : []
  const onlyUp = addends.every(({ by }) => by > 0)
  if (onlyUp && sum < 0) return []
  const found: Array<ReadonlyMap<string, number>> = []
  for (let n = 0; n <= first.free && found.length < limit; n++) {
    const left = sum - n * first.by
    if (onlyUp && left < 0) break
    const next = n === 0 ? used : new Map(used).set(first.key, (used.get(first.key) ?? 0) + n)
    found.push(...sums(left, rest, next))
  }
  return found
}

/** Every possibility after `operation` has taken effect, others under way before it where that helps. */
const settle = (
  from: Iterable<Possibility>,
  operation: Operation,
  underWay: ReadonlySet<Operation>,
  lost: ReadonlyMap<string, Lost>
): Map<string, Possibility> | undefined => {
  const after = new Map<string, Possibility>()
  const seen = new Set<string>()
  const todo = Array.from(from)
  const keep = (possibility: Possibility): void => {
    const done = new Set(possibility.done)
    done.delete(operation)
    const kept = { ...possibility, done }
    after.set(keyOf(kept), kept)
  }
  for (let possibility = todo.pop(); possibility !== undefined; possibility = todo.pop()) {
    const key = keyOf(possibility)
    if (seen.has(key)) continue
    seen.add(key)
    if (seen.size > limit) return undefined
    if (possibility.done.has(operation)) {
      keep(possibility)
      continue
    }
    // It may never have been done at all.
    if (operation.outcome._tag === "Unknown") keep(possibility)
    for (const next of underWay) {
      if (possibility.done.has(next)) continue
      for (const { used, value } of bridges(possibility, next, lost)) {
        todo.push({ value, used, done: new Set(possibility.done).add(next) })
      }
    }
  }
  return after
}

/** Where the value of a key was last known for sure, and what happened since. */
interface Since {
  readonly value: Initial
  readonly order: number
}

interface Found {
  readonly _tag: "Holds" | "Undecided" | "Broken"
  /** The operation whose answer cannot be. */
  readonly culprit?: Operation
  readonly since: Since
}

const explain = (initial: Initial, operations: ReadonlyArray<Operation>): Found => {
  const lost = new Map<string, Lost>()
  const underWay = new Set<Operation>()
  const first: Possibility = { value: initial, done: new Set(), used: new Map() }
  let possible = new Map([[keyOf(first), first]])
  let since: Since = { value: initial, order: -1 }
  for (const { isCall, operation, order } of eventsOf(operations)) {
    if (isCall && end(operation) === undefined) {
      const key = inputText(operation.input)
      const known = lost.get(key)
      if (known === undefined) lost.set(key, { input: operation.input, count: 1 })
      else known.count++
      continue
    }
    if (isCall) {
      underWay.add(operation)
      continue
    }
    const after = settle(possible.values(), operation, underWay, lost)
    if (after === undefined) return { _tag: "Undecided", since }
    if (after.size === 0) return { _tag: "Broken", culprit: operation, since }
    possible = after
    underWay.delete(operation)
    const [only] = possible.values()
    if (underWay.size === 0 && possible.size === 1) since = { value: only!.value, order }
  }
  return { _tag: "Holds", since }
}

/**
 * An answer that is older than one that was there before the call: the plainest way to be wrong, and the cheapest to find.
 *
 * **Details**
 *
 * Of a counter that only grows, each answer must be at least, and that to an addition more than, the highest one that was
 * given before the call. Of a register, a read must not answer what was surely overwritten before it was called.
 *
 * @since 0.2.0
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

/** What only looks, and was answered, may be left out: a history that is wrong without it is wrong with it. */
const shorter = (initial: Initial, operations: ReadonlyArray<Operation>): ReadonlyArray<Operation> => {
  let kept = operations
  for (const one of operations) {
    if (one.input._tag !== "Read") continue
    const without = kept.filter((other) => other !== one)
    if (explain(initial, without)._tag === "Broken") kept = without
  }
  return kept
}

/**
 * Checks the operations of one key; `initial` is its value before the first, if that is known.
 *
 * @since 0.2.0
 */
export const check = (operations: ReadonlyArray<Operation>, initial?: Initial): Verdict => {
  const [first] = operations
  if (first === undefined) return { _tag: "Holds" }
  const late = stale(operations)
  if (late !== undefined) return { _tag: "Broken", violation: late }
  const { _tag, culprit, since } = explain(initial, operations)
  if (culprit === undefined) return { _tag: _tag === "Broken" ? "Undecided" : _tag }
  const last = end(culprit)!.order
  const relevant = operations.filter((one) => {
    if (one.outcome._tag === "NotDone" || one.called.order > last) return false
    const ended = end(one)
    return ended === undefined || ended.order > since.order
  })
  // From the last moment at which the value was sure, unless what was unknown by then is needed to explain it.
  const isEnough = explain(since.value, relevant)._tag === "Broken"
  const [start, shown] = isEnough
    ? [since.value, shorter(since.value, relevant)]
    : [initial, operations.filter(({ called }) => called.order <= last)]
  const value = start === undefined ? "" : `, from ${JSON.stringify(start)} on,`
  return {
    _tag: "Broken",
    violation: {
      key: first.key,
      what: `no order of these operations${value} gives "${toText(culprit)}"`,
      operations: [...shown].sort((a, b) => a.called.order - b.called.order)
    }
  }
}

/**
 * Checks every key of a history: what is broken, and the keys that could not be decided.
 *
 * @since 0.2.0
 */
export const checkAll = (
  operations: ReadonlyArray<Operation>,
  initial: (key: string) => Initial = () => undefined
): { readonly broken: ReadonlyArray<Violation>; readonly undecided: ReadonlyArray<string> } => {
  const broken: Array<Violation> = []
  const undecided: Array<string> = []
  for (const [key, own] of Object.entries(Arr.groupBy(operations, ({ key }) => key))) {
    const verdict = check(own, initial(key))
    if (verdict._tag === "Broken") broken.push(verdict.violation)
    else if (verdict._tag === "Undecided") undecided.push(key)
  }
  return { broken, undecided }
}
