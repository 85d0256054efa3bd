/**
 * The tree as an indented table. Only the rows in sight are in the document, and only they are asked for.
 *
 * The table itself has the focus; `aria-activedescendant` says which row is meant.
 */
import { effect, signal } from "@preact/signals"
import { useEffect, useRef } from "preact/hooks"
import type { Column } from "../src/domain/observer/Ranking.ts"
import type { Row } from "../src/domain/observer/Wire.ts"
import * as Words from "../src/domain/observer/Words.ts"
import { Spark, toneOf } from "./Parts.tsx"
import { capturedAt, choose, chosen, isSearch, look, rates, screen, sort, sortBy, toggle, view } from "./store.ts"

const rowHeight = 30
/**
 * Rows above and below those in sight that are asked for as well; and all that are while it is scrolled, most of them
 * ahead.
 */
const more = 20
const most = 200
/** Rows beyond those in sight that are in the document. */
const beyond = 6

/** Where it is, and which way it is scrolled, if it is. */
const scroll = signal({ top: 0, height: 600, way: "none" as "none" | "up" | "down" })
/** The row that keys go to, by its place. */
const at = signal(0)

effect(() => {
  const { height, top, way } = scroll.value
  const inSight = Math.ceil(height / rowHeight)
  const count = way === "none" ? Math.min(most, inSight + 2 * more) : most
  const before = way === "up" ? Math.max(more, most - inSight - more) : more
  const from = Math.max(0, Math.floor(top / rowHeight) - before)
  const now = view.peek()
  if (from !== now.from || count !== now.count) look({ from, count })
})

const columns: ReadonlyArray<readonly [by: Column, title: string]> = [
  ["name", "Name"],
  ["status", "Status"],
  ["incarnation", "Incarnation"],
  ["mailbox", "Mailbox"],
  ["rate", "Messages / s"],
  ["in hand", "In hand"],
  ["restarts", "Restarts"],
  ["last end", "Last end"]
]

/** The title of a column is a button: one press sorts by it, the next the other way, the third brings the tree back. */
const Title = ({ by, onSort, title }: {
  readonly by: Column
  readonly title: string
  readonly onSort: () => void
}) => {
  const order = sort.value?.by === by ? sort.value.order : undefined
  return (
    <span role="columnheader" aria-sort={order ?? "none"}>
      <button
        type="button"
        class={`title ${order ?? ""}`}
        onClick={() => {
          sortBy(by)
          onSort()
        }}
      >
        {title}
      </button>
    </span>
  )
}

const Cells = ({ row }: { readonly row: Row }) => {
  const rate = rates.rate(row.n)
  const isServer = row.kind === "server"
  const full = row.capacity === null ? 0 : Math.min(1, row.queued / row.capacity)
  const took = row.inHand === null ? 0 : capturedAt.value - row.inHand.since
  return (
    <>
      <span role="gridcell" class={`status ${toneOf(row.status)}`}>{row.status}</span>
      <span role="gridcell" class="number">#{row.incarnation}</span>
      <span role="gridcell" class="number mailbox">
        {isServer && (row.queued > 0 || row.capacity !== null)
          ? (
            <>
              {row.capacity !== null && (
                <span class={`meter ${full >= 0.8 ? "warn" : ""}`} aria-hidden="true">
                  <span style={{ width: `${Math.round(full * 100)}%` }} />
                </span>
              )}
              {Words.mailbox(row.queued, row.capacity)}
            </>
          )
          : <span class="dim">{isServer ? "0" : ""}</span>}
      </span>
      <span role="gridcell" class="number rate">
        {isServer && row.handled > 0 && <Spark values={rates.history(row.n)} />}
        <span class={rate === 0 ? "dim" : ""}>{isServer ? Words.short(rate) : ""}</span>
      </span>
      <span role="gridcell" class={took >= 5000 ? "warn" : ""}>
        {row.inHand !== null && `${row.inHand.message} for ${Words.duration(took)}`}
      </span>
      <span role="gridcell" class={isUsedUp(row) ? "warn" : ""}>{Words.budget(row.budget)}</span>
      <span role="gridcell" class="dim exit" title={row.lastExit ?? ""}>{row.lastExit}</span>
    </>
  )
}

const isUsedUp = ({ budget }: Row): boolean =>
  budget !== null && budget !== "schedule" && budget.restarts > 0 && budget.used >= budget.restarts

