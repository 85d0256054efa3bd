/**
 * What changed from one screen to the next, and how a reader has the next one of it.
 *
 * `applied(before, between(before, after))` is `after`: what both sides rest on.
 *
 * @since 0.1.0
 */
import type { Change, Group, Inspection, Row, Screen } from "./Wire.ts"

/** What a change says, without what numbers it. */
export type Changed = Omit<Change, "seq" | "capturedAt">

/** How many groups of the feed a reader has. */
export const feedLength = 100

/** Whether two values of the wire, which are JSON, are the same. */
export const isSame = (a: unknown, b: unknown): boolean => {
  if (Object.is(a, b)) return true
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((one, i) => isSame(one, b[i]))
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && isSame(a[key as never], b[key as never]))
}

/** The fields that are others; `undefined` when none is. */
const fields = <A extends object>(before: A, after: A): Partial<A> | undefined => {
  if (before === after) return undefined
  const changed: Partial<A> = {}
  for (const key of Object.keys(after) as Array<keyof A>) {
    if (!isSame(before[key], after[key])) changed[key] = after[key]
  }
  return Object.keys(changed).length === 0 ? undefined : changed
}

const rowsBetween = (before: ReadonlyArray<Row>, after: ReadonlyArray<Row>) => {
  const known = new Map(before.map((row) => [row.n, row]))
  const rows = after.flatMap((row): ReadonlyArray<Partial<Row> & Pick<Row, "n">> => {
    const old = known.get(row.n)
    if (old === undefined) return [row]
    const changed = fields(old, row)
    return changed === undefined ? [] : [{ ...changed, n: row.n }]
  })
  const isOrdered = before.length === after.length && after.every((row, i) => row.n === before[i]!.n)
  return {
    ...(isOrdered ? {} : { order: after.map(({ n }) => n) }),
    ...(rows.length === 0 ? {} : { rows })
  }
}

const chosenBetween = (before: Inspection | null, after: Inspection | null): Pick<Changed, "chosen"> => {
  if (after === null) return before === null ? {} : { chosen: null }
  if (before === null || before.n !== after.n) return { chosen: after }
  const chosen = fields(before, after)
  return chosen === undefined ? {} : { chosen }
}

const feedBetween = (before: ReadonlyArray<Group>, after: ReadonlyArray<Group>): Pick<Changed, "feed"> => {
  if (before === after) return {}
  const known = new Map(before.map((group) => [group.id, group]))
  const feed = after.filter((group) => !isSame(known.get(group.id), group))
  return feed.length === 0 ? {} : { feed }
}

/** What is different in `after`; `undefined` when nothing is. */
export const between = (before: Screen, after: Screen): Changed | undefined => {
  const totals = fields(before.totals, after.totals)
  const changed: Changed = {
    ...(totals === undefined ? {} : { totals }),
    ...(isSame(before.alarms, after.alarms) ? {} : { alarms: after.alarms }),
    ...(isSame(before.stores, after.stores) ? {} : { stores: after.stores }),
    ...(before.total === after.total ? {} : { total: after.total }),
    ...(before.from === after.from ? {} : { from: after.from }),
    ...rowsBetween(before.rows, after.rows),
    ...chosenBetween(before.chosen, after.chosen),
    ...feedBetween(before.feed, after.feed)
  }
  return Object.keys(changed).length === 0 ? undefined : changed
}

const appliedRows = (before: ReadonlyArray<Row>, { order, rows = [] }: Changed): ReadonlyArray<Row> => {
  if (order === undefined && rows.length === 0) return before
  const known = new Map(before.map((row) => [row.n, row]))
  // A row that is new is sent whole.
  for (const row of rows) known.set(row.n, { ...known.get(row.n), ...row } as Row)
  return (order ?? before.map(({ n }) => n)).flatMap((n) => known.get(n) ?? [])
}

const appliedChosen = (before: Inspection | null, chosen: Changed["chosen"]): Inspection | null =>
  chosen === undefined ? before : chosen === null ? null : { ...before, ...chosen } as Inspection

const appliedFeed = (before: ReadonlyArray<Group>, feed: ReadonlyArray<Group> | undefined): ReadonlyArray<Group> => {
  if (feed === undefined) return before
  const groups = new Map(before.map((group) => [group.id, group]))
  for (const group of feed) groups.set(group.id, group)
  return [...groups.values()].sort((a, b) => b.id - a.id).slice(0, feedLength)
}

/** The next screen. */
export const applied = (before: Screen, changed: Changed): Screen => ({
  totals: { ...before.totals, ...changed.totals },
  alarms: changed.alarms ?? before.alarms,
  stores: changed.stores ?? before.stores,
  total: changed.total ?? before.total,
  from: changed.from ?? before.from,
  rows: appliedRows(before.rows, changed),
  chosen: appliedChosen(before.chosen, changed.chosen),
  feed: appliedFeed(before.feed, changed.feed)
})
