/**
 * Looks at the processes, twice a second as long as one reader watches, once for all of them.
 *
 * What is looked at is what readers see: the lines in their windows, the processes they have chosen. Totals are counters that
 * the engines keep. All other processes are passed by in parts (`Round`), to find those that something is wrong with. So a
 * look costs what is shown, however many processes there are.
 *
 * @since 0.1.0
 */
import { Queue } from "effect"
import { outageOf, shown as shownAlarms, troubleOf } from "../../domain/observer/Alarms.ts"
import { type Line, lines } from "../../domain/observer/Outline.ts"
import type { View } from "../../domain/observer/Requests.ts"
import type { Alarm, Inspection, Row, Screen } from "../../domain/observer/Wire.ts"
import { Processes } from "./Below.ts"
import type { Hearing } from "./Hearing.ts"
import { inspect, isQuiet, rowOf, type Watched } from "./Look.ts"
import { eventText, maxReaders, Reader, type Source } from "./Readers.ts"
import { Round } from "./Round.ts"
import { Stores } from "./Stores.ts"

/** The most processes that a search finds, and that are kept of those in trouble. */
const mostFound = 1000

type Placed = readonly [process: Watched, depth: number]

/** A search that goes on as long as its reader wants it. */
interface Search {
  readonly of: string
  readonly round: Round<Placed, Placed>
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
    if (this.readers.size === 0) this.forget()
  }

  closeAll(): void {
    for (const { queue } of this.readers.values()) Queue.endUnsafe(queue)
    this.readers.clear()
    this.forget()
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
    const reader = { view, opened: new Set(view.opened), closed: new Set(view.closed) }
    return { ...this.shared(roots, now), ...this.tree(reader, roots), chosen: this.chosen(view.chosen) }
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
    const { count, find, from, troubled } = reader.view
    const isSearch = find !== "" || troubled
    const seen = isSearch ? this.found(reader) : lines(roots, this.processes, { ...reader, from, count })
    return {
      total: seen.total,
      from,
      rows: seen.lines.map(({ below = null, depth, isOpen, node }) =>
        Object.assign({}, this.row(node), { below, depth, isOpen })
      )
    }
  }

  /** What a search has found so far, as lines of their own. */
  private found(reader: Looking): { readonly total: number; readonly lines: ReadonlyArray<Line<Watched>> } {
    const { count, find, from, troubled } = reader.view
    const wanted = find.toLowerCase()
    const fits = (process: Watched): boolean => wanted === "" || process.id.toLowerCase().includes(wanted)
    const line = (node: Watched, depth: number) => ({
      node,
      depth,
      below: this.processes.below(node)?.size,
      isOpen: false
    })
    if (troubled) {
      const all = this.troubles.found.filter(([process]) => fits(process))
      return { total: all.length, lines: all.slice(from, from + count).map(([process]) => line(process, 0)) }
    }
    let search = this.searches.get(reader)
    if (search?.of !== wanted) {
      search = {
        of: wanted,
        round: new Round(() => this.walk(), (placed) => fits(placed[0]) ? placed : undefined, mostFound)
      }
      this.searches.set(reader, search)
    }
    search.round.advance()
    const all = search.round.found
    return { total: all.length, lines: all.slice(from, from + count).map(([process]) => line(process, 0)) }
  }

  private chosen(chosen: number | null): Inspection | null {
    const process = chosen === null ? undefined : this.processes.named(chosen)
    if (process === undefined || chosen === null) return null
    const known = this.inspections.get(process)
    if (known !== undefined) return known
    const inspection = inspect(process, chosen, this.hearing.crashOf(process.path))
    this.inspections.set(process, inspection)
    return inspection
  }
}
