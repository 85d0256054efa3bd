/**
 * Looks at the processes, twice a second as long as one reader watches, once for all of them.
 *
 * What is looked at is what readers see: the lines in their windows, the processes they have chosen. Totals are
 * counters that the engines keep. All other processes are passed by in parts (`Round`), to find those that something is
 * wrong with. So a look costs what is shown, however many processes there are.
 *
 * @since 0.1.0
 */
import { Queue } from "effect"
import { outageOf, shown as shownAlarms, troubleOf } from "../../domain/observer/Alarms.ts"
import { type Line, lines } from "../../domain/observer/Outline.ts"
import type { View } from "../../domain/observer/Requests.ts"
import type { Alarm, Inspection, Row, Screen } from "../../domain/observer/Wire.ts"
import { serverOf } from "../server/class/ServerRef.ts"
import type { Hearing } from "./Hearing.ts"
import { Processes } from "./look/Below.ts"
import { Counting } from "./look/Counting.ts"
import { inspect, isQuiet, rowOf, type Watched } from "./look/Look.ts"
import { Ranked } from "./look/Ranked.ts"
import { Round } from "./look/Round.ts"
import { Stores } from "./look/Stores.ts"
import { eventText, firstView, maxReaders, Reader, type Source } from "./Readers.ts"

/**
 * The most processes that a search finds, that a list in the order of a column has, and that are kept of those in
 * trouble.
 */
const mostFound = 1000

type Placed = readonly [process: Watched, depth: number]

/** What a reader wants to have found, as long as it does: it has the first of them by now. */
interface Search {
  readonly of: string
  readonly advance: (now: number) => void
  readonly found: () => ReadonlyArray<Watched>
}

function* fitting(all: Iterator<Placed, void>, fits: (process: Watched) => boolean): Generator<Watched, void> {
  for (let next = all.next(); next.done !== true; next = all.next()) {
    if (fits(next.value[0])) yield next.value[0]
  }
}

/** What one who watches looks at. */
interface Looking {
  readonly view: Omit<View, "reader">
  readonly opened: ReadonlySet<number>
  readonly closed: ReadonlySet<number>
}

/** What is the same for all readers. */
type Shared = Pick<Screen, "totals" | "alarms" | "stores" | "feed">

/** Looks at the trees that it is given. */
export class Sampler {
  private readonly hearing: Hearing
  private readonly source: Source
  private readonly now: () => number
  private readonly readers = new Map<string, Reader>()
  private readonly searches = new WeakMap<Looking, Search>()
  private readonly processes = new Processes()
  private readonly stores = new Stores()
  private readonly counting = new Counting()
  /** The one that reads no stream: what it has found is kept from one look to the next. */
  private readonly own: { -readonly [K in keyof Looking]: Looking[K] } = {
    view: firstView(""),
    opened: new Set(),
    closed: new Set()
  }
  private readonly troubles: Round<Placed, readonly [Watched, Alarm]>
  private rows = new Map<Watched, Row>()
  private inspections = new Map<Watched, Inspection>()

  constructor(hearing: Hearing, source: Source, now: () => number) {
    this.hearing = hearing
    this.source = source
    this.now = now
    this.troubles = new Round(() => this.walk(), ([process]) => this.trouble(process), mostFound)
  }

  /** Whether there is a reader. */
  get isWatched(): boolean {
    return this.readers.size > 0
  }

  /** A new reader, which is sent what it looks at from now on; `undefined` when there are too many. */
  open(id: string, queue: Reader["queue"]): Reader | undefined {
    if (this.readers.size >= maxReaders) return undefined
    const reader = new Reader(id, queue)
    if (!this.isWatched) this.troubles.advance()
    this.look([reader])
    this.readers.set(id, reader)
    return reader
  }

  close(reader: Reader): void {
    this.readers.delete(reader.id)
    this.count()
    if (this.readers.size === 0) this.forget()
  }

  closeAll(): void {
    for (const { queue } of this.readers.values()) Queue.endUnsafe(queue)
    this.readers.clear()
    this.count()
    this.forget()
  }

  /** Messages are counted by type where some reader looks, and nowhere else. */
  private count(): void {
    const inspected = Array.from(this.readers.values(), ({ view }) => {
      const process = view.chosen === null ? undefined : this.processes.named(view.chosen)
      return process && serverOf(process)
    })
    this.counting.only(inspected.filter((server) => server !== undefined), this.now())
  }

  private forget(): void {
    this.rows = new Map()
    this.inspections = new Map()
  }

  /** A reader looks at something else: it sees that at once. False for one that is not known. */
  looksAt(view: View): boolean {
    const reader = this.readers.get(view.reader)
    if (reader === undefined) return false
    reader.looksAt(view)
    this.look([reader])
    return true
  }

  /** A process that some reader was shown. */
  known(n: number): Watched | undefined {
    return this.processes.named(n)
  }

  /** The way down to a process, as numbers; empty when it is not there. */
  find(path: ReadonlyArray<string>): ReadonlyArray<number> {
    this.processes.now = this.now()
    const way = this.processes.find(this.hearing.roots, path)
    return way.map(this.processes.number)
  }

