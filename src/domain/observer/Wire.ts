/**
 * What the observer says to those who watch: a snapshot, then differences.
 *
 * The source sends counters that only grow, and never a rate: what changes per second its readers make of two of them
 * (`Rates`). `source` is another one after a restart of the process, `seq` counts what one reader was sent, so that a
 * reader knows a source that began anew, and a difference that it has missed.
 *
 * Plain types, without effect's Schema: the page has them too.
 *
 * @since 0.1.0
 */
import type { View } from "./Requests.ts"

/** What a reader looks at before it has asked for anything: the whole tree, from its roots. */
export const untouched: Omit<View, "reader" | "count"> = {
  from: 0,
  opened: [],
  closed: [],
  find: "",
  troubled: false,
  sort: null,
  chosen: null
}

/** Where a process is in its life. */
export type Status = "starting" | "running" | "suspended" | "hibernating" | "restarting" | "parked" | "stopped"

/** How much of a restart budget is used. A `Schedule` of another kind has no number. */
export type Budget =
  | { readonly used: number; readonly restarts: number; readonly within: number }
  | "schedule"

/** The message that a server handles, and since when. */
export interface InHand {
  readonly message: string
  readonly since: number
}

/** One line of the tree. */
export interface Row {
  /** The number of the process, as long as the source lives. */
  readonly n: number
  readonly id: string
  readonly depth: number
  readonly kind: "server" | "worker" | "supervisor"
  readonly status: Status
  readonly incarnation: number
  /** How many are right below it; `null` for what has none below. */
  readonly below: number | null
  readonly isOpen: boolean
  readonly queued: number
  /** `null` without a bound. */
  readonly capacity: number | null
  readonly handled: number
  readonly inHand: InHand | null
  /** Answers that wait for the store. */
  readonly held: number
  readonly quarantined: number
  readonly budget: Budget | null
  readonly lastExit: string | null
}

/** What is counted over the whole tree. All but `queued` and the numbers of processes only grow. */
export interface Totals {
  readonly processes: number
  /** How many something is wrong with, as of the last look at all of them. */
  readonly troubled: number
  readonly messages: number
  readonly queued: number
  readonly crashes: number
  readonly restarts: number
  readonly rollbacks: number
  readonly recoveries: number
  /** Milliseconds from crash to restart, of all of these together. */
  readonly recoveryMillis: number
}

/** What is counted as it happens, in all trees together. */
export type Counted = Omit<Totals, "processes" | "troubled">

/** The counts before anything has happened. */
export const nothingCounted: Counted = {
  messages: 0,
  queued: 0,
  crashes: 0,
  restarts: 0,
  rollbacks: 0,
  recoveries: 0,
  recoveryMillis: 0
}

/** Something that a person should look at, in words. */
export interface Alarm {
  readonly tone: "bad" | "warn"
  readonly text: string
  /** The process it is about, if it is one. */
  readonly n: number | null
}

/** A store that servers of the tree write to. */
export interface Store {
  readonly name: string
  readonly outage: string | null
  /** Since when it is away, or was the last time. */
  readonly since: number | null
  /** When that was over. */
  readonly until: number | null
}

/** One step of what happened to a process. */
export interface Step {
  readonly at: number
  readonly tag: string
  readonly text: string
}

/** What happened to one process, from its end until it was back. */
export interface Group {
  readonly id: number
  readonly path: ReadonlyArray<string>
  readonly title: string
  readonly tone: "bad" | "warn" | "good"
  readonly began: number
  /** When it was over; `null` while it is not. */
  readonly ended: number | null
  /** What it cost, in words. */
  readonly cost: string
  readonly steps: ReadonlyArray<Step>
}

/** How far a state is trusted: see `Sys.committed`. */
export type Trust = "trusted" | "probation" | "suspect"

/** A snapshot of a server's state. */
export interface Kept {
  readonly seq: number
  readonly incarnation: number
  readonly trust: Trust
  /** Why it was set aside; `null` when it was not. */
  readonly aside: string | null
  readonly text: string
}

/** A message in quarantine. */
export interface Quarantined {
  readonly at: number
  readonly message: string
  readonly attempts: number
  readonly why: string
  readonly payload: string
}

/** A durable timer that is set. */
export interface Timer {
  readonly name: string
  readonly message: string
  readonly due: number
  readonly every: number | null
}

/** All there is to know of one process. */
export interface Inspection {
  readonly n: number
  readonly path: ReadonlyArray<string>
  readonly spec: ReadonlyArray<readonly [name: string, value: string]>
  /** The state as of the last commit; `null` for what has none. */
  readonly state: string | null
  readonly seq: number
  readonly trust: Trust | null
  /** Whether the state is where its companion keeps it: over a store, whether it is stored. */
  readonly isStored: boolean
  readonly crash: string | null
  /** Its messages, and how many of each it has taken since `countedSince`. */
  readonly types: ReadonlyArray<readonly [message: string, kind: string, taken: number]>
  /** Messages are counted by type only while the process is inspected; 0 for one that takes none. */
  readonly countedSince: number
  readonly quarantined: ReadonlyArray<Quarantined>
  readonly timers: ReadonlyArray<Timer>
}

/** All that one reader looks at. */
export interface Screen {
  readonly totals: Totals
  readonly alarms: ReadonlyArray<Alarm>
  readonly stores: ReadonlyArray<Store>
  /** How many lines the tree has, with what is open; or how many were found. */
  readonly total: number
  /** The place of the first of `rows` among them. */
  readonly from: number
  readonly rows: ReadonlyArray<Row>
  readonly chosen: Inspection | null
  /** The newest first. */
  readonly feed: ReadonlyArray<Group>
}

/** The first that a reader is sent. */
export interface Snapshot {
  readonly source: string
  readonly reader: string
  readonly seq: number
  readonly capturedAt: number
  readonly startedAt: number
  /** Whether the page may act. */
  readonly actions: boolean
  /** What the app says of itself; empty when it says nothing. */
  readonly about: string
  readonly screen: Screen
}

/** What is different since what was sent before. */
export interface Change {
  readonly seq: number
  readonly capturedAt: number
  readonly totals?: Partial<Totals>
  readonly alarms?: ReadonlyArray<Alarm>
  readonly stores?: ReadonlyArray<Store>
  readonly total?: number
  readonly from?: number
  /** Which rows there are, where those are others, or in another order. */
  readonly order?: ReadonlyArray<number>
  /** New rows whole, and of the others what has changed. */
  readonly rows?: ReadonlyArray<Partial<Row> & Pick<Row, "n">>
  readonly chosen?: Partial<Inspection> | null
  /** Groups that are new, or have gone on. */
  readonly feed?: ReadonlyArray<Group>
}
