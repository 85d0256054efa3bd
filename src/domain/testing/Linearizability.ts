/**
 * Whether a history of a counter or a register can have been that of one value that changes in single steps.
 *
 * Each operation must have taken effect at one moment between its call and its answer, one after the other, with the
 * answers that were given (Herlihy and Wing). Of an operation whose outcome is unknown, both is tried: that it was
 * done, at any moment after its call, and that it was not. Keys are independent of each other: a history is checked key
 * by key.
 *
 * The check goes through the events in their order and keeps every value that the key may have by now. An operation
 * takes effect as late as it can: when it is answered, or when another's answer needs it. So only operations that are
 * answered, and were under way at the same time, are tried in every order. Of those of unknown outcome that ask for the
 * same the one that is over first is taken first.
 *
 * @since 0.1.0
 */
import { Array as Arr } from "effect"
import {
  endOf,
  eventsOf,
  type Input,
  inputText,
  type Operation,
  toText,
  type Value,
  type Violation
} from "./Operation.ts"
import { stale } from "./Stale.ts"

/**
 * What was found about one key. `undecided`: there were too many possibilities to try.
 *
 * @category models
 * @since 0.1.0
 */
export type Verdict = { readonly _tag: "Holds" } | { readonly _tag: "Undecided" } | {
  readonly _tag: "Broken"
  readonly violation: Violation
}

/**
 * A value before the first operation; `undefined` when it is not known.
 *
 * @category models
 * @since 0.1.0
 */
export type Initial = Value | undefined

/** Which possibilities are given up at. */
const limit = 5000

/** One way in which it can have been so far. */
interface Possibility {
  readonly value: Initial
  /** Operations under way that have taken effect already. */
  readonly done: ReadonlySet<Operation>
  /** How many of the lost ones have taken effect, by input. */
  readonly used: ReadonlyMap<string, number>
}

/** What is under way, or may still take effect. */
interface Open {
  readonly answered: Set<Operation>
  /**
   * Of unknown outcome, by input: those that are over at some time, the first one first, and how many may come at any
   * time.
   */
  readonly unknown: Map<string, { readonly input: Input; readonly ending: Array<Operation>; lost: number }>
}

const keyOf = ({ done, used, value }: Possibility): string => {
  const places = Array.from(done, ({ called }) => called.order).sort((a, b) => a - b)
  const lost = Array.from(used, ([key, n]) => `${n} ${key}`).sort()
  return `${typeof value} ${value} ${places.join()} ${lost.join()}`
}

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

/** The same possibility, in which `n` more operations of unknown outcome have taken effect and led to `value`. */
const using = (from: Possibility, value: Initial, key: string, n: number, open: Open): Possibility => {
  const done = new Set(from.done)
  let left = n
  for (const one of open.unknown.get(key)?.ending ?? []) {
    if (left === 0) break
    if (done.has(one)) continue
    done.add(one)
    left--
  }
  return { value, done, used: left === 0 ? from.used : new Map(from.used).set(key, (from.used.get(key) ?? 0) + left) }
}

/** How many of unknown outcome may still take effect. */
const free = ({ done, used }: Possibility, key: string, { unknown }: Open): number => {
  const known = unknown.get(key)
  if (known === undefined) return 0
  return known.ending.filter((one) => !done.has(one)).length + known.lost - (used.get(key) ?? 0)
}

/** The ways in which a value comes about that the answer fits, with the help of what is of unknown outcome. */
const bridges = (from: Possibility, operation: Operation, open: Open): ReadonlyArray<Possibility> => {
  const { input, outcome } = operation
  const straight = step(from.value, operation)
  if (straight !== misfit) return [{ ...from, value: straight }]
  if (outcome._tag !== "Answered" || outcome.value === undefined) return []
  const { value } = outcome
  // What is read was written last: only a write of just that is of use.
  const write = inputText({ _tag: "Write", value })
  if (input._tag === "Read" && free(from, write, open) > 0) return [using(from, value, write, 1, open)]
  if (typeof value !== "number" || typeof from.value !== "number") return []
  const gap = value - from.value - (input._tag === "Add" ? input.by : 0)
  const addends = Array.from(open.unknown, ([key, { input }]) => ({
    key,
    by: input._tag === "Add" ? input.by : 0,
    free: free(from, key, open)
  })).filter(({ by, free }) => by !== 0 && free > 0)
  return sums(gap, addends).map((choice) =>
    choice.reduce((at: Possibility, { key, n }) => using(at, value, key, n, open), from)
  )
}

interface Addend {
  readonly key: string
  readonly by: number
  readonly free: number
}

interface Choice {
  readonly key: string
  readonly n: number
}