  /** Looks at all that is on a screen, and at the next part of the rest. */
  tick(): void {
    this.processes.now = this.now()
    this.rows = new Map()
    this.inspections = new Map()
    this.troubles.advance()
    this.look(Array.from(this.readers.values()))
  }

  private look(readers: ReadonlyArray<Reader>): void {
    const now = this.now()
    this.processes.now = now
    // What a reader has just asked for is not to be older than its question.
    this.rows = new Map()
    this.inspections = new Map()
    this.count()
    this.stores.look(now)
    const { roots } = this.hearing
    const shared = this.shared(roots, now)
    for (const reader of readers) {
      const ready = reader.isReady(now)
      if (ready === "gone") this.letGo(reader)
      if (ready !== true) continue
      reader.send(now, { ...shared, ...this.tree(reader, roots), chosen: this.chosen(reader.view.chosen) }, this.source)
    }
  }

  /** What there is to see, for one that reads no stream: as of the last tick, but for the rows. */
  seen(view: Omit<View, "reader">): Screen {
    const now = this.now()
    this.processes.now = now
    const { roots } = this.hearing
    const { own } = this
    Object.assign(own, { view, opened: new Set(view.opened), closed: new Set(view.closed) })
    return { ...this.shared(roots, now), ...this.tree(own, roots), chosen: this.chosen(view.chosen) }
  }

  private letGo(reader: Reader): void {
    this.close(reader)
    Queue.offerUnsafe(reader.queue, eventText("dropped", { why: "it took nothing for too long" }))
    Queue.endUnsafe(reader.queue)
  }

  private shared(roots: ReadonlyArray<Watched>, now: number): Shared {
    const { feed, totals } = this.hearing
    const troubles = this.troubles.found
    const stores = this.stores.all
    const alarms = [...stores.flatMap((store) => outageOf(store, now) ?? []), ...troubles.map(([, alarm]) => alarm)]
    return {
      totals: {
        ...totals,
        processes: roots.reduce((sum, root) => sum + this.processes.count(root), 0),
        troubled: troubles.length
      },
      stores,
      alarms: shownAlarms(alarms),
      feed
    }
  }

  private walk(): Iterator<Placed, void> {
    return this.processes.walk(this.hearing.roots)
  }

  private trouble(process: Watched): readonly [Watched, Alarm] | undefined {
    this.stores.see(process)
    if (isQuiet(process)) return undefined
    const alarm = troubleOf(this.row(process), this.processes.now)
    return alarm && [process, alarm]
  }

  private row(process: Watched): Row {
    const known = this.rows.get(process)
    if (known !== undefined) return known
    const row = rowOf(process, this.processes.number(process), this.processes.now)
    this.rows.set(process, row)
    return row
  }

  private tree(reader: Looking, roots: ReadonlyArray<Watched>): Pick<Screen, "total" | "from" | "rows"> {
    const { count, find, from, sort, troubled } = reader.view
    const isList = find !== "" || troubled || sort !== null
    const seen = isList ? this.found(reader) : lines(roots, this.processes, { ...reader, from, count })
    return {
      total: seen.total,
      from,
      rows: seen.lines.map(({ below = null, depth, isOpen, node }) =>
        Object.assign({}, this.row(node), { below, depth, isOpen })
      )
    }
  }

  /** What was found so far, as lines of their own. */
  private found(reader: Looking): { readonly total: number; readonly lines: ReadonlyArray<Line<Watched>> } {
    const { count, find, from, sort, troubled } = reader.view
    const of = `${troubled} ${sort?.by} ${sort?.order} ${find.toLowerCase()}`
    let search = this.searches.get(reader)
    if (search?.of !== of) {
      search = { of, ...this.search(reader.view) }
      this.searches.set(reader, search)
    }
    search.advance(this.processes.now)
    const all = search.found()
    const lines = all.slice(from, from + count).map((node) => ({
      node,
      depth: 0,
      below: this.processes.below(node)?.size,
      isOpen: false
    }))
    return { total: all.length, lines }
  }

  private search({ find, sort, troubled }: Looking["view"]): Omit<Search, "of"> {
    const wanted = find.toLowerCase()
    const fits = (process: Watched): boolean => wanted === "" || process.id.toLowerCase().includes(wanted)
    const all = (): Iterator<Placed, void> => troubled ? this.troubled() : this.walk()
    if (sort !== null) {
      const ranked = new Ranked(sort, () => fitting(all(), fits), mostFound)
      return { advance: (now) => ranked.advance(now), found: () => ranked.found }
    }
    if (troubled) return { advance: () => {}, found: () => Array.from(fitting(all(), fits)) }
    const round = new Round(all, ([process]) => fits(process) ? process : undefined, mostFound)
    return { advance: () => round.advance(), found: () => round.found }
  }

  private *troubled(): Generator<Placed, void> {
    for (const [process] of this.troubles.found) yield [process, 0]
  }

  private chosen(chosen: number | null): Inspection | null {
    const process = chosen === null ? undefined : this.processes.named(chosen)
    if (process === undefined || chosen === null) return null
    const known = this.inspections.get(process)
    if (known !== undefined) return known
    const server = serverOf(process)
    const counts = server && this.counting.of(server)
    const inspection = inspect(process, chosen, this.hearing.crashOf(process.path), counts)
    this.inspections.set(process, inspection)
    return inspection
  }
}
