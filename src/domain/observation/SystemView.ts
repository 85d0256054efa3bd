/**
 * A supervision tree, folded from its events.
 *
 * A pure fold of {@link Lifecycle} events: a log, a page or a test that has the events has the tree, without asking a
 * single process. It is as true as the events are complete; ask the supervisor (`whichChildren`) when you need to know
 * and not to watch.
 *
 * @since 0.1.0
 */
import { Array as Arr, HashMap, Option, Order } from "effect"
import { type ExitReason, toText as reasonText } from "../process/ExitReason.ts"
import type { Lifecycle } from "./Lifecycle.ts"

/**
 * Where a process is in its life; as the handle of the process itself says it.
 *
 * @category models
 * @since 0.1.0
 */
export type Status = "starting" | "running" | "restarting" | "parked" | "stopped"

/**
 * One process, as far as the events say.
 *
 * @category models
 * @since 0.1.0
 */
export interface ProcessView {
  /** Its address: the ids from the root supervisor down to itself. */
  readonly path: ReadonlyArray<string>
  readonly kind: "worker" | "supervisor"
  /** The newest incarnation heard of; 0 when none came up. */
  readonly incarnation: number
  readonly status: Status
  /** Incarnations that came up after the first one heard of. */
  readonly restarts: number
  /** How the last incarnation ended, or why it did not come up. */
  readonly lastExit: ExitReason | undefined
  /** Incarnations that did not end in time. */
  readonly abandoned: number
  /** Sequence number of the snapshot that the newest incarnation took over. */
  readonly restoredFrom: number | undefined
  /** When it was last heard of, in milliseconds. */
  readonly at: number
  /** Position in the order in which processes were first heard of: siblings are shown in that order. */
  readonly order: number
}

/**
 * A tree of processes, as far as the events say.
 *
 * @category models
 * @since 0.1.0
 */
export interface SystemView {
  readonly processes: HashMap.HashMap<ReadonlyArray<string>, ProcessView>
  readonly heard: number
}

/**
 * A process with those below it. `process` is absent when only processes below it were heard of.
 *
 * @category models
 * @since 0.1.0
 */
export interface Node {
  readonly id: string
  readonly process: ProcessView | undefined
  readonly children: ReadonlyArray<Node>
}

/**
 * Nothing heard yet.
 *
 * @category constructors
 * @since 0.1.0
 */
export const empty: SystemView = { processes: HashMap.empty(), heard: 0 }

/**
 * The process at `path`, as far as the events say.
 *
 * @category getters
 * @since 0.1.0
 */
export const find = (view: SystemView, path: ReadonlyArray<string>): Option.Option<ProcessView> =>
  HashMap.get(view.processes, path)

/**
 * The view after one more event.
 *
 * **Details**
 *
 * A process that is heard of for the first time is added, whatever the event: a view may begin in the middle of a
 * tree's life. `Deleted` removes a process and all below it. What an older incarnation still says changes nothing but
 * counts.
 *
 * @category folding
 * @since 0.1.0
 */
export const apply = (view: SystemView, event: Lifecycle): SystemView => {
  if (event._tag === "Deleted") {
    return {
      processes: HashMap.filter(view.processes, (process) => !isWithin(process.path, event.path)),
      heard: view.heard
    }
  }
  const known = Option.getOrUndefined(HashMap.get(view.processes, event.path))
  // What is sent to a process that is gone does not bring it back.
  if (known === undefined && event._tag === "Dropped" && event.reason === "NotRunning") return view
  const process = afterEvent(known ?? firstHeard(view, event), event, known !== undefined)
  return {
    processes: HashMap.set(view.processes, event.path, process),
    heard: known === undefined ? view.heard + 1 : view.heard
  }
}