/** Every choice of addends that comes to a sum. */
const sums = (sum: number, [first, ...rest]: ReadonlyArray<Addend>): ReadonlyArray<ReadonlyArray<Choice>> => {
  if (first === undefined) return sum === 0 ? [[]] : []
  const onlyUp = first.by > 0 && rest.every(({ by }) => by > 0)
  const found: Array<ReadonlyArray<Choice>> = []
  for (let n = 0; n <= first.free && found.length < limit; n++) {
    const left = sum - n * first.by
    if (onlyUp && left < 0) break
    for (const others of sums(left, rest)) found.push(n === 0 ? others : [{ key: first.key, n }, ...others])
  }
  return found
}

const without = (possibility: Possibility, operation: Operation): Possibility => {
  if (!possibility.done.has(operation)) return possibility
  const done = new Set(possibility.done)
  done.delete(operation)
  return { ...possibility, done }
}

/**
 * Every possibility after `operation` is over, others under way before it where that helps; nothing when there are too
 * many.
 */
const settle = (
  from: ReadonlyArray<Possibility>,
  operation: Operation,
  open: Open
): Map<string, Possibility> | undefined => {
  const after = new Map<string, Possibility>()
  const keep = (possibility: Possibility): void => {
    const kept = without(possibility, operation)
    after.set(keyOf(kept), kept)
  }
  const isUnknown = operation.outcome._tag === "Unknown"
  // It may never have been done at all.
  if (isUnknown) { for (const possibility of from) keep(possibility) }
  const seen = new Set<string>()
  const todo = [...from]
  for (let possibility = todo.pop(); possibility !== undefined; possibility = todo.pop()) {
    if (possibility.done.has(operation)) {
      keep(possibility)
      continue
    }
    const key = keyOf(possibility)
    if (seen.has(key)) continue
    seen.add(key)
    if (seen.size > limit || after.size > limit) return undefined
    if (isUnknown) keep({ ...possibility, value: apply(possibility.value, operation.input) })
    for (const next of open.answered) {
      if (possibility.done.has(next)) continue
      for (const found of bridges(possibility, next, open)) {
        todo.push({ ...found, done: new Set(found.done).add(next) })
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

/** Something is called: it is under way from now on. */
const begin = ({ answered, unknown }: Open, operation: Operation): void => {
  if (operation.outcome._tag === "Answered") return void answered.add(operation)
  const key = inputText(operation.input)
  const known = unknown.get(key) ?? { input: operation.input, ending: [], lost: 0 }
  unknown.set(key, known)
  const ended = endOf(operation)
  if (ended === undefined) known.lost++
  else {
    const later = known.ending.findIndex((other) => endOf(other)!.order > ended.order)
    known.ending.splice(later < 0 ? known.ending.length : later, 0, operation)
  }
}

/** It is over: nothing may take effect for it any more. */
const finish = ({ answered, unknown }: Open, operation: Operation): void => {
  answered.delete(operation)
  const ending = unknown.get(inputText(operation.input))?.ending
  const place = ending?.indexOf(operation) ?? -1
  if (place >= 0) ending!.splice(place, 1)
}

const explain = (initial: Initial, operations: ReadonlyArray<Operation>): Found => {
  const open: Open = { answered: new Set(), unknown: new Map() }
  const first: Possibility = { value: initial, done: new Set(), used: new Map() }
  let possible = new Map([[keyOf(first), first]])
  let since: Since = { value: initial, order: -1 }
  let underWay = 0
  for (const { isCall, operation, order } of eventsOf(operations)) {
    if (isCall) {
      begin(open, operation)
      if (endOf(operation) !== undefined) underWay++
      continue
    }
    const after = settle([...possible.values()], operation, open)
    if (after === undefined) return { _tag: "Undecided", since }
    if (after.size === 0) return { _tag: "Broken", culprit: operation, since }
    finish(open, operation)
    underWay--
    possible = after
    const [only] = possible.values()
    if (underWay === 0 && possible.size === 1) since = { value: only!.value, order }
  }
  return { _tag: "Holds", since }
}

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
 * @category checks
 * @since 0.1.0
 */
export const check = (operations: ReadonlyArray<Operation>, initial?: Initial): Verdict => {
  const [first] = operations
  if (first === undefined) return { _tag: "Holds" }
  const late = stale(operations)
  if (late !== undefined) return { _tag: "Broken", violation: late }
  const { _tag, culprit, since } = explain(initial, operations)
  if (culprit === undefined) return { _tag: _tag === "Broken" ? "Undecided" : _tag }
  const last = endOf(culprit)!.order
  const relevant = operations.filter((one) => {
    if (one.outcome._tag === "NotDone" || one.called.order > last) return false
    const ended = endOf(one)
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
 * @category checks
 * @since 0.1.0
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
