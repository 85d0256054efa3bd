/**
 * What the page knows, and how it comes: one stream from the source, and what the page asks of it.
 *
 * The stream is read with `fetch`, since an `EventSource` cannot bring a token.
 */
import { batch, computed, signal } from "@preact/signals"
import { applied } from "../src/domain/observer/Difference.ts"
import { type Column, next as sortedNext } from "../src/domain/observer/Ranking.ts"
import { Rates } from "../src/domain/observer/Rates.ts"
import type { Action, View } from "../src/domain/observer/Requests.ts"
import {
  type Change,
  type Kept,
  nothingCounted,
  type Row,
  type Screen,
  type Snapshot,
  untouched
} from "../src/domain/observer/Wire.ts"

/** How it stands with the source. */
export type Link = "connecting" | "live" | "lost" | "token"

const nothing: Screen = {
  totals: { processes: 0, troubled: 0, ...nothingCounted },
  alarms: [],
  stores: [],
  total: 0,
  from: 0,
  rows: [],
  chosen: null,
  feed: []
}

export const link = signal<Link>("connecting")
export const screen = signal<Screen>(nothing)
export const source = signal<Pick<Snapshot, "source" | "startedAt" | "actions" | "about"> | undefined>(undefined)
export const capturedAt = signal(0)
/** What has just happened, for a moment; said to screen readers, too. */
export const notice = signal("")

/** Rates by the numbers of processes; 0 is all of them together. */
export const rates = new Rates()
/** Rates of the messages of the process that is chosen, by the places of their types. */
export const rateOfTypes = new Rates()
let ratedProcess: number | undefined

type Looking = Omit<View, "reader">
const atFirst: Looking = { ...untouched, count: 80 }

export const view = signal<Looking>(atFirst)
export const chosen = computed(() => view.value.chosen)
export const sort = computed(() => view.value.sort)
export const isSearch = computed(() => view.value.find !== "" || view.value.troubled)

let reader = ""
let token = new URLSearchParams(location.hash.slice(1)).get("token") ?? sessionStorage.getItem("heirloom-token") ?? ""
// What is in the address is seen by others: in the history, on a shared screen.
if (location.hash !== "") history.replaceState(null, "", location.pathname)