/**
 * The view after many events.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromEvents = (events: Iterable<Lifecycle>): SystemView => {
  let view = empty
  for (const event of events) view = apply(view, event)
  return view
}

const isWithin = (path: ReadonlyArray<string>, ancestor: ReadonlyArray<string>): boolean =>
  path.length >= ancestor.length && ancestor.every((id, i) => path[i] === id)

const firstHeard = (view: SystemView, event: Lifecycle): ProcessView => ({
  path: event.path,
  kind: event._tag === "GaveUp" ? "supervisor" : event.kind,
  incarnation: 0,
  status: "running",
  restarts: 0,
  lastExit: undefined,
  abandoned: 0,
  restoredFrom: undefined,
  at: event.at,
  order: view.heard
})

type ProcessEvent = Exclude<Lifecycle, { readonly _tag: "Deleted" | "GaveUp" | "Abandoned" }>

/** `seen` says whether the process was heard of before this event. */
const afterEvent = (
  process: ProcessView,
  event: Exclude<Lifecycle, { readonly _tag: "Deleted" }>,
  seen: boolean
): ProcessView => {
  if (event._tag === "GaveUp") return { ...process, at: event.at }
  if (event._tag === "Abandoned") return { ...process, at: event.at, abandoned: process.abandoned + 1 }
  if (event.incarnation < process.incarnation) return process
  const next: ProcessView = { ...process, incarnation: heardOf(process, event, seen), at: event.at }
  switch (event._tag) {
    case "Started":
      return {
        ...next,
        status: "running",
        restarts: seen && process.incarnation > 0 && event.incarnation > process.incarnation
          ? process.restarts + 1
          : process.restarts
      }
    case "StartFailed":
    case "Exited":
      return { ...next, status: "stopped", lastExit: event.reason, restoredFrom: undefined }
    case "Ignored":
      return { ...next, status: "stopped" }
    case "Restarting":
      return { ...next, status: "restarting", lastExit: event.reason }
    case "Parked":
      return { ...next, status: "parked" }
    case "Resumed":
      return { ...next, status: process.status === "parked" ? "starting" : process.status }
    case "StateRestored":
      return { ...next, restoredFrom: event.seq }
    default:
      return next
  }
}

/**
 * The newest incarnation heard of. Events of one that is still coming up (`StateRestored`, `StartFailed`) do not count:
 * the one that is up or was up last is meant. Unless nothing better is known.
 */
const heardOf = (process: ProcessView, event: ProcessEvent, seen: boolean): number => {
  if (event._tag === "Started" || event._tag === "Exited") return event.incarnation
  if (seen || event._tag === "StartFailed" || event._tag === "Ignored") return process.incarnation
  return event.incarnation
}

const byOrder = Order.mapInput(Order.Number, (node: { readonly order: number }) => node.order)

interface Branch {
  readonly id: string
  process: ProcessView | undefined
  /** The earliest order below, so that a supervisor heard of only through its children has a place. */
  order: number
  readonly children: Map<string, Branch>
}

const branch = (id: string): Branch => ({ id, process: undefined, order: Infinity, children: new Map() })

const freeze = (branches: Iterable<Branch>): ReadonlyArray<Node> =>
  Arr.sort(branches, byOrder).map(({ children, id, process }) => ({
    id,
    process,
    children: freeze(children.values())
  }))

/**
 * The processes as trees, one for each root, siblings in the order in which they were first heard of.
 *
 * @category conversions
 * @since 0.1.0
 */
export const toTree = (view: SystemView): ReadonlyArray<Node> => {
  const roots = branch("")
  for (const process of HashMap.values(view.processes)) {
    let at = roots
    for (const id of process.path) {
      let child = at.children.get(id)
      if (child === undefined) {
        child = branch(id)
        at.children.set(id, child)
      }
      child.order = Math.min(child.order, process.order)
      at = child
    }
    at.process = process
  }
  return freeze(roots.children.values())
}

/**
 * The trees drawn for people, one process a line, with its incarnation, status, restarts and last exit.
 *
 * **Example**
 *
 * ```
 * ProcSupervisor     #1 running
 * ├─ StateContainer  #1 running
 * └─ Server          #3 running  2 restarts, last exit crashed: Error: boom
 * ```
 *
 * @category conversions
 * @since 0.1.0
 */
export const toText = (view: SystemView): string => {
  const rows: Array<readonly [drawn: string, process: ProcessView | undefined]> = []
  const draw = (nodes: ReadonlyArray<Node>, indent: string, isRoot: boolean): void => {
    nodes.forEach((node, i) => {
      const isLast = i === nodes.length - 1
      rows.push([isRoot ? node.id : `${indent}${isLast ? "└─ " : "├─ "}${node.id}`, node.process])
      draw(node.children, isRoot ? "" : `${indent}${isLast ? "   " : "│  "}`, false)
    })
  }
  draw(toTree(view), "", true)
  const width = Math.max(0, ...rows.map(([drawn]) => drawn.length))
  return rows.map(([drawn, process]) => process === undefined ? drawn : `${drawn.padEnd(width)}  ${describe(process)}`)
    .join("\n")
}

const describe = (process: ProcessView): string => {
  const remarks: Array<string> = []
  if (process.restarts > 0) remarks.push(`${process.restarts} ${process.restarts === 1 ? "restart" : "restarts"}`)
  if (process.lastExit !== undefined) remarks.push(`last exit ${reasonText(process.lastExit)}`)
  if (process.abandoned > 0) remarks.push(`${process.abandoned} abandoned`)
  const state = `#${process.incarnation} ${process.status}`
  return remarks.length === 0 ? state : `${state}  ${remarks.join(", ")}`
}