const Line = ({ place, row }: { readonly row: Row; readonly place: number }) => {
  const isBranch = row.below !== null
  return (
    <div
      role="row"
      id={`row-${row.n}`}
      class={`row ${chosen.value === row.n ? "chosen" : ""} ${at.value === place ? "at" : ""} ${
        isBranch ? "branch" : ""
      }`}
      style={{ transform: `translateY(${place * rowHeight}px)` }}
      aria-level={row.depth + 1}
      aria-rowindex={place + 2}
      aria-selected={chosen.value === row.n}
      {...(isBranch ? { "aria-expanded": row.isOpen } : {})}
      onClick={() => {
        at.value = place
        choose(row.n)
      }}
    >
      <span role="gridcell" class="name" style={{ paddingLeft: `${12 + row.depth * 18}px` }}>
        {isBranch
          ? (
            <span
              class={`twist ${row.isOpen ? "open" : ""}`}
              aria-hidden="true"
              onClick={(event) => {
                event.stopPropagation()
                at.value = place
                toggle(row)
              }}
            />
          )
          : <span class="leaf" aria-hidden="true" />}
        <span class={`dot ${toneOf(row.status)}`} aria-hidden="true" />
        <span class="id" title={row.id}>{row.id}</span>
        {isBranch && <span class="count">{Words.whole(row.below ?? 0)}</span>}
        {row.quarantined > 0 && <span class="tag warn">{row.quarantined} in quarantine</span>}
        {row.held > 0 && <span class="tag quiet">{row.held} held</span>}
      </span>
      <Cells row={row} />
    </div>
  )
}

export const Table = () => {
  const body = useRef<HTMLDivElement>(null)
  const { from, rows, total } = screen.value

  useEffect(() => {
    const { current } = body
    if (current === null) return
    let resting = 0
    const measure = () => {
      const { scrollTop: top, clientHeight: height } = current
      const moved = top - scroll.peek().top
      clearTimeout(resting)
      if (moved !== 0) resting = setTimeout(rest, 300) as never
      scroll.value = { top, height, way: moved === 0 ? "none" : moved < 0 ? "up" : "down" }
    }
    const rest = () => {
      scroll.value = { ...scroll.peek(), way: "none" }
    }
    const watch = new ResizeObserver(measure)
    watch.observe(current)
    current.addEventListener("scroll", measure, { passive: true })
    return () => {
      clearTimeout(resting)
      watch.disconnect()
      current.removeEventListener("scroll", measure)
    }
  }, [])

  const rowAt = (place: number): Row | undefined => rows[place - from]
  const move = (place: number): void => {
    const next = Math.max(0, Math.min(total - 1, place))
    at.value = next
    const { current } = body
    if (current === null) return
    const [top, bottom] = [next * rowHeight, (next + 1) * rowHeight + 32]
    if (top < current.scrollTop) current.scrollTop = top
    else if (bottom > current.scrollTop + current.clientHeight) current.scrollTop = bottom - current.clientHeight
  }
  const page = () => Math.max(1, Math.floor((body.current?.clientHeight ?? 0) / rowHeight) - 2)
  const parentOf = (place: number): number => {
    const depth = rowAt(place)?.depth ?? 0
    let above = place - 1
    while (above >= from && (rowAt(above)?.depth ?? 0) >= depth) above--
    return Math.max(0, above)
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    const place = at.value
    const row = rowAt(place)
    const keys: Record<string, () => void> = {
      ArrowDown: () => move(place + 1),
      ArrowUp: () => move(place - 1),
      PageDown: () => move(place + page()),
      PageUp: () => move(place - page()),
      Home: () => move(0),
      End: () => move(total - 1),
      ArrowRight: () => row !== undefined && row.below !== null && !row.isOpen ? toggle(row, true) : move(place + 1),
      ArrowLeft: () => row !== undefined && row.isOpen ? toggle(row, false) : move(parentOf(place)),
      Enter: () => row !== undefined && choose(row.n),
      " ": () => row !== undefined && choose(row.n)
    }
    // A title has keys of its own.
    if (event.target instanceof HTMLButtonElement) return
    const deed = keys[event.key]
    if (deed === undefined || event.ctrlKey || event.metaKey || event.altKey) return
    event.preventDefault()
    deed()
  }
  const active = rowAt(at.value)
  const first = Math.floor(scroll.value.top / rowHeight)
  const inSight = Math.ceil(scroll.value.height / rowHeight)
  // The window has been moved, and what is in it is on its way.
  const missing = total > 0 && (first < from || first + Math.min(inSight, total - first) > from + rows.length)
  return (
    <div
      class="table"
      ref={body}
      role="treegrid"
      tabIndex={0}
      aria-label="Processes"
      aria-rowcount={total + 1}
      aria-busy={missing}
      {...(active === undefined ? {} : { "aria-activedescendant": `row-${active.n}` })}
      onKeyDown={onKeyDown}
    >
      <div class="row head" role="row" aria-rowindex={1}>
        {columns.map(([by, title]) => <Title key={by} by={by} title={title} onSort={() => move(0)} />)}
      </div>
      <div class="rows" role="rowgroup" style={{ height: `${total * rowHeight}px` }}>
        {rows.map((row, i) => {
          const place = from + i
          const isNear = place >= first - beyond && place <= first + inSight + beyond
          return isNear && <Line key={row.n} row={row} place={place} />
        })}
      </div>
      {total === 0 && (
        <p class="empty">
          {isSearch.value ? "No process is found." : "No supervision tree reports here yet."}
        </p>
      )}
    </div>
  )
}