const ask = (path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(path, {
    ...init,
    headers: {
      ...(init.body === undefined ? {} : { "content-type": "application/json" }),
      ...(token === "" ? {} : { authorization: `Bearer ${token}` })
    }
  })

const post = (path: string, body: unknown): Promise<Response> =>
  ask(path, { method: "POST", body: JSON.stringify(body) })

// ---- what it looks at

let pending = false
let asked = 0

/** Says what is looked at: at once, and then not more often than a source can show. */
const sendView = (): void => {
  if (pending || reader === "") return
  pending = true
  setTimeout(() => {
    pending = false
    asked = Date.now()
    // A reader that is not known any more has a stream that ends: it comes back by itself.
    void post("view", { ...view.value, reader }).catch(() => {})
  }, Math.max(0, asked + 60 - Date.now()))
}

export const look = (change: Partial<Looking>): void => {
  view.value = { ...view.value, ...change }
  sendView()
}

const without = (numbers: ReadonlyArray<number>, n: number) => numbers.filter((one) => one !== n)

export const toggle = (row: Row, open = !row.isOpen): void => {
  const { closed, opened } = view.value
  look({
    opened: open ? [...without(opened, row.n), row.n].slice(-1000) : without(opened, row.n),
    closed: open ? without(closed, row.n) : [...without(closed, row.n), row.n].slice(-1000)
  })
}

export const choose = (n: number | null): void => look({ chosen: n })

/** Sorts by a column: one way, then the other, then the tree is back. */
export const sortBy = (by: Column): void => look({ sort: sortedNext(view.value.sort, by), from: 0 })

/** Chooses a process by its path, and opens what is above it. */
export const reveal = async (path: ReadonlyArray<string>): Promise<void> => {
  const response = await post("find", { path })
  const { way } = (await response.json()) as { readonly way: ReadonlyArray<number> }
  const n = way[way.length - 1]
  if (n === undefined) return say(`${path[path.length - 1]} is not there any more.`)
  const above = way.slice(0, -1)
  const { closed, opened } = view.value
  look({
    chosen: n,
    opened: [...opened.filter((one) => !above.includes(one)), ...above],
    closed: closed.filter((one) => !above.includes(one))
  })
}

export const say = (text: string): void => {
  notice.value = text
  setTimeout(() => {
    if (notice.value === text) notice.value = ""
  }, 6000)
}

// ---- what it asks

const whyOf = async (response: Response): Promise<string> => {
  const body = (await response.json().catch(() => ({}))) as { readonly why?: string; readonly said?: string }
  return body.said ?? body.why ?? `The source answered ${response.status}.`
}

export const act = async (action: Action): Promise<void> => {
  try {
    say(await whyOf(await post("actions", action)))
  } catch {
    say("The source did not answer.")
  }
}

export const snapshots = async (n: number): Promise<ReadonlyArray<Kept>> => {
  const response = await ask(`snapshots?n=${n}`)
  if (response.ok) return ((await response.json()) as { readonly kept: ReadonlyArray<Kept> }).kept
  say(await whyOf(response))
  return []
}

export const difference = async (n: number, from: number, to: number): Promise<string> => {
  const response = await ask(`difference?n=${n}&from=${from}&to=${to}`)
  return response.ok ? ((await response.json()) as { readonly text: string }).text : whyOf(response)
}

// ---- the stream

const read = (at: number): void => {
  const { chosen, rows, totals } = screen.value
  rates.read(at, [[0, totals.messages], ...rows.map((row) => [row.n, row.handled] as const)])
  if (chosen?.n !== ratedProcess) rateOfTypes.clear()
  ratedProcess = chosen?.n
  if (chosen !== null) rateOfTypes.read(at, chosen.types.map(([, , taken], i) => [i, taken]))
  capturedAt.value = at
}

const onSnapshot = (snapshot: Snapshot): void =>
  batch(() => {
    const before = source.value
    if (before !== undefined && before.source !== snapshot.source) {
      rates.clear()
      view.value = atFirst
      say("The process was restarted: this is the new one.")
    }
    const { about, actions, startedAt } = snapshot
    source.value = { source: snapshot.source, about, actions, startedAt }
    reader = snapshot.reader
    screen.value = snapshot.screen
    link.value = "live"
    read(snapshot.capturedAt)
    if (view.value !== atFirst) sendView()
  })

let seq = 0

/** Whether the stream can go on with it. */
const onEvent = (event: string, data: string): boolean => {
  if (event === "snapshot") {
    seq = 0
    onSnapshot(JSON.parse(data))
    return true
  }
  if (event === "dropped") say("This page fell behind, and was let go; it begins anew.")
  if (event !== "change") return false
  const change: Change = JSON.parse(data)
  // One was missed: what follows does not fit what is here.
  if (change.seq !== seq + 1) return false
  seq = change.seq
  batch(() => {
    screen.value = applied(screen.value, change)
    read(change.capturedAt)
  })
  return true
}

const silence = 5000

const follow = async (response: Response, abort: AbortController): Promise<void> => {
  const stream = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  let watchdog = 0
  let text = ""
  try {
    while (true) {
      watchdog = setTimeout(() => abort.abort(), silence) as never
      const { done, value } = await stream.read()
      clearTimeout(watchdog)
      if (done) return
      text += value
      const events = text.split("\n\n")
      text = events.pop()!
      for (const one of events) {
        const [event = "", data = ""] = one.split("\n").map((line) => line.slice(line.indexOf(": ") + 2))
        if (!onEvent(event, data)) return abort.abort()
      }
    }
  } finally {
    clearTimeout(watchdog)
  }
}

let waits = 0

const connect = async (): Promise<void> => {
  const abort = new AbortController()
  try {
    const response = await ask("events", { signal: abort.signal })
    if (response.status === 401) {
      link.value = "token"
      return
    }
    if (response.ok) {
      waits = 0
      await follow(response, abort)
    }
  } catch {
    // What went wrong is what the page says: it has no stream.
  }
  abort.abort()
  reader = ""
  link.value = "lost"
  setTimeout(connect, Math.min(5000, 250 * 2 ** waits++))
}

export const useToken = (given: string): void => {
  token = given
  sessionStorage.setItem("heirloom-token", given)
  link.value = "connecting"
  void connect()
}

export const start = (): void => void connect()
